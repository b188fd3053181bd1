//! Faults that stay where they are: one lane's gate, one changed configuration, one forgotten demonstration.

use std::{fs, os::unix::net::UnixDatagram, process::Command, sync::mpsc, thread, time::Duration};

use super::{
    gate::{Daemon, also, eventually, nobody, today},
    support::{World, checkpointd, said},
};

/// Another lane whose gate is a file in a folder that is not there.
fn another_lane(world: &World) -> String {
    format!(
        "[[lane]]\nid = \"2\"\nreaders = [\"socket:{0}/codes\"]\n[lane.camera]\ndevice = \"none\"\n\
         [lane.gate]\ndriver = \"file\"\npath = \"{0}/nowhere/gate\"\n",
        world.path("").display()
    )
}

#[test]
fn a_lane_whose_gate_cannot_be_had_takes_nobody_and_the_other_lane_works() {
    let world = today();
    nobody(&world.path("frames"));
    also(&world, &another_lane(&world));
    let daemon = Daemon::start(&world, "");
    eventually("the device says which", || daemon.get("/status.json").contains("lane 2: the gate does not answer"));
    assert!(daemon.first_of("/events?lane=2", "event: state").contains("closed"));
    assert!(daemon.first_of("/events?lane=1", "event: state").contains("idle"));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_changed_configuration_that_cannot_be_put_in_force_leaves_the_old_one_working_and_says_so() {
    let world = today();
    nobody(&world.path("frames"));
    let daemon = Daemon::start(&world, "");
    also(&world, &another_lane(&world));
    daemon.signal("-HUP");
    let check = checkpointd(&world.path(""), &["--config", "gate.toml", "check-config"], "");
    assert_eq!(check.status.code(), Some(78), "check-config says so beforehand");
    assert!(said(&check).contains("there is no such folder"), "{}", said(&check));
    eventually("it still answers", || daemon.get("/status.json").contains("gate 7"));
    assert_eq!(daemon.stop(), Some(0));
    eventually("the journal says why", || {
        fs::read_to_string(world.path("journal")).unwrap_or_default().contains("not reloaded: lane 2")
    });
}

/// systemd takes a service that says `STOPPING=1` at its word, and kills it when it goes on (sd_notify(3)).
#[test]
fn another_configuration_is_no_end_to_the_service_manager() {
    let world = today();
    nobody(&world.path("frames"));
    let manager = UnixDatagram::bind(world.path("notify")).expect("bound");
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut message = [0; 4096];
        while let Ok(length) = manager.recv(&mut message) {
            if tell.send(String::from_utf8_lossy(&message[..length]).into_owned()).is_err() {
                break;
            }
        }
    });
    let until = |word: &str| -> Vec<String> {
        let mut messages: Vec<String> = Vec::new();
        while !messages.last().is_some_and(|last| last.lines().any(|line| line == word)) {
            messages.push(told.recv_timeout(Duration::from_secs(60)).expect("the daemon says so"));
        }
        messages
    };
    let daemon = Daemon::start(&world, "");
    until("READY=1");
    let config = fs::read_to_string(world.path("gate.toml")).expect("there");
    fs::write(world.path("gate.toml"), config.replace("gate 7", "gate 8")).expect("written");
    daemon.signal("-HUP");
    until("RELOADING=1");
    let between = until("READY=1");
    assert!(!between.iter().any(|message| message.contains("STOPPING")), "{between:?}");
    assert_eq!(daemon.stop(), Some(0));
    until("STOPPING=1");
}

#[test]
fn what_run_needs_is_missed_by_check_config_already() {
    let world = today();
    let top = world.path("");
    fs::write(top.join("empty"), "\u{feff}\n").expect("written");
    fs::write(top.join("marked"), "\u{feff}word\r\n").expect("written");
    let checked = |upload: &str| {
        let config =
            format!("[checkpoint]\nid = \"a+b\"\nrelying = \"440000\"\n[upload]\nreceipts = \"none\"\n{upload}\n");
        fs::write(top.join("check.toml"), config).expect("written");
        let output = checkpointd(&top, &["--config", "check.toml", "check-config"], "");
        (output.status.code(), said(&output))
    };
    let file = |name: &str| format!("\"{}\"", top.join(name).display());
    for (upload, named) in [
        (format!("url = \"https://centre.example/rows\"\nsecret = {}", file("missing")), "missing"),
        (format!("url = \"https://centre.example/rows\"\nsecret = {}", file("empty")), "empty"),
        (format!("url = \"https://centre.example/rows\"\nca = {}", file("missing")), "missing"),
        ("url = \"mqtt://centre.example\"".to_owned(), "mqtt"),
    ] {
        let (status, told) = checked(&upload);
        assert_eq!(status, Some(78), "{upload}: {told}");
        assert!(told.contains(named), "{upload}: {told}");
    }
    let (status, told) = checked(&format!("url = \"https://centre.example/rows\"\nsecret = {}", file("marked")));
    assert_eq!(status, Some(0), "{told}");
}

#[test]
fn a_daemon_of_another_gate_on_our_port_is_not_taken_for_ours() {
    let (ours, other) = (today(), today());
    nobody(&other.path("frames"));
    let daemon = Daemon::start(&other, "");
    let status = |world: &World| {
        let listen = daemon.page().trim_start_matches("http://");
        Command::new(env!("CARGO_BIN_EXE_checkpointd"))
            .args(["--set", "checkpoint.id=gate 7", "--set", &format!("page.listen={listen}"), "status"])
            .env("CHECKPOINTD_PLACES__RUNTIME", world.path("run"))
            .output()
            .expect("it runs")
    };
    assert!(status(&other).status.success(), "{}", said(&status(&other)));
    assert!(!status(&ours).status.success());
    assert!(said(&status(&ours)).contains("not the one of this configuration"), "{}", said(&status(&ours)));
}
