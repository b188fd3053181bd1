//! The second line: an officer's word is a row in the chain, or nothing; and what a device says of itself can be checked.

use std::{fs, os::unix::fs::PermissionsExt};

use super::{
    gate::{Daemon, eventually, picture, today},
    support::{World, checkpointd, said},
};

/// A daemon with one officer: a steward with the PIN 314159.
pub fn with_officers(world: &World) -> Daemon {
    let officers = world.path("officers");
    fs::write(&officers, "steward 314159\n").expect("written");
    fs::set_permissions(&officers, fs::Permissions::from_mode(0o600)).expect("set");
    fs::create_dir_all(world.path("conf.d")).expect("made");
    let text = format!("[page]\nofficers = \"{}\"\n", officers.display());
    fs::write(world.path("conf.d/officers.toml"), text).expect("written");
    Daemon::start(world, "")
}

/// Posts an officer's word; the status of the answer.
fn post(daemon: &Daemon, headers: &[(&str, &str)], body: &str) -> u16 {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = agent.post(format!("{}/override", daemon.page()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send(body).expect("it answers").status().as_u16()
}

/// The identity of the latest scan on the operator's page.
fn latest(daemon: &Daemon) -> String {
    let state: serde_json::Value = serde_json::from_str(&daemon.get("/status.json")).expect("JSON");
    state["recent"][0]["scan"].as_str().unwrap_or_default().to_owned()
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn word(scan: &str, pin: &str) -> String {
    format!(r#"{{"scan":"{scan}","verdict":"admit","role":"steward","pin":"{pin}","why":"papers"}}"#)
}

#[test]
fn an_officers_word_is_a_row_in_the_chain_and_only_the_right_pin_from_the_own_page_writes_it() {
    let world = today();
    picture(&world.path("frames"), world.text("from Hebei, whose recognition is suspended"));
    let daemon = with_officers(&world);
    eventually("the scan is listed", || !latest(&daemon).is_empty());
    let scan = latest(&daemon);
    let strange = "01775ae8-2204-7bab-be50-b40ae34103be";
    let good = word(&scan, "314159");
    assert_eq!(post(&daemon, &[JSON, ("origin", "http://evil.example")], &good), 403, "another page");
    assert_eq!(post(&daemon, &[("content-type", "text/plain")], &good), 403, "what a form could send");
    assert_eq!(post(&daemon, &[JSON], &word(&scan, "271828")), 403, "a wrong PIN");
    assert_eq!(post(&daemon, &[JSON], &word(strange, "314159")), 404, "a scan nobody saw");
    assert_eq!(post(&daemon, &[JSON], &good.replace("admit", "refer")), 400, "nobody to refer to");
    assert_eq!(post(&daemon, &[JSON], &good.replace("papers", "Zhang San said so")), 400, "no free text");
    assert_eq!(post(&daemon, &[JSON], &good.repeat(20)), 413, "too much");
    assert_eq!(post(&daemon, &[JSON, ("origin", daemon.page())], &good), 204);
    eventually("the page shows it", || daemon.get("/status.json").contains(r#""by_hand":"admit""#));
    for _ in 0..5 {
        assert_eq!(post(&daemon, &[JSON], &word(&scan, "000000")), 403);
    }
    assert_eq!(post(&daemon, &[JSON], &good), 429, "five wrong PINs lock the desk");
    assert_eq!(daemon.stop(), Some(0));
    let top = world.path("");
    let rows = checkpointd(&top, &["--config", "gate.toml", "log", "query", "--id", &scan, "--json"], "");
    let rows = String::from_utf8_lossy(&rows.stdout).into_owned();
    assert_eq!(rows.matches(r#""kind":"override""#).count(), 1, "{rows}");
    assert!(!rows.contains("314159"), "no PIN in the log");
    let journal = || fs::read_to_string(world.path("journal")).unwrap_or_default();
    eventually("the journal is kept", || journal().contains("a steward decided by hand"));
    assert!(!journal().contains("314159"), "nor in the journal");
    let verified = checkpointd(&top, &["--config", "gate.toml", "log", "verify"], "");
    assert!(verified.status.success(), "{}", said(&verified));
}

#[test]
fn where_no_officers_are_named_nobody_overrides() {
    let world = today();
    picture(&world.path("frames"), world.text("with a forged code"));
    let daemon = Daemon::start(&world, "");
    eventually("the scan is listed", || !latest(&daemon).is_empty());
    assert_eq!(post(&daemon, &[JSON], &word(&latest(&daemon), "314159")), 403);
}

#[test]
fn an_inspector_checks_a_devices_attestation_with_its_public_key_and_sees_a_changed_one() {
    let world = today();
    picture(&world.path("frames"), world.text("from Guangdong, green"));
    let daemon = Daemon::start(&world, "");
    eventually("it is admitted", || daemon.get("/status.json").contains("\"reason\":\"ok\""));
    let note = daemon.get("/attestation.txt");
    assert!(daemon.get("/attestation.svg").contains("<svg"), "and as a symbol");
    assert_eq!(daemon.stop(), Some(0));
    let top = world.path("");
    let key = checkpointd(&top, &["--config", "gate.toml", "log", "anchor", "--public-key"], "");
    fs::write(world.path("gate.pub"), &key.stdout).expect("written");
    let inspect = |note: &str| checkpointd(&top, &["verify", "--attestation", "gate.pub", "--json"], note);
    let told = inspect(&note);
    assert_eq!(told.status.code(), Some(0), "{}", said(&told));
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(told["checkpoint"], "gate 7");
    assert!(told["lists"]["440000"].as_u64().is_some(), "{told}");
    let changed = inspect(&note.replace("gate 7\n", "gate 8\n"));
    assert_eq!(changed.status.code(), Some(10), "{}", said(&changed));
}
