//! A box is set up through its own camera: by the right code, in a service window, once; and nothing secret is told to anybody.

use std::fs;

use authority::{
    Source,
    code::{ConfigurationDraft, issue_configuration},
    key::{KeyType, SigningKey},
};
use trustlist::{
    configuration::{Direction, Settings, Wifi},
    region::NATIONAL,
    time::UnixTime,
};

use super::{
    gate::{Daemon, eventually, picture, today},
    support::{World, checkpointd, said},
};

/// The demonstration's national platform makes all its keys from one seed.
fn national() -> SigningKey {
    Source::Seed([34; 32]).key(NATIONAL, "Configuration-0", KeyType::Ed25519).expect("an Ed25519 key")
}

fn now() -> UnixTime {
    host::clock::Clock::machine().unix()
}

fn code(key: &SigningKey, to: &str, settings: Settings) -> String {
    let issued_at = now();
    let draft = ConfigurationDraft { to: to.to_owned(), number: 7, issued_at, expires: issued_at.plus(3600), settings };
    issue_configuration(&draft, key).expect("an Ed25519 key")
}

fn exit_lane() -> Settings {
    let mirrors = Some(vec!["https://lists.example/".to_owned()]);
    Settings { lane: Some("west-2".to_owned()), direction: Some(Direction::Exit), mirrors, ..Settings::default() }
}

/// Opens the window of the daemon in this world.
fn open_window(world: &World) {
    let output = checkpointd(&world.path(""), &["--config", "gate.toml", "service-window"], "");
    assert!(output.status.success(), "{}", said(&output));
}

/// A daemon whose window is open when the code comes into view.
fn in_window(world: &World, code: &str) -> Daemon {
    fs::create_dir_all(world.path("run")).expect("made");
    fs::write(world.path("run/service-window"), "600").expect("written");
    picture(&world.path("frames"), code);
    Daemon::start(world, "")
}

fn screen(daemon: &Daemon) -> String {
    daemon.first_of("/events", "event: state")
}

