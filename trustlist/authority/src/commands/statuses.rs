//! `authority status-list …`.

use std::path::PathBuf;

use crate::{Workspace, WorkspaceError, changes::is_much, statuses};
use clap::{Args, Subcommand};
use trustlist::{status::Status, time::UnixTime};

use super::{Done, Global, confirm, print_json, publishing::Publish, time, word};

/// Say how issued codes stand now: valid, revoked or suspended
#[derive(Subcommand)]
pub enum StatusList {
    Grow(Grow),
    Set(Set),
    Show(Show),
    Publish(Publish),
}

impl StatusList {
    pub fn run(self, global: &Global) -> Done {
        match self {
            Self::Grow(command) => command.run(global),
            Self::Set(command) => command.run(global),
            Self::Show(command) => command.run(global),
            Self::Publish(command) => command.run(global),
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
    fn run(self, global: &Global) -> Done {
        let mut workspace = Workspace::open(&global.dir)?;
        let at = global.moment(&workspace, self.at, None)?;
        let statuses = workspace.authority.statuses_mut();
        statuses.grow(self.codes, at)?;
        say!("{} list(s) cover {} codes", statuses.shards().len(), statuses.codes());
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
    /// Do not ask when it is much: more than a hundred codes and more than one in a hundred
    #[arg(long)]
    yes: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Set {
    fn run(self, global: &Global) -> Done {
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
        let mut workspace = Workspace::open(&global.dir)?;
        let at = global.moment(&workspace, self.at, None)?;
        let statuses = workspace.authority.statuses_mut();
        let mut changed = 0;
        for index in &indices {
            changed += usize::from(statuses.set(*index, self.status, at)?);
        }
        let (changed, all) = (changed as u64, statuses.codes());
        if is_much(changed, all) {
            let status = serde_json::json!(self.status);
            let status = status.as_str().unwrap_or_default();
            confirm(&format!("{changed} of all {all} codes would become {status}"), self.yes)?;
        }
        if self.json {
            print_json(&serde_json::json!({"changed": changed, "named": indices.len(), "codes": all}));
        } else {
            say!("{changed} of {} codes changed; publish to let gates know", indices.len());
        }
        workspace.save()
    }
}

/// Show how a code stands
#[derive(Args)]
#[command(after_help = "Example:\n  authority status-list show 734211")]
pub struct Show {
    /// Number of the code, counted over all lists
    index: u64,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    fn run(self, global: &Global) -> Done {
        let workspace = Workspace::open(&global.dir)?;
        let (list, index) = statuses::place(self.index);
        let status = serde_json::json!(workspace.authority.statuses().status(self.index));
        if self.json {
            print_json(&serde_json::json!({"status": status, "list": list, "index": index}));
        } else {
            say!("{} ({list}, index {index})", status.as_str().unwrap_or("unknown"));
        }
        Ok(())
    }
}
