//! Configuration codes: what a checkpoint takes, and everything it does not.

use std::collections::{BTreeMap, BTreeSet};

use ciborium::Value;
use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey};
use trustlist::{
    code::cose,
    configuration::{self as mrc1, Context, Direction, Order, Refusal, Settings, decide},
    key::KeyId,
    region::NATIONAL,
    time::{Moment, TimeTrust, UnixTime},
    trust::{Repository, Trust},
};

const NOW: UnixTime = UnixTime(1_612_137_600);

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// A national repository with keys of these seeds, states and uses; and a province that claims one for configuration too.
fn trust(keys: &[(u8, &str, &str)]) -> Trust {
    let entry = |seed: u8, state: &str, usage: &str| {
        let public = BASE64.encode(key(seed).verifying_key().as_bytes());
        format!(
            r#"{{"algorithm":"EdDSA","public_key":"{public}","formats":[],"use":"{usage}","from":"2021-01-01T00:00:00Z",{state}}}"#
        )
    };
    let document = |keys: &[(u8, &str, &str)]| {
        let entries: Vec<String> = keys.iter().map(|(seed, state, usage)| entry(*seed, state, usage)).collect();
        format!(r#"{{"keys":[{}]}}"#, entries.join(","))
    };
    let list = r#"{"issuers":[
        {"id":"000000","name":{"zh":"国","en":"N"},"level":"national","scope":["000000"],"formats":["MR1"],"root_sha256":""},
        {"id":"440000","name":{"zh":"粤","en":"G"},"level":"province","scope":["440000"],"formats":["MR1"],"root_sha256":""}]}"#;
    let repository = |issuer, targets: BTreeMap<&str, String>| Repository {
        issuer,
        generation: 1,
        issued: NOW,
        expires: NOW.plus(86_400),
        arrived: None,
        root_keys: BTreeSet::new(),
        targets: targets.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())).collect(),
    };
    let policy = r#"{"default":"standard","profiles":{"standard":{},"station":{}}}"#.to_owned();
    let national = repository(
        NATIONAL,
        BTreeMap::from([("trustlist.json", list.to_owned()), ("keys.json", document(keys)), ("policy.json", policy)]),
    );
    let province = document(&[(9, ACTIVE, "configuration")]);
    let guangdong = repository("440000".parse().expect("a region"), BTreeMap::from([("keys.json", province)]));
    let (trust, faults) = Trust::assemble(national, vec![guangdong]).expect("readable");
    assert!(faults.iter().any(|fault| fault.what.contains("only the national platform configures")), "{faults:?}");
    trust
}

const ACTIVE: &str = r#""state":"active""#;

fn map(entries: Vec<(i64, Value)>) -> Value {
    let mut entries: Vec<(Value, Value)> = entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
    entries.sort_by_key(|(key, _)| bytes(key));
    Value::Map(entries)
}

fn bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("memory");
    bytes
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn lane_and_direction() -> Value {
    map(vec![(mrc1::LANE, text("east-1")), (mrc1::DIRECTION, 1.into())])
}

/// The claims of a good code, with these in place of or beside them.
fn claims(changed: Vec<(i64, Value)>) -> Vec<u8> {
    let mut all = BTreeMap::from([
        (4, Value::from(NOW.0 + 3600)),
        (6, Value::from(NOW.0)),
        (mrc1::TO, text("gate-7")),
        (mrc1::NUMBER, 5.into()),
        (mrc1::SETTINGS, lane_and_direction()),
    ]);
    all.extend(changed);
    bytes(&map(all.into_iter().collect()))
}

fn signed(seed: u8, payload: Vec<u8>) -> String {
    let key = key(seed);
    let kid = KeyId::of(key.verifying_key().as_bytes());
    let protected = bytes(&map(vec![(1, (-8).into()), (4, Value::Bytes(kid.0.to_vec()))]));
    let signature = key.sign(&cose::to_be_signed(&protected, &payload)).to_vec();
    let message = Value::Tag(
        18,
        Box::new(Value::Array(vec![
            Value::Bytes(protected),
            Value::Map(Vec::new()),
            Value::Bytes(payload),
            Value::Bytes(signature),
        ])),
    );
    format!("MRC1:{}", base45::encode(bytes(&message)))
}

