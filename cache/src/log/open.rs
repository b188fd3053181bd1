//! Opening the log's file at boot: the disk is a stranger.
//!
//! A damaged database is set aside under a name that says so and a new one begins, because a gate must work tonight and
//! somebody may want to salvage the old file tomorrow. Another program's file, or a newer release's, is left untouched.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use uuid::Uuid;

use super::{
    Options, ScanLog,
    fault::{Fault, WriteFault},
    head_file::KnownEnd,
    row::{UnixMillis, Witness},
    schema,
    side_files::beside,
    table::{hash_of, head, meta_number},
};

/// How long another process (a command of the operator's) may hold the database before we give up.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// Size the write-ahead log is cut back to when it starts over.
const WAL_LIMIT: i64 = 4 << 20;
/// Logs up to this size are checked before the first row; larger ones would keep travellers waiting ([`check`]).
const CHECKED_AT_BOOT: u64 = 16 << 20;
/// SQLite's page size in a new log: a row alone dirties one page of rows and one of the index, and small ones wear a card less. A log of
/// version 1 keeps its pages of 4 KiB.
const PAGE: u64 = 1024;
/// Files of the log are the daemon's and its group's: rows say when somebody was where, and day keys make them readable.
const MODE: u32 = 0o640;

/// Opens a log of which nothing is known beside it, or begins one.
pub(super) fn unwitnessed(path: &Path) -> Result<Connection, Fault> {
    let connection = connected(path)?;
    ready(connection, path)
}

/// What was opened for writing.
pub(super) enum Opened {
    /// The log.
    Whole(Connection),
    /// A log that ends at `last`, earlier than the witness knows, or another one: nothing was written, so that its write-ahead log stays
    /// as it was found.
    Cut {
        /// Its last row.
        last: u64,
        /// What was known.
        witness: Witness,
    },
}

/// Opens for writing; a new file where there is none. [`Fault::Damaged`] means that it may be set aside.
pub(super) fn writable(path: &Path, known: Option<&KnownEnd>) -> Result<Opened, Fault> {
    let connection = connected(path)?;
    if let Some(known) = known
        && let Some((last, witness)) = cut(&connection, known).map_err(|fault| unreadable(path, fault))?
    {
        return Ok(Opened::Cut { last, witness });
    }
    Ok(Opened::Whole(ready(connection, path)?))
}

/// A connection as durable and as forgetful as the contract says; nothing is written yet.
fn connected(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    make_private(path)?;
    let open = || -> Result<Connection, rusqlite::Error> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        // The last to close must not fold a write-ahead log in that has not been held against the head file.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        identify(&connection)?;
        connection.pragma_update(None, "page_size", PAGE)?;
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "secure_delete", true)?;
        connection.pragma_update_and_check(None, "journal_size_limit", WAL_LIMIT, |_| Ok(()))?;
        // Checkpoints run when nobody waits for a row (see the writer), not inside a commit.
        connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(connection)
    };
    open().map_err(|error| explain(path, error))
}

/// Brings the schema up to date, and checks a log that is small enough.
fn ready(mut connection: Connection, path: &Path) -> Result<Connection, Fault> {
    schema::migrate(&mut connection).map_err(|error| explain(path, error))?;
    let size = fs::metadata(path).map_or(0, |file| file.len());
    if size <= CHECKED_AT_BOOT || marker(path).exists() {
        quick_check(&connection, path)?;
        // It was mended, or set aside and begun anew, since somebody marked it.
        let _ = fs::remove_file(marker(path));
    } else {
        // What the first rows will touch anyway: the newest end of each tree.
        let touch = "SELECT (SELECT hash FROM entries ORDER BY seq DESC LIMIT 1), 
                            (SELECT hour FROM entries INDEXED BY entries_tag WHERE tag IS NOT NULL ORDER BY hour DESC LIMIT 1),
                            (SELECT max(seq) FROM anchors), (SELECT count(*) FROM outbox_sent), (SELECT count(*) FROM meta)";
        connection.query_row(touch, [], |_| Ok(())).map_err(|error| explain(path, error))?;
    }
    Ok(connection)
}

/// Makes a new file that only the daemon and its group can read, and takes it from others where an older release gave it to them.
fn make_private(path: &Path) -> Result<(), Fault> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Fault::ReadOnly(path.to_owned()),
        io::ErrorKind::StorageFull => Fault::Full,
        _ => Fault::File(path.to_owned(), error),
    };
    match fs::OpenOptions::new().write(true).create_new(true).mode(MODE).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => (),
    }
    for side in ["", "-wal", "-shm"] {
        let file = beside(path, side);
        let Ok(metadata) = fs::metadata(&file) else { continue };
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & !MODE != 0 {
            // One of another owner stays as it is: whether it can be written is seen next.
            let _ = fs::set_permissions(&file, fs::Permissions::from_mode(mode & MODE));
        }
    }
    Ok(())
}

