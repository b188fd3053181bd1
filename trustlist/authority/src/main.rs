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
    /// The time (of the clock, or of --at) is right although no time service confirms it and nothing was signed for long
    #[arg(long, global = true)]
    clock_is_right: bool,
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
    Backup(commands::backup::Backup),
    Restore(commands::backup::Restore),
    #[command(subcommand)]
    Root(commands::root::RootCommand),
    Issue(Box<commands::issue::Issue>),
    ConfigCode(Box<commands::config_code::ConfigCode>),
    #[command(subcommand)]
    Mirror(commands::mirror::Mirror),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let global = &commands::Global { dir: arguments.dir, clock_is_right: arguments.clock_is_right };
    let done: Result<(), WorkspaceError> = match arguments.command {
        Command::Init(command) => command.run(global),
        Command::Show(command) => command.run(global),
        Command::Issuer(command) => command.run(global),
        Command::Arrange(command) => command.run(global),
        Command::Suspend(command) => command.run(global),
        Command::Resume(command) => command.run(global),
        Command::RiskArea(command) => command.run(global),
        Command::Policy(command) => command.run(global),
        Command::StatusList(command) => command.run(global),
        Command::Publish(command) => command.run(global),
        Command::Backup(command) => command.run(global),
        Command::Restore(command) => command.run(global),
        Command::Root(command) => command.run(global),
        Command::Issue(command) => command.run(global),
        Command::ConfigCode(command) => command.run(global),
        Command::Mirror(command) => command.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::warn(&format!("authority: {error}"));
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
