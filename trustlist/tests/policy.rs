//! What a policy profile makes of colours and visits: one check decides, and nothing after it makes its verdict milder.

mod support;

use std::collections::BTreeMap;

use ciborium::Value;
use serde_json::{Value as Json, json};
use support::{
    judge,
    mint::{Draft, NOW, cbor, ed25519, entry, map, mr1_text},
    trust_with,
};
use trustlist::{
    code::Format,
    trust::Trust,
    verdict::{Actor, Reason, Verdict},
};

use Verdict::{Admit, Refer, Refuse};

const VERDICTS: [Verdict; 3] = [Admit, Refer, Refuse];
const COLOURS: [&str; 3] = ["green", "yellow", "red"];
const LEVELS: [&str; 2] = ["medium", "high"];
const DAY: i64 = 86_400;
/// An area that every list here names, by the level that it has.
const AREAS: [&str; 2] = ["130104", "130105"];

/// Guangdong's key, this profile as the default one, and two risk areas.
fn trust(profile: &Json) -> Trust {
    let areas = json!({"areas": [{"area": AREAS[0], "level": LEVELS[0]}, {"area": AREAS[1], "level": LEVELS[1]}]});
    let policy = json!({"default": "ours", "profiles": {"ours": profile}});
    let keys = vec![entry("EdDSA", ed25519().verifying_key().as_bytes(), "MR1")];
    trust_with(
        BTreeMap::from([("440000".to_owned(), keys)]),
        Format::Mr1,
        NOW,
        vec![("policy.json", policy), ("risk-areas.json", areas)],
    )
}

/// A code of Guangdong with this colour and these visits.
fn code(colour: u64, visits: &[(&str, i64)]) -> String {
    let visits = visits.iter().map(|(area, day)| Value::Array(vec![Value::from(*area), Value::from(*day)])).collect();
    let statement = map([(2, map([(1, Value::from(colour))])), (3, Value::Array(visits))]);
    let claims = map([
        (1, Value::from("440000")),
        (4, Value::from(NOW.0 + 1000)),
        (6, Value::from(NOW.0)),
        (7, Value::Bytes(vec![5; 8])),
        (-70001, statement),
    ]);
    mr1_text(&Draft { payload: cbor(&claims), ..Draft::mr1() }.ed25519())
}

/// Yesterday in days since 1970.
fn yesterday() -> i64 {
    NOW.0 / DAY - 1
}

#[test]
fn the_check_that_gives_the_reason_gives_the_verdict_whatever_the_colour_the_area_and_the_profile() {
    for (yellow, red, medium, high) in every_profile() {
        let trust = trust(&json!({
            "colours": {"yellow": yellow, "red": red},
            "risk_areas": {"medium": medium, "high": high},
        }));
        for (number, colour) in (0..).zip(COLOURS) {
            for visited in [None, Some(0), Some(1)] {
                let visits: Vec<(&str, i64)> = visited.iter().map(|level| (AREAS[*level], yesterday())).collect();
                let decision = judge(&code(number, &visits), &trust, NOW).expect("a pass code");
                // Red can be made no milder than refer.
                let by_colour = match colour {
                    "yellow" => (Reason::ColourYellow, yellow),
                    "red" => (Reason::ColourRed, red.max(Refer)),
                    _ => (Reason::Ok, Admit),
                };
                let by_area = (Reason::RiskArea, visited.map_or(Admit, |level| [medium, high][level]));
                let expected = [by_colour, by_area].into_iter().find(|(_, verdict)| *verdict != Admit);
                let case = format!("{colour}, visited {visited:?}; {yellow} {red} {medium} {high}");
                assert_eq!((decision.reason, decision.verdict), expected.unwrap_or((Reason::Ok, Admit)), "{case}");
                let admits = decision.reason.actor() == Actor::Nobody;
                assert_eq!(decision.verdict == Admit, admits, "no reason but that all holds admits: {case}");
            }
        }
    }
}

/// What a profile may say of yellow, red, medium and high.
fn every_profile() -> impl Iterator<Item = (Verdict, Verdict, Verdict, Verdict)> {
    (0..81).map(|n: usize| (VERDICTS[n % 3], VERDICTS[n / 3 % 3], VERDICTS[n / 9 % 3], VERDICTS[n / 27]))
}