/// The latest time known: what was stored, and what rows after it confirm.
pub(super) fn floor(connection: &Connection) -> Result<UnixMillis, Fault> {
    let stored: Option<i64> = meta_number(connection, "floor_ms")?;
    // Version 1 stored it with every row.
    let Some(since) = meta_number::<u64>(connection, "floor_seq")? else {
        return Ok(UnixMillis(stored.unwrap_or(i64::MIN)));
    };
    let confirmed: Option<i64> = connection.query_row(
        "SELECT max(at_ms) FROM entries WHERE seq > ?1 AND body ->> '$.time_trust' IN ('synced', 'holdover')",
        [since],
        |row| row.get(0),
    )?;
    Ok(UnixMillis(stored.max(confirmed).unwrap_or(i64::MIN)))
}

/// Whether the log ends earlier than something outside it knows, or holds another row there; or is another log altogether. Its last row,
/// and what was known.
fn cut(connection: &Connection, known: &KnownEnd) -> Result<Option<(u64, Witness)>, Fault> {
    let witnesses = known.witnesses();
    let first = witnesses.first().copied();
    if schema::version(connection)? == 0 {
        return Ok(first.map(|witness| (0, witness)));
    }
    let log: Option<Uuid> = meta_number(connection, "log")?;
    let follows: Option<Uuid> = meta_number(connection, "follows_log")?;
    let last = head(connection)?.seq;
    if log != Some(known.log) {
        // A start that was cut off before it could write the new head file down is no cut.
        return Ok(first.filter(|_| follows != Some(known.log)).map(|witness| (last, witness)));
    }
    for witness in witnesses {
        let differs = hash_of(connection, witness.seq)?.is_some_and(|hash| hash != witness.hash);
        if witness.seq > last || differs {
            return Ok(Some((last, witness)));
        }
    }
    Ok(None)
}

/// A log that is being opened on a thread of its own: a disk that hangs must not keep anybody waiting for ever.
#[derive(Debug)]
pub struct PendingOpen(mpsc::Receiver<Result<ScanLog, Fault>>);

impl ScanLog {
    /// Opens the log without waiting for it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn open_aside(options: Options, at: UnixMillis) -> io::Result<PendingOpen> {
        let (answer, result) = mpsc::sync_channel(1);
        // Whoever asked may have given up; the log closes again then.
        let open = move || drop(answer.send(ScanLog::open(options, at)));
        thread::Builder::new().name("log-open".to_owned()).spawn(open)?;
        Ok(PendingOpen(result))
    }
}

impl PendingOpen {
    /// The log, if it is open within this time; ask again otherwise.
    pub fn wait(&self, at_most: Duration) -> Option<Result<ScanLog, Fault>> {
        match self.0.recv_timeout(at_most) {
            Ok(answer) => Some(answer),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => Some(Err(Fault::Closed)),
        }
    }
}

fn quick_check(connection: &Connection, path: &Path) -> Result<(), Fault> {
    match connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)) {
        Ok(answer) if answer == "ok" => Ok(()),
        Ok(complaint) => Err(Fault::Damaged { path: path.to_owned(), complaint }),
        Err(error) => Err(explain(path, error)),
    }
}

/// Says that a check found damage while the log was in use; the next start sets it aside.
fn marker(path: &Path) -> PathBuf {
    beside(path, "-damaged")
}

/// The check of a log that was too large to be checked when it was opened: run it once, on a thread of its own, when the gate is ready.
///
/// Damage is [`Fault::Damaged`] and leaves a mark beside the file: restart the daemon, and the log is set aside and a new one
/// begins.
pub fn check(path: &Path) -> Result<(), Fault> {
    if fs::metadata(path).is_ok_and(|file| file.len() <= CHECKED_AT_BOOT) {
        return Ok(());
    }
    let answer = quick_check(&readable(path)?, path);
    if let Err(Fault::Damaged { complaint, .. }) = &answer {
        fs::write(marker(path), complaint).map_err(|error| Fault::File(marker(path), error))?;
    }
    answer
}

