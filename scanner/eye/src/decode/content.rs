//! Corrected data codewords to payload: the segments of ISO/IEC 18004 §7.4.
//!
//! The payload is bytes as the encoder meant them: numeric and alphanumeric as ASCII, byte mode as it is, kanji as
//! Shift_JIS and hanzi (GB/T 18284) as GB 2312, two bytes a character. Nothing is converted to another character set:
//! an ECI is reported beside the bytes. The reader judges no text, so a wrong one cannot be made to look right.

use crate::symbol::{StructuredAppend, Version};

/// Whether the payload follows an application's data format (FNC1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fnc1 {
    /// GS1 application identifiers.
    Gs1,
    /// An industry format agreed with AIM; the indicator starts the payload.
    Aim,
}

/// What the data codewords say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The bytes.
    pub payload: Vec<u8>,
    /// First extended channel interpretation named, if any.
    pub eci: Option<u32>,
    /// Place in a message of several symbols, if any.
    pub structured_append: Option<StructuredAppend>,
    /// Application format, if any.
    pub fnc1: Option<Fnc1>,
    /// Bits after the terminator that are as the standard wants them (padding), and those that are not.
    pub padding: (usize, usize),
}

/// Why data codewords are no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentError {
    /// A segment is longer than what is left.
    Truncated,
    /// A mode indicator nobody has defined, or one that a symbol of this size cannot have.
    UnknownMode,
    /// A value that its mode cannot hold.
    BadValue,
    /// Nothing is encoded at all.
    Empty,
}

/// Reads the segments of `bits` bits of `data`.
pub fn parse(data: &[u8], bits: usize, version: Version) -> Result<Content, ContentError> {
    let mut source = Bits { data, at: 0, end: bits.min(data.len() * 8) };
    let mut content = Content::default();
    let (indicator, terminator) = match version {
        Version::Model2(_) => (4, 4),
        Version::Micro(number) => (usize::from(number) - 1, 2 * usize::from(number) + 1),
    };
    loop {
        let left = source.left().min(terminator);
        if source.peek(left) == Some(0) {
            source.at += left;
            break;
        }
        let mode = source.take(indicator)?;
        segment(&mut source, &mut content, mode, version)?;
    }
    content.padding = padding(&mut source);
    if content.payload.is_empty() { Err(ContentError::Empty) } else { Ok(content) }
}

fn segment(source: &mut Bits<'_>, content: &mut Content, mode: u32, version: Version) -> Result<(), ContentError> {
    let Version::Model2(number) = version else {
        // Micro: numeric, alphanumeric, byte, kanji, in as many bits as the version has.
        let Version::Micro(number) = version else { return Err(ContentError::UnknownMode) };
        let mode = [Mode::Numeric, Mode::Alphanumeric, Mode::Byte, Mode::Kanji]
            .get(mode as usize)
            .ok_or(ContentError::UnknownMode)?;
        let count = source.take(usize::from(number) + [2, 1, 1, 0][*mode as usize])?;
        return characters(source, content, *mode, count as usize);
    };
    let mode = match mode {
        1 => Mode::Numeric,
        2 => Mode::Alphanumeric,
        4 => Mode::Byte,
        8 => Mode::Kanji,
        13 => {
            if source.take(4)? != 1 {
                return Err(ContentError::BadValue);
            }
            Mode::Hanzi
        }
        3 => {
            let (index, count, parity) = (source.take(4)?, source.take(4)? + 1, source.take(8)?);
            if index >= count {
                return Err(ContentError::BadValue);
            }
            content.structured_append =
                Some(StructuredAppend { index: index as u8, count: count as u8, parity: parity as u8 });
            return Ok(());
        }
        5 => {
            content.fnc1 = Some(Fnc1::Gs1);
            return Ok(());
        }
        9 => {
            content.fnc1 = Some(Fnc1::Aim);
            return aim_indicator(source, content);
        }
        7 => {
            let eci = eci(source)?;
            content.eci.get_or_insert(eci);
            return Ok(());
        }
        _ => return Err(ContentError::UnknownMode),
    };
    let column = if number < 10 { 0 } else { 1 + usize::from(number > 26) };
    let width = match mode {
        Mode::Numeric => [10, 12, 14],
        Mode::Alphanumeric => [9, 11, 13],
        Mode::Byte => [8, 16, 16],
        Mode::Kanji | Mode::Hanzi => [8, 10, 12],
    }[column];
    let count = source.take(width)? as usize;
    characters(source, content, mode, count)
}

#[derive(Clone, Copy)]
enum Mode {
    Numeric,
    Alphanumeric,
    Byte,
    Kanji,
    Hanzi,
}

