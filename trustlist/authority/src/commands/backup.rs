//! `authority backup` and `authority restore`.

use std::path::PathBuf;

use crate::{Workspace, WorkspaceError, last::Found, place::Place};
use clap::Args;
use serde_json::json;

use super::{Done, Global, moment, print_json};

const BACKUP: &str = "\
Example: to an encrypted stick, after each change of keys and each day
  authority --dir hubei backup /media/safe/hubei-2026-11-28

The copy holds private keys. Try the way back once: authority --dir trial restore /media/safe/hubei-2026-11-28";

/// Copy the whole folder, keys included, to a new one, with a digest of every file
#[derive(Args)]
#[command(after_help = BACKUP)]
pub struct Backup {
    /// A new or empty folder
    to: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub fn run(self, global: &Global) -> Done {
        let workspace = Workspace::open(&global.dir)?;
        let backup = workspace.back_up(&self.to, moment(None))?;
        if self.json {
            print_json(&json!(backup));
            return Ok(());
        }
        let generation = backup.generation.map_or("nothing published yet".to_owned(), |it| format!("generation {it}"));
        say!("{}: {} files in {}, {generation}", backup.issuer, backup.files.len(), self.to.display());
        if !backup.root_keys_elsewhere.is_empty() {
            let number = backup.root_keys_elsewhere.len();
            say!(
                "{number} root key(s) are not in keys/ and so not in it: see that they lie in more than one safe place"
            );
        }
        Ok(())
    }
}

const RESTORE: &str = "\
Examples:
  authority --dir hubei restore /media/safe/hubei-2026-11-28 --mirror https://lists.hubei.example/
  authority --dir hubei restore --mirror https://lists.hubei.example/    only take up what was published since, or elsewhere

The lists that the mirror holds become the drafts where they are newer: what was revoked after the backup stays revoked. Without a mirror
nothing is published from the folder before you say with `publish --after N` which generation was the last.";

/// Bring a backup back, and take up what was published since
#[derive(Args)]
#[command(after_help = RESTORE)]
pub struct Restore {
    /// The backup; without it, the folder stays and only takes up what a mirror holds
    #[arg(required_unless_present = "mirror")]
    backup: Option<PathBuf>,
    /// Where published lists stand, a folder or an address [default with a backup: those that it remembers]
    #[arg(long, value_name = "PLACE")]
    mirror: Vec<Place>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub fn run(self, global: &Global) -> Done {
        let (mut workspace, backup) = match &self.backup {
            Some(from) => {
                let restored = Workspace::restore(&global.dir, from)?;
                (restored.workspace, Some(restored.backup))
            }
            None => (Workspace::open(&global.dir)?, None),
        };
        let mut said = Vec::new();
        if let Some(backup) = &backup {
            said.push(format!("{}: {} files are back, as of {}", backup.issuer, backup.files.len(), backup.made));
        }
        let mirrors = if self.mirror.is_empty() { workspace.mirrors.clone() } else { self.mirror };
        for issuer in workspace.hosted_issuers()? {
            take_up(&mut workspace.hosted(issuer)?, &mirrors, backup.is_some(), &mut said)?;
        }
        take_up(&mut workspace, &mirrors, backup.is_some(), &mut said)?;
        if self.json {
            print_json(&json!({"backup": backup, "said": said}));
        } else {
            said.iter().for_each(|line| say!("{line}"));
        }
        Ok(())
    }
}

/// Takes up the newest that the mirrors hold. One that gives no answer stops nothing while another does.
fn take_up(workspace: &mut Workspace, mirrors: &[Place], restored: bool, said: &mut Vec<String>) -> Done {
    let issuer = workspace.authority.issuer();
    let mut newest: Option<Found> = None;
    let mut silent = None;
    for mirror in mirrors {
        match Found::look(mirror, issuer, workspace.authority.roots()) {
            Ok(Some(found)) => {
                if newest.as_ref().is_none_or(|held| held.record.generation < found.record.generation) {
                    newest = Some(found);
                }
            }
            Ok(None) => (),
            Err(error) => silent = Some(error),
        }
    }
    match (newest, silent) {
        (Some(found), _) => {
            let generation = found.record.generation;
            if workspace.take_up(&found)? {
                said.push(format!("{issuer}: generation {generation} is taken up from the mirror, with its lists"));
            } else {
                said.push(format!("{issuer}: the mirror holds generation {generation}, nothing that is not here"));
            }
            for kid in workspace.authority.keys_elsewhere() {
                said.push(format!("{issuer}: key {kid} is in the lists, and its private half is not here"));
            }
            Ok(())
        }
        (None, Some(error)) if !restored => Err(error.into()),
        (None, _) if !restored => {
            Err(WorkspaceError::Usage(format!("the mirror holds nothing of {issuer}; name another with --mirror")))
        }
        (None, error) => {
            said.extend(error.map(|error| error.to_string()));
            said.push(format!(
                "{issuer}: nobody knows yet whether more was published since: name a mirror (`authority restore --mirror PLACE`) before you \
                 publish"
            ));
            Ok(())
        }
    }
}
