//! Format information (level and mask) and version information, both read softly.
//!
//! A symbol says its format twice and there are only thirty-two things to say, so every one of them is correlated
//! with what was sampled and the likeliest are tried in turn: no bit is decided alone. Error correction of the data
//! is the judge of which was right.

use crate::grid::SoftGrid;
use crate::symbol::{EcLevel, Version};

/// What format information says, and how well it fits what was sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Error correction level.
    pub level: EcLevel,
    /// Mask reference.
    pub mask: u8,
    /// Whether it was read from the transposed grid.
    pub mirrored: bool,
    /// Correlation with the sampled modules; the greater the better.
    pub score: i32,
}

/// Formats worth trying on one grid: the likeliest over both copies, the likeliest of each copy, and mirrored.
pub const MAX_FORMATS: usize = 6;

/// XOR mask of Model 2 format information (ISO/IEC 18004:2015 §7.9.1).
const MODEL2_MASK: u16 = 0x5412;
/// XOR mask of Micro format information (§7.9.2).
const MICRO_MASK: u16 = 0x4445;

/// The formats worth trying, likeliest first, at most `MAX_FORMATS`.
pub fn likely_formats(grid: &SoftGrid, version: Version) -> Vec<Format> {
    let mut formats: Vec<Format> = Vec::with_capacity(MAX_FORMATS + 4);
    for mirrored in [false, true] {
        let (first, second) = sampled(grid, version, mirrored);
        let both: [i32; 15] = std::array::from_fn(|index| first[index] + second[index]);
        for (copy, weight) in [(&both, 2), (&first, 1), (&second, 1)] {
            let Some(format) = best(copy, version, mirrored, weight) else { continue };
            match formats.iter_mut().find(|known| same(known, &format)) {
                Some(known) => known.score = known.score.max(format.score),
                None => formats.push(format),
            }
        }
    }
    formats.sort_by_key(|format| -format.score);
    formats.truncate(MAX_FORMATS);
    formats
}

fn same(one: &Format, other: &Format) -> bool {
    (one.level, one.mask, one.mirrored) == (other.level, other.mask, other.mirrored)
}

/// The two copies' soft bits, most significant first; Micro has one copy only.
fn sampled(grid: &SoftGrid, version: Version, mirrored: bool) -> ([i32; 15], [i32; 15]) {
    let at = |x: usize, y: usize| i32::from(if mirrored { grid.module(y, x) } else { grid.module(x, y) });
    if version.is_micro() {
        return (std::array::from_fn(|index| if index < 8 { at(index + 1, 8) } else { at(8, 15 - index) }), [0; 15]);
    }
    let size = grid.size();
    let first = std::array::from_fn(|index| match index {
        0..=5 => at(index, 8),
        6 => at(7, 8),
        7 => at(8, 8),
        8 => at(8, 7),
        _ => at(8, 14 - index),
    });
    let second =
        std::array::from_fn(|index| if index < 7 { at(8, size - 1 - index) } else { at(size - 15 + index, 8) });
    (first, second)
}

/// The format whose fifteen bits agree best with the samples.
fn best(samples: &[i32; 15], version: Version, mirrored: bool, weight: i32) -> Option<Format> {
    let (data, score) = (0..32u16)
        .map(|data| (data, correlation(samples, format_bits(data, version.is_micro()))))
        .max_by_key(|&(_, score)| score)?;
    let (level, mask) = meaning(data, version)?;
    (score > 0).then_some(Format { level, mask, mirrored, score: score * 2 / weight })
}

fn correlation(samples: &[i32; 15], bits: u16) -> i32 {
    samples.iter().enumerate().map(|(index, value)| if bits >> (14 - index) & 1 == 1 { *value } else { -value }).sum()
}

/// The fifteen bits as drawn: five of data, ten of BCH(15,5), masked.
pub fn format_bits(data: u16, micro: bool) -> u16 {
    let mut remainder = data << 10;
    for bit in (10..15).rev() {
        if remainder >> bit & 1 == 1 {
            remainder ^= 0x537 << (bit - 10);
        }
    }
    (data << 10 | remainder) ^ if micro { MICRO_MASK } else { MODEL2_MASK }
}

