//! Forgetting, with the clock as a value.

use trustlist::time::UnixTime;
use uuid::Uuid;

use super::*;
use crate::machine::Machine;
use crate::{
    log::{
        Change, Reader, ScanRow,
        lived::Uptime,
        note::NoteSigner,
        row::tests::row,
        verify::{Evidence, verify},
    },
    outbox::{OutboxUpdate, ReceivedReceipt},
};

const START: UnixMillis = UnixMillis(1_612_137_600_000);
const DAY: i64 = 86_400_000;
const NOON: i64 = DAY / 2;

fn signer() -> NoteSigner {
    NoteSigner::new("gate-3", &[5; 32]).expect("a name")
}

/// The log of a device that has lived since long before, opened `millis` after the start of the story; its clock is noted with `trust`.
fn opened(directory: &std::path::Path, owed: Owed, millis: i64, trust: TimeTrust) -> ScanLog {
    let up = Duration::from_millis(u64::try_from(100 * DAY + millis).expect("after boot"));
    let uptime = Some(Uptime { boot: Uuid::from_u128(1), up });
    let options = Options { owed, uptime, ..Options::new(directory.join("scans.db"), signer(), Machine::real()) };
    let mut log = ScanLog::open(options, START.plus(millis)).expect("opened");
    log.note_time(START.plus(millis), trust).expect("noted");
    log
}

/// At midnight of a day.
fn on(directory: &std::path::Path, owed: Owed, day: i64) -> ScanLog {
    opened(directory, owed, day * DAY, TimeTrust::Synced)
}

/// Some travellers at noon of each of these days; each day ends with an anchor.
fn pass(directory: &std::path::Path, owed: Owed, days: std::ops::Range<i64>, each: i64, trust: TimeTrust) {
    for day in days {
        let mut log = opened(directory, owed, day * DAY + NOON, trust);
        let scans: Vec<_> = (0..each).map(|n| ScanRow { time_trust: trust, ..at_noon(day, n) }).collect();
        log.append_all(&scans).expect("committed");
        log.anchor().expect("anchored");
    }
}

fn at_noon(day: i64, n: i64) -> ScanRow {
    ScanRow { at_ms: START.plus(day * DAY + NOON + n * 1500), ..row(n) }
}

fn moment(day: i64) -> Moment {
    Moment::synced(UnixTime(START.plus(day * DAY).0 / 1000))
}

fn receipt(log: &ScanLog, store: &str, through: u64) -> OutboxUpdate {
    let hash = hash_of(&log.connection, through).expect("asked").expect("held");
    OutboxUpdate::Received(ReceivedReceipt { store: store.into(), through, hash, note: "signed".into() })
}

fn sound(directory: &std::path::Path) -> crate::log::verify::Report {
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
    let path = directory.path();
    pass(path, Owed::Nothing, 0..29, 40, TimeTrust::Synced);
    let mut log = on(path, Owed::Nothing, 29);
    let removed = log.retain(Retention::default(), moment(29)).expect("cut");
    assert_eq!(removed.rows, 601, "15 days of 40 rows, and the beginning");
    assert!(removed.keys >= 14, "{removed:?}");
    let mut steps = 0;
    while log.sweep().expect("swept") {
        sound(path);
        steps += 1;
    }
    assert!(steps >= 3, "in small steps");
    let report = sound(path);
    assert_eq!((report.first, report.cut), (602, 601));
    assert_eq!(
        number(&log, "SELECT count(*) FROM day_keys WHERE day < (SELECT min(at_ms) / 86400000 FROM entries)"),
        0
    );

    let again = log.retain(Retention::default(), moment(29)).expect("nothing to cut");
    assert_eq!((again.rows, again.keys), (0, 0));
    drop(log);
    let mut log = on(path, Owed::Nothing, 60);
    let later = log.retain(Retention::default(), moment(60)).expect("cut");
    assert!(later.rows > 0, "a month without power is a jump, but it was lived: {later:?}");
    while log.sweep().expect("swept") {}
    sound(path);
}

#[test]
fn a_deleted_rows_bytes_are_not_left_in_the_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let mut log = on(path, Owed::Nothing, 0);
    let mut scan = at_noon(0, 0);
    scan.lane = "lane-that-must-vanish".into();
    log.append(&scan).expect("appended");
    log.anchor().expect("anchored");
    let key: Vec<u8> =
        log.connection.query_row("SELECT key FROM day_keys ORDER BY day LIMIT 1", [], |row| row.get(0)).expect("a key");
    log.fold();
    drop(log);
    pass(path, Owed::Nothing, 20..23, 100, TimeTrust::Synced);
    let mut log = on(path, Owed::Nothing, 23);
    log.retain(Retention::default(), moment(23)).expect("cut");
    while log.sweep().expect("swept") {}
    for name in ["scans.db", "scans.db-wal"] {
        let bytes = std::fs::read(path.join(name)).expect("a file");
        for secret in [&b"lane-that-must-vanish"[..], &key] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{name} still holds a secret");
        }
    }
}

