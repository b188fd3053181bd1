//! Faults on the way of the lists to the gate: processes killed, disks full or gone, sticks pulled, mirrors that answer nonsense or nothing.
//! After each of them some generation is acceptable, and the next sync goes on.

mod trust_support;

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use cache::trust_store::TrustStore;
use sync::{
    lists::{self, FolderMirror, Mirror},
    update::{MirrorAccess, Outcome, SyncResult, TrustAnchor, WebMirror, carry},
};
use trust_support::{Files, HOUR, NOW, Post, Shelfful, empty_store, newer, outcome, reason, region, synced};
use trustlist::{region::NATIONAL, time::Moment, tuf::Answer};

/// Does something before every answer.
struct Watched<M, F>(M, F);

impl<M: Mirror, F: FnMut(&str)> Mirror for Watched<M, F> {
    fn fetch(&mut self, path: &str, limit: u64) -> Answer {
        (self.1)(path);
        self.0.fetch(path, limit)
    }
}

/// What a disk would hold if the power went now.
fn copy_of(store: &Path, to: &Path) -> PathBuf {
    let place = to.join("store.db");
    for ending in ["db", "db-wal", "floors"] {
        let (from, copy) = (store.with_extension(ending), place.with_extension(ending));
        let _ = fs::remove_file(&copy);
        if from.exists() {
            fs::copy(from, copy).expect("copied");
        }
    }
    place
}

#[test]
fn a_device_killed_at_any_step_of_an_update_boots_with_an_acceptable_generation() {
    let mut post = Post::new();
    let before = post.generation(NATIONAL);
    // Every kind of file is new somewhere: a root, a snapshot, targets and a status list.
    post.federation.national.rotate_root(Vec::new(), NOW.plus(HOUR)).expect("rotated");
    let province = post.federation.authority(region("420000")).expect("there");
    province.statuses_mut().grow(1000, NOW.plus(HOUR)).expect("grown");
    post.publish(NOW.plus(HOUR));
    let (path, scratch) = (post.store.path().to_owned(), tempfile::tempdir().expect("a folder"));
    let mut steps = 0;
    let mut seen = Vec::new();
    let mut killed = Watched(post.mirror.clone(), |_: &str| {
        let copy = TrustStore::open(&copy_of(&path, scratch.path())).expect("the store opens after any step");
        let national = copy.newest(NATIONAL).expect("read").expect("held");
        let province = copy.newest(region("420000")).expect("read").expect("held");
        seen.push((national.generation, province.generation));
        assert!(copy.behind().expect("read").is_empty(), "what may not be accepted again is here");
        // The whole boot is judged now and then only: it checks every signature of thirty-five repositories.
        if steps % 20 == 3 {
            let booted = lists::from_store(&copy).expect("read");
            assert!(booted.is_some(), "nothing to boot with after step {steps}");
        }
        steps += 1;
    });
    let anchor = TrustAnchor { first_root: Some(&post.root), moment: Moment::synced(NOW.plus(HOUR)) };
    let report = synced(&mut post.store, &mut killed, "mirror", &anchor).expect("the store works");
    assert_eq!(newer(&report), 35);
    let after = post.generation(NATIONAL);
    assert!(steps > 70, "{steps} steps");
    assert!(seen.iter().all(|(national, _)| [before, after].contains(national)));
    assert!(seen.is_sorted(), "a generation never goes back");
}

#[test]
fn an_update_that_was_cut_off_at_any_request_is_completed_by_the_next() {
    for answered in [1, 2, 3, 4, 5, 9, 30, 80] {
        let mut post = Post::new();
        post.publish(NOW.plus(HOUR));
        let mut left = answered;
        struct Dying<'a>(Shelfful, &'a mut u32);
        impl Mirror for Dying<'_> {
            fn fetch(&mut self, path: &str, limit: u64) -> Answer {
                if *self.1 == 0 {
                    return Answer::Unreachable("the link went down".to_owned());
                }
                *self.1 -= 1;
                self.0.fetch(path, limit)
            }
        }
        let anchor = TrustAnchor { first_root: Some(&post.root), moment: Moment::synced(NOW.plus(HOUR)) };
        let mut dying = Dying(post.mirror.clone(), &mut left);
        let first = synced(&mut post.store, &mut dying, "mirror", &anchor).expect("the store works");
        let second = post.sync(NOW.plus(HOUR));
        assert_eq!(newer(&first) + newer(&second), 35, "{answered}: {first:?} {second:?}");
    }
}

