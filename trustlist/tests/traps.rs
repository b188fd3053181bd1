//! The traps that readers of signed codes are known to fall into, one test each.

mod support;

use std::collections::BTreeMap;

use ciborium::Value;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use support::{
    judge, mint,
    mint::{Draft, NOW, cbor, ed25519, entry, es256, hc1_text, map, mr1_text, spki},
    read_json, trust_of,
};
use trustlist::{
    code::{Envelope, Format, text},
    judge::Decision,
    key::{BadKey, KeyId, PublicKey},
    time::UnixTime,
    trust::Trust,
    verdict::{Reason, Verdict},
};

fn lists(id: &str, format: Format, keys: Vec<Json>) -> Trust {
    trust_of(BTreeMap::from([(id.to_owned(), keys)]), format, NOW)
}

fn germany() -> Trust {
    lists("DE", Format::Hc1, vec![entry("ES256", &spki(&es256()), "HC1")])
}

fn guangdong() -> Trust {
    lists("440000", Format::Mr1, vec![entry("EdDSA", ed25519().verifying_key().as_bytes(), "MR1")])
}

fn hc1(message: &[u8]) -> Decision {
    judge(&hc1_text(message), &germany(), NOW).expect("it claims to be a pass code")
}

fn mr1(message: &[u8]) -> Decision {
    judge(&mr1_text(message), &guangdong(), NOW).expect("it claims to be a pass code")
}

/// Refused, for this reason and detail.
#[track_caller]
fn refused(decision: &Decision, reason: &str, detail: Option<&str>) {
    assert_eq!((decision.verdict, decision.reason.code(), decision.detail), (Verdict::Refuse, reason, detail));
}

#[track_caller]
fn admitted(decision: &Decision) {
    assert_eq!(decision.verdict, Verdict::Admit, "{decision:?}");
}

fn kid() -> Value {
    Value::Bytes(KeyId::of(&spki(&es256())).0.to_vec())
}

#[test]
fn the_healthy_twins_are_admitted() {
    admitted(&hc1(&Draft::hc1().es256()));
    admitted(&mr1(&Draft::mr1().ed25519()));
}

#[test]
fn the_message_does_not_choose_the_algorithm_by_which_it_is_checked() {
    let relabelled = |draft: Draft, algorithm: i64, kid: Value| Draft {
        protected: cbor(&map([(1, Value::from(algorithm)), (4, kid)])),
        ..draft
    };
    // A keyed hash under the public key, which everybody has: HMAC 256/256 is COSE 5.
    let draft = relabelled(Draft::hc1(), 5, kid());
    let digest = Sha256::digest([spki(&es256()), draft.to_be_signed()].concat());
    refused(&hc1(&draft.with_signature(digest.to_vec())), "malformed", Some("unsupported-alg"));
    for algorithm in [-8, -37] {
        let decision = hc1(&relabelled(Draft::hc1(), algorithm, kid()).es256());
        refused(&decision, "bad-signature", Some("algorithm-mismatch"));
    }
    let ours = Value::Bytes(KeyId::of(ed25519().verifying_key().as_bytes()).0.to_vec());
    for algorithm in [-7, -37, 5] {
        let decision = mr1(&relabelled(Draft::mr1(), algorithm, ours.clone()).ed25519());
        refused(&decision, "algorithm-mismatch", None);
    }
}

#[test]
fn a_key_of_another_format_makes_nothing_good() {
    let wrong = lists("DE", Format::Hc1, vec![entry("ES256", &spki(&es256()), "MR1")]);
    let decision = judge(&hc1_text(&Draft::hc1().es256()), &wrong, NOW).expect("a pass code");
    refused(&decision, "unknown-key", None);
}

#[test]
fn a_kid_only_in_the_unprotected_header_serves_where_the_format_says_so() {
    let unprotected = |draft: Draft, algorithm: i64, kid: Value| Draft {
        protected: cbor(&map([(1, Value::from(algorithm))])),
        unprotected: map([(4, kid)]),
        ..draft
    };
    admitted(&hc1(&unprotected(Draft::hc1(), -7, kid()).es256()));
    let ours = Value::Bytes(KeyId::of(ed25519().verifying_key().as_bytes()).0.to_vec());
    refused(&mr1(&unprotected(Draft::mr1(), -8, ours).ed25519()), "malformed", Some("no-kid"));
}

#[test]
fn a_wrong_protected_kid_is_not_rescued_by_a_right_unprotected_one() {
    let wrong = Value::Bytes(vec![1; 8]);
    let draft = Draft {
        protected: cbor(&map([(1, Value::from(-7)), (4, wrong)])),
        unprotected: map([(4, kid())]),
        ..Draft::hc1()
    };
    refused(&hc1(&draft.es256()), "unknown-key", None);
}