/// Opens for reading only; the file must exist.
pub(super) fn readable(path: &Path) -> Result<Connection, Fault> {
    if !path.try_exists().map_err(|error| Fault::File(path.to_owned(), error))? {
        return Err(Fault::File(path.to_owned(), io::ErrorKind::NotFound.into()));
    }
    let base = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // Readers of a write-ahead log share memory through a file, so they prefer to open for writing; a log on read-only
    // media is read as it lies there.
    let mut failure = None;
    for mode in [OpenFlags::SQLITE_OPEN_READ_WRITE, OpenFlags::SQLITE_OPEN_READ_ONLY] {
        let attempt = Connection::open_with_flags(path, base | mode).and_then(|connection| {
            connection.busy_timeout(BUSY)?;
            // Whoever only reads must not be the one to fold a write-ahead log in that nobody has held against the head file.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            connection.pragma_update(None, "query_only", true)?;
            identify(&connection)?;
            connection.set_prepared_statement_cache_capacity(32);
            Ok(connection)
        });
        match attempt {
            Ok(connection) => return Ok(connection),
            Err(error) => failure = Some(explain(path, error)),
        }
    }
    Err(failure.expect("two attempts were made"))
}

/// What the first bytes say of a file that SQLite cannot read.
///
/// Never asked of one that it can: whoever closes any handle of a file gives up this process' locks on it (fcntl(2)), and another
/// program would then take the write-ahead log of a log in use for one that nobody has, fold it in and delete it.
fn look(path: &Path) -> Result<(), Fault> {
    let mut head = [0; 16];
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(Fault::ReadOnly(path.to_owned())),
        Err(error) => return Err(Fault::File(path.to_owned(), error)),
    };
    let length = file.metadata().map_err(|error| Fault::File(path.to_owned(), error))?.len();
    if length == 0 {
        return Ok(());
    }
    match file.read_exact(&mut head) {
        Ok(()) if head == *b"SQLite format 3\0" => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(Fault::File(path.to_owned(), error)),
        // Whole pages, but not the header: the shape of a database whose first page a failing disk ate.
        _ if length.is_multiple_of(PAGE) && head.contains(&0) => {
            Err(Fault::Damaged { path: path.to_owned(), complaint: "its first page is no database header".into() })
        }
        _ => Err(Fault::NotADatabase(path.to_owned())),
    }
}

/// Refuses other programs' databases and newer releases' logs, carried as SQLite errors to [`explain`].
fn identify(connection: &Connection) -> Result<(), rusqlite::Error> {
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version = schema::version(connection)?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != schema::APPLICATION_ID && (tables != 0 || application != 0) {
        return Err(rusqlite::Error::InvalidParameterName(FOREIGN.into()));
    }
    if version > schema::NEWEST {
        return Err(rusqlite::Error::IntegralValueOutOfRange(0, version));
    }
    Ok(())
}

/// What SQLite says while a log is looked through that may be damaged.
fn unreadable(path: &Path, fault: Fault) -> Fault {
    match fault {
        Fault::Sqlite(error) => explain(path, error),
        fault => fault,
    }
}

const FOREIGN: &str = "a foreign database";

fn explain(path: &Path, error: rusqlite::Error) -> Fault {
    let path = path.to_owned();
    match (&error, WriteFault::of(&error)) {
        (rusqlite::Error::InvalidParameterName(name), _) if name == FOREIGN => Fault::Foreign(path),
        (rusqlite::Error::IntegralValueOutOfRange(_, found), _) => {
            Fault::Newer { path, found: *found, known: schema::NEWEST }
        }
        (_, WriteFault::ReadOnly) => Fault::ReadOnly(path),
        (_, WriteFault::Damaged) => match look(&path) {
            Err(fault) => fault,
            Ok(()) => Fault::Damaged { path, complaint: error.to_string() },
        },
        _ => Fault::from(error),
    }
}

/// A write-ahead log without its database: the rest of a [`set_aside`] that was cut off. SQLite would delete it.
pub(super) fn orphaned(path: &Path) -> bool {
    !path.exists() && beside(path, "-wal").exists()
}

/// Moves the database and its side files to names that say when; returns the database's new place.
pub(super) fn set_aside(path: &Path, at: UnixMillis, why: &str) -> Result<PathBuf, Fault> {
    let stamp = at.second().to_string().replace([':', '-'], "");
    let with = |suffix: &str| beside(path, suffix);
    let aside = (0..1000)
        .map(|n| if n == 0 { format!(".{why}-{stamp}") } else { format!(".{why}-{stamp}-{n}") })
        .find(|suffix| !with(suffix).exists())
        .expect("a thousand damaged logs of one second do not exist");
    // The database first: a database without its write-ahead log would look healthy and be short of rows, while a log
    // without its database is recognised by `orphaned`.
    for side in ["", "-wal", "-shm"] {
        match fs::rename(with(side), with(&format!("{aside}{side}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Fault::CannotSetAside(path.to_owned(), error));
            }
            _ => {}
        }
    }
    Ok(with(&aside))
}
