//! Whether something like a symbol is in view that the search does not find: out of focus, moving, or too far away.
//!
//! Half a module of blur and no finder pattern is left to be found, yet anybody sees that a code is held up. What remains is a
//! square that is busy in both directions alike, on light and even ground. That is looked for in a small copy of the frame,
//! seldom, and only while nothing is read; it tells people what would help, and decides nothing.
//!
//! A blurred chessboard is one, too. Stripes and foliage are not, nor is sharp text: they are busy in one direction, on ground that is not
//! even, or have no reason not to be read.

mod measure;

use crate::{luma::Luma, reader::Hint, symbol::Point};
use measure::{Histogram, Spread, filled, spread};

/// The frame is made this small: pixels in a row, at most. In the fine copy the modules of a far symbol are not yet one grey, in the
/// coarse one those of a near symbol are small enough to be texture. For what is farther still, the middle of the frame, where people aim, is
/// looked at in a fine copy of its own.
const FINE: usize = 640;
const COARSE: usize = 320;
/// Brightness varies this much around a busy pixel, at least, and by this share of the light around it.
const BUSY: u8 = 14;
const BUSY_SHARE: f32 = 0.3;
/// Side of the squares in which the light is measured, in pixels of the small copy.
const SQUARE: usize = 16;
/// Smallest side of a symbol, in pixels of the small copy.
const MIN_SIDE: usize = 24;
/// Longer than wide by more than this is no symbol, even one that is tilted.
const MAX_ASPECT: f64 = 1.5;
/// What part of a parallelogram of the same spread a component fills: a square fills all.
const SOLID: std::ops::Range<f64> = 0.88..1.12;
/// How much more it may vary in one direction than in the other: 0 is alike, 1 is stripes.
const MAX_COHERENCE: f64 = 0.35;
/// What part of the ground around it may be as dark as the symbol.
const MAX_DARK_GROUND: f64 = 0.5;
/// Modules along a side of a usual pass code, version 10.
const MODULES: f32 = 57.0;
/// Fewer pixels a module than this are hardly read by a moving hand's camera.
const FEW_PIXELS: f32 = 2.0;
/// Blur of this many modules, as the sigma of a Gaussian, is hardly read.
const MUCH_BLUR: f32 = 0.33;

/// Something like a symbol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Presence {
    /// The box around it in pixels of the frame, clockwise from its top left.
    pub outline: [Point; 4],
    /// Pixels along a side.
    pub side: f32,
    /// Why it is not read.
    pub hint: Hint,
}

impl Presence {
    /// Its middle.
    #[must_use]
    pub fn center(&self) -> Point {
        let [from, _, to, _] = self.outline;
        Point::new((from.x + to.x) / 2.0, (from.y + to.y) / 2.0)
    }
}

/// Looks for symbols that are not read. Keeps its scratch memory, and nothing of what it saw.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    width: usize,
    height: usize,
    small: Vec<u8>,
    low: Vec<u8>,
    high: Vec<u8>,
    scratch: Vec<u8>,
    mask: Vec<u8>,
    stack: Vec<u32>,
}

/// Pixels of the mask, beside 0 for those around which nothing varies.
const LIVELY: u8 = 1;
const SEEN: u8 = 2;

/// One patch of busy pixels: its box, both ends included.
struct Patch {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
    area: usize,
}

impl Watch {
    /// The largest thing like a symbol in `luma` that has a reason not to be read.
    pub fn look(&mut self, luma: Luma<'_>) -> Option<Presence> {
        let (width, height) = (luma.width(), luma.height());
        let middle = (width / 4, height / 4, width / 2, height / 2);
        let looks = [((0, 0, width, height), FINE), ((0, 0, width, height), COARSE), (middle, FINE)];
        let seen = looks.into_iter().filter_map(|((x, y, width, height), pixels)| {
            let part = luma.crop(x, y, width, height)?;
            let mut presence = self.at(part, part.width().div_ceil(pixels))?;
            for corner in &mut presence.outline {
                *corner = Point::new(corner.x + x as f32, corner.y + y as f32);
            }
            Some(presence)
        });
        seen.max_by(|one, other| one.side.total_cmp(&other.side))
    }