fn here() -> Context<'static> {
    let moment = Moment::synced(NOW.plus(60));
    Context { window: true, checkpoint: "gate-7", moment, taken: 4 }
}

fn said(text: &str) -> Result<Order, Refusal> {
    decide(text, &trust(&[(1, ACTIVE, "configuration"), (2, ACTIVE, "code")]), &here())
}

#[test]
fn a_code_of_the_national_configuration_key_sets_what_it_says() {
    let order = said(&signed(1, claims(Vec::new()))).expect("taken");
    assert_eq!(order.number, 5);
    let settings =
        Settings { lane: Some("east-1".to_owned()), direction: Some(Direction::Exit), ..Settings::default() };
    assert_eq!(order.settings, settings);
    assert_eq!(order.settings.names(), ["lane", "direction"]);
    let everybody = said(&signed(1, claims(vec![(mrc1::TO, text("*"))])));
    assert!(everybody.is_ok(), "a code for all checkpoints");
}

#[test]
fn outside_a_service_window_nothing_is_even_looked_at() {
    let context = Context { window: false, ..here() };
    let trust = trust(&[(1, ACTIVE, "configuration")]);
    assert_eq!(decide(&signed(1, claims(Vec::new())), &trust, &context), Err(Refusal::NoWindow));
    assert_eq!(decide("MRC1:nonsense", &trust, &context), Err(Refusal::NoWindow));
}

