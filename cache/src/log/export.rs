//! Taking rows elsewhere: CSV for a spreadsheet, JSON lines for a program, a SQLite copy for an auditor.
//!
//! A proof needs rows without gaps up to a signed head. So JSON lines and SQLite copies are *excerpts*: every row (events
//! too) from the first in the span to the first anchor at or after its end, with all anchors of that stretch. CSV holds
//! exactly the span's scans, and proves nothing.
//!
//! Day keys never leave the device.

use std::{
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension};

use super::{
    fault::Fault,
    query::{Filter, Stored},
    reader::Reader,
    row::{Body, ScanRow, UnixMillis},
    schema,
    table::{meta, set_meta},
};

/// A span of time: from the first moment inside to the first after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First moment inside.
    pub from: Option<UnixMillis>,
    /// First moment after.
    pub until: Option<UnixMillis>,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Rows.
    pub rows: u64,
    /// Anchors.
    pub anchors: u64,
    /// Whether an anchor covers the last row; if not, anchor the log first or export again in a minute.
    pub covered: bool,
}

/// Why nothing, or not everything, was exported.
#[derive(Debug)]
pub enum ExportError {
    /// The log.
    Log(Fault),
    /// The output.
    Output(io::Error),
    /// The output file exists; nothing is overwritten.
    Exists(PathBuf),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(fault) => fault.fmt(f),
            Self::Output(error) => write!(f, "the export cannot be written: {error}"),
            Self::Exists(path) => write!(f, "{} exists; choose another name", path.display()),
        }
    }
}

impl std::error::Error for ExportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Log(fault) => Some(fault),
            Self::Output(error) => Some(error),
            Self::Exists(_) => None,
        }
    }
}

impl From<Fault> for ExportError {
    fn from(fault: Fault) -> Self {
        Self::Log(fault)
    }
}

impl From<rusqlite::Error> for ExportError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Log(error.into())
    }
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// The columns of a CSV export, in order.
const COLUMNS: &str = "seq,id,at,time_trust,lane,direction,verdict,reason,detail,issuer,kid,format,route,\
                       list_generation,list_age_s,token,time_to_verdict_us,passage";

/// Scans as comma-separated values with a heading (RFC 4180).
pub fn csv(reader: &Reader, filter: &Filter, out: &mut impl Write) -> Result<Exported, ExportError> {
    writeln!(out, "{COLUMNS}")?;
    let mut exported = Exported::default();
    let mut failed = Ok(());
    reader.each(&Filter { events: false, ..filter.clone() }, |stored| {
        if let Ok(Body::Scan(scan)) = stored.entry().map(|entry| entry.body) {
            failed = write_csv(out, &stored, &scan);
            exported.rows += 1;
        }
        failed.is_ok()
    })?;
    failed?;
    Ok(exported)
}

fn write_csv(out: &mut impl Write, stored: &Stored, scan: &ScanRow) -> io::Result<()> {
    let text = |value: Option<&dyn fmt::Display>| value.map_or(String::new(), |value| quote(&value.to_string()));
    let word = |value: serde_json::Value| value.as_str().map_or(String::new(), quote);
    let id = stored.entry().map(|entry| entry.id.to_string()).unwrap_or_default();
    let fields = [
        stored.seq.to_string(),
        id,
        scan.at_ms.to_string(),
        scan.time_trust.code().to_owned(),
        quote(&scan.lane),
        scan.direction.code().to_owned(),
        scan.verdict.code().to_owned(),
        scan.reason.code().to_owned(),
        text(scan.detail.as_ref().map(|value| value as _)),
        text(scan.issuer.as_ref().map(|value| value as _)),
        text(scan.kid.as_ref().map(|value| value as _)),
        text(scan.format.as_ref().map(|value| value as _)),
        text(scan.route.as_ref().map(|value| value as _)),
        text(scan.list_generation.as_ref().map(|value| value as _)),
        text(scan.list_age_s.as_ref().map(|value| value as _)),
        scan.token.map_or(String::new(), |token| data_encoding::HEXLOWER.encode(&token.0)),
        scan.time_to_verdict_us.to_string(),
        word(serde_json::to_value(scan.passage).unwrap_or_default()),
    ];
    writeln!(out, "{}", fields.join(","))
}

