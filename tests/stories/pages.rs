//! The pages in a real browser: Chromium, driven over the WebDriver protocol. Where there is none, the tests say so and pass.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::gate::{Daemon, eventually, picture, today};

/// A browser with one window.
struct Browser {
    driver: Child,
    session: String,
}

impl Browser {
    /// Starts one; `None` where none is installed.
    fn start() -> Option<Browser> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).ok()?.port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(driver) = driver else {
            println!("chromedriver is not installed; the pages are not looked at");
            return None;
        };
        let mut browser = Browser { driver, session: String::new() };
        let base = format!("http://127.0.0.1:{port}/session");
        let options = json!({ "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,860"] });
        let wish = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let until = Instant::now() + Duration::from_secs(60);
        let id = loop {
            if let Some(answer) = post(&base, &wish) {
                break answer["sessionId"].as_str()?.to_owned();
            }
            assert!(Instant::now() < until, "chromedriver does not answer");
            std::thread::sleep(Duration::from_millis(100));
        };
        browser.session = format!("{base}/{id}");
        Some(browser)
    }

    fn open(&self, address: &str) {
        post(&format!("{}/url", self.session), &json!({ "url": address })).expect("it opens");
    }

    /// What a script says in the page.
    fn ask(&self, script: &str) -> String {
        let asked = json!({ "script": format!("return String({script})"), "args": [] });
        let answer = post(&format!("{}/execute/sync", self.session), &asked).expect("the page answers");
        answer.as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = ureq::delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn post(address: &str, body: &Value) -> Option<Value> {
    let mut answer = ureq::post(address).header("content-type", "application/json").send(body.to_string()).ok()?;
    let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()?;
    Some(answer["value"].clone())
}

const STATE: &str = "document.body.dataset.state";

fn shown(browser: &Browser, shape: &str) -> bool {
    browser.ask(&format!("getComputedStyle(document.querySelector('.shape.{shape}')).display")) == "block"
}

#[test]
fn each_verdict_has_its_word_its_shape_and_its_pattern_in_both_languages() {
    let Some(browser) = Browser::start() else { return };
    for (who, verdict, chinese, english) in [
        ("from Guangdong, green", "admit", "请通行", "Pass"),
        ("from Hebei, whose recognition is suspended", "refer", "请到复核台", "Second line"),
        ("with a forged code", "refuse", "不能通行", "Stop"),
    ] {
        let world = today();
        picture(&world.path("frames"), world.text(who));
        let daemon = Daemon::start(&world, "");
        browser.open(daemon.page());
        eventually("the screen shows the verdict", || browser.ask(STATE) == verdict);
        assert_eq!(browser.ask("document.getElementById('word').textContent"), chinese);
        assert_eq!(browser.ask("document.getElementById('word2').textContent"), english);
        for other in ["admit", "refer", "refuse", "attention"] {
            assert_eq!(shown(&browser, other), other == verdict, "{who}: the shape of {other}");
        }
        let fits = "document.querySelector('.words').getBoundingClientRect().bottom <= \
                    (document.getElementById('band').getBoundingClientRect().top || innerHeight)";
        assert_eq!(browser.ask(fits), "true", "{who}: the words lie above the band");
        let text = browser.ask("document.documentElement.innerHTML");
        for personal in ["张", "0427", &world.text(who)[4..40]] {
            assert!(!text.contains(personal), "{who}: {personal} is on the screen");
        }
        assert!(
            browser.ask("document.getElementById('band').innerText").contains("640000"),
            "the band says what is missing"
        );
    }
}

#[test]
fn a_page_that_was_open_while_the_daemon_was_replaced_comes_back_by_itself() {
    let Some(browser) = Browser::start() else { return };
    let world = today();
    picture(&world.path("frames"), world.text("from Guangdong, green"));
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let first = Daemon::start_at(&world, "", port);
    browser.open(first.page());
    eventually("the screen shows the verdict", || browser.ask(STATE) == "admit");
    assert_eq!(first.stop(), Some(0));
    eventually("the screen says that nobody answers", || browser.ask(STATE) == "connecting");
    let _second = Daemon::start_at(&world, "", port);
    eventually("the screen shows the verdict again", || browser.ask(STATE) == "admit");
}

#[test]
fn an_officer_decides_by_hand_in_the_browser_and_the_list_says_so() {
    let Some(browser) = Browser::start() else { return };
    let world = today();
    picture(&world.path("frames"), world.text("from Hebei, whose recognition is suspended"));
    let daemon = super::desk::with_officers(&world, "# nobody yet");
    browser.open(&format!("{}/operator?lang=en", daemon.page()));
    let click = |what: &str| browser.ask(&format!("document.querySelector('{what}').click()"));
    let fill = |what: &str, value: &str| browser.ask(&format!("document.querySelector('{what}').value = '{value}'"));
    let text = |what: &str| browser.ask(&format!("document.querySelector('{what}').textContent"));
    eventually("the scan is listed", || browser.ask("document.querySelectorAll('button.override').length") == "1");
    click("button.override");
    fill("#enrol-role", "steward");
    fill("#enrol-pin", "short");
    click("#enrol-do");
    assert_eq!(text("#enrol-line"), "Eight characters or more");
    fill("#enrol-pin", "correct horse");
    click("#enrol-do");
    eventually("a line for the list is shown", || text("#enrol-line").starts_with("steward "));
    eventually("the role can be chosen", || browser.ask("document.querySelector('#override-role').value") == "steward");
    let record = |passphrase: &str| {
        fill("#override-pin", passphrase);
        click("#override-send");
    };
    record("wrong horse");
    eventually("a wrong passphrase is told", || text("#override-said") == "Wrong passphrase");
    record("correct horse");
    eventually("who enrols is no officer yet", || text("#override-said") == "Not on the list of officers");
    super::desk::name_officers(&world, &text("#enrol-line"));
    record("correct horse");
    eventually("the officer's word is shown", || browser.ask("document.body.innerText").contains("by hand: Pass"));
    assert_eq!(browser.ask("document.getElementById('override').open"), "false");
    click("#proof summary");
    let drawn = "document.getElementById('attestation').naturalWidth > 0";
    eventually("the attestation is drawn", || browser.ask(drawn) == "true");
}

#[test]
fn the_operators_page_shows_lanes_lists_and_recent_verdicts() {
    let Some(browser) = Browser::start() else { return };
    let world = today();
    picture(&world.path("frames"), world.text("with a forged code"));
    let daemon = Daemon::start(&world, "");
    browser.open(&format!("{}/operator", daemon.page()));
    let text = || browser.ask("document.body.innerText");
    eventually("the verdict is listed", || text().contains("Signature does not match"));
    let text = text();
    for part in ["gate 7", "Lane 1", "广东省", "No list"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
