//! Verified trust repositories in SQLite: one transaction a repository, so that a power cut leaves the old one or the new one.
//!
//! What is stored was verified before, and is verified again when it is loaded: the disk is a stranger. The generation before the
//! newest is kept. A store that cannot be read is a fault, never a fresh start, because a fresh start would accept a replay.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, params};
use trustlist::region::Region;

use crate::log::Fault;

/// `application_id` of the file: "ckpt" with its last letter one further.
const APPLICATION: i64 = 0x636b_7075;
const SCHEMA: i64 = 1;
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE roots(issuer TEXT NOT NULL, version INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(issuer, version)) STRICT;
CREATE TABLE newest_timestamp(issuer TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE repositories(
    issuer TEXT NOT NULL, slot TEXT NOT NULL CHECK(slot IN ('current', 'previous')),
    generation INTEGER NOT NULL, timestamp BLOB NOT NULL, snapshot BLOB NOT NULL, targets BLOB NOT NULL,
    PRIMARY KEY(issuer, slot)) STRICT;
CREATE TABLE targets(
    issuer TEXT NOT NULL, slot TEXT NOT NULL, name TEXT NOT NULL, bytes BLOB NOT NULL,
    PRIMARY KEY(issuer, slot, name)) STRICT;
";

/// Which of the two generations that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The newest accepted.
    Current,
    /// The one before it.
    Previous,
}

impl Slot {
    const fn code(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
        }
    }
}

/// One repository as it was accepted, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRepository {
    /// Version of the timestamp.
    pub generation: u64,
    /// `timestamp.json`.
    pub timestamp: Vec<u8>,
    /// `snapshot.json`.
    pub snapshot: Vec<u8>,
    /// `targets.json`.
    pub targets_role: Vec<u8>,
    /// Targets by name.
    pub targets: BTreeMap<String, Vec<u8>>,
}

/// The store, open.
#[derive(Debug)]
pub struct TrustStore {
    connection: Connection,
    path: PathBuf,
}

