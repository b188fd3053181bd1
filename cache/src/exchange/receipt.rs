//! Receipts and refusals: what a centre answers, signed, so that a transport's success is never taken for storage.
//!
//! A receipt is a witness: it says up to which row a log is durable at the centre without a gap, and which hash that row has.
//! A log that later shows another history, or ends earlier, is refuted by it. Its text is
//!
//! ```text
//! checkpoint centre receipt 1
//! gate-3                              the post
//! 0193f1d0-…                          the log
//! 5d9f8a1c-…                          the store: another one means that the database was lost
//! 514 q8x…=                           durable without a gap up to here; the hash of that row, Base64
//! n7Y…=                               SHA-256 of the batch that it answers, Base64
//! 2021-02-01T08:00:01.250Z            the centre's time
//! ```

use std::fmt;

use uuid::Uuid;

use super::{Digest, Statement, StatementError, is_name, read};
use crate::log::{
    chain::Head,
    note::{NoteSigner, NoteVerifier},
    row::UnixMillis,
};

/// Most keys a post pins: the present one, and the one that takes over.
pub const MAX_KEYS: usize = 2;
const RECEIPT: &str = "checkpoint centre receipt 1";
const REFUSED: &str = "checkpoint centre refused 1";
const SUCCESSION: &str = "checkpoint centre key 1";

/// The centre's keys that a post believes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pinned {
    keys: Vec<NoteVerifier>,
}

/// Why keys cannot be pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinError {
    /// None, or more than [`MAX_KEYS`].
    Number(usize),
    /// The announcement is not signed by a pinned key, or is none.
    Announcement(StatementError),
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "a post pins one or two keys of its centre, not {number}"),
            Self::Announcement(error) => write!(f, "the centre's new key: {error}"),
        }
    }
}

impl std::error::Error for PinError {}

impl Pinned {
    /// One key, or two while one takes over from the other.
    pub fn new(keys: Vec<NoteVerifier>) -> Result<Pinned, PinError> {
        if keys.is_empty() || keys.len() > MAX_KEYS { Err(PinError::Number(keys.len())) } else { Ok(Pinned { keys }) }
    }

    /// The keys, the oldest first.
    #[must_use]
    pub fn keys(&self) -> &[NoteVerifier] {
        &self.keys
    }

    /// Takes on a key that a pinned one vouches for. Of three the oldest is let go.
    pub fn succeed(&self, announcement: &str) -> Result<Pinned, PinError> {
        let Succession(key) = read(announcement, &self.keys).map_err(PinError::Announcement)?;
        let mut keys = self.keys.clone();
        if !keys.contains(&key) {
            keys.push(key);
        }
        let surplus = keys.len().saturating_sub(MAX_KEYS);
        keys.drain(..surplus);
        Ok(Pinned { keys })
    }
}

/// A new key of the centre, to be signed by the old one.
#[must_use]
pub fn announce(new: &NoteVerifier, old: &NoteSigner) -> String {
    old.sign(&Succession(new.clone()).text())
}

struct Succession(NoteVerifier);

impl Statement for Succession {
    fn text(&self) -> String {
        format!("{SUCCESSION}\n{}\n", self.0)
    }

    fn lines(text: &str) -> Option<Self> {
        Some(Succession(text.lines().nth(1)?.parse().ok()?))
    }
}

/// What is durable at the centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The post.
    pub post: String,
    /// The log.
    pub log: Uuid,
    /// Drawn when the centre's database was created.
    pub store: Uuid,
    /// The last row of the beginning without a gap.
    pub through: Head,
    /// The batch that it answers.
    pub batch: Digest,
    /// When, by the centre's clock.
    pub at: UnixMillis,
}

/// Why an answer is no receipt for this post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptError {
    /// The note, its key, or its text.
    Statement(StatementError),
    /// It is somebody else's.
    OtherPost,
    /// It is about another log.
    OtherLog,
}

impl fmt::Display for ReceiptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statement(error) => write!(f, "no receipt: {error}"),
            Self::OtherPost => f.write_str("the receipt is another post's"),
            Self::OtherLog => f.write_str("the receipt is about another log"),
        }
    }
}

impl std::error::Error for ReceiptError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Statement(error) => Some(error),
            Self::OtherPost | Self::OtherLog => None,
        }
    }
}

/// What a receipt means beside the one that was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Rows up to this one are the centre's.
    Acknowledged(u64),
    /// Nothing new: a late or repeated answer of the same store.
    Nothing,
    /// The centre's database was begun anew: what an older store acknowledged is void, and is sent again from the oldest row held.
    StoreLost,
}

impl Receipt {
    /// The signed note.
    #[must_use]
    pub fn sign(&self, centre: &NoteSigner) -> String {
        centre.sign(&self.text())
    }

