//! Newer lists that would change much, before the real daemon: they wait and it says so, until an officer's word; and bursts of forgeries.

use std::{collections::BTreeSet, fs, io::Write, os::unix::net::UnixStream};

use super::{
    gate::{Daemon, eventually, nobody, picture, today},
    lists::Publisher,
    support::{World, checkpointd, said},
};
use authority::{Source, code::Draft, key::KeyType};
use scanner::demo::country::GATE;
use trustlist::{code::KeyState, lists::keys::KeyUse};

/// The same code again counts as another traveller's.
const AGAIN: &str = "same_symbol_timeout = \"100ms\"\nrearm = \"100ms\"";

/// A traveller after the other with the same code, and nobody in between.
fn queue(world: &World, text: &str) {
    let frames = world.path("frames");
    picture(&frames, text);
    for number in 1..=5 {
        let empty = image::GrayImage::from_pixel(1280, 720, image::Luma([160]));
        empty.save(frames.join(format!("gap-{number}.png"))).expect("written");
    }
}

fn command(world: &World, arguments: &[&str]) -> String {
    let output = checkpointd(&world.path(""), &[&["--config", "gate.toml"], arguments].concat(), "");
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_revocation_that_stops_everybody_waits_for_an_officer_and_is_shown_and_taken_at_a_word() {
    let world = today();
    let mut publisher = Publisher::new();
    fs::remove_dir_all(world.path("trust")).expect("removed");
    publisher.publish(&world.path("trust"));
    let now = host::clock::Clock::machine().unix();
    let home = GATE.parse().expect("a region");
    let draft = Draft::new(home, now.plus(-60));
    queue(&world, &publisher.federation.issue(&draft, false, None).expect("signed"));
    let daemon = Daemon::start(&world, AGAIN);
    command(&world, &["trust", "import", "trust"]);
    eventually("thirty travellers are admitted", || {
        let rows = daemon.get("/metrics");
        let line = rows.lines().find(|line| line.starts_with("checkpoint_scans_total{") && line.contains("\"ok\""));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u32>().ok()).is_some_and(|count| count >= 30)
    });

    let desk = publisher.federation.authority(home).expect("there");
    let kid = desk.signing_key(KeyUse::Code, now).expect("a key").kid();
    desk.set_key_state(kid, KeyState::Revoked).expect("revoked");
    publisher.publish(&world.path("trust"));
    let told = command(&world, &["trust", "import", "trust"]);
    assert!(
        told.contains("440000  generation 2 waits") && told.contains("waiting for checkpointd trust activate"),
        "{told}"
    );
    eventually("the band says so", || daemon.get("/status.json").contains("\"list-held\""));
    assert!(daemon.get("/metrics").contains("checkpoint_lists_waiting 1"));
    assert!(daemon.get("/status.json").contains("\"waiting\":\"440000: 100 % of"));
    assert!(command(&world, &["sync", "status"]).contains("waiting       440000: 100 % of"));
    let difference = command(&world, &["trust", "diff"]);
    assert!(difference.contains(&format!("+ key 440000 {kid} revoked")), "{difference}");
    assert!(difference.contains("440000  admit ok -> refuse key-revoked"), "{difference}");
    assert!(!daemon.get("/status.json").contains("key-revoked"), "nobody is refused meanwhile");

    let taken = command(&world, &["trust", "activate"]);
    assert_eq!(taken, "440000  generation 2 in force, after 1\n");
    eventually("the daemon has taken it over", || daemon.get("/status.json").contains("\"reason\":\"key-revoked\""));
    eventually("nothing waits", || !daemon.get("/status.json").contains("\"list-held\""));
    assert_eq!(command(&world, &["trust", "activate"]), "nothing waits\n");
}

#[test]
fn what_another_process_brings_is_in_force_in_the_daemon_without_a_word() {
    let world = today();
    queue(&world, world.text("from Ningxia, whose list never came"));
    let daemon = Daemon::start(&world, AGAIN);
    eventually("its list is missing", || daemon.get("/status.json").contains("\"reason\":\"list-missing\""));
    let mut publisher = Publisher::new();
    publisher.publish(&world.path("stick"));
    let root = world.path("stick/000000/metadata/1.root.json").display().to_string();
    command(&world, &["trust", "import", "stick", "--first-root", &root]);
    eventually("another country's keys are in force", || {
        daemon.get("/status.json").contains("\"reason\":\"unknown-key\"")
    });
    assert!(daemon.get("/status.json").contains("updated from stick"));
}

