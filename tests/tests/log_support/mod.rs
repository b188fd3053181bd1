//! What the upload tests share: rows, and a log that uploads.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::mpsc,
    thread::JoinHandle,
    time::Duration,
};

#[path = "../programs/mod.rs"]
pub mod programs;

use cache::{
    exchange::{Health, Vitals},
    log::{
        Admissions, Direction, Options, Owed, Passage, Reader, ScanLog, ScanRow, UnixMillis, Writer, Written,
        note::NoteSigner, openings::Bounds,
    },
    outbox::Counts,
};
use host::{backoff::Backoff, clock::Clock};
use programs::wait_for;
use sync::upload;
use tests::machine;
use tokio::sync::watch;
use trustlist::{
    time::TimeTrust,
    verdict::{Reason, Verdict},
};

pub fn row(n: i64) -> ScanRow {
    ScanRow {
        at_ms: UnixMillis(1_612_137_600_000 + n * 1500),
        time_trust: TimeTrust::Synced,
        lane: format!("{}", n % 3 + 1),
        direction: Direction::Entry,
        verdict: if n % 7 == 0 { Verdict::Refer } else { Verdict::Admit },
        reason: if n % 7 == 0 { Reason::ListStale } else { Reason::Ok },
        detail: None,
        issuer: Some("420000".parse().expect("a region")),
        kid: Some("0123456789abcdef".into()),
        format: Some("MR1".into()),
        route: Some("direct".into()),
        list_generation: Some(17),
        list_age_s: Some(3600),
        token: None,
        time_to_verdict_us: 41_000,
        passage: Passage::Unobserved,
    }
}

/// A post with a log that owes its rows to a centre.
pub struct Post {
    pub writer: Writer,
    pub path: PathBuf,
}

impl Post {
    pub fn open(directory: &Path) -> Post {
        let path = directory.join("scans.db");
        let signer = NoteSigner::new("gate-3", &[5; 32]).expect("a name");
        let options = Options { owed: Owed::Receipt, ..Options::new(&path, signer, machine()) };
        let log = ScanLog::open(options, UnixMillis(1_612_137_600_000)).expect("opened");
        let admissions = Admissions::new(Bounds::default(), machine()).expect("randomness");
        Post { writer: Writer::spawn(log, admissions).0, path }
    }

    pub fn reader(&self) -> Reader {
        Reader::open(&self.path).expect("opened")
    }

    /// Appends rows; returns their ids.
    pub fn append(&self, rows: impl Iterator<Item = i64>) -> HashSet<String> {
        let receipts: Vec<_> = rows.map(|n| self.writer.append(&row(n))).collect();
        receipts
            .iter()
            .map(|receipt| {
                assert!(matches!(receipt.wait(Duration::from_secs(20)), Written::Committed(_)));
                receipt.id().to_string()
            })
            .collect()
    }

    /// Uploads on a thread until the answer is dropped and joined.
    pub fn upload(&self, options: upload::Options) -> Uploading {
        let centre = upload::centre(&options, &Clock::machine()).expect("good options");
        self.upload_through(options, centre)
    }

    /// The same, by a way of the caller's.
    pub fn upload_through(&self, options: upload::Options, mut centre: Box<dyn upload::Centre>) -> Uploading {
        let (stop, stopped) = mpsc::channel();
        let (sender, status) = watch::channel(upload::Status::default());
        let (writer, reader) = (self.writer.clone(), self.reader());
        let thread = std::thread::spawn(move || {
            let describe = || health(&options.post);
            upload::run((&options, &Clock::machine()), &mut *centre, (&writer, &reader), &describe, &stopped, &sender);
        });
        Uploading { stop: Some(stop), thread: Some(thread), status }
    }

    pub fn counts(&self) -> Counts {
        self.reader().outbox_counts().expect("counted")
    }

    /// Waits until nothing waits to be sent.
    pub fn wait_until_delivered(&self) -> Counts {
        let reader = self.reader();
        wait_for("the outbox to empty", Duration::from_secs(60), || {
            let counts = reader.outbox_counts().expect("counted");
            (counts.pending == 0).then_some(counts)
        })
    }
}

/// A post that is well.
fn health(post: &str) -> Health {
    Health {
        post: post.to_owned(),
        log: uuid::Uuid::nil(),
        counter: 0,
        at: UnixMillis(1_612_137_600_000),
        time_trust: TimeTrust::Synced,
        vitals: Vitals { build: "test".to_owned(), ..Vitals::default() },
    }
}

pub struct Uploading {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    pub status: watch::Receiver<upload::Status>,
}

impl Uploading {
    pub fn trouble(&self) -> Option<String> {
        self.status.borrow().trouble.clone()
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the uploader ends in order");
        }
    }
}

/// Options that do not keep a test waiting.
pub fn quick(url: &str) -> upload::Options {
    upload::Options {
        batch: 32,
        timeout: Duration::from_secs(5),
        backoff: Backoff { first: Duration::from_millis(20), cap: Duration::from_millis(200) },
        ..upload::Options::new(url, "gate-3")
    }
}

/// The ids of the rows in a file of lines, each `prefix` + `{"post":…,"row":{"id":…}}`, with repetitions.
pub fn ids(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let json: serde_json::Value = serde_json::from_str(&line[line.find('{')?..]).ok()?;
            Some(json["row"]["id"].as_str()?.to_owned())
        })
        .collect()
}
