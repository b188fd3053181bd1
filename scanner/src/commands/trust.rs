//! `checkpointd trust`: what this device holds of whom, and why a region's codes count here or not.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use trustlist::{
    freshness::Freshness,
    lists::recognition::Route,
    recognise::{self, Explanation, Outcome, Presented},
    region::{NATIONAL, Region},
    time::{Moment, TimeTrust, UnixTime},
    trust::Trust,
};

use super::judging;
use crate::{
    failure::{Exit, Failure},
    sync::{carry, round},
};

/// `trust`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
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
    /// Show what a folder's lists would change here
    #[command(after_help = "Example:\n  checkpointd trust diff /media/stick\n\nEnds with 0 also when they differ.")]
    Diff(Diff),
}

#[derive(Debug, Args)]
struct Import {
    /// The folder above 000000
    folder: PathBuf,
    /// The first national root, for a device that has none: whoever names it vouches for it
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
struct Diff {
    /// The folder above 000000
    folder: PathBuf,
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
pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.what {
        What::Show(arguments) => {
            let trust = judging::load_trust(arguments.trust.as_deref(), &super::configuration(config)?)?;
            let moment = match arguments.at {
                Some(at) => Moment { at, trust: TimeTrust::Synced },
                None => judging::now(&trust),
            };
            print(&Lists::of(&trust, moment), arguments.json, Lists::text)
        }
        What::Import(import) => {
            let config = super::configuration(config)?;
            let read = |file: PathBuf| {
                std::fs::read(&file).map_err(|error| Failure::new(file.display().to_string()).because(error))
            };
            let root = import.first_root.map(read).transpose()?;
            let certain = judging::load_trust(None, &config).ok().map(|trust| trust.newest_issue());
            let mut store = round::open(&config)?;
            let report = round::folder(&config, &mut store, &import.folder, root.as_deref(), certain)?;
            super::sync::report(&report, import.json)
        }
        What::Export(export) => {
            let files = carry::export(&round::open(&super::configuration(config)?)?, &export.folder)?;
            super::print(&format!("{files} files in {}\n", export.folder.display()));
            Ok(Exit::Ok)
        }
        What::Diff(diff) => {
            let here = judging::load_trust(None, &super::configuration(config)?)?;
            let there = judging::load_trust(Some(&diff.folder), &super::configuration(config)?)?;
            print(&carry::Difference::between(&here, &there), diff.json, carry::Difference::text)
        }
        What::Explain(explain) => {
            let judge = explain.judging.load(config)?;
            print(&Explained::of(explain.issuer, &judge), explain.json, Explained::text)
        }
    }
}

/// The lists of this device, now.
pub(super) fn show(config: Option<&Path>, json: bool) -> Result<Exit, Failure> {
    let trust = judging::load_trust(None, &super::configuration(config)?)?;
    print(&Lists::of(&trust, judging::now(&trust)), json, Lists::text)
}

fn print<T: Serialize>(what: &T, json: bool, text: fn(&T) -> String) -> Result<Exit, Failure> {
    let shown = if json {
        serde_json::to_string_pretty(what).map_err(|error| Failure::new("cannot print it").because(error))?
    } else {
        text(what)
    };
    super::print(&format!("{}\n", shown.trim_end()));
    Ok(Exit::Ok)
}

/// What is held of whom.
#[derive(Serialize)]
struct Lists {
    generation: u64,
    issued: UnixTime,
    issuers: Vec<IssuerLine>,
    arrangements: usize,
    suspensions: usize,
    risk_areas: usize,
}

#[derive(Serialize)]
struct IssuerLine {
    id: Region,
    name: String,
    formats: Vec<&'static str>,
    keys: usize,
    status_lists: usize,
    generation: Option<u64>,
    issued: Option<UnixTime>,
    age_s: Option<i64>,
    freshness: Option<Freshness>,
}

impl Lists {
    fn of(trust: &Trust, moment: Moment) -> Lists {
        let profile = trust.profile(None);
        let line = |issuer: &trustlist::trust::Issuer| {
            let id = issuer.entry.id;
            let freshness = trust.freshness(id, moment, &profile);
            IssuerLine {
                id,
                name: format!("{} {}", issuer.entry.name.zh, issuer.entry.name.en),
                formats: issuer.entry.formats.iter().map(|format| format.code()).collect(),
                keys: trust.ring().iter().filter(|key| key.issuer == id).count(),
                status_lists: issuer.statuses.len(),
                generation: issuer.repository.map(|repository| repository.generation),
                issued: issuer.repository.map(|repository| repository.issued),
                age_s: freshness.and_then(|(age, _)| age),
                freshness: freshness.map(|(_, step)| step),
            }
        };
        Lists {
            generation: trust.national().generation,
            issued: trust.national().issued,
            issuers: trust.issuers().map(line).collect(),
            arrangements: trust.recognition().arrangements.len(),
            suspensions: trust.recognition().suspensions.len(),
            risk_areas: trust.risk_areas().areas.len(),
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "national list: generation {}, issued {}\n{} arrangements, {} suspensions, {} risk areas\n\n",
            self.generation, self.issued, self.arrangements, self.suspensions, self.risk_areas
        );
        for issuer in &self.issuers {
            let age = issuer.age_s.map_or("-".to_owned(), |seconds| format!("{} h", seconds / 3600));
            text.push_str(&format!(
                "{:<7} {:<11} {:>6}  {} keys, {} status lists, {}  {}\n",
                issuer.id,
                issuer.freshness.map_or("missing", Freshness::code),
                age,
                issuer.keys,
                issuer.status_lists,
                issuer.formats.join("+"),
                issuer.name,
            ));
        }
        text
    }
}

/// The decision for each kind of code that a region's people may show.
#[derive(Serialize)]
struct Explained {
    issuing: Region,
    relying: Region,
    at: UnixTime,
    own_code: Explanation,
    vouched_code: Explanation,
    national_code: Explanation,
}

impl Explained {
    fn of(issuing: Region, judge: &judging::Judge) -> Explained {
        let (relying, at) = (judge.relying(), judge.moment().at);
        let ask = |national, vouched| {
            let presented = Presented { issuing, national: national || issuing == NATIONAL, vouched };
            recognise::recognise(presented, relying, judge.trust().recognition(), at)
        };
        Explained {
            issuing,
            relying,
            at,
            own_code: ask(false, false),
            vouched_code: ask(false, true),
            national_code: ask(true, false),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("codes of {} at a gate of {} on {}\n", self.issuing, self.relying, self.at);
        for (what, explanation) in [
            ("its own code", &self.own_code),
            ("its own code, countersigned by the national platform", &self.vouched_code),
            ("the national code on its behalf", &self.national_code),
        ] {
            text.push_str(&format!("\n{what}: {}\n", answer(&explanation.outcome)));
            if let Outcome::RecognitionSuspended { suspension } = &explanation.outcome {
                text.push_str(&format!(
                    "    by notice {} of {}, {}\n",
                    suspension.notice,
                    suspension.approved_by,
                    window(suspension.window)
                ));
            }
            for tried in &explanation.tried {
                let line = &tried.arrangement;
                text.push_str(&format!(
                    "    {} {} -> {} by the {} route, {}\n",
                    if tried.satisfied { "satisfied:" } else { "not enough:" },
                    line.issuing,
                    line.relying,
                    line.route.code(),
                    window(line.window)
                ));
            }
        }
        text
    }
}

fn answer(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Home => "counts: it is a home code",
        Outcome::Recognised { route: Route::Direct } => "counts, by the direct route",
        Outcome::Recognised { route: Route::Intermediary } => "counts, by the intermediary route",
        Outcome::Recognised { route: Route::National } => "counts, by the national route",
        Outcome::RecognitionSuspended { .. } => "refers: recognition is suspended",
        Outcome::NotVouched => "does not count: an arrangement asks for more",
        Outcome::NotRecognised => "does not count: no arrangement covers the pair",
    }
}

fn window(window: trustlist::time::Window) -> String {
    match (window.from, window.until) {
        (None, None) => "always".to_owned(),
        (Some(from), None) => format!("since {from}"),
        (None, Some(until)) => format!("until {until}"),
        (Some(from), Some(until)) => format!("from {from} until {until}"),
    }
}
