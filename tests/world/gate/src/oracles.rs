//! What must hold whatever happens: each a function, with its reason. A function says what is wrong, or nothing.

use cache::log::{Body, Event, Reader, query::Filter};
use simulated_disk::Disk;
use trustlist::{region::Region, time::TimeTrust};
use uuid::Uuid;

use crate::{
    centre::Centre,
    country::{self, Country, DOCUMENT, NAME, identity},
    gate::{Gate, Pending},
    history::{Code, HOUR, Micros, SECOND, Setup},
    ledger::{Ledger, Opening},
    reference::{self, Case},
};

/// Somebody's word that something does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The oracle's name.
    pub oracle: &'static str,
    /// When, in the world's time.
    pub at: Micros,
    /// What is wrong.
    pub what: String,
}

/// What an oracle says.
pub type Word = Result<(), String>;

/// Bytes written for each row, at most: a flash card lasts for years only below.
const BYTES_A_ROW: u64 = 64 << 10;
/// Two clock readings of one moment may differ by so much, in milliseconds, without the clock having been set.
const JITTER_MS: i64 = 2000;

/// Nobody is let through whom a second and much simpler model of the rules would not let through: one mistake in the judge must not be
/// enough to open a gate.
pub fn admissions_are_allowed(gate: &Gate, country: &Country, code: &Code, pending: &Pending) -> Word {
    let moment = pending.moment;
    if moment.trust == TimeTrust::Untrusted {
        return Err("it was admitted by a clock that is below its floor".to_owned());
    }
    let mut issuers = std::collections::BTreeMap::new();
    for (issuer, generation) in &gate.in_force {
        let Some(facts) = country.facts.get(&(*issuer, *generation)) else {
            return Err(format!("generation {generation} of {issuer} is in force and was never published"));
        };
        issuers.insert(country::number(*issuer), facts.clone());
    }
    let nation = gate.in_force.get(&trustlist::region::NATIONAL).and_then(|generation| country.nation.get(generation));
    let Some(nation) = nation else { return Err("no list of the nation is in force".to_owned()) };
    let facts = country::facts(code);
    let case = Case {
        code: &facts,
        relying: 440_000,
        now: moment.at.0,
        confirmed: moment.is_confirmed(),
        floor: moment.floor.0,
        nation,
        issuers: &issuers,
    };
    match reference::forbidden(&case) {
        Some(rule) => Err(format!("it was admitted, and {rule}")),
        None => Ok(()),
    }
}

/// A clock that a lying service or nobody set admits nobody by itself: who is admitted on an unconfirmed clock is so because the floor
/// agrees. The gate says itself how far it believes its clock; the world knows whether anybody had confirmed it.
pub fn the_clock_is_believed_for_a_reason(pending: &Pending, somebody_confirmed: bool) -> Word {
    match pending.moment.trust {
        TimeTrust::Synced | TimeTrust::Holdover if !somebody_confirmed => Err(format!(
            "the clock is {} and nobody has confirmed it since the power came",
            pending.moment.trust.code()
        )),
        _ => Ok(()),
    }
}

/// One code is admitted once within its window, at all lanes of its group, whatever the disk does: a photograph of a code lets nobody
/// else in. After a crash, and across a clock that was set, as far as the log can know.
pub fn one_code_is_admitted_once(ledger: &Ledger, setup: &Setup, new: &Opening) -> Word {
    let window = Micros::from(setup.window) * SECOND;
    let before = ledger.openings.iter().rev().take_while(|opening| new.at.saturating_sub(opening.at) < window);
    let same = before.filter(|opening| identity(&opening.code) == identity(&new.code));
    for first in same {
        // A row that the crash took cannot be known; one that failed is remembered by the process alone.
        let known = first.process == new.process || first.durable;
        let world_ms = i64::try_from((new.at - first.at) / 1000).unwrap_or(i64::MAX);
        let clock_kept_its_pace = (new.wall_ms - first.wall_ms - world_ms).abs() < JITTER_MS;
        let clock_kept_its_pace = clock_kept_its_pace && world_ms + JITTER_MS < i64::from(setup.window) * 1000;
        if known && clock_kept_its_pace {
            let seconds = (new.at - first.at) as f64 / SECOND as f64;
            return Err(format!(
                "lane {} and, {seconds:.3} s later, lane {} opened for the same code",
                first.lane, new.lane
            ));
        }
    }
    Ok(())
}

/// Nobody is told that a code was used whose code was not: two provinces number alike, and neither may lock the other's holders out.
pub fn used_means_used(ledger: &Ledger, code: &Code) -> Word {
    if ledger.handed.contains(&identity(code)) {
        Ok(())
    } else {
        Err("a code that was never shown is said to be used already".to_owned())
    }
}

