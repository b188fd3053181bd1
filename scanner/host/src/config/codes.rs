//! What configuration codes have set, kept in one file of `places.state` together with the number of the latest one.
//!
//! The daemon owns nothing below `/etc` and needs nothing there: what a code may set is this type and no more. Numbers and settings
//! are replaced in one rename, so that no power cut lets a code count twice or half.

use std::{io, path::Path};

use serde::{Deserialize, Serialize};
use trustlist::configuration::{self, Settings};

use super::{Config, ConfigError, layers::Layers, state_file};
use crate::atomic_file::{self, Readers};

/// Its name in `places.state`.
pub const FILE: &str = "codes.toml";

/// What all codes so far have set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// The highest number taken.
    pub number: u64,
    /// `checkpoint.profile`
    #[serde(skip_serializing_if = "Option::is_none", default)]
    profile: Option<String>,
    /// `sync.mirrors`
    #[serde(skip_serializing_if = "Option::is_none", default)]
    mirrors: Option<Vec<String>>,
    /// Lanes that were renamed or turned round.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    lane: Vec<Lane>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lane {
    /// Its id in the files of the installer.
    was: String,
    /// Its id since.
    id: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    direction: Option<String>,
}

/// The same as sections of the configuration.
#[derive(Serialize)]
struct Sections<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<Profile<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sync: Option<Mirrors<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lane: Vec<Turned<'a>>,
}

#[derive(Serialize)]
struct Profile<'a> {
    profile: &'a str,
}

#[derive(Serialize)]
struct Mirrors<'a> {
    mirrors: &'a [String],
}

#[derive(Serialize)]
struct Turned<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'a str>,
}

impl Codes {
    /// Reads the file of a state folder; nothing was set where there is none. A user who may not look into that folder (whoever
    /// asks for `checkpointd status`) sees the installer's files only.
    ///
    /// # Errors
    /// When it is there and no such file. It is never passed over: then an old code would count again.
    pub fn read(state: &Path) -> Result<Codes, ConfigError> {
        let advice = "move it away and show the latest configuration codes again";
        Ok(state_file::read(&state.join(FILE), advice)?.unwrap_or_default())
    }

    /// Replaces the file of a state folder, whole and durably.
    ///
    /// # Errors
    /// When the disk does not take it; the file before it stays.
    pub fn write(&self, state: &Path) -> io::Result<()> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        let note =
            "# Written by checkpointd from configuration codes. The number stops old codes from counting again.\n";
        atomic_file::replace(&state.join(FILE), (note.to_owned() + &text).as_bytes(), Readers::Usual)
    }

    /// What holds after a code that the lane `lane` saw.
    #[must_use]
    pub fn after(mut self, number: u64, settings: &Settings, lane: &str) -> Codes {
        self.number = number;
        self.profile = settings.profile.clone().or(self.profile);
        self.mirrors = settings.mirrors.clone().or(self.mirrors);
        if settings.lane.is_some() || settings.direction.is_some() {
            if !self.lane.iter().any(|known| known.id == lane) {
                self.lane.push(Lane { was: lane.to_owned(), id: lane.to_owned(), direction: None });
            }
            for known in self.lane.iter_mut().filter(|known| known.id == lane) {
                let direction = settings.direction.map(|direction| match direction {
                    configuration::Direction::Entry => "entry".to_owned(),
                    configuration::Direction::Exit => "exit".to_owned(),
                });
                known.direction = direction.or(known.direction.take());
                known.id = settings.lane.clone().unwrap_or_else(|| lane.to_owned());
            }
        }
        self
    }

    /// Lays it over the installer's files.
    pub(super) fn lay_over(&self, layers: &mut Layers, file: &str) -> Result<(), ConfigError> {
        for lane in &self.lane {
            layers.rename_lane(&lane.was, &lane.id);
        }
        let sections = Sections {
            checkpoint: self.profile.as_deref().map(|profile| Profile { profile }),
            sync: self.mirrors.as_deref().map(|mirrors| Mirrors { mirrors }),
            lane: self.lane.iter().map(|lane| Turned { id: &lane.id, direction: lane.direction.as_deref() }).collect(),
        };
        let text = toml::to_string(&sections).expect("texts have a TOML form");
        layers.add_text(&text, file)
    }
}

