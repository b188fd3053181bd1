//! Whether people who see, hear or point otherwise can use the pages: WCAG 2.2, levels A and AA, as axe-core measures them in the browser.

use std::{fs, path::PathBuf, process::Command};

use super::{
    browser::Browser,
    gate::{Daemon, also, eventually, nobody, picture, today},
};

/// The release of axe-core that measures.
const AXE: &str = "axe-core@4.14.1";

/// The measuring program. It is no part of the project: where it is not there, it is fetched once if all tests are asked for, and the test says
/// that nothing was measured otherwise.
fn axe() -> Option<String> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("axe");
    let file = folder.join("node_modules/axe-core/axe.min.js");
    if !file.exists() && std::env::var("CHECKPOINT_TESTS").is_ok_and(|tests| tests == "all") {
        let _ = Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .arg(AXE)
            .status();
    }
    let script = fs::read_to_string(&file).ok();
    if script.is_none() {
        println!("{AXE} is not in {} (npm install --prefix it {AXE}); no page is measured", folder.display());
    }
    script
}

/// What is wrong with the page that is open.
fn violations(browser: &Browser, script: &str) -> Vec<String> {
    browser.ask(&format!("(() => {{ {script}; window.measured = ''; return ''; }})()"));
    browser.ask(
        "(axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then((found) => { \
         measured = JSON.stringify([found.passes.length, found.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html}: ${node.failureSummary}`))]); }), '')",
    );
    eventually("the page is measured", || !browser.ask("window.measured").is_empty());
    let (passes, violations): (usize, Vec<String>) =
        serde_json::from_str(&browser.ask("window.measured")).expect("JSON");
    assert!(passes > 5, "rules were looked at");
    violations
}

#[test]
fn every_page_passes_wcag_2_2_at_level_aa() {
    let (Some(browser), Some(script)) = (Browser::start(), axe()) else { return };
    browser.size(1280, 800);
    let world = today();
    let words = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("page/words");
    also(&world, &format!("[page]\nstrings = \"{}\"\n", words.display()));
    nobody(&world.path("frames"));
    let desk = super::desk_elsewhere::desk_of(&world);
    let daemon = Daemon::start(&world, "");
    let mut wrong = Vec::new();
    let mut look = |what: &str| {
        wrong.extend(violations(&browser, &script).into_iter().map(|one| format!("{what}: {one}")));
    };
    for language in ["zh-CN", "en", "ug", "bo", "mn"] {
        browser.open(&format!("{}/?lang={language}", daemon.page()));
        eventually("the sign is there", || browser.ask("document.getElementById('staff').hidden") == "false");
        for state in [
            "{ kind: 'idle' }",
            "{ kind: 'connecting' }",
            "{ kind: 'attention', hint: 'camera-lost' }",
            "{ kind: 'verdict', verdict: 'admit', reason: 'ok' }",
            "{ kind: 'verdict', verdict: 'refer', reason: 'code-too-old', number: 'K7' }",
            "{ kind: 'verdict', verdict: 'refuse', reason: 'expired', number: 'L4' }",
        ] {
            browser.ask(&format!("show({state})"));
            look(&format!("lane in {language}, {state}"));
        }
    }
    picture(&world.path("frames"), world.text("from Hebei, whose recognition is suspended"));
    for language in ["zh-CN", "en"] {
        browser.open(&format!("{}/desk?lang={language}", daemon.page()));
        eventually("somebody waits", || browser.ask("document.querySelectorAll('article').length") == "1");
        look(&format!("desk in {language}"));
        browser.ask("document.querySelector('[data-verdict]').click()");
        browser.ask("(document.getElementById('enrol').open = true)");
        look(&format!("desk in {language}, deciding and enrolling"));
        browser.open(&format!("{desk}/pair?lang={language}"));
        eventually("the pairing page is there", || browser.ask("document.activeElement.id") == "code");
        look(&format!("pairing in {language}"));
        browser.open(&format!("{}/operator?lang={language}", daemon.page()));
        eventually("the day is drawn", || browser.ask("document.querySelectorAll('svg.day rect').length") != "0");
        look(&format!("operator in {language}"));
        browser.size(800, 480);
        look(&format!("operator in {language} on seven inches"));
        assert_eq!(
            browser.ask("document.documentElement.scrollWidth <= innerWidth"),
            "true",
            "nothing is cut at the side"
        );
        browser.size(1280, 800);
    }
    assert!(wrong.is_empty(), "{} violations:\n{}", wrong.len(), wrong.join("\n"));
}
