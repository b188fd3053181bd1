//! Starting other programs, and seeing whether they are there.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

/// Installs those Debian packages whose witness is missing.
pub fn install(packages: &[(&str, &str)]) -> bool {
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
pub fn there(witness: &str) -> bool {
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

/// What a program prints; nothing where it cannot be started.
pub fn output(program: &str, arguments: &[&str]) -> String {
    let answer = Command::new(program).args(arguments).output();
    answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default()
}

/// Prints the command line, runs it, and tells whether it succeeded.
pub fn run(program: &str, arguments: &[&str]) -> bool {
    announce(&format!("{program} {}", arguments.join(" ")));
    succeeds(Command::new(program).args(arguments))
}

/// Prints a heading for what comes next.
pub fn announce(step: &str) {
    println!("\n── {step}");
}

/// Runs a command and tells whether it succeeded; a failure is printed.
pub fn succeeds(command: &mut Command) -> bool {
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