    /// Reads an answer: only a receipt by a pinned key for this post and this log is one.
    pub fn verify(note: &str, pinned: &Pinned, post: &str, log: Uuid) -> Result<Receipt, ReceiptError> {
        let receipt: Receipt = read(note, &pinned.keys).map_err(ReceiptError::Statement)?;
        match &receipt {
            receipt if receipt.post != post => Err(ReceiptError::OtherPost),
            receipt if receipt.log != log => Err(ReceiptError::OtherLog),
            _ => Ok(receipt),
        }
    }

    /// What it changes. A lower place under the same store is an old answer and takes nothing back.
    #[must_use]
    pub fn after(&self, held: Option<&Receipt>) -> Progress {
        match held {
            Some(held) if held.store != self.store => Progress::StoreLost,
            Some(held) if self.through.seq <= held.through.seq => Progress::Nothing,
            _ => Progress::Acknowledged(self.through.seq),
        }
    }
}

impl Statement for Receipt {
    fn text(&self) -> String {
        let Receipt { post, log, store, through, batch, at } = self;
        format!("{RECEIPT}\n{post}\n{log}\n{store}\n{} {}\n{batch}\n{at}\n", through.seq, Digest(through.hash))
    }

    fn lines(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip(1);
        let post = lines.next().filter(|post| is_name(post))?.to_owned();
        let log = lines.next()?.parse().ok()?;
        let store = lines.next()?.parse().ok()?;
        let (seq, hash) = lines.next()?.split_once(' ')?;
        let through = Head { seq: seq.parse().ok()?, hash: Digest::parse(hash)?.0 };
        let batch = Digest::parse(lines.next()?)?;
        Some(Receipt { post, log, store, through, batch, at: time(lines.next()?)? })
    }
}

/// Why a centre will never take rows. The words are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It has no shape of a batch.
    NotABatch,
    /// The anchor is not by the key that is pinned for this post.
    BadSignature,
    /// The rows do not run into their anchor.
    ChainBroken,
    /// The centre holds another, equally signed history of this log: it was rewritten, or two boxes write it.
    Fork,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Refusal; 4] = [Self::NotABatch, Self::BadSignature, Self::ChainBroken, Self::Fork];

    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotABatch => "not-a-batch",
            Self::BadSignature => "bad-signature",
            Self::ChainBroken => "chain-broken",
            Self::Fork => "fork",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Rows that the centre will never take as they are. The post shows it and keeps them.
///
/// ```text
/// checkpoint centre refused 1
/// gate-3
/// 0193f1d0-…
/// 5d9f8a1c-…
/// 513..514 fork
/// n7Y…=
/// 2021-02-01T08:00:01.250Z
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The post.
    pub post: String,
    /// The log.
    pub log: Uuid,
    /// The store.
    pub store: Uuid,
    /// The first row.
    pub from: u64,
    /// The last row.
    pub to: u64,
    /// Why.
    pub reason: Refusal,
    /// The batch that it answers.
    pub batch: Digest,
    /// When, by the centre's clock.
    pub at: UnixMillis,
}

impl Refused {
    /// The signed note.
    #[must_use]
    pub fn sign(&self, centre: &NoteSigner) -> String {
        centre.sign(&self.text())
    }

    /// Reads an answer: only a refusal by a pinned key for this post and this log is one.
    pub fn verify(note: &str, pinned: &Pinned, post: &str, log: Uuid) -> Result<Refused, ReceiptError> {
        let refused: Refused = read(note, &pinned.keys).map_err(ReceiptError::Statement)?;
        match &refused {
            refused if refused.post != post => Err(ReceiptError::OtherPost),
            refused if refused.log != log => Err(ReceiptError::OtherLog),
            _ => Ok(refused),
        }
    }
}

impl Statement for Refused {
    fn text(&self) -> String {
        let Refused { post, log, store, from, to, reason, batch, at } = self;
        format!("{REFUSED}\n{post}\n{log}\n{store}\n{from}..{to} {reason}\n{batch}\n{at}\n")
    }

    fn lines(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip(1);
        let post = lines.next().filter(|post| is_name(post))?.to_owned();
        let log = lines.next()?.parse().ok()?;
        let store = lines.next()?.parse().ok()?;
        let (rows, word) = lines.next()?.split_once(' ')?;
        let (from, to) = rows.split_once("..")?;
        let reason = Refusal::ALL.into_iter().find(|reason| reason.code() == word)?;
        let batch = Digest::parse(lines.next()?)?;
        let (from, to) = (from.parse().ok()?, to.parse().ok()?);
        Some(Refused { post, log, store, from, to, reason, batch, at: time(lines.next()?)? })
    }
}

