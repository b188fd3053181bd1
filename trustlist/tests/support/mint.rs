//! Codes made for a test, byte by byte: what a signer could send, and what only a forger would.

use std::io::Write;

use ciborium::Value;
use ed25519_dalek::Signer as _;
use p256::pkcs8::EncodePublicKey;
use serde_json::{Value as Json, json};
use trustlist::{code::cose, key::KeyId, time::UnixTime};

/// When every code here is issued, and when they are judged.
pub const NOW: UnixTime = UnixTime(1_630_000_000);

pub fn es256() -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[7; 32]).expect("below the order")
}

pub fn ed25519() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[9; 32])
}

/// SubjectPublicKeyInfo of a P-256 key.
pub fn spki(key: &p256::ecdsa::SigningKey) -> Vec<u8> {
    key.verifying_key().to_public_key_der().expect("a point").into_vec()
}

/// An entry of `keys.json`.
pub fn entry(algorithm: &str, public: &[u8], format: &str) -> Json {
    json!({"algorithm": algorithm, "public_key": data_encoding::BASE64.encode(public), "formats": [format],
           "use": "code", "state": "active"})
}

pub fn cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("writing to memory");
    bytes
}

pub fn map<const N: usize>(entries: [(i64, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
}

pub fn named<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
}

/// A COSE_Sign1 before its signature.
#[derive(Clone)]
pub struct Draft {
    pub protected: Vec<u8>,
    pub unprotected: Value,
    pub payload: Vec<u8>,
    /// What goes into the signature in place of `protected`, where a signer does that.
    pub signed_protected: Option<Vec<u8>>,
    pub tag: Option<u64>,
}

impl Draft {
    /// `alg` and `kid` protected, tag 18.
    pub fn new(algorithm: i64, kid: KeyId, claims: &Value) -> Draft {
        Draft {
            protected: cbor(&map([(1, Value::from(algorithm)), (4, Value::Bytes(kid.0.to_vec()))])),
            unprotected: map([]),
            payload: cbor(claims),
            signed_protected: None,
            tag: Some(18),
        }
    }

    /// An `HC1` vaccination of the P-256 key.
    pub fn hc1() -> Draft {
        Draft::new(-7, KeyId::of(&spki(&es256())), &hc1_claims(Value::from(NOW.0), Value::from(NOW.0 + 1000)))
    }

    /// A green `MR1` of the Ed25519 key.
    pub fn mr1() -> Draft {
        Draft::new(-8, KeyId::of(ed25519().verifying_key().as_bytes()), &mr1_claims())
    }

    pub fn to_be_signed(&self) -> Vec<u8> {
        cose::to_be_signed(self.signed_protected.as_ref().unwrap_or(&self.protected), &self.payload)
    }

    pub fn with_signature(&self, signature: Vec<u8>) -> Vec<u8> {
        let fields = vec![
            Value::Bytes(self.protected.clone()),
            self.unprotected.clone(),
            Value::Bytes(self.payload.clone()),
            Value::Bytes(signature),
        ];
        let message = Value::Array(fields);
        cbor(&match self.tag {
            Some(tag) => Value::Tag(tag, Box::new(message)),
            None => message,
        })
    }

    /// The message, signed by the P-256 key.
    pub fn es256(&self) -> Vec<u8> {
        let signature: p256::ecdsa::Signature = es256().sign(&self.to_be_signed());
        self.with_signature(signature.to_bytes().to_vec())
    }

    /// The message, signed by the Ed25519 key.
    pub fn ed25519(&self) -> Vec<u8> {
        self.with_signature(ed25519().sign(&self.to_be_signed()).to_bytes().to_vec())
    }
}

/// A vaccination certificate's claims.
pub fn hc1_claims(issued: Value, expires: Value) -> Value {
    let entry = named([("ci", Value::from("URN:UVCI:01:DE:1")), ("co", Value::from("DE"))]);
    let certificate = named([("ver", Value::from("1.3.0")), ("v", Value::Array(vec![entry]))]);
    map([(1, Value::from("DE")), (4, expires), (6, issued), (-260, map([(1, certificate)]))])
}

/// A green statement's claims, in deterministic order.
pub fn mr1_claims() -> Value {
    let statement = map([(2, map([(1, Value::from(0)), (2, Value::from(NOW.0))]))]);
    map([
        (1, Value::from("440000")),
        (4, Value::from(NOW.0 + 1000)),
        (6, Value::from(NOW.0)),
        (7, Value::Bytes(vec![5; 8])),
        (-70001, statement),
    ])
}

pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

pub fn hc1_text(message: &[u8]) -> String {
    format!("HC1:{}", base45::encode(zlib(message)))
}

pub fn mr1_text(message: &[u8]) -> String {
    format!("MR1:{}", base45::encode(message))
}

pub fn nzcp_text(message: &[u8]) -> String {
    format!("NZCP:/1/{}", data_encoding::BASE32_NOPAD.encode(message))
}
