//! The second line's desk on another machine: who is let in, by which code, for how long; and what the network gets that is not.

use std::{
    fs,
    net::{TcpListener, TcpStream},
};

use ureq::{Agent, http::Response, tls::TlsConfig};

use super::{
    browser::Browser,
    desk::{name_officers, two_hundred},
    gate::{Daemon, also, eventually, nobody, picture, today},
    support::{World, checkpointd, said},
};

/// A machine on the network. What it trusts is the story of whoever compares fingerprints; here it takes any certificate.
fn machine() -> Agent {
    let tls = TlsConfig::builder().disable_verification(true).build();
    Agent::config_builder().http_status_as_error(false).max_redirects(0).tls_config(tls).build().into()
}

/// Opens the desk to other machines; its address.
pub fn desk_of(world: &World) -> String {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    also(
        world,
        &format!("[page]\ndesk_listen = \"127.0.0.1:{port}\"\nofficers = \"{}\"\n", world.path("officers").display()),
    );
    name_officers(world, "# nobody yet");
    format!("https://127.0.0.1:{port}")
}

/// The code that the box prints.
fn code(world: &World) -> String {
    let output = checkpointd(&world.path(""), &["--config", "gate.toml", "desk", "pair"], "");
    assert!(output.status.success(), "{}", said(&output));
    let told = String::from_utf8(output.stdout).expect("text");
    assert_eq!(
        told.split_whitespace().filter(|word| word.len() == 95 && word.contains(':')).count(),
        1,
        "a fingerprint: {told}"
    );
    told.lines().find_map(|line| line.strip_prefix("code       ")?.split(',').next()).expect("a code").to_owned()
}

fn post(desk: &str, path: &str, cookie: &str, body: &str) -> Response<ureq::Body> {
    let request = machine().post(format!("{desk}{path}")).header("content-type", "application/json");
    request.header("origin", desk).header("cookie", cookie).send(body).expect("it answers")
}

fn pair(desk: &str, code: &str) -> Response<ureq::Body> {
    post(desk, "/pair", "", &format!("{{\"code\":\"{code}\"}}"))
}

fn get(desk: &str, path: &str, cookie: &str) -> u16 {
    machine().get(format!("{desk}{path}")).header("cookie", cookie).call().expect("it answers").status().as_u16()
}

/// What a browser would send back.
fn cookie(answer: &Response<ureq::Body>) -> String {
    let set = answer.headers()["set-cookie"].to_str().expect("text");
    for rule in ["; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(set.contains(rule), "{rule}: {set}");
    }
    set.split(';').next().expect("a first part").to_owned()
}

#[test]
fn a_machine_is_a_desk_by_the_code_of_the_box_and_until_it_leaves() {
    let world = today();
    let desk = desk_of(&world);
    picture(&world.path("frames"), world.text("yellow"));
    let daemon = Daemon::start(&world, "");
    // A stranger on the network.
    for (path, answer) in
        [("/desk.json", 401), ("/status.json", 401), ("/events", 401), ("/metrics", 401), ("/assets/desk.js", 401)]
    {
        assert_eq!(get(&desk, path, ""), answer, "{path}");
    }
    assert_eq!((get(&desk, "/desk", ""), get(&desk, "/", "")), (303, 303), "to the pairing page");
    assert_eq!((get(&desk, "/pair", ""), get(&desk, "/strings.json", "")), (200, 200));
    assert_eq!(post(&desk, "/desk/done", "", "{}").status(), 401);
    assert!(ureq::get(desk.replace("https", "http")).call().is_err(), "nothing in the clear");
    assert_eq!(pair(&desk, "ACDE3467").status(), 410, "nobody offered a code");
    // The right code, from another page, is not heard; a wrong one is not the code.
    let right = code(&world);
    let elsewhere = machine().post(format!("{desk}/pair")).header("content-type", "application/json");
    let elsewhere = elsewhere.header("origin", "https://evil.example").send(format!("{{\"code\":\"{right}\"}}"));
    assert_eq!(elsewhere.expect("it answers").status(), 403);
    assert_eq!(pair(&desk, "ACDE3467").status(), 401);
    let paired = pair(&desk, &right.to_lowercase());
    assert_eq!(paired.status(), 204);
    let cookie = cookie(&paired);
    assert_eq!(pair(&desk, &right).status(), 410, "a code counts once");
    // The desk has the cards, and nothing of the screens.
    eventually("the traveller has a card", || {
        let mut answer =
            machine().get(format!("{desk}/desk.json")).header("cookie", &cookie).call().expect("it answers");
        answer.body_mut().read_to_string().expect("text").contains("colour-yellow")
    });
    assert_eq!((get(&desk, "/status.json", &cookie), get(&desk, "/events", &cookie)), (404, 404));
    assert_eq!(post(&desk, "/override", &cookie, "{}").status(), 400, "an officer's word is looked at");
    // It lasts over a restart of the daemon, and ends when the machine leaves: a copy of the cookie is worth nothing.
    assert_eq!(daemon.stop(), Some(0));
    let daemon = Daemon::start(&world, "");
    assert_eq!(get(&desk, "/desk.json", &cookie), 200);
    assert_eq!(get(&desk, "/desk.json", &format!("{cookie}x")), 401);
    assert_eq!(post(&desk, "/desk/leave", &cookie, "{}").status(), 204);
    assert_eq!(get(&desk, "/desk.json", &cookie), 401, "replayed");
    let kept = fs::read_to_string(world.path("run/desk-sessions")).expect("written");
    assert!(kept.is_empty(), "nothing is kept of it");
    drop(daemon);
}

