//! `cargo xtask repository KEY`: the packages in `target/debian` as a signed repository, which any web server or stick can carry.
//!
//! apt believes it by its key alone (`signed-by`), as gates believe lists by theirs: who carries it need not be trusted. It is flat, for it holds
//! three packages of three architectures; `Valid-Until` makes a mirror that stands still visible to apt.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    package,
    shell::{announce, install, output, succeeds},
};

const TOOLS: &[(&str, &str)] = &[("apt-utils", "apt-ftparchive"), ("gnupg", "gpg")];
/// The key, in the form that apt reads, beside what it signs.
const KEY: &str = "checkpointd.asc";
/// Days until apt asks why nobody has signed anew.
const DAYS: u64 = 90;

/// Makes `target/repository` from `target/debian`, signed by a key of gpg(1).
pub fn repository(key: &str) -> bool {
    if !install(TOOLS) {
        return false;
    }
    match make(&Signer { key, home: None }, Path::new("target/debian"), Path::new("target/repository")) {
        Ok(fingerprint) => {
            println!("\ntarget/repository, signed by {fingerprint}; docs/installer.md says how a gate takes from it");
            true
        }
        Err(error) => {
            eprintln!("xtask: target/repository: {error}");
            false
        }
    }
}

/// A key, and the folder that gpg has it in where that is not the user's own.
struct Signer<'a> {
    key: &'a str,
    home: Option<&'a Path>,
}

impl Signer<'_> {
    fn gpg(&self) -> Command {
        let mut gpg = Command::new("gpg");
        gpg.args(["--batch", "--yes"]);
        if let Some(home) = self.home {
            gpg.env("GNUPGHOME", home);
        }
        gpg
    }
}

fn make(signer: &Signer, packages: &Path, place: &Path) -> io::Result<String> {
    let mut files: Vec<PathBuf> =
        packages.read_dir()?.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "deb"));
    if files.is_empty() {
        return Err(io::Error::other("there are no packages; `cargo xtask package` makes them"));
    }
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    fs::create_dir_all(place)?;
    for file in &files {
        fs::copy(file, place.join(file.file_name().unwrap_or_default()))?;
    }
    let archive = |arguments: &[&str], file: &str| {
        announce(&format!("apt-ftparchive {}", arguments.join(" ")));
        let made = Command::new("apt-ftparchive").args(arguments).current_dir(place).output()?;
        if made.status.success() {
            fs::write(place.join(file), made.stdout)
        } else {
            Err(io::Error::other(String::from_utf8_lossy(&made.stderr).into_owned()))
        }
    };
    archive(&["packages", "."], "Packages")?;
    step(Command::new("gzip").args(["--keep", "--no-name", "--best", "Packages"]).current_dir(place))?;
    let now = package::epoch().parse().unwrap_or(0);
    let ends = format!("APT::FTPArchive::Release::Valid-Until={}", moment(now + DAYS * 24 * 60 * 60));
    let settings = ["Origin=checkpointd", "Label=checkpointd", "Suite=stable", "Architectures=amd64 arm64 armhf"];
    let settings: Vec<String> = settings.iter().map(|setting| format!("APT::FTPArchive::Release::{setting}")).collect();
    let mut arguments: Vec<&str> = settings.iter().flat_map(|setting| ["-o", setting.as_str()]).collect();
    arguments.extend(["-o", ends.as_str(), "release", "."]);
    archive(&arguments, "Release")?;
    // apt takes InRelease; Release.gpg is for those that came before it.
    for how in [&["--clearsign", "--output", "InRelease"][..], &["--armor", "--detach-sign", "--output", "Release.gpg"]]
    {
        step(signer.gpg().args(["--local-user", signer.key]).args(how).arg("Release").current_dir(place))?;
    }
    step(signer.gpg().args(["--armor", "--output", KEY, "--export", signer.key]).current_dir(place))?;
    let shown = signer.gpg().args(["--with-colons", "--fingerprint", signer.key]).output()?;
    let shown = String::from_utf8_lossy(&shown.stdout);
    let fingerprint =
        shown.lines().find_map(|line| line.strip_prefix("fpr:")).map(|line| line.trim_matches(':').to_owned());
    fingerprint.ok_or_else(|| io::Error::other(format!("gpg shows no fingerprint of {}", signer.key)))
}

