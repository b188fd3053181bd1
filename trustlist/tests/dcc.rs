//! Codes nobody here made: EU Digital COVID Certificates and hostile twins of them, judged as at a gate.
//!
//! Where the records, their clocks and the expected outcomes come from: `tests/vectors/README.md`.

mod support;

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
};

use serde::Deserialize;
use support::{folder, judge, read, read_json, trust_of_certificates};
use trustlist::{judge::Decision, time::UnixTime, trust::Trust, verdict::Verdict};

#[derive(Deserialize)]
struct Certificate {
    kid: String,
    country: String,
    certificate: String,
}

#[derive(Deserialize)]
struct Record {
    id: String,
    text: Option<String>,
    cose: Option<String>,
    certificate: String,
    clock: i64,
    expect: String,
    expect_pooled: Option<String>,
    #[serde(default)]
    expect_any: Vec<String>,
}

impl Record {
    /// The symbol's text; one is made for a record of which only the message exists.
    fn text(&self) -> String {
        let Some(cose) = &self.cose else { return self.text.clone().expect("a record has a text or a message") };
        let message = data_encoding::HEXLOWER.decode(cose.as_bytes()).expect("hexadecimal");
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(&message).expect("writing to memory");
        format!("HC1:{}", base45::encode(zlib.finish().expect("writing to memory")))
    }
}

/// The signers' certificates, and lists made of them: one apiece, and one with all.
struct Lists {
    own: HashMap<String, Trust>,
    pooled: Trust,
}

/// The lists are of the moment of judging, whichever that is: freshness is another test's matter.
const ISSUED: UnixTime = UnixTime(1_900_000_000);

impl Lists {
    fn read() -> Lists {
        let certificates: Vec<Certificate> = read_json("dcc/certificates.json");
        let of = |certificate: &Certificate| (certificate.country.clone(), certificate.certificate.clone());
        let all: Vec<(String, String)> = certificates.iter().map(of).collect();
        let all: Vec<(&str, &str)> = all.iter().map(|(country, der)| (country.as_str(), der.as_str())).collect();
        let own = certificates.iter().map(|certificate| {
            let one = [(certificate.country.as_str(), certificate.certificate.as_str())];
            (certificate.kid.clone(), trust_of_certificates(&one, ISSUED))
        });
        Lists { own: own.collect(), pooled: trust_of_certificates(&all, ISSUED) }
    }
}

/// The outcome in the words of the records.
fn outcome(decision: Option<&Decision>) -> String {
    let Some(decision) = decision else { return "bad-prefix".to_owned() };
    match (decision.verdict, decision.reason.code(), decision.detail) {
        (Verdict::Admit, _, _) => "valid",
        (_, "malformed", detail) => detail.unwrap_or("malformed"),
        (_, "issuer-out-of-scope", Some("bad-key-usage")) => "bad-key-usage",
        (_, "unknown-key", _) => "unknown-kid",
        (_, reason, _) => reason,
    }
    .to_owned()
}

fn records(path: &str) -> Vec<Record> {
    read(path).lines().map(|line| serde_json::from_str(line).expect("a record a line")).collect()
}

#[test]
fn every_record_gives_its_outcome_with_its_own_certificate_and_with_all() {
    let lists = Lists::read();
    let (mut right, mut wrong) = (0, Vec::new());
    for kind in folder("dcc").into_iter().filter(|name| !name.contains('.') && name != "LICENSE" && name != "mutated") {
        let records = records(&format!("dcc/{kind}/records.jsonl"));
        for record in &records {
            let text = record.text();
            let pooled = record.expect_pooled.as_ref().unwrap_or(&record.expect);
            for (trust, wanted) in [(&lists.own[&record.certificate], &record.expect), (&lists.pooled, pooled)] {
                let decision = judge(&text, trust, UnixTime(record.clock));
                let found = outcome(decision.as_ref());
                if found == *wanted {
                    right += 1;
                } else {
                    wrong.push(format!("{}: {found}, wanted {wanted}; {decision:?}", record.id));
                }
            }
        }
        println!("{kind}: {} records", records.len());
    }
    println!("{right} of {} outcomes", right + wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(right, 2 * 337);
}

#[test]
fn every_changed_code_gives_its_refusal_and_what_holds_still_holds() {
    let lists = Lists::read();
    let mut shares = BTreeMap::new();
    let mut wrong = Vec::new();
    for file in folder("dcc/mutated") {
        for record in records(&format!("dcc/mutated/{file}")) {
            let decision = judge(&record.text(), &lists.own[&record.certificate], UnixTime(record.clock));
            let found = outcome(decision.as_ref());
            let share: &mut (u32, u32) = shares.entry(file.clone()).or_default();
            share.1 += 1;
            if found == record.expect || record.expect_any.contains(&found) {
                share.0 += 1;
            } else {
                wrong.push(format!("{file} of {}: {found}, wanted {}; {decision:?}", record.id, record.expect));
            }
        }
    }
    for (file, (right, all)) in &shares {
        println!("{file}: {right} of {all}");
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(shares.values().map(|share| share.1).sum::<u32>(), 586);
}
