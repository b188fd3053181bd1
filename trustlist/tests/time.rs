//! What a clock may decide, as far as it is believed; and what one issuer's word about the time does to the others: nothing.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use support::mint::{Draft, NOW, ed25519, entry, hc1_text, mr1_text, spki};
use trustlist::{
    code::Format,
    freshness::Freshness,
    judge::{Context, Decision, Outcome, decide},
    region::NATIONAL,
    time::{
        Moment, TimeTrust, UnixTime,
        clock::{self, Because, Reading, Service},
        floor::Known,
    },
    trust::{Repository, Trust},
    verdict::{Reason, Verdict},
};

const YEAR_2099: UnixTime = UnixTime(4_070_908_800);

/// A green code of Guangdong, valid from [`NOW`] for 1,000 s.
fn code() -> String {
    mr1_text(&Draft::mr1().ed25519())
}

fn guangdong(issued: UnixTime) -> Trust {
    let keys = vec![entry("EdDSA", ed25519().verifying_key().as_bytes(), "MR1")];
    support::trust_of(BTreeMap::from([("440000".to_owned(), keys)]), Format::Mr1, issued)
}

fn judged(text: &str, trust: &Trust, relying: &str, moment: Moment) -> Decision {
    let context = Context { moment, relying: relying.parse().expect("a region"), profile: None };
    let Outcome::Judged(judgement) = decide(text, trust, &context) else { panic!("it is a pass code") };
    judgement.close().0
}

fn at_home(at: i64, trust: TimeTrust, floor: i64) -> (Verdict, Reason) {
    let moment = Moment { at: NOW.plus(at), trust, floor: NOW.plus(floor) };
    let decision = judged(&code(), &guangdong(NOW), "440000", moment);
    (decision.verdict, decision.reason)
}

#[test]
fn a_clock_that_nobody_confirms_calls_no_bearer_late_or_early_unless_the_floor_does() {
    use TimeTrust::{FloorOnly, Holdover, Synced, Untrusted};
    let unsure = (Verdict::Refer, Reason::ClockUntrusted);
    for (at, trust, floor, answer) in [
        (5000, Synced, 5000, (Verdict::Refuse, Reason::Expired)),
        (5000, Holdover, 0, (Verdict::Refuse, Reason::Expired)),
        (5000, FloorOnly, 0, unsure),
        (5000, FloorOnly, 2000, (Verdict::Refuse, Reason::Expired)),
        (-5000, Synced, -5000, (Verdict::Refuse, Reason::NotYetValid)),
        (-5000, FloorOnly, -9000, unsure),
        (500, FloorOnly, 0, (Verdict::Admit, Reason::OkGrace)),
        (500, Untrusted, 600, unsure),
    ] {
        assert_eq!(at_home(at, trust, floor), answer, "{at} s, {trust:?}, floor at {floor} s");
    }
}

#[test]
fn after_half_a_year_in_a_cupboard_a_dead_clock_shows_no_list_as_fresh() {
    let moment = |trust| Moment { at: NOW.plus(60), trust, floor: NOW };
    let decision = judged(&code(), &guangdong(NOW), "440000", moment(TimeTrust::FloorOnly));
    assert_eq!(decision.freshness, Some(Freshness::Restricted));
    let elsewhere = judged(&code(), &guangdong(NOW), "420000", moment(TimeTrust::FloorOnly));
    assert_eq!((elsewhere.verdict, elsewhere.reason), (Verdict::Refer, Reason::ListStale));
    let decision = judged(&code(), &guangdong(NOW), "440000", moment(TimeTrust::Holdover));
    assert_eq!((decision.freshness, decision.reason), (Some(Freshness::Fresh), Reason::Ok));
}

