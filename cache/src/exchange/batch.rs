//! A batch: consecutive rows of one log, and the signed head that proves them.
//!
//! JSON lines: a header, the rows exactly as chained, and the device's anchor for the last of them. The rows are chained from the
//! header's `previous` and must run into the anchor, so that rows, their order, their log and their sender are proven by the
//! device's key alone: a batch whose anchor fits cannot have been changed, and a neighbour cannot make one.
//!
//! ```text
//! {"batch":1,"post":"gate-3","log":"0193f1d0-…","from":513,"previous":"9f12c8…"}
//! {"v":2,"kind":"scan",…}
//! {"v":2,"kind":"scan",…}
//! {"anchor":"checkpointd scan log 1\n0193f1d0-…\n514\n…"}
//! ```

use std::{fmt, io::Read};

use data_encoding::HEXLOWER;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Digest, Statement, StatementError, is_name, read};
use crate::log::{
    anchor::{Anchor, AnchorError},
    chain::Head,
    note::{NoteSigner, NoteVerifier},
};

/// Largest batch before compression: what one request may make the centre hold.
pub const MAX_BYTES: usize = 4 << 20;
/// Most rows of one batch: what one request may make the centre hash and insert.
pub const MAX_ROWS: usize = 4096;
/// Longest row. A device writes rows of some four hundred bytes; this stops one line from being the whole batch.
pub const MAX_ROW: usize = 64 << 10;
/// The format's number.
const VERSION: u8 = 1;

/// A batch as received: its shape is right, and nothing in it is believed yet. [`Batch::verify`] is the only way to [`Proven`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch<'b> {
    /// Who says to have sent it: which key it has to be checked with.
    pub post: String,
    /// The log.
    pub log: Uuid,
    /// The place before its first row, with the hash there.
    pub after: Head,
    /// The device's word that all rows up to `after` are given up; needed where the centre lacks some of them.
    pub cut: Option<String>,
    /// The newest receipt the post holds: a centre that has forgotten what it acknowledged learns it from this.
    pub held: Option<String>,
    /// The rows' texts, in the order of the chain.
    pub rows: Vec<&'b str>,
    /// The device's anchor for the last row.
    pub anchor: String,
    /// Names this batch in a receipt.
    pub digest: Digest,
}

/// The places of a batch's rows, proven by the device's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Place and hash of each row, in order.
    pub heads: Vec<Head>,
    /// What the anchor says.
    pub anchor: Anchor,
    /// The device says that the rows before are given up.
    pub cut: bool,
}

impl Proven {
    /// Where the batch ends.
    #[must_use]
    pub fn end(&self) -> Head {
        self.anchor.head
    }
}

/// Why a text is no batch, or does not prove its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// Larger than [`MAX_BYTES`], more rows than [`MAX_ROWS`], or a row longer than [`MAX_ROW`].
    TooLarge,
    /// It cannot be inflated.
    Compression,
    /// The header is none: line 1.
    Header,
    /// The last line is no anchor.
    NoAnchor,
    /// This line is no row; counted from 1.
    Row(usize),
    /// The anchor's note.
    Anchor(AnchorError),
    /// The cut's note.
    Cut(StatementError),
    /// The anchor is about another log.
    OtherLog,
    /// The rows, chained from the header, do not run into the anchor.
    Chain,
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "the batch is larger than {MAX_BYTES} bytes or {MAX_ROWS} rows"),
            Self::Compression => f.write_str("the batch cannot be inflated"),
            Self::Header => f.write_str("line 1 is no header of a batch"),
            Self::NoAnchor => f.write_str("the last line is no anchor"),
            Self::Row(line) => write!(f, "line {line} is no row"),
            Self::Anchor(error) => error.fmt(f),
            Self::Cut(error) => write!(f, "cut: {error}"),
            Self::OtherLog => f.write_str("the anchor belongs to another log"),
            Self::Chain => f.write_str("the rows do not run into the anchor"),
        }
    }
}

impl std::error::Error for BatchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Anchor(error) => Some(error),
            Self::Cut(error) => Some(error),
            _ => None,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    batch: u8,
    post: String,
    log: Uuid,
    from: u64,
    previous: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    cut: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    held: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    anchor: String,
}