/// Lists in force never go back, whatever mirrors offer and whatever crashes: an old list admits whom a newer one revokes.
pub fn lists_never_go_back(ledger: &mut Ledger, gate: &Gate) -> Word {
    for (issuer, generation) in &ledger.in_force {
        let now = gate.in_force.get(issuer);
        if now.is_none_or(|now| now < generation) {
            return Err(format!("{issuer} had generation {generation} in force, and has {now:?}"));
        }
    }
    ledger.in_force.clone_from(&gate.in_force);
    Ok(())
}

/// A list that is dated in the future of a confirmed clock is not in force: an issuer's date speaks for that issuer.
pub fn no_list_is_of_the_future(
    before: &std::collections::BTreeMap<Region, u64>,
    gate: &Gate,
    country: &Country,
    at: i64,
) -> Word {
    for (issuer, generation) in &gate.in_force {
        let new = before.get(issuer) != Some(generation);
        if new && country.facts.get(&(*issuer, *generation)).is_some_and(|facts| facts.issued > at + 86_400) {
            return Err(format!("generation {generation} of {issuer} came into force, and is dated in the future"));
        }
    }
    Ok(())
}

/// No place of a log is used twice: evidence that can be written anew is none.
pub fn no_place_is_used_twice(ledger: &mut Ledger, log: Uuid, seq: u64, hash: [u8; 32]) -> Word {
    match ledger.places.insert((log, seq), hash) {
        Some(before) if before != hash => Err(format!("row {seq} of log {log} has two contents")),
        _ => Ok(()),
    }
}

/// What a receipt acknowledged is at the centre: only such rows may ever be given up.
pub fn acknowledged_rows_are_at_the_centre(reader: &Reader, centre: &Centre) -> Word {
    let Ok(Some(held)) = reader.acknowledged() else { return Ok(()) };
    let Ok(Some(log)) = reader.log_id() else { return Ok(()) };
    // What another database acknowledged is void, and the gate hears so with the next receipt.
    if held.store != centre.store.to_string() {
        return Ok(());
    }
    if held.through > 0 && !centre.rows.contains_key(&(log, held.through)) {
        return Err(format!(
            "rows up to {} count as acknowledged, and the centre does not hold the last",
            held.through
        ));
    }
    Ok(())
}

/// What an acknowledged row says is not changed or lost on the disk: the log's own promise, asked of every row that the gate was told
/// is durable and that retention has not taken.
pub fn durable_rows_are_there(reader: &Reader, ledger: &mut Ledger) -> Word {
    let (mut there, mut first) = (std::collections::BTreeMap::new(), u64::MAX);
    let Ok(Some(log)) = reader.log_id() else { return Ok(()) };
    let filter = Filter { events: true, ..Filter::default() };
    let mut double = None;
    let read = reader.each(&filter, |row| {
        first = first.min(row.seq);
        let value = row.entry().ok().map(|entry| entry.id);
        there.extend(value.map(|id| (id, row.seq)));
        if let Err(what) = no_place_is_used_twice(ledger, log, row.seq, row.hash) {
            double = Some(what);
        }
        true
    });
    if read.is_err() {
        return Ok(());
    }
    if let Some(what) = double {
        return Err(what);
    }
    for (id, (of, head)) in &ledger.durable {
        if *of == log && head.seq >= first && there.get(id) != Some(&head.seq) {
            return Err(format!("row {} was said to be durable, and is not there", head.seq));
        }
    }
    Ok(())
}

/// Every opening has a durable row, or a gap row counts it, or the start after a crash says how many may be missing: an opening that
/// nobody can find out about is a way past the gate.
pub fn openings_are_accounted_for(reader: &Reader, ledger: &Ledger) -> Word {
    let (mut counted, mut at_most, mut rows) = (0, 0, std::collections::BTreeSet::new());
    let filter = Filter { events: true, ..Filter::default() };
    let mut first_row_gone = false;
    let read = reader.each(&filter, |row| {
        first_row_gone |= rows.is_empty() && row.seq > 1;
        if let Ok(entry) = row.entry() {
            rows.insert(entry.id);
            if let Body::Event(Event::Gap { openings, at_most: most, .. }) = entry.body {
                counted += openings.unwrap_or(0);
                at_most += most.unwrap_or(0);
            }
        }
        true
    });
    if read.is_err() || first_row_gone {
        return Ok(());
    }
    let missing = ledger.openings.iter().filter(|opening| !rows.contains(&opening.row)).count() as u64;
    if missing > counted + at_most {
        return Err(format!(
            "{missing} openings have no row; gap rows count {counted}, and starts after a crash at most {at_most}"
        ));
    }
    Ok(())
}

