//! The log as its users see it: opened, appended to, opened again.

use std::time::Duration;

use trustlist::verdict::{Reason, Verdict};

use super::{commit::raised, row::tests::row, *};

pub(super) fn signer() -> NoteSigner {
    NoteSigner::new("gate-3", &[5; 32]).expect("a name")
}

const NOW: UnixMillis = UnixMillis(1_612_137_600_000);

fn open(directory: &Path) -> Result<ScanLog, Fault> {
    ScanLog::open(Options::new(directory.join("scans.db"), signer(), Machine::real()), NOW)
}

pub(super) fn writer(log: ScanLog) -> (Writer, std::thread::JoinHandle<()>) {
    Writer::spawn(log, Admissions::new(openings::Bounds::default(), Machine::real()).expect("randomness"))
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
    let (writer, thread) = writer(open(directory.path()).expect("opened"));
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
    let (writer, _thread) = writer(open(directory.path()).expect("opened"));
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
            .seen_since(&[scan.token.expect("set")], scan.issuer.expect("set"), &[&scan.lane], NOW, NOW)
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
    let none = UnixMillis(i64::MIN);
    assert_eq!(raised(none, none, later, TimeTrust::FloorOnly, 60_000), none, "a new board's clock may be years ahead");

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
        log.fold_away();
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
        assert!(begin.contains("\"follows\":\"scans.db.damaged-") && begin.contains("\"by\":\"head-file\""), "{begin}");
        drop(log);
        assert_eq!(open(directory.path()).expect("opened").set_aside(), None, "once");
    }

    #[test]
    fn damage_deep_in_a_large_log_is_found_after_the_start_and_set_aside_at_the_next() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("scans.db");
        let mut log = open(directory.path()).expect("opened");
        for group in 0..80 {
            let changes: Vec<_> = (group * 500..group * 500 + 500)
                .map(|n| {
                    let id = row::new_id(&Machine::real(), row(n).at_ms).expect("randomness");
                    Change::Row { body: row(n).body(&id), at: row(n).at_ms, trust: TimeTrust::Synced }
                })
                .collect();
            log.commit(&changes).expect("committed");
        }
        log.fold_away();
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

mod witnesses {
    use super::*;

    /// A log of some rows in its write-ahead log, as a killed daemon leaves it.
    fn killed(directory: &Path, rows: i64) -> (Uuid, PathBuf) {
        let mut log = open(directory).expect("opened");
        for n in 0..rows {
            log.append(&row(n)).expect("appended");
        }
        (log.id(), side_files::beside(log.path(), "-wal"))
    }

    #[test]
    fn every_damaged_write_ahead_log_that_lost_a_row_is_noticed_and_a_new_log_follows() {
        let whole = tempfile::tempdir().expect("a directory");
        let (id, wal) = killed(whole.path(), 40);
        let length = fs::metadata(&wal).expect("there").len();
        assert!(length > 30_000, "{length}");
        let (mut lost, mut kept) = (0, 0);
        for place in 0..60 {
            let copy = tempfile::tempdir().expect("a directory");
            for file in fs::read_dir(whole.path()).expect("readable") {
                let file = file.expect("readable");
                fs::copy(file.path(), copy.path().join(file.file_name())).expect("copied");
            }
            // What a failing card leaves: a flipped bit, a sector of another time, an end that never came.
            let wal = copy.path().join("scans.db-wal");
            let mut bytes = fs::read(&wal).expect("there");
            let at = usize::try_from(length * place / 60).expect("small");
            match place % 3 {
                0 => bytes[at] ^= 1,
                1 => bytes[at..(at + 512).min(length as usize)].fill(0),
                _ => bytes.truncate(at),
            }
            fs::write(&wal, bytes).expect("damaged");
            let _ = fs::remove_file(copy.path().join("scans.db-shm"));
            let log = open(copy.path()).expect("goes on");
            let seq = head(&log.connection).expect("a head").seq;
            if log.id() == id {
                assert_eq!(seq, 41, "damage at {at}: a row is gone, and nobody says so");
                kept += 1;
                continue;
            }
            lost += 1;
            let aside = log.set_aside().expect("the cut log is kept");
            let name = aside.file_name().expect("a name").to_string_lossy().into_owned();
            assert!(name.starts_with("scans.db.cut-") || name.starts_with("scans.db.damaged-"), "{name}");
            let begin: String = log
                .connection
                .query_row("SELECT body FROM entries WHERE seq = 1", [], |row| row.get(0))
                .expect("a beginning");
            assert!(begin.contains(&format!("\"witness\":{{\"log\":\"{id}\",\"seq\":41,")), "{begin}");
        }
        assert!(lost > 40 && lost + kept == 60, "{lost} lost, {kept} kept");
    }

