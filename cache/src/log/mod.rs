//! The scan log: what the gate decided, durable, tamper-evident, and without names.
//!
//! - A row that was acknowledged is on the disk (WAL, `synchronous=FULL`): a pulled plug loses none.
//! - A row is never changed. It is chained to its predecessor ([`chain`]), heads of the chain are signed ([`anchor`]), and
//!   [`verify`] finds what somebody doctored.
//! - One connection writes, and one thread owns it ([`writer::Writer`]); whoever reads has a [`reader::Reader`].
//! - Nothing here knows the time: rows bring theirs.

mod admissions;
pub mod anchor;
pub mod attestation;
pub mod batch;
pub mod chain;
mod commit;
pub mod day_keys;
pub mod device_key;
pub mod export;
pub mod fault;
pub mod head_file;
mod hours;
pub mod lived;
pub mod memory;
pub mod note;
pub mod officer;
mod open;
pub mod openings;
mod outbox_table;
pub mod query;
pub mod reader;
pub mod reservations;
pub mod retention;
pub mod row;
mod schema;
mod side_files;
mod space;
pub mod stats;
mod table;
mod unclean;
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

use crate::{machine::Machine, outbox::OutboxUpdate};
pub use admissions::{Admissions, PassbackScope, Reserved};
use chain::Head;
use commit::{insert, write_anchor};
pub use day_keys::CodeId;
pub use fault::{Fault, WriteFault};
use head_file::{HeadFile, KnownEnd};
use lived::{Steadiness, Stored, Uptime};
pub use memory::Memory;
use note::NoteSigner;
use open::Opened;
pub use open::{PendingOpen, check};
pub use reader::{Reader, Seen};
use retention::SweepPace;
pub use row::{Body, Direction, Entry, Event, Passage, ScanRow, Token, Unbidden, UnixMillis, Witness, WitnessKind};
use table::{head, meta, set_meta};
pub use writer::{Receipt, Writer, Written};

/// Size of the write-ahead log's file from which on its space goes back to the disk when it is folded in.
const WAL_FOLD: u64 = 8 << 20;

/// Least size that the write-ahead log may have: more than any one change of ours writes.
const MIN_WAL: u64 = 64 << 20;

/// What a log needs to know before it opens.
#[derive(Debug)]
pub struct Options {
    /// The database file, `/var/lib/checkpointd/scans.db`.
    pub path: PathBuf,
    /// The device's key.
    pub signer: NoteSigner,
    /// What must have happened to a row before it may be given up.
    pub owed: Owed,
    /// Rows after which an anchor is due.
    pub anchor_rows: u64,
    /// Longest time a row stays without an anchor.
    pub anchor_within: Duration,
    /// Size the database may have before rows are refused (see [`WriteFault::Full`]).
    pub max_bytes: u64,
    /// How long this machine has been up, for lived time; `None` where nobody knows.
    pub uptime: Option<Uptime>,
    /// The clock of its durations, and the randomness of its ids and keys.
    pub machine: Machine,
}

/// What must have happened to a row before it may be given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owed {
    /// Nothing: there is no centre.
    #[default]
    Nothing,
    /// The transport took it. This centre signs no receipts: rows are never given up for want of space.
    Delivery,
    /// The centre signed for it.
    Receipt,
}

impl Options {
    /// A log at `path` that uploads nothing, is anchored every 256 rows or 60 seconds, and may grow to 2 GiB.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, signer: NoteSigner, machine: Machine) -> Options {
        Options {
            path: path.into(),
            signer,
            owed: Owed::Nothing,
            anchor_rows: 256,
            anchor_within: Duration::from_secs(60),
            max_bytes: 2 << 30,
            uptime: Uptime::of_this_machine(),
            machine,
        }
    }

    /// Size of the write-ahead log that a reader may force upon us. It cannot be folded in while somebody reads an old state; beyond
    /// this, rows are refused before the disk is full.
    fn max_wal(&self) -> u64 {
        (self.max_bytes / 4).max(MIN_WAL)
    }
}

/// The log, open for writing. Usually handed to a [`writer::Writer`] at once.
#[derive(Debug)]
pub struct ScanLog {
    connection: Connection,
    options: Options,
    log: Uuid,
    set_aside: Option<PathBuf>,
    /// What the chain's end was known to be, where the log turned out to end earlier.
    cut: Option<Witness>,
    floor: Floor,
    /// Lived time when the log was opened, and that moment.
    lived: (Duration, Instant),
    steady: Steadiness,
    /// The clock has not been noted since the device was booted.
    booted: bool,
    /// The day for which, and for the next, keys were made last.
    keys_made_for: Option<i64>,
    head_file: Option<HeadFile>,
    /// The last attempt to write the head file succeeded.
    witnessed: bool,
    /// How fast old rows are deleted.
    pace: SweepPace,
    /// Rows were deleted, and their traces not yet wiped from the write-ahead log. A crash may have left some.
    swept: bool,
}

