//! A code that is held up and not read: noticed when it stays, and forgotten when it turns out to be a part of the scenery. Pure.

use std::time::Duration;

use eye::{
    Luma, Point,
    presence::{Presence, Watch},
};

/// Pause between two looks: each takes as long as a search.
const EVERY: Duration = Duration::from_millis(400);
/// After a code was read nothing is noticed for so long: it is being taken away, and that is no trouble.
const AFTER_READING: Duration = Duration::from_secs(2);
/// What stays in its place for longer than anybody holds a telephone up is a poster.
const SCENERY: Duration = Duration::from_secs(60);
/// What has moved by less than this part of the frame's width is in its place.
const IN_PLACE: f32 = 0.05;

/// What one camera noticed.
#[derive(Debug, Default)]
pub struct UnreadCode {
    watch: Watch,
    next: Duration,
    /// What was seen last, and since when something has been there.
    seen: Option<(Presence, Duration)>,
}

impl UnreadCode {
    /// What is held up and not read, if it is. `found`: whether the search has found a symbol in this frame.
    pub fn of(&mut self, luma: Luma<'_>, found: bool, now: Duration) -> Option<Presence> {
        if found {
            self.seen = None;
            self.next = now + AFTER_READING;
        } else if now >= self.next {
            self.next = now + EVERY;
            let before = self.seen;
            self.seen = self.watch.look(luma).map(|presence| {
                let same = |(other, since): (Presence, Duration)| {
                    let near = away(presence.center(), other.center()) < IN_PLACE * luma.width() as f32;
                    near.then_some(since)
                };
                (presence, before.and_then(same).unwrap_or(now))
            });
        }
        let (presence, since) = self.seen?;
        (EVERY..SCENERY).contains(&now.saturating_sub(since)).then_some(presence)
    }
}

fn away(one: Point, other: Point) -> f32 {
    (one.x - other.x).hypot(one.y - other.y)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small busy square on light ground, `x` pixels from the left.
    fn held_up(x: usize) -> Vec<u8> {
        let hash =
            |x: usize, y: usize| (x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b)).wrapping_mul(0xc2b2_ae35);
        let mut picture = vec![220; 640 * 360];
        for (row, pixels) in picture.chunks_exact_mut(640).enumerate().skip(100).take(90) {
            for (column, pixel) in pixels[x..x + 90].iter_mut().enumerate() {
                *pixel = if hash(column / 2, row / 2) >> 16 & 1 == 0 { 30 } else { 220 };
            }
        }
        picture
    }

    fn at(unread: &mut UnreadCode, picture: &[u8], found: bool, millis: u64) -> bool {
        let luma = Luma::new(picture, 640, 360).expect("a plane");
        unread.of(luma, found, Duration::from_millis(millis)).is_some()
    }

    #[test]
    fn a_code_that_is_held_up_and_not_read_is_noticed_when_it_stays() {
        let (mut unread, picture) = (UnreadCode::default(), held_up(200));
        assert!(!at(&mut unread, &picture, false, 0), "perhaps the next frame is read");
        assert!(at(&mut unread, &picture, false, 450));
        assert!(at(&mut unread, &picture, false, 500), "between two looks it is still there");
        assert!(!at(&mut unread, &vec![220; 640 * 360], false, 900), "it is gone");
    }

    #[test]
    fn a_code_that_was_read_is_no_trouble_while_it_is_taken_away() {
        let (mut unread, picture) = (UnreadCode::default(), held_up(200));
        assert!(!at(&mut unread, &picture, true, 0));
        for millis in (50..2400).step_by(50) {
            assert!(!at(&mut unread, &picture, false, millis), "{millis}");
        }
        assert!(at(&mut unread, &picture, false, 2450), "it came back, and is not read");
    }

    #[test]
    fn a_poster_is_scenery_after_a_minute_and_a_telephone_before_it_is_none() {
        let (mut unread, poster) = (UnreadCode::default(), held_up(100));
        let told = (0..90_000).step_by(450).filter(|millis| at(&mut unread, &poster, false, *millis)).count();
        assert!((125..=134).contains(&told), "{told} looks of 200");
        assert!(!at(&mut unread, &held_up(400), false, 90_450));
        assert!(at(&mut unread, &held_up(400), false, 90_900));
    }
}
