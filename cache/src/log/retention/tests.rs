//! Forgetting, with the clock as a value.

use trustlist::time::UnixTime;

use super::*;
use crate::{
    log::{
        Change, Options, Reader, ScanRow,
        note::NoteSigner,
        row::tests::row,
        verify::{Evidence, verify},
    },
    outbox::Mark,
};

const START: UnixMillis = UnixMillis(1_612_137_600_000);

fn signer() -> NoteSigner {
    NoteSigner::new("gate-3", &[5; 32]).expect("a name")
}

fn open(directory: &std::path::Path, upload: bool) -> ScanLog {
    ScanLog::open(Options { upload, ..Options::new(directory.join("scans.db"), signer()) }, START).expect("opened")
}

fn on_day(day: i64) -> ScanRow {
    ScanRow { at_ms: START.plus(day * DAY), ..row(day.rem_euclid(1000)) }
}

/// Appends without waiting for the disk at each row.
fn append(log: &mut ScanLog, rows: impl Iterator<Item = ScanRow>) {
    let changes: Vec<_> = rows.map(change).collect();
    for group in changes.chunks(40) {
        log.commit(group).expect("committed");
    }
}

fn change(scan: ScanRow) -> Change {
    let id = row::new_id(scan.at_ms).expect("randomness");
    Change::Row { body: scan.body(&id), at: scan.at_ms, trust: scan.time_trust }
}

fn moment(day: i64) -> Moment {
    Moment::synced(UnixTime(START.plus(day * DAY).0 / 1000))
}

fn sound(directory: &std::path::Path) -> super::super::verify::Report {
    let reader = Reader::open(&directory.join("scans.db")).expect("opened");
    let report = verify(&reader, &Evidence { keys: vec![signer().verifier()], ..Evidence::default() }).expect("read");
    assert!(report.is_sound(), "{report:?}");
    report
}

fn number(log: &ScanLog, sql: &str) -> u64 {
    log.connection.query_row(sql, [], |row| row.get(0)).expect("a number")
}

#[test]
fn old_rows_and_keys_go_and_the_chain_still_verifies_at_every_step() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut log = open(directory.path(), false);
    append(&mut log, (0..1200).map(|n| on_day(n / 40)));
    let removed = log.retain(Retention::default(), moment(29)).expect("cut");
    assert_eq!(removed.rows, 601, "15 days of 40 rows, and the beginning");
    assert!(removed.keys >= 14, "{removed:?}");
    let mut steps = 0;
    while log.sweep().expect("swept") {
        sound(directory.path());
        steps += 1;
    }
    assert!(steps >= 3, "in small steps");
    let report = sound(directory.path());
    assert_eq!((report.first, report.cut), (602, 601));
    assert_eq!(
        number(&log, "SELECT count(*) FROM day_keys WHERE day < (SELECT min(at_ms) / 86400000 FROM entries)"),
        0
    );

    let again = log.retain(Retention::default(), moment(29)).expect("nothing to cut");
    assert_eq!(again, Removed::default());
    let later = log.retain(Retention::default(), moment(60)).expect("cut");
    assert!(later.rows > 0);
    while log.sweep().expect("swept") {}
    sound(directory.path());
}

#[test]
fn a_deleted_rows_bytes_are_not_left_in_the_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut log = open(directory.path(), false);
    let mut scan = on_day(0);
    scan.lane = "lane-that-must-vanish".into();
    log.append(&scan).expect("appended");
    append(&mut log, (0..300).map(|n| on_day(20 + n / 100)));
    let key: Vec<u8> =
        log.connection.query_row("SELECT key FROM day_keys ORDER BY day LIMIT 1", [], |row| row.get(0)).expect("a key");
    log.fold();
    log.retain(Retention::default(), moment(23)).expect("cut");
    while log.sweep().expect("swept") {}
    for name in ["scans.db", "scans.db-wal"] {
        let bytes = std::fs::read(directory.path().join(name)).expect("a file");
        for secret in [&b"lane-that-must-vanish"[..], &key] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{name} still holds a secret");
        }
    }
}

#[test]
fn rows_owed_to_a_centre_wait_for_it_but_not_for_ever() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut log = open(directory.path(), true);
    append(&mut log, (0..100).map(|n| on_day(n / 10)));
    log.commit(&[Change::Mark(Mark::Acknowledged((1..=50).collect()))]).expect("marked");
    let removed = log.retain(Retention::default(), moment(30)).expect("cut");
    assert_eq!((removed.rows, removed.unsent), (50, 0), "what the centre has");
    let removed = log.retain(Retention::default(), moment(120)).expect("cut");
    assert_eq!(removed.unsent, 52, "all the rest, and the receipt says how much was never sent");
    while log.sweep().expect("swept") {}
    sound(directory.path());
}

#[test]
fn a_clock_that_jumps_never_deletes_a_young_row() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut log = open(directory.path(), false);
    for day in [20, 20, -9000, 21, 4000, 21] {
        log.append(&on_day(day)).expect("appended");
    }
    let unsure = Moment { trust: TimeTrust::Untrusted, ..moment(9000) };
    assert!(matches!(log.retain(Retention::default(), unsure), Err(Fault::ClockUntrusted)));
    let removed = log.retain(Retention::default(), moment(22)).expect("cut");
    assert_eq!(removed.rows, 1, "only the beginning: a young row stands before the one stamped 1996");
}

#[test]
fn a_log_that_may_not_grow_gives_up_acknowledged_rows_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let options =
        Options { upload: true, max_bytes: 1 << 20, ..Options::new(directory.path().join("scans.db"), signer()) };
    let mut log = ScanLog::open(options, START).expect("opened");
    let mut written = 0;
    let fault = loop {
        match log.commit_or_make_room(&[change(row(written))]) {
            Ok(_) => written += 1,
            Err(fault) => break fault,
        }
    };
    assert!(matches!(fault, Fault::Full), "{fault:?}");
    assert!(written > 500, "{written}");
    assert_eq!(
        number(&log, "SELECT count(*) FROM entries WHERE kind = 'scan'"),
        written as u64,
        "nothing was given up"
    );

    log.commit(&[Change::Mark(Mark::Acknowledged((1..=400).collect()))]).expect("marks need no space");
    let (_, dropped) = log.commit_or_make_room(&[change(row(written))]).expect("there is room again");
    assert_eq!(dropped, 400);
    assert_eq!(number(&log, "SELECT min(seq) FROM entries"), 401);
    log.anchor().expect("anchored");
    sound(directory.path());
}

#[test]
fn rows_that_no_centre_took_are_kept_four_periods_however_long_one_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut log = open(directory.path(), true);
    append(&mut log, (0..10).map(|_| on_day(0)));
    assert_eq!(log.retain(Retention::of(2), moment(7)).expect("nothing to cut").rows, 0);
    let removed = log.retain(Retention::of(2), moment(9)).expect("cut");
    assert_eq!(removed.unsent, removed.rows);
    assert!(removed.rows >= 10, "{removed:?}");
}
