//! One file a command. Each opens the folder, changes the value in it and saves it; what may be changed is the library's business.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
};

use authority::{Workspace, WorkspaceError};
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

pub mod backup;
pub mod clock;
pub mod config_code;
pub mod init;
pub mod issue;
pub mod issuer;
pub mod lists;
pub mod mirror;
pub mod publishing;
pub mod root;
pub mod show;
pub mod statuses;

type Done = Result<(), WorkspaceError>;

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
