//! Attacks and faults on the way of the lists to the gate. The publisher's desk makes a country; a mirror in memory is tampered with; the
//! device syncs, and what it then holds is looked at.

mod trust_support;

use authority::{
    Federation, Source as Keys,
    code::{self, Draft},
    key::SigningKey,
    metadata::Role,
    rotate::Change,
};
use sync::{
    lists::{self, FolderMirror},
    update::{Outcome, SyncResult, TrustAnchor, carry},
};
use trust_support::{FOUNDED, HOUR, NOW, Post, empty_store, newer, outcome, reason, region, synced};
use trustlist::{
    judge::{Context, Outcome as Judged, decide},
    lists::keys::KeyUse,
    region::NATIONAL,
    time::{Moment, TimeTrust, UnixTime},
    verdict::Reason,
};

#[test]
fn a_sync_that_changes_nothing_says_so_and_costs_little() {
    let mut post = Post::new();
    *post.mirror.asked.borrow_mut() = 0;
    *post.mirror.bytes.borrow_mut() = 0;
    let report = post.sync(NOW);
    assert_eq!(report.result(), SyncResult::Unchanged);
    assert_eq!(*post.mirror.asked.borrow(), 70, "one root and one timestamp each");
    let bytes = *post.mirror.bytes.borrow();
    assert!(bytes < 48 * 1024, "{bytes} bytes");
}

#[test]
fn a_mirror_that_goes_back_is_refused_and_the_newer_lists_stay() {
    let mut post = Post::new();
    let old = post.mirror.files.borrow().clone();
    post.publish(NOW.plus(HOUR));
    assert_eq!(newer(&post.sync(NOW.plus(HOUR))), 35);
    let held = post.generation(NATIONAL);
    post.mirror.files.replace(old);
    let report = post.sync(NOW.plus(HOUR));
    assert_eq!(outcome(&report, NATIONAL), &Outcome::Older { generation: held });
    assert_eq!(newer(&report), 0);
    assert_eq!(post.generation(NATIONAL), held);
}

#[test]
fn a_frozen_mirror_stops_succeeding_when_its_lists_expire_and_the_gate_keeps_them() {
    let mut post = Post::new();
    let report = post.sync(NOW.plus(3 * 365 * 24 * HOUR));
    assert_eq!(report.result(), SyncResult::Failed);
    assert!(reason(&report, NATIONAL).contains("expired"));
    assert!(lists::from_store(&post.store).expect("read").is_some(), "expiry moves the ladder, it empties nothing");
}

#[test]
fn one_broken_province_ages_alone_while_thirty_four_repositories_update() {
    let mut post = Post::new();
    post.publish(NOW.plus(HOUR));
    post.tamper("420000/metadata/timestamp.json", |bytes| bytes.truncate(bytes.len() / 2));
    let before = post.generation(region("420000"));
    let report = post.sync(NOW.plus(HOUR));
    assert_eq!(newer(&report), 34);
    assert!(reason(&report, region("420000")).contains("timestamp"));
    assert_eq!(post.generation(region("420000")), before);
}

#[test]
fn parts_of_two_generations_are_never_mixed() {
    let mut post = Post::new();
    let old = post.mirror.files.borrow().clone();
    let province = post.federation.authority(region("420000")).expect("there");
    province.statuses_mut().grow(1000, NOW).expect("grown");
    let new = post.publish(NOW.plus(HOUR));
    let old_snapshot =
        old.iter().find(|(path, _)| path.starts_with("420000/metadata/") && path.ends_with(".snapshot.json"));
    let new_snapshot =
        new.keys().filter(|path| path.starts_with("420000/metadata/") && path.ends_with(".snapshot.json"));
    let newest = new_snapshot.filter(|path| !old.contains_key(*path)).max().expect("a new snapshot").clone();
    let old_bytes = old_snapshot.expect("an old snapshot").1.clone();
    post.tamper(&newest, |bytes| *bytes = old_bytes);
    let report = post.sync(NOW.plus(HOUR));
    assert!(reason(&report, region("420000")).contains("not the content that was signed for"));
}