#[test]
fn a_store_cut_short_is_a_fault_and_never_a_fresh_start() {
    let mut post = Post::new();
    let old = post.mirror.files.borrow().clone();
    post.publish(NOW.plus(HOUR));
    post.sync(NOW.plus(HOUR));
    let folder = tempfile::tempdir().expect("a folder");
    // Closed in order, so that everything is in the one file.
    let whole = copy_of(post.store.path(), folder.path());
    drop(TrustStore::open(&whole).expect("sound"));
    let bytes = fs::read(&whole).expect("read");
    let anchor = TrustAnchor { first_root: Some(&post.root), moment: Moment::synced(NOW.plus(HOUR)) };
    for length in [0, 50, 100, 4096, bytes.len() / 2, bytes.len() - 4096] {
        let place = folder.path().join(format!("cut-{length}.db"));
        fs::write(&place, &bytes[..length]).expect("written");
        fs::copy(whole.with_extension("floors"), place.with_extension("floors")).expect("copied");
        let mut replay = Shelfful::default();
        replay.files.replace(old.clone());
        let taken = TrustStore::open(&place)
            .map(|mut store| synced(&mut store, &mut replay, "replay", &anchor).map(|r| newer(&r)));
        assert!(!matches!(taken, Ok(Ok(1..))), "{length} bytes: a replay was taken");
        assert!(length > 0 || taken.is_err(), "an empty file where lists were is a fault");
    }
}

#[test]
fn a_store_that_was_deleted_begins_again_says_so_and_takes_no_replay() {
    let mut post = Post::new();
    let old = post.mirror.files.borrow().clone();
    post.publish(NOW.plus(HOUR));
    post.sync(NOW.plus(HOUR));
    let folder = tempfile::tempdir().expect("a folder");
    let place = copy_of(post.store.path(), folder.path());
    for ending in ["db", "db-wal"] {
        fs::remove_file(place.with_extension(ending)).expect("it was there");
    }
    let seed = folder.path().join("seed");
    write_out(&old, &seed);
    let loaded = lists::of_device(&place, &seed).expect("the package's lists");
    assert_eq!(loaded.remarks[0].code, "list-lost");
    let mut store = TrustStore::open(&place).expect("begun again");
    let anchor = TrustAnchor { first_root: Some(&post.root), moment: Moment::synced(NOW.plus(HOUR)) };
    let report =
        synced(&mut store, &mut FolderMirror::open(&seed).expect("a folder"), "replay", &anchor).expect("it works");
    assert_eq!(newer(&report), 0, "{report:?}");
    assert!(matches!(outcome(&report, NATIONAL), Outcome::Older { .. }));
    let report = synced(&mut store, &mut post.mirror.clone(), "mirror", &anchor).expect("it works");
    assert_eq!(newer(&report), 35, "the newest lists are taken");
    assert_eq!(lists::of_device(&place, &seed).expect("the newest").remarks, []);
}

/// Changes what is stored behind the program's back.
fn damage(store: &Path, sql: &str) {
    let done = Command::new("sqlite3").arg(store).arg(sql).status().expect("sqlite3 is installed");
    assert!(done.success());
}

