//! `NZCP`, the New Zealand COVID Pass, through the same door as our own code.
//!
//! "New Zealand COVID Pass — Technical Specification" 1.1: `NZCP:/1/`, Base32 (RFC 4648 §6, no padding), COSE_Sign1 (tag 18) with
//! ES256, CWT, and a verifiable credential in the claim `vc`. The message names its key in two halves, the issuer's decentralised
//! identifier in `iss` and a fragment in `kid`; together they are the DID URL under which the issuer publishes the key, and under
//! which the list states it (`name` of its entry). A key therefore never speaks for another `iss` than its own.

use ciborium::Value;
use data_encoding::BASE32_NOPAD;

use super::{
    Claims, IssuerKey, Statement, Unbelieved,
    cbor::{self, Strictness},
    cose::{Profile, Sign1},
    cwt::{self, Map},
    text::MAX_TEXT,
};
use crate::{
    key::{KeyId, PublicKey},
    region::Region,
};

/// What a text of this format begins with. The figure is the version (§4.1).
pub const PREFIX: &str = "NZCP:/1/";

/// Claim "vc" (§2.1).
const VC: &str = "vc";
/// Versions and type of credential read (§2.3, §2.4).
const VERSION: &str = "1.0.0";
const TYPES: [&str; 2] = ["VerifiableCredential", "PublicCovidPass"];
/// Only one country issues the format.
const COUNTRY: &str = "NZ";

const PROFILE: Profile = Profile { strictness: Strictness::Bounded, unprotected: false, untagged: false };

struct Message {
    sign1: Sign1,
    map: Map,
    kid: Option<KeyId>,
}

/// The key id of a key that is published under a DID URL: `did:web:nzcp.covid19.health.nz#key-1`.
#[must_use]
pub fn key_id(did_url: &str) -> KeyId {
    KeyId::of(did_url.as_bytes())
}

/// Reads the text after the prefix.
pub(super) fn parse(body: &str) -> Result<Box<dyn Unbelieved>, &'static str> {
    if body.len() > MAX_TEXT {
        return Err("text-too-long");
    }
    let bytes = BASE32_NOPAD.decode(body.as_bytes()).map_err(|_| "bad-base32")?;
    let sign1 = Sign1::parse(&bytes, PROFILE)?;
    if sign1.algorithm.is_none() {
        return Err("no-alg");
    }
    cbor::walk(&sign1.payload, Strictness::Bounded).map_err(|_| "bad-cwt")?;
    let value: Value = ciborium::from_reader(sign1.payload.as_slice()).map_err(|_| "bad-cwt")?;
    let map = Map::new(value).ok_or("bad-cwt")?;
    // The claim is read before it is believed, for its half of the key's name alone.
    let issuer = map.text(cwt::ISS)?.ok_or("bad-cwt")?;
    let fragment = std::str::from_utf8(&sign1.kid).ok().filter(|fragment| !fragment.is_empty());
    let kid = fragment.map(|fragment| key_id(&format!("{issuer}#{fragment}")));
    Ok(Box::new(Message { sign1, map, kid }))
}

impl Unbelieved for Message {
    fn key_id(&self) -> Option<KeyId> {
        self.kid
    }

    fn algorithm(&self) -> Option<i64> {
        self.sign1.algorithm
    }

    fn claimed_issuer(&self) -> Option<Region> {
        COUNTRY.parse().ok()
    }

    fn signed_by(&self, key: &PublicKey) -> bool {
        self.sign1.signed_by(|message, signature| key.verify(message, signature))
    }

    fn vouched_by(&self, _: &[&IssuerKey]) -> bool {
        // The format has no countersignature.
        false
    }

    fn claims(&self) -> Result<Claims, &'static str> {
        let time = |claim| self.map.time(claim, false).map_err(|_| "bad-cwt")?.ok_or("bad-cwt");
        let id = self.map.bytes(cwt::CTI)?.ok_or("bad-cwt")?;
        // A UUID (§2.1.1).
        if id.len() != 16 {
            return Err("bad-cwt");
        }
        credential(&self.map.named_map(VC).ok_or("bad-content")?)?;
        let not_before = time(cwt::NBF)?;
        Ok(Claims {
            // The issuer is the country of the key; the claim has done its part in the key's name.
            issuer: None,
            // The format has no time of issue.
            issued_at: not_before,
            not_before: Some(not_before),
            expires: Some(time(cwt::EXP)?),
            id: id.to_vec(),
            status: None,
            statement: Statement::default(),
            kind: None,
        })
    }
}

/// Holds the credential to its shape (§2.3 to §2.5). Name and date of birth are seen to be there and are not kept.
fn credential(vc: &Map) -> Result<(), &'static str> {
    let text =
        |map: &Map, name| map.named(name).is_some_and(|value| value.as_text().is_some_and(|text| !text.is_empty()));
    let types = vc.named("type").and_then(Value::as_array).ok_or("bad-content")?;
    let typed = TYPES.iter().all(|wanted| types.iter().any(|found| found.as_text() == Some(wanted)));
    let version = vc.named("version").and_then(Value::as_text) == Some(VERSION);
    let subject = vc.named_map("credentialSubject").ok_or("bad-content")?;
    if typed && version && text(&subject, "givenName") && text(&subject, "dob") { Ok(()) } else { Err("bad-content") }
}
