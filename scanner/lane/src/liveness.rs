//! Whether a camera's pictures show anything: frames may arrive in time, whole, and be the same, or black, or half a picture.
//!
//! A sensor has noise, so two pictures that are the same to the last bit are one picture delivered twice; a place has light and shade, so a
//! picture without either shows a lid, a dead lamp or a fault; a transfer that broke off leaves the rest of a buffer in one value (which a
//! screen shows green). Each may happen for a moment. What lasts is told, with its cause. Pure; the lane goes on judging meanwhile.

use std::time::Duration;

use eye::Luma;

/// So long without a living picture is told.
pub const AT_MOST: Duration = Duration::from_secs(10);
/// Difference between the brightest and the darkest of a picture's samples, without the outermost, that a place has at least.
const LEAST_CONTRAST: u8 = 10;
/// Of so many samples of a picture the outermost, on either side, are left out: hot pixels, a lamp's reflection in a lid.
const SAMPLES: (usize, usize) = (40, 24);
const OUTERMOST: usize = 10;
/// Darker than this is black, brighter than that is white.
const BLACK: u8 = 40;
const WHITE: u8 = 215;
/// Rows at an edge of the picture that have one and the same value: so large a part of its height was not delivered.
const MISSING: usize = 6;
/// Every so many rows of a picture are compared with those before.
const EVERY: usize = 8;

/// What is the matter with a camera's pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifeless {
    /// All of it is dark.
    Black,
    /// All of it is blown out.
    White,
    /// All of it is of one brightness.
    Flat,
    /// A part of it was never delivered.
    Torn,
    /// It is the same picture again and again.
    Frozen,
}

impl Lifeless {
    /// Every one.
    pub const ALL: [Lifeless; 5] = [Self::Black, Self::White, Self::Flat, Self::Torn, Self::Frozen];

    /// The stable word, for status and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Black => "black",
            Self::White => "white",
            Self::Flat => "flat",
            Self::Torn => "torn",
            Self::Frozen => "frozen",
        }
    }

    /// What it means and what to try, for whoever stands before the camera.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Black => "pictures are black: is the lens covered, the lamp off, the exposure far too short?",
            Self::White => "pictures are white: is light falling straight into the lens, the exposure far too long?",
            Self::Flat => "pictures have one brightness: is something right before the lens?",
            Self::Torn => "a part of each picture is missing: try another cable or port, or a smaller resolution",
            Self::Frozen => "it delivers the same picture again and again: unplug it, and plug it in again",
        }
    }
}

/// Looks at one camera's pictures.
#[derive(Debug, Default)]
pub struct Liveness {
    before: Option<u64>,
    /// What is the matter now, and since when something has been.
    found: Option<(Lifeless, Duration)>,
}

impl Liveness {
    /// Looks at one more picture. What is the matter with the camera, once something has been for [`AT_MOST`].
    pub fn look(&mut self, luma: Luma<'_>, now: Duration) -> Option<Lifeless> {
        let print = print(luma);
        let same = self.before.replace(print) == Some(print);
        let found = without_contrast(luma)
            .or_else(|| is_torn(luma).then_some(Lifeless::Torn))
            .or(same.then_some(Lifeless::Frozen));
        let since = self.found.map_or(now, |(_, since)| since);
        self.found = found.map(|found| (found, since));
        self.lasting(now)
    }

    /// What has been the matter for so long that it is told.
    fn lasting(&self, now: Duration) -> Option<Lifeless> {
        self.found.filter(|(_, since)| now.saturating_sub(*since) >= AT_MOST).map(|(found, _)| found)
    }
}

