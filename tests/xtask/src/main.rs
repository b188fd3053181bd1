//! The commands of the README, `cargo xtask demo` and `cargo xtask check`, the developer's `cargo xtask quick`, and those that make packages.
//!
//! The first two see to what a bare Debian with Rust lacks (libclang for the camera bindings, a browser and a broker for the
//! tests), so that a newcomer types one line. Nothing is installed when it is there already.

mod centre;
mod check;
mod documents;
mod image;
mod manifest;
mod package;
mod quick;
mod repository;
mod shell;
mod simulate;
mod units;

use std::{env, path::Path, process::ExitCode};

use shell::{install, run};

/// Debian packages that every build needs, and a command or file that shows each is there.
const COMPILER: &[(&str, &str)] = &[("gcc", "cc"), ("libc6-dev", "/usr/include/stdlib.h")];
/// Those that a build with cameras needs: their bindings are made from the kernel's headers.
const BUILD: &[(&str, &str)] = &[COMPILER[0], COMPILER[1], ("libclang-dev", "libclang.so")];

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
    ("nats-server", "nats-server"),
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
cargo xtask centre [ARGUMENTS…] PostgreSQL, an operations centre and five gates, with its board to look at
cargo xtask quick               the inner loop: format, lints and tests of what changed since main, and of the pure crates
cargo xtask check [--fast]      install what the tests need; format, lints, each set of features, documents, dependencies,
                                advisories, licences, units, all tests (--fast: the tests alone)
cargo xtask simulate [ARGUMENTS…] a gate in a simulated world, from seeds: --seed N, --hours H, --lanes L, --seconds S, --mutations
cargo xtask units               the systemd units, in the eyes of systemd itself (part of check)
cargo xtask package [--gate] [ARCHITECTURE…]
                                the Debian packages, in target/debian: for amd64, arm64 and armhf where none is named (--gate: a gate's alone)
cargo xtask repository KEY      those packages as a repository for apt, signed by a key of gpg, in target/repository
cargo xtask image ARCHITECTURE  a card that becomes a gate (amd64, arm64), in target/image; see systemd/image/README.md
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
        ["centre", rest @ ..] => centre::centre(rest),
        ["quick"] => quick::quick(),
        ["check"] => check::everything(),
        ["check", "--fast"] => check::tests(),
        ["simulate", rest @ ..] => simulate::simulate(rest),
        ["units"] => install(TEST) && units::check(),
        ["image", rest @ ..] => image::image(rest),
        ["package", rest @ ..] => package::package(rest),
        ["repository", key] => repository::repository(key),
        ["setup"] => install(BUILD) && install(TEST),
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Builds the demonstration and nothing else (no camera, relay or broker takes part in it), in a profile of its own: a newcomer waits for it.
fn demo(arguments: &[&str]) -> bool {
    let only = ["--package", "scanner", "--bin", "checkpointd", "--no-default-features", "--features", "demo"];
    install(COMPILER)
        && run("cargo", &[&["build", "--profile", "demo"], only.as_slice()].concat())
        && run("target/demo/checkpointd", &[&["demo"], arguments].concat())
}
