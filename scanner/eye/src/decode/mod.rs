//! From sampled modules to payload.
//!
//! [`SoftGrid`] in, [`Decoded`] out: format and version information, mask, codeword order, Reed–Solomon, segments, for
//! QR Code Model 2 versions 1–40 and Micro QR Code M1–M4, mirrored or not. Pure, no panic, and the work is bounded
//! before it starts: the largest symbol has 177² modules, and [`Effort`] says how often anything is tried.
//!
//! What makes this more than a bit reader is that it knows what it does not know. Modules come with a confidence;
//! codewords that were sampled badly are erased rather than believed, which error correction repairs at half the
//! price. Every acceptance is weighed as evidence in bits ([`Decoded::evidence`]): a payload that could as well have
//! come about by chance is not handed out. What is absent: image coordinates, character sets, and any opinion on
//! what the payload means.

mod content;
mod correct;
mod field;
mod format;
mod layout;
mod soft;
mod symbology;

use crate::grid::SoftGrid;
use crate::symbol::{EcLevel, StructuredAppend, Version};

pub use content::{ContentError, Fnc1};
pub use format::{Format, likely_formats, named_version, nearest_version};
pub use layout::{FunctionMap, alignment_patterns, fixed_module, timing_evidence};
pub use symbology::{AlignmentCentres, Blocks};

/// Evidence in bits below which a symbol is taken for an accident. A gate that looks at ten grids in each of fifteen
/// frames a second sees 2²⁴ grids in a day, and only a fraction of a percent of those are unlike any symbol's.
const SYMBOL_EVIDENCE: i32 = 30;

/// Evidence of the better timing pattern below which nothing is tried: two of five modules wrong in either, where
/// noise has every second one wrong.
const NO_TIMING: i32 = -6;

/// Evidence in bits that a grid's patterns must give before retries are spent on it; noise has less than none.
const RETRY_STRUCTURE: i32 = 4;

/// What a symbol says.
#[derive(Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The bytes: text as ASCII or as the encoder wrote it, kanji as Shift_JIS, hanzi as GB 2312.
    pub payload: Vec<u8>,
    /// Kind and size.
    pub version: Version,
    /// Error correction level.
    pub ec_level: EcLevel,
    /// Whether the grid was the symbol's mirror image.
    pub mirrored: bool,
    /// First extended channel interpretation named.
    pub eci: Option<u32>,
    /// Place in a message of several symbols.
    pub structured_append: Option<StructuredAppend>,
    /// Application data format.
    pub fnc1: Option<Fnc1>,
    /// Codewords that were wrong, and codewords that were not believed.
    pub corrected: (usize, usize),
    /// Evidence that this is a symbol at all, in bits.
    pub evidence: i32,
}

impl std::fmt::Debug for Decoded {
    /// Everything but the payload, which may name a person.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Decoded")
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .field("version", &self.version)
            .field("ec_level", &self.ec_level)
            .field("mirrored", &self.mirrored)
            .field("corrected", &self.corrected)
            .field("evidence", &self.evidence)
            .finish_non_exhaustive()
    }
}

/// Why a grid gave no payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// No symbol has so many modules a side.
    NoSuchSize(usize),
    /// Neither timing pattern alternates: the grid is no symbol, or was laid wrongly.
    NoTiming,
    /// No format information could be made out.
    NoFormat,
    /// Too many codewords are wrong: this many of the symbol's blocks could be corrected.
    Uncorrectable {
        /// Blocks that were corrected.
        solved: usize,
        /// Blocks the symbol has.
        blocks: usize,
    },
    /// It could be corrected, but by chance as well as not.
    Doubtful,
    /// The corrected codewords are no content.
    Content(ContentError),
}

impl std::fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DecodeError::NoSuchSize(size) => write!(formatter, "no symbol has {size} modules a side"),
            DecodeError::NoTiming => write!(formatter, "no timing pattern"),
            DecodeError::NoFormat => write!(formatter, "no format information"),
            DecodeError::Uncorrectable { solved, blocks } => {
                write!(formatter, "too many errors: {solved} of {blocks} blocks corrected")
            }
            DecodeError::Doubtful => write!(formatter, "corrected, but it may be chance"),
            DecodeError::Content(error) => write!(formatter, "no content: {error:?}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// How much is tried on one grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Formats tried as sampled.
    pub formats: usize,
    /// Formats tried with retries.
    pub soft_formats: usize,
    /// Retries a block.
    pub tries: usize,
}

