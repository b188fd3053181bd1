//! The head file: the chain's end, written down beside the database.
//!
//! SQLite takes a damaged write-ahead log for a short one: rows that were acknowledged vanish without a word, and the chain that is left
//! is sound. So the last row's place and hash also stand in a small file of their own, rewritten with every commit (the kernel keeps it
//! until it is flushed with the next anchor). It is written after its rows are durable, so it never knows a row that was not: a log that
//! ends earlier than its head file says has lost rows. Whatever the centre signed for last stands in it, too.
//!
//! ```text
//! checkpointd head 1
//! log 4be2…                         the log
//! head 512 9fcc…                    its last row
//! receipt 498 01ab…                 the last row that the centre signed for, if any
//! sum 3d0f…                         the first 8 bytes of SHA-256 over the lines above
//! ```

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    chain::Head,
    row::{Witness, WitnessKind},
    side_files::beside,
};

const TITLE: &str = "checkpointd head 1";
/// The file has one size, so that a rewrite changes no metadata.
const SIZE: usize = 512;

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownEnd {
    /// The log.
    pub log: Uuid,
    /// Its last row.
    pub head: Head,
    /// The last row that the centre signed for.
    pub receipt: Option<Head>,
}

impl KnownEnd {
    /// Both as witnesses, the farther one first.
    #[must_use]
    pub fn witnesses(&self) -> Vec<Witness> {
        let witness = |head: Head, by| Witness { log: self.log, seq: head.seq, hash: head.hash, by };
        let mut witnesses = vec![witness(self.head, WitnessKind::HeadFile)];
        witnesses.extend(self.receipt.map(|head| witness(head, WitnessKind::Receipt)));
        witnesses.sort_by_key(|witness| std::cmp::Reverse(witness.seq));
        witnesses
    }

    fn text(&self) -> String {
        let line = |name: &str, head: Head| format!("{name} {} {}\n", head.seq, HEXLOWER.encode(&head.hash));
        let mut text = format!("{TITLE}\nlog {}\n{}", self.log, line("head", self.head));
        if let Some(receipt) = self.receipt {
            text.push_str(&line("receipt", receipt));
        }
        let sum = sum(&text);
        text.push_str(&format!("sum {sum}\n"));
        text
    }

    /// Reads the file's text; `None` when it is torn or not one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<KnownEnd> {
        let (body, rest) = text.split_once("sum ")?;
        if rest.lines().next()? != sum(body) {
            return None;
        }
        let mut lines = body.lines();
        let head = |line: &str, name: &str| {
            let (seq, hash) = line.strip_prefix(name)?.strip_prefix(' ')?.split_once(' ')?;
            Some(Head { seq: seq.parse().ok()?, hash: HEXLOWER.decode(hash.as_bytes()).ok()?.try_into().ok()? })
        };
        if lines.next()? != TITLE {
            return None;
        }
        let log = lines.next()?.strip_prefix("log ")?.parse().ok()?;
        let last = head(lines.next()?, "head")?;
        let receipt = match lines.next() {
            Some(line) => Some(head(line, "receipt")?),
            None => None,
        };
        Some(KnownEnd { log, head: last, receipt })
    }
}

fn sum(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes())[..8])
}

/// Where it lies.
#[must_use]
pub fn place(database: &Path) -> PathBuf {
    beside(database, "-head")
}

/// What the file beside a database says; `None` where there is none, or one that is torn.
///
/// # Errors
/// When there is a file that cannot be read.
pub fn read(database: &Path) -> io::Result<Option<KnownEnd>> {
    let mut bytes = Vec::new();
    match File::open(place(database)) {
        Ok(file) => file.take(SIZE as u64).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(KnownEnd::parse(&String::from_utf8_lossy(&bytes)))
}

/// The file, open for rewriting.
#[derive(Debug)]
pub(super) struct HeadFile {
    file: File,
    known: KnownEnd,
}

impl HeadFile {
    /// Opens or makes it, and writes what is known now to the disk.
    pub(super) fn open(database: &Path, known: KnownEnd) -> io::Result<HeadFile> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o640).open(place(database))?;
        let head_file = HeadFile { file, known };
        head_file.write()?;
        head_file.file.sync_all()?;
        Ok(head_file)
    }

    /// The chain ends here now.
    pub(super) fn head(&mut self, head: Head) -> io::Result<()> {
        self.known.head = head;
        self.write()
    }

    /// The centre signed up to here.
    pub(super) fn receipt(&mut self, receipt: Head) -> io::Result<()> {
        self.known.receipt = Some(receipt);
        self.write()
    }

    /// To the disk.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self) -> io::Result<()> {
        let mut bytes = self.known.text().into_bytes();
        bytes.resize(SIZE, b'\n');
        self.file.write_all_at(&bytes, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: KnownEnd = KnownEnd {
        log: Uuid::from_u128(7),
        head: Head { seq: u64::MAX, hash: [3; 32] },
        receipt: Some(Head { seq: 498, hash: [4; 32] }),
    };

    #[test]
    fn what_was_written_is_read_and_a_changed_byte_is_no_witness() {
        let directory = tempfile::tempdir().expect("a directory");
        let database = directory.path().join("scans.db");
        assert_eq!(read(&database).expect("readable"), None, "there is none");
        for known in [END, KnownEnd { receipt: None, ..END }] {
            HeadFile::open(&database, known).expect("written");
            assert_eq!(read(&database).expect("readable"), Some(known));
        }
        let text = END.text();
        assert!(text.len() <= SIZE, "{}", text.len());
        for at in 0..text.len() - 1 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            assert_eq!(KnownEnd::parse(&String::from_utf8_lossy(&bytes)), None, "byte {at}");
        }
        assert_eq!(KnownEnd::parse(""), None);
    }

    #[test]
    fn the_farther_witness_is_asked_first() {
        let behind = KnownEnd { head: Head { seq: 400, hash: [3; 32] }, ..END };
        assert_eq!(behind.witnesses().iter().map(|witness| witness.seq).collect::<Vec<_>>(), [498, 400]);
    }
}
