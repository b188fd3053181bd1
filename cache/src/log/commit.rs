//! One transaction of the log: rows chained, floor of time raised, anchors signed when due.

use std::time::Instant;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use trustlist::time::TimeTrust;
use uuid::Uuid;

use super::{
    Change, Fault, Floor, ScanLog, UnixMillis, anchor::Anchor, chain::Head, day_keys, note::NoteSigner, open::PAGE,
};

impl ScanLog {
    /// Commits everything in one transaction; for each the chain's head after it.
    pub(crate) fn commit(&mut self, changes: &[Change]) -> Result<Vec<Head>, Fault> {
        let elapsed = i64::try_from(self.floor.since.elapsed().as_millis()).unwrap_or(i64::MAX);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if changes.iter().any(|change| matches!(change, Change::Row { .. }))
            && used(&transaction)? >= self.options.max_bytes
        {
            return Err(Fault::Full);
        }
        let mut head = head(&transaction)?;
        let mut floor = self.floor.stored;
        let mut heads = Vec::with_capacity(changes.len());
        for change in changes {
            match change {
                Change::Row { body, at, trust } => {
                    head = insert(&transaction, head, body, self.options.upload)?;
                    floor = raised(floor, self.floor.stored, *at, *trust, elapsed);
                }
                Change::Time { at, trust } => floor = raised(floor, self.floor.stored, *at, *trust, elapsed),
                Change::DayKey(day) => day_keys::ensure(&transaction, *day)?,
                Change::Mark(mark) => mark.write(&transaction)?,
            }
            heads.push(head);
        }
        if floor != self.floor.stored {
            set_meta(&transaction, "floor_ms", &floor.0.to_string())?;
            // Tomorrow's key too, so that no lane waits for one at midnight.
            day_keys::ensure(&transaction, floor.day())?;
            day_keys::ensure(&transaction, floor.day() + 1)?;
        }
        if head.seq >= anchored(&transaction)? + self.options.anchor_rows.max(1) {
            write_anchor(&transaction, self.log, head, &self.options.signer)?;
        }
        transaction.commit()?;
        if floor != self.floor.stored {
            self.floor = Floor { stored: floor, since: Instant::now() };
        }
        Ok(heads)
    }

    /// Signs the head unless it is signed already.
    pub fn anchor(&mut self) -> Result<(), Fault> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let head = head(&transaction)?;
        if head.seq > anchored(&transaction)? {
            write_anchor(&transaction, self.log, head, &self.options.signer)?;
        }
        Ok(transaction.commit()?)
    }
}

/// How far a moment raises the floor.
///
/// A confirmed clock raises it to what it shows. One that nothing has confirmed since boot raises it by no more than has
/// passed on the monotonic clock since `stored`: that much is certain, and a clock that ran ahead once does not make every
/// later, correct time look like the past. An untrusted one raises nothing.
pub(super) fn raised(
    floor: UnixMillis,
    stored: UnixMillis,
    at: UnixMillis,
    trust: TimeTrust,
    elapsed: i64,
) -> UnixMillis {
    let certain = match trust {
        TimeTrust::Synced | TimeTrust::Holdover => at,
        TimeTrust::FloorOnly if stored.0 != i64::MIN => at.min(stored.plus(elapsed)),
        TimeTrust::FloorOnly => at,
        TimeTrust::Untrusted => floor,
    };
    floor.max(certain)
}

/// Bytes in use. Only rows are held to the limit: what makes room must always fit.
fn used(connection: &Connection) -> Result<u64, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT p.page_count - f.freelist_count FROM pragma_page_count p, pragma_freelist_count f")?;
    Ok(statement.query_row([], |row| row.get::<_, u64>(0))? * PAGE)
}

/// The last row's place and hash.
pub(super) fn head(connection: &Connection) -> Result<Head, Fault> {
    let mut statement = connection.prepare_cached("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1")?;
    let head = statement.query_row([], |row| Ok(Head { seq: row.get(0)?, hash: row.get(1)? })).optional()?;
    Ok(head.unwrap_or(Head::ORIGIN))
}

pub(super) fn insert(connection: &Connection, head: Head, body: &str, upload: bool) -> Result<Head, Fault> {
    let next = head.followed_by(body);
    connection
        .prepare_cached("INSERT INTO entries (seq, body, previous, hash) VALUES (?1, ?2, ?3, ?4)")?
        .execute((next.seq, body, head.hash, next.hash))?;
    if upload {
        connection.prepare_cached("INSERT INTO outbox (seq) VALUES (?1)")?.execute([next.seq])?;
    }
    Ok(next)
}

/// The last row an anchor covers.
pub(super) fn anchored(connection: &Connection) -> Result<u64, Fault> {
    let mut statement = connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM anchors")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

pub(super) fn write_anchor(connection: &Connection, log: Uuid, head: Head, signer: &NoteSigner) -> Result<(), Fault> {
    let at: i64 = connection
        .prepare_cached("SELECT at_ms FROM entries WHERE seq = ?1")?
        .query_row([head.seq], |row| row.get(0))?;
    let note = Anchor { log, head, at: UnixMillis(at) }.sign(signer);
    connection
        .prepare_cached("INSERT OR REPLACE INTO anchors (seq, note) VALUES (?1, ?2)")?
        .execute((head.seq, note))?;
    Ok(())
}

pub(super) fn meta(connection: &Connection, name: &str) -> Result<Option<String>, Fault> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

pub(super) fn set_meta(connection: &Connection, name: &str, value: &str) -> Result<(), Fault> {
    connection
        .prepare_cached("INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2")?
        .execute((name, value))?;
    Ok(())
}
