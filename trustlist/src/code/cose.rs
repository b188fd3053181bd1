//! COSE_Sign1 (RFC 9052 §4.2) as read from a code: parsed under bounds, not believed.
//!
//! The one file that knows the crate `coset`. It refuses what that crate lets through: `crit` that nobody here understands,
//! `alg` stated twice and differently, a text `alg`, a detached payload, another message type. What is signed is built from
//! the bytes that came (RFC 9052 §4.4), never from a re-encoding of them.

use ciborium::Value;
use coset::{AsCborValue, CborSerializable, CoseSign1, Header, Label, RegisteredLabelWithPrivate, iana::EnumI64};

use super::cbor::{self, Strictness};

/// CBOR tags: COSE_Sign1 and CWT (RFC 9052 §2, RFC 8392 §6).
const TAG_SIGN1: u64 = 18;
const TAG_CWT: u64 = 61;
/// Header parameter "crit" (RFC 9052 §3.1).
const CRIT: i64 = 2;
/// Header parameter "Countersignature version 2" (RFC 9338 §2).
const COUNTERSIGNATURE_V2: i64 = 11;

/// What a format allows in the headers and around the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// How strict the encoding must be.
    pub strictness: Strictness,
    /// `alg` and `kid` may stand in the unprotected header, if the protected one lacks them.
    pub unprotected: bool,
    /// The message may come without tag 18.
    pub untagged: bool,
}

/// A parsed message. Nothing in it is true yet.
#[derive(Clone)]
pub struct Sign1 {
    protected: Vec<u8>,
    /// COSE number of the algorithm that the message names. Only compared with the list's, never chosen by.
    pub algorithm: Option<i64>,
    /// Key id, of whatever length; empty when the message names none.
    pub kid: Vec<u8>,
    /// The signed bytes.
    pub payload: Vec<u8>,
    signature: Vec<u8>,
    countersignature: Option<Countersignature>,
}

/// A countersignature v2 (RFC 9338 §3.1): protected header, signature.
#[derive(Clone)]
struct Countersignature {
    protected: Vec<u8>,
    algorithm: Option<i64>,
    signature: Vec<u8>,
}

impl Sign1 {
    /// Parses one message that fills `bytes`.
    ///
    /// # Errors
    /// With a stable code for the detail of a verdict.
    pub fn parse(bytes: &[u8], profile: Profile) -> Result<Sign1, &'static str> {
        cbor::walk(bytes, profile.strictness).map_err(cbor::Fault::code)?;
        let value: Value = ciborium::from_reader(bytes).map_err(|_| "bad-cbor")?;
        let value = untag(value, profile)?;
        // Before the crate has a word: labels that it does not know would be a fault of the encoding to it.
        if is_critical(&value, profile)? {
            return Err("crit-not-understood");
        }
        let message = CoseSign1::from_cbor_value(value).map_err(|_| "bad-cose")?;
        let protected = message.protected.original_data.clone().unwrap_or_default();
        let (inside, outside) = (&message.protected.header, &message.unprotected);
        let algorithm = match (algorithm(inside)?, algorithm(outside)?) {
            (Some(inside), Some(outside)) if inside != outside => return Err("alg-differs"),
            (Some(_), Some(_)) | (None, Some(_)) if !profile.unprotected => return Err("alg-unprotected"),
            (inside, outside) => inside.or(outside),
        };
        // A wrong protected kid is not rescued by a right unprotected one.
        let kid = match (inside.key_id.is_empty(), outside.key_id.is_empty()) {
            (false, _) => inside.key_id.clone(),
            (true, false) if profile.unprotected => outside.key_id.clone(),
            _ => Vec::new(),
        };
        Ok(Sign1 {
            algorithm,
            kid,
            countersignature: countersignature(outside)?,
            payload: message.payload.ok_or("detached-payload")?,
            signature: message.signature,
            protected,
        })
    }

    /// Whether `verify(message, signature)` holds for the message's own signature.
    #[must_use]
    pub fn signed_by(&self, verify: impl Fn(&[u8], &[u8]) -> bool) -> bool {
        bodies(&self.protected).any(|protected| verify(&to_be_signed(protected, &self.payload), &self.signature))
    }

    /// COSE number of the countersignature's algorithm; `None` when there is no countersignature or it names none.
    #[must_use]
    pub fn countersignature_algorithm(&self) -> Option<i64> {
        self.countersignature.as_ref()?.algorithm
    }

    /// Whether `verify(message, signature)` holds for the countersignature. It covers the signature too (RFC 9338 §3.3), so
    /// vouching cannot be carried to another code.
    #[must_use]
    pub fn countersigned_by(&self, verify: impl Fn(&[u8], &[u8]) -> bool) -> bool {
        self.countersignature.as_ref().is_some_and(|countersignature| {
            let message =
                to_be_countersigned(&self.protected, &countersignature.protected, &self.payload, &self.signature);
            verify(&message, &countersignature.signature)
        })
    }
}

