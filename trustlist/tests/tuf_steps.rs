//! The client workflow of the TUF specification, step by step: what each step takes, and what it refuses with which words.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signer, SigningKey};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use trustlist::{
    time::UnixTime,
    tuf::{self, Answer, MAX_DELEGATIONS, MAX_METADATA, MAX_ROTATIONS, Refusal, Request, Trusted},
};

const NOW: UnixTime = UnixTime(1_612_137_600);
const ROOT: u8 = 1;
const TIMESTAMP: u8 = 2;
const SNAPSHOT: u8 = 3;
const TARGETS: u8 = 4;
const STRANGER: u8 = 99;

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(number: u8) -> String {
    HEXLOWER.encode(key(number).verifying_key().as_bytes())
}

fn days(count: i64) -> String {
    NOW.plus(count * 86_400).to_string()
}

fn sign(signed: &Value, keys: &[u8]) -> Vec<u8> {
    let mut canonical = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut canonical, olpc_cjson::CanonicalFormatter::new());
    signed.serialize(&mut serializer).expect("it is JSON");
    let signatures: Vec<Value> = keys
        .iter()
        .map(|number| {
            json!({ "keyid": format!("id-{number}"), "sig": HEXLOWER.encode(&key(*number).sign(&canonical).to_bytes()) })
        })
        .collect();
    serde_json::to_vec(&json!({ "signed": signed, "signatures": signatures })).expect("it is JSON")
}