#[test]
fn a_clock_twenty_eighty_or_a_hundred_days_ahead_deletes_nothing() {
    for ahead in [20, 80, 100] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        pass(path, Owed::Nothing, 0..5, 10, TimeTrust::Synced);
        let mut log = on(path, Owed::Nothing, 5);
        let keys = number(&log, "SELECT count(*) FROM day_keys");
        for _ in 0..3 {
            let removed = log.retain(Retention::of(2), moment(5 + ahead)).expect("asked");
            // What was lived goes; not a day more.
            assert!(removed.clock_unsteady, "{ahead} days ahead: {removed:?}");
            log.note_time(START.plus((5 + ahead) * DAY), TimeTrust::Synced).expect("noted");
        }
        let young = "SELECT count(*) FROM entries WHERE kind = 'scan'";
        while log.sweep().expect("swept") {}
        assert_eq!(number(&log, young), 20, "{ahead} days ahead: two lived days are kept");
        assert!(
            number(&log, "SELECT count(*) FROM day_keys") >= keys - 3,
            "{ahead} days ahead: keys of kept days stay"
        );
        drop(log);
        // Confirmed for a lived day without another jump, the clock counts.
        let mut log = opened(path, Owed::Nothing, 6 * DAY + 60_000, TimeTrust::Untrusted);
        let removed = log.retain(Retention::of(2), moment(6 + ahead)).expect("asked");
        assert!(removed.clock_unsteady, "unconfirmed in between");
    }
}

#[test]
fn a_device_that_never_hears_a_time_service_forgets_by_lived_time() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    pass(path, Owed::Nothing, 0..16, 10, TimeTrust::FloorOnly);
    let mut log = opened(path, Owed::Nothing, 16 * DAY, TimeTrust::FloorOnly);
    let unconfirmed = Moment { trust: TimeTrust::FloorOnly, ..moment(16) };
    let removed = log.retain(Retention::default(), unconfirmed).expect("cut");
    assert_eq!(removed.rows, 21, "two days of ten rows, and the beginning: {removed:?}");
    assert!(removed.keys >= 1 && removed.clock_unsteady, "{removed:?}");
    while log.sweep().expect("swept") {}
    sound(path);
    assert_eq!(
        number(&log, "SELECT count(*) FROM day_keys WHERE day < (SELECT min(at_ms) / 86400000 FROM entries)"),
        0
    );
}

#[test]
fn rows_that_no_centre_signed_for_go_only_after_an_alarm_that_stood_a_whole_period() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    pass(path, Owed::Receipt, 0..10, 10, TimeTrust::Synced);
    let mut log = on(path, Owed::Receipt, 10);
    log.commit(&[Change::Outbox(receipt(&log, "store", 50))]).expect("kept");
    drop(log);
    let retain = |day| {
        let mut log = on(path, Owed::Receipt, day);
        let removed = log.retain(Retention::default(), moment(day)).expect("asked");
        while log.sweep().expect("swept") {}
        removed
    };
    assert_eq!(retain(24).rows, 50, "what the centre has");
    // The alarm stands from here on.
    let stands = retain(25);
    assert_eq!((stands.rows, stands.overdue), (0, 51), "{stands:?}");
    assert_eq!(retain(37).rows, 0);
    let removed = retain(40);
    assert!(removed.rows >= 51, "all the rest: {removed:?}");
    assert_eq!(removed.rows, removed.unsent, "and the receipt says how much was never sent");
    sound(path);
}

#[test]
fn rows_that_a_centre_without_receipts_took_are_kept_for_the_whole_period_and_never_given_up_for_space() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    pass(path, Owed::Delivery, 0..2, 10, TimeTrust::Synced);
    let mut log = on(path, Owed::Delivery, 2);
    log.commit(&[Change::Outbox(OutboxUpdate::Sent((1..=21).collect()))]).expect("kept");
    assert_eq!(log.may_give_up().expect("asked"), None);
    assert_eq!(log.retain(Retention::default(), moment(2)).expect("asked").rows, 0);
    drop(log);
    let mut log = on(path, Owed::Delivery, 17);
    assert_eq!(log.retain(Retention::default(), moment(17)).expect("asked").rows, 21);
}

