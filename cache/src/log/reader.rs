//! A reading connection: for the lane's question "was this code here before?", the page, and the commands.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};
use trustlist::region::Region;
use uuid::Uuid;

use super::{
    fault::Fault,
    open,
    row::{Token, UnixMillis},
    schema,
    table::{held, meta, meta_number},
};

/// Milliseconds of an hour.
const HOUR: i64 = 3_600_000;

/// The log, open for reading. It never blocks the writer, nor waits for it.
#[derive(Debug)]
pub struct Reader {
    pub(super) connection: Connection,
    /// The schema: an export of an older release is read as it is.
    pub(super) version: i64,
}

/// An earlier admission of the same code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The scan.
    pub id: Uuid,
    /// When.
    pub at: UnixMillis,
    /// Where.
    pub lane: String,
}

impl Reader {
    /// Opens an existing log.
    pub fn open(path: &Path) -> Result<Reader, Fault> {
        let connection = open::readable(path)?;
        let version = schema::version(&connection)?;
        Ok(Reader { connection, version })
    }

    /// The latest admission since `since`, in one of `lanes`, of the issuer's code these tokens stand for (each day's, of
    /// both versions of the log).
    ///
    /// An officer's word counts as theirs: a referred traveller who was let through was here, an admission that was
    /// overridden, annulled or never walked through was not.
    pub fn seen_since(
        &self,
        tokens: &[Token],
        issuer: Region,
        lanes: &[&str],
        since: UnixMillis,
        now: UnixMillis,
    ) -> Result<Option<Seen>, Fault> {
        let tokens = serde_json::to_string(tokens).expect("tokens are words");
        let lanes = serde_json::to_string(lanes).expect("lanes are words");
        // The index of tokens begins with the hour. Until the end of the day, so that a clock that was set back finds what it wrote.
        let hours: Vec<i64> = (since.0 / HOUR..(now.day() + 1) * 24).collect();
        let hours = serde_json::to_string(&hours).expect("hours are numbers");
        let mut statement = self.connection.prepare_cached(
            "SELECT e.id, e.at_ms, e.body ->> '$.lane'
             FROM json_each(?5) h CROSS JOIN json_each(?1) t
             JOIN entries e ON e.hour = h.value AND e.tag = substr(t.value, 1, 16)
             WHERE e.token = t.value AND e.at_ms >= ?2 AND e.kind = 'scan'
               AND e.body ->> '$.issuer' = ?4
               AND e.body ->> '$.lane' IN (SELECT value FROM json_each(?3))
               AND coalesce(
                     (SELECT o.body ->> '$.verdict' FROM entries o
                      WHERE o.scan = e.id AND o.kind = 'override' ORDER BY o.seq DESC LIMIT 1),
                     e.body ->> '$.verdict') = 'admit'
               AND NOT EXISTS (SELECT 1 FROM entries f WHERE f.scan = e.id
                     AND (f.kind = 'annulment' OR (f.kind = 'passage' AND f.body ->> '$.passage' = 'not-taken')))
             ORDER BY e.at_ms DESC LIMIT 1",
        )?;
        let row = statement
            .query_row((tokens, since.0, lanes, issuer.to_string(), hours), |row| {
                Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        Ok(row.and_then(|(id, at, lane)| Some(Seen { id: id.parse().ok()?, at: UnixMillis(at), lane })))
    }

    /// The name of this log.
    pub fn log_id(&self) -> Result<Option<Uuid>, Fault> {
        meta_number(&self.connection, "log")
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The newest anchor: what is worth keeping elsewhere.
    pub fn newest_anchor(&self) -> Result<Option<String>, Fault> {
        let sql = "SELECT note FROM anchors ORDER BY seq DESC LIMIT 1";
        Ok(self.connection.query_row(sql, [], |row| row.get(0)).optional()?)
    }

    /// The verification key the log names as its device's, in the text form of signed notes.
    pub fn public_key(&self) -> Result<Option<String>, Fault> {
        meta(&self.connection, "key")
    }

    /// The latest time that this device was sure of.
    pub fn time_floor(&self) -> Result<Option<UnixMillis>, Fault> {
        let floor = open::floor(&self.connection)?;
        Ok((floor.0 != i64::MIN).then_some(floor))
    }

    /// Rows in the log: the chain has no gaps, and is only ever cut off at its beginning.
    pub fn rows(&self) -> Result<u64, Fault> {
        let held = held(&self.connection)?;
        Ok((*held.end() + 1).saturating_sub(*held.start()))
    }
}
