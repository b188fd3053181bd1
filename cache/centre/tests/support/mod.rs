//! A centre of the test's own: the real program, a real PostgreSQL, and gates that send what real ones send.

// Each test program uses its own part of this.
#![allow(dead_code)]

pub mod fleet;
pub mod nats;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use cache::exchange::{Pinned, Slip};
use centre::{
    clock::now,
    simulate::{
        client::{Address, Answer, Connection},
        gate::Gate,
    },
};

use crate::programs::{Program, postgres::Postgres};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_checkpoint-centre");

/// A centre that runs.
pub struct Centre {
    pub program: Program,
    pub url: String,
    pub board: String,
    pub store: String,
    pub pinned: Pinned,
}

/// Everything of one test.
pub struct World {
    pub directory: tempfile::TempDir,
    pub postgres: Postgres,
    pub database: String,
}

impl World {
    /// A server with an empty database, migrated.
    pub fn new() -> Option<World> {
        let world = World::unmigrated()?;
        world.command(&["migrate"]);
        Some(world)
    }

    /// The same before its first migration.
    pub fn unmigrated() -> Option<World> {
        let directory = tempfile::tempdir().expect("a directory");
        let postgres = Postgres::start(directory.path())?;
        Some(World { directory, postgres, database: "postgres".to_owned() })
    }

    fn key(&self) -> PathBuf {
        self.directory.path().join("centre.key")
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.program(arguments).output().expect("started")
    }

    /// The program with this world's database and key.
    pub fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env("CENTRE_DATABASE", self.postgres.settings(&self.database));
        command.env("CENTRE_KEY", self.key()).env("RUST_LOG", "warn");
        command
    }

    /// What a command that succeeds prints.
    pub fn command(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    pub fn ask(&self, sql: &str) -> String {
        self.postgres.ask(&self.database, sql)
    }

    /// Starts the centre on an address; `127.0.0.1:0` for any.
    pub fn serve(&self, listen: &str, more: &[&str]) -> Centre {
        self.serve_at(listen, "http://centre.example", more)
    }

    /// The same, where posts are told this address.
    pub fn serve_at(&self, listen: &str, url: &str, more: &[&str]) -> Centre {
        let scheme = if more.contains(&"--certificate") { "https" } else { "http" };
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--listen", listen, "--board", "127.0.0.1:0", "--url", url]).args(more);
        command.env("CENTRE_DATABASE", self.postgres.settings(&self.database)).env("CENTRE_KEY", self.key());
        command.env("RUST_LOG", "warn").stdout(Stdio::piped());
        let mut program = Program::start(&mut command);
        let mut lines = BufReader::new(program.0.stdout.take().expect("piped")).lines();
        let mut line = || lines.next().expect("a line").expect("text");
        let first = line();
        // One line a key, and the last of them ends what it says at its start.
        let keys = std::iter::from_fn(|| Some(line())).take(if self.key().with_extension("key.next").exists() {
            2
        } else {
            1
        });
        let keys: Vec<String> = keys.collect();
        let word = |text: &str, after: &str, end: &[char]| {
            let rest = text.split_once(after).expect("said").1;
            rest.split(end).next().expect("a word").to_owned()
        };
        Centre {
            program,
            url: format!("{scheme}://{}", word(&first, "send to ", &[';'])),
            board: word(&first, "http://", &['/']),
            store: word(&first, "store ", &[' ']),
            pinned: Pinned::new(keys.iter().map(|key| word(key, "pin ", &[' ']).parse().expect("a key")).collect())
                .expect("one key or two"),
        }
    }

    /// A slip for a new post.
    pub fn slip(&self, post: &str) -> Slip {
        let text =
            self.command(&["enrol", post, "--url", "http://centre.example", "--lane", "1", "--lane", "2", "--json"]);
        slip(&text)
    }

    /// A gate that is enrolled and connected.
    pub async fn gate(&self, centre: &Centre, post: &str, seed: u64) -> (Gate, Connection) {
        let slip = self.slip(post);
        let gate = Gate::new(post, seed, centre.pinned.clone(), now()).expect("a name");
        let mut connection = centre.connect().await;
        let answer =
            connection.post("/v1/enrol", gate.request(&slip, now()).into_bytes(), false).await.expect("answered");
        assert_eq!(answer.status, 200, "{}", answer.text);
        (gate, connection)
    }
}

pub fn slip(json: &str) -> Slip {
    let value: serde_json::Value = serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
    value["slip"].as_str().expect("a slip").parse().expect("a slip")
}

impl Centre {
    pub async fn connect(&self) -> Connection {
        Address::parse(&self.url, None).expect("an address").connect().await.expect("connected")
    }

    /// The board's page, or its metrics.
    pub fn see(&self, path: &str) -> String {
        let mut answer = ureq::get(format!("http://{}{path}", self.board)).call().expect("answered");
        answer.body_mut().read_to_string().expect("text")
    }
}

/// Sends all that a gate owes.
pub async fn deliver(gate: &mut Gate, connection: &mut Connection) -> Answer {
    loop {
        let bytes = gate.rows(1000, now());
        let answer = connection.post("/v1/batch", Gate::packed(&bytes), true).await.expect("answered");
        if answer.status != 200 {
            return answer;
        }
        gate.hear(&answer.text).expect("a receipt");
        if gate.owed.1.is_empty() {
            return answer;
        }
    }
}

pub fn scans(gate: &mut Gate, rows: i64) {
    for row in 0..rows {
        gate.scan(cache::log::UnixMillis(now().0 - (rows - row) * 1000));
    }
}

/// Waits, asking again and again.
pub async fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fleet").join(name)
}
