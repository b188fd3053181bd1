//! Forgetting: old rows are deleted and old day keys destroyed, and the chain says so.
//!
//! A cut has two steps. The *receipt* is one transaction: it names the last row that goes and that row's hash, destroys the
//! day keys, and is anchored at once. The *sweep* then deletes in small steps between the lane's rows, so that nobody waits
//! at the gate for last fortnight; a power cut in between only delays it. Rows are deleted strictly from the beginning:
//! never a young row, whatever a clock once wrote into one.
//!
//! Rows still owed to a centre are kept until they are delivered, but not longer than [`Retention::hard_days`]. Their
//! tokens name nobody any more: the keys go on time in any case.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use trustlist::time::{Moment, TimeTrust};

use super::{
    Event, Fault, ScanLog, UnixMillis,
    chain::Head,
    commit,
    row::{self, Cut},
};

const DAY: i64 = 86_400_000;
/// A row stamped later than this after now was written by a clock that ran ahead.
const SKEW: i64 = 300_000;
/// Rows one step of a sweep deletes.
const SWEEP: u64 = 200;
/// Free pages kept for new rows: 16 MiB.
const FREE_KEPT: u64 = 4096;
/// Pages one step returns to the disk.
const GIVEN_BACK: u64 = 64;
/// Rows given up at once for want of space. Their deletion must fit into the reserve ([`super::space`]).
const GIVE_UP: u64 = 1024;

/// How long rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Rows and day keys older than this go.
    pub days: u32,
    /// Rows that no centre has acknowledged go after this long nevertheless.
    pub hard_days: u32,
}

impl Retention {
    /// Rows go after so many days; those that no centre has acknowledged after four times as many.
    #[must_use]
    pub const fn of(days: u32) -> Retention {
        Retention { days, hard_days: days.saturating_mul(4) }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Retention::of(14)
    }
}

/// What a cut will have removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Rows.
    pub rows: u64,
    /// Of those, not acknowledged by a centre.
    pub unsent: u64,
    /// Day keys.
    pub keys: u64,
}

impl ScanLog {
    /// Writes the receipt for everything that is too old, and destroys the keys. [`ScanLog::sweep`] then deletes.
    ///
    /// Does nothing, and says [`Fault::ClockUntrusted`], while the time is not believed: a clock that jumped ahead must
    /// not empty the log.
    pub fn retain(&mut self, retention: Retention, now: Moment) -> Result<Removed, Fault> {
        if now.trust == TimeTrust::Untrusted {
            return Err(Fault::ClockUntrusted);
        }
        let now = UnixMillis::from(now.at);
        let cutoff = now.plus(-DAY * i64::from(retention.days));
        let hard = now.plus(-DAY * i64::from(retention.hard_days.max(retention.days)));
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let through = old_through(&transaction, cutoff, hard, now)?.max(cut(&transaction)?);
        let keys = transaction
            .prepare_cached("DELETE FROM day_keys WHERE day < ?1 OR day > ?2")?
            .execute((cutoff.day(), now.day() + 2))?;
        let mut removed = count(&transaction, through)?;
        removed.keys = keys as u64;
        if removed == Removed::default() {
            return Ok(removed);
        }
        let cut = Planned { through, removed, keys_through_day: Some(cutoff.day() - 1), why: Cut::Age };
        receipt(&transaction, &self.options, self.log, cut, now)?;
        transaction.commit()?;
        Ok(removed)
    }

    /// Deletes some of the rows the last receipt gave up, then returns some of their space; `true` when there is more to do.
    pub fn sweep(&mut self) -> Result<bool, Fault> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let through = cut(&transaction)?;
        if delete(&transaction, through, SWEEP)? > 0 {
            transaction.commit()?;
            self.swept = true;
            return Ok(true);
        }
        drop(transaction);
        if !self.swept {
            return Ok(false);
        }
        // New rows use what is free; only what they will not need soon goes back to the disk.
        let free: u64 = self.connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        if free > FREE_KEPT {
            self.connection.execute_batch(&format!("PRAGMA incremental_vacuum({GIVEN_BACK})"))?;
            return Ok(true);
        }
        // What was deleted must not live on in the write-ahead log.
        self.swept = false;
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(false)
    }

    /// The first and last row that may be given up for want of space: the oldest, acknowledged by a centre.
    ///
    /// Without a centre there are none: those rows exist nowhere else.
    pub(super) fn may_give_up(&self) -> Result<Option<(u64, u64)>, Fault> {
        if !self.options.upload {
            return Ok(None);
        }
        let number =
            |sql: &str| -> Result<Option<u64>, Fault> { Ok(self.connection.query_row(sql, [], |row| row.get(0))?) };
        let Some(first) = number("SELECT min(seq) FROM entries")? else { return Ok(None) };
        let owed = number("SELECT min(seq) FROM outbox WHERE state <> 2")?;
        let last = commit::head(&self.connection)?.seq;
        let through = owed.unwrap_or(last).min(last).min(first + GIVE_UP).saturating_sub(1);
        Ok((through >= first).then_some((first, through)))
    }

    /// Gives them up, with a receipt. Returns how many.
    pub(super) fn give_up(&mut self) -> Result<u64, Fault> {
        let Some((_, through)) = self.may_give_up()? else { return Ok(0) };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let head = hash_at(&transaction, through)?;
        let removed = count(&transaction, through)?;
        let at: i64 =
            transaction.query_row("SELECT at_ms FROM entries ORDER BY seq DESC LIMIT 1", [], |row| row.get(0))?;
        // Deleted first, so that the receipt finds room in the pages that became free.
        delete(&transaction, through, GIVE_UP)?;
        let cut = Planned { through, removed, keys_through_day: None, why: Cut::Space };
        receipt_with(&transaction, &self.options, self.log, cut, head, UnixMillis(at))?;
        transaction.commit()?;
        Ok(removed.rows)
    }
}

