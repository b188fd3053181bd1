//! Reading the whole chain as a stranger would: what was edited, removed, inserted, reordered or cut?
//!
//! Three proofs fit together. Every row's hash covers its text, its place and its predecessor. Anchors, signed by the
//! device, pin the hash at their row; one that was exported earlier pins it even against somebody who holds the device's
//! key. A receipt of retention, itself chained and anchored, says which rows at the beginning may be absent. What knows the end of the
//! log without being its database (the head file, the centre's receipts) says whether rows are absent there.
//!
//! One thread reads, another hashes. Rows are read in portions, so that nobody holds the write-ahead log while a million rows are read;
//! what retention deletes meanwhile is a later beginning and no finding.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::mpsc,
    thread,
};

use uuid::Uuid;

use super::{
    anchor::{Anchor, AnchorError},
    chain::{self, Head},
    fault::Fault,
    head_file::KnownEnd,
    note::NoteVerifier,
    officer::Officers,
    query::Stored,
    reader::Reader,
    row::{Body, Entry, Event, WitnessKind},
    table::{held, meta, meta_number},
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
    /// What is known of the end of the log beside it.
    pub known_end: Option<KnownEnd>,
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
    /// The end is another than something outside the log knows.
    EndDiffers {
        /// The last row that is there; 0 when none is.
        last: u64,
        /// The row that was known.
        known: u64,
        /// Who knew it.
        by: WitnessKind,
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
            Self::EndDiffers { last, known, by } if known > last => {
                write!(f, "the end is gone: the last row is {last}, and the {} knows row {known}", by.code())
            }
            Self::EndDiffers { known, by, .. } => {
                write!(f, "row {known} is another than the one that the {} knows", by.code())
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
            Finding::EndDiffers { last, known, .. } => Some((*known).min(last + 1)),
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

/// Reads the whole log.
pub fn verify(reader: &Reader, evidence: &Evidence) -> Result<Report, Fault> {
    let log: Option<Uuid> = meta_number(&reader.connection, "log")?;
    let mut notes: Vec<(Option<u64>, String)> = Vec::new();
    {
        let mut statement = reader.connection.prepare("SELECT seq, note FROM anchors ORDER BY seq")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            notes.push((Some(row.get(0)?), row.get(1)?));
        }
    }
    notes.extend(evidence.anchors.iter().map(|note| (None, note.clone())));
    let known = evidence.known_end.filter(|known| Some(known.log) == log);
    let witnesses = known.map_or(Vec::new(), |known| known.witnesses());
    // Rows whose hash an anchor or a witness names. Read before anything is believed: a lie here only wastes an entry.
    let mut wanted: BTreeSet<u64> = notes.iter().filter_map(|(_, note)| note.lines().nth(2)?.parse().ok()).collect();
    wanted.extend(witnesses.iter().map(|witness| witness.seq));

    let mut walk = walked(reader, evidence, wanted)?;
    let mut keys = evidence.keys.clone();
    if !walk.report.keys_from_outside {
        keys.append(&mut walk.keys);
        keys.extend(meta(&reader.connection, "key")?.and_then(|text| text.parse::<NoteVerifier>().ok()));
    }
    let Walk { mut report, last, beginning, hashes, receipts, .. } = walk;
    report.last = last.map_or(0, |head| head.seq);
    if last.is_none() {
        report.find(Finding::Empty);
    }
    check_anchors(&mut report, &notes, &keys, log, &hashes);
    if let Some(known) = evidence.known_end.filter(|known| Some(known.log) != log) {
        report.find(Finding::OtherLog { anchor: known.log });
    }
    for witness in witnesses {
        let gone = witness.seq > report.last;
        if gone || hashes.get(&witness.seq).is_some_and(|hash| *hash != witness.hash) {
            report.find(Finding::EndDiffers { last: report.last, known: witness.seq, by: witness.by });
        }
    }
    if !evidence.excerpt {
        check_beginning(&mut report, beginning, &receipts, &reader.connection)?;
    }
    report.findings.sort_by_key(|finding| {
        let single = Report { findings: vec![finding.clone()], ..Report::default() };
        single.first_bad_row().unwrap_or(u64::MAX)
    });
    Ok(report)
}

/// Rows as they come from the database.
enum Portion {
    Rows(Vec<Stored>),
    /// Everything that was read so far has been deleted meanwhile: the log begins after it.
    Restart,
}

/// Portions that wait for the thread that hashes.
const AHEAD: usize = 8;

/// Reads on this thread, walks on another.
fn walked<'a>(reader: &Reader, evidence: &'a Evidence, wanted: BTreeSet<u64>) -> Result<Walk<'a>, Fault> {
    thread::scope(|scope| {
        let (sender, portions) = mpsc::sync_channel(AHEAD);
        let walker = thread::Builder::new().name("verify".to_owned()).spawn_scoped(scope, move || {
            let mut walk = Walk::new(evidence, wanted);
            for portion in portions {
                match portion {
                    Portion::Rows(rows) => rows.iter().for_each(|row| walk.row(row)),
                    Portion::Restart => walk.last = None,
                }
            }
            walk
        });
        let walker = walker.map_err(|_| Fault::Closed)?;
        let mut at = 0;
        loop {
            let rows = reader.portion(at, u64::MAX)?;
            let (Some(first), Some(last)) = (rows.first(), rows.last()) else { break };
            let deleted = at > 0 && first.seq > at && *held(&reader.connection)?.start() >= first.seq;
            at = last.seq + 1;
            let restart = deleted.then_some(Portion::Restart);
            for portion in restart.into_iter().chain([Portion::Rows(rows)]) {
                if sender.send(portion).is_err() {
                    break;
                }
            }
        }
        drop(sender);
        walker.join().map_err(|_| Fault::Closed)
    })
}

