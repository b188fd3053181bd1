//! JPEG from a camera: where the picture really ends, and its luma alone.
//!
//! A driver's buffer may hold less than a picture (a cut transfer) or more (stale bytes of an older, longer one behind
//! the new). A picture that was cut and runs on into stale bytes would still decode, to nonsense; so the markers are
//! walked first, from SOI to the first EOI (ITU-T T.81 Annex B), and nothing beyond it is ever decoded.

use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{
    Pool,
    damage::{Damage, bounded},
    pool::Buffer,
};

/// Marker segments before the picture data; a stranger's file could hold endless ones.
const MAX_SEGMENTS: usize = 512;

/// Scans of a progressive picture; each costs a pass over the whole of it. Cameras send one.
const MAX_SCANS: usize = 32;

/// Where a JPEG picture ends, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JpegEnd {
    /// Bytes from SOI to EOI, both included.
    pub length: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl JpegEnd {
    /// Walks the markers from SOI to the first EOI.
    pub fn find(bytes: &[u8]) -> Result<JpegEnd, Damage> {
        if !bytes.starts_with(&[0xff, 0xd8]) {
            return Err(Damage::NoStart);
        }
        let mut size = None;
        let mut scanned = false;
        let mut at = 2;
        for _ in 0..MAX_SEGMENTS {
            let (marker, after) = next_marker(bytes, at)?;
            match marker {
                0xd9 => {
                    let (width, height) = size.filter(|_| scanned).ok_or(Damage::NoPicture)?;
                    return Ok(JpegEnd { length: after, width, height });
                }
                // A second picture begins before the first has ended.
                0xd8 => return Err(Damage::NoEnd),
                0x01 | 0xd0..=0xd7 => at = after,
                _ => {
                    let segment = segment(bytes, after)?;
                    if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
                        let &[_, h1, h0, w1, w0, ..] = segment else { return Err(Damage::NoPicture) };
                        size = Some((
                            usize::from(u16::from_be_bytes([w1, w0])),
                            usize::from(u16::from_be_bytes([h1, h0])),
                        ));
                    }
                    at = after + 2 + segment.len();
                    scanned |= marker == 0xda;
                }
            }
        }
        Err(Damage::NoEnd)
    }
}

/// The next marker at or after `at`, skipping entropy-coded data with its stuffed zeros, and the place after it.
fn next_marker(bytes: &[u8], at: usize) -> Result<(u8, usize), Damage> {
    let mut at = at;
    loop {
        let rest = bytes.get(at..).ok_or(Damage::NoEnd)?;
        let found = rest.iter().position(|byte| *byte == 0xff).ok_or(Damage::NoEnd)?;
        at += found + 1;
        match bytes.get(at) {
            None => return Err(Damage::NoEnd),
            // Stuffing, fill bytes and restart markers belong to the data.
            Some(0x00 | 0xd0..=0xd7) => at += 1,
            Some(0xff) => {}
            Some(marker) => return Ok((*marker, at + 1)),
        }
    }
}

fn segment(bytes: &[u8], at: usize) -> Result<&[u8], Damage> {
    let &[high, low] = bytes.get(at..at + 2).ok_or(Damage::NoEnd)? else { return Err(Damage::NoEnd) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let length = length.checked_sub(2).ok_or(Damage::NoPicture)?;
    bytes.get(at + 2..at + 2 + length).ok_or(Damage::NoEnd)
}

/// Decodes the luma of one picture. Colour is parsed, since it lies between, and thrown away before any arithmetic.
pub(super) fn decode(bytes: &[u8], pool: &Pool) -> Result<(Buffer, usize, usize), Damage> {
    let end = JpegEnd::find(bytes)?;
    let pixels = bounded(end.width, end.height)?;
    let options = DecoderOptions::default()
        .set_max_width(eye::MAX_SIDE)
        .set_max_height(eye::MAX_SIDE)
        .jpeg_set_max_scans(MAX_SCANS)
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&bytes[..end.length]), options);
    let mut luma = pool.take(pixels);
    decoder.decode_headers().map_err(|_| Damage::Undecodable)?;
    if decoder.output_buffer_size() != Some(pixels) {
        return Err(Damage::Undecodable);
    }
    decoder.decode_into(&mut luma).map_err(|_| Damage::Undecodable)?;
    Ok((luma, end.width, end.height))
}

