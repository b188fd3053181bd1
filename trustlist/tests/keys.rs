//! How a key stands, wherever a key's word counts: a key that was retired, revoked, or outside its validity makes nothing good.

mod support;

use ciborium::Value;
use ed25519_dalek::{Signer, SigningKey};
use support::mint::{Draft, NOW, ed25519, map, mr1_text};
use trustlist::{
    code::{Envelope, Format, IssuerKey, KeyRing, KeyState, Usage, cose},
    key::{KeyId, PublicKey},
    region::NATIONAL,
    time::{UnixTime, Window},
};

fn platform() -> SigningKey {
    SigningKey::from_bytes(&[10; 32])
}

/// A key of this issuer for `MR1` codes, active and without end.
fn listed(issuer: &str, key: &SigningKey) -> IssuerKey {
    let public = key.verifying_key().to_bytes();
    let issuer = issuer.parse().expect("a region");
    IssuerKey {
        issuer,
        scope: vec![issuer],
        kid: KeyId::of(&public),
        public: PublicKey::ed25519(&public).expect("a good key"),
        formats: vec![Format::Mr1],
        usage: Usage::Codes,
        window: Window::default(),
        state: KeyState::Active,
    }
}

fn ring(keys: impl IntoIterator<Item = IssuerKey>) -> KeyRing {
    let mut ring = KeyRing::default();
    for key in keys {
        assert!(ring.add(key));
    }
    ring
}

/// A code of Guangdong, issued [`NOW`], that the platform's key countersigned.
fn vouched_code() -> String {
    let draft = Draft::mr1();
    let signature = ed25519().sign(&draft.to_be_signed()).to_bytes();
    let header = support::mint::cbor(&map([(1, Value::from(-8))]));
    let covered = cose::to_be_countersigned(&draft.protected, &header, &draft.payload, &signature);
    let word = platform().sign(&covered).to_bytes();
    let countersignature =
        Value::Array(vec![Value::Bytes(header), Value::Map(Vec::new()), Value::Bytes(word.to_vec())]);
    let draft = Draft { unprotected: map([(11, countersignature)]), ..draft };
    mr1_text(&draft.with_signature(signature.to_vec()))
}

#[test]
fn the_platform_vouches_with_a_key_that_was_its_own_when_the_code_was_issued() {
    let code = vouched_code();
    let vouched = |change: &dyn Fn(&mut IssuerKey)| {
        let mut key = listed(NATIONAL.as_str(), &platform());
        change(&mut key);
        let ring = ring([listed("440000", &ed25519()), key]);
        let credential = Envelope::parse(&code).expect("a pass code").attest(&ring).expect("Guangdong signed it");
        credential.vouched_by_national()
    };
    let window = |from: i64, until: i64| Window { from: Some(NOW.plus(from)), until: Some(NOW.plus(until)) };
    assert!(vouched(&|_| ()));
    assert!(vouched(&|key| key.state = KeyState::Retired { at: NOW.plus(1) }), "what it vouched for before stays good");
    assert!(!vouched(&|key| key.state = KeyState::Retired { at: NOW }), "issued as it was retired");
    assert!(!vouched(&|key| key.state = KeyState::Retired { at: UnixTime(0) }), "issued long after");
    assert!(!vouched(&|key| key.state = KeyState::Revoked));
    assert!(vouched(&|key| key.window = window(0, 1)));
    assert!(!vouched(&|key| key.window = window(1, 9)), "before the key's validity");
    assert!(!vouched(&|key| key.window = window(-9, 0)), "after the key's validity");
    assert!(!vouched(&|key| key.usage = Usage::Status), "a key for status lists");
    assert!(!vouched(&|key| key.usage = Usage::Configuration), "a key for configuration codes");
    assert!(!vouched(&|key| key.formats = vec![Format::Hc1]), "a key for another format");
}