    /// The same in a copy that is `step` times smaller.
    fn at(&mut self, luma: Luma<'_>, step: usize) -> Option<Presence> {
        self.shrink(luma, step);
        if self.width < MIN_SIDE || self.height < MIN_SIDE {
            return None;
        }
        self.find_busy();
        let mut best: Option<(usize, [usize; 4])> = None;
        for at in 0..self.mask.len() {
            if self.mask[at] != LIVELY {
                continue;
            }
            let patch = self.take(at);
            if best.is_none_or(|(area, _)| patch.area > area)
                && let Some(area) = self.like_a_symbol(&patch)
            {
                best = Some((area, [patch.left, patch.top, patch.right + 1, patch.bottom + 1]));
            }
        }
        let (area, edges) = best?;
        let side = (area as f32).sqrt() * step as f32;
        let [left, top, right, bottom] = edges.map(|edge| edge * step);
        let hint = luma.crop(left, top, right - left, bottom - top).and_then(|crop| hint(crop, side))?;
        let point = |x: usize, y: usize| Point::new(x as f32, y as f32);
        let outline = [point(left, top), point(right, top), point(right, bottom), point(left, bottom)];
        Some(Presence { outline, side, hint })
    }

    /// Means of squares of `step` pixels.
    fn shrink(&mut self, luma: Luma<'_>, step: usize) {
        (self.width, self.height) = (luma.width() / step, luma.height() / step);
        self.small.clear();
        let mut sums = vec![0_u32; self.width];
        for y in 0..self.height {
            sums.fill(0);
            for row in y * step..(y + 1) * step {
                let row = luma.row(row);
                for (sum, pixels) in sums.iter_mut().zip(row.chunks_exact(step)) {
                    *sum += pixels.iter().map(|pixel| u32::from(*pixel)).sum::<u32>();
                }
            }
            self.small.extend(sums.iter().map(|sum| (sum / (step * step) as u32) as u8));
        }
    }

    /// Marks the pixels around which the brightness varies, without the rim that any edge has.
    fn find_busy(&mut self) {
        let width = self.width;
        spread(&self.small, &mut self.scratch, &mut self.high, width, 2, u8::max);
        spread(&self.small, &mut self.scratch, &mut self.low, width, 2, u8::min);
        // The light around a pixel: the brightest of its square and of those beside it.
        let across = width.div_ceil(SQUARE);
        let mut light = vec![0_u8; across * self.height.div_ceil(SQUARE)];
        for (y, row) in self.high.chunks_exact(width).enumerate() {
            let squares = &mut light[y / SQUARE * across..][..across];
            for (square, pixels) in squares.iter_mut().zip(row.chunks(SQUARE)) {
                *square = pixels.iter().fold(*square, |most, pixel| most.max(*pixel));
            }
        }
        let (mut beside, mut around) = (Vec::new(), Vec::new());
        spread(&light, &mut beside, &mut around, across, 1, u8::max);
        self.mask.clear();
        for (y, (high, low)) in self.high.chunks_exact(width).zip(self.low.chunks_exact(width)).enumerate() {
            let squares = &around[y / SQUARE * across..][..across];
            for ((light, high), low) in squares.iter().zip(high.chunks(SQUARE)).zip(low.chunks(SQUARE)) {
                let least = BUSY.max((BUSY_SHARE * f32::from(*light)) as u8);
                self.mask.extend(high.iter().zip(low).map(|(high, low)| u8::from(high - low > least)));
            }
        }
        // Close what is one pixel wide, then take back what looking two pixels around has added.
        spread(&self.mask, &mut self.scratch, &mut self.low, width, 1, u8::max);
        spread(&self.low, &mut self.scratch, &mut self.mask, width, 3, u8::min);
    }

    /// Takes one patch out of the mask: everything that touches `at`.
    fn take(&mut self, at: usize) -> Patch {
        let (width, height) = (self.width, self.height);
        let mut patch = Patch { left: width, top: height, right: 0, bottom: 0, area: 0 };
        self.stack.clear();
        self.stack.push(at as u32);
        self.mask[at] = SEEN;
        while let Some(at) = self.stack.pop() {
            let (x, y) = (at as usize % width, at as usize / width);
            patch.area += 1;
            (patch.left, patch.right) = (patch.left.min(x), patch.right.max(x));
            (patch.top, patch.bottom) = (patch.top.min(y), patch.bottom.max(y));
            let beside = [
                (x > 0).then(|| at - 1),
                (x + 1 < width).then(|| at + 1),
                (y > 0).then(|| at - width as u32),
                (y + 1 < height).then(|| at + width as u32),
            ];
            for next in beside.into_iter().flatten() {
                if self.mask[next as usize] == LIVELY {
                    self.mask[next as usize] = SEEN;
                    self.stack.push(next);
                }
            }
        }
        patch
    }

