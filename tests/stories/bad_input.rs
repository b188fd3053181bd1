//! Bad input of every kind ends in a clear message that names the file and says what to do, with nothing lost and no panic.

use std::fs;

use super::support::{AT, World, checkpointd, said};

const VERIFY: [&str; 7] = ["verify", "--trust", "trust", "--relying", "440000", "--at", AT];

#[test]
fn a_picture_that_is_none_is_named_and_the_others_are_still_read() {
    let world = World::new();
    fs::write(world.path("broken.png"), b"this is no picture").expect("written");
    image::GrayImage::from_pixel(80, 60, image::Luma([200])).save(world.path("empty.png")).expect("written");
    let top = world.path("");
    let output = checkpointd(&top, &["scan", "--decode-only", "--json", "broken.png", "missing.png", "empty.png"], "");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect();
    assert_eq!(lines.len(), 3);
    for (line, file) in lines.iter().zip(["broken.png", "missing.png"]) {
        assert_eq!(line["file"], file);
        assert!(line["error"].as_str().is_some_and(|error| !error.is_empty()), "{line}");
    }
    assert_eq!(lines[2]["symbols"], serde_json::json!([]));
}

#[test]
fn a_list_cut_short_is_named_and_nobody_is_judged_by_it() {
    let world = World::new();
    let mut cut = 0;
    for (path, bytes) in &world.country.files {
        if path.starts_with("000000/") && path.ends_with("timestamp.json") {
            fs::write(world.path("trust").join(path), &bytes[..bytes.len() / 2]).expect("written");
            cut += 1;
        }
    }
    assert!(cut > 0, "there is a timestamp to cut");
    let output = checkpointd(&world.path(""), &VERIFY, world.text("from Guangdong, green"));
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(said(&output).contains("trust/000000"), "{}", said(&output));
}

#[test]
fn one_provinces_broken_list_leaves_the_others_in_force() {
    let world = World::new();
    for (path, bytes) in &world.country.files {
        if path.starts_with("420000/") && path.ends_with("timestamp.json") {
            fs::write(world.path("trust").join(path), &bytes[..bytes.len() / 2]).expect("written");
        }
    }
    let home = checkpointd(&world.path(""), &VERIFY, world.text("from Guangdong, green"));
    assert_eq!(home.status.code(), Some(0), "{}", said(&home));
    assert!(said(&home).contains("420000"), "the journal names the province: {}", said(&home));
    let hubei = checkpointd(&world.path(""), &VERIFY, world.text("from Hubei, by the direct route"));
    assert_eq!(hubei.status.code(), Some(11), "it refers, since the device lacks the list");
}

#[test]
fn a_list_signed_by_a_key_that_is_not_the_roots_is_refused() {
    let (world, stranger) = (World::new(), World::new());
    let name = stranger
        .country
        .files
        .keys()
        .find(|path| path.starts_with("000000/") && path.ends_with("timestamp.json"))
        .expect("there is one")
        .as_str();
    let forged = String::from_utf8(stranger.country.files[name].clone()).expect("JSON");
    // The same metadata with one character of a signature changed: signed by nobody.
    let at = forged.find("\"sig\"").expect("a signature") + 12;
    let mut bytes = forged.into_bytes();
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    fs::write(world.path("trust").join(name), bytes).expect("written");
    let output = checkpointd(&world.path(""), &VERIFY, world.text("from Guangdong, green"));
    assert_eq!(output.status.code(), Some(1));
    let said = said(&output);
    assert!(said.contains("timestamp") && said.contains("trust/000000"), "{said}");
}

#[test]
fn a_code_with_a_flipped_character_is_never_admitted() {
    let world = World::new();
    let good = world.text("from Guangdong, green");
    let mut input = String::new();
    for at in 0..good.len() {
        let mut bytes = good.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        input.push_str(str::from_utf8(&bytes).expect("ASCII"));
        input.push('\n');
    }
    let output = checkpointd(&world.path(""), &[&VERIFY[..], &["--json"]].concat(), &input);
    let lines = String::from_utf8(output.stdout).expect("text");
    assert_eq!(lines.lines().count(), good.len());
    assert!(!lines.contains("\"admit\""), "a changed code was admitted");
}

#[test]
fn a_typo_in_the_configuration_ends_with_78_its_line_and_the_nearest_key() {
    let world = World::new();
    fs::write(world.path("gate.toml"), "[checkpoint]\nreliyng = \"440000\"\n").expect("written");
    let top = world.path("");
    for command in [&["check-config"][..], &["run"]] {
        let output = checkpointd(&top, &[&["--config", "gate.toml"], command].concat(), "");
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
        assert!(said(&output).contains("gate.toml:2"), "{}", said(&output));
        assert!(said(&output).contains("did you mean relying?"), "{}", said(&output));
    }
}

#[test]
fn a_database_that_is_none_is_named_and_left_as_it_is_by_a_question() {
    let world = World::new();
    fs::create_dir_all(world.path("state")).expect("made");
    fs::write(world.path("state/scans.db"), b"this is no database, but it may be evidence").expect("written");
    let output = checkpointd(&world.path(""), &["log", "query"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("scans.db"), "{}", said(&output));
    assert_eq!(fs::read(world.path("state/scans.db")).expect("there"), b"this is no database, but it may be evidence");
}
