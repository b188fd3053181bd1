//! Verified trust repositories in SQLite: one transaction a step, so that a power cut leaves the state before it or after it.
//!
//! A repository is staged when it was verified whole, and activated later, together with others; the generation before is kept. What is
//! stored is verified again when it is loaded: the disk is a stranger. A store that cannot be read is a fault, never a fresh start,
//! because a fresh start would accept a replay; what may never be accepted again is also written beside it ([`Floors`]).

pub mod mirrors;
mod open;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use trustlist::{region::Region, time::UnixTime};

use crate::{
    floors::{Floor, Floors},
    log::Fault,
};

/// Which generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// In force.
    Current,
    /// The one before it.
    Previous,
    /// Verified, and not yet in force.
    Staged,
    /// Verified, and dated in the future of a confirmed clock: neither in force nor on its way there, and no floor for what comes.
    Ahead,
}

impl Slot {
    const fn code(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Staged => "staged",
            Self::Ahead => "ahead",
        }
    }
}

/// What is remembered beside the repositories: words of the caller, one of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Why what is staged is not activated yet.
    Hold,
    /// What the latest sync came to.
    Sync,
    /// That an issuer was founded anew by somebody's word at this gate, until the log has a row of it.
    Founded,
}

impl Note {
    const fn code(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Sync => "sync",
            Self::Founded => "founded",
        }
    }
}

/// What came of founding an issuer anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Founding {
    /// The new chain and what stands under it are in force.
    Done,
    /// Its generation is not above what was accepted once: whoever has an old root could play old lists back.
    NotAbove(Floor),
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
    floors: Floors,
}

impl TrustStore {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lowest generations that may be accepted, also when this store holds less.
    #[must_use]
    pub fn floors(&self) -> &Floors {
        &self.floors
    }

