//! What a room sees: the board in a browser, and alerts from the real Prometheus over the real Alertmanager to whoever is woken.

// The stories use all of it.
#[allow(dead_code)]
#[path = "../../../tests/stories/browser.rs"]
mod browser;
#[path = "../../../tests/tests/programs/mod.rs"]
mod programs;
mod support;

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use browser::Browser;
use cache::exchange::Refusal;
use centre::{clock::now, simulate::gate::Gate};
use programs::Program;
use support::{Centre, World, deliver, scans, until};

/// One post that works, one that was cloned, one that never came, and one that nobody set up yet.
async fn room(world: &World, centre: &Centre) {
    let (mut well, mut connection) = world.gate(centre, "广州南站 1", 1).await;
    scans(&mut well, 30);
    deliver(&mut well, &mut connection).await;
    let line = well.health(now()).into_bytes();
    assert_eq!(connection.post("/v1/health", line, false).await.expect("answered").status, 204);
    let (mut cloned, mut other) = world.gate(centre, "GZS <2>", 2).await;
    scans(&mut cloned, 5);
    deliver(&mut cloned, &mut other).await;
    let mut clone = Gate::new("GZS <2>", 2, centre.pinned.clone(), now()).expect("a name");
    clone.log = cloned.log;
    scans(&mut clone, 9);
    let answer = other.post("/v1/batch", clone.rows(100, now()), false).await.expect("answered");
    assert!(answer.status == 422 && answer.text.contains(Refusal::Fork.code()), "{answer:?}");
    world.gate(centre, "GZS 3", 5).await;
    world.slip("GZS 4");
    until("the line", || world.ask("SELECT count(*) FROM health") == "1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_shows_first_who_needs_somebody_and_no_name_brings_markup_or_breaks_the_page() {
    let Some(world) = World::new() else { return };
    let Some(browser) = Browser::start() else { return };
    let centre = world.serve("127.0.0.1:0", &["--zone", "Asia/Shanghai"]);
    room(&world, &centre).await;
    browser.open(&format!("http://{}/", centre.board));
    let rows = browser.ask("[...document.querySelectorAll('#posts tr')].slice(1).map(row => row.cells[0].innerText.split('\\n')[0] + ': ' + row.cells[1].innerText).join(' | ')");
    let first = rows.split(" | ").next().unwrap_or_default();
    assert!(first.contains("GZS <2>") && first.contains("two histories of one log"), "{rows}");
    assert!(rows.contains("never heard") && rows.contains("not enrolled yet"), "{rows}");
    assert!(
        rows.split(" | ").last().is_some_and(|last| last.contains("广州南站 1")),
        "who needs nobody is last: {rows}"
    );
    assert_eq!(browser.ask("document.getElementById('need').innerText"), "3");
    assert!(browser.ask("document.body.innerText").contains("Times are in Asia/Shanghai"));
    // On a room's screen and on a telephone: no page wider than its window, and words that can be read on their colours.
    for (width, height) in [(1280, 860), (390, 844)] {
        browser.size(width, height);
        let fits = browser.ask("document.documentElement.scrollWidth <= window.innerWidth");
        assert_eq!(fits, "true", "nothing sticks out of {width} pixels");
    }
    browser.size(1280, 860);
    let picture = browser.picture();
    let red = picture.pixels().filter(|pixel| pixel[0] > 150 && pixel[1] < 40 && pixel[2] < 70).count();
    assert!(red > 500, "the worst is red: {red} pixels");
    if let Some(path) = std::env::var_os("CHECKPOINT_BOARD_PICTURE") {
        picture.save(path).expect("saved");
    }
    // The database goes: nothing old is shown as true.
    world.postgres.down();
    tokio::time::sleep(Duration::from_secs(4)).await;
    browser.open(&format!("http://{}/", centre.board));
    let page = browser.ask("document.body.innerText");
    assert!(page.contains("nothing on this page would be true") && !page.contains("GZS"), "{page}");
    world.postgres.up();
    until("the board again", || centre.see("/").contains("GZS 3")).await;
}

/// Whoever is woken: paths and bodies of what Alertmanager sends.
fn receiver() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (sender, said) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.set_read_timeout(Some(Duration::from_millis(500)));
            let mut text = Vec::new();
            let mut part = [0; 8192];
            while let Ok(read @ 1..) = stream.read(&mut part) {
                text.extend_from_slice(&part[..read]);
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            if sender.send(String::from_utf8_lossy(&text).into_owned()).is_err() {
                return;
            }
        }
    });
    (port, said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_goes_from_the_centre_over_prometheus_and_alertmanager_to_whoever_is_woken() {
    let Some(world) = World::new() else { return };
    let (Some(prometheus), Some(alertmanager)) = (
        programs::find("prometheus", "prometheus"),
        programs::find("prometheus-alertmanager", "prometheus-alertmanager"),
    ) else {
        return;
    };
    let centre = world.serve("127.0.0.1:0", &[]);
    room(&world, &centre).await;
    let (port, said) = receiver();
    let (scraper, alerts) = (programs::free_port(), programs::free_port());
    let folder = world.directory.path();
    // The files as they are shipped, but for addresses and for patience.
    let shipped = |name: &str, changes: &[(&str, &str)]| {
        let mut text = fs::read_to_string(support::document(name)).expect("there");
        for (from, to) in changes {
            assert!(text.contains(from), "{name} has {from}");
            text = text.replace(from, to);
        }
        fs::write(folder.join(name), text).expect("written");
    };
    shipped("alerts.yml", &[]);
    shipped(
        "prometheus.yml",
        &[
            ("127.0.0.1:8480", &centre.board),
            ("127.0.0.1:9093", &format!("127.0.0.1:{alerts}")),
            ("scrape_interval: 30s", "scrape_interval: 1s"),
            ("evaluation_interval: 30s", "evaluation_interval: 1s"),
        ],
    );
    shipped(
        "alertmanager.yml",
        &[("127.0.0.1:9099", &format!("127.0.0.1:{port}")), ("group_wait: 30s", "group_wait: 1s")],
    );
    let quiet =
        |command: &mut Command| Program::start(command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()));
    let _alertmanager = quiet(
        Command::new(alertmanager)
            .args(["--config.file=alertmanager.yml", "--storage.path=alertmanager", "--cluster.listen-address="])
            .arg(format!("--web.listen-address=127.0.0.1:{alerts}")),
    );
    programs::wait_until_listening(alerts);
    let _prometheus = quiet(
        Command::new(prometheus)
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=prometheus"])
            .arg(format!("--web.listen-address=127.0.0.1:{scraper}")),
    );
    let (mut woken, mut alive) = (false, false);
    let heard = tokio::task::spawn_blocking(move || {
        let mut all = String::new();
        while let Ok(text) = said.recv_timeout(Duration::from_secs(60)) {
            woken |= text.starts_with("POST /page")
                && text.contains("ChainBroken")
                && text.contains("GZS \\u003c2\\u003e: fork");
            alive |= text.starts_with("POST /alive") && text.contains("DeadMansSwitch");
            all += &text;
            if woken && alive {
                return None;
            }
        }
        Some(all)
    });
    let missing = heard.await.expect("ended");
    assert!(missing.is_none(), "not all of it was heard: {missing:?}");
}
