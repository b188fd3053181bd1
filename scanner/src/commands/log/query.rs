//! `log query` and `log stats`: for eyes, or as JSON.

use std::io::Write;

use cache::log::{Body, Entry, Event, Reader, UnixMillis, Witness, officer::Word, query::Filter};
use clap::Args;
use trustlist::{
    region::Region,
    verdict::{Reason, Verdict},
};
use uuid::Uuid;

use super::{time, unprintable, wrong};
use crate::commands::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(super) struct Query {
    /// Not before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<UnixMillis>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<UnixMillis>,
    /// This lane
    #[arg(long)]
    lane: Option<String>,
    /// admit, refer or refuse
    #[arg(long, value_parser = verdict)]
    verdict: Option<Verdict>,
    /// A reason code such as list-stale
    #[arg(long, value_parser = reason)]
    reason: Option<Reason>,
    /// Codes of this issuer (division code)
    #[arg(long)]
    issuer: Option<Region>,
    /// This scan, and the events that name it
    #[arg(long)]
    id: Option<Uuid>,
    /// Events too, not only scans
    #[arg(long)]
    events: bool,
    /// Oldest first
    #[arg(long)]
    oldest_first: bool,
    /// At most so many rows
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: usize,
    /// One row a line, exactly as chained, with place and hashes
    #[arg(long)]
    json: bool,
}

fn verdict(text: &str) -> Result<Verdict, String> {
    [Verdict::Admit, Verdict::Refer, Verdict::Refuse]
        .into_iter()
        .find(|verdict| verdict.code() == text)
        .ok_or_else(|| "expected admit, refer or refuse".to_owned())
}

fn reason(text: &str) -> Result<Reason, String> {
    text.parse().map_err(|_| {
        let codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        format!("no reason code; known are {}", codes.join(", "))
    })
}

pub(super) fn query(reader: &Reader, query: Query, out: &mut dyn Write) -> Result<Exit, Failure> {
    let filter = Filter {
        from: query.from,
        until: query.until,
        lane: query.lane,
        verdict: query.verdict,
        reason: query.reason,
        issuer: query.issuer,
        id: query.id,
        events: query.events,
        remarkable: true,
        newest_first: !query.oldest_first,
        limit: Some(query.limit),
    };
    let rows = reader.query(&filter).map_err(wrong)?;
    if query.json {
        for row in &rows {
            writeln!(out, "{}", row.line()).map_err(unprintable)?;
        }
        return Ok(Exit::Ok);
    }
    if !rows.is_empty() {
        writeln!(
            out,
            "{:<24}  {:<6} {:<5}  {:<6}  {:<22} {:<6}  {:>8}  SCAN",
            "TIME", "LANE", "WAY", "SAID", "REASON", "ISSUER", "TOOK"
        )
        .map_err(unprintable)?;
    }
    for row in &rows {
        match row.entry() {
            Ok(entry) => print(&entry, by_hand(reader, &entry)?, out),
            Err(error) => writeln!(out, "row {}: not readable by this release ({})", row.seq, error.0),
        }
        .map_err(unprintable)?;
    }
    if rows.is_empty() {
        writeln!(out, "no such rows").map_err(unprintable)?;
    } else if rows.len() == query.limit {
        writeln!(out, "({} rows shown; more with --limit)", rows.len()).map_err(unprintable)?;
    }
    Ok(Exit::Ok)
}

/// What an officer made of a scan.
fn by_hand(reader: &Reader, entry: &Entry) -> Result<Option<Verdict>, Failure> {
    match &entry.body {
        Body::Scan(_) => reader.by_hand(entry.id).map_err(wrong),
        Body::Event(_) => Ok(None),
    }
}

fn print(entry: &Entry, by_hand: Option<Verdict>, out: &mut dyn Write) -> std::io::Result<()> {
    let Entry { id, at, .. } = entry;
    let at = at.to_string();
    match &entry.body {
        Body::Scan(scan) => {
            let issuer = scan.issuer.map_or("-".to_owned(), |issuer| issuer.to_string());
            let by_hand = by_hand.map_or(String::new(), |verdict| format!("  by hand: {}", verdict.code()));
            let took = format!("{} ms", scan.time_to_verdict_us / 1000);
            let (way, said, reason) = (scan.direction.code(), scan.verdict.code(), scan.reason.code());
            writeln!(
                out,
                "{at:<24}  {:<6} {way:<5}  {said:<6}  {reason:<22} {issuer:<6}  {took:>8}  {id}{by_hand}",
                scan.lane
            )
        }
        Body::Event(event) => writeln!(out, "{at:<24}  {}", tell(event)),
    }
}