    /// The issuers of whom more was accepted once than is here: the store was cut short or begun again.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn behind(&self) -> Result<Vec<Region>, Fault> {
        let here = open::accepted(&self.connection)?;
        let lacks = |(issuer, floor): &(Region, Floor)| {
            here.get(issuer).is_none_or(|here| floor.forbids(here.root, here.generation))
        };
        Ok(self.floors.iter().filter(lacks).map(|(issuer, _)| issuer).collect())
    }

    /// Every issuer that a root is known of.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn issuers(&self) -> Result<Vec<Region>, Fault> {
        self.regions("SELECT DISTINCT issuer FROM roots ORDER BY issuer")
    }

    /// Every issuer of whom a generation is staged.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn staged(&self) -> Result<Vec<Region>, Fault> {
        self.regions("SELECT issuer FROM repositories WHERE slot = 'staged' ORDER BY issuer")
    }

    /// The generations in force. Another process may have changed them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn in_force(&self) -> Result<BTreeMap<Region, u64>, Fault> {
        let query = "SELECT issuer, generation FROM repositories WHERE slot = 'current'";
        let mut query = self.connection.prepare_cached(query)?;
        let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        let mut in_force = BTreeMap::new();
        for row in rows {
            let (issuer, generation) = row?;
            in_force.extend(issuer.parse::<Region>().ok().map(|issuer| (issuer, generation)));
        }
        Ok(in_force)
    }

    fn regions(&self, query: &str) -> Result<Vec<Region>, Fault> {
        let mut query = self.connection.prepare_cached(query)?;
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

    /// The newest generation that was verified whole, in force or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn newest(&self, issuer: Region) -> Result<Option<StoredRepository>, Fault> {
        match self.repository(issuer, Slot::Staged)? {
            Some(staged) => Ok(Some(staged)),
            None => self.repository(issuer, Slot::Current),
        }
    }

    /// Keeps a verified target of a repository that is not whole yet, so that a sync that is cut off goes on where it was.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn keep_fetched(&mut self, issuer: Region, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        let put = "INSERT OR REPLACE INTO fetched VALUES(?1, ?2, ?3)";
        self.connection.execute(put, params![issuer.as_str(), name, bytes])?;
        Ok(())
    }

    /// A target kept by a sync that was cut off. Whoever asks verifies it again.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn fetched(&self, issuer: Region, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        let query = "SELECT bytes FROM fetched WHERE issuer = ?1 AND name = ?2";
        Ok(self.connection.query_row(query, [issuer.as_str(), name], |row| row.get(0)).optional()?)
    }

    /// Keeps a verified repository for activation, in place of one that waits already; all or nothing. From here on nothing older is
    /// accepted.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn stage(&mut self, issuer: Region, repository: &StoredRepository) -> Result<(), Fault> {
        self.put(issuer, Slot::Staged, repository)?;
        let id = issuer.as_str();
        let root: Option<u64> =
            self.connection.query_row("SELECT max(version) FROM roots WHERE issuer = ?1", [id], |row| row.get(0))?;
        self.floors.raise(&[(issuer, Floor { root: root.unwrap_or(0), generation: repository.generation })])
    }

    /// Keeps a verified repository that is dated ahead, in place of one that is kept so already. It raises no floor.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn keep_ahead(&mut self, issuer: Region, repository: &StoredRepository) -> Result<(), Fault> {
        self.put(issuer, Slot::Ahead, repository)
    }

    /// Every issuer of whom a repository is kept that is dated ahead.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ahead(&self) -> Result<Vec<Region>, Fault> {
        self.regions("SELECT issuer FROM repositories WHERE slot = 'ahead' ORDER BY issuer")
    }

    /// Forgets what is dated ahead of an issuer.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn forget_ahead(&mut self, issuer: Region) -> Result<(), Fault> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for table in ["targets", "repositories"] {
            transaction
                .execute(&format!("DELETE FROM {table} WHERE issuer = ?1 AND slot = 'ahead'"), [issuer.as_str()])?;
        }
        Ok(transaction.commit()?)
    }

    /// When a repository arrived, where a confirmed clock has said so since.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn arrived(&self, issuer: Region, slot: Slot) -> Result<Option<UnixTime>, Fault> {
        let query = "SELECT arrived FROM repositories WHERE issuer = ?1 AND slot = ?2";
        let key = (issuer.as_str(), slot.code());
        let arrived: Option<Option<i64>> = self.connection.query_row(query, key, |row| row.get(0)).optional()?;
        Ok(arrived.flatten().map(UnixTime))
    }

    /// What has no arrival yet, or one that is still to come, has arrived by `at`, which a confirmed clock says.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn note_arrivals(&mut self, at: UnixTime) -> Result<(), Fault> {
        let late = "SELECT count(*) FROM repositories WHERE arrived IS NULL OR arrived > ?1";
        // Asked first: most of the time there is none, and nothing is written.
        if self.connection.query_row(late, [at.0], |row| row.get::<_, u64>(0))? > 0 {
            let note = "UPDATE repositories SET arrived = ?1 WHERE arrived IS NULL OR arrived > ?1";
            self.connection.execute(note, [at.0])?;
        }
        Ok(())
    }

    /// Bytes of all targets of the newest generation that was verified.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn size(&self, issuer: Region) -> Result<u64, Fault> {
        let sum = "SELECT ifnull(sum(length(bytes)), 0) FROM targets WHERE issuer = ?1 AND slot = ?2";
        let of =
            |slot: Slot| self.connection.query_row(sum, (issuer.as_str(), slot.code()), |row| row.get::<_, u64>(0));
        let staged = of(Slot::Staged)?;
        Ok(if staged > 0 { staged } else { of(Slot::Current)? })
    }

    fn put(&mut self, issuer: Region, slot: Slot, repository: &StoredRepository) -> Result<(), Fault> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let id = issuer.as_str();
        for table in ["targets", "repositories"] {
            let clear = format!("DELETE FROM {table} WHERE issuer = ?1 AND slot = ?2");
            transaction.execute(&clear, [id, slot.code()])?;
        }
        transaction.execute("DELETE FROM fetched WHERE issuer = ?1", [id])?;
        insert(&transaction, issuer, slot, repository)?;
        Ok(transaction.commit()?)
    }

    /// Puts what is staged of these issuers in force, all at once; what was in force becomes the previous generation.
    ///
    /// # Errors
    /// When the store cannot be written. Nothing has changed then.
    pub fn activate(&mut self, issuers: &[Region]) -> Result<(), Fault> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for issuer in issuers {
            let id = issuer.as_str();
            let waits = "SELECT count(*) FROM repositories WHERE issuer = ?1 AND slot = 'staged'";
            // Another process may have been quicker.
            if transaction.query_row(waits, [id], |row| row.get::<_, u64>(0))? == 0 {
                continue;
            }
            for table in ["targets", "repositories"] {
                for step in [
                    "DELETE FROM {table} WHERE issuer = ?1 AND slot = 'previous'",
                    "UPDATE {table} SET slot = 'previous' WHERE issuer = ?1 AND slot = 'current'",
                    "UPDATE {table} SET slot = 'current' WHERE issuer = ?1 AND slot = 'staged'",
                ] {
                    transaction.execute(&step.replace("{table}", table), [id])?;
                }
            }
        }
        Ok(transaction.commit()?)
    }

    /// Replaces an issuer's chain of roots, and all that stood under it, by the word of somebody who stands at this gate: at once, or not at all.
    /// The floor of its generations is kept. `word` is remembered until the log has a row of it.
    ///
    /// # Errors
    /// When the store cannot be written. Nothing has changed then.
    pub fn found_anew(
        &mut self,
        issuer: Region,
        roots: &[(u64, Vec<u8>)],
        repository: &StoredRepository,
        word: &str,
    ) -> Result<Founding, Fault> {
        let (id, generation) = (issuer.as_str(), repository.generation);
        if let Some(floor) = self.floors.of(issuer).filter(|floor| generation <= floor.generation) {
            return Ok(Founding::NotAbove(floor));
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for table in ["roots", "newest_timestamp", "repositories", "targets", "fetched"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE issuer = ?1"), [id])?;
        }
        for (version, bytes) in roots {
            transaction.execute("INSERT INTO roots VALUES(?1, ?2, ?3)", params![id, version, bytes])?;
        }
        insert(&transaction, issuer, Slot::Current, repository)?;
        transaction.execute("INSERT INTO newest_timestamp VALUES(?1, ?2)", params![id, repository.timestamp])?;
        let put = "INSERT OR REPLACE INTO notes VALUES(?1, ?2)";
        transaction.execute(put, [Note::Founded.code(), word])?;
        transaction.commit()?;
        let root = roots.iter().map(|(version, _)| *version).max().unwrap_or(0);
        self.floors.found_anew(issuer, Floor { root, generation })?;
        Ok(Founding::Done)
    }

    /// What is remembered of this kind.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn note(&self, note: Note) -> Result<Option<String>, Fault> {
        let query = "SELECT value FROM notes WHERE name = ?1";
        Ok(self.connection.query_row(query, [note.code()], |row| row.get(0)).optional()?)
    }

    /// Remembers it, or forgets it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn set_note(&mut self, note: Note, value: Option<&str>) -> Result<(), Fault> {
        match value {
            Some(value) => {
                self.connection.execute("INSERT OR REPLACE INTO notes VALUES(?1, ?2)", [note.code(), value])?
            }
            None => self.connection.execute("DELETE FROM notes WHERE name = ?1", [note.code()])?,
        };
        Ok(())
    }
}

fn insert(
    transaction: &Transaction<'_>,
    issuer: Region,
    slot: Slot,
    repository: &StoredRepository,
) -> Result<(), Fault> {
    let (id, slot) = (issuer.as_str(), slot.code());
    let StoredRepository { generation, timestamp, snapshot, targets_role, targets } = repository;
    transaction.execute(
        "INSERT INTO repositories VALUES(?1, ?2, ?3, ?4, ?5, ?6, NULL)",
        params![id, slot, generation, timestamp, snapshot, targets_role],
    )?;
    let mut insert = transaction.prepare("INSERT INTO targets VALUES(?1, ?2, ?3, ?4)")?;
    for (name, bytes) in targets {
        insert.execute(params![id, slot, name, bytes])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
