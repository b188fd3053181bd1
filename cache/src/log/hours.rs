//! Roll-ups: what happened in each hour at each lane, kept beside the rows so that a question about a month need not read a million.
//!
//! They grow in the transaction of an anchor (a few hundred rows at once, so that a row alone writes nothing more), and `meta.rolled_up`
//! names the last row they cover: whoever asks adds the rows after it. Each also says where the hour's rows lie in the chain, which is
//! the log's index of time. They hold nothing that the rows do not, and go with them.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};
use trustlist::{
    time::UnixTime,
    verdict::{Reason, Verdict},
};

use super::{
    fault::Fault,
    reader::Reader,
    row::{Body, Entry, ScanRow},
    stats::{LaneHour, Stats, Tally},
    table::{meta_number, set_meta},
    unix_millis::UnixMillis,
};

/// Milliseconds of an hour.
const HOUR: i64 = 3_600_000;
/// The lane under which rows stand that are no scan.
const NO_LANE: &str = "";

fn add(tally: &mut Tally, scan: &ScanRow) {
    *tally.verdicts.entry((scan.verdict, scan.reason)).or_default() += 1;
    tally.times.push(scan.time_to_verdict_us);
}

fn merge(tally: &mut Tally, other: Tally) {
    for (key, count) in other.verdicts {
        *tally.verdicts.entry(key).or_default() += count;
    }
    tally.times.extend(other.times);
    tally.times.sort_unstable();
}

/// `admit ok 17;refer list-stale 2`.
fn verdicts_text(tally: &Tally) -> String {
    let word = |((verdict, reason), count): (&(Verdict, Reason), &u64)| {
        format!("{} {} {count}", verdict.code(), reason.code())
    };
    tally.verdicts.iter().map(word).collect::<Vec<_>>().join(";")
}

fn parse(verdicts: &str, times: &[u8]) -> Tally {
    let mut tally = Tally { times: unpack(times), ..Tally::default() };
    for part in verdicts.split(';') {
        let mut words = part.split(' ');
        let verdict = words.next().and_then(|word| {
            [Verdict::Admit, Verdict::Refer, Verdict::Refuse].into_iter().find(|verdict| verdict.code() == word)
        });
        let reason = words.next().and_then(|word| word.parse().ok());
        let count = words.next().and_then(|word| word.parse().ok());
        if let (Some(verdict), Some(reason), Some(count)) = (verdict, reason, count) {
            tally.verdicts.insert((verdict, reason), count);
        }
    }
    tally
}

/// Ascending numbers as differences, seven bits a byte: two bytes a scan.
fn pack(times: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(times.len() * 2);
    let mut before = 0;
    for time in times {
        let mut difference = time - before;
        before = *time;
        while difference >= 0x80 {
            bytes.push((difference & 0x7f) as u8 | 0x80);
            difference >>= 7;
        }
        bytes.push(difference as u8);
    }
    bytes
}

fn unpack(bytes: &[u8]) -> Vec<u32> {
    let (mut times, mut time, mut difference, mut shift) = (Vec::new(), 0_u32, 0_u32, 0_u32);
    for byte in bytes {
        difference |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        shift += 7;
        if byte & 0x80 == 0 {
            time = time.saturating_add(difference);
            times.push(time);
            (difference, shift) = (0, 0);
        }
    }
    times
}

