//! The whole lane: drawn travellers before the real daemon, with its log, its gate, its page and its signals.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::support::{World, checkpointd, said};
use authority::code::picture::{Level, Picture};

/// How long anything may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon whose camera is a folder of pictures, and whose gate is a file.
pub struct Daemon {
    child: Child,
    page: String,
}

/// Writes one picture of a symbol, in place of the one before.
pub fn picture(folder: &Path, text: &str) {
    let picture = Picture::draw(text, Level::M).expect("it fits").luma(6);
    let mut frame = empty();
    let (x, y) = ((1280 - picture.width()) / 2, (720 - picture.height()) / 2);
    image::imageops::replace(&mut frame, &picture, i64::from(x), i64::from(y));
    hang(folder, &frame);
}

/// The same by a camera that is out of focus by so many pixels.
pub fn blurred(folder: &Path, text: &str, by: f32) {
    picture(folder, text);
    let sharp = image::open(folder.join("frame.png")).expect("just written").into_luma8();
    hang(folder, &image::imageops::fast_blur(&sharp, by));
}

/// Writes a picture of nobody.
pub fn nobody(folder: &Path) {
    hang(folder, &empty());
}

fn empty() -> image::GrayImage {
    image::GrayImage::from_pixel(1280, 720, image::Luma([160]))
}

/// Whole or not at all: the daemon may be looking.
fn hang(folder: &Path, frame: &image::GrayImage) {
    fs::create_dir_all(folder).expect("made");
    let aside = folder.join("frame.part");
    frame.save_with_format(&aside, image::ImageFormat::Png).expect("written");
    fs::rename(aside, folder.join("frame.png")).expect("renamed");
}

impl Daemon {
    /// On any free port, with more lines for its lane.
    pub fn start(world: &World, more: &str) -> Daemon {
        Daemon::start_at(world, more, 0)
    }

    /// On this port.
    pub fn start_at(world: &World, more: &str, port: u16) -> Daemon {
        Daemon::start_with(world, more, port, "")
    }

