//! Where one text of a scan engine ends and the next begins.
//!
//! No pass code has a control character in it, so each of them ends a text: CR, LF, TAB, ETX, NUL, and STX before the next one. Engines
//! without a suffix end a text by falling silent. A text has the moment of its last byte, and what lay somewhere while nobody listened
//! has no moment at all: it is old.

use std::time::{Duration, Instant};

/// Longest text: the largest symbol's (ISO/IEC 18004, version 40-L), and as much again for the wrapping around it. Stops an engine that
/// never ends a text.
pub const MAX_TEXT: usize = 4296 + 64;
/// An engine that has sent nothing for so long has ended its text. At 1200 baud, the slowest in use, a byte takes 8 ms.
pub const SILENCE: Duration = Duration::from_millis(100);
/// Whoever listens looks up several times a second. If it did not for so long, this machine or this program stood still, and nobody
/// knows how old that is which came meanwhile.
pub const STOOD_STILL: Duration = Duration::from_secs(1);

/// One text, as it was sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// When its last byte came.
    pub arrived: Instant,
    /// What ended it.
    pub ended: Ended,
    /// What is wrong with it.
    pub fault: Option<Fault>,
}

/// What ended a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A control character.
    Suffix,
    /// Nothing more came.
    Silence,
}

/// Why a text is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It came while nobody listened.
    Old,
    /// It is longer than any symbol.
    TooLong,
}

/// Collects one text after the other from one sender.
#[derive(Debug)]
pub struct Framing {
    bytes: Vec<u8>,
    too_long: bool,
    last: Instant,
    looked: Instant,
    /// What comes before the next silence lay there while nobody listened.
    old: bool,
}

impl Framing {
    /// Listens from `now` on.
    pub fn new(now: Instant) -> Framing {
        Framing { bytes: Vec::new(), too_long: false, last: now, looked: now, old: false }
    }

    /// Somebody looks for bytes, before those that are there are taken.
    pub fn look(&mut self, now: Instant) {
        if now.saturating_duration_since(self.looked) >= STOOD_STILL {
            self.distrust();
            // A wait that had ended before says nothing of what came since: silence begins only now.
            self.last = now;
        }
        self.looked = now;
    }

    /// What comes before the next silence has no known age.
    pub fn distrust(&mut self) {
        self.old = true;
    }

    /// There are no bytes. The text that has ended by that, if one has.
    pub fn silence(&mut self, now: Instant) -> Option<Piece> {
        if now.saturating_duration_since(self.last) < SILENCE {
            return None;
        }
        let piece = self.end(Ended::Silence);
        self.old = false;
        piece
    }

    /// How long to wait for a byte before it is silence; `None` while no text has begun.
    pub fn silent_in(&self, now: Instant) -> Option<Duration> {
        let open = !self.bytes.is_empty() || self.too_long || self.old;
        open.then(|| (self.last + SILENCE).saturating_duration_since(now))
    }

    /// Takes one byte; a text when it ends one.
    pub fn take(&mut self, byte: u8, now: Instant) -> Option<Piece> {
        self.last = now;
        if byte.is_ascii_control() {
            return self.end(Ended::Suffix);
        }
        if self.bytes.len() < MAX_TEXT {
            self.bytes.push(byte);
        } else {
            self.too_long = true;
        }
        None
    }

    /// The sender is gone: what it left is whole.
    pub fn finish(&mut self) -> Option<Piece> {
        self.end(Ended::Silence)
    }