/// A number that two pictures share when they are the same (FNV-1a over eight bytes at a time). Nobody chooses pictures to collide: the
/// worst that comes of it is one picture more.
fn print(luma: Luma<'_>) -> u64 {
    let mut print = 0xcbf2_9ce4_8422_2325_u64;
    for y in (0..luma.height()).step_by(EVERY) {
        for bytes in luma.row(y).chunks(8) {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            print = (print ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    print
}

fn without_contrast(luma: Luma<'_>) -> Option<Lifeless> {
    let (across, down) = SAMPLES;
    let mut samples: Vec<u8> = (0..down)
        .flat_map(|y| {
            let row = luma.row((2 * y + 1) * luma.height() / (2 * down));
            (0..across).map(move |x| row[(2 * x + 1) * row.len() / (2 * across)])
        })
        .collect();
    samples.sort_unstable();
    let (darkest, middle, brightest) =
        (samples[OUTERMOST], samples[samples.len() / 2], samples[samples.len() - 1 - OUTERMOST]);
    if brightest - darkest >= LEAST_CONTRAST {
        return None;
    }
    Some(match middle {
        ..BLACK => Lifeless::Black,
        BLACK..WHITE => Lifeless::Flat,
        WHITE.. => Lifeless::White,
    })
}

/// Whether rows at the top or the foot have one value and end at a straight edge: a wall has neither.
fn is_torn(luma: Luma<'_>) -> bool {
    let height = luma.height();
    broken_off(luma, 0..height) || broken_off(luma, (0..height).rev())
}

fn broken_off(luma: Luma<'_>, rows: impl Iterator<Item = usize>) -> bool {
    let mut rows = rows.map(|y| luma.row(y));
    let Some(first) = rows.next() else { return false };
    let value = first[0];
    if !first.iter().all(|pixel| *pixel == value) {
        return false;
    }
    let mut missing = 1;
    for row in rows {
        let other = row.iter().filter(|pixel| **pixel != value).count();
        if other == 0 {
            missing += 1;
            continue;
        }
        // The row at the edge is another picture from one side to the other.
        return missing >= luma.height() / MISSING && other * 10 >= row.len() * 9;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (usize, usize) = (320, 180);

    /// A place with light and shade, and the noise that a sensor adds to the picture `number`.
    fn place(number: usize) -> Vec<u8> {
        let noise =
            |at: usize| (at.wrapping_mul(0x9e37_79b9).wrapping_add(number.wrapping_mul(0x85eb_ca6b)) >> 13 & 3) as u8;
        (0..SIZE.0 * SIZE.1).map(|at| 60 + (at % SIZE.0 / 4) as u8 + noise(at)).collect()
    }

    /// What is told second by second of ten pictures a second, for `seconds`.
    fn told(seconds: usize, picture: impl Fn(usize) -> Vec<u8>) -> Vec<Option<Lifeless>> {
        let mut liveness = Liveness::default();
        let mut look = |number: usize| {
            let picture = picture(number);
            let luma = Luma::new(&picture, SIZE.0, SIZE.1).expect("a plane");
            liveness.look(luma, Duration::from_millis(number as u64 * 100))
        };
        (0..seconds * 10).map(&mut look).step_by(10).collect()
    }

    #[test]
    fn a_place_with_a_sensors_noise_is_alive_however_little_happens_in_it() {
        assert_eq!(told(30, place), [None; 30]);
    }

    #[test]
    fn pictures_that_show_nothing_for_ten_seconds_are_told_with_their_cause() {
        let level =
            |level: u8| move |number: usize| place(number).iter().map(|pixel| level + (pixel & 1)).collect::<Vec<u8>>();
        let torn = |value: u8, top: bool| {
            move |number: usize| {
                let mut picture = place(number);
                let half = picture.len() / 2;
                let lost = if top { &mut picture[..half] } else { &mut picture[half..] };
                lost.fill(value);
                picture
            }
        };
        for (cause, told) in [
            (Lifeless::Black, told(13, level(0))),
            (Lifeless::White, told(13, level(250))),
            (Lifeless::Flat, told(13, level(149))),
            (Lifeless::Frozen, told(13, |_| place(0))),
            (Lifeless::Torn, told(13, torn(0, false))),
            (Lifeless::Torn, told(13, torn(149, true))),
        ] {
            assert_eq!(told[..10], [None; 10], "{cause:?}: not before");
            assert!(told[11..].iter().all(|told| *told == Some(cause)), "{cause:?}: {told:?}");
        }
    }

    #[test]
    fn a_hand_before_the_lens_or_a_picture_that_came_twice_is_nothing_and_a_living_picture_begins_anew() {
        let black = vec![3; SIZE.0 * SIZE.1];
        assert_eq!(told(30, |number| if number % 90 < 80 { black.clone() } else { place(number) }), [None; 30]);
        assert_eq!(told(30, |number| place(number / 2)), [None; 30], "a camera at half the rate");
    }

    #[test]
    fn a_code_drawn_on_plain_ground_is_no_torn_picture() {
        let drawn = |number: usize| {
            let mut picture = vec![160; SIZE.0 * SIZE.1];
            for (y, row) in picture.chunks_exact_mut(SIZE.0).enumerate().skip(50).take(80) {
                for (x, pixel) in row[100..180].iter_mut().enumerate() {
                    *pixel = if ((x / 4) ^ (y / 4) ^ number) & 1 == 0 { 20 } else { 230 };
                }
            }
            picture
        };
        assert_eq!(told(13, drawn), [None; 13]);
    }

    #[test]
    fn a_tiny_picture_is_looked_at_without_harm() {
        let mut liveness = Liveness::default();
        assert_eq!(liveness.look(Luma::new(&[7], 1, 1).expect("a plane"), Duration::ZERO), None);
    }
}