impl<'b> Batch<'b> {
    /// Reads a batch that has been inflated. Rows are delimited, not understood: a text that is chained is evidence even where this
    /// release cannot read it.
    pub fn parse(bytes: &'b [u8]) -> Result<Batch<'b>, BatchError> {
        if bytes.len() > MAX_BYTES {
            return Err(BatchError::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BatchError::Header)?;
        let (header, rest) = text.split_once('\n').ok_or(BatchError::Header)?;
        let header: Header = serde_json::from_str(header).map_err(|_| BatchError::Header)?;
        let previous = HEXLOWER.decode(header.previous.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        let (Some(before), Some(hash)) = (header.from.checked_sub(1), previous) else { return Err(BatchError::Header) };
        // The store counts in signed 64-bit numbers.
        if header.batch != VERSION || !is_name(&header.post) || header.from > (i64::MAX as u64) - (MAX_ROWS as u64) {
            return Err(BatchError::Header);
        }
        let body = rest.strip_suffix('\n').ok_or(BatchError::NoAnchor)?;
        let (rows, last) = match body.rsplit_once('\n') {
            Some((rows, last)) => (Some(rows), last),
            None => (None, body),
        };
        let Last { anchor } = serde_json::from_str(last).map_err(|_| BatchError::NoAnchor)?;
        let rows: Vec<&str> = rows.map(|rows| rows.split('\n').take(MAX_ROWS + 1).collect()).unwrap_or_default();
        if rows.len() > MAX_ROWS {
            return Err(BatchError::TooLarge);
        }
        for (index, row) in rows.iter().enumerate() {
            let shaped = row.starts_with('{') && row.ends_with('}') && row.len() <= MAX_ROW;
            if !shaped || row.chars().any(char::is_control) {
                return Err(BatchError::Row(index + 2));
            }
        }
        Ok(Batch {
            post: header.post,
            log: header.log,
            after: Head { seq: before, hash },
            cut: header.cut,
            held: header.held,
            rows,
            anchor,
            digest: Digest::of(bytes),
        })
    }

    /// Chains the rows and holds them against the device's anchor.
    pub fn verify(&self, device: &NoteVerifier) -> Result<Proven, BatchError> {
        let anchor = Anchor::open(&self.anchor, device).map_err(BatchError::Anchor)?;
        if anchor.log != self.log {
            return Err(BatchError::OtherLog);
        }
        let mut head = self.after;
        let heads: Vec<Head> = self
            .rows
            .iter()
            .map(|row| {
                head = head.followed_by(row);
                head
            })
            .collect();
        if head != anchor.head {
            return Err(BatchError::Chain);
        }
        let cut = match &self.cut {
            None => false,
            Some(note) => {
                let cut = Cut::open(note, device).map_err(BatchError::Cut)?;
                if (cut.log, cut.through) != (self.log, self.after) {
                    return Err(BatchError::Cut(StatementError::OtherKind));
                }
                true
            }
        };
        Ok(Proven { heads, anchor, cut })
    }
}

/// The device's word that its rows up to a place are given up and will never be sent: retention, or space (`cache/LOG.md`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The log.
    pub log: Uuid,
    /// The last row that is gone, and the hash the first remaining one is chained to.
    pub through: Head,
}

impl Cut {
    /// The signed note.
    #[must_use]
    pub fn sign(&self, device: &NoteSigner) -> String {
        device.sign(&self.text())
    }

    /// Reads a note, believing nothing but the key.
    pub fn open(note: &str, device: &NoteVerifier) -> Result<Cut, StatementError> {
        read(note, std::slice::from_ref(device))
    }
}

impl Statement for Cut {
    fn text(&self) -> String {
        format!("checkpointd cut 1\n{}\n{} {}\n", self.log, self.through.seq, Digest(self.through.hash))
    }

    fn lines(text: &str) -> Option<Cut> {
        let mut lines = text.lines().skip(1);
        let log = lines.next()?.parse().ok()?;
        let (seq, hash) = lines.next()?.split_once(' ')?;
        Some(Cut { log, through: Head { seq: seq.parse().ok()?, hash: Digest::parse(hash)?.0 } })
    }
}

/// A batch to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'d> {
    /// This post's name.
    pub post: &'d str,
    /// The log.
    pub log: Uuid,
    /// The place before the first row, with the hash there.
    pub after: Head,
    /// Where the rows before are given up: the signed [`Cut`].
    pub cut: Option<&'d str>,
    /// The newest receipt.
    pub held: Option<&'d str>,
}

impl Draft<'_> {
    /// The batch's bytes, before compression. `anchor` is the device's for the last row, or for `after` where there is none.
    #[must_use]
    pub fn write<'r>(&self, rows: impl IntoIterator<Item = &'r str>, anchor: &str) -> Vec<u8> {
        let header = Header {
            batch: VERSION,
            post: self.post.to_owned(),
            log: self.log,
            from: self.after.seq.saturating_add(1),
            previous: HEXLOWER.encode(&self.after.hash),
            cut: self.cut.map(str::to_owned),
            held: self.held.map(str::to_owned),
        };
        let mut bytes = serde_json::to_vec(&header).expect("texts and numbers always serialise");
        bytes.push(b'\n');
        for row in rows {
            bytes.extend_from_slice(row.as_bytes());
            bytes.push(b'\n');
        }
        let last = Last { anchor: anchor.to_owned() };
        bytes.extend(serde_json::to_vec(&last).expect("a text always serialises"));
        bytes.push(b'\n');
        bytes
    }
}