fn characters(source: &mut Bits<'_>, content: &mut Content, mode: Mode, count: usize) -> Result<(), ContentError> {
    let needed = match mode {
        Mode::Numeric => count / 3 * 10 + [0, 4, 7][count % 3],
        Mode::Alphanumeric => count / 2 * 11 + count % 2 * 6,
        Mode::Byte => count * 8,
        Mode::Kanji | Mode::Hanzi => count * 13,
    };
    // Checked before the first character: a count is at most 16 bits wide, so nothing below can run away.
    if needed > source.left() {
        return Err(ContentError::Truncated);
    }
    match mode {
        Mode::Numeric => numeric(source, &mut content.payload, count),
        Mode::Alphanumeric => alphanumeric(source, content, count),
        Mode::Byte => {
            for _ in 0..count {
                content.payload.push(source.take(8)? as u8);
            }
            Ok(())
        }
        // §7.4.6: thirteen bits are high · 0xC0 + low, counted from 0x8140 or 0xC140.
        Mode::Kanji => {
            pairs(
                source,
                &mut content.payload,
                count,
                0xC0,
                |pair| {
                    if pair < 0x1F00 { pair + 0x8140 } else { pair + 0xC140 }
                },
            )
        }
        // GB/T 18284: high · 0x60 + low, from 0xA1A1 or 0xA6A1.
        Mode::Hanzi => {
            pairs(
                source,
                &mut content.payload,
                count,
                0x60,
                |pair| {
                    if pair < 0x0A00 { pair + 0xA1A1 } else { pair + 0xA6A1 }
                },
            )
        }
    }
}

fn numeric(source: &mut Bits<'_>, payload: &mut Vec<u8>, mut count: usize) -> Result<(), ContentError> {
    while count > 0 {
        let digits = count.min(3);
        let value = source.take(1 + 3 * digits)?;
        if value >= 10u32.pow(digits as u32) {
            return Err(ContentError::BadValue);
        }
        for place in (0..digits as u32).rev() {
            payload.push(b'0' + (value / 10u32.pow(place) % 10) as u8);
        }
        count -= digits;
    }
    Ok(())
}

fn alphanumeric(source: &mut Bits<'_>, content: &mut Content, count: usize) -> Result<(), ContentError> {
    const CHARACTERS: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
    let start = content.payload.len();
    for index in 0..count.div_ceil(2) {
        let pair = 2 * index + 1 < count;
        let value = source.take(if pair { 11 } else { 6 })? as usize;
        if value >= if pair { 45 * 45 } else { 45 } {
            return Err(ContentError::BadValue);
        }
        if pair {
            content.payload.push(CHARACTERS[value / 45]);
        }
        content.payload.push(CHARACTERS[value % 45]);
    }
    if content.fnc1.is_some() {
        // §7.4.8.2: in FNC1 mode a single % is the separator GS and two are one %.
        let text = content.payload.split_off(start);
        let mut rest = text.iter().peekable();
        while let Some(&character) = rest.next() {
            let separator = character == b'%' && rest.next_if_eq(&&b'%').is_none();
            content.payload.push(if separator { 0x1D } else { character });
        }
    }
    Ok(())
}

fn pairs(
    source: &mut Bits<'_>,
    payload: &mut Vec<u8>,
    count: usize,
    base: u32,
    shift: impl Fn(u32) -> u32,
) -> Result<(), ContentError> {
    for _ in 0..count {
        let value = source.take(13)?;
        let code = shift((value / base) << 8 | (value % base));
        payload.extend_from_slice(&[(code >> 8) as u8, code as u8]);
    }
    Ok(())
}

/// §7.4.8.3: two digits, or a letter stored as its code plus 100.
fn aim_indicator(source: &mut Bits<'_>, content: &mut Content) -> Result<(), ContentError> {
    match source.take(8)? as u8 {
        value @ 0..100 => content.payload.extend_from_slice(&[b'0' + value / 10, b'0' + value % 10]),
        value @ (165..=190 | 197..=222) => content.payload.push(value - 100),
        _ => return Err(ContentError::BadValue),
    }
    Ok(())
}

/// §7.4.2.3: one, two or three bytes, told apart by the leading ones.
fn eci(source: &mut Bits<'_>) -> Result<u32, ContentError> {
    let first = source.take(8)?;
    match first {
        0x00..0x80 => Ok(first),
        0x80..0xC0 => Ok((first & 0x3F) << 8 | source.take(8)?),
        0xC0..0xE0 => Ok((first & 0x1F) << 16 | source.take(16)?),
        _ => Err(ContentError::BadValue),
    }
}

/// Bits of padding as they should be (zeroes to the byte, then 0xEC and 0x11 by turns), and bits that are not.
fn padding(source: &mut Bits<'_>) -> (usize, usize) {
    let (mut right, mut wrong) = (0, 0);
    let mut count = |bits: usize, ok: bool| if ok { right += bits } else { wrong += bits };
    let fill = (8 - source.at % 8) % 8;
    let fill = fill.min(source.left());
    count(fill, source.take(fill) == Ok(0));
    let mut expected = 0xEC;
    while source.left() >= 8 {
        count(8, source.take(8) == Ok(expected));
        expected ^= 0xEC ^ 0x11;
    }
    (right, wrong)
}

/// Bits of the codewords, most significant first.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    end: usize,
}

impl Bits<'_> {
    fn left(&self) -> usize {
        self.end - self.at
    }

    fn peek(&self, count: usize) -> Option<u32> {
        (count <= self.left() && count <= 32).then(|| {
            (self.at..self.at + count)
                .fold(0, |value, at| value << 1 | u32::from(self.data[at / 8] >> (7 - at % 8) & 1))
        })
    }

    fn take(&mut self, count: usize) -> Result<u32, ContentError> {
        let value = self.peek(count).ok_or(ContentError::Truncated)?;
        self.at += count;
        Ok(value)
    }
}
