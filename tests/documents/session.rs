//! Runs the commands of one document as its reader would, in a folder that stands for the reader's machine.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    blocks::{Block, Step, blocks},
    sample,
};

/// Folders of the reader's machine that documents name; here each lies in the session's folder.
const PLACES: &[&str] =
    &["/media/", "/srv/", "/tmp/", "/var/lib/checkpointd", "/var/tmp/", "/etc/checkpointd", "/run/checkpointd"];

/// The project's folder.
pub fn project() -> PathBuf {
    // From `scanner/` or `trustlist/authority/`, whichever package this test was built for.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|folder| folder.join("Cargo.lock").exists());
    folder.expect("a workspace").to_owned()
}

/// Reads the blocks of a document.
///
/// # Errors
/// With the place of a block that does not say whether it is run.
pub fn read(document: &Path) -> Result<Vec<Block>, String> {
    let text = fs::read_to_string(project().join(document)).expect("a document");
    blocks(&text).map_err(|error| format!("{}: {error}", document.display()))
}

/// Runs a document's commands in order, with these programs on the path; all that is not as it says. What the reader does not see may use
/// `$PROJECT`, the project's folder, and `$KEPT`, what a demonstration keeps.
pub fn run(document: &Path, programs: &[(&str, &str)], kept: &Path) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let reader = Reader::new(folder.path(), programs, kept);
    let blocks = match read(document) {
        Ok(blocks) => blocks,
        Err(error) => return vec![error],
    };
    let steps = blocks.into_iter().flat_map(|block| block.steps);
    let wrong = steps.filter_map(|step| {
        let line = step.line;
        reader.take(&step).map(|wrong| format!("{}:{line}: $ {}\n{wrong}", document.display(), step.command))
    });
    wrong.collect()
}

/// Whoever types what a document says.
struct Reader<'a> {
    folder: &'a Path,
    path: String,
    kept: &'a Path,
}

impl Reader<'_> {
    fn new<'a>(folder: &'a Path, programs: &[(&str, &str)], kept: &'a Path) -> Reader<'a> {
        let programs_of_ours = folder.join("programs");
        for place in PLACES.iter().map(|place| place.trim_matches('/')).chain(["programs", "work/target"]) {
            fs::create_dir_all(folder.join(place)).expect("a folder");
        }
        for profile in ["release", "demo"] {
            symlink(&programs_of_ours, folder.join("work/target").join(profile)).expect("linked");
        }
        for (name, program) in programs {
            // As on a machine where it is installed: configuration and state are at their usual places, unless the document names others.
            let at = |place: &str| folder.join(place).display().to_string();
            let usual = format!(
                "case \" $* \" in *' --config '*) ;; *)\n\
                 export CHECKPOINTD_PLACES__STATE={} CHECKPOINTD_PLACES__RUNTIME={}\n\
                 [ -e {config} ] && set -- --config {config} \"$@\" ;; esac\n",
                at("var/lib/checkpointd"),
                at("run/checkpointd"),
                config = at("etc/checkpointd/config.toml"),
            );
            let script = programs_of_ours.join(name);
            fs::write(&script, format!("#!/bin/sh\n{usual}exec {program} \"$@\"\n")).expect("written");
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        let path = std::env::var("PATH").unwrap_or_default();
        Reader { folder, kept, path: format!("{}:{path}", programs_of_ours.display()) }
    }

    /// What is wrong with a command's outcome.
    fn take(&self, step: &Step) -> Option<String> {
        let here = self.folder.display().to_string();
        let command = within(&here, &step.command);
        let output = Command::new("bash")
            .args(["-c", &format!("exec 2>&1\n{command}")])
            .current_dir(self.folder.join("work"))
            .env("PATH", &self.path)
            .env("PROJECT", project())
            .env("KEPT", self.kept)
            .output()
            .expect("bash starts");
        let printed = String::from_utf8_lossy(&output.stdout).replace(&here, "");
        if step.prints.is_empty() {
            return (!output.status.success()).then(|| format!("ended with {}:\n{printed}", output.status));
        }
        sample::difference(&step.prints, &printed)
    }
}

/// The command with every place of the reader's machine inside the session's folder.
fn within(folder: &str, command: &str) -> String {
    let mut moved = String::new();
    let mut rest = command;
    while let Some(first) = rest.chars().next() {
        if PLACES.iter().any(|place| rest.starts_with(place)) {
            moved.push_str(folder);
        }
        moved.push(first);
        rest = &rest[first.len_utf8()..];
    }
    moved
}
