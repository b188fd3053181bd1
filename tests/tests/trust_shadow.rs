//! Newer lists tried on the last day's scans: whether the forecast is what the judge says afterwards, and what waits, for whom, how long.

mod trust_support;

use std::{collections::BTreeMap, path::Path};

use authority::{Federation, code::Draft};
use cache::{
    log::{Direction, Options, Passage, ScanLog, ScanRow, UnixMillis, note::NoteSigner},
    trust_store::TrustStore,
};
use host::config::Config;
use sync::{
    lists,
    update::{TrustAnchor, activation},
};
use tests::machine;
use trust_support::{HOUR, NOW, Post, region};
use trustlist::{
    code::{KeyState, StatusRef},
    judge::{Context, Decision, Outcome, decide},
    lists::{
        keys::KeyUse,
        recognition::{Arrangement, Party, Route, Suspension},
    },
    shadow::{Sample, Seen, compare},
    status::Status,
    time::{Moment, TimeTrust, UnixTime, Window},
    trust::Trust,
    verdict::Verdict,
};

const GATE: &str = "440000";
const DIRECT: [&str; 3] = ["420000", "430000", "450000"];

fn arrange(federation: &mut Federation) {
    for issuing in DIRECT {
        let party = |code| Party::Region(region(code));
        let (issuing, relying) = (party(issuing), party(GATE));
        let line = Arrangement { issuing, relying, route: Route::Direct, window: Window::default() };
        federation.lists().arrange(line).expect("a new one");
    }
}

/// Codes of the home province and of four others, one of them not recognised, each with a place in a status list.
fn codes(federation: &Federation, each: u64) -> Vec<String> {
    let of = |code: &str, index| {
        let status = Some(StatusRef { index, uri: "status/0".to_owned() });
        let draft = Draft { status, ..Draft::new(region(code), NOW) };
        federation.issue(&draft, false, None).expect("signed")
    };
    let issuers = DIRECT.iter().chain(&[GATE, "650000"]);
    issuers.flat_map(|code| (0..each).map(|index| of(code, index)).collect::<Vec<_>>()).collect()
}

fn judged(texts: &[String], trust: &Trust, at: UnixTime) -> Vec<Decision> {
    let moment = Moment::synced(at);
    let context = Context { moment, relying: region(GATE), profile: None };
    let one = |text: &String| match decide(text, trust, &context) {
        Outcome::Judged(judgement) => judgement.close().0,
        Outcome::NotAPassCode => panic!("no pass code"),
    };
    texts.iter().map(one).collect()
}

fn suspension(issuing: &str) -> Suspension {
    Suspension {
        issuing: Party::Region(region(issuing)),
        relying: Party::Region(region(GATE)),
        notice: "3".to_owned(),
        approved_by: "x".to_owned(),
        instead: None,
        window: Window::default(),
    }
}

fn suspend_all(gate: &mut Gate) {
    for code in DIRECT {
        gate.post.federation.lists().suspend(suspension(code)).expect("suspended");
    }
}