#[test]
fn keys_whose_ids_collide_are_all_tried_up_to_eight() {
    let other = |seed: u8| p256::ecdsa::SigningKey::from_slice(&[seed; 32]).expect("below the order");
    let called = |key: &p256::ecdsa::SigningKey| {
        let mut entry = entry("ES256", &spki(key), "HC1");
        entry["name"] = json!("the same");
        entry
    };
    let claims = mint::hc1_claims(Value::from(NOW.0), Value::from(NOW.0 + 1000));
    let text = hc1_text(&Draft::new(-7, KeyId::of(b"the same"), &claims).es256());
    let mut keys: Vec<Json> = (20..27).map(|seed| called(&other(seed))).collect();
    keys.push(called(&es256()));
    admitted(&judge(&text, &lists("DE", Format::Hc1, keys.clone()), NOW).expect("a pass code"));
    keys.pop();
    let decision = judge(&text, &lists("DE", Format::Hc1, keys), NOW).expect("a pass code");
    refused(&decision, "bad-signature", None);
}

#[test]
fn crit_that_nobody_here_understands_is_refused() {
    let crit = |label: i64| (2, Value::Array(vec![Value::from(label)]));
    let protected = Draft {
        protected: cbor(&map([(1, Value::from(-7)), crit(99), (4, kid()), (99, Value::from(1))])),
        ..Draft::hc1()
    };
    refused(&hc1(&protected.es256()), "malformed", Some("crit-not-understood"));
    let unprotected = Draft { unprotected: map([crit(99), (99, Value::from(1))]), ..Draft::hc1() };
    refused(&hc1(&unprotected.es256()), "malformed", Some("crit-not-understood"));
}

#[test]
fn alg_in_both_headers_and_differing_is_refused() {
    let draft = |algorithm: i64| Draft { unprotected: map([(1, Value::from(algorithm))]), ..Draft::hc1() };
    refused(&hc1(&draft(-8).es256()), "malformed", Some("alg-differs"));
    admitted(&hc1(&draft(-7).es256()));
    let ours = Draft { unprotected: map([(1, Value::from(-8))]), ..Draft::mr1() };
    refused(&mr1(&ours.ed25519()), "malformed", Some("alg-unprotected"));
}

#[test]
fn a_claim_or_a_header_stated_twice_is_refused() {
    let Value::Map(mut claims) = mint::hc1_claims(Value::from(NOW.0), Value::from(NOW.0 - 1)) else { unreachable!() };
    claims.push((Value::from(4), Value::from(NOW.0 + 1000)));
    let draft = Draft { payload: cbor(&Value::Map(claims)), ..Draft::hc1() };
    refused(&hc1(&draft.es256()), "malformed", Some("bad-cwt"));
    let protected = cbor(&Value::Map(vec![
        (Value::from(1), Value::from(-7)),
        (Value::from(4), Value::Bytes(vec![1; 8])),
        (Value::from(4), kid()),
    ]));
    refused(&hc1(&Draft { protected, ..Draft::hc1() }.es256()), "malformed", Some("bad-cbor"));
}

#[test]
fn an_algorithm_by_name_is_refused() {
    let draft = Draft { protected: cbor(&map([(1, Value::from("ES256")), (4, kid())])), ..Draft::hc1() };
    refused(&hc1(&draft.es256()), "malformed", Some("unsupported-alg"));
}

#[test]
fn an_empty_protected_header_is_read_in_both_spellings() {
    let unprotected = map([(1, Value::from(-7)), (4, kid())]);
    for (sent, signed) in [(vec![], vec![]), (vec![0xa0], vec![]), (vec![0xa0], vec![0xa0])] {
        let unprotected = unprotected.clone();
        let draft =
            Draft { protected: sent.clone(), signed_protected: Some(signed.clone()), unprotected, ..Draft::hc1() };
        let decision = hc1(&draft.es256());
        assert_eq!(decision.verdict, Verdict::Admit, "sent as {sent:?} and signed as {signed:?}: {decision:?}");
    }
    let crossed = Draft { protected: vec![], signed_protected: Some(vec![0xa0]), unprotected, ..Draft::hc1() };
    refused(&hc1(&crossed.es256()), "bad-signature", None);
}

#[test]
fn another_kind_of_cose_message_is_no_code() {
    // COSE_Mac0, COSE_Sign, COSE_Encrypt0, COSE_Mac, COSE_Encrypt, and a tag of nobody.
    for tag in [17, 98, 16, 97, 96, 998] {
        let draft = Draft { tag: Some(tag), ..Draft::hc1() };
        refused(&hc1(&draft.es256()), "malformed", Some("bad-cbor"));
        let ours = Draft { tag: Some(tag), ..Draft::mr1() };
        refused(&mr1(&ours.ed25519()), "malformed", Some("bad-tag"));
    }
    // A COSE_Mac0 without its tag looks like a COSE_Sign1 with the algorithm of a MAC.
    let mac = Draft { protected: cbor(&map([(1, Value::from(5)), (4, kid())])), tag: None, ..Draft::hc1() };
    refused(&hc1(&mac.with_signature(vec![0; 32])), "malformed", Some("unsupported-alg"));
}