#[test]
fn endless_data_is_read_to_its_bound_and_refused() {
    let mut post = Post::new();
    post.mirror.endless = true;
    let report = post.sync(NOW);
    assert!(reason(&report, NATIONAL).contains("more than"));
}

#[test]
fn a_province_that_lists_more_than_a_gate_can_hold_ages_alone_and_nothing_of_it_is_fetched() {
    const MIB: u64 = 1024 * 1024;
    for (targets, length, why) in [
        (4096, 1, "more than 4096 targets"),
        (6, 7 * MIB, "more than 41943040 bytes of targets"),
        (1, 9 * MIB, "more than 8388608 bytes"),
        (3, u64::MAX / 2, "more than 8388608 bytes"),
    ] {
        let mut post = Post::new();
        let greedy = region("120000");
        post.publish(NOW.plus(HOUR));
        let wanted = (0..targets).map(|number| (format!("status/{number}"), length)).collect();
        post.overload(greedy, Keys::Seed([7; 32]), &wanted);
        let before = post.generation(greedy);
        post.mirror.wanted.borrow_mut().clear();
        let report = post.sync(NOW.plus(HOUR));
        assert!(reason(&report, greedy).contains(why), "{}", reason(&report, greedy));
        assert_eq!(post.generation(greedy), before);
        assert_eq!(newer(&report), 34, "those after it are served");
        let asked = post.mirror.wanted.borrow().iter().filter(|path| path.starts_with("120000/targets/")).count();
        assert_eq!(asked, 0, "what cannot all be kept is not begun");
    }
}

#[test]
fn a_province_whose_target_has_a_name_that_no_file_can_have_is_refused_alone() {
    let long = "a".repeat(300);
    for name in ["../000000/targets/x", "a//b", "/etc/passwd", "a\\b", "a\0b", "", &long] {
        let mut post = Post::new();
        // Two of them: so many silences would end the round.
        let liars = ["120000", "130000"].map(region);
        post.publish(NOW.plus(HOUR));
        for liar in liars {
            post.overload(liar, Keys::Seed([7; 32]), &std::iter::once((name.to_owned(), 1)).collect());
        }
        let report = post.sync(NOW.plus(HOUR));
        for liar in liars {
            assert!(reason(&report, liar).contains("a name that no file can have"), "{}", reason(&report, liar));
        }
        assert_eq!(newer(&report), 33, "{name}: those after them are served");
    }
}

#[test]
fn a_captive_portal_and_an_empty_answer_are_refusals_and_not_news() {
    for page in [&b"<html>Please log in</html>"[..], b""] {
        let mut post = Post::new();
        let paths: Vec<String> = post.mirror.files.borrow().keys().cloned().collect();
        for path in paths {
            post.tamper(&path, |bytes| *bytes = page.to_vec());
        }
        let report = post.sync(NOW);
        assert_eq!(report.result(), SyncResult::Failed);
        assert!(reason(&report, NATIONAL).contains("not the metadata that was expected"));
    }
}

#[test]
fn a_silent_mirror_is_given_up_after_one_request_and_what_is_here_stays() {
    let mut post = Post::new();
    post.mirror.silent = true;
    *post.mirror.asked.borrow_mut() = 0;
    let report = post.sync(NOW.plus(HOUR));
    assert_eq!(report.result(), SyncResult::Failed);
    assert_eq!(*post.mirror.asked.borrow(), 1, "thirty-five timeouts would keep the next mirror waiting");
    assert!(lists::from_store(&post.store).expect("read").is_some());
}

