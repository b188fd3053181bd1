//! The commands. Each file here is one of them: what it takes, what it prints, what it ends with.

use clap::{Parser, Subcommand};
use host::{clock::Clock, places::LogPlace};

pub mod bench;
pub mod camera;
pub mod check_config;
mod clock;
mod config_args;
#[cfg(feature = "demo")]
pub mod demo;
mod desk;
pub mod doctor;
pub mod enrol;
mod explain;
pub mod failure;
pub mod journal;
mod judging;
pub mod log;
mod output;
mod owner;
mod round_report;
pub mod run;
pub mod scan;
mod second_opinion;
pub mod service_window;
pub mod status;
pub mod sync;
pub mod trust;
pub mod verify;

pub use config_args::ConfigArgs;
use config_args::configuration;
use failure::{Exit, Failure};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "checkpointd",
    version,
    about = "Reads pass codes at offline checkpoints and gives a verdict the lane can act on",
    after_help = "Exit status: 0 done or admitted · 10 refused · 11 referred · 12 no pass code found · 1 failure · 2 usage · 78 configuration"
)]
pub struct CommandLine {
    /// Where the configuration is said.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Say more in the journal.
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Replay pictures through this machine's eye and judge, and say where the time goes
    Bench(bench::Arguments),
    /// List cameras, or look through one and say how well it sees
    Camera(camera::Arguments),
    /// Check the configuration and print what holds
    CheckConfig(check_config::Arguments),
    /// Show what this device's clock is worth, and say that it is right
    Clock(clock::Arguments),
    /// Watch travellers at a gate: nothing is needed, nothing is left behind
    #[cfg(feature = "demo")]
    Demo(demo::Arguments),
    /// Pair another machine as the second line's desk
    Desk(desk::Arguments),
    /// Check everything an installer can get wrong, and say what to do
    Doctor(doctor::Arguments),
    /// Enrol this device at a centre, with the slip that the centre made for it
    Enrol(enrol::Arguments),
    /// Ask, prove, export and prune the scan log
    Log(log::Arguments),
    /// Run the lanes of this checkpoint
    Run(run::Arguments),
    /// Read pass codes from pictures
    Scan(scan::Arguments),
    /// Open a short time in which configuration codes count
    ServiceWindow(service_window::Arguments),
    /// Show how the running daemon does
    Status(status::Arguments),
    /// Bring the lists up to date from the mirrors, now
    Sync(sync::Arguments),
    /// Show the lists, carry them, or explain who is recognised and why
    Trust(trust::Arguments),
    /// Judge code texts from standard input, one a line
    Verify(verify::Arguments),
}

/// Does what the line says, in the time of `clock`.
///
/// # Errors
/// With what happened, where, and what to do about it.
pub fn run(line: CommandLine, clock: &Clock) -> Result<Exit, Failure> {
    let said = &line.config;
    match line.command {
        Command::Bench(arguments) => bench::run(said, clock, arguments),
        Command::Camera(arguments) => camera::run(said, clock, arguments),
        Command::Desk(arguments) => desk::run(said, clock, arguments),
        Command::Doctor(arguments) => doctor::run(said, clock, arguments),
        Command::Enrol(arguments) => enrol::run(said, clock, arguments),
        Command::Status(arguments) => status::run(said, arguments),
        Command::CheckConfig(arguments) => check_config::run(said, clock, arguments),
        #[cfg(feature = "demo")]
        Command::Demo(arguments) => demo::run(clock, arguments),
        Command::Run(arguments) => run::run(said, clock.clone(), arguments),
        Command::Clock(arguments) => clock::run(said, clock, arguments),
        Command::Log(arguments) => log::run(LogPlace::configured(&configuration(said)?), clock, arguments),
        Command::Scan(arguments) => scan::run(said, clock, arguments),
        Command::ServiceWindow(arguments) => service_window::run(said, arguments),
        Command::Sync(arguments) => sync::run(said, clock, arguments),
        Command::Trust(arguments) => trust::run(said, clock, arguments),
        Command::Verify(arguments) => verify::run(said, clock, arguments),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_the_line_sets_outranks_the_files_and_is_named_when_it_is_wrong() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gate.toml");
        std::fs::write(&file, "[checkpoint]\nrelying = \"420000\"\n[[lane]]\nid = \"east-1\"\n").expect("written");
        let file = file.to_str().expect("a plain path");
        let line = |words: &[&str]| {
            let words = ["checkpointd", "--config", file].into_iter().chain(words.iter().copied());
            CommandLine::try_parse_from(words).map(|line| configuration(&line.config))
        };
        let config = line(&["--set", "checkpoint.relying=420100", "--set", "lane.east-1.rearm=1s", "check-config"]);
        let config = config.expect("a line").expect("a configuration");
        assert_eq!(config.relying().expect("set").as_str(), "420100");
        assert_eq!(config.lane[0].rearm, Duration::from_secs(1));
        let failure = line(&["--set", "checkpoint.relyng=1", "check-config"]).expect("a line").expect_err("a typo");
        assert_eq!(failure.exit(), Exit::Configuration);
        let said = failure.to_string();
        assert!(
            said.contains("command line (checkpoint.relyng=1)") && said.contains("did you mean relying?"),
            "{said}"
        );
        for none in ["relying=420100", "checkpoint.relying", ""] {
            let error = line(&["--set", none, "check-config"]).expect_err("no assignment");
            assert_eq!(error.exit_code(), 2, "{error}");
        }
    }
}
