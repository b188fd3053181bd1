//! What leaves the workspace: Debian packages for PCs and boards, by Debian's own tools from `systemd/debian`.
//!
//! Cargo builds the programs (a board's with Debian's cross compiler), this file lays them out beside pages, manual pages and units, and debhelper makes
//! packages of them: users, folders, services, dependencies and the order of what happens at an upgrade are as in any package of Debian's.
//! With the same sources, and `SOURCE_DATE_EPOCH` or the date of the last commit, the same packages come out.

use std::{
    env, fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    BUILD, documents,
    shell::{announce, install, output, run, succeeds, there},
};

const TOOLS: &[(&str, &str)] = &[("debhelper", "dh"), ("dpkg-dev", "dpkg-buildpackage"), ("lintian", "lintian")];

/// An architecture, in everybody's spelling.
#[derive(Debug)]
pub struct Architecture {
    /// Debian's name.
    pub name: &'static str,
    rust: &'static str,
    gnu: &'static str,
    /// What compiles for it on another machine.
    cross: &'static [(&'static str, &'static str)],
    /// Whether authorities and centres have such machines; gates have them all.
    servers: bool,
}

const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "amd64",
        rust: "x86_64-unknown-linux-gnu",
        gnu: "x86_64-linux-gnu",
        cross: &[
            ("gcc-x86-64-linux-gnu", "x86_64-linux-gnu-gcc"),
            ("libc6-dev-amd64-cross", "/usr/x86_64-linux-gnu/include/stdlib.h"),
        ],
        servers: true,
    },
    Architecture {
        name: "arm64",
        rust: "aarch64-unknown-linux-gnu",
        gnu: "aarch64-linux-gnu",
        cross: &[
            ("gcc-aarch64-linux-gnu", "aarch64-linux-gnu-gcc"),
            ("libc6-dev-arm64-cross", "/usr/aarch64-linux-gnu/include/stdlib.h"),
        ],
        servers: true,
    },
    Architecture {
        name: "armhf",
        rust: "armv7-unknown-linux-gnueabihf",
        gnu: "arm-linux-gnueabihf",
        cross: &[
            ("gcc-arm-linux-gnueabihf", "arm-linux-gnueabihf-gcc"),
            ("libc6-dev-armhf-cross", "/usr/arm-linux-gnueabihf/include/stdlib.h"),
        ],
        servers: false,
    },
];

/// A program, and what of the workspace is built for it. A gate's has no demonstration, whose code signs.
struct Program {
    name: &'static str,
    package: &'static str,
    arguments: &'static [&'static str],
    server: bool,
}

const PROGRAMS: &[Program] = &[
    Program {
        name: "checkpointd",
        package: "checkpointd",
        arguments: &["--package", "scanner", "--no-default-features", "--features", "camera,gpio,mqtt"],
        server: false,
    },
    Program {
        name: "authority",
        package: "checkpoint-authority",
        arguments: &["--package", "authority"],
        server: true,
    },
    Program {
        name: "checkpoint-centre",
        package: "checkpoint-centre",
        arguments: &["--package", "centre"],
        server: true,
    },
];

/// An architecture by Debian's name.
pub fn architecture(name: &str) -> Option<&'static Architecture> {
    let known = ARCHITECTURES.iter().find(|known| known.name == name);
    if known.is_none() {
        let names: Vec<&str> = ARCHITECTURES.iter().map(|known| known.name).collect();
        eprintln!("xtask: {name} is no architecture that packages are made for; those are {}", names.join(", "));
    }
    known
}

/// `cargo xtask package [--gate] [ARCHITECTURE…]`: all packages, or the gate's alone, for the named architectures or for all.
pub fn package(arguments: &[&str]) -> bool {
    let gate = arguments.contains(&"--gate");
    let named: Option<Vec<_>> =
        arguments.iter().filter(|argument| **argument != "--gate").map(|name| architecture(name)).collect();
    let Some(mut named) = named else { return false };
    if named.is_empty() {
        named.extend(ARCHITECTURES);
    }
    named.into_iter().all(|architecture| build(architecture, gate).is_some())
}