#[test]
fn a_detached_payload_is_refused() {
    let detached = |protected: Vec<u8>| {
        let fields = vec![Value::Bytes(protected), map([]), Value::Null, Value::Bytes(vec![0; 64])];
        cbor(&Value::Tag(18, Box::new(Value::Array(fields))))
    };
    refused(&hc1(&detached(Draft::hc1().protected)), "malformed", Some("bad-cbor"));
    refused(&mr1(&detached(Draft::mr1().protected)), "malformed", Some("detached-payload"));
}

#[test]
fn times_are_seconds_of_this_calendar() {
    let judged = |issued: Value, expires: Value| {
        hc1(&Draft { payload: cbor(&mint::hc1_claims(issued, expires)), ..Draft::hc1() }.es256())
    };
    let (now, later) = (Value::from(NOW.0), Value::from(NOW.0 + 1000));
    // RFC 8392 §2: a NumericDate may have a fraction.
    admitted(&judged(Value::Float(1_629_999_999.5), Value::Float(1_630_001_000.25)));
    for (time, fault) in [
        (Value::Float(f64::NAN), "not a number"),
        (Value::Float(f64::INFINITY), "infinite"),
        (Value::Float(-1.0), "negative"),
        (Value::from(-1), "negative"),
        (Value::from(1_630_001_000_000_i64), "milliseconds"),
        (Value::Float(1.630_001e12), "milliseconds"),
        (Value::from("2021-08-26"), "a text"),
        (Value::Null, "nothing"),
    ] {
        for decision in [judged(now.clone(), time.clone()), judged(time.clone(), later.clone())] {
            assert_eq!((decision.reason, decision.detail), (Reason::Malformed, Some("bad-cwt")), "{fault}");
        }
    }
}

#[test]
fn a_certificate_outside_its_own_window_makes_nothing_valid() {
    let within = |from: i64, until: i64| {
        let mut entry = entry("ES256", &spki(&es256()), "HC1");
        let json = |time: i64| serde_json::to_value(UnixTime(time)).expect("a time");
        entry["from"] = json(from);
        entry["until"] = json(until);
        judge(&hc1_text(&Draft::hc1().es256()), &lists("DE", Format::Hc1, vec![entry]), NOW).expect("a pass code")
    };
    admitted(&within(NOW.0 - 5000, NOW.0 + 5000));
    refused(&within(NOW.0 - 5000, NOW.0 - 4000), "expired", None);
    refused(&within(NOW.0 + 4000, NOW.0 + 5000), "key-not-yet-valid", None);
}

#[test]
fn a_small_order_key_would_sign_everything_and_is_refused() {
    // The identity: 0·B = R + k·A for R = A = identity, whatever k, hence whatever the message.
    let mut identity = [0; 32];
    identity[0] = 1;
    let signature = ed25519_dalek::Signature::from_bytes(&[identity, [0; 32]].concat().try_into().expect("64 bytes"));
    let key = ed25519_dalek::VerifyingKey::from_bytes(&identity).expect("a point");
    assert!(ed25519_dalek::Verifier::verify(&key, b"anything", &signature).is_ok(), "the careless check accepts it");
    assert!(key.verify_strict(b"anything", &signature).is_err());
    assert_eq!(PublicKey::ed25519(&identity).err(), Some(BadKey::Weak));
}

#[test]
fn a_mebibyte_bomb_in_a_kibibyte_is_refused() {
    let bomb = mint::zlib(&vec![0; 1 << 20]);
    assert!(bomb.len() < 1200);
    for (format, detail) in [("HC1", "bad-zlib"), ("MR1", "inflated-too-long")] {
        let text = format!("{format}:{}", base45::encode(&bomb));
        assert!(text.len() < text::MAX_TEXT, "it fits a symbol");
        refused(&judge(&text, &germany(), NOW).expect("a pass code"), "malformed", Some(detail));
    }
}

