//! The commands of the README, `cargo xtask demo` and `cargo xtask check`, and those that make packages.
//!
//! Both first see to what a bare Debian with Rust lacks (libclang for the camera bindings, a browser and a broker for the
//! tests), so that a newcomer types one line. Nothing is installed when it is there already.

mod package;

use std::{
    env, fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

/// Debian packages that the build needs, and a command or file that shows each is there.
const BUILD: &[(&str, &str)] =
    &[("gcc", "cc"), ("libc6-dev", "/usr/include/stdlib.h"), ("libclang-dev", "libclang.so")];

/// Debian packages that only the tests need.
const TEST: &[(&str, &str)] = &[
    ("python3", "python3"),
    ("python3-venv", "/usr/share/doc/python3-venv"),
    ("faketime", "faketime"),
    // Stands in for a security module that holds an authority's keys.
    ("softhsm2", "softhsm2-util"),
    ("mosquitto", "mosquitto"),
    ("nginx-light", "/usr/sbin/nginx"),
    ("mosquitto-clients", "mosquitto_sub"),
    // The operations centre of docs/fleet.md.
    ("postgresql", "/usr/lib/postgresql"),
    ("python3-paho-mqtt", "/usr/share/doc/python3-paho-mqtt"),
    ("python3-psycopg2", "/usr/share/doc/python3-psycopg2"),
    ("sqlite3", "sqlite3"),
    ("chromium", "chromium"),
    ("chromium-driver", "chromedriver"),
    ("fonts-noto-cjk", "/usr/share/fonts/opentype/noto"),
    ("prometheus", "promtool"),
    ("prometheus-alertmanager", "amtool"),
    ("curl", "curl"),
    ("zstd", "zstd"),
    // A mirror behind a proxy, and a link that comes up.
    ("tinyproxy-bin", "tinyproxy"),
    ("iproute2", "ip"),
    ("systemd", "systemd-analyze"),
];

const HELP: &str = "\
cargo xtask demo [ARGUMENTS…]   install what the build needs, build, and watch travellers at a gate
cargo xtask check [--fast]      install what the tests need; format, lints, documents, dependencies, all tests
                                (--fast: the tests alone)
cargo xtask units               the systemd units, in the eyes of systemd itself (part of check)
cargo xtask deb                 the Debian packages, in target/debian
cargo xtask board NAME          the daemon for a board: aarch64 or armv7
cargo xtask setup               only install what both need";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if let Err(error) = env::set_current_dir(&root) {
        eprintln!("xtask: cannot enter the project at {}: {error}", root.display());
        return ExitCode::FAILURE;
    }
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["demo", rest @ ..] => demo(rest),
        ["check"] => check(false),
        ["check", "--fast"] => check(true),
        ["units"] => install(TEST) && units(),
        ["deb"] => package::deb(),
        ["board", name] => package::board(name),
        ["setup"] => install(BUILD) && install(TEST),
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn demo(arguments: &[&str]) -> bool {
    install(BUILD)
        && run("cargo", &["build", "--release", "--package", "scanner", "--bin", "checkpointd"])
        && run("target/release/checkpointd", &[&["demo"], arguments].concat())
}

fn check(fast: bool) -> bool {
    if !(install(BUILD) && install(TEST)) {
        return false;
    }
    if fast {
        return tests();
    }
    run("cargo", &["fmt", "--all", "--check"])
        && run("cargo", &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])
        && documents()
        && dependencies()
        && units()
        // A laptop without camera libraries, and a gate without the demonstration's signing code.
        && run("cargo", &["check", "--package", "scanner", "--no-default-features"])
        // Last, so that the test runner's own summary closes the run.
        && tests()
}

/// Where everything is installed, a test that would be skipped for want of a program fails.
fn tests() -> bool {
    say("cargo test --workspace");
    let mut tests = Command::new("cargo");
    tests.args(["test", "--workspace"]);
    if TEST.iter().all(|(_, witness)| there(witness)) {
        tests.env("CHECKPOINT_TESTS", "all");
    }
    succeeds(&mut tests)
}

