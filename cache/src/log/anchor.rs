//! Anchors: the chain's head, signed by the device, so that what was once shown to somebody cannot be rewritten.
//!
//! An anchor is a signed note whose text has exactly these lines:
//!
//! ```text
//! checkpointd scan log 1            what this is
//! 0193f1d0-…                        which log
//! 512                               rows up to here
//! q8x…=                             hash of that row, Base64
//! 2021-02-01T08:00:00.000Z          time in that row, by the device's clock
//! ```

use std::fmt;

use data_encoding::BASE64;
use uuid::Uuid;

use super::{
    chain::Head,
    note::{NoteError, NoteSigner, NoteVerifier},
    row::UnixMillis,
};

/// First line of every anchor.
const TITLE: &str = "checkpointd scan log 1";

/// What an anchor says. It is *not* proof by itself: the note around it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The log.
    pub log: Uuid,
    /// The row it covers up to.
    pub head: Head,
    /// The time written in that row.
    pub at: UnixMillis,
}

/// Why a file is no anchor that can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorError {
    /// The note or its signature.
    Note(NoteError),
    /// A good note, but not about a scan log.
    NotAnAnchor,
}

impl fmt::Display for AnchorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note(error) => write!(f, "anchor: {error}"),
            Self::NotAnAnchor => f.write_str("the note is signed by the device and is no anchor of a scan log"),
        }
    }
}

impl std::error::Error for AnchorError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Note(error) => Some(error),
            Self::NotAnAnchor => None,
        }
    }
}

impl Anchor {
    /// The signed note.
    #[must_use]
    pub fn sign(&self, signer: &NoteSigner) -> String {
        let Anchor { log, head, at } = self;
        signer.sign(&format!("{TITLE}\n{log}\n{}\n{}\n{at}\n", head.seq, BASE64.encode(&head.hash)))
    }

    /// Reads a note, believing nothing but the key.
    pub fn open(note: &str, verifier: &NoteVerifier) -> Result<Anchor, AnchorError> {
        Anchor::parse(verifier.open(note).map_err(AnchorError::Note)?).ok_or(AnchorError::NotAnAnchor)
    }

    fn parse(text: &str) -> Option<Anchor> {
        let mut lines = text.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let log = lines.next()?.parse().ok()?;
        let seq = lines.next()?.parse().ok()?;
        let hash = BASE64.decode(lines.next()?.as_bytes()).ok()?.try_into().ok()?;
        let at = lines.next()?.parse::<jiff::Timestamp>().ok()?;
        Some(Anchor { log, head: Head { seq, hash }, at: UnixMillis(at.as_millisecond()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_opened_with_the_key_that_signed_it_and_no_other() {
        let signer = NoteSigner::new("gate-3", &[9; 32]).expect("a name");
        let anchor = Anchor {
            log: Uuid::from_u128(7),
            head: Head { seq: 512, hash: [3; 32] },
            at: UnixMillis(1_612_137_600_123),
        };
        let note = anchor.sign(&signer);
        assert_eq!(Anchor::open(&note, &signer.verifier()), Ok(anchor));
        let other = NoteSigner::new("gate-3", &[8; 32]).expect("a name");
        assert_eq!(Anchor::open(&note, &other.verifier()), Err(AnchorError::Note(NoteError::OtherKey)));
        let chat = signer.sign("good morning\n");
        assert_eq!(Anchor::open(&chat, &signer.verifier()), Err(AnchorError::NotAnAnchor));
    }
}