#[test]
fn base45_has_one_spelling() {
    #[derive(serde::Deserialize)]
    struct Table {
        encode: Vec<(String, String)>,
        must_reject: Vec<(String, String)>,
    }
    let table: Table = read_json("rfc/rfc9285-base45.json");
    for (bytes, spelt) in table.encode {
        assert_eq!(text::base45(&spelt).as_deref(), Ok(bytes.as_bytes()));
    }
    for (spelt, fault) in table.must_reject {
        assert_eq!(text::base45(&spelt), Err("bad-base45"), "{fault}");
    }
    let good = hc1_text(&Draft::hc1().es256());
    for text in [good.to_lowercase().replace("hc1:", "HC1:"), format!("{good}\n"), good.replacen(' ', "_", 1)] {
        if text != good {
            refused(&judge(&text, &germany(), NOW).expect("a pass code"), "malformed", Some("bad-base45"));
        }
    }
    let twice = judge(&good.replace("HC1:", "HC1:HC1:"), &germany(), NOW).expect("a pass code");
    assert_eq!(twice.reason, Reason::Malformed);
    for text in [format!(" {good}"), good.replace("HC1:", "hc1:"), good.replace("HC1:", "HC2:")] {
        assert!(judge(&text, &germany(), NOW).is_none(), "no pass code of ours");
    }
}

#[test]
fn nothing_may_follow_the_message_the_payload_or_the_zlib_stream() {
    let message = Draft::hc1().es256();
    refused(&hc1(&[&message[..], &[0]].concat()), "malformed", Some("bad-cbor"));
    let payload = [Draft::hc1().payload, vec![0]].concat();
    refused(&hc1(&Draft { payload, ..Draft::hc1() }.es256()), "malformed", Some("bad-cwt"));
    let protected = [Draft::hc1().protected, vec![0]].concat();
    refused(&hc1(&Draft { protected, ..Draft::hc1() }.es256()), "malformed", Some("bad-cbor"));
    let text = format!("HC1:{}", base45::encode([mint::zlib(&message), vec![0]].concat()));
    refused(&judge(&text, &germany(), NOW).expect("a pass code"), "malformed", Some("bad-zlib"));
    refused(&mr1(&[&Draft::mr1().ed25519()[..], &[0]].concat()), "malformed", Some("cbor-trailing-bytes"));
    let payload = [Draft::mr1().payload, vec![0]].concat();
    refused(&mr1(&Draft { payload, ..Draft::mr1() }.ed25519()), "malformed", Some("bad-cbor"));
}

#[test]
fn two_thousand_levels_end_at_the_depth_bound() {
    for opening in [0x81, 0x9f, 0xc1, 0xd8] {
        let nested = [vec![opening; 2000], vec![0]].concat();
        refused(&hc1(&nested), "malformed", Some("bad-cbor"));
        refused(&hc1(&Draft { payload: nested, ..Draft::hc1() }.es256()), "malformed", Some("bad-cwt"));
    }
}

#[test]
fn a_payload_of_empty_arrays_ends_at_the_bounds_before_a_tree_is_made_of_it() {
    // 64 KiB do not come out of the inflater; 15 KiB do, and end at the bound of items.
    for (length, detail) in [(65_536_usize, "bad-zlib"), (15_000, "bad-cbor")] {
        let mut arrays = vec![0x80; length];
        let count = u16::try_from(length - 3).expect("16 bits").to_be_bytes();
        arrays[..3].copy_from_slice(&[0x99, count[0], count[1]]);
        refused(&hc1(&arrays), "malformed", Some(detail));
        let payload = Draft { payload: arrays, ..Draft::hc1() };
        let detail = if length > text::MAX_INFLATED { "bad-zlib" } else { "bad-cwt" };
        refused(&hc1(&payload.es256()), "malformed", Some(detail));
    }
}

#[test]
fn an_envelope_prints_nothing_of_its_traveller() {
    let envelope = Envelope::parse(&hc1_text(&Draft::hc1().es256())).expect("an envelope");
    assert_eq!(format!("{envelope:?}"), format!("Envelope(HC1 {})", KeyId::of(&spki(&es256()))));
}

#[test]
fn a_certificate_is_of_exactly_one_kind() {
    let judged = |certificate: Value| {
        let claims = map([(4, Value::from(NOW.0 + 1000)), (6, Value::from(NOW.0)), (-260, map([(1, certificate)]))]);
        hc1(&Draft { payload: cbor(&claims), ..Draft::hc1() }.es256())
    };
    let entry = || mint::named([("ci", Value::from("URN:UVCI:01:DE:1"))]);
    let (one, none) = (|| Value::Array(vec![entry()]), || Value::Array(vec![]));
    admitted(&judged(mint::named([("v", one()), ("t", none()), ("r", Value::Null)])));
    admitted(&judged(mint::named([("v", Value::Array(vec![entry(), entry()]))])));
    for certificate in [
        mint::named([]),
        mint::named([("v", none())]),
        mint::named([("v", one()), ("t", one())]),
        mint::named([("v", Value::from("yes"))]),
        mint::named([("v", Value::Array(vec![Value::from(1)]))]),
    ] {
        refused(&judged(certificate), "malformed", Some("bad-content"));
    }
}
