//! A gate and its centre, from the slip to the last word: the real daemon, the real centre, a real PostgreSQL.

#[path = "../../../tests/tests/programs/mod.rs"]
mod programs;
mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use programs::Program;
use support::{World, slip, until};

/// A box with the program on it.
struct Device {
    program: PathBuf,
    folder: PathBuf,
    page: u16,
}

impl Device {
    /// `None`, with a word about it, where only the centre was built.
    fn new(world: &World, name: &str) -> Option<Device> {
        let program = Path::new(support::PROGRAM).with_file_name("checkpointd");
        if !program.exists() {
            programs::skipped("checkpointd", "no package: cargo build -p scanner");
            return None;
        }
        let folder = world.directory.path().join(name);
        for place in ["state", "run"] {
            fs::create_dir_all(folder.join(place)).expect("made");
        }
        let page = programs::free_port();
        let config = format!(
            "[checkpoint]\nid = \"{name}\"\nrelying = \"440000\"\n[places]\nstate = \"{0}/state\"\nruntime = \"{0}/run\"\n\
             [page]\nlisten = \"127.0.0.1:{page}\"\n[[lane]]\nid = \"1\"\nreaders = [\"socket:{0}/codes\"]\n\
             [lane.camera]\ndevice = \"none\"\n",
            folder.display()
        );
        fs::write(folder.join("gate.toml"), config).expect("written");
        Some(Device { program, folder, page })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.folder.join("gate.toml")).args(arguments);
        command
    }

    fn enrol(&self, arguments: &[&str]) -> Output {
        self.command(&[&["enrol"], arguments].concat()).output().expect("started")
    }

    /// Enrols, and returns what it printed.
    fn enrolled(&self, arguments: &[&str]) -> String {
        let output = self.enrol(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// What it says when it is not taken.
    fn refused(&self, arguments: &[&str]) -> String {
        let before = fs::read(self.folder.join("state/centre.toml")).ok();
        let output = self.enrol(arguments);
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(fs::read(self.folder.join("state/centre.toml")).ok(), before, "what held still holds");
        String::from_utf8(output.stderr).expect("text")
    }

    fn run(&self) -> Program {
        let journal = fs::File::create(self.folder.join("journal")).expect("made");
        let program = Program::start(self.command(&["run"]).stdout(Stdio::null()).stderr(journal));
        programs::wait_until_listening(self.page);
        program
    }
}

fn reload(daemon: &Program) {
    let signalled = Command::new("kill").arg("-HUP").arg(daemon.0.id().to_string()).status();
    assert!(signalled.expect("started").success());
}

fn rows(world: &World, post: &str) -> u64 {
    let sql =
        format!("SELECT coalesce(max(l.seq), 0) FROM logs l JOIN posts p ON p.no = l.post WHERE p.name = '{post}'");
    world.ask(&sql).parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_is_enrolled_renamed_follows_a_new_key_of_its_centre_and_is_replaced_and_revoked() {
    let Some(world) = World::new() else { return };
    let (Some(first), Some(second)) = (Device::new(&world, "box-1"), Device::new(&world, "box-2")) else { return };
    let listen = format!("127.0.0.1:{}", programs::free_port());
    let url = format!("http://{listen}");
    let mut centre = world.serve_at(&listen, &url, &[]);

    // Slips for a station, from its list.
    let list = world.directory.path().join("posts.csv");
    fs::write(&list, "name,station,region,lanes\nGZS 1,Guangzhou South,440100,1\nGZS 2,Guangzhou South,440100,1\n")
        .expect("written");
    let slips = world.command(&["enrol", "--csv", list.to_str().expect("a name"), "--url", &url, "--json"]);
    let slips: Vec<String> = slips.lines().map(|line| slip(line).to_string()).collect();
    assert_eq!(slips.len(), 2);

    // A box that runs without a centre takes one on without a restart.
    let daemon = first.run();
    let said = first.enrolled(&[&slips[0]]);
    assert!(said.contains("this device is GZS 1") && !said.contains("expects the lanes"), "{said}");
    reload(&daemon);
    until("its rows", || rows(&world, "GZS 1") > 0).await;
    until("its health line", || world.ask("SELECT count(*) FROM health") == "1").await;
    // Another box with the same slip is none, and keeps what it has; its own slip, from a stick, is good.
    let said = second.refused(&[&slips[0]]);
    assert!(said.contains("another device has used this slip"), "{said}");
    let stick = world.directory.path().join("slip.txt");
    fs::write(&stick, format!("{}\n", slips[1])).expect("written");
    second.enrolled(&["--file", stick.to_str().expect("a name")]);

    // Renamed: the centre knows it under its new name only, and it hears of it when it asks again.
    world.command(&["posts", "rename", "GZS 1", "GZS hall 1"]);
    let said = first.enrolled(&["--again"]);
    assert!(said.contains("this device is GZS hall 1"), "{said}");
    let before = rows(&world, "GZS hall 1");
    reload(&daemon);
    until("rows under its new name", || rows(&world, "GZS hall 1") > before).await;

    // A new key of the centre: both sign, until every post knows the new one.
    world.command(&["key", "announce"]);
    centre.program.kill();
    centre = world.serve_at(&listen, &url, &[]);
    assert_eq!(centre.pinned.keys().len(), 2);
    let refused = world.run(&["key", "take-over"]);
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(!refused.status.success() && said.contains("GZS 2") && said.contains("GZS hall 1"), "{said}");
    let said = first.enrolled(&["--again"]);
    assert_eq!(said.matches("receipts count by").count(), 2, "{said}");
    assert!(!world.command(&["key", "show"]).contains("GZS hall 1"));
    world.command(&["key", "take-over", "--all-the-same"]);
    centre.program.kill();
    centre = world.serve_at(&listen, &url, &[]);
    assert_eq!(centre.pinned.keys().len(), 1);
    let before = rows(&world, "GZS hall 1");
    reload(&daemon);
    until("rows under the new key", || rows(&world, "GZS hall 1") > before).await;
    // The second box missed all of it, and follows what the old key had announced.
    let said = second.enrolled(&["--again"]);
    assert!(said.contains(&centre.pinned.keys()[0].to_string()), "{said}");

    // Exchanged: the old box is told so, and its successor's log is another one.
    let replaced = world.command(&["posts", "replace", "GZS 2", "--url", &url, "--json"]);
    let third = Device::new(&world, "box-3").expect("built");
    third.enrolled(&[&slip(&replaced).to_string()]);
    let said = second.refused(&["--again"]);
    assert!(said.contains("this device is not GZS 2 any more"), "{said}");
    assert_eq!(world.ask("SELECT count(*) FROM logs WHERE state = 'closed'"), "1");
    // Revoked: nothing more is taken of it, and what is there stays.
    world.command(&["posts", "revoke", "GZS hall 1"]);
    let kept = rows(&world, "GZS hall 1");
    let said = first.refused(&["--again"]);
    assert!(said.contains("revoked"), "{said}");
    drop(daemon);
    let _daemon = first.run();
    let journal = first.folder.join("journal");
    until("it says so", || fs::read_to_string(&journal).unwrap_or_default().contains("upload waits: 403")).await;
    assert_eq!(rows(&world, "GZS hall 1"), kept);
    assert!(world.command(&["verify", "--post", "GZS hall 1"]).starts_with("sound"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_between_a_gate_and_its_centre_enrols_nobody() {
    let Some(world) = World::new() else { return };
    let Some(device) = Device::new(&world, "box-1") else { return };
    let listen = format!("127.0.0.1:{}", programs::free_port());
    let url = format!("http://{listen}");
    let slip = slip(&world.command(&["enrol", "gate-1", "--url", &url, "--json"]));
    let said = device.refused(&[&slip.to_string()]);
    assert!(said.contains("does not answer"), "{said}");
    let said = device.refused(&["--again"]);
    assert!(said.contains("not enrolled yet"), "{said}");
    // Another centre at that address, whose key the slip does not name.
    let other = World::new().expect("as before");
    let _impostor = other.serve_at(&listen, &url, &[]);
    let said = device.refused(&[&slip.to_string()]);
    assert!(said.contains("the slip is another centre's"), "{said}");
    // A page of a captive portal.
    let portal = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = portal.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in portal.incoming().map_while(Result::ok) {
            let mut asked = [0; 4096];
            let _ = std::io::Read::read(&mut stream, &mut asked);
            let _ = std::io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nWelcome");
        }
    });
    let portal = cache::exchange::Slip { url: format!("http://{address}"), ..slip };
    let said = device.refused(&[&portal.to_string()]);
    assert!(said.contains("is something between this device and its centre?"), "{said}");
}
