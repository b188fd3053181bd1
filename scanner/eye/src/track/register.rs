//! Finds a known symbol again in the next frame, where its finders cannot be seen.
//!
//! A symbol whose modules are partly known is its own landmark: thousands of modules correlate where three finders
//! under glare or in noise say nothing. The picture is first freed of its light (each pixel less the mean around it,
//! clipped, so that a burnt-out spot says nothing instead of shouting); then the symbol is moved over it, and its
//! corners are pulled into place one at a time. The work is bounded by constants, whatever the picture.

use crate::decode::fixed_module;
use crate::geometry::Homography;
use crate::luma::Luma;
use crate::symbol::{Point, Version};

/// Modules that are compared at every try.
const PROBES: usize = 900;

/// How far a symbol may have moved since the last frame, in half modules each way.
const REACH: i32 = 7;

/// Rounds of pulling at the corners, at each of the three step sizes.
const ROUNDS: usize = 3;

/// Widest region looked at, in pixels; a larger symbol needs no help.
const MAX_SIDE: usize = 900;

/// Correlation below which nothing was found again; by chance the best of all tries reaches 0.12.
const LIKENESS: f32 = 0.2;

/// Local contrast around a symbol: how much darker a pixel is than its surroundings.
struct Contrast {
    values: Vec<i8>,
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

/// A module to compare: where it is in the symbol, and how dark it was so far.
struct Probe {
    at: Point,
    ink: f32,
}

/// The corners of the symbol in this frame, if it is found near where it was.
pub(super) fn find(
    luma: Luma<'_>,
    version: Version,
    sums: &[i16],
    inverted: bool,
    was: [Point; 4],
) -> Option<[Point; 4]> {
    let size = version.size();
    let module = 0.5 * (length(was[0], was[2]) + length(was[1], was[3])) / (size as f32 * 1.414);
    if !(1.0..40.0).contains(&module) {
        return None;
    }
    let contrast = Contrast::around(luma, &was, module, inverted)?;
    let probes = probes(version, sums);
    let map = square_to(size, was)?;
    let (shift, _) = contrast.best_shift(&probes, &map, module);
    let mut corners = was.map(|corner| corner + shift);
    let mut likeness = contrast.likeness(&probes, &square_to(size, corners)?, Point::default());
    for step in [0.5, 0.25, 0.12] {
        for _ in 0..ROUNDS {
            let before = likeness;
            for index in 0..4 {
                for direction in [(-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)] {
                    let mut pulled = corners;
                    let pull = Point::new(direction.0, direction.1) * (step * module);
                    pulled[index] = pulled[index] + pull;
                    let Some(map) = square_to(size, pulled) else { continue };
                    let value = contrast.likeness(&probes, &map, Point::default());
                    if value > likeness {
                        (likeness, corners) = (value, pulled);
                    }
                }
            }
            if likeness <= before {
                break;
            }
        }
    }
    (likeness >= LIKENESS).then_some(corners)
}

/// The map from modules to pixels that takes the symbol's corners there.
pub(super) fn square_to(size: usize, corners: [Point; 4]) -> Option<Homography> {
    let n = size as f32;
    Homography::between([(0.0, 0.0), (n, 0.0), (n, n), (0.0, n)].map(|(x, y)| Point::new(x, y)), corners)
}

/// Modules spread evenly over the symbol, and all that are the same in every symbol of the version: those keep a
/// grid that was laid askew at first from staying so.
///
/// What is known best weighs most, but not much more than the rest.
fn probes(version: Version, sums: &[i16]) -> Vec<Probe> {
    let size = version.size();
    let mean = sums.iter().map(|sum| f32::from(sum.unsigned_abs())).sum::<f32>() / sums.len().max(1) as f32;
    let most = 2.0 * mean.max(1.0);
    // A stride that shares no factor with the side visits all columns.
    let stride = (sums.len() / PROBES).max(1) | 1;
    let stride = if size.is_multiple_of(stride) { stride + 2 } else { stride };
    let mut probes = Vec::with_capacity(2 * PROBES);
    for (index, &sum) in sums.iter().enumerate() {
        let (x, y) = (index % size, index / size);
        let ink = match fixed_module(version, x, y) {
            Some(dark) => most * if dark { 1.0 } else { -1.0 },
            None if index.is_multiple_of(stride) => f32::from(sum).clamp(-most, most),
            None => 0.0,
        };
        if ink != 0.0 {
            probes.push(Probe { at: Point::new(x as f32 + 0.5, y as f32 + 0.5), ink });
        }
    }
    probes
}

impl Contrast {
    fn around(luma: Luma<'_>, corners: &[Point; 4], module: f32, inverted: bool) -> Option<Contrast> {
        let margin = module * 6.0;
        let fold = |with: fn(f32, f32) -> f32, of: fn(&Point) -> f32| corners.iter().map(of).reduce(with);
        let inside = |value: f32, most: usize| value.clamp(0.0, most as f32) as usize;
        let left = inside(fold(f32::min, |c| c.x)? - margin, luma.width());
        let right = inside(fold(f32::max, |c| c.x)? + margin, luma.width());
        let top = inside(fold(f32::min, |c| c.y)? - margin, luma.height());
        let bottom = inside(fold(f32::max, |c| c.y)? + margin, luma.height());
        let (width, height) = (right.checked_sub(left)?, bottom.checked_sub(top)?);
        if !(24..=MAX_SIDE).contains(&width) || !(24..=MAX_SIDE).contains(&height) {
            return None;
        }
        let sums = sums(luma, left, top, width, height);
        let sum = |x: usize, y: usize| sums[y * (width + 1) + x];
        let radius = (3.5 * module) as usize + 1;
        let mut values = Vec::with_capacity(width * height);
        for y in 0..height {
            let row = &luma.row(top + y)[left..right];
            let (y0, y1) = (y.saturating_sub(radius), (y + radius).min(height));
            for (x, &value) in row.iter().enumerate() {
                let (x0, x1) = (x.saturating_sub(radius), (x + radius).min(width));
                let total = sum(x1, y1) + sum(x0, y0) - sum(x1, y0) - sum(x0, y1);
                let mean = (total / ((x1 - x0) * (y1 - y0)) as u32) as i32;
                let darker = if inverted { i32::from(value) - mean } else { mean - i32::from(value) };
                values.push(darker.clamp(-60, 60) as i8);
            }
        }
        Some(Contrast { values, left, top, width, height })
    }

