//! The commands on a small log, as a script or a person would use them.

use std::time::Duration;

use cache::{
    log::{Direction, Event, Options, Owed, Passage, ScanLog, ScanRow, device_key, lived::Uptime},
    outbox::OutboxUpdate,
};
use clap::Parser;
use trustlist::{
    time::TimeTrust,
    verdict::{Reason, Verdict},
};

use super::*;
use crate::daemon::machine;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

const START: i64 = 1_612_137_600_000;

fn row(n: i64) -> ScanRow {
    ScanRow {
        at_ms: UnixMillis(START + n * 60_000),
        time_trust: TimeTrust::Synced,
        lane: format!("{}", n % 2 + 1),
        direction: Direction::Entry,
        verdict: if n % 5 == 0 { Verdict::Refer } else { Verdict::Admit },
        reason: if n % 5 == 0 { Reason::ListStale } else { Reason::Ok },
        detail: None,
        issuer: Some("420000".parse().expect("a region")),
        kid: None,
        format: Some("MR1".into()),
        route: None,
        list_generation: Some(1),
        list_age_s: Some(60),
        token: None,
        time_to_verdict_us: 41_500,
        passage: Passage::Unobserved,
    }
}

#[expect(clippy::disallowed_methods, reason = "a log of this machine")]
fn clock() -> Clock {
    Clock::machine()
}

fn post() -> (tempfile::TempDir, LogPlace) {
    let directory = tempfile::tempdir().expect("a directory");
    let place = LogPlace {
        runtime: directory.path().join("run"),
        database: directory.path().join("scans.db"),
        key: directory.path().join("device.key"),
        post: "gate-3".into(),
        receipts: Some(host::config::Receipts::Signed),
        retention_days: 14,
    };
    let signer = device_key::open_or_make(&place.key, &place.post).expect("a key");
    let options = Options { owed: Owed::Receipt, ..Options::new(&place.database, signer, machine(&clock())) };
    let mut log = ScanLog::open(options, UnixMillis(START)).expect("opened");
    for n in 0..90 {
        log.append(&row(n)).expect("appended");
    }
    log.anchor().expect("anchored");
    (directory, place)
}

/// Runs a command line; its output and how it ended.
fn say(place: &LogPlace, line: &str) -> (String, Result<Exit, Failure>) {
    let words = std::iter::once("log").chain(line.split(' '));
    let arguments = Line::try_parse_from(words).expect("a good line").arguments;
    let mut place = place.clone();
    if let Some(database) = arguments.database {
        place.database = database;
    }
    let mut out = Vec::new();
    let exit = answer(&place, &clock(), arguments.what, &mut out);
    (String::from_utf8(out).expect("text"), exit)
}

