//! The fleet example of `docs/fleet.md`, tried: post → Mosquitto → bridge → PostgreSQL, and every query.

mod log_support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use log_support::{
    Post,
    programs::{Program, find, free_port, skipped, wait_for, wait_until_listening},
    quick, row,
};

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/fleet")
}

/// PostgreSQL refuses to run as root; Debian's package brings a user for it.
fn as_postgres(program: &Path) -> Command {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if root {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

struct Database {
    directory: PathBuf,
    ctl: PathBuf,
    port: u16,
}

impl Database {
    fn start(directory: &Path) -> Option<Database> {
        let installed = fs::read_dir("/usr/lib/postgresql").ok().and_then(|mut versions| versions.next()?.ok());
        let Some(installed) = installed else {
            skipped("PostgreSQL", "postgresql");
            return None;
        };
        let bin = installed.path().join("bin");
        let data = directory.join("postgres");
        let quiet = |command: &mut Command| {
            let output = command.current_dir("/").output().expect("started");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        fs::create_dir(&data).expect("made");
        if Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n") {
            quiet(Command::new("chmod").arg("755").arg(directory));
            quiet(Command::new("chown").arg("postgres").arg(&data));
        }
        quiet(as_postgres(&bin.join("initdb")).args(["-U", "fleet", "-A", "trust", "-D"]).arg(&data));
        let port = free_port();
        let settings = format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''");
        let ctl = bin.join("pg_ctl");
        let mut start = as_postgres(&ctl);
        start.args(["-w", "-o", &settings, "-l"]).arg(data.join("journal")).arg("-D").arg(&data).arg("start");
        let started = start.current_dir("/").stdout(Stdio::null()).stderr(Stdio::null()).status().expect("started");
        assert!(started.success(), "{}", fs::read_to_string(data.join("journal")).unwrap_or_default());
        Some(Database { directory: data, ctl, port })
    }

    fn psql(&self, arguments: &[&str]) -> String {
        let output = Command::new("psql")
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "fleet", "-d", "postgres"])
            .args(["-v", "ON_ERROR_STOP=1", "-At"])
            .args(arguments)
            .output()
            .expect("started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = as_postgres(&self.ctl)
            .args(["-m", "immediate", "-D"])
            .arg(&self.directory)
            .arg("stop")
            .current_dir("/")
            .output();
    }
}

#[test]
fn rows_reach_the_centres_tables_once_and_each_question_is_answered() {
    let directory = tempfile::tempdir().expect("a directory");
    let (Some(mosquitto), Some(_)) = (find("mosquitto", "mosquitto"), find("psql", "postgresql-client")) else {
        return;
    };
    let modules = Command::new("/usr/bin/python3").args(["-c", "import paho.mqtt.client, psycopg2"]).output();
    if !modules.is_ok_and(|output| output.status.success()) {
        skipped("what the bridge needs", "python3-paho-mqtt python3-psycopg2");
        return;
    }
    let Some(database) = Database::start(directory.path()) else { return };
    database.psql(&["-q", "-f", documents().join("schema.sql").to_str().expect("a name")]);

    let port = free_port();
    let config = directory.path().join("mosquitto.conf");
    fs::write(&config, format!("listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"))
        .expect("written");
    let _broker =
        Program::start(Command::new(mosquitto).arg("-c").arg(&config).stdout(Stdio::null()).stderr(Stdio::null()));
    wait_until_listening(port);
    let bridge = || {
        Program::start(
            Command::new("/usr/bin/python3")
                .arg(documents().join("mqtt-to-postgres.py"))
                .args(["127.0.0.1", &port.to_string()])
                .arg(format!("host=127.0.0.1 port={} user=fleet dbname=postgres", database.port)),
        )
    };
    let mut first = bridge();
    // From its first subscription on the broker keeps everything for the bridge; before it, nobody would.
    let retained = ["-r", "-t", "checkpoint/probe/state", "-m", "{\"state\":\"probe\"}"];
    let probe = Command::new("mosquitto_pub").args(["-p", &port.to_string()]).args(retained).status().expect("started");
    assert!(probe.success());
    wait_for("the bridge to subscribe", Duration::from_secs(20), || {
        (database.psql(&["-c", "SELECT count(*) FROM checkpoint_posts"]).trim() == "1").then_some(())
    });

    // An hour of two lanes, ending now on one and a quarter of an hour ago on the other.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let post = Post::open(directory.path());
    let uploading = post.upload(quick(&format!("mqtt://127.0.0.1:{port}")));
    for n in 0..240 {
        let mut scan = row(n);
        let back = (239 - n) * 15_000;
        scan.lane = if n % 2 == 0 { "1".into() } else { "2".into() };
        scan.at_ms.0 = now - back - if n % 2 == 0 { 0 } else { 900_000 };
        scan.list_age_s = Some(if n % 2 == 0 { 3600 } else { 100_000 });
        let receipt = post.writer.append(&scan);
        if n % 60 == 59 {
            assert!(matches!(receipt.wait(Duration::from_secs(20)), cache::log::Written::Committed(_)));
        }
        if n == 120 {
            // The bridge is killed in the middle; the broker keeps what it had not acknowledged.
            wait_for("first rows", Duration::from_secs(20), || {
                (database.psql(&["-c", "SELECT count(*) FROM checkpoint_rows"]).trim() != "0").then_some(())
            });
            first.kill();
            first = bridge();
        }
    }
    post.wait_until_delivered();
    wait_for("all rows in the table", Duration::from_secs(30), || {
        (database.psql(&["-c", "SELECT count(*) FROM checkpoint_rows"]).trim() == "241").then_some(())
    });

    let queries = fs::read_to_string(documents().join("queries.sql")).expect("there");
    let answer = |name: &str| {
        let text = queries.split("-- name: ").find(|part| part.starts_with(name)).expect("a query of that name");
        let answer = database.psql(&["-c", text.split_once('\n').expect("its text").1]);
        println!("{name}:\n{answer}");
        answer
    };
    let hours = answer("scans per lane and hour");
    let counted: u32 = hours.lines().map(|line| line.split('|').nth(3).and_then(|n| n.parse().ok()).unwrap_or(0)).sum();
    assert_eq!(counted, 240, "{hours}");
    let refers = answer("refer rate by reason");
    assert!(refers.starts_with("list-stale|35|100.0|14.58"), "{refers}");
    let silent = answer("lanes silent for ten minutes");
    assert!(silent.starts_with("gate-3|2|") && silent.trim_end().ends_with("|online"), "{silent}");
    assert_eq!(silent.lines().count(), 1, "{silent}");
    let old = answer("lists older than a day");
    assert!(old.starts_with("gate-3|420000|1 day"), "{old}");
    assert_eq!(answer("rows still missing"), "");
    let hash = "SELECT count(*) FROM (SELECT sha256('checkpointd scan log 1'::bytea || '\\x00'::bytea || int8send(seq)
                || lag(hash, 1, decode(repeat('00', 32), 'hex')) OVER (ORDER BY seq) || convert_to(body::text, 'UTF8')) = hash AS fits
                FROM checkpoint_rows) t WHERE fits";
    assert_eq!(database.psql(&["-c", hash]).trim(), "241", "the centre can check the chain itself");
    drop(uploading);
    wait_for("the goodbye", Duration::from_secs(10), || {
        (database.psql(&["-c", "SELECT state FROM checkpoint_posts WHERE post = 'gate-3'"]).trim() == "offline")
            .then_some(())
    });
}