#[test]
fn what_the_disk_changed_gives_way_to_the_generation_before_then_to_the_packages_lists_and_it_is_said() {
    let mut post = Post::new();
    let folder = tempfile::tempdir().expect("a folder");
    let seed = folder.path().join("seed");
    write_out(&post.mirror.files.borrow(), &seed);
    post.publish(NOW.plus(HOUR));
    post.sync(NOW.plus(HOUR));
    let place = copy_of(post.store.path(), folder.path());
    let province = region("420000");
    let held = |loaded: &lists::LoadedLists| loaded.trust.issuer(province).and_then(|issuer| issuer.repository);
    let codes = |loaded: &lists::LoadedLists| loaded.remarks.iter().map(|remark| remark.code).collect::<Vec<_>>();
    let generation = |loaded: &lists::LoadedLists| held(loaded).map(|facts| facts.generation);
    assert_eq!(generation(&lists::of_device(&place, &seed).expect("whole")), Some(2));
    damage(&place, "UPDATE targets SET bytes = x'00' WHERE issuer = '420000' AND slot = 'current'");
    let loaded = lists::of_device(&place, &seed).expect("all but one");
    assert_eq!((generation(&loaded), codes(&loaded)), (Some(1), vec!["list-previous"]));
    assert_eq!(loaded.trust.national().generation, 2, "the others are as they were");
    damage(&place, "UPDATE targets SET bytes = x'00' WHERE issuer = '420000'");
    let loaded = lists::of_device(&place, &seed).expect("one from the package");
    assert_eq!((generation(&loaded), codes(&loaded)), (Some(1), vec!["list-fallback"]));
    assert_eq!(loaded.remarks[0].detail, "420000");
    damage(&place, "UPDATE targets SET bytes = x'00' WHERE issuer = '000000'");
    let loaded = lists::of_device(&place, &seed).expect("the package's");
    assert_eq!((loaded.trust.national().generation, codes(&loaded)), (1, vec!["list-fallback"]));
    fs::write(&place, [7; 8192]).expect("ruined");
    let loaded = lists::of_device(&place, &seed).expect("the package's");
    assert_eq!((loaded.trust.national().generation, codes(&loaded)), (1, vec!["list-fallback"]));
    assert!(loaded.remarks[0].detail.contains("store.db"), "{:?}", loaded.remarks);
}

#[test]
fn a_sync_that_is_cut_off_does_not_fetch_again_what_it_had() {
    let mut post = Post::new();
    let province = region("420000");
    let statuses = post.federation.authority(province).expect("there").statuses_mut();
    statuses.grow(2_700_000, NOW).expect("grown");
    // Not so few that a shard is compressed to nothing.
    for number in 0..60_000 {
        let index = number * number % 2_700_000;
        statuses.set(index, trustlist::status::Status::Revoked, NOW).expect("there");
    }
    post.publish(NOW.plus(HOUR));
    let mut shards = Vec::new();
    let anchor = TrustAnchor { first_root: Some(&post.root), moment: Moment::synced(NOW.plus(HOUR)) };
    for left in [1, 2, 9] {
        // A plug is pulled each time: the store is opened anew, and the mirror dies after so many shards.
        let mut store = TrustStore::open(post.store.path()).expect("opened");
        let files = post.mirror.clone();
        struct Dying<'a>(Shelfful, usize, &'a mut Vec<String>);
        impl Mirror for Dying<'_> {
            fn fetch(&mut self, path: &str, limit: u64) -> Answer {
                if path.starts_with("420000/targets/status/") {
                    if self.1 == 0 {
                        return Answer::Unreachable("the link went down".to_owned());
                    }
                    self.1 -= 1;
                    self.2.push(path.to_owned());
                }
                self.0.fetch(path, limit)
            }
        }
        let mut dying = Dying(files, left, &mut shards);
        synced(&mut store, &mut dying, "mirror", &anchor).expect("the store works");
    }
    assert_eq!(post.generation(province), 2, "it is whole in the end");
    let once: std::collections::BTreeSet<_> = shards.iter().collect();
    assert!(shards.len() >= 3, "{shards:?}");
    assert_eq!(once.len(), shards.len(), "{shards:?}");
}

#[test]
fn two_syncs_at_once_do_not_disturb_one_another() {
    let mut post = Post::new();
    post.publish(NOW.plus(HOUR));
    let (path, root) = (post.store.path().to_owned(), post.root.clone());
    let files = post.mirror.files.borrow().clone();
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let (path, root, files) = (path.clone(), root.clone(), files.clone());
            thread::spawn(move || {
                let mut mirror = Shelfful::default();
                mirror.files.replace(files);
                let mut store = TrustStore::open(&path).expect("opened");
                let anchor = TrustAnchor { first_root: Some(&root), moment: Moment::synced(NOW.plus(HOUR)) };
                let report = synced(&mut store, &mut mirror, "mirror", &anchor).expect("the store works");
                (newer(&report), report.result())
            })
        })
        .collect();
    for worker in workers {
        let (_, word) = worker.join().expect("no panic");
        assert_ne!(word, SyncResult::Failed);
    }
    assert_eq!(post.sync(NOW.plus(HOUR)).result(), SyncResult::Unchanged);
    assert!(lists::from_store(&post.store).expect("read").is_some());
}