impl TrustStore {
    /// Opens the store, or begins one.
    ///
    /// # Errors
    /// When the file is none of ours, is damaged, or cannot be written. It is left as it is.
    pub fn open(path: &Path) -> Result<TrustStore, Fault> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| Fault::File(folder.to_owned(), error))?;
        }
        let damaged = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Fault::NotADatabase(path.to_owned()),
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
                Fault::Damaged { path: path.to_owned(), complaint: error.to_string() }
            }
            _ => Fault::Sqlite(error),
        };
        let mut connection = Connection::open(path).map_err(damaged)?;
        connection.busy_timeout(BUSY).map_err(damaged)?;
        let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let (application, schema) =
            (number("application_id").map_err(damaged)?, number("user_version").map_err(damaged)?);
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(damaged)?;
        match (application, schema) {
            (0, 0) if tables == 0 => (),
            (APPLICATION, SCHEMA) => (),
            (APPLICATION, found) => return Err(Fault::Newer { path: path.to_owned(), found, known: SCHEMA }),
            _ => return Err(Fault::Foreign(path.to_owned())),
        }
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).map_err(damaged)?;
        connection.pragma_update(None, "synchronous", "full").map_err(damaged)?;
        if tables == 0 {
            let transaction = connection.transaction().map_err(damaged)?;
            transaction.execute_batch(TABLES).map_err(damaged)?;
            transaction.pragma_update(None, "application_id", APPLICATION).map_err(damaged)?;
            transaction.pragma_update(None, "user_version", SCHEMA).map_err(damaged)?;
            transaction.commit().map_err(damaged)?;
        }
        Ok(TrustStore { connection, path: path.to_owned() })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every issuer that a root is known of.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn issuers(&self) -> Result<Vec<Region>, Fault> {
        let mut query = self.connection.prepare_cached("SELECT DISTINCT issuer FROM roots ORDER BY issuer")?;
        let rows = query.query_map([], |row| row.get::<_, String>(0))?;
        let mut issuers = Vec::new();
        for row in rows {
            issuers.extend(row?.parse::<Region>());
        }
        Ok(issuers)
    }

    /// The chain of roots of an issuer from the first one that was trusted, by version.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn roots(&self, issuer: Region) -> Result<Vec<(u64, Vec<u8>)>, Fault> {
        let mut query =
            self.connection.prepare_cached("SELECT version, bytes FROM roots WHERE issuer = ?1 ORDER BY version")?;
        let rows = query.query_map([issuer.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps a root that was verified against the one before it, at once: whatever comes of the rest, it counts.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn keep_root(&mut self, issuer: Region, version: u64, bytes: &[u8]) -> Result<(), Fault> {
        let insert = "INSERT INTO roots VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING";
        self.connection.execute(insert, params![issuer.as_str(), version, bytes])?;
        Ok(())
    }

    /// The newest timestamp ever accepted of an issuer, also when what it names could not be had: no older one is accepted after it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn newest_timestamp(&self, issuer: Region) -> Result<Option<Vec<u8>>, Fault> {
        let query = "SELECT bytes FROM newest_timestamp WHERE issuer = ?1";
        Ok(self.connection.query_row(query, [issuer.as_str()], |row| row.get(0)).optional()?)
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn keep_timestamp(&mut self, issuer: Region, bytes: &[u8]) -> Result<(), Fault> {
        let put = "INSERT INTO newest_timestamp VALUES(?1, ?2) ON CONFLICT DO UPDATE SET bytes = ?2 WHERE bytes <> ?2";
        self.connection.execute(put, params![issuer.as_str(), bytes])?;
        Ok(())
    }

    /// A repository as it was accepted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn repository(&self, issuer: Region, slot: Slot) -> Result<Option<StoredRepository>, Fault> {
        let key = (issuer.as_str(), slot.code());
        let query = "SELECT generation, timestamp, snapshot, targets FROM repositories WHERE issuer = ?1 AND slot = ?2";
        let found = self.connection.query_row(query, key, |row| {
            Ok(StoredRepository {
                generation: row.get(0)?,
                timestamp: row.get(1)?,
                snapshot: row.get(2)?,
                targets_role: row.get(3)?,
                targets: BTreeMap::new(),
            })
        });
        let Some(mut repository) = found.optional()? else { return Ok(None) };
        let mut query =
            self.connection.prepare_cached("SELECT name, bytes FROM targets WHERE issuer = ?1 AND slot = ?2")?;
        let rows = query.query_map(key, |row| Ok((row.get(0)?, row.get(1)?)))?;
        repository.targets = rows.collect::<Result<_, _>>()?;
        Ok(Some(repository))
    }

    /// Puts a verified repository in place of the current one, which becomes the previous one; all or nothing.
    ///
    /// # Errors
    /// When the store cannot be written. Nothing has changed then.
    pub fn accept(&mut self, issuer: Region, repository: &StoredRepository) -> Result<(), Fault> {
        let transaction = self.connection.transaction()?;
        let id = issuer.as_str();
        for table in ["targets", "repositories"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE issuer = ?1 AND slot = 'previous'"), [id])?;
            transaction.execute(&format!("UPDATE {table} SET slot = 'previous' WHERE issuer = ?1"), [id])?;
        }
        transaction.execute(
            "INSERT INTO repositories VALUES(?1, 'current', ?2, ?3, ?4, ?5)",
            params![id, repository.generation, repository.timestamp, repository.snapshot, repository.targets_role],
        )?;
        let mut insert = transaction.prepare("INSERT INTO targets VALUES(?1, 'current', ?2, ?3)")?;
        for (name, bytes) in &repository.targets {
            insert.execute(params![id, name, bytes])?;
        }
        drop(insert);
        transaction.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region() -> Region {
        "440000".parse().expect("a region")
    }

    fn repository(generation: u64) -> StoredRepository {
        StoredRepository {
            generation,
            timestamp: vec![1],
            snapshot: vec![2],
            targets_role: vec![3],
            targets: BTreeMap::from([("keys.json".to_owned(), generation.to_le_bytes().to_vec())]),
        }
    }

    #[test]
    fn the_newest_two_generations_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("trust").join("store.db");
        let mut store = TrustStore::open(&path).expect("begun");
        for generation in 1..=3 {
            store.accept(region(), &repository(generation)).expect("accepted");
        }
        drop(store);
        let store = TrustStore::open(&path).expect("opened");
        assert_eq!(store.repository(region(), Slot::Current).expect("read"), Some(repository(3)));
        assert_eq!(store.repository(region(), Slot::Previous).expect("read"), Some(repository(2)));
        assert_eq!(store.repository("420000".parse().expect("a region"), Slot::Current).expect("read"), None);
    }

    #[test]
    fn a_root_that_was_kept_is_never_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut store = TrustStore::open(&folder.path().join("store.db")).expect("begun");
        store.keep_root(region(), 1, b"first").expect("kept");
        store.keep_root(region(), 1, b"other").expect("nothing");
        store.keep_root(region(), 2, b"second").expect("kept");
        assert_eq!(store.roots(region()).expect("read"), [(1, b"first".to_vec()), (2, b"second".to_vec())]);
        assert_eq!(store.issuers().expect("read"), [region()]);
    }

    #[test]
    fn another_programs_file_and_one_that_is_no_database_are_left_as_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        fs::write(&path, [7; 4096]).expect("written");
        assert!(matches!(TrustStore::open(&path), Err(Fault::NotADatabase(_))));
        assert_eq!(fs::read(&path).expect("there"), [7; 4096]);
        fs::remove_file(&path).expect("removed");
        Connection::open(&path).and_then(|other| other.execute_batch("CREATE TABLE theirs(x)")).expect("another's");
        assert!(matches!(TrustStore::open(&path), Err(Fault::Foreign(_))));
    }
}
