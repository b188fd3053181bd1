//! What the documents say of `checkpointd` is true: their commands run, and print what they show.

#![cfg(unix)]
#![expect(clippy::disallowed_methods, reason = "a whole program is watched in the time of this machine")]

mod blocks;
mod sample;
mod session;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use cache::{
    log::{Direction, Options, Passage, ScanLog, ScanRow, UnixMillis, note::NoteSigner},
    machine::Machine,
};
use host::{chance, clock::Clock};
use scanner::demo::country;
use trustlist::{
    time::{TimeTrust, UnixTime},
    verdict::Reason,
};

/// Every command of these documents is run by a test of another program: `trustlist/authority/tests/document.rs`, which reads its blocks by
/// a rule of its own, and `cache/centre/tests/document.rs`.
const OF_THE_AUTHORITY: &str = "docs/authority.md";
const OF_THE_CENTRE: &str = "docs/fleet.md";

#[test]
fn every_block_of_commands_in_a_document_says_whether_it_is_run() {
    let (marked, unmarked): (Vec<_>, Vec<_>) =
        documents().iter().map(|document| session::read(document)).partition(Result::is_ok);
    let unmarked: Vec<String> = unmarked.into_iter().filter_map(Result::err).collect();
    assert!(unmarked.is_empty(), "{}", unmarked.join("\n"));
    let blocks: usize = marked.into_iter().flatten().map(|blocks| blocks.len()).sum();
    assert!(blocks > 20, "the documents have commands: {blocks} blocks");
}

#[test]
fn commands_in_the_documents_do_and_print_what_the_documents_say() {
    let documents = documents();
    let checkpointd = env!("CARGO_BIN_EXE_checkpointd");
    let kept = tempfile::tempdir().expect("a folder");
    keep(kept.path());
    let program = [("checkpointd", checkpointd)];
    let ours = documents.iter().filter(|document| *document != Path::new(OF_THE_CENTRE));
    let wrong: Vec<String> = ours.flat_map(|document| session::run(document, &program, kept.path())).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Every document of the project but that one, in order.
fn documents() -> Vec<PathBuf> {
    let listed =
        Command::new("git").args(["ls-files", "*.md"]).current_dir(session::project()).output().expect("git starts");
    let listed = String::from_utf8(listed.stdout).expect("names");
    let documents: Vec<PathBuf> = listed.lines().filter(|name| *name != OF_THE_AUTHORITY).map(PathBuf::from).collect();
    assert!(documents.contains(&PathBuf::from("README.md")), "the tests run in a clone: {documents:?}");
    documents
}

/// What a demonstration keeps, without its minutes: a country's lists, its travellers' codes, and a log with the last two rows.
fn keep(folder: &Path) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    let now = i64::try_from(now).expect("before the end of time");
    let country = country::country(UnixTime(now)).expect("made");
    for (path, bytes) in &country.files {
        let path = folder.join("trust").join(path);
        fs::create_dir_all(path.parent().expect("a folder above it")).expect("made");
        fs::write(path, bytes).expect("written");
    }
    let codes: String = country.travellers.iter().map(|traveller| traveller.text.clone() + "\n").collect();
    fs::write(folder.join("codes.txt"), codes).expect("written");
    let signer = NoteSigner::new("gate-3", &[5; 32]).expect("a name");
    let machine = Machine::new(|| Clock::machine().now(), chance::fill);
    let options = Options::new(folder.join("scans.db"), signer, machine);
    let mut log = ScanLog::open(options, UnixMillis(now * 1000)).expect("opened");
    for reason in [Reason::UnknownIssuer, Reason::Malformed] {
        log.append(&row(UnixMillis(now * 1000), reason)).expect("appended");
    }
}

fn row(at_ms: UnixMillis, reason: Reason) -> ScanRow {
    ScanRow {
        at_ms,
        time_trust: TimeTrust::Synced,
        lane: "1".to_owned(),
        direction: Direction::Entry,
        verdict: reason.verdict(),
        reason,
        detail: None,
        issuer: None,
        kid: None,
        format: None,
        route: None,
        list_generation: None,
        list_age_s: None,
        token: None,
        time_to_verdict_us: 1000,
        passage: Passage::Unobserved,
    }
}

#[test]
fn every_place_that_the_map_and_the_walks_name_is_there() {
    let mut places = 0;
    for document in ["docs/architecture.md", "CONTRIBUTING.md", "SECURITY.md"] {
        let text = fs::read_to_string(session::project().join(document)).expect("a document");
        // Every second part stands between backticks.
        for place in text.split('`').skip(1).step_by(2) {
            let named =
                place.contains('/') && !place.contains([' ', '<', '*', '$', '…', ':']) && !place.starts_with('/');
            if named {
                places += 1;
                assert!(session::project().join(place).exists(), "{document} names {place}, which is not there");
            }
        }
    }
    assert!(places > 40, "the documents name places: {places}");
}
