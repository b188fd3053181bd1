//! Claims of a CWT (RFC 8392) as read from a signed payload: a map, its values asked for by key and by type.

use ciborium::Value;

use crate::time::UnixTime;

/// Issuer (RFC 8392 §3.1.1).
pub const ISS: i64 = 1;
/// Expiration time (§3.1.4).
pub const EXP: i64 = 4;
/// Not before (§3.1.5).
pub const NBF: i64 = 5;
/// Issued at (§3.1.6).
pub const IAT: i64 = 6;
/// CWT id (§3.1.7).
pub const CTI: i64 = 7;

/// The latest time that is read as seconds: 9999-12-31. Stops milliseconds, which would put an expiry 50,000 years away.
const LATEST: i64 = 253_402_300_799;

/// A CBOR map under integer keys. Duplicate keys were refused by the walk before.
pub struct Map(Vec<(Value, Value)>);

impl Map {
    /// Takes a value that is a map.
    pub fn new(value: Value) -> Option<Map> {
        value.into_map().ok().map(Map)
    }

    /// The value under `key`.
    #[must_use]
    pub fn value(&self, key: i64) -> Option<&Value> {
        let key = Value::from(key);
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The text under `key`; an error when something else stands there.
    pub fn text(&self, key: i64) -> Result<Option<&str>, &'static str> {
        self.value(key).map(|value| value.as_text().ok_or("bad-cwt")).transpose()
    }

    /// The bytes under `key`; an error when something else stands there.
    pub fn bytes(&self, key: i64) -> Result<Option<&[u8]>, &'static str> {
        self.value(key).map(|value| value.as_bytes().map(Vec::as_slice).ok_or("bad-cwt")).transpose()
    }

    /// The integer under `key`; an error when something else stands there.
    pub fn integer(&self, key: i64) -> Result<Option<i64>, &'static str> {
        self.value(key).map(integer).transpose()
    }

    /// The map under `key`; an error when something else stands there.
    pub fn map(&self, key: i64) -> Result<Option<Map>, &'static str> {
        self.value(key).map(|value| Map::new(value.clone()).ok_or("bad-cwt")).transpose()
    }

    /// The array under `key`, empty when there is none; an error when something else stands there.
    pub fn array(&self, key: i64) -> Result<&[Value], &'static str> {
        self.value(key).map_or(Ok(&[]), |value| value.as_array().map(Vec::as_slice).ok_or("bad-cwt"))
    }

    /// Whether no other keys than these stand in it.
    #[must_use]
    pub fn has_only(&self, keys: &[i64]) -> bool {
        self.0.iter().all(|(name, _)| integer(name).is_ok_and(|name| keys.contains(&name)))
    }

    /// The value under the text key `name`.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
    }

    /// The map under the text key `name`.
    #[must_use]
    pub fn named_map(&self, name: &str) -> Option<Map> {
        self.named(name).cloned().and_then(Map::new)
    }

    /// The time under `key` in whole seconds. `floats` allows what RFC 8392 §2 allows and our own format does not.
    pub fn time(&self, key: i64, floats: bool) -> Result<Option<UnixTime>, &'static str> {
        self.value(key).map(|value| time(value, floats)).transpose()
    }
}

/// An integer that fits 64 bits.
pub fn integer(value: &Value) -> Result<i64, &'static str> {
    value.as_integer().and_then(|integer| i64::try_from(integer).ok()).ok_or("bad-cwt")
}

fn time(value: &Value, floats: bool) -> Result<UnixTime, &'static str> {
    let seconds = match value {
        #[expect(clippy::cast_possible_truncation, reason = "between 0 and LATEST, checked first")]
        Value::Float(float) if floats && *float >= 0.0 && *float <= LATEST as f64 => float.floor() as i64,
        Value::Integer(_) => integer(value)?,
        // NaN, infinities, texts and the rest.
        _ => return Err("bad-time"),
    };
    if (0..=LATEST).contains(&seconds) { Ok(UnixTime(seconds)) } else { Err("bad-time") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value, floats: bool) -> Result<Option<UnixTime>, &'static str> {
        Map(vec![(Value::from(EXP), value)]).time(EXP, floats)
    }

    #[test]
    fn a_time_is_whole_seconds_of_this_calendar() {
        assert_eq!(read(Value::from(1_613_059_200), false), Ok(Some(UnixTime(1_613_059_200))));
        for (value, fault) in [
            (Value::from(-1), "negative"),
            (Value::from(1_613_059_200_000_i64), "milliseconds"),
            (Value::from(u64::MAX), "beyond 63 bits"),
            (Value::Float(f64::NAN), "not a number"),
            (Value::Float(f64::INFINITY), "infinite"),
            (Value::Float(-0.5), "negative"),
            (Value::Text("2021".to_owned()), "a text"),
        ] {
            assert!(read(value.clone(), true).is_err(), "{fault}");
            assert!(read(value, false).is_err(), "{fault}");
        }
    }

    #[test]
    fn a_fraction_of_a_second_counts_where_the_format_allows_it() {
        assert_eq!(read(Value::Float(12.9), true), Ok(Some(UnixTime(12))));
        assert_eq!(read(Value::Float(12.9), false), Err("bad-time"));
    }
}