#[test]
fn a_clock_that_jumps_never_deletes_a_young_row() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let stamped = |day: i64| ScanRow { at_ms: START.plus(day * DAY), ..row(0) };
    drop(on(path, Owed::Nothing, 0));
    let mut log = on(path, Owed::Nothing, 20);
    for day in [20, 20, -9000, 21, 4000, 21] {
        log.append(&stamped(day)).expect("appended");
    }
    drop(log);
    drop(on(path, Owed::Nothing, 21));
    let mut log = on(path, Owed::Nothing, 22);
    let removed = log.retain(Retention::default(), moment(22)).expect("cut");
    assert_eq!(removed.rows, 1, "only the beginning: a young row stands before the one stamped 1996");
}

#[test]
fn a_log_that_may_not_grow_gives_up_acknowledged_rows_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = Options {
        owed: Owed::Receipt,
        max_bytes: 1 << 20,
        ..Options::new(directory.path().join("scans.db"), signer(), Machine::real())
    };
    let mut log = ScanLog::open(options, START).expect("opened");
    let change = |n| {
        let id = row::new_id(&Machine::real(), row(n).at_ms).expect("randomness");
        Change::Row { body: row(n).body(&id), at: row(n).at_ms, trust: TimeTrust::Synced }
    };
    let mut written = 0;
    let fault = loop {
        match log.commit_or_make_room(&[change(written)]) {
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

    log.commit(&[Change::Outbox(OutboxUpdate::Sent((1..=400).collect()))]).expect("updates need no space");
    assert!(matches!(log.commit_or_make_room(&[change(written)]), Err(Fault::Full)), "sent is not stored");
    log.commit(&[Change::Outbox(receipt(&log, "store", 400))]).expect("updates need no space");
    let dropped = loop {
        let (_, dropped) = log.commit_or_make_room(&[change(written)]).expect("there is room again");
        written += 1;
        if dropped > 0 {
            break dropped;
        }
    };
    assert_eq!(dropped, 400);
    assert_eq!(number(&log, "SELECT min(seq) FROM entries"), 401);
    log.anchor().expect("anchored");
    sound(directory.path());
}

#[test]
fn a_sweep_deletes_as_much_at_once_as_this_disk_does_in_a_moment() {
    let ms = Duration::from_millis;
    let mut pace = SweepPace::default();
    for _ in 0..50 {
        pace.took(ms(1));
    }
    assert_eq!(pace.portion, *SWEEPS.end(), "a quick disk");
    pace.took(STEP);
    assert_eq!(pace.portion, *SWEEPS.end(), "as it should be");
    for _ in 0..50 {
        pace.took(ms(100));
    }
    assert_eq!(pace.portion, *SWEEPS.start(), "a slow one is not stopped");
    pace.took(ms(2));
    assert!(pace.portion > *SWEEPS.start(), "and may recover");
}

#[test]
fn somebody_who_reads_an_old_state_for_hours_cannot_fill_the_disk_and_rows_go_on_when_they_leave() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("scans.db");
    let options = Options { max_bytes: 256 << 20, ..Options::new(&path, signer(), Machine::real()) };
    let most = options.max_wal();
    let mut log = ScanLog::open(options, START).expect("opened");
    log.append(&at_noon(0, 0)).expect("appended");
    // Another program, with a question that it does not finish asking.
    let reader = Connection::open(&path).expect("opened");
    reader.execute_batch("BEGIN; SELECT count(*) FROM entries").expect("reads");
    let mut wide = at_noon(0, 1);
    wide.lane = "a lane with a long name ".repeat(2500);
    let group = vec![wide; 16];
    let refused = (0..1000).find_map(|_| log.append_all(&group).err());
    assert!(matches!(refused, Some(Fault::Held)), "{refused:?}");
    let row = |log: &ScanLog| {
        let (scan, id) = (at_noon(0, 2), row::new_id(log.machine(), at_noon(0, 2).at_ms).expect("randomness"));
        [Change::Row { body: scan.body(&id), at: scan.at_ms, trust: scan.time_trust }]
    };
    let again = row(&log);
    assert!(matches!(log.commit_or_make_room(&again), Err(Fault::Held)), "and nothing is given up for it");
    let largest = wal_bytes(&path);
    assert!(largest < most + (4 << 20), "{largest}");
    reader.execute_batch("COMMIT").expect("they leave");
    let again = row(&log);
    log.commit_or_make_room(&again).expect("rows go on");
    assert!(wal_bytes(&path) < 1 << 20, "the space is given back: {}", wal_bytes(&path));
    drop(log);
    sound(directory.path());
}
