//! What the stories share: a country's lists on disk, and the program itself.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use scanner::demo::country::{self, Country};
use trustlist::time::UnixTime;

/// The moment at which the country of these stories stands: 2021-02-01T00:00:00Z.
pub const NOW: UnixTime = UnixTime(1_612_137_600);
/// The same for a command line.
pub const AT: &str = "2021-02-01T00:00:00Z";

/// A folder with a country's lists in `trust`.
pub struct World {
    /// The lists' content and who travels.
    pub country: Country,
    folder: tempfile::TempDir,
}

impl World {
    /// As it stands at [`NOW`].
    pub fn new() -> World {
        World::at(NOW)
    }

    /// As it stands at `now`.
    pub fn at(now: UnixTime) -> World {
        let world =
            World { country: country::country(now).expect("made"), folder: tempfile::tempdir().expect("a folder") };
        for (path, bytes) in &world.country.files {
            let path = world.path("trust").join(path);
            fs::create_dir_all(path.parent().expect("a folder above it")).expect("made");
            fs::write(path, bytes).expect("written");
        }
        // Somebody looked at this machine's clock: not every machine that runs tests has a time service.
        host::settled::record(&world.path("run"), host::clock::Clock::machine().unix()).expect("written");
        world
    }

    /// A place in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The text of the traveller who is described so.
    pub fn text(&self, who: &str) -> &str {
        &self.country.travellers.iter().find(|traveller| traveller.who == who).expect("they travel").text
    }
}

/// Runs the program in this world, with `input` on its standard input.
pub fn checkpointd(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_checkpointd"))
        .args(arguments)
        .current_dir(folder)
        .env("CHECKPOINTD_PLACES__STATE", folder.join("state"))
        .env("CHECKPOINTD_PLACES__RUNTIME", folder.join("run"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that ends before it has read everything has its reasons, which the caller looks at.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("the program ends")
}

/// What a program said on standard error.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
