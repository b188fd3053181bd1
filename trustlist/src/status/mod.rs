//! Token Status Lists (IETF draft-ietf-oauth-status-list, CWT form): packed, signed, a million codes a shard. Our own have two bits a code; lists
//! of others may have one, four or eight.
//!
//! Bits are counted from the least significant end of each byte (draft §4.1). A shard that is missing, or does not reach an index, says
//! *unknown*: never good.

mod array;
mod deflate;
pub mod delta;
mod table;

use std::{collections::BTreeMap, io::Read};

use ciborium::Value;
use flate2::read::ZlibDecoder;
use serde::{Deserialize, Serialize};

pub use array::StatusArray;
pub use table::StatusTable;

use crate::{
    code::{
        IssuerKey, KeyState,
        cbor::{self, Strictness},
        cose::{Profile, Sign1},
        cwt::{self, Map},
    },
    key::KeyId,
    time::{Moment, UnixTime, Window},
};

/// What the names of status targets begin with.
pub const PREFIX: &str = "status/";
/// Codes in one shard.
pub const SHARD: u64 = 1_000_000;
/// A shard inflated: stops a bomb. 32 million codes would fit.
pub const MAX_INFLATED: usize = 8 * 1024 * 1024;
/// Memory behind all shards of one issuer. Stops a province that lists dense shards by the hundred from taking the gate's; 130
/// million codes fit however many are set.
pub const MAX_KEPT: usize = 32 * 1024 * 1024;
/// Shards of one issuer that are read, and bytes that they inflate to together. Stops a province that lists thousands of shards that inflate
/// a thousandfold from keeping every gate from starting; 160 million codes fit.
pub const MAX_LISTS: usize = 1024;
/// See [`MAX_LISTS`].
pub const MAX_INFLATED_TOGETHER: usize = 40 * 1024 * 1024;
/// The same for all issuers of a device, in the order of the nation's list.
pub const DEVICE_LISTS: usize = 4096;
/// See [`DEVICE_LISTS`].
pub const DEVICE_INFLATED: usize = 512 * 1024 * 1024;
/// Memory behind all shards of a device.
pub const DEVICE_KEPT: usize = 64 * 1024 * 1024;

/// Claim "status_list" (draft §5.2).
pub const STATUS_LIST: i64 = 65533;
/// Claim "ttl" (draft §5.2).
pub const TTL: i64 = 65534;
/// Claim "sub": the list's own name.
pub const SUB: i64 = 2;
/// What the header says that the message is (draft §5.2).
pub const TYP: &str = "application/statuslist+cwt";

/// The draft's own example has its key id in the unprotected header.
const PROFILE: Profile = Profile { strictness: Strictness::Bounded, unprotected: true, untagged: false };

/// How one code stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// 0.
    Valid,
    /// 1.
    Revoked,
    /// 2.
    Suspended,
    /// 3, a missing shard, or an index beyond its end.
    Unknown,
}

impl Status {
    /// The two bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Revoked => 1,
            Self::Suspended => 2,
            Self::Unknown => 3,
        }
    }

    /// Of a value in the draft's registry (§7.1). What is reserved or of an application's own making is unknown.
    const fn of_value(value: u8) -> Status {
        match value {
            0 => Self::Valid,
            1 => Self::Revoked,
            2 => Self::Suspended,
            _ => Self::Unknown,
        }
    }

    const fn of_bits(bits: u8) -> Status {
        Self::of_value(bits & 3)
    }
}

/// One verified shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusList {
    /// Its own name, which is its target's: `status/3`.
    pub uri: String,
    /// When it was issued.
    pub issued: UnixTime,
    /// From when until when it counts, by its own word.
    pub window: Window,
    /// For how many seconds after its repository last stood by it; without end when absent.
    pub ttl: Option<i64>,
    /// The statuses.
    pub statuses: StatusTable,
}

impl StatusList {
    /// Reads the shard that stands under `uri` in the repository of the issuer whose keys these are.
    ///
    /// # Errors
    /// With what is wrong, in words.
    pub fn read(bytes: &[u8], uri: &str, keys: &[&IssuerKey]) -> Result<StatusList, String> {
        StatusList::read_within(bytes, uri, keys, MAX_INFLATED)
    }

