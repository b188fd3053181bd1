//! The README's first command: every traveller gets the verdict that is expected.

use std::{
    process::{Command, Stdio},
    thread,
    time::Duration,
};

#[test]
fn every_traveller_of_the_demonstration_gets_the_expected_verdict() {
    let output = Command::new(env!("CARGO_BIN_EXE_checkpointd"))
        .args(["demo", "--once", "--json"])
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_str(said.trim()).expect("one object");
    assert_eq!(report["expected"], report["travellers"], "{report}");
    for verdict in ["admit", "refer", "refuse", "none"] {
        assert!(report["verdicts"][verdict].as_u64() > Some(0), "nobody got {verdict}: {report}");
    }
}

#[test]
fn lists_that_are_swapped_again_and_again_while_travellers_pass_cost_nobody_a_verdict() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_checkpointd"))
        .args(["--verbose", "demo", "--once", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let id = child.id().to_string();
    let mut journal = child.stderr.take().expect("piped");
    let listener = thread::spawn(move || {
        let mut said = String::new();
        std::io::Read::read_to_string(&mut journal, &mut said).map(|_| said)
    });
    // A hangup before it listens for one would end it.
    thread::sleep(Duration::from_secs(2));
    while child.try_wait().expect("a child").is_none() {
        assert!(Command::new("kill").args(["-HUP", &id]).stderr(Stdio::null()).status().is_ok());
        thread::sleep(Duration::from_millis(400));
    }
    let output = child.wait_with_output().expect("it ended");
    let (said, journal) = (String::from_utf8_lossy(&output.stdout), listener.join().expect("no panic").expect("text"));
    let report: serde_json::Value = serde_json::from_str(said.trim()).expect("one object");
    assert_eq!(report["unanswered"], 0, "{report}{journal}");
    assert!(journal.matches("lists read anew").count() >= 10, "{journal}");
}
