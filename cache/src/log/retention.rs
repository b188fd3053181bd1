//! Forgetting: old rows are deleted and old day keys destroyed, and the chain says so.
//!
//! A cut has two steps. The *receipt* is one transaction: it names the last row that goes and that row's hash, destroys the
//! day keys, and is anchored at once. The *sweep* then deletes in small steps between the lane's rows, so that nobody waits
//! at the gate for last fortnight; a power cut in between only delays it. Rows are deleted strictly from the beginning:
//! never a young row, whatever a clock once wrote into one.
//!
//! Nothing here can be undone, so a clock alone does not do it: rows go when a clock that was confirmed for a whole lived day without a
//! jump says that they are old, or when the device itself has lived for so long since ([`super::lived`]). Rows still owed to a centre
//! are kept until they are delivered; if they never are, an alarm must have stood for a whole period before they go. Their tokens name
//! nobody any more: the keys go on time in any case.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use std::{ops::RangeInclusive, time::Duration};
use trustlist::time::{Moment, TimeTrust};

use super::{
    Event, Fault, Options, Owed, ScanLog, UnixMillis,
    chain::Head,
    commit, hours,
    outbox_table::{acknowledged, sent},
    row::{self, Cut},
    space::wal_bytes,
    table::{hash_of, head, held, meta_number, set_meta},
};

/// A row stamped later than this after now was written by a clock that ran ahead.
const SKEW: i64 = 300_000;
/// How long one step of a sweep may take, because a lane's row waits behind it. Steps grow and shrink until they take about so long.
const STEP: Duration = Duration::from_millis(8);
/// Rows that the first step deletes, before anybody knows how fast this disk is; the least and the most that a step deletes.
const SWEEP: u64 = 200;
const SWEEPS: RangeInclusive<u64> = 50..=2000;
/// Bytes of the write-ahead log, about, after which a step folds it in instead of deleting: few enough to be quick, too.
const SWEEP_FOLD: u64 = 1 << 20;
/// What deleting one row writes, about.
const ROW_WRITES: u64 = 1024;
/// Free bytes kept for new rows.
const FREE_KEPT: u64 = 16 << 20;
/// Bytes returned to the disk by a step that would delete [`SWEEP`] rows.
const GIVEN_BACK: u64 = 256 << 10;
/// Rows given up at once for want of space. Their deletion must fit into the reserve ([`super::space`]).
const GIVE_UP: u64 = 1024;

/// How long rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Rows and day keys older than this go.
    pub days: u32,
}

impl Retention {
    /// Rows go after so many days; those that are owed to a centre after an alarm that stood as long.
    #[must_use]
    pub const fn of(days: u32) -> Retention {
        Retention { days }
    }

