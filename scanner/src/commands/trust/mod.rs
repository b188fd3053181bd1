//! `checkpointd trust`: what this device holds of whom, and why a region's codes count here or not.

mod explain;
pub(super) mod show;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use explain::Explained;
use host::{clock::Clock, config::Config};
use serde::Serialize;
use show::Lists;
use sync::{
    lists,
    update::{Outcome, activation, carry, round},
};
use trustlist::{
    region::Region,
    shadow::Report,
    time::{Moment, UnixTime},
};

use super::{judging, output::print_as, owner, round_report};
use crate::commands::failure::{Exit, Failure};

/// `trust`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: TrustCommand,
}

#[derive(Debug, Subcommand)]
enum TrustCommand {
    /// Show every issuer with the age of its list
    #[command(after_help = "Example:\n  checkpointd trust show --trust /media/stick")]
    Show(Show),
    /// Explain whether an issuer's codes count here, with the lines of the list that say so
    #[command(after_help = "Example:\n  checkpointd trust explain 420100 --relying 440000 --at 2021-02-01T08:00:00Z")]
    Explain(Explain),
    /// Take newer lists from a stick or a folder
    #[command(after_help = "Example:\n  checkpointd trust import /media/stick\n\n\
        Everything is verified before it counts; what is older than here, broken or signed by the wrong keys is left, and said.")]
    Import(Import),
    /// Write this device's lists to a folder that another device can import
    #[command(after_help = "Example:\n  checkpointd trust export /media/stick")]
    Export(Export),
    /// Show what newer lists would change here: those that wait, or a folder's
    #[command(after_help = "Examples:\n  checkpointd trust diff\n  checkpointd trust diff /media/stick --json\n\n\
        Issuers, keys, arrangements, suspensions, risk areas, policies and counts of statuses, an entry a line; and how many of the\n\
        last day's verdicts would have been others. Ends with 0 also when they differ.")]
    Diff(Diff),
    /// Put newer lists in force that wait because they would change much
    #[command(after_help = "Example:\n  checkpointd trust activate\n\n\
        Look at checkpointd trust diff first. Without this they come into force at the deadline that checkpointd status shows;\n\
        a running daemon takes them over within seconds.")]
    Activate(Json),
}

