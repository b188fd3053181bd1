//! A disk that is really full: a small file system in memory, filled to the last page.

mod log_support;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use cache::{
    log::{
        Admissions, Options, Reader, ScanLog, UnixMillis, WriteFault, Writer, Written,
        note::NoteSigner,
        openings::Bounds,
        verify::{Evidence, verify},
    },
    outbox::{OutboxUpdate, ReceivedReceipt},
};
use log_support::{Post, row};
use tests::machine;

/// A mounted file system of a given size, or `None` with a note where mounting is not allowed.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path, size: &str) -> Option<Small> {
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(at).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: only root may mount the small file system this test fills");
            return None;
        }
        Some(Small(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // A busy file system goes when its last user does.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn sound(path: &Path) {
    let key = NoteSigner::new("gate-3", &[5; 32]).expect("a name").verifier();
    let reader = Reader::open(path).expect("opened");
    let report = verify(&reader, &Evidence { keys: vec![key], ..Evidence::default() }).expect("read");
    assert!(report.is_sound(), "{report:?}");
}

/// Appends groups until one fails; returns how many rows were written.
fn fill(post: &Post, from: i64) -> (i64, WriteFault) {
    let mut written = from;
    loop {
        let receipts: Vec<_> = (0..50).map(|n| post.writer.append(&row(written + n))).collect();
        for receipt in receipts {
            match receipt.wait(Duration::from_secs(30)) {
                Written::Committed(_) => written += 1,
                Written::Failed(fault) => return (written, fault),
                Written::Late => panic!("a full disk answers at once"),
            }
        }
        assert!(written < 200_000, "the disk does not fill");
    }
}

#[test]
fn a_full_disk_loses_no_row_that_was_promised_and_acknowledged_rows_make_room() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(_small) = Small::mount(directory.path(), "20m") else { return };
    let post = Post::open(directory.path());
    let (written, fault) = fill(&post, 0);
    assert_eq!(fault, WriteFault::Full);
    assert!(!post.writer.gauges().healthy(), "the alarm is shown");
    assert!(post.writer.gauges().failed() > 0, "and counted");
    assert_eq!(post.writer.gauges().dropped(), 0, "nothing the centre has not got is given up");
    let scans = || Reader::open(&post.path).expect("opened").rows().expect("counted") as i64;
    assert_eq!(scans(), written + 1);
    sound(&post.path);

    // The centre signs for some: that receipt itself must find room, and then rows are written again.
    let through = u64::try_from(written).expect("counted") / 2;
    let hash = post.reader().outbox_items(&[through]).expect("read")[0].hash;
    let receipt = ReceivedReceipt { store: "store".into(), through, hash, note: "signed".into() };
    let kept = post.writer.update_outbox(OutboxUpdate::Received(receipt));
    assert!(matches!(kept.wait(Duration::from_secs(30)), Written::Committed(_)));
    let (again, _) = fill(&post, written);
    assert!(again >= written + 500, "{written} then {again}");
    assert!(post.writer.gauges().dropped() >= 1000, "{}", post.writer.gauges().dropped());
    sound(&post.path);
    println!(
        "20 MiB: {written} rows, then {} more after acknowledgements, {} given up",
        again - written,
        post.writer.gauges().dropped()
    );
}

#[test]
fn an_orderly_restart_on_a_disk_full_to_the_last_byte_opens_the_log_by_its_reserve_and_rows_go_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(_small) = Small::mount(directory.path(), "32m") else { return };
    let path = directory.path().join("scans.db");
    let open = || {
        let signer = NoteSigner::new("gate-3", &[5; 32]).expect("a name");
        ScanLog::open(Options::new(&path, signer, machine()), UnixMillis(1_612_137_600_000))
    };
    let admissions = Admissions::new(Bounds::default(), machine()).expect("randomness");
    let pass = |log: ScanLog, rows: std::ops::Range<i64>| {
        let (writer, thread) = Writer::spawn(log, Arc::clone(&admissions));
        for n in rows {
            let written = writer.append(&row(n)).wait(Duration::from_secs(30));
            assert!(matches!(written, Written::Committed(_)), "row {n}: {written:?}");
        }
        drop(writer);
        thread.join().expect("an orderly end");
    };
    pass(open().expect("opened"), 0..200);
    let reserve = directory.path().join("scans.db-reserve");
    assert!(reserve.exists());
    // The shared memory of the write-ahead log does not survive a reboot, and something else takes everything that is left.
    drop(fs::remove_file(directory.path().join("scans.db-shm")));
    let mut filler = fs::File::create(directory.path().join("journal")).expect("created");
    for size in [1 << 16, 1 << 12, 1] {
        while filler.write_all(&vec![0; size]).is_ok() {}
    }
    let log = open().expect("the reserve is given back for it");
    assert_eq!(log.set_aside(), None);
    assert!(!reserve.exists(), "there is no room for another");
    pass(log, 200..600);
    assert_eq!(Reader::open(&path).expect("opened").rows().expect("counted"), 601);
    sound(&path);
}

#[test]
fn the_write_ahead_log_stays_bounded_under_load_and_is_folded_in_when_it_is_quiet() {
    let directory = tempfile::tempdir().expect("a directory");
    let post = Post::open(directory.path());
    let wal = directory.path().join("scans.db-wal");
    let size = || fs::metadata(&wal).map_or(0, |file| file.len());
    let mut largest = 0;
    for round in 0..40 {
        post.append(round * 500..round * 500 + 500);
        largest = largest.max(size());
    }
    assert!(largest < 8 << 20, "{largest}");
    println!("20000 rows: the write-ahead log was at most {} KiB", largest / 1024);
}
