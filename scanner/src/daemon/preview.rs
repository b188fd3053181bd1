//! The aiming picture: a frame made small, with the outline of what is being read. Pure.

use data_encoding::BASE64;
use eye::{Luma, Point};
use lane::screen::Hint;
use page::view::Preview;

/// Pixels in a row of the preview. A face is not to be recognised in it, a phone is.
const WIDTH: usize = 160;

/// Makes a preview of `luma`, as the camera sees it; the page turns it into a mirror.
pub fn preview(luma: Luma<'_>, outline: Option<[Point; 4]>, hint: Option<eye::Hint>) -> Preview {
    let step = luma.width().div_ceil(WIDTH).max(1);
    let (width, height) = (luma.width() / step, luma.height() / step);
    let mut small = Vec::with_capacity(width * height);
    for y in 0..height {
        let row = luma.row(y * step);
        small.extend((0..width).map(|x| row[x * step]));
    }
    let (full_width, full_height) = (luma.width() as f32, luma.height() as f32);
    let part = |corner: Point| [corner.x / full_width, corner.y / full_height];
    Preview {
        width,
        height,
        luma: BASE64.encode(&small),
        outline: outline.map(|corners| corners.map(part)),
        hint: hint.map(hint_for_people),
    }
}

/// What the eye would like, in words a traveller can act on.
fn hint_for_people(hint: eye::Hint) -> Hint {
    match hint {
        eye::Hint::TooDark => Hint::TooDark,
        eye::Hint::TooBright => Hint::TooBright,
        eye::Hint::TooSmall => Hint::Closer,
        eye::Hint::Blurred => Hint::HoldStill,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_code_was_not_read_has_its_words() {
        let strings = page::strings::Strings::built_in();
        for hint in eye::Hint::ALL {
            let key = format!("no-read.{}", hint.code());
            assert!(strings.word("en", &key).is_some(), "there are no words for {key}");
        }
    }

    #[test]
    fn a_preview_is_small_and_has_the_outline_in_parts_of_its_size() {
        let mut plane = vec![0; 640 * 360];
        plane[0] = 200;
        let luma = Luma::new(&plane, 640, 360).expect("a plane");
        let corner = |x, y| Point { x, y };
        let outline = [corner(0.0, 0.0), corner(320.0, 0.0), corner(320.0, 180.0), corner(0.0, 180.0)];
        let preview = preview(luma, Some(outline), Some(eye::Hint::Blurred));
        assert_eq!((preview.width, preview.height), (160, 90));
        let small = BASE64.decode(preview.luma.as_bytes()).expect("Base64");
        assert_eq!((small[0], small[159]), (200, 0));
        assert_eq!(preview.outline.expect("an outline")[1], [0.5, 0.0]);
        assert_eq!(preview.hint, Some(Hint::HoldStill));
    }
}
