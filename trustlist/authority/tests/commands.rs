//! The command as a province and the national platform use it: what they publish, a gate believes; what they mistype, they are told.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use trustlist::{time::UnixTime, trust::Trust, verdict::Reason};

mod support;

use support::{Authorities, MORNING, authorities, done, reason, refused, verified};

#[test]
fn a_province_and_the_national_platform_publish_apart_and_a_gate_believes_both() {
    let Authorities { nation, hubei, mirror, .. } = &authorities();
    let publish = ["publish", "--at", MORNING, "--out", mirror.to_str().expect("a UTF-8 path")];
    done(hubei, &["status-list", "grow", "1000", "--at", MORNING]);
    done(hubei, &["status-list", "set", "revoked", "7", "--at", MORNING]);
    done(nation, &["risk-area", "420102", "--level", "high", "--from", "2021-01-20T00:00:00Z"]);
    done(nation, &publish);
    done(hubei, &publish);

    let at = UnixTime::parse_rfc3339(MORNING).expect("a time").plus(60);
    let pinned = fs::read(nation.join("published/000000/metadata/1.root.json")).expect("the national root");
    let national = verified(mirror, "000000", &pinned, at);
    let roots = &national.targets["roots/420000.json"];
    let province = verified(mirror, "420000", roots, at);
    let (trust, faults) = Trust::assemble(national, vec![province]).expect("readable lists");
    assert_eq!(faults, []);

    let issue = |arguments: &[&str]| done(hubei, &[&["issue", "--at", MORNING], arguments].concat());
    for (arguments, relying, expected) in [
        (&["--status", "6"][..], "440000", Reason::Ok),
        (&["--status", "7"], "440000", Reason::Revoked),
        (&["--colour", "yellow"], "420100", Reason::ColourYellow),
        (&["--visit", "420102:2021-01-28"], "440000", Reason::RiskArea),
        (&[], "310000", Reason::NotRecognised),
        (&["--flaw", "forged"], "440000", Reason::BadSignature),
        (&["--flaw", "tampered"], "440000", Reason::BadSignature),
        (&["--flaw", "unknown-key"], "440000", Reason::UnknownKey),
        (&["--issuer", "440000"], "440000", Reason::IssuerOutOfScope),
        (&["--valid-for", "-600"], "440000", Reason::Expired),
    ] {
        assert_eq!(reason(&trust, &issue(arguments), relying, at), expected, "{arguments:?}");
    }
}

#[test]
fn many_codes_come_from_lines_of_json() {
    let Authorities { hubei, mirror, .. } = &authorities();
    fs::create_dir_all(mirror).expect("a folder");
    let (lines, picture) = (mirror.join("lines.jsonl"), mirror.join("code.svg"));
    let text = format!("{{\"colour\": \"red\"}}\n\n{{\"picture\": \"{}\"}}\n", picture.display());
    fs::write(&lines, text).expect("written");
    let lines = lines.to_str().expect("a UTF-8 path");
    let answers = done(hubei, &["issue", "--at", MORNING, "--from", lines]);
    assert_eq!(answers.lines().filter(|line| line.contains("\"text\":\"MR1:")).count(), 2);
    assert!(fs::read_to_string(picture).expect("a picture").starts_with("<svg"));
    fs::write(mirror.join("lines.jsonl"), "{\"colour\": \"red\"}\n{\"color\": \"red\"}\n").expect("written");
    assert!(refused(hubei, &["issue", "--from", lines]).contains("line 2: unknown field `color`"));
}

#[test]
fn a_mistake_is_named_with_what_to_do() {
    let Authorities { nation, hubei, .. } = &authorities();
    let root = hubei.join("roots/1.root.json");
    let root = root.to_str().expect("a UTF-8 path");
    for (dir, arguments, words) in [
        (nation, &["issuer", "add", "420000", "--root", root][..], "issuer retire 420000"),
        (nation, &["issuer", "add", "990000", "--root", root], "none of the 34 provinces"),
        (nation, &["issuer", "add", "430000", "--root", "missing.json"], "cannot read missing.json"),
        (nation, &["issuer", "add", "430000", "--root", "/dev/null"], "take metadata/1.root.json"),
        (nation, &["issuer", "add", "420100", "--root", root], "--zh and --en"),
        (
            nation,
            &["issuer", "add", "420100", "--root", root, "--zh", "武汉", "--en", "Wuhan", "--parent", "000000"],
            "narrow one scope",
        ),
        (nation, &["arrange", "310000", "440000", "--route", "direct"], "issuer add 310000"),
        (nation, &["arrange", "420000", "440000", "--route", "direct"], "in the list already"),
        (nation, &["suspend", "420000", "440000", "--notice", " ", "--approved-by", "x"], "notice"),
        (nation, &["resume", "2021-1", "--at", MORNING], "no such open suspension"),
        (nation, &["risk-area", "420102", "--clear", "--at", MORNING], "no such listed risk area"),
        (hubei, &["arrange", "420000", "440000", "--route", "direct"], "only the national platform"),
        (hubei, &["status-list", "set", "revoked", "5", "--at", MORNING], "status-list grow"),
        (hubei, &["status-list", "set", "revoked"], "--file"),
        (hubei, &["root", "rotate", "--threshold", "2", "--at", MORNING], "2 of 1 keys cannot sign"),
        (hubei, &["root", "rotate", "--remove", "0123456789abcdef", "--at", MORNING], "authority show"),
        (hubei, &["issuer", "retire-key", "0123456789abcdef", "--at", MORNING], "authority show"),
        (hubei, &["issue", "--out", "code.gif"], ".png or .svg"),
        (hubei, &["init", "420000"], "never overwritten"),
        (&hubei.join("nowhere"), &["publish"], "authority init"),
    ] {
        let message = refused(dir, arguments);
        assert!(message.contains(words), "{arguments:?}: {message}");
    }
}