#[test]
fn a_key_that_is_to_begin_is_told_as_the_keys_doing_and_by_an_unsure_clock_as_the_clocks() {
    let mut listed = entry("ES256", &spki(&support::mint::es256()), "HC1");
    listed["from"] = json!(NOW.plus(90_000));
    let trust = support::trust_of(BTreeMap::from([("DE".to_owned(), vec![listed])]), Format::Hc1, NOW);
    let text = hc1_text(&Draft::hc1().es256());
    let reason = |at: i64, sure| {
        let moment = Moment { at: NOW.plus(at), trust: sure, floor: NOW };
        let decision = judged(&text, &trust, "420000", moment);
        (decision.verdict, decision.reason)
    };
    assert_eq!(reason(60, TimeTrust::Synced), (Verdict::Refuse, Reason::KeyNotYetValid));
    assert_eq!(reason(5000, TimeTrust::Synced), (Verdict::Refuse, Reason::KeyNotYetValid), "the code has expired too");
    assert_eq!(reason(60, TimeTrust::FloorOnly), (Verdict::Refer, Reason::ClockUntrusted));
}

/// The nation and these provinces, each with lists issued then.
fn country(provinces: &[(&str, UnixTime)]) -> Trust {
    let repository = |id: &str, issued, targets: BTreeMap<String, Vec<u8>>| Repository {
        issuer: id.parse().expect("a region"),
        generation: 1,
        issued,
        expires: issued.plus(86_400),
        arrived: Some(NOW),
        root_keys: BTreeSet::from([[id.parse::<u32>().expect("six digits") as u8; 32]]),
        targets,
    };
    let issuers: Vec<_> = provinces
        .iter()
        .map(|(id, _)| {
            json!({"id": id, "name": {"zh": id, "en": id}, "level": "province", "scope": [id],
                   "formats": ["MR1"], "root_sha256": ""})
        })
        .collect();
    let list = json!({ "issuers": issuers }).to_string().into_bytes();
    let national = repository(NATIONAL.as_str(), NOW, BTreeMap::from([("trustlist.json".to_owned(), list)]));
    let keys = json!({"keys": [entry("EdDSA", ed25519().verifying_key().as_bytes(), "MR1")]}).to_string().into_bytes();
    let others = provinces
        .iter()
        .map(|(id, issued)| repository(id, *issued, BTreeMap::from([("keys.json".to_owned(), keys.clone())])));
    Trust::assemble(national, others.collect()).expect("lists of this test").0
}

#[test]
fn one_province_that_signs_2099_closes_no_gate() {
    let trust = country(&[("110000", NOW), ("420000", NOW), ("440000", NOW), ("650000", YEAR_2099)]);
    let known = Known { built: UnixTime(0), quorum: trust.quorum(), last_sure: None };
    let heard = Service { heard_ago: std::time::Duration::ZERO, poll: std::time::Duration::from_secs(64) };
    let reading = Reading { at: NOW.plus(60), service: Some(heard), settled: false, battery: false };
    let judgement = clock::judge(reading, &known);
    assert_eq!((judgement.because, judgement.floor.at), (Because::ServiceHeard, NOW));
    let decision = judged(&code(), &trust, "440000", judgement.moment);
    assert_eq!((decision.verdict, decision.reason), (Verdict::Admit, Reason::Ok));
    assert_eq!(trust.from_the_future(judgement.moment).collect::<Vec<_>>(), ["650000".parse().expect("a region")]);
}

#[test]
fn a_list_that_is_dated_ahead_ages_from_its_arrival_and_does_not_stay_fresh_until_then() {
    let trust = country(&[("440000", YEAR_2099)]);
    let after = |days: i64| {
        let moment = Moment::synced(NOW.plus(days * 86_400));
        let (age, _) =
            trust.freshness("440000".parse().expect("a region"), moment, &trust.profile(None)).expect("held");
        age
    };
    assert_eq!(after(2), Some(2 * 86_400));
    let trust = country(&[("440000", NOW.plus(-86_400))]);
    let moment = Moment::synced(NOW);
    let freshness = trust.freshness("440000".parse().expect("a region"), moment, &trust.profile(None));
    assert_eq!(freshness.and_then(|(age, _)| age), Some(86_400), "others age from their issue, whenever they arrived");
}
