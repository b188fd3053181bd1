//! What several tests need: the vectors, and lists that make any certificate's country count at the gate.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod mint;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use trustlist::{
    code::{Format, hc1::certificate},
    judge::{self, Context, Decision, Outcome},
    region::{NATIONAL, Region},
    time::{Moment, UnixTime},
    trust::{Repository, Trust},
};

/// A path under `tests/vectors`.
pub fn vectors(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(path)
}

/// A text under `tests/vectors`.
pub fn read(path: &str) -> String {
    fs::read_to_string(vectors(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A JSON document under `tests/vectors`.
pub fn read_json<T: DeserializeOwned>(path: &str) -> T {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Names of what lies in a folder under `tests/vectors`, in order.
pub fn folder(path: &str) -> Vec<String> {
    let entries = fs::read_dir(vectors(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let names = entries.map(|entry| entry.expect("a folder of this repository").file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().expect("names are ASCII")).collect();
    names.sort();
    names
}

/// Lists by which the codes of every country in `keys` count in Hubei: entries of `keys.json` by country.
pub fn trust_of(keys: BTreeMap<String, Vec<Value>>, format: Format, issued: UnixTime) -> Trust {
    trust_with(keys, format, issued, Vec::new())
}

/// The same with more national lists.
pub fn trust_with(
    keys: BTreeMap<String, Vec<Value>>,
    format: Format,
    issued: UnixTime,
    lists: Vec<(&str, Value)>,
) -> Trust {
    let repository = |issuer: Region, targets: Vec<(&str, Value)>| Repository {
        issuer,
        generation: 1,
        issued,
        expires: issued.plus(30 * 86_400),
        arrived: None,
        root_keys: BTreeSet::new(),
        targets: targets.into_iter().map(|(name, value)| (name.to_owned(), value.to_string().into_bytes())).collect(),
    };
    let issuers: Vec<Value> = keys
        .keys()
        .map(|id| {
            json!({"id": id, "name": {"zh": id, "en": id}, "level": "country", "scope": [id],
                   "formats": [format.code()], "root_sha256": ""})
        })
        .collect();
    let arrangements: Vec<Value> =
        keys.keys().map(|id| json!({"issuing": id, "relying": "420000", "route": "direct"})).collect();
    let mut national = vec![
        ("trustlist.json", json!({ "issuers": issuers })),
        ("recognition.json", json!({"arrangements": arrangements, "suspensions": []})),
    ];
    national.extend(lists);
    let national = repository(NATIONAL, national);
    let others = keys
        .into_iter()
        .map(|(id, keys)| {
            repository(id.parse().expect("a country's two letters"), vec![("keys.json", json!({ "keys": keys }))])
        })
        .collect();
    let (trust, faults) = Trust::assemble(national, others).expect("lists of this test");
    assert_eq!(faults, [], "everything in the lists is used");
    trust
}

/// Lists that hold these certificates, each (country, DER in Base64).
pub fn trust_of_certificates(certificates: &[(&str, &str)], issued: UnixTime) -> Trust {
    let mut keys: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (country, text) in certificates {
        let der = data_encoding::BASE64.decode(text.as_bytes()).expect("Base64");
        let signer = certificate::read(&der).unwrap_or_else(|bad| panic!("{country}: {bad}"));
        let country = if country.parse::<Region>().is_ok() { *country } else { "XX" };
        keys.entry(country.to_owned())
            .or_default()
            .push(json!({"algorithm": signer.public.algorithm(), "certificate": text, "formats": ["HC1"],
                   "use": "code", "state": "active"}));
    }
    trust_of(keys, Format::Hc1, issued)
}

/// Judges at a gate in Hubei whose clock is good. `None`: no pass code.
pub fn judge(text: &str, trust: &Trust, at: UnixTime) -> Option<Decision> {
    let moment = Moment::synced(at);
    let context = Context { moment, relying: "420000".parse().expect("Hubei"), profile: None };
    match judge::decide(text, trust, &context) {
        Outcome::NotAPassCode => None,
        Outcome::Judged(judgement) => Some(judgement.close().0),
    }
}
