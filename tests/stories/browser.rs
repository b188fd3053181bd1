//! Chromium, driven over the WebDriver protocol.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use serde_json::{Value, json};

/// A browser with one window.
pub struct Browser {
    driver: Child,
    session: String,
}

impl Browser {
    /// Starts one; `None` where none is installed.
    pub fn start() -> Option<Browser> {
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
        // Sound without a finger on the screen first, as a kiosk's browser is started.
        let arguments = json!([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=1280,860",
            "--autoplay-policy=no-user-gesture-required"
        ]);
        let options = json!({ "args": arguments });
        let wish = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options, "acceptInsecureCerts": true } } });
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

    /// Opens a page.
    pub fn open(&self, address: &str) {
        post(&format!("{}/url", self.session), &json!({ "url": address })).expect("it opens");
    }

    /// What a script says in the page.
    pub fn ask(&self, script: &str) -> String {
        let asked = json!({ "script": format!("return String({script})"), "args": [] });
        let answer = post(&format!("{}/execute/sync", self.session), &asked).expect("the page answers");
        answer.as_str().unwrap_or_default().to_owned()
    }

    /// Presses keys as a hand does, one after another. `\u{e004}` is Tab, `\u{e007}` Enter (WebDriver §17.4.2).
    pub fn keys(&self, keys: &str) {
        let presses =
            keys.chars().flat_map(|key| ["keyDown", "keyUp"].map(|turn| json!({ "type": turn, "value": key })));
        let board = json!({ "type": "key", "id": "keyboard", "actions": presses.collect::<Vec<_>>() });
        post(&format!("{}/actions", self.session), &json!({ "actions": [board] })).expect("keys are pressed");
    }

    /// Goes on with Tab until what has the focus is this.
    pub fn tab_to(&self, what: &str) {
        for _ in 0..60 {
            if self.ask(&format!("document.activeElement.matches('{what}')")) == "true" {
                return;
            }
            self.keys("\u{e004}");
        }
        panic!("{what} is not reached by the keyboard");
    }

    /// A picture of the window.
    pub fn picture(&self) -> image::RgbImage {
        let mut answer = ureq::get(format!("{}/screenshot", self.session)).call().expect("a picture");
        let answer = answer.body_mut().with_config().limit(1 << 26).read_to_string().expect("text");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let png = BASE64.decode(answer["value"].as_str().expect("Base64").as_bytes()).expect("Base64");
        image::load_from_memory(&png).expect("a PNG").into_rgb8()
    }

    /// Sees as somebody does who lacks a kind of cone, by Chromium's own simulation.
    pub fn eyes(&self, deficiency: &str) {
        let command = json!({
            "cmd": "Emulation.setEmulatedVisionDeficiency",
            "params": { "type": deficiency },
        });
        post(&format!("{}/goog/cdp/execute", self.session), &command).expect("Chromium can");
    }

    /// Makes the window this large inside.
    pub fn size(&self, width: u32, height: u32) {
        let command = json!({
            "cmd": "Emulation.setDeviceMetricsOverride",
            "params": { "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false },
        });
        post(&format!("{}/goog/cdp/execute", self.session), &command).expect("Chromium can");
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
