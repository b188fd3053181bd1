//! Which machines are desks of this gate: one that showed the code of a pairing, until its session ends.
//!
//! Pure: files come in as text, moments as numbers. What is kept are digests; neither a code nor a session can be read from them, and nothing
//! of a person is among them.

use std::fmt::Write;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};

/// Letters and digits that are told apart when they are copied by hand; as on the lanes' screens.
const CHARACTERS: &[u8] = b"ACDEFGHJKLMNPRTUVWXY34679";
/// Characters of a code: with five tries, one guess in thirty thousand million is right.
pub const CODE: usize = 8;
/// How long a code counts, in milliseconds.
pub const CODE_LASTS_MS: i64 = 600_000;
/// Wrong codes before the right one does not count any more.
pub const TRIES: u8 = 5;
/// How long a machine stays a desk: a shift, in milliseconds.
pub const SESSION_LASTS_MS: i64 = 12 * 3_600_000;
/// Desks at once; the oldest makes room.
pub const DESKS: usize = 8;

/// A SHA-256 digest.
pub type Digest32 = [u8; 32];

fn digest(text: &str) -> Digest32 {
    Sha256::digest(text.as_bytes()).into()
}

/// A code from random bytes: each is taken only where it leaves no character likelier than another. `None` where the bytes do not suffice.
#[must_use]
pub fn code(random: &[u8]) -> Option<String> {
    let most = u8::MAX - u8::MAX % CHARACTERS.len() as u8;
    let fair = random
        .iter()
        .filter(|byte| **byte < most)
        .map(|byte| char::from(CHARACTERS[usize::from(*byte) % CHARACTERS.len()]));
    let code: String = fair.take(CODE).collect();
    (code.len() == CODE).then_some(code)
}

/// An offer to pair, as it lies in the runtime folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    code: Digest32,
    made_ms: i64,
}

/// What came of a code that somebody typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It is the code: the offer is used up.
    Right,
    /// It is not.
    Wrong,
    /// There have been too many wrong ones: the offer is void.
    Void,
    /// The offer is too old, or from the future.
    Expired,
}

impl Offer {
    /// An offer of this code.
    #[must_use]
    pub fn of(code: &str, made_ms: i64) -> Offer {
        Offer { code: digest(code), made_ms }
    }

    /// For the file.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} {}\n", HEXLOWER.encode(&self.code), self.made_ms)
    }

    /// From the file.
    #[must_use]
    pub fn parse(text: &str) -> Option<Offer> {
        let (code, made_ms) = dated(text.trim_end())?;
        Some(Offer { code, made_ms })
    }
}

/// Counts wrong codes of the offer that stands.
#[derive(Clone, Debug, Default)]
pub struct Tries {
    offer: Option<Offer>,
    wrong: u8,
}

impl Tries {
    /// Somebody typed a code. Blanks, dashes and small letters are the typist's.
    pub fn attempt(&mut self, offer: Offer, typed: &str, now_ms: i64) -> Tried {
        if self.offer != Some(offer) {
            *self = Tries { offer: Some(offer), wrong: 0 };
        }
        if !lasts(offer.made_ms, now_ms, CODE_LASTS_MS) {
            return Tried::Expired;
        }
        if self.wrong >= TRIES {
            return Tried::Void;
        }
        let typed: String =
            typed.chars().filter(|one| one.is_ascii_alphanumeric()).map(|one| one.to_ascii_uppercase()).collect();
        if digest(&typed) == offer.code {
            return Tried::Right;
        }
        self.wrong += 1;
        if self.wrong >= TRIES { Tried::Void } else { Tried::Wrong }
    }
}

/// The machines that are desks now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions(Vec<(Digest32, i64)>);

impl Sessions {
    /// From the file; what is no session is none.
    #[must_use]
    pub fn parse(text: &str) -> Sessions {
        Sessions(text.lines().filter_map(dated).take(DESKS).collect())
    }

