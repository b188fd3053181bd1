//! What the log remembers: scan rows, and the events that may follow one.
//!
//! A committed row is never changed, because its hash is already in its successor. What is learnt later (the traveller
//! passed, an officer decided otherwise) is a row of its own that names the scan.
//!
//! The `body` of a row is one JSON object with its members in the order of the structures below. Its exact bytes are what
//! is chained, uploaded and exported; the columns a query sees are generated from them, so a query can never see what the
//! chain does not cover. `cache/LOG.md` specifies it for a second implementation.

use std::fmt;

use serde::{Deserialize, Serialize};
use trustlist::{
    region::Region,
    time::TimeTrust,
    verdict::{Reason, Verdict},
};
use uuid::Uuid;

pub use super::unix_millis::UnixMillis;
use super::{chain::Head, officer::Word};
use crate::machine::Machine;

/// Which way the traveller goes through the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Into the controlled area.
    Entry,
    /// Out of it.
    Exit,
}

impl Direction {
    /// The stable word for rows and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Exit => "exit",
        }
    }
}

/// What became of the opened gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passage {
    /// The lane has no sensor, or the gate stayed closed.
    Unobserved,
    /// The traveller went through.
    Passed,
    /// The gate was open and nobody went through: the admission is unused.
    NotTaken,
}

impl Passage {
    /// The stable word for rows and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unobserved => "unobserved",
            Self::Passed => "passed",
            Self::NotTaken => "not-taken",
        }
    }

    const fn unobserved() -> Passage {
        Self::Unobserved
    }

    /// Version 1 wrote the word into every scan; version 2 leaves out what says nothing.
    fn says_nothing(&self) -> bool {
        *self == Self::Unobserved
    }
}

/// What happened at a gate that no verdict stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unbidden {
    /// The fire or egress contact holds the gate open from here on; nobody is judged meanwhile.
    Alarm,
    /// That is over, and the gate closed.
    AlarmOver,
    /// Somebody went through without an admission.
    Forced,
}

impl Unbidden {
    /// The stable word for rows and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::AlarmOver => "alarm-over",
            Self::Forced => "forced",
        }
    }
}

/// A one-way name of a code for one day: HMAC-SHA-256 under the day key. It dies with the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub [u8; 32]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Serialize for Token {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
        bytes.try_into().map(Token).map_err(|_| serde::de::Error::custom("a token has 32 bytes"))
    }
}

/// One verdict. The identity, `id`, is added when the row is appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanRow {
    /// When the verdict was given, by this device's clock. Never rewritten, whatever the clock turns out to have been.
    pub at_ms: UnixMillis,
    /// How far that clock was believed.
    pub time_trust: TimeTrust,
    /// The lane's name in the configuration.
    pub lane: String,
    /// Which way.
    pub direction: Direction,
    /// What the lane did.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// A stable word that narrows the reason down.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// Who issued the code, once attested.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub issuer: Option<Region>,
    /// The key id the code named, in hex.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kid: Option<String>,
    /// `MR1`, `HC1`, …
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub format: Option<String>,
    /// `direct`, `intermediary` or `national`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub route: Option<String>,
    /// Generation of the issuer's list that was used.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub list_generation: Option<u64>,
    /// Age of that list in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub list_age_s: Option<i64>,
    /// The code's name for the day.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<Token>,
    /// From the first decodable frame to the verdict, in microseconds.
    pub time_to_verdict_us: u32,
    /// What is known of the passage when the row is written; usually nothing yet.
    #[serde(skip_serializing_if = "Passage::says_nothing", default = "Passage::unobserved")]
    pub passage: Passage,
}