#[test]
fn lists_that_change_under_a_stream_of_travellers_cost_nobody_a_verdict() {
    let world = today();
    nobody(&world.path("frames"));
    let mut publisher = Publisher::new();
    fs::remove_dir_all(world.path("trust")).expect("removed");
    publisher.publish(&world.path("trust"));
    let now = host::clock::Clock::machine().unix();
    let draft = Draft::new(GATE.parse().expect("a region"), now.plus(-60));
    let socket = world.path("codes");
    let daemon = Daemon::start(&world, &format!("rearm = \"0ms\"\nreaders = [\"socket:{}\"]", socket.display()));
    let mut codes = UnixStream::connect(&socket).expect("there");
    let (mut sent, wanted) = (0, 4);
    let mut stream = |publisher: &Publisher| {
        let traveller = publisher.federation.issue(&draft, false, None).expect("signed");
        writeln!(codes, "{traveller}").expect("sent");
        sent += 1;
        sent
    };
    for generation in 1..=wanted {
        if generation > 1 {
            publisher.publish(&world.path("trust"));
            command(&world, &["trust", "import", "trust"]);
        }
        eventually("the daemon takes it over", || {
            // Somebody stands before the gate all the time.
            stream(&publisher);
            let status = daemon.get("/status.json");
            let shown = |generation: u64| status.contains(&format!("\"generation\":{generation}}}"));
            // The issuers' lists are taken over one after the other.
            shown(generation) && !shown(generation - 1)
        });
        let all = format!(r#"checkpoint_scans_total{{lane="1",reason="ok",verdict="admit"}} {}"#, stream(&publisher));
        eventually("everybody is admitted", || daemon.get("/metrics").lines().any(|line| line == all));
    }
    let told = command(&world, &["log", "query", "--oldest-first", "--json", "--limit", "100000"]);
    let rows = told.lines().map(|line| serde_json::from_str(line).expect("a row"));
    let rows: Vec<serde_json::Value> =
        rows.filter(|row: &serde_json::Value| row["row"]["reason"].is_string()).collect();
    assert_eq!(rows.len(), sent, "and one only");
    assert!(rows.iter().all(|row| row["row"]["reason"] == "ok"), "nobody met a gate without lists");
    let generations: Vec<u64> = rows.iter().filter_map(|row| row["row"]["list_generation"].as_u64()).collect();
    assert!(generations.is_sorted(), "never back to older lists");
    assert_eq!(generations.into_iter().collect::<BTreeSet<_>>(), (1..=wanted).collect(), "judged by each in turn");
}

#[test]
fn a_code_of_a_key_that_is_newer_than_the_list_has_newer_lists_asked_for_long_before_their_time() {
    let world = today();
    // Lists of yesterday morning: in grace, and a key that is not on them may be a new one.
    let mut publisher = Publisher::begun(30 * 3600);
    fs::remove_dir_all(world.path("trust")).expect("removed");
    publisher.publish(&world.path("trust"));
    publisher.publish(&world.path("mirror"));
    let (now, home) = (host::clock::Clock::machine().unix(), GATE.parse().expect("a region"));
    let desk = publisher.federation.authority(home).expect("there");
    let key = Source::Seed([8; 32]).key(home, "Code-9", KeyType::Ed25519).expect("a key");
    desk.rotate_key(KeyUse::Code, key, now.plus(-60)).expect("rotated");
    let code = publisher.federation.issue(&Draft::new(home, now.plus(-30)), false, None).expect("signed");
    queue(&world, &code);
    let mirrors = format!("[sync]\nevery = \"24h\"\nmirrors = [\"file://{}\"]\n", world.path("mirror").display());
    let daemon = Daemon::start_with(&world, AGAIN, 0, &mirrors);
    eventually("it is referred", || daemon.get("/status.json").contains("\"reason\":\"key-newer-than-list\""));
    publisher.publish_at(&world.path("mirror"), now);
    eventually("the new list is here, and the traveller admitted", || {
        daemon.get("/status.json").contains("\"reason\":\"ok\"")
    });
}

#[test]
fn a_burst_of_forged_codes_is_an_alarm_in_the_band_the_numbers_and_the_journal_once() {
    let world = today();
    queue(&world, world.text("with a forged code"));
    let daemon = Daemon::start(&world, AGAIN);
    eventually("the band says so", || daemon.get("/status.json").contains("\"signature-burst\""));
    assert!(daemon.get("/metrics").contains("checkpoint_signature_bursts_total{lane=\"1\"} 1"));
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(daemon.get("/metrics").contains("checkpoint_signature_bursts_total{lane=\"1\"} 1"), "one burst, one alarm");
    assert_eq!(daemon.stop(), Some(0));
    let journal = || fs::read_to_string(world.path("journal")).unwrap_or_default();
    eventually("the journal is whole", || journal().contains("somebody tries forged codes"));
    assert_eq!(journal().matches("somebody tries forged codes").count(), 1);
}

#[test]
fn a_nation_that_was_founded_anew_is_taken_on_by_the_word_of_whoever_stands_at_the_gate_with_a_row_in_the_log() {
    let world = today();
    let mut publisher = Publisher::begun(1800);
    fs::remove_dir_all(world.path("trust")).expect("removed");
    publisher.publish(&world.path("trust"));
    publisher.publish(&world.path("trust"));
    let (anew, root) = anew(&mut publisher, 2);
    for (path, bytes) in anew {
        let path = world.path("anew").join(path);
        fs::create_dir_all(path.parent().expect("a folder above it")).expect("made");
        fs::write(path, bytes).expect("written");
    }
    fs::write(world.path("root.json"), root).expect("written");
    let daemon = Daemon::start(&world, AGAIN);
    command(&world, &["trust", "import", "trust"]);
    eventually("the old nation's lists count", || daemon.get("/status.json").contains("\"generation\":2"));
    let words = ["trust", "import", "anew", "--first-root", "root.json"];
    let output = checkpointd(&world.path(""), &[&["--config", "gate.toml"], &words[..]].concat(), "");
    assert_eq!(output.status.code(), Some(1), "generation 2 is not above 2: {}", said(&output));
    assert!(said(&output).contains("--after 2"), "{}", said(&output));
    let (anew, _) = self::anew(&mut publisher, 3);
    for (path, bytes) in anew {
        fs::write(world.path("anew").join(path), bytes).expect("written");
    }
    command(&world, &words);
    eventually("the new nation's lists count", || daemon.get("/status.json").contains("\"generation\":3"));
    let founded = || command(&world, &["log", "query", "--events", "--limit", "100000"]);
    eventually("the log has a row", || founded().contains("the nation was founded anew"));
    assert_eq!(daemon.stop(), Some(0));
    let daemon = Daemon::start(&world, AGAIN);
    eventually("it starts again", || daemon.get("/status.json").contains("\"generation\":3"));
    assert_eq!(founded().matches("the nation was founded anew").count(), 1, "one word, one row");
}

/// The nation with other keys, which lists the same provinces, published so many times; its first root.
fn anew(publisher: &mut Publisher, times: i64) -> (std::collections::BTreeMap<String, Vec<u8>>, Vec<u8>) {
    let now = host::clock::Clock::machine().unix().plus(-60);
    let mut anew = authority::Federation::new(Source::Seed([99; 32]), now.plus(-86_400)).expect("founded");
    for (id, province) in &publisher.federation.issuers {
        let newcomer = authority::national::Newcomer {
            id: *id,
            names: None,
            parent: None,
            scope: Vec::new(),
            formats: vec![trustlist::code::Format::Mr1],
            mirrors: Vec::new(),
            root: province.first_root().to_vec(),
        };
        anew.lists().add(newcomer).expect("listed");
    }
    let mut files = std::collections::BTreeMap::new();
    for time in 1..=times {
        files.extend(anew.publish(now.plus(time - times)).expect("published"));
    }
    let root = anew.national.first_root().to_vec();
    (files, root)
}
