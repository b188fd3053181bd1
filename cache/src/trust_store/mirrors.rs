//! What is remembered of mirrors, so that they are asked for what has changed only: answers by their tags, and whose turn it was last.
//!
//! Nothing here is believed: an answer that is kept is verified like one that has just come.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, TransactionBehavior, params};
use trustlist::region::Region;

use super::TrustStore;
use crate::log::Fault;

/// An answer of a mirror, and the tag by which it is asked whether it still stands (RFC 9110 §8.8.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The tag, as the mirror wrote it.
    pub tag: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// What is remembered of one mirror.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorMemory {
    /// Answers by the paths of their files.
    pub answers: BTreeMap<String, KeptAnswer>,
    /// The last issuer that was asked for past the index.
    pub walked: Option<Region>,
}

impl TrustStore {
    /// What is remembered of a mirror.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn mirror(&self, address: &str) -> Result<MirrorMemory, Fault> {
        let query = "SELECT walked FROM mirrors WHERE address = ?1";
        let walked: Option<Option<String>> =
            self.connection.query_row(query, [address], |row| row.get(0)).optional()?;
        let mut query = self.connection.prepare_cached("SELECT path, tag, bytes FROM answers WHERE mirror = ?1")?;
        let rows = query.query_map([address], |row| {
            Ok((row.get::<_, String>(0)?, KeptAnswer { tag: row.get(1)?, bytes: row.get(2)? }))
        })?;
        let answers = rows.collect::<Result<_, _>>()?;
        Ok(MirrorMemory { answers, walked: walked.flatten().and_then(|walked| walked.parse().ok()) })
    }

    /// Remembers of a mirror what has changed since `before`.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn remember_mirror(&mut self, address: &str, before: &MirrorMemory, now: &MirrorMemory) -> Result<(), Fault> {
        if before == now {
            return Ok(());
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let walked = now.walked.map(|issuer| issuer.as_str().to_owned());
        transaction.execute("INSERT OR REPLACE INTO mirrors VALUES(?1, ?2)", params![address, walked])?;
        for path in before.answers.keys().filter(|path| !now.answers.contains_key(*path)) {
            transaction.execute("DELETE FROM answers WHERE mirror = ?1 AND path = ?2", params![address, path])?;
        }
        for (path, KeptAnswer { tag, bytes }) in &now.answers {
            if before.answers.get(path) != now.answers.get(path) {
                let put = "INSERT OR REPLACE INTO answers VALUES(?1, ?2, ?3, ?4)";
                transaction.execute(put, params![address, path, tag, bytes])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Forgets every mirror that is not among these.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn forget_other_mirrors(&mut self, addresses: &[&str]) -> Result<(), Fault> {
        let known: Vec<String> = {
            let mut query = self.connection.prepare_cached("SELECT address FROM mirrors")?;
            let rows = query.query_map([], |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        for address in known.iter().filter(|address| !addresses.contains(&address.as_str())) {
            self.connection.execute("DELETE FROM answers WHERE mirror = ?1", [address])?;
            self.connection.execute("DELETE FROM mirrors WHERE address = ?1", [address])?;
        }
        Ok(())
    }
}
