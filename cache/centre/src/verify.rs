//! The central proof: a post's rows as they lie in the database, chained again and held against every anchor the device signed.
//!
//! Pure but for the asking: [`Checker`] is fed rows and anchors and says what does not fit, and from which row on.

use std::{collections::BTreeMap, fmt};

use cache::log::{
    anchor::Anchor,
    chain::{self, Head},
    note::NoteVerifier,
};
use futures_util::{TryStreamExt, pin_mut};
use serde::Serialize;
use uuid::Uuid;

use crate::{database::Database, registry::RegistryError};

/// What does not fit. The words are for people; the place is the first bad row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The log.
    pub log: Uuid,
    /// The first row it concerns.
    pub row: u64,
    /// What.
    pub what: What,
}

/// The kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The row's hash does not follow from its text and its predecessor.
    Changed,
    /// Rows from here on are missing, and the post never gave them up.
    Missing,
    /// A signed anchor has another hash for the row at its place: the first changed row lies after the last anchor that fits.
    Rewritten,
    /// A note among the anchors is not signed by the device.
    Unsigned,
    /// The head says more rows than there are.
    CutShort,
    /// Two signed histories were shown, and both heads are kept.
    Fork,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Changed => "was changed, moved or put in",
            What::Missing => "and what follows it is missing",
            What::Rewritten => "is the first that may have been rewritten: a later signed anchor does not fit",
            What::Unsigned => "has an anchor that its device did not sign",
            What::CutShort => "and all after it are gone from the end",
            What::Fork => "is where a second signed history begins",
        };
        write!(f, "log {}: row {} {what}", self.log, self.row)
    }
}

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows that were chained again.
    pub rows: u64,
    /// Anchors that fit.
    pub anchors: u64,
    /// What does not fit.
    pub findings: Vec<Finding>,
}

/// Walks along one log.
pub struct Checker {
    log: Uuid,
    /// The place and hash the next row is chained to; none where its predecessor is forgotten.
    last: Option<Head>,
    anchors: BTreeMap<u64, [u8; 32]>,
    holes: BTreeMap<u64, Head>,
    good: u64,
    report: Report,
}

impl Checker {
    /// A log with its anchors' notes, and the rows its post gave up (first, and the place and hash of the last).
    #[must_use]
    pub fn new(log: Uuid, device: &NoteVerifier, notes: &[(u64, String)], holes: &[(u64, Head)]) -> Checker {
        let mut checker = Checker {
            log,
            last: None,
            anchors: BTreeMap::new(),
            holes: holes.iter().copied().collect(),
            good: 0,
            report: Report::default(),
        };
        for (seq, note) in notes {
            match Anchor::open(note, device) {
                Ok(anchor) if anchor.log == log && anchor.head.seq == *seq => {
                    checker.anchors.insert(*seq, anchor.head.hash);
                }
                _ => checker.find(*seq, What::Unsigned),
            }
        }
        checker
    }

    fn find(&mut self, row: u64, what: What) {
        self.report.findings.push(Finding { log: self.log, row, what });
    }

    /// The next row, in order.
    pub fn row(&mut self, stored: Head, body: &str) {
        let expected = match self.last {
            Some(last) => last.seq + 1,
            // Rows before may have been forgotten here; the first is chained to the origin, or to an anchor before it.
            None => stored.seq,
        };
        let before = match self.last {
            None if stored.seq == 1 => Some(Head::ORIGIN),
            None => {
                let hole = self.holes.values().find(|last| last.seq + 1 == stored.seq).copied();
                let anchor = self.anchors.get(&(stored.seq - 1)).map(|hash| Head { seq: stored.seq - 1, hash: *hash });
                hole.or(anchor)
            }
            Some(last) if stored.seq == expected => Some(last),
            Some(_) => match self.holes.get(&expected) {
                Some(hole) if hole.seq + 1 == stored.seq => Some(*hole),
                _ => {
                    self.find(expected, What::Missing);
                    None
                }
            },
        };
        if before.is_some_and(|before| chain::hash(stored.seq, &before.hash, body) != stored.hash) {
            self.find(stored.seq, What::Changed);
        }
        if let Some(hash) = self.anchors.get(&stored.seq) {
            if *hash == stored.hash {
                self.good = stored.seq;
                self.report.anchors += 1;
            } else {
                self.find(self.good + 1, What::Rewritten);
            }
        }
        self.report.rows += 1;
        self.last = Some(stored);
    }

    /// The end, held against the head that receipts were given for.
    #[must_use]
    pub fn end(mut self, head: Head) -> Report {
        let last = self.last.map_or(0, |last| last.seq);
        // A log none of whose rows are left says nothing: they were all forgotten.
        if self.last.is_some() && last < head.seq {
            self.find(last + 1, What::CutShort);
        }
        if self.last.is_some_and(|last| last.seq == head.seq && last.hash != head.hash) {
            self.find(self.good + 1, What::Rewritten);
        }
        self.report
    }
}

