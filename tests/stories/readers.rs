//! Scan engines before the real daemon: whichever way a text comes, it meets the same judge, and leaves the same row.

use std::{
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serialport::{SerialPort, TTYPort};

use super::{
    gate::{eventually, today},
    support::{World, checkpointd, said},
};

/// A lane without a camera.
fn lane(world: &World, readers: &str) {
    let top = world.path("");
    let config = format!(
        "[checkpoint]\nid = \"gate 7\"\nrelying = \"440000\"\n[page]\nenabled = false\n\
         [places]\nstate = \"{0}/state\"\nruntime = \"{0}/run\"\n[trust]\nseed = \"{0}/trust\"\n\
         [[lane]]\nid = \"1\"\nrearm = \"0ms\"\nreaders = [{readers}]\n[lane.camera]\ndevice = \"none\"\n\
         [lane.gate]\ndriver = \"file\"\npath = \"{0}/gate\"\nopen_for = \"60s\"\n",
        top.display()
    );
    fs::write(world.path("gate.toml"), config).expect("written");
}

/// Killed when the story ends in another way than it should.
struct Running(Child);

impl Running {
    fn start(world: &World) -> Running {
        let child = Command::new(env!("CARGO_BIN_EXE_checkpointd"))
            .args(["--config", "gate.toml", "run"])
            .current_dir(world.path(""))
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        Running(child.expect("it starts"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `VERDICT REASON` of each scan, oldest first.
fn rows(world: &World) -> Vec<String> {
    let output =
        checkpointd(&world.path(""), &["--config", "gate.toml", "log", "query", "--oldest-first", "--json"], "");
    let rows = String::from_utf8_lossy(&output.stdout).into_owned();
    rows.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{}", said(&output))))
        .map(|row| {
            let said = |key: &str| row["row"][key].as_str().unwrap_or_default().to_owned();
            format!("{} {}", said("verdict"), said("reason"))
        })
        .collect()
}

#[test]
fn a_serial_engine_a_socket_and_standard_input_meet_the_same_judge_and_the_engine_hears_of_it() {
    let world = today();
    let (mut engine, port) = TTYPort::pair().expect("a pseudo terminal");
    engine.set_timeout(Duration::from_secs(60)).expect("set");
    let socket = world.path("codes");
    let name = port.name().expect("a name");
    lane(&world, &format!("\"serial:{name}@9600 accept=06 reject=15\", \"socket:{}\", \"stdin\"", socket.display()));
    let mut running = Running::start(&world);
    let mut hears = |text: &str| {
        writeln!(engine, "{text}\r").expect("sent");
        let mut answer = [0];
        engine.read_exact(&mut answer).expect("answered");
        answer[0]
    };
    assert_eq!(hears(world.text("from Guangdong, green")), 0x06);
    assert_eq!(fs::read_to_string(world.path("gate")).expect("written"), "open\n", "told before the engine");
    assert_eq!(hears(world.text("red")), 0x15);
    assert_eq!(hears(world.text("with a bus ticket")), 0x15, "no verdict, and the engine does not wait for ever");
    eventually("the socket is there", || UnixStream::connect(&socket).is_ok());
    let mut stream = UnixStream::connect(&socket).expect("there");
    writeln!(stream, "{}", world.text("from Hubei, by the direct route")).expect("sent");
    eventually("three rows", || rows(&world).len() == 3);
    let input = running.0.stdin.as_mut().expect("piped");
    writeln!(input, "{}", world.text("with a forged code")).expect("sent");
    eventually("four rows", || rows(&world).len() == 4);
    assert_eq!(rows(&world), ["admit ok", "refuse colour-red", "admit ok", "refuse bad-signature"]);
}

#[test]
fn engines_are_understood_whatever_they_put_around_a_text_and_a_forged_code_stays_one() {
    let world = today();
    let (mut engine, port) = TTYPort::pair().expect("a pseudo terminal");
    engine.set_timeout(Duration::from_secs(60)).expect("set");
    lane(&world, &format!("\"serial:{} accept=06 reject=15\"", port.name().expect("a name")));
    let _running = Running::start(&world);
    let mut hears = |text: String| {
        engine.write_all(text.as_bytes()).expect("sent");
        let mut answer = [0];
        engine.read_exact(&mut answer).expect("answered");
        answer[0]
    };
    // Nothing ends it, and the next one is not glued on.
    assert_eq!(hears(world.text("from Guangdong, green").to_owned()), 0x06);
    assert_eq!(hears(format!("]Q3{}", world.text("red"))), 0x15);
    assert_eq!(hears(format!("\u{2}{}\u{3}", world.text("with a revoked code"))), 0x15);
    let forged = world.text("with a forged code").to_ascii_lowercase();
    assert_eq!(hears(format!("\u{feff}]Q1 {forged}\t")), 0x15);
    eventually("four rows", || rows(&world).len() == 4);
    let rows = rows(&world);
    assert!(rows[0].starts_with("admit ok"), "{rows:?}");
    assert_eq!(rows[1..], ["refuse colour-red", "refuse revoked", "refuse bad-signature"]);
}

#[test]
fn a_client_that_says_nothing_keeps_nobody_out_and_what_came_while_nobody_listened_opens_no_gate() {
    let world = today();
    let socket = world.path("codes");
    lane(&world, &format!("\"socket:{}\"", socket.display()));
    let running = Running::start(&world);
    eventually("the socket is there", || UnixStream::connect(&socket).is_ok());
    let connect = || UnixStream::connect(&socket).expect("there");
    let _silent: Vec<UnixStream> = (0..40).map(|_| connect()).collect();
    let mut before = connect();
    writeln!(before, "{}", world.text("red")).expect("sent");
    eventually("it is judged although others are connected", || rows(&world).len() == 1);
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &running.0.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    };
    signal("-STOP");
    // One thread takes the signal and stops the others: on a busy machine that takes a while, and what comes before is rightly judged.
    let tasks = format!("/proc/{}/task", running.0.id());
    let stopped = |task: std::io::Result<fs::DirEntry>| {
        let status = task.and_then(|task| fs::read_to_string(task.path().join("status"))).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:\tT"))
    };
    eventually("every thread stands still", || fs::read_dir(&tasks).is_ok_and(|mut tasks| tasks.all(stopped)));
    writeln!(before, "{}", world.text("from Guangdong, green")).expect("sent");
    writeln!(connect(), "{}", world.text("from Hubei, by the direct route")).expect("sent");
    // Longer than a text is worth anything.
    std::thread::sleep(Duration::from_millis(1500));
    signal("-CONT");
    eventually("somebody else is judged", || {
        let _ = writeln!(connect(), "{}", world.text("with a forged code"));
        rows(&world).len() > 1
    });
    assert_eq!(rows(&world)[..2], ["refuse colour-red", "refuse bad-signature"]);
    assert_eq!(fs::read_to_string(world.path("gate")).expect("written"), "closed\n");
}

#[test]
fn an_installer_is_guided_through_the_gate_and_one_that_moves_the_wrong_way_round_is_told() {
    let world = today();
    lane(&world, "\"stdin\"");
    let guided = |answers: &str| {
        let output = checkpointd(&world.path(""), &["--config", "gate.toml", "doctor", "--relay", "1"], answers);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), said(&output))
    };
    let (status, found, asked) = guided("y\nperhaps\nyes\nY\n");
    assert_eq!(status, Some(0), "{found}{asked}");
    assert!(found.contains("opens when told, and closes"), "{found}");
    assert_eq!(asked.matches("Did it open?").count(), 2, "asked again for a yes or a no");
    let (status, found, _) = guided("n\nn\nn\n");
    assert_eq!(status, Some(1));
    assert!(found.contains("relay_active = \"low\""), "{found}");
    let (status, _, asked) = guided("y\n");
    assert_eq!(status, Some(1), "nobody answers");
    assert!(asked.contains("at a terminal"), "{asked}");
    assert_eq!(fs::read_to_string(world.path("gate")).expect("written"), "closed\n");
}
