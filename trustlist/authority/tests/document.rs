//! `docs/authority.md` holds what it says: every command in it is run, in its order, and says what stands there.
//!
//! Time stands still while they run, by faketime from Debian; where that is not installed the tests say so and pass.

use std::{fs, path::Path, process::Command};

const DOCUMENT: &str = include_str!("../../../docs/authority.md");

/// One command of the document and what it says there.
struct Example {
    command: String,
    output: Vec<String>,
}

/// The commands: indented lines that begin with `$ `, with the lines that continue them.
fn examples() -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut lines = DOCUMENT.lines();
    let mut inside = false;
    while let Some(line) = lines.next() {
        let Some(text) = line.strip_prefix("    ") else {
            inside = false;
            continue;
        };
        if let Some(command) = text.strip_prefix("$ ") {
            let mut command = command.to_owned();
            // Until the shell has a whole command: a backslash at the end, or a quotation that is open.
            while command.ends_with('\\')
                || command.matches('\'').count() % 2 == 1 && !command.contains('"')
                || command.matches('"').count() % 2 == 1
            {
                let next = lines.next().expect("the command goes on");
                command = format!("{command}\n{}", next.strip_prefix("    ").unwrap_or(next));
            }
            examples.push(Example { command, output: Vec::new() });
            inside = true;
        } else if inside && let Some(example) = examples.last_mut() {
            example.output.push(text.to_owned());
        }
    }
    examples
}

/// Without what is another each time: keys, digests, sizes of files with signatures.
fn plain(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let bare: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
        let hex = bare.len() >= 8 && bare.chars().all(|digit| digit.is_ascii_digit() || ('a'..='f').contains(&digit));
        if hex && !word.contains('-') { "#".to_owned() } else { word.to_owned() }
    });
    let line = words.collect::<Vec<_>>().join(" ");
    match line.split_once(" repositories, ") {
        Some((before, _)) => format!("{before} repositories"),
        None => line,
    }
}

/// Whether what the document shows is what was said: `…` as a line for any lines, at the end of a line for any rest.
fn shows(shown: &[String], said: &[String]) -> bool {
    match (shown.split_first(), said.split_first()) {
        (None, said) => said.is_none(),
        (Some((first, rest)), said_first) if first.trim() == "…" => {
            shows(rest, said) || said_first.is_some_and(|(_, after)| shows(shown, after))
        }
        (Some((first, rest)), Some((line, after))) => {
            let same = match first.strip_suffix('…') {
                Some(beginning) => plain(line).starts_with(plain(beginning.trim_end()).trim_end()),
                None => plain(line) == plain(first),
            };
            same && shows(rest, after)
        }
        _ => false,
    }
}

#[test]
fn every_command_of_the_document_runs_and_says_what_stands_there() {
    let faketime = Path::new("/usr/bin/faketime");
    if !faketime.exists() {
        eprintln!("skipped: faketime is not installed");
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::copy(here.join("tests/dsc-de.pem"), home.path().join("dsc.pem")).expect("a certificate");
    fs::create_dir(home.path().join("certificates")).expect("made");
    fs::copy(here.join("tests/dsc-de.pem"), home.path().join("certificates/dsc.pem")).expect("a certificate");
    let program = Path::new(env!("CARGO_BIN_EXE_authority")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let examples = examples();
    assert!(examples.len() > 40, "the document was read: {} commands", examples.len());
    for Example { command, output } in &examples {
        let ran = Command::new(faketime)
            .args(["-f", "2026-11-28 08:00:00", "bash", "-c", command])
            .current_dir(home.path())
            .env("PATH", &path)
            .env("TZ", "UTC")
            .output()
            .expect("it starts");
        let fails = output.first().is_some_and(|line| line.starts_with("authority: "));
        let text = [ran.stdout, ran.stderr].concat();
        let said: Vec<String> = String::from_utf8(text).expect("UTF-8").lines().map(str::to_owned).collect();
        assert_eq!(ran.status.success(), !fails, "{command}\n{}", said.join("\n"));
        let shown: Vec<String> = output.iter().filter(|line| !line.is_empty()).cloned().collect();
        assert!(shows(&shown, &said), "{command}\nsays\n{}\nand the document\n{}", said.join("\n"), shown.join("\n"));
    }
}

#[test]
fn the_units_of_the_document_are_units_in_the_eyes_of_systemd() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("skipped: systemd is not installed");
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let mut units = Vec::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("```ini ") {
            let unit: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let unit = unit.join("\n").replace("/usr/bin/authority", env!("CARGO_BIN_EXE_authority"));
            let path = home.path().join(name);
            fs::write(&path, unit.replace("User=lists\n", "")).expect("written");
            units.push(path);
        }
    }
    assert_eq!(units.len(), 2);
    let verified = Command::new("systemd-analyze").arg("verify").args(&units).output().expect("it starts");
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !said.contains("mirror-index"), "{said}");
}