    #[test]
    fn a_verifier_beside_the_log_sees_that_its_end_is_gone() {
        let directory = tempfile::tempdir().expect("a directory");
        let (_, wal) = killed(directory.path(), 10);
        let path = directory.path().join("scans.db");
        let known_end = head_file::read(&path).expect("readable");
        let evidence = verify::Evidence { known_end, ..verify::Evidence::default() };
        let check = || verify::verify(&Reader::open(&path).expect("opened"), &evidence).expect("read");
        assert!(check().is_sound());
        let bytes = fs::read(&wal).expect("there");
        fs::write(&wal, &bytes[..bytes.len() * 2 / 3]).expect("cut");
        let _ = fs::remove_file(directory.path().join("scans.db-shm"));
        let report = check();
        assert!(
            matches!(report.findings[..], [verify::Finding::EndDiffers { known: 11, .. }]),
            "{:?}",
            report.findings
        );
    }

    #[test]
    fn a_log_that_was_put_back_from_a_copy_is_cut_and_no_place_is_used_twice() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("scans.db");
        let mut log = open(directory.path()).expect("opened");
        log.append(&row(0)).expect("appended");
        log.fold_away();
        let copy = fs::read(&path).expect("copied");
        log.append(&row(1)).expect("appended");
        let id = log.id();
        drop(log);
        fs::write(&path, copy).expect("put back");
        for side in ["-wal", "-shm"] {
            let _ = fs::remove_file(side_files::beside(&path, side));
        }
        let log = open(directory.path()).expect("goes on");
        assert_ne!(log.id(), id);
        assert_eq!(log.cut().map(|witness| (witness.log, witness.seq)), Some((id, 3)));
        drop(log);
        assert_eq!(open(directory.path()).expect("opened").cut(), None, "once");
    }

    #[test]
    fn a_receipt_of_the_centre_witnesses_the_end_where_the_head_file_was_lost() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("scans.db");
        let mut log = open(directory.path()).expect("opened");
        let (_, head) = log.append(&row(0)).expect("appended");
        let receipt = crate::outbox::ReceivedReceipt {
            store: "store".into(),
            through: head.seq,
            hash: head.hash,
            note: "signed".into(),
        };
        log.update_outbox(OutboxUpdate::Received(receipt)).expect("kept");
        let known = head_file::read(&path).expect("readable").expect("there");
        assert_eq!(known.receipt, Some(head));
        assert_eq!(known.witnesses().len(), 2);
    }
}

mod privacy {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn nobody_but_the_daemon_and_its_group_reads_the_log_even_one_of_an_older_release() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut log = open(directory.path()).expect("opened");
        log.append(&row(0)).expect("appended");
        let modes = || {
            let files = fs::read_dir(directory.path()).expect("readable");
            files
                .map(|file| {
                    let file = file.expect("readable");
                    (file.file_name(), file.metadata().expect("readable").permissions().mode() & 0o777)
                })
                .filter(|(_, mode)| mode & 0o027 != 0)
                .collect::<Vec<_>>()
        };
        assert_eq!(modes(), []);
        drop(log);
        fs::set_permissions(directory.path().join("scans.db"), fs::Permissions::from_mode(0o644)).expect("set");
        drop(open(directory.path()).expect("opened"));
        assert_eq!(modes(), []);
    }
}

