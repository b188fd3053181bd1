//! One pass over the frame: how bright each small block is, and so where the line between dark and light runs.
//!
//! What each block holds is measured in one pass (`blocks.rs`); the threshold of a block is the mean black point of the 5 × 5 blocks around it, as in ZXing's hybrid binarizer, because a gate's
//! light is never even. Where that neighbourhood is of another light than the block itself, as beside a bright hall or a
//! dark card, the block is held to what it holds (`held.rs`). Pixels are compared with their block's threshold when
//! somebody asks: most never are.

use std::ops::Range;

use crate::{
    blocks::{BLOCK, Blocks},
    held::{self, Hold},
    luma::Luma,
};

/// A block whose brightness varies less than this holds no edge: noise alone varies as much.
const MIN_CONTRAST: u8 = 28;
/// The same where every row is looked at: among twice as many pixels noise goes further.
const MIN_CONTRAST_OF_ALL: u8 = 32;
/// In the dark less is enough, for light only scales what it falls on: this share of the lightest pixel…
const CONTRAST_SHARE: f32 = 0.375;
/// … but never less than the noise allows: so many times what an even block varies by, and at least this.
const OVER_NOISE: f32 = 1.25;
const LEAST_CONTRAST: f32 = 12.0;
/// The blocks that vary least are taken for even ones, of those that are neither black nor blown out.
const EVEN_BLOCKS: f32 = 0.2;
/// Between the middles of two runs, contrast of less than this share of what an even block varies by is that of noise.
const FAINT_SHARE: f32 = 0.6;

/// Blocks with an edge among the 5 × 5 around one from which their mean says something.
const MIN_EDGES: u16 = 3;

/// Thresholds of a plane, one per block.
#[derive(Clone, Debug, Default)]
pub struct Light {
    blocks_x: usize,
    blocks_y: usize,
    thresholds: Vec<u8>,
    /// The thresholds before blocks are held to what they hold.
    smooth: Vec<u8>,
    /// Blocks to look at in each row of blocks.
    parts: Vec<Range<usize>>,
    black_points: Vec<u8>,
    /// 1 where a block holds an edge.
    edges: Vec<u8>,
    weights: Vec<u8>,
    blocks: Blocks,
    columns: Columns,
    held: held::Scratch,
    lows: Histogram,
    highs: Histogram,
    /// By how much blocks vary that are neither black nor blown out.
    ranges: Histogram,
    faint: u8,
    /// The range of an edge in the dark, and that of one in any light.
    least: u8,
    enough: u8,
}

/// Blocks by a value.
#[derive(Clone, Debug)]
struct Histogram([u32; 256]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; 256])
    }
}

impl Histogram {
    fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// The least value that more than `part` blocks do not exceed.
    fn lowest(&self, part: u32) -> Option<u8> {
        let mut seen = 0;
        (0..=u8::MAX).find(|value| {
            seen += self.0[usize::from(*value)];
            seen > part
        })
    }

    /// The greatest value that more than `part` blocks reach.
    fn highest(&self, part: u32) -> Option<u8> {
        let mut seen = 0;
        (0..=u8::MAX).rev().find(|value| {
            seen += self.0[usize::from(*value)];
            seen > part
        })
    }

    fn sum(&self) -> u64 {
        (0..).zip(self.0).map(|(value, blocks): (u64, u32)| value * u64::from(blocks)).sum()
    }
}

/// Scratch for one row of blocks: weighted sums and weights of five blocks below each other.
#[derive(Clone, Debug, Default)]
struct Columns {
    sum: Vec<u16>,
    count: Vec<u16>,
}

/// Brightness of the frame as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brightness {
    /// A twentieth of the blocks is darker.
    pub dark: u8,
    /// Mean.
    pub mean: u8,
    /// A twentieth of the blocks is lighter.
    pub light: u8,
}

impl Light {
    /// Measures a plane. Reuses the buffers of the plane before.
    pub fn measure(&mut self, luma: Luma<'_>, edge_weight: u8) -> Brightness {
        // On a whole camera frame every other row tells as much.
        let (step, contrast) = if luma.height() >= 480 { (2, MIN_CONTRAST) } else { (1, MIN_CONTRAST_OF_ALL) };
        self.blocks.measure(luma, step);
        (self.blocks_x, self.blocks_y) = (self.blocks.across, self.blocks.down);
        self.count_blocks();
        self.find_edges(contrast);
        self.follow_edges();
        self.smooth(edge_weight);
        self.smooth.clone_from(&self.thresholds);
        held::hold(&mut self.thresholds, &self.blocks, &self.edges, self.blocks_x, Hold::Gentle, &mut self.held);
        self.parts.clear();
        self.parts.resize(self.blocks_y, 0..self.blocks_x);
        self.brightness()
    }