    /// The same where there is room for so many bytes once it is inflated.
    ///
    /// # Errors
    /// With what is wrong, in words.
    pub fn read_within(bytes: &[u8], uri: &str, keys: &[&IssuerKey], room: usize) -> Result<StatusList, String> {
        // The compressed list is one byte string, so the walk's bounds on items and depth hold for it too.
        let sign1 = Sign1::parse(bytes, PROFILE).map_err(str::to_owned)?;
        // §5.2: the type is required, so that no other message of the key is taken for a list.
        if !sign1.typ.as_ref().is_some_and(|typ| typ.eq_ignore_ascii_case(TYP)) {
            return Err(format!("its type is not {TYP}"));
        }
        let fitting = keys
            .iter()
            .filter(|key| is_called(key, &sign1.kid) && sign1.algorithm == Some(key.public.algorithm().cose()));
        let signed = |key: &&&IssuerKey| sign1.signed_by(|message, signature| key.public.verify(message, signature));
        let signers: Vec<&&IssuerKey> = fitting.filter(signed).collect();
        if signers.is_empty() {
            return Err("no status key of the issuer made its signature".to_owned());
        }
        let said = Said::of(&sign1.payload)?;
        // The beginning of a key's validity is not asked for: a list is of the moment when it last changed, and a newer key signs it too.
        let ended = signers.iter().all(|key| key.ended_by(said.issued));
        if ended || signers.iter().any(|key| key.state == KeyState::Revoked) {
            return Err("the status key that made its signature was retired, revoked or over by then".to_owned());
        }
        if said.uri != uri {
            return Err(format!("it is the list {}", said.uri));
        }
        let statuses = StatusTable::of(&two_bits(inflate(&said.list, room.min(MAX_INFLATED))?, said.bits)?);
        Ok(StatusList { uri: said.uri, issued: said.issued, window: said.window, ttl: said.ttl, statuses })
    }

    /// Whether it says anything at `moment` (draft §8.3, steps 3 and 4), where its repository stood by it at `resolved`. By a clock that nobody
    /// confirms it does not where that clock calls it over.
    #[must_use]
    pub fn counts(&self, resolved: UnixTime, moment: Moment, skew: i64) -> bool {
        let to_come = |from: UnixTime| moment.has_come(from, skew) == Some(false);
        let held_until = self.ttl.map(|ttl| resolved.plus(ttl));
        let until = self.window.until.into_iter().chain(held_until).min();
        let over = until.is_some_and(|until| moment.has_passed(until, skew) != Some(false));
        !over && !to_come(self.issued) && !self.window.from.is_some_and(to_come)
    }
}

/// Whether `kid` names the key: by its id, or by the name that its list gives it, which has any length.
fn is_called(key: &IssuerKey, kid: &[u8]) -> bool {
    key.kid.0 == *kid || !kid.is_empty() && key.kid == KeyId::of(kid)
}

/// What a shard's payload says.
struct Said {
    uri: String,
    issued: UnixTime,
    window: Window,
    ttl: Option<i64>,
    /// Bits a code.
    bits: u32,
    /// Deflated.
    list: Vec<u8>,
}

impl Said {
    fn of(payload: &[u8]) -> Result<Said, String> {
        cbor::walk(payload, Strictness::Bounded).map_err(|fault| fault.to_string())?;
        let value: Value = ciborium::from_reader(payload).map_err(|_| "its payload is no CBOR")?;
        let map = Map::new(value).ok_or("its payload is no CWT")?;
        let list = map.map(STATUS_LIST)?.ok_or("it has no status_list")?;
        let bits = match list.named("bits").map(cwt::integer) {
            Some(Ok(bits @ (1 | 2 | 4 | 8))) => bits as u32,
            _ => return Err("it has not 1, 2, 4 or 8 bits a code".to_owned()),
        };
        let ttl = map.integer(TTL)?;
        if ttl.is_some_and(|ttl| ttl <= 0) {
            return Err("its ttl is no positive number".to_owned());
        }
        Ok(Said {
            window: Window { from: map.time(cwt::NBF, false)?, until: map.time(cwt::EXP, false)? },
            ttl,
            bits,
            uri: map.text(SUB)?.ok_or("it does not name itself")?.to_owned(),
            issued: map.time(cwt::IAT, false)?.ok_or("it has no iat")?,
            list: list.named("lst").and_then(Value::as_bytes).ok_or("it has no lst")?.clone(),
        })
    }
}

/// The packed bytes of one of our own shards, which is verified elsewhere.
fn packed(shard: &[u8]) -> Result<Vec<u8>, String> {
    let sign1 = Sign1::parse(shard, PROFILE)?;
    let said = Said::of(&sign1.payload)?;
    if said.bits != 2 {
        return Err("it has not two bits a code".to_owned());
    }
    inflate(&said.list, MAX_INFLATED)
}

/// Statuses of so many bits each as two bits each.
fn two_bits(bytes: Vec<u8>, bits: u32) -> Result<Vec<u8>, String> {
    if bits == 2 {
        return Ok(bytes);
    }
    let codes = bytes.len() * 8 / bits as usize;
    if codes.div_ceil(4) > MAX_INFLATED {
        return Err(format!("it has more than {} codes", MAX_INFLATED * 4));
    }
    let mut array = StatusArray::valid(codes);
    let mask = u8::MAX >> (8 - bits);
    let values = bytes.iter().flat_map(|byte| (0..8 / bits).map(move |place| byte >> (place * bits) & mask));
    for (index, value) in (0..).zip(values).filter(|(_, value)| *value != 0) {
        array.set(index, Status::of_value(value));
    }
    // Four codes fill a byte of ours; those beyond the list's end are nobody's.
    for index in codes as u64..array.codes() {
        array.set(index, Status::Unknown);
    }
    Ok(array.into_bytes())
}

