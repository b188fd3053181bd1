//! The numbers are what Prometheus takes: its own checker reads them from a working gate.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::gate::{Daemon, eventually, picture, today};

#[test]
fn prometheus_own_checker_accepts_the_numbers_of_a_working_gate() {
    let checker = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut checker) = checker else {
        println!("promtool is not installed; the numbers are not checked");
        return;
    };
    let world = today();
    picture(&world.path("frames"), world.text("from Guangdong, green"));
    let daemon = Daemon::start(&world, "");
    eventually("it is admitted", || daemon.get("/status.json").contains("\"reason\":\"ok\""));
    let numbers = daemon.get("/metrics");
    checker.stdin.take().expect("piped").write_all(numbers.as_bytes()).expect("it reads");
    let output = checker.wait_with_output().expect("it ends");
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && complaints.trim().is_empty(), "{complaints}");
}