/// Files as they lie on a stick or in a package.
fn write_out(files: &Files, folder: &Path) {
    for (path, bytes) in files {
        let place = folder.join(path);
        fs::create_dir_all(place.parent().expect("in a folder")).expect("made");
        fs::write(place, bytes).expect("written");
    }
}

/// A stick with newer lists than the device's.
fn stick_for(post: &mut Post) -> tempfile::TempDir {
    let stick = tempfile::tempdir().expect("a folder");
    write_out(&post.publish(NOW.plus(HOUR)), stick.path());
    stick
}

#[test]
fn a_stick_pulled_half_way_leaves_acceptable_lists_and_is_read_on_when_it_is_back() {
    let mut post = Post::new();
    let stick = stick_for(&mut post);
    let kept = tempfile::tempdir().expect("a folder");
    let mut asked = 0;
    let away = kept.path().join("away");
    let mut pulled = Watched(FolderMirror::open(stick.path()).expect("a folder"), |_: &str| {
        asked += 1;
        if asked == 40 {
            fs::rename(stick.path(), &away).expect("pulled");
        }
    });
    let anchor = TrustAnchor { first_root: Some(&post.root), moment: Moment::synced(NOW.plus(HOUR)) };
    let first = synced(&mut post.store, &mut pulled, "stick", &anchor).expect("the store works");
    assert!((1..35).contains(&newer(&first)), "{first:?}");
    assert!(lists::from_store(&post.store).expect("read").is_some());
    let mut back = FolderMirror::open(&away).expect("a folder");
    let second = synced(&mut post.store, &mut back, "stick", &anchor).expect("the store works");
    assert_eq!(newer(&first) + newer(&second), 35);
}

#[test]
fn a_symbolic_link_on_a_stick_is_not_followed_and_stops_only_its_own_repository() {
    let mut post = Post::new();
    let stick = stick_for(&mut post);
    let timestamp = stick.path().join("420000/metadata/timestamp.json");
    let elsewhere = stick.path().join("elsewhere.json");
    fs::rename(&timestamp, &elsewhere).expect("moved");
    std::os::unix::fs::symlink(&elsewhere, &timestamp).expect("linked");
    let anchor = TrustAnchor { first_root: Some(&post.root), moment: Moment::synced(NOW.plus(HOUR)) };
    let mut folder = FolderMirror::open(stick.path()).expect("a folder");
    let report = synced(&mut post.store, &mut folder, "stick", &anchor).expect("the store works");
    assert_eq!(newer(&report), 34);
    let why = format!("{:?}", report.issuers[&region("420000")]);
    assert!(why.contains("symbolic link"), "{why}");
}