    fn period(self) -> Duration {
        Duration::from_secs(86_400) * self.days
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
    /// Of those, not at the centre.
    pub unsent: u64,
    /// Day keys.
    pub keys: u64,
    /// Rows that are old enough and stay, because they are owed to a centre: an alarm.
    pub overdue: u64,
    /// The clock may delete nothing yet: it has not been confirmed for a whole lived day without a jump.
    pub clock_unsteady: bool,
}

impl ScanLog {
    /// Writes the receipt for everything that is too old, and destroys the keys. [`ScanLog::sweep`] then deletes.
    ///
    /// A clock that is not confirmed, or not for long enough, deletes nothing; what was written so long ago in lived time goes
    /// nevertheless.
    pub fn retain(&mut self, retention: Retention, now: Moment) -> Result<Removed, Fault> {
        let lived = self.lived();
        // A clock that has jumped since it was noted last is seen before it is asked.
        self.steady.note(now.at.into(), now.trust, lived, std::mem::take(&mut self.booted));
        let clock = now.trust == TimeTrust::Synced && self.steady.holds(lived);
        let now = UnixMillis::from(now.at);
        let lived_ms = i64::try_from(lived.as_millis()).unwrap_or(i64::MAX);
        let period_ms = i64::try_from(retention.period().as_millis()).unwrap_or(i64::MAX);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = cut(&transaction)?;
        let by_lived = lived_through(&transaction, lived_ms - period_ms)?;
        let by_clock = if clock { old_through(&transaction, now.plus(-period_ms), now)? } else { 0 };
        let old = by_lived.max(by_clock);
        let owed = first_owed(&transaction, self.options.owed)?;
        let mut removed = Removed { clock_unsteady: !clock, ..Removed::default() };
        let mut through = old;
        if let Some(owed) = owed.filter(|owed| *owed <= old) {
            // The alarm begins with the first row that is overdue, and must have stood for a whole period before such a row goes.
            let since: i64 = match meta_number(&transaction, "overdue_since_lived_ms")? {
                Some(since) => since,
                None => {
                    set_meta(&transaction, "overdue_since_lived_ms", &lived_ms.to_string())?;
                    lived_ms
                }
            };
            if lived_ms - since < period_ms {
                through = owed.saturating_sub(1);
                removed.overdue = old.saturating_sub(through.max(done));
            }
        } else {
            transaction.execute("DELETE FROM meta WHERE name = 'overdue_since_lived_ms'", [])?;
        }
        let through = through.max(done);
        let mut keys_before = clock.then(|| now.plus(-period_ms).day());
        if by_lived > 0 {
            keys_before = keys_before.max(days_before(&transaction, by_lived)?);
        }
        if let Some(day) = keys_before {
            removed.keys += transaction.prepare_cached("DELETE FROM day_keys WHERE day < ?1")?.execute([day])? as u64;
        }
        if clock {
            let ahead = now.day() + 2;
            removed.keys += transaction.prepare_cached("DELETE FROM day_keys WHERE day > ?1")?.execute([ahead])? as u64;
        }
        let counted = count(&transaction, done, through, owed)?;
        (removed.rows, removed.unsent) = (counted.rows, counted.unsent);
        if removed.rows > 0 || removed.keys > 0 {
            let keys_through_day = keys_before.map(|day| day - 1);
            let planned = Planned { through, removed, keys_through_day, why: Cut::Age };
            receipt(&transaction, &self.options, self.log, planned, now, lived_ms)?;
        }
        let end = head(&transaction)?;
        transaction.commit()?;
        self.witness(end, None, true);
        Ok(removed)
    }

    /// Deletes some of the rows the last receipt gave up, then returns some of their space; `true` when there is more to do.
    ///
    /// As many as this disk deletes in a moment: a row that comes meanwhile waits for one such step, not for the sweep.
    pub fn sweep(&mut self) -> Result<bool, Fault> {
        if self.pace.unfolded >= SWEEP_FOLD {
            self.pace.unfolded = 0;
            self.fold();
            if wal_bytes(&self.options.path) > self.options.max_wal() / 2 {
                // Rows need what is left of the write-ahead log more than anybody needs the space of old ones.
                ::log::warn!("somebody reads an old state of the scan log: old rows are deleted another day");
                return Ok(false);
            }
            return Ok(true);
        }
        let began = self.machine().now();
        let more = self.sweep_portion()?;
        self.pace.took(self.machine().since(began));
        Ok(more)
    }

    fn sweep_portion(&mut self) -> Result<bool, Fault> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let through = cut(&transaction)?;
        if delete(&transaction, through, self.pace.portion)? > 0 {
            transaction.commit()?;
            self.swept = true;
            self.pace.unfolded += self.pace.portion * ROW_WRITES;
            return Ok(true);
        }
        drop(transaction);
        if !self.swept {
            return Ok(false);
        }
        // New rows use what is free; only what they will not need soon goes back to the disk.
        let free: u64 = self.connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
        let page: u64 = self.connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        if free * page > FREE_KEPT {
            let bytes = GIVEN_BACK * self.pace.portion / SWEEP;
            self.connection.execute_batch(&format!("PRAGMA incremental_vacuum({})", bytes / page))?;
            self.pace.unfolded += bytes;
            return Ok(true);
        }
        // What was deleted must not live on in the write-ahead log.
        self.swept = false;
        self.fold_away();
        Ok(false)
    }

