//! The command `checkpointd`. Each subcommand is a file in [`scanner::commands`]; this one reads the line and ends the process.

use std::process::ExitCode;

use clap::Parser;
use host::clock::Clock;
use scanner::commands::{Command, CommandLine};

#[expect(clippy::disallowed_methods, reason = "here the program is given its clock")]
fn main() -> ExitCode {
    let clock = Clock::machine();
    let line = CommandLine::parse();
    scanner::commands::journal::start(clock.clone(), line.verbose, matches!(line.command, Command::Run(_)));
    match scanner::commands::run(line, &clock) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("checkpointd: {error}");
            error.exit().into()
        }
    }
}
