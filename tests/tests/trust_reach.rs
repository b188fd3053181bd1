//! One party's word reaches no further than that party: what an issuer, a mirror, a clock or a stick does wrong costs that one and no other.

mod trust_support;

use std::{fs, path::Path};

use authority::{
    Source as Keys,
    key::KeyType,
    metadata::{self, Role},
};
use cache::trust_store::Slot;
use host::config::{Config, Url};
use sync::{
    lists::{self, FolderMirror},
    update::{self, Connections, Outcome, SyncReport, SyncResult, TrustAnchor, activation, carry, round},
};
use trust_support::{Files, HOUR, NOW, Post, Shelfful, empty_store, newer, outcome, reason, region, synced};
use trustlist::{
    region::NATIONAL,
    time::{Moment, TimeTrust, UnixTime},
};

const YEAR_2099: UnixTime = UnixTime(4_070_908_800);

/// Xinjiang's timestamp says something else, signed with its own key.
fn bent(post: &Post, change: impl FnOnce(&mut serde_json::Value)) {
    let issuer = region("650000");
    let mut files = post.mirror.files.borrow_mut();
    let path = format!("{issuer}/metadata/timestamp.json");
    let mut file: serde_json::Value = serde_json::from_slice(&files[&path]).expect("JSON");
    change(&mut file["signed"]);
    let key =
        Keys::Seed([7; 32]).key(issuer, &format!("{}-0", Role::Timestamp.name()), KeyType::Ed25519).expect("a key");
    let bytes = metadata::sign(&file["signed"], [&key]).expect("signed");
    files.insert(path, bytes);
}

fn dated(post: &Post, at: UnixTime) {
    bent(post, |signed| {
        signed["version"] = (signed["version"].as_u64().expect("a number") + 1).into();
        signed["issued"] = at.to_string().into();
        signed["expires"] = "2099-12-31T00:00:00Z".into();
    });
}

fn write_out(files: &Files, folder: &Path) {
    for (path, bytes) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder above it")).expect("made");
        fs::write(path, bytes).expect("written");
    }
}

fn configured(state: &Path, seed: &Path, mirrors: &[&Path]) -> Config {
    let mut config = Config::default();
    config.places.state = state.to_owned();
    config.trust.seed = seed.to_owned();
    config.checkpoint.relying = Some(region("440000"));
    config.sync.mirrors = mirrors.iter().map(|mirror| Url(format!("file://{}", mirror.display()))).collect();
    config
}

#[test]
fn a_province_that_dates_its_lists_ahead_waits_alone_and_heals_by_publishing_again() {
    let mut post = Post::new();
    let xinjiang = region("650000");
    let held = post.generation(xinjiang);
    post.publish(NOW.plus(HOUR));
    dated(&post, YEAR_2099);
    let report = post.sync(NOW.plus(HOUR));
    assert_eq!(newer(&report), 34, "everybody else's lists come into force: {report}");
    assert!(
        matches!(outcome(&report, xinjiang), Outcome::FromTheFuture { issued, .. } if *issued == YEAR_2099),
        "{report}"
    );
    assert_eq!(post.generation(xinjiang), held, "what was in force stays");
    let loaded = lists::from_store(&post.store).expect("read").expect("lists");
    assert_eq!(
        loaded.remarks.iter().map(|remark| (remark.code, remark.detail.as_str())).collect::<Vec<_>>(),
        [("list-from-the-future", "650000")]
    );
    let quorum = loaded.trust.quorum().expect("35 voters");
    assert!(quorum <= NOW.plus(HOUR), "{quorum}");
    // The honest publication, an hour later, has a version that is not above the one that was dated ahead.
    post.publish(NOW.plus(2 * HOUR));
    let report = post.sync(NOW.plus(2 * HOUR));
    assert_eq!(newer(&report), 35, "{report}");
}

#[test]
fn a_list_that_is_dated_a_little_ahead_comes_into_force_when_its_time_has_come() {
    let mut post = Post::new();
    let xinjiang = region("650000");
    let held = post.generation(xinjiang);
    dated(&post, NOW.plus(2 * HOUR));
    post.sync(NOW.plus(HOUR));
    let config = Config::default();
    let mut settle = |at: i64, trust| {
        let moment = Moment { at: NOW.plus(at), trust, floor: NOW };
        activation::settle(&config, &mut post.store, moment).expect("settled").activated.len()
    };
    assert_eq!(settle(HOUR + 60, TimeTrust::Synced), 0, "not yet");
    assert_eq!(settle(3 * HOUR, TimeTrust::FloorOnly), 0, "a clock that nobody confirms brings no time about");
    assert_eq!(settle(2 * HOUR, TimeTrust::Synced), 1);
    assert_eq!(post.store.ahead().expect("read"), []);
    assert_eq!(post.generation(xinjiang), held + 1);
}