    fn end(&mut self, ended: Ended) -> Option<Piece> {
        let bytes = std::mem::take(&mut self.bytes);
        let too_long = std::mem::take(&mut self.too_long);
        let fault = match (self.old, too_long) {
            (true, _) => Some(Fault::Old),
            (false, true) => Some(Fault::TooLong),
            (false, false) => None,
        };
        (!bytes.is_empty()).then_some(Piece { bytes, arrived: self.last, ended, fault })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of these bytes, each `gap` after the other, with somebody looking before each; and of the silence after them.
    fn texts(bytes: &[u8], gap: Duration) -> Vec<(String, Ended)> {
        let mut now = Instant::now();
        let mut framing = Framing::new(now);
        let mut pieces = Vec::new();
        for byte in bytes {
            now += gap;
            framing.look(now);
            pieces.extend(framing.take(*byte, now));
        }
        now += SILENCE;
        pieces.extend(framing.silence(now));
        assert_eq!(framing.silent_in(now), None, "nothing is left open");
        let text = |piece: Piece| {
            assert_eq!(piece.fault, None);
            (String::from_utf8(piece.bytes).expect("text"), piece.ended)
        };
        pieces.into_iter().map(text).collect()
    }

    #[test]
    fn each_suffix_and_framing_that_engines_have_ends_a_text_once() {
        let quick = Duration::from_millis(1);
        for sent in [
            "A\rB\r",
            "A\nB\n",
            "A\r\nB\r\n",
            "A\tB\t",
            "\u{2}A\u{3}\u{2}B\u{3}",
            "\u{2}A\u{3}\r\n\u{2}B\u{3}\r\n",
            "A\0B\0",
            "A\u{2}B\u{4}",
        ] {
            let expected = [("A".to_owned(), Ended::Suffix), ("B".to_owned(), Ended::Suffix)];
            assert_eq!(texts(sent.as_bytes(), quick), expected, "{sent:?}");
        }
    }

    #[test]
    fn what_came_while_this_machine_stood_still_is_old_although_the_wait_for_it_had_ended_before() {
        let start = Instant::now();
        let mut framing = Framing::new(start);
        let text = |framing: &mut Framing, now| {
            framing.look(now);
            let pieces: Vec<_> = b"A\r".iter().filter_map(|byte| framing.take(*byte, now)).collect();
            pieces.into_iter().map(|piece| piece.fault).collect::<Vec<_>>()
        };
        // Nothing was there when the wait ended; then everything stood still, and a text came.
        let woken = start + STOOD_STILL * 2;
        framing.look(woken);
        assert_eq!(framing.silence(woken), None);
        assert_eq!(text(&mut framing, woken + Duration::from_millis(1)), [Some(Fault::Old)]);
        let later = woken + SILENCE * 2;
        framing.look(later);
        assert_eq!(framing.silence(later), None);
        assert_eq!(
            text(&mut framing, later + SILENCE),
            [None],
            "and after a silence that was heard, texts count again"
        );
    }

    #[test]
    fn an_engine_without_a_suffix_ends_its_text_by_falling_silent_and_the_next_one_is_not_glued_on() {
        let expected = [("AB".to_owned(), Ended::Silence), ("C".to_owned(), Ended::Suffix)];
        let start = Instant::now();
        let mut framing = Framing::new(start);
        assert_eq!((framing.take(b'A', start), framing.take(b'B', start)), (None, None));
        assert_eq!(framing.silent_in(start + SILENCE / 4), Some(SILENCE * 3 / 4));
        assert_eq!(framing.silence(start + SILENCE / 2), None, "it may be slow");
        let later = start + SILENCE;
        let first = framing.silence(later).expect("silence ended it");
        assert_eq!(first.arrived, start, "it came when its last byte came");
        framing.take(b'C', later);
        let second = framing.take(b'\r', later).expect("a suffix ended it");
        let both = [first, second].map(|piece| (String::from_utf8(piece.bytes).expect("text"), piece.ended));
        assert_eq!(both, expected);
    }

    #[test]
    fn what_came_while_nobody_listened_is_old_and_what_comes_after_a_silence_is_not() {
        let start = Instant::now();
        let mut framing = Framing::new(start);
        let later = start + STOOD_STILL;
        framing.look(later);
        let taken = |framing: &mut Framing, text: &[u8], at: Instant| {
            text.iter().filter_map(|byte| framing.take(*byte, at)).collect::<Vec<_>>()
        };
        let old = taken(&mut framing, b"A\rB\r", later);
        assert_eq!(old.iter().map(|piece| piece.fault).collect::<Vec<_>>(), [Some(Fault::Old); 2]);
        assert!(framing.silent_in(later).is_some(), "somebody looks for the silence");
        framing.look(later + SILENCE);
        assert_eq!(framing.silence(later + SILENCE), None);
        let fresh = taken(&mut framing, b"C\r", later + SILENCE);
        assert_eq!(fresh[0].fault, None);
    }

    #[test]
    fn a_text_without_an_end_is_dropped_whole_and_the_next_one_is_taken() {
        let now = Instant::now();
        let mut framing = Framing::new(now);
        for _ in 0..10 * MAX_TEXT {
            assert_eq!(framing.take(b'A', now), None);
        }
        assert_eq!(framing.take(b'\n', now).and_then(|piece| piece.fault), Some(Fault::TooLong));
        framing.take(b'B', now);
        assert_eq!(framing.take(b'\n', now).map(|piece| (piece.bytes, piece.fault)), Some((vec![b'B'], None)));
    }

    #[test]
    fn a_sender_that_leaves_has_ended_its_text() {
        let now = Instant::now();
        let mut framing = Framing::new(now);
        framing.take(b'A', now);
        assert_eq!(framing.finish().map(|piece| piece.bytes), Some(vec![b'A']));
        assert_eq!(framing.finish(), None);
    }
}
