//! `authority mirror …`: what whoever keeps a mirror runs. It needs no authority's folder and no key.

use std::path::{Path, PathBuf};

use crate::mirror::{self, FILE};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Done, print, print_json};

/// What whoever keeps a mirror runs; needs no key
#[derive(Subcommand)]
pub enum Mirror {
    Index(Index),
}

impl Mirror {
    pub fn run(self) -> Done {
        match self {
            Self::Index(command) => command.run(),
        }
    }
}

const EXAMPLE: &str = "\
Example: after each time that repositories were brought to the mirror
  authority mirror index /srv/lists

Nothing is written while nothing has changed. The exit status is 0 also when a repository is left out: gates ask for its files alone.";

/// Write index.json: every issuer's newest timestamp and root in one file
///
/// Gates then ask one file instead of each repository whether there is anything new. Beside it stands first.json, the small files of all
/// repositories, for gates that hold nothing yet. Neither is signed, and neither needs trust.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct Index {
    /// The mirror's folder, above 000000
    mirror: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Index {
    fn run(self) -> Done {
        let mirror: &Path = &self.mirror;
        let index = mirror::Index::of_mirror(mirror)?;
        if index.listed.is_empty() && index.left_out.is_empty() {
            return Err(crate::WorkspaceError::Usage(format!(
                "{} holds no repository; name the folder above 000000",
                mirror.display()
            )));
        }
        let written = mirror::write(mirror, &index)?;
        mirror::first::write(mirror, &index.listed)?;
        let path = mirror.join(FILE);
        if self.json {
            let left_out = index.left_out.iter();
            print_json(&json!({
                "index": path,
                "written": written,
                "bytes": index.bytes.len(),
                "listed": index.listed,
                "left_out": left_out.map(|(issuer, why)| json!({"issuer": issuer, "why": why.to_string()})).collect::<Vec<_>>(),
            }));
            return Ok(());
        }
        for (issuer, why) in &index.left_out {
            complain!("authority: {issuer} is left out of the index: {why}");
        }
        let news = if written { "" } else { ", as it was" };
        print(&format!("{}: {} repositories, {} bytes{news}", path.display(), index.listed.len(), index.bytes.len()));
        Ok(())
    }
}
