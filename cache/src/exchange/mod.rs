//! What a post and its centre say to each other: batches of rows, receipts, refusals, health lines and enrolment.
//!
//! `cache/EXCHANGE.md` specifies each for a second implementation. All of them are values: bytes and keys go in, a value or a small
//! error comes out, and whoever calls owns the network, the disk and the clock. Everything that is signed is a C2SP signed note with
//! a first line of its own, so that no note can be taken for one of another kind; each parser accepts exactly the text that the
//! writer would have written, so that there is one spelling of each statement.
//!
//! What is absent: nothing here decides whether a traveller passes, and nothing a centre says can make a gate open.

pub mod batch;
pub mod enrolment;
pub mod health;
pub mod receipt;

use std::fmt;

use data_encoding::BASE64;
use sha2::{Digest as _, Sha256};

use crate::log::note::{NoteError, NoteVerifier};

pub use batch::{Batch, BatchError, Draft};
pub use enrolment::{Assignment, Request, Slip};
pub use health::{Health, Vitals};
pub use receipt::{Pinned, Receipt, ReceiptError, Refusal, Refused};

/// Longest note that is read: a peer's page of HTML is not parsed.
pub const MAX_NOTE: usize = 16 * 1024;
/// Longest name of a post, in bytes: it stands in every note, metric and row of a table.
pub const MAX_NAME: usize = 128;

/// SHA-256 of a batch as it was before compression: what a receipt names it by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    fn parse(text: &str) -> Option<Digest> {
        Some(Digest(BASE64.decode(text.as_bytes()).ok()?.try_into().ok()?))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Why a text is no statement of the kind that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementError {
    /// The note, its key or its signature.
    Note(NoteError),
    /// It holds control characters, which a signed note must not (C2SP signed-note, *Format*).
    ControlCharacters,
    /// A good note about something else, or spelt otherwise than its writer spells it.
    OtherKind,
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note(error) => error.fmt(f),
            Self::ControlCharacters => f.write_str("the note holds control characters"),
            Self::OtherKind => f.write_str("the note is signed, and says something else than was expected"),
        }
    }
}

impl std::error::Error for StatementError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Note(error) => Some(error),
            Self::ControlCharacters | Self::OtherKind => None,
        }
    }
}

/// Whether a post may be called this: one line, not empty, bounded, nothing that prints as nothing at either end.
#[must_use]
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME && text.trim() == text && !text.chars().any(char::is_control)
}

/// The signed text, by the rules of C2SP signed-note for several keys: signatures by unknown keys are passed over, one by a known
/// key that does not hold rejects the whole note, and at least one must hold.
fn open<'n>(note: &'n str, known: &[NoteVerifier]) -> Result<&'n str, StatementError> {
    if note.len() > MAX_NOTE {
        return Err(StatementError::Note(NoteError::NotANote));
    }
    if note.chars().any(|character| character < ' ' && character != '\n') {
        return Err(StatementError::ControlCharacters);
    }
    let mut opened = Err(StatementError::Note(NoteError::OtherKey));
    for verifier in known {
        match verifier.open(note) {
            Ok(text) => opened = Ok(text),
            Err(NoteError::OtherKey) => {}
            Err(error) => return Err(StatementError::Note(error)),
        }
    }
    opened
}

/// A statement that is written as the lines of a signed note.
trait Statement: Sized {
    /// Its text: the first line says which kind it is, and each line ends with a line feed.
    fn text(&self) -> String;

    /// Reads the lines; may be lenient, because [`read`] compares what it understood with what was written.
    fn lines(text: &str) -> Option<Self>;
}

/// Reads a statement whose text is exactly what its writer would have written.
fn read<S: Statement>(note: &str, known: &[NoteVerifier]) -> Result<S, StatementError> {
    let text = open(note, known)?;
    S::lines(text).filter(|statement| statement.text() == text).ok_or(StatementError::OtherKind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::note::NoteSigner;

    /// The example of the specification (C2SP signed-note), whose key it does not state.
    const SPECIFICATION: &str = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n\
        — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
    /// The example of Go's `sumdb/note`, with its key.
    const GO_PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn signatures_of_strangers_are_passed_over_and_a_known_key_that_does_not_hold_rejects_the_note() {
        let peter: NoteVerifier = GO_PUBLIC.parse().expect("a key");
        let centre = NoteSigner::new("centre", &[1; 32]).expect("a name");
        assert_eq!(open(SPECIFICATION, std::slice::from_ref(&peter)), Err(StatementError::Note(NoteError::OtherKey)));
        assert!(open(GO_NOTE, std::slice::from_ref(&peter)).is_ok());
        // Cosigned: the centre's line stands beside Peter's.
        let text = open(GO_NOTE, std::slice::from_ref(&peter)).expect("signed");
        let line = |note: &str| note.lines().last().map(|line| format!("{line}\n")).expect("a line");
        let both = format!("{GO_NOTE}{}", line(&centre.sign(text)));
        for known in [vec![peter.clone()], vec![centre.verifier()], vec![peter.clone(), centre.verifier()]] {
            assert_eq!(open(&both, &known), Ok(text));
        }
        let bad = format!("{GO_NOTE}{}", line(&centre.sign("something else\n")));
        assert_eq!(open(&bad, std::slice::from_ref(&peter)), Ok(text), "to Peter's friend the centre is a stranger");
        let known = [peter, centre.verifier()];
        assert_eq!(open(&bad, &known), Err(StatementError::Note(NoteError::BadSignature)));
    }

    #[test]
    fn sixteen_signatures_of_strangers_do_not_hide_the_seventeenth() {
        let text = "good morning\n";
        let mut note = format!("{text}\n");
        for number in 0..=16 {
            let signer = NoteSigner::new(&format!("key-{number}"), &[number; 32]).expect("a name");
            note += &format!("{}\n", signer.sign(text).lines().last().expect("a line"));
        }
        let last = NoteSigner::new("key-16", &[16; 32]).expect("a name").verifier();
        assert_eq!(open(&note, &[last]), Ok(text));
    }

    #[test]
    fn a_note_with_control_characters_is_none() {
        let signer = NoteSigner::new("gate", &[1; 32]).expect("a name");
        assert_eq!(open(&signer.sign("a\rb\n"), &[signer.verifier()]), Err(StatementError::ControlCharacters));
        let escape = signer.sign("\u{1b}[2J\n");
        assert_eq!(open(&escape, &[signer.verifier()]), Err(StatementError::ControlCharacters));
    }

    #[test]
    fn a_name_is_one_line_that_can_be_seen_whole() {
        for good in ["gate-3", "Guangzhou South 3", "广州南站 3+4"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", " gate", "gate\n4", "gate\u{7f}", &"x".repeat(129)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