/// Rolls up at most so many rows more; `true` when there are more.
pub(super) fn roll_up(connection: &Connection, at_most: usize) -> Result<bool, Fault> {
    struct Cell {
        first: u64,
        last: u64,
        tally: Tally,
    }
    let through: u64 = meta_number(connection, "rolled_up")?.unwrap_or(0);
    let mut cells: BTreeMap<(i64, String), Cell> = BTreeMap::new();
    let mut last = through;
    let mut rows = 0;
    {
        let mut statement =
            connection.prepare_cached("SELECT seq, body FROM entries WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
        let mut found = statement.query((through, at_most))?;
        while let Some(row) = found.next()? {
            let seq: u64 = row.get(0)?;
            let body = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            (last, rows) = (seq, rows + 1);
            // A row that this release cannot read is counted by nobody, as when it is read alone.
            let Ok(entry) = Entry::parse(seq, body) else { continue };
            let (lane, scan) = match entry.body {
                Body::Scan(scan) => (scan.lane.clone(), Some(scan)),
                Body::Event(_) => (NO_LANE.to_owned(), None),
            };
            let cell = cells.entry((entry.at.0.div_euclid(HOUR), lane)).or_insert_with(|| Cell {
                first: seq,
                last: seq,
                tally: Tally::default(),
            });
            cell.last = seq;
            if let Some(scan) = scan {
                add(&mut cell.tally, &scan);
            }
        }
    }
    if rows == 0 {
        return Ok(false);
    }
    for ((hour, lane), mut cell) in cells {
        let known = connection
            .prepare_cached("SELECT first, verdicts, times FROM hours WHERE hour = ?1 AND lane = ?2")?
            .query_row((hour, &lane), |row| {
                let (verdicts, times): (String, Vec<u8>) = (row.get(1)?, row.get(2)?);
                Ok((row.get::<_, u64>(0)?, parse(&verdicts, &times)))
            })
            .optional()?;
        let (first, known) = known.unwrap_or((cell.first, Tally::default()));
        merge(&mut cell.tally, known);
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO hours (hour, lane, first, last, verdicts, times) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((hour, &lane, first, cell.last, verdicts_text(&cell.tally), pack(&cell.tally.times)))?;
    }
    set_meta(connection, "rolled_up", &last.to_string())?;
    Ok(rows == at_most)
}

/// Rows up to here are gone, and so is what was counted of hours that lie before.
pub(super) fn forget(connection: &Connection, through: u64) -> Result<(), Fault> {
    connection.prepare_cached("DELETE FROM hours WHERE last <= ?1")?.execute([through])?;
    Ok(())
}

/// Where rows of a span of time may lie in the chain: between these two, or after the last that is rolled up.
pub(super) fn places(
    connection: &Connection,
    from: Option<UnixMillis>,
    until: Option<UnixMillis>,
) -> Result<(u64, u64, u64), Fault> {
    let rolled: u64 = meta_number(connection, "rolled_up")?.unwrap_or(0);
    let from = from.map_or(i64::MIN, |at| at.0.div_euclid(HOUR));
    let until = until.map_or(i64::MAX, |at| at.0.div_euclid(HOUR));
    let mut statement =
        connection.prepare_cached("SELECT min(first), max(last) FROM hours WHERE hour BETWEEN ?1 AND ?2")?;
    let (first, last): (Option<u64>, Option<u64>) =
        statement.query_row((from, until), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((first.unwrap_or(1), last.unwrap_or(0), rolled))
}

impl Reader {
    /// Figures per lane and hour. Hours that the span covers whole are read from the roll-ups; of others, and of what is not rolled up
    /// yet, the rows are.
    pub fn stats(&self, from: Option<UnixMillis>, until: Option<UnixMillis>) -> Result<Vec<LaneHour>, Fault> {
        let inside = |at: UnixMillis| from.is_none_or(|from| at >= from) && until.is_none_or(|until| at < until);
        let view = self.connection().unchecked_transaction()?;
        // A log of version 1 has no roll-ups: every row is read.
        let lanes = if self.version >= 2 {
            "SELECT hour, lane, first, last, verdicts, times FROM hours WHERE lane <> ?1"
        } else {
            "SELECT 0, '', 0, 0, '', x'' WHERE ?1 IS NULL"
        };
        let rolled: u64 = meta_number(&view, "rolled_up")?.unwrap_or(0);
        let mut stats = Stats::default();
        let mut read = |first: u64, last: u64, hour: Option<i64>| -> Result<(), Fault> {
            let mut statement =
                view.prepare_cached("SELECT seq, body FROM entries WHERE seq BETWEEN ?1 AND ?2 AND kind = 'scan'")?;
            let mut rows = statement.query((first, last.min(i64::MAX as u64)))?;
            while let Some(row) = rows.next()? {
                let body = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
                let Ok(Entry { at, body: Body::Scan(scan), .. }) = Entry::parse(row.get(0)?, body) else { continue };
                if inside(at) && hour.is_none_or(|hour| at.0.div_euclid(HOUR) == hour) {
                    stats.add(&scan);
                }
            }
            Ok(())
        };
        let mut whole = Vec::new();
        let mut parts: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
        let mut statement = view.prepare_cached(lanes)?;
        let mut rows = statement.query([NO_LANE])?;
        while let Some(row) = rows.next()? {
            let hour: i64 = row.get(0)?;
            let (start, end) = (UnixMillis(hour * HOUR), UnixMillis(hour * HOUR + HOUR - 1));
            if inside(start) && inside(end) {
                let (verdicts, times): (String, Vec<u8>) = (row.get(4)?, row.get(5)?);
                whole.push((UnixTime(hour * 3600), row.get::<_, String>(1)?, parse(&verdicts, &times)));
            } else if from.is_none_or(|from| end >= from) && until.is_none_or(|until| start < until) {
                let (first, last) = (row.get(2)?, row.get(3)?);
                let part = parts.entry(hour).or_insert((first, last));
                *part = (part.0.min(first), part.1.max(last));
            }
        }
        for (hour, (first, last)) in parts {
            read(first, last, Some(hour))?;
        }
        read(rolled + 1, u64::MAX, None)?;
        for (hour, lane, tally) in whole {
            stats.add_tally(hour, &lane, &tally);
        }
        Ok(stats.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Options, ScanLog, row::tests::row, tests::signer};
    use crate::machine::Machine;

    #[test]
    fn times_are_packed_and_unpacked_as_they_were() {
        for times in [vec![], vec![0], vec![0, 0, 1, 127, 128, 128, 40_000, u32::MAX]] {
            assert_eq!(unpack(&pack(&times)), times);
        }
        assert!(unpack(&[0x80; 40]).is_empty(), "what somebody doctored is no panic");
    }

    #[test]
    fn figures_are_the_same_rolled_up_and_row_by_row_for_every_span() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("scans.db");
        let mut log = ScanLog::open(Options::new(&path, signer(), Machine::real()), row(0).at_ms).expect("opened");
        let changes: Vec<_> = (0..9000)
            .map(|n| {
                let mut scan = row(n);
                if n % 7 == 0 {
                    (scan.verdict, scan.reason) = (Verdict::Refer, Reason::ListStale);
                }
                scan
            })
            .collect();
        for group in changes.chunks(500) {
            log.append_all(group).expect("committed");
        }
        let reader = Reader::open(&path).expect("opened");
        let rolled: u64 = meta_number(reader.connection(), "rolled_up").expect("asked").expect("set");
        assert!(rolled > 8000, "{rolled}: anchors carry the roll-ups along");
        for (from, until) in [(None, None), (Some(1000), None), (Some(2500), Some(2600)), (Some(30), Some(8000))] {
            let (from, until) = (from.map(|n| row(n).at_ms), until.map(|n| row(n).at_ms));
            let mut plain = Stats::default();
            let inside = |at| from.is_none_or(|from| at >= from) && until.is_none_or(|until| at < until);
            changes.iter().filter(|scan| inside(scan.at_ms)).for_each(|scan| plain.add(scan));
            assert_eq!(reader.stats(from, until).expect("asked"), plain.finish(), "{from:?} to {until:?}");
        }
    }
}