    /// With more sections.
    pub fn start_with(world: &World, more: &str, port: u16, sections: &str) -> Daemon {
        let top = world.path("");
        fs::write(
            world.path("gate.toml"),
            format!(
                "[checkpoint]\nid = \"gate 7\"\nrelying = \"440000\"\n[page]\nlisten = \"127.0.0.1:{port}\"\n\
                 [places]\nstate = \"{0}/state\"\nruntime = \"{0}/run\"\n[trust]\nseed = \"{0}/trust\"\n{sections}\
                 [[lane]]\nid = \"1\"\nshow_for = \"30s\"\n{more}\n\
                 [lane.camera]\ndevice = \"pictures:{0}/frames\"\nrate = 20\n\
                 [lane.gate]\ndriver = \"file\"\npath = \"{0}/gate\"\nopen_for = \"20s\"\n",
                top.display()
            ),
        )
        .expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_checkpointd"))
            .args(["--config", "gate.toml", "run"])
            .current_dir(&top)
            // A story that listens there is its service manager.
            .env("NOTIFY_SOCKET", top.join("notify"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut journal = BufReader::new(child.stderr.take().expect("piped"));
        let (mut page, mut told) = (None, String::new());
        while page.is_none() || !told.contains("ready after") {
            let mut line = String::new();
            assert!(journal.read_line(&mut line).expect("text") > 0, "it ended: {told}");
            page = page.or_else(|| Some(line.split("page: ").nth(1)?.trim().trim_end_matches('/').to_owned()));
            told.push_str(&line);
        }
        let log = world.path("journal");
        std::thread::spawn(move || {
            let mut rest = String::new();
            let _ = journal.read_to_string(&mut rest);
            let _ = fs::write(log, told + &rest);
        });
        Daemon { child, page: page.expect("found above") }
    }

    /// The address of the lane's screen.
    pub fn page(&self) -> &str {
        &self.page
    }

    /// What the page answers.
    pub fn get(&self, path: &str) -> String {
        let mut answer = ureq::get(format!("{}{path}", self.page)).call().expect("the page answers");
        answer.body_mut().read_to_string().expect("text")
    }

    /// The data of the first event of this name in a page's stream.
    pub fn first_of(&self, path: &str, event: &str) -> String {
        let mut answer = ureq::get(format!("{}{path}", self.page)).call().expect("the page answers");
        let mut lines = BufReader::new(answer.body_mut().as_reader()).lines().map_while(Result::ok);
        lines.find(|line| line == event).expect("the event");
        lines.next().expect("its data")
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Ends it with SIGTERM; how it ended.
    pub fn stop(mut self) -> Option<i32> {
        self.signal("-TERM");
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it did not end");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lays more configuration beside a world's `gate.toml`.
pub fn also(world: &World, text: &str) {
    fs::create_dir_all(world.path("conf.d")).expect("made");
    let number = fs::read_dir(world.path("conf.d")).expect("a folder").count();
    fs::write(world.path(&format!("conf.d/{number}.toml")), text).expect("written");
}

/// A country that stands now, because the daemon asks its own clock.
pub fn today() -> World {
    World::at(host::clock::Clock::machine().unix())
}

#[test]
fn an_admitted_traveller_has_a_row_an_open_gate_and_a_screen_and_sigterm_closes_it() {
    let world = today();
    picture(&world.path("frames"), world.text("from Guangdong, green"));
    let daemon = Daemon::start(&world, "");
    let gate = || fs::read_to_string(world.path("gate")).unwrap_or_default();
    eventually("the gate opens", || gate() == "open\n");
    eventually("the status knows", || daemon.get("/status.json").contains("\"reason\":\"ok\""));
    assert!(daemon.get("/metrics").contains(r#"checkpoint_scans_total{lane="1",reason="ok",verdict="admit"} 1"#));
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(gate(), "closed\n", "the end closes the gate");
    let top = world.path("");
    let output = checkpointd(&top, &["--config", "gate.toml", "log", "query", "--json"], "");
    let rows = String::from_utf8(output.stdout.clone()).expect("text");
    assert_eq!(rows.matches("\"kind\":\"scan\"").count(), 1, "one presentation, one row: {rows} {}", said(&output));
    let output = checkpointd(&top, &["--config", "gate.toml", "log", "verify"], "");
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_refused_traveller_finds_the_gate_closed() {
    let world = today();
    picture(&world.path("frames"), world.text("with a forged code"));
    let daemon = Daemon::start(&world, "");
    eventually("it is refused", || daemon.get("/status.json").contains("bad-signature"));
    assert_eq!(fs::read_to_string(world.path("gate")).expect("written"), "closed\n");
    assert!(daemon.first_of("/events", "event: state").contains("bad-signature"), "the screen shows the verdict");
}

#[test]
fn a_code_used_already_is_referred_where_the_lane_asks_even_after_a_restart() {
    let world = today();
    picture(&world.path("frames"), world.text("from Guangdong, green"));
    let first = Daemon::start(&world, "anti_passback = \"1h\"");
    eventually("it is admitted", || first.get("/status.json").contains("\"reason\":\"ok\""));
    assert_eq!(first.stop(), Some(0));
    let second = Daemon::start(&world, "anti_passback = \"1h\"");
    eventually("it is referred", || second.get("/status.json").contains("already-used"));
}

#[test]
fn a_hangup_takes_new_lists_and_a_broken_configuration_changes_nothing() {
    let world = today();
    picture(&world.path("frames"), world.text("from Ningxia, whose list never came"));
    let daemon = Daemon::start(&world, "");
    eventually("its list is missing", || daemon.get("/status.json").contains("\"reason\":\"list-missing\""));
    let good = fs::read_to_string(world.path("gate.toml")).expect("there");
    fs::write(world.path("gate.toml"), "[checkpoint]\nreliyng = 1\n").expect("written");
    daemon.signal("-HUP");
    std::thread::sleep(Duration::from_millis(500));
    assert!(daemon.get("/status.json").contains("gate 7"), "it goes on as before");
    fs::write(world.path("gate.toml"), good.replace("gate 7", "gate 8")).expect("written");
    daemon.signal("-HUP");
    eventually("the journal says that the second one was taken", || {
        // The page moves to another port with another shift; the log says which configuration rules.
        let output = checkpointd(&world.path(""), &["--config", "gate.toml", "log", "query", "--events", "--json"], "");
        String::from_utf8_lossy(&output.stdout).matches("\"kind\":\"config\"").count() == 2
    });
    assert_eq!(daemon.stop(), Some(0));
    let journal = || fs::read_to_string(world.path("journal")).unwrap_or_default();
    eventually("the mistake is named", || journal().contains("did you mean relying?"));
}

#[test]
fn lists_that_are_put_into_the_inbox_are_in_force_without_a_word() {
    let world = today();
    picture(&world.path("frames"), world.text("from Guangdong, green"));
    let away = world.path("away");
    fs::rename(world.path("trust"), &away).expect("moved");
    // The root is what the package brings; the lists behind it come by hand.
    fs::create_dir_all(world.path("trust/000000/metadata")).expect("made");
    fs::copy(away.join("000000/metadata/1.root.json"), world.path("trust/000000/metadata/1.root.json"))
        .expect("copied");
    let daemon = Daemon::start(&world, "same_symbol_timeout = \"100ms\"");
    eventually("it is referred", || daemon.get("/status.json").contains("\"reason\":\"list-missing\""));
    fs::create_dir_all(world.path("state")).expect("made");
    fs::rename(&away, world.path("state/inbox")).expect("moved");
    eventually("the lists are in force", || daemon.get("/status.json").contains("\"issuer\":\"440000\",\"names\""));
    assert!(daemon.get("/metrics").contains("checkpoint_sync_attempts_total{result=\"updated\"} 1"));
}

#[test]
fn a_gate_without_lists_refers_everybody_and_says_why() {
    let world = today();
    picture(&world.path("frames"), world.text("from Guangdong, green"));
    fs::remove_dir_all(world.path("trust")).expect("removed");
    let daemon = Daemon::start(&world, "");
    eventually("it is referred", || daemon.get("/status.json").contains("\"reason\":\"list-missing\""));
    assert_eq!(fs::read_to_string(world.path("gate")).expect("written"), "closed\n");
}

#[test]
fn a_log_that_is_no_database_is_left_alone_and_nobody_is_admitted_without_a_row() {
    let world = today();
    picture(&world.path("frames"), world.text("from Guangdong, green"));
    fs::create_dir_all(world.path("state")).expect("made");
    fs::write(world.path("state/scans.db"), vec![7; 8192]).expect("written");
    let daemon = Daemon::start(&world, "");
    eventually("it is referred", || daemon.get("/status.json").contains("\"reason\":\"log-unavailable\""));
    assert!(daemon.get("/status.json").contains("scans.db: not a database"));
    assert_eq!(fs::read_to_string(world.path("gate")).expect("written"), "closed\n");
    assert_eq!(fs::read(world.path("state/scans.db")).expect("there"), vec![7; 8192]);
}

#[test]
fn a_damaged_log_is_set_aside_and_the_lane_goes_on() {
    let world = today();
    picture(&world.path("frames"), world.text("with a forged code"));
    let first = Daemon::start(&world, "");
    eventually("it is refused", || first.get("/status.json").contains("bad-signature"));
    assert_eq!(first.stop(), Some(0));
    let mut bytes = fs::read(world.path("state/scans.db")).expect("there");
    // Everything behind the header: the tables' pages.
    bytes[100..].fill(0x5a);
    fs::write(world.path("state/scans.db"), &bytes).expect("written");
    let second = Daemon::start(&world, "");
    eventually("it is refused again", || second.get("/status.json").contains("\"reason\":\"bad-signature\""));
    assert!(second.get("/status.json").contains("log-quarantined"));
    let kept = fs::read_dir(world.path("state"))
        .expect("there")
        .filter_map(Result::ok)
        .any(|file| fs::read(file.path()).is_ok_and(|content| content == bytes));
    assert!(kept, "nothing is lost");
}

#[test]
fn damage_deep_in_a_large_log_is_found_while_the_gate_works_shown_and_set_aside_at_the_next_start() {
    let world = today();
    picture(&world.path("frames"), world.text("with a forged code"));
    let first = Daemon::start(&world, "");
    eventually("it is refused", || first.get("/status.json").contains("bad-signature"));
    assert!(!first.get("/status.json").contains("log-damaged"));
    assert_eq!(first.stop(), Some(0));
    // Too large to be checked before the first row, and damaged where no row of today lies.
    let grow = "import sqlite3, sys; log = sqlite3.connect(sys.argv[1]); log.execute('CREATE TABLE old (text)'); \
                log.executemany('INSERT INTO old VALUES (?)', (('x' * 900,) for _ in range(24000))); log.commit()";
    let state = world.path("state/scans.db");
    assert!(Command::new("python3").args(["-c", grow]).arg(&state).status().expect("python3").success());
    let mut bytes = fs::read(&state).expect("there");
    assert!(bytes.len() > 18 << 20, "{}", bytes.len());
    bytes[10 << 20..(10 << 20) + 65536].fill(0xA5);
    fs::write(&state, &bytes).expect("written");
    let second = Daemon::start(&world, "");
    eventually("the damage is shown", || second.get("/status.json").contains("log-damaged"));
    eventually("the lane goes on", || second.get("/status.json").contains("\"reason\":\"bad-signature\""));
    assert!(world.path("state/scans.db-damaged").exists(), "the next start will know");
    assert_eq!(second.stop(), Some(0));
    let third = Daemon::start(&world, "");
    assert!(third.get("/status.json").contains("log-quarantined"));
    assert!(!third.get("/status.json").contains("log-damaged"));
}

#[test]
fn rows_reach_the_centre_while_the_lane_works_and_only_once() {
    let world = today();
    picture(&world.path("frames"), world.text("from Guangdong, green"));
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/python/rows_server.py");
    let received = world.path("received");
    fs::write(world.path("secret"), "word\n").expect("written");
    let upload = format!(
        "[upload]\nurl = \"http://127.0.0.1:{port}/rows\"\nreceipts = \"none\"\nsecret = \"{}\"\n",
        world.path("secret").display()
    );
    let daemon = Daemon::start_with(&world, "", 0, &upload);
    eventually("the page says why rows wait", || !daemon.get("/status.json").contains("\"upload_waits\":null"));
    let mut centre = Command::new("python3")
        .args([server, &port.to_string(), received.to_str().expect("UTF-8"), "--token", "word", "--busy", "2"])
        .stderr(Stdio::null())
        .spawn()
        .expect("python3 is installed");
    let rows = || fs::read_to_string(&received).unwrap_or_default();
    eventually("the scan is at the centre", || rows().contains("\"kind\":\"scan\""));
    eventually("it is acknowledged", || daemon.get("/status.json").contains("\"outbox_pending\":0"));
    eventually("nothing waits any more, and nothing was refused", || {
        let status = daemon.get("/status.json");
        status.contains("\"upload_waits\":null") && status.contains("\"outbox_dead\":0")
    });
    assert_eq!(daemon.stop(), Some(0));
    let _ = centre.kill();
    let _ = centre.wait();
    assert_eq!(rows().matches("\"kind\":\"scan\"").count(), 1, "{}", rows());
    assert!(rows().contains("\"post\":\"gate 7\""));
}

#[test]
fn nothing_of_a_person_is_stored_logged_counted_or_shown() {
    let world = today();
    let text = world.text("from Guangdong, green").to_owned();
    picture(&world.path("frames"), &text);
    let daemon = Daemon::start(&world, "");
    eventually("it is admitted", || daemon.get("/status.json").contains("\"reason\":\"ok\""));
    let shown = ["/status.json", "/metrics", "/strings.json"].map(|path| daemon.get(path)).concat();
    assert_eq!(daemon.stop(), Some(0));
    eventually("the journal is whole", || world.path("journal").exists());
    let mut everything = shown.into_bytes();
    for place in ["state", "run", "journal", "gate"] {
        collect(&world.path(place), &mut everything);
    }
    // The payload in pieces, and what the demonstration's drafts carry as name and document number.
    let pieces = text.as_bytes()[4..].chunks(24).filter(|piece| piece.len() == 24);
    for secret in pieces.chain(["张*".as_bytes(), b"\"0427\""]) {
        let found = everything.windows(secret.len()).any(|window| window == secret);
        assert!(!found, "{} is kept somewhere", String::from_utf8_lossy(secret));
    }
}

fn collect(path: &Path, into: &mut Vec<u8>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("readable").filter_map(Result::ok) {
            collect(&entry.path(), into);
        }
    } else if let Ok(bytes) = fs::read(path) {
        into.extend(bytes);
    }
}
