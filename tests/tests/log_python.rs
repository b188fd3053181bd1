//! The format proven twice: a Python program written from `cache/LOG.md` alone agrees with ours on sound and doctored logs.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use cache::log::{
    Direction, Options, Passage, Reader, ScanLog, ScanRow, UnixMillis,
    export::{self, Span},
    lived::Uptime,
    note::NoteSigner,
    retention::Retention,
};
use tests::machine;
use trustlist::{
    time::{Moment, TimeTrust, UnixTime},
    verdict::{Reason, Verdict},
};

const START: i64 = 1_612_137_600_000;

fn signer() -> NoteSigner {
    NoteSigner::new("gate-3", &[5; 32]).expect("a name")
}

fn row(n: i64) -> ScanRow {
    ScanRow {
        at_ms: UnixMillis(START + n * 3_600_000),
        time_trust: TimeTrust::Synced,
        lane: "北 1 \"entry\"".into(),
        direction: Direction::Entry,
        verdict: Verdict::Refer,
        reason: Reason::ListStale,
        detail: None,
        issuer: Some("440000".parse().expect("a region")),
        kid: None,
        format: Some("MR1".into()),
        route: None,
        list_generation: Some(3),
        list_age_s: Some(-5),
        token: None,
        time_to_verdict_us: 1,
        passage: Passage::Unobserved,
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python/verify_log.py")
}

/// `None`, with a note, where there is no Python.
fn python(arguments: &[&Path], flags: &[&str]) -> Option<Output> {
    match Command::new("python3").arg(script()).args(arguments).args(flags).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("skipped: python3 cannot be started ({error})");
            None
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_second_implementation_agrees_across_a_retention_cut_and_about_a_doctored_row() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("scans.db");
    let key = directory.path().join("device.pub");
    std::fs::write(&key, signer().verifier().to_string()).expect("written");
    let mut log = ScanLog::open(Options::new(&path, signer(), machine()), UnixMillis(START)).expect("opened");
    for n in 0..300 {
        log.append(&row(n)).expect("appended");
    }
    log.anchor().expect("anchored");
    drop(log);
    // The same device, a fortnight of its life later.
    let mut options = Options::new(&path, signer(), machine());
    options.uptime = options.uptime.map(|uptime| Uptime { up: uptime.up + Duration::from_secs(14 * 86_400), ..uptime });
    let mut log = ScanLog::open(options, UnixMillis(START)).expect("opened");
    for n in 300..600 {
        log.append(&row(n)).expect("appended");
    }
    log.anchor().expect("anchored");

    let key_flag = ["--key", key.to_str().expect("a name")];
    let Some(output) = python(&[&path], &key_flag) else { return };
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(said(&output).trim(), "sound: 601 rows, 1 to 601, anchored to 601");

    let now = Moment::synced(UnixTime(START / 1000 + 600 * 3600));
    assert!(log.retain(Retention::default(), now).expect("cut").rows > 200);
    log.sweep().expect("swept");
    let output = python(&[&path], &key_flag).expect("python ran before");
    assert!(output.status.success(), "half swept: {}", said(&output));
    while log.sweep().expect("swept") {}
    let output = python(&[&path], &key_flag).expect("python ran before");
    assert!(output.status.success(), "swept: {}", said(&output));

    let copy = directory.path().join("copy.db");
    let from = Some(UnixMillis(START + 400 * 3_600_000));
    export::sqlite(&Reader::open(&path).expect("opened"), Span { from, until: None }, &copy).expect("exported");
    let output = python(&[&copy], &[&key_flag[..], &["--excerpt"]].concat()).expect("python ran before");
    assert!(output.status.success(), "excerpt: {}", said(&output));

    drop(log);
    let doctored = "import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); \
         d.execute(\"UPDATE entries SET body=replace(body,'refer','admit') WHERE seq=500\"); d.commit()";
    assert!(Command::new("python3").args(["-c", doctored]).arg(&path).status().expect("started").success());
    let output = python(&[&path], &key_flag).expect("python ran before");
    assert_eq!(said(&output).trim(), "row 500 was changed, moved or put in");
    assert_eq!(output.status.code(), Some(1));
}
