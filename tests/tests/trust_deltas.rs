//! Status lists by way of deltas: a device that holds an earlier list fetches what changed and ends up with the very file that was signed;
//! whatever is wrong with a delta, it fetches the whole one.

mod trust_support;

use cache::trust_store::Slot;
use sync::{
    lists::{self, Mirror},
    update::{Outcome, SyncReport, TrustAnchor, carry},
};
use trust_support::{HOUR, NOW, Post, Shelfful, empty_store, newer, outcome, region, synced};
use trustlist::{
    status::{Status, delta::is_delta},
    time::Moment,
    tuf::Answer,
};

const PROVINCE: &str = "440000";
const SET: u64 = 400;

/// Remembers which files were asked for, below the province's targets.
struct Asked(Shelfful, Vec<String>);

impl Mirror for Asked {
    fn fetch(&mut self, path: &str, limit: u64) -> Answer {
        self.1.extend(path.strip_prefix("440000/targets/").map(str::to_owned));
        self.0.fetch(path, limit)
    }
}

/// A device that holds a list of ten thousand codes, some of them revoked.
fn post() -> Post {
    let mut post = Post::new();
    let statuses = post.federation.authority(region(PROVINCE)).expect("there").statuses_mut();
    statuses.grow(10_000, NOW).expect("grown");
    for index in 0..SET {
        statuses.set(index * 24, Status::Revoked, NOW).expect("covered");
    }
    post.publish(NOW.plus(HOUR));
    post.sync(NOW.plus(HOUR));
    post
}

/// Suspends one code more and publishes.
fn change(post: &mut Post, step: i64) {
    let at = NOW.plus(HOUR * (step + 1));
    let statuses = post.federation.authority(region(PROVINCE)).expect("there").statuses_mut();
    statuses.set(step as u64 * 24 + 1, Status::Suspended, at).expect("covered");
    post.publish(at);
}

/// Syncs; also tells what was asked for of the province's targets.
fn sync(post: &mut Post, step: i64) -> (SyncReport, Vec<String>) {
    let mut mirror = Asked(post.mirror.clone(), Vec::new());
    let anchor = TrustAnchor { first_root: Some(&post.root), moment: Moment::synced(NOW.plus(HOUR * (step + 1))) };
    let report = synced(&mut post.store, &mut mirror, "mirror", &anchor).expect("the store works");
    (report, mirror.1)
}

/// The file that the mirror has under the name that carries this target's hash.
fn on_mirror(post: &Post) -> Vec<u8> {
    let held = post.store.repository(region(PROVINCE), Slot::Current).expect("read").expect("held");
    let signed: serde_json::Value = serde_json::from_slice(&held.targets_role).expect("JSON");
    let hash = signed["signed"]["targets"]["status/0"]["hashes"]["sha256"].as_str().expect("a hash");
    post.mirror.files.borrow()[&format!("{PROVINCE}/targets/status/{hash}.0")].clone()
}

fn holds_the_newest(post: &Post, step: i64) {
    let held = post.store.repository(region(PROVINCE), Slot::Current).expect("read").expect("held");
    assert_eq!(held.targets["status/0"], on_mirror(post), "byte for byte");
    assert!(!held.targets.keys().any(|name| is_delta(name)), "deltas are a way and are not kept");
    let trust = lists::from_store(&post.store).expect("read").expect("lists").trust;
    let statuses = &trust.issuer(region(PROVINCE)).expect("an issuer").statuses;
    assert_eq!(statuses.counts(), [SET, step as u64, 0]);
    assert_eq!(statuses.status("status/0", step as u64 * 24 + 1), Status::Suspended);
}

#[test]
fn a_device_up_to_three_lists_behind_fetches_what_changed_and_holds_the_very_list_that_was_signed() {
    for behind in 1..=3 {
        let mut post = post();
        (1..=behind).for_each(|step| change(&mut post, step));
        let (report, asked) = sync(&mut post, behind);
        assert_eq!(newer(&report), 35, "{report:?}");
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert!(asked[0].contains(".0.delta-"), "{asked:?}");
        holds_the_newest(&post, behind);
        assert_eq!(sync(&mut post, behind).1, [""; 0], "and nothing again");
    }
}

#[test]
fn a_device_four_lists_behind_fetches_the_whole_list() {
    let mut post = post();
    (1..=4).for_each(|step| change(&mut post, step));
    let (_, asked) = sync(&mut post, 4);
    assert!(asked.len() == 1 && asked[0].ends_with(".0"), "{asked:?}");
    holds_the_newest(&post, 4);
}

#[test]
fn a_delta_that_is_missing_or_not_what_was_signed_costs_one_request_and_the_whole_list_is_fetched() {
    let spoil: [fn(&mut Vec<u8>); 3] = [|bytes| bytes[40] ^= 1, |bytes| bytes.truncate(20), Vec::clear];
    let spoilt = |how: Option<fn(&mut Vec<u8>)>| {
        let mut post = post();
        change(&mut post, 1);
        let mut files = post.mirror.files.borrow().clone();
        files.retain(|path, bytes| match how {
            _ if !path.contains(".delta-") => true,
            Some(how) => {
                how(bytes);
                true
            }
            None => false,
        });
        post.mirror.files.replace(files);
        let (report, asked) = sync(&mut post, 1);
        assert!(matches!(outcome(&report, region(PROVINCE)), Outcome::Updated { .. }), "{report:?}");
        assert_eq!(asked.len(), 2, "{asked:?}");
        assert!(asked[0].contains(".delta-") && asked[1].ends_with(".0"), "{asked:?}");
        holds_the_newest(&post, 1);
    };
    spoil.into_iter().map(Some).chain([None]).for_each(spoilt);
}

#[test]
fn a_device_that_took_a_delta_carries_the_whole_list_to_the_next() {
    let mut post = post();
    change(&mut post, 1);
    assert!(sync(&mut post, 1).1[0].contains(".delta-"));
    let folder = tempfile::tempdir().expect("a folder");
    carry::export(&post.store, folder.path()).expect("exported");
    let mut stick = lists::FolderMirror::open(folder.path()).expect("a folder");
    post.store = empty_store(&folder);
    let anchor = TrustAnchor { first_root: Some(&post.root), moment: Moment::synced(NOW.plus(HOUR * 2)) };
    let report = synced(&mut post.store, &mut stick, "stick", &anchor).expect("the store works");
    assert_eq!(newer(&report), 35, "{report:?}");
    holds_the_newest(&post, 1);
}