#[test]
fn a_wrong_target_is_refused_and_the_sync_goes_on_where_it_stopped() {
    let mut post = Post::new();
    let province = region("420000");
    post.federation.authority(province).expect("there").statuses_mut().grow(1000, NOW).expect("grown");
    let new = post.publish(NOW.plus(HOUR));
    let path = new.keys().find(|path| path.starts_with("420000/targets/status/")).expect("a status list").clone();
    let good = new[&path].clone();
    post.tamper(&path, |bytes| bytes[0] ^= 1);
    let before = post.generation(province);
    let report = post.sync(NOW.plus(HOUR));
    assert!(reason(&report, province).contains("not the content"));
    assert_eq!(post.generation(province), before);
    post.tamper(&path, |bytes| *bytes = good);
    assert!(matches!(outcome(&post.sync(NOW.plus(HOUR)), province), Outcome::Updated { .. }));
}

#[test]
fn a_root_that_its_predecessor_did_not_sign_is_refused() {
    let mut post = Post::new();
    let mut stranger = Federation::of_provinces(Keys::Seed([9; 32]), FOUNDED).expect("founded");
    stranger.national.rotate_root(Vec::new(), NOW).expect("rotated");
    let forged = stranger.national.roots()[1].clone();
    post.mirror.files.borrow_mut().insert("000000/metadata/2.root.json".to_owned(), forged);
    let report = post.sync(NOW);
    assert!(reason(&report, NATIONAL).contains("root: 0 of"));
}

#[test]
fn after_a_rotation_the_factory_root_is_not_asked_again() {
    let mut post = Post::new();
    post.federation.national.rotate_root(Vec::new(), NOW.plus(HOUR)).expect("rotated");
    post.publish(NOW.plus(HOUR));
    assert!(matches!(outcome(&post.sync(NOW.plus(HOUR)), NATIONAL), Outcome::Updated { .. }));
    assert_eq!(post.store.roots(NATIONAL).expect("read").len(), 2);
    // Another factory root, as from a tampered package, changes nothing.
    post.root = Federation::of_provinces(Keys::Seed([9; 32]), FOUNDED).expect("founded").national.first_root().to_vec();
    assert_eq!(post.sync(NOW.plus(HOUR)).result(), SyncResult::Unchanged);
}

#[test]
fn a_province_signing_in_anothers_place_is_refused() {
    let mut post = Post::new();
    post.publish(NOW.plus(HOUR));
    let theirs = post.mirror.files.borrow()["430000/metadata/timestamp.json"].clone();
    post.tamper("420000/metadata/timestamp.json", |bytes| *bytes = theirs);
    assert!(reason(&post.sync(NOW.plus(HOUR)), region("420000")).contains("signatures needed hold"));
}

#[test]
fn a_clock_that_once_ran_ahead_does_not_lock_later_syncs() {
    let mut post = Post::new();
    assert_eq!(post.sync(UnixTime(4_000_000_000)).result(), SyncResult::Failed);
    post.publish(NOW.plus(HOUR));
    assert_eq!(newer(&post.sync(NOW.plus(HOUR))), 35);
}

#[test]
fn one_device_carries_its_lists_to_the_next_and_an_older_stick_takes_nothing_back() {
    let mut post = Post::new();
    let stick = tempfile::tempdir().expect("a folder");
    assert!(carry::export(&post.store, stick.path()).expect("exported") > 35);
    let folder = tempfile::tempdir().expect("a folder");
    let mut next = empty_store(&folder);
    let mut carried = FolderMirror::open(stick.path()).expect("a folder");
    let anchor = TrustAnchor { first_root: Some(&post.root), moment: Moment::synced(NOW) };
    let report = synced(&mut next, &mut carried, "stick", &anchor).expect("the store works");
    assert_eq!(newer(&report), 35, "{report:?}");

    post.publish(NOW.plus(HOUR));
    assert_eq!(newer(&post.sync(NOW.plus(HOUR))), 35);
    let held = post.generation(NATIONAL);
    let anchor = TrustAnchor { first_root: None, moment: Moment::synced(NOW.plus(HOUR)) };
    let report = synced(&mut post.store, &mut carried, "stick", &anchor).expect("the store works");
    assert_eq!((newer(&report), post.generation(NATIONAL)), (0, held));
}

