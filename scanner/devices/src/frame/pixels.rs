//! From a camera's own format to luma, without passing through colour.
//!
//! | format | what is done | cost |
//! |---|---|---|
//! | GREY | copied out of the driver's buffer | one copy |
//! | NV12 | the luma plane is copied, colour is never touched | one copy |
//! | YUYV | every second byte | one pass |
//! | MJPG | decoded, colour thrown away before the transform | several milliseconds |
//!
//! A buffer that is too short for its size is damaged: it is refused, not padded.

use host::config::PixelOrder;

use super::{
    Buffer, Pool,
    damage::{Damage, bounded},
    jpeg,
};

/// How a driver says its pictures lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The format.
    pub order: PixelOrder,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bytes from one row to the next; of no meaning for MJPG.
    pub stride: usize,
}

/// The luma of one buffer, rows without gaps. `bytes` ends where the driver says the picture does.
pub fn to_luma(bytes: &[u8], layout: Layout, pool: &Pool) -> Result<Buffer, Damage> {
    let Layout { order, width, height, stride } = layout;
    let pixels = bounded(width, height)?;
    let row = match order {
        PixelOrder::Mjpeg => {
            let (luma, is_width, is_height) = jpeg::decode(bytes, pool)?;
            return if (is_width, is_height) == (width, height) {
                Ok(luma)
            } else {
                Err(Damage::OtherSize { width: is_width, height: is_height })
            };
        }
        PixelOrder::Grey | PixelOrder::Nv12 => width,
        PixelOrder::Yuyv => 2 * width,
    };
    let stride = stride.max(row);
    let rows = |count: usize, last: usize| stride.checked_mul(count - 1).and_then(|n| n.checked_add(last));
    let needed = match order {
        // Colour lies behind the luma; a buffer without it was cut short, though what is wanted may be there.
        PixelOrder::Nv12 => rows(height + height.div_ceil(2), row),
        _ => rows(height, row),
    };
    let needed = needed.unwrap_or(usize::MAX);
    if bytes.len() < needed {
        return Err(Damage::Short { needed, given: bytes.len() });
    }
    let mut luma = pool.take(pixels);
    match order {
        PixelOrder::Yuyv => {
            for (from, to) in bytes.chunks(stride).zip(luma.chunks_exact_mut(width)) {
                for (pair, pixel) in from.chunks_exact(2).zip(to) {
                    *pixel = pair[0];
                }
            }
        }
        _ if stride == width => luma.copy_from_slice(&bytes[..pixels]),
        _ => {
            for (from, to) in bytes.chunks(stride).zip(luma.chunks_exact_mut(width)) {
                to.copy_from_slice(&from[..width]);
            }
        }
    }
    Ok(luma)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(order: PixelOrder, width: usize, height: usize, stride: usize) -> Layout {
        Layout { order, width, height, stride }
    }

    #[test]
    fn every_format_gives_the_same_luma() {
        let pool = Pool::new();
        let (width, height) = (6, 4);
        let luma: Vec<u8> = (0..24).map(|n| n * 10).collect();
        let yuyv: Vec<u8> = luma.iter().flat_map(|y| [*y, 128]).collect();
        let nv12: Vec<u8> = luma.iter().copied().chain([128; 12]).collect();
        let padded: Vec<u8> = luma.chunks(6).flat_map(|row| row.iter().copied().chain([255, 255])).collect();
        for (bytes, order, stride) in [
            (&luma, PixelOrder::Grey, 6),
            (&padded, PixelOrder::Grey, 8),
            (&nv12, PixelOrder::Nv12, 6),
            (&yuyv, PixelOrder::Yuyv, 12),
            // A driver that does not fill in the stride.
            (&yuyv, PixelOrder::Yuyv, 0),
        ] {
            let read = to_luma(bytes, layout(order, width, height, stride), &pool).expect("a whole buffer");
            assert_eq!(*read, *luma, "{order:?} {stride}");
        }
    }

    #[test]
    fn a_buffer_one_byte_short_is_refused() {
        let pool = Pool::new();
        for (order, needed) in [(PixelOrder::Grey, 24), (PixelOrder::Yuyv, 48), (PixelOrder::Nv12, 36)] {
            let whole = vec![0; needed];
            assert!(to_luma(&whole, layout(order, 6, 4, 0), &pool).is_ok(), "{order:?}");
            let damage = to_luma(&whole[1..], layout(order, 6, 4, 0), &pool).expect_err("short");
            assert_eq!(damage, Damage::Short { needed, given: needed - 1 });
        }
    }

    #[test]
    fn absurd_sizes_are_refused_before_memory_is_taken() {
        let pool = Pool::new();
        for (width, height, stride) in [(0, 4, 4), (4, 0, 4), (5000, 4, 0), (4, 4000, 0), (4, 4, usize::MAX)] {
            assert!(to_luma(&[0; 64], layout(PixelOrder::Grey, width, height, stride), &pool).is_err());
        }
    }

    #[test]
    fn mjpeg_becomes_the_brightness_of_the_picture() {
        let jpeg = jpeg::tests::picture(64, 48);
        let read = to_luma(&jpeg, layout(PixelOrder::Mjpeg, 64, 48, 0), &Pool::new()).expect("a picture");
        let reference = image::load_from_memory(&jpeg).expect("a picture").to_rgb8();
        for (pixel, luma) in reference.pixels().zip(read.iter()) {
            // Rec. 601, as in JPEG; rounding and chroma subsampling differ a little.
            let [r, g, b] = pixel.0.map(f32::from);
            let expected = 0.299 * r + 0.587 * g + 0.114 * b;
            assert!((expected - f32::from(*luma)).abs() < 6.0, "{expected} {luma}");
        }
        let other = to_luma(&jpeg, layout(PixelOrder::Mjpeg, 64, 40, 0), &Pool::new());
        assert_eq!(other.err(), Some(Damage::OtherSize { width: 64, height: 48 }));
    }
}
