//! One pass over the frame: how bright each small block is, and so where the line between dark and light runs.
//!
//! Blocks are [`BLOCK`] pixels square. Their sums, minima and maxima come from one vectorizable pass; the threshold
//! of a block is the mean black point of the 5 × 5 blocks around it, as in ZXing's hybrid binarizer, because a gate's
//! light is never even. Pixels are compared with their block's threshold when somebody asks: most never are.

use crate::luma::Luma;

/// Side of a block in pixels.
pub const BLOCK: usize = 8;
/// A block whose brightness varies less than this holds no edge: noise alone varies as much.
const MIN_CONTRAST: u8 = 28;
/// The same where every row is looked at: among twice as many pixels noise goes further.
const MIN_CONTRAST_OF_ALL: u8 = 32;

/// Blocks with an edge among the 5 × 5 around one from which their mean says something.
const MIN_EDGES: u16 = 3;

/// Thresholds of a plane, one per block.
#[derive(Clone, Debug, Default)]
pub struct Light {
    blocks_x: usize,
    blocks_y: usize,
    thresholds: Vec<u8>,
    black_points: Vec<u8>,
    /// 1 where a block holds an edge.
    edges: Vec<u8>,
    /// The darkest pixel of blocks without an edge, 255 elsewhere.
    lows: Vec<u8>,
    columns: Columns,
    histogram: Vec<u32>,
}

/// Scratch for one row of blocks: sums, minima and maxima of the eight pixels below each other.
#[derive(Clone, Debug, Default)]
struct Columns {
    sum: Vec<u16>,
    min: Vec<u8>,
    max: Vec<u8>,
    count: Vec<u16>,
}

/// What a block holds.
#[derive(Clone, Copy, Debug)]
struct Block {
    mean: u8,
    lo: u8,
    hi: u8,
}

impl Block {
    fn of(sum: &[u16], min: &[u8], max: &[u8], rows: usize) -> Self {
        let total: u32 = sum.iter().map(|s| u32::from(*s)).sum();
        Self {
            mean: (total / (sum.len() * rows) as u32) as u8,
            lo: min.iter().fold(u8::MAX, |a, b| a.min(*b)),
            hi: max.iter().fold(0, |a, b| a.max(*b)),
        }
    }
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
        let (width, height) = (luma.width(), luma.height());
        self.blocks_x = width.div_ceil(BLOCK);
        self.blocks_y = height.div_ceil(BLOCK);
        self.black_points.clear();
        self.black_points.resize(self.blocks_x * self.blocks_y, 0);
        self.lows.clear();
        self.lows.resize(self.blocks_x * self.blocks_y, 255);
        self.edges.clear();
        self.edges.resize(self.blocks_x * self.blocks_y, 0);
        self.histogram.clear();
        self.histogram.resize(512, 0);
        for by in 0..self.blocks_y {
            // The last row of blocks overlaps the one before when the height is no multiple of a block.
            let y0 = (by * BLOCK).min(height.saturating_sub(BLOCK));
            self.block_row(luma, by, y0);
        }
        self.follow_edges();
        self.smooth(edge_weight);
        self.brightness()
    }

    fn block_row(&mut self, luma: Luma<'_>, by: usize, y0: usize) {
        let width = luma.width();
        let rows = BLOCK.min(luma.height());
        let Columns { sum, min, max, .. } = &mut self.columns;
        sum.clear();
        sum.resize(width, 0);
        min.clear();
        min.resize(width, u8::MAX);
        max.clear();
        max.resize(width, 0);
        // On a whole camera frame every other row tells as much.
        let (step, contrast) = if luma.height() >= 480 { (2, MIN_CONTRAST) } else { (1, MIN_CONTRAST_OF_ALL) };
        for y in (y0..y0 + rows).step_by(step) {
            let row = luma.row(y);
            for (((p, s), lo), hi) in row.iter().zip(sum.iter_mut()).zip(min.iter_mut()).zip(max.iter_mut()) {
                *s += u16::from(*p);
                *lo = (*lo).min(*p);
                *hi = (*hi).max(*p);
            }
        }
        let whole = sum.as_chunks::<BLOCK>().0.iter().zip(min.as_chunks::<BLOCK>().0).zip(max.as_chunks::<BLOCK>().0);
        let mut measured = whole.map(|((sum, min), max)| Block::of(sum, min, max, rows / step));
        // The last block of a row overlaps the one before when the width is no multiple of a block.
        let rest = width.saturating_sub(BLOCK);
        let last = Block::of(&sum[rest..], &min[rest..], &max[rest..], rows / step);
        for bx in 0..self.blocks_x {
            let Block { mean, lo, hi } = measured.next().unwrap_or(last);
            let index = by * self.blocks_x + bx;
            let black = if hi - lo > contrast {
                self.edges[index] = 1;
                mean
            } else {
                // An even block is taken for ground, unless darker than its neighbours' threshold: then it lies
                // inside something dark.
                self.lows[index] = lo;
                let mut black = lo / 2;
                if by > 0 && bx > 0 {
                    let at = |y: usize, x: usize| u16::from(self.black_points[y * self.blocks_x + x]);
                    let around = ((at(by - 1, bx) + 2 * at(by, bx - 1) + at(by - 1, bx - 1)) / 4) as u8;
                    if lo < around {
                        black = around;
                    }
                }
                black
            };
            self.black_points[index] = black;
            self.histogram[usize::from(lo)] += 1;
            self.histogram[256 + usize::from(hi)] += 1;
        }
    }

    /// An even block that is darker than the edges near it mean is dark itself, on whichever side of it they lie: a
    /// light symbol's ground. Taken for light, it would pull the line down right where the symbol's finders are.
    fn follow_edges(&mut self) {
        means(&mut self.columns, self.blocks_x, &self.black_points, &self.edges, MIN_EDGES, &mut self.thresholds);
        for ((black, low), edges) in self.black_points.iter_mut().zip(&self.lows).zip(&self.thresholds) {
            *black = if low < edges { (*black).max(*edges) } else { *black };
        }
    }

    /// Thresholds are the mean black point of 5 × 5 blocks, those with an edge counting more.
    fn smooth(&mut self, edge_weight: u8) {
        self.edges.iter_mut().for_each(|edge| *edge = 1 + *edge * (edge_weight - 1));
        means(&mut self.columns, self.blocks_x, &self.black_points, &self.edges, 1, &mut self.thresholds);
    }

    fn brightness(&self) -> Brightness {
        let blocks: u32 = self.histogram[..256].iter().sum();
        let part = blocks / 20;
        let mut seen = 0;
        let dark = (0..=255_u8)
            .find(|v| {
                seen += self.histogram[usize::from(*v)];
                seen > part
            })
            .unwrap_or(0);
        seen = 0;
        let light = (0..=255_u8)
            .rev()
            .find(|v| {
                seen += self.histogram[256 + usize::from(*v)];
                seen > part
            })
            .unwrap_or(255);
        let total: u64 = self.histogram.iter().enumerate().map(|(v, n)| (v as u64 % 256) * u64::from(*n)).sum();
        let mean = total.checked_div(2 * u64::from(blocks)).unwrap_or(0) as u8;
        Brightness { dark, mean, light }
    }

    /// The line between dark and light at a pixel inside the plane: what is less bright is dark.
    #[inline]
    pub(crate) fn threshold(&self, x: usize, y: usize) -> u8 {
        self.thresholds[(y / BLOCK) * self.blocks_x + x / BLOCK]
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
    let Columns { sum, count, .. } = columns;
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
}
