//! What newer lists would change, tried on scans: tables of lists before and after.

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::mint;
use trustlist::{
    code::Format,
    judge::Context,
    key::KeyId,
    lists::recognition::Route,
    region::{NATIONAL, Region},
    shadow::{Advice, FEWEST, Report, Sample, Seen, Terms, compare},
    time::{Moment, UnixTime},
    trust::{Repository, Trust},
    verdict::{Reason, Verdict},
};

const NOW: UnixTime = mint::NOW;

fn region(code: &str) -> Region {
    code.parse().expect("a region")
}

fn public() -> Vec<u8> {
    mint::ed25519().verifying_key().to_bytes().to_vec()
}

/// Hubei's lists, at a gate in Guangdong that recognises it by `route`, with this state of Hubei's one key.
fn lists(state: Value, suspensions: Value, route: &str) -> Trust {
    let repository = |issuer: Region, targets: Vec<(&str, Value)>| Repository {
        issuer,
        generation: 1,
        issued: NOW,
        expires: NOW.plus(86_400),
        arrived: None,
        root_keys: BTreeSet::new(),
        targets: targets.into_iter().map(|(name, value)| (name.to_owned(), value.to_string().into_bytes())).collect(),
    };
    let issuer = json!({"id": "420000", "name": {"zh": "湖北", "en": "Hubei"}, "level": "province", "scope": ["420000"],
                        "formats": ["MR1"], "root_sha256": ""});
    let arrangement = json!({"issuing": "420000", "relying": "440000", "route": route});
    let mut key = mint::entry("EdDSA", &public(), "MR1");
    key.as_object_mut().expect("an entry").extend(state.as_object().expect("a state").clone());
    let national = vec![
        ("trustlist.json", json!({"issuers": [issuer]})),
        ("recognition.json", json!({"arrangements": [arrangement], "suspensions": suspensions})),
    ];
    let (trust, faults) = Trust::assemble(
        repository(NATIONAL, national),
        vec![repository(region("420000"), vec![("keys.json", json!({"keys": [key]}))])],
    )
    .expect("lists of this test");
    assert_eq!(faults, []);
    trust
}

fn good() -> Trust {
    lists(json!({}), json!([]), "direct")
}

fn seen(reason: Reason) -> Seen {
    Seen {
        issuer: Some(region("420000")),
        kid: Some(KeyId::of(&public())),
        format: Some(Format::Mr1),
        route: Some(Route::Direct),
        verdict: reason.verdict(),
        reason,
    }
}

fn sample(scans: &[(u64, Seen)]) -> Sample {
    let mut sample = Sample::default();
    for (count, seen) in scans {
        (0..*count).for_each(|_| sample.add(*seen));
    }
    sample
}

fn tried(here: &Trust, there: &Trust, scans: &[(u64, Seen)]) -> Report {
    let moment = Moment::synced(NOW);
    compare(here, there, &sample(scans), &Context { moment, relying: region("440000"), profile: None })
}

#[test]
fn the_same_lists_change_nothing_whatever_was_seen() {
    for reason in Reason::ALL {
        let report = tried(&good(), &good(), &[(7, seen(*reason))]);
        assert_eq!((report.scans, report.changed, report.resolved), (7, 0, 0), "{reason}");
    }
}

#[test]
fn a_revoked_key_changes_the_verdicts_of_its_codes_and_of_no_others() {
    let there = lists(json!({"state": "revoked"}), json!([]), "direct");
    let other = Seen { kid: None, issuer: None, ..seen(Reason::Malformed) };
    let report = tried(&good(), &there, &[(30, seen(Reason::Ok)), (10, other)]);
    assert_eq!((report.changed, report.share()), (30, 0.75));
    let change = &report.changes[0];
    assert_eq!((change.from, change.to, change.then), (Verdict::Admit, Verdict::Refuse, Reason::KeyRevoked));
}

#[test]
fn a_suspension_turns_admissions_into_referrals_and_leaves_who_was_refused() {
    let suspension = json!([{"issuing": "420000", "relying": "440000", "notice": "3", "approved_by": "x"}]);
    let there = lists(json!({}), suspension, "direct");
    let report = tried(&good(), &there, &[(5, seen(Reason::Ok)), (5, seen(Reason::BadSignature))]);
    assert_eq!(report.changed, 5);
    assert_eq!((report.changes[0].to, report.changes[0].then), (Verdict::Refer, Reason::RecognitionSuspended));
}

#[test]
fn a_route_that_asks_for_more_stops_those_who_did_not_bring_it() {
    let there = lists(json!({}), json!([]), "intermediary");
    let vouched = Seen { route: Some(Route::Intermediary), ..seen(Reason::Ok) };
    let report = tried(&good(), &there, &[(4, seen(Reason::Ok)), (6, vouched)]);
    assert_eq!((report.changed, report.changes[0].then), (4, Reason::NotVouched));
}

#[test]
fn what_the_device_could_not_judge_and_now_can_is_no_reason_to_wait() {
    let stranger = lists(json!({"public_key": data_encoding::BASE64.encode(&[1; 32])}), json!([]), "direct");
    let unknown = Seen { issuer: None, route: None, ..seen(Reason::KeyNewerThanList) };
    let report = tried(&stranger, &good(), &[(40, unknown)]);
    assert_eq!((report.changed, report.resolved), (0, 40));
}

#[test]
fn a_key_that_was_retired_a_moment_ago_still_vouches_for_what_was_seen() {
    let retired = |ago: i64| lists(json!({"state": "retired", "at": NOW.plus(-ago)}), json!([]), "direct");
    assert_eq!(tried(&good(), &retired(60), &[(9, seen(Reason::Ok))]).changed, 0);
    assert_eq!(tried(&good(), &retired(3 * 86_400), &[(9, seen(Reason::Ok))]).changed, 9);
}

#[test]
fn lists_wait_above_the_share_until_the_deadline_and_no_longer() {
    let terms = Terms { above: 0.2, at_most_s: 3600 };
    let report = |scans, changed| Report { scans, changed, ..Report::default() };
    let wait = Advice::Wait { until: NOW.plus(3600) };
    for (report, now, advice) in [
        (report(100, 21), NOW, wait),
        (report(100, 21), NOW.plus(3599), wait),
        (report(100, 20), NOW, Advice::Activate),
        (report(100, 100), NOW.plus(3600), Advice::Activate),
        (report(FEWEST - 1, FEWEST - 1), NOW, Advice::Activate),
        // A clock that went back would hold a revocation for ever.
        (report(100, 100), NOW.plus(-1), Advice::Activate),
    ] {
        assert_eq!(terms.advise(&report, NOW, now), advice, "{report:?} {now}");
    }
}