/// RFC 3339 with milliseconds, in UTC.
pub(super) fn time(text: &str) -> Option<UnixMillis> {
    Some(UnixMillis(text.parse::<jiff::Timestamp>().ok()?.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::note::NoteError;

    fn centre(seed: u8) -> NoteSigner {
        NoteSigner::new("centre.example", &[seed; 32]).expect("a name")
    }

    fn pinned(seeds: &[u8]) -> Pinned {
        Pinned::new(seeds.iter().map(|seed| centre(*seed).verifier()).collect()).expect("one or two")
    }

    fn receipt(seq: u64) -> Receipt {
        Receipt {
            post: "gate-3".into(),
            log: Uuid::from_u128(7),
            store: Uuid::from_u128(8),
            through: Head { seq, hash: [3; 32] },
            batch: Digest([4; 32]),
            at: UnixMillis(1_612_166_401_250),
        }
    }

    #[test]
    fn a_receipt_is_believed_from_a_pinned_key_for_this_post_and_this_log_only() {
        let (log, note) = (Uuid::from_u128(7), receipt(514).sign(&centre(1)));
        assert_eq!(Receipt::verify(&note, &pinned(&[1]), "gate-3", log), Ok(receipt(514)));
        assert_eq!(Receipt::verify(&note, &pinned(&[2, 1]), "gate-3", log), Ok(receipt(514)));
        let unsigned = Err(ReceiptError::Statement(StatementError::Note(NoteError::OtherKey)));
        assert_eq!(Receipt::verify(&note, &pinned(&[2]), "gate-3", log), unsigned);
        assert_eq!(Receipt::verify(&note, &pinned(&[1]), "gate-4", log), Err(ReceiptError::OtherPost));
        assert_eq!(Receipt::verify(&note, &pinned(&[1]), "gate-3", Uuid::nil()), Err(ReceiptError::OtherLog));
        let raised = note.replace("\n514 ", "\n515 ");
        let forged = Err(ReceiptError::Statement(StatementError::Note(NoteError::BadSignature)));
        assert_eq!(Receipt::verify(&raised, &pinned(&[1]), "gate-3", log), forged);
    }

    #[test]
    fn pages_of_captive_portals_and_cut_answers_are_no_receipts() {
        let note = receipt(514).sign(&centre(1));
        for answer in ["", "OK", "<html><body>Welcome, please log in</body></html>\n\n", &note[..note.len() - 9]] {
            let answer = Receipt::verify(answer, &pinned(&[1]), "gate-3", Uuid::from_u128(7));
            assert!(matches!(answer, Err(ReceiptError::Statement(_))), "{answer:?}");
        }
    }

    #[test]
    fn one_statement_has_one_spelling_and_no_statement_passes_for_another() {
        let (log, key) = (Uuid::from_u128(7), centre(1));
        let other = Err(ReceiptError::Statement(StatementError::OtherKind));
        let text = receipt(514).text();
        for spelt in [
            text.replace("\n514 ", "\n0514 "),
            text.replace("\n514 ", "\n+514 "),
            text.replace(".250Z", ".25Z"),
            format!("{text}more\n"),
            text.replace("0007\n", "0007 \n"),
            text.replace("receipt 1", "receipt 2"),
        ] {
            assert_eq!(Receipt::verify(&key.sign(&spelt), &pinned(&[1]), "gate-3", log), other, "{spelt}");
        }
        let refused = Refused {
            post: "gate-3".into(),
            log,
            store: Uuid::from_u128(8),
            from: 513,
            to: 514,
            reason: Refusal::Fork,
            batch: Digest([4; 32]),
            at: UnixMillis(1_612_166_401_250),
        };
        let note = refused.sign(&key);
        assert_eq!(Refused::verify(&note, &pinned(&[1]), "gate-3", log), Ok(refused));
        assert_eq!(Receipt::verify(&note, &pinned(&[1]), "gate-3", log), other);
    }

    #[test]
    fn a_late_answer_takes_nothing_back_and_a_new_store_voids_what_the_old_one_said() {
        assert_eq!(receipt(5).after(None), Progress::Acknowledged(5));
        assert_eq!(receipt(9).after(Some(&receipt(5))), Progress::Acknowledged(9));
        assert_eq!(receipt(3).after(Some(&receipt(5))), Progress::Nothing);
        let anew = Receipt { store: Uuid::from_u128(9), ..receipt(3) };
        assert_eq!(anew.after(Some(&receipt(5))), Progress::StoreLost);
    }

    #[test]
    fn a_new_key_is_taken_on_the_word_of_an_old_one_and_the_oldest_goes() {
        let first = pinned(&[1]);
        assert!(matches!(first.succeed(&announce(&centre(3).verifier(), &centre(2))), Err(PinError::Announcement(_))));
        let second = first.succeed(&announce(&centre(2).verifier(), &centre(1))).expect("vouched for");
        assert_eq!(second, pinned(&[1, 2]));
        assert_eq!(second.succeed(&announce(&centre(2).verifier(), &centre(1))), Ok(second.clone()), "said twice");
        let third = second.succeed(&announce(&centre(3).verifier(), &centre(2))).expect("vouched for");
        assert_eq!(third, pinned(&[2, 3]));
        assert_eq!(Pinned::new(Vec::new()), Err(PinError::Number(0)));
    }
}
