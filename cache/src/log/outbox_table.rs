//! The outbox as the log's database keeps it: ranges of rows that were sent, dead letters, and the newest receipt. There is no record for
//! each row: a row that is in no range and is no dead letter is pending.

use std::ops::RangeInclusive;

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{
    chain::Head,
    fault::Fault,
    reader::Reader,
    table::{hash_of, held, meta, set_meta},
};
use crate::outbox::{Acknowledged, Counts, DeadLetter, Item, Open, OutboxUpdate, Ranges, ReceivedReceipt};

/// Longest answer kept with a dead letter: a server that answers with a page must not fill the disk.
const ANSWER: usize = 500;

/// Writes an update; what the centre signed for, if that is news.
pub(super) fn write(update: &OutboxUpdate, connection: &Connection) -> Result<Option<Head>, Fault> {
    match update {
        OutboxUpdate::Sent(rows) => {
            change_sent(connection, |sent| rows.iter().for_each(|row| sent.insert(*row..=*row)))?;
        }
        OutboxUpdate::Dead(rows, answer) => {
            let answer: String = answer.chars().take(ANSWER).collect();
            // A row that is refused again for the same reason is not written again.
            let mut statement = connection.prepare_cached(
                "INSERT INTO dead_letters (seq, answer) VALUES (?1, ?2)
                 ON CONFLICT (seq) DO UPDATE SET answer = ?2 WHERE answer IS NOT ?2",
            )?;
            for row in rows {
                statement.execute((row, &answer))?;
            }
        }
        OutboxUpdate::Retry(rows) if rows.is_empty() => {
            connection.execute("DELETE FROM dead_letters", [])?;
        }
        OutboxUpdate::Retry(rows) => {
            let mut statement = connection.prepare_cached("DELETE FROM dead_letters WHERE seq = ?1")?;
            for row in rows {
                statement.execute([row])?;
            }
        }
        OutboxUpdate::Resend(rows) => {
            connection
                .prepare_cached("DELETE FROM dead_letters WHERE seq BETWEEN ?1 AND ?2")?
                .execute((rows.start(), rows.end()))?;
            change_sent(connection, |sent| sent.remove(rows.clone()))?;
        }
        OutboxUpdate::Received(receipt) => return received(receipt, connection),
        OutboxUpdate::AnchorsSent(through) => {
            connection.execute("UPDATE anchors SET sent = 1 WHERE seq <= ?1 AND sent = 0", [through])?;
        }
    }
    Ok(None)
}

fn received(receipt: &ReceivedReceipt, connection: &Connection) -> Result<Option<Head>, Fault> {
    let before = acknowledged(connection)?;
    let same_store = before.as_ref().is_some_and(|before| before.store == receipt.store);
    if same_store && before.is_some_and(|before| before.through >= receipt.through) {
        return Ok(None);
    }
    // What the centre says it holds must be what is here; a row that is forgotten already is taken on its word.
    let held = held(connection)?;
    let here = hash_of(connection, receipt.through)?;
    if receipt.through > *held.end() || here.is_some_and(|here| here != receipt.hash) {
        let text = format!("row {} with hash {}", receipt.through, data_encoding::HEXLOWER.encode(&receipt.hash));
        set_meta(connection, "fork", &text)?;
        return Ok(None);
    }
    if !same_store {
        // Another database: what the one before acknowledged is void, and everything that is held goes again.
        connection.execute("DELETE FROM outbox_sent", [])?;
    }
    set_meta(connection, "store", &receipt.store)?;
    set_meta(connection, "acknowledged", &receipt.through.to_string())?;
    set_meta(connection, "receipt", &receipt.note)?;
    change_sent(connection, |sent| sent.insert(1..=receipt.through))?;
    // What it refused once it has taken since.
    connection.prepare_cached("DELETE FROM dead_letters WHERE seq <= ?1")?.execute([receipt.through])?;
    Ok(Some(Head { seq: receipt.through, hash: receipt.hash }))
}

pub(super) fn acknowledged(connection: &Connection) -> Result<Option<Acknowledged>, Fault> {
    let Some(store) = meta(connection, "store")? else { return Ok(None) };
    let through = meta(connection, "acknowledged")?.and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(Some(Acknowledged { store, through, note: meta(connection, "receipt")?.unwrap_or_default() }))
}

/// Rows that were sent, acknowledged or not.
pub(super) fn sent(connection: &Connection) -> Result<Ranges, Fault> {
    let mut statement = connection.prepare_cached("SELECT first, last FROM outbox_sent")?;
    let ranges = statement.query_map([], |row| Ok(row.get::<_, u64>(0)?..=row.get(1)?))?;
    Ok(ranges.collect::<Result<Ranges, _>>()?)
}

