//! Looks for the 1 : 1 : 3 : 1 : 1 of finder patterns along single rows, in both polarities at once.
//!
//! A row is packed to one bit a pixel, 64 to a word, so that whole stretches without an edge cost nothing; a finder
//! pattern is found by its run lengths whichever colour it starts with.

use wide::u8x16;

use crate::{blocks::BLOCK, light::Light, luma::Luma};

/// A place in one row where the run lengths fit a finder pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Crossing {
    /// Middle of the centre run.
    pub(crate) x: f32,
    /// The row.
    pub(crate) y: usize,
    /// Length of all five runs.
    pub(crate) width: f32,
    /// The centre is light.
    pub(crate) inverted: bool,
}

/// Buffers for scanning a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scanner {
    thresholds: Vec<u8>,
    block_row: Option<usize>,
    edges: Vec<u16>,
}

impl Scanner {
    /// Forgets the plane before.
    pub(crate) fn start(&mut self) {
        self.block_row = None;
    }

    /// Finds the crossings of row `y` and hands them to `found`.
    pub(crate) fn row(&mut self, luma: Luma<'_>, light: &Light, y: usize, mut found: impl FnMut(Crossing)) {
        let part = light.part_of_row(y);
        if part.is_empty() {
            return;
        }
        let left = part.start * BLOCK;
        let row = &luma.row(y)[left..(part.end * BLOCK).min(luma.width())];
        if self.block_row != Some(y / BLOCK) {
            self.block_row = Some(y / BLOCK);
            self.thresholds.clear();
            for t in &light.thresholds_of_row(y)[part] {
                self.thresholds.extend_from_slice(&[*t; BLOCK]);
            }
        }
        let (count, first_dark) = self.edges_of(row);
        let edges = &self.edges[..count];
        for (i, w) in edges.windows(6).enumerate() {
            let &[a, b, c, d, e, f] = w else { continue };
            // In noise most runs are shorter than that.
            if d - c < 3 {
                continue;
            }
            let runs = [b - a, c - b, d - c, e - d, f - e];
            if runs[2] >= runs[1].max(runs[3])
                && runs[2] >= 2 * runs[0].max(runs[4])
                && is_finder(runs.map(f32::from))
                && stands_out(row, [b, c, d, e], light.faint())
            {
                let inverted = (i % 2 == 0) != first_dark;
                let x = left as f32 + (f32::from(c) + f32::from(d)) / 2.0;
                found(Crossing { x, y, width: f32::from(f - a), inverted });
            }
        }
    }

    /// Collects where the colour changes, with both ends of the row; says how many these are, and whether the first pixel is dark.
    fn edges_of(&mut self, row: &[u8]) -> (usize, bool) {
        // As many as there can be; what is left in it is written over.
        if self.edges.len() < row.len() + 2 {
            self.edges.resize(row.len() + 2, 0);
        }
        let edges = &mut self.edges[..row.len() + 2];
        edges[0] = 0;
        let mut count = 1;
        let mut last = 0;
        let mut first_dark = false;
        for (i, (pixels, thresholds)) in row.chunks(64).zip(self.thresholds.chunks(64)).enumerate() {
            let word = pack(pixels, thresholds);
            if i == 0 {
                first_dark = word & 1 == 1;
                last = word & 1;
            }
            let mut changes = word ^ (word << 1 | last);
            if pixels.len() < 64 {
                changes &= (1 << pixels.len()) - 1;
            }
            while changes != 0 {
                edges[count] = (i * 64) as u16 + changes.trailing_zeros() as u16;
                count += 1;
                changes &= changes - 1;
            }
            last = word >> 63;
        }
        edges[count] = row.len() as u16;
        (count + 1, first_dark)
    }
}

