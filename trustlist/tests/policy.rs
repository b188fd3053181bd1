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
    judge::{Context, Judgement, Outcome, Repetition, decide},
    time::{Moment, TimeTrust, UnixTime},
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
    with_areas(profile, &json!([{"area": AREAS[0], "level": LEVELS[0]}, {"area": AREAS[1], "level": LEVELS[1]}]))
}

fn with_areas(profile: &Json, areas: &Json) -> Trust {
    let areas = json!({ "areas": areas });
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

#[test]
fn a_visit_counts_while_the_area_is_listed_and_one_before_the_end_of_the_listing_goes_on_counting() {
    let today = NOW.0 / DAY;
    let time = |day: i64| UnixTime(day * DAY).to_string();
    // Listed from ten days ago until the beginning of the day three days ago.
    let ended = json!([{"area": AREAS[0], "level": "high", "from": time(today - 10), "until": time(today - 3)}]);
    let open = json!([{"area": AREAS[0], "level": "high", "from": time(today - 10)}]);
    let to_come = json!([{"area": AREAS[0], "level": "high", "from": time(today + 1)}]);
    for (areas, days_ago, counts, case) in [
        (&open, 0, true, "there today"),
        (&open, 12, true, "before the listing: it was listed for what had happened by then"),
        (&open, 15, false, "longer ago than visits count"),
        (&ended, 12, true, "before the listing, which has ended since"),
        (&ended, 8, true, "while it was listed"),
        (&ended, 4, true, "on the listing's last day"),
        (&ended, 3, false, "on the day that began without the listing"),
        (&ended, 0, false, "after the listing"),
        (&ended, 15, false, "longer ago than visits count"),
        (&to_come, 0, false, "a listing that has not begun"),
    ] {
        let decision = judge(&code(0, &[(AREAS[0], today - days_ago)]), &with_areas(&json!({}), areas), NOW);
        let decision = decision.expect("a pass code");
        let expected = if counts { (Refer, Reason::RiskArea) } else { (Admit, Reason::Ok) };
        assert_eq!((decision.verdict, decision.reason), expected, "{case}");
    }
}

#[test]
fn a_visit_of_any_day_that_can_be_written_is_judged() {
    for day in [i64::MIN, -1, i64::MAX] {
        let decision = judge(&code(0, &[(AREAS[0], day)]), &trust(&json!({})), NOW).expect("a pass code");
        assert_eq!(decision.reason == Reason::RiskArea, day == i64::MAX, "{day}: what is to come counts as today");
    }
}

#[test]
fn a_profile_makes_a_reason_stricter_also_where_the_log_gives_it_and_never_what_the_device_does_not_know() {
    let trust = trust(&json!({"stricter": {
        "already-used": "refuse", "risk-area": "refuse", "colour-red": "admit",
        "clock-untrusted": "refuse", "log-unavailable": "refuse",
    }}));
    let judged = |text: &str, trusted: TimeTrust| {
        let moment = Moment { at: NOW, trust: trusted, floor: NOW };
        let context = Context { moment, relying: "420000".parse().expect("Hubei"), profile: None };
        match decide(text, &trust, &context) {
            Outcome::Judged(judgement) => *judgement,
            Outcome::NotAPassCode => panic!("no pass code"),
        }
    };
    let said = |judgement: Judgement| (judgement.decision().reason, judgement.decision().verdict);
    let green = || judged(&code(0, &[]), TimeTrust::Synced);
    assert_eq!(said(green()), (Reason::Ok, Admit));
    assert_eq!(said(green().with_repetition(Repetition::Used)), (Reason::AlreadyUsed, Refuse));
    let visit = [(AREAS[0], yesterday())];
    assert_eq!(said(judged(&code(0, &visit), TimeTrust::Synced)), (Reason::RiskArea, Refuse));
    assert_eq!(said(judged(&code(2, &[]), TimeTrust::Synced)), (Reason::ColourRed, Refuse), "milder is ignored");
    let unsure = judged(&code(0, &[]), TimeTrust::Untrusted);
    assert_eq!(said(unsure), (Reason::ClockUntrusted, Refer), "nobody is sent away for what the device does not know");
    assert_eq!(said(green().log_unavailable("disk-hangs")), (Reason::LogUnavailable, Refer));
}
