//! Lists that are carried, brought up to date, tampered with and replayed.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::support::{World, checkpointd, said};
use authority::{Federation, Source};
use scanner::demo::country::GATE;
use trustlist::time::UnixTime;

const DAY: i64 = 86_400;

/// A country that can be published again and again, and a device.
pub(super) struct Publisher {
    pub(super) federation: Federation,
    at: UnixTime,
}

impl Publisher {
    pub(super) fn new() -> Publisher {
        Publisher::begun(3600)
    }

    /// One whose first lists are so many seconds old.
    pub(super) fn begun(seconds_ago: i64) -> Publisher {
        let at = host::clock::Clock::machine().unix().plus(-seconds_ago);
        let federation = Federation::of_provinces(Source::Seed([7; 32]), at.plus(-DAY)).expect("a country");
        Publisher { federation, at }
    }

    /// Publishes into `mirror`, over what is there.
    pub(super) fn publish(&mut self, mirror: &Path) {
        self.publish_at(mirror, self.at.plus(60));
    }

    /// The same at another time.
    pub(super) fn publish_at(&mut self, mirror: &Path, at: UnixTime) {
        self.at = at;
        for (path, bytes) in self.federation.publish(self.at).expect("published") {
            let path = mirror.join(path);
            fs::create_dir_all(path.parent().expect("a folder above it")).expect("made");
            fs::write(path, bytes).expect("written");
        }
    }
}

/// Writes a device's configuration; its file.
pub(super) fn device(top: &Path, name: &str, more: &str) -> String {
    let file = format!("{name}.toml");
    let place = top.join(name);
    let text = format!(
        "[checkpoint]\nrelying = \"{GATE}\"\n[places]\nstate = \"{0}\"\nruntime = \"{0}\"\n[trust]\nseed = \"{1}/seed\"\n{more}",
        place.display(),
        top.display()
    );
    fs::write(top.join(&file), text).expect("written");
    file
}

/// Runs one command of the device; its exit status and what it printed.
pub(super) fn run(top: &Path, config: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut line = vec!["--config", config];
    line.extend(arguments);
    // Places come from the file here, so the environment of the other stories must not decide.
    let output =
        Command::new(env!("CARGO_BIN_EXE_checkpointd")).args(&line).current_dir(top).output().expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &said(&output))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable").map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[test]
fn a_stick_brings_lists_once_and_an_older_stick_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path();
    let mut publisher = Publisher::new();
    publisher.publish(&top.join("seed"));
    copy(&top.join("seed"), &top.join("old-stick"));
    publisher.publish(&top.join("seed"));
    copy(&top.join("seed"), &top.join("stick"));
    let gate = device(top, "gate", "");
    let (status, said) = run(top, &gate, &["trust", "import", "stick"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("440000  new, generation 2") && said.ends_with("stick: updated\n"), "{said}");
    let (status, said) = run(top, &gate, &["trust", "import", "stick"]);
    assert_eq!((status, said.as_str()), (Some(0), "35 unchanged\nstick: unchanged\n"));
    let (status, said) = run(top, &gate, &["trust", "import", "old-stick"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("440000  older than what is here (generation 2); nothing taken"), "{said}");
    let (_, said) = run(top, &gate, &["trust", "show", "--json"]);
    assert!(said.contains("\"generation\": 2"), "{said}");
}

#[test]
fn what_one_device_exports_another_imports_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path();
    Publisher::new().publish(&top.join("seed"));
    let (one, two) = (device(top, "one", ""), device(top, "two", ""));
    assert_eq!(run(top, &one, &["trust", "import", "seed"]).0, Some(0));
    let (status, said) = run(top, &one, &["trust", "export", "stick"]);
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = run(top, &two, &["trust", "import", "stick"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(!said.contains("refused"), "{said}");
    let (_, said) = run(top, &two, &["trust", "diff", "seed"]);
    assert_eq!(said, "no difference\n");
}

#[test]
fn a_changed_byte_anywhere_on_a_stick_is_refused_and_what_is_here_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path();
    let mut publisher = Publisher::new();
    publisher.publish(&top.join("seed"));
    let gate = device(top, "gate", "");
    assert_eq!(run(top, &gate, &["trust", "import", "seed"]).0, Some(0));
    publisher.publish(&top.join("seed"));
    copy(&top.join("seed"), &top.join("stick"));
    let timestamp = top.join("stick/440000/metadata/timestamp.json");
    let mut bytes = fs::read(&timestamp).expect("there");
    let at = bytes.windows(9).position(|window| window == b"\"version\"").expect("a version") + 10;
    bytes[at] = b'9';
    fs::write(&timestamp, bytes).expect("written");
    let (status, said) = run(top, &gate, &["trust", "import", "stick"]);
    assert_eq!(status, Some(1), "one was refused: {said}");
    assert!(said.contains("440000  refused: timestamp"), "{said}");
    assert!(said.contains("420000  updated from generation 1 to 2"), "{said}");
}

#[test]
fn a_device_without_a_seed_takes_lists_only_under_a_root_that_somebody_vouches_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path();
    Publisher::new().publish(&top.join("stick"));
    let gate = device(top, "gate", "");
    let (status, said) = run(top, &gate, &["trust", "import", "stick"]);
    assert_eq!(status, Some(1));
    assert!(said.contains("--first-root"), "{said}");
    let (status, said) =
        run(top, &gate, &["trust", "import", "stick", "--first-root", "stick/000000/metadata/1.root.json"]);
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn a_store_that_is_damaged_is_a_fault_and_never_a_fresh_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path();
    Publisher::new().publish(&top.join("seed"));
    let gate = device(top, "gate", "");
    assert_eq!(run(top, &gate, &["trust", "import", "seed"]).0, Some(0));
    fs::write(top.join("gate/trust/store.db"), [7; 8192]).expect("written");
    let (status, said) = run(top, &gate, &["trust", "import", "seed"]);
    assert_eq!(status, Some(1));
    assert!(said.contains("store.db"), "{said}");
    let (status, said) = run(top, &gate, &["trust", "show"]);
    assert_eq!(status, Some(0), "the package's lists are there");
    assert!(said.contains("store.db") && said.contains("the package brought"), "{said}");
    assert_eq!(fs::read(top.join("gate/trust/store.db")).expect("there"), [7; 8192]);
}