mod version_1 {
    use super::*;

    /// A log as version 1 wrote it: its schema, its pages, its rows, its outbox.
    fn old(path: &Path, rows: i64) -> Uuid {
        let log = row::new_id(&Machine::real(), NOW).expect("randomness");
        let connection = Connection::open(path).expect("opened");
        connection.execute_batch("PRAGMA page_size = 4096; PRAGMA auto_vacuum = incremental;").expect("set");
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).expect("set");
        connection.execute_batch(schema::MIGRATIONS[0]).expect("made");
        connection.pragma_update(None, "application_id", schema::APPLICATION_ID).expect("set");
        connection.pragma_update(None, "user_version", 1).expect("set");
        set_meta(&connection, "log", &log.to_string()).expect("set");
        set_meta(&connection, "key", &signer().verifier().to_string()).expect("set");
        set_meta(&connection, "floor_ms", &NOW.plus(5000).0.to_string()).expect("set");
        let id = |n: i64| row::new_id(&Machine::real(), row(n).at_ms).expect("randomness");
        let begin = format!(
            r#"{{"v":1,"kind":"begin","id":"{}","at_ms":{},"log":"{log}","key":"{}"}}"#,
            id(0),
            NOW.0,
            signer().verifier()
        );
        let mut end = insert(&connection, Head::ORIGIN, &begin).expect("inserted");
        for n in 0..rows {
            let body = row(n).body(&id(n)).replacen("\"v\":2", "\"v\":1", 1);
            let body = format!("{},\"passage\":\"unobserved\"}}", body.trim_end_matches('}'));
            end = insert(&connection, end, &body).expect("inserted");
        }
        let note = anchor::Anchor { log, head: end, at: NOW }.sign(&signer());
        connection.execute("INSERT INTO anchors (seq, note) VALUES (?1, ?2)", (end.seq, note)).expect("inserted");
        connection
            .execute_batch("INSERT INTO outbox (seq, state) SELECT seq, CASE WHEN seq <= 4 THEN 2 WHEN seq = 6 THEN 3 ELSE 0 END FROM entries")
            .expect("inserted");
        log
    }

    #[test]
    fn an_older_log_goes_on_with_its_rows_its_floor_and_its_outbox() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("scans.db");
        let id = old(&path, 9);
        let before = Reader::open(&path).expect("opened before it is migrated");
        assert!(verify::verify(&before, &verify::Evidence::default()).expect("read").is_sound());
        assert_eq!(before.stats(None, None).expect("asked").iter().map(|cell| cell.scans).sum::<u64>(), 9);
        assert_eq!(
            before.query(&query::Filter { from: Some(row(3).at_ms), ..Default::default() }).expect("asked").len(),
            6
        );
        drop(before);

        let mut log =
            ScanLog::open(Options { owed: Owed::Receipt, ..Options::new(&path, signer(), Machine::real()) }, NOW)
                .expect("opened");
        assert_eq!(log.id(), id);
        assert_eq!(log.time_floor(), Some(NOW.plus(5000)));
        log.append(&row(9)).expect("appended");
        log.anchor().expect("anchored");
        let reader = Reader::open(&path).expect("opened");
        let evidence = verify::Evidence { keys: vec![signer().verifier()], ..verify::Evidence::default() };
        let report = verify::verify(&reader, &evidence).expect("read");
        assert!(report.is_sound(), "{report:?}");
        assert_eq!((report.rows, report.anchors), (11, 2));
        let counts = reader.outbox_counts().expect("counted");
        assert_eq!(
            (counts.sent, counts.acknowledged, counts.dead, counts.pending),
            (4, 0, 1, 6),
            "a 2xx was no receipt"
        );
        assert_eq!(reader.stats(None, None).expect("asked").iter().map(|cell| cell.scans).sum::<u64>(), 10);
        let story = reader.query(&query::Filter {
            id: Some(reader.query(&Default::default()).expect("rows")[2].entry().expect("readable").id),
            ..Default::default()
        });
        assert_eq!(story.expect("asked").len(), 1);
    }

    #[test]
    fn a_code_that_was_used_before_the_upgrade_is_used_after_it_and_another_issuers_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut log = open(directory.path()).expect("opened");
        log.note_time(NOW, TimeTrust::Synced).expect("noted");
        let key = day_keys::read(&log.connection, NOW.day()).expect("asked").expect("made");
        let mut scan = row(0);
        scan.token = Some(key.token_1(&code(b"code")));
        log.append(&scan).expect("appended");
        let (writer, _thread) = writer(log);
        let mut memory = Memory::new(writer, Reader::open(&directory.path().join("scans.db")).expect("opened"));
        let now = NOW.plus(60_000);
        assert!(memory.seen(&code(b"code"), &["1"], now, 3600).expect("asked").is_some());
        let other = CodeId { issuer: "440000".parse().expect("a region"), id: b"code" };
        assert_eq!(memory.seen(&other, &["1"], now, 3600).expect("asked"), None);
    }
}