/// Quoted where a comma, quote or line end asks for it. A leading `=`, `+`, `-` or `@` is quoted with an apostrophe:
/// a spreadsheet would run it.
fn quote(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// The excerpt as JSON lines: rows, then `{"anchor": …}` lines.
pub fn json_lines(reader: &Reader, span: Span, out: &mut impl Write) -> Result<Exported, ExportError> {
    let Some(stretch) = Stretch::of(reader, span)? else { return Ok(Exported::default()) };
    let mut exported = Exported { covered: stretch.covered, ..Exported::default() };
    stretch.each_row(reader, |stored| {
        exported.rows += 1;
        Ok(writeln!(out, "{}", stored.line())?)
    })?;
    stretch.each_anchor(reader, |_, note| {
        exported.anchors += 1;
        let note = serde_json::to_string(&note).expect("a text always serialises");
        Ok(writeln!(out, "{{\"anchor\":{note}}}")?)
    })?;
    Ok(exported)
}

/// The excerpt as a log file of its own, which `verify` and any SQLite tool can open.
pub fn sqlite(reader: &Reader, span: Span, path: &Path) -> Result<Exported, ExportError> {
    if path.exists() {
        return Err(ExportError::Exists(path.to_owned()));
    }
    let mut copy = Connection::open(path)?;
    schema::migrate(&mut copy)?;
    let transaction = copy.transaction()?;
    let log = meta(&reader.connection, "log")?.unwrap_or_default();
    set_meta(&transaction, "log", &log)?;
    set_meta(&transaction, "excerpt", "1")?;
    let mut exported = Exported::default();
    if let Some(stretch) = Stretch::of(reader, span)? {
        exported.covered = stretch.covered;
        let mut insert =
            transaction.prepare("INSERT INTO entries (seq, body, previous, hash) VALUES (?1, ?2, ?3, ?4)")?;
        stretch.each_row(reader, |stored| {
            exported.rows += 1;
            insert.execute((stored.seq, stored.body, stored.previous, stored.hash))?;
            Ok(())
        })?;
        let mut insert = transaction.prepare("INSERT INTO anchors (seq, note) VALUES (?1, ?2)")?;
        stretch.each_anchor(reader, |seq, note| {
            exported.anchors += 1;
            insert.execute((seq, note))?;
            Ok(())
        })?;
    }
    transaction.commit()?;
    Ok(exported)
}

/// Rows without gaps, up to an anchor if there is one.
struct Stretch {
    first: u64,
    last: u64,
    covered: bool,
}

impl Stretch {
    fn of(reader: &Reader, span: Span) -> Result<Option<Stretch>, Fault> {
        let bounds: (Option<u64>, Option<u64>) = reader.connection.query_row(
            "SELECT min(seq), max(seq) FROM entries WHERE at_ms >= ?1 AND at_ms < ?2",
            (span.from.map_or(i64::MIN, |at| at.0), span.until.map_or(i64::MAX, |at| at.0)),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let (Some(first), Some(last)) = bounds else { return Ok(None) };
        let anchor = reader
            .connection
            .query_row("SELECT seq FROM anchors WHERE seq >= ?1 ORDER BY seq LIMIT 1", [last], |row| row.get(0))
            .optional()?;
        Ok(Some(Stretch { first, last: anchor.unwrap_or(last), covered: anchor.is_some() }))
    }

    fn each_row(
        &self,
        reader: &Reader,
        visit: impl FnMut(Stored) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        reader.each_between(self.first, self.last, visit)
    }

    fn each_anchor(
        &self,
        reader: &Reader,
        mut visit: impl FnMut(u64, String) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let mut statement =
            reader.connection.prepare("SELECT seq, note FROM anchors WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq")?;
        let mut rows = statement.query([self.first, self.last])?;
        while let Some(row) = rows.next()? {
            visit(row.get(0)?, row.get(1)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{
        Change, Options, ScanLog,
        note::NoteSigner,
        row::{self, tests::row},
        verify::{Evidence, verify},
    };
    use crate::machine::Machine;

    fn log(directory: &Path) -> Reader {
        let path = directory.join("scans.db");
        let signer = NoteSigner::new("gate-3", &[5; 32]).expect("a name");
        let mut log = ScanLog::open(Options::new(&path, signer, Machine::real()), row(0).at_ms).expect("opened");
        for group in 0..6 {
            let changes: Vec<_> = (group * 100..group * 100 + 100)
                .map(|n| {
                    let mut scan = row(n);
                    if n == 150 {
                        scan.lane = "=1+1, \"north\"".into();
                    }
                    let id = row::new_id(&Machine::real(), scan.at_ms).expect("randomness");
                    Change::Row { body: scan.body(&id), at: scan.at_ms, trust: scan.time_trust }
                })
                .collect();
            log.commit(&changes).expect("committed");
        }
        log.anchor().expect("anchored");
        Reader::open(&path).expect("opened")
    }

    #[test]
    fn a_sqlite_copy_of_a_span_verifies_on_its_own_and_holds_no_day_key() {
        let directory = tempfile::tempdir().expect("a directory");
        let reader = log(directory.path());
        let copy = directory.path().join("copy.db");
        let span = Span { from: Some(row(150).at_ms), until: Some(row(160).at_ms) };
        let exported = sqlite(&reader, span, &copy).expect("exported");
        assert!(exported.covered && exported.rows >= 10 && exported.anchors >= 1, "{exported:?}");
        let copied = Reader::open(&copy).expect("a log");
        let keys: u64 =
            copied.connection.query_row("SELECT count(*) FROM day_keys", [], |row| row.get(0)).expect("counted");
        assert_eq!(keys, 0);
        let key = NoteSigner::new("gate-3", &[5; 32]).expect("a name").verifier();
        let evidence = Evidence { keys: vec![key], excerpt: true, ..Evidence::default() };
        let report = verify(&copied, &evidence).expect("read");
        assert!(report.is_sound(), "{report:?}");
        assert_eq!((report.rows, report.anchored), (exported.rows, report.last));
        assert!(matches!(sqlite(&reader, span, &copy), Err(ExportError::Exists(_))));
    }

    #[test]
    fn json_lines_carry_the_rows_exactly_as_chained() {
        let directory = tempfile::tempdir().expect("a directory");
        let reader = log(directory.path());
        let mut out = Vec::new();
        let exported = json_lines(&reader, Span::default(), &mut out).expect("exported");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(text.lines().count() as u64, exported.rows + exported.anchors);
        for line in text.lines() {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON");
        }
        let second = reader.query(&Filter { limit: Some(1), ..Filter::default() }).expect("asked").remove(0);
        assert!(text.lines().nth(1).expect("a line").ends_with(&format!("\"row\":{}}}", second.body)));
    }

    #[test]
    fn a_spreadsheet_gets_one_line_a_scan_and_nothing_it_would_run() {
        let directory = tempfile::tempdir().expect("a directory");
        let reader = log(directory.path());
        let mut out = Vec::new();
        let filter = Filter { from: Some(row(150).at_ms), until: Some(row(152).at_ms), ..Filter::default() };
        let exported = csv(&reader, &filter, &mut out).expect("exported");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(exported.rows, 2);
        let columns = text.lines().next().expect("a heading").split(',').count();
        assert_eq!(columns, 18);
        assert_eq!(text.lines().nth(2).expect("a line").split(',').count(), columns);
        assert!(text.contains(",\"'=1+1, \"\"north\"\"\","), "{text}");
    }
}
