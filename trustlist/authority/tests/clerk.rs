//! The clerk's day, and the worst days: clocks that are ahead, backups, copies that fork, keys that change, lists that change much. Each test
//! runs the command and looks at what a gate makes of it.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use trustlist::{status::Status, time::UnixTime, trust::Trust, verdict::Reason};

mod support;

use support::{Authorities, Gate, MORNING, at, authorities, done, reason, refused, text, verified};

const NOON: &str = "2021-02-01T12:00:00+08:00";
const EVENING: &str = "2021-02-01T20:00:00+08:00";
const NEXT_DAY: &str = "2021-02-02T08:00:00+08:00";

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp");
    assert!(status.success());
}

fn json(output: &str) -> Value {
    serde_json::from_str(output).expect("JSON")
}

#[test]
fn a_clock_that_is_ahead_and_that_nobody_confirms_signs_nothing() {
    let Authorities { nation, hubei, .. } = &authorities();
    done(hubei, &["status-list", "grow", "1000", "--at", MORNING]);
    done(hubei, &["publish", "--at", MORNING]);
    let before = fs::read(hubei.join("published/420000/metadata/timestamp.json")).expect("a timestamp");
    const AHEAD: &str = "2099-01-01T00:00:00Z";
    for (dir, arguments) in [
        (hubei, &["publish"][..]),
        (hubei, &["root", "rotate"]),
        (hubei, &["status-list", "grow", "2000"]),
        (hubei, &["status-list", "set", "revoked", "7"]),
        (hubei, &["issuer", "rotate-key"]),
        (hubei, &["issuer", "retire-key", "0123456789abcdef"]),
        (nation, &["config-code", "--to", "*", "--lane", "east-1"]),
        (nation, &["resume", "2021-1"]),
        (nation, &["risk-area", "420102", "--clear"]),
    ] {
        let said = refused(dir, &[arguments, &["--at", AHEAD]].concat());
        assert!(
            said.contains("no time service confirms it") && said.contains("--clock-is-right"),
            "{arguments:?}: {said}"
        );
    }
    // Eight days are more than a timestamp lives; six are not.
    assert!(refused(hubei, &["publish", "--at", "2021-02-09T08:00:01+08:00"]).contains("--clock-is-right"));
    assert_eq!(fs::read(hubei.join("published/420000/metadata/timestamp.json")).expect("it"), before);
    done(hubei, &["publish", "--at", "2021-02-07T08:00:00+08:00"]);
    done(hubei, &["publish", "--at", "2021-03-07T08:00:00+08:00", "--clock-is-right"]);

    let card = hubei.join("authority.json");
    let far = fs::read_to_string(&card).expect("it").replace("\"timestamp_days\": 7", "\"timestamp_days\": 36500");
    fs::write(&card, far).expect("written");
    assert!(refused(hubei, &["publish", "--at", "2021-03-07T08:00:00+08:00"]).contains("36500 days are no term"));
}

