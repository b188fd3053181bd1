//! Reading the whole chain as a stranger would: what was edited, removed, inserted, reordered or cut?
//!
//! Three proofs fit together. Every row's hash covers its text, its place and its predecessor. Anchors, signed by the
//! device, pin the hash at their row; one that was exported earlier pins it even against somebody who holds the device's
//! key. A receipt of retention, itself chained and anchored, says which rows at the beginning may be absent.
//!
//! What this cannot find: rows cut from the end that no anchor covered yet (at most 256 rows or a minute).

use std::{collections::BTreeMap, fmt};

use uuid::Uuid;

use super::{
    anchor::{Anchor, AnchorError},
    chain::{self, Head},
    fault::Fault,
    note::NoteVerifier,
    officer::Officers,
    reader::Reader,
    row::{Body, Entry, Event},
};

/// Findings that are listed; a file that was doctored all over needs no longer list.
const LISTED: usize = 50;

/// What the reader brings along.
#[derive(Debug, Default)]
pub struct Evidence {
    /// The device's verification keys, obtained elsewhere. Empty: the keys the log itself names are used, which proves
    /// only that the log agrees with itself.
    pub keys: Vec<NoteVerifier>,
    /// Anchors that were exported or uploaded earlier.
    pub anchors: Vec<String>,
    /// The file is an export that begins somewhere in the middle: that its beginning is absent is no finding.
    pub excerpt: bool,
    /// The officers of that time. Without them a signature proves only that one key made it, not whose.
    pub officers: Option<Officers>,
}

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The row's hash does not fit its text, place and predecessor: it was changed, moved or put in.
    Edited {
        /// Where.
        seq: u64,
        /// The identity it claims.
        id: String,
    },
    /// The next row was chained to another row than this one: this one was replaced, or others stood between.
    Replaced {
        /// Where.
        seq: u64,
    },
    /// Rows are absent from the middle.
    Missing {
        /// The first absent row.
        from: u64,
        /// The last.
        through: u64,
    },
    /// Rows are absent from the beginning, and no anchored receipt covers that.
    BeginningGone {
        /// The first row that is there.
        first: u64,
    },
    /// An anchor pins another hash: everything was chained anew from some row in this range on.
    Rewritten {
        /// The first row that may be the first changed one.
        from: u64,
        /// The last.
        through: u64,
    },
    /// Rows are absent from the end.
    TailGone {
        /// The last row that is there; 0 when none is.
        last: u64,
        /// An anchor was signed up to here.
        anchored: u64,
    },
    /// An anchor is not signed by a key we believe, or is none.
    BadAnchor {
        /// The row it is stored under; `None` for one that was brought along.
        seq: Option<u64>,
        /// Why.
        error: AnchorError,
    },
    /// An anchor is of another log.
    OtherLog {
        /// The log the anchor names.
        anchor: Uuid,
    },
    /// An officer's word does not hold: its signature is of no key, or its key of no officer.
    BadWord {
        /// Where.
        seq: u64,
    },
    /// The file is a log and holds nothing, not even its beginning.
    Empty,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { seq, id } => {
                write!(f, "row {seq} ({id}) was changed, moved or put in: its hash does not fit")
            }
            Self::Replaced { seq } => write!(f, "row {seq} was replaced: row {} was chained to another", seq + 1),
            Self::Missing { from, through } => write!(f, "rows {from} to {through} were removed"),
            Self::BeginningGone { first } => {
                write!(f, "rows 1 to {} are gone, and no anchored receipt of retention covers that", first - 1)
            }
            Self::Rewritten { from, through } => {
                write!(f, "the rows were chained anew: the first changed one lies between {from} and {through}")
            }
            Self::TailGone { last, anchored } => {
                write!(f, "the end is gone: the last row is {last}, and an anchor was signed at row {anchored}")
            }
            Self::BadAnchor { seq: Some(seq), error } => write!(f, "the stored anchor of row {seq}: {error}"),
            Self::BadAnchor { seq: None, error } => write!(f, "the anchor that was brought along: {error}"),
            Self::OtherLog { anchor } => write!(f, "an anchor belongs to another log ({anchor})"),
            Self::BadWord { seq } => {
                write!(f, "row {seq} is no officer's word: its signature does not hold, or its key is not that role's")
            }
            Self::Empty => f.write_str("the log holds no rows at all"),
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// First row that is there.
    pub first: u64,
    /// Last row that is there.
    pub last: u64,
    /// Rows read.
    pub rows: u64,
    /// Anchors that hold.
    pub anchors: u64,
    /// Officers' words whose signatures hold.
    pub words: u64,
    /// The last row an anchor covers; later ones prove order only.
    pub anchored: u64,
    /// Rows retention has deleted, by its anchored receipts.
    pub cut: u64,
    /// Whether the keys came from outside the log.
    pub keys_from_outside: bool,
    /// What is wrong, in the order of rows.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    /// The first row that is wrong, or where the first wrong one may begin.
    #[must_use]
    pub fn first_bad_row(&self) -> Option<u64> {
        let place = |finding: &Finding| match finding {
            Finding::Edited { seq, .. } | Finding::Replaced { seq } | Finding::BadWord { seq } => Some(*seq),
            Finding::Missing { from, .. } | Finding::Rewritten { from, .. } => Some(*from),
            Finding::BeginningGone { .. } => Some(1),
            Finding::TailGone { last, .. } => Some(last + 1),
            Finding::BadAnchor { .. } | Finding::OtherLog { .. } | Finding::Empty => None,
        };
        self.findings.iter().filter_map(place).min()
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < LISTED {
            self.findings.push(finding);
        }
    }
}