/// Checks all logs of a post.
pub async fn verify(database: &Database, post: &str) -> Result<Report, RegistryError> {
    let connection = database.connection().await?;
    let sql = "SELECT l.no, l.log, l.key, l.seq, l.hash FROM logs l JOIN posts p ON p.no = l.post WHERE p.name = $1 ORDER BY l.no";
    let logs = connection.query(sql, &[&post]).await?;
    if logs.is_empty() {
        return Err(RegistryError::Unknown(post.to_owned()));
    }
    let place =
        |seq: i64, hash: &[u8]| Head { seq: u64::try_from(seq).unwrap_or(0), hash: hash.try_into().unwrap_or([0; 32]) };
    let mut whole = Report::default();
    for row in logs {
        let (no, log, key): (i32, Uuid, String) = (row.get(0), row.get(1), row.get(2));
        let head = place(row.get(3), row.get(4));
        let Ok(device) = key.parse() else { continue };
        let notes = connection.query("SELECT seq, note FROM anchors WHERE log = $1 ORDER BY seq", &[&no]).await?;
        let notes: Vec<(u64, String)> =
            notes.iter().map(|row| (u64::try_from(row.get::<_, i64>(0)).unwrap_or(0), row.get(1))).collect();
        let holes = connection.query("SELECT first, last, hash FROM holes WHERE log = $1", &[&no]).await?;
        let holes: Vec<(u64, Head)> = holes
            .iter()
            .map(|row| (u64::try_from(row.get::<_, i64>(0)).unwrap_or(0), place(row.get(1), row.get(2))))
            .collect();
        let mut checker = Checker::new(log, &device, &notes, &holes);
        let sql = "SELECT seq, hash, body FROM entries WHERE log = $1 ORDER BY seq";
        let rows = connection.query_raw(sql, [&no]).await?;
        pin_mut!(rows);
        while let Some(row) = rows.try_next().await? {
            checker.row(place(row.get(0), row.get(1)), row.get(2));
        }
        let mut report = checker.end(head);
        for fork in connection.query("SELECT first_bad FROM forks WHERE log = $1", &[&no]).await? {
            let row = u64::try_from(fork.get::<_, i64>(0)).unwrap_or(0);
            report.findings.push(Finding { log, row, what: What::Fork });
        }
        whole.rows += report.rows;
        whole.anchors += report.anchors;
        whole.findings.append(&mut report.findings);
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cache::log::{note::NoteSigner, row::UnixMillis};

    const LOG: Uuid = Uuid::from_u128(7);

    fn device() -> NoteSigner {
        NoteSigner::new("gate-3", &[5; 32]).expect("a name")
    }

    fn rows(count: u64) -> Vec<(Head, String)> {
        let mut head = Head::ORIGIN;
        (1..=count)
            .map(|row| {
                let body = format!("{{\"row\":{row}}}");
                head = head.followed_by(&body);
                (head, body)
            })
            .collect()
    }

    fn note(head: Head) -> (u64, String) {
        (head.seq, Anchor { log: LOG, head, at: UnixMillis(0) }.sign(&device()))
    }

    fn check(rows: &[(Head, String)], notes: &[(u64, String)], holes: &[(u64, Head)], head: Head) -> Vec<(u64, What)> {
        let mut checker = Checker::new(LOG, &device().verifier(), notes, holes);
        for (stored, body) in rows {
            checker.row(*stored, body);
        }
        checker.end(head).findings.iter().map(|finding| (finding.row, finding.what)).collect()
    }

    #[test]
    fn what_was_changed_moved_cut_or_chained_anew_is_found_with_its_first_row() {
        let good = rows(9);
        let head = good[8].0;
        let notes = [note(good[2].0), note(good[5].0), note(head)];
        assert_eq!(check(&good, &notes, &[], head), []);
        let mut changed = good.clone();
        changed[4].1 = "{\"row\":50}".into();
        assert_eq!(check(&changed, &notes, &[], head), [(5, What::Changed)]);
        let mut removed = good.clone();
        removed.drain(3..5);
        assert_eq!(check(&removed, &notes, &[], head), [(4, What::Missing)]);
        assert_eq!(check(&good[..7], &notes, &[], head), [(8, What::CutShort)]);
        // Somebody with the database, and without the device's key, chains anew from row 5 on.
        let mut anew = good.clone();
        let mut last = anew[3].0;
        for (stored, body) in &mut anew[4..] {
            *body = body.replace("row", "now");
            last = last.followed_by(body);
            *stored = last;
        }
        assert_eq!(check(&anew, &notes, &[], last), [(4, What::Rewritten), (4, What::Rewritten)]);
        let mut forged = notes.clone();
        forged[0].1 = NoteSigner::new("gate-3", &[6; 32]).expect("a name").sign("checkpointd scan log 1\n");
        assert_eq!(check(&good, &forged, &[], head), [(3, What::Unsigned)]);
    }

    #[test]
    fn what_was_forgotten_or_given_up_is_no_finding() {
        let good = rows(9);
        let head = good[8].0;
        let notes = [note(good[2].0), note(head)];
        assert_eq!(check(&good[3..], &notes, &[], head), [], "forgotten up to an anchor");
        assert_eq!(check(&good[4..], &notes, &[], head), [], "forgotten up to where no anchor is");
        let mut cut = good.clone();
        cut.drain(4..6);
        assert_eq!(check(&cut, &notes, &[(5, good[5].0)], head), [], "given up by the post");
        assert_eq!(check(&[], &notes, &[], head), []);
    }
}