    /// Takes another's measure of the same plane, with every block held to its own, and looks only where many then are otherwise.
    /// Says whether that is anywhere.
    pub(crate) fn hold_strictly(&mut self, gentle: &Light) -> bool {
        (self.blocks_x, self.blocks_y, self.faint) = (gentle.blocks_x, gentle.blocks_y, gentle.faint);
        self.thresholds.clone_from(&gentle.smooth);
        let (least, enough) = (gentle.least, gentle.enough);
        let edge =
            |(lo, hi): (&u8, &u8)| u8::from(hi - lo > ((f32::from(*hi) * CONTRAST_SHARE) as u8).clamp(least, enough));
        self.edges.clear();
        self.edges.extend(gentle.blocks.lows.iter().zip(&gentle.blocks.highs).map(edge));
        let across = self.blocks_x;
        held::hold(&mut self.thresholds, &gentle.blocks, &self.edges, across, Hold::Strict, &mut self.held);
        held::changed(&self.thresholds, &gentle.thresholds, &self.edges, across, &mut self.parts);
        self.parts.iter().any(|part| !part.is_empty())
    }

    fn count_blocks(&mut self) {
        for histogram in [&mut self.lows, &mut self.highs, &mut self.ranges] {
            histogram.0.fill(0);
        }
        for (lo, hi) in self.blocks.lows.iter().zip(&self.blocks.highs) {
            self.lows.0[usize::from(*lo)] += 1;
            self.highs.0[usize::from(*hi)] += 1;
            self.ranges.0[usize::from(*hi - *lo)] += u32::from(*lo > 4 && *hi < 251);
        }
    }

    /// Tells blocks with an edge from even ones, and gives each its black point. `contrast` is enough in any light.
    fn find_edges(&mut self, contrast: u8) {
        let even = (self.ranges.total() as f32 * EVEN_BLOCKS) as u32;
        let noise = f32::from(self.ranges.lowest(even).unwrap_or(0));
        self.faint = (noise.min(f32::from(MIN_CONTRAST)) * FAINT_SHARE) as u8;
        self.least = (noise * OVER_NOISE).clamp(LEAST_CONTRAST, f32::from(contrast)) as u8;
        self.enough = contrast;
        let all = self.blocks.means.len();
        self.black_points.clear();
        self.black_points.resize(all, 0);
        self.edges.clear();
        let edge = |(lo, hi): (&u8, &u8)| u8::from(hi - lo > contrast);
        self.edges.extend(self.blocks.lows.iter().zip(&self.blocks.highs).map(edge));
        for index in 0..all {
            self.black_points[index] = if self.edges[index] == 1 {
                self.blocks.means[index]
            } else {
                // An even block is taken for ground, unless darker than its neighbours' threshold: then it lies
                // inside something dark.
                let lo = self.blocks.lows[index];
                let mut black = lo / 2;
                if index > self.blocks_x && !index.is_multiple_of(self.blocks_x) {
                    let at = |index: usize| u16::from(self.black_points[index]);
                    let above = index - self.blocks_x;
                    let around = ((at(above) + 2 * at(index - 1) + at(above - 1)) / 4) as u8;
                    if lo < around {
                        black = around;
                    }
                }
                black
            };
        }
    }

    /// An even block that is darker than the edges near it mean is dark itself, on whichever side of it they lie: a
    /// light symbol's ground. Taken for light, it would pull the line down right where the symbol's finders are.
    fn follow_edges(&mut self) {
        means(&mut self.columns, self.blocks_x, &self.black_points, &self.edges, MIN_EDGES, &mut self.thresholds);
        let evens = self.blocks.lows.iter().zip(&self.edges).map(|(low, edge)| low | (255 * edge));
        for ((black, low), edges) in self.black_points.iter_mut().zip(evens).zip(&self.thresholds) {
            *black = if low < *edges { (*black).max(*edges) } else { *black };
        }
    }

    /// Thresholds are the mean black point of 5 × 5 blocks, those with an edge counting more.
    fn smooth(&mut self, edge_weight: u8) {
        self.weights.clear();
        self.weights.extend(self.edges.iter().map(|edge| 1 + edge * (edge_weight - 1)));
        means(&mut self.columns, self.blocks_x, &self.black_points, &self.weights, 1, &mut self.thresholds);
    }

    fn brightness(&self) -> Brightness {
        let blocks = self.lows.total();
        let dark = self.lows.lowest(blocks / 20).unwrap_or(0);
        let light = self.highs.highest(blocks / 20).unwrap_or(255);
        let mean = (self.lows.sum() + self.highs.sum()).checked_div(2 * u64::from(blocks)).unwrap_or(0) as u8;
        Brightness { dark, mean, light }
    }

    /// The line between dark and light at a pixel inside the plane: what is less bright is dark.
    #[inline]
    pub(crate) fn threshold(&self, x: usize, y: usize) -> u8 {
        self.thresholds[(y / BLOCK) * self.blocks_x + x / BLOCK]
    }