/// Builds an architecture's packages, and the gate's alone where `gate` says so. Returns where they are.
pub fn build(architecture: &Architecture, gate: bool) -> Option<Vec<PathBuf>> {
    let place = Path::new("target/package").join(architecture.name);
    let programs: Vec<&Program> =
        PROGRAMS.iter().filter(|program| !program.server || (architecture.servers && !gate)).collect();
    let ready = install(BUILD)
        && install(TOOLS)
        && compiler(architecture)
        && programs.iter().all(|program| compile(architecture, program))
        && manuals();
    if !ready {
        return None;
    }
    if let Err(error) = lay_out(architecture, &programs, &place) {
        eprintln!("xtask: {}: {error}", place.display());
        return None;
    }
    announce(&format!("dpkg-buildpackage, {}", architecture.name));
    let mut build = Command::new("dpkg-buildpackage");
    build.args(["--build=any", "--no-sign", "--no-check-builddeps", "--host-arch", architecture.name]);
    build.current_dir(place.join("source")).env("SOURCE_DATE_EPOCH", epoch()).env("DEB_BUILD_OPTIONS", "noautodbgsym");
    if !succeeds(&mut build) {
        return None;
    }
    let made = collect(&place, Path::new("target/debian"));
    let made = made.inspect_err(|error| eprintln!("xtask: target/debian: {error}")).ok()?;
    let names: Vec<String> = made.iter().map(|made| made.display().to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let judged = run(
        "lintian",
        &[&["--fail-on", "error,warning", "--suppress-tags-from-file", TAGS], names.as_slice()].concat(),
    );
    judged.then_some(made)
}

/// Tags that speak of an upload into Debian, each with its reason.
const TAGS: &str = "systemd/debian/lintian-tags";

/// Seconds since 1970 that stand for *now* in what is made: given, or the last commit's.
pub fn epoch() -> String {
    env::var("SOURCE_DATE_EPOCH").unwrap_or_else(|_| {
        let committed = output("git", &["log", "-1", "--format=%ct"]);
        if committed.is_empty() { "0".to_owned() } else { committed.trim().to_owned() }
    })
}

/// Whether this machine is of that architecture.
pub fn is_native(architecture: &Architecture) -> bool {
    output("dpkg", &["--print-architecture"]).trim() == architecture.name
}

/// Sees to a compiler and a standard library for the architecture.
fn compiler(architecture: &Architecture) -> bool {
    if is_native(architecture) {
        return true;
    }
    if !install(architecture.cross) {
        return false;
    }
    if !there("rustup") {
        println!("xtask: no rustup here; taking it that rustc has the library of {}", architecture.rust);
        return true;
    }
    let installed = output("rustup", &["target", "list", "--installed"]);
    installed.lines().any(|target| target == architecture.rust) || run("rustup", &["target", "add", architecture.rust])
}

/// Where cargo leaves the programs.
fn built(architecture: &Architecture) -> PathBuf {
    let target = Path::new("target");
    if is_native(architecture) { target.join("release") } else { target.join(architecture.rust).join("release") }
}

fn compile(architecture: &Architecture, program: &Program) -> bool {
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--locked", "--bin", program.name]).args(program.arguments);
    if !is_native(architecture) {
        let spelt = architecture.rust.replace('-', "_");
        build.args(["--target", architecture.rust]);
        build.env(format!("CARGO_TARGET_{}_LINKER", spelt.to_uppercase()), format!("{}-gcc", architecture.gnu));
        // The camera bindings are made from that board's headers, not from this machine's.
        build.env(format!("BINDGEN_EXTRA_CLANG_ARGS_{spelt}"), format!("-I/usr/{}/include", architecture.gnu));
    }
    announce(&format!("{} for {}", program.name, architecture.name));
    succeeds(&mut build)
}

/// Manual pages and completions, into `target/package/manuals`.
fn manuals() -> bool {
    let only = ["--package", "xtask", "--features", "manuals", "--bin", "manuals"];
    run("cargo", &[&["run", "--quiet"], only.as_slice(), &["--", "target/package/manuals"]].concat())
}

/// The tree that debhelper works in: `debian`, the programs, pages and manual pages, and the repository itself behind a link.
fn lay_out(architecture: &Architecture, programs: &[&Program], place: &Path) -> io::Result<()> {
    let project = Path::new(".");
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    let source = place.join("source");
    let debian = source.join("debian");
    fs::create_dir_all(debian.join("source"))?;
    fs::create_dir_all(source.join("program"))?;
    for program in programs {
        fs::copy(built(architecture).join(program.name), source.join("program").join(program.name))?;
    }
    for (package, shipped) in documents::shipped(project)? {
        documents::write(project, &shipped, &source.join("documents").join(package))?;
    }
    for folder in ["systemd/debian", "systemd/debian/source"] {
        let to = if folder.ends_with("source") { debian.join("source") } else { debian.clone() };
        for entry in Path::new(folder).read_dir()? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), to.join(entry.file_name()))?;
            }
        }
    }
    let control = fs::read_to_string("systemd/debian/control")?;
    fs::write(
        debian.join("control"),
        of_packages(&control, &programs.iter().map(|made| made.package).collect::<Vec<_>>()),
    )?;
    for kind in ["sysusers", "tmpfiles"] {
        fs::copy(format!("systemd/checkpointd.{kind}"), debian.join(format!("checkpointd.{kind}")))?;
    }
    fs::write(debian.join("changelog"), changelog(env!("CARGO_PKG_VERSION"), &date(&epoch())))?;
    symlink(fs::canonicalize(project)?, source.join("repository"))?;
    symlink(fs::canonicalize("target/package/manuals")?, source.join("manuals"))
}

