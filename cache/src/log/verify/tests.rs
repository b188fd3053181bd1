//! Doctored logs. The doctor works on the file as an attacker with SQLite would.

use std::path::PathBuf;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::machine::Machine;
use trustlist::{time::TimeTrust, verdict::Verdict};

use crate::log::{
    Options, ScanLog, UnixMillis,
    note::NoteSigner,
    officer::{Word, tests::signed},
    row::tests::row,
};

const NOW: UnixMillis = UnixMillis(1_612_137_600_000);

fn signer() -> NoteSigner {
    NoteSigner::new("gate-3", &[5; 32]).expect("a name")
}

/// A log of `rows` scans after its beginning, anchored at the end.
fn log(rows: i64) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("scans.db");
    let mut log = ScanLog::open(Options::new(&path, signer(), Machine::real()), NOW).expect("opened");
    let ids: Vec<_> = (0..rows)
        .map(|n| {
            let row = row(n);
            let id = crate::log::row::new_id(&Machine::real(), row.at_ms).expect("randomness");
            crate::log::Change::Row { body: row.body(&id), at: row.at_ms, trust: row.time_trust }
        })
        .collect();
    for group in ids.chunks(100) {
        log.commit(group).expect("committed");
    }
    log.anchor().expect("anchored");
    (directory, path)
}

fn check(path: &std::path::Path, anchors: &[String]) -> Report {
    let evidence = Evidence { keys: vec![signer().verifier()], anchors: anchors.to_vec(), ..Evidence::default() };
    verify(&Reader::open(path).expect("opened"), &evidence).expect("read")
}

fn doctor(path: &std::path::Path, sql: &str) {
    Connection::open(path).expect("opened").execute_batch(sql).expect("doctored");
}

/// Chains everything anew from `seq` on, as a careful forger would.
fn rechain(path: &std::path::Path, seq: u64) {
    let connection = Connection::open(path).expect("opened");
    let mut head = Head {
        seq: seq - 1,
        hash: connection
            .query_row("SELECT hash FROM entries WHERE seq = ?1", [seq - 1], |row| row.get(0))
            .expect("a row before"),
    };
    loop {
        let body: Result<String, _> =
            connection.query_row("SELECT body FROM entries WHERE seq = ?1", [head.seq + 1], |row| row.get(0));
        let Ok(body) = body else { break };
        let next = head.followed_by(&body);
        connection
            .execute("UPDATE entries SET previous = ?2, hash = ?3 WHERE seq = ?1", (next.seq, head.hash, next.hash))
            .expect("chained");
        head = next;
    }
}

fn last_anchor(path: &std::path::Path) -> String {
    let connection = Connection::open(path).expect("opened");
    connection.query_row("SELECT note FROM anchors ORDER BY seq DESC LIMIT 1", [], |row| row.get(0)).expect("an anchor")
}

#[test]
fn an_untouched_log_is_sound_and_covered_to_its_end() {
    let (_directory, path) = log(600);
    let report = check(&path, &[]);
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.first, report.last, report.rows, report.anchored), (1, 601, 601, 601));
    assert!(report.anchors >= 3, "{report:?}");
}

#[test]
fn an_edited_row_is_named() {
    let (_directory, path) = log(300);
    doctor(&path, "UPDATE entries SET body = replace(body, '\"admit\"', '\"refuse\"') WHERE seq = 77");
    let report = check(&path, &[]);
    assert!(matches!(&report.findings[..], [Finding::Edited { seq: 77, .. }]), "{report:?}");
    assert_eq!(report.first_bad_row(), Some(77));
}