fn inflate(list: &[u8], room: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut decoder = ZlibDecoder::new(list);
    let bounded = decoder.by_ref().take(room as u64 + 1).read_to_end(&mut bytes);
    bounded.map_err(|_| "its zlib stream is damaged")?;
    if bytes.len() > room {
        return Err(format!("it inflates beyond {room} bytes"));
    }
    // One stream and nothing after it (RFC 1950 §2.2): what is signed is what is read.
    if decoder.total_in() != list.len() as u64 {
        return Err("bytes follow its zlib stream".to_owned());
    }
    Ok(bytes)
}

/// What is left of the bounds for shards: of one issuer, or of all together.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Shards.
    pub lists: usize,
    /// Bytes that they inflate to.
    pub inflated: usize,
    /// Bytes of memory behind them.
    pub kept: usize,
}

impl Room {
    /// For one issuer.
    pub const ISSUER: Room = Room { lists: MAX_LISTS, inflated: MAX_INFLATED_TOGETHER, kept: MAX_KEPT };
    /// For all issuers of a device together.
    pub const DEVICE: Room = Room { lists: DEVICE_LISTS, inflated: DEVICE_INFLATED, kept: DEVICE_KEPT };

    /// What is left in both.
    #[must_use]
    pub fn and(self, other: Room) -> Room {
        Room {
            lists: self.lists.min(other.lists),
            inflated: self.inflated.min(other.inflated),
            kept: self.kept.min(other.kept),
        }
    }

    /// Takes what one shard took; one that was looked at in vain has cost its work, too.
    pub fn take(&mut self, inflated: usize, kept: usize) {
        self.lists = self.lists.saturating_sub(1);
        self.inflated = self.inflated.saturating_sub(inflated);
        self.kept = self.kept.saturating_sub(kept);
    }
}

/// All shards of one issuer by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusLists {
    lists: BTreeMap<String, StatusList>,
    /// Memory behind them.
    kept: usize,
}

impl StatusLists {
    /// Adds a shard.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn add(&mut self, list: StatusList) -> Result<(), String> {
        let kept = self.kept + list.statuses.memory();
        if kept > MAX_KEPT {
            return Err(format!("the lists of an issuer may take {MAX_KEPT} bytes together"));
        }
        self.kept = kept;
        self.lists.insert(list.uri.clone(), list);
        Ok(())
    }

    /// The shard of this name.
    #[must_use]
    pub fn list(&self, uri: &str) -> Option<&StatusList> {
        self.lists.get(uri)
    }

    /// How the code at `index` of the list `uri` stands.
    #[must_use]
    pub fn status(&self, uri: &str, index: u64) -> Status {
        self.lists.get(uri).map_or(Status::Unknown, |list| list.statuses.status(index))
    }

    /// How many shards there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lists.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Bytes of memory behind all shards.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.kept
    }

    /// How many codes all shards have room for.
    #[must_use]
    pub fn codes(&self) -> u64 {
        self.lists.values().map(|list| list.statuses.codes()).sum()
    }

    /// How many codes stand as revoked, suspended, unknown, over all shards.
    #[must_use]
    pub fn counts(&self) -> [u64; 3] {
        self.lists.values().fold([0; 3], |sum, list| {
            let counts = list.statuses.counts();
            [sum[0] + counts[0], sum[1] + counts[1], sum[2] + counts[2]]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_counted_from_the_least_significant_end() {
        // draft §4.1: with two bits a code, index 0 is in bits 0 and 1 of the first byte.
        let array = StatusArray::from_bytes(vec![0b1110_0100, 0b0000_0001]);
        let statuses: Vec<Status> = (0..9).map(|index| array.status(index)).collect();
        assert_eq!(statuses[..4], [Status::Valid, Status::Revoked, Status::Suspended, Status::Unknown]);
        assert_eq!(statuses[4], Status::Revoked);
        assert_eq!(statuses[8], Status::Unknown, "beyond the end is unknown, not valid");
    }

    #[test]
    fn setting_one_code_leaves_its_neighbours() {
        let mut array = StatusArray::valid(10);
        assert!(array.set(5, Status::Suspended) && array.set(6, Status::Revoked) && array.set(5, Status::Revoked));
        assert_eq!(array.bytes(), [0, 0b0001_0100, 0]);
        assert!(!array.set(12, Status::Revoked));
    }

    #[test]
    fn a_shard_that_finds_no_room_is_left_out_and_its_codes_are_unknown() {
        let mut lists = StatusLists::default();
        let dense = StatusTable::of(&vec![0x55; MAX_INFLATED]);
        let list = |number| StatusList {
            uri: format!("status/{number}"),
            issued: UnixTime(0),
            window: Window::default(),
            ttl: None,
            statuses: dense.clone(),
        };
        let taken = (0..9).take_while(|number| lists.add(list(*number)).is_ok()).count();
        assert_eq!(
            (taken, lists.len()),
            (3, 3),
            "a dense shard of the largest size takes a little more than its bytes"
        );
        assert_eq!([lists.status("status/2", 7), lists.status("status/3", 7)], [Status::Revoked, Status::Unknown]);
    }

    #[test]
    fn a_missing_shard_is_unknown() {
        assert_eq!(StatusLists::default().status("status/0", 0), Status::Unknown);
    }
}