#[test]
fn on_a_clock_that_nobody_confirms_a_list_that_is_dated_ahead_counts_for_its_issuer_and_is_one_vote() {
    let mut post = Post::new();
    dated(&post, YEAR_2099);
    let moment = Moment { at: NOW.plus(HOUR), trust: TimeTrust::FloorOnly, floor: NOW };
    let anchor = TrustAnchor { first_root: Some(&post.root), moment };
    let report = synced(&mut post.store, &mut post.mirror.clone(), "mirror", &anchor).expect("it works");
    assert_eq!(newer(&report), 1, "{report}");
    let loaded = lists::from_store(&post.store).expect("read").expect("lists");
    assert!(loaded.trust.quorum().expect("35 voters") <= NOW, "one vote of 35");
    // The clock is confirmed later: the list stays, ages from its arrival, and an honest one of a higher version takes its place.
    post.store.note_arrivals(NOW.plus(2 * HOUR)).expect("noted");
    let trust = lists::from_store(&post.store).expect("read").expect("lists").trust;
    let age = trust.freshness(region("650000"), Moment::synced(NOW.plus(50 * HOUR)), &trust.profile(None));
    assert_eq!(age.and_then(|(age, _)| age), Some(50 * HOUR), "the nation's list is older still");
    post.publish(NOW.plus(3 * HOUR));
    post.publish(NOW.plus(3 * HOUR + 60));
    assert_eq!(newer(&post.sync(NOW.plus(4 * HOUR))), 35);
}

#[test]
fn a_version_beyond_counting_costs_its_province_and_is_taken_back_by_publishing_again() {
    let mut post = Post::new();
    post.publish(NOW.plus(HOUR));
    bent(&post, |signed| signed["version"] = (1_u64 << 63).into());
    let report = post.sync(NOW.plus(HOUR));
    assert_eq!(newer(&report), 34, "{report}");
    assert!(reason(&report, region("650000")).contains("beyond"), "{report}");
    post.publish(NOW.plus(2 * HOUR));
    assert_eq!(newer(&post.sync(NOW.plus(2 * HOUR))), 35);
}

#[test]
fn each_issuer_is_taken_from_the_mirror_where_it_is_newest_and_whole() {
    let place = tempfile::tempdir().expect("a folder");
    let (first, second, state) = (place.path().join("first"), place.path().join("second"), place.path().join("state"));
    let mut post = Post::new();
    write_out(&post.mirror.files.borrow(), &first);
    post.publish(NOW.plus(HOUR));
    write_out(&post.mirror.files.borrow(), &second);
    // The first is old, lacks a province, and half of another's is not there.
    fs::remove_dir_all(first.join("420000")).expect("removed");
    fs::remove_dir_all(first.join("110000/targets")).expect("removed");
    let config = configured(&state, &first, &[&first, &second]);
    let mut store = round::open(&config).expect("begun");
    let moment = Moment::synced(NOW.plus(HOUR));
    let done = round::mirrors(&config, &mut store, &mut Connections::default(), moment, &mut |_, _| ())
        .expect("both are there");
    assert_eq!(newer(&done.report), 35, "{}", done.report);
    for issuer in ["000000", "110000", "420000", "440000"] {
        let held = store.repository(region(issuer), Slot::Current).expect("read").expect("held").generation;
        assert_eq!(held, 2, "{issuer}");
    }
    fs::remove_dir_all(&first).expect("removed");
    let done =
        round::mirrors(&config, &mut store, &mut Connections::default(), moment, &mut |_, _| ()).expect("one is there");
    assert_eq!(done.report.result(), SyncResult::Unchanged);
}