fn documents() -> bool {
    say("cargo doc --no-deps, warnings denied");
    let mut doc = Command::new("cargo");
    doc.args(["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "--deny warnings");
    succeeds(&mut doc)
}

/// The units in the eyes of systemd itself: that it understands them, and how far those of the daemon are confined (0 is most, 10 least).
fn units() -> bool {
    let folder = env::temp_dir().join(format!("checkpointd-units-{}", std::process::id()));
    let mut units = Vec::new();
    let written = fs::create_dir_all(&folder).and_then(|()| {
        for entry in Path::new("systemd").read_dir()? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !(name.ends_with(".service") || name.ends_with(".path") || name.ends_with(".timer")) {
                continue;
            }
            // Programs that are not installed here would be reported; whether they are is the package's concern.
            let installed = |line: &str| match line.split_once("=/") {
                Some((key, _)) if key.starts_with("Exec") => format!("{key}=/bin/true\n"),
                _ => format!("{line}\n"),
            };
            // A line that ends in a backslash goes on in the next one (systemd.syntax(7)).
            let text: String = fs::read_to_string(&path)?.replace("\\\n", " ").lines().map(installed).collect();
            fs::write(folder.join(&name), text)?;
            units.push(folder.join(name).display().to_string());
        }
        Ok(())
    });
    if let Err(error) = written {
        eprintln!("xtask: the units cannot be copied to {}: {error}", folder.display());
        return false;
    }
    let all: Vec<&str> = units.iter().map(String::as_str).collect();
    let daemon = |unit: &&&str| unit.ends_with("/checkpointd.service") || unit.ends_with("/checkpointd-sync.service");
    let sound = run("systemd-analyze", &[&["verify", "--man=no"], all.as_slice()].concat())
        && all.iter().filter(daemon).all(|unit| confined(unit));
    // Only copies: what is left of them is nobody's loss.
    let _ = fs::remove_dir_all(&folder);
    sound
}

/// Whether systemd's own score of a unit is at most 2.0.
fn confined(unit: &str) -> bool {
    let asked = Command::new("systemd-analyze")
        .args(["security", "--no-pager", "--offline=true", "--threshold=20", unit])
        .output();
    let Ok(answer) = asked else { return false };
    let text = String::from_utf8_lossy(&answer.stdout);
    println!("{}", text.lines().last().unwrap_or_default());
    answer.status.success()
}

/// Licences, sources and duplicate versions. The advisory database lives on the network, so it is not asked here.
fn dependencies() -> bool {
    if !there("cargo-deny") {
        println!(
            "xtask: cargo-deny is not installed; dependencies are not audited (cargo install --locked cargo-deny)"
        );
        return true;
    }
    // It looks at every platform's dependencies; a build has only fetched its own.
    run("cargo", &["fetch", "--locked"])
        && run("cargo", &["deny", "--offline", "--workspace", "check", "licenses", "bans", "sources"])
}

/// Installs those Debian packages whose witness is missing.
fn install(packages: &[(&str, &str)]) -> bool {
    let missing: Vec<&str> =
        packages.iter().filter(|(_, witness)| !there(witness)).map(|(package, _)| *package).collect();
    if missing.is_empty() {
        return true;
    }
    if !there("apt-get") {
        println!("xtask: this is no Debian; please install what corresponds to: {}", missing.join(" "));
        return true;
    }
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0"));
    let (program, prefix): (&str, &[&str]) = if root { ("apt-get", &[]) } else { ("sudo", &["apt-get"]) };
    println!("xtask: installing {}", missing.join(" "));
    run(program, &[prefix, &["update", "--quiet=2"]].concat())
        && run(program, &[prefix, &["install", "--yes", "--quiet=2", "--no-install-recommends"], &missing].concat())
}

/// Whether a program is on the path, a file exists, or a shared library is to be found.
fn there(witness: &str) -> bool {
    if witness.starts_with('/') {
        return Path::new(witness).exists();
    }
    if witness.starts_with("lib") {
        return env::var_os("LIBCLANG_PATH").is_some() || library(witness);
    }
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(witness).exists()))
}

/// libclang lies in the folder of its version: `/usr/lib/llvm-14/lib/libclang.so`.
fn library(name: &str) -> bool {
    let Ok(folders) = Path::new("/usr/lib").read_dir() else { return false };
    folders
        .filter_map(Result::ok)
        .filter(|folder| folder.file_name().to_string_lossy().starts_with("llvm"))
        .any(|folder| folder.path().join("lib").join(name).exists())
}

/// What a program says; nothing where it cannot be started.
fn output(program: &str, arguments: &[&str]) -> String {
    let answer = Command::new(program).args(arguments).output();
    answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default()
}

fn run(program: &str, arguments: &[&str]) -> bool {
    say(&format!("{program} {}", arguments.join(" ")));
    succeeds(Command::new(program).args(arguments))
}

fn say(step: &str) {
    println!("\n── {step}");
}

fn succeeds(command: &mut Command) -> bool {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.stdin(Stdio::inherit()).env("DEBIAN_FRONTEND", "noninteractive").status() {
        Ok(status) if status.success() => true,
        Ok(status) => {
            eprintln!("xtask: {program} ended with {status}");
            false
        }
        Err(error) => {
            eprintln!("xtask: cannot start {program}: {error}");
            false
        }
    }
}
