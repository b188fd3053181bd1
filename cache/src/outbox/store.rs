//! The outbox as the database keeps it: one small record beside each row that is owed.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::Open;
use crate::log::{Fault, Reader};

/// Longest answer kept with a dead letter: a server that answers with a page must not fill the disk.
const ANSWER: usize = 500;

/// What became of rows in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Being sent.
    InFlight(Vec<u64>),
    /// The attempt failed; they wait again.
    Pending(Vec<u64>),
    /// The centre has them.
    Acknowledged(Vec<u64>),
    /// The centre refuses them, and says this.
    Dead(Vec<u64>, String),
    /// Dead letters to be tried again; all of them when empty.
    Retry(Vec<u64>),
    /// The sender has just started: what was in flight has no answer to come and waits again.
    Restart,
    /// The centre has the anchors up to this row.
    AnchorsSent(u64),
}

impl Mark {
    pub(crate) fn write(&self, connection: &Connection) -> Result<(), Fault> {
        let each = |rows: &[u64], sql: &str| -> Result<(), Fault> {
            let mut statement = connection.prepare_cached(sql)?;
            for row in rows {
                statement.execute([row])?;
            }
            Ok(())
        };
        match self {
            Mark::InFlight(rows) => {
                each(rows, "UPDATE outbox SET state = 1, attempts = attempts + 1 WHERE seq = ?1 AND state = 0")
            }
            Mark::Pending(rows) => each(rows, "UPDATE outbox SET state = 0 WHERE seq = ?1 AND state = 1"),
            Mark::Acknowledged(rows) => {
                each(rows, "UPDATE outbox SET state = 2, answer = NULL WHERE seq = ?1 AND state <> 2")
            }
            Mark::Dead(rows, answer) => {
                let answer: String = answer.chars().take(ANSWER).collect();
                let mut statement = connection
                    .prepare_cached("UPDATE outbox SET state = 3, answer = ?2 WHERE seq = ?1 AND state IN (0, 1)")?;
                for row in rows {
                    statement.execute((row, &answer))?;
                }
                Ok(())
            }
            Mark::Retry(rows) if rows.is_empty() => {
                connection.execute("UPDATE outbox SET state = 0 WHERE state = 3", [])?;
                Ok(())
            }
            Mark::Retry(rows) => each(rows, "UPDATE outbox SET state = 0 WHERE seq = ?1 AND state = 3"),
            Mark::Restart => {
                connection.execute("UPDATE outbox SET state = 0 WHERE state = 1", [])?;
                Ok(())
            }
            Mark::AnchorsSent(through) => {
                connection.execute("UPDATE anchors SET sent = 1 WHERE seq <= ?1 AND sent = 0", [through])?;
                Ok(())
            }
        }
    }
}

/// A row as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its place in the chain.
    pub seq: u64,
    /// Its identity: what makes delivery idempotent.
    pub id: Uuid,
    /// Its hash.
    pub hash: [u8; 32],
    /// Its exact text.
    pub body: String,
}

impl Item {
    /// The line that leaves the device: who says it, the row's place and hash, and the row exactly as chained.
    #[must_use]
    pub fn line(&self, post: &str) -> String {
        let post = serde_json::to_string(post).expect("a text always serialises");
        let hash = data_encoding::HEXLOWER.encode(&self.hash);
        format!("{{\"post\":{post},\"seq\":{},\"hash\":\"{hash}\",\"row\":{}}}", self.seq, self.body)
    }
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its place in the chain.
    pub seq: u64,
    /// Its identity.
    pub id: String,
    /// How often it was tried.
    pub attempts: u32,
    /// What the centre said.
    pub answer: Option<String>,
}

/// How many rows are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting.
    pub pending: u64,
    /// Being sent.
    pub in_flight: u64,
    /// At the centre, and still here.
    pub acknowledged: u64,
    /// Refused.
    pub dead: u64,
}

impl Reader {
    /// What waits: the newest and the oldest, at most `limit` each.
    pub fn outbox_open(&self, limit: usize) -> Result<Open, Fault> {
        let seqs = |order: &str| -> Result<Vec<u64>, Fault> {
            let sql = format!("SELECT seq FROM outbox WHERE state = 0 ORDER BY seq {order} LIMIT ?1");
            let mut statement = self.connection().prepare_cached(&sql)?;
            let rows = statement.query_map([limit], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        Ok(Open { newest: seqs("DESC")?, oldest: seqs("ASC")? })
    }

    /// The rows at these places, in this order; places that are gone are left out.
    pub fn outbox_items(&self, seqs: &[u64]) -> Result<Vec<Item>, Fault> {
        let mut statement =
            self.connection().prepare_cached("SELECT seq, id, hash, body FROM entries WHERE seq = ?1")?;
        let mut items = Vec::with_capacity(seqs.len());
        for seq in seqs {
            let mut rows = statement.query([seq])?;
            if let Some(row) = rows.next()? {
                items.push(item(row)?);
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

    /// How many rows are in which state.
    pub fn outbox_counts(&self) -> Result<Counts, Fault> {
        Ok(Counts { acknowledged: self.outbox_acknowledged()?, ..self.outbox_unacknowledged()? })
    }

    /// The same without those that were acknowledged: by an index of what is open, so that it costs the same however long the log is.
    pub fn outbox_unacknowledged(&self) -> Result<Counts, Fault> {
        let mut counts = Counts::default();
        let sql = "SELECT state, count(*) FROM outbox WHERE state <> 2 GROUP BY state";
        let mut statement = self.connection().prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let place = match row.get::<_, u8>(0)? {
                0 => &mut counts.pending,
                1 => &mut counts.in_flight,
                _ => &mut counts.dead,
            };
            *place = row.get(1)?;
        }
        Ok(counts)
    }

    /// Rows that were acknowledged and are still here. Looks at each.
    pub fn outbox_acknowledged(&self) -> Result<u64, Fault> {
        Ok(self.connection().query_row("SELECT count(*) FROM outbox WHERE state = 2", [], |row| row.get(0))?)
    }

    /// The dead letters, oldest first.
    pub fn dead_letters(&self, limit: usize) -> Result<Vec<Letter>, Fault> {
        let mut statement = self.connection().prepare_cached(
            "SELECT o.seq, e.id, o.attempts, o.answer FROM outbox o JOIN entries e USING (seq)
             WHERE o.state = 3 ORDER BY o.seq LIMIT ?1",
        )?;
        let letters = statement.query_map([limit], |row| {
            Ok(Letter { seq: row.get(0)?, id: row.get(1)?, attempts: row.get(2)?, answer: row.get(3)? })
        })?;
        Ok(letters.collect::<Result<_, _>>()?)
    }
}

fn item(row: &Row<'_>) -> Result<Item, Fault> {
    let id: String = row.get(1)?;
    Ok(Item { seq: row.get(0)?, id: id.parse().unwrap_or(Uuid::nil()), hash: row.get(2)?, body: row.get(3)? })
}