#[test]
fn what_two_mirrors_say_is_put_together_for_each_issuer() {
    let report = |source: &str, outcomes: &[(&str, Outcome)]| SyncReport {
        source: source.to_owned(),
        issuers: outcomes.iter().map(|(issuer, outcome)| (region(issuer), outcome.clone())).collect(),
        peace: None,
    };
    let unreachable = || Outcome::Unreachable { why: "silent".to_owned() };
    let both = report("a", &[("000000", Outcome::Unchanged { generation: 3 }), ("110000", unreachable())]).and(report(
        "b",
        &[("000000", Outcome::Older { generation: 3 }), ("110000", Outcome::Unchanged { generation: 1 })],
    ));
    assert_eq!(both.source, "a, b");
    assert_eq!(outcome(&both, NATIONAL), &Outcome::Unchanged { generation: 3 });
    assert_eq!(outcome(&both, region("110000")), &Outcome::Unchanged { generation: 1 });
    let silent =
        report("a", &[("000000", unreachable())]).and(report("b", &[("000000", Outcome::Unchanged { generation: 3 })]));
    assert_eq!((silent.source.as_str(), silent.result()), ("b", SyncResult::Unchanged));
}

#[test]
fn a_pipe_in_an_inbox_is_waited_for_by_nobody_and_the_others_repositories_are_taken() {
    let place = tempfile::tempdir().expect("a folder");
    let (inbox, state) = (place.path().join("inbox"), place.path().join("state"));
    let post = Post::new();
    write_out(&post.mirror.files.borrow(), &inbox);
    for pipe in ["110000/metadata/timestamp.json", "420000/metadata/timestamp.json", "440000/metadata/2.root.json"] {
        let _ = fs::remove_file(inbox.join(pipe));
        let made = std::process::Command::new("mkfifo").arg(inbox.join(pipe)).status().expect("mkfifo");
        assert!(made.success());
    }
    let config = configured(&state, &inbox, &[]);
    let mut store = round::open(&config).expect("begun");
    let done = round::folder(&config, &mut store, &inbox, None, Moment::synced(NOW)).expect("it is a folder");
    assert_eq!(newer(&done.report), 32, "{}", done.report);
    assert!(done.report.to_string().contains("no regular file"), "{}", done.report);
}

#[test]
fn lists_in_a_folder_of_the_stick_are_found_and_two_such_folders_are_named() {
    let place = tempfile::tempdir().expect("a folder");
    let (stick, state) = (place.path().join("stick"), place.path().join("state"));
    let post = Post::new();
    write_out(&post.mirror.files.borrow(), &stick.join("for the gate"));
    let config = configured(&state, Path::new("/is/not/there"), &[]);
    let mut store = round::open(&config).expect("begun");
    let import = |store: &mut _| round::folder(&config, store, &stick, Some(&post.root), Moment::synced(NOW));
    let done = import(&mut store).expect("found");
    assert_eq!(newer(&done.report), 35, "{}", done.report);
    assert!(done.report.source.ends_with("for the gate"), "{}", done.report);
    fs::create_dir_all(stick.join("old/440000/metadata")).expect("made");
    let refused = import(&mut store).expect_err("which one?").to_string();
    assert!(refused.contains("for the gate") && refused.contains("old"), "{refused}");
}

#[test]
fn what_is_in_force_never_gets_worse_by_a_first_import() {
    let place = tempfile::tempdir().expect("a folder");
    let (seed, stick, state) = (place.path().join("seed"), place.path().join("stick"), place.path().join("state"));
    let post = Post::new();
    write_out(&post.mirror.files.borrow(), &seed);
    write_out(&post.mirror.files.borrow(), &stick);
    // Two provinces are not on the stick whole.
    fs::remove_dir_all(stick.join("440000")).expect("removed");
    fs::write(stick.join("110000/metadata/timestamp.json"), "torn").expect("written");
    let config = configured(&state, &seed, &[]);
    let before = lists::of_device(&config.places.trust_store(), &seed).expect("the package's").trust;
    let mut store = round::open(&config).expect("begun");
    let done = round::folder(&config, &mut store, &stick, None, Moment::synced(NOW)).expect("a folder");
    assert_eq!((newer(&done.report), done.held), (33, None), "{}", done.report);
    let after = lists::of_device(&config.places.trust_store(), &seed).expect("lists").trust;
    for issuer in before.issuers() {
        let held = after.issuer(issuer.entry.id).and_then(|issuer| issuer.repository);
        assert!(held.is_some(), "{} was there and is missing", issuer.entry.id);
    }
    // An import that has expired is refused and takes nothing away either.
    let late = Moment::synced(NOW.plus(3 * 365 * 24 * HOUR));
    let mut store = empty_store(&place);
    drop(update::sync(
        &mut store,
        &mut FolderMirror::open(&stick).expect("a folder"),
        "stick",
        &TrustAnchor { first_root: Some(&post.root), moment: late },
    ));
    let with = lists::with_seed(&store, &seed).expect("read").expect("the package's");
    assert_eq!(with.trust.issuers().filter(|issuer| issuer.repository.is_some()).count(), 35);
}

