//! `log prune` and `log outbox`: the two that may write.

use std::io::Write;

use cache::{
    log::{Options, ScanLog, device_key, retention::Retention},
    outbox::Mark,
};
use clap::Args;
use host::clock;
use host::places::LogPlace;
use serde_json::json;
use trustlist::time::{Moment, floor::Known};

use super::{open, unprintable, wrong};
use crate::commands::{
    failure::{Exit, Failure},
    owner,
};

#[derive(Debug, Args)]
pub(super) struct Prune {
    /// Keep so many days instead of the configured number
    #[arg(long, value_name = "N")]
    days: Option<u32>,
}

pub(super) fn prune(place: &LogPlace, arguments: &Prune, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut log = write(place)?;
    let known = Known { built: clock::built(), quorum: None, last_sure: log.time_floor().map(|floor| floor.second()) };
    let now = clock::now(&known, &place.runtime).moment;
    let text = forget(&mut log, arguments.days.unwrap_or(place.retention_days), now)?;
    writeln!(out, "{text}").map_err(unprintable)?;
    Ok(Exit::Ok)
}

pub(super) fn forget(log: &mut ScanLog, days: u32, now: Moment) -> Result<String, Failure> {
    let removed = log.retain(Retention::of(days), now).map_err(wrong)?;
    while log.sweep().map_err(wrong)? {}
    Ok(format!(
        "{} rows older than {days} days deleted ({} never acknowledged by a centre), {} day keys destroyed",
        removed.rows, removed.unsent, removed.keys
    ))
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

pub(super) fn outbox(place: &LogPlace, arguments: &Outbox, out: &mut dyn Write) -> Result<Exit, Failure> {
    if !arguments.retry.is_empty() {
        let all = arguments.retry == ["all"];
        let rows: Result<Vec<u64>, _> = arguments.retry.iter().filter(|_| !all).map(|word| word.parse()).collect();
        let rows = rows.map_err(|_| Failure::usage("--retry takes `all`, or places such as 512,513"))?;
        // Looked up first: a typo must not silently retry nothing.
        let known = open(place)?.dead_letters(usize::MAX >> 1).map_err(wrong)?;
        if let Some(strange) = rows.iter().find(|row| !known.iter().any(|letter| letter.seq == **row)) {
            return Err(Failure::new(format!("row {strange} is no dead letter; `log outbox` lists them")));
        }
        write(place)?.mark(Mark::Retry(rows)).map_err(wrong)?;
    }
    let reader = open(place)?;
    let counts = reader.outbox_counts().map_err(wrong)?;
    let letters = reader.dead_letters(LISTED).map_err(wrong)?;
    if arguments.json {
        let letters: Vec<_> = letters
            .iter()
            .map(|letter| json!({"seq": letter.seq, "id": letter.id, "attempts": letter.attempts, "answer": letter.answer}))
            .collect();
        let object = json!({
            "pending": counts.pending, "in_flight": counts.in_flight,
            "acknowledged": counts.acknowledged, "dead": counts.dead, "dead_letters": letters,
        });
        writeln!(out, "{object}").map_err(unprintable)?;
        return Ok(Exit::Ok);
    }
    writeln!(
        out,
        "{} waiting, {} being sent, {} at the centre, {} refused",
        counts.pending, counts.in_flight, counts.acknowledged, counts.dead
    )
    .map_err(unprintable)?;
    for letter in letters {
        let answer = letter.answer.as_deref().unwrap_or("no reason given");
        writeln!(out, "row {:<8} {}  refused after {} attempts: {answer}", letter.seq, letter.id, letter.attempts)
            .map_err(unprintable)?;
    }
    Ok(Exit::Ok)
}

/// Opens for writing, beside a daemon that may be running.
pub(super) fn write(place: &LogPlace) -> Result<ScanLog, Failure> {
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
    let options = Options { upload: place.upload, ..Options::new(&place.database, signer) };
    ScanLog::open(options, cache::log::UnixMillis(clock::unix_millis())).map_err(wrong)
}