/// Something that a publisher does, and whether its effect on one code can be foreseen from a row.
type Deed = (&'static str, fn(&mut Federation));

const DEEDS: [Deed; 5] = [
    ("nothing", |_| ()),
    ("a province is suspended", |federation| federation.lists().suspend(suspension("420000")).expect("suspended")),
    ("an arrangement ends", |federation| {
        federation.lists().end_arrangement(|line| line.issuing == Party::Region(region("430000"))).expect("ended");
    }),
    ("a province is recognised", |federation| {
        let (issuing, relying) = (Party::Region(region("650000")), Party::Region(region(GATE)));
        let line = Arrangement { issuing, relying, route: Route::Direct, window: Window::default() };
        federation.lists().arrange(line).expect("a new one");
    }),
    ("a key is revoked", |federation| revoke_key(federation, "450000")),
];

fn revoke_key(federation: &mut Federation, code: &str) {
    let desk = federation.authority(region(code)).expect("there");
    let kid = desk.signing_key(KeyUse::Code, NOW).expect("it has one").kid();
    desk.set_key_state(kid, KeyState::Revoked).expect("revoked");
}

fn with_statuses(federation: &mut Federation) {
    for desk in federation.issuers.values_mut() {
        desk.statuses_mut().grow(1000, NOW).expect("grown");
    }
}

fn new_federation() -> Federation {
    let mut federation =
        Federation::of_provinces(authority::Source::Seed([7; 32]), trust_support::FOUNDED).expect("founded");
    with_statuses(&mut federation);
    arrange(&mut federation);
    federation
}

#[test]
fn the_forecast_is_what_the_judge_says_afterwards() {
    for (what, deed) in DEEDS {
        let mut federation = new_federation();
        federation.publish(NOW).expect("published");
        let texts = codes(&federation, 4);
        let here = federation.trust().expect("lists");
        deed(&mut federation);
        federation.publish(NOW.plus(HOUR)).expect("published");
        let there = federation.trust().expect("lists");
        let at = NOW.plus(HOUR);
        let (before, after) = (judged(&texts, &here, at), judged(&texts, &there, at));
        let really = before.iter().zip(&after).filter(|(before, after)| before.verdict != after.verdict).count();
        let mut sample = Sample::default();
        for decision in &before {
            sample.add(Seen {
                issuer: decision.issuer,
                kid: decision.kid,
                format: decision.format,
                route: decision.route,
                verdict: decision.verdict,
                reason: decision.reason,
            });
        }
        let moment = Moment::synced(at);
        let context = Context { moment, relying: region(GATE), profile: None };
        let report = compare(&here, &there, &sample, &context);
        assert_eq!(report.changed, really as u64, "{what}: {report:?}");
        assert_eq!(really > 0, what != "nothing", "{what}");
    }
}

#[test]
fn statuses_that_turn_bad_by_the_thousand_are_foreseen_by_their_share() {
    let mut federation = new_federation();
    federation.publish(NOW).expect("published");
    let texts = codes(&federation, 40);
    let here = federation.trust().expect("lists");
    let desk = federation.authority(region("420000")).expect("there");
    for index in 0..500 {
        desk.statuses_mut().set(index * 2, Status::Revoked, NOW).expect("there");
    }
    federation.publish(NOW.plus(HOUR)).expect("published");
    let there = federation.trust().expect("lists");
    let mut sample = Sample::default();
    for decision in judged(&texts, &here, NOW) {
        let Decision { issuer, kid, format, route, verdict, reason, .. } = decision;
        sample.add(Seen { issuer, kid, format, route, verdict, reason });
    }
    let moment = Moment::synced(NOW);
    let context = Context { moment, relying: region(GATE), profile: None };
    assert_eq!(compare(&here, &there, &sample, &context).changed, 20, "half of forty");
}

/// A gate in Guangdong with a day of scans in its log.
struct Gate {
    post: Post,
    config: Config,
    folder: tempfile::TempDir,
}

impl Gate {
    /// So many scans of each issuer.
    fn new(each: u64) -> Gate {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "[checkpoint]\nrelying = \"{GATE}\"\n[places]\nstate = \"{}\"\n[trust]\nhold_above = 0.3\nhold_at_most = \"2h\"\n",
            folder.path().display()
        );
        let config = Config::parse(&text, "gate.toml").expect("valid");
        let store = config.places.trust_store();
        let mut post = Post::at(&store, None);
        with_statuses(&mut post.federation);
        arrange(&mut post.federation);
        post.publish(NOW.plus(60));
        post.sync(NOW.plus(60));
        let gate = Gate { post, config, folder };
        gate.scan(each);
        gate
    }

    /// Travellers come.
    fn scan(&self, each: u64) {
        let trust = lists::from_store(&self.post.store).expect("read").expect("synced").trust;
        let signer = NoteSigner::new("gate", &[5; 32]).expect("a name");
        let path = self.folder.path().join("scans.db");
        let at = UnixMillis::from(NOW.plus(120));
        let mut log = ScanLog::open(Options::new(path, signer, machine()), at).expect("opened");
        for decision in judged(&codes(&self.post.federation, each), &trust, NOW.plus(120)) {
            let word = |word: &'static str| Some(word.to_owned());
            log.append(&ScanRow {
                at_ms: at,
                time_trust: TimeTrust::Synced,
                lane: "1".to_owned(),
                direction: Direction::Entry,
                verdict: decision.verdict,
                reason: decision.reason,
                detail: None,
                issuer: decision.issuer,
                kid: decision.kid.map(|kid| kid.to_string()),
                format: decision.format.and_then(|format| word(format.code())),
                route: decision.route.and_then(|route| word(route.code())),
                list_generation: decision.list_generation,
                list_age_s: decision.list_age_s,
                token: None,
                time_to_verdict_us: 900,
                passage: Passage::Unobserved,
            })
            .expect("appended");
        }
    }

    /// Publishes, syncs, and lets come into force what may.
    fn update(&mut self, at: UnixTime) -> activation::Activation {
        self.post.publish(at);
        let anchor = TrustAnchor { first_root: Some(&self.post.root), moment: Moment::synced(at) };
        let mut mirror = self.post.mirror.clone();
        sync::update::sync(&mut self.post.store, &mut mirror, "mirror", &anchor).expect("the store works");
        self.settle(at, TimeTrust::Synced)
    }

    fn settle(&mut self, at: UnixTime, trust: TimeTrust) -> activation::Activation {
        activation::settle(&self.config, &mut self.post.store, Moment { at, trust, floor: at })
            .expect("the store works")
    }
}

#[test]
fn an_ordinary_update_comes_into_force_at_once() {
    let mut gate = Gate::new(20);
    let settled = gate.update(NOW.plus(HOUR));
    assert_eq!((settled.activated.len(), settled.held), (35, None));
}