#[test]
fn lists_are_carried_through_no_link_that_waits_on_the_stick() {
    let place = tempfile::tempdir().expect("a folder");
    let victim = place.path().join("victim");
    fs::write(&victim, "precious").expect("written");
    let stick = place.path().join("stick");
    fs::create_dir_all(stick.join("440000/metadata")).expect("made");
    std::os::unix::fs::symlink(&victim, stick.join("440000/metadata/timestamp.json.new")).expect("linked");
    std::os::unix::fs::symlink(&victim, stick.join("440000/metadata/timestamp.new")).expect("linked");
    let post = Post::new();
    carry::export(&post.store, &stick).expect("written");
    assert_eq!(fs::read_to_string(&victim).expect("read"), "precious");
    fs::remove_dir_all(stick.join("440000")).expect("removed");
    std::os::unix::fs::symlink(place.path(), stick.join("440000")).expect("linked");
    assert!(carry::export(&post.store, &stick).is_err(), "a folder that is a link");
    assert!(!place.path().join("metadata").exists());
}

#[test]
fn a_silent_mirror_is_no_issuers_fault_and_an_issuers_fault_silences_no_mirror() {
    let mut post = Post::new();
    post.publish(NOW.plus(HOUR));
    for (number, issuer) in ["110000", "120000", "130000"].into_iter().enumerate() {
        let name = format!("a b?{number}#%");
        post.overload(region(issuer), Keys::Seed([7; 32]), &[(name, 5)].into());
    }
    let report = post.sync(NOW.plus(HOUR));
    assert_eq!(newer(&report), 32, "{report}");
    assert!(reason(&report, region("110000")).contains("not there"), "{report}");
    post.mirror = Shelfful { silent: true, ..post.mirror.clone() };
    assert!(matches!(outcome(&post.sync(NOW.plus(HOUR)), NATIONAL), Outcome::Unreachable { .. }));
}

/// The nation with other keys, which lists the same provinces, published so many times; its files and its first root.
fn anew(post: &Post, times: i64) -> (Files, Vec<u8>) {
    let mut anew = authority::Federation::new(Keys::Seed([99; 32]), NOW).expect("founded");
    for (id, province) in &post.federation.issuers {
        let newcomer = authority::national::Newcomer {
            id: *id,
            names: None,
            parent: None,
            scope: Vec::new(),
            formats: vec![trustlist::code::Format::Mr1],
            mirrors: Vec::new(),
            root: province.first_root().to_vec(),
        };
        anew.lists().add(newcomer).expect("listed");
    }
    let mut files = Files::new();
    for time in 1..=times {
        files.extend(anew.publish(NOW.plus(HOUR + time)).expect("published"));
    }
    let root = anew.national.first_root().to_vec();
    (files, root)
}