/// Writes what differs: usually the end of one range.
fn change_sent(connection: &Connection, change: impl FnOnce(&mut Ranges)) -> Result<(), Fault> {
    let before = sent(connection)?;
    let mut after = before.clone();
    change(&mut after);
    let gone = |rows: &RangeInclusive<u64>| !after.iter().any(|other| other == *rows);
    for rows in before.iter().filter(gone) {
        connection.prepare_cached("DELETE FROM outbox_sent WHERE first = ?1")?.execute([rows.start()])?;
    }
    let new = |rows: &RangeInclusive<u64>| !before.iter().any(|other| other == *rows);
    for rows in after.iter().filter(new) {
        connection
            .prepare_cached("INSERT INTO outbox_sent (first, last) VALUES (?1, ?2)")?
            .execute((rows.start(), rows.end()))?;
    }
    Ok(())
}

impl Reader {
    /// What waits: the newest and the oldest, at most `limit` each.
    pub fn outbox_open(&self, limit: usize) -> Result<Open, Fault> {
        let held = held(self.connection())?;
        let mut done = sent(self.connection())?;
        let mut statement = self.connection().prepare_cached("SELECT seq FROM dead_letters")?;
        for seq in statement.query_map([], |row| row.get::<_, u64>(0))? {
            let seq = seq?;
            done.insert(seq..=seq);
        }
        Ok(Open { newest: done.absent_from_end(held.clone(), limit), oldest: done.absent(held, limit) })
    }

    /// The rows at these places, in this order; places that are gone are left out.
    pub fn outbox_items(&self, seqs: &[u64]) -> Result<Vec<Item>, Fault> {
        let log = self.log_id()?.unwrap_or(Uuid::nil());
        let mut statement =
            self.connection().prepare_cached("SELECT seq, id, hash, body FROM entries WHERE seq = ?1")?;
        let mut items = Vec::with_capacity(seqs.len());
        for seq in seqs {
            let mut rows = statement.query([seq])?;
            if let Some(row) = rows.next()? {
                items.push(item(log, row)?);
            }
        }
        Ok(items)
    }

    /// The newest anchor that the centre has not got.
    pub fn unsent_anchor(&self) -> Result<Option<(u64, String)>, Fault> {
        let mut statement =
            self.connection().prepare_cached("SELECT seq, note, sent FROM anchors ORDER BY seq DESC LIMIT 1")?;
        let mut rows = statement.query([])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(if row.get::<_, bool>(2)? { None } else { Some((row.get(0)?, row.get(1)?)) })
    }

    /// How many rows are in which state. Costs the same however long the log is.
    pub fn outbox_counts(&self) -> Result<Counts, Fault> {
        let held = held(self.connection())?;
        let sent = sent(self.connection())?;
        let receipted = acknowledged(self.connection())?.map_or(0, |receipt| receipt.through);
        let dead: u64 = self.connection().query_row(
            "SELECT count(*) FROM dead_letters WHERE seq BETWEEN ?1 AND ?2",
            (held.start(), held.end()),
            |row| row.get(0),
        )?;
        let rows = (*held.end() + 1).saturating_sub(*held.start());
        let acknowledged = (receipted.min(*held.end()) + 1).saturating_sub(*held.start());
        let sent_in_all = sent.count(held.clone());
        Ok(Counts {
            pending: rows.saturating_sub(sent_in_all + dead),
            sent: sent.count((receipted + 1).max(*held.start())..=*held.end()),
            acknowledged,
            dead,
        })
    }

    /// How far the centre has receipted the log; `None` before the first receipt.
    pub fn acknowledged(&self) -> Result<Option<Acknowledged>, Fault> {
        acknowledged(self.connection())
    }

    /// The place and hash of a receipt that is of another history than this log's: two boxes under one name, or a log set back.
    pub fn fork(&self) -> Result<Option<String>, Fault> {
        meta(self.connection(), "fork")
    }

    /// The dead letters, oldest first.
    pub fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, Fault> {
        let mut statement = self.connection().prepare_cached(
            "SELECT d.seq, e.id, d.answer FROM dead_letters d JOIN entries e USING (seq) ORDER BY d.seq LIMIT ?1",
        )?;
        let letters = statement
            .query_map([limit], |row| Ok(DeadLetter { seq: row.get(0)?, id: row.get(1)?, answer: row.get(2)? }))?;
        Ok(letters.collect::<Result<_, _>>()?)
    }
}

fn item(log: Uuid, row: &Row<'_>) -> Result<Item, Fault> {
    let id: String = row.get(1)?;
    Ok(Item { log, seq: row.get(0)?, id: id.parse().unwrap_or(Uuid::nil()), hash: row.get(2)?, body: row.get(3)? })
}
