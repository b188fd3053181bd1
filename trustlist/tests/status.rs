//! The validation rules of the Token Status List draft (draft-ietf-oauth-status-list §5.2 and §8.3), one by one, and its own examples.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use ciborium::Value;
use data_encoding::HEXLOWER;
use serde_json::json;
use support::mint::{Draft, NOW, cbor, ed25519, entry, map, mr1_claims, mr1_text, named, zlib};
use trustlist::{
    code::{Format, IssuerKey, KeyState, Usage},
    judge::{Context, Outcome, decide},
    key::{KeyId, PublicKey},
    region::NATIONAL,
    status::{STATUS_LIST, SUB, Status, StatusList, TTL, TYP},
    time::{Moment, UnixTime, Window},
    trust::{Repository, Trust},
    verdict::Reason,
};

/// The draft's §5.2: one bit a code, the key called "12" in the unprotected header.
const EXAMPLE_PAYLOAD: &str = "a502782168747470733a2f2f6578616d706c652e636f6d2f7374617475736c697374732f31061a648c5bea041a8898dfea19fffe\
                               19a8c019fffda2646269747301636c73744a78dadbb918000217015d";
const EXAMPLE_URI: &str = "https://example.com/statuslists/1";
/// Appendix C.2: two bits a code.
const TWO_BITS: &str = "\
78daeddb310d00211000412ea1a04004fe5520ed
357c28c81d3312b6df68bc65480000000000406e2101000000000000000000000000
0000000000000000000000000000000000000040795b020000000000000000000000
00000000000000000000000000000000000000000000000000000000000000000000
00000000000000000000000000000000000000000000000000000000000000000000
0080f4ba0400000000000000000000000000406d764a000000000000000000000000
000000000000000000e0922101000000000000000000000000000000000000fc1312
00000000000000000000000000000000000000000000000000000000000000c0912e
01000000000000000000000000000000000000c07d4b020000000000000000000000
00000000a8614a0000000000000000000000406a1fcd60010c";

fn key(name: &[u8]) -> IssuerKey {
    let public = ed25519().verifying_key().to_bytes();
    IssuerKey {
        issuer: "440000".parse().expect("a region"),
        scope: Vec::new(),
        kid: KeyId::of(name),
        public: PublicKey::ed25519(&public).expect("a good key"),
        formats: vec![Format::Mr1],
        usage: Usage::Status,
        window: Window::default(),
        state: KeyState::Active,
    }
}

/// A list with this header and these claims, signed.
fn signed(protected: &Value, unprotected: Value, payload: Vec<u8>) -> Vec<u8> {
    let draft = Draft::new(-8, KeyId([0; 8]), &map([]));
    Draft { protected: cbor(protected), unprotected, payload, ..draft }.ed25519()
}

fn header() -> Value {
    map([(1, Value::from(-8)), (4, Value::Bytes(b"12".to_vec())), (16, Value::from(TYP))])
}

/// `status/0` with these bits a code, and more claims.
fn list(bits: u64, packed: Vec<u8>, more: &[(i64, Value)]) -> Vec<u8> {
    let list = named([("bits", Value::from(bits)), ("lst", Value::Bytes(packed))]);
    let mut claims = vec![(SUB, Value::from("status/0")), (6, Value::from(NOW.0)), (STATUS_LIST, list)];
    claims.retain(|(claim, _)| more.iter().all(|(other, _)| other != claim));
    claims.extend(more.iter().cloned());
    let claims = Value::Map(claims.into_iter().map(|(claim, value)| (Value::from(claim), value)).collect());
    signed(&header(), map([]), cbor(&claims))
}

fn read(bytes: &[u8]) -> Result<StatusList, String> {
    StatusList::read(bytes, "status/0", &[&key(b"12")])
}

#[test]
fn the_drafts_own_example_is_read_with_its_two_byte_key_id_beside_the_protected_header() {
    let payload = HEXLOWER.decode(EXAMPLE_PAYLOAD.as_bytes()).expect("hexadecimal");
    let protected = map([(1, Value::from(-8)), (16, Value::from(TYP))]);
    let example = signed(&protected, map([(4, Value::Bytes(b"12".to_vec()))]), payload);
    let list = StatusList::read(&example, EXAMPLE_URI, &[&key(b"12")]).expect("the draft's example");
    assert_eq!(
        (list.issued, list.window.until, list.ttl),
        (UnixTime(1_686_920_170), Some(UnixTime(2_291_720_170)), Some(43_200))
    );
    // §4.1: byte_array = [0xb9, 0xa3].
    let statuses: Vec<u8> = (0..16).map(|index| list.statuses.status(index).bits()).collect();
    assert_eq!(statuses, [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]);
    assert!(StatusList::read(&example, EXAMPLE_URI, &[&key(b"13")]).is_err(), "another key's name");
}

