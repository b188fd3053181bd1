//! One file a command. Each opens the folder, changes the value in it and saves it; what may be changed is the library's business.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
};

use crate::{
    AuthorityError, Workspace, WorkspaceError,
    key::{KeyType, SigningKey},
};
use serde::de::DeserializeOwned;
use trustlist::{lists::recognition::Party, region::Region, time::UnixTime};

/// Prints a line for whoever ran the command.
macro_rules! say {
    ($($part:tt)*) => { $crate::commands::print(&format!($($part)*)) };
}
/// Prints a line about what was left out or needs a look.
macro_rules! complain {
    ($($part:tt)*) => { $crate::commands::warn(&format!($($part)*)) };
}

mod backup;
mod clock;
mod config_code;
mod init;
mod issue;
mod issuer;
mod lists;
mod mirror;
mod publishing;
mod root;
mod show;
mod statuses;

type Done = Result<(), WorkspaceError>;

/// Keys, trust lists, publishing and test codes: what a province, a city or the national platform runs, each on its own machine.
#[derive(clap::Parser)]
#[command(name = "authority", version, propagate_version = true, after_help = EXAMPLE)]
pub struct Arguments {
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

#[derive(clap::Subcommand)]
enum Command {
    Init(init::Init),
    Show(show::Show),
    #[command(subcommand)]
    Issuer(issuer::Issuer),
    Arrange(lists::Arrange),
    Suspend(lists::Suspend),
    Resume(lists::Resume),
    RiskArea(lists::Area),
    #[command(subcommand)]
    Policy(lists::PolicyCommand),
    #[command(subcommand)]
    StatusList(statuses::StatusList),
    Publish(publishing::Publish),
    Backup(backup::Backup),
    Restore(backup::Restore),
    #[command(subcommand)]
    Root(root::RootCommand),
    Issue(Box<issue::Issue>),
    ConfigCode(Box<config_code::ConfigCode>),
    #[command(subcommand)]
    Mirror(mirror::Mirror),
}

impl Arguments {
    /// Does what the line says.
    ///
    /// # Errors
    /// With what happened and what to do about it.
    pub fn run(self) -> Result<(), WorkspaceError> {
        let global = &Global { dir: self.dir, clock_is_right: self.clock_is_right };
        match self.command {
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
        }
    }
}

/// What may stand before every command.
pub struct Global {
    /// The authority's folder.
    pub dir: PathBuf,
    /// Somebody vouches for the time.
    pub clock_is_right: bool,
}

/// Seconds that `--at` may lie after a confirmed clock.
const SKEW: i64 = 300;

impl Global {
    /// The moment that a command signs for: `at`, or now. `nation` is when the national platform last published, where that is known.
    fn moment(
        &self,
        workspace: &Workspace,
        at: Option<UnixTime>,
        nation: Option<UnixTime>,
    ) -> Result<UnixTime, WorkspaceError> {
        let now = moment(None);
        let at = at.unwrap_or(now);
        let confirmed = self.clock_is_right || (at <= now.plus(SKEW) && clock::is_confirmed());
        workspace.check_clock(at, confirmed, nation)?;
        Ok(at)
    }

    /// The moment of an authority's first signature: nothing is signed yet that would be evidence of time, so a clock that nobody confirms may
    /// not be far after the date of this program.
    fn first_moment(&self, at: Option<UnixTime>) -> Result<UnixTime, WorkspaceError> {
        let now = moment(None);
        let at = at.unwrap_or(now);
        let built = env!("AUTHORITY_BUILT").parse().map_or(UnixTime(i64::MIN), UnixTime);
        let confirmed = self.clock_is_right || (at <= now.plus(SKEW) && clock::is_confirmed());
        if confirmed || at <= built.plus(PACKAGE) {
            return Ok(at);
        }
        Err(AuthorityError::ClockAheadOfProgram { at, built }.into())
    }
}

/// How long after its date a program is believed to be in use by an unconfirmed clock, in seconds: a year.
const PACKAGE: i64 = 365 * 86_400;

/// Where keys are made that shall not lie in files.
#[derive(clap::Args)]
pub struct TokenArgs {
    /// Make these keys in a token: the PKCS#11 library that speaks to it. The file that AUTHORITY_PIN_FILE names holds the PIN
    #[arg(long, value_name = "LIBRARY", requires = "token")]
    pkcs11: Option<PathBuf>,
    /// The token's label
    #[arg(long, value_name = "LABEL", requires = "pkcs11")]
    token: Option<String>,
}

impl TokenArgs {
    fn is_given(&self) -> bool {
        self.pkcs11.is_some()
    }
}

/// So many keys, made in the token; none when none is named.
#[cfg(feature = "pkcs11")]
fn made_in_token(arguments: TokenArgs, number: u32, key_type: KeyType) -> Result<Vec<SigningKey>, WorkspaceError> {
    let (Some(module), Some(label)) = (arguments.pkcs11, arguments.token) else { return Ok(Vec::new()) };
    let token = crate::token::Token { module, label };
    Ok((0..number).map(|_| SigningKey::generate_in(token.clone(), key_type)).collect::<Result<_, _>>()?)
}

/// This program was built without PKCS#11.
#[cfg(not(feature = "pkcs11"))]
fn made_in_token(arguments: TokenArgs, _: u32, _: KeyType) -> Result<Vec<SigningKey>, WorkspaceError> {
    if arguments.is_given() {
        return Err(WorkspaceError::Usage("this program was built without PKCS#11; take one that was".to_owned()));
    }
    Ok(Vec::new())
}

/// Goes on when `yes` was said, or somebody at the terminal says it.
fn confirm(what: &str, yes: bool) -> Done {
    if yes {
        return Ok(());
    }
    let unconfirmed = || WorkspaceError::Unconfirmed(what.to_owned());
    if !io::stdin().is_terminal() {
        return Err(unconfirmed());
    }
    warn(&format!("{what}. Is that meant? [y/N]"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|_| unconfirmed())?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(unconfirmed()) }
}

/// The moment that `--at` says, or the machine's.
fn moment(at: Option<UnixTime>) -> UnixTime {
    at.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        UnixTime(since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
    })
}

/// Reads an RFC 3339 time.
fn time(text: &str) -> Result<UnixTime, String> {
    UnixTime::parse_rfc3339(text).ok_or_else(|| "write a time as 2021-02-01T08:00:00+08:00".to_owned())
}

/// Reads a division code or a country.
fn region(text: &str) -> Result<Region, String> {
    text.parse().map_err(|error: trustlist::region::NotARegion| error.to_string())
}

/// Reads a region, or `*` for everybody.
fn party(text: &str) -> Result<Party, String> {
    if text == "*" { Ok(Party::Everybody) } else { region(text).map(Party::Region) }
}

/// Reads one of the words of a list's type; the error names them all.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|error| error.to_string())
}

/// Prints a value as JSON.
fn print_json(value: &serde_json::Value) {
    print(&format!("{value:#}"));
}

/// Prints a line on standard output. Whoever has closed it, as `| head` does, wants no more of it: the work goes on.
pub fn print(line: &str) {
    if let Err(error) = writeln!(io::stdout(), "{line}")
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        warn(&format!("authority: cannot write to standard output: {error}"));
    }
}

/// Prints a line on standard error. When that cannot be written either, there is nobody left to tell.
pub fn warn(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
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