#[derive(Debug, Args)]
struct Import {
    /// The folder above 000000
    folder: PathBuf,
    /// The first national root: whoever names it vouches for it, after its fingerprint was read out. On a device that trusts another one the
    /// nation was founded anew: its lists are verified from this root, must be above every generation that was accepted here, and are in
    /// force at once
    #[arg(long, value_name = "FILE")]
    first_root: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Export {
    /// Where to; made when it is not there
    folder: PathBuf,
}

#[derive(Debug, Args)]
struct Json {
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Diff {
    /// The folder above 000000; what waits on this device when absent
    folder: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Show {
    /// A folder of trust repositories instead of this device's own
    #[arg(long, value_name = "DIR")]
    trust: Option<PathBuf>,
    /// Ages as they would be then (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = judging::rfc3339)]
    at: Option<UnixTime>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Explain {
    /// The issuing region (division code)
    issuer: Region,
    #[command(flatten)]
    judging: judging::Judging,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Shows or explains.
///
/// # Errors
/// When the lists cannot be loaded.
pub fn run(said: &super::ConfigArgs, clock: &Clock, arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.what {
        TrustCommand::Show(arguments) => {
            let config = super::config_args::configuration(said)?;
            let trust = lists::load_trust(arguments.trust.as_deref(), &config)?;
            let moment = match arguments.at {
                Some(at) => Moment::synced(at),
                None => judging::time(clock, &config).moment(&trust),
            };
            print_as(&Lists::of(&trust, moment), arguments.json, Lists::text)
        }
        TrustCommand::Import(import) => {
            let config = super::config_args::configuration(said)?;
            let read = |file: PathBuf| {
                std::fs::read(&file).map_err(|error| Failure::new(file.display().to_string()).because(error))
            };
            let root = import.first_root.map(read).transpose()?;
            owner::take_on(&config.places.state)?;
            let moment = judging::time(clock, &config).judged(lists::load_trust(None, &config).ok().as_ref()).moment;
            let mut store = round::open(&config)?;
            let round = round::folder(&config, &mut store, &import.folder, root.as_deref(), moment)?;
            let exit = round_report::report(&round, import.json)?;
            // Whoever carries a stick has to hear that a part of it was not taken.
            let refused = round.report.issuers.values().any(|outcome| matches!(outcome, Outcome::Refused { .. }));
            Ok(if refused { Exit::Failure } else { exit })
        }
        TrustCommand::Export(export) => {
            let config = super::config_args::configuration(said)?;
            owner::take_on(&config.places.state)?;
            let files = carry::export(&round::open(&config)?, &export.folder)?;
            super::output::print(&format!("{files} files in {}\n", export.folder.display()));
            Ok(Exit::Ok)
        }
        TrustCommand::Diff(diff) => print_as(
            &Changes::of(&super::config_args::configuration(said)?, clock, diff.folder.as_deref())?,
            diff.json,
            Changes::text,
        ),
        TrustCommand::Activate(Json { json }) => {
            let config = super::config_args::configuration(said)?;
            owner::take_on(&config.places.state)?;
            let settled = activation::settle_by_hand(&mut round::open(&config)?)?;
            print_as(&Activated(settled.activated), json, Activated::text)
        }
        TrustCommand::Explain(explain) => {
            let judge = explain.judging.load(said, clock)?;
            print_as(&Explained::of(explain.issuer, &judge), explain.json, Explained::text)
        }
    }
}

/// What newer lists would change, and of how many of the last day's verdicts.
#[derive(Serialize)]
struct Changes {
    #[serde(flatten)]
    difference: carry::Difference,
    verdicts: Report,
}

impl Changes {
    fn of(config: &Config, clock: &Clock, folder: Option<&Path>) -> Result<Changes, Failure> {
        let Some(folder) = folder else {
            let store = round::open(config)?;
            let staged =
                store.staged().map_err(|fault| Failure::new("the trust store cannot be read").because(fault))?;
            let now = judging::time(clock, config).judged(None).moment.at;
            return Ok(match activation::try_staged(config, &store, &staged, now)? {
                Some((here, there, verdicts)) => {
                    Changes { difference: carry::Difference::between(&here, &there), verdicts }
                }
                None => Changes { difference: carry::Difference::default(), verdicts: Report::default() },
            });
        };
        let (here, there) = (lists::load_trust(None, config)?, lists::load_trust(Some(folder), config)?);
        let now = judging::time(clock, config).moment(&here).at;
        let verdicts = activation::try_on_scans(config, &here, &there, now);
        Ok(Changes { difference: carry::Difference::between(&here, &there), verdicts })
    }

    fn text(&self) -> String {
        let mut text = self.difference.text();
        if self.verdicts.scans == 0 {
            return text;
        }
        let Report { scans, changed, resolved, changes } = &self.verdicts;
        text = format!("{}\n\n{changed} of the last day's {scans} verdicts would change", text.trim_end());
        if *resolved > 0 {
            text.push_str(&format!(", and {resolved} more could be given"));
        }
        for change in changes {
            let whose = change.issuer.map_or("?".to_owned(), |issuer| issuer.to_string());
            text.push_str(&format!(
                "\n{:>7}  {whose:<7} {} {} -> {} {}",
                change.scans, change.from, change.because, change.to, change.then
            ));
        }
        text
    }
}

/// What an operator's word put in force.
#[derive(Serialize)]
struct Activated(Vec<(Region, Option<u64>, u64)>);

impl Activated {
    fn text(&self) -> String {
        if self.0.is_empty() {
            return "nothing waits".to_owned();
        }
        let line = |(issuer, from, to): &(Region, Option<u64>, u64)| match from {
            Some(from) => format!("{issuer}  generation {to} in force, after {from}\n"),
            None => format!("{issuer}  generation {to} in force\n"),
        };
        self.0.iter().map(line).collect()
    }
}