#[test]
fn another_program_that_reads_a_log_in_use_takes_nothing_from_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut log = open(directory.path()).expect("opened");
    log.append(&row(0)).expect("appended");
    // What a lane, the page and the upload do in the same process.
    drop(Reader::open(log.path()).expect("opened"));
    drop(Reader::open(log.path()).expect("opened"));
    let wal = side_files::beside(log.path(), "-wal");
    let other = std::process::Command::new("python3")
        .args(["-c", "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('SELECT count(*) FROM entries').fetchone(); d.close()"])
        .arg(log.path())
        .status();
    match other {
        Ok(status) => assert!(status.success()),
        Err(error) => eprintln!("skipped: python3 cannot be started ({error})"),
    }
    assert!(wal.exists(), "the other program took the log for one that nobody has");
    log.append(&row(1)).expect("appended");
    assert_eq!(Reader::open(log.path()).expect("opened").rows().expect("counted"), 3);
}

mod hangs {
    use super::*;
    use crate::log::openings::{Bounds, Objection};

    const WAIT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(60);

    /// A log whose writing connection waits so long for whoever else writes, and somebody who writes and does not end.
    fn held(directory: &Path, patience: Duration) -> (ScanLog, Connection) {
        let log = open(directory).expect("opened");
        log.connection.busy_timeout(patience).expect("set");
        let other = Connection::open(log.path()).expect("opened");
        other.execute_batch("BEGIN IMMEDIATE").expect("held");
        (log, other)
    }

    /// Opens for travellers as a lane does, until something objects.
    fn pass(writer: &Writer) -> (Vec<Receipt>, Objection) {
        let mut moved = Vec::new();
        for n in 0.. {
            match writer.opening(row(n).at_ms, WAIT) {
                Err(objection) => return (moved, objection),
                Ok(opening) => {
                    let receipt = writer.append_opening(&row(n), opening);
                    assert_eq!(receipt.wait(WAIT), Written::Late);
                    assert!(receipt.gate_moves());
                    moved.push(receipt);
                }
            }
        }
        unreachable!("something objects")
    }