#[cfg(test)]
pub(super) mod tests {
    use image::{ExtendedColorType, ImageEncoder, codecs::jpeg::JpegEncoder};

    use super::*;

    /// A picture with a gradient of brightness and colour, as a camera would send it.
    pub fn picture(width: u32, height: u32) -> Vec<u8> {
        let rgb: Vec<u8> = (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| [(x * 255 / width) as u8, (y * 255 / height) as u8, 90]))
            .collect();
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, 85)
            .write_image(&rgb, width, height, ExtendedColorType::Rgb8)
            .expect("it encodes");
        jpeg
    }

    #[test]
    fn only_the_bytes_up_to_the_first_end_are_the_picture() {
        let jpeg = picture(64, 48);
        let mut stale = jpeg.clone();
        stale.extend_from_slice(&jpeg[jpeg.len() / 2..]);
        let end = JpegEnd::find(&stale).expect("a picture");
        assert_eq!(end, JpegEnd { length: jpeg.len(), width: 64, height: 48 });
    }

    #[test]
    fn a_picture_cut_anywhere_is_refused() {
        let jpeg = picture(64, 48);
        for length in 0..jpeg.len() {
            assert!(JpegEnd::find(&jpeg[..length]).is_err(), "cut to {length} of {}", jpeg.len());
            assert!(decode(&jpeg[..length], &Pool::new()).is_err());
        }
    }

    #[test]
    fn a_cut_picture_with_a_new_one_behind_it_is_refused() {
        let jpeg = picture(64, 48);
        let mut joined = jpeg[..jpeg.len() * 3 / 4].to_vec();
        joined.extend_from_slice(&jpeg);
        assert_eq!(JpegEnd::find(&joined), Err(Damage::NoEnd));
    }

    #[test]
    fn a_scan_that_ends_early_shows_what_came_and_nothing_of_an_earlier_frame() {
        let jpeg = picture(320, 240);
        let mut short = jpeg[..jpeg.len() / 2].to_vec();
        while short.last() == Some(&0xff) {
            short.pop();
        }
        short.extend_from_slice(&[0xff, 0xd9]);
        let pool = Pool::new();
        let (whole, ..) = decode(&jpeg, &pool).expect("a whole picture");
        let first_rows = whole[..320 * 64].to_vec();
        drop(whole);
        let once = decode(&short, &Pool::new()).expect("what came").0.to_vec();
        let again = decode(&short, &pool).expect("what came").0.to_vec();
        assert_eq!(once[..320 * 64], first_rows);
        assert_eq!(once, again, "a used buffer shows through");
    }

    #[test]
    fn the_bound_of_a_picture_is_one_of_area_whichever_way_it_was_held() {
        for (width, height, fits) in [(3072_u16, 4096_u16, true), (4096, 3072, true), (3072, 4104, false)] {
            let mut jpeg = picture(16, 16);
            let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame header");
            jpeg[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
            jpeg[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
            // What fits is taken for a picture whose end is missing.
            let refused = matches!(decode(&jpeg, &Pool::new()), Err(Damage::TooLarge { .. }));
            assert_eq!(refused, !fits, "{width}x{height}");
        }
        let (luma, width, height) = decode(&picture(480, 640), &Pool::new()).expect("a whole picture");
        assert_eq!((luma.len(), width, height), (480 * 640, 480, 640));
    }

    #[test]
    fn a_giant_that_is_small_on_the_wire_is_refused_before_memory_is_taken() {
        let mut jpeg = picture(16, 16);
        let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame header");
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
        assert!(matches!(decode(&jpeg, &Pool::new()), Err(Damage::TooLarge { .. })));
    }

    #[test]
    fn no_flipped_byte_makes_it_panic() {
        let jpeg = picture(48, 32);
        for at in 0..jpeg.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = jpeg.clone();
                bytes[at] ^= flip;
                let _ = decode(&bytes, &Pool::new());
            }
        }
    }
}
