//! `log export`.

use std::{fs::File, io::Write, path::PathBuf};

use cache::log::{
    Reader, UnixMillis,
    export::{self, Span},
    query::Filter,
};
use clap::{Args, ValueEnum};

use super::{time, unprintable};
use crate::commands::failure::{Exit, Failure};

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Of the file
    #[arg(long, value_enum)]
    format: Format,
    /// Not before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<UnixMillis>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<UnixMillis>,
    /// The file to write; it must not exist
    file: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A spreadsheet's: scans only, no proof
    Csv,
    /// A program's: rows and anchors, one JSON object a line
    Jsonl,
    /// An auditor's: a log of its own, for `log verify --excerpt`
    Sqlite,
}

pub(super) fn export(reader: &Reader, arguments: &Export, out: &mut dyn Write) -> Result<Exit, Failure> {
    let path = &arguments.file;
    let span = Span { from: arguments.from, until: arguments.until };
    let create = || {
        File::create_new(path).map_err(|error| {
            Failure::new(format!("{}: cannot be made; choose a name that does not exist", path.display()))
                .because(error)
        })
    };
    let exported = match arguments.format {
        Format::Sqlite => export::sqlite(reader, span, path),
        Format::Csv => {
            let filter = Filter { from: span.from, until: span.until, ..Filter::default() };
            export::csv(reader, &filter, &mut std::io::BufWriter::new(create()?))
        }
        Format::Jsonl => export::json_lines(reader, span, &mut std::io::BufWriter::new(create()?)),
    };
    let exported = exported.map_err(|error| Failure::new(error.to_string()))?;
    writeln!(out, "{}: {} rows, {} anchors", path.display(), exported.rows, exported.anchors).map_err(unprintable)?;
    if !exported.covered && exported.rows > 0 && !matches!(arguments.format, Format::Csv) {
        writeln!(out, "the last rows are not anchored yet; export again in a minute for a proof that covers them")
            .map_err(unprintable)?;
    }
    Ok(Exit::Ok)
}
