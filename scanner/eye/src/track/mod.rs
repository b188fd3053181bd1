//! Across frames: what a camera has and a picture has not is time.
//!
//! [`Tracker`] takes the frames of one camera in order and hands out a [`Sight`] of each. It looks first where a code
//! was last seen, and goes through the late and expensive tries one frame at a time, because a code stays in view for
//! many. What a frame gives up of a symbol without giving up the payload is not thrown away: the soft modules of the
//! same symbol are added over frames until error correction succeeds, so that moving glare, noise and fingers that
//! defeat every single frame are read from several; a symbol that is known in part is found again even when its
//! finders are hidden. Nothing here knows the time; frames are counted. Nothing keeps
//! pixels, and what is kept of symbols ([`MAX_TRACKS`] grids) is forgotten [`FORGET_AFTER`] frames after they left.

mod evidence;
mod register;
mod schedule;

pub use evidence::{FORGET_AFTER, MAX_TRACKS};
pub use schedule::Look;

use crate::luma::Luma;
use crate::reader::{Budget, Hint, Reader, Reading, Statistics};
use crate::symbol::{Point, Symbol};
use evidence::Evidence;
use schedule::Schedule;

/// Symbols that are looked for in a whole frame while one is known: a sticker, or a code that was judged, hides nobody's beside it. The
/// first symbol of all is not waited with; the attack: a wall of codes.
const BESIDE: usize = 4;

/// A reader with a memory of the frames before.
#[derive(Debug, Default)]
pub struct Tracker<R = crate::Eye> {
    reader: R,
    schedule: Schedule,
    evidence: Evidence,
    hints: Steady,
}

/// What one frame gave, with what the frames before it had left.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Sight {
    /// Symbols read, from this frame alone or from several.
    pub symbols: Vec<Symbol>,
    /// How many frames' evidence the first symbol took: 1 when this frame alone gave it, 0 without a symbol.
    pub frames: u32,
    /// Outline of the symbol that is being read but has not been yet.
    pub outline: Option<[Point; 4]>,
    /// What to do better, when the same was true for several frames.
    pub hints: Vec<Hint>,
    /// What was counted while looking.
    pub statistics: Statistics,
    /// Where was looked.
    pub look: Look,
}

impl Tracker {
    /// A tracker around the eye.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<R: Reader> Tracker<R> {
    /// A tracker around another reader.
    pub fn around(reader: R) -> Self {
        Tracker { reader, schedule: Schedule::default(), evidence: Evidence::default(), hints: Steady::default() }
    }

    /// Looks at the next frame.
    ///
    /// A frame that was dropped need not be told: continuity is judged by what is seen.
    pub fn see(&mut self, luma: Luma<'_>) -> Sight {
        let look = self.schedule.next(luma.width(), luma.height());
        let mut reading = self.looked(luma, look);
        let mut look = look;
        if let Look::Region { .. } = look
            && reading.symbols.is_empty()
            && reading.unread.is_empty()
        {
            // It has left the region, or is covered: look everywhere, as if it had never been seen.
            look = self.schedule.lost();
            reading = merged(reading, self.looked(luma, look));
        }
        let mut frames = u32::from(!reading.symbols.is_empty());
        self.evidence.next_frame();
        if reading.symbols.is_empty() {
            let pieced = self.evidence.add(&reading.unread).or_else(|| self.evidence.follow(luma));
            if let Some((symbol, of)) = pieced {
                reading.symbols.push(symbol);
                frames = of;
            }
        }
        for symbol in &reading.symbols {
            self.evidence.forget_near(symbol);
        }
        let outline = self.evidence.outline();
        self.schedule.saw(reading.symbols.first().map(|symbol| symbol.corners).or(outline));
        Sight {
            frames,
            outline: if reading.symbols.is_empty() { outline } else { None },
            hints: self.hints.settle(reading.hints()),
            statistics: reading.statistics,
            look,
            symbols: reading.symbols,
        }
    }

    fn looked(&mut self, luma: Luma<'_>, look: Look) -> Reading {
        let Look::Region { x, y, width, height } = look else {
            let alone = look.budget();
            let symbols = if self.schedule.follows() { BESIDE } else { alone.symbols };
            return self.reader.read(luma, Budget { symbols, ..alone });
        };
        let Some(crop) = luma.crop(x, y, width, height) else { return Reading::default() };
        let mut reading = self.reader.read(crop, look.budget());
        let (dx, dy) = (x as f32, y as f32);
        reading.symbols = reading.symbols.into_iter().map(|symbol| symbol.shifted(dx, dy)).collect();
        for sighting in &mut reading.unread {
            for corner in &mut sighting.corners {
                *corner = Point::new(corner.x + dx, corner.y + dy);
            }
        }
        reading
    }
}