/// A moment as a Release file has it (in UTC, named so: apt reads no other).
fn moment(seconds: u64) -> String {
    output("date", &["--utc", "--date", &format!("@{seconds}"), "+%a, %d %b %Y %H:%M:%S UTC"]).trim().to_owned()
}

fn step(command: &mut Command) -> io::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    if succeeds(command) { Ok(()) } else { Err(io::Error::other(format!("{program} did not succeed"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::there;

    /// An empty package, a key made for the occasion, and apt itself with a root of its own: it takes what the key signed, and nothing that was
    /// changed afterwards or that another key signed.
    #[test]
    fn apt_believes_the_repository_by_its_key_and_no_other() {
        if !["apt-get", "apt-ftparchive", "gpg", "dpkg-deb"].iter().all(|program| there(program)) {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().join("gnupg");
        for part in ["packages", "gnupg", "apt/lists/partial", "apt/cache/archives/partial", "tree/DEBIAN"] {
            fs::create_dir_all(folder.path().join(part)).expect("made");
        }
        let _ = Command::new("chmod").arg("700").arg(&home).status();
        let control = "Package: checkpointd\nVersion: 7\nArchitecture: amd64\nMaintainer: nobody <n@example.invalid>\nDescription: a test\n";
        fs::write(folder.path().join("tree/DEBIAN/control"), control).expect("written");
        let built = Command::new("dpkg-deb")
            .arg("--build")
            .arg(folder.path().join("tree"))
            .arg(folder.path().join("packages/checkpointd_7_amd64.deb"))
            .output();
        assert!(built.expect("dpkg-deb starts").status.success());
        let signers = ["ours@example.invalid", "theirs@example.invalid"].map(|key| Signer { key, home: Some(&home) });
        for signer in &signers {
            let name = ["--passphrase", "", "--quick-generate-key", signer.key, "ed25519", "sign", "never"];
            assert!(signer.gpg().args(name).output().expect("gpg starts").status.success());
        }
        let place = folder.path().join("repository");
        let apt = |key: &Path| {
            // apt's own user must get there, and none of this machine's settings count.
            let apt = folder.path().join("apt");
            let source = format!("deb [signed-by={}] file:{} ./\n", key.display(), place.display());
            fs::write(folder.path().join("sources.list"), source).expect("written");
            let options = [
                format!("Dir::State={}", apt.display()),
                format!("Dir::State::lists={}", apt.join("lists").display()),
                format!("Dir::Cache={}", apt.join("cache").display()),
                format!("Dir::Etc::sourcelist={}", folder.path().join("sources.list").display()),
                "Dir::Etc::sourceparts=/dev/null".to_owned(),
                "Dir::State::status=/dev/null".to_owned(),
                "APT::Architecture=amd64".to_owned(),
                "APT::Architectures::=amd64".to_owned(),
                "APT::Sandbox::User=root".to_owned(),
                "APT::Update::Error-Mode=any".to_owned(),
            ];
            let apt = |words: &[&str]| {
                let options = options.iter().flat_map(|option| ["-o", option.as_str()]);
                Command::new(words[0]).args(options).args(&words[1..]).output().expect("apt starts")
            };
            let updated = apt(&["apt-get", "update"]);
            let offered = apt(&["apt-cache", "policy", "checkpointd"]);
            let said = String::from_utf8_lossy(&updated.stderr).into_owned();
            (updated.status.success(), String::from_utf8_lossy(&offered.stdout).contains("Candidate: 7"), said)
        };

        make(&signers[0], &folder.path().join("packages"), &place).expect("made");
        let key = folder.path().join("ours.asc");
        fs::copy(place.join(KEY), &key).expect("copied");
        let (updated, offered, said) = apt(&key);
        assert!(updated && offered, "{said}");

        let release = fs::read_to_string(place.join("InRelease")).expect("text");
        fs::write(place.join("InRelease"), release.replace("Label: checkpointd", "Label: checkpointe"))
            .expect("written");
        let (updated, _, said) = apt(&key);
        assert!(!updated && said.contains("signature"), "{said}");

        make(&signers[1], &folder.path().join("packages"), &place).expect("made");
        let (updated, _, said) = apt(&key);
        assert!(!updated && said.contains("NO_PUBKEY"), "{said}");
        // An agent that gpg left behind ends with its folder's name.
        let _ = Command::new("gpgconf").env("GNUPGHOME", &home).args(["--kill", "all"]).status();
    }
}