#[test]
fn lists_of_one_two_four_and_eight_bits_say_what_the_draft_says_they_do() {
    use Status::{Revoked, Suspended, Unknown, Valid};
    let packed = HEXLOWER.decode(TWO_BITS.replace('\n', "").as_bytes()).expect("hexadecimal");
    let two = read(&list(2, packed, &[])).expect("appendix C.2").statuses;
    for (index, bits) in [(0, 1), (1993, 2), (25_460, 1), (159_495, 3), (645_645, 2), (1_000_345, 3), (5, 0)] {
        assert_eq!(two.status(index).bits(), bits, "{index}");
    }
    assert_eq!((two.codes(), two.status(1 << 20)), (1 << 20, Unknown));
    // §4.1 counts from the least significant end; values beyond the registry's say nothing.
    let four = read(&list(4, zlib(&[0x21, 0xc0, 0x0f]), &[])).expect("four bits").statuses;
    let statuses: Vec<Status> = (0..7).map(|index| four.status(index)).collect();
    assert_eq!(statuses, [Revoked, Suspended, Valid, Unknown, Unknown, Valid, Unknown]);
    let eight = read(&list(8, zlib(&[0, 1, 2, 3, 255]), &[])).expect("eight bits").statuses;
    let statuses: Vec<Status> = (0..5).map(|index| eight.status(index)).collect();
    assert_eq!(statuses, [Valid, Revoked, Suspended, Unknown, Unknown]);
    for bits in [0, 3, 16, 256] {
        assert!(read(&list(bits, zlib(&[0]), &[])).is_err(), "{bits} bits");
    }
}

#[test]
fn a_list_of_another_type_or_name_or_shape_is_none() {
    let zeros = || zlib(&[0; 4]);
    assert!(read(&list(2, zeros(), &[])).is_ok());
    let payload = cbor(&map([
        (SUB, Value::from("status/0")),
        (6, Value::from(NOW.0)),
        (STATUS_LIST, named([("bits", Value::from(2)), ("lst", Value::Bytes(zeros()))])),
    ]));
    let typed = |typ: Option<Value>| {
        let mut entries = vec![(Value::from(1), Value::from(-8)), (Value::from(4), Value::Bytes(b"12".to_vec()))];
        entries.extend(typ.map(|typ| (Value::from(16), typ)));
        read(&signed(&Value::Map(entries), map([]), payload.clone()))
    };
    assert!(typed(Some(Value::from(TYP))).is_ok());
    for typ in [None, Some(Value::from("application/cwt")), Some(Value::from("statuslist+jwt")), Some(Value::from(61))]
    {
        assert!(typed(typ.clone()).is_err_and(|why| why.contains("type")), "{typ:?}");
    }
    for (what, more) in [
        ("another name", vec![(SUB, Value::from("status/1"))]),
        ("no name", vec![(SUB, Value::Null)]),
        ("an issue that is no time", vec![(6, Value::from("2021"))]),
        ("a ttl of nothing", vec![(TTL, Value::from(0))]),
        ("a ttl below nothing", vec![(TTL, Value::from(-1))]),
        ("a ttl that is no number", vec![(TTL, Value::from("day"))]),
        ("an end that is no time", vec![(4, Value::from("never"))]),
    ] {
        assert!(read(&list(2, zeros(), &more)).is_err(), "{what}");
    }
    let trailing = [zeros(), vec![0]].concat();
    assert!(read(&list(2, trailing, &[])).is_err_and(|why| why.contains("follow")), "bytes after the stream");
    assert!(read(&list(2, [zeros(), zeros()].concat(), &[])).is_err(), "a second stream");
    assert!(read(&list(2, zeros()[..8].to_vec(), &[])).is_err(), "a stream cut short");
    assert!(read(&list(1, zlib(&vec![0; 5 << 20]), &[])).is_err_and(|why| why.contains("codes")), "too many codes");
}