fn rows(world: &World) -> String {
    let output = checkpointd(&world.path(""), &["--config", "gate.toml", "log", "query", "--events", "--json"], "");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_code_counts_in_a_service_window_only_sets_the_lane_and_never_counts_again() {
    let world = today();
    let text = code(&national(), "gate 7", exit_lane());
    picture(&world.path("frames"), &text);
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let closed = Daemon::start_at(&world, "", port);
    eventually("the screen asks for a window", || screen(&closed).contains("no-window"));
    assert!(!world.path("state/codes.toml").exists(), "nothing is set");
    assert_eq!(closed.stop(), Some(0));

    open_window(&world);
    let open = Daemon::start_at(&world, "", port);
    eventually("the lane has its new name and direction", || {
        // The page is away for a moment while the shift begins anew.
        ureq::get(format!("{}/status.json", open.page()))
            .call()
            .ok()
            .and_then(|mut answer| answer.body_mut().read_to_string().ok())
            .is_some_and(|status| status.contains(r#""lane":"west-2""#))
    });
    eventually("the same code in view is one that was taken", || screen(&open).contains("replayed"));
    assert!(open.get("/status.json").contains("service-window"), "everybody sees that a window is open");
    assert_eq!(open.stop(), Some(0));

    let rows = rows(&world);
    assert_eq!(rows.matches(r#""kind":"configuration-code""#).count(), 1, "{rows}");
    assert!(rows.contains(r#""number":7"#) && rows.contains(r#""sets":["lane","direction","mirrors"]"#), "{rows}");
    let output = checkpointd(&world.path(""), &["--config", "gate.toml", "check-config"], "");
    let effective = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", said(&output));
    for part in ["id = \"west-2\"", "direction = \"exit\"", "https://lists.example/", "show_for = \"30s\""] {
        assert!(effective.contains(part), "{part}: {effective}");
    }
}

#[test]
fn a_code_for_elsewhere_of_another_key_or_with_an_impossible_setting_sets_nothing() {
    let province = Source::Seed([34; 32]).key("440000".parse().expect("a region"), "Code-0", KeyType::Ed25519);
    let impossible = Settings { mirrors: Some(vec!["ftp://lists.example/".to_owned()]), ..Settings::default() };
    for (key, to, settings, word) in [
        (national(), "gate 8", exit_lane(), "elsewhere"),
        (province.expect("a key"), "gate 7", exit_lane(), "unknown-key"),
        (national(), "*", impossible, "not-applied"),
    ] {
        let world = today();
        let daemon = in_window(&world, &code(&key, to, settings));
        eventually("the screen says why", || screen(&daemon).contains(word));
        assert_eq!(daemon.stop(), Some(0));
        assert!(!world.path("state/codes.toml").exists(), "{word}: nothing is set");
        assert!(!rows(&world).contains("configuration-code"), "{word}: and nothing is in the chain");
    }
}

#[test]
fn a_wireless_passphrase_goes_into_one_file_of_its_owners_and_nowhere_else() {
    let world = today();
    let wifi = Some(Wifi { name: b"Station staff".to_vec(), passphrase: "correct-horse-9".to_owned() });
    let daemon = in_window(&world, &code(&national(), "*", Settings { wifi, ..Settings::default() }));
    let file = world.path("state/wifi.nmconnection");
    eventually("the network is written", || file.exists());
    assert!(fs::read_to_string(&file).expect("readable").contains("psk=correct-horse-9"));
    eventually("the screen says so", || screen(&daemon).contains("taken"));
    assert_eq!(daemon.stop(), Some(0));
    eventually("the journal is whole", || world.path("journal").exists());
    for place in ["state/scans.db", "state/codes.toml", "journal"] {
        let content = fs::read(world.path(place)).expect(place);
        assert!(!content.windows(15).any(|window| window == b"correct-horse-9"), "{place} holds the passphrase");
    }
    assert!(rows(&world).contains(r#""sets":["wifi"]"#), "{}", rows(&world));
}

#[test]
fn a_slip_in_a_language_or_a_recording_is_told_before_travellers_meet_it() {
    let world = World::new();
    fs::create_dir_all(world.path("strings")).expect("made");
    fs::create_dir_all(world.path("voice/en")).expect("made");
    let check = |page: &str| {
        let config = format!(
            "[checkpoint]\nrelying = \"440000\"\n[page]\nstrings = \"{0}/strings\"\n{page}\n[[lane]]\n[lane.gate]\ndriver = \"log\"\n",
            world.path("").display()
        );
        fs::write(world.path("gate.toml"), config).expect("written");
        let output = checkpointd(&world.path(""), &["--config", "gate.toml", "check-config"], "");
        (output.status.code(), said(&output))
    };
    let (code, told) = check("languages = [\"zh-CN\", \"en\"]");
    assert_eq!(code, Some(0), "{told}");
    let words = |text: &str| fs::write(world.path("strings/de.json"), text).expect("written");
    for (text, expected) in [
        ("{\"verdict.admit\": \"Bitte durchgehen\"", "de.json: no object of words"),
        ("{\"verdict.admit\": \"Bitte durchgehen\"}", "de lacks "),
        ("{\"verdict.admitt\": \"Bitte durchgehen\"}", "did you mean verdict.admit?"),
        (&format!("{{\"verdict.admit\": \"{}\"}}", "durch".repeat(20)), "verdict.admit has more than 64 characters"),
        (&" ".repeat(300_000), "de.json: larger than 262144 bytes"),
    ] {
        words(text);
        let (code, told) = check("languages = [\"zh-CN\", \"de\"]");
        assert!(code == Some(78) && told.contains(expected), "{expected}: {code:?} {told}");
    }
    fs::remove_file(world.path("strings/de.json")).expect("there");
    let (code, told) = check("languages = [\"de\"]");
    assert!(code == Some(78) && told.contains("no words for de: put de.json into page.strings"), "{told}");
    fs::write(world.path("voice/en/pass.ogg"), "").expect("written");
    let (code, told) = check(&format!("voice = \"{}\"", world.path("voice").display()));
    assert!(code == Some(78) && told.contains("pass.ogg: not played"), "{told}");
}