/// A real web server over a folder.
struct Web(Child, u16);

impl Web {
    fn serve(folder: &Path) -> Web {
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        let child = Command::new("python3")
            .args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 is installed");
        let until = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "the server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        Web(child, port)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_sync_goes_to_the_next_mirror_and_tells_new_from_nothing_new_from_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path();
    let mut publisher = Publisher::new();
    publisher.publish(&top.join("seed"));
    let web = Web::serve(&top.join("seed"));
    let mirrors =
        format!("[sync]\ntimeout = \"5s\"\nmirrors = [\"http://127.0.0.1:1\", \"http://127.0.0.1:{}\"]\n", web.1);
    let gate = device(top, "gate", &mirrors);
    let (status, said) = run(top, &gate, &["sync", "once"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.ends_with(": updated\n"), "{said}");
    let (status, said) = run(top, &gate, &["sync", "once"]);
    assert!(status == Some(0) && said.ends_with(": unchanged\n"), "{said}");
    publisher.publish(&top.join("seed"));
    let (_, said) = run(top, &gate, &["sync", "once", "--json"]);
    assert!(said.contains("\"result\":\"updated\""), "{said}");
    drop(web);
    let (status, said) = run(top, &gate, &["sync", "once"]);
    assert!(status == Some(1) && said.ends_with(": failed\n"), "{said}");
    let (status, said) = run(top, &gate, &["sync", "status"]);
    assert_eq!(status, Some(0), "what is here stays in force");
    assert!(said.contains("failed from http://127.0.0.1:") && said.contains("last success  20"), "{said}");
}

#[test]
fn a_sync_killed_at_any_moment_leaves_lists_that_verify_and_the_next_one_completes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path();
    let mut publisher = Publisher::new();
    publisher.publish(&top.join("seed"));
    let gate = device(top, "gate", &format!("[sync]\nmirrors = [\"file://{}/seed\"]\n", top.display()));
    assert_eq!(run(top, &gate, &["sync", "once"]).0, Some(0));
    let national = || {
        let (status, said) = run(top, &gate, &["trust", "show", "--json"]);
        assert_eq!(status, Some(0), "{said}");
        assert!(!said.contains("does not verify"), "{said}");
        let start = said.find('{').expect("an object");
        let shown: serde_json::Value = serde_json::from_str(&said[start..]).expect("JSON");
        shown["generation"].as_u64().expect("a generation")
    };
    let (mut before, mut killed) = (national(), 0);
    for round in 0..24_u64 {
        publisher.publish(&top.join("seed"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_checkpointd"))
            .args(["--config", &gate, "sync", "once"])
            .current_dir(top)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        std::thread::sleep(Duration::from_millis(5 + round * 41 % 400));
        // SIGKILL: nothing is tidied up.
        child.kill().expect("killed, or ended already");
        killed += usize::from(!child.wait().expect("a child").success());
        let now = national();
        assert!(now >= before, "round {round}: back from {before} to {now}");
        before = now;
    }
    assert!(killed > 4, "{killed} of 24 were killed in time");
    let (status, said) = run(top, &gate, &["sync", "once"]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(national(), 25);
}

#[test]
fn a_world_without_a_store_judges_by_its_seed() {
    let world = World::new();
    let output = checkpointd(&world.path(""), &["trust", "show"], "");
    assert_eq!(output.status.code(), Some(1), "neither seed nor store: {}", said(&output));
    assert!(said(&output).contains("checkpointd trust import"), "{}", said(&output));
}

#[test]
fn lists_that_root_imports_belong_to_the_service_that_goes_on_with_them() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    const SERVICE: u32 = 65_534;
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path();
    let mut publisher = Publisher::new();
    publisher.publish(&top.join("seed"));
    let file = device(top, "gate", "");
    let state = top.join("gate");
    fs::create_dir_all(&state).expect("made");
    fs::set_permissions(top, fs::Permissions::from_mode(0o755)).expect("the service may look in");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).expect("its own");
    if chown(&state, Some(SERVICE), Some(SERVICE)).is_err() {
        println!("only root may give a folder away; not tried");
        return;
    }
    let output = checkpointd(
        top,
        &["--config", &file, "--set", &format!("places.state={}", state.display()), "trust", "import", "seed"],
        "",
    );
    assert!(output.status.success(), "{}", said(&output));
    let files: Vec<_> = fs::read_dir(&state).expect("there").map(|entry| entry.expect("read").path()).collect();
    assert!(files.iter().any(|path| path.is_dir()), "the store: {files:?}");
    let mut waiting = files;
    while let Some(path) = waiting.pop() {
        assert_eq!(fs::metadata(&path).expect("there").uid(), SERVICE, "{}", path.display());
        if path.is_dir() {
            waiting.extend(fs::read_dir(&path).expect("there").map(|entry| entry.expect("read").path()));
        }
    }
}
