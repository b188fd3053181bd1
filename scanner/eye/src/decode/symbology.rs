//! What ISO/IEC 18004 fixes for each kind of symbol: sizes, levels, blocks, places of the patterns.
//!
//! Only two short tables are typed in (correction codewords a block, and blocks); everything else follows from them
//! by arithmetic, and the tests compare the outcome with an independent encoder for every version and level.

use crate::symbol::{EcLevel, Version};

impl Version {
    /// Whether this is a Micro QR Code.
    pub fn is_micro(self) -> bool {
        matches!(self, Version::Micro(_))
    }

    /// Row (and column) numbers of the alignment patterns' centres; empty for version 1 and Micro.
    ///
    /// A pattern stands at every pair of them but the three that would cover a finder pattern.
    pub fn alignment_centres(self) -> AlignmentCentres {
        let mut centres = AlignmentCentres { at: [0; 7], len: 0 };
        if let Version::Model2(number @ 2..=40) = self {
            let number = usize::from(number);
            let count = number / 7 + 2;
            // ISO/IEC 18004:2015 Annex E: even steps counted from the far end; version 32 is the one exception.
            let step = if number == 32 { 26 } else { (number * 4 + count * 2 + 1) / (count * 2 - 2) * 2 };
            centres.len = count;
            centres.at[0] = 6;
            for index in 1..count {
                centres.at[index] = (self.size() - 7 - (count - 1 - index) * step) as u8;
            }
        }
        centres
    }

    /// How the codewords of a symbol of this version and level are split; `None` when Micro has no such level.
    pub fn blocks(self, level: EcLevel) -> Option<Blocks> {
        match self {
            Version::Model2(number @ 1..=40) => {
                let (row, column) = (usize::from(number) - 1, level as usize);
                Some(Blocks {
                    total: self.data_modules() / 8,
                    count: usize::from(BLOCK_COUNT[column][row]),
                    correction: usize::from(CORRECTION[column][row]),
                    half_at_end: false,
                })
            }
            Version::Micro(number @ 1..=4) => {
                let correction = MICRO_CORRECTION[usize::from(number) - 1][level as usize];
                (correction > 0).then_some(Blocks {
                    total: [5, 10, 17, 24][usize::from(number) - 1],
                    count: 1,
                    correction: usize::from(correction),
                    half_at_end: number % 2 == 1,
                })
            }
            _ => None,
        }
    }

    /// Modules left for codewords and remainder bits when all patterns are placed (Model 2 only).
    fn data_modules(self) -> usize {
        let Version::Model2(number) = self else { return 0 };
        let number = usize::from(number);
        let mut modules = (16 * number + 128) * number + 64;
        if number >= 2 {
            let count = number / 7 + 2;
            modules -= (25 * count - 10) * count - 55;
        }
        if number >= 7 {
            modules -= 36;
        }
        modules
    }
}

/// Rows of the alignment patterns, in rising order; reads as a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlignmentCentres {
    at: [u8; 7],
    len: usize,
}

impl std::ops::Deref for AlignmentCentres {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.at[..self.len]
    }
}

/// How a symbol's codewords are cut into blocks that are corrected each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Codewords in the symbol.
    pub total: usize,
    /// Blocks; when they do not divide the total, the last ones are one data codeword longer.
    pub count: usize,
    /// Correction codewords in each block.
    pub correction: usize,
    /// Micro M1 and M3: the last data codeword has four bits only.
    pub half_at_end: bool,
}

impl Blocks {
    /// Data codewords in block `index`.
    pub fn data(&self, index: usize) -> usize {
        let short = self.total / self.count - self.correction;
        let shorts = self.count - self.total % self.count;
        short + usize::from(index >= shorts)
    }

    /// Data codewords in the whole symbol.
    pub fn data_total(&self) -> usize {
        self.total - self.count * self.correction
    }

    /// Bits of content in the whole symbol.
    pub fn data_bits(&self) -> usize {
        self.data_total() * 8 - if self.half_at_end { 4 } else { 0 }
    }
}

