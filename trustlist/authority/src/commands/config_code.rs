//! `authority config-code`: a signed code that sets a checkpoint up through its own camera.

use std::{fs, path::PathBuf};

use crate::{
    Workspace, WorkspaceError,
    code::{
        ConfigurationDraft, issue_configuration,
        picture::{Level, MAX_SCALE, Picture},
    },
};
use clap::{Args, ValueEnum};
use trustlist::{
    configuration::{self, Direction, Refusal, Settings, Wifi},
    lists::keys::KeyUse,
    time::UnixTime,
};

use super::{Done, Global, print_json, time};

const EXAMPLE: &str = "\
Examples:
  authority --dir nation config-code --to gate-7 --lane east-1 --direction exit --out gate-7.png
  authority --dir nation config-code --to '*' --mirror https://lists.example/ --valid-for 604800 --out mirrors.svg
  authority --dir nation config-code --to gate-7 --wifi 'Station staff' --wifi-passphrase passphrase.txt --out wifi.png

A checkpoint takes it in a service window only (checkpointd service-window), once, and none made before one that it took.
The code is signed, not secret: whoever sees it can read the passphrase in it.";

/// Which way.
#[derive(Clone, Copy, ValueEnum)]
enum Way {
    Entry,
    Exit,
}

/// Sign a code that sets a checkpoint up through its own camera (national platform)
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct ConfigCode {
    /// The checkpoint that it is for (checkpoint.id), or '*'
    #[arg(long, value_name = "ID")]
    to: String,
    /// The id that the lane gets which sees it
    #[arg(long, value_name = "ID")]
    lane: Option<String>,
    /// The direction that the lane gets which sees it
    #[arg(long, value_name = "WAY")]
    direction: Option<Way>,
    /// Mirrors of the lists, in the order in which they are tried; they take the place of those before
    #[arg(long, value_name = "URL")]
    mirror: Vec<String>,
    /// The policy profile
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// A wireless network's name
    #[arg(long, value_name = "SSID", requires = "wifi_passphrase")]
    wifi: Option<String>,
    /// A file with its passphrase on the first line (never the command line: it would land in the process list)
    #[arg(long, value_name = "FILE", requires = "wifi")]
    wifi_passphrase: Option<PathBuf>,
    /// Its number, above that of every code before [default: the second in which it is made, or the next]
    #[arg(long, value_name = "N")]
    number: Option<u64>,
    /// When it is made, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
    /// Seconds that it is valid
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400)]
    #[arg(value_parser = clap::value_parser!(i64).range(1..=configuration::MAX_VALIDITY))]
    valid_for: i64,
    /// Draw it: .png or .svg
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Pixels a module
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SCALE)), value_name = "PIXELS")]
    scale: u32,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl ConfigCode {
    pub fn run(self, global: &Global) -> Done {
        let workspace = Workspace::open(&global.dir)?;
        workspace.authority.national()?;
        let now = global.moment(&workspace, self.at, None)?;
        let mut draft = ConfigurationDraft {
            to: self.to.clone(),
            number: 0,
            issued_at: now,
            expires: now.plus(self.valid_for),
            settings: self.settings()?,
        };
        if let Some(profile) = &self.profile
            && !workspace.authority.national()?.policy.profiles.contains_key(profile)
        {
            return Err(usage(&Refusal::UnknownProfile));
        }
        draft.number = workspace.next_configuration_number(now, self.number)?;
        let key = workspace.authority.signing_key(KeyUse::Configuration, now)?;
        let text = issue_configuration(&draft, key).map_err(|error| usage(&error))?;
        // What every checkpoint would refuse is not worth printing.
        configuration::well_formed(&text).map_err(|refusal| usage(&refusal))?;
        let picture = Picture::draw(&text, Level::M).map_err(|error| usage(&error))?;
        if let Some(path) = &self.out {
            super::issue::draw(&picture, self.scale, path)?;
        }
        if self.json {
            print_json(&serde_json::json!({
                "text": text, "to": draft.to, "number": draft.number, "sets": draft.settings.names(), "kid": key.kid(),
                "issued_at": draft.issued_at, "expires": draft.expires, "version": picture.version(),
            }));
        } else if let Some(path) = &self.out {
            complain!("{}: number {}, version {}-M", path.display(), draft.number, picture.version());
        } else {
            say!("{text}");
        }
        Ok(())
    }

    fn settings(&self) -> Result<Settings, WorkspaceError> {
        let passphrase = |path: &PathBuf| {
            let text = fs::read_to_string(path).map_err(|error| WorkspaceError::io("read", path, error))?;
            Ok::<_, WorkspaceError>(text.lines().next().unwrap_or_default().to_owned())
        };
        let wifi = match (&self.wifi, &self.wifi_passphrase) {
            (Some(name), Some(path)) => Some(Wifi { name: name.as_bytes().to_vec(), passphrase: passphrase(path)? }),
            _ => None,
        };
        Ok(Settings {
            lane: self.lane.clone(),
            direction: self.direction.map(|way| match way {
                Way::Entry => Direction::Entry,
                Way::Exit => Direction::Exit,
            }),
            mirrors: (!self.mirror.is_empty()).then(|| self.mirror.clone()),
            profile: self.profile.clone(),
            wifi,
        })
    }
}

fn usage(error: &dyn std::fmt::Display) -> WorkspaceError {
    WorkspaceError::Usage(error.to_string())
}
