//! The numbers are what Prometheus takes, by its own checker, and what the document says, by name, type and labels.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    process::{Command, Stdio},
};

use super::gate::{Daemon, also, eventually, picture, today};

/// By the name of a metric: its type and its labels.
type Numbers = BTreeMap<String, (String, BTreeSet<String>)>;

/// What Prometheus text says, version 0.0.4.
fn told(text: &str) -> Numbers {
    let mut numbers = Numbers::new();
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a name and a type");
            numbers.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        } else if !line.starts_with('#') {
            let (name, labels) = line.split_once('{').map_or((line, ""), |(name, rest)| (name, rest));
            let name = name.split(' ').next().expect("a name");
            let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
            let name = of_histogram.filter(|name| numbers.contains_key(*name)).unwrap_or(name);
            let labels = labels.split("\",").filter_map(|label| Some(label.split_once("=\"")?.0.to_owned()));
            numbers.get_mut(name).expect("a type first").1.extend(labels.filter(|label| label != "le"));
        }
    }
    numbers
}

/// What docs/metrics.md says, and which of them are there from the first time on only.
fn documented() -> (Numbers, BTreeSet<String>) {
    let (mut numbers, mut later) = (Numbers::new(), BTreeSet::new());
    for line in include_str!("../../docs/metrics.md").lines().filter(|line| line.starts_with("| `checkpoint_")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells[0].trim_matches('`').to_owned();
        let labels = cells[2].split(", ").map(|label| label.trim_matches('`').to_owned());
        if cells[3].ends_with("from the first one on.") {
            later.insert(name.clone());
        }
        numbers.insert(name, (cells[1].to_owned(), labels.filter(|label| !label.is_empty()).collect()));
    }
    (numbers, later)
}

#[test]
fn a_gate_tells_the_numbers_of_the_document_with_their_types_and_labels_and_no_others() {
    let (documented, later) = documented();
    assert!(documented.len() >= 14 && later.len() < 3, "the document was understood: {documented:?}");
    let world = today();
    let textfile = world.path("numbers.prom");
    also(&world, &format!("[metrics]\ntextfile = \"{}\"\nevery = \"1s\"\n", textfile.display()));
    super::gate::nobody(&world.path("frames"));
    let daemon = Daemon::start(&world, "");
    let now = || told(&daemon.get("/metrics"));
    eventually("the first report was made", || now().contains_key("checkpoint_trust_age_seconds"));
    let mut before = documented.clone();
    before.retain(|name, _| !later.contains(name));
    assert_eq!(now(), before, "before anybody came");
    picture(&world.path("frames"), world.text("from Guangdong, green"));
    eventually("it is admitted", || now().contains_key("checkpoint_scans_total"));
    for (name, numbers) in now() {
        assert_eq!(Some(&numbers), documented.get(&name), "{name}, when somebody was admitted");
    }
    let text = daemon.get("/metrics");
    for once in [
        "checkpoint_gate_opens_total{lane=\"1\"} 1",
        "checkpoint_time_to_verdict_seconds_count{lane=\"1\"} 1",
        "checkpoint_stage_seconds_count{stage=\"judge\"} 1",
        "checkpoint_camera_up{lane=\"1\"} 1",
    ] {
        assert!(text.contains(once), "{once}: {text}");
    }
    for stage in ["luma", "read"] {
        let none = format!("checkpoint_stage_seconds_count{{stage=\"{stage}\"}} 0\n");
        assert!(!text.contains(&none), "each frame takes its time in {stage}");
    }
    let on_disk = || told(&fs::read_to_string(&textfile).unwrap_or_default());
    eventually("node_exporter finds the same", || on_disk() == now());
}

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
