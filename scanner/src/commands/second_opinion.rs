//! rqrr's opinion of a single picture that the eye does not read.
//!
//! It finds symbols in another way, so it reads a few that the eye misses (`docs/eye.md` has the count), and it may take half a second or
//! panic on a picture made for it. So it is asked about one picture at a time, small and not crowded, and never about a camera's frame.

use std::panic::{AssertUnwindSafe, catch_unwind};

use eye::{EcLevel, Luma, Point, Reading, Symbol, Version};

/// Most pixels of a picture that it is asked about: 1080p.
const MAX_PIXELS: usize = 1920 * 1080;
/// Most finder patterns that the eye may have seen there; rqrr tries every pair, and clones the picture for each.
const MAX_FINDERS: u32 = 24;

/// What rqrr reads where the eye read nothing.
pub fn second_opinion(luma: Luma<'_>, first: &Reading) -> Vec<Symbol> {
    let crowded = first.statistics.capped || first.statistics.finders > MAX_FINDERS;
    if !first.symbols.is_empty() || crowded || luma.width() * luma.height() > MAX_PIXELS {
        return Vec::new();
    }
    // Nothing of what it was working on is looked at after a panic.
    catch_unwind(AssertUnwindSafe(|| read(luma))).unwrap_or_default()
}

fn read(luma: Luma<'_>) -> Vec<Symbol> {
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(luma.width(), luma.height(), |x, y| luma.at(x, y));
    let grids = picture.detect_grids();
    grids
        .iter()
        .filter_map(|grid| {
            // Bytes are handed out before the symbol is known to be good: they count only with the result.
            let mut payload = Vec::new();
            let about = grid.decode_to(&mut payload).ok()?;
            Some(Symbol {
                payload,
                corners: grid.bounds.map(|corner| Point::new(corner.x as f32, corner.y as f32)),
                version: Version::Model2(u8::try_from(about.version.0).ok()?),
                // ISO/IEC 18004 §7.9.1, table 12.
                ec_level: match about.ecc_level {
                    0 => EcLevel::M,
                    1 => EcLevel::L,
                    2 => EcLevel::H,
                    _ => EcLevel::Q,
                },
                mirrored: false,
                inverted: false,
                structured_append: None,
                eci: None,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use eye::{Budget, Eye, Reader};

    use super::*;

    /// A drawn symbol, four pixels a module.
    fn drawn(text: &[u8], level: qrcode::EcLevel) -> (Vec<u8>, usize) {
        let code = qrcode::QrCode::with_error_correction_level(text, level).expect("fits");
        let side = (code.width() + 8) * 4;
        let dark = |x: usize, y: usize| {
            let inside = |at: usize| (at / 4).checked_sub(4).filter(|module| *module < code.width());
            inside(x).zip(inside(y)).is_some_and(|(x, y)| code[(x, y)] == qrcode::Color::Dark)
        };
        ((0..side * side).map(|i| if dark(i % side, i / side) { 20 } else { 230 }).collect(), side)
    }

    #[test]
    fn both_say_the_same_of_a_symbol_that_both_read() {
        for (level, same) in [(qrcode::EcLevel::L, EcLevel::L), (qrcode::EcLevel::H, EcLevel::H)] {
            let (pixels, side) = drawn(b"second opinion", level);
            let luma = Luma::new(&pixels, side, side).expect("fits");
            let ours = Eye::new().read(luma, Budget::picture()).symbols.remove(0);
            let theirs = second_opinion(luma, &Reading::default()).remove(0);
            assert_eq!((&theirs.payload, theirs.version, theirs.ec_level), (&ours.payload, ours.version, same));
            assert!(
                (theirs.center().x - ours.center().x).abs() < 4.0 && (theirs.center().y - ours.center().y).abs() < 4.0
            );
        }
    }

    #[test]
    fn it_is_not_asked_where_the_eye_read_something_nor_about_a_crowd() {
        let (pixels, side) = drawn(b"crowd", qrcode::EcLevel::M);
        let luma = Luma::new(&pixels, side, side).expect("fits");
        let read = Eye::new().read(luma, Budget::picture());
        assert!(second_opinion(luma, &read).is_empty());
        let mut crowd = Reading::default();
        crowd.statistics.finders = MAX_FINDERS + 1;
        assert!(second_opinion(luma, &crowd).is_empty());
    }
}
