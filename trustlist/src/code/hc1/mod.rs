//! `HC1`, the EU Digital COVID Certificate, through the same door as our own code.
//!
//! The electronic health certificate container (eHealth Network, "Technical Specifications for EU Digital COVID Certificates",
//! volume 1 §3 and volume 3 §2): Base45, zlib, COSE_Sign1 with ES256 or PS256, CWT, and the certificate in claim -260 under 1.
//! A key comes from an X.509 certificate; its extended key usage says which kinds of certificate it may sign.

use ciborium::Value;
use sha2::{Digest, Sha256};

use super::{
    Claims, IssuerKey, Kind, Statement, Unbelieved,
    cbor::{self, Strictness},
    cose::{Profile, Sign1},
    cwt::{self, Map},
    text,
};
use crate::{
    key::{KeyId, PublicKey},
    region::Region,
};

pub mod certificate;

/// Claim "hcert".
const HCERT: i64 = -260;
/// In hcert: version 1 of the certificate.
const DCC_V1: i64 = 1;

/// COSE numbers of the two algorithms that the specification allows (volume 1 §3.3.2).
const ALGORITHMS: [i64; 2] = [-7, -37];

const PROFILE: Profile = Profile { strictness: Strictness::Bounded, unprotected: true, untagged: true };

struct Message {
    sign1: Sign1,
    /// `None` when the message names no key that a list could hold: its key id is missing or has not 8 bytes.
    kid: Option<KeyId>,
}

/// Reads the text after the prefix.
pub(super) fn parse(body: &str) -> Result<Box<dyn Unbelieved>, &'static str> {
    let bytes = text::base45(body).map_err(|_| "bad-base45")?;
    let bytes = text::inflate(&bytes).map_err(|_| "bad-zlib")?;
    let sign1 = Sign1::parse(&bytes, PROFILE).map_err(layer)?;
    let kid = sign1.kid.as_slice().try_into().ok().map(KeyId);
    // Said before a key is looked for: no list can hold a key for an algorithm that the format does not have.
    if sign1.algorithm.is_none_or(|algorithm| algorithm != -8 && !ALGORITHMS.contains(&algorithm)) {
        return Err("unsupported-alg");
    }
    Ok(Box::new(Message { sign1, kid }))
}

/// Verifiers of these certificates speak of the layer that failed; what the headers say stays apart.
fn layer(fault: &'static str) -> &'static str {
    match fault {
        "alg-text" => "unsupported-alg",
        "alg-differs" | "crit-not-understood" => fault,
        _ => "bad-cbor",
    }
}

impl Message {
    fn map(&self) -> Result<Map, &'static str> {
        cbor::walk(&self.sign1.payload, Strictness::Bounded).map_err(|_| "bad-cwt")?;
        let value: Value = ciborium::from_reader(self.sign1.payload.as_slice()).map_err(|_| "bad-cwt")?;
        Map::new(value).ok_or("bad-cwt")
    }
}

impl Unbelieved for Message {
    fn key_id(&self) -> Option<KeyId> {
        self.kid
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

    fn vouched_by(&self, _: &[&IssuerKey]) -> bool {
        // The format has no countersignature.
        false
    }

    fn claims(&self) -> Result<Claims, &'static str> {
        let map = self.map()?;
        let time = |claim| map.time(claim, true).map_err(|_| "bad-cwt");
        let hcert = map.map(HCERT)?.ok_or("bad-content")?;
        let certificate = hcert.map(DCC_V1).map_err(|_| "bad-content")?.ok_or("bad-content")?;
        let (kind, id) = kind_and_id(&certificate, &self.sign1.payload)?;
        Ok(Claims {
            // The issuer is the country of the key; the claim is a hint (volume 1 §3.3.3) and often names an office.
            issuer: None,
            issued_at: time(cwt::IAT)?.ok_or("bad-cwt")?,
            not_before: time(cwt::NBF)?,
            expires: Some(time(cwt::EXP)?.ok_or("bad-cwt")?),
            id,
            status: None,
            statement: Statement::default(),
            kind: Some(kind),
        })
    }
}

/// The one kind of the certificate, and what tells it from others: a digest, so that no identifier goes further.
///
/// Exactly one of test, vaccination and recovery has entries. There is one entry since schema 1.3.0 and may be more before; the first
/// one's unique certificate identifier stands for the certificate. Where an issuer left it out, the signed claims do: never the
/// signature or the message, of which one certificate has several (ECDSA's s and n − s).
fn kind_and_id(certificate: &Map, payload: &[u8]) -> Result<(Kind, Vec<u8>), &'static str> {
    let mut found = None;
    for (name, kind) in [("t", Kind::Test), ("v", Kind::Vaccination), ("r", Kind::Recovery)] {
        let entries = match certificate.named(name) {
            None | Some(Value::Null) => continue,
            Some(value) => value.as_array().ok_or("bad-content")?,
        };
        let Some(entry) = entries.first() else { continue };
        if found.is_some() {
            return Err("bad-content");
        }
        let entry = Map::new(entry.clone()).ok_or("bad-content")?;
        let id = entry.named("ci").and_then(Value::as_text).map_or(payload, str::as_bytes);
        found = Some((kind, Sha256::digest(id)[..16].to_vec()));
    }
    found.ok_or("bad-content")
}
