//! `checkpointd log`: ask the scan log, prove it, take it elsewhere, forget, and see what the centre was not told.
//!
//! Everything but `prune`, `outbox --retry` and `resend` only reads, beside a running daemon. Those write, in their own short
//! transactions; run them as the daemon's user, so that no file changes its owner.

mod export;
mod maintain;
mod query;
mod verify;

use std::{
    io::{self, Write},
    path::PathBuf,
};

use cache::log::{Fault, Reader, UnixMillis};
use clap::{Args, Subcommand};
use host::{clock::Clock, places::LogPlace};
use trustlist::time::UnixTime;

use crate::commands::failure::{Exit, Failure};

/// `log`
#[derive(Debug, Args)]
pub struct Arguments {
    /// Another scan log than this device's own: an export, or a damaged one that was set aside
    #[arg(long, value_name = "FILE", global = true)]
    database: Option<PathBuf>,
    #[command(subcommand)]
    what: LogCommand,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// Show scans, the latest first
    #[command(after_help = "Examples:\n  checkpointd log query --verdict refuse --limit 20\n  \
        checkpointd log query --from 2021-02-01T08:00:00Z --lane 2 --json\n  \
        checkpointd log query --id 01775ae8-2204-7bab-be50-b40ae34103be    a scan and what became of it")]
    Query(query::Query),
    /// Count verdicts, reasons and time-to-verdict per lane and hour
    #[command(after_help = "Example:\n  checkpointd log stats --from 2021-02-01T00:00:00Z")]
    Stats(query::Stats),
    /// Prove that no row was edited, removed, inserted, reordered or cut off
    #[command(
        after_help = "Example:\n  checkpointd log verify --public-key gate-3.pub --anchor seen-on-monday.txt\n\n\
        Ends with 1 and names the first bad row when something is wrong."
    )]
    Verify(verify::Verify),
    /// Print the newest anchor, to be kept elsewhere, or the device's public key
    #[command(after_help = "Example:\n  checkpointd log anchor > seen-on-monday.txt\n  \
        checkpointd log anchor --public-key > gate-3.pub")]
    Anchor(verify::Newest),
    /// Write rows of a span of time to a file
    #[command(
        after_help = "Example:\n  checkpointd log export --format sqlite --from 2021-02-01T00:00:00Z monday.db\n\n\
        CSV holds the scans; JSON lines and SQLite hold every row up to an anchor, so that they can be verified."
    )]
    Export(export::Export),
    /// Delete what is older than the retention period, now
    Prune(maintain::Prune),
    /// Show what the centre has not got, and try dead letters again
    #[command(after_help = "Examples:\n  checkpointd log outbox\n  checkpointd log outbox --retry all")]
    Outbox(maintain::Outbox),
    /// Send rows to the centre once more, whatever became of them
    #[command(after_help = "Example:\n  checkpointd log resend 100..200")]
    Resend(maintain::Resend),
}

/// Answers on standard output.
///
/// # Errors
/// With what is wrong, where, and what to do about it.
pub fn run(mut place: LogPlace, clock: &Clock, arguments: Arguments) -> Result<Exit, Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    if let Some(database) = arguments.database {
        place.database = database;
    }
    let exit = answer(&place, clock, arguments.what, &mut out);
    match out.flush() {
        // Whoever read us (`head`) has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit.or(Ok(Exit::Ok)),
        Err(error) => Err(Failure::new("cannot print").because(error)),
        Ok(()) => exit,
    }
}

fn answer(place: &LogPlace, clock: &Clock, what: LogCommand, out: &mut dyn Write) -> Result<Exit, Failure> {
    match what {
        LogCommand::Query(query) => query::query(&open(place)?, query, out),
        LogCommand::Stats(stats) => query::stats(&open(place)?, stats, out),
        LogCommand::Verify(verify) => verify::verify(&place.database, &open(place)?, verify, out),
        LogCommand::Anchor(newest) => verify::newest(&open(place)?, &newest, out),
        LogCommand::Export(export) => export::export(&open(place)?, &export, out),
        LogCommand::Prune(prune) => maintain::prune(place, clock, &prune, out),
        LogCommand::Outbox(outbox) => maintain::outbox(place, clock, &outbox, out),
        LogCommand::Resend(resend) => maintain::resend(place, clock, resend, out),
    }
}

fn open(place: &LogPlace) -> Result<Reader, Failure> {
    Reader::open(&place.database).map_err(|fault| match fault {
        Fault::File(path, error) if error.kind() == io::ErrorKind::NotFound => Failure::new(format!(
            "{}: there is no scan log yet; the daemon makes it at its first start (another place: --database FILE)",
            path.display()
        )),
        fault => wrong(fault),
    })
}

fn wrong(fault: Fault) -> Failure {
    let text = fault.to_string();
    match std::error::Error::source(&fault) {
        Some(cause) => Failure::new(format!("{text} ({cause})")),
        None => Failure::new(text),
    }
}

fn unprintable(error: io::Error) -> Failure {
    Failure::new("cannot print").because(error)
}

/// Reads a time of the command line.
fn time(text: &str) -> Result<UnixMillis, String> {
    let time = UnixTime::parse_rfc3339(text).ok_or("not an RFC 3339 time such as 2021-02-01T08:00:00Z")?;
    Ok(time.into())
}

#[cfg(test)]
mod tests;
