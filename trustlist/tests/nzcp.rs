//! The New Zealand COVID Pass: the examples of its specification, judged as at a gate.

mod support;

use std::collections::BTreeMap;

use ciborium::Value;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value as Json, json};
use support::{
    folder, judge,
    mint::{Draft, NOW, cbor, es256, map, named, nzcp_text, spki},
    read, read_json, trust_of,
};
use trustlist::{
    code::{Format, nzcp},
    time::UnixTime,
    trust::Trust,
    verdict::Verdict,
};

/// Between the good pass's `nbf` (2021-11-02) and the examples' `exp` (2031-11-02).
const CLOCK: UnixTime = UnixTime(1_640_000_000);

fn key_entry(name: &str, spki: &[u8]) -> Json {
    json!({"algorithm": "ES256", "public_key": BASE64.encode(spki), "name": name, "formats": ["NZCP"],
           "use": "code", "state": "active"})
}

fn lists(entry: Json) -> Trust {
    trust_of(BTreeMap::from([("NZ".to_owned(), vec![entry])]), Format::Nzcp, CLOCK)
}

/// The lists as the specification's `did.json` has them.
fn new_zealand() -> Trust {
    let did: Json = read_json("nzcp/did.json");
    let method = &did["verificationMethod"][0];
    let part = |name: &str| {
        let text = method["publicKeyJwk"][name].as_str().expect("a coordinate");
        BASE64URL_NOPAD.decode(text.as_bytes()).expect("Base64")
    };
    let prefix = HEXLOWER.decode(b"3059301306072a8648ce3d020106082a8648ce3d03010703420004").expect("SPKI of P-256");
    lists(key_entry(method["id"].as_str().expect("a DID URL"), &[prefix, part("x"), part("y")].concat()))
}

#[test]
fn the_examples_of_the_specification_come_out_as_it_says() {
    let trust = new_zealand();
    let mut examples = 0;
    for (kind, verdict, reason) in [
        ("valid", Verdict::Admit, "ok"),
        ("bad-signature", Verdict::Refuse, "bad-signature"),
        ("expired", Verdict::Refuse, "expired"),
        ("not-yet-valid", Verdict::Refuse, "not-yet-valid"),
        ("unknown-key", Verdict::Refuse, "unknown-key"),
    ] {
        for name in folder(&format!("nzcp/{kind}")).iter().filter(|name| name.ends_with(".txt")) {
            let text = read(&format!("nzcp/{kind}/{name}"));
            let decision = judge(text.trim_end(), &trust, CLOCK).expect("a pass code");
            assert_eq!((decision.verdict, decision.reason.code()), (verdict, reason), "{name}: {decision:?}");
            assert_eq!(decision.format, Some(Format::Nzcp));
            examples += 1;
        }
    }
    assert_eq!(examples, 7);
}

const DID: &str = "did:web:example.nz";

fn draft(issuer: &str, vc: Value) -> Draft {
    let mut claims = vec![
        (Value::from(1), Value::from(issuer)),
        (Value::from(5), Value::from(NOW.0)),
        (Value::from(4), Value::from(NOW.0 + 1000)),
        (Value::from(7), Value::Bytes(vec![3; 16])),
    ];
    claims.push((Value::from("vc"), vc));
    Draft {
        protected: cbor(&map([(4, Value::Bytes(b"key-1".to_vec())), (1, Value::from(-7))])),
        unprotected: map([]),
        payload: cbor(&Value::Map(claims)),
        signed_protected: None,
        tag: Some(18),
    }
}

fn vc(version: &str, kind: &str) -> Value {
    named([
        ("version", Value::from(version)),
        ("type", Value::Array(vec![Value::from("VerifiableCredential"), Value::from(kind)])),
        ("credentialSubject", named([("givenName", Value::from("Jack")), ("dob", Value::from("1960-04-16"))])),
    ])
}

fn judged(draft: &Draft) -> (&'static str, Option<&'static str>) {
    let trust = lists(key_entry(&format!("{DID}#key-1"), &spki(&es256())));
    let decision = judge(&nzcp_text(&draft.es256()), &trust, NOW).expect("a pass code");
    (decision.reason.code(), decision.detail)
}

#[test]
fn a_key_speaks_for_the_identifier_it_is_published_under_and_no_other() {
    assert_eq!(nzcp::key_id("a#b"), trustlist::key::KeyId::of(b"a#b"));
    let good = vc("1.0.0", "PublicCovidPass");
    assert_eq!(judged(&draft(DID, good.clone())), ("ok", None));
    assert_eq!(judged(&draft("did:web:example.com", good)), ("unknown-key", None));
}

#[test]
fn a_pass_of_another_shape_is_malformed() {
    assert_eq!(judged(&draft(DID, vc("2.0.0", "PublicCovidPass"))), ("malformed", Some("bad-content")));
    assert_eq!(judged(&draft(DID, vc("1.0.0", "DrivingLicence"))), ("malformed", Some("bad-content")));
    let untagged = Draft { tag: None, ..draft(DID, vc("1.0.0", "PublicCovidPass")) };
    assert_eq!(judged(&untagged), ("malformed", Some("bad-tag")));
    let trust = new_zealand();
    let good = read("nzcp/valid/nzcp.txt");
    let good = good.trim_end();
    for text in [good.to_lowercase().replace("nzcp:/1/", "NZCP:/1/"), format!("{good}===="), format!("{good}\n")] {
        let decision = judge(&text, &trust, CLOCK).expect("a pass code");
        assert_eq!((decision.reason.code(), decision.detail), ("malformed", Some("bad-base32")));
    }
    assert!(judge(&good.replace("/1/", "/2/"), &trust, CLOCK).is_none(), "another version is another format");
}