    /// The first and last row that may be given up for want of space: the oldest that the centre has signed for.
    ///
    /// Without a centre, or with one that signs nothing, there are none: those rows may exist nowhere else.
    pub(super) fn may_give_up(&self) -> Result<Option<(u64, u64)>, Fault> {
        if self.options.owed != Owed::Receipt {
            return Ok(None);
        }
        let (first, last) = held(&self.connection)?.into_inner();
        let acknowledged = acknowledged(&self.connection)?.map_or(0, |receipt| receipt.through);
        // The last row stays: the next is chained to it.
        let through = acknowledged.min(last.saturating_sub(1)).min(first + GIVE_UP - 1);
        Ok((through >= first).then_some((first, through)))
    }

    /// Gives them up, with a receipt. Returns how many.
    pub(super) fn give_up(&mut self) -> Result<u64, Fault> {
        let Some((_, through)) = self.may_give_up()? else { return Ok(0) };
        let lived_ms = i64::try_from(self.lived().as_millis()).unwrap_or(i64::MAX);
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let hash = hash_at(&transaction, through)?;
        let removed = count(&transaction, cut(&transaction)?, through, None)?;
        let at: i64 =
            transaction.query_row("SELECT at_ms FROM entries ORDER BY seq DESC LIMIT 1", [], |row| row.get(0))?;
        // Deleted first, so that the receipt finds room in the pages that became free.
        delete(&transaction, through, GIVE_UP)?;
        let planned = Planned { through, removed, keys_through_day: None, why: Cut::Space };
        receipt_with(&transaction, &self.options, self.log, planned, hash, UnixMillis(at), lived_ms)?;
        let end = head(&transaction)?;
        transaction.commit()?;
        self.witness(end, None, true);
        Ok(removed.rows)
    }
}

/// How fast a sweep goes.
#[derive(Debug)]
pub(super) struct SweepPace {
    /// Rows of the next step.
    portion: u64,
    /// Bytes written by steps since the write-ahead log was folded in, about.
    unfolded: u64,
}

impl Default for SweepPace {
    fn default() -> Self {
        SweepPace { portion: SWEEP, unfolded: 0 }
    }
}

impl SweepPace {
    /// A step took so long: the next one is as large as it may be on this disk.
    fn took(&mut self, took: Duration) {
        let next = match took {
            took if took > STEP => self.portion / 2,
            took if took < STEP / 2 => self.portion + self.portion / 4,
            _ => self.portion,
        };
        self.portion = next.clamp(*SWEEPS.start(), *SWEEPS.end());
    }
}

/// The last row that an anchor covered when the device had lived no longer than this.
fn lived_through(connection: &Connection, lived_ms: i64) -> Result<u64, Fault> {
    let sql = "SELECT coalesce(max(seq), 0) FROM anchors WHERE lived_ms <= ?1";
    Ok(connection.query_row(sql, [lived_ms], |row| row.get(0))?)
}

/// The first day on which a row after this one may have been written: keys of days before it serve no row that is kept.
fn days_before(connection: &Connection, through: u64) -> Result<Option<i64>, Fault> {
    let at = |sql: &str| -> Result<Option<i64>, Fault> {
        Ok(connection.query_row(sql, [through], |row| row.get::<_, Option<i64>>(0)).optional()?.flatten())
    };
    let after = at("SELECT at_ms FROM entries WHERE seq > ?1 ORDER BY seq LIMIT 1")?;
    let hour = at("SELECT min(hour) FROM hours WHERE last > ?1")?;
    let earliest = match [after, hour.map(|hour| hour * 3_600_000)].into_iter().flatten().min() {
        Some(earliest) => Some(earliest),
        None => at("SELECT at_ms FROM entries WHERE seq = ?1")?,
    };
    Ok(earliest.map(|at| UnixMillis(at).day()))
}

