//! The bytes of an `MR1` code: deterministic CBOR (RFC 8949 §4.2.1), COSE_Sign1 (RFC 9052 §4.2), a countersignature
//! (RFC 9338 §3.3) where the national platform vouches, zlib where that is shorter, Base45 (RFC 9285).

use std::io::Write;

use ciborium::Value;
use coset::{
    CborSerializable, CoseSign1, CoseSign1Builder, Header, HeaderBuilder, ProtectedHeader, TaggedCborSerializable,
    iana::{self, EnumI64},
};
use trustlist::code::{Colour, StatusRef, Visit, cose, cwt, mr1};

use super::{Draft, IssueError, Proof};
use crate::key::{KeyType, SigningKey};

/// In *basic*: the last digits of the document.
const DOCUMENT: i64 = 2;

/// Whose keys go into a code. They are one and the same but in a forgery.
pub(super) struct Signers<'a> {
    /// The key that the code names.
    pub named: &'a SigningKey,
    /// The key that signs.
    pub signing: &'a SigningKey,
    /// The national platform's key, where it vouches.
    pub voucher: Option<&'a SigningKey>,
}

/// Signs one draft and carries another. They are one and the same but in a code that was tampered with.
pub(super) fn write(signed: &Draft, carried: &Draft, signers: &Signers<'_>) -> Result<String, IssueError> {
    let mut keys = [Some(signers.named), Some(signers.signing), signers.voucher].into_iter().flatten();
    if keys.any(|key| key.key_type() != KeyType::Ed25519) {
        return Err(IssueError::NotEd25519);
    }
    let protected =
        HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA).key_id(signers.named.kid().0.to_vec()).build();
    let mut message = CoseSign1Builder::new()
        .protected(protected)
        .payload(claims(signed))
        .try_create_signature(&[], |bytes| signers.signing.sign(bytes))?
        .build();
    if let Some(voucher) = signers.voucher {
        message.unprotected = vouch(&message, voucher)?;
    }
    message.payload = Some(claims(carried));
    let bytes = message.to_tagged_vec().expect("a message of plain values has an encoding");
    Ok(format!("{}{}", mr1::PREFIX, base45::encode(shorter(bytes))))
}

/// The unprotected header with the voucher's countersignature over body and signature.
fn vouch(message: &CoseSign1, voucher: &SigningKey) -> Result<Header, IssueError> {
    let encoded = |header: &Header| header.clone().to_vec().expect("a header of plain values has an encoding");
    let countersigner = encoded(&HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA).build());
    let ProtectedHeader { header, .. } = &message.protected;
    let payload = message.payload.as_deref().unwrap_or_default();
    let covered = cose::to_be_countersigned(&encoded(header), &countersigner, payload, &message.signature);
    let countersignature =
        vec![Value::Bytes(countersigner), Value::Map(Vec::new()), Value::Bytes(voucher.sign(&covered)?)];
    let label = iana::HeaderParameter::CounterSignatureV2.to_i64();
    Ok(HeaderBuilder::new().value(label, Value::Array(countersignature)).build())
}

/// The payload: a CWT claims map.
fn claims(draft: &Draft) -> Vec<u8> {
    let id = draft.id.clone().unwrap_or_default();
    let claims = map([
        (cwt::ISS, Some(text(draft.issuer.as_str()))),
        (cwt::EXP, Some(draft.expires.0.into())),
        (cwt::NBF, draft.not_before.map(|at| at.0.into())),
        (cwt::IAT, Some(draft.issued_at.0.into())),
        (cwt::CTI, Some(Value::Bytes(id))),
        (mr1::STATUS, draft.status.as_ref().map(status)),
        (mr1::HEALTH_STATEMENT, Some(statement(draft))),
    ]);
    encode(&claims)
}

fn status(reference: &StatusRef) -> Value {
    let list = vec![(text("idx"), reference.index.into()), (text("uri"), text(&reference.uri))];
    Value::Map(vec![(text("status_list"), Value::Map(list))])
}

fn statement(draft: &Draft) -> Value {
    let colour: i64 = match draft.colour {
        Colour::Green => 0,
        Colour::Yellow => 1,
        Colour::Red => 2,
    };
    let basic = map([(mr1::NAME, draft.name.as_deref().map(text)), (DOCUMENT, draft.document.as_deref().map(text))]);
    let health = map([(mr1::COLOUR, Some(colour.into())), (mr1::ASSESSED_AT, draft.assessed_at.map(|at| at.0.into()))]);
    let visit = |visit: &Visit| Value::Array(vec![text(visit.area.as_str()), visit.last_day.into()]);
    let proof = |proof: &Proof| Value::Array(vec![text(&proof.kind), text(&proof.result), proof.date.into()]);
    let filled = |values: Vec<Value>| (!values.is_empty()).then_some(Value::Array(values));
    map([
        (mr1::BASIC, (basic != Value::Map(Vec::new())).then_some(basic)),
        (mr1::HEALTH, Some(health)),
        (mr1::ITINERARY, filled(draft.itinerary.iter().map(visit).collect())),
        (mr1::PROOF, filled(draft.proofs.iter().map(proof).collect())),
        (mr1::ON_BEHALF_OF, draft.on_behalf_of.map(|region| text(region.as_str()))),
    ])
}

/// A map of what is there, its keys in the order of their encoding: shorter first, negative after positive.
pub(super) fn map<const N: usize>(entries: [(i64, Option<Value>); N]) -> Value {
    let mut entries: Vec<(Value, Value)> =
        entries.into_iter().filter_map(|(key, value)| Some((Value::from(key), value?))).collect();
    entries.sort_by_key(|(key, _)| encode(key));
    Value::Map(entries)
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut encoded = Vec::new();
    ciborium::into_writer(value, &mut encoded).expect("writing to memory does not fail");
    encoded
}

/// The bytes themselves or their zlib stream, whichever is shorter. A reader tells them by the first byte.
fn shorter(bytes: Vec<u8>) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&bytes).expect("writing to memory does not fail");
    let packed = encoder.finish().expect("writing to memory does not fail");
    if packed.len() < bytes.len() { packed } else { bytes }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use trustlist::code::cbor::{Strictness, walk};

    use super::*;
    use crate::code::tests::full;

    #[test]
    fn the_claims_are_deterministic_and_their_first_bytes_are_known() {
        let draft = Draft { id: Some(vec![9; 8]), on_behalf_of: "420000".parse().ok(), ..full() };
        let bytes = claims(&draft);
        assert_eq!(walk(&bytes, Strictness::Deterministic), Ok(()));
        let beginning = [
            &[0xa6, 0x01, 0x66][..],               // a map of six claims; iss: a text of six characters
            b"440000",                             // Guangdong
            &[0x04, 0x1a, 0x60, 0x18, 0x96, 0x00], // exp: a day after it was issued
            &[0x06, 0x1a, 0x60, 0x17, 0x44, 0x80], // iat
            &[0x07, 0x48],                         // cti: eight bytes
            &[9; 8],
            &[0x19, 0xff, 0xff, 0xa1], // status: a map of one
        ];
        assert_eq!(HEXLOWER.encode(&bytes[..34]), HEXLOWER.encode(&beginning.concat()[..34]));
    }

    #[test]
    fn zlib_is_used_only_where_it_is_shorter() {
        assert_eq!(shorter(vec![0; 100])[0], 0x78);
        assert_eq!(shorter(vec![1, 2, 3]), [1, 2, 3]);
    }
}
