//! What every block of 8 × 8 pixels holds: its mean, its darkest and its lightest pixel.
//!
//! This is the one pass over every pixel of a frame that cannot be left out, so it is written for sixteen pixels at a time:
//! rows are folded onto each other, and each eight neighbours then by shifts of a whole word.

use wide::{bytemuck::cast, u8x16, u16x8, u64x2};

use crate::luma::Luma;

/// Side of a block in pixels.
pub const BLOCK: usize = 8;
/// Two blocks are measured together: one register of 16 pixels a row.
const PIXELS: usize = 2 * BLOCK;

/// What every block of a plane holds, row by row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blocks {
    /// Blocks in a row, and rows of them.
    pub(crate) across: usize,
    pub(crate) down: usize,
    pub(crate) means: Vec<u8>,
    pub(crate) lows: Vec<u8>,
    pub(crate) highs: Vec<u8>,
}

impl Blocks {
    /// Measures a plane by every `step`th row of a block.
    pub(crate) fn measure(&mut self, luma: Luma<'_>, step: usize) {
        let (width, height) = (luma.width(), luma.height());
        (self.across, self.down) = (width.div_ceil(BLOCK), height.div_ceil(BLOCK));
        for values in [&mut self.means, &mut self.lows, &mut self.highs] {
            // What is left in them is written over.
            values.resize(self.across * self.down, 0);
        }
        for by in 0..self.down {
            // The last row of blocks overlaps the one before when the height is no multiple of a block.
            let top = (by * BLOCK).min(height.saturating_sub(BLOCK));
            let first = by * self.across;
            let pairs = match (height >= BLOCK, step) {
                (true, 1) => self.pairs(std::array::from_fn::<_, 8, _>(|y| luma.row(top + y)), first),
                (true, 2) => self.pairs(std::array::from_fn::<_, 4, _>(|y| luma.row(top + 2 * y)), first),
                _ => 0,
            };
            let rows = (top..(top + BLOCK).min(height)).step_by(step).map(|y| luma.row(y));
            for at in 2 * pairs..self.across {
                // The last block of a row overlaps the one before when the width is no multiple of a block.
                let left = (at * BLOCK).min(width.saturating_sub(BLOCK));
                self.single(rows.clone(), left..(left + BLOCK).min(width), first + at);
            }
        }
    }

    /// Measures two blocks at a time as far as that goes, from the block with the number `first`; says how many pairs.
    fn pairs<const R: usize>(&mut self, rows: [&[u8]; R], first: usize) -> usize {
        let rows = rows.map(|row| row.as_chunks::<PIXELS>().0);
        let pairs = rows.iter().fold(usize::MAX, |least, row| least.min(row.len()));
        let rows = rows.map(|row| &row[..pairs]);
        let whole = first..first + 2 * pairs;
        let means = self.means[whole.clone()].as_chunks_mut::<2>().0;
        let lows = self.lows[whole.clone()].as_chunks_mut::<2>().0;
        let highs = self.highs[whole].as_chunks_mut::<2>().0;
        for (at, ((mean, low), high)) in means.iter_mut().zip(lows).zip(highs).enumerate() {
            let mut pair = Pair { sums: u16x8::ZERO, lows: u8x16::MAX, highs: u8x16::ZERO };
            for row in &rows {
                pair.add(&row[at]);
            }
            (*mean, *low, *high) = pair.folded((R * BLOCK).ilog2());
        }
        pairs
    }

    fn single<'a>(
        &mut self,
        rows: impl ExactSizeIterator<Item = &'a [u8]>,
        columns: std::ops::Range<usize>,
        at: usize,
    ) {
        let pixels = rows.len() * columns.len();
        let (mut sum, mut low, mut high) = (0_u32, u8::MAX, 0);
        for pixel in rows.flat_map(|row| &row[columns.clone()]) {
            sum += u32::from(*pixel);
            (low, high) = (low.min(*pixel), high.max(*pixel));
        }
        (self.means[at], self.lows[at], self.highs[at]) = ((sum / pixels as u32) as u8, low, high);
    }
}

/// Two blocks side by side, their rows folded onto each other.
struct Pair {
    /// Of two neighbouring pixels each.
    sums: u16x8,
    lows: u8x16,
    highs: u8x16,
}

impl Pair {
    #[inline]
    fn add(&mut self, row: &[u8; PIXELS]) {
        let row = u8x16::new(*row);
        let neighbours: u16x8 = cast(row);
        self.sums += (neighbours & u16x8::splat(0xff)) + (neighbours >> 8_u32);
        self.lows = self.lows.min(row);
        self.highs = self.highs.max(row);
    }

    /// For each block the mean of `1 << pixels` pixels, the least and the greatest: each half of a word is folded onto the other.
    #[inline]
    fn folded(self, pixels: u32) -> ([u8; 2], [u8; 2], [u8; 2]) {
        let Pair { sums, mut lows, mut highs } = self;
        let down = |bytes: u8x16, by: u32| cast::<u64x2, u8x16>(cast::<u8x16, u64x2>(bytes) >> by);
        for by in [32, 16, 8] {
            lows = lows.min(down(lows, by));
            highs = highs.max(down(highs, by));
        }
        let mut sums: u64x2 = cast(sums);
        for by in [32_u32, 16] {
            sums += sums >> by;
        }
        let first = |bytes: u8x16| cast::<u8x16, [u64; 2]>(bytes).map(|word| word as u8);
        (cast::<u64x2, [u64; 2]>(sums).map(|sum| ((sum as u16) >> pixels) as u8), first(lows), first(highs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_of_any_plane_has_its_mean_its_darkest_and_its_lightest_pixel() {
        for (width, height) in [(64, 8), (200, 40), (131, 61), (7, 3), (1, 1), (8, 64), (65, 9)] {
            let data: Vec<u8> = (0..width * height).map(|i| ((i * i + i * 7) % 251) as u8).collect();
            let luma = Luma::new(&data, width, height).expect("fits");
            for step in [1, 2] {
                let mut blocks = Blocks::default();
                blocks.measure(luma, step);
                assert_eq!(blocks.means.len(), width.div_ceil(BLOCK) * height.div_ceil(BLOCK));
                for (i, mean) in blocks.means.iter().enumerate() {
                    let left = (i % blocks.across * BLOCK).min(width.saturating_sub(BLOCK));
                    let top = (i / blocks.across * BLOCK).min(height.saturating_sub(BLOCK));
                    let rows = (top..(top + BLOCK).min(height)).step_by(step);
                    let pixels: Vec<u8> =
                        rows.flat_map(|y| luma.row(y)[left..(left + BLOCK).min(width)].to_vec()).collect();
                    let sum: u32 = pixels.iter().map(|pixel| u32::from(*pixel)).sum();
                    assert_eq!(u32::from(*mean), sum / pixels.len() as u32, "{width}x{height}, block {i}");
                    assert_eq!(Some(&blocks.lows[i]), pixels.iter().min());
                    assert_eq!(Some(&blocks.highs[i]), pixels.iter().max());
                }
            }
        }
    }
}
