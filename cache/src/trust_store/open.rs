//! Opening the trust store: what is ours, what is damaged, what was cut short, and what an older release left.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use trustlist::region::Region;

use super::TrustStore;
use crate::{
    floors::{Floor, Floors},
    log::Fault,
};

/// `application_id` of the file: "ckpt" with its last letter one further.
const APPLICATION: i64 = 0x636b_7075;
const SCHEMA: i64 = 4;
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE roots(issuer TEXT NOT NULL, version INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(issuer, version)) STRICT;
CREATE TABLE newest_timestamp(issuer TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE repositories(
    issuer TEXT NOT NULL, slot TEXT NOT NULL CHECK(slot IN ('current', 'previous', 'staged', 'ahead')),
    generation INTEGER NOT NULL, timestamp BLOB NOT NULL, snapshot BLOB NOT NULL, targets BLOB NOT NULL, arrived INTEGER,
    PRIMARY KEY(issuer, slot)) STRICT;
CREATE TABLE targets(
    issuer TEXT NOT NULL, slot TEXT NOT NULL, name TEXT NOT NULL, bytes BLOB NOT NULL,
    PRIMARY KEY(issuer, slot, name)) STRICT;
CREATE TABLE fetched(issuer TEXT NOT NULL, name TEXT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(issuer, name)) STRICT;
CREATE TABLE notes(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE mirrors(address TEXT PRIMARY KEY, walked TEXT) STRICT;
CREATE TABLE answers(mirror TEXT NOT NULL, path TEXT NOT NULL, tag TEXT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(mirror, path)) STRICT;
";

/// From schema 3, which kept nothing of mirrors.
const FROM_3: &str = "
CREATE TABLE mirrors(address TEXT PRIMARY KEY, walked TEXT) STRICT;
CREATE TABLE answers(mirror TEXT NOT NULL, path TEXT NOT NULL, tag TEXT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(mirror, path)) STRICT;
";

/// From schema 2, which knew neither arrivals nor lists that are dated ahead.
const FROM_2: &str = "
ALTER TABLE repositories RENAME TO repositories_2;
CREATE TABLE repositories(
    issuer TEXT NOT NULL, slot TEXT NOT NULL CHECK(slot IN ('current', 'previous', 'staged', 'ahead')),
    generation INTEGER NOT NULL, timestamp BLOB NOT NULL, snapshot BLOB NOT NULL, targets BLOB NOT NULL, arrived INTEGER,
    PRIMARY KEY(issuer, slot)) STRICT;
INSERT INTO repositories SELECT *, NULL FROM repositories_2;
DROP TABLE repositories_2;
";

/// What schema 2 had and schema 1 had not.
const FROM_1: &str = "
CREATE TABLE fetched(issuer TEXT NOT NULL, name TEXT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(issuer, name)) STRICT;
CREATE TABLE notes(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
";

impl TrustStore {
    /// Opens the store, or begins one.
    ///
    /// # Errors
    /// When the file is none of ours, is damaged, was cut short, or cannot be written. It is left as it is.
    pub fn open(path: &Path) -> Result<TrustStore, Fault> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| Fault::File(folder.to_owned(), error))?;
        }
        // One flipped byte beside a whole store must not put the package's old lists in its place: the store bears witness, too.
        let (mut floors, lost) = match Floors::beside(path) {
            Err(fault @ Fault::Damaged { .. }) => (Floors::lost(path), Some(fault)),
            floors => (floors?, None),
        };
        let was_there = path.exists();
        let mut connection = Connection::open(path).map_err(|error| damaged(path, error))?;
        let damaged = |error| damaged(path, error);
        connection.busy_timeout(BUSY).map_err(damaged)?;
        let found = recognise(&connection, path)?;
        // An empty file where lists were held is no beginning: whoever began again here would be open to a replay.
        if found == Found::Nothing && was_there && !floors.is_empty() {
            return Err(Fault::CutShort(path.to_owned()));
        }
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).map_err(damaged)?;
        connection.pragma_update(None, "synchronous", "full").map_err(damaged)?;
        let change = match found {
            Found::Nothing => TABLES.to_owned(),
            Found::Schema(1) => [FROM_1, FROM_2, FROM_3].concat(),
            Found::Schema(2) => [FROM_2, FROM_3].concat(),
            Found::Schema(3) => FROM_3.to_owned(),
            Found::Schema(_) => String::new(),
        };
        if !change.is_empty() {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(damaged)?;
            // Another process may have been quicker.
            if recognise(&transaction, path)? == found {
                transaction.execute_batch(&change).map_err(damaged)?;
                transaction.pragma_update(None, "application_id", APPLICATION).map_err(damaged)?;
                transaction.pragma_update(None, "user_version", SCHEMA).map_err(damaged)?;
            }
            transaction.commit().map_err(damaged)?;
        }
        // The store was committed and the power went before its floors were written.
        let accepted: Vec<(Region, Floor)> = accepted(&connection)?.into_iter().collect();
        if let Some(fault) = lost {
            // Neither of the two knows what was accepted.
            if accepted.is_empty() {
                return Err(fault);
            }
            log::error!("{fault}; they are made anew from the store, which is whole");
        }
        for (issuer, held) in &accepted {
            // Roots count anew in a later generation only where somebody's word founded the issuer anew.
            if floors.of(*issuer).is_some_and(|floor| held.root < floor.root && held.generation > floor.generation) {
                floors.found_anew(*issuer, *held)?;
            }
        }
        floors.raise(&accepted)?;
        Ok(TrustStore { connection, path: path.to_owned(), floors })
    }

    /// Opens a store for reading, also on a disk that has become read-only.
    ///
    /// # Errors
    /// As [`TrustStore::open`], but for the disk.
    pub fn read(path: &Path) -> Result<TrustStore, Fault> {
        let fault = match TrustStore::open(path) {
            Err(fault) if cannot_be_written(&fault) => fault,
            answer => return answer,
        };
        // Nobody writes to it, so it is read without the files a write-ahead log needs (SQLite, "immutable").
        let uri = format!("file:{}?immutable=1", in_uri(path));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(uri, flags).map_err(|error| damaged(path, error))?;
        match recognise(&connection, path)? {
            Found::Schema(SCHEMA) => {
                let floors = match Floors::beside(path) {
                    Err(Fault::Damaged { .. }) => Floors::of_store(path, accepted(&connection)?),
                    floors => floors?,
                };
                Ok(TrustStore { connection, path: path.to_owned(), floors })
            }
            _ => Err(fault),
        }
    }
}