/// A receipt met on the way.
struct Receipt {
    at: u64,
    through: u64,
    head: [u8; 32],
}

/// Reads the whole log in one consistent view.
pub fn verify(reader: &Reader, evidence: &Evidence) -> Result<Report, Fault> {
    let view = reader.connection.unchecked_transaction()?;
    let mut report = Report { keys_from_outside: !evidence.keys.is_empty(), ..Report::default() };
    let log: Option<Uuid> = super::meta(&view, "log")?.and_then(|text| text.parse().ok());

    let mut notes: Vec<(Option<u64>, String)> = Vec::new();
    {
        let mut statement = view.prepare("SELECT seq, note FROM anchors ORDER BY seq")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            notes.push((Some(row.get(0)?), row.get(1)?));
        }
    }
    notes.extend(evidence.anchors.iter().map(|note| (None, note.clone())));

    // The walk. Hashes are kept only where an anchor or a receipt will ask for them.
    let mut statement = view.prepare("SELECT seq, body, previous, hash FROM entries ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let mut last: Option<Head> = None;
    let mut beginning = Head::ORIGIN;
    let mut hashes: BTreeMap<u64, [u8; 32]> = BTreeMap::new();
    let mut receipts: Vec<Receipt> = Vec::new();
    let mut keys = evidence.keys.clone();
    let wanted = WantedHashes::of(&notes);
    let mut last_fits = true;
    while let Some(row) = rows.next()? {
        let (seq, previous, hash): (u64, [u8; 32], [u8; 32]) = (row.get(0)?, row.get(2)?, row.get(3)?);
        let body = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        report.rows += 1;
        let fits = chain::hash(seq, &previous, body) == hash;
        match last {
            None => {
                report.first = seq;
                beginning = Head { seq: seq.saturating_sub(1), hash: previous };
            }
            Some(last) if seq != last.seq + 1 => {
                report.find(Finding::Missing { from: last.seq + 1, through: seq - 1 });
            }
            // This row is as it was written and names another predecessor: that one was replaced.
            Some(last) if fits && last_fits && previous != last.hash => {
                report.find(Finding::Replaced { seq: last.seq });
            }
            Some(_) => {}
        }
        if !fits {
            let id = Entry::parse(seq, body).map_or_else(|_| "unreadable".to_owned(), |entry| entry.id.to_string());
            report.find(Finding::Edited { seq, id });
        }
        last_fits = fits;
        // Words looked for before parsing, because a scan is never one of these.
        if body.contains("\"kind\":\"retention\"")
            || body.contains("\"kind\":\"begin\"")
            || body.contains("\"kind\":\"key\"")
            || body.contains("\"kind\":\"override\"")
        {
            match Entry::parse(seq, body).map(|entry| entry.body) {
                Ok(Body::Event(Event::Retention { through, head, .. })) => {
                    receipts.push(Receipt { at: seq, through, head });
                }
                Ok(Body::Event(Event::Begin { key, .. } | Event::Key { key })) if !report.keys_from_outside => {
                    keys.extend(key.parse::<NoteVerifier>());
                }
                Ok(Body::Event(Event::Override(word))) => {
                    let good = evidence.officers.as_ref().map_or_else(|| word.holds(), |list| list.vouch_for(&word));
                    if good { report.words += 1 } else { report.find(Finding::BadWord { seq }) }
                }
                _ => {}
            }
        }
        if wanted.contains(seq) {
            hashes.insert(seq, hash);
        }
        last = Some(Head { seq, hash });
    }
    if !report.keys_from_outside {
        keys.extend(super::meta(&view, "key")?.and_then(|text| text.parse::<NoteVerifier>().ok()));
    }
    report.last = last.map_or(0, |head| head.seq);
    if last.is_none() {
        report.find(Finding::Empty);
    }

    check_anchors(&mut report, &notes, &keys, log, &hashes);
    if !evidence.excerpt {
        check_beginning(&mut report, beginning, &receipts, &view)?;
    }
    report.findings.sort_by_key(|finding| {
        let single = Report { findings: vec![finding.clone()], ..Report::default() };
        single.first_bad_row().unwrap_or(u64::MAX)
    });
    Ok(report)
}

