//! Signatures nobody here made: Project Wycheproof, RFC 8032, and the COSE working group's messages.

mod support;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde_json::Value as Json;
use support::{folder, read_json};
use trustlist::{
    code::{
        cbor::Strictness,
        cose::{Profile, Sign1},
    },
    key::{Algorithm, PublicKey},
};

fn hex(json: &Json) -> Vec<u8> {
    HEXLOWER_PERMISSIVE.decode(json.as_str().expect("a text").as_bytes()).expect("hexadecimal")
}

/// Every test of a Wycheproof file; how many were valid and invalid.
fn wycheproof(path: &str, key: impl Fn(&Json) -> Result<PublicKey, trustlist::key::BadKey>) -> (u32, u32) {
    let file: Json = read_json(path);
    let (mut valid, mut invalid) = (0, 0);
    for group in file["testGroups"].as_array().expect("groups") {
        let key = key(group);
        for test in group["tests"].as_array().expect("tests") {
            let holds = key.as_ref().is_ok_and(|key| key.verify(&hex(&test["msg"]), &hex(&test["sig"])));
            let wanted = test["result"] == "valid";
            assert_eq!(holds, wanted, "{path} {}: {}", test["tcId"], test["comment"]);
            *(if wanted { &mut valid } else { &mut invalid }) += 1;
        }
    }
    (valid, invalid)
}

#[test]
fn wycheproof_ed25519_comes_out_as_published() {
    let counts =
        wycheproof("wycheproof/ed25519_test.json", |group| PublicKey::ed25519(&hex(&group["publicKey"]["pk"])));
    assert_eq!(counts, (88, 63));
}

#[test]
fn wycheproof_ecdsa_on_p256_comes_out_as_published() {
    let counts = wycheproof("wycheproof/ecdsa_secp256r1_sha256_p1363_test.json", |group| {
        PublicKey::from_spki(&hex(&group["publicKeyDer"]), Algorithm::Es256)
    });
    assert_eq!(counts, (173, 89));
}

#[test]
fn the_signatures_of_rfc_8032_hold() {
    let table: Vec<Json> = read_json("rfc/rfc8032-7.1.json");
    for row in &table {
        let key = PublicKey::ed25519(&hex(&row["public"])).expect("a key");
        let (message, signature) = (hex(&row["message"]), hex(&row["signature"]));
        assert!(key.verify(&message, &signature));
        assert!(!key.verify(&[&message[..], &[0]].concat(), &signature));
    }
    assert!(table.len() >= 3);
}

/// The key that a COSE example names, if it is of an algorithm of ours.
fn key(example: &Json) -> Option<PublicKey> {
    let key = &example["input"]["sign0"]["key"];
    let part = |name: &str| match &key[format!("{name}_hex")] {
        Json::Null => BASE64URL_NOPAD.decode(key[name].as_str().expect("a coordinate").as_bytes()).expect("Base64"),
        hexadecimal => hex(hexadecimal),
    };
    match key["crv"].as_str()? {
        "Ed25519" => PublicKey::ed25519(&part("x")).ok(),
        "P-256" => {
            let prefix =
                HEXLOWER.decode(b"3059301306072a8648ce3d020106082a8648ce3d03010703420004").expect("SPKI of P-256");
            PublicKey::from_spki(&[prefix, part("x"), part("y")].concat(), Algorithm::Es256).ok()
        }
        "P-384" => {
            let prefix = HEXLOWER.decode(b"3076301006072a8648ce3d020106052b8104002203620004").expect("SPKI of P-384");
            PublicKey::from_spki(&[prefix, part("x"), part("y")].concat(), Algorithm::Es384).ok()
        }
        _ => None,
    }
}

/// What becomes of an example's message: not parsed, another algorithm than the key's, a signature that holds or does not.
fn outcome(example: &Json) -> &'static str {
    let profile = Profile { strictness: Strictness::Bounded, unprotected: true, untagged: true };
    let Ok(message) = Sign1::parse(&hex(&example["output"]["cbor"]), profile) else { return "not read" };
    let Some(key) = key(example) else { return "no key of ours" };
    if message.algorithm != Some(key.algorithm().cose()) {
        return "another algorithm";
    }
    if message.signed_by(|message, signature| key.verify(message, signature)) { "holds" } else { "does not hold" }
}

#[test]
fn the_cose_working_groups_messages_come_out_as_published() {
    let mut examples = 0;
    for (kind, wanted) in [
        ("good", &["holds"][..]),
        ("changed-header", &["does not hold"]),
        ("changed-signature", &["does not hold"]),
        ("changed-algorithm", &["another algorithm", "not read"]),
        // We know of no external data, so a message signed with some does not hold.
        ("external-data", &["does not hold"]),
        ("wrong-tag", &["not read"]),
        ("not-a-sign1", &["not read"]),
        ("algorithm-not-ours", &["no key of ours", "another algorithm"]),
    ] {
        for name in folder(&format!("cose/{kind}")) {
            let found = outcome(&read_json(&format!("cose/{kind}/{name}")));
            assert!(wanted.contains(&found), "{kind}/{name}: {found}");
            examples += 1;
        }
    }
    println!("{examples} messages");
}