/// Something that is not a verdict and belongs into the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// The first row of a log.
    Begin {
        /// Names this log; anchors repeat it.
        log: Uuid,
        /// The device's verification key, in the text form of signed notes.
        key: String,
        /// The damaged or cut file this log takes over from.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        follows: Option<String>,
        /// What was known of the end of the log before this one, where something was.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        witness: Option<Witness>,
    },
    /// What became of an admission.
    Passage {
        /// The scan.
        scan: Uuid,
        /// What happened.
        passage: Passage,
    },
    /// Something happened at a gate that no verdict stands behind.
    Gate {
        /// The lane's name in the configuration.
        lane: String,
        /// What.
        what: Unbidden,
    },
    /// An officer decided otherwise than the device, and signed it.
    Override(Word),
    /// The daemon started, or took another configuration.
    Config {
        /// The program's version.
        version: String,
        /// SHA-256 of the configuration in effect, in hex.
        config: String,
    },
    /// A configuration code was taken; the `config` row after it says what holds since.
    ConfigurationCode {
        /// Its number.
        number: u64,
        /// The id of the national platform's key that signed it.
        kid: String,
        /// The lane that saw it.
        lane: String,
        /// What it set; names, never values.
        sets: Vec<String>,
    },
    /// The device signs with another key from here on.
    Key {
        /// The new verification key.
        key: String,
    },
    /// Rows were deleted, and day keys destroyed, by retention or for want of space.
    Retention {
        /// Every row up to and including this one is gone.
        through: u64,
        /// Hash of that last deleted row: the one the first remaining row was chained to.
        #[serde(with = "hex32")]
        head: [u8; 32],
        /// Rows this cut deleted.
        rows: u64,
        /// Of those, rows no centre had acknowledged.
        unsent: u64,
        /// Day keys up to and including this UTC day are destroyed.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        keys_through_day: Option<i64>,
        /// `age` or `space`.
        why: Cut,
    },
    /// Gates opened for travellers whose rows are not in this log.
    Gap {
        /// How many, where it is known.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        openings: Option<u64>,
        /// The most it can have been, where the number is not known: the end was not orderly.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        at_most: Option<u64>,
        /// The first of them.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        first_ms: Option<UnixMillis>,
        /// The last of them.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        last_ms: Option<UnixMillis>,
    },
    /// Somebody who stood at this device said that another first root of the nation counts.
    Root {
        /// SHA-256 of the first root that counted before, in hex.
        old: String,
        /// SHA-256 of the one that counts from here on, in hex.
        new: String,
        /// The generation of the nation's lists that came into force with it.
        generation: u64,
    },
    /// The floor of time moved by more than the clocks' allowance.
    Floor {
        /// Where it stood; absent when there was none.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        old_ms: Option<UnixMillis>,
        /// Where it stands from here on.
        new_ms: UnixMillis,
        /// What moved it, a stable word: `quorum`, `confirmed-clock`, `settled-by-root`, `settled-by-officer`.
        evidence: String,
    },
}

/// The end of a log as something outside its database knew it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// Which log.
    pub log: Uuid,
    /// The last row that was known there.
    pub seq: u64,
    /// That row's hash.
    #[serde(with = "hex32")]
    pub hash: [u8; 32],
    /// Who knew it.
    pub by: WitnessKind,
}

impl Witness {
    /// The head it speaks of.
    #[must_use]
    pub const fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }
}

/// What knows the end of a log without being its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WitnessKind {
    /// The head file beside the log.
    HeadFile,
    /// A receipt that the centre signed.
    Receipt,
}

impl WitnessKind {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::HeadFile => "head-file",
            Self::Receipt => "receipt",
        }
    }
}

/// Why rows were deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// They were older than the retention period.
    Age,
    /// The disk was full.
    Space,
}

/// One row of the log as read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Position in the chain, from 1.
    pub seq: u64,
    /// Identity.
    pub id: Uuid,
    /// When.
    pub at: UnixMillis,
    /// What.
    pub body: Body,
}

/// What a row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A verdict.
    Scan(ScanRow),
    /// Anything else.
    Event(Event),
}

/// The row's bytes as chained.
#[derive(Serialize)]
struct Written<'a, T: Serialize> {
    v: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    id: &'a Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_ms: Option<UnixMillis>,
    #[serde(flatten)]
    rest: &'a T,
}

/// Version of the body's vocabulary that is written. Version 1 is read as well: its tokens do not cover the issuer, it knows neither `gap`
/// nor `floor`, and it spells `"passage":"unobserved"` out.
pub const VERSION: u8 = 2;

impl ScanRow {
    /// The JSON text that is stored and chained.
    #[must_use]
    pub fn body(&self, id: &Uuid) -> String {
        serde_json::to_string(&Written { v: VERSION, kind: Some("scan"), id, at_ms: None, rest: self })
            .expect("strings, numbers and words always serialise")
    }
}

impl Event {
    /// The JSON text that is stored and chained.
    #[must_use]
    pub fn body(&self, id: &Uuid, at: UnixMillis) -> String {
        serde_json::to_string(&Written { v: VERSION, kind: None, id, at_ms: Some(at), rest: self })
            .expect("strings, numbers and words always serialise")
    }
}

/// A row's text is not one this release understands.
#[derive(Debug)]
pub struct Unreadable(pub serde_json::Error);

impl Entry {
    /// Reads a row's text.
    pub fn parse(seq: u64, body: &str) -> Result<Entry, Unreadable> {
        #[derive(Deserialize)]
        struct Head {
            id: Uuid,
            at_ms: UnixMillis,
            kind: String,
        }
        let Head { id, at_ms: at, kind } = serde_json::from_str(body).map_err(Unreadable)?;
        let body = if kind == "scan" {
            Body::Scan(serde_json::from_str(body).map_err(Unreadable)?)
        } else {
            Body::Event(serde_json::from_str(body).map_err(Unreadable)?)
        };
        Ok(Entry { seq, id, at, body })
    }
}