impl Config {
    /// What this configuration would be with `codes` laid over it.
    ///
    /// # Errors
    /// With what would be wrong with it.
    pub fn with(&self, codes: &Codes) -> Result<Config, ConfigError> {
        let mut layers = Layers::default();
        let text = toml::to_string(&self.effective()).expect("what was read has a TOML form");
        layers.add_text(&text, "configuration")?;
        codes.lay_over(&mut layers, "the code")?;
        layers.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use trustlist::configuration::Direction;

    use super::*;

    fn loaded(folder: &Path, text: &str, codes: &Codes) -> Config {
        fs::write(folder.join("config.toml"), format!("[places]\nstate = \"{}\"\n{text}", folder.display()))
            .expect("written");
        codes.write(folder).expect("written");
        Config::load(&folder.join("config.toml"), true, &super::super::Overlay::default()).expect("valid")
    }

    fn lane(id: &str, direction: Option<Direction>) -> Settings {
        Settings { lane: Some(id.to_owned()), direction, ..Settings::default() }
    }

    #[test]
    fn a_lane_keeps_its_wiring_under_the_name_that_codes_give_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "[[lane]]\nid = \"lane-1\"\nrearm = \"2s\"\n[[lane]]\nid = \"lane-2\"\n";
        let codes = Codes::default().after(1, &lane("east-1", Some(Direction::Exit)), "lane-1");
        let config = loaded(folder.path(), text, &codes);
        assert_eq!((config.lane[0].id.as_str(), config.lane.len()), ("east-1", 2));
        assert_eq!(config.lane[0].direction, super::super::Direction::Exit);
        assert_eq!(config.lane[0].rearm.as_secs(), 2);
        // A second code calls it by its new name.
        let config = loaded(folder.path(), text, &codes.after(2, &lane("west-1", None), "east-1"));
        assert_eq!((config.lane[0].id.as_str(), config.lane.len()), ("west-1", 2));
        assert_eq!(config.lane[0].direction, super::super::Direction::Exit);
        assert_eq!(config.lane[0].rearm.as_secs(), 2);
    }

    #[test]
    fn a_box_without_any_lane_in_its_files_gets_the_one_that_a_code_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = loaded(folder.path(), "", &Codes::default().after(1, &lane("east-1", None), "lane-1"));
        assert_eq!((config.lane[0].id.as_str(), config.lane.len()), ("east-1", 1));
    }

    #[test]
    fn mirrors_and_profile_take_the_place_of_those_before_and_stay_until_another_code() {
        let folder = tempfile::tempdir().expect("a folder");
        let mirrors = Settings { mirrors: Some(vec!["https://b/".to_owned()]), ..Settings::default() };
        let profile = Settings { profile: Some("station".to_owned()), ..Settings::default() };
        let codes = Codes::default().after(1, &mirrors, "lane-1").after(2, &profile, "lane-1");
        let config = loaded(folder.path(), "[sync]\nmirrors = [\"https://a/\"]\n", &codes);
        assert_eq!(config.sync.mirrors[0].0, "https://b/");
        assert_eq!(config.checkpoint.profile.as_deref(), Some("station"));
        assert_eq!(Codes::read(folder.path()).expect("readable").number, 2);
    }

    #[test]
    fn two_lanes_of_one_name_and_a_mirror_that_is_none_are_found_out_before_anything_is_written() {
        let config = Config::parse("[[lane]]\nid = \"a\"\n[[lane]]\nid = \"b\"\n", "config.toml").expect("valid");
        assert!(config.with(&Codes::default().after(1, &lane("b", None), "a")).is_err(), "two lanes named b");
        let mirrors = Settings { mirrors: Some(vec!["ftp://b/".to_owned()]), ..Settings::default() };
        assert!(config.with(&Codes::default().after(1, &mirrors, "a")).is_err(), "no such scheme");
        assert!(config.with(&Codes::default().after(1, &lane("c", None), "a")).is_ok());
    }

    #[test]
    fn a_damaged_file_is_an_error_and_not_a_fresh_start_that_takes_old_codes() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Codes::read(folder.path()).expect("nothing yet").number, 0);
        fs::write(folder.path().join(FILE), "number = ").expect("written");
        assert!(Codes::read(folder.path()).expect_err("damaged").to_string().contains("codes.toml"));
    }
}