fn tell(event: &Event) -> String {
    match event {
        Event::Begin { log, follows, witness, .. } => {
            let follows = follows.as_ref().map_or(String::new(), |file| format!(", after {file}"));
            let witness = witness.map_or(String::new(), |Witness { log, seq, by, .. }| {
                format!("; the {} knew {seq} rows of log {log}", by.code())
            });
            format!("the log {log} begins{follows}{witness}")
        }
        Event::Passage { scan, passage } => format!("passage: {} {scan}", passage.code()),
        Event::Gate { lane, what } => format!("gate of lane {lane}: {}", what.code()),
        Event::ConfigurationCode { number, kid, lane, sets } => {
            format!("configuration code {number} of key {kid} at lane {lane} sets {}", sets.join(", "))
        }
        Event::Override(Word { scan, verdict, role, why, .. }) => {
            format!("by hand: a {role} said {verdict} ({why}) of {scan}")
        }
        Event::Config { version, config } => {
            format!("configuration {} in version {version}", config.get(..8).unwrap_or(config))
        }
        Event::Key { key } => format!("signs from here with {key}"),
        Event::Retention { through, rows, unsent, .. } => {
            format!("retention: {rows} rows through {through} deleted, {unsent} of them never acknowledged")
        }
        Event::Gap { openings, at_most, first_ms, last_ms } => {
            let number = match (openings, at_most) {
                (Some(number), _) => number.to_string(),
                (None, Some(most)) => format!("at most {most}"),
                (None, None) => "an unknown number of".to_owned(),
            };
            let moment = |at: &Option<UnixMillis>| at.map_or("an unknown time".to_owned(), |at| at.to_string());
            format!("gap: {number} openings without a row, from {} to {}", moment(first_ms), moment(last_ms))
        }
        Event::Root { old, new, generation } => {
            format!(
                "the nation was founded anew: first root {new} counts, and no longer {old}; generation {generation}"
            )
        }
        Event::Floor { old_ms, new_ms, evidence } => {
            let old = old_ms.map_or("nothing".to_owned(), |old| old.to_string());
            format!("floor of time: from {old} to {new_ms}, by {evidence}")
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Stats {
    /// Not before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<UnixMillis>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<UnixMillis>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn stats(reader: &Reader, arguments: Stats, out: &mut dyn Write) -> Result<Exit, Failure> {
    let cells = reader.stats(arguments.from, arguments.until).map_err(wrong)?;
    if !arguments.json {
        writeln!(
            out,
            "{:<20}  {:<6} {:>6} {:>6} {:>6} {:>6}  {:>8} {:>8} {:>8}  REASONS",
            "HOUR", "LANE", "SCANS", "ADMIT", "REFER", "REFUSE", "P50 MS", "P95 MS", "P99 MS"
        )
        .map_err(unprintable)?;
    }
    for cell in cells {
        if arguments.json {
            let text = serde_json::to_string(&cell).map_err(|error| Failure::new("cannot print it").because(error))?;
            writeln!(out, "{text}").map_err(unprintable)?;
            continue;
        }
        let millis = |micros: u32| f64::from(micros) / 1000.0;
        let times = cell.time_to_verdict_us;
        let reasons: Vec<_> = cell.reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        writeln!(
            out,
            "{:<20}  {:<6} {:>6} {:>6} {:>6} {:>6}  {:>8.1} {:>8.1} {:>8.1}  {}",
            cell.hour.to_string(),
            cell.lane,
            cell.scans,
            cell.admit,
            cell.refer,
            cell.refuse,
            millis(times.p50),
            millis(times.p95),
            millis(times.p99),
            reasons.join(", ")
        )
        .map_err(unprintable)?;
    }
    Ok(Exit::Ok)
}