#[test]
fn an_edited_row_with_its_own_hash_mended_is_named() {
    let (_directory, path) = log(300);
    doctor(&path, "UPDATE entries SET body = replace(body, '\"admit\"', '\"refuse\"') WHERE seq = 77");
    let connection = Connection::open(&path).expect("opened");
    let (previous, body): ([u8; 32], String) = connection
        .query_row("SELECT previous, body FROM entries WHERE seq = 77", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("a row");
    connection
        .execute("UPDATE entries SET hash = ?1 WHERE seq = 77", [chain::hash(77, &previous, &body)])
        .expect("mended");
    assert_eq!(check(&path, &[]).findings, [Finding::Replaced { seq: 77 }]);
}

#[test]
fn removed_rows_are_named() {
    let (_directory, path) = log(300);
    doctor(&path, "DELETE FROM entries WHERE seq BETWEEN 50 AND 52");
    let report = check(&path, &[]);
    assert_eq!(report.findings, [Finding::Missing { from: 50, through: 52 }]);
}

#[test]
fn a_removed_row_whose_successors_moved_up_is_found_where_they_begin() {
    let (_directory, path) = log(300);
    doctor(&path, "DELETE FROM entries WHERE seq = 50; UPDATE entries SET seq = seq - 1 WHERE seq > 50");
    assert_eq!(check(&path, &[]).first_bad_row(), Some(50));
}

#[test]
fn reordered_rows_are_found_at_the_first() {
    let (_directory, path) = log(300);
    doctor(
        &path,
        "CREATE TEMP TABLE t AS SELECT * FROM entries WHERE seq IN (60, 61);
         DELETE FROM entries WHERE seq IN (60, 61);
         INSERT INTO entries (seq, body, previous, hash) SELECT 121 - seq, body, previous, hash FROM t;",
    );
    assert_eq!(check(&path, &[]).first_bad_row(), Some(60));
}

#[test]
fn an_inserted_row_is_found_by_whatever_it_pushes() {
    let (_directory, path) = log(300);
    doctor(
        &path,
        "UPDATE entries SET seq = -seq - 1 WHERE seq >= 90; UPDATE entries SET seq = -seq WHERE seq < 0;
         INSERT INTO entries (seq, body, previous, hash)
         SELECT 90, replace(body, id, 'feedbeef-0000-7000-8000-000000000000'), previous, hash FROM entries WHERE seq = 89",
    );
    assert_eq!(check(&path, &[]).first_bad_row(), Some(90));
}

#[test]
fn a_chain_forged_anew_runs_into_the_next_anchor() {
    let (_directory, path) = log(600);
    doctor(&path, "UPDATE entries SET body = replace(body, '\"admit\"', '\"refuse\"') WHERE seq = 300");
    rechain(&path, 300);
    let report = check(&path, &[]);
    let [Finding::Rewritten { from, through }] = report.findings[..] else { panic!("{report:?}") };
    assert!((from..=through).contains(&300), "{report:?}");
}

#[test]
fn a_cut_tail_is_found_by_the_stored_anchor_and_by_one_seen_earlier() {
    let (_directory, path) = log(300);
    let seen = last_anchor(&path);
    doctor(&path, "DELETE FROM entries WHERE seq > 280");
    assert_eq!(check(&path, &[]).findings, [Finding::TailGone { last: 280, anchored: 301 }]);
    doctor(&path, "DELETE FROM anchors WHERE seq > 280");
    assert!(check(&path, &[]).is_sound(), "without the anchor nobody can know");
    assert_eq!(check(&path, &[seen]).findings, [Finding::TailGone { last: 280, anchored: 301 }]);
}

#[test]
fn an_anchor_of_another_key_another_log_and_no_anchor_at_all_are_told_apart() {
    let (_directory, path) = log(10);
    let (_other_directory, other) = log(10);
    assert!(matches!(check(&path, &[last_anchor(&other)]).findings[..], [Finding::OtherLog { .. }]));
    let stranger = NoteSigner::new("gate-4", &[6; 32]).expect("a name");
    let evidence = Evidence { keys: vec![stranger.verifier()], ..Evidence::default() };
    let report = verify(&Reader::open(&path).expect("opened"), &evidence).expect("read");
    assert!(matches!(report.findings[0], Finding::BadAnchor { seq: Some(_), .. }), "{report:?}");
    assert!(matches!(check(&path, &["hello".into()]).findings[..], [Finding::BadAnchor { seq: None, .. }]));
}

#[test]
fn a_beginning_that_is_gone_without_receipt_is_found() {
    let (_directory, path) = log(600);
    doctor(&path, "DELETE FROM entries WHERE seq <= 100; DELETE FROM anchors WHERE seq <= 100");
    assert_eq!(check(&path, &[]).findings, [Finding::BeginningGone { first: 101 }]);
}

#[test]
fn without_a_key_from_outside_the_logs_own_is_used_and_the_report_says_so() {
    let (_directory, path) = log(10);
    let report = verify(&Reader::open(&path).expect("opened"), &Evidence::default()).expect("read");
    assert!(report.is_sound() && !report.keys_from_outside, "{report:?}");
}

#[test]
fn an_officers_word_proves_itself_and_one_that_nobody_signed_is_found_however_well_it_is_chained() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = Options::new(directory.path().join("scans.db"), signer(), Machine::real());
    let mut log = ScanLog::open(options, NOW).expect("opened");
    let (scan, _) = log.append(&row(0)).expect("appended");
    let good = signed(scan, Verdict::Admit, 1);
    log.record(&Event::Override(good.clone()), NOW, TimeTrust::Synced).expect("recorded");
    let reader = Reader::open(log.path()).expect("opened");
    let found = |officers: Option<&str>| {
        let officers = officers.map(|text| Officers::parse(text).expect("a list"));
        let report = verify(&reader, &Evidence { officers, ..Evidence::default() }).expect("readable");
        (report.words, report.findings)
    };
    assert_eq!(found(None), (1, vec![]));
    assert_eq!(found(Some(&format!("steward {}", good.key))), (1, vec![]));
    assert_eq!(found(Some("")), (0, vec![Finding::BadWord { seq: 3 }]), "no officer of that list");
    // The device itself cannot make one up: it holds no officer's key.
    let made_up = Word { verdict: Verdict::Refuse, ..good };
    log.record(&Event::Override(made_up), NOW, TimeTrust::Synced).expect("recorded");
    assert_eq!(found(None), (1, vec![Finding::BadWord { seq: 4 }]));
}