/// The second reading, with the work of the first counted in.
fn merged(first: Reading, mut second: Reading) -> Reading {
    let (from, to) = (first.statistics, &mut second.statistics);
    to.finders += from.finders;
    to.triples += from.triples;
    to.grids += from.grids;
    to.capped |= from.capped;
    second
}

/// Hints that do not flicker: one is given when it held for this many frames in a row.
const STEADY_FRAMES: u8 = 3;

/// How long each hint has held.
#[derive(Clone, Debug, Default)]
struct Steady(Vec<(Hint, u8)>);

impl Steady {
    fn settle(&mut self, now: Vec<Hint>) -> Vec<Hint> {
        let held = |hint: &Hint| self.0.iter().find(|(known, _)| known == hint).map_or(0, |(_, frames)| *frames);
        self.0 = now.iter().map(|hint| (*hint, held(hint).saturating_add(1))).collect();
        self.0.iter().filter(|(_, frames)| *frames >= STEADY_FRAMES).map(|(hint, _)| *hint).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says what it was told to, and remembers how large a picture it was shown.
    #[derive(Default)]
    struct Told {
        readings: Vec<Reading>,
        shown: Vec<(usize, usize)>,
        wanted: Vec<usize>,
    }

    impl Reader for Told {
        fn read(&mut self, luma: Luma<'_>, budget: Budget) -> Reading {
            self.wanted.push(budget.symbols);
            self.shown.push((luma.width(), luma.height()));
            if self.readings.is_empty() { Reading::default() } else { self.readings.remove(0) }
        }
    }

    fn dark() -> Reading {
        Reading { statistics: Statistics { light: 20, ..Statistics::default() }, ..Reading::default() }
    }

    #[test]
    fn a_hint_is_given_only_when_it_lasts() {
        let mut tracker = Tracker::around(Told {
            readings: vec![
                dark(),
                dark(),
                Reading { statistics: Statistics { light: 200, ..dark().statistics }, ..dark() },
                dark(),
                dark(),
                dark(),
            ],
            ..Told::default()
        });
        let frame = vec![0; 64 * 64];
        let luma = Luma::new(&frame, 64, 64).expect("fits");
        let given: Vec<usize> = (0..6).map(|_| tracker.see(luma).hints.len()).collect();
        assert_eq!(given, [0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn while_one_symbol_is_known_others_are_looked_for_beside_it_in_the_whole_frame() {
        let corners = [(10.0, 10.0), (40.0, 10.0), (40.0, 40.0), (10.0, 40.0)].map(|(x, y)| Point::new(x, y));
        let sticker = || Symbol {
            payload: b"MR1:A".to_vec(),
            corners,
            version: crate::Version::Model2(1),
            ec_level: crate::EcLevel::M,
            mirrored: false,
            inverted: false,
            structured_append: None,
            eci: None,
        };
        let readings = (0..9).map(|_| Reading { symbols: vec![sticker()], ..Reading::default() }).collect();
        let mut tracker = Tracker::around(Told { readings, ..Told::default() });
        let frame = vec![0; 640 * 480];
        let luma = Luma::new(&frame, 640, 480).expect("fits");
        let whole: Vec<usize> = (0..9).filter(|_| matches!(tracker.see(luma).look, Look::Whole(_))).collect();
        let wanted: Vec<usize> = whole.iter().map(|at| tracker.reader.wanted[*at]).collect();
        assert_eq!((whole, wanted), (vec![0, 4, 8], vec![1, BESIDE, BESIDE]));
    }

    #[test]
    fn an_empty_view_gives_nothing_and_forgets_nothing_it_never_had() {
        let mut tracker = Tracker::around(Told::default());
        let frame = vec![0; 640 * 480];
        let luma = Luma::new(&frame, 640, 480).expect("fits");
        for _ in 0..40 {
            let sight = tracker.see(luma);
            assert_eq!((sight.symbols.len(), sight.frames, sight.outline), (0, 0, None));
        }
        assert!(tracker.reader.shown.iter().all(|&shown| shown == (640, 480)), "no region without a sighting");
    }
}