/// What a code at index 1 of `status/0` is told at `moment`, where the repository was issued at [`NOW`].
fn judged(shard: Vec<u8>, moment: Moment) -> Reason {
    let code = |claims: Value| mr1_text(&Draft { payload: cbor(&claims), ..Draft::mr1() }.ed25519());
    let Value::Map(mut claims) = mr1_claims() else { panic!("a map") };
    let status = named([("idx", Value::from(1)), ("uri", Value::from("status/0"))]);
    claims.insert(4, (Value::from(65535), named([("status_list", status)])));
    claims[1].1 = Value::from(NOW.0 + 100 * 86_400);
    let mut keys = vec![entry("EdDSA", ed25519().verifying_key().as_bytes(), "MR1")];
    let mut status_key = entry("EdDSA", ed25519().verifying_key().as_bytes(), "MR1");
    status_key["use"] = json!("status");
    status_key["name"] = json!("12");
    keys.push(status_key);
    let repository = |id: &str, targets: Vec<(&str, Vec<u8>)>| Repository {
        issuer: id.parse().expect("a region"),
        generation: 1,
        issued: NOW,
        expires: NOW.plus(86_400),
        arrived: None,
        root_keys: BTreeSet::new(),
        targets: targets.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect::<BTreeMap<_, _>>(),
    };
    let issuers = json!({"issuers": [{"id": "440000", "name": {"zh": "", "en": ""}, "level": "province",
                                      "scope": ["440000"], "formats": ["MR1"], "root_sha256": ""}]});
    let national = repository(NATIONAL.as_str(), vec![("trustlist.json", issuers.to_string().into_bytes())]);
    let keys = json!({ "keys": keys }).to_string().into_bytes();
    let (trust, faults) =
        Trust::assemble(national, vec![repository("440000", vec![("keys.json", keys), ("status/0", shard)])])
            .expect("lists of this test");
    assert_eq!(faults, []);
    let context = Context { moment, relying: "440000".parse().expect("a region"), profile: None };
    match decide(&code(Value::Map(claims)), &trust, &context) {
        Outcome::Judged(judgement) => judgement.close().0.reason,
        Outcome::NotAPassCode => panic!("it is a pass code"),
    }
}

#[test]
fn a_list_whose_end_has_come_says_nothing_and_nobody_is_admitted_by_it() {
    let with = |more: &[(i64, Value)]| list(2, zlib(&[0; 4]), more);
    let at = |seconds: i64| Moment::synced(NOW.plus(seconds));
    assert_eq!(judged(with(&[]), at(60)), Reason::Ok);
    let ends = || with(&[(4, Value::from(NOW.0 + 3600))]);
    assert_eq!(judged(ends(), at(60)), Reason::Ok);
    assert_eq!(judged(ends(), at(4000)), Reason::StatusUnknown, "exp is over");
    assert_eq!(judged(with(&[(4, Value::from(NOW.0 + 50 * 86_400))]), at(80 * 86_400)), Reason::StatusUnknown);
    // The time to live counts from when the issuer last stood by the list, which is its repository's issue.
    let lives = || with(&[(TTL, Value::from(3600)), (6, Value::from(NOW.0 - 40 * 86_400))]);
    assert_eq!(judged(lives(), at(60)), Reason::Ok);
    assert_eq!(judged(lives(), at(4000)), Reason::StatusUnknown, "ttl is over");
    let cautious = Moment { floor: NOW, ..Moment { trust: trustlist::time::TimeTrust::FloorOnly, ..at(4000) } };
    assert_eq!(
        judged(ends(), cautious),
        Reason::StatusUnknown,
        "what a clock that nobody confirms calls over admits nobody"
    );
}

#[test]
fn a_list_that_was_issued_in_the_future_or_begins_there_says_nothing_yet() {
    let with = |more: &[(i64, Value)]| list(2, zlib(&[0; 4]), more);
    let now = Moment::synced(NOW.plus(60));
    assert_eq!(judged(with(&[(6, Value::from(NOW.0 + 3600))]), now), Reason::StatusUnknown);
    assert_eq!(judged(with(&[(6, Value::from(NOW.0 + 300))]), now), Reason::Ok, "clocks differ");
    assert_eq!(judged(with(&[(5, Value::from(NOW.0 + 3600))]), now), Reason::StatusUnknown);
}
