//! Which of a camera's formats, sizes and rates is taken: the cheapest to read that is still as large and as fast as asked.
//!
//! Cheap is worth nothing when it is slow: a USB 2 camera offers uncompressed pictures at five a second and JPEG at thirty.
//! So a format counts first by delivering what was asked for, and only then by its place in the configured order.

use std::cmp::Reverse;

use host::config::{Camera, Resolution};

use crate::camera::Offer;

/// A driver that offers 29.97 pictures a second offers thirty.
const NEARLY: f64 = 0.95;

/// The best of `offers` for what the configuration asks.
#[must_use]
pub fn choose<'a>(offers: &'a [Offer], wanted: &Camera) -> Option<&'a Offer> {
    offers
        .iter()
        .filter(|offer| readable(offer.size))
        .filter_map(|offer| {
            let place = wanted.formats.iter().position(|order| *order == offer.order)?;
            let fast = offer.fastest().is_none_or(|rate| rate >= f64::from(wanted.rate) * NEARLY);
            let missed = distance(offer.size, wanted.resolution);
            // Where nothing is fast enough, the fastest: in tenths, so that it can be ordered.
            let slowness = if fast { 0 } else { slowness(offer.fastest()) };
            Some(((missed, Reverse(fast), slowness, place), offer))
        })
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, offer)| offer)
}

impl Offer {
    /// The most pictures a second, where the driver says.
    #[must_use]
    pub fn fastest(&self) -> Option<f64> {
        self.rates.iter().copied().reduce(f64::max)
    }
}

/// Whether pictures of this size are read at all.
fn readable(size: Resolution) -> bool {
    eye::within_limits(size.width as usize, size.height as usize)
}

/// How far one size is from another, in pixels too many or too few on either side.
fn distance(size: Resolution, wanted: Resolution) -> u32 {
    size.width.abs_diff(wanted.width) + size.height.abs_diff(wanted.height)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn slowness(rate: Option<f64>) -> u32 {
    100_000 - (rate.unwrap_or_default() * 10.0).clamp(0.0, 100_000.0) as u32
}

/// The wanted size moved to the nearest one of a range with steps, as a driver would.
#[must_use]
pub fn nearest_step(wanted: u32, least: u32, most: u32, step: u32) -> u32 {
    let wanted = wanted.clamp(least, most.max(least));
    least + (wanted - least) / step.max(1) * step.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use host::config::PixelOrder;

    fn offer(order: PixelOrder, width: u32, height: u32, rates: &[f64]) -> Offer {
        Offer { order, size: Resolution { width, height }, rates: rates.to_vec() }
    }

    fn chosen(offers: &[Offer]) -> Option<(PixelOrder, u32)> {
        choose(offers, &Camera::default()).map(|offer| (offer.order, offer.size.width))
    }

    #[test]
    fn the_cheapest_format_that_is_large_and_fast_enough_is_taken() {
        let offers = [
            offer(PixelOrder::Mjpeg, 1280, 720, &[30.0]),
            offer(PixelOrder::Yuyv, 1280, 720, &[30.0, 15.0]),
            offer(PixelOrder::Grey, 640, 480, &[60.0]),
        ];
        assert_eq!(chosen(&offers), Some((PixelOrder::Yuyv, 1280)));
    }

    #[test]
    fn uncompressed_pictures_at_five_a_second_lose_against_jpeg_at_thirty() {
        let offers = [offer(PixelOrder::Yuyv, 1280, 720, &[10.0, 5.0]), offer(PixelOrder::Mjpeg, 1280, 720, &[29.97])];
        assert_eq!(chosen(&offers), Some((PixelOrder::Mjpeg, 1280)));
    }

    #[test]
    fn where_all_are_slow_the_fastest_is_taken_and_silence_about_rates_is_no_fault() {
        let slow = [offer(PixelOrder::Grey, 1280, 720, &[5.0]), offer(PixelOrder::Mjpeg, 1280, 720, &[12.5])];
        assert_eq!(chosen(&slow), Some((PixelOrder::Mjpeg, 1280)));
        let silent = [offer(PixelOrder::Grey, 1280, 720, &[]), offer(PixelOrder::Mjpeg, 1280, 720, &[30.0])];
        assert_eq!(chosen(&silent), Some((PixelOrder::Grey, 1280)));
    }

    #[test]
    fn the_nearest_size_is_taken_and_one_too_large_to_read_never() {
        let offers = [
            offer(PixelOrder::Grey, 640, 480, &[30.0]),
            offer(PixelOrder::Grey, 1600, 1200, &[30.0]),
            offer(PixelOrder::Grey, 1280, 800, &[30.0]),
        ];
        assert_eq!(chosen(&offers), Some((PixelOrder::Grey, 1280)));
        assert_eq!(chosen(&[offer(PixelOrder::Grey, 8192, 8192, &[30.0])]), None);
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn a_stepped_size_stays_inside_its_range() {
        assert_eq!(nearest_step(1280, 16, 4096, 16), 1280);
        assert_eq!(nearest_step(1285, 16, 4096, 16), 1280);
        assert_eq!(nearest_step(9000, 2, 1920, 2), 1920);
        assert_eq!(nearest_step(1, 320, 640, 0), 320);
    }
}