/// Correction codewords a block, by level and version (ISO/IEC 18004:2015 Table 9).
const CORRECTION: [[u8; 40]; 4] = [
    [
        7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30,
        30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
    ],
    [
        10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28,
        28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    ],
    [
        13, 22, 18, 26, 18, 24, 18, 22, 20, 24, 28, 26, 24, 20, 30, 24, 28, 28, 26, 30, 28, 30, 30, 30, 30, 28, 30, 30,
        30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
    ],
    [
        17, 28, 22, 16, 22, 28, 26, 26, 24, 28, 24, 28, 22, 24, 24, 30, 28, 28, 26, 28, 30, 24, 30, 30, 30, 30, 30, 30,
        30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
    ],
];

/// Blocks, by level and version (the same table).
const BLOCK_COUNT: [[u8; 40]; 4] = [
    [
        1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18,
        19, 19, 20, 21, 22, 24, 25,
    ],
    [
        1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31,
        33, 35, 37, 38, 40, 43, 45, 47, 49,
    ],
    [
        1, 1, 2, 2, 4, 4, 6, 6, 8, 8, 8, 10, 12, 16, 12, 17, 16, 18, 21, 20, 23, 23, 25, 27, 29, 34, 34, 35, 38, 40,
        43, 45, 48, 51, 53, 56, 59, 62, 65, 68,
    ],
    [
        1, 1, 2, 4, 4, 4, 5, 6, 8, 8, 11, 11, 16, 16, 18, 16, 19, 21, 25, 25, 25, 34, 30, 32, 35, 37, 40, 42, 45, 48,
        51, 54, 57, 60, 63, 66, 70, 74, 77, 81,
    ],
];

/// Correction codewords of Micro symbols, by version and level; 0 where the level does not exist.
const MICRO_CORRECTION: [[u8; 4]; 4] = [[2, 0, 0, 0], [5, 6, 0, 0], [6, 8, 0, 0], [8, 10, 14, 0]];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_follow_the_standards_own_examples() {
        // ISO/IEC 18004:2015 Table 9: 5-H is 2 blocks of (33,11) and 2 of (34,12).
        let blocks = Version::Model2(5).blocks(EcLevel::H).expect("exists");
        assert_eq!((0..4).map(|index| blocks.data(index)).collect::<Vec<_>>(), [11, 11, 12, 12]);
        assert_eq!((blocks.total, blocks.correction, blocks.data_total()), (134, 22, 46));
        let largest = Version::Model2(40).blocks(EcLevel::L).expect("exists");
        assert_eq!((largest.total, largest.data_total(), largest.count), (3706, 2956, 25));
        assert_eq!(Version::Micro(1).blocks(EcLevel::M), None);
        assert_eq!(Version::Micro(3).blocks(EcLevel::L).map(|blocks| blocks.data_bits()), Some(84));
    }

    #[test]
    fn every_version_and_level_has_whole_blocks() {
        for number in 1..=40 {
            for level in [EcLevel::L, EcLevel::M, EcLevel::Q, EcLevel::H] {
                let blocks = Version::Model2(number).blocks(level).expect("exists");
                let sum: usize = (0..blocks.count).map(|index| blocks.data(index)).sum();
                assert_eq!(sum, blocks.data_total(), "{number} {level:?}");
            }
        }
    }

    #[test]
    fn alignment_centres_match_annex_e() {
        assert_eq!(*Version::Model2(1).alignment_centres(), []);
        assert_eq!(*Version::Model2(2).alignment_centres(), [6, 18]);
        assert_eq!(*Version::Model2(7).alignment_centres(), [6, 22, 38]);
        assert_eq!(*Version::Model2(15).alignment_centres(), [6, 26, 48, 70]);
        assert_eq!(*Version::Model2(32).alignment_centres(), [6, 34, 60, 86, 112, 138]);
        assert_eq!(*Version::Model2(36).alignment_centres(), [6, 24, 50, 76, 102, 128, 154]);
        assert_eq!(*Version::Model2(40).alignment_centres(), [6, 30, 58, 86, 114, 142, 170]);
    }
}
