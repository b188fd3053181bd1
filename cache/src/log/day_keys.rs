//! Day keys: the secrets that make repeat tokens, one for each UTC day, destroyed by retention.
//!
//! A token lets one post ask "was this code here before?" without keeping anything that names it. Once the day's key is
//! destroyed, nobody can tell any more which code a token stood for, or whether two posts' tokens meant the same traveller.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{Connection, OptionalExtension};
use sha2::Sha256;

use super::{fault::Fault, row::Token};

/// The secret of one UTC day. Prints without itself.
#[derive(Clone)]
pub struct DayKey {
    pub(super) day: i64,
    key: [u8; 32],
}

impl fmt::Debug for DayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DayKey(day {})", self.day)
    }
}

impl DayKey {
    /// The code's name for this day; `cti` is the code's own identity (RFC 8392 §3.1.7).
    #[must_use]
    pub fn token(&self, cti: &[u8]) -> Token {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(cti);
        Token(mac.finalize().into_bytes().into())
    }
}

/// Makes the day's key unless there is one.
pub(super) fn ensure(connection: &Connection, day: i64) -> Result<(), Fault> {
    let mut exists = connection.prepare_cached("SELECT 1 FROM day_keys WHERE day = ?1")?;
    if exists.exists([day])? {
        return Ok(());
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    connection.prepare_cached("INSERT OR IGNORE INTO day_keys (day, key) VALUES (?1, ?2)")?.execute((day, key))?;
    Ok(())
}

/// Reads the day's key, if it was made and not yet destroyed.
pub(super) fn read(connection: &Connection, day: i64) -> Result<Option<DayKey>, Fault> {
    let mut statement = connection.prepare_cached("SELECT key FROM day_keys WHERE day = ?1")?;
    Ok(statement.query_row([day], |row| Ok(DayKey { day, key: row.get(0)? })).optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_same_within_the_day_and_another_under_another_key() {
        let monday = DayKey { day: 1, key: [1; 32] };
        let tuesday = DayKey { day: 2, key: [2; 32] };
        assert_eq!(monday.token(b"code"), monday.token(b"code"));
        assert_ne!(monday.token(b"code"), monday.token(b"other"));
        assert_ne!(monday.token(b"code"), tuesday.token(b"code"));
        assert_eq!(format!("{monday:?}"), "DayKey(day 1)");
    }
}