    /// The area of a patch with its holes, if it is square, busy in both directions alike, and on light and even ground.
    fn like_a_symbol(&self, patch: &Patch) -> Option<usize> {
        /// Pixels around a patch in which its ground is looked at.
        const GROUND: usize = 3;
        let (width, height) = (patch.right + 1 - patch.left, patch.bottom + 1 - patch.top);
        let inside = patch.left > GROUND
            && patch.top > GROUND
            && patch.right + GROUND + 1 < self.width
            && patch.bottom + GROUND + 1 < self.height;
        // A square on its corner fills half its box, holes a third of it. What fills less is not looked at again: of rings within rings
        // each would have the others' boxes to be gone through.
        let thin = patch.area * 3 < width * height;
        if !inside || thin || width.min(height) < MIN_SIDE || width.max(height) > 3 * width.min(height) {
            return None;
        }
        // The box with a rim: 1 inside the patch or one of its holes.
        let (wide, high) = (width + 2 * GROUND, height + 2 * GROUND);
        let (x0, y0) = (patch.left - GROUND, patch.top - GROUND);
        let shape = filled((wide, high), |x, y| self.mask[(y0 + y) * self.width + x0 + x] == SEEN);
        let spreads = Spread::of(&shape, wide);
        if spreads.area * 7 > patch.area * 10 || spreads.aspect > MAX_ASPECT || !SOLID.contains(&spreads.solid) {
            return None;
        }
        let pixel = |x: usize, y: usize| self.small[(y0 + y) * self.width + x0 + x];
        let (mut scratch, mut near, mut far) = (Vec::new(), Vec::new(), Vec::new());
        spread(&shape, &mut scratch, &mut near, wide, 1, u8::max);
        spread(&shape, &mut scratch, &mut far, wide, GROUND, u8::max);
        let (mut within, mut ground) = (Histogram::default(), Histogram::default());
        let mut tensor = [0.0_f64; 3];
        for y in 1..high - 1 {
            for x in 1..wide - 1 {
                let at = y * wide + x;
                if shape[at] == 1 {
                    within.add(pixel(x, y));
                    let dx = f64::from(pixel(x + 1, y)) - f64::from(pixel(x - 1, y));
                    let dy = f64::from(pixel(x, y + 1)) - f64::from(pixel(x, y - 1));
                    tensor = [tensor[0] + dx * dx, tensor[1] + dy * dy, tensor[2] + dx * dy];
                } else if far[at] == 1 && near[at] == 0 {
                    ground.add(pixel(x, y));
                }
            }
        }
        let [xx, yy, xy] = tensor;
        let coherence = (xx - yy).hypot(2.0 * xy) / (xx + yy).max(1.0);
        let (dark, light) = (f64::from(within.share(0.05)), f64::from(within.share(0.95)));
        let (contrast, lies_on) = (light - dark, f64::from(ground.share(0.5)));
        let mean = (within.mean() - dark) / contrast.max(1.0);
        let good = coherence < MAX_COHERENCE
            && contrast > 0.25 * lies_on
            && lies_on > dark + 0.75 * contrast
            && ground.below((dark + 0.6 * contrast) as u8) < MAX_DARK_GROUND
            && (0.25..0.75).contains(&mean);
        good.then_some(spreads.area)
    }
}

/// Why a symbol in this part of the frame, `side` pixels wide, is not read.
fn hint(crop: Luma<'_>, side: f32) -> Option<Hint> {
    let mut brightness = Histogram::default();
    let (mut across, mut down) = (Histogram::default(), Histogram::default());
    for y in 1..crop.height().saturating_sub(1) {
        let (above, row, below) = (crop.row(y - 1), crop.row(y), crop.row(y + 1));
        for x in 1..crop.width().saturating_sub(1) {
            brightness.add(row[x]);
            across.add(row[x + 1].abs_diff(row[x - 1]));
            down.add(below[x].abs_diff(above[x]));
        }
    }
    let (dark, light) = (brightness.share(0.05), brightness.share(0.95));
    if light < 60 {
        return Some(Hint::TooDark);
    }
    if light >= 250 && dark > 110 {
        return Some(Hint::TooBright);
    }
    let module = side / MODULES;
    if module < FEW_PIXELS {
        return Some(Hint::TooSmall);
    }
    // The steepest edges, in the direction in which they are less steep: a hand moves in one. Across two pixels, an edge that a Gaussian
    // has blurred rises by erf(1 / (σ √2)) of its height, about 0.8 / σ.
    let steepest = f32::from(across.share(0.99).min(down.share(0.99)));
    let blur = 0.8 * f32::from(light - dark).max(1.0) / steepest.max(1.0);
    (blur > MUCH_BLUR * module).then_some(Hint::Blurred)
}

