//! One file a command. Each opens the folder, changes the value in it and saves it; what may be changed is the library's business.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
};

use authority::{
    Workspace, WorkspaceError,
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
    let token = authority::token::Token { module, label };
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