#[test]
fn rows_are_shown_in_a_table_a_person_can_read_or_as_json_lines() {
    let (_directory, place) = post();
    let (table, _) = say(&place, "query --reason list-stale --lane 1 --limit 2");
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(lines[0].starts_with("TIME"), "{table}");
    assert!(lines[1].starts_with("2021-02-01T01:20:00.000Z  1      entry  refer   list-stale"), "{table}");
    let (json, _) = say(&place, "query --json --limit 500");
    assert_eq!(json.lines().count(), 90);
    assert!(json.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let (stats, _) = say(&place, "stats");
    assert_eq!(stats.lines().count(), 5, "{stats}");
    assert!(stats.contains("41.5"), "{stats}");
}

#[test]
fn a_sound_log_verifies_with_key_and_anchor_and_a_wrong_anchor_is_named() {
    let (directory, place) = post();
    let (anchor, _) = say(&place, "anchor");
    let (key, _) = say(&place, "anchor --public-key");
    let (anchor_file, key_file) = (directory.path().join("anchor"), directory.path().join("key"));
    std::fs::write(&anchor_file, anchor).expect("written");
    std::fs::write(&key_file, key).expect("written");
    let line = format!("verify --anchor {} --public-key {}", anchor_file.display(), key_file.display());
    let (text, exit) = say(&place, &line);
    assert_eq!(exit.expect("read"), Exit::Ok, "{text}");
    assert!(text.starts_with("sound: 91 rows, 1 to 91"), "{text}");

    std::fs::write(&anchor_file, "not an anchor\n").expect("written");
    let (text, exit) = say(&place, &line);
    assert_eq!(exit.expect("read"), Exit::Failure);
    assert!(text.contains("WRONG  the anchor that was brought along"), "{text}");
}

#[test]
fn an_export_is_written_once_and_verifies_as_an_excerpt() {
    let (directory, place) = post();
    for (format, name) in [("csv", "a.csv"), ("jsonl", "a.jsonl"), ("sqlite", "a.db")] {
        let file = directory.path().join(name);
        let line = format!("export --format {format} --from 2021-02-01T00:30:00Z {}", file.display());
        let (text, exit) = say(&place, &line);
        exit.unwrap_or_else(|failure| panic!("{failure}"));
        assert!(text.contains(": 60 rows"), "{text}");
        assert!(say(&place, &line).1.is_err(), "nothing is overwritten");
    }
    let copy = directory.path().join("a.db");
    let (text, exit) = say(&place, &format!("verify --database {} --excerpt --json", copy.display()));
    assert_eq!(exit.expect("read"), Exit::Failure, "an excerpt names no key of its own: {text}");
    let key_file = directory.path().join("key");
    std::fs::write(&key_file, say(&place, "anchor --public-key").0).expect("written");
    let line = format!("verify --database {} --excerpt --public-key {}", copy.display(), key_file.display());
    let (text, exit) = say(&place, &line);
    assert_eq!(exit.expect("read"), Exit::Ok, "{text}");
}

#[test]
fn pruning_deletes_old_rows_and_the_log_still_verifies() {
    let (_directory, place) = post();
    let now = trustlist::time::Moment::synced(UnixTime(START / 1000 + 60 * 86_400));
    let mut log = maintain::write(&place, &clock()).expect("opened");
    let text = maintain::forget(&mut log, 1, now).expect("asked");
    assert!(text.starts_with("0 rows older") && text.contains("the clock deletes nothing before"), "{text}");
    drop(log);
    // The same device, two months of its life later.
    let signer = device_key::open_or_make(&place.key, &place.post).expect("a key");
    let mut options = Options::new(&place.database, signer, machine(&clock()));
    options.uptime = options.uptime.map(|uptime| Uptime { up: uptime.up + Duration::from_secs(60 * 86_400), ..uptime });
    let mut log = ScanLog::open(options, UnixMillis(START)).expect("opened");
    let text = maintain::forget(&mut log, 1, now).expect("forgotten");
    assert!(text.starts_with("91 rows older than 1 days deleted (0 never acknowledged"), "{text}");
    drop(log);
    let (text, exit) = say(&place, "verify");
    assert_eq!(exit.expect("read"), Exit::Ok, "{text}");
    assert!(text.contains("rows 1 to 91 were deleted by retention"), "{text}");
}

#[test]
fn the_outbox_is_counted_dead_letters_are_shown_and_tried_again() {
    let (_directory, place) = post();
    let mut log = maintain::write(&place, &clock()).expect("opened");
    let dead = OutboxUpdate::Dead(vec![7], "422 no such lane \u{1b}[31m".into());
    log.update_outbox(dead).expect("kept");
    drop(log);
    let (text, _) = say(&place, "outbox");
    assert!(
        text.starts_with("90 waiting, 0 sent, 0 acknowledged by the centre's receipts, 1 refused\nrow 7 "),
        "{text}"
    );
    assert!(text.contains("422 no such lane \\u{1b}[31m") && !text.contains('\u{1b}'), "{text}");
    assert!(say(&place, "outbox --retry 8").1.is_err(), "8 is no dead letter");
    let (text, _) = say(&place, "outbox --retry 7");
    assert!(text.starts_with("91 waiting"), "{text}");
}

#[test]
fn rows_that_were_sent_are_sent_again_when_somebody_says_so() {
    let (_directory, place) = post();
    let mut log = maintain::write(&place, &clock()).expect("opened");
    log.update_outbox(OutboxUpdate::Sent((1..=80).collect())).expect("kept");
    drop(log);
    let (text, exit) = say(&place, "resend 11..20");
    assert_eq!(exit.expect("asked"), Exit::Ok);
    assert!(text.starts_with("10 rows are sent again; 21 wait"), "{text}");
    for wrong in ["resend 0..3", "resend 7", "resend 9..8"] {
        assert!(Line::try_parse_from(std::iter::once("log").chain(wrong.split(' '))).is_err(), "{wrong}");
    }
}

#[test]
fn a_decision_by_hand_a_gap_and_a_moved_floor_stand_among_the_scans() {
    let (_directory, place) = post();
    let mut log = maintain::write(&place, &clock()).expect("opened");
    let at = row(89).at_ms;
    let gap = Event::Gap { openings: Some(3), at_most: None, first_ms: Some(at), last_ms: Some(at) };
    log.record(&gap, at, TimeTrust::Synced).expect("recorded");
    log.move_floor(at, "settled-by-root", at).expect("moved");
    drop(log);
    let (text, _) = say(&place, "query --limit 3");
    assert!(text.contains("gap: 3 openings without a row") && text.contains("by settled-by-root"), "{text}");
}

#[test]
fn a_log_that_is_not_there_or_none_is_told_plainly_and_not_begun() {
    let (directory, place) = post();
    let missing = LogPlace { database: directory.path().join("missing.db"), ..place.clone() };
    for line in ["query", "verify", "prune", "outbox --retry all"] {
        let failure = say(&missing, line).1.expect_err("no log");
        assert!(failure.to_string().contains("missing.db"), "{failure}");
    }
    assert!(!missing.database.exists());
    let text = directory.path().join("config.toml");
    std::fs::write(&text, "[log]\nretention = \"14d\"\n").expect("written");
    let failure = say(&LogPlace { database: text, ..place }, "query").1.expect_err("no log");
    assert!(failure.to_string().contains("not a database"), "{failure}");
}
