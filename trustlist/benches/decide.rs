//! What a decision costs, by format and by outcome. `cargo bench -p trustlist`; the numbers that count are the board's, in
//! `hardware.md`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::{collections::BTreeMap, hint::black_box};

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value as Json, json};
use support::{
    mint::{Draft, NOW, ed25519, entry, es256, hc1_text, mr1_text, spki},
    read, read_json, trust_of, trust_of_certificates,
};
use trustlist::{
    code::Format,
    judge::{Context, Outcome, decide},
    time::{Moment, UnixTime},
    trust::Trust,
    verdict::Verdict,
};

fn measure(criterion: &mut Criterion, name: &str, text: &str, trust: &Trust, at: UnixTime, wanted: Option<Verdict>) {
    let moment = Moment::synced(at);
    let context = Context { moment, relying: "420000".parse().expect("Hubei"), profile: None };
    let verdict = match decide(text, trust, &context) {
        Outcome::NotAPassCode => None,
        Outcome::Judged(judgement) => Some(judgement.decision().verdict),
    };
    assert_eq!(verdict, wanted, "{name}");
    criterion.bench_function(name, |bencher| bencher.iter(|| decide(black_box(text), trust, &context)));
}

fn formats(criterion: &mut Criterion) {
    let (admit, refuse) = (Some(Verdict::Admit), Some(Verdict::Refuse));
    let list =
        |id: &str, format: Format, key: Json| trust_of(BTreeMap::from([(id.to_owned(), vec![key])]), format, NOW);

    let raw = ed25519().verifying_key().to_bytes();
    let guangdong = list("440000", Format::Mr1, entry("EdDSA", &raw, "MR1"));
    measure(criterion, "MR1 admitted", &mr1_text(&Draft::mr1().ed25519()), &guangdong, NOW, admit);
    let forged = mr1_text(&Draft::mr1().with_signature(vec![1; 64]));
    measure(criterion, "MR1 forged", &forged, &guangdong, NOW, refuse);

    let germany = list("DE", Format::Hc1, entry("ES256", &spki(&es256()), "HC1"));
    measure(criterion, "HC1 made here, ES256", &hc1_text(&Draft::hc1().es256()), &germany, NOW, admit);

    // The first record of the set for each algorithm, with all 68 certificates in the lists.
    let certificates: Vec<Json> = read_json("dcc/certificates.json");
    let text = |certificate: &Json, name: &str| certificate[name].as_str().expect("a text").to_owned();
    let all: Vec<(String, String)> =
        certificates.iter().map(|one| (text(one, "country"), text(one, "certificate"))).collect();
    let all: Vec<(&str, &str)> = all.iter().map(|(country, der)| (country.as_str(), der.as_str())).collect();
    let pooled = trust_of_certificates(&all, UnixTime(1_900_000_000));
    let algorithm = |kid: &str| {
        pooled.ring().iter().find(|key| key.kid.to_string() == kid).map(|key| key.public.algorithm().cose())
    };
    let records: Vec<Json> = read("dcc/valid/records.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a record a line"))
        .collect();
    for (name, number) in [("HC1 of the EU's set, ES256", -7), ("HC1 of the EU's set, PS256", -37)] {
        let wanted = |record: &&Json| {
            record["text"].is_string() && algorithm(record["certificate"].as_str().expect("a key id")) == Some(number)
        };
        let record = records.iter().find(wanted).expect("the set has some");
        let at = UnixTime(record["clock"].as_i64().expect("seconds"));
        measure(criterion, name, record["text"].as_str().expect("a text"), &pooled, at, admit);
    }

    let did: Json = read_json("nzcp/did.json");
    let jwk = &did["verificationMethod"][0]["publicKeyJwk"];
    let part = |name: &str| {
        data_encoding::BASE64URL_NOPAD.decode(jwk[name].as_str().expect("a coordinate").as_bytes()).expect("Base64")
    };
    let prefix = data_encoding::HEXLOWER
        .decode(b"3059301306072a8648ce3d020106082a8648ce3d03010703420004")
        .expect("SPKI of P-256");
    let mut key = entry("ES256", &[prefix, part("x"), part("y")].concat(), "NZCP");
    key["name"] = json!(did["verificationMethod"][0]["id"]);
    let at = UnixTime(1_640_000_000);
    let new_zealand = trust_of(BTreeMap::from([("NZ".to_owned(), vec![key])]), Format::Nzcp, at);
    let pass = read("nzcp/valid/nzcp.txt");
    measure(criterion, "NZCP admitted", pass.trim_end(), &new_zealand, at, admit);

    measure(criterion, "not a pass code", "https://example.org/ticket?id=1", &guangdong, NOW, None);
    let bomb = format!("HC1:{}", base45::encode(support::mint::zlib(&vec![0; 1 << 20])));
    measure(criterion, "a bomb of one MiB", &bomb, &germany, NOW, refuse);
}

criterion_group!(benches, formats);
criterion_main!(benches);
