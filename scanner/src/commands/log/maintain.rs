//! `log prune`, `log outbox` and `log resend`: those that may write.

use std::{io::Write, ops::RangeInclusive, thread, time::Duration};

use cache::{
    log::{Options, ScanLog, device_key, retention::Retention},
    outbox::OutboxUpdate,
};
use clap::Args;
use host::{believed_time::BelievedTime, clock::Clock, places::LogPlace};
use serde_json::json;
use trustlist::time::Moment;

use super::{open, unprintable, wrong};
use crate::{
    commands::{
        failure::{Exit, Failure},
        owner,
    },
    daemon::{machine, owed},
};

/// Pause between two steps of deleting, in which a daemon writes its rows.
const PAUSE: Duration = Duration::from_millis(30);

#[derive(Debug, Args)]
pub(super) struct Prune {
    /// Keep so many days instead of the configured number
    #[arg(long, value_name = "N")]
    days: Option<u32>,
}

pub(super) fn prune(place: &LogPlace, clock: &Clock, arguments: &Prune, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut log = write(place, clock)?;
    clock.ask_services(&place.runtime);
    let time = BelievedTime::new(clock.clone(), &place.runtime, log.time_floor().map(|floor| floor.second()));
    let now = time.judged(None).moment;
    let text = forget(&mut log, arguments.days.unwrap_or(place.retention_days), now)?;
    writeln!(out, "{text}").map_err(unprintable)?;
    Ok(Exit::Ok)
}

pub(super) fn forget(log: &mut ScanLog, days: u32, now: Moment) -> Result<String, Failure> {
    let removed = log.retain(Retention::of(days), now).map_err(wrong)?;
    while log.sweep().map_err(wrong)? {
        // A daemon may be at work on the same log, and its travellers come first.
        thread::sleep(PAUSE);
    }
    let mut text = format!(
        "{} rows older than {days} days deleted ({} never acknowledged by a centre), {} day keys destroyed",
        removed.rows, removed.unsent, removed.keys
    );
    if removed.overdue > 0 {
        text.push_str(&format!("; {} older rows stay, no centre has them yet", removed.overdue));
    }
    if removed.clock_unsteady {
        text.push_str(
            "; the clock deletes nothing before it was confirmed for a day without a jump, only what this device has lived through goes",
        );
    }
    Ok(text)
}

#[derive(Debug, Args)]
pub(super) struct Outbox {
    /// Try dead letters again: `all`, or their place in the chain
    #[arg(long, value_name = "all|SEQ", num_args = 1.., value_delimiter = ',')]
    retry: Vec<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Dead letters that are listed.
const LISTED: usize = 1000;

pub(super) fn outbox(
    place: &LogPlace,
    clock: &Clock,
    arguments: &Outbox,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    if !arguments.retry.is_empty() {
        let all = arguments.retry == ["all"];
        let rows: Result<Vec<u64>, _> = arguments.retry.iter().filter(|_| !all).map(|word| word.parse()).collect();
        let rows = rows.map_err(|_| Failure::usage("--retry takes `all`, or places such as 512,513"))?;
        // Looked up first: a typo must not silently retry nothing.
        let known = open(place)?.dead_letters(usize::MAX >> 1).map_err(wrong)?;
        if let Some(strange) = rows.iter().find(|row| !known.iter().any(|letter| letter.seq == **row)) {
            return Err(Failure::new(format!("row {strange} is no dead letter; `log outbox` lists them")));
        }
        write(place, clock)?.update_outbox(OutboxUpdate::Retry(rows)).map_err(wrong)?;
    }
    let reader = open(place)?;
    let counts = reader.outbox_counts().map_err(wrong)?;
    let letters = reader.dead_letters(LISTED).map_err(wrong)?;
    if arguments.json {
        let letters: Vec<_> =
            letters.iter().map(|letter| json!({"seq": letter.seq, "id": letter.id, "answer": letter.answer})).collect();
        let object = json!({
            "pending": counts.pending, "sent": counts.sent,
            "acknowledged": counts.acknowledged, "dead": counts.dead, "dead_letters": letters,
        });
        writeln!(out, "{object}").map_err(unprintable)?;
        return Ok(Exit::Ok);
    }
    writeln!(
        out,
        "{} waiting, {} sent, {} acknowledged by the centre's receipts, {} refused",
        counts.pending, counts.sent, counts.acknowledged, counts.dead
    )
    .map_err(unprintable)?;
    for letter in letters {
        // What a centre says is its own text: no escape sequence of it reaches the terminal.
        let answer = letter.answer.map_or("no reason given".to_owned(), |answer| answer.escape_debug().to_string());
        writeln!(out, "row {:<8} {}  refused: {answer}", letter.seq, letter.id).map_err(unprintable)?;
    }
    Ok(Exit::Ok)
}

#[derive(Debug, Args)]
pub(super) struct Resend {
    /// The rows, by their place in the chain
    #[arg(value_name = "FROM..TO", value_parser = rows)]
    rows: RangeInclusive<u64>,
}

/// `FROM..TO`, both included.
fn rows(text: &str) -> Result<RangeInclusive<u64>, String> {
    let wrong = || "expected places in the chain such as 100..200, both included".to_owned();
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    let (from, to): (u64, u64) = (from.trim().parse().map_err(|_| wrong())?, to.trim().parse().map_err(|_| wrong())?);
    if from == 0 || to < from { Err(wrong()) } else { Ok(from..=to) }
}

pub(super) fn resend(place: &LogPlace, clock: &Clock, arguments: Resend, out: &mut dyn Write) -> Result<Exit, Failure> {
    let before = open(place)?.outbox_counts().map_err(wrong)?;
    write(place, clock)?.update_outbox(OutboxUpdate::Resend(arguments.rows)).map_err(wrong)?;
    let after = open(place)?.outbox_counts().map_err(wrong)?;
    let again = after.pending.saturating_sub(before.pending);
    writeln!(out, "{again} rows are sent again; {} wait in all", after.pending).map_err(unprintable)?;
    Ok(Exit::Ok)
}

/// Opens for writing, beside a daemon that may be running.
pub(super) fn write(place: &LogPlace, clock: &Clock) -> Result<ScanLog, Failure> {
    // A log that is not there must not be begun by a command.
    drop(open(place)?);
    if let Some(folder) = place.database.parent() {
        owner::take_on(folder)?;
    }
    if !place.key.exists() {
        return Err(Failure::new(format!("{}: the device's key is not there; restore it first", place.key.display())));
    }
    let signer = device_key::open_or_make(&place.key, &place.post)
        .map_err(|error| Failure::new(error.to_string()).because(error))?;
    let options = Options { owed: owed(place), ..Options::new(&place.database, signer, machine(clock)) };
    ScanLog::open(options, cache::log::UnixMillis(clock.unix_millis())).map_err(wrong)
}
