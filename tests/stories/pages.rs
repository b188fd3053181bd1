//! The pages in a real browser: what stands on them, in which words, and for how long.
//! Where no browser is installed, the tests say so and pass.

use std::fs;

use trustlist::time::UnixTime;

use super::{
    browser::Browser,
    gate::{Daemon, also, blurred, eventually, nobody, picture, today},
    looks::{colours, contrast, keep, luminance},
    support::World,
};

const STATE: &str = "document.body.dataset.state";

fn shown(browser: &Browser, shape: &str) -> bool {
    browser.ask(&format!("getComputedStyle(document.querySelector('.shape.{shape}')).display")) == "block"
}

#[test]
fn each_verdict_has_its_word_its_shape_and_its_pattern_in_both_languages() {
    let Some(browser) = Browser::start() else { return };
    for (who, verdict, chinese, english) in [
        ("from Guangdong, green", "admit", "请通行", "Pass"),
        ("from Hebei, whose recognition is suspended", "refer", "请到复核台", "Please go to the desk"),
        ("with a forged code", "refuse", "不能通行", "Stop"),
    ] {
        let world = today();
        picture(&world.path("frames"), world.text(who));
        let daemon = Daemon::start(&world, "");
        browser.open(daemon.page());
        eventually("the screen shows the verdict", || browser.ask(STATE) == verdict);
        assert_eq!(browser.ask("document.getElementById('word').textContent"), chinese);
        assert_eq!(browser.ask("document.getElementById('word2').textContent"), english);
        if verdict == "refer" {
            let next = browser.ask("document.getElementById('next').textContent");
            assert_eq!(next, "或出示国家码", "a suspension says which other code may be shown");
        }
        for other in ["admit", "refer", "refuse", "attention"] {
            assert_eq!(shown(&browser, other), other == verdict, "{who}: the shape of {other}");
        }
        let fits = "document.querySelector('.words').getBoundingClientRect().bottom <= innerHeight";
        assert_eq!(browser.ask(fits), "true", "{who}: the words are on the screen");
        let text = browser.ask("document.documentElement.innerHTML");
        for personal in ["张", "0427", &world.text(who)[4..40]] {
            assert!(!text.contains(personal), "{who}: {personal} is on the screen");
        }
        // What staff must see to is a small sign, and none of the traveller's business.
        eventually("the sign is there", || browser.ask("document.getElementById('staff').hidden") == "false");
        let seen = browser.ask("document.body.innerText");
        assert!(!seen.contains("640000") && !seen.contains("checkpointd"), "{who}: {seen}");
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
fn an_officer_decides_at_the_desk_with_two_keys_and_the_operators_page_says_so() {
    let Some(browser) = Browser::start() else { return };
    let world = today();
    picture(&world.path("frames"), world.text("from Hebei, whose recognition is suspended"));
    let daemon = super::desk::with_officers(&world, "# nobody yet");
    browser.open(daemon.page());
    let number = || browser.ask("document.getElementById('number').textContent");
    eventually("the lane's screen shows a number", || number().len() == 2);
    let number = number();
    browser.open(&format!("{}/desk?lang=en", daemon.page()));
    let click = |what: &str| browser.ask(&format!("document.querySelector('{what}').click()"));
    let fill = |what: &str, value: &str| browser.ask(&format!("document.querySelector('{what}').value = '{value}'"));
    let text = |what: &str| browser.ask(&format!("document.querySelector('{what}').textContent"));
    let cards = || browser.ask("document.querySelectorAll('article').length");
    eventually("the traveller has a card", || cards() == "1");
    assert!(text("article h2").starts_with(&number), "it has the number of the screen");
    let card = text("article");
    for part in ["Recognition is suspended", "Hebei", "国家码"] {
        assert!(card.contains(part), "{part}: {card}");
    }
    fill("#enrol-role", "steward");
    fill("#enrol-passphrase", "short");
    click("#enrol-do");
    assert_eq!(text("#enrol-line"), "Eight characters or more");
    fill("#enrol-passphrase", "correct horse");
    click("#enrol-do");
    eventually("a line for the list is shown", || text("#enrol-line").starts_with("steward "));
    eventually("the role can be chosen", || browser.ask("document.querySelector('#role').value") == "steward");
    let begin = |passphrase: &str| {
        fill("#passphrase", passphrase);
        click("#unlock button");
    };
    begin("wrong horse");
    eventually("a wrong passphrase is told", || text("#said") == "Wrong passphrase");
    begin("correct horse");
    eventually("the officer is at the desk", || text("#officer-role") == "steward");
    let press = |key: &str| {
        browser.ask(&format!(
            "(document.querySelector('article').focus(), document.activeElement.dispatchEvent(new KeyboardEvent('keydown', \
             {{ key: '{key}', bubbles: true }})))"
        ))
    };
    press("a");
    press("1");
    eventually("who enrols is no officer yet", || text("#said") == "Not on the list of officers");
    super::desk::name_officers(&world, &text("#enrol-line"));
    press("a");
    press("1");
    eventually("the card is gone", || cards() == "0");
    browser.open(&format!("{}/operator?lang=en", daemon.page()));
    eventually("the officer's decision is shown", || {
        browser.ask("document.body.innerText").contains("by hand: Admitted")
    });
    click("#proof summary");
    let drawn = "document.getElementById('attestation').naturalWidth > 0";
    eventually("the attestation is drawn", || browser.ask(drawn) == "true");
}

#[test]
fn the_operators_page_shows_lanes_lists_and_recent_verdicts() {
    let Some(browser) = Browser::start() else { return };
    browser.size(1280, 860);
    let world = today();
    nobody(&world.path("frames"));
    let daemon = Daemon::start(&world, "rearm = \"100ms\"");
    browser.open(&format!("{}/operator?lang=en", daemon.page()));
    let text = || browser.ask("document.body.innerText");
    let listed = || browser.ask("document.querySelectorAll('#recent tr').length");
    for (listed_then, who) in
        [(0, "from Guangdong, green"), (1, "yellow"), (2, "back from a risk area"), (3, "with a forged code")]
    {
        picture(&world.path("frames"), world.text(who));
        let judged =
            || daemon.get("/metrics").lines().filter(|line| line.starts_with("checkpoint_scans_total")).count();
        eventually("it is judged", || judged() > listed_then);
        eventually("who was not admitted is listed", || listed() == listed_then.to_string());
        nobody(&world.path("frames"));
    }
    let text = text();
    for part in
        ["gate 7", "Lane 1", "Ningxia", "No list", "Signature does not match", "Time to verdict, in milliseconds"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Each verdict is in one bar of the plot, which is told to those who hear the page, too.
    let told = browser.ask("document.querySelector('.times').getAttribute('aria-label')");
    let counted: usize = told.split(", ").filter_map(|bar| bar.rsplit(' ').next()?.parse::<usize>().ok()).sum();
    assert_eq!(counted, 4, "{told}");
    // The day's picture, and its words for those who hear the page.
    let day = browser.ask("document.getElementById('today').innerText");
    for part in ["Admitted 1 · Referred 2 · Refused 1 · by hand: 0", "Verdicts a quarter of an hour: at most"] {
        assert!(day.contains(part), "{part}: {day}");
    }
    assert_ne!(browser.ask("document.querySelectorAll('svg.day rect.refer').length"), "0");
    let first = browser.ask("document.querySelector('#lists tr').textContent");
    assert!(first.starts_with("640000"), "the list that is missing comes first: {first}");
    // Each word in a coloured box can be read on every colour of the box (WCAG 2.2, 1.4.3).
    let boxes = "JSON.stringify([...document.querySelectorAll('.tag')].map((tag) => { const style = getComputedStyle(tag); \
                 return [tag.className, style.color, style.backgroundColor + style.backgroundImage]; }))";
    let boxes: Vec<[String; 3]> = serde_json::from_str(&browser.ask(boxes)).expect("JSON");
    for [tag, ink, grounds] in &boxes {
        let (ink, grounds) = (colours(ink), colours(grounds));
        assert!(!grounds.is_empty(), "{tag} has a colour");
        for ground in grounds {
            let contrast = contrast(luminance(&ink[0]), luminance(&ground));
            assert!(contrast >= 4.5, "{tag}: {:?} on {ground:?} has a contrast of {contrast:.1}", ink[0]);
        }
    }
    keep(&browser.picture(), "operator.png");
}

#[test]
fn a_code_that_is_out_of_focus_is_drawn_round_and_who_holds_it_and_who_looks_after_the_camera_know_why() {
    let Some(browser) = Browser::start() else { return };
    let world = today();
    blurred(&world.path("frames"), world.text("from Guangdong, green"), 4.0);
    let daemon = Daemon::start(&world, "");
    browser.open(&format!("{}/?lang=en", daemon.page()));
    let next = || browser.ask("document.getElementById('next').textContent");
    eventually("the traveller is told what would help", || next() == "Hold still");
    let corners = "document.querySelector('#outline polygon').points.length";
    assert_eq!(browser.ask(corners), "4", "the code is drawn round");
    eventually("the status knows", || daemon.get("/status.json").contains("\"no_read\":\"blurred\""));
    browser.open(&format!("{}/operator?lang=en", daemon.page()));
    eventually("so does the page", || browser.ask("document.body.innerText").contains("last not read: blurred, "));
    assert!(daemon.get("/status.json").contains("\"recent\":[]"), "nobody was judged");
}

#[test]
fn a_degraded_gate_says_in_both_languages_what_is_wrong_and_what_to_do() {
    let Some(browser) = Browser::start() else { return };
    // Lists of next week: the clock is behind what is certain. No folder of pictures: no camera. A folder where the log should be.
    let world = World::at(UnixTime(host::clock::Clock::machine().unix_millis() / 1000 + 7 * 86_400));
    fs::create_dir_all(world.path("state/scans.db/in-the-way")).expect("made");
    let daemon = Daemon::start(&world, "");
    browser.open(daemon.page());
    let next = || browser.ask("document.getElementById('next').textContent");
    eventually("travellers are sent elsewhere", || next().contains("请走其他通道"));
    assert!(!browser.ask("document.body.innerText").contains("磁盘"), "what staff must do is not theirs to read");
    browser.open(&format!("{}/operator?lang=zh-CN", daemon.page()));
    let faults = || browser.ask("document.getElementById('faults').innerText");
    eventually("the operator is told", || faults().contains("摄像头断开"));
    let chinese = faults();
    for part in ["时间不准", "请校准时间或更新名单", "检查摄像头接线", "无法记录", "检查磁盘"]
    {
        assert!(chinese.contains(part), "{part}: {chinese}");
    }
    browser.open(&format!("{}/operator?lang=en", daemon.page()));
    let english = || browser.ask("document.getElementById('faults').innerText");
    eventually("the operator is told, too", || english().contains("Camera"));
    let english = english();
    for code in ["clock-untrusted", "camera-lost", "log-unavailable"] {
        let word = |key: String| browser.ask(&format!("say('{key}')"));
        let (what, next) = (word(format!("fault.{code}")), word(format!("fault.{code}.do")));
        assert!(!what.contains("fault.") && !next.contains("fault."), "{code} has its words");
        assert!(english.contains(&what) && english.contains(&next), "{what} — {next}: {english}");
    }
}

#[test]
fn the_aiming_picture_is_live_and_says_what_would_help() {
    let Some(browser) = Browser::start() else { return };
    browser.size(1280, 800);
    let world = today();
    nobody(&world.path("frames"));
    let daemon = Daemon::start(&world, "");
    browser.open(daemon.page());
    eventually("the screen invites", || browser.ask(STATE) == "idle");
    let seen = "document.getElementById('preview').getContext('2d').getImageData(80, 45, 1, 1).data[0]";
    eventually("the camera's picture is on it", || browser.ask(seen) == "160");
    // A code that is not one is drawn round, and hinted at; its text is not shown.
    picture(&world.path("frames"), "https://bus.example/ticket/1");
    let corners = "document.querySelector('#outline polygon').points.length";
    eventually("the symbol is drawn round", || browser.ask(corners) == "4");
    eventually("the hint is gentle", || browser.ask("document.getElementById('word').textContent") == "这不是通行码");
    keep(&browser.picture(), "lane-aim.png");
    assert!(!browser.ask("document.documentElement.innerHTML").contains("bus.example"));
}

#[test]
fn a_masked_name_is_shown_for_two_seconds_only_where_the_policy_says_so_and_kept_nowhere() {
    let Some(browser) = Browser::start() else { return };
    for (profile, shown) in [("spring-festival-names", true), ("spring-festival", false)] {
        let world = today();
        also(&world, &format!("[checkpoint]\nprofile = \"{profile}\"\n"));
        nobody(&world.path("frames"));
        let daemon = Daemon::start(&world, "");
        browser.open(daemon.page());
        eventually("the screen invites", || browser.ask(STATE) == "idle");
        // Every change of the name is written down with its time; the page may be asked too late to see it.
        browser.ask(
            "(window.names = [], new MutationObserver(() => names.push([document.getElementById('name').textContent, \
             performance.now()])).observe(document.getElementById('name'), { childList: true }))",
        );
        picture(&world.path("frames"), world.text("from Guangdong, green"));
        eventually("the screen shows the verdict", || browser.ask(STATE) == "admit");
        let names = || browser.ask("JSON.stringify(window.names)");
        if shown {
            eventually("the name came and went", || names().contains("张*") && names().contains("[\"\","));
            let times: Vec<(String, f64)> = serde_json::from_str(&names()).expect("JSON");
            let (came, went) = (&times[0], &times[times.len() - 1]);
            assert_eq!(came.0, "张*");
            // Two seconds by the lane's clock, which its own tests hold to the millisecond; and what a busy browser is late by.
            assert!(went.1 - came.1 < 10_000.0, "it stayed {} ms", went.1 - came.1);
        }
        std::thread::sleep(std::time::Duration::from_millis(if shown { 0 } else { 500 }));
        assert_eq!(names().contains('张'), shown, "{profile}: {}", names());
        assert_eq!(browser.ask(STATE), "admit", "the verdict is still there");
        assert!(!browser.ask("document.body.innerText").contains('张'));
        assert!(!daemon.get("/status.json").contains('张'));
        assert_eq!(daemon.stop(), Some(0));
        eventually("the journal is whole", || world.path("journal").exists());
        for place in ["journal", "state/scans.db"] {
            let kept = fs::read(world.path(place)).expect(place);
            assert!(!kept.windows(3).any(|bytes| bytes == "张".as_bytes()), "{place} holds the name");
        }
    }
}

#[test]
fn another_language_is_a_file_and_a_discreet_lane_refuses_without_telling_bystanders() {
    let Some(browser) = Browser::start() else { return };
    let world = today();
    fs::create_dir_all(world.path("strings")).expect("made");
    let french = r#"{"verdict.refuse": "Arrêt", "verdict.refer": "Second contrôle"}"#;
    fs::write(world.path("strings/fr.json"), french).expect("written");
    let folder = world.path("strings");
    also(&world, &format!("[page]\nlanguages = [\"fr\", \"zh-CN\"]\nstrings = \"{}\"\n", folder.display()));
    picture(&world.path("frames"), world.text("with a forged code"));
    let word = || browser.ask("document.getElementById('word').textContent");
    let open = Daemon::start(&world, "");
    browser.open(open.page());
    eventually("it is refused in French", || word() == "Arrêt");
    assert_eq!(browser.ask("document.getElementById('word2').textContent"), "不能通行");
    assert_eq!(browser.ask("document.getElementById('next').textContent"), "Show the original code", "not translated");
    drop(open);
    also(&world, "[signals]\ndiscreet = true\n");
    let discreet = Daemon::start(&world, "");
    browser.open(discreet.page());
    eventually("it is sent to the second line", || word() == "Second contrôle");
    assert_eq!(browser.ask(STATE), "refer");
    assert_eq!(browser.ask("document.getElementById('why').textContent"), "");
    eventually("it sounds like a referral", || browser.ask("(window.played.at(-1) || {}).name") == "refer");
    eventually("the officer knows", || discreet.get("/status.json").contains("bad-signature"));
}

/// A tenth of a second of silence, as a WAV file (RIFF, PCM, 8 bits, 8 kHz).
fn recording() -> Vec<u8> {
    let mut wav = b"RIFF".to_vec();
    let number = |wav: &mut Vec<u8>, number: u32, bytes: usize| wav.extend(&number.to_le_bytes()[..bytes]);
    number(&mut wav, 36 + 800, 4);
    wav.extend(b"WAVEfmt ");
    for (value, bytes) in [(16, 4), (1, 2), (1, 2), (8000, 4), (8000, 4), (1, 2), (8, 2)] {
        number(&mut wav, value, bytes);
    }
    wav.extend(b"data");
    number(&mut wav, 800, 4);
    wav.extend([128; 800]);
    wav
}

#[test]
fn what_a_site_recorded_is_spoken_verdict_side_and_number_in_the_order_of_the_languages() {
    let Some(browser) = Browser::start() else { return };
    let world = today();
    let names = ["admit", "refer", "left"].map(str::to_owned).into_iter();
    let characters = ('A'..='Z').chain('0'..='9').map(String::from);
    for name in names.chain(characters) {
        fs::create_dir_all(world.path("voice/zh-CN")).expect("made");
        fs::write(world.path("voice/zh-CN").join(name + ".wav"), recording()).expect("written");
    }
    fs::create_dir_all(world.path("voice/en")).expect("made");
    fs::write(world.path("voice/en/refer.wav"), recording()).expect("written");
    fs::write(world.path("voice/en/left.wav"), "this is no sound").expect("written");
    also(&world, &format!("[page]\nvoice = \"{}\"\ndesk_side = \"left\"\n", world.path("voice").display()));
    nobody(&world.path("frames"));
    let daemon = Daemon::start(&world, "");
    browser.open(daemon.page());
    // 3 + 36 of one language, and one of the other.
    eventually("the recordings are decoded", || browser.ask("recordings.size") == "40");
    picture(&world.path("frames"), world.text("from Hebei, whose recognition is suspended"));
    eventually("it is spoken", || browser.ask("(window.spoken || []).length") == "5");
    let number = browser.ask("document.getElementById('number').textContent");
    let characters: Vec<String> = number.chars().map(|one| format!("zh-CN/{one}")).collect();
    assert_eq!(
        browser.ask("window.spoken.join()"),
        format!("zh-CN/refer,zh-CN/left,{},en/refer", characters.join(","))
    );
    let missing = ureq::get(format!("{}/voice/zh-CN/..%2f..%2fgate.toml", daemon.page())).call();
    assert!(missing.is_err(), "no file is asked for by its path");
}

#[test]
fn a_screen_whose_daemon_hangs_or_ends_shows_that_it_knows_nothing_and_no_old_verdict() {
    let Some(browser) = Browser::start() else { return };
    let world = today();
    picture(&world.path("frames"), world.text("from Guangdong, green"));
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let daemon = Daemon::start_at(&world, "", port);
    browser.open(&format!("{}/?lang=en", daemon.page()));
    let state = || browser.ask(STATE);
    eventually("the verdict is shown", || state() == "admit");
    eventually("the camera's picture, too", || browser.ask("document.getElementById('preview').width") != "1");
    // It hangs: the connection stays, and nothing comes.
    daemon.signal("-STOP");
    eventually("the verdict went", || state() == "connecting");
    assert_eq!(browser.ask("document.getElementById('preview').width"), "1", "the old picture went, too");
    eventually("whoever waits is sent elsewhere", || state() == "silent");
    assert!(browser.ask("document.getElementById('next').textContent").contains("another lane"));
    nobody(&world.path("frames"));
    daemon.signal("-CONT");
    eventually("it is heard again", || state() == "idle");
    assert_eq!(daemon.stop(), Some(0));
    eventually("nothing is known", || state() == "connecting");
    browser.ask("(window.states = [], new MutationObserver(() => states.push(document.body.dataset.state)).observe(document.body, { attributes: true }))");
    let again = Daemon::start_at(&world, "", port);
    eventually("the screen is back by itself", || state() == "idle");
    let between = browser.ask("window.states.filter((state) => ['admit', 'refer', 'refuse'].includes(state)).length");
    assert_eq!(between, "0", "no verdict of the time before");
    drop(again);
}