/// Whether the centre run differs from the runs beside it by more than noise does.
fn stands_out(row: &[u8], ends: [u16; 4], faint: u8) -> bool {
    let [b, c, d, e] = ends.map(usize::from);
    let mean = |pixels: [&[u8]; 2]| {
        let sum: u32 = pixels.iter().flat_map(|part| part.iter()).map(|pixel| u32::from(*pixel)).sum();
        sum / (pixels[0].len() + pixels[1].len()) as u32
    };
    mean([&row[c..d], &[]]).abs_diff(mean([&row[b..c], &row[d..e]])) >= u32::from(faint)
}

/// One bit a pixel, the first one lowest; set where the pixel is dark. At most 64 pixels.
fn pack(pixels: &[u8], thresholds: &[u8]) -> u64 {
    let (whole, rest) = pixels.as_chunks::<16>();
    // The last block's thresholds may go on beyond the row.
    let (whole_thresholds, rest_thresholds) = thresholds[..pixels.len()].as_chunks::<16>();
    let mut word = 0;
    for (i, (p, t)) in whole.iter().zip(whole_thresholds).enumerate() {
        word |= u64::from(u8x16::new(*p).simd_lt(u8x16::new(*t)).to_bitmask()) << (16 * i);
    }
    for (i, (p, t)) in rest.iter().zip(rest_thresholds).enumerate() {
        word |= u64::from(p < t) << (16 * whole.len() + i);
    }
    word
}

/// Whether five runs are 1 : 1 : 3 : 1 : 1 with the tolerance that blur, tilt and ink spread ask for.
///
/// Dark and light are measured apart, so that ink that spread (or light that bled) does not count as an error.
pub(crate) fn is_finder(runs: [f32; 5]) -> bool {
    let bar = (runs[0] + runs[2] + runs[4]) / 5.0;
    let space = (runs[1] + runs[3]) / 2.0;
    if bar.max(space) > 4.0 * bar.min(space) {
        return false;
    }
    let (bar_error, space_error) = (bar * 0.75 + 0.5, space / 3.0 + 0.5);
    (runs[0] - bar).abs() <= bar_error
        && (runs[2] - 3.0 * bar).abs() <= bar_error
        && (runs[4] - bar).abs() <= bar_error
        && (runs[1] - space).abs() <= space_error
        && (runs[3] - space).abs() <= space_error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crossings(row: &[u8]) -> Vec<Crossing> {
        let data: Vec<u8> = (0..16).flat_map(|_| row.iter().copied()).collect();
        let luma = Luma::new(&data, row.len(), 16).expect("fits");
        let mut light = Light::default();
        light.measure(luma, 1);
        let mut scanner = Scanner::default();
        scanner.start();
        let mut all = Vec::new();
        scanner.row(luma, &light, 8, |c| all.push(c));
        all
    }

    fn row_with_finder(dark: u8, light: u8) -> Vec<u8> {
        let mut row = vec![light; 200];
        for (i, v) in [dark, light, dark, dark, dark, light, dark].iter().enumerate() {
            row[90 + i * 4..94 + i * 4].fill(*v);
        }
        row
    }

    #[test]
    fn a_finder_is_seen_in_either_polarity_and_its_centre_is_exact() {
        let seen = crossings(&row_with_finder(20, 220));
        assert_eq!(seen, [Crossing { x: 104.0, y: 8, width: 28.0, inverted: false }]);
        let seen = crossings(&row_with_finder(220, 20));
        assert_eq!(seen, [Crossing { x: 104.0, y: 8, width: 28.0, inverted: true }]);
    }

    #[test]
    fn an_even_row_has_no_crossing() {
        assert!(crossings(&[128; 777]).is_empty());
    }

    #[test]
    fn packing_keeps_the_order_of_pixels_to_the_end_of_any_row() {
        for length in 1..=64 {
            let pixels: Vec<u8> = (0..length).map(|i| if i % 3 == 0 { 10 } else { 200 }).collect();
            let word = pack(&pixels, &[100; 64]);
            assert!((0..length).all(|i| (word >> i & 1 == 1) == (i % 3 == 0)), "{length}");
        }
    }
}
