//! The command `checkpointd`. Each subcommand is a file in [`scanner::commands`]; this one reads the line and ends the process.

use std::process::ExitCode;

use clap::Parser;
use scanner::commands::{Command, CommandLine};

fn main() -> ExitCode {
    let line = CommandLine::parse();
    scanner::commands::journal::start(line.verbose, matches!(line.command, Command::Run(_)));
    match scanner::commands::run(line) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("checkpointd: {error}");
            error.exit().into()
        }
    }
}