    /// For the file.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (session, since_ms)| {
            let _ = writeln!(text, "{} {since_ms}", HEXLOWER.encode(session));
            text
        })
    }

    /// Begins one; its secret, for the desk's browser alone.
    pub fn begin(&mut self, random: &[u8; 32], now_ms: i64) -> String {
        let secret = BASE64URL_NOPAD.encode(random);
        self.0.retain(|(_, since_ms)| lasts(*since_ms, now_ms, SESSION_LASTS_MS));
        if self.0.len() >= DESKS {
            self.0.remove(0);
        }
        self.0.push((digest(&secret), now_ms));
        secret
    }

    /// Whether a secret is one of a session that lasts.
    #[must_use]
    pub fn knows(&self, secret: &str, now_ms: i64) -> bool {
        let wanted = digest(secret);
        self.0.iter().any(|(session, since_ms)| *session == wanted && lasts(*since_ms, now_ms, SESSION_LASTS_MS))
    }

    /// Ends one.
    pub fn end(&mut self, secret: &str) {
        let wanted = digest(secret);
        self.0.retain(|(session, _)| *session != wanted);
    }
}

/// A clock that was set back ends what began after it.
fn lasts(since_ms: i64, now_ms: i64, long_ms: i64) -> bool {
    now_ms.checked_sub(since_ms).is_some_and(|age| (0..long_ms).contains(&age))
}

fn dated(line: &str) -> Option<(Digest32, i64)> {
    let (digest, at_ms) = line.split_once(' ')?;
    Some((HEXLOWER.decode(digest.as_bytes()).ok()?.try_into().ok()?, at_ms.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_612_137_600_000;

    #[test]
    fn the_right_code_pairs_however_it_is_typed_and_a_wrong_one_does_not() {
        let offer = Offer::of("K7MA3CDX", NOW);
        assert_eq!(Offer::parse(&offer.text()), Some(offer));
        let mut tries = Tries::default();
        assert_eq!(tries.attempt(offer, "K7MA3CDA", NOW + 1), Tried::Wrong);
        assert_eq!(tries.attempt(offer, " k7ma-3cdx\n", NOW + 1), Tried::Right);
    }

    #[test]
    fn a_code_ends_with_its_time_with_five_wrong_ones_and_with_a_clock_that_was_set_back() {
        let offer = Offer::of("K7MA3CDX", NOW);
        let right = |tries: &mut Tries, at| tries.attempt(offer, "K7MA3CDX", at);
        assert_eq!(right(&mut Tries::default(), NOW + CODE_LASTS_MS), Tried::Expired);
        assert_eq!(right(&mut Tries::default(), NOW - 1), Tried::Expired);
        let mut tries = Tries::default();
        for _ in 1..TRIES {
            assert_eq!(tries.attempt(offer, "", NOW), Tried::Wrong);
        }
        assert_eq!(tries.attempt(offer, "", NOW), Tried::Void);
        assert_eq!(right(&mut tries, NOW), Tried::Void, "the right one comes too late");
        assert_eq!(tries.attempt(Offer::of("A", NOW), "A", NOW), Tried::Right, "another offer begins anew");
    }

    #[test]
    fn a_session_is_known_until_it_ends_and_its_file_betrays_none() {
        let mut sessions = Sessions::default();
        let secret = sessions.begin(&[7; 32], NOW);
        assert!(sessions.knows(&secret, NOW) && sessions.knows(&secret, NOW + SESSION_LASTS_MS - 1));
        assert!(!sessions.knows(&secret, NOW + SESSION_LASTS_MS), "a shift is over");
        assert!(!sessions.knows(&secret, NOW - 1), "the clock was set back");
        assert!(!sessions.knows("", NOW));
        assert!(!sessions.text().contains(&secret));
        assert_eq!(Sessions::parse(&sessions.text()), sessions);
        assert_eq!(Sessions::parse("nonsense\n00 7\n"), Sessions::default());
        sessions.end(&secret);
        assert!(!sessions.knows(&secret, NOW), "a copy of the cookie is worth nothing afterwards");
        for desk in 0..=DESKS as u8 {
            sessions.begin(&[desk; 32], NOW + i64::from(desk));
        }
        assert_eq!(sessions.0.len(), DESKS);
        assert!(!sessions.knows(&BASE64URL_NOPAD.encode(&[0; 32]), NOW + 10), "the oldest made room");
    }

    #[test]
    fn every_character_of_a_code_is_as_likely_as_another() {
        let mut counts = [0; CHARACTERS.len()];
        for byte in 0..=u8::MAX {
            let Some(code) = code(&[byte; CODE]) else { continue };
            let at =
                CHARACTERS.iter().position(|one| char::from(*one) == code.chars().next().expect("eight")).expect("one");
            counts[at] += 1;
        }
        assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
        assert_eq!(code(&[0; CODE - 1]), None);
    }
}