fn keys(numbers: &[u8]) -> Value {
    numbers
        .iter()
        .map(|number| {
            let key = json!({ "keytype": "ed25519", "scheme": "ed25519", "keyval": { "public": public(*number) } });
            (format!("id-{number}"), key)
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn role(numbers: &[u8], threshold: u64) -> Value {
    json!({ "keyids": numbers.iter().map(|number| format!("id-{number}")).collect::<Vec<_>>(), "threshold": threshold })
}

/// A role's signed part: what all have, and what is its own.
fn part(kind: &str, version: u64, own: Value) -> Value {
    let mut signed = json!({ "_type": kind, "spec_version": "1.0.31", "version": version, "expires": days(30) });
    let members = signed.as_object_mut().expect("an object");
    members.extend(own.as_object().expect("an object").clone());
    signed
}

fn root_with(version: u64, root_keys: &[u8], threshold: u64, timestamp_key: u8) -> Value {
    let all: Vec<u8> = root_keys.iter().copied().chain([timestamp_key, SNAPSHOT, TARGETS]).collect();
    part(
        "root",
        version,
        json!({ "consistent_snapshot": true, "keys": keys(&all), "roles": {
            "root": role(root_keys, threshold), "timestamp": role(&[timestamp_key], 1),
            "snapshot": role(&[SNAPSHOT], 1), "targets": role(&[TARGETS], 1),
        } }),
    )
}

fn root(version: u64) -> Value {
    root_with(version, &[ROOT], 1, TIMESTAMP)
}

fn timestamp(version: u64, snapshot: u64) -> Value {
    part("timestamp", version, json!({ "meta": { "snapshot.json": { "version": snapshot } } }))
}

fn snapshot(version: u64, targets: u64) -> Value {
    part("snapshot", version, json!({ "meta": { "targets.json": { "version": targets } } }))
}

fn targets(version: u64) -> Value {
    part("targets", version, json!({ "targets": {} }))
}

fn expired(mut signed: Value) -> Value {
    signed["expires"] = days(0).into();
    signed
}

fn with(mut signed: Value, member: &str, value: Value) -> Value {
    signed[member] = value;
    signed
}

/// A state after one whole refresh: every role in version 2.
fn settled() -> Trusted {
    let mut trusted = Trusted::from_root(&sign(&root(2), &[ROOT])).expect("a root");
    trusted.update_timestamp(&sign(&timestamp(2, 2), &[TIMESTAMP]), NOW).expect("a timestamp");
    trusted.update_snapshot(&sign(&snapshot(2, 2), &[SNAPSHOT]), NOW).expect("a snapshot");
    trusted.update_targets("targets", None, &sign(&targets(2), &[TARGETS]), NOW).expect("targets");
    trusted
}

/// One row of a table: what is offered, and a part of the refusal; nothing where it is taken.
type Row = (&'static str, Vec<u8>, &'static str);

fn check(rows: Vec<Row>, mut offer: impl FnMut(&mut Trusted, &[u8]) -> Result<(), Refusal>) {
    for (name, bytes, refusal) in rows {
        let mut trusted = settled();
        let before = trusted.clone();
        match offer(&mut trusted, &bytes) {
            Ok(()) => assert_eq!(refusal, "", "{name} was taken"),
            Err(why) => {
                assert!(!refusal.is_empty() && why.to_string().contains(refusal), "{name}: {why}");
                assert_eq!(trusted, before, "{name}: a refusal leaves what was accepted");
            }
        }
    }
}

#[test]
fn a_number_beyond_what_any_store_can_count_is_the_issuers_fault_alone() {
    for number in [1_u64 << 63, u64::MAX] {
        let mut trusted = settled();
        let before = trusted.clone();
        let offered = sign(&timestamp(number, 2), &[TIMESTAMP]);
        assert!(trusted.update_timestamp(&offered, NOW).is_err_and(|why| why.to_string().contains("beyond")));
        let offered = sign(&timestamp(3, number), &[TIMESTAMP]);
        assert!(trusted.update_timestamp(&offered, NOW).is_err_and(|why| why.to_string().contains("beyond")));
        assert!(trusted.update_root(&sign(&root(number), &[ROOT])).is_err());
        assert_eq!(trusted, before, "what was accepted stays");
        assert!(Trusted::from_root(&sign(&root(number), &[ROOT])).is_err());
        let length = json!({ "targets": { "a": { "length": number, "hashes": { "sha256": "00" } } } });
        let targets = sign(&part("targets", 3, length), &[TARGETS]);
        trusted.update_timestamp(&sign(&timestamp(3, 3), &[TIMESTAMP]), NOW).expect("a timestamp");
        trusted.update_snapshot(&sign(&snapshot(3, 3), &[SNAPSHOT]), NOW).expect("a snapshot");
        assert!(trusted.update_targets("targets", None, &targets, NOW).is_err());
    }
}

#[test]
fn one_key_in_upper_and_lower_case_is_one_key() {
    let mut twice = root_with(1, &[ROOT, 5], 2, TIMESTAMP);
    twice["keys"]["id-5"] = twice["keys"]["id-1"].clone();
    twice["keys"]["id-5"]["keyval"]["public"] = public(ROOT).to_uppercase().into();
    let mut file: Value = serde_json::from_slice(&sign(&twice, &[ROOT])).expect("JSON");
    let mut again = file["signatures"][0].clone();
    again["keyid"] = "id-5".into();
    again["sig"] = again["sig"].as_str().expect("a text").to_uppercase().into();
    file["signatures"].as_array_mut().expect("an array").push(again);
    let refused = Trusted::from_root(&serde_json::to_vec(&file).expect("JSON")).expect_err("one key of two");
    assert!(refused.to_string().contains("1 of 2"), "{refused}");
}

#[test]
fn a_hash_that_is_no_digest_leads_to_no_path() {
    let trusted = settled();
    for hash in ["../../../../etc/passwd", "a b", "", "zz"] {
        let target = serde_json::from_value(json!({ "length": 1, "hashes": { "sha256": hash } })).expect("a target");
        let request = tuf::target_request(&trusted, "status/0", &target);
        assert!(!request.path.contains("..") && !request.path.contains(' '), "{hash}: {}", request.path);
    }
}

#[test]
fn a_first_root_signs_itself_or_is_none() {
    for (name, bytes, good) in [
        ("whole", sign(&root(1), &[ROOT]), true),
        ("by a stranger", sign(&root(1), &[STRANGER]), false),
        ("by nobody", sign(&root(1), &[]), false),
        ("one of two", sign(&root_with(1, &[ROOT, 5], 2, TIMESTAMP), &[ROOT]), false),
        ("two of two", sign(&root_with(1, &[ROOT, 5], 2, TIMESTAMP), &[ROOT, 5]), true),
        ("a threshold of nothing", sign(&root_with(1, &[ROOT], 0, TIMESTAMP), &[ROOT]), false),
        ("targets in its place", sign(&targets(1), &[ROOT]), false),
        ("not JSON", b"<html>".to_vec(), false),
        ("empty", Vec::new(), false),
    ] {
        assert_eq!(Trusted::from_root(&bytes).is_ok(), good, "{name}");
    }
}

#[test]
fn the_next_root_is_one_version_up_and_signed_by_the_old_keys_and_the_new() {
    let next = root_with(3, &[5], 1, TIMESTAMP);
    check(
        vec![
            ("the same keys", sign(&root(3), &[ROOT]), ""),
            ("both", sign(&next, &[ROOT, 5]), ""),
            ("an expired one on the way", sign(&expired(root(3)), &[ROOT]), ""),
            ("only the new", sign(&next, &[5]), "0 of 1"),
            ("only the old", sign(&next, &[ROOT]), "0 of 1"),
            ("two up", sign(&root(4), &[ROOT]), "version 4 instead of 3"),
            ("the same version", sign(&root(2), &[ROOT]), "version 2 instead of 3"),
            ("an older one", sign(&root(1), &[ROOT]), "version 1 instead of 3"),
            ("a later specification", sign(&with(root(3), "spec_version", json!("2.0.0")), &[ROOT]), "specification"),
        ],
        |trusted, bytes| trusted.update_root(bytes),
    );
}

#[test]
fn a_timestamp_is_newer_signed_and_names_no_older_snapshot() {
    check(
        vec![
            ("newer", sign(&timestamp(3, 2), &[TIMESTAMP]), ""),
            ("the same", sign(&timestamp(2, 2), &[TIMESTAMP]), ""),
            ("older", sign(&timestamp(1, 2), &[TIMESTAMP]), "version 1 is older than the trusted 2"),
            ("naming an older snapshot", sign(&timestamp(3, 1), &[TIMESTAMP]), "snapshot: version 1 is older"),
            ("naming none", sign(&with(timestamp(3, 2), "meta", json!({})), &[TIMESTAMP]), "names no snapshot.json"),
            ("expired", sign(&expired(timestamp(3, 2)), &[TIMESTAMP]), "expired"),
            ("by another role", sign(&timestamp(3, 2), &[SNAPSHOT]), "0 of 1"),
            ("a snapshot", sign(&snapshot(3, 2), &[TIMESTAMP]), "its type is not timestamp"),
        ],
        |trusted, bytes| trusted.update_timestamp(bytes, NOW).map(drop),
    );
}

#[test]
fn a_snapshot_is_the_one_named_and_takes_no_role_back() {
    let after_timestamp = |trusted: &mut Trusted, bytes: &[u8]| {
        let before = trusted.clone();
        let named = timestamp(3, 3);
        trusted.update_timestamp(&sign(&named, &[TIMESTAMP]), NOW)?;
        let result = trusted.update_snapshot(bytes, NOW);
        if result.is_err() {
            *trusted = before;
        }
        result
    };
    check(
        vec![
            ("the one named", sign(&snapshot(3, 3), &[SNAPSHOT]), ""),
            ("with the targets unchanged", sign(&snapshot(3, 2), &[SNAPSHOT]), ""),
            ("another version", sign(&snapshot(4, 3), &[SNAPSHOT]), "version 4 instead of 3"),
            ("with older targets", sign(&snapshot(3, 1), &[SNAPSHOT]), "targets: version 1 is older"),
            ("without the targets", sign(&with(snapshot(3, 3), "meta", json!({})), &[SNAPSHOT]), "targets: nothing"),
            ("expired", sign(&expired(snapshot(3, 3)), &[SNAPSHOT]), "expired"),
            ("by another role", sign(&snapshot(3, 3), &[TIMESTAMP]), "0 of 1"),
        ],
        after_timestamp,
    );
}

#[test]
fn targets_are_the_ones_that_the_snapshot_names() {
    check(
        vec![
            ("the same again", sign(&targets(2), &[TARGETS]), ""),
            ("another version", sign(&targets(3), &[TARGETS]), "version 3 instead of 2"),
            ("expired", sign(&expired(targets(2)), &[TARGETS]), "expired"),
            ("by another role", sign(&targets(2), &[SNAPSHOT]), "0 of 1"),
            ("a root", sign(&root(2), &[TARGETS]), "its type is not targets"),
        ],
        |trusted, bytes| trusted.update_targets("targets", None, bytes, NOW),
    );
    let unknown = settled().update_targets("province", Some("targets"), &sign(&targets(1), &[TARGETS]), NOW);
    assert!(unknown.expect_err("nobody names it").to_string().contains("nothing that is trusted names it"));
}

#[test]
fn a_named_length_and_hash_are_kept_to_the_byte() {
    let good = sign(&snapshot(3, 3), &[SNAPSHOT]);
    let hash = HEXLOWER.encode(&Sha256::digest(&good));
    let named = |length: usize, hash: &str| {
        let meta = json!({ "snapshot.json": { "version": 3, "length": length, "hashes": { "sha256": hash } } });
        sign(&with(timestamp(3, 3), "meta", meta), &[TIMESTAMP])
    };
    for (name, timestamp, taken) in [
        ("both", named(good.len(), &hash), true),
        ("a byte more was named", named(good.len() + 1, &hash), false),
        ("a byte less was named", named(good.len() - 1, &hash), false),
        ("another hash", named(good.len(), &"00".repeat(32)), false),
        ("a hash cut short", named(good.len(), &hash[..62]), false),
    ] {
        let mut trusted = settled();
        trusted.update_timestamp(&timestamp, NOW).expect("newer");
        assert_eq!(trusted.update_snapshot(&good, NOW).is_ok(), taken, "{name}");
    }
}

#[test]
fn new_timestamp_keys_forget_what_the_old_ones_drove_ahead() {
    let mut trusted = settled();
    trusted.update_root(&sign(&root_with(3, &[ROOT], 1, 7), &[ROOT])).expect("rotated");
    trusted.finish_root(NOW).expect("not expired");
    assert!(trusted.timestamp().is_none());
    trusted.update_timestamp(&sign(&timestamp(1, 1), &[7]), NOW).expect("it begins anew");
    assert!(trusted.update_timestamp(&sign(&timestamp(9, 9), &[TIMESTAMP]), NOW).is_err(), "the old key is gone");
}

#[test]
fn what_is_stored_is_taken_when_it_has_expired_and_refused_when_it_is_false() {
    let mut trusted = Trusted::from_root(&sign(&root(2), &[ROOT])).expect("a root");
    trusted.restore_timestamp(&sign(&expired(timestamp(5, 5)), &[TIMESTAMP])).expect("old is not false");
    assert!(trusted.restore_snapshot(&sign(&snapshot(5, 5), &[STRANGER])).is_err());
    let replay = trusted.update_timestamp(&sign(&timestamp(4, 4), &[TIMESTAMP]), NOW);
    assert!(replay.expect_err("older").to_string().contains("older than the trusted 5"));
}

/// A mirror with files by path; what was asked for is kept.
struct Files {
    files: BTreeMap<String, Vec<u8>>,
    asked: Vec<Request>,
}

impl Files {
    fn fetch(&mut self) -> impl FnMut(&Request) -> Answer {
        |request| {
            self.asked.push(request.clone());
            self.files.get(&request.path).map_or(Answer::NotFound, |bytes| Answer::Bytes(bytes.clone()))
        }
    }
}

fn mirror(targets: &Value) -> Files {
    let files = [
        ("timestamp.json", sign(&timestamp(2, 2), &[TIMESTAMP])),
        ("2.snapshot.json", sign(&snapshot(2, 2), &[SNAPSHOT])),
        ("2.targets.json", sign(targets, &[TARGETS])),
    ];
    Files { files: files.map(|(path, bytes)| (path.to_owned(), bytes)).into(), asked: Vec::new() }
}

fn paths(files: &Files) -> Vec<&str> {
    files.asked.iter().map(|request| request.path.as_str()).collect()
}

#[test]
fn a_refresh_asks_in_order_and_only_for_what_is_new() {
    let mut files = mirror(&targets(2));
    let mut trusted = Trusted::from_root(&sign(&root(2), &[ROOT])).expect("a root");
    tuf::refresh(&mut trusted, NOW, &mut files.fetch()).expect("fresh");
    assert_eq!(paths(&files), ["3.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"]);
    assert!(files.asked.iter().all(|request| request.limit == MAX_METADATA));
    files.asked.clear();
    tuf::refresh(&mut trusted, NOW, &mut files.fetch()).expect("fresh still");
    assert_eq!(paths(&files), ["3.root.json", "timestamp.json"]);
}

#[test]
fn a_kind_of_key_that_is_not_known_does_not_spoil_the_root_that_lists_it() {
    let mut next = root(3);
    next["keys"]["id-foreign"] =
        json!({ "keytype": "sigstore-oidc", "scheme": "Fulcio", "keyval": { "identity": "a", "issuer": "b" } });
    next["roles"]["root"]["keyids"].as_array_mut().expect("an array").push("id-foreign".into());
    let mut trusted = settled();
    trusted.update_root(&sign(&next, &[ROOT])).expect("a threshold of known keys signed");
    assert_eq!(trusted.root().signed.version, 3);
}

#[test]
fn an_endless_chain_of_roots_is_followed_to_its_bound() {
    let mut trusted = Trusted::from_root(&sign(&root(1), &[ROOT])).expect("a root");
    let mut asked = 0;
    let mut endless = |request: &Request| match request.path.split_once(".root.json") {
        Some((version, _)) => {
            asked += 1;
            Answer::Bytes(sign(&root(version.parse().expect("a number")), &[ROOT]))
        }
        None => Answer::NotFound,
    };
    tuf::refresh(&mut trusted, NOW, &mut endless).expect_err("there is no timestamp");
    assert_eq!((asked, trusted.root().signed.version), (MAX_ROTATIONS, MAX_ROTATIONS + 1));
}

#[test]
fn a_mirror_that_cannot_be_reached_is_not_taken_for_the_end_of_the_roots() {
    let mut trusted = settled();
    let mut down = |_: &Request| Answer::Unreachable("no route".to_owned());
    let why = tuf::refresh(&mut trusted, NOW, &mut down).expect_err("it is down");
    assert_eq!(why.to_string(), "root: no route");
}

#[test]
fn a_longer_answer_than_was_asked_for_is_refused() {
    let mut trusted = settled();
    let mut endless =
        |request: &Request| Answer::Bytes(vec![b' '; usize::try_from(request.limit).expect("bounded") + 1]);
    let why = tuf::refresh(&mut trusted, NOW, &mut endless).expect_err("too long");
    assert!(why.to_string().contains("more than 1048576 bytes"), "{why}");
}

/// Targets that hand everything to roles in a row, each with the same key.
fn delegating(version: u64, to: &[(&str, bool, &[&str])]) -> Value {
    let roles: Vec<Value> = to
        .iter()
        .map(|(name, terminating, paths)| {
            let keys = role(&[TARGETS], 1);
            json!({ "name": name, "keyids": keys["keyids"], "threshold": 1, "terminating": terminating, "paths": paths })
        })
        .collect();
    with(targets(version), "delegations", json!({ "keys": keys(&[TARGETS]), "roles": roles }))
}

fn visited(top: &Value, below: &[(&str, Value)], wanted: &str) -> Vec<String> {
    let mut files = mirror(top);
    let mut meta = json!({ "targets.json": { "version": 2 } });
    for (name, signed) in below {
        meta[format!("{name}.json")] = json!({ "version": 1 });
        files.files.insert(format!("1.{name}.json"), sign(signed, &[TARGETS]));
    }
    let snapshot = with(snapshot(2, 2), "meta", meta);
    files.files.insert("2.snapshot.json".to_owned(), sign(&snapshot, &[SNAPSHOT]));
    let mut trusted = Trusted::from_root(&sign(&root(2), &[ROOT])).expect("a root");
    tuf::refresh(&mut trusted, NOW, &mut files.fetch()).expect("fresh");
    files.asked.clear();
    tuf::find_target(&mut trusted, wanted, NOW, &mut files.fetch()).expect("every role is good");
    paths(&files).iter().map(|path| path.trim_start_matches("1.").trim_end_matches(".json").to_owned()).collect()
}

#[test]
fn delegations_are_searched_depth_first_and_a_terminating_one_ends_the_search() {
    let all: &[&str] = &["*"];
    let leaf = || targets(1);
    type Case = (&'static str, Value, Vec<(&'static str, Value)>, Vec<&'static str>);
    let cases: Vec<Case> = vec![
        (
            "depth first",
            delegating(2, &[("a", false, all), ("b", false, all)]),
            vec![("a", delegating(1, &[("c", false, all)])), ("b", leaf()), ("c", leaf())],
            vec!["a", "c", "b"],
        ),
        (
            "terminating",
            delegating(2, &[("a", false, all), ("b", false, all)]),
            vec![("a", delegating(1, &[("c", true, all), ("d", false, all)])), ("b", leaf()), ("c", leaf())],
            vec!["a", "c"],
        ),
        (
            "terminating for other paths only",
            delegating(2, &[("a", true, &["status/*"]), ("b", false, all)]),
            vec![("a", leaf()), ("b", leaf())],
            vec!["b"],
        ),
        (
            "a circle",
            delegating(2, &[("a", false, all)]),
            vec![("a", delegating(1, &[("b", false, all)])), ("b", delegating(1, &[("a", false, all)]))],
            vec!["a", "b"],
        ),
    ];
    for (name, top, below, expected) in cases {
        assert_eq!(visited(&top, &below, "keys.json"), expected, "{name}");
    }
}

#[test]
fn a_maze_of_delegations_is_left_at_its_bound() {
    let names: Vec<String> = (0..60).map(|number| format!("r{number}")).collect();
    let step = |version, name: &str| delegating(version, &[(name, false, &["*"])]);
    let below: Vec<(&str, Value)> =
        names.windows(2).map(|pair| (pair[0].as_str(), step(1, &pair[1]))).chain([("r59", targets(1))]).collect();
    assert_eq!(visited(&step(2, "r0"), &below, "keys.json").len(), MAX_DELEGATIONS);
}

#[test]
fn hashed_bins_are_chosen_by_the_first_bits_of_the_path() {
    let bins = |bits: u32| {
        let bins = json!({ "keyids": ["id-4"], "threshold": 1, "bit_length": bits, "name_prefix": "bin" });
        with(targets(2), "delegations", json!({ "keys": keys(&[TARGETS]), "succinct_roles": bins }))
    };
    // The SHA-256 of "bar" begins with fcde2b2e.
    for (bits, bin) in [(1, "bin-1"), (2, "bin-3"), (8, "bin-fc"), (9, "bin-1f9"), (32, "bin-fcde2b2e")] {
        assert_eq!(visited(&bins(bits), &[(bin, targets(1))], "bar"), [bin]);
    }
    for bits in [0, 33, u32::MAX] {
        assert!(visited(&bins(bits), &[], "bar").is_empty(), "{bits} bits");
    }
}