/// A mirror on the loopback that gives every request the same answer: what comes at once, then one byte at a time for ever.
fn answering(head: &'static [u8], drip: Option<Duration>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let mut request = [0; 4096];
                while stream.read(&mut request).is_ok_and(|read| read > 0) && stream.write_all(head).is_ok() {
                    while let Some(pause) = drip {
                        thread::sleep(pause);
                        if stream.write_all(b" ").is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

#[test]
fn a_mirror_that_answers_nonsense_or_crawls_is_a_failure_in_bounded_time_and_not_news() {
    let second = Duration::from_secs(1);
    let answers: [(&str, &[u8], Option<Duration>); 6] = [
        ("204", b"HTTP/1.1 204 No Content\r\n\r\n", None),
        ("an empty answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", None),
        ("a captive portal", b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n<html>Log in</html>", None),
        ("an error of the server", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", None),
        ("a slow server", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{", Some(second / 20)),
        ("a server that says nothing", b"", Some(second / 20)),
    ];
    for (name, head, drip) in answers {
        let mut post = Post::new();
        let before = post.generation(NATIONAL);
        let way = MirrorAccess { timeout: second / 2, proxy: None, ca: None };
        let mut web = WebMirror::new(&answering(head, drip), &way).expect("a mirror");
        let anchor = TrustAnchor { first_root: Some(&post.root), moment: Moment::synced(NOW.plus(HOUR)) };
        let started = Instant::now();
        let report = synced(&mut post.store, &mut web, "mirror", &anchor).expect("the store works");
        assert_eq!((report.result(), newer(&report)), (SyncResult::Failed, 0), "{name}: {report:?}");
        assert!(started.elapsed() < 20 * second, "{name}: {:?}", started.elapsed());
        assert_eq!(post.generation(NATIONAL), before, "{name}");
    }
}

/// A mounted file system, or `None` with a note where mounting is not allowed.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Option<Disk> {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Disk(folder));
        }
        eprintln!("SKIPPED: only root may mount the small file system this test fills");
        None
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.0.path().join("ballast")).expect("made");
        for size in [65536, 4096, 1] {
            let block = vec![0; size];
            while file.write_all(&block).is_ok() {}
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A busy file system goes when its last user does.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_fails_the_sync_and_the_gate_keeps_its_lists_until_there_is_room() {
    let Some(disk) = Disk::mount() else { return };
    let mut post = Post::at(&disk.0.path().join("store.db"), None);
    let before = post.generation(NATIONAL);
    post.publish(NOW.plus(HOUR));
    disk.fill();
    let anchor = TrustAnchor { first_root: Some(&post.root), moment: Moment::synced(NOW.plus(HOUR)) };
    let failed = synced(&mut post.store, &mut post.mirror.clone(), "mirror", &anchor);
    assert!(failed.is_err(), "{failed:?}");
    assert_eq!(post.generation(NATIONAL), before);
    assert!(lists::from_store(&post.store).expect("read").is_some());
    fs::remove_file(disk.0.path().join("ballast")).expect("removed");
    assert_eq!(newer(&post.sync(NOW.plus(HOUR))), 35);
}

#[test]
fn a_disk_that_became_read_only_fails_the_sync_and_the_gate_keeps_its_lists() {
    let Some(disk) = Disk::mount() else { return };
    let place = disk.0.path().join("store.db");
    let post = Post::at(&place, None);
    let (root, mirror) = (post.root.clone(), post.mirror.clone());
    drop(post);
    let remount = Command::new("mount").args(["-o", "remount,ro"]).arg(disk.0.path()).status().expect("it starts");
    assert!(remount.success());
    let anchor = TrustAnchor { first_root: Some(&root), moment: Moment::synced(NOW.plus(HOUR)) };
    match TrustStore::open(&place) {
        Err(fault) => assert!(!fault.to_string().is_empty()),
        Ok(mut store) => {
            assert!(lists::from_store(&store).expect("read").is_some());
            let outcome = synced(&mut store, &mut mirror.clone(), "mirror", &anchor);
            assert!(outcome.is_err() || outcome.is_ok_and(|report| newer(&report) == 0));
        }
    }
}

#[test]
fn lists_carried_by_a_device_that_has_half_of_them_are_still_taken_each_on_its_own() {
    let mut post = Post::new();
    let stick = tempfile::tempdir().expect("a folder");
    carry::export(&post.store, stick.path()).expect("exported");
    let halves = ["110000", "120000", "420000"];
    for half in halves {
        fs::remove_dir_all(stick.path().join(half).join("targets")).expect("removed");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut next = empty_store(&folder);
    let anchor = TrustAnchor { first_root: Some(&post.root), moment: Moment::synced(NOW) };
    let mut carried = FolderMirror::open(stick.path()).expect("a folder");
    let report = synced(&mut next, &mut carried, "stick", &anchor).expect("the store works");
    assert_eq!(newer(&report), 32, "a stick that lacks a file is not a mirror that is silent");
    for half in halves {
        assert!(reason(&report, region(half)).contains("keys.json: the file is not there"));
    }
    assert_eq!(post.sync(NOW).result(), SyncResult::Unchanged);
}
