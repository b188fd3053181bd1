//! `log verify` and `log anchor`.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use cache::log::{
    Reader, head_file,
    note::NoteVerifier,
    officer::Officers,
    verify::{self, Evidence, Finding},
};
use clap::Args;
use serde_json::json;

use super::{unprintable, wrong};
use crate::commands::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// An anchor that was exported or written down earlier
    #[arg(long, value_name = "FILE")]
    anchor: Vec<PathBuf>,
    /// The device's public key, obtained elsewhere
    #[arg(long, value_name = "FILE")]
    public_key: Vec<PathBuf>,
    /// The list of officers of that time (lines `ROLE PUBLIC-KEY`): words decided by hand must be theirs
    #[arg(long, value_name = "FILE")]
    officers: Option<PathBuf>,
    /// The database is an export: that it begins in the middle is no fault
    #[arg(long)]
    excerpt: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn verify(
    database: &Path,
    reader: &Reader,
    arguments: Verify,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let read = |path: &PathBuf| {
        fs::read_to_string(path)
            .map_err(|error| Failure::new(format!("{}: cannot be read", path.display())).because(error))
    };
    let known_end = head_file::read(database).map_err(|error| {
        Failure::new(format!("{}: cannot be read", head_file::place(database).display())).because(error)
    })?;
    let mut evidence = Evidence { excerpt: arguments.excerpt, known_end, ..Evidence::default() };
    for path in &arguments.anchor {
        evidence.anchors.push(read(path)?);
    }
    for path in &arguments.public_key {
        let key = read(path)?.trim().parse::<NoteVerifier>();
        evidence.keys.push(key.map_err(|error| Failure::new(format!("{}: {error}", path.display())))?);
    }
    if let Some(path) = &arguments.officers {
        let officers = Officers::parse(&read(path)?);
        evidence.officers = Some(officers.map_err(|error| Failure::new(path.display().to_string()).because(error))?);
    }
    let report = verify::verify(reader, &evidence).map_err(wrong)?;
    let exit = if report.is_sound() { Exit::Ok } else { Exit::Failure };
    if arguments.json {
        let object = json!({
            "sound": report.is_sound(),
            "rows": report.rows,
            "first": report.first,
            "last": report.last,
            "anchors": report.anchors,
            "anchored": report.anchored,
            "cut": report.cut,
            "words_by_hand": report.words,
            "key_from_outside": report.keys_from_outside,
            "first_bad_row": report.first_bad_row(),
            "findings": report.findings.iter().map(Finding::to_string).collect::<Vec<_>>(),
        });
        writeln!(out, "{object}").map_err(unprintable)?;
        return Ok(exit);
    }
    let mut say = |text: String| writeln!(out, "{text}").map_err(unprintable);
    for finding in &report.findings {
        say(format!("WRONG  {finding}"))?;
    }
    if let Some(row) = report.first_bad_row() {
        say(format!("first bad row: {row}"))?;
    }
    let word = if report.is_sound() { "sound" } else { "NOT SOUND" };
    say(format!("{word}: {} rows, {} to {}, {} anchors hold", report.rows, report.first, report.last, report.anchors))?;
    if report.words > 0 {
        say(format!("{} decided by hand, their signatures hold", report.words))?;
    }
    if report.cut > 0 {
        say(format!("rows 1 to {} were deleted by retention, with a receipt", report.cut))?;
    }
    if report.last > report.anchored {
        say(format!("rows {} to {} are not anchored yet", report.anchored + 1, report.last))?;
    }
    if !report.keys_from_outside {
        say("checked with the key the log itself names; --public-key FILE proves whose it is".to_owned())?;
    }
    Ok(exit)
}

#[derive(Debug, Args)]
pub(super) struct Newest {
    /// The device's public key instead
    #[arg(long)]
    public_key: bool,
}

pub(super) fn newest(reader: &Reader, arguments: &Newest, out: &mut dyn Write) -> Result<Exit, Failure> {
    let text = if arguments.public_key {
        reader.public_key().map_err(wrong)?.map(|key| format!("{key}\n"))
    } else {
        reader.newest_anchor().map_err(wrong)?
    };
    let text = text.ok_or_else(|| Failure::new("the log has no anchor: it is an export, or not one of a device"))?;
    write!(out, "{text}").map_err(unprintable)?;
    Ok(Exit::Ok)
}
