//! `authority publish`.

use std::path::{Path, PathBuf};

use authority::{Workspace, publish::Publication};
use clap::Args;
use serde_json::json;
use trustlist::time::UnixTime;

use super::{Done, moment, print_json, time};

const EXAMPLE: &str = "\
Examples:
  authority publish                        to published/, which a file server may serve
  authority publish --out /media/stick     and to a stick, as <issuer>/metadata and <issuer>/targets
  authority publish --at 2021-02-01T08:00:00+08:00";

/// Sign the next generation and write it out
///
/// What did not change is not signed again, so a publication without news costs a gate one small file. Publish at least daily: gates
/// judge by the age of the newest generation.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct Publish {
    /// Write to this folder, too
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// When, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Publish {
    pub fn run(self, dir: &Path) -> Done {
        let mut workspace = Workspace::open(dir)?;
        let (at, out) = (moment(self.at), self.out.as_deref());
        let mut publications = Vec::new();
        // The issuers first: a gate that sees the new national list shall find what it names.
        for issuer in workspace.hosted_issuers()? {
            if workspace.authority.national().is_ok_and(|national| national.issuer(issuer).is_some()) {
                publications.push(workspace.hosted(issuer)?.publish(at, out)?);
            }
        }
        publications.push(workspace.publish(at, out)?);
        if self.json {
            print_json(&publications.iter().map(describe).collect());
            return Ok(());
        }
        for publication in &publications {
            let news = match (publication.changed.len(), publication.gone.len()) {
                (0, 0) => "nothing changed".to_owned(),
                (changed, 0) => format!("{changed} target(s) changed: {}", publication.changed.join(", ")),
                (changed, gone) => format!("{changed} target(s) changed, {gone} gone"),
            };
            println!("{}: generation {} of {at}, {news}", publication.issuer, publication.generation);
        }
        println!("in {}", workspace.published().display());
        Ok(())
    }
}

fn describe(publication: &Publication) -> serde_json::Value {
    json!({
        "issuer": publication.issuer,
        "generation": publication.generation,
        "changed": publication.changed,
        "gone": publication.gone,
        "files": publication.files.iter().map(|(path, _)| path).collect::<Vec<_>>(),
    })
}
