//! `checkpointd scan`: reads pass codes from pictures, and judges them unless told only to decode.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use data_encoding::HEXLOWER;
use devices::frame::{self, Frame};
use eye::{Budget, Eye, Reader, Symbol, Version};
use host::clock::Clock;
use lane::text::Text;
use serde::Serialize;
use sha2::{Digest, Sha256};
use trustlist::{
    code::Format,
    key::KeyId,
    region::Region,
    verdict::{Reason, Verdict},
};

use super::{
    explain,
    judging::{self, Judge, Judging},
    second_opinion::second_opinion,
};
use crate::commands::failure::{Exit, Failure};

/// `scan`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  checkpointd scan --trust /media/stick --relying 440000 phone.jpg\n  \
    checkpointd scan --decode-only --json photos/*.jpg\n  checkpointd scan --decode-only --explain why/ phone.jpg\n\n\
    Prints one JSON object a picture with --json. A file that is no picture is said so and the run goes on; it ends with 1 then.")]
pub struct Arguments {
    #[command(flatten)]
    judging: Judging,
    /// Only find and read symbols; no lists are needed
    #[arg(long)]
    decode_only: bool,
    /// Also print what the symbols say: for an installer's own test codes
    #[arg(long)]
    show_text: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Also write to this folder what the eye saw of each picture, stage by stage: why a code is not read. It shows the code
    #[arg(long, value_name = "DIR")]
    explain: Option<PathBuf>,
    /// Pictures: PNG, JPEG, WebP or BMP
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
}

/// One picture's line.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ImageLine {
    Picture { file: String, width: usize, height: usize, symbols: Vec<SymbolRecord>, decode_us: u128 },
    Error { file: String, error: String },
}

/// One symbol of a picture.
#[derive(Debug, Serialize)]
struct SymbolRecord {
    text_sha256: String,
    corners: [[f32; 2]; 4],
    version: Edition,
    ec_level: String,
    format: Option<Format>,
    verdict: Option<Verdict>,
    reason: Option<Reason>,
    detail: Option<&'static str>,
    issuer: Option<Region>,
    kid: Option<KeyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_hex: Option<String>,
    #[serde(skip)]
    sentence: Option<String>,
}

/// A symbol's version as scripts see it: a number, and for Micro QR its name.
#[derive(Debug)]
struct Edition(Version);

impl Serialize for Edition {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Version::Model2(number) => serializer.serialize_u8(number),
            Version::Micro(_) => serializer.collect_str(&self.0),
        }
    }
}

/// Reads picture after picture.
///
/// # Errors
/// When the lists cannot be loaded, or the output breaks.
pub fn run(said: &super::ConfigArgs, clock: &Clock, arguments: Arguments) -> Result<Exit, Failure> {
    let judge = if arguments.decode_only { None } else { Some(arguments.judging.load(said, clock)?) };
    let mut eye = Eye::new();
    let mut output = io::stdout().lock();
    let mut verdicts = Vec::new();
    let (mut unreadable, mut found) = (false, false);
    for file in &arguments.images {
        let line = match frame::read_picture(file) {
            Ok(frame) => {
                if let Some(folder) = &arguments.explain {
                    explain::write(&mut eye, folder, file, &frame)?;
                }
                look(&mut eye, clock, (file, &frame), judge.as_ref(), arguments.show_text)
            }
            Err(error) => {
                let file = file.display().to_string();
                ImageLine::Error { error: format!("{file} {error}"), file }
            }
        };
        match &line {
            ImageLine::Error { .. } => unreadable = true,
            ImageLine::Picture { symbols, .. } => {
                found |= !symbols.is_empty();
                verdicts.extend(symbols.iter().map(|symbol| symbol.verdict));
            }
        }
        let text = if arguments.json {
            serde_json::to_string(&line)
                .map_err(|error| Failure::new("cannot print a picture's line").because(error))?
        } else {
            line.text()
        };
        writeln!(output, "{text}").map_err(|error| Failure::new("cannot write the results").because(error))?;
    }
    Ok(match (unreadable, arguments.decode_only, found) {
        (true, _, _) => Exit::Failure,
        (false, true, true) => Exit::Ok,
        (false, true, false) => Exit::NoPassCode,
        (false, false, _) => judging::exit(&verdicts),
    })
}

fn look(
    eye: &mut Eye,
    clock: &Clock,
    (path, frame): (&Path, &Frame),
    judge: Option<&Judge>,
    show_text: bool,
) -> ImageLine {
    let file = path.display().to_string();
    let begun = clock.now();
    let reading = eye.read(frame.luma(), Budget::picture());
    let others = second_opinion(frame.luma(), &reading);
    let decode_us = clock.since(begun).as_micros();
    let symbols = reading.symbols.iter().chain(&others).map(|symbol| describe(symbol, judge, show_text)).collect();
    ImageLine::Picture { file, width: frame.width(), height: frame.height(), symbols, decode_us }
}

fn describe(symbol: &Symbol, judge: Option<&Judge>, show_text: bool) -> SymbolRecord {
    let text = std::str::from_utf8(&symbol.payload).ok();
    // Judged as a lane judges it: without what lies around the code. What is shown is what the symbol holds.
    let code = Text::of(&symbol.payload);
    let code = code.as_ref().map(Text::as_str);
    let decision = judge.zip(code).and_then(|(judge, code)| judge.decide(code));
    let claimed = code.and_then(Format::claimed_by);
    SymbolRecord {
        text_sha256: HEXLOWER.encode(&Sha256::digest(&symbol.payload)),
        corners: symbol.corners.map(|corner| [corner.x, corner.y]),
        version: Edition(symbol.version),
        ec_level: symbol.ec_level.to_string(),
        format: claimed,
        verdict: decision.as_ref().map(|decision| decision.verdict),
        reason: decision.as_ref().map(|decision| decision.reason),
        detail: decision.as_ref().and_then(|decision| decision.detail),
        issuer: decision.as_ref().and_then(|decision| decision.issuer),
        kid: decision.as_ref().and_then(|decision| decision.kid),
        sentence: decision.as_ref().map(judging::sentence),
        text: text.filter(|_| show_text).map(str::to_owned),
        text_hex: show_text.then(|| HEXLOWER.encode(&symbol.payload)),
    }
}

impl ImageLine {
    fn text(&self) -> String {
        match self {
            Self::Error { error, .. } => format!("error: {error}"),
            Self::Picture { file, symbols, .. } if symbols.is_empty() => format!("{file}: no symbol found"),
            Self::Picture { file, symbols, .. } => {
                let lines = symbols.iter().map(|symbol| {
                    let what = symbol.sentence.clone().unwrap_or_else(|| match symbol.format {
                        Some(format) => format!("{format} pass code"),
                        None => "not a pass code".to_owned(),
                    });
                    let shown = symbol.text.as_deref().or(symbol.text_hex.as_deref());
                    let shown = shown.map(|text| format!("\n    {text}")).unwrap_or_default();
                    format!("{file}: version {}-{}: {what}{shown}", symbol.version.0, symbol.ec_level)
                });
                lines.collect::<Vec<_>>().join("\n")
            }
        }
    }
}