#[cfg(test)]
mod tests {
    use image::{
        GrayImage, Luma as Pixel,
        imageops::{self, FilterType},
    };
    use qrcode::{Color, EcLevel, QrCode, Version};

    use super::*;

    /// A version 10 symbol on a telephone in a grey room, `module` pixels a module, out of focus by `blur` modules.
    fn room(module: f32, blur: f32) -> GrayImage {
        let text: Vec<u8> = (0..200_u32).map(|n| (n * n * 7 + n * 31 + 11) as u8).collect();
        let code = QrCode::with_version(text, Version::Normal(10), EcLevel::M).expect("it fits");
        let (size, colors) = (code.width() as u32, code.to_colors());
        // Eight pixels a module, on a telephone's screen that is eight modules wider all around.
        let drawn = GrayImage::from_fn((size + 16) * 8, (size + 16) * 8, |x, y| {
            let inside = |at: u32| (at / 8).checked_sub(8).filter(|module| *module < size);
            let module = inside(y).zip(inside(x)).map(|(row, column)| colors[(row * size + column) as usize]);
            Pixel([if module == Some(Color::Dark) { 20 } else { 230 }])
        });
        let side = (drawn.width() as f32 * module / 8.0) as u32;
        let card = imageops::resize(&drawn, side, side, FilterType::Triangle);
        let mut room = GrayImage::from_fn(1280, 720, |x, y| Pixel([70 + (x / 40 + y / 30) as u8]));
        imageops::replace(&mut room, &card, (640 - side / 2).into(), (360 - side / 2).into());
        if blur > 0.0 { imageops::blur(&room, blur * module) } else { room }
    }

    fn seen(picture: &GrayImage) -> Option<Presence> {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        Watch::default().look(Luma::new(picture, width, height).expect("a plane"))
    }

    #[test]
    fn a_code_that_is_out_of_focus_or_too_far_away_is_seen_with_why_and_a_sharp_one_has_no_reason() {
        for (module, blur, why) in [(6.0, 0.7, Hint::Blurred), (4.0, 0.8, Hint::Blurred), (1.4, 0.5, Hint::TooSmall)] {
            let presence = seen(&room(module, blur)).unwrap_or_else(|| panic!("{module} px, blur {blur}: not seen"));
            assert_eq!(presence.hint, why, "{module} px, blur {blur}");
            let side = 57.0 * module;
            assert!((presence.side - side).abs() < 0.15 * side + 6.0, "{} pixels, not {side}", presence.side);
            let (dx, dy) = (presence.center().x - 640.0, presence.center().y - 360.0);
            assert!(dx.hypot(dy) < 8.0, "{module} px, blur {blur}: beside it by {dx}, {dy}");
        }
        assert_eq!(seen(&room(6.0, 0.0)), None, "a sharp one");
    }

    #[test]
    fn an_empty_room_stripes_noise_and_a_page_of_text_are_no_code() {
        let empty = GrayImage::from_fn(1280, 720, |x, y| Pixel([70 + (x / 40 + y / 30) as u8]));
        let on_card = |draw: &dyn Fn(u32, u32) -> u8| {
            let mut room = empty.clone();
            imageops::replace(&mut room, &GrayImage::from_pixel(440, 440, Pixel([230])), 400, 100);
            let inked = GrayImage::from_fn(360, 360, |x, y| Pixel([draw(x, y)]));
            imageops::replace(&mut room, &inked, 440, 140);
            room
        };
        let hash = |x: u32, y: u32| {
            (x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b)).wrapping_mul(0xc2b2_ae35) >> 24
        };
        let stripes = on_card(&|x, _| if x / 6 % 2 == 0 { 20 } else { 230 });
        // Lines of words with a gap between two.
        let text = on_card(&|x, y| if y % 24 < 12 && hash(x / 5, y / 24 * 4 + y % 12 / 3) % 2 == 0 { 20 } else { 230 });
        let noise = GrayImage::from_fn(1280, 720, |x, y| Pixel([hash(x, y) as u8]));
        for (what, picture) in
            [("an empty room", empty.clone()), ("stripes", stripes), ("text", text), ("noise", noise)]
        {
            assert_eq!(seen(&picture), None, "{what}");
        }
    }

    #[test]
    fn a_frame_of_any_size_is_looked_at() {
        for (width, height) in [(1, 1), (23, 400), (24, 24), (639, 25), (4096, 30)] {
            let _ = seen(&GrayImage::from_fn(width, height, |x, y| Pixel([((x * 37) ^ (y * 91)) as u8])));
        }
    }
}