#[test]
fn a_missing_key_an_open_key_and_an_edited_draft_stop_the_command_with_their_names() {
    let Authorities { nation, hubei, .. } = &authorities();
    let targets = fs::read_dir(hubei.join("keys")).expect("keys").filter_map(Result::ok).map(|entry| entry.path());
    let targets = targets.into_iter().find(|path| path.display().to_string().contains("targets-")).expect("a key");
    let aside = hubei.join("targets.pem");
    fs::rename(&targets, &aside).expect("taken away");
    assert!(refused(hubei, &["publish", "--at", MORNING]).contains("put the key files of"));
    fs::write(&targets, "no key").expect("written");
    Command::new("chmod").arg("600").arg(&targets).status().expect("chmod");
    assert!(refused(hubei, &["publish", "--at", MORNING]).contains("no private key in PEM"));
    fs::rename(&aside, &targets).expect("brought back");
    done(hubei, &["publish", "--at", MORNING]);

    fs::write(nation.join("lists/recognition.json"), "{").expect("written");
    assert!(refused(nation, &["publish", "--at", MORNING]).contains("recognition.json"));
}

#[test]
fn what_is_published_at_one_moment_by_one_authority_is_the_same_every_time() {
    let Authorities { hubei, mirror, .. } = &authorities();
    let [first, second] = ["first", "second"].map(|name| mirror.join(name));
    fs::create_dir_all(mirror).expect("a folder");
    for copy in [&first, &second] {
        Command::new("cp").arg("-r").arg(hubei).arg(copy).status().expect("cp");
        done(copy, &["publish", "--at", MORNING]);
    }
    let read = |dir: &Path| fs::read(dir.join("published/420000/metadata/timestamp.json")).expect("a timestamp");
    assert_eq!(read(&first), read(&second));
    let earlier = ["publish", "--at", "2021-01-31T00:00:00Z"];
    assert!(refused(&first, &earlier).contains("--at must not be before"));
}

#[test]
fn a_configuration_code_is_made_by_the_national_platform_and_only_when_a_checkpoint_could_take_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (nation, hubei) = (folder.path().join("nation"), folder.path().join("hubei"));
    done(&nation, &["init", "000000", "--at", MORNING]);
    done(&hubei, &["init", "420000", "--at", MORNING]);
    let made = done(&nation, &["config-code", "--to", "gate-7", "--direction", "exit", "--at", MORNING, "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    assert_eq!(made["number"], 1_612_137_600, "the second in which it is made");
    assert_eq!(made["sets"], serde_json::json!(["direction"]));
    trustlist::configuration::well_formed(made["text"].as_str().expect("a text")).expect("well formed");
    assert!(
        refused(&hubei, &["config-code", "--to", "gate-7", "--direction", "exit", "--at", MORNING]).contains("420000")
    );
    assert!(refused(&nation, &["config-code", "--to", "gate-7", "--at", MORNING]).contains("no-settings"));
    assert!(
        refused(&nation, &["config-code", "--to", "gate-7", "--profile", "nowhere", "--at", MORNING])
            .contains("no policy profile")
    );
    let passphrase = folder.path().join("passphrase");
    fs::write(&passphrase, "short\n").expect("written");
    let wifi = ["config-code", "--at", MORNING, "--to", "*", "--wifi", "Station", "--wifi-passphrase"];
    let told = refused(&nation, &[&wifi[..], &[passphrase.to_str().expect("UTF-8")]].concat());
    assert!(told.contains("bad-wifi") && !told.contains("short"), "{told}");
}

#[test]
fn a_reader_that_has_closed_the_pipe_makes_no_command_panic() {
    let Authorities { nation, hubei, mirror, .. } = &authorities();
    done(hubei, &["status-list", "grow", "1000", "--at", MORNING]);
    let mirror = mirror.to_str().expect("a UTF-8 path");
    let lines = "{}\n".repeat(2_000);
    for (dir, arguments) in [
        (nation, &["show"][..]),
        (nation, &["show", "--json"]),
        (nation, &["policy", "show"]),
        (hubei, &["publish", "--at", MORNING, "--out", mirror]),
        (hubei, &["status-list", "show", "7"]),
        (hubei, &["issue", "--at", MORNING, "--from", "-"]),
        (hubei, &["mirror", "index", mirror]),
        (hubei, &["status-list", "set", "revoked", "7", "--at", MORNING]),
        (nation, &["config-code", "--to", "*", "--lane", "east-1", "--at", MORNING]),
        (nation, &["--help"]),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_authority"))
            .arg("--dir")
            .arg(dir)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        // Closed before a byte was read, as by `| head -0`.
        drop(child.stdout.take());
        let _ = child.stdin.take().expect("a pipe").write_all(lines.as_bytes());
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("panicked"), "{arguments:?}: {said}");
    }
    assert!(done(hubei, &["status-list", "show", "7"]).starts_with("revoked"), "what was asked for was done");
}