#[test]
fn a_key_that_the_newest_root_took_away_signs_nothing_more() {
    let mut post = Post::new();
    post.publish(NOW.plus(HOUR));
    let by_the_old_key = post.mirror.files.borrow()["420000/metadata/timestamp.json"].clone();
    let province = post.federation.authority(region("420000")).expect("there");
    let old = province.root().expect("readable").roles[&Role::Timestamp].keyids.clone();
    let fresh = SigningKey::from_seed([42; 32]);
    let change = Change { role: Role::Timestamp, add: vec![fresh], remove: old, threshold: None };
    province.rotate_root(vec![change], NOW.plus(HOUR)).expect("rotated");
    let files = post.publish(NOW.plus(HOUR));
    let by_the_new_key = files["420000/metadata/timestamp.json"].clone();
    post.tamper("420000/metadata/timestamp.json", |bytes| *bytes = by_the_old_key);
    assert!(reason(&post.sync(NOW.plus(HOUR)), region("420000")).contains("0 of 1 signatures"));
    post.tamper("420000/metadata/timestamp.json", |bytes| *bytes = by_the_new_key);
    assert!(matches!(outcome(&post.sync(NOW.plus(HOUR)), region("420000")), Outcome::Updated { .. }));
}

#[test]
fn a_provinces_key_signing_another_provinces_codes_is_out_of_its_scope() {
    let post = Post::new();
    let (hunan, guangdong) = (region("430000"), region("440000"));
    let key = post.federation.issuers[&hunan].signing_key(KeyUse::Code, NOW).expect("it has one");
    let text = code::issue(&Draft::new(guangdong, NOW), key, None).expect("signed");
    let trust = lists::from_store(&post.store).expect("read").expect("synced").trust;
    let moment = Moment::synced(NOW.plus(60));
    let context = Context { moment, relying: guangdong, profile: None };
    let Judged::Judged(judgement) = decide(&text, &trust, &context) else { panic!("no pass code") };
    assert_eq!(judgement.decision().reason, Reason::IssuerOutOfScope);
}

#[test]
fn a_target_cut_short_is_refused() {
    let mut post = Post::new();
    let province = region("420000");
    post.federation.authority(province).expect("there").statuses_mut().grow(1000, NOW).expect("grown");
    let new = post.publish(NOW.plus(HOUR));
    let path = new.keys().find(|path| path.starts_with("420000/targets/status/")).expect("a status list").clone();
    post.tamper(&path, |bytes| bytes.truncate(bytes.len() - 1));
    let before = post.generation(province);
    assert!(reason(&post.sync(NOW.plus(HOUR)), province).contains("not the content"));
    assert_eq!(post.generation(province), before);
}

#[test]
fn a_clock_set_back_ten_years_takes_nothing_back() {
    let mut post = Post::new();
    let old = post.mirror.files.borrow().clone();
    post.publish(NOW.plus(HOUR));
    assert_eq!(newer(&post.sync(NOW.plus(HOUR))), 35);
    let held = post.generation(NATIONAL);
    let long_ago = NOW.plus(-10 * 365 * 24 * HOUR);
    post.mirror.files.replace(old);
    // Nobody confirms such a clock: it is below what many have signed.
    let moment = Moment { at: long_ago, trust: TimeTrust::Untrusted, floor: NOW };
    let sync = |post: &mut Post| {
        let anchor = TrustAnchor { first_root: Some(&post.root), moment };
        newer(&synced(&mut post.store, &mut post.mirror.clone(), "mirror", &anchor).expect("the store works"))
    };
    assert_eq!(sync(&mut post), 0);
    assert_eq!(post.generation(NATIONAL), held);
    // A newer generation is taken all the same: the lists are how such a clock finds out.
    post.publish(NOW.plus(2 * HOUR));
    assert_eq!(sync(&mut post), 35);
}
