//! `cargo xtask check`: everything that CI checks. What cannot be checked on this machine is said aloud before the tests begin.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    BUILD, TEST, manifest,
    shell::{announce, install, run, succeeds, there},
    units,
};

/// Names a clone of the RustSec advisory database, for machines that cannot fetch it.
const ADVISORIES: &str = "CHECKPOINT_ADVISORIES";
/// Where `cargo deny` fetches it from.
const DATABASE: &str = "https://github.com/RustSec/advisory-db";
/// The checker of the REUSE specification, from PyPI.
const REUSE: &str = "reuse==6.2.0";

/// What was left out, and why.
type LeftOut = Vec<String>;

/// Runs every check, the tests last.
pub fn everything() -> bool {
    let mut left_out = LeftOut::new();
    install(BUILD)
        && install(TEST)
        && run("cargo", &["fmt", "--all", "--check"])
        && run("cargo", &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])
        && feature_combinations()
        && documentation()
        && dependencies(&mut left_out)
        && advisories(&mut left_out)
        && licences(&mut left_out)
        && units::check()
        && {
            for what in &left_out {
                println!("\nxtask: NOT CHECKED: {what}");
            }
            // Last, so that the test runner's own summary closes the run.
            tests()
        }
}

/// Runs the tests. Where everything is installed, a test that would be skipped for want of a program fails.
pub fn tests() -> bool {
    if !(install(BUILD) && install(TEST)) {
        return false;
    }
    announce("cargo test --workspace --no-fail-fast");
    let mut tests = Command::new("cargo");
    // One failing package hides none of the others.
    tests.args(["test", "--workspace", "--no-fail-fast"]);
    if TEST.iter().all(|(_, witness)| there(witness)) {
        tests.env("CHECKPOINT_TESTS", "all");
    }
    succeeds(&mut tests)
}

/// Lints each package with none of its features, with each alone and with all: a gate without the demonstration's signing code, a laptop without camera libraries,
/// and everything at once. Linting compiles no machine code, and what the packages depend on is compiled already.
fn feature_combinations() -> bool {
    let packages = match manifest::packages(Path::new(".")) {
        Ok(packages) => packages,
        Err(error) => {
            eprintln!("xtask: the manifests cannot be read: {error}");
            return false;
        }
    };
    packages.iter().filter(|package| !package.features.is_empty()).all(|package| {
        manifest::combinations(&package.features).iter().all(|features| {
            announce(&format!("{} with {}", package.name, if features.is_empty() { "no features" } else { features }));
            let mut clippy = Command::new("cargo");
            clippy.args(["clippy", "--quiet", "--package", &package.name, "--no-default-features"]);
            succeeds(clippy.args(["--features", features, "--", "--deny", "warnings"]))
        })
    })
}

fn documentation() -> bool {
    announce("cargo doc --no-deps, warnings denied");
    let mut doc = Command::new("cargo");
    doc.args(["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "--deny warnings");
    succeeds(&mut doc)
}

/// Licences, sources and duplicate versions of what the workspace depends on.
fn dependencies(left_out: &mut LeftOut) -> bool {
    if !there("cargo-deny") {
        left_out.push("dependencies: cargo-deny is not installed (cargo install --locked cargo-deny)".to_owned());
        return true;
    }
    // It looks at every platform's dependencies; a build has only fetched its own.
    run("cargo", &["fetch", "--locked"])
        && run("cargo", &["deny", "--offline", "--workspace", "check", "licenses", "bans", "sources"])
}

/// Asks the RustSec database for advisories against what the workspace depends on. Where `CHECKPOINT_ADVISORIES` names a clone of it, that is
/// fetched in place of the one on the network.
fn advisories(left_out: &mut LeftOut) -> bool {
    if !there("cargo-deny") {
        left_out.push("advisories: cargo-deny is not installed (cargo install --locked cargo-deny)".to_owned());
        return true;
    }
    let clone = env::var_os(ADVISORIES).map(PathBuf::from);
    if let Some(clone) = &clone
        && !(clone.join("crates").is_dir() && clone.join(".git").exists())
    {
        eprintln!("xtask: {ADVISORIES} names {}, which is no clone of the advisory database", clone.display());
        return false;
    }
    let deny = |arguments: &[&str]| {
        announce(&format!("cargo deny {}", arguments.join(" ")));
        let mut deny = Command::new("cargo");
        deny.arg("deny").args(arguments);
        if let Some(clone) = clone.as_ref().and_then(|clone| clone.canonicalize().ok()) {
            // git-config(1), "url.<base>.insteadOf": the address stays what `cargo deny` knows.
            deny.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_VALUE_0", DATABASE);
            deny.env("GIT_CONFIG_KEY_0", format!("url.file://{}.insteadOf", clone.display()));
        }
        succeeds(&mut deny)
    };
    if !deny(&["fetch", "db"]) {
        left_out.push(format!(
            "advisories: their database cannot be fetched; let {ADVISORIES} name a clone of it to have it asked"
        ));
        return true;
    }
    deny(&["--workspace", "check", "--disable-fetch", "advisories"])
}

/// Whether every file says whose it is and under which licence (the REUSE specification, version 3.3).
fn licences(left_out: &mut LeftOut) -> bool {
    let own = "target/reuse/bin/reuse";
    let program = if there("reuse") { "reuse" } else { own };
    if program == own && !Path::new(own).exists() {
        announce(&format!("pip install {REUSE}, into target/reuse"));
        let made = succeeds(Command::new("python3").args(["-m", "venv", "target/reuse"]))
            && succeeds(Command::new("target/reuse/bin/pip").args(["install", "--quiet", REUSE]));
        if !made {
            left_out.push(format!("licences of files: {REUSE} cannot be installed from PyPI"));
            return true;
        }
    }
    run(program, &["lint", "--quiet"])
}