/// Rows go only when they are old: by a clock that was confirmed and steady for a lived day, or by lived time.
pub fn nothing_young_is_deleted(ledger: &Ledger, setup: &Setup, now: Micros, youngest: Micros) -> Word {
    let period = Micros::from(setup.keep_days) * 24 * HOUR;
    let age = now.saturating_sub(youngest);
    let steady = now.saturating_sub(ledger.clock_unsteady) >= 24 * HOUR;
    if age + HOUR < period && !steady {
        return Err(format!(
            "a row of {:.1} hours was given up, after {} days; the clock had been set {:.1} hours ago",
            age as f64 / HOUR as f64,
            setup.keep_days,
            now.saturating_sub(ledger.clock_unsteady) as f64 / HOUR as f64
        ));
    }
    Ok(())
}

/// A row that no centre has goes only after an alarm that stood for the whole period before: twice the period old at least.
pub fn owed_rows_stay(setup: &Setup, now: Micros, youngest_unsent: Micros) -> Word {
    let period = Micros::from(setup.keep_days) * 24 * HOUR;
    if setup.centre && now.saturating_sub(youngest_unsent) + HOUR < period {
        return Err("a row that no centre has was given up before its time".to_owned());
    }
    Ok(())
}

/// A lane waits for the disk no longer than its bound: who stands at the gate sees an answer or a referral.
pub fn no_lane_waits_too_long(waited: std::time::Duration) -> Word {
    let bound = crate::gate::COMMIT_DEADLINE + std::time::Duration::from_millis(100);
    if waited > bound { Err(format!("a lane waited {waited:?}")) } else { Ok(()) }
}

/// The gate closes when its time is over: an open gate that nobody watches admits everybody.
pub fn gates_close(gate: &Gate, lane: usize) -> Word {
    if gate.lanes[lane].open { Err(format!("lane {lane} stands open after its time")) } else { Ok(()) }
}

/// With the right time, mirrors that answer and a disk that writes, the gate admits again by itself: no state needs a screwdriver.
pub fn the_gate_admits_again(admitted: bool, reason: &str) -> Word {
    if admitted { Ok(()) } else { Err(format!("all was well for an hour, and a good code is answered with {reason}")) }
}

/// When all is well again, nothing is owed to the centre any more.
pub fn rows_reach_the_centre(reader: &Reader) -> Word {
    match reader.outbox_counts() {
        Ok(counts) if counts.pending + counts.sent > 64 => {
            Err(format!("all was well for an hour, and {} rows wait for the centre", counts.pending + counts.sent))
        }
        _ => Ok(()),
    }
}

/// One issuer's fault is that issuer's: when all is well again, the others' newest lists are in force.
pub fn others_lists_are_newest(gate: &Gate, country: &Country) -> Word {
    for (issuer, newest) in &country.newest {
        let now = gate.in_force.get(issuer);
        if !country.malicious.contains(issuer) && now != Some(newest) {
            return Err(format!("{issuer} has published generation {newest}, and {now:?} is in force"));
        }
    }
    Ok(())
}

/// The disk is not worn out, and its files stay few.
pub fn the_disk_is_spared(disk: &Disk, rows: u64) -> Word {
    let (written, _) = disk.wear();
    let bound = (rows + 2000) * BYTES_A_ROW;
    if written > bound {
        return Err(format!("{written} bytes were written for {rows} rows"));
    }
    if disk.names().len() > 64 { Err(format!("{} files", disk.names().len())) } else { Ok(()) }
}

/// Nothing personal is in any byte that was written anywhere: no name, no document, no code's text, no code's id.
pub fn nothing_personal_is_written(disk: &Disk, folder: &std::path::Path, shown: &[Code], country: &Country) -> Word {
    let mut needles = vec![NAME.as_bytes().to_vec(), DOCUMENT.as_bytes().to_vec(), b"MR1:".to_vec()];
    for code in shown.iter().take(3) {
        needles.push(identity(code).1);
        let text = country.text(code);
        needles.push(text.as_bytes()[20..40.min(text.len())].to_vec());
    }
    let on_disk = disk.names().into_iter().filter_map(|name| Some((name.clone(), disk.read(&name).ok()?)));
    let beside = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let beside =
        beside.filter_map(|entry| Some((entry.path().display().to_string(), std::fs::read(entry.path()).ok()?)));
    for (name, bytes) in on_disk.chain(beside) {
        if let Some(needle) = needles.iter().find(|needle| contains(&bytes, needle)) {
            let name = name.rsplit('/').next().unwrap_or_default().to_owned();
            return Err(format!("{name} holds {:?}", String::from_utf8_lossy(needle)));
        }
    }
    Ok(())
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return false };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}