/// `Sig_structure` of a COSE_Sign1 (RFC 9052 §4.4): context, protected header, external data (none), payload.
#[must_use]
pub fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    encode(&Value::Array(vec![text("Signature1"), bytes(protected), bytes(&[]), bytes(payload)]))
}

/// `Countersign_structure` of a countersignature v2 over a COSE_Sign1 (RFC 9338 §3.3): the context "CounterSignatureV2", because
/// the signature goes in as another field; body and countersigner's protected headers, external data (none), payload, and the
/// array of the other fields, which is the signature.
#[must_use]
pub fn to_be_countersigned(body: &[u8], countersigner: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    encode(&Value::Array(vec![
        text("CounterSignatureV2"),
        bytes(body),
        bytes(countersigner),
        bytes(&[]),
        bytes(payload),
        Value::Array(vec![bytes(signature)]),
    ]))
}

/// The protected header as it goes into what is signed. RFC 9052 §3: an empty map may come as h'' or h'a0', and is signed as h'';
/// some senders sign what they sent.
fn bodies(protected: &[u8]) -> impl Iterator<Item = &[u8]> {
    let empty: &[u8] = &[];
    let (first, second) = if protected == [0xa0] { (empty, Some(protected)) } else { (protected, None) };
    std::iter::once(first).chain(second)
}

/// Takes away the tags that the profile allows around the message.
fn untag(value: Value, profile: Profile) -> Result<Value, &'static str> {
    match value {
        Value::Tag(TAG_SIGN1, message) => match *message {
            Value::Tag(..) => Err("bad-tag"),
            message => Ok(message),
        },
        Value::Tag(TAG_CWT, message) if profile.untagged => match *message {
            Value::Tag(TAG_SIGN1, message) => Ok(*message),
            _ => Err("bad-tag"),
        },
        Value::Array(_) if profile.untagged => Ok(value),
        Value::Tag(..) | Value::Array(_) => Err("bad-tag"),
        _ => Err("bad-cose"),
    }
}

/// Whether one of the headers asks that something be understood (`crit`, RFC 9052 §3.1). We understand nothing beyond `alg` and
/// `kid`, so whatever it asks, the answer is no.
fn is_critical(message: &Value, profile: Profile) -> Result<bool, &'static str> {
    let Some([Value::Bytes(protected), unprotected, ..]) = message.as_array().map(Vec::as_slice) else {
        return Err("bad-cose");
    };
    let states_crit =
        |header: &Value| header.as_map().is_some_and(|map| map.iter().any(|(label, _)| *label == Value::from(CRIT)));
    if protected.is_empty() {
        return Ok(states_crit(unprotected));
    }
    cbor::walk(protected, profile.strictness).map_err(cbor::Fault::code)?;
    let inside: Value = ciborium::from_reader(protected.as_slice()).map_err(|_| "bad-cbor")?;
    Ok(states_crit(&inside) || states_crit(unprotected))
}

fn algorithm(header: &Header) -> Result<Option<i64>, &'static str> {
    match &header.alg {
        None => Ok(None),
        Some(RegisteredLabelWithPrivate::Assigned(algorithm)) => Ok(Some(algorithm.to_i64())),
        Some(RegisteredLabelWithPrivate::PrivateUse(number)) => Ok(Some(*number)),
        Some(RegisteredLabelWithPrivate::Text(_)) => Err("alg-text"),
    }
}

/// The one countersignature v2 in an unprotected header. Several are an array of arrays (RFC 9338 §3.1); we ask for one.
fn countersignature(header: &Header) -> Result<Option<Countersignature>, &'static str> {
    let Some((_, value)) = header.rest.iter().find(|(label, _)| *label == Label::Int(COUNTERSIGNATURE_V2)) else {
        return Ok(None);
    };
    let Value::Array(fields) = value else { return Err("bad-countersignature") };
    let [Value::Bytes(protected), Value::Map(unprotected), Value::Bytes(signature)] = fields.as_slice() else {
        return Err("bad-countersignature");
    };
    if !unprotected.is_empty() {
        return Err("bad-countersignature");
    }
    cbor::walk(protected, Strictness::Deterministic).map_err(|_| "bad-countersignature")?;
    let inside = Header::from_slice(protected).map_err(|_| "bad-countersignature")?;
    if !inside.crit.is_empty() {
        return Err("crit-not-understood");
    }
    Ok(Some(Countersignature {
        algorithm: algorithm(&inside)?,
        protected: protected.clone(),
        signature: signature.clone(),
    }))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

fn encode(value: &Value) -> Vec<u8> {
    let mut encoded = Vec::new();
    ciborium::into_writer(value, &mut encoded).expect("writing to memory does not fail");
    encoded
}
