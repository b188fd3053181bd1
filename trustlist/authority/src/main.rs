//! `authority`: the publisher's command. Each of its words is a file in [`authority::commands`]; this one reads the line and ends the process.

use std::process::ExitCode;

use authority::commands::{self, Arguments};
use clap::Parser;

fn main() -> ExitCode {
    match Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::warn(&format!("authority: {error}"));
            ExitCode::FAILURE
        }
    }
}