/// UUIDv7 (RFC 9562 §5.7): milliseconds, then 74 random bits.
///
/// # Errors
/// The system has no randomness.
pub(crate) fn new_id(machine: &Machine, at: UnixMillis) -> Result<Uuid, getrandom::Error> {
    let random = machine.random()?;
    let millis = u64::try_from(at.0).unwrap_or(0) & 0xffff_ffff_ffff;
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

mod hex32 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::HEXLOWER.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(D::Error::custom)?;
        bytes.try_into().map_err(|_| D::Error::custom("a hash has 32 bytes"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A plausible row, `n` scans into a morning.
    pub fn row(n: i64) -> ScanRow {
        ScanRow {
            at_ms: UnixMillis(1_612_137_600_000 + n * 1500),
            time_trust: TimeTrust::Synced,
            lane: format!("{}", n % 3 + 1),
            direction: if n % 2 == 0 { Direction::Entry } else { Direction::Exit },
            verdict: Verdict::Admit,
            reason: Reason::Ok,
            detail: None,
            issuer: Some("420000".parse().expect("a region")),
            kid: Some("0123456789abcdef".into()),
            format: Some("MR1".into()),
            route: Some("direct".into()),
            list_generation: Some(17),
            list_age_s: Some(3600),
            token: Some(Token([u8::try_from(n % 251).expect("small"); 32])),
            time_to_verdict_us: 40_000 + u32::try_from(n % 1000).expect("small"),
            passage: Passage::Unobserved,
        }
    }

    #[test]
    fn a_row_is_read_back_as_it_was_written() {
        let id = new_id(&Machine::real(), UnixMillis(1_612_137_600_000)).expect("randomness");
        assert_eq!(id.get_version_num(), 7);
        let body = row(0).body(&id);
        let entry = Entry::parse(1, &body).expect("readable");
        assert_eq!(entry, Entry { seq: 1, id, at: row(0).at_ms, body: Body::Scan(row(0)) });
        assert!(body.starts_with("{\"v\":2,\"kind\":\"scan\",\"id\":\""), "{body}");
    }

    #[test]
    fn every_event_is_read_back_as_it_was_written() {
        let id = new_id(&Machine::real(), UnixMillis(5)).expect("randomness");
        for event in [
            Event::Begin { log: id, key: "k".into(), follows: Some("scans.db.damaged".into()), witness: None },
            Event::Begin {
                log: id,
                key: "k".into(),
                follows: Some("scans.db.cut".into()),
                witness: Some(Witness { log: id, seq: 7, hash: [1; 32], by: WitnessKind::HeadFile }),
            },
            Event::Passage { scan: id, passage: Passage::NotTaken },
            Event::Gate { lane: "1".into(), what: Unbidden::AlarmOver },
            Event::Override(crate::log::officer::tests::signed(id, Verdict::Admit, 1)),
            Event::Config { version: "0.1.0".into(), config: "00".into() },
            Event::Key { key: "k".into() },
            Event::Retention {
                through: 9,
                head: [7; 32],
                rows: 9,
                unsent: 1,
                keys_through_day: Some(4),
                why: Cut::Age,
            },
            Event::Gap {
                openings: Some(3),
                at_most: None,
                first_ms: Some(UnixMillis(1)),
                last_ms: Some(UnixMillis(2)),
            },
            Event::Gap { openings: None, at_most: Some(8), first_ms: None, last_ms: None },
            Event::Floor { old_ms: None, new_ms: UnixMillis(9), evidence: "quorum".into() },
            Event::Root { old: "aa".into(), new: "bb".into(), generation: 4 },
        ] {
            let body = event.body(&id, UnixMillis(5));
            let entry = Entry::parse(2, &body).expect("readable");
            assert_eq!(entry, Entry { seq: 2, id, at: UnixMillis(5), body: Body::Event(event) }, "{body}");
        }
    }

    #[test]
    fn a_row_of_version_1_is_still_read() {
        let body = r#"{"v":1,"kind":"scan","id":"01775ae8-2204-7bab-be50-b40ae34103be","at_ms":1612137600000,"time_trust":"synced","lane":"1","direction":"entry","verdict":"admit","reason":"ok","time_to_verdict_us":41000,"passage":"unobserved"}"#;
        let Body::Scan(scan) = Entry::parse(1, body).expect("readable").body else { panic!("a scan") };
        assert_eq!((scan.passage, scan.token), (Passage::Unobserved, None));
    }

    #[test]
    fn a_token_does_not_print_itself() {
        assert_eq!(format!("{:?}", Token([7; 32])), "Token(..)");
    }
}
