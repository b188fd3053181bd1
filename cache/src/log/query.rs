//! Asking the log: filters in, rows out, in the order of the chain or newest first.

use rusqlite::{OptionalExtension, ToSql, types::Value};
use trustlist::{
    region::Region,
    verdict::{Reason, Verdict},
};
use uuid::Uuid;

use super::{
    fault::Fault,
    hours,
    reader::Reader,
    row::{Body, Entry, Event, UnixMillis, Unreadable},
};

/// Rows read at once.
const PORTION: usize = 512;

/// Which rows. The default is every scan, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Not before.
    pub from: Option<UnixMillis>,
    /// Before.
    pub until: Option<UnixMillis>,
    /// This lane.
    pub lane: Option<String>,
    /// This verdict.
    pub verdict: Option<Verdict>,
    /// This reason.
    pub reason: Option<Reason>,
    /// Codes of this issuer.
    pub issuer: Option<Region>,
    /// This scan, and the events that name it.
    pub id: Option<Uuid>,
    /// Events too, not only scans.
    pub events: bool,
    /// Decisions by hand, gaps and moves of the floor of time too: what somebody must see who reads the scans.
    pub remarkable: bool,
    /// The latest first.
    pub newest_first: bool,
    /// At most so many.
    pub limit: Option<usize>,
}

/// A row as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Place in the chain.
    pub seq: u64,
    /// Its exact text.
    pub body: String,
    /// Hash of the row before.
    pub previous: [u8; 32],
    /// Its hash.
    pub hash: [u8; 32],
}

impl Stored {
    /// What the row says.
    pub fn entry(&self) -> Result<Entry, Unreadable> {
        Entry::parse(self.seq, &self.body)
    }

    /// One line of JSON: place, hashes and the row exactly as chained.
    #[must_use]
    pub fn line(&self) -> String {
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        let Stored { seq, body, previous, hash } = self;
        format!("{{\"seq\":{seq},\"previous\":\"{}\",\"hash\":\"{}\",\"row\":{body}}}", hex(previous), hex(hash))
    }
}

impl Reader {
    /// Hands every matching row to `visit` until it says stop (`false`). Rows are read in portions: never all in memory, and nobody who
    /// reads slowly (a pager, a stick) holds the write-ahead log meanwhile.
    pub fn each(&self, filter: &Filter, mut visit: impl FnMut(Stored) -> bool) -> Result<(), Fault> {
        let mut conditions = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        let mut when = |condition: &str, value: Option<Value>| {
            if let Some(value) = value {
                values.push(value);
                conditions.push(condition.replace('?', &format!("?{}", values.len())));
            }
        };
        when("at_ms >= ?", filter.from.map(|at| at.0.into()));
        when("at_ms < ?", filter.until.map(|at| at.0.into()));
        when("body ->> '$.lane' = ?", filter.lane.clone().map(Value::from));
        when("body ->> '$.verdict' = ?", filter.verdict.map(|verdict| verdict.code().to_owned().into()));
        when("body ->> '$.reason' = ?", filter.reason.map(|reason| reason.code().to_owned().into()));
        when("body ->> '$.issuer' = ?", filter.issuer.map(|issuer| issuer.to_string().into()));
        let by_id = format!("(id = ?{} OR scan = ?)", self.near(filter.id)?);
        when(&by_id, filter.id.map(|id| id.to_string().into()));
        if !filter.events && filter.id.is_none() {
            let kinds = if filter.remarkable { "'scan', 'override', 'gap', 'floor'" } else { "'scan'" };
            conditions.push(format!("kind IN ({kinds})"));
        }
        if self.version >= 2 && (filter.from.is_some() || filter.until.is_some()) {
            let (first, last, rolled) = hours::places(&self.connection, filter.from, filter.until)?;
            conditions.push(format!("(seq BETWEEN {first} AND {last} OR seq > {rolled})"));
        }
        let conditions = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
        let (order, beyond, mut at) =
            if filter.newest_first { ("DESC", "<", i64::MAX as u64) } else { ("ASC", ">", 0) };
        let place = values.len() + 1;
        let sql = format!(
            "SELECT seq, body, previous, hash FROM entries WHERE seq {beyond} ?{place} AND {conditions}
             ORDER BY seq {order} LIMIT ?{}",
            place + 1
        );
        let mut left = filter.limit.unwrap_or(usize::MAX);
        let mut statement = self.connection.prepare(&sql)?;
        while left > 0 {
            let portion = left.min(PORTION);
            let mut found = Vec::new();
            {
                let bounds = [Value::from(i64::try_from(at).unwrap_or(i64::MAX)), Value::from(portion as i64)];
                let values: Vec<&dyn ToSql> = values.iter().chain(&bounds).map(|value| value as &dyn ToSql).collect();
                let mut rows = statement.query(&values[..])?;
                while let Some(row) = rows.next()? {
                    found.push(Stored {
                        seq: row.get(0)?,
                        body: row.get(1)?,
                        previous: row.get(2)?,
                        hash: row.get(3)?,
                    });
                }
            }
            let (count, last) = (found.len(), found.last().map(|stored| stored.seq));
            for stored in found {
                if !visit(stored) {
                    return Ok(());
                }
            }
            let Some(last) = last.filter(|_| count == portion) else { break };
            at = last;
            left -= count;
        }
        Ok(())
    }

