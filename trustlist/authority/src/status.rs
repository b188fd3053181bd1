//! Status lists (Token Status List, CWT form) as the issuer signs them. The judge's half is [`trustlist::status`].

use ciborium::Value;
use coset::{CoseSign1, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable, iana};
use trustlist::{
    code::cwt,
    key::Algorithm,
    status::{STATUS_LIST, SUB, StatusArray, TTL},
    time::UnixTime,
};

use crate::key::{KeyError, SigningKey};

/// Header parameter "typ" (RFC 9596).
const TYP: i64 = 16;

/// Signs a shard under its own name, `status/3`. If `held` is the same but for the signature it is taken as it is: keys of some kinds sign
/// otherwise each time, and who holds the list shall not fetch it again for that.
///
/// # Errors
/// When the key cannot sign.
pub fn shard(
    uri: &str,
    statuses: &StatusArray,
    issued: UnixTime,
    ttl: Option<i64>,
    key: &SigningKey,
    held: Option<&[u8]>,
) -> Result<Vec<u8>, KeyError> {
    let list =
        Value::Map(vec![(Value::from("bits"), Value::from(2)), (Value::from("lst"), Value::Bytes(statuses.deflate()))]);
    let mut claims = vec![
        (Value::from(SUB), Value::from(uri)),
        (Value::from(cwt::IAT), Value::from(issued.0)),
        (Value::from(STATUS_LIST), list),
    ];
    claims.extend(ttl.map(|ttl| (Value::from(TTL), Value::from(ttl))));
    let mut payload = Vec::new();
    ciborium::into_writer(&Value::Map(claims), &mut payload).expect("writing to memory does not fail");
    let protected = HeaderBuilder::new()
        .algorithm(match key.algorithm() {
            Algorithm::EdDsa => iana::Algorithm::EdDSA,
            Algorithm::Es256 => iana::Algorithm::ES256,
            Algorithm::Es384 => iana::Algorithm::ES384,
            Algorithm::Ps256 => iana::Algorithm::PS256,
        })
        .key_id(key.kid().0.to_vec())
        .value(TYP, Value::from("application/statuslist+cwt"))
        .build();
    let mut message = CoseSign1Builder::new().protected(protected).payload(payload).build();
    if let Some(held) = held.filter(|held| unsigned(held).is_some_and(|held| held == encoded(message.clone()))) {
        return Ok(held.to_vec());
    }
    message.signature = key.sign(&message.tbs_data(b""))?;
    Ok(encoded(message))
}

/// When a signed shard was issued, and its `ttl`. Whoever asks has verified it.
pub(crate) fn issued(shard: &[u8]) -> Option<(UnixTime, Option<i64>)> {
    let payload = CoseSign1::from_tagged_slice(shard).ok()?.payload?;
    let Ok(Value::Map(claims)) = ciborium::from_reader(payload.as_slice()) else { return None };
    let claim = |key: i64| {
        let value = claims.iter().find(|(name, _)| *name == Value::from(key))?.1.as_integer()?;
        i64::try_from(value).ok()
    };
    Some((UnixTime(claim(cwt::IAT)?), claim(TTL)))
}

fn encoded(message: CoseSign1) -> Vec<u8> {
    message.to_tagged_vec().expect("a message of plain parts encodes")
}

fn unsigned(shard: &[u8]) -> Option<Vec<u8>> {
    let message = CoseSign1::from_tagged_slice(shard).ok()?;
    CoseSign1 { signature: Vec::new(), ..message }.to_tagged_vec().ok()
}

#[cfg(test)]
mod tests {
    use trustlist::{
        code::{IssuerKey, KeyState, Usage},
        key::PublicKey,
        status::{Status, StatusList},
        time::Window,
    };

    use super::*;

    #[test]
    fn the_judge_reads_a_shard_as_it_was_set_and_only_under_its_own_name() {
        let key = SigningKey::from_seed([5; 32]);
        let mut statuses = StatusArray::valid(1000);
        assert!(statuses.set(77, Status::Revoked));
        let bytes = shard("status/0", &statuses, UnixTime(1_612_137_600), Some(3600), &key, None).expect("signed");
        let region = "420000".parse().expect("a region");
        let issuer_key = IssuerKey {
            issuer: region,
            scope: vec![region],
            kid: key.kid(),
            public: PublicKey::ed25519(&key.public_bytes()).expect("a key"),
            formats: Vec::new(),
            usage: Usage::Status,
            window: Window::default(),
            state: KeyState::Active,
        };
        let list = StatusList::read(&bytes, "status/0", &[&issuer_key]).expect("verified");
        assert_eq!((list.statuses.status(77), list.statuses.status(78)), (Status::Revoked, Status::Valid));
        assert!(StatusList::read(&bytes, "status/1", &[&issuer_key]).is_err(), "it stands under another name");
        assert!(StatusList::read(&bytes, "status/0", &[]).is_err(), "no key of the issuer made it");
    }
}
