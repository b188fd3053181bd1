//! `authority`: the publisher's command. It alone asks the machine for the time, and only where `--at` does not say it.

use std::{path::PathBuf, process::ExitCode};

use authority::WorkspaceError;
use clap::{Parser, Subcommand};

mod commands;

/// Keys, trust lists, publishing and test codes: what a province, a city or the national platform runs, each on its own machine.
#[derive(Parser)]
#[command(name = "authority", version, propagate_version = true, after_help = EXAMPLE)]
struct Arguments {
    /// Folder of the authority
    #[arg(long, short, global = true, default_value = ".", value_name = "FOLDER")]
    dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
Example: a province and the national platform
  authority --dir hubei init 420000
  authority --dir hubei publish
  authority --dir nation init 000000
  authority --dir nation issuer add 420000 --root hubei/roots/1.root.json
  authority --dir nation arrange 420000 '*' --route direct
  authority --dir nation publish
  authority --dir hubei issue --colour green --out code.png

Times are RFC 3339 (2021-02-01T08:00:00+08:00). Exit status: 0 done, 1 failed, 2 usage.";

#[derive(Subcommand)]
enum Command {
    Init(commands::init::Init),
    Show(commands::show::Show),
    #[command(subcommand)]
    Issuer(commands::issuer::Issuer),
    Arrange(commands::lists::Arrange),
    Suspend(commands::lists::Suspend),
    Resume(commands::lists::Resume),
    RiskArea(commands::lists::Area),
    #[command(subcommand)]
    Policy(commands::lists::PolicyCommand),
    #[command(subcommand)]
    StatusList(commands::statuses::StatusList),
    Publish(commands::publishing::Publish),
    #[command(subcommand)]
    Root(commands::root::RootCommand),
    Issue(Box<commands::issue::Issue>),
    ConfigCode(Box<commands::config_code::ConfigCode>),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let dir = arguments.dir.as_path();
    let done: Result<(), WorkspaceError> = match arguments.command {
        Command::Init(command) => command.run(dir),
        Command::Show(command) => command.run(dir),
        Command::Issuer(command) => command.run(dir),
        Command::Arrange(command) => command.run(dir),
        Command::Suspend(command) => command.run(dir),
        Command::Resume(command) => command.run(dir),
        Command::RiskArea(command) => command.run(dir),
        Command::Policy(command) => command.run(dir),
        Command::StatusList(command) => command.run(dir),
        Command::Publish(command) => command.run(dir),
        Command::Root(command) => command.run(dir),
        Command::Issue(command) => command.run(dir),
        Command::ConfigCode(command) => command.run(dir),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("authority: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_command_shows_an_example() {
        let mut command = Arguments::command();
        command.build();
        fn examine(command: &clap::Command) {
            if command.get_name() == "help" {
                return;
            }
            assert!(command.get_about().is_some(), "{} says what it does", command.get_name());
            let leaf = command.get_subcommands().next().is_none();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(!leaf || help.contains("Example"), "{} shows an example", command.get_name());
            command.get_subcommands().for_each(examine);
        }
        examine(&command);
    }
}
