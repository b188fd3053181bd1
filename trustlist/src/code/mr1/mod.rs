//! `MR1`, our own pass code: Base45 of an optionally compressed COSE_Sign1 (tag 18, EdDSA) over a deterministic CWT.
//!
//! `trustlist/FORMAT.md` specifies it. The constants here are the format's numbers; the publisher's desk writes with them what this
//! file reads.

use ciborium::Value;

use super::{
    Claims, Colour, IssuerKey, MaskedName, Statement, StatusRef, Unbelieved, Visit,
    cbor::{self, Strictness},
    cose::{Profile, Sign1},
    cwt::{self, Map},
    text,
};
use crate::{
    key::{KeyId, PublicKey},
    region::Region,
};

/// What a text of this format begins with.
pub const PREFIX: &str = "MR1:";
/// Claim "status" (Token Status List): `{status_list: {idx, uri}}`.
pub const STATUS: i64 = 65535;
/// Private claim: the health statement.
pub const HEALTH_STATEMENT: i64 = -70001;

/// Class 1 of GB/T 38962-2020 in a health statement, *basic*: `{1: display name, 2: last digits of the document}`. Read past, but for
/// the name where a policy shows it.
pub const BASIC: i64 = 1;
/// In *basic*: the display name, masked by the issuer.
pub const NAME: i64 = 1;
/// Class 2, *health*: `{1: colour, 2: assessed at}`.
pub const HEALTH: i64 = 2;
/// Class 3, *itinerary*: `[[area code, last day there], …]`.
pub const ITINERARY: i64 = 3;
/// Class 4, *proof*: `[[kind, result, date], …]`. Read past.
pub const PROOF: i64 = 4;
/// The region that a national code speaks for.
pub const ON_BEHALF_OF: i64 = 5;
/// In *health*: the colour, 0 green, 1 yellow, 2 red.
pub const COLOUR: i64 = 1;
/// In *health*: when it was assessed.
pub const ASSESSED_AT: i64 = 2;

/// Visits read. A code fits some thirty in a symbol.
const MAX_VISITS: usize = 64;
/// Longest name of a status list.
const MAX_URI: usize = 64;

const PROFILE: Profile = Profile { strictness: Strictness::Deterministic, unprotected: false, untagged: false };

struct Message {
    sign1: Sign1,
    kid: KeyId,
}

/// Reads the text after the prefix.
pub(super) fn parse(body: &str) -> Result<Box<dyn Unbelieved>, &'static str> {
    let bytes = text::base45(body)?;
    let bytes = if text::is_zlib(&bytes) { text::inflate(&bytes)? } else { bytes };
    let sign1 = Sign1::parse(&bytes, PROFILE)?;
    if sign1.kid.is_empty() {
        return Err("no-kid");
    }
    let kid = KeyId(sign1.kid.as_slice().try_into().map_err(|_| "bad-kid")?);
    if sign1.algorithm.is_none() {
        return Err("no-alg");
    }
    Ok(Box::new(Message { sign1, kid }))
}

impl Message {
    fn map(&self) -> Result<Map, &'static str> {
        cbor::walk(&self.sign1.payload, Strictness::Deterministic).map_err(|_| "bad-cbor")?;
        let value: Value = ciborium::from_reader(self.sign1.payload.as_slice()).map_err(|_| "bad-cbor")?;
        Map::new(value).ok_or("bad-cwt")
    }
}

impl Unbelieved for Message {
    fn key_id(&self) -> Option<KeyId> {
        Some(self.kid)
    }

    fn algorithm(&self) -> Option<i64> {
        self.sign1.algorithm
    }

    fn claimed_issuer(&self) -> Option<Region> {
        self.map().ok()?.text(cwt::ISS).ok()??.parse().ok()
    }

    fn signed_by(&self, key: &PublicKey) -> bool {
        self.sign1.signed_by(|message, signature| key.verify(message, signature))
    }

    fn vouched_by(&self, keys: &[&IssuerKey]) -> bool {
        self.sign1.countersigned_by(|word, message| {
            let fits = |key: &&&IssuerKey| {
                word.algorithm == Some(key.public.algorithm().cose()) && (word.kid.is_empty() || word.kid == key.kid.0)
            };
            keys.iter().filter(fits).any(|key| key.public.verify(message, &word.signature))
        })
    }

    fn name(&self) -> Option<MaskedName> {
        let basic = self.map().ok()?.map(HEALTH_STATEMENT).ok()??.map(BASIC).ok()??;
        MaskedName::new(basic.text(NAME).ok()??)
    }

    fn claims(&self) -> Result<Claims, &'static str> {
        let map = self.map()?;
        let issuer = map.text(cwt::ISS)?.ok_or("no-iss")?.parse().map_err(|_| "bad-iss")?;
        let id = map.bytes(cwt::CTI)?.ok_or("no-cti")?;
        if !(8..=16).contains(&id.len()) {
            return Err("bad-cti");
        }
        Ok(Claims {
            issuer: Some(issuer),
            issued_at: map.time(cwt::IAT, false)?.ok_or("no-iat")?,
            not_before: map.time(cwt::NBF, false)?,
            expires: Some(map.time(cwt::EXP, false)?.ok_or("no-exp")?),
            id: id.to_vec(),
            status: map.map(STATUS)?.map(|status| status_ref(&status)).transpose()?,
            statement: statement(&map.map(HEALTH_STATEMENT)?.ok_or("no-statement")?)?,
            kind: None,
        })
    }
}

/// `{"status_list": {"idx": 7, "uri": "status/0"}}` (Token Status List, "Referenced Token in CWT").
fn status_ref(status: &Map) -> Result<StatusRef, &'static str> {
    let list = status.named_map("status_list").ok_or("bad-status")?;
    let index = list.named("idx").map(cwt::integer).ok_or("bad-status")??;
    let uri = list.named("uri").and_then(Value::as_text).ok_or("bad-status")?;
    if uri.len() > MAX_URI {
        return Err("bad-status");
    }
    Ok(StatusRef { index: u64::try_from(index).map_err(|_| "bad-status")?, uri: uri.to_owned() })
}

fn statement(map: &Map) -> Result<Statement, &'static str> {
    let health = map.map(HEALTH)?.ok_or("no-health")?;
    let colour = match health.integer(COLOUR)? {
        Some(0) => Colour::Green,
        Some(1) => Colour::Yellow,
        Some(2) => Colour::Red,
        _ => return Err("bad-colour"),
    };
    let visits = map.array(ITINERARY)?;
    if visits.len() > MAX_VISITS {
        return Err("itinerary-too-long");
    }
    Ok(Statement {
        colour: Some(colour),
        itinerary: visits.iter().map(visit).collect::<Result<_, _>>()?,
        on_behalf_of: map.text(ON_BEHALF_OF)?.map(str::parse).transpose().map_err(|_| "bad-on-behalf-of")?,
    })
}

fn visit(value: &Value) -> Result<Visit, &'static str> {
    let Some([Value::Text(area), last_day]) = value.as_array().map(Vec::as_slice) else { return Err("bad-itinerary") };
    Ok(Visit { area: area.parse().map_err(|_| "bad-itinerary")?, last_day: cwt::integer(last_day)? })
}