#[test]
fn a_list_that_would_change_much_waits_alone_and_comes_into_force_at_its_deadline() {
    let mut gate = Gate::new(20);
    let at = NOW.plus(HOUR);
    suspend_all(&mut gate);
    let before = gate.post.generation(region("000000"));
    let settled = gate.update(at);
    let held = settled.held.expect("the national list waits");
    assert_eq!((held.issuers.clone(), settled.activated.len()), (vec![region("000000")], 34));
    assert_eq!((held.report.changed, held.report.scans), (60, 100));
    assert_eq!(held.until, at.plus(2 * HOUR));
    assert!(held.line().contains("60 % of 100 verdicts"), "{}", held.line());
    assert_eq!(gate.post.generation(region("000000")), before);
    assert_eq!(activation::held(&gate.post.store).expect("read"), Some(held.clone()), "a restart knows of it");
    // A publication in between does not put the deadline off.
    let again = gate.update(at.plus(HOUR)).held.expect("it waits");
    assert_eq!(again.until, held.until);
    let settled = gate.settle(held.until, TimeTrust::Synced);
    assert_eq!((settled.activated.len(), settled.held), (1, None));
    assert!(gate.post.generation(region("000000")) > before);
    assert_eq!(activation::held(&gate.post.store).expect("read"), None);
}

#[test]
fn a_key_revoked_by_the_province_of_most_travellers_counts_at_the_deadline_at_the_latest() {
    let mut gate = Gate::new(20);
    for code in DIRECT {
        revoke_key(&mut gate.post.federation, code);
    }
    let at = NOW.plus(HOUR);
    let settled = gate.update(at);
    let held = settled.held.expect("those beyond the share wait");
    assert_eq!(settled.activated.len() + held.issuers.len(), 35);
    assert!(settled.activated.iter().any(|(issuer, ..)| *issuer == region("420000")), "one alone is below the share");
    let still = gate.settle(held.until.plus(-1), TimeTrust::Synced).held.expect("still");
    assert_eq!(still.issuers, held.issuers, "they do not creep in one by one");
    assert_eq!(gate.settle(held.until, TimeTrust::Synced).held, None);
}

#[test]
fn an_operators_word_puts_what_waits_in_force() {
    let mut gate = Gate::new(20);
    suspend_all(&mut gate);
    assert!(gate.update(NOW.plus(HOUR)).held.is_some());
    let settled = activation::settle_by_hand(&mut gate.post.store).expect("the store works");
    assert_eq!(settled.activated.len(), 1);
    assert_eq!(activation::held(&gate.post.store).expect("read"), None);
}

#[test]
fn nothing_waits_where_nothing_is_known() {
    let suspended = |each| {
        let mut gate = Gate::new(each);
        suspend_all(&mut gate);
        gate
    };
    let few = suspended(3).update(NOW.plus(HOUR));
    assert_eq!(few.held, None, "fifteen scans are no measure");
    let mut gate = suspended(20);
    gate.update(NOW.plus(HOUR));
    let unsure = gate.settle(NOW.plus(HOUR), TimeTrust::Untrusted);
    assert_eq!(unsure.held, None, "such a clock cannot count a deadline");
    let mut gate = suspended(20);
    let later = gate.update(NOW.plus(40 * HOUR));
    assert_eq!(later.held, None, "the scans are of another day");
}

#[test]
fn a_country_whose_every_code_is_revoked_by_mistake_does_not_stop_the_gate_at_once() {
    let mut gate = Gate::new(20);
    let codes: BTreeMap<_, _> = DIRECT.iter().chain(&[GATE]).map(|code| (*code, 1000)).collect();
    for (code, count) in codes {
        let statuses = gate.post.federation.authority(region(code)).expect("there").statuses_mut();
        for index in 0..count {
            statuses.set(index, Status::Revoked, NOW).expect("there");
        }
    }
    let settled = gate.update(NOW.plus(HOUR));
    let held = settled.held.expect("three of four wait");
    assert!(held.report.changes.iter().all(|change| change.to == Verdict::Refuse), "{held:?}");
    assert_eq!(held.issuers.len(), 3, "{held:?}");
}

#[test]
fn another_process_sees_what_waits_and_why() {
    let mut gate = Gate::new(20);
    suspend_all(&mut gate);
    gate.update(NOW.plus(HOUR));
    let path: &Path = gate.post.store.path();
    let other = TrustStore::open(path).expect("opened");
    let held = activation::held(&other).expect("read").expect("it waits");
    let (here, there, report) =
        activation::try_staged(&gate.config, &other, &held.issuers, NOW.plus(HOUR)).expect("read").expect("staged");
    let difference = sync::update::carry::Difference::between(&here, &there);
    assert_eq!(difference.added.iter().filter(|line| line.starts_with("suspension")).count(), 3, "{difference:?}");
    assert_eq!(report.changed, 60);
}