/// Compressed for the wire (`content-encoding: gzip`).
#[must_use]
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    let written = std::io::Write::write_all(&mut encoder, bytes).and_then(|()| encoder.finish());
    written.expect("memory takes what is written to it")
}

/// The opposite; reads no more than [`MAX_BYTES`], whatever the stream promises.
pub fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, BatchError> {
    bounded(GzDecoder::new(bytes))
}

/// Inflates with any decoder, up to [`MAX_BYTES`].
pub fn bounded(decoder: impl Read) -> Result<Vec<u8>, BatchError> {
    let mut inflated = Vec::new();
    decoder.take(MAX_BYTES as u64 + 1).read_to_end(&mut inflated).map_err(|_| BatchError::Compression)?;
    if inflated.len() > MAX_BYTES { Err(BatchError::TooLarge) } else { Ok(inflated) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::log::{note::NoteError, row::UnixMillis};

    fn device() -> NoteSigner {
        NoteSigner::new("gate-3", &[5; 32]).expect("a name")
    }

    /// A batch of `count` rows after `after`, and where it ends.
    pub fn batch(after: Head, count: usize, cut: bool) -> (Vec<u8>, Head) {
        let log = Uuid::from_u128(7);
        let rows: Vec<String> = (0..count).map(|row| format!("{{\"row\":{row}}}")).collect();
        let head = rows.iter().fold(after, |head, row| head.followed_by(row));
        let anchor = Anchor { log, head, at: UnixMillis(1_612_137_600_000) }.sign(&device());
        let cut = cut.then(|| Cut { log, through: after }.sign(&device()));
        let draft = Draft { post: "gate-3", log, after, cut: cut.as_deref(), held: None };
        (draft.write(rows.iter().map(String::as_str), &anchor), head)
    }

    #[test]
    fn a_batch_proves_its_rows_their_places_and_their_sender() {
        for count in [0, 1, 300] {
            let (bytes, end) = batch(Head { seq: 512, hash: [3; 32] }, count, false);
            let packed = gzip(&bytes);
            let bytes = gunzip(&packed).expect("inflated");
            let batch = Batch::parse(&bytes).expect("a batch");
            let proven = batch.verify(&device().verifier()).expect("proven");
            assert_eq!((proven.end(), proven.heads.len(), proven.cut), (end, count, false));
            assert_eq!((batch.post.as_str(), batch.digest), ("gate-3", Digest::of(&bytes)));
        }
    }

    #[test]
    fn a_row_changed_left_out_moved_or_sent_by_a_neighbour_does_not_verify() {
        let (bytes, _) = batch(Head::ORIGIN, 5, false);
        let text = String::from_utf8(bytes).expect("text");
        let verify = |text: &str, device: &NoteSigner| {
            Batch::parse(text.as_bytes()).expect("a batch").verify(&device.verifier()).map(|_| ())
        };
        assert_eq!(verify(&text, &device()), Ok(()));
        let mut lines: Vec<&str> = text.lines().collect();
        let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let changed = text.replace("{\"row\":2}", "{\"row\":3}");
        assert_eq!(verify(&changed, &device()), Err(BatchError::Chain));
        let removed = lines.remove(3);
        assert_eq!(verify(&joined(&lines), &device()), Err(BatchError::Chain));
        lines.insert(1, removed);
        assert_eq!(verify(&joined(&lines), &device()), Err(BatchError::Chain));
        let other = text.replace("00000007\"", "00000008\"");
        assert_eq!(verify(&other, &device()), Err(BatchError::OtherLog));
        let neighbour = NoteSigner::new("gate-3", &[6; 32]).expect("a name");
        assert_eq!(verify(&text, &neighbour), Err(BatchError::Anchor(AnchorError::Note(NoteError::OtherKey))));
    }

    #[test]
    fn a_cut_is_believed_from_the_device_and_for_its_own_place_only() {
        let after = Head { seq: 900, hash: [9; 32] };
        let (bytes, _) = batch(after, 2, true);
        assert!(Batch::parse(&bytes).expect("a batch").verify(&device().verifier()).expect("proven").cut);
        let (plain, _) = batch(Head { seq: 901, ..after }, 2, false);
        let plain = Batch::parse(&plain).expect("a batch");
        let cut = Batch::parse(&bytes).expect("a batch").cut;
        let moved = Batch { cut, ..plain.clone() };
        assert_eq!(moved.verify(&device().verifier()), Err(BatchError::Cut(StatementError::OtherKind)));
        // An anchor for the same place, which a neighbour may have seen, is no cut.
        let anchor = Anchor { log: plain.log, head: plain.after, at: UnixMillis(0) }.sign(&device());
        let replayed = Batch { cut: Some(anchor), ..plain };
        assert_eq!(replayed.verify(&device().verifier()), Err(BatchError::Cut(StatementError::OtherKind)));
    }

    #[test]
    fn what_is_no_batch_says_which_line() {
        let (bytes, _) = batch(Head::ORIGIN, 3, false);
        let text = String::from_utf8(bytes).expect("text");
        let parse = |text: &str| Batch::parse(text.as_bytes()).map(|_| ());
        assert_eq!(parse(&text), Ok(()));
        assert_eq!(parse(""), Err(BatchError::Header));
        assert_eq!(parse("rubbish\n"), Err(BatchError::Header));
        assert_eq!(parse(&text.replace("\"batch\":1", "\"batch\":9")), Err(BatchError::Header));
        assert_eq!(parse(&text.replace("\"from\":1", "\"from\":0")), Err(BatchError::Header));
        assert_eq!(parse(&text.replace("\"from\":1,", "\"from\":9223372036854775807,")), Err(BatchError::Header));
        assert_eq!(parse(text.trim_end()), Err(BatchError::NoAnchor));
        assert_eq!(parse(&text.replace("{\"row\":1}", "")), Err(BatchError::Row(3)));
        assert_eq!(parse(&text.replace("{\"row\":1}", "{\"row\":\r}")), Err(BatchError::Row(3)));
        let long = format!("{{\"row\":\"{}\"}}", "x".repeat(MAX_ROW));
        assert_eq!(parse(&text.replace("{\"row\":1}", &long)), Err(BatchError::Row(3)));
        let (many, _) = batch(Head::ORIGIN, MAX_ROWS + 1, false);
        assert_eq!(Batch::parse(&many), Err(BatchError::TooLarge));
    }

    #[test]
    fn a_small_body_that_inflates_without_end_is_cut_off() {
        let bomb = gzip(&vec![b' '; MAX_BYTES + 1]);
        assert!(bomb.len() < MAX_BYTES / 50);
        assert_eq!(gunzip(&bomb), Err(BatchError::TooLarge));
        assert_eq!(gunzip(b"\x1f\x8b no more"), Err(BatchError::Compression));
    }
}