impl Effort {
    /// The grid as sampled, nothing else: for a first look at many grids.
    pub const QUICK: Effort = Effort { formats: 3, soft_formats: 0, tries: 0 };
    /// Everything that has been seen to help.
    pub const FULL: Effort = Effort { formats: format::MAX_FORMATS, soft_formats: 2, tries: 64 };
}

/// Reads a grid with [`Effort::FULL`].
pub fn decode(grid: &SoftGrid) -> Result<Decoded, DecodeError> {
    decode_with(grid, Effort::FULL)
}

/// Reads a grid.
pub fn decode_with(grid: &SoftGrid, effort: Effort) -> Result<Decoded, DecodeError> {
    let version = Version::from_size(grid.size()).ok_or(DecodeError::NoSuchSize(grid.size()))?;
    let timing = timing_evidence(grid, version);
    if timing[0].max(timing[1]) < NO_TIMING {
        return Err(DecodeError::NoTiming);
    }
    let formats = likely_formats(grid, version);
    let mut best = DecodeError::NoFormat;
    let mut bits = Vec::new();
    let passes = [(0, effort.formats), (effort.tries, effort.soft_formats)];
    for (tries, count) in passes {
        for format in formats.iter().take(count) {
            if tries > 0 && structure(grid, version, format) < RETRY_STRUCTURE {
                continue;
            }
            let Some(blocks) = version.blocks(format.level) else { continue };
            layout::soft_bits(grid, version, format.mask, format.mirrored, &mut bits);
            let corrected =
                if tries == 0 { soft::plain(&bits, &blocks) } else { soft::retrying(&bits, &blocks, tries) };
            let outcome = match corrected {
                Ok(corrected) => read(grid, version, format, &blocks, &corrected),
                Err(soft::Uncorrected { solved, blocks }) => Err(DecodeError::Uncorrectable { solved, blocks }),
            };
            match outcome {
                Ok(decoded) => return Ok(decoded),
                Err(error) => best = further(best, error),
            }
        }
    }
    Err(best)
}

/// The content of corrected codewords, if the evidence for them suffices.
fn read(
    grid: &SoftGrid,
    version: Version,
    format: &Format,
    blocks: &Blocks,
    corrected: &soft::Corrected,
) -> Result<Decoded, DecodeError> {
    let content = content::parse(&corrected.data, blocks.data_bits(), version).map_err(DecodeError::Content)?;
    let (right, wrong) = content.padding;
    // Some encoders pad as they please, so wrong padding alone refutes nothing; with codewords guessed it does.
    if wrong > 0 && corrected.retried > 0 {
        return Err(DecodeError::Doubtful);
    }
    let padding = if wrong == 0 { right.min(16) as i32 } else { 0 };
    let evidence = corrected.evidence + structure(grid, version, format) + padding;
    if evidence < SYMBOL_EVIDENCE {
        return Err(DecodeError::Doubtful);
    }
    Ok(Decoded {
        payload: content.payload,
        version,
        ec_level: format.level,
        mirrored: format.mirrored,
        eci: content.eci,
        structured_append: content.structured_append,
        fnc1: content.fnc1,
        corrected: (corrected.errors, corrected.erasures),
        evidence,
    })
}

/// What timing patterns and format cells say for there being a symbol, in bits.
fn structure(grid: &SoftGrid, version: Version, format: &Format) -> i32 {
    timing_evidence(grid, version).iter().sum::<i32>().clamp(-16, 16) + format::evidence(grid, version, format)
}

/// Of two failures the one that got further.
fn further(one: DecodeError, other: DecodeError) -> DecodeError {
    let rank = |error: &DecodeError| match error {
        DecodeError::NoSuchSize(_) | DecodeError::NoTiming | DecodeError::NoFormat => 0,
        DecodeError::Uncorrectable { solved, .. } => 1 + solved,
        DecodeError::Content(_) => 1000,
        DecodeError::Doubtful => 1001,
    };
    if rank(&other) > rank(&one) { other } else { one }
}

#[cfg(test)]
mod tests;