/// Rows whose hash an anchor names. Read before anything is believed: a lie here only wastes an entry.
struct WantedHashes(std::collections::BTreeSet<u64>);

impl WantedHashes {
    fn of(notes: &[(Option<u64>, String)]) -> WantedHashes {
        WantedHashes(notes.iter().filter_map(|(_, note)| note.lines().nth(2)?.parse().ok()).collect())
    }

    fn contains(&self, seq: u64) -> bool {
        self.0.contains(&seq)
    }
}

fn check_anchors(
    report: &mut Report,
    notes: &[(Option<u64>, String)],
    keys: &[NoteVerifier],
    log: Option<Uuid>,
    hashes: &BTreeMap<u64, [u8; 32]>,
) {
    let mut anchors = Vec::new();
    for (seq, note) in notes {
        let mut answer = Err(AnchorError::Note(super::note::NoteError::OtherKey));
        for key in keys {
            answer = Anchor::open(note, key);
            if !matches!(answer, Err(AnchorError::Note(super::note::NoteError::OtherKey))) {
                break;
            }
        }
        match answer {
            Err(error) => report.find(Finding::BadAnchor { seq: *seq, error }),
            Ok(anchor) if Some(anchor.log) != log => report.find(Finding::OtherLog { anchor: anchor.log }),
            Ok(anchor) => anchors.push(anchor),
        }
    }
    anchors.sort_by_key(|anchor| anchor.head.seq);
    let mut good = report.first.saturating_sub(1);
    let mut rewritten = false;
    for Anchor { head, .. } in anchors {
        if head.seq > report.last {
            report.find(Finding::TailGone { last: report.last, anchored: head.seq });
        } else if head.seq < report.first {
            // Its row is gone with retention; whether that was right is the receipt's matter.
        } else if hashes.get(&head.seq) == Some(&head.hash) {
            good = head.seq;
            report.anchors += 1;
            report.anchored = report.anchored.max(head.seq);
        } else if !rewritten && hashes.contains_key(&head.seq) {
            rewritten = true;
            report.find(Finding::Rewritten { from: good + 1, through: head.seq });
        }
    }
}

/// Rows at the beginning may be absent when a receipt says so, an anchor covers the receipt, and the hash at the cut fits.
fn check_beginning(
    report: &mut Report,
    beginning: Head,
    receipts: &[Receipt],
    view: &rusqlite::Connection,
) -> Result<(), Fault> {
    if beginning.seq == 0 {
        if report.rows > 0 && beginning.hash != chain::ORIGIN {
            report.find(Finding::BeginningGone { first: 1 });
        }
        return Ok(());
    }
    let mut covered = false;
    for receipt in receipts.iter().filter(|receipt| receipt.at <= report.anchored && receipt.through >= beginning.seq) {
        // Deleting takes a while: rows up to the cut may still be there, and then must lead to the receipt's hash.
        let fits = if receipt.through == beginning.seq {
            receipt.head == beginning.hash
        } else {
            let mut statement = view.prepare_cached("SELECT hash FROM entries WHERE seq = ?1")?;
            let at_cut = statement.query_row([receipt.through], |row| row.get::<_, [u8; 32]>(0));
            at_cut.is_ok_and(|hash| hash == receipt.head)
        };
        if fits {
            covered = true;
            report.cut = beginning.seq;
        }
    }
    if !covered {
        report.find(Finding::BeginningGone { first: beginning.seq + 1 });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