    /// Contrast between neighbouring runs below which they may well be noise.
    pub(crate) fn faint(&self) -> u8 {
        self.faint
    }

    /// The blocks to look at in the row of blocks that holds pixel row `y`.
    pub(crate) fn part_of_row(&self, y: usize) -> Range<usize> {
        self.parts[y / BLOCK].clone()
    }

    /// Thresholds of the row of blocks that holds pixel row `y`.
    #[must_use]
    pub fn thresholds_of_row(&self, y: usize) -> &[u8] {
        let start = (y / BLOCK) * self.blocks_x;
        &self.thresholds[start..start + self.blocks_x]
    }
}

/// The weighted mean of the 5 × 5 blocks around each, by running sums; 0 where they weigh less than `least`.
fn means(columns: &mut Columns, bw: usize, values: &[u8], weights: &[u8], least: u16, means: &mut Vec<u8>) {
    let bh = values.len() / bw;
    means.clear();
    means.resize(values.len(), 0);
    let Columns { sum, count } = columns;
    for by in 0..bh {
        let y0 = by.saturating_sub(2).min(bh.saturating_sub(5));
        let y1 = (y0 + 5).min(bh);
        sum.clear();
        sum.resize(bw, 0);
        count.clear();
        count.resize(bw, 0);
        for y in y0..y1 {
            let row = y * bw..(y + 1) * bw;
            let weighted = values[row.clone()].iter().zip(&weights[row]);
            for ((s, c), (v, w)) in sum.iter_mut().zip(count.iter_mut()).zip(weighted) {
                *s += u16::from(*v) * u16::from(*w);
                *c += u16::from(*w);
            }
        }
        let row = &mut means[by * bw..(by + 1) * bw];
        let mean = |sums: &[u16], counts: &[u16]| {
            let (total, weight) = (sums.iter().sum::<u16>(), counts.iter().sum::<u16>());
            // In floating point, which can be done for many at once; both are small, so nothing is rounded up.
            if weight < least { 0 } else { (f32::from(total) / f32::from(weight)) as u8 }
        };
        for ((mean_of, sums), counts) in row.iter_mut().skip(2).zip(sum.windows(5)).zip(count.windows(5)) {
            *mean_of = mean(sums, counts);
        }
        // At both ends the window stays inside.
        let (first, last) = (0..bw.min(5), bw.saturating_sub(5)..bw);
        for (columns, part) in [(0..bw.min(2), first), (bw.saturating_sub(2)..bw, last)] {
            let value = mean(&sum[part.clone()], &count[part]);
            row[columns].fill(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_lies_between_the_dark_and_the_light_of_its_neighbourhood() {
        let (w, h) = (83, 61);
        let data: Vec<u8> =
            (0..w * h).map(|i| if (i % w / 4 + i / w / 4) % 2 == 0 { 40 } else { 60 + (i % w) as u8 }).collect();
        let mut light = Light::default();
        light.measure(Luma::new(&data, w, h).expect("fits"), 1);
        for y in 0..h {
            for x in 0..w {
                let t = light.threshold(x, y);
                assert!((40..60 + x.max(16) as u8).contains(&t), "{t} at {x},{y}");
            }
        }
    }

    #[test]
    fn planes_smaller_than_a_block_are_measured() {
        for (w, h) in [(1, 1), (3, 9), (9, 3), (7, 7)] {
            let data = vec![100_u8; w * h];
            let mut light = Light::default();
            let seen = light.measure(Luma::new(&data, w, h).expect("fits"), 1);
            assert_eq!((seen.dark, seen.mean, seen.light), (100, 100, 100));
        }
    }

    /// Bars of 4 pixels on a card with a quiet zone of 16, in the middle of a ground of another light.
    fn card(dark: u8, light: u8, around: u8) -> Vec<u8> {
        let bar = |x: usize, y: usize| (56..104).contains(&x) && (56..104).contains(&y) && (x / 4).is_multiple_of(2);
        (0..160 * 160)
            .map(|i| match (i % 160, i / 160) {
                (x, y) if bar(x, y) => dark,
                (x, y) if (40..120).contains(&x) && (40..120).contains(&y) => light,
                _ => around,
            })
            .collect()
    }

    #[test]
    fn a_card_keeps_its_own_dark_and_light_beside_any_other_light() {
        for (dark, light, around) in [(14, 87, 200), (8, 33, 250), (20, 60, 130), (40, 200, 250), (20, 200, 5)] {
            let data = card(dark, light, around);
            let mut seen = Light::default();
            seen.measure(Luma::new(&data, 160, 160).expect("fits"), 1);
            let mut held = Light::default();
            held.hold_strictly(&seen);
            for y in 57..103 {
                for x in 50..110 {
                    let pixel = data[y * 160 + x];
                    let line = held.threshold(x, y);
                    assert_eq!(pixel < line, pixel == dark, "{pixel} by {line} at {x},{y}; around {around}");
                }
            }
        }
    }
}
