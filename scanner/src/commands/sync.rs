//! `checkpointd sync`: lists from the mirrors, now, by hand or by a timer, or for as long as a service runs.

use std::{
    io::{IsTerminal, Write},
    thread,
    time::Duration,
};

use clap::{Args, Subcommand};
use host::{clock::Clock, config::Config};
use serde_json::json;
use sync::{
    lists,
    update::{
        Connections, SyncResult, activation, link,
        round::{self, Round},
        schedule::{self, SyncSchedule},
        sync_request,
    },
    upload::{self, relay},
};
use trustlist::time::UnixTime;

use super::{judging, owner, round_report::report, trust::show};
use crate::commands::failure::{Exit, Failure};

/// How often a service looks whether the link came up.
const LOOK: Duration = Duration::from_secs(1);

/// `sync`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: SyncCommand,
}

#[derive(Debug, Subcommand)]
enum SyncCommand {
    /// Ask the mirrors once
    #[command(after_help = "Example:\n  checkpointd sync once --json\n\n\
        Ends with 0 when something is new and when nothing is; the last line says which. Ends with 1 when no mirror could be\n\
        reached or the national list was refused; what is here stays in force. On a terminal each issuer is shown as it comes.")]
    Once(Json),
    /// Ask the mirrors by the clock and whenever the link comes up, until it is stopped: for a service beside the daemon
    #[command(after_help = "Example:\n  checkpointd sync run\n\n\
        For gates whose scanning process has no network (network.apart): it takes over what this brings within seconds, and hands\n\
        over its rows, which are carried to upload.url. Ends at once, with 0, where there are neither mirrors nor a centre.")]
    Run,
    /// Show the latest sync, what waits, and how old each list is
    #[command(after_help = "Example:\n  checkpointd sync status")]
    Status(Json),
}

#[derive(Debug, Args)]
struct Json {
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Syncs or tells.
///
/// # Errors
/// When there are no mirrors, or the store cannot be used.
pub fn run(said: &super::ConfigArgs, clock: &Clock, arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.what {
        SyncCommand::Status(Json { json }) => status(said, clock, json),
        SyncCommand::Once(Json { json }) => {
            let mut progress = Progress::default();
            let config = super::config_args::configuration(said)?;
            owner::take_on(&config.places.state)?;
            let round =
                once(&config, clock, &mut Connections::default(), &mut |path, bytes| progress.came(path, bytes));
            progress.end();
            report(&round?, json)
        }
        SyncCommand::Run => keep_asking(&super::config_args::configuration(said)?, clock),
    }
}

fn once(
    config: &Config,
    clock: &Clock,
    connections: &mut Connections,
    watch: &mut dyn FnMut(&str, usize),
) -> Result<Round, Failure> {
    let moment = judging::time(clock, config).judged(lists::load_trust(None, config).ok().as_ref()).moment;
    Ok(round::mirrors(config, &mut round::open(config)?, connections, moment, watch)?)
}

fn keep_asking(config: &Config, clock: &Clock) -> Result<Exit, Failure> {
    let carries = carry_rows(config, clock)?;
    if config.sync.mirrors.is_empty() {
        if !carries {
            log::info!(
                "neither sync.mirrors nor, for another process's rows, upload.url is set: nothing here needs a network"
            );
            return Ok(Exit::Ok);
        }
        loop {
            thread::park();
        }
    }
    let up = link::listen();
    let mut pace = SyncSchedule::of_mirrors(&config.sync, clock.now(), schedule::jitter());
    let mut connections = Connections::default();
    let mut heeded = sync_request::asked_at(config);
    loop {
        let told = sync_request::asked_at(config);
        if told != heeded {
            heeded = told;
            pace.wanted(clock.now());
        }
        if up.as_ref().is_some_and(|up| up.try_recv().is_ok()) {
            log::info!("the link is up");
            pace.link_is_up(clock.now(), schedule::jitter());
        }
        if pace.due(clock.now()) {
            let round = once(config, clock, &mut connections, &mut |_, _| ());
            match &round {
                Ok(round) => log::info!("lists: {}", round.report.to_string().replace('\n', "; ")),
                Err(failure) => log::warn!("lists: {failure}"),
            }
            let peace = round.as_ref().ok().and_then(|round| round.report.peace);
            let well = round.is_ok_and(|round| round.report.result() != SyncResult::Failed);
            pace.ended(well, clock.now(), schedule::jitter());
            if let Some(peace) = peace {
                pace.not_before(peace, clock.now());
            }
        }
        thread::sleep(LOOK.min(pace.pause(clock.now()).max(Duration::from_millis(10))));
    }
}

/// Carries the scanning process's rows to the centre, on a thread of its own; whether there is anything to carry.
fn carry_rows(config: &Config, clock: &Clock) -> Result<bool, Failure> {
    let Some(options) = upload::Options::configured(config).filter(|_| config.network.apart) else { return Ok(false) };
    let mut centre = upload::centre(&options, clock).map_err(|error| Failure::configuration(error.to_string()))?;
    let place = config.places.relay();
    thread::Builder::new()
        .name("rows".to_owned())
        .spawn(move || relay::carry(&place, centre.as_mut()))
        .map_err(|error| Failure::new("cannot start the rows' thread").because(error))?;
    Ok(true)
}

fn status(said: &super::ConfigArgs, clock: &Clock, json: bool) -> Result<Exit, Failure> {
    let settings = super::config_args::configuration(said)?;
    let (last, held) = if settings.places.trust_store().exists() {
        let store = round::open(&settings)?;
        (round::last(&store)?, activation::held(&store)?)
    } else {
        (round::LastSync::default(), None)
    };
    if json {
        super::output::print(&format!("{}\n", json!({ "last": last, "waiting": held })));
        return Ok(Exit::Ok);
    }
    let at = |at: Option<i64>| at.map_or("never".to_owned(), |at| UnixTime(at).to_string());
    super::output::print(&format!(
        "last attempt  {}  {}\nlast success  {}\nwaiting       {}\n\n",
        at(last.last_attempt),
        last.last_result.unwrap_or_default(),
        at(last.last_success),
        held.map_or("nothing".to_owned(), |held| held.line()),
    ));
    show::show(said, clock, false)
}

/// One line that is written over and over, on a terminal.
#[derive(Default)]
struct Progress {
    files: usize,
    bytes: usize,
}

impl Progress {
    fn came(&mut self, path: &str, bytes: usize) {
        self.files += 1;
        self.bytes += bytes;
        if std::io::stderr().is_terminal() {
            let issuer = path.split('/').next().unwrap_or_default();
            // Back to the margin, clear to the end of the line (ECMA-48).
            let line = format!("\r\x1b[K{issuer}  {} files, {} KiB", self.files, self.bytes / 1024);
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }

    fn end(&self) {
        if self.files > 0 && std::io::stderr().is_terminal() {
            let _ = std::io::stderr().write_all(b"\r\x1b[K");
        }
    }
}