/// The last row that is old, before the first that is young.
fn old_through(connection: &Connection, cutoff: UnixMillis, now: UnixMillis) -> Result<u64, Fault> {
    // The roll-ups say where the first hour that may hold a young row begins: an hour is looked through, not a fortnight.
    let (first, last, rolled) = hours::places(connection, Some(cutoff), Some(now.plus(SKEW)))?;
    let start = if last == 0 { rolled + 1 } else { first.min(rolled + 1) };
    let mut statement = connection
        .prepare_cached("SELECT seq FROM entries WHERE seq >= ?1 AND at_ms BETWEEN ?2 AND ?3 ORDER BY seq LIMIT 1")?;
    let young: Option<u64> = statement.query_row((start, cutoff.0, now.plus(SKEW).0), |row| row.get(0)).optional()?;
    let Some(young) = young else {
        let sql = "SELECT seq FROM entries WHERE at_ms < ?1 ORDER BY seq DESC LIMIT 1";
        return Ok(connection.query_row(sql, [cutoff.0], |row| row.get(0)).optional()?.unwrap_or(0));
    };
    let sql = "SELECT seq FROM entries WHERE seq < ?1 AND at_ms < ?2 ORDER BY seq DESC LIMIT 1";
    Ok(connection.query_row(sql, (young, cutoff.0), |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The first row that a centre still has to get.
fn first_owed(connection: &Connection, owed: Owed) -> Result<Option<u64>, Fault> {
    Ok(match owed {
        Owed::Nothing => None,
        Owed::Delivery => sent(connection)?.absent(held(connection)?, 1).first().copied(),
        Owed::Receipt => Some(acknowledged(connection)?.map_or(0, |receipt| receipt.through) + 1),
    })
}

fn count(connection: &Connection, done: u64, through: u64, owed: Option<u64>) -> Result<Removed, Fault> {
    let first = (*held(connection)?.start()).max(done + 1);
    let rows = (through + 1).saturating_sub(first);
    let unsent = owed.map_or(0, |owed| (through + 1).saturating_sub(owed.max(first)));
    Ok(Removed { rows, unsent, ..Removed::default() })
}

/// Everything up to here has been given up by a receipt.
fn cut(connection: &Connection) -> Result<u64, Fault> {
    Ok(meta_number(connection, "cut")?.unwrap_or(0))
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
    options: &Options,
    log: uuid::Uuid,
    planned: Planned,
    at: UnixMillis,
    lived_ms: i64,
) -> Result<(), Fault> {
    let head = hash_at(connection, planned.through)?;
    receipt_with(connection, options, log, planned, head, at, lived_ms)
}

fn receipt_with(
    connection: &Connection,
    options: &Options,
    log: uuid::Uuid,
    planned: Planned,
    hash: [u8; 32],
    at: UnixMillis,
    lived_ms: i64,
) -> Result<(), Fault> {
    let Planned { through, removed, keys_through_day, why } = planned;
    let Removed { rows, unsent, .. } = removed;
    let event = Event::Retention { through, head: hash, rows, unsent, keys_through_day, why };
    let end = commit::insert(connection, head(connection)?, &event.body(&row::new_id(&options.machine, at)?, at))?;
    commit::write_anchor(connection, log, end, &options.signer, u128::try_from(lived_ms).unwrap_or(0))?;
    set_meta(connection, "cut", &through.to_string())
}

/// Hash of a row, or of the last one given up when it is gone already.
fn hash_at(connection: &Connection, seq: u64) -> Result<[u8; 32], Fault> {
    if let Some(hash) = hash_of(connection, seq)? {
        return Ok(hash);
    }
    let next = connection.query_row("SELECT previous FROM entries WHERE seq = ?1", [seq + 1], |row| row.get(0));
    Ok(next.optional()?.unwrap_or(Head::ORIGIN.hash))
}

fn delete(connection: &Connection, through: u64, at_most: u64) -> Result<u64, Fault> {
    let first = *held(connection)?.start();
    if first > through {
        return Ok(0);
    }
    let until = through.min(first + at_most - 1);
    for table in ["entries", "dead_letters", "anchors"] {
        connection.prepare_cached(&format!("DELETE FROM {table} WHERE seq <= ?1"))?.execute([until])?;
    }
    hours::forget(connection, until)?;
    Ok(until - first + 1)
}

#[cfg(test)]
mod tests;
