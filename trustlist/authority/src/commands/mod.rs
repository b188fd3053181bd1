//! One file a command. Each opens the folder, changes the value in it and saves it; what may be changed is the library's business.

use authority::WorkspaceError;
use serde::de::DeserializeOwned;
use trustlist::{lists::recognition::Party, region::Region, time::UnixTime};

pub mod config_code;
pub mod init;
pub mod issue;
pub mod issuer;
pub mod lists;
pub mod publishing;
pub mod root;
pub mod show;
pub mod statuses;

type Done = Result<(), WorkspaceError>;

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
    println!("{value:#}");
}
