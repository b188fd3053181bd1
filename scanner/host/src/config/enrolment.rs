//! What the centre assigned to this device when it was enrolled, kept in one file of `places.state` and laid over the installer's files.
//!
//! It sets the post's name, where rows go, and whose receipts count. What is absent: nothing that a verdict depends on. A centre cannot
//! make a gate admit anybody, nor change whom it recognises.

use std::{io, path::Path};

use serde::{Deserialize, Serialize};

use super::{ConfigError, layers::Layers, state_file};
use crate::atomic_file::{self, Readers};

/// Its name in `places.state`.
pub const FILE: &str = "centre.toml";

/// A device's enrolment at a centre.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// `checkpoint.id`
    pub post: String,
    /// `upload.url`
    pub upload: String,
    /// `upload.centre_keys`
    pub centre_keys: Vec<String>,
    /// What the device asks with when it asks again: of no use without the device's key.
    pub slip: String,
    /// The centre's signed word for the above, as it came.
    pub assignment: String,
}

#[derive(Serialize)]
struct Sections<'a> {
    checkpoint: Checkpoint<'a>,
    upload: Upload<'a>,
}

#[derive(Serialize)]
struct Checkpoint<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct Upload<'a> {
    url: &'a str,
    receipts: &'a str,
    centre_keys: &'a [String],
}

impl Enrolment {
    /// Reads the file of a state folder; none where the device is not enrolled.
    ///
    /// # Errors
    /// When it is there and no such file.
    pub fn read(state: &Path) -> Result<Option<Enrolment>, ConfigError> {
        state_file::read(&state.join(FILE), "move it away and enrol this device again (checkpointd enrol)")
    }

    /// Replaces the file of a state folder, whole and durably.
    ///
    /// # Errors
    /// When the disk does not take it; the file before it stays.
    pub fn write(&self, state: &Path) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        let note = "# Written by checkpointd enrol. What the centre assigned goes above config.toml and conf.d.\n";
        atomic_file::replace(&state.join(FILE), (note.to_owned() + &text).as_bytes(), Readers::Usual)
    }

    /// Whether it is a configuration at all.
    ///
    /// # Errors
    /// With the value that is none.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut layers = Layers::default();
        self.lay_over(&mut layers, FILE)?;
        layers.finish().map(drop)
    }

    /// Lays it over the installer's files.
    pub(super) fn lay_over(&self, layers: &mut Layers, file: &str) -> Result<(), ConfigError> {
        let sections = Sections {
            checkpoint: Checkpoint { id: &self.post },
            upload: Upload { url: &self.upload, receipts: "signed", centre_keys: &self.centre_keys },
        };
        layers.add_text(&toml::to_string(&sections).expect("texts have a TOML form"), file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overlay, Receipts};

    #[test]
    fn what_the_centre_assigned_goes_above_the_files_and_below_the_command_line_and_no_verdict_depends_on_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.toml");
        let state = folder.path().join("state");
        std::fs::create_dir(&state).expect("made");
        let text = format!(
            "[places]\nstate = {:?}\n[checkpoint]\nid = \"box\"\nrelying = \"420000\"\n[upload]\nreceipts = \"none\"\n",
            state.display().to_string()
        );
        std::fs::write(&file, text).expect("written");
        let load = |set: &[&str]| {
            let set: Vec<_> = set.iter().map(|text| text.parse().expect("an assignment")).collect();
            Config::load(&file, true, &Overlay::default().set(&set))
        };
        let before = load(&[]).expect("loaded");
        let enrolment = Enrolment {
            post: "Guangzhou South 3".into(),
            upload: "https://centre.example:8443".into(),
            centre_keys: vec!["a+b+c".into()],
            slip: "slip".into(),
            assignment: "checkpoint centre assignment 1\n…\n\n— centre abc=\n".into(),
        };
        enrolment.write(&state).expect("written");
        assert_eq!(Enrolment::read(&state).expect("read"), Some(enrolment));
        let config = load(&[]).expect("loaded");
        assert_eq!(config.checkpoint.id, "Guangzhou South 3");
        assert_eq!(config.upload.url.as_ref().map(|url| url.0.as_str()), Some("https://centre.example:8443"));
        assert_eq!((config.upload.receipts, config.upload.centre_keys.len()), (Receipts::Signed, 1));
        let but_for_the_centre = Config {
            checkpoint: crate::config::Checkpoint { id: "box".into(), ..config.checkpoint.clone() },
            upload: before.upload.clone(),
            ..config.clone()
        };
        assert_eq!(but_for_the_centre, before, "nothing else has changed");
        assert_eq!(load(&["checkpoint.id=by hand"]).expect("loaded").checkpoint.id, "by hand");
        std::fs::write(state.join(FILE), "post = 3").expect("written");
        let error = load(&[]).expect_err("damaged").to_string();
        assert!(error.contains("centre.toml") && error.contains("checkpointd enrol"), "{error}");
    }
}
