//! The command as a province and the national platform use it: what they publish, a gate believes; what they mistype, they are told.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use trustlist::{
    judge::{Context, Outcome, decide},
    region::Region,
    time::{Moment, UnixTime},
    trust::{Repository, Trust},
    tuf::{self, Answer, Request, Trusted},
    verdict::Reason,
};

const MORNING: &str = "2021-02-01T08:00:00+08:00";

fn authority(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_authority")).arg("--dir").arg(dir).args(arguments).output().expect("it starts")
}

fn done(dir: &Path, arguments: &[&str]) -> String {
    let output = authority(dir, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The message of a command that must fail, without its beginning.
fn refused(dir: &Path, arguments: &[&str]) -> String {
    let output = authority(dir, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("UTF-8")
}

fn region(text: &str) -> Region {
    text.parse().expect("a region")
}

/// What a gate holds after it has verified a mirror from the pinned root.
fn verified(mirror: &Path, issuer: &str, root: &[u8], at: UnixTime) -> Repository {
    let home = mirror.join(issuer);
    let mut fetch = |request: &Request| match fs::read(home.join("metadata").join(&request.path)) {
        Ok(bytes) => Answer::Bytes(bytes),
        Err(_) => Answer::NotFound,
    };
    let mut trusted = Trusted::from_root(root).expect("a root");
    tuf::refresh(&mut trusted, at, &mut fetch).expect("accepted");
    let names: Vec<String> = trusted.targets("targets").expect("targets").signed.targets.keys().cloned().collect();
    let mut targets = BTreeMap::new();
    for name in names {
        let target = tuf::find_target(&mut trusted, &name, at, &mut fetch).expect("looked for").expect("named");
        let path = tuf::target_request(&trusted, &name, &target).path;
        let bytes = fs::read(home.join("targets").join(path)).expect("a target");
        assert!(target.is(&bytes), "{name}");
        targets.insert(name, bytes);
    }
    let timestamp = &trusted.timestamp().expect("a timestamp").signed;
    Repository {
        issuer: region(issuer),
        generation: timestamp.version,
        issued: timestamp.issued.expect("our publisher says it"),
        expires: timestamp.expires,
        arrived: None,
        root_keys: trusted.root_keys(),
        targets,
    }
}

fn reason(trust: &Trust, code: &str, relying: &str, at: UnixTime) -> Reason {
    let context = Context { moment: Moment::synced(at), relying: region(relying), profile: None };
    match decide(code.trim(), trust, &context) {
        Outcome::Judged(judgement) => judgement.decision().reason,
        Outcome::NotAPassCode => panic!("no pass code: {code}"),
    }
}

struct Desks {
    _home: tempfile::TempDir,
    nation: PathBuf,
    hubei: PathBuf,
    mirror: PathBuf,
}

/// Hubei and the national platform, each in its own folder; Hubei's codes count in Guangdong.
fn desks() -> Desks {
    let home = tempfile::tempdir().expect("a folder");
    let [nation, hubei, mirror] = ["nation", "hubei", "mirror"].map(|name| home.path().join(name));
    done(&hubei, &["init", "420000", "--at", MORNING]);
    done(&nation, &["init", "000000", "--at", MORNING]);
    let root = hubei.join("roots/1.root.json");
    done(&nation, &["issuer", "add", "420000", "--root", root.to_str().expect("a UTF-8 path")]);
    done(&nation, &["arrange", "420000", "440000", "--route", "direct"]);
    Desks { _home: home, nation, hubei, mirror }
}

#[test]
fn a_province_and_the_national_platform_publish_apart_and_a_gate_believes_both() {
    let Desks { nation, hubei, mirror, .. } = &desks();
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
    let Desks { hubei, mirror, .. } = &desks();
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
    let Desks { nation, hubei, .. } = &desks();
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
        (nation, &["resume", "2021-1"], "no such open suspension"),
        (nation, &["risk-area", "420102", "--clear"], "no such listed risk area"),
        (hubei, &["arrange", "420000", "440000", "--route", "direct"], "only the national platform"),
        (hubei, &["status-list", "set", "revoked", "5"], "status-list grow"),
        (hubei, &["status-list", "set", "revoked"], "--file"),
        (hubei, &["root", "rotate", "--threshold", "2"], "2 of 1 keys cannot sign"),
        (hubei, &["root", "rotate", "--remove", "0123456789abcdef"], "authority show"),
        (hubei, &["issuer", "retire-key", "0123456789abcdef"], "authority show"),
        (hubei, &["issue", "--out", "code.gif"], ".png or .svg"),
        (hubei, &["init", "420000"], "never overwritten"),
        (&hubei.join("nowhere"), &["publish"], "authority init"),
    ] {
        let message = refused(dir, arguments);
        assert!(message.contains(words), "{arguments:?}: {message}");
    }
}

#[test]
fn a_missing_key_an_open_key_and_an_edited_draft_stop_the_desk_with_their_names() {
    let Desks { nation, hubei, .. } = &desks();
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
fn what_is_published_at_one_moment_by_one_desk_is_the_same_every_time() {
    let Desks { hubei, mirror, .. } = &desks();
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
    assert!(refused(&hubei, &["config-code", "--to", "gate-7", "--direction", "exit"]).contains("420000"));
    assert!(refused(&nation, &["config-code", "--to", "gate-7"]).contains("no-settings"));
    assert!(refused(&nation, &["config-code", "--to", "gate-7", "--profile", "nowhere"]).contains("no policy profile"));
    let passphrase = folder.path().join("passphrase");
    fs::write(&passphrase, "short\n").expect("written");
    let wifi = ["config-code", "--to", "*", "--wifi", "Station", "--wifi-passphrase"];
    let told = refused(&nation, &[&wifi[..], &[passphrase.to_str().expect("UTF-8")]].concat());
    assert!(told.contains("bad-wifi") && !told.contains("short"), "{told}");
}
