//! `authority status-list …`.

use std::path::{Path, PathBuf};

use authority::{Workspace, WorkspaceError, statuses};
use clap::{Args, Subcommand};
use trustlist::{status::Status, time::UnixTime};

use super::{Done, moment, publishing::Publish, time, word};

/// Say how issued codes stand now: valid, revoked or suspended
#[derive(Subcommand)]
pub enum StatusList {
    Grow(Grow),
    Set(Set),
    Show(Show),
    Publish(Publish),
}

impl StatusList {
    pub fn run(self, dir: &Path) -> Done {
        match self {
            Self::Grow(command) => command.run(dir),
            Self::Set(command) => command.run(dir),
            Self::Show(command) => command.run(dir),
            Self::Publish(command) => command.run(dir),
        }
    }
}

/// Make the lists cover so many codes, a million a list
#[derive(Args)]
#[command(after_help = "Example:\n  authority status-list grow 2000000")]
pub struct Grow {
    /// Codes covered in all
    codes: u64,
    /// When, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
}

impl Grow {
    fn run(self, dir: &Path) -> Done {
        let mut workspace = Workspace::open(dir)?;
        let statuses = workspace.authority.statuses_mut();
        statuses.grow(self.codes, moment(self.at))?;
        println!("{} list(s) cover {} codes", statuses.shards().len(), statuses.codes());
        workspace.save()
    }
}

const SET: &str = "\
Examples:
  authority status-list set revoked 734211
  authority status-list set revoked --file indices.txt    one number a line";

/// Set how codes stand; all or none
#[derive(Args)]
#[command(after_help = SET)]
pub struct Set {
    /// valid, revoked or suspended
    #[arg(value_parser = word::<Status>)]
    status: Status,
    /// Numbers of the codes, counted over all lists
    indices: Vec<u64>,
    /// More numbers, one a line
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// When, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
}

impl Set {
    fn run(self, dir: &Path) -> Done {
        let mut indices = self.indices;
        if let Some(path) = &self.file {
            let text = std::fs::read_to_string(path).map_err(|error| WorkspaceError::io("read", path, error))?;
            for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let bad =
                    |_| WorkspaceError::BadFile(path.clone(), format!("line {}: \"{line}\" is no number", number + 1));
                indices.push(line.trim().parse().map_err(bad)?);
            }
        }
        if indices.is_empty() {
            return Err(WorkspaceError::Usage("name the numbers of codes, or a --file with them".to_owned()));
        }
        let mut workspace = Workspace::open(dir)?;
        let at = moment(self.at);
        let statuses = workspace.authority.statuses_mut();
        let mut changed = 0;
        for index in &indices {
            changed += usize::from(statuses.set(*index, self.status, at)?);
        }
        println!("{changed} of {} codes changed; publish to let gates know", indices.len());
        workspace.save()
    }
}

/// Show how a code stands
#[derive(Args)]
#[command(after_help = "Example:\n  authority status-list show 734211")]
pub struct Show {
    /// Number of the code, counted over all lists
    index: u64,
}

impl Show {
    fn run(self, dir: &Path) -> Done {
        let workspace = Workspace::open(dir)?;
        let (list, index) = statuses::place(self.index);
        let status = serde_json::json!(workspace.authority.statuses().status(self.index));
        println!("{} ({list}, index {index})", status.as_str().unwrap_or("unknown"));
        Ok(())
    }
}
