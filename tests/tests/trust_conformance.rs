//! The TUF client held against a hundred cases of the specification's workflow, on repositories that python-tuf makes and signs.
//!
//! Among them the attacks that need a publisher to misbehave: rollback of every role, freeze, mixed generations, keys below the threshold.
//!
//! python-tuf comes from PyPI into a virtual environment below the build folder; where it cannot be had the test says so and passes.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

fn interpreter() -> Option<PathBuf> {
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-tuf");
    let python = environment.join("bin/python");
    let works = |command: &mut Command| match command.output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            eprintln!("{}", String::from_utf8_lossy(&output.stderr));
            false
        }
        Err(_) => false,
    };
    let has_library = || works(Command::new(&python).args(["-c", "import tuf.api.metadata"]));
    if !has_library() {
        let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/requirements-tuf.txt");
        works(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        works(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements));
    }
    has_library().then_some(python)
}

#[test]
fn the_client_behaves_as_the_specification_says_on_repositories_of_the_reference() {
    let Some(python) = interpreter() else {
        eprintln!("skipped: python-tuf cannot be installed here");
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tuf/conformance.py");
    let output = Command::new(python).arg(script).arg(env!("CARGO_BIN_EXE_tuf-client")).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let not_ok: Vec<&str> = said.lines().filter(|line| !line.starts_with("ok ")).collect();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{complaint}", not_ok.join("\n"));
    eprintln!("{}", not_ok.join("\n"));
}