    /// The next scans and decisions by hand behind a place of the chain, not before a moment, oldest first: one portion of them.
    pub fn news(&self, behind: u64, from: UnixMillis) -> Result<Vec<Stored>, Fault> {
        let (first, last, rolled) =
            if self.version >= 2 { hours::places(&self.connection, Some(from), None)? } else { (0, 0, 0) };
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, body, previous, hash FROM entries
             WHERE seq > ?1 AND (seq BETWEEN ?2 AND ?3 OR seq > ?4) AND at_ms >= ?5 AND kind IN ('scan', 'override')
             ORDER BY seq LIMIT ?6",
        )?;
        let mut rows = statement.query((behind, first, last, rolled, from.0, PORTION))?;
        let mut news = Vec::new();
        while let Some(row) = rows.next()? {
            news.push(Stored { seq: row.get(0)?, body: row.get(1)?, previous: row.get(2)?, hash: row.get(3)? });
        }
        Ok(news)
    }

    /// What an officer made of a scan, the latest word of all.
    pub fn by_hand(&self, scan: Uuid) -> Result<Option<Verdict>, Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, body FROM entries WHERE scan = ?1 AND kind = 'override' ORDER BY seq DESC LIMIT 1",
        )?;
        let found: Option<(u64, String)> =
            statement.query_row([scan.to_string()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let entry = found.and_then(|(seq, body)| Entry::parse(seq, &body).ok());
        Ok(entry.and_then(|entry| match entry.body {
            Body::Event(Event::Override(word)) => Some(word.verdict),
            _ => None,
        }))
    }

    /// Where a row of this identity may lie: the id holds the time of the row (RFC 9562 §5.7), and the roll-ups know where its hour lies.
    fn near(&self, id: Option<Uuid>) -> Result<String, Fault> {
        let Some(id) = id.filter(|id| self.version >= 2 && id.get_version_num() == 7) else { return Ok(String::new()) };
        let millis = id.as_bytes()[..6].iter().fold(0_i64, |millis, byte| millis << 8 | i64::from(*byte));
        let at = Some(UnixMillis(millis));
        let (first, last, rolled) = hours::places(&self.connection, at, at)?;
        Ok(format!(" AND (seq BETWEEN {first} AND {last} OR seq > {rolled})"))
    }

    /// Hands every row between two places to `visit`, read in portions.
    pub(super) fn each_between<E: From<Fault>>(
        &self,
        first: u64,
        last: u64,
        mut visit: impl FnMut(Stored) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut at = first;
        while at <= last {
            let portion = self.portion(at, last)?;
            let Some(end) = portion.last().map(|stored| stored.seq) else { break };
            portion.into_iter().try_for_each(&mut visit)?;
            at = end + 1;
        }
        Ok(())
    }

    /// The next rows from a place on; none behind the last.
    pub(super) fn portion(&self, from: u64, last: u64) -> Result<Vec<Stored>, Fault> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, body, previous, hash FROM entries WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq LIMIT ?3",
        )?;
        let mut portion = Vec::with_capacity(PORTION);
        let mut rows = statement.query((from, last.min(i64::MAX as u64), PORTION))?;
        while let Some(row) = rows.next()? {
            portion.push(Stored { seq: row.get(0)?, body: row.get(1)?, previous: row.get(2)?, hash: row.get(3)? });
        }
        Ok(portion)
    }

    /// All matching rows; for filters with a limit.
    pub fn query(&self, filter: &Filter) -> Result<Vec<Stored>, Fault> {
        let mut found = Vec::new();
        self.each(filter, |stored| {
            found.push(stored);
            true
        })?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Options, Passage, ScanLog, note::NoteSigner, row::tests::row};
    use crate::machine::Machine;
    use trustlist::time::TimeTrust;

    #[test]
    fn each_filter_keeps_what_it_names_and_together_they_narrow() {
        let directory = tempfile::tempdir().expect("a directory");
        let signer = NoteSigner::new("gate-3", &[5; 32]).expect("a name");
        let path = directory.path().join("scans.db");
        let mut log = ScanLog::open(Options::new(&path, signer, Machine::real()), row(0).at_ms).expect("opened");
        let mut ids = Vec::new();
        for n in 0..12 {
            let mut scan = row(n);
            if n % 4 == 0 {
                (scan.verdict, scan.reason) = (Verdict::Refer, Reason::ListStale);
                scan.issuer = Some("440000".parse().expect("a region"));
            }
            ids.push(log.append(&scan).expect("appended").0);
        }
        let unused = Event::Passage { scan: ids[3], passage: Passage::NotTaken };
        log.record(&unused, row(12).at_ms, TimeTrust::Synced).expect("recorded");
        let reader = Reader::open(&path).expect("opened");
        let count = |filter: Filter| reader.query(&filter).expect("asked").len();

        assert_eq!(count(Filter::default()), 12);
        assert_eq!(count(Filter { events: true, ..Filter::default() }), 14);
        assert_eq!(count(Filter { lane: Some("1".into()), ..Filter::default() }), 4);
        assert_eq!(count(Filter { verdict: Some(Verdict::Refer), ..Filter::default() }), 3);
        assert_eq!(count(Filter { reason: Some(Reason::Ok), ..Filter::default() }), 9);
        assert_eq!(count(Filter { issuer: Some("440000".parse().expect("a region")), ..Filter::default() }), 3);
        let span = Filter { from: Some(row(2).at_ms), until: Some(row(5).at_ms), ..Filter::default() };
        assert_eq!(count(span.clone()), 3);
        assert_eq!(count(Filter { verdict: Some(Verdict::Refer), ..span }), 1);
        assert_eq!(count(Filter { lane: Some("1' OR 1=1 --".into()), ..Filter::default() }), 0);

        let newest = reader.query(&Filter { newest_first: true, limit: Some(2), ..Filter::default() }).expect("asked");
        assert_eq!(newest.iter().map(|stored| stored.seq).collect::<Vec<_>>(), [13, 12]);
        let story = reader.query(&Filter { id: Some(ids[3]), ..Filter::default() }).expect("asked");
        assert_eq!(story.len(), 2, "the scan and what became of it");
        assert!(matches!(story[1].entry().expect("readable").body, Body::Event(event) if event == unused));
    }

    #[test]
    fn what_is_new_is_told_once_and_from_a_moment_on_and_what_an_officer_made_of_a_scan_is_known() {
        let directory = tempfile::tempdir().expect("a directory");
        let signer = NoteSigner::new("gate-3", &[5; 32]).expect("a name");
        let path = directory.path().join("scans.db");
        let mut log = ScanLog::open(Options::new(&path, signer, Machine::real()), row(0).at_ms).expect("opened");
        let ids: Vec<Uuid> = (0..PORTION as i64 + 8).map(|n| log.append(&row(n)).expect("appended").0).collect();
        let reader = Reader::open(&path).expect("opened");
        assert_eq!(reader.by_hand(ids[3]).expect("asked"), None);
        for verdict in [Verdict::Admit, Verdict::Refuse] {
            let word = crate::log::officer::Word {
                scan: ids[3],
                verdict,
                role: "steward".to_owned(),
                why: "papers".to_owned(),
                signed_ms: row(9).at_ms,
                key: String::new(),
                signature: String::new(),
            };
            log.record(&Event::Override(word), row(12).at_ms, TimeTrust::Synced).expect("recorded");
        }
        assert_eq!(reader.by_hand(ids[3]).expect("asked"), Some(Verdict::Refuse), "the latest word");
        let first = reader.news(0, row(4).at_ms).expect("asked");
        assert_eq!(first.len(), PORTION);
        assert_eq!(first[0].entry().expect("readable").at, row(4).at_ms);
        let second = reader.news(first[PORTION - 1].seq, row(4).at_ms).expect("asked");
        assert_eq!(second.len(), 4 + 2, "the rest and the decisions");
        assert_eq!(reader.news(second[5].seq, row(4).at_ms).expect("asked"), []);
    }
}
