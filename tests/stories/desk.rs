//! The second line: an officer's word is a row in the chain, or nothing; and what a device says of itself can be checked.

use std::{fs, io::Write, os::unix::net::UnixStream};

use authority::{Federation, Source, code::Draft, key::SigningKey};
use cache::log::{UnixMillis, officer::Word};
use data_encoding::BASE64;
use trustlist::code::Colour;

use super::{
    browser::Browser,
    gate::{Daemon, also, eventually, nobody, picture, today},
    support::{World, checkpointd, said},
};

/// An officer's key.
fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

/// A daemon with one officer, a steward, by this line of the list.
pub fn with_officers(world: &World, line: &str) -> Daemon {
    name_officers(world, line);
    also(world, &format!("[page]\nofficers = \"{}\"\n", world.path("officers").display()));
    Daemon::start(world, "")
}

/// Replaces the list of officers.
pub fn name_officers(world: &World, line: &str) {
    fs::write(world.path("officers"), format!("{line}\n")).expect("written");
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

/// A steward's word, signed with this key after `lag` milliseconds ago.
fn word(scan: &str, key: &SigningKey, verdict: &str, lag: i64) -> String {
    let mut word = Word {
        scan: scan.parse().expect("an id"),
        verdict: serde_json::from_value(verdict.into()).expect("a verdict"),
        role: "steward".to_owned(),
        why: "papers".to_owned(),
        signed_ms: UnixMillis(host::clock::Clock::machine().unix_millis() - lag),
        key: BASE64.encode(&key.public_bytes()),
        signature: String::new(),
    };
    word.signature = BASE64.encode(&key.sign(word.message().as_bytes()).expect("signed"));
    serde_json::to_string(&word).expect("JSON")
}

#[test]
fn an_officers_signed_word_is_a_row_in_the_chain_and_nobody_else_writes_one() {
    let world = today();
    picture(&world.path("frames"), world.text("from Hebei, whose recognition is suspended"));
    let steward = key(1);
    let line = format!("steward {}", BASE64.encode(&steward.public_bytes()));
    let daemon = with_officers(&world, &line);
    eventually("the scan is listed", || !latest(&daemon).is_empty());
    let scan = latest(&daemon);
    let strange = "01775ae8-2204-7bab-be50-b40ae34103be";
    let good = word(&scan, &steward, "admit", 0);
    assert_eq!(post(&daemon, &[JSON, ("origin", "http://evil.example")], &good), 403, "another page");
    assert_eq!(post(&daemon, &[("content-type", "text/plain")], &good), 403, "what a form could send");
    assert_eq!(post(&daemon, &[JSON], &word(&scan, &key(2), "admit", 0)), 403, "a key that is no officer's");
    assert_eq!(post(&daemon, &[JSON], &good.replace("\"admit\"", "\"refuse\"")), 403, "changed after it was signed");
    assert_eq!(post(&daemon, &[JSON], &word(strange, &steward, "admit", 0)), 404, "a scan nobody saw");
    assert_eq!(post(&daemon, &[JSON], &word(&scan, &steward, "refer", 0)), 400, "nobody to refer to");
    assert_eq!(post(&daemon, &[JSON], &good.replace("papers", "Zhang San said so")), 400, "no free text");
    assert_eq!(post(&daemon, &[JSON], &good.repeat(20)), 413, "too much");
    assert_eq!(post(&daemon, &[JSON], &word(&scan, &steward, "admit", 600_000)), 409, "signed ten minutes ago");
    assert_eq!(post(&daemon, &[JSON, ("origin", daemon.page())], &good), 204);
    eventually("the page shows it", || daemon.get("/status.json").contains(r#""by_hand":"admit""#));
    assert_eq!(post(&daemon, &[JSON], &good), 409, "the same word again");
    name_officers(&world, "# the steward has gone home");
    assert_eq!(post(&daemon, &[JSON], &word(&scan, &steward, "refuse", 0)), 403, "taken from the list, gone at once");
    assert_eq!(daemon.stop(), Some(0));
    let top = world.path("");
    let log = |arguments: &[&str]| checkpointd(&top, &[&["--config", "gate.toml", "log"], arguments].concat(), "");
    let rows = log(&["query", "--id", &scan, "--json"]);
    let rows = String::from_utf8_lossy(&rows.stdout).into_owned();
    assert_eq!(rows.matches(r#""kind":"override""#).count(), 1, "{rows}");
    let said_by_hand = String::from_utf8_lossy(&log(&["query"]).stdout).into_owned();
    assert!(said_by_hand.contains(&format!("{scan}  by hand: admit")), "on the row of the scan: {said_by_hand}");
    assert!(
        said_by_hand.contains("by hand: a steward said admit (papers) of"),
        "and as a row of its own: {said_by_hand}"
    );
    let journal = || fs::read_to_string(world.path("journal")).unwrap_or_default();
    eventually("the journal is kept", || journal().contains("a steward decided by hand"));
    // Years later, with the list of that time, and with another.
    fs::write(world.path("officers-then"), &line).expect("written");
    let verified = log(&["verify", "--officers", "officers-then"]);
    let told = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success() && told.contains("1 decided by hand"), "{told}{}", said(&verified));
    let doubted = log(&["verify", "--officers", "officers"]);
    assert!(!doubted.status.success() && String::from_utf8_lossy(&doubted.stdout).contains("no officer's word"));
}

#[test]
fn where_no_officers_are_named_nobody_overrides() {
    let world = today();
    picture(&world.path("frames"), world.text("with a forged code"));
    let daemon = Daemon::start(&world, "");
    eventually("the scan is listed", || !latest(&daemon).is_empty());
    assert_eq!(post(&daemon, &[JSON], &word(&latest(&daemon), &key(1), "admit", 0)), 403);
}

#[test]
fn an_inspector_checks_a_devices_attestation_with_its_public_key_and_sees_a_changed_one() {
    let world = today();
    picture(&world.path("frames"), world.text("from Guangdong, green"));
    let daemon = Daemon::start(&world, "");
    eventually("it is admitted", || daemon.get("/status.json").contains("\"verdict\":\"admit\""));
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

/// Codes of so many travellers with a yellow code, each another.
fn yellow(how_many: usize) -> Vec<String> {
    let now = host::clock::Clock::machine().unix();
    let federation = Federation::of_provinces(Source::Seed([34; 32]), now.plus(-60 * 86_400)).expect("made");
    let hubei = "420000".parse().expect("a region");
    let draft = Draft { colour: Colour::Yellow, ..Draft::new(hubei, now.plus(-3600)) };
    (0..how_many).map(|_| federation.issue(&draft, false, None).expect("signed")).collect()
}

/// An officer who aims at a card's button for 400 ms, presses where it was, and looks whose card it is; and goes on so.
const OFFICER: &str = "(window.presses = [], window.press = () => { \
    const seen = [...document.querySelectorAll('article:not(.pressed) [data-done]')].map((button) => [button, button.getBoundingClientRect()]) \
        .filter(([, box]) => box.top > 90 && box.bottom < innerHeight); \
    if (seen.length === 0) { setTimeout(press, 50); return; } \
    const [button, box] = seen[Math.floor(Math.random() * seen.length)], meant = button.closest('article').dataset.scan; \
    setTimeout(() => { const there = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2); \
        const pressed = there && there.closest('[data-done]'); \
        window.presses.push(pressed ? (pressed.closest('article').dataset.scan === meant ? 'right' : 'wrong') : 'none'); \
        if (pressed) { pressed.closest('article').classList.add('pressed'); pressed.click(); } setTimeout(press, Math.random() * 150); }, 400); }, setTimeout(window.press, 0))";

#[test]
fn with_two_hundred_travellers_at_four_lanes_no_press_at_the_desk_meets_another_traveller() {
    let Some(browser) = Browser::start() else { return };
    two_hundred(&browser, &today(), |daemon| browser.open(&format!("{}/desk?lang=en", daemon.page())));
}

/// Sends two hundred travellers to the desk that `open` shows in the browser, while an officer presses.
pub fn two_hundred(browser: &Browser, world: &World, open: impl FnOnce(&Daemon)) {
    browser.size(1280, 800);
    nobody(&world.path("frames"));
    let socket = |lane: usize| world.path(&format!("codes-{lane}"));
    let readers = |lane: usize| format!("rearm = \"0ms\"\nreaders = [\"socket:{}\"]\n", socket(lane).display());
    let lanes: String = (2..=4)
        .map(|lane| format!("[[lane]]\nid = \"{lane}\"\n{}[lane.camera]\ndevice = \"none\"\n", readers(lane)))
        .collect();
    let daemon = Daemon::start_with(world, &readers(1), 0, &lanes);
    open(&daemon);
    let number = |script: &str| browser.ask(script).parse::<usize>().expect("a number");
    let mut senders: Vec<UnixStream> = (1..=4)
        .map(|lane| {
            eventually("the socket is there", || socket(lane).exists());
            UnixStream::connect(socket(lane)).expect("it listens")
        })
        .collect();
    browser.ask(OFFICER);
    let travellers = yellow(200);
    for (count, text) in travellers.iter().enumerate() {
        writeln!(senders[count % 4], "{text}").expect("sent");
        std::thread::sleep(std::time::Duration::from_millis(120));
    }
    let cards = || number("document.querySelectorAll('article').length");
    let presses = |how: &str| number(&format!("window.presses.filter((press) => press === '{how}').length"));
    eventually("everybody was referred", || presses("right") + cards() >= 200);
    assert!(presses("right") >= 20, "{} presses", presses("right"));
    assert_eq!((presses("wrong"), presses("none")), (0, 0));
    let small = number(
        "[...document.querySelectorAll('button, input, select')].filter((one) => one.offsetParent) \
         .filter((one) => one.offsetHeight < 44).length",
    );
    assert_eq!(small, 0, "everything that is pressed is 44 pixels high");
}
