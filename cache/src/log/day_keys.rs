//! Day keys: the secrets that make repeat tokens, one for each UTC day, destroyed by retention.
//!
//! A token lets one post ask "was this code here before?" without keeping anything that names it. Once the day's key is
//! destroyed, nobody can tell any more which code a token stood for, or whether two posts' tokens meant the same traveller.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{Connection, OptionalExtension};
use sha2::Sha256;
use trustlist::region::Region;

use super::{fault::Fault, row::Token};
use crate::machine::Machine;

/// What names a code among all codes: who issued it, and the id it carries. Neither is ever stored.
#[derive(Clone, Copy)]
pub struct CodeId<'a> {
    /// The issuer whose key signed it.
    pub issuer: Region,
    /// The code's own id (`cti`), unique for that issuer.
    pub id: &'a [u8],
}

impl fmt::Debug for CodeId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeId({})", self.issuer)
    }
}

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
    /// The code's name for this day.
    ///
    /// An id is unique for its issuer only (RFC 8392 §3.1.7): two provinces that number alike must not lock each other's holders
    /// out, so the token covers both. An issuer that begins with a digit has six characters and any other has two, so issuer and
    /// id cannot be split in two ways.
    #[must_use]
    pub fn token(&self, code: &CodeId<'_>) -> Token {
        self.mac(&[code.issuer.to_string().as_bytes(), code.id])
    }

    /// The name that version 1 of the log gave it, which does not cover the issuer. Looked up until its last rows are forgotten.
    #[must_use]
    pub(super) fn token_1(&self, code: &CodeId<'_>) -> Token {
        self.mac(&[code.id])
    }

    fn mac(&self, parts: &[&[u8]]) -> Token {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        parts.iter().for_each(|part| mac.update(part));
        Token(mac.finalize().into_bytes().into())
    }
}

/// Makes the day's key unless there is one.
pub(super) fn ensure(connection: &Connection, machine: &Machine, day: i64) -> Result<(), Fault> {
    let mut exists = connection.prepare_cached("SELECT 1 FROM day_keys WHERE day = ?1")?;
    if exists.exists([day])? {
        return Ok(());
    }
    let key: [u8; 32] = machine.random()?;
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

    fn code<'a>(issuer: &str, id: &'a [u8]) -> CodeId<'a> {
        CodeId { issuer: issuer.parse().expect("a region"), id }
    }

    #[test]
    fn a_token_is_the_same_within_the_day_and_another_under_another_key() {
        let monday = DayKey { day: 1, key: [1; 32] };
        let tuesday = DayKey { day: 2, key: [2; 32] };
        let hubei = code("420000", b"code");
        assert_eq!(monday.token(&hubei), monday.token(&hubei));
        assert_ne!(monday.token(&hubei), monday.token(&code("420000", b"other")));
        assert_ne!(monday.token(&hubei), tuesday.token(&hubei));
        assert_eq!(format!("{monday:?}"), "DayKey(day 1)");
        assert_eq!(format!("{hubei:?}"), "CodeId(420000)");
    }

    #[test]
    fn the_same_id_of_two_issuers_has_two_tokens() {
        let key = DayKey { day: 1, key: [1; 32] };
        assert_ne!(key.token(&code("420000", b"code")), key.token(&code("440000", b"code")));
        assert_ne!(key.token(&code("DE", b"0000x")), key.token(&code("420000", b"x")));
        assert_eq!(key.token_1(&code("420000", b"code")), key.token_1(&code("440000", b"code")), "as version 1 had it");
    }
}