/// A control file without the packages that are not made this time: debhelper would miss their files.
fn of_packages(control: &str, packages: &[&str]) -> String {
    let made = |paragraph: &&str| match paragraph.trim_start().strip_prefix("Package: ") {
        Some(named) => packages.iter().any(|package| named.lines().next() == Some(package)),
        None => true,
    };
    control.split("\n\n").filter(made).collect::<Vec<_>>().join("\n\n") + "\n"
}

/// A date as Debian's changelogs have it.
fn date(epoch: &str) -> String {
    output("date", &["--utc", "--rfc-email", "--date", &format!("@{epoch}")]).trim().to_owned()
}

/// Debian's changelog (Debian Policy §4.4): what changed for operators is in CHANGELOG.md, which the package brings.
fn changelog(version: &str, date: &str) -> String {
    format!(
        "checkpointd ({version}) bookworm; urgency=medium\n\n  * Release {version}; release-notes.md beside this file says what changes.\n\n \
         -- The checkpointd developers <checkpointd@example.invalid>  {date}\n"
    )
}

/// Moves the packages to where they are looked for.
fn collect(from: &Path, to: &Path) -> io::Result<Vec<PathBuf>> {
    fs::create_dir_all(to)?;
    let mut made = Vec::new();
    for entry in from.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "deb")
            && let Some(name) = path.file_name()
        {
            fs::rename(&path, to.join(name))?;
            made.push(to.join(name));
        }
    }
    made.sort();
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changelog_is_one_that_debian_reads() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("changelog");
        fs::write(&file, changelog("0.1.0", "Sat, 28 Nov 2026 12:00:00 +0000")).expect("written");
        let file = file.to_str().expect("a plain path");
        if !there("dpkg-parsechangelog") {
            return;
        }
        let read = output("dpkg-parsechangelog", &["--file", file]);
        assert!(read.contains("Version: 0.1.0\n") && read.contains("Timestamp: 1795867200"), "{read}");
    }

    #[test]
    fn what_is_not_made_is_not_spoken_of() {
        let control = "Source: a\n\nPackage: gate\nDepends: x\n\nPackage: gate-centre\n";
        assert_eq!(of_packages(control, &["gate"]), "Source: a\n\nPackage: gate\nDepends: x\n");
        assert_eq!(of_packages(control, &["gate", "gate-centre"]), format!("{control}\n"));
    }

    #[test]
    fn each_architecture_of_a_package_is_one_that_can_be_built() {
        let control = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../systemd/debian/control");
        let control = fs::read_to_string(control).expect("text");
        let named: Vec<&str> = control.lines().filter_map(|line| line.strip_prefix("Architecture: ")).collect();
        let of = |servers: bool| {
            let names = ARCHITECTURES.iter().filter(|known| known.servers || !servers).map(|known| known.name);
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(named, [of(false), of(true), of(true)]);
    }
}