/// What is known on the way along the chain. Hashes are kept only where somebody will ask for them.
struct Walk<'a> {
    officers: Option<&'a Officers>,
    wanted: BTreeSet<u64>,
    report: Report,
    last: Option<Head>,
    last_fits: bool,
    beginning: Head,
    hashes: BTreeMap<u64, [u8; 32]>,
    receipts: Vec<Receipt>,
    keys: Vec<NoteVerifier>,
}

impl<'a> Walk<'a> {
    fn new(evidence: &'a Evidence, wanted: BTreeSet<u64>) -> Walk<'a> {
        Walk {
            officers: evidence.officers.as_ref(),
            wanted,
            report: Report { keys_from_outside: !evidence.keys.is_empty(), ..Report::default() },
            last: None,
            last_fits: true,
            beginning: Head::ORIGIN,
            hashes: BTreeMap::new(),
            receipts: Vec::new(),
            keys: Vec::new(),
        }
    }

    fn row(&mut self, row: &Stored) {
        let Stored { seq, body, previous, hash } = row;
        let seq = *seq;
        self.report.rows += 1;
        let fits = chain::hash(seq, previous, body) == *hash;
        match self.last {
            None => {
                self.report.first = seq;
                self.beginning = Head { seq: seq.saturating_sub(1), hash: *previous };
            }
            Some(last) if seq != last.seq + 1 => {
                self.report.find(Finding::Missing { from: last.seq + 1, through: seq - 1 });
            }
            // This row is as it was written and names another predecessor: that one was replaced.
            Some(last) if fits && self.last_fits && *previous != last.hash => {
                self.report.find(Finding::Replaced { seq: last.seq });
            }
            Some(_) => {}
        }
        if !fits {
            let id = Entry::parse(seq, body).map_or_else(|_| "unreadable".to_owned(), |entry| entry.id.to_string());
            self.report.find(Finding::Edited { seq, id });
        }
        self.last_fits = fits;
        // Most rows are scans, and none of them says anything here. Its own words decide: a doctored row was found above.
        if !body.contains("\"kind\":\"scan\"") {
            self.event(seq, body);
        }
        if self.wanted.contains(&seq) {
            self.hashes.insert(seq, *hash);
        }
        self.last = Some(Head { seq, hash: *hash });
    }

    fn event(&mut self, seq: u64, body: &str) {
        match Entry::parse(seq, body).map(|entry| entry.body) {
            Ok(Body::Event(Event::Retention { through, head, .. })) => {
                self.receipts.push(Receipt { at: seq, through, head });
            }
            Ok(Body::Event(Event::Begin { key, .. } | Event::Key { key })) if !self.report.keys_from_outside => {
                self.keys.extend(key.parse::<NoteVerifier>());
            }
            Ok(Body::Event(Event::Override(word))) => {
                let good = self.officers.map_or_else(|| word.holds(), |list| list.vouch_for(&word));
                if good { self.report.words += 1 } else { self.report.find(Finding::BadWord { seq }) }
            }
            _ => {}
        }
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