/// What a file turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Schema(i64),
}

fn recognise(connection: &Connection, path: &Path) -> Result<Found, Fault> {
    let damaged = |error| damaged(path, error);
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, schema) = (number("application_id").map_err(damaged)?, number("user_version").map_err(damaged)?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(damaged)?;
    match (application, schema) {
        (0, 0) if tables == 0 => Ok(Found::Nothing),
        (APPLICATION, 1..=SCHEMA) => Ok(Found::Schema(schema)),
        (APPLICATION, found) => Err(Fault::Newer { path: path.to_owned(), found, known: SCHEMA }),
        _ => Err(Fault::Foreign(path.to_owned())),
    }
}

/// What is held of each issuer, staged or in force.
pub(super) fn accepted(connection: &Connection) -> Result<BTreeMap<Region, Floor>, Fault> {
    let mut query = connection.prepare_cached(
        "SELECT r.issuer, coalesce((SELECT max(version) FROM roots WHERE issuer = r.issuer), 0), max(r.generation)
         FROM repositories r WHERE r.slot IN ('current', 'staged') GROUP BY r.issuer",
    )?;
    let rows = query
        .query_map([], |row| Ok((row.get::<_, String>(0)?, Floor { root: row.get(1)?, generation: row.get(2)? })))?;
    let mut accepted = BTreeMap::new();
    for row in rows {
        let (issuer, floor) = row?;
        accepted.extend(issuer.parse::<Region>().ok().map(|issuer| (issuer, floor)));
    }
    Ok(accepted)
}

fn damaged(path: &Path, error: rusqlite::Error) -> Fault {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Fault::NotADatabase(path.to_owned()),
        Some(ErrorCode::DatabaseCorrupt) => Fault::Damaged { path: path.to_owned(), complaint: error.to_string() },
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            Fault::ReadOnly(path.to_owned())
        }
        _ => error.into(),
    }
}

fn cannot_be_written(fault: &Fault) -> bool {
    match fault {
        Fault::ReadOnly(_) | Fault::Full => true,
        Fault::File(_, error) => {
            matches!(error.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem)
        }
        _ => false,
    }
}

/// A path in SQLite's URIs: `%`, `?` and `#` mean something there.
fn in_uri(path: &Path) -> String {
    path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}
