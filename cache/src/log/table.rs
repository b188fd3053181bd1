//! The small questions that every part of the log asks its database.

use std::ops::RangeInclusive;

use rusqlite::{Connection, OptionalExtension};

use super::{chain::Head, fault::Fault};

/// The last row's place and hash.
pub(super) fn head(connection: &Connection) -> Result<Head, Fault> {
    let mut statement = connection.prepare_cached("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1")?;
    let head = statement.query_row([], |row| Ok(Head { seq: row.get(0)?, hash: row.get(1)? })).optional()?;
    Ok(head.unwrap_or(Head::ORIGIN))
}

/// The first and last place that is held; empty (`1..=0`) when none is.
pub(super) fn held(connection: &Connection) -> Result<RangeInclusive<u64>, Fault> {
    let mut statement = connection.prepare_cached("SELECT min(seq), (SELECT max(seq) FROM entries) FROM entries")?;
    let (first, last): (Option<u64>, Option<u64>) = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(first.unwrap_or(1)..=last.unwrap_or(0))
}

/// Hash of the row at this place, as far as it is held.
pub(super) fn hash_of(connection: &Connection, seq: u64) -> Result<Option<[u8; 32]>, Fault> {
    let mut statement = connection.prepare_cached("SELECT hash FROM entries WHERE seq = ?1")?;
    Ok(statement.query_row([seq], |row| row.get(0)).optional()?)
}

pub(super) fn meta(connection: &Connection, name: &str) -> Result<Option<String>, Fault> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// The same as a number; `None` where there is none.
pub(super) fn meta_number<T: std::str::FromStr>(connection: &Connection, name: &str) -> Result<Option<T>, Fault> {
    Ok(meta(connection, name)?.and_then(|text| text.parse().ok()))
}

pub(super) fn set_meta(connection: &Connection, name: &str, value: &str) -> Result<(), Fault> {
    connection
        .prepare_cached("INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2")?
        .execute((name, value))?;
    Ok(())
}