/// The last row that is old, before the first that is young.
fn old_through(connection: &Connection, cutoff: UnixMillis, hard: UnixMillis, now: UnixMillis) -> Result<u64, Fault> {
    let young: Option<u64> = connection.query_row(
        "SELECT min(seq) FROM entries WHERE at_ms BETWEEN ?1 AND ?2",
        (cutoff.0, now.0 + SKEW),
        |row| row.get(0),
    )?;
    // An unsent row keeps itself and what follows, until it is too old even for that.
    let owed: Option<u64> = connection.query_row(
        "SELECT min(o.seq) FROM outbox o JOIN entries e USING (seq) WHERE o.state <> 2 AND e.at_ms >= ?1",
        [hard.0],
        |row| row.get(0),
    )?;
    let stop = [young, owed].into_iter().flatten().min().unwrap_or(i64::MAX as u64);
    Ok(connection.query_row(
        "SELECT coalesce(max(seq), 0) FROM entries WHERE at_ms < ?1 AND seq < ?2",
        (cutoff.0, stop),
        |row| row.get(0),
    )?)
}

fn count(connection: &Connection, through: u64) -> Result<Removed, Fault> {
    let done = cut(connection)?;
    let rows =
        connection.query_row("SELECT count(*) FROM entries WHERE seq <= ?1 AND seq > ?2", (through, done), |row| {
            row.get(0)
        })?;
    let unsent = connection.query_row(
        "SELECT count(*) FROM outbox WHERE state <> 2 AND seq <= ?1 AND seq > ?2",
        (through, done),
        |row| row.get(0),
    )?;
    Ok(Removed { rows, unsent, keys: 0 })
}

/// Everything up to here has been given up by a receipt.
fn cut(connection: &Connection) -> Result<u64, Fault> {
    Ok(commit::meta(connection, "cut")?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

#[derive(Clone, Copy)]
struct Planned {
    through: u64,
    removed: Removed,
    keys_through_day: Option<i64>,
    why: Cut,
}

fn receipt(
    connection: &Connection,
    options: &super::Options,
    log: uuid::Uuid,
    planned: Planned,
    at: UnixMillis,
) -> Result<(), Fault> {
    let head = hash_at(connection, planned.through)?;
    receipt_with(connection, options, log, planned, head, at)
}

fn receipt_with(
    connection: &Connection,
    options: &super::Options,
    log: uuid::Uuid,
    planned: Planned,
    head: [u8; 32],
    at: UnixMillis,
) -> Result<(), Fault> {
    let Planned { through, removed, keys_through_day, why } = planned;
    let event = Event::Retention { through, head, rows: removed.rows, unsent: removed.unsent, keys_through_day, why };
    let head =
        commit::insert(connection, commit::head(connection)?, &event.body(&row::new_id(at)?, at), options.upload)?;
    commit::write_anchor(connection, log, head, &options.signer)?;
    commit::set_meta(connection, "cut", &through.to_string())
}

/// Hash of a row, or of the last one given up when it is gone already.
fn hash_at(connection: &Connection, seq: u64) -> Result<[u8; 32], Fault> {
    let own = connection.query_row("SELECT hash FROM entries WHERE seq = ?1", [seq], |row| row.get(0)).optional()?;
    if let Some(hash) = own {
        return Ok(hash);
    }
    let next = connection.query_row("SELECT previous FROM entries WHERE seq = ?1", [seq + 1], |row| row.get(0));
    Ok(next.optional()?.unwrap_or(Head::ORIGIN.hash))
}

fn delete(connection: &Connection, through: u64, at_most: u64) -> Result<u64, Fault> {
    let first: Option<u64> = connection.query_row("SELECT min(seq) FROM entries", [], |row| row.get(0))?;
    let Some(first) = first.filter(|first| *first <= through) else { return Ok(0) };
    let until = through.min(first + at_most - 1);
    for table in ["entries", "outbox", "anchors"] {
        connection.prepare_cached(&format!("DELETE FROM {table} WHERE seq <= ?1"))?.execute([until])?;
    }
    Ok(until - first + 1)
}

#[cfg(test)]
mod tests;