#[test]
fn a_code_that_is_too_old_or_was_guessed_at_counts_no_more() {
    let world = today();
    let desk = desk_of(&world);
    nobody(&world.path("frames"));
    let daemon = Daemon::start(&world, "");
    let late = code(&world);
    let offer = world.path("run/desk-pairing");
    let (digest, made) = fs::read_to_string(&offer)
        .expect("there")
        .trim()
        .split_once(' ')
        .map(|(digest, made)| (digest.to_owned(), made.parse::<i64>().expect("a number")))
        .expect("two parts");
    fs::write(&offer, format!("{digest} {}\n", made - 600_000)).expect("written");
    assert_eq!(pair(&desk, &late).status(), 410, "ten minutes later");
    assert!(!offer.exists(), "the offer is gone");
    let guessed = code(&world);
    let answers: Vec<u16> = (0..5).map(|_| pair(&desk, "ACDE3467").status().as_u16()).collect();
    assert_eq!(answers, [401, 401, 401, 401, 410]);
    assert_eq!(pair(&desk, &guessed).status(), 410, "the right one comes too late");
    drop(daemon);
    // And where no desk is opened, there is none.
    let closed = World::new();
    fs::write(closed.path("gate.toml"), "[checkpoint]\nrelying = \"440000\"\n").expect("written");
    let output = checkpointd(&closed.path(""), &["--config", "gate.toml", "desk", "pair"], "");
    assert!(output.status.code() == Some(78) && said(&output).contains("page.desk_listen"), "{}", said(&output));
}

#[test]
fn a_flood_on_the_network_costs_no_lane_and_keeps_a_desk_out_for_seconds_only() {
    let world = today();
    let desk = desk_of(&world);
    nobody(&world.path("frames"));
    let daemon = Daemon::start(&world, "");
    let cookie = cookie(&pair(&desk, &code(&world)));
    let address = desk.trim_start_matches("https://");
    let silent: Vec<TcpStream> = (0..200).filter_map(|_| TcpStream::connect(address).ok()).collect();
    assert!(silent.len() > 50, "they connect");
    assert!(daemon.get("/status.json").contains("gate 7"), "the gate's own page answers");
    eventually("the desk is back", || {
        let asked = machine().get(format!("{desk}/desk.json")).header("cookie", &cookie).call();
        asked.is_ok_and(|answer| answer.status() == 200)
    });
    drop(silent);
}

#[test]
fn an_officer_pairs_enrols_and_decides_on_another_machine_with_the_keyboard_alone() {
    let Some(browser) = Browser::start() else { return };
    browser.size(1280, 800);
    let world = today();
    let desk = desk_of(&world);
    picture(&world.path("frames"), world.text("from Hebei, whose recognition is suspended"));
    let daemon = Daemon::start(&world, "");
    let text = |what: &str| browser.ask(&format!("document.querySelector('{what}').textContent"));
    browser.open(&format!("{desk}/pair?lang=en"));
    eventually("the code is asked for", || browser.ask("document.activeElement.id") == "code");
    browser.keys("ACDE3467\u{e007}");
    eventually("there is no such offer", || text("#said").contains("does not count any more"));
    let code = code(&world);
    browser.keys(&format!("{code}\u{e007}"));
    eventually("the traveller has a card", || browser.ask("document.querySelectorAll('article').length") == "1");
    browser.tab_to("#enrol summary");
    browser.keys("\u{e007}");
    browser.tab_to("#enrol-role");
    browser.keys("steward");
    browser.tab_to("#enrol-passphrase");
    browser.keys("correct horse");
    browser.tab_to("#enrol-do");
    browser.keys("\u{e007}");
    eventually("a line for the list is shown", || text("#enrol-line").starts_with("steward "));
    name_officers(&world, &text("#enrol-line"));
    browser.tab_to("#passphrase");
    browser.keys("correct horse\u{e007}");
    eventually("the officer is at the desk", || text("#officer-role") == "steward");
    browser.tab_to("article");
    browser.keys("a1");
    eventually("the card is gone", || browser.ask("document.querySelectorAll('article').length") == "0");
    eventually("it is in the chain", || daemon.get("/status.json").contains(r#""by_hand":"admit""#));
    browser.tab_to("#leave");
    browser.keys("\u{e007}");
    eventually("the machine is no desk any more", || browser.ask("location.pathname") == "/pair");
}

#[test]
fn with_two_hundred_travellers_no_press_meets_another_traveller_over_tls_either() {
    let Some(browser) = Browser::start() else { return };
    let world = today();
    let desk = desk_of(&world);
    two_hundred(&browser, &world, |_| {
        browser.open(&format!("{desk}/pair?lang=en"));
        eventually("the code is asked for", || browser.ask("document.activeElement.id") == "code");
        browser.keys(&format!("{}\u{e007}", code(&world)));
        eventually("the desk is shown", || browser.ask("location.pathname") == "/desk");
        eventually("and ready", || browser.ask("document.getElementById('waiting').textContent") == "0 waiting");
    });
}
