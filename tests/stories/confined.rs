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

/// How many entries a folder of the process has.
fn entries(daemon: &Daemon, folder: &str) -> usize {
    fs::read_dir(format!("/proc/{}/{folder}", daemon.pid())).map_or(0, Iterator::count)
}

#[test]
fn five_hundred_reloads_with_a_silent_mirror_and_a_silent_centre_touch_no_lane_and_leave_no_thread_and_no_descriptor() {
    let world = today();
    nobody(&world.path("frames"));
    // Two repositories are as good as thirty-six here, and are verified sooner.
    for folder in fs::read_dir(world.path("trust")).expect("a folder").map_while(Result::ok) {
        if !["000000", "440000"].contains(&folder.file_name().to_str().expect("a region")) {
            fs::remove_dir_all(folder.path()).expect("removed");
        }
    }
    // Whoever connects waits: nothing is ever accepted, and nothing answered.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("bound");
    let silence = format!(
        "[sync]\nmirrors = [\"http://{address}/\"]\ntimeout = \"30s\"\n\
         [upload]\nurl = \"http://{address}/rows\"\nreceipts = \"none\"\ntimeout = \"30s\"\n"
    );
    let daemon = Daemon::start_with(&world, "", 0, &silence);
    let longest = || {
        let metrics = daemon.get("/metrics");
        let line = metrics.lines().find(|line| line.starts_with("checkpoint_lane_longest_round_seconds"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).expect("a number")
    };
    let config = fs::read_to_string(world.path("gate.toml")).expect("written");
    let reloads = |from: u32, to: u32| {
        for round in from..to {
            // A setting that concerns the report alone is another each time, and the new report writes this file at once.
            let numbers = world.path(&format!("numbers-{round}"));
            let textfile = format!("[metrics]\ntextfile = \"{}\"\n", numbers.display());
            fs::write(world.path("gate.toml"), textfile + &config).expect("written");
            daemon.signal("-HUP");
            eventually("it is read anew", || numbers.exists());
        }
    };
    reloads(0, 20);
    eventually("the report goes on", || daemon.get("/status.json").contains("gate 7"));
    let (threads, descriptors) = (entries(&daemon, "task"), entries(&daemon, "fd"));
    reloads(20, 500);
    eventually("no thread is left", || entries(&daemon, "task") <= threads);
    eventually("no descriptor is left", || entries(&daemon, "fd") <= descriptors + 2);
    assert!(daemon.get("/status.json").contains(r#""camera_up":true"#));
    println!("longest round of the lane over 500 reloads: {} s", longest());
    assert_eq!(daemon.stop(), Some(0));
    let journal = || fs::read_to_string(world.path("journal")).unwrap_or_default();
    eventually("the journal is whole", || journal().contains("read anew"));
    assert_eq!(journal().matches("pictures arrive").count(), 1, "the camera was opened once: {}", journal());
}

#[test]
fn a_reload_that_changes_one_lane_leaves_the_other_its_camera_and_its_page_and_the_log_open() {
    let world = today();
    nobody(&world.path("frames"));
    let second = |show_for: &str| {
        format!(
            "[[lane]]\nid = \"2\"\nshow_for = \"{show_for}\"\n[lane.camera]\ndevice = \"pictures:{0}/frames\"\n\
             [lane.gate]\ndriver = \"file\"\npath = \"{0}/gate2\"\n",
            world.path("").display()
        )
    };
    let daemon = Daemon::start_with(&world, "", 0, "");
    let config = fs::read_to_string(world.path("gate.toml")).expect("written");
    let events = || {
        let rows = checkpointd(&world.path(""), &["--config", "gate.toml", "log", "query", "--events", "--json"], "");
        String::from_utf8_lossy(&rows.stdout).into_owned()
    };
    let mut changes = Vec::new();
    for show_for in ["5s", "6s", "7s"] {
        fs::write(world.path("gate.toml"), format!("{config}{}", second(show_for))).expect("written");
        daemon.signal("-HUP");
        eventually("it is read anew", || events().matches(r#""kind":"config""#).count() == changes.len() + 2);
        changes.push(show_for);
    }
    assert_eq!(daemon.stop(), Some(0));
    let journal = || fs::read_to_string(world.path("journal")).unwrap_or_default();
    eventually("the journal is whole", || journal().contains("read anew"));
    assert_eq!(journal().matches("lane 1: pictures arrive").count(), 1, "{}", journal());
    assert!(world.path("gate2").exists(), "the other lane has its gate");
    assert_eq!(events().matches(r#""kind":"config""#).count(), 4, "one log holds every configuration");
}

#[test]
fn a_lane_whose_gate_could_not_be_had_works_once_it_can() {
    let world = today();
    nobody(&world.path("frames"));
    also(&world, &another_lane(&world));
    let daemon = Daemon::start(&world, "");
    eventually("the device says which", || daemon.get("/status.json").contains("lane 2: the gate does not answer"));
    fs::create_dir(world.path("nowhere")).expect("made");
    eventually("its gate is closed", || fs::read_to_string(world.path("nowhere/gate")).is_ok());
    eventually("and nothing is said of it", || !daemon.get("/status.json").contains("gate-fault"));
    assert!(daemon.first_of("/events?lane=2", "event: state").contains("idle"));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_missing_secret_of_the_upload_costs_the_rows_their_way_and_nobody_their_passage() {
    let world = today();
    nobody(&world.path("frames"));
    let upload = format!(
        "[upload]\nurl = \"http://127.0.0.1:9/rows\"\nreceipts = \"none\"\nsecret = \"{}\"\n",
        world.path("word").display()
    );
    let daemon = Daemon::start_with(&world, "", 0, &upload);
    eventually("the device says so", || daemon.get("/status.json").contains("upload-unavailable"));
    assert!(daemon.first_of("/events?lane=1", "event: state").contains("idle"), "the lane works");
    fs::write(world.path("word"), "word\n").expect("written");
    eventually("the upload begins", || !daemon.get("/status.json").contains("upload-unavailable"));
    assert_eq!(daemon.stop(), Some(0));
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
