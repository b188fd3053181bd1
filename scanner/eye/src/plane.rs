//! One level of the pyramid as the later stages see it: brightness, and what counts as dark.
//!
//! Nothing is binarized in advance. A pixel is compared with its block's threshold when it is asked for, and only
//! the scanned rows are ever packed into bits.

use crate::{blocks::BLOCK, light::Light, luma::Luma, symbol::Point};

/// A level of the frame with its thresholds, seen in one polarity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plane<'a> {
    luma: Luma<'a>,
    light: &'a Light,
    /// −1 when light modules stand for dark ones.
    sign: f32,
    inverted: bool,
}

impl<'a> Plane<'a> {
    pub(crate) fn new(luma: Luma<'a>, light: &'a Light, inverted: bool) -> Self {
        Self { luma, light, sign: if inverted { -1.0 } else { 1.0 }, inverted }
    }

    pub(crate) fn width(&self) -> usize {
        self.luma.width()
    }

    pub(crate) fn height(&self) -> usize {
        self.luma.height()
    }

    pub(crate) fn inverted(&self) -> bool {
        self.inverted
    }

    pub(crate) fn contains(&self, p: Point) -> bool {
        p.x >= 0.0 && p.y >= 0.0 && p.x < self.width() as f32 && p.y < self.height() as f32
    }

    /// Whether the pixel counts as dark; pixels outside do not.
    #[inline]
    pub(crate) fn dark(&self, x: i32, y: i32) -> bool {
        if x < 0 || y < 0 || x as usize >= self.width() || y as usize >= self.height() {
            return false;
        }
        self.dark_inside(x as usize, y as usize)
    }

    /// Whether a pixel that is known to lie inside counts as dark.
    #[inline]
    pub(crate) fn dark_inside(&self, x: usize, y: usize) -> bool {
        (self.luma.at(x, y) < self.light.threshold(x, y)) != self.inverted
    }

    /// Whether the pixel that a place lies in counts as dark.
    #[inline]
    pub(crate) fn dark_at(&self, p: Point) -> bool {
        self.contains(p) && self.dark(p.x as i32, p.y as i32)
    }

    /// Brightness between pixels, darker being larger; outside it is that of the border.
    #[inline]
    pub(crate) fn ink(&self, p: Point) -> f32 {
        -self.sign * self.brightness(p)
    }

    /// How much darker than its block's threshold a place is.
    #[inline]
    pub(crate) fn contrast(&self, p: Point) -> f32 {
        let x = (p.x.max(0.0) as usize).min(self.width() - 1);
        let y = (p.y.max(0.0) as usize).min(self.height() - 1);
        self.sign * (f32::from(self.light.threshold(x, y)) - 0.5 - self.brightness(p))
    }

    /// The same over a given line between dark and light (as ink), or over that of the block.
    #[inline]
    pub(crate) fn contrast_over(&self, p: Point, threshold: Option<f32>) -> f32 {
        match threshold {
            Some(threshold) => self.ink(p) - threshold,
            None => self.contrast(p),
        }
    }

    /// Bilinear brightness; the centre of a pixel is at one half.
    #[inline]
    pub(crate) fn brightness(&self, p: Point) -> f32 {
        let x = (p.x - 0.5).clamp(0.0, (self.width() - 1) as f32);
        let y = (p.y - 0.5).clamp(0.0, (self.height() - 1) as f32);
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(self.width() - 1), (y0 + 1).min(self.height() - 1));
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let (top, bottom) = (self.luma.row(y0), self.luma.row(y1));
        let a = f32::from(top[x0]) * (1.0 - fx) + f32::from(top[x1]) * fx;
        let b = f32::from(bottom[x0]) * (1.0 - fx) + f32::from(bottom[x1]) * fx;
        a * (1.0 - fy) + b * fy
    }
}

/// The plane at half its size, each pixel the mean of four: averages noise and moiré away. Reuses the buffer.
///
/// `None` when nothing a symbol could fit in would be left.
pub(crate) fn halve<'a>(luma: Luma<'_>, buffer: &'a mut Vec<u8>) -> Option<Luma<'a>> {
    let (w, h) = (luma.width() / 2, luma.height() / 2);
    if w < 2 * BLOCK || h < 2 * BLOCK {
        return None;
    }
    // What is left in the buffer is written over.
    buffer.resize(w * h, 0);
    for (y, out) in buffer.chunks_exact_mut(w).enumerate() {
        let (a, b) = (&luma.row(2 * y)[..2 * w], &luma.row(2 * y + 1)[..2 * w]);
        // Two neighbours are one word, for eight of them to be added at a time.
        for ((o, a), b) in out.iter_mut().zip(a.as_chunks::<2>().0).zip(b.as_chunks::<2>().0) {
            let (a, b) = (u16::from_le_bytes(*a), u16::from_le_bytes(*b));
            *o = (((a & 0xff) + (a >> 8) + (b & 0xff) + (b >> 8) + 2) >> 2) as u8;
        }
    }
    Luma::new(buffer, w, h).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_is_the_mean_of_four() {
        let data: Vec<u8> = (0..40 * 40).map(|i| ((i % 40) * 4) as u8).collect();
        let mut buffer = Vec::new();
        let half = halve(Luma::new(&data, 40, 40).expect("fits"), &mut buffer).expect("large enough");
        assert_eq!((half.width(), half.height(), half.at(3, 5)), (20, 20, 26));
    }

    #[test]
    fn brightness_is_read_between_pixels_and_beyond_the_border() {
        let data: Vec<u8> = (0..256).map(|i| ((i % 16) * 10) as u8).collect();
        let luma = Luma::new(&data, 16, 16).expect("fits");
        let mut light = Light::default();
        light.measure(luma, 1);
        let plane = Plane::new(luma, &light, false);
        assert!((plane.brightness(Point::new(3.0, 8.0)) - 25.0).abs() < 0.01);
        assert!((plane.brightness(Point::new(-9.0, 80.0)) - 0.0).abs() < 0.01);
        assert!(!plane.dark(-1, 3) && !plane.dark(3, 16));
    }
}