/// Level and mask behind the five data bits; `None` where a Micro symbol names another version than its size does.
fn meaning(data: u16, version: Version) -> Option<(EcLevel, u8)> {
    match version {
        Version::Model2(_) => {
            let level = [EcLevel::M, EcLevel::L, EcLevel::H, EcLevel::Q][usize::from(data >> 3)];
            Some((level, (data & 7) as u8))
        }
        Version::Micro(number) => {
            let (named, level) = [
                (1, EcLevel::L),
                (2, EcLevel::L),
                (2, EcLevel::M),
                (3, EcLevel::L),
                (3, EcLevel::M),
                (4, EcLevel::L),
                (4, EcLevel::M),
                (4, EcLevel::Q),
            ][usize::from(data >> 2)];
            (named == number).then_some((level, (data & 3) as u8))
        }
    }
}

/// How much the format cells speak for a symbol, in bits: fifteen agreeing modules less the five free ones and less
/// what was forgiven; the better copy counts.
pub fn evidence(grid: &SoftGrid, version: Version, format: &Format) -> i32 {
    let micro = version.is_micro();
    let Some(data) = (0..32).find(|&data| meaning(data, version) == Some((format.level, format.mask))) else {
        return 0;
    };
    let bits = format_bits(data, micro);
    let (first, second) = sampled(grid, version, format.mirrored);
    let bits_of = |copy: [i32; 15]| {
        let wrong = (0..15).filter(|&index| (copy[index] > 0) != (bits >> (14 - index) & 1 == 1)).count();
        // 10 − log₂ C(15, wrong), rounded down.
        [10, 6, 3, 1].get(wrong).copied().unwrap_or(0)
    };
    if micro { bits_of(first) } else { bits_of(first).max(bits_of(second)) }
}

/// The version that the version information beside the top right and bottom left finders names, and in how many of
/// its modules it differs from what was sampled (0..=36); `None` for grids too small to carry it.
///
/// For the sampler: a grid laid with a wrong number of modules says so here.
pub fn named_version(grid: &SoftGrid) -> Option<(Version, u32)> {
    let size = grid.size();
    if size < 45 {
        return None;
    }
    let bits = |at: &dyn Fn(usize, usize) -> bool| {
        (0..18).fold(0u32, |bits, index| bits | u32::from(at(size - 11 + index % 3, index / 3)) << index)
    };
    let (right, below) = (bits(&|x, y| grid.dark(x, y)), bits(&|x, y| grid.dark(y, x)));
    (7..=40u8)
        .map(|number| {
            let word = version_bits(number);
            (Version::Model2(number), (word ^ right).count_ones() + (word ^ below).count_ones())
        })
        .min_by_key(|&(_, distance)| distance)
}

/// The version whose eighteen bits lie nearest to `word` (least significant first, as read outwards from the finder:
/// three columns a row, ISO/IEC 18004:2015 §7.10), and the distance. Words of two versions differ in eight bits or more.
pub fn nearest_version(word: u32) -> (Version, u32) {
    (7..=40u8)
        .map(|number| (Version::Model2(number), (version_bits(number) ^ word).count_ones()))
        .min_by_key(|&(_, distance)| distance)
        .expect("the range is not empty")
}

/// Six bits of version, twelve of BCH(18,6).
fn version_bits(number: u8) -> u32 {
    let mut remainder = u32::from(number) << 12;
    for bit in (12..18).rev() {
        if remainder >> bit & 1 == 1 {
            remainder ^= 0x1F25 << (bit - 12);
        }
    }
    u32::from(number) << 12 | remainder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_and_version_words_are_the_standards() {
        // ISO/IEC 18004:2015 Annex C and D worked examples, and the ends of their tables.
        assert_eq!(format_bits(0b00101, false), 0b100_0000_1100_1110);
        assert_eq!(format_bits(0, false), 0x5412);
        assert_eq!(format_bits(31, false), 0x2BED);
        assert_eq!(format_bits(0, true), 0x4445);
        assert_eq!(format_bits(31, true), 0x3BBA);
        assert_eq!(version_bits(7), 0x07C94);
        assert_eq!(version_bits(40), 0x28C69);
    }

    #[test]
    fn three_wrong_bits_still_name_the_version() {
        for number in 7..=40 {
            let (version, distance) = nearest_version(version_bits(number) ^ 0b10_0000_0100_0000_0001);
            assert_eq!((version, distance), (Version::Model2(number), 3));
        }
    }
}