    fn at(&self, p: Point) -> f32 {
        let (x, y) = (p.x - self.left as f32, p.y - self.top as f32);
        if x < 0.0 || y < 0.0 || x >= self.width as f32 || y >= self.height as f32 {
            return 0.0;
        }
        f32::from(self.values[y as usize * self.width + x as usize])
    }

    /// Correlation of the probes with the picture, −1 to 1, when the symbol lies there.
    fn likeness(&self, probes: &[Probe], map: &Homography, shift: Point) -> f32 {
        let values = probes.iter().map(|probe| (probe.ink, self.at(map.map(probe.at) + shift)));
        correlation(values)
    }

    /// The shift at which the symbol is most like the picture.
    fn best_shift(&self, probes: &[Probe], map: &Homography, module: f32) -> (Point, f32) {
        let places: Vec<(f32, Point)> = probes.iter().map(|probe| (probe.ink, map.map(probe.at))).collect();
        let mut best = (Point::default(), f32::MIN);
        for down in -REACH..=REACH {
            for right in -REACH..=REACH {
                let shift = Point::new(right as f32, down as f32) * (0.5 * module);
                let likeness = correlation(places.iter().map(|(ink, place)| (*ink, self.at(*place + shift))));
                if likeness > best.1 {
                    best = (shift, likeness);
                }
            }
        }
        best
    }
}

fn correlation(pairs: impl Iterator<Item = (f32, f32)>) -> f32 {
    let (mut both, mut one, mut other) = (0.0f32, 0.0f32, 0.0f32);
    for (a, b) in pairs {
        both += a * b;
        one += a * a;
        other += b * b;
    }
    if one == 0.0 || other == 0.0 { 0.0 } else { both / (one * other).sqrt() }
}

/// Sums over rectangles from the top left, one row and column more than the region has.
fn sums(luma: Luma<'_>, left: usize, top: usize, width: usize, height: usize) -> Vec<u32> {
    let mut sums = vec![0u32; (width + 1) * (height + 1)];
    for y in 0..height {
        let mut row = 0;
        for (x, &value) in luma.row(top + y)[left..left + width].iter().enumerate() {
            row += u32::from(value);
            sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + row;
        }
    }
    sums
}

fn length(one: Point, other: Point) -> f32 {
    (one - other).length()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_that_moved_turned_and_grew_is_found_again() {
        let size = 33;
        let version = Version::Model2(4);
        let dark = |x: usize, y: usize| fixed_module(version, x, y).unwrap_or((x * 7 + y * 13 + x * y * 5) % 11 < 5);
        let sums: Vec<i16> = (0..size * size).map(|i| if dark(i % size, i / size) { 90 } else { -90 }).collect();
        let is = [Point::new(103.0, 82.0), Point::new(236.0, 88.0), Point::new(231.0, 221.0), Point::new(97.0, 215.0)];
        let back = square_to(size, is).and_then(|map| map.inverse()).expect("a square");
        let frame: Vec<u8> = (0..320 * 300)
            .map(|i| {
                let p = back.map(Point::new((i % 320) as f32 + 0.5, (i / 320) as f32 + 0.5));
                let inside = p.x >= 0.0 && p.y >= 0.0 && p.x < size as f32 && p.y < size as f32;
                // A third of it is burnt out.
                if i % 320 > 190 {
                    255
                } else if inside && dark(p.x as usize, p.y as usize) {
                    40
                } else {
                    190
                }
            })
            .collect();
        let luma = Luma::new(&frame, 320, 300).expect("fits");
        let was = [Point::new(98.0, 85.0), Point::new(230.0, 85.0), Point::new(230.0, 217.0), Point::new(98.0, 217.0)];
        let found = find(luma, version, &sums, false, was).expect("it is there");
        // The corners in plain sight are exact to half a module; those in the glare follow.
        for (found, is) in [(found[0], is[0]), (found[3], is[3])] {
            assert!(length(found, is) < 2.0, "{found:?} is not {is:?}");
        }
        let elsewhere = vec![128; 320 * 300];
        let empty = Luma::new(&elsewhere, 320, 300).expect("fits");
        assert_eq!(find(empty, version, &sums, false, was), None);
    }

    #[test]
    fn corners_that_are_no_square_are_answered() {
        let frame = vec![7; 64 * 64];
        let luma = Luma::new(&frame, 64, 64).expect("fits");
        let sums = vec![1i16; 21 * 21];
        for value in [0.0, 1e20, -1e20, f32::NAN, f32::INFINITY, 60.0] {
            let corners =
                [Point::new(0.0, 0.0), Point::new(value, 1.0), Point::new(value, value), Point::new(3.0, value)];
            let _ = find(luma, Version::Model2(1), &sums, false, corners);
        }
    }
}
