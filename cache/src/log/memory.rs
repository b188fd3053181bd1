//! A lane's memory: it names codes for the day, asks whether one was here before, and appends rows.
//!
//! Each lane has its own; none waits for another, except for the disk.

use std::time::Duration;

use trustlist::time::TimeTrust;

use super::{
    Event, Fault, PassbackScope, Receipt, Reserved, ScanRow, Seen, Token, UnixMillis, Writer,
    day_keys::{self, CodeId, DayKey},
    openings::Objection,
    reader::Reader,
    reservations::Denied,
    writer::Opening,
};

/// Day keys kept at hand: today, yesterday and tomorrow are in use at once around midnight.
const KEYS: usize = 4;

/// One lane's access to the log.
#[derive(Debug)]
pub struct Memory {
    reader: Reader,
    writer: Writer,
    keys: Vec<DayKey>,
}

impl Memory {
    /// From the shared writer and a reader of the lane's own.
    #[must_use]
    pub fn new(writer: Writer, reader: Reader) -> Memory {
        Memory { reader, writer, keys: Vec::new() }
    }

    /// The code's name on the day of `at`. Should that day have no key yet, the disk is waited for `within` this time.
    ///
    /// # Errors
    /// When there is no key in time.
    pub fn token(&mut self, code: &CodeId<'_>, at: UnixMillis, within: Duration) -> Result<Token, Fault> {
        let day = at.day();
        if let Some(key) = self.keys.iter().find(|key| key.day == day) {
            return Ok(key.token(code));
        }
        let mut key = day_keys::read(&self.reader.connection, day)?;
        if key.is_none() {
            self.writer.make_day_key(day, within)?;
            key = day_keys::read(&self.reader.connection, day)?;
        }
        let key = key.ok_or(Fault::Closed)?;
        let token = key.token(code);
        if self.keys.len() == KEYS {
            self.keys.remove(0);
        }
        self.keys.push(key);
        Ok(token)
    }

    /// The latest admission of this code within the last `window_s` seconds in one of these lanes.
    ///
    /// Rows of version 1 are looked up under their own token, and count where their issuer is this one.
    pub fn seen(
        &mut self,
        code: &CodeId<'_>,
        lanes: &[&str],
        now: UnixMillis,
        window_s: u32,
    ) -> Result<Option<Seen>, Fault> {
        let since = now.plus(-1000 * i64::from(window_s));
        let mut tokens = Vec::new();
        for day in since.day()..=now.day() {
            if let Some(key) = day_keys::read(&self.reader.connection, day)? {
                tokens.extend([key.token(code), key.token_1(code)]);
            }
        }
        self.reader.seen_since(&tokens, code.issuer, lanes, since, now)
    }

    /// Reserves a code for a group of lanes and a direction, before anybody asks whether it was here before.
    ///
    /// # Errors
    /// When it is being used at this moment, or nobody can say.
    pub fn reserve(&self, scope: &PassbackScope<'_>, code: &CodeId<'_>) -> Result<Reserved, Denied> {
        self.writer.admissions().reserve(scope, code)
    }

    /// A place for the row of an admission whose gate will wait up to `wait` and then move. Ask before the row is written.
    ///
    /// # Errors
    /// When the gates are too far ahead of the disk: refer, and say why.
    pub fn opening(&self, at: UnixMillis, wait: Duration) -> Result<Opening, Objection> {
        self.writer.opening(at, wait)
    }

    /// Hands the row of an admission over, with its place.
    pub fn append_opening(&self, row: &ScanRow, opening: Opening) -> Receipt {
        self.writer.append_opening(row, opening)
    }

    /// Hands a row over.
    pub fn append(&self, row: &ScanRow) -> Receipt {
        self.writer.append(row)
    }

    /// Hands an event over.
    pub fn record(&self, event: &Event, at: UnixMillis, trust: TimeTrust) -> Receipt {
        self.writer.record(event, at, trust)
    }
}