#[test]
fn only_the_national_configuration_key_is_believed() {
    assert_eq!(said(&signed(2, claims(Vec::new()))), Err(Refusal::UnknownKey), "a key for pass codes");
    assert_eq!(said(&signed(3, claims(Vec::new()))), Err(Refusal::UnknownKey), "a key of nobody");
    assert_eq!(said(&signed(9, claims(Vec::new()))), Err(Refusal::UnknownKey), "a province's");
    for (state, verdict) in [
        (r#""state":"revoked""#, Err(Refusal::KeySpent)),
        (r#""state":"retired","at":"2021-01-31T00:00:00Z""#, Err(Refusal::KeySpent)),
        (r#""state":"retired","at":"2021-02-01T00:00:01Z""#, Ok(5)),
    ] {
        let trust = trust(&[(1, state, "configuration")]);
        let order = decide(&signed(1, claims(Vec::new())), &trust, &here());
        assert_eq!(order.map(|order| order.number), verdict, "{state}");
    }
}

#[test]
fn a_configuration_key_that_is_listed_twice_and_revoked_once_is_revoked() {
    let revoked = r#""state":"revoked""#;
    for states in [[ACTIVE, revoked], [revoked, ACTIVE]] {
        let trust = trust(&states.map(|state| (1, state, "configuration")));
        assert_eq!(decide(&signed(1, claims(Vec::new())), &trust, &here()), Err(Refusal::KeySpent));
    }
}

#[test]
fn a_code_is_taken_once_by_whom_it_is_for_while_it_is_valid() {
    let good = signed(1, claims(Vec::new()));
    let trust = trust(&[(1, ACTIVE, "configuration")]);
    let with = |context: Context<'_>| decide(&good, &trust, &context).err();
    assert_eq!(with(Context { checkpoint: "gate-8", ..here() }), Some(Refusal::Elsewhere));
    assert_eq!(with(Context { taken: 5, ..here() }), Some(Refusal::Replayed), "shown again");
    assert_eq!(with(Context { taken: 6, ..here() }), Some(Refusal::Replayed), "an older one");
    let at = |at, trust| Context { moment: Moment { at, trust, floor: at }, ..here() };
    assert_eq!(with(at(NOW.plus(3600), TimeTrust::Synced)), Some(Refusal::NotNow), "it has ended");
    assert_eq!(with(at(NOW.plus(-301), TimeTrust::Synced)), Some(Refusal::NotNow), "it has not begun");
    assert_eq!(with(at(NOW.plus(-299), TimeTrust::Synced)), None, "clocks differ");
    // A board that boots in 1970 may be brought its network by the code; what ended before the floor is still old.
    let unsure = |at, trust, floor| Context { moment: Moment { at, trust, floor }, ..here() };
    for (at, trust) in [(UnixTime(0), TimeTrust::Untrusted), (NOW.plus(9000), TimeTrust::FloorOnly)] {
        assert_eq!(with(unsure(at, trust, NOW.plus(-86_400))), None, "{trust:?}");
        assert_eq!(with(unsure(at, trust, NOW.plus(3600))), Some(Refusal::NotNow), "{trust:?}");
    }
}

#[test]
fn no_flipped_bit_of_a_code_sets_anything() {
    let good = signed(1, claims(Vec::new()));
    let message = base45::decode(good.strip_prefix("MRC1:").expect("the prefix")).expect("Base45");
    let trust = trust(&[(1, ACTIVE, "configuration")]);
    for bit in 0..message.len() * 8 {
        let mut changed = message.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let text = format!("MRC1:{}", base45::encode(changed));
        assert!(decide(&text, &trust, &here()).is_err(), "bit {bit}");
    }
}

#[test]
fn what_is_signed_is_still_bounded_and_understood_or_refused_whole() {
    let wifi = |name: &[u8], passphrase: &str| {
        let wifi = map(vec![(1, Value::Bytes(name.to_vec())), (2, text(passphrase))]);
        map(vec![(mrc1::WIFI, wifi)])
    };
    let mirrors = |mirrors: Vec<Value>| map(vec![(mrc1::MIRRORS, Value::Array(mirrors))]);
    for (member, value, fault) in [
        (mrc1::SETTINGS, map(vec![(6, 1.into())]), "unknown-setting"),
        (mrc1::SETTINGS, map(Vec::new()), "no-settings"),
        (mrc1::SETTINGS, map(vec![(mrc1::DIRECTION, 2.into())]), "bad-direction"),
        (mrc1::SETTINGS, map(vec![(mrc1::LANE, text("a\nb"))]), "bad-id"),
        (mrc1::SETTINGS, map(vec![(mrc1::LANE, text(&"a".repeat(65)))]), "bad-id"),
        (mrc1::SETTINGS, mirrors(vec![text("https://a/"); 9]), "too-many-mirrors"),
        (mrc1::SETTINGS, mirrors(vec![text("https://a/ b")]), "bad-mirror"),
        (mrc1::SETTINGS, wifi(b"", "12345678"), "bad-wifi"),
        (mrc1::SETTINGS, wifi(&[b'a'; 33], "12345678"), "bad-wifi"),
        (mrc1::SETTINGS, wifi(b"a", "1234567"), "bad-wifi"),
        (mrc1::SETTINGS, wifi(b"a", "12345678\n[connection]"), "bad-wifi"),
        (mrc1::NUMBER, (-1).into(), "no-number"),
        (mrc1::TO, text(""), "bad-id"),
        (4, Value::from(NOW.0 + mrc1::MAX_VALIDITY + 1), "valid-too-long"),
    ] {
        let text = signed(1, claims(vec![(member, value)]));
        assert_eq!(said(&text), Err(Refusal::Malformed(fault)), "{fault}");
    }
    assert_eq!(said("MRC1:"), Err(Refusal::Malformed("cbor-truncated")));
    let secret = said(&signed(1, claims(vec![(mrc1::SETTINGS, wifi(b"Station", "correct horse"))]))).expect("taken");
    assert!(!format!("{secret:?}").contains("correct horse"), "no passphrase is printed");
}
