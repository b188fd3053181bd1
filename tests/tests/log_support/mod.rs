//! What the upload tests share: rows, a log that uploads, programs that are started and certainly ended.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::{
    collections::HashSet,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::mpsc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use cache::{
    log::{Direction, Options, Passage, Reader, ScanLog, ScanRow, UnixMillis, Writer, Written, note::NoteSigner},
    outbox::{Backoff, Counts},
};
use scanner::upload;
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
        let options = Options { upload: true, ..Options::new(&path, signer) };
        let log = ScanLog::open(options, UnixMillis(1_612_137_600_000)).expect("opened");
        Post { writer: Writer::spawn(log).0, path }
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
        let centre = upload::centre(&options).expect("good options");
        self.upload_through(options, centre)
    }

    /// The same, by a way of the caller's.
    pub fn upload_through(&self, options: upload::Options, mut centre: Box<dyn upload::Centre>) -> Uploading {
        let (stop, stopped) = mpsc::channel();
        let (sender, status) = watch::channel(upload::Status::default());
        let (writer, reader) = (self.writer.clone(), self.reader());
        let thread = std::thread::spawn(move || {
            upload::run(&options, &mut *centre, &writer, &reader, &stopped, &sender);
        });
        Uploading { stop: Some(stop), thread: Some(thread), status }
    }

    pub fn counts(&self) -> Counts {
        self.reader().outbox_counts().expect("counted")
    }

    /// Waits until nothing waits and nothing is being sent.
    pub fn wait_until_delivered(&self) -> Counts {
        let reader = self.reader();
        wait_for("the outbox to empty", Duration::from_secs(60), || {
            let counts = reader.outbox_counts().expect("counted");
            (counts.pending + counts.in_flight == 0).then_some(counts)
        })
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

/// A program that is killed when the test ends.
pub struct Program(pub Child);

impl Program {
    pub fn start(command: &mut Command) -> Program {
        Program(command.spawn().expect("started"))
    }

    /// SIGKILL, and wait until it is gone.
    pub fn kill(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("gone");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program's path, or `None` with a note that the test is skipped.
pub fn find(name: &str, package: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: {name} is not installed (Debian: apt-get install {package})");
    }
    found
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

pub fn wait_until_listening(port: u16) {
    wait_for("the server to listen", Duration::from_secs(20), || TcpStream::connect(("127.0.0.1", port)).ok());
}

pub fn wait_for<T>(what: &str, at_most: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ready() {
            return answer;
        }
        assert!(start.elapsed() < at_most, "waited {at_most:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
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

/// A certificate authority and a server certificate for 127.0.0.1, by openssl: `ca.pem`, `server.pem`, `server.key`.
pub fn certificates(directory: &Path, days: &str) -> Option<()> {
    let openssl = find("openssl", "openssl")?;
    let run = |arguments: &[&str]| {
        let output = Command::new(&openssl).current_dir(directory).args(arguments).output().expect("started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    std::fs::write(directory.join("server.ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").expect("written");
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let ca = ["-x509", "-subj", "/CN=Test CA", "-days", "30", "-keyout", "ca.key", "-out", "ca.pem"];
    run(&[&["req"], &key[..], &ca[..]].concat());
    let request = ["-subj", "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.csr"];
    run(&[&["req"], &key[..], &request[..]].concat());
    run(&[
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        days,
        "-extfile",
        "server.ext",
        "-out",
        "server.pem",
    ]);
    Some(())
}
