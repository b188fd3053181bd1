//! How a key stands, wherever a key's word counts: a key that was retired, revoked, or outside its validity makes nothing good.

mod support;

use ciborium::Value;
use ed25519_dalek::{Signer, SigningKey};
use support::mint::{Draft, NOW, ed25519, es256, hc1_text, map, mr1_text, named, spki, zlib};
use trustlist::{
    code::{Envelope, Format, IssuerKey, KeyRing, KeyState, Usage, cose, ring::MAX_PER_KID},
    key::{Algorithm, KeyId, PublicKey},
    region::NATIONAL,
    status::{StatusList, TYP},
    time::{UnixTime, Window},
    verdict::Reason,
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

/// A code of Guangdong with these countersignatures, made from the platform's key and what it covers.
fn countersigned(make: impl Fn(&dyn Fn(&[u8]) -> Vec<u8>) -> Value) -> String {
    let draft = Draft::mr1();
    let signature = ed25519().sign(&draft.to_be_signed()).to_bytes();
    let word = |header: &[u8]| {
        let covered = cose::to_be_countersigned(&draft.protected, header, &draft.payload, &signature);
        platform().sign(&covered).to_bytes().to_vec()
    };
    let value = make(&word);
    mr1_text(&Draft { unprotected: map([(11, value)]), ..draft.clone() }.with_signature(signature.to_vec()))
}

#[test]
fn a_countersignature_counts_in_every_form_that_the_standard_allows() {
    let kid = KeyId::of(&platform().verifying_key().to_bytes()).0.to_vec();
    let headers = |entries: &[(i64, Value)]| {
        Value::Map(entries.iter().map(|(label, value)| (Value::from(*label), value.clone())).collect())
    };
    let one = |word: &dyn Fn(&[u8]) -> Vec<u8>, protected: &Value, unprotected: Value| {
        let protected = support::mint::cbor(protected);
        let signature = word(&protected);
        Value::Array(vec![Value::Bytes(protected), unprotected, Value::Bytes(signature)])
    };
    let (alg, id) = ((1, Value::from(-8)), (4, Value::Bytes(kid)));
    let junk = || Value::Array(vec![Value::Bytes(vec![1]), Value::Map(Vec::new()), Value::Bytes(vec![2])]);
    let plain = || (headers(std::slice::from_ref(&alg)), headers(&[]));
    let forms: [(&str, String); 6] = [
        ("plain", countersigned(|word| one(word, &plain().0, plain().1))),
        ("kid protected", countersigned(|word| one(word, &headers(&[alg.clone(), id.clone()]), headers(&[])))),
        (
            "kid beside it",
            countersigned(|word| one(word, &headers(std::slice::from_ref(&alg)), headers(std::slice::from_ref(&id)))),
        ),
        ("alg beside it", countersigned(|word| one(word, &headers(&[]), headers(std::slice::from_ref(&alg))))),
        ("one of one", countersigned(|word| Value::Array(vec![one(word, &plain().0, plain().1)]))),
        ("after one that is junk", countersigned(|word| Value::Array(vec![junk(), one(word, &plain().0, plain().1)]))),
    ];
    for (form, code) in forms {
        let ring = ring([listed("440000", &ed25519()), listed(NATIONAL.as_str(), &platform())]);
        let credential = Envelope::parse(&code).expect("a pass code").attest(&ring).expect("Guangdong signed it");
        assert!(credential.vouched_by_national(), "{form}");
    }
}

#[test]
fn a_countersignature_that_cannot_be_used_counts_as_none_and_condemns_nothing() {
    let alg = || Value::Map(vec![(Value::from(1), Value::from(-8))]);
    let fields =
        |protected: Value, word: Vec<u8>| Value::Array(vec![protected, Value::Map(Vec::new()), Value::Bytes(word)]);
    let protected = support::mint::cbor(&alg());
    let critical = support::mint::cbor(&map([(1, Value::from(-8)), (2, Value::Array(vec![Value::from(99)]))]));
    let others = support::mint::cbor(&map([(1, Value::from(-8)), (4, Value::Bytes(vec![9; 8]))]));
    for (what, code) in [
        ("no array", countersigned(|_| Value::from(7))),
        ("empty", countersigned(|_| Value::Array(Vec::new()))),
        ("one field", countersigned(|word| Value::Array(vec![Value::Bytes(word(&protected))]))),
        ("a header that is no map", countersigned(|word| fields(Value::Bytes(vec![1]), word(&[1])))),
        ("crit", countersigned(|word| fields(Value::Bytes(critical.clone()), word(&critical)))),
        ("another's key id", countersigned(|word| fields(Value::Bytes(others.clone()), word(&others)))),
        ("a signature that does not hold", countersigned(|_| fields(Value::Bytes(protected.clone()), vec![1; 64]))),
    ] {
        let ring = ring([listed("440000", &ed25519()), listed(NATIONAL.as_str(), &platform())]);
        let credential = Envelope::parse(&code).expect(what).attest(&ring).expect("Guangdong signed it");
        assert!(!credential.vouched_by_national(), "{what}");
    }
}

#[test]
fn what_nobody_signed_in_the_unprotected_header_condemns_no_signed_code() {
    let draft = Draft::mr1();
    for label in [3, 5, 6, 7, 9, 12, 99] {
        let draft = Draft { unprotected: map([(label, Value::Array(vec![Value::Null]))]), ..draft.clone() };
        let ring = ring([listed("440000", &ed25519())]);
        let envelope = Envelope::parse(&mr1_text(&draft.ed25519()));
        assert!(envelope.is_ok_and(|envelope| envelope.attest(&ring).is_ok()), "label {label}");
    }
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
    let active = listed(NATIONAL.as_str(), &platform());
    let revoked = IssuerKey { state: KeyState::Revoked, ..active.clone() };
    let twice = ring([listed("440000", &ed25519()), active, revoked]);
    let credential = Envelope::parse(&code).expect("a pass code").attest(&twice).expect("Guangdong signed it");
    assert!(!credential.vouched_by_national(), "a key that is stated twice, and once as revoked");
}

#[test]
fn an_issuer_that_lists_anothers_key_takes_nothing_from_it() {
    let theirs = listed("440000", &ed25519());
    // Beijing's repository comes first, and states Guangdong's key as often as it may.
    let copied = std::iter::repeat_n(listed("110000", &ed25519()), MAX_PER_KID);
    let ring = ring(copied.chain([theirs]));
    let code = mr1_text(&Draft::mr1().ed25519());
    let credential = Envelope::parse(&code).expect("a pass code").attest(&ring).expect("Guangdong signed it");
    assert_eq!((credential.issuer().as_str(), credential.repository().as_str()), ("440000", "440000"));
}

#[test]
fn where_two_countries_list_one_key_the_code_is_of_the_country_that_it_names() {
    let public = spki(&es256());
    let of = |country: &str| IssuerKey {
        kid: KeyId::of(&public),
        public: PublicKey::from_spki(&public, Algorithm::Es256).expect("a good key"),
        formats: vec![Format::Hc1],
        ..listed(country, &ed25519())
    };
    let code = hc1_text(&Draft::hc1().es256());
    for countries in [["DE", "AT"], ["AT", "DE"]] {
        let ring = ring(countries.map(of));
        let credential = Envelope::parse(&code).expect("a pass code").attest(&ring).expect("signed");
        assert_eq!(credential.issuer().as_str(), "DE");
    }
}

#[test]
fn a_key_that_its_issuer_lists_as_revoked_is_revoked_however_else_it_lists_it() {
    let revoked = || IssuerKey { state: KeyState::Revoked, ..listed("440000", &ed25519()) };
    let active = || listed("440000", &ed25519());
    let code = mr1_text(&Draft::mr1().ed25519());
    let judged = |keys: Vec<IssuerKey>| Envelope::parse(&code).expect("a pass code").attest(&ring(keys)).err();
    for keys in [vec![active(), revoked()], vec![revoked(), active()]] {
        assert_eq!(judged(keys).map(|rejection| rejection.reason), Some(Reason::KeyRevoked));
    }
    let anothers = IssuerKey { state: KeyState::Revoked, ..listed("110000", &ed25519()) };
    assert!(judged(vec![anothers, active()]).is_none(), "another issuer revokes nothing of this one");
}

#[test]
fn a_status_list_that_was_issued_after_its_key_had_ended_is_none() {
    let list = named([("bits", Value::from(2)), ("lst", Value::Bytes(zlib(&[0; 4])))]);
    let claims = map([(2, Value::from("status/0")), (6, Value::from(NOW.0)), (65533, list)]);
    let kid = KeyId::of(ed25519().verifying_key().as_bytes());
    let protected = map([(1, Value::from(-8)), (4, Value::Bytes(kid.0.to_vec())), (16, Value::from(TYP))]);
    let shard = Draft { protected: support::mint::cbor(&protected), ..Draft::new(-8, kid, &claims) }.ed25519();
    let read = |change: &dyn Fn(&mut IssuerKey)| {
        let mut key = IssuerKey { usage: Usage::Status, ..listed("440000", &ed25519()) };
        change(&mut key);
        StatusList::read(&shard, "status/0", &[&key]).is_ok()
    };
    assert!(read(&|_| ()));
    assert!(read(&|key| key.state = KeyState::Retired { at: NOW.plus(1) }), "what it signed before stays good");
    assert!(!read(&|key| key.state = KeyState::Retired { at: NOW }));
    assert!(!read(&|key| key.state = KeyState::Revoked));
    assert!(!read(&|key| key.window.until = Some(NOW)));
    // A list is of the moment when it last changed, and a new key signs it as it stands.
    assert!(read(&|key| key.window.from = Some(NOW.plus(9))));
}
