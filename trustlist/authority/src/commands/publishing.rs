//! `authority publish`.

use std::path::PathBuf;

use crate::{Workspace, WorkspaceError, changes::Changes, place::Place, publish::Publication};
use clap::Args;
use serde_json::json;
use trustlist::time::UnixTime;

use super::{Done, Global, confirm, print_json, time};

const EXAMPLE: &str = "\
Examples:
  authority publish                        to published/, which a file server may serve
  authority publish --dry-run              only show what would change
  authority publish --yes                  from a timer: nobody is there to be asked
  authority publish --mirror https://lists.hubei.example/
  authority publish --out /media/stick     and to a stick, as <issuer>/metadata and <issuer>/targets
  authority publish --at 2021-02-01T08:00:00+08:00

Before anything is signed, published/, every mirror that was named once with --mirror, and --out are looked at: gates refuse a generation
that goes back, and two of one number.";

/// Lines of changes that are shown to people.
const LINES: usize = 40;
/// Days before its end when a root's renewal is asked for.
const RENEW_ROOT: i64 = 60;

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
    /// Where what is published ends up, a folder or an address: looked at before this publication and every later one
    #[arg(long, value_name = "PLACE")]
    mirror: Vec<Place>,
    /// Do not look at the mirrors this time
    #[arg(long)]
    without_mirrors: bool,
    /// Sign numbers above this generation: the last that gates hold, where this folder does not know it
    #[arg(long, value_name = "N")]
    after: Option<u64>,
    /// The national platform's first root: its lists on a mirror are then evidence of time
    #[arg(long, value_name = "FILE")]
    nation_root: Option<PathBuf>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Do not ask when much would change
    #[arg(long)]
    yes: bool,
    /// When, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Publish {
    pub fn run(self, global: &Global) -> Done {
        let mut workspace = Workspace::open(&global.dir)?;
        if let Some(path) = &self.nation_root {
            let root = std::fs::read(path).map_err(|error| WorkspaceError::io("read", path, error))?;
            workspace.keep_national_root(&root)?;
        }
        let new: Vec<Place> = self.mirror.into_iter().filter(|place| !workspace.mirrors.contains(place)).collect();
        workspace.mirrors.extend(new);
        let mirrors = if self.without_mirrors { Vec::new() } else { workspace.mirrors.clone() };
        let out = self.out.as_deref();
        let stick = out.filter(|out| out.is_dir()).map(|out| Place::Folder(out.to_owned()));
        let stick = stick.as_slice();
        let nation = workspace.nation_published(&mirrors)?;
        let at = global.moment(&workspace, self.at, nation)?;

        // The issuers first: a gate that sees the new national list shall find what it names.
        let mut parts = Vec::new();
        for issuer in workspace.hosted_issuers()? {
            if workspace.authority.national().is_ok_and(|national| national.issuer(issuer).is_some()) {
                parts.push(workspace.hosted(issuer)?);
            }
        }
        parts.push(workspace);
        let mut changes = Vec::new();
        for part in &parts {
            part.check_last(&mirrors, stick, self.after)?;
            changes.push(part.changes(at)?);
        }
        let much: Vec<&str> = changes.iter().flat_map(|changes| &changes.much).map(String::as_str).collect();
        if !self.json {
            parts.iter().zip(&changes).for_each(|(part, changes)| show(part, changes));
        }
        if self.dry_run {
            if self.json {
                let parts = parts.iter().zip(&changes);
                print_json(
                    &parts
                        .map(|(part, changes)| json!({"issuer": part.authority.issuer(), "changes": changes}))
                        .collect(),
                );
            }
            return Ok(());
        }
        if !much.is_empty() {
            confirm(&much.join("; "), self.yes)?;
        }
        let mut publications = Vec::new();
        for part in &mut parts {
            publications.push(part.publish(at, self.after.unwrap_or(0), out)?);
        }
        if self.json {
            let all = publications.iter().zip(&changes);
            print_json(&all.map(|(publication, changes)| describe(publication, changes)).collect());
        } else {
            publications.iter().for_each(|publication| tell(publication, at));
            if let Some(workspace) = parts.last() {
                say!("in {}", workspace.published().display());
            }
        }
        for publication in &publications {
            warn_of_root(publication.issuer.as_str(), publication.expiries.root, at);
        }
        Ok(())
    }
}

/// Says what would change, to people.
fn show(part: &Workspace, changes: &Changes) {
    if changes.first || changes.is_empty() {
        return;
    }
    say!("{}: changes since the last generation", part.authority.issuer());
    for line in changes.lines.iter().take(LINES) {
        say!("  {line}");
    }
    if changes.lines.len() > LINES {
        say!("  … and {} more (--json shows all)", changes.lines.len() - LINES);
    }
}

fn tell(publication: &Publication, at: UnixTime) {
    let news = match (publication.changed.len(), publication.gone.len()) {
        (0, 0) => "nothing changed".to_owned(),
        (changed, 0) => format!("{changed} target(s) changed: {}", publication.changed.join(", ")),
        (changed, gone) => format!("{changed} target(s) changed, {gone} gone"),
    };
    say!("{}: generation {} of {at}, {news}", publication.issuer, publication.generation);
    for (kid, from) in &publication.announced {
        say!("{}: key {kid} is announced and signs from {from}", publication.issuer);
    }
}

/// Says it in time when a root ends: afterwards no gate takes anything from the issuer.
pub fn warn_of_root(issuer: &str, expires: UnixTime, at: UnixTime) {
    let days = expires.since(at) / 86_400;
    if expires <= at {
        complain!(
            "authority: {issuer}: the root expired at {expires}; bring the root keys and run `authority root rotate`, then publish"
        );
    } else if days < RENEW_ROOT {
        complain!(
            "authority: {issuer}: the root expires at {expires}, in {days} days; bring the root keys and run `authority root rotate`"
        );
    }
}

fn describe(publication: &Publication, changes: &Changes) -> serde_json::Value {
    let announced = publication.announced.iter().map(|(kid, from)| json!({"kid": kid, "from": from}));
    json!({
        "issuer": publication.issuer,
        "generation": publication.generation,
        "changed": publication.changed,
        "gone": publication.gone,
        "changes": changes,
        "announced": announced.collect::<Vec<_>>(),
        "expires": publication.expiries,
        "files": publication.files.iter().map(|(path, _)| path).collect::<Vec<_>>(),
    })
}