#[test]
fn a_nation_founded_anew_is_believed_at_the_gate_by_its_new_root_and_only_above_the_floor() {
    let place = tempfile::tempdir().expect("a folder");
    let (stick, state) = (place.path().join("stick"), place.path().join("state"));
    let mut post = Post::new();
    post.publish(NOW.plus(HOUR));
    write_out(&post.mirror.files.borrow(), &stick);
    let config = configured(&state, &stick, &[]);
    let mut store = round::open(&config).expect("begun");
    let now = Moment::synced(NOW.plus(2 * HOUR));
    let import = |store: &mut _, folder: &Path, root: Option<&[u8]>| round::folder(&config, store, folder, root, now);
    assert_eq!(newer(&import(&mut store, &stick, None).expect("taken").report), 35);
    // The drill of docs/authority.md: three generations and one above them.
    for (times, taken) in [(1, false), (2, false), (3, true)] {
        let (files, root) = anew(&post, times);
        let folder = place.path().join(format!("anew-{times}"));
        write_out(&files, &folder);
        let outcome = import(&mut store, &folder, None).expect("a folder").report;
        assert!(matches!(outcome.issuers[&NATIONAL], Outcome::Refused { .. }), "no chain leads there: {outcome}");
        let said = import(&mut store, &folder, Some(&root));
        let held = store.repository(NATIONAL, Slot::Current).expect("read").expect("held").generation;
        let first = store.roots(NATIONAL).expect("read").remove(0).1;
        if taken {
            let report = said.expect("above the floor").report;
            assert_eq!(outcome_of(&report), (Some(2), 3), "{report}");
            assert_eq!((held, first == root), (3, true));
        } else {
            let said = said.expect_err("a generation that was accepted once").to_string();
            assert!(said.contains("is not above 2") && said.contains("--after 2"), "{said}");
            assert_eq!((held, first == post.root), (2, true), "nothing has changed");
        }
    }
    let trust = lists::from_store(&store).expect("read").expect("lists").trust;
    assert_eq!(trust.issuers().filter(|issuer| issuer.repository.is_some()).count(), 35, "provinces keep their own");
    // The stolen root signs on, and nobody here listens; a store that is opened anew knows the same.
    post.publish(NOW.plus(2 * HOUR));
    post.publish(NOW.plus(2 * HOUR + 60));
    write_out(&post.mirror.files.borrow(), &stick);
    drop(store);
    let mut store = round::open(&config).expect("opened");
    assert_eq!(store.behind().expect("read"), []);
    let report = import(&mut store, &stick, None).expect("a folder").report;
    assert!(matches!(report.issuers[&NATIONAL], Outcome::Refused { .. }), "{report}");
    assert_eq!(store.repository(NATIONAL, Slot::Current).expect("read").expect("held").generation, 3);
}

