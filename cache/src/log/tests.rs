//! The log as its users see it: opened, appended to, opened again.

use std::time::Duration;

use trustlist::verdict::{Reason, Verdict};

use super::{commit::raised, row::tests::row, *};

pub(super) fn signer() -> NoteSigner {
    NoteSigner::new("gate-3", &[5; 32]).expect("a name")
}

const NOW: UnixMillis = UnixMillis(1_612_137_600_000);

fn open(directory: &Path) -> Result<ScanLog, Fault> {
    ScanLog::open(Options::new(directory.join("scans.db"), signer()), NOW)
}

fn code(id: &[u8]) -> CodeId<'_> {
    CodeId { issuer: row(0).issuer.expect("set"), id }
}

#[test]
fn rows_are_chained_from_the_first_and_survive_reopening() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut log = open(directory.path()).expect("opened");
    let (_, first) = log.append(&row(0)).expect("appended");
    let (_, second) = log.append(&row(1)).expect("appended");
    assert_eq!((first.seq, second.seq), (2, 3), "the log's own beginning is row 1");
    drop(log);
    let mut log = open(directory.path()).expect("opened again");
    let (_, third) = log.append(&row(2)).expect("appended");
    assert_eq!(third.seq, 4, "nothing is begun twice");
    let previous: [u8; 32] =
        log.connection.query_row("SELECT previous FROM entries WHERE seq = 4", [], |row| row.get(0)).expect("a row");
    assert_eq!(previous, second.hash);
}

#[test]
fn the_connection_is_as_durable_and_as_forgetful_as_the_contract_says() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = open(directory.path()).expect("opened");
    let pragma = |name: &str| -> String {
        log.connection
            .query_row(&format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"), [], |row| row.get(0))
            .expect("a pragma")
    };
    assert_eq!(pragma("journal_mode"), "wal");
    assert_eq!(pragma("synchronous"), "2");
    assert_eq!(pragma("secure_delete"), "1");
    assert_eq!(pragma("auto_vacuum"), "2");
}

#[test]
fn the_writer_acknowledges_each_row_of_a_burst_once_and_in_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let (writer, thread) = Writer::spawn(open(directory.path()).expect("opened"));
    let receipts: Vec<_> = (0..1000).map(|n| writer.append(&row(n))).collect();
    let places: Vec<_> = receipts
        .iter()
        .map(|receipt| match receipt.wait(Duration::from_secs(30)) {
            Written::Committed(head) => head.seq,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(places, (2..=1001).collect::<Vec<_>>());
    assert!(writer.gauges().commits() < 500, "rows share transactions: {}", writer.gauges().commits());
    drop(writer);
    thread.join().expect("an orderly end");
    let reader = Reader::open(&directory.path().join("scans.db")).expect("opened");
    assert_eq!(reader.rows().expect("counted"), 1001);
    let anchors: u64 =
        reader.connection.query_row("SELECT max(seq) FROM anchors", [], |row| row.get(0)).expect("anchors");
    assert_eq!(anchors, 1001, "the end is anchored");
}

#[test]
fn a_code_seen_before_is_found_by_its_token_within_the_window_and_the_group() {
    let directory = tempfile::tempdir().expect("a directory");
    let (writer, _thread) = Writer::spawn(open(directory.path()).expect("opened"));
    let reader = Reader::open(&directory.path().join("scans.db")).expect("opened");
    let mut memory = Memory::new(writer.clone(), reader);
    let before_midnight = UnixMillis(NOW.day() * 86_400_000 - 10_000);
    let mut scan = row(0);
    scan.at_ms = before_midnight;
    scan.lane = "1".into();
    scan.token = Some(memory.token(&code(b"code"), before_midnight, Duration::from_secs(60)).expect("a token"));
    let receipt = memory.append(&scan);
    assert!(matches!(receipt.wait(Duration::from_secs(5)), Written::Committed(_)));

    let now = before_midnight.plus(20_000);
    let seen = memory.seen(&code(b"code"), &["1", "2"], now, 60).expect("asked").expect("seen across midnight");
    assert_eq!((seen.id, seen.lane.as_str()), (receipt.id(), "1"));
    assert_eq!(memory.seen(&code(b"other"), &["1"], now, 60).expect("asked"), None);
    assert_eq!(memory.seen(&code(b"code"), &["2"], now, 60).expect("asked"), None, "another group");
    assert_eq!(memory.seen(&code(b"code"), &["1"], now, 5).expect("asked"), None, "too long ago");

    let unused = Event::Passage { scan: receipt.id(), passage: Passage::NotTaken };
    assert!(matches!(
        memory.record(&unused, now, TimeTrust::Synced).wait(Duration::from_secs(5)),
        Written::Committed(_)
    ));
    assert_eq!(memory.seen(&code(b"code"), &["1"], now, 60).expect("asked"), None, "nobody went through");
}

#[test]
fn an_officers_override_decides_whether_a_code_was_used() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut log = open(directory.path()).expect("opened");
    let mut scan = row(0);
    (scan.verdict, scan.reason) = (Verdict::Refer, Reason::ColourYellow);
    let (id, _) = log.append(&scan).expect("appended");
    let reader = Reader::open(log.path()).expect("opened");
    let seen = || {
        reader
            .seen_since(&[scan.token.expect("set")], scan.issuer.expect("set"), &[&scan.lane], NOW)
            .expect("asked")
            .is_some()
    };
    assert!(!seen());
    let mut say = |verdict| {
        let event = Event::Override(officer::tests::signed(id, verdict, 1));
        log.record(&event, NOW, TimeTrust::Synced).expect("recorded");
    };
    say(Verdict::Admit);
    assert!(seen());
    say(Verdict::Refuse);
    assert!(!seen());
}

