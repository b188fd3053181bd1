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

use cache::trust_store::{Slot, TrustStore};
use scanner::{
    lists::{self, Folder, Mirror},
    sync::{self, Anchor, Web, Word, carry},
};
use trust_support::{HOUR, NOW, Post, Shelfful, empty_store, newer, region};
use trustlist::{region::NATIONAL, tuf::Answer};

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
    for ending in ["", "-wal"] {
        let (from, copy) = (format!("{}{ending}", store.display()), format!("{}{ending}", place.display()));
        let _ = fs::remove_file(&copy);
        if Path::new(&from).exists() {
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
        let national = copy.repository(NATIONAL, Slot::Current).expect("read").expect("held");
        let province = copy.repository(region("420000"), Slot::Current).expect("read").expect("held");
        seen.push((national.generation, province.generation));
        // The whole boot is judged now and then only: it checks every signature of thirty-five repositories.
        if steps % 20 == 3 {
            let booted = lists::from_store(&copy).expect("read");
            assert!(booted.is_some(), "nothing to boot with after step {steps}");
        }
        steps += 1;
    });
    let anchor = Anchor { first_root: Some(&post.root), now: NOW.plus(HOUR) };
    let report = sync::sync(&mut post.store, &mut killed, "mirror", &anchor).expect("the store works");
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
        let anchor = Anchor { first_root: Some(&post.root), now: NOW.plus(HOUR) };
        let mut dying = Dying(post.mirror.clone(), &mut left);
        let first = sync::sync(&mut post.store, &mut dying, "mirror", &anchor).expect("the store works");
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
    let held = post.generation(NATIONAL);
    for length in [50, 100, 4096, bytes.len() / 2, bytes.len() - 4096] {
        let place = folder.path().join(format!("cut-{length}.db"));
        fs::write(&place, &bytes[..length]).expect("written");
        let Ok(mut store) = TrustStore::open(&place) else { continue };
        let mut replay = Shelfful::default();
        replay.files.replace(old.clone());
        let anchor = Anchor { first_root: Some(&post.root), now: NOW.plus(HOUR) };
        if let Ok(report) = sync::sync(&mut store, &mut replay, "replay", &anchor) {
            let now = store.repository(NATIONAL, Slot::Current).ok().flatten().map(|held| held.generation);
            assert!(now.is_none_or(|now| now == held), "{length} bytes: a replay was taken: {report:?}");
        }
    }
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
                let anchor = Anchor { first_root: Some(&root), now: NOW.plus(HOUR) };
                let report = sync::sync(&mut store, &mut mirror, "mirror", &anchor).expect("the store works");
                (newer(&report), report.word())
            })
        })
        .collect();
    for worker in workers {
        let (_, word) = worker.join().expect("no panic");
        assert_ne!(word, Word::Failed);
    }
    assert_eq!(post.sync(NOW.plus(HOUR)).word(), Word::Unchanged);
    assert!(lists::from_store(&post.store).expect("read").is_some());
}

/// A stick with newer lists than the device's.
fn stick_for(post: &mut Post) -> tempfile::TempDir {
    let stick = tempfile::tempdir().expect("a folder");
    for (path, bytes) in post.publish(NOW.plus(HOUR)) {
        let place = stick.path().join(path);
        fs::create_dir_all(place.parent().expect("in a folder")).expect("made");
        fs::write(place, bytes).expect("written");
    }
    stick
}

#[test]
fn a_stick_pulled_half_way_leaves_acceptable_lists_and_is_read_on_when_it_is_back() {
    let mut post = Post::new();
    let stick = stick_for(&mut post);
    let kept = tempfile::tempdir().expect("a folder");
    let mut asked = 0;
    let away = kept.path().join("away");
    let mut pulled = Watched(Folder::open(stick.path()).expect("a folder"), |_: &str| {
        asked += 1;
        if asked == 40 {
            fs::rename(stick.path(), &away).expect("pulled");
        }
    });
    let anchor = Anchor { first_root: Some(&post.root), now: NOW.plus(HOUR) };
    let first = sync::sync(&mut post.store, &mut pulled, "stick", &anchor).expect("the store works");
    assert!((1..35).contains(&newer(&first)), "{first:?}");
    assert!(lists::from_store(&post.store).expect("read").is_some());
    let mut back = Folder::open(&away).expect("a folder");
    let second = sync::sync(&mut post.store, &mut back, "stick", &anchor).expect("the store works");
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
    let anchor = Anchor { first_root: Some(&post.root), now: NOW.plus(HOUR) };
    let mut folder = Folder::open(stick.path()).expect("a folder");
    let report = sync::sync(&mut post.store, &mut folder, "stick", &anchor).expect("the store works");
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
        let mut web = Web::new(&answering(head, drip), second / 2);
        let anchor = Anchor { first_root: Some(&post.root), now: NOW.plus(HOUR) };
        let started = Instant::now();
        let report = sync::sync(&mut post.store, &mut web, "mirror", &anchor).expect("the store works");
        assert_eq!((report.word(), newer(&report)), (Word::Failed, 0), "{name}: {report:?}");
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
    let anchor = Anchor { first_root: Some(&post.root), now: NOW.plus(HOUR) };
    let failed = sync::sync(&mut post.store, &mut post.mirror.clone(), "mirror", &anchor);
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
    let anchor = Anchor { first_root: Some(&root), now: NOW.plus(HOUR) };
    match TrustStore::open(&place) {
        Err(fault) => assert!(!fault.to_string().is_empty()),
        Ok(mut store) => {
            assert!(lists::from_store(&store).expect("read").is_some());
            let outcome = sync::sync(&mut store, &mut mirror.clone(), "mirror", &anchor);
            assert!(outcome.is_err() || outcome.is_ok_and(|report| newer(&report) == 0));
        }
    }
}

#[test]
fn lists_carried_by_a_device_that_has_half_of_them_are_still_taken_each_on_its_own() {
    let mut post = Post::new();
    let stick = tempfile::tempdir().expect("a folder");
    carry::export(&post.store, stick.path()).expect("exported");
    fs::remove_dir_all(stick.path().join("420000/targets")).expect("removed");
    let folder = tempfile::tempdir().expect("a folder");
    let mut next = empty_store(&folder);
    let anchor = Anchor { first_root: Some(&post.root), now: NOW };
    let mut carried = Folder::open(stick.path()).expect("a folder");
    let report = sync::sync(&mut next, &mut carried, "stick", &anchor).expect("the store works");
    assert_eq!(newer(&report), 34);
    let why = format!("{:?}", report.issuers[&region("420000")]);
    assert!(why.contains("the target is not there"), "{why}");
    assert_eq!(post.sync(NOW).word(), Word::Unchanged);
}