/// The latest time known.
#[derive(Debug)]
struct Floor {
    known: UnixMillis,
    /// When it was last raised, or the log opened: what an unconfirmed clock may have moved since.
    since: Instant,
}

impl Floor {
    fn known(known: UnixMillis, since: Instant) -> Floor {
        Floor { known, since }
    }
}

/// One thing to be committed.
#[derive(Debug)]
pub(crate) enum Change {
    /// A row, with the time that may raise the floor.
    Row { body: String, at: UnixMillis, trust: TimeTrust },
    /// Nothing but the time.
    Time { at: UnixMillis, trust: TimeTrust },
    /// The floor of time moves to where evidence puts it, be it back; a row says so.
    Floor { to: UnixMillis, evidence: String, at: UnixMillis },
    /// The key of a day.
    DayKey(i64),
    /// What became of rows in the outbox.
    Outbox(OutboxUpdate),
}

impl ScanLog {
    /// Opens the log, or begins one. `at` is written into a new log's first row and a damaged or cut file's new name.
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
        let known = head_file::read(path).map_err(|error| Fault::File(head_file::place(path), error))?;
        if open::orphaned(path) {
            open::set_aside(path, at, "damaged")?;
        }
        let there =
            [fs::metadata(path).map_or(0, |file| file.len()), space::wal_bytes(path)].iter().any(|size| *size > 0);
        let (mut set_aside, mut cut) = (None, None);
        let opened = match space::with_reserve(path, || open::writable(path, known.as_ref())) {
            Err(Fault::Damaged { complaint, .. }) => {
                let aside = open::set_aside(path, at, "damaged")?;
                ::log::error!(
                    "scan log {} is damaged ({complaint}); set aside as {}, a new one begins",
                    path.display(),
                    aside.display()
                );
                set_aside = Some(aside);
                Opened::Whole(open::unwitnessed(path)?)
            }
            answer => answer?,
        };
        let connection = match opened {
            Opened::Whole(connection) => connection,
            Opened::Cut { last, witness } => {
                ::log::error!(
                    "scan log {} ends at row {last}, and the {} knows row {} of log {}: rows are lost; a new log begins",
                    path.display(),
                    witness.by.code(),
                    witness.seq,
                    witness.log
                );
                cut = Some(witness);
                set_aside = if there { Some(open::set_aside(path, at, "cut")?) } else { None };
                open::unwitnessed(path)?
            }
        };
        let now = options.machine.now();
        let floor = Floor::known(open::floor(&connection)?, now);
        let stored = Stored::parse(&meta(&connection, "lived")?.unwrap_or_default());
        let lived = (stored.now(options.uptime), now);
        let steady = Steadiness::parse(&meta(&connection, "steady")?.unwrap_or_default());
        let booted = stored.then.zip(options.uptime).is_some_and(|(then, now)| then.boot != now.boot);
        let mut log = ScanLog {
            connection,
            options,
            log: Uuid::nil(),
            set_aside,
            cut,
            floor,
            lived,
            steady,
            booted,
            keys_made_for: None,
            head_file: None,
            witnessed: true,
            pace: SweepPace::default(),
            swept: true,
        };
        log.begin(at, known)?;
        if let Err(error) = space::keep_reserve(&log.options.path) {
            ::log::warn!("no reserve beside the scan log: {error}");
        }
        Ok(log)
    }

    /// What the chain's end was known to be before, where the log turned out to end earlier at this start.
    #[must_use]
    pub fn cut(&self) -> Option<Witness> {
        self.cut
    }

    /// The name of this log.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.log
    }

    /// How long this device has lived.
    #[must_use]
    pub fn lived(&self) -> Duration {
        self.lived.0 + self.machine().since(self.lived.1)
    }

    fn lived_then(&self) -> Stored {
        let passed = self.machine().since(self.lived.1);
        let then = self.options.uptime.map(|uptime| Uptime { up: uptime.up + passed, ..uptime });
        Stored { lived: self.lived.0 + passed, then }
    }

    /// Where a damaged predecessor was moved to, if this boot found one.
    #[must_use]
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }

    /// What it was given of the machine.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.options.machine
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.options.path
    }

    /// The latest time that is certain to have passed; `None` before the first.
    #[must_use]
    pub fn time_floor(&self) -> Option<UnixMillis> {
        (self.floor.known.0 != i64::MIN).then_some(self.floor.known)
    }

    /// Appends one row and waits for the disk. The lane uses a [`writer::Writer`], which groups what waits.
    pub fn append(&mut self, row: &ScanRow) -> Result<(Uuid, Head), Fault> {
        let id = row::new_id(self.machine(), row.at_ms)?;
        let heads = self.commit(&[Change::Row { body: row.body(&id), at: row.at_ms, trust: row.time_trust }])?;
        Ok((id, heads[0]))
    }

    /// Appends one event and waits for the disk.
    pub fn record(&mut self, event: &Event, at: UnixMillis, trust: TimeTrust) -> Result<(Uuid, Head), Fault> {
        let id = row::new_id(self.machine(), at)?;
        let heads = self.commit(&[Change::Row { body: event.body(&id, at), at, trust }])?;
        Ok((id, heads[0]))
    }

    /// Appends many rows in one transaction.
    #[cfg(test)]
    pub(crate) fn append_all(&mut self, rows: &[ScanRow]) -> Result<(), Fault> {
        let changes = rows.iter().map(|row| {
            let id = row::new_id(self.machine(), row.at_ms)?;
            Ok(Change::Row { body: row.body(&id), at: row.at_ms, trust: row.time_trust })
        });
        let changes = changes.collect::<Result<Vec<_>, Fault>>()?;
        self.commit(&changes).map(|_| ())
    }

    /// Folds the write-ahead log into the database, as far as readers allow. Failure is not loss: the rows are on the disk.
    pub(crate) fn fold(&mut self) {
        if space::wal_bytes(&self.options.path) > WAL_FOLD {
            self.fold_away();
        } else {
            let _ = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        }
    }

    /// Folds it in and gives its space back to the disk. A reader that is in the way is not waited for: rows do not wait for readers.
    fn fold_away(&mut self) {
        let _ = self.connection.busy_timeout(Duration::ZERO);
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let _ = self.connection.busy_timeout(open::BUSY);
    }

    /// Commits what became of rows in the outbox. The uploader uses [`writer::Writer::update_outbox`].
    pub fn update_outbox(&mut self, update: OutboxUpdate) -> Result<(), Fault> {
        self.commit_or_make_room(&[Change::Outbox(update)]).map(|_| ())
    }

    /// Moves the floor of time to where evidence puts it, with a row that says so.
    pub fn move_floor(&mut self, to: UnixMillis, evidence: &str, at: UnixMillis) -> Result<Head, Fault> {
        let heads = self.commit(&[Change::Floor { to, evidence: evidence.to_owned(), at }])?;
        Ok(heads[0])
    }

    /// Notes the time: the floor rises, and the clock's steadiness is known after a restart.
    pub fn note_time(&mut self, at: UnixMillis, trust: TimeTrust) -> Result<(), Fault> {
        self.commit(&[Change::Time { at, trust }]).map(|_| ())
    }

    /// First row of a new log; key row when the device signs with another key than before; and, after an end that was not orderly while
    /// gates ran ahead of the disk, how many openings may lack their rows.
    fn begin(&mut self, at: UnixMillis, known_end: Option<KnownEnd>) -> Result<(), Fault> {
        let key = self.options.signer.verifier().to_string();
        let lived_ms = self.lived().as_millis();
        let ahead = unclean::openings_ahead(&self.options.path);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known = meta(&transaction, "log")?.and_then(|text| text.parse().ok());
        self.log = match known {
            Some(log) => log,
            None => self.options.machine.random_id()?,
        };
        let mut events = Vec::new();
        if known.is_none() {
            set_meta(&transaction, "log", &self.log.to_string())?;
            let follows = self.set_aside.as_ref().and_then(|path| path.file_name());
            let follows = follows.map(|name| name.to_string_lossy().into_owned());
            let witness = known_end.map(|known| known.witnesses()[0]);
            if let Some(witness) = &witness {
                set_meta(&transaction, "follows_log", &witness.log.to_string())?;
            }
            events.push(Event::Begin { log: self.log, key: key.clone(), follows, witness });
        } else if meta(&transaction, "key")?.as_ref() != Some(&key) {
            events.push(Event::Key { key: key.clone() });
        }
        if let Some(at_most) = ahead {
            events.push(Event::Gap { openings: None, at_most: Some(at_most), first_ms: None, last_ms: None });
        }
        let mut end = head(&transaction)?;
        if !events.is_empty() {
            set_meta(&transaction, "key", &key)?;
            for event in events {
                end = insert(&transaction, end, &event.body(&row::new_id(&self.options.machine, at)?, at))?;
            }
            write_anchor(&transaction, self.log, end, &self.options.signer, lived_ms)?;
        }
        transaction.commit()?;
        unclean::forget(&self.options.path);
        let receipt = known_end.filter(|known| known.log == self.log).and_then(|known| known.receipt);
        match HeadFile::open(&self.options.path, KnownEnd { log: self.log, head: end, receipt }) {
            Ok(file) => self.head_file = Some(file),
            Err(error) => ::log::error!("the chain's end cannot be written beside the log: {error}"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
