//! The scan log: what the gate decided, durable, tamper-evident, and without names.
//!
//! - A row that was acknowledged is on the disk (WAL, `synchronous=FULL`): a pulled plug loses none.
//! - A row is never changed. It is chained to its predecessor ([`chain`]), heads of the chain are signed ([`anchor`]), and
//!   [`verify`] finds what somebody doctored.
//! - One connection writes, and one thread owns it ([`writer::Writer`]); whoever reads has a [`reader::Reader`].
//! - Nothing here knows the time: rows bring theirs.

pub mod anchor;
pub mod attestation;
pub mod chain;
mod commit;
pub mod day_keys;
pub mod device_key;
pub mod export;
pub mod fault;
pub mod memory;
pub mod note;
pub mod officer;
mod open;
pub mod query;
pub mod reader;
pub mod retention;
pub mod row;
mod schema;
mod space;
pub mod stats;
mod unix_millis;
pub mod verify;
pub mod writer;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{Connection, TransactionBehavior};
use trustlist::time::TimeTrust;
use uuid::Uuid;

use crate::outbox::Mark;
use chain::Head;
use commit::{head, insert, meta, set_meta, write_anchor};
pub use day_keys::CodeId;
pub use fault::{Fault, WriteFault};
pub use memory::Memory;
use note::NoteSigner;
pub use open::check;
pub use reader::{Reader, Seen};
pub use row::{Body, Direction, Entry, Event, Passage, ScanRow, Token, Unbidden, UnixMillis, Witness, WitnessKind};
pub use writer::{Receipt, Writer, Written};

/// Size of the write-ahead log at which it is folded in even though rows wait.
const WAL_FOLD: u64 = 4 << 20;

/// What a log needs to know before it opens.
#[derive(Debug)]
pub struct Options {
    /// The database file, `/var/lib/checkpointd/scans.db`.
    pub path: PathBuf,
    /// The device's key.
    pub signer: NoteSigner,
    /// Whether rows are owed to a centre: each then enters the outbox.
    pub upload: bool,
    /// Rows after which an anchor is due.
    pub anchor_rows: u64,
    /// Longest time a row stays without an anchor.
    pub anchor_within: Duration,
    /// Size the database may have before rows are refused (see [`WriteFault::Full`]).
    pub max_bytes: u64,
}

impl Options {
    /// A log at `path` that uploads nothing, is anchored every 256 rows or 60 seconds, and may grow to 2 GiB.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, signer: NoteSigner) -> Options {
        Options {
            path: path.into(),
            signer,
            upload: false,
            anchor_rows: 256,
            anchor_within: Duration::from_secs(60),
            max_bytes: 2 << 30,
        }
    }
}

/// The log, open for writing. Usually handed to a [`writer::Writer`] at once.
#[derive(Debug)]
pub struct ScanLog {
    connection: Connection,
    options: Options,
    log: Uuid,
    set_aside: Option<PathBuf>,
    floor: Floor,
    /// Rows were deleted, and their traces not yet wiped from the write-ahead log. A crash may have left some.
    swept: bool,
}

/// The latest time known, as far as it is stored.
#[derive(Debug)]
struct Floor {
    stored: UnixMillis,
    /// When `stored` was last raised, or the log opened: what an unconfirmed clock may have moved since.
    since: Instant,
}

/// One thing to be committed.
#[derive(Debug)]
pub(crate) enum Change {
    /// A row, with the time that may raise the floor.
    Row { body: String, at: UnixMillis, trust: TimeTrust },
    /// Nothing but the time.
    Time { at: UnixMillis, trust: TimeTrust },
    /// The key of a day.
    DayKey(i64),
    /// What became of rows in the outbox.
    Mark(Mark),
}