    #[test]
    fn a_disk_that_hangs_lets_eight_gates_open_and_every_row_comes_when_it_is_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let (log, other) = held(directory.path(), LONG);
        let (writer, thread) = writer(log);
        let (moved, objection) = pass(&writer);
        // The bound of age may be met first where this machine is slow: never more than eight.
        assert!(moved.len() <= 8, "{}", moved.len());
        assert!(matches!(objection, Objection::TooMany(8)) || moved.len() < 8, "{objection:?}");
        assert!(writer.admissions().objection().is_some(), "and the page can say so");
        let mark = directory.path().join("scans.db-ahead");
        while !mark.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        other.execute_batch("ROLLBACK").expect("released");
        for receipt in &moved {
            assert!(matches!(receipt.wait(LONG), Written::Committed(_)));
        }
        assert_eq!(writer.admissions().objection(), None);
        drop(writer);
        thread.join().expect("an orderly end");
        assert!(!mark.exists(), "nothing is missing");
        let log = open(directory.path()).expect("opened");
        let gaps = "SELECT count(*) FROM entries WHERE kind = 'gap'";
        assert_eq!(log.connection.query_row(gaps, [], |row| row.get::<_, u64>(0)).expect("counted"), 0);
    }

    #[test]
    fn a_gate_that_opened_for_a_row_that_failed_is_counted_in_a_gap_row() {
        let directory = tempfile::tempdir().expect("a directory");
        let (log, other) = held(directory.path(), Duration::from_millis(300));
        let (writer, thread) = writer(log);
        let opening = writer.opening(NOW, WAIT).expect("nothing waits");
        let receipt = writer.append_opening(&row(0), opening);
        assert_eq!(receipt.wait(WAIT), Written::Late);
        assert!(receipt.gate_moves());
        assert_eq!(receipt.wait(LONG), Written::Failed(WriteFault::Busy));
        assert!(!receipt.gate_moves(), "it was decided about");
        assert_eq!(writer.admissions().lost().map(|lost| lost.openings), Some(1));
        other.execute_batch("ROLLBACK").expect("released");
        assert!(matches!(writer.append(&row(1)).wait(LONG), Written::Committed(_)));
        drop(writer);
        thread.join().expect("an orderly end");
        let reader = Reader::open(&directory.path().join("scans.db")).expect("opened");
        let filter = query::Filter { remarkable: true, ..query::Filter::default() };
        let rows = reader.query(&filter).expect("asked");
        let gaps: Vec<_> = rows
            .iter()
            .filter_map(|row| match row.entry().expect("readable").body {
                Body::Event(Event::Gap { openings, first_ms, last_ms, .. }) => Some((openings, first_ms, last_ms)),
                _ => None,
            })
            .collect();
        assert_eq!(gaps, [(Some(1), Some(NOW), Some(NOW))]);
        assert!(verify::verify(&reader, &verify::Evidence::default()).expect("read").is_sound());
    }

    #[test]
    fn after_an_end_while_gates_ran_ahead_the_next_start_says_how_many_rows_may_be_missing() {
        let directory = tempfile::tempdir().expect("a directory");
        drop(open(directory.path()).expect("opened"));
        let gaps = |log: &ScanLog| -> Vec<String> {
            let mut statement = log.connection.prepare("SELECT body FROM entries WHERE kind = 'gap'").expect("asked");
            let bodies = statement.query_map([], |row| row.get(0)).expect("asked");
            bodies.collect::<Result<_, _>>().expect("read")
        };
        let log = open(directory.path()).expect("opened");
        assert!(gaps(&log).is_empty(), "no gate ran ahead");
        unclean::mark(log.path(), u64::from(Bounds::default().openings)).expect("marked");
        drop(log);
        let log = open(directory.path()).expect("opened");
        assert!(matches!(&gaps(&log)[..], [gap] if gap.contains("\"at_most\":8")), "{:?}", gaps(&log));
        drop(log);
        assert_eq!(gaps(&open(directory.path()).expect("opened")).len(), 1, "once");
    }

    #[test]
    fn whoever_opens_a_log_that_does_not_answer_waits_no_longer_than_it_says() {
        let directory = tempfile::tempdir().expect("a directory");
        let (log, other) = held(directory.path(), Duration::ZERO);
        let path = log.path().to_owned();
        drop(log);
        let pending = ScanLog::open_aside(Options::new(path, signer(), Machine::real()), NOW).expect("a thread");
        assert!(pending.wait(Duration::from_millis(20)).is_none(), "somebody holds it");
        other.execute_batch("ROLLBACK").expect("released");
        assert!(pending.wait(LONG).expect("open in time").is_ok());
    }
}