#[test]
fn a_machine_whose_clock_runs_ahead_publishes_nothing_before_it_is_set() {
    let faketime = Path::new("/usr/bin/faketime");
    if !faketime.exists() {
        eprintln!("skipped: faketime is not installed");
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let hubei = home.path().join("hubei");
    let run = |clock: &str, arguments: &[&str]| {
        // Nobody confirms: a test machine whose own clock is confirmed has no say in this.
        let command = env!("CARGO_BIN_EXE_authority");
        let output = Command::new(faketime)
            .args(["-f", clock, command, "--dir", text(&hubei)])
            .args(arguments)
            .env("PATH", "/nonexistent")
            .output()
            .expect("it starts");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(run("@2021-02-01 08:00:00", &["init", "420000"]).0);
    assert!(run("@2021-02-01 08:00:00", &["publish"]).0);
    let (published, said) = run("@2021-05-12 08:00:00", &["publish"]);
    assert!(!published && said.contains("no time service confirms it"), "{said}");
    assert!(run("@2021-02-02 08:00:00", &["publish"]).0);
}

#[test]
fn an_authority_is_not_begun_in_a_future_that_nobody_confirms() {
    let home = tempfile::tempdir().expect("a folder");
    let hubei = home.path().join("hubei");
    let ahead = ["init", "420000", "--at", "2099-01-01T00:00:00Z"];
    let said = refused(&hubei, &ahead);
    assert!(said.contains("no time service confirms it") && said.contains("this program was made at"), "{said}");
    assert!(!hubei.join("roots").exists(), "nothing was signed");
    done(&hubei, &[&["--clock-is-right"], &ahead[..]].concat());
}

#[test]
fn what_the_nation_signed_is_evidence_of_time_for_a_province_that_was_silent() {
    let Authorities { nation, hubei, mirror, .. } = &authorities();
    done(hubei, &["publish", "--at", MORNING]);
    let later = "2021-06-01T08:00:00+08:00";
    done(nation, &["publish", "--at", later, "--clock-is-right", "--out", text(mirror)]);
    let here = ["publish", "--at", later, "--mirror", text(mirror)];
    assert!(refused(hubei, &here).contains("--clock-is-right"), "a mirror's word alone is none");
    let root = nation.join("roots/1.root.json");
    done(hubei, &[&here[..], &["--nation-root", text(&root)]].concat());
}

#[test]
fn a_backup_restores_publishes_the_next_generation_and_its_revocations_arrive_at_a_gate() {
    let Authorities { home, hubei, mirror, .. } = &authorities();
    let (backup, again) = (home.path().join("backup"), home.path().join("again"));
    done(hubei, &["status-list", "grow", "1000", "--at", MORNING]);
    done(hubei, &["publish", "--at", MORNING, "--out", text(mirror)]);
    let mut gate = Gate::new(&hubei.join("roots/1.root.json"));
    assert_eq!(gate.sync(mirror, "420000", MORNING), Ok(1));
    assert!(done(hubei, &["backup", text(&backup)]).contains("generation 1"));
    // Life goes on after the backup: a code is revoked and a key is announced, and then the machine burns.
    done(hubei, &["status-list", "set", "revoked", "7", "--at", NOON]);
    done(hubei, &["publish", "--at", NOON, "--out", text(mirror)]);
    done(hubei, &["publish", "--at", NOON, "--out", text(mirror)]);
    assert_eq!(gate.sync(mirror, "420000", NOON), Ok(3));
    fs::remove_dir_all(hubei).expect("burnt");

    let said = done(&again, &["restore", text(&backup)]);
    assert!(said.contains("name a mirror"), "{said}");
    assert!(refused(&again, &["publish", "--at", EVENING]).contains("restored from a backup of generation 1"));
    let stick = home.path().join("stick");
    copy(&backup.join("published"), &stick);
    let onto_an_old_stick = ["publish", "--at", EVENING, "--out", text(&stick)];
    assert!(refused(&again, &onto_an_old_stick).contains("restored from a backup"), "an old stick is no mirror");
    let said = done(&again, &["restore", "--mirror", text(mirror)]);
    assert!(said.contains("generation 3 is taken up"), "{said}");
    done(&again, &["status-list", "set", "revoked", "8", "--at", EVENING]);
    let out = done(&again, &["publish", "--at", EVENING, "--out", text(mirror)]);
    assert!(out.contains("generation 4"), "{out}");
    assert_eq!(gate.sync(mirror, "420000", EVENING), Ok(4));
    assert_eq!(gate.status(mirror, "420000", 8), Status::Revoked);
    assert_eq!(gate.status(mirror, "420000", 7), Status::Revoked, "what was revoked after the backup stays revoked");
    assert_eq!(gate.status(mirror, "420000", 9), Status::Valid);
}

#[test]
fn a_backup_restores_at_once_from_its_mirror_and_without_any_only_above_the_generation_that_is_named() {
    let Authorities { home, hubei, mirror, .. } = &authorities();
    let [backup, first, second] = ["backup", "first", "second"].map(|name| home.path().join(name));
    done(hubei, &["status-list", "grow", "1000", "--at", MORNING]);
    fs::create_dir(mirror).expect("a mirror");
    done(hubei, &["publish", "--at", MORNING, "--mirror", text(mirror), "--out", text(mirror)]);
    done(hubei, &["backup", text(&backup)]);
    done(hubei, &["publish", "--at", NOON, "--out", text(mirror)]);
    let mut gate = Gate::new(&hubei.join("roots/1.root.json"));
    assert_eq!(gate.sync(mirror, "420000", NOON), Ok(2));

    assert!(done(&first, &["restore", text(&backup)]).contains("generation 2 is taken up"), "the mirror is remembered");
    assert!(done(&first, &["publish", "--at", EVENING, "--without-mirrors"]).contains("generation 3"));

    fs::rename(mirror, home.path().join("lost")).expect("lost");
    let said = done(&second, &["restore", text(&backup)]);
    assert!(said.contains("nobody knows yet"), "{said}");
    let publish = ["publish", "--at", EVENING, "--without-mirrors"];
    assert!(refused(&second, &publish).contains("--after N"));
    let out = done(&second, &[&publish[..], &["--after", "2", "--out", text(mirror)]].concat());
    assert!(out.contains("generation 3"), "{out}");
    assert_eq!(gate.sync(mirror, "420000", EVENING), Ok(3));
    assert!(done(&second, &["publish", "--at", NEXT_DAY, "--without-mirrors"]).contains("generation 4"));
}

#[test]
fn a_backup_that_is_not_whole_restores_nothing() {
    let Authorities { home, hubei, .. } = &authorities();
    done(hubei, &["publish", "--at", MORNING]);
    let (backup, again) = (home.path().join("backup"), home.path().join("again"));
    done(hubei, &["backup", text(&backup)]);
    assert!(refused(hubei, &["backup", text(&backup)]).contains("name a new folder"));
    assert!(refused(hubei, &["backup", text(&hubei.join("inside"))]).contains("another disk"));
    assert!(refused(hubei, &["restore", text(&backup)]).contains("never overwritten"));
    assert!(refused(&again, &["restore", text(home.path())]).contains("authority backup"));
    let keys = backup.join("lists/keys.json");
    let whole = fs::read(&keys).expect("keys");
    fs::write(&keys, "{}").expect("written");
    assert!(refused(&again, &["restore", text(&backup)]).contains("lists/keys.json is not as it was backed up"));
    fs::remove_file(&keys).expect("removed");
    assert!(refused(&again, &["restore", text(&backup)]).contains("lists/keys.json"));
    assert!(!again.exists(), "nothing was begun");
    fs::write(&keys, whole).expect("written");
    done(&again, &["restore", text(&backup)]);
    let mode = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    };
    assert_eq!(mode(&again.join("keys")), 0o700);
    assert_eq!(mode(&backup.join("keys")), 0o700);
    let keys = fs::read_dir(again.join("keys")).expect("keys").map(|key| mode(&key.expect("a key").path()));
    assert!(keys.into_iter().all(|mode| mode == 0o600));
}

#[test]
fn a_copy_that_does_not_know_what_was_published_publishes_nothing() {
    let Authorities { home, hubei, mirror, .. } = &authorities();
    done(hubei, &["publish", "--at", MORNING, "--out", text(mirror)]);
    let (old, bare, kept) = (home.path().join("old"), home.path().join("bare"), home.path().join("kept"));
    copy(hubei, &old);
    done(hubei, &["publish", "--at", NOON, "--out", text(mirror)]);

    // Copied by hand, as people do: without published/, and without what remembers it.
    copy(hubei, &bare);
    fs::remove_dir_all(bare.join("published")).expect("left out");
    let said = refused(&bare, &["publish", "--at", EVENING]);
    assert!(said.contains("generation 2 was published from here") && said.contains("restore --mirror"), "{said}");
    fs::remove_file(bare.join("lists/last.json")).expect("left out");
    assert!(refused(&bare, &["publish", "--at", EVENING]).contains("does not know what it published last"));
    done(&bare, &["restore", "--mirror", text(mirror)]);
    done(&bare, &["status-list", "grow", "1000", "--at", EVENING]);
    assert!(done(&bare, &["publish", "--at", EVENING]).contains("generation 3"));

    // A whole copy that is older than what the mirror holds.
    let onto = ["publish", "--at", EVENING, "--out", text(mirror)];
    let said = refused(&old, &onto);
    assert!(said.contains("holds generation 2, and 1 is the last") && said.contains("another copy"), "{said}");
    copy(&old, &kept);
    done(&old, &["restore", "--mirror", text(mirror)]);
    assert!(done(&old, &onto).contains("generation 3"));

    // Two copies that both went on.
    let said = refused(&bare, &onto);
    assert!(said.contains("two copies") && said.contains("--after 3"), "{said}");
    done(&bare, &[&onto[..], &["--after", "3"]].concat());
    let mut gate = Gate::new(&hubei.join("roots/1.root.json"));
    assert_eq!(gate.sync(mirror, "420000", EVENING), Ok(4));

    let strange = home.path().join("strange");
    done(&strange, &["init", "420000", "--at", MORNING]);
    let said = refused(&strange, &onto);
    assert!(said.contains("not published with the keys of this folder"), "{said}");
    let silent = ["publish", "--at", EVENING, "--mirror", "http://127.0.0.1:9/"];
    assert!(refused(&kept, &silent).contains("--without-mirrors"));
}

#[test]
fn a_root_is_pinned_for_one_issuer_only_and_its_fingerprint_is_read_out_by_both_sides() {
    let Authorities { nation, hubei, home, .. } = &authorities();
    let root = hubei.join("roots/1.root.json");
    let fingerprint = done(hubei, &["root", "fingerprint"]);
    assert_eq!(fingerprint, done(nation, &["root", "fingerprint", "--issuer", "420000"]));
    assert_eq!(fingerprint, done(hubei, &["root", "fingerprint", "--file", text(&root)]));
    assert_eq!(fingerprint.trim().len(), 8 * 8 + 7);
    let said = refused(nation, &["issuer", "add", "430000", "--root", text(&root)]);
    assert!(said.contains("root of 420000") && said.contains("telephone"), "{said}");

    let hunan = home.path().join("hunan");
    done(&hunan, &["init", "430000", "--at", MORNING]);
    let (root, read_out) = (hunan.join("roots/1.root.json"), done(&hunan, &["root", "fingerprint"]));
    let add = |fingerprint: &str| {
        ["issuer", "add", "430000", "--root", text(&root), "--fingerprint", fingerprint].map(str::to_owned)
    };
    let wrong = add(fingerprint.trim());
    let said = refused(nation, &wrong.each_ref().map(String::as_str));
    assert!(said.contains("this is not the file"), "{said}");
    let right = add(read_out.trim());
    assert!(done(nation, &right.each_ref().map(String::as_str)).contains(read_out.trim()));
}

#[test]
fn a_region_that_does_not_exist_is_in_no_list() {
    let Authorities { nation, hubei, home, .. } = &authorities();
    let root = hubei.join("roots/1.root.json");
    for arguments in [
        &["issuer", "add", "999999", "--root", text(&root)][..],
        &["issuer", "add", "420900", "--root", text(&root), "--zh", "孝感市", "--en", "Xiaogan", "--scope", "420099"],
        &["arrange", "420000", "999999", "--route", "direct"],
        &["arrange", "999999", "420000", "--route", "direct"],
        &["suspend", "420000", "999999", "--notice", "1", "--approved-by", "x"],
        &["risk-area", "999999", "--level", "high"],
        &["risk-area", "429901", "--level", "high"],
    ] {
        let said = refused(nation, arguments);
        assert!(said.contains("999999") || said.contains("there is no region"), "{arguments:?}: {said}");
    }
    let nowhere = home.path().join("nowhere");
    assert!(refused(&nowhere, &["init", "999999"]).contains("there is no region 999999"));
    assert!(!nowhere.exists());
    done(nation, &["risk-area", "429004", "--level", "high"]);
}

#[test]
fn revoking_a_large_part_of_all_codes_asks() {
    let Authorities { hubei, home, mirror, .. } = &authorities();
    done(hubei, &["status-list", "grow", "20000", "--at", MORNING]);
    done(hubei, &["publish", "--at", MORNING, "--out", text(mirror)]);
    let numbers = home.path().join("numbers");
    let all: String = (0..20_000).map(|number| format!("{number}\n")).collect();
    fs::write(&numbers, all).expect("written");
    let set = ["status-list", "set", "revoked", "--at", NOON, "--file", text(&numbers)];
    let said = refused(hubei, &set);
    assert!(said.contains("20000 of all 20000 codes would become revoked") && said.contains("--yes"), "{said}");
    assert!(done(hubei, &["status-list", "show", "7"]).starts_with("valid"));
    done(hubei, &[&set[..], &["--yes"]].concat());
    let said = refused(hubei, &["publish", "--at", NOON]);
    assert!(said.contains("20000 of 20000 codes stand otherwise") && said.contains("--yes"), "{said}");
    done(hubei, &["publish", "--at", NOON, "--yes"]);
    // A day's revocations are no question.
    done(hubei, &["status-list", "set", "valid", "7", "8", "9", "--at", EVENING]);
    done(hubei, &["publish", "--at", EVENING]);
}

#[test]
fn publishing_shows_what_changes_and_asks_where_it_is_much() {
    let Authorities { nation, hubei, .. } = &authorities();
    done(nation, &["publish", "--at", MORNING]);
    done(nation, &["arrange", "420000", "330000", "--route", "direct"]);
    done(nation, &["risk-area", "420102", "--level", "high", "--from", "2021-01-20T00:00:00Z"]);
    let shown = done(nation, &["publish", "--at", NOON, "--dry-run"]);
    assert!(
        shown.contains("+ 420000 counts in 330000, direct") && shown.contains("+ risk area 420102 high"),
        "{shown}"
    );
    let machine = json(&done(nation, &["publish", "--at", NOON, "--dry-run", "--json"]));
    assert_eq!(machine[0]["changes"]["lines"].as_array().expect("lines").len(), 2);
    assert_eq!(machine[0]["changes"]["much"], serde_json::json!([]));
    let published = json(&done(nation, &["publish", "--at", NOON, "--json"]));
    assert_eq!(published[0]["generation"], 2, "a dry run signs nothing");
    assert_eq!(published[0]["expires"]["timestamp"], "2021-02-08T04:00:00Z");

    done(nation, &["issuer", "retire", "420000"]);
    let said = refused(nation, &["publish", "--at", EVENING]);
    assert!(said.contains("issuer 420000 goes") && said.contains("--yes"), "{said}");
    done(nation, &["publish", "--at", EVENING, "--yes"]);

    done(hubei, &["publish", "--at", MORNING]);
    let kid = json(&done(hubei, &["show", "--json"]))["keys"][0]["kid"].as_str().expect("a kid").to_owned();
    done(hubei, &["issuer", "rotate-key", "--now", "--at", NOON]);
    done(hubei, &["issuer", "retire-key", &kid, "--revoke", "--at", NOON]);
    assert!(refused(hubei, &["publish", "--at", NOON]).contains("everything that it signed is worth nothing"));
    done(hubei, &["publish", "--at", NOON, "--yes"]);
}

#[test]
fn a_key_is_announced_before_it_signs_and_a_gate_with_a_fresh_list_refuses_nobody() {
    let Authorities { nation, hubei, mirror, .. } = &authorities();
    done(hubei, &["status-list", "grow", "1000", "--at", MORNING]);
    done(nation, &["publish", "--at", MORNING, "--out", text(mirror)]);
    done(hubei, &["publish", "--at", MORNING, "--out", text(mirror)]);
    let pinned = fs::read(nation.join("roots/1.root.json")).expect("the national root");
    let gate = |now: &str| {
        let now = at(now);
        let national = verified(mirror, "000000", &pinned, now);
        let province = verified(mirror, "420000", &national.targets["roots/420000.json"].clone(), now);
        let (trust, faults) = Trust::assemble(national, vec![province]).expect("readable lists");
        assert_eq!(faults, []);
        trust
    };
    let old_list = gate(MORNING);
    for used_for in ["code", "status"] {
        let said = done(hubei, &["issuer", "rotate-key", "--use", used_for, "--at", MORNING]);
        assert!(said.contains("is announced; until 2021-02-03T00:00:00Z"), "{said}");
    }
    // Published four hours later than it was made: the moment moves, so that every gate has the announcement two days before.
    let said = done(hubei, &["publish", "--at", NOON, "--out", text(mirror)]);
    assert!(said.contains("signs from 2021-02-03T04:00:00Z"), "{said}");
    let shown = done(hubei, &["show", "--at", NOON]);
    assert!(shown.contains("announced, signs from 2021-02-03T04:00:00Z"), "{shown}");
    let issue = |when: &str| done(hubei, &["issue", "--at", when, "--status", "7", "--valid-for", "604800"]);
    let (code, later) = (issue(EVENING), at(EVENING).plus(60));
    // A gate that has not synced since, and still counts its list as fresh.
    assert_eq!(reason(&old_list, &code, "420000", later), Reason::Ok);
    assert_eq!(reason(&gate(EVENING), &code, "420000", later), Reason::Ok);

    let takeover = "2021-02-03T04:00:01Z";
    done(nation, &["publish", "--at", takeover, "--out", text(mirror)]);
    done(hubei, &["publish", "--at", takeover, "--out", text(mirror)]);
    let (new_code, now) = (issue(takeover), at(takeover).plus(60));
    let new_list = gate(takeover);
    assert_eq!(reason(&new_list, &new_code, "420000", now), Reason::Ok);
    assert_eq!(reason(&new_list, &code, "420000", now), Reason::Ok, "what was signed before stays good");
    let kid = |code: &str| trustlist::code::Envelope::parse(code.trim()).expect("a code").key_id();
    assert_ne!(kid(&code), kid(&new_code));
    assert!(done(hubei, &["show", "--at", takeover]).contains("retired since 2021-02-03T04:00:00Z"));
}

#[test]
fn a_stolen_key_is_replaced_at_once() {
    let Authorities { hubei, .. } = &authorities();
    done(hubei, &["publish", "--at", MORNING]);
    let said = done(hubei, &["issuer", "rotate-key", "--now", "--at", NOON]);
    assert!(said.contains("signs from now on"), "{said}");
    let kid = said.split(' ').nth(2).expect("its id").to_owned();
    let code = done(hubei, &["issue", "--at", NOON, "--json"]);
    assert_eq!(json(&code)["kid"], kid);
}

#[test]
fn two_configuration_codes_of_one_second_have_two_numbers() {
    let Authorities { nation, .. } = &authorities();
    let made = |more: &[&str]| {
        let arguments = ["config-code", "--to", "*", "--lane", "east-1", "--at", MORNING, "--json"];
        json(&done(nation, &[&arguments[..], more].concat()))["number"].as_u64().expect("a number")
    };
    let (first, second) = (made(&[]), made(&[]));
    assert_eq!((first, second), (1_612_137_600, 1_612_137_601));
    assert_eq!(made(&["--number", "1612137700"]), 1_612_137_700);
    assert_eq!(made(&[]), 1_612_137_701);
    let again = ["config-code", "--to", "*", "--lane", "east-1", "--at", MORNING, "--number", "1612137700"];
    assert!(refused(nation, &again).contains("number 1612137701 already"));
}

#[test]
fn a_suspension_does_not_end_before_it_begins() {
    let Authorities { nation, .. } = &authorities();
    let suspend = |more: &[&str]| {
        let arguments = ["suspend", "420000", "110000", "--notice", "1", "--approved-by", "x", "--at", NOON];
        [&arguments[..], more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let run = |arguments: Vec<String>| arguments.iter().map(String::as_str).map(str::to_owned).collect::<Vec<_>>();
    let refuse = |arguments: Vec<String>| {
        let arguments = run(arguments);
        refused(nation, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert!(refuse(suspend(&["--from", EVENING, "--until", NOON])).contains("over at"));
    assert!(refuse(suspend(&["--from", NEXT_DAY, "--until", EVENING])).contains("the end is not after the beginning"));
    assert!(refuse(suspend(&["--until", MORNING])).contains("would be over at"));
    // Called off before it begins: it goes, and leaves no span that ends before its beginning.
    let planned = suspend(&["--from", NEXT_DAY]);
    done(nation, &planned.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(done(nation, &["resume", "1", "--at", EVENING]).contains("had not begun"));
    assert!(!fs::read_to_string(nation.join("lists/recognition.json")).expect("it").contains("\"notice\""));
    done(nation, &["risk-area", "420102", "--level", "high", "--from", NEXT_DAY]);
    done(nation, &["risk-area", "420102", "--clear", "--at", EVENING]);
    done(nation, &["publish", "--at", EVENING]);
}

#[test]
fn a_root_that_ends_soon_is_mentioned() {
    let home = tempfile::tempdir().expect("a folder");
    let hubei = home.path().join("hubei");
    done(&hubei, &["init", "420000", "--root-days", "30", "--at", MORNING]);
    let publish = |when: &str| {
        let output = support::authority(&hubei, &["publish", "--at", when]);
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    assert!(publish(MORNING).contains("in 30 days") && publish(NOON).contains("authority root rotate"));
    let show = String::from_utf8(support::authority(&hubei, &["show", "--at", NOON]).stderr).expect("UTF-8");
    assert!(show.contains("in 29 days"), "{show}");
    let show = String::from_utf8(support::authority(&hubei, &["show", "--at", "2022-01-01T00:00:00Z"]).stderr);
    assert!(show.expect("UTF-8").contains("the root expired at"));
}

fn root_keys(dir: &Path) -> Vec<String> {
    let shown = json(&done(dir, &["show", "--json"]));
    let ids = shown["root"]["roles"]["root"]["keyids"].as_array().expect("ids").clone();
    ids.iter().map(|id| id.as_str().expect("a text").to_owned()).collect()
}

#[test]
fn a_quorum_of_national_root_keys_replaces_one_that_was_lost_or_stolen_and_gates_follow() {
    let home = tempfile::tempdir().expect("a folder");
    let (nation, mirror) = (home.path().join("nation"), home.path().join("mirror"));
    done(&nation, &["init", "000000", "--root-keys", "3", "--root-threshold", "2", "--at", MORNING]);
    done(&nation, &["publish", "--at", MORNING, "--out", text(&mirror)]);
    let mut gate = Gate::new(&nation.join("roots/1.root.json"));
    assert_eq!(gate.sync(&mirror, "000000", MORNING), Ok(1));
    // One key file is gone; the other two suffice.
    let gone = root_keys(&nation).remove(0);
    fs::remove_file(nation.join(format!("keys/root-{}.pem", &gone[..16]))).expect("lost");
    done(&nation, &["root", "rotate", "--add", "1", "--remove", &gone, "--at", NOON]);
    assert!(!root_keys(&nation).contains(&gone) && root_keys(&nation).len() == 3);
    done(&nation, &["publish", "--at", NOON, "--out", text(&mirror)]);
    assert_eq!(gate.sync(&mirror, "000000", NOON), Ok(2), "nobody pins anything anew");
    assert_eq!(gate.0.root().signed.version, 2);
}

#[test]
fn a_nation_that_lost_its_root_is_founded_anew_above_every_generation_that_gates_hold() {
    let Authorities { home, nation, hubei, mirror } = &authorities();
    for when in [MORNING, NOON, EVENING] {
        done(nation, &["publish", "--at", when, "--out", text(mirror)]);
    }
    let mut gate = Gate::new(&nation.join("roots/1.root.json"));
    assert_eq!(gate.sync(mirror, "000000", EVENING), Ok(3));
    let (anew, place) = (home.path().join("anew"), home.path().join("new-mirror"));
    done(&anew, &["init", "000000", "--root-keys", "3", "--root-threshold", "2", "--at", EVENING]);
    let root = hubei.join("roots/1.root.json");
    done(&anew, &["issuer", "add", "420000", "--root", text(&root)]);
    let onto = ["publish", "--at", EVENING, "--out", text(mirror)];
    assert!(refused(&anew, &onto).contains("If 000000 was founded anew"));
    let said = done(&anew, &["publish", "--at", EVENING, "--after", "3", "--out", text(&place)]);
    assert!(said.contains("000000: generation 4"), "{said}");
    assert!(gate.sync(&place, "000000", EVENING).is_err(), "the old root does not lead there");
    // What a gate does that is told the new first root: its floor stays, and generation 4 is above it.
    let mut told = Gate::new(&anew.join("roots/1.root.json"));
    assert_eq!(told.sync(&place, "000000", EVENING), Ok(4));
    let snapshot = told.0.snapshot().expect("a snapshot").signed.version;
    assert!(snapshot > 3 && told.0.targets("targets").expect("targets").signed.version > 3);
    let now: UnixTime = at(EVENING);
    let pinned = fs::read(anew.join("roots/1.root.json")).expect("a root");
    assert!(verified(&place, "000000", &pinned, now).targets.contains_key("roots/420000.json"));
}
