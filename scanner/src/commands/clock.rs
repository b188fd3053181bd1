//! `checkpointd clock`: what this device's clock is worth and which evidence says so; and somebody's word that it is right.

use clap::{Args, Subcommand};
use host::{clock::Clock, settled};
use serde::Serialize;
use sync::lists;
use trustlist::time::{
    UnixTime,
    clock::{Because, settle},
    floor::Floor,
};

use super::{
    ConfigArgs,
    config_args::configuration,
    failure::{Exit, Failure},
    judging,
    output::print,
};

/// `clock`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: ClockCommand,
}

#[derive(Debug, Subcommand)]
enum ClockCommand {
    /// Show the time, how far it is believed, and why
    #[command(after_help = "Example:\n  checkpointd clock show --json")]
    Show {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Say that the clock is right: compare it with a good one first
    #[command(after_help = "Example:\n  date --utc && sudo checkpointd clock settle\n\n\
        It counts until the clock is set or the machine starts anew. Below the date of this program, or below what several issuers\n\
        have signed, nobody's word counts: set the clock first.")]
    Settle,
}

#[derive(Serialize)]
struct Shown {
    time: UnixTime,
    time_trust: &'static str,
    because: Because,
    floor: Floor,
}

/// Shows or settles.
///
/// # Errors
/// When the lists cannot be read, the clock is below what nobody's word lowers, or this user may not.
pub fn run(said: &ConfigArgs, clock: &Clock, arguments: Arguments) -> Result<Exit, Failure> {
    let config = configuration(said)?;
    let trust = lists::load_trust(None, &config)?;
    let time = judging::time(clock, &config);
    match arguments.command {
        ClockCommand::Show { json } => {
            let judged = time.judged(Some(&trust));
            let shown = Shown {
                time: judged.moment.at,
                time_trust: judged.moment.trust.code(),
                because: judged.because,
                floor: judged.floor,
            };
            if json {
                print(&format!("{}\n", serde_json::to_string(&shown).expect("plain data")));
            } else {
                let Shown { time, time_trust, because, floor } = shown;
                let (because, evidence) = (words(because), floor.evidence.code());
                print(&format!("{time}  {time_trust}: {because}\nnot before {}  {evidence}\n", floor.at));
            }
        }
        ClockCommand::Settle => {
            let at = time.moment(&trust).at;
            let at = settle(at, &time.known(Some(&trust))).map_err(|refused| Failure::new(refused.to_string()))?;
            let runtime = &config.places.runtime;
            settled::record(runtime, at).map_err(|error| {
                Failure::new(format!("cannot write into {}; be root, or the user checkpointd", runtime.display()))
                    .because(error)
            })?;
            print(&format!("{at} counts as confirmed until the clock is set or the machine starts anew\n"));
        }
    }
    Ok(Exit::Ok)
}

/// Why a clock is believed as far as it is, for people.
fn words(because: Because) -> &'static str {
    match because {
        Because::ServiceHeard => "a time service confirms it",
        Because::ServiceWasHeard => "a time service confirmed it in this boot",
        Because::Settled => "somebody said in this boot that it is right",
        Because::Battery => "a battery-backed clock ran on while the power was off",
        Because::NobodyConfirms => "nobody has confirmed it in this boot",
        Because::BelowFloor => "it is earlier than is possible",
        Because::ServiceBelowEvidence => "a time service says a time that is earlier than is possible",
        Because::ServiceBelowStored => "a time service says an earlier time than this device was sure of",
    }
}
