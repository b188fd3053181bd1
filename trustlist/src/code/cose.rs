//! COSE_Sign1 (RFC 9052 §4.2) as read from a code: parsed under bounds, not believed.
//!
//! The one file that knows the crate `coset`. It refuses what that crate lets through: `crit` that nobody here understands,
//! `alg` stated twice and differently, a text `alg`, a detached payload, another message type. What is signed is built from
//! the bytes that came (RFC 9052 §4.4), never from a re-encoding of them.

use ciborium::Value;
use coset::{AsCborValue, CoseSign1, Header, Label, RegisteredLabelWithPrivate, iana::EnumI64};

use super::cbor::{self, Strictness};

/// CBOR tags: COSE_Sign1 and CWT (RFC 9052 §2, RFC 8392 §6).
const TAG_SIGN1: u64 = 18;
const TAG_CWT: u64 = 61;
/// Header parameters "alg", "crit" and "kid" (RFC 9052 §3.1).
const ALG: i64 = 1;
const CRIT: i64 = 2;
const KID: i64 = 4;
/// Header parameter "typ" (RFC 9596 §2).
const TYP: i64 = 16;
/// Header parameter "Countersignature version 2" (RFC 9338 §2).
const COUNTERSIGNATURE_V2: i64 = 11;
/// Countersignatures that are looked at. Stops a code from costing a check for each of hundreds.
const MAX_COUNTERSIGNATURES: usize = 4;

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
    /// The media type that the protected header states, where it does so by name.
    pub typ: Option<String>,
    /// The signed bytes.
    pub payload: Vec<u8>,
    signature: Vec<u8>,
    countersignatures: Vec<Countersignature>,
}

/// A countersignature v2 (RFC 9338 §3.1): whoever made it signed the message with its signature.
#[derive(Clone)]
pub struct Countersignature {
    protected: Vec<u8>,
    /// COSE number of the algorithm that it names.
    pub algorithm: Option<i64>,
    /// Key id; empty when it names none.
    pub kid: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
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
        let (value, countersignatures) = set_apart(value);
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
            typ: text_at(inside, TYP),
            countersignatures,
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

    /// Whether `verify(countersignature, message)` holds for one of the countersignatures. Each covers the signature too (RFC 9338 §3.3), so
    /// vouching cannot be carried to another code.
    #[must_use]
    pub fn countersigned_by(&self, verify: impl Fn(&Countersignature, &[u8]) -> bool) -> bool {
        self.countersignatures.iter().any(|countersignature| {
            let message =
                to_be_countersigned(&self.protected, &countersignature.protected, &self.payload, &self.signature);
            verify(countersignature, &message)
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

/// Takes out of the unprotected header what this program makes no use of, and the countersignatures. Nobody signed that header: whatever stands
/// there, and in whatever form, does not make a message bad that is signed.
fn set_apart(message: Value) -> (Value, Vec<Countersignature>) {
    let Value::Array(mut fields) = message else { return (message, Vec::new()) };
    let mut countersignatures = Vec::new();
    if let Some(Value::Map(unprotected)) = fields.get_mut(1) {
        if let Some((_, value)) = unprotected.iter().find(|(label, _)| *label == Value::from(COUNTERSIGNATURE_V2)) {
            countersignatures = usable(value);
        }
        unprotected.retain(|(label, _)| [ALG, KID].map(Value::from).contains(label));
    }
    (Value::Array(fields), countersignatures)
}

/// The countersignatures that can be used: one, or an array of several (RFC 9338 §3.1). One that cannot counts as none.
fn usable(value: &Value) -> Vec<Countersignature> {
    let Value::Array(fields) = value else { return Vec::new() };
    match fields.first() {
        Some(Value::Array(_)) => fields.iter().take(MAX_COUNTERSIGNATURES).filter_map(countersignature).collect(),
        _ => countersignature(value).into_iter().collect(),
    }
}

fn countersignature(value: &Value) -> Option<Countersignature> {
    let [Value::Bytes(protected), unprotected, Value::Bytes(signature)] = value.as_array()?.as_slice() else {
        return None;
    };
    let inside = if protected.is_empty() {
        Header::default()
    } else {
        cbor::walk(protected, Strictness::Bounded).ok()?;
        Header::from_cbor_value(ciborium::from_reader(protected.as_slice()).ok()?).ok()?
    };
    let outside = Header::from_cbor_value(unprotected.clone()).ok()?;
    if !inside.crit.is_empty() || !outside.crit.is_empty() {
        return None;
    }
    let algorithm = match (algorithm(&inside).ok()?, algorithm(&outside).ok()?) {
        (Some(inside), Some(outside)) if inside != outside => return None,
        (inside, outside) => inside.or(outside),
    };
    let kid = if inside.key_id.is_empty() { outside.key_id } else { inside.key_id };
    Some(Countersignature { protected: protected.clone(), algorithm, kid, signature: signature.clone() })
}

/// The text that a header states under a label of no meaning to the crate.
fn text_at(header: &Header, label: i64) -> Option<String> {
    let (_, value) = header.rest.iter().find(|(name, _)| *name == Label::Int(label))?;
    value.as_text().map(str::to_owned)
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