#[test]
fn the_floor_of_time_rises_with_a_confirmed_clock_and_creeps_with_an_unconfirmed_one() {
    let (stored, later) = (UnixMillis(1_000_000), UnixMillis(9_000_000));
    let raise = |trust| raised(stored, stored, later, trust, 60_000);
    assert_eq!(raise(TimeTrust::Synced), later);
    assert_eq!(raise(TimeTrust::Holdover), later);
    assert_eq!(raise(TimeTrust::FloorOnly), UnixMillis(1_060_000));
    assert_eq!(raise(TimeTrust::Untrusted), stored);
    assert_eq!(raised(later, later, stored, TimeTrust::Synced, 0), later, "never down");

    let directory = tempfile::tempdir().expect("a directory");
    let mut log = open(directory.path()).expect("opened");
    assert_eq!(log.time_floor(), None);
    log.append(&row(4)).expect("appended");
    drop(log);
    assert_eq!(open(directory.path()).expect("opened").time_floor(), Some(row(4).at_ms));
}

mod bad_input {
    use super::*;

    fn write(directory: &Path, bytes: &[u8]) -> Fault {
        let path = directory.join("scans.db");
        fs::write(&path, bytes).expect("written");
        let fault = open(directory).expect_err("refused");
        assert_eq!(fs::read(&path).expect("there"), bytes, "nothing was changed");
        fault
    }

    #[test]
    fn a_file_that_is_no_database_is_named_and_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let fault = write(directory.path(), b"[lane]\nname = \"1\"\n");
        assert!(matches!(fault, Fault::NotADatabase(_)), "{fault:?}");
        assert!(fault.to_string().contains("scans.db"), "{fault}");
    }

    #[test]
    fn another_programs_database_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("scans.db");
        let other = Connection::open(&path).expect("opened");
        other.execute_batch("CREATE TABLE recipes (name TEXT)").expect("made");
        drop(other);
        let fault = open(directory.path()).expect_err("refused");
        assert!(matches!(fault, Fault::Foreign(_)), "{fault:?}");
        let tables: i64 = Connection::open(&path)
            .expect("opened")
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .expect("counted");
        assert_eq!(tables, 1);
    }

    #[test]
    fn a_newer_releases_log_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = open(directory.path()).expect("opened");
        log.connection.pragma_update(None, "user_version", schema::NEWEST + 1).expect("set");
        drop(log);
        let fault = open(directory.path()).expect_err("refused");
        assert!(matches!(fault, Fault::Newer { .. }), "{fault:?}");
        assert!(matches!(Reader::open(&directory.path().join("scans.db")), Err(Fault::Newer { .. })));
    }

    #[test]
    fn a_damaged_database_is_set_aside_whole_and_a_new_one_begins() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("scans.db");
        let mut log = open(directory.path()).expect("opened");
        for n in 0..200 {
            log.append(&row(n)).expect("appended");
        }
        log.fold();
        drop(log);
        let mut bytes = fs::read(&path).expect("there");
        let length = bytes.len();
        for byte in &mut bytes[8192..length.min(8192 + 16384)] {
            *byte = 0xA5;
        }
        fs::write(&path, &bytes).expect("damaged");

        let mut log = open(directory.path()).expect("goes on");
        let aside = log.set_aside().expect("set aside").to_owned();
        assert!(aside.to_string_lossy().ends_with("scans.db.damaged-20210201T000000Z"), "{}", aside.display());
        assert!(fs::read(&aside).expect("kept")[100..] == bytes[100..], "every page is kept");
        log.append(&row(0)).expect("appended");
        let begin: String =
            log.connection.query_row("SELECT body FROM entries WHERE seq = 1", [], |row| row.get(0)).expect("a row");
        assert!(begin.contains("\"follows\":\"scans.db.damaged-"), "{begin}");
        drop(log);
        assert_eq!(open(directory.path()).expect("opened").set_aside(), None, "once");
    }

    #[test]
    fn damage_deep_in_a_large_log_is_found_after_the_start_and_set_aside_at_the_next() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("scans.db");
        let mut log = open(directory.path()).expect("opened");
        for group in 0..60 {
            let changes: Vec<_> = (group * 500..group * 500 + 500)
                .map(|n| {
                    let id = row::new_id(row(n).at_ms).expect("randomness");
                    Change::Row { body: row(n).body(&id), at: row(n).at_ms, trust: TimeTrust::Synced }
                })
                .collect();
            log.commit(&changes).expect("committed");
        }
        log.fold();
        drop(log);
        check(&path).expect("sound");
        let mut bytes = fs::read(&path).expect("there");
        assert!(bytes.len() > 16 << 20, "{}", bytes.len());
        bytes[5 << 20..(5 << 20) + 65536].fill(0xA5);
        fs::write(&path, &bytes).expect("damaged");

        let log = open(directory.path()).expect("starts at once");
        assert_eq!(log.set_aside(), None);
        drop(log);
        assert!(matches!(check(&path), Err(Fault::Damaged { .. })));
        let log = open(directory.path()).expect("goes on");
        assert!(log.set_aside().is_some());
        drop(log);
        assert_eq!(open(directory.path()).expect("opened").set_aside(), None, "once");
    }

    #[test]
    fn a_zeroed_first_page_counts_as_damage() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("scans.db"), [0; 8192]).expect("written");
        assert!(open(directory.path()).expect("goes on").set_aside().is_some());
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_named() {
        // Not even root writes here, so the test says the same wherever it runs.
        let fault = open(Path::new("/proc/checkpointd")).expect_err("refused");
        assert!(matches!(fault, Fault::ReadOnly(_) | Fault::File(..)), "{fault:?}");
        assert!(fault.to_string().contains("/proc/checkpointd"), "{fault}");
    }
}