impl ScanLog {
    /// Opens the log, or begins one. `at` is written into a new log's first row and a damaged file's new name.
    pub fn open(options: Options, at: UnixMillis) -> Result<ScanLog, Fault> {
        let path = &options.path;
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            fs::create_dir_all(directory).map_err(|error| match error.kind() {
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    Fault::ReadOnly(directory.to_owned())
                }
                _ => Fault::File(directory.to_owned(), error),
            })?;
        }
        if open::orphaned(path) {
            open::set_aside(path, at)?;
        }
        let (connection, set_aside) = match open::writable(path) {
            Err(Fault::Damaged { complaint, .. }) => {
                let aside = open::set_aside(path, at)?;
                ::log::error!(
                    "scan log {} is damaged ({complaint}); set aside as {}, a new one begins",
                    path.display(),
                    aside.display()
                );
                (open::writable(path)?, Some(aside))
            }
            answer => (answer?, None),
        };
        let stored = meta(&connection, "floor_ms")?.and_then(|text| text.parse().ok()).unwrap_or(i64::MIN);
        let floor = Floor { stored: UnixMillis(stored), since: Instant::now() };
        let mut log = ScanLog { connection, options, log: Uuid::nil(), set_aside, floor, swept: true };
        log.begin(at)?;
        if let Err(error) = space::keep_reserve(&log.options.path) {
            ::log::warn!("no reserve beside the scan log: {error}");
        }
        Ok(log)
    }

    /// Where a damaged predecessor was moved to, if this boot found one.
    #[must_use]
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.options.path
    }

    /// The latest time that is certain to have passed; `None` before the first.
    #[must_use]
    pub fn time_floor(&self) -> Option<UnixMillis> {
        (self.floor.stored.0 != i64::MIN).then_some(self.floor.stored)
    }

    /// Appends one row and waits for the disk. The lane uses a [`writer::Writer`], which groups what waits.
    pub fn append(&mut self, row: &ScanRow) -> Result<(Uuid, Head), Fault> {
        let id = row::new_id(row.at_ms)?;
        let heads = self.commit(&[Change::Row { body: row.body(&id), at: row.at_ms, trust: row.time_trust }])?;
        Ok((id, heads[0]))
    }

    /// Appends one event and waits for the disk.
    pub fn record(&mut self, event: &Event, at: UnixMillis, trust: TimeTrust) -> Result<(Uuid, Head), Fault> {
        let id = row::new_id(at)?;
        let heads = self.commit(&[Change::Row { body: event.body(&id, at), at, trust }])?;
        Ok((id, heads[0]))
    }

    /// Whether the write-ahead log has grown past what may wait for a quiet moment.
    pub(crate) fn should_fold(&self) -> bool {
        let mut wal = self.options.path.as_os_str().to_owned();
        wal.push("-wal");
        fs::metadata(PathBuf::from(wal)).is_ok_and(|file| file.len() > WAL_FOLD)
    }

    /// Folds the write-ahead log into the database, as far as readers allow. Failure is not loss: the rows are on the disk.
    pub(crate) fn fold(&mut self) {
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }

    /// Commits what became of rows in the outbox. The uploader uses [`writer::Writer::mark`].
    pub fn mark(&mut self, mark: Mark) -> Result<(), Fault> {
        self.commit_or_make_room(&[Change::Mark(mark)]).map(|_| ())
    }

    /// First row of a new log; key row when the device signs with another key than before.
    fn begin(&mut self, at: UnixMillis) -> Result<(), Fault> {
        let key = self.options.signer.verifier().to_string();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known = meta(&transaction, "log")?.and_then(|text| text.parse().ok());
        self.log = match known {
            Some(log) => log,
            None => row::random_id()?,
        };
        let event = if known.is_none() {
            set_meta(&transaction, "log", &self.log.to_string())?;
            let follows = self.set_aside.as_ref().and_then(|path| path.file_name());
            let follows = follows.map(|name| name.to_string_lossy().into_owned());
            Some(Event::Begin { log: self.log, key: key.clone(), follows, witness: None })
        } else if meta(&transaction, "key")?.as_ref() != Some(&key) {
            Some(Event::Key { key: key.clone() })
        } else {
            None
        };
        if let Some(event) = event {
            set_meta(&transaction, "key", &key)?;
            let body = event.body(&row::new_id(at)?, at);
            let head = insert(&transaction, head(&transaction)?, &body, self.options.upload)?;
            write_anchor(&transaction, self.log, head, &self.options.signer)?;
        }
        Ok(transaction.commit()?)
    }
}

#[cfg(test)]
mod tests;