fn outcome_of(report: &SyncReport) -> (Option<u64>, u64) {
    match outcome(report, NATIONAL) {
        Outcome::Updated { from, to } => (*from, *to),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_root_that_does_not_verify_its_lists_changes_nothing() {
    let place = tempfile::tempdir().expect("a folder");
    let (stick, state) = (place.path().join("stick"), place.path().join("state"));
    let post = Post::new();
    write_out(&post.mirror.files.borrow(), &stick);
    let config = configured(&state, &stick, &[]);
    let mut store = round::open(&config).expect("begun");
    let now = Moment::synced(NOW.plus(2 * HOUR));
    round::folder(&config, &mut store, &stick, None, now).expect("taken");
    let (files, root) = anew(&post, 9);
    let folder = place.path().join("anew");
    write_out(&files, &folder);
    let torn = folder.join("000000/metadata/timestamp.json");
    let whole = fs::read(&torn).expect("read");
    let broken: [(&str, &[u8], &[u8]); 4] = [
        ("no root", b"{}", &whole),
        ("no timestamp", &root, b""),
        ("a page", b"<html>", &whole),
        ("half a timestamp", &root, &whole[..whole.len() / 2]),
    ];
    for (what, vouched, timestamp) in broken {
        fs::write(&torn, timestamp).expect("written");
        assert!(round::folder(&config, &mut store, &folder, Some(vouched), now).is_err(), "{what}");
        assert_eq!(store.roots(NATIONAL).expect("read"), [(1, post.root.clone())], "{what}");
        assert_eq!(store.repository(NATIONAL, Slot::Current).expect("read").expect("held").generation, 1, "{what}");
    }
    // With the root that is trusted already everything goes its usual way.
    let done = round::folder(&config, &mut store, &stick, Some(&post.root), now).expect("a folder");
    assert_eq!(done.report.result(), SyncResult::Unchanged, "{}", done.report);
}

/// A server that says the same to whoever asks; its address.
fn saying(answer: String) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    // Ends with the program.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            use std::io::{Read, Write};
            let mut request = [0; 4096];
            while stream.read(&mut request).is_ok_and(|read| read > 0) {
                if stream.write_all(answer.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    format!("http://{address}")
}

#[test]
fn a_mirror_that_asks_for_peace_is_left_in_peace_and_the_next_one_is_asked() {
    let place = tempfile::tempdir().expect("a folder");
    let (mirror, state) = (place.path().join("mirror"), place.path().join("state"));
    let post = Post::new();
    write_out(&post.mirror.files.borrow(), &mirror);
    for (status, header, seconds) in [
        ("503 Busy", "Retry-After: 120", 120),
        ("429 Slow down", "Retry-After: 3600", 3600),
        ("503 Busy", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:59:37 GMT", 600),
        ("503 Busy", "Retry-After: 1", 30),
        ("503 Busy", "Retry-After: 99999999", 6 * 3600),
        ("503 Busy", "X-Nothing: 1", 30),
    ] {
        let busy = saying(format!("HTTP/1.1 {status}\r\n{header}\r\nContent-Length: 0\r\n\r\n"));
        let mut config = configured(&state, &mirror, &[&mirror]);
        config.sync.mirrors.insert(0, Url(busy));
        let mut store = round::open(&config).expect("begun");
        let mut connections = Connections::default();
        let done = round::mirrors(&config, &mut store, &mut connections, Moment::synced(NOW), &mut |_, _| ())
            .expect("one is there");
        assert_eq!(done.report.peace.map(|peace| peace.as_secs()), Some(seconds), "{header}");
        assert!(done.report.result() != SyncResult::Failed, "{}", done.report);
    }
}

#[test]
fn a_mirror_that_leads_elsewhere_or_round_in_circles_is_a_mirror_that_does_not_answer() {
    let place = tempfile::tempdir().expect("a folder");
    let (mirror, state) = (place.path().join("mirror"), place.path().join("state"));
    let post = Post::new();
    write_out(&post.mirror.files.borrow(), &mirror);
    for target in ["file:///etc/passwd", "/again", "gopher://x/", "http://127.0.0.1:1/"] {
        let leads = saying(format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"));
        let mut config = configured(&state, &mirror, &[]);
        config.sync.mirrors = vec![Url(leads)];
        let mut store = round::open(&config).expect("begun");
        let mut connections = Connections::default();
        let done = round::mirrors(&config, &mut store, &mut connections, Moment::synced(NOW), &mut |_, _| ())
            .expect("it is a mirror");
        assert_eq!(done.report.result(), SyncResult::Failed, "{target}: {}", done.report);
        assert!(matches!(outcome(&done.report, NATIONAL), Outcome::Unreachable { .. }), "{target}: {}", done.report);
    }
}

#[test]
fn whatever_a_province_signs_costs_that_province_and_is_said_in_a_line() {
    use serde_json::json;
    let long = "x\u{1b}[31m".repeat(20_000);
    let nested = (0..100).fold(json!(0), |inner, _| json!([inner]));
    let bends: Vec<(&str, serde_json::Value)> = vec![
        ("version", json!(0)),
        ("version", json!(-1)),
        ("version", json!((1_u64 << 63))),
        ("version", json!("7")),
        ("version", json!(null)),
        ("expires", json!("2021-13-45T00:00:00Z")),
        ("expires", json!("0000-01-01T00:00:00Z")),
        ("expires", json!("+292277026596-12-04T15:30:07Z")),
        ("expires", json!(4_070_908_800_u64)),
        ("expires", json!(long)),
        ("issued", json!("never")),
        ("issued", json!("9999-12-31T23:59:59Z")),
        ("issued", json!(long)),
        ("issued", nested),
        ("meta", json!({})),
        ("meta", json!({"snapshot.json": {"version": -1}})),
        ("meta", json!({"snapshot.json": {"version": 1, "length": (1_u64 << 63)}})),
        ("_type", json!("root")),
        ("spec_version", json!(long)),
    ];
    let mut post = Post::new();
    for (hour, (member, value)) in (1..).zip(bends) {
        post.publish(NOW.plus(HOUR * hour));
        bent(&post, |signed| signed[member] = value.clone());
        let report = post.sync(NOW.plus(HOUR * hour));
        assert_eq!(newer(&report), 34, "{member}: {report}");
        let said = report.to_string();
        let line = said.lines().find(|line| line.starts_with("650000")).expect("it is told");
        assert!(line.len() < 600, "{member}: {} bytes", line.len());
        assert!(!line.contains('\u{1b}'), "{member}: nothing that a terminal obeys");
        post.mirror.files.borrow_mut().remove("650000/metadata/timestamp.json");
    }
    // It heals by publishing again.
    post.publish(NOW.plus(100 * HOUR));
    assert_eq!(newer(&post.sync(NOW.plus(100 * HOUR))), 35);
}
