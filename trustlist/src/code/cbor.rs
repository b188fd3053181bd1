//! A strict walk over CBOR (RFC 8949) before anything believes its shape.
//!
//! Parsers of CBOR accept much that signed data must not be: duplicate keys in any disguise, trailing bytes, deep nests,
//! and 64 KiB of empty arrays that become megabytes of tree. This walk allocates nothing but the open maps' last keys
//! and visits each byte once; what passes may be handed to a parser.

use std::fmt;

/// Deepest nest. Stops stack exhaustion by thousands of opening brackets.
pub const MAX_DEPTH: usize = 8;
/// Items in one message. Stops a small message from becoming a large tree.
pub const MAX_ITEMS: usize = 2048;

/// Additional information of a head without a length (RFC 8949 §3).
const INDEFINITE: u8 = 31;

/// How strict the walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Bounds, no duplicate keys, nothing after the item. Any form of a length or number, as formats that others specify allow.
    Bounded,
    /// Also RFC 8949 §4.2.1, core deterministic encoding: shortest forms, map keys in bytewise order.
    Deterministic,
}

/// What the walk met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The message ends inside an item.
    Truncated,
    /// Bytes follow the item.
    TrailingBytes,
    /// An indefinite length, or a break outside of one.
    IndefiniteLength,
    /// Deeper than [`MAX_DEPTH`].
    TooDeep,
    /// More than [`MAX_ITEMS`].
    TooManyItems,
    /// A map names a key twice.
    DuplicateKey,
    /// A map's key is neither an integer nor a string in one piece, and might be another key in disguise.
    OddKey,
    /// A longer form than needed, or keys out of order.
    NotDeterministic,
    /// A text that is not UTF-8, or a reserved head.
    NotWellFormed,
}

impl Fault {
    /// A stable code for the `detail` of a verdict.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Truncated => "cbor-truncated",
            Self::TrailingBytes => "cbor-trailing-bytes",
            Self::IndefiniteLength => "cbor-indefinite-length",
            Self::TooDeep => "cbor-too-deep",
            Self::TooManyItems => "cbor-too-many-items",
            Self::DuplicateKey => "cbor-duplicate-key",
            Self::OddKey => "cbor-odd-key",
            Self::NotDeterministic => "cbor-not-deterministic",
            Self::NotWellFormed => "cbor-not-well-formed",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::error::Error for Fault {}

/// Walks over exactly one item that fills `bytes`.
///
/// # Errors
/// With the first fault met.
pub fn walk(bytes: &[u8], strictness: Strictness) -> Result<(), Fault> {
    let mut walk = Walk { rest: bytes, items: 0, strictness };
    walk.item(0)?;
    if walk.rest.is_empty() { Ok(()) } else { Err(Fault::TrailingBytes) }
}

/// A map's key by what it means, not by how it is spelt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key<'a> {
    Integer { major: u8, argument: u64 },
    String { major: u8, content: &'a [u8] },
}

struct Walk<'a> {
    rest: &'a [u8],
    items: usize,
    strictness: Strictness,
}

impl<'a> Walk<'a> {
    fn item(&mut self, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        self.items += 1;
        if self.items > MAX_ITEMS {
            return Err(Fault::TooManyItems);
        }
        let (major, additional, argument) = self.head()?;
        if additional == INDEFINITE {
            return self.indefinite(major, depth);
        }
        match major {
            0 | 1 => Ok(()),
            2 => self.take(argument).map(|_| ()),
            3 => match std::str::from_utf8(self.take(argument)?) {
                Ok(_) => Ok(()),
                Err(_) => Err(Fault::NotWellFormed),
            },
            4 => (0..argument).try_for_each(|_| self.item(depth + 1)),
            5 => self.map(Some(argument), depth),
            6 => self.item(depth + 1),
            // Simple values 0 to 23, and 24 with one byte that must be 32 or more (RFC 8949 §3.3); 25 to 27 are floats.
            _ if additional == 24 && argument < 32 => Err(Fault::NotWellFormed),
            _ => Ok(()),
        }
    }

    /// What follows a head of indefinite length, up to its break (RFC 8949 §3.2).
    fn indefinite(&mut self, major: u8, depth: usize) -> Result<(), Fault> {
        match major {
            4 => {
                while !self.at_break() {
                    self.item(depth + 1)?;
                }
                Ok(())
            }
            5 => self.map(None, depth),
            // Chunks of a string: definite ones of the same type, each a text of its own.
            _ => {
                while !self.at_break() {
                    if self.rest.first().is_some_and(|head| head >> 5 != major || head & 0x1f == INDEFINITE) {
                        return Err(Fault::NotWellFormed);
                    }
                    self.item(depth + 1)?;
                }
                Ok(())
            }
        }
    }

    /// Takes a break if one is next.
    fn at_break(&mut self) -> bool {
        let next = self.rest.strip_prefix(&[0xff]);
        self.rest = next.unwrap_or(self.rest);
        next.is_some()
    }

    fn map(&mut self, pairs: Option<u64>, depth: usize) -> Result<(), Fault> {
        let mut keys: Vec<Key<'a>> = Vec::new();
        let mut last: &'a [u8] = &[];
        let mut left = pairs;
        while left != Some(0) && !(left.is_none() && self.at_break()) {
            left = left.map(|left| left - 1);
            let before = self.rest;
            let key = self.key(depth + 1)?;
            if keys.contains(&key) {
                return Err(Fault::DuplicateKey);
            }
            keys.push(key);
            let spelt = &before[..before.len() - self.rest.len()];
            if self.strictness == Strictness::Deterministic && spelt < last {
                return Err(Fault::NotDeterministic);
            }
            last = spelt;
            self.item(depth + 1)?;
        }
        Ok(())
    }

    fn key(&mut self, depth: usize) -> Result<Key<'a>, Fault> {
        let before = self.rest;
        self.item(depth)?;
        let rest = std::mem::replace(&mut self.rest, before);
        let (major, additional, argument) = self.head()?;
        let key = match major {
            0 | 1 => Key::Integer { major, argument },
            2 | 3 if additional != INDEFINITE => Key::String { major, content: self.take(argument)? },
            _ => return Err(Fault::OddKey),
        };
        self.rest = rest;
        Ok(key)
    }

    /// Major type, additional information, argument (RFC 8949 §3).
    fn head(&mut self) -> Result<(u8, u8, u64), Fault> {
        let first = self.take(1)?[0];
        let (major, additional) = (first >> 5, first & 0x1f);
        let width = match additional {
            0..=23 => return Ok((major, additional, u64::from(additional))),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            INDEFINITE if self.strictness == Strictness::Bounded && (2..=5).contains(&major) => {
                return Ok((major, additional, 0));
            }
            INDEFINITE => return Err(Fault::IndefiniteLength),
            _ => return Err(Fault::NotWellFormed),
        };
        let argument = self.take(width)?.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        // Shortest form, but for floats, whose width is their precision.
        let shortest = match width {
            1 => argument >= 24,
            2 => argument > 0xff,
            4 => argument > 0xffff,
            _ => argument > 0xffff_ffff,
        };
        if !shortest && major != 7 && self.strictness == Strictness::Deterministic {
            return Err(Fault::NotDeterministic);
        }
        Ok((major, additional, argument))
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], Fault> {
        let count = usize::try_from(count).map_err(|_| Fault::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Fault::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounded(bytes: &[u8]) -> Result<(), Fault> {
        walk(bytes, Strictness::Bounded)
    }

    #[test]
    fn an_indefinite_length_is_refused_in_our_own_format_and_bounded_in_others() {
        for bytes in [&[0x9f, 0xff][..], &[0x5f, 0x41, 0x00, 0xff], &[0xbf, 0x01, 0x00, 0xff], &[0x7f, 0xff]] {
            assert_eq!(walk(bytes, Strictness::Deterministic), Err(Fault::IndefiniteLength));
            assert_eq!(bounded(bytes), Ok(()));
            assert_eq!(bounded(&bytes[..bytes.len() - 1]), Err(Fault::Truncated));
        }
        assert_eq!(bounded(&[0x5f, 0x61, 0x61, 0xff]), Err(Fault::NotWellFormed), "a text within bytes");
        assert_eq!(bounded(&[0x5f, 0x5f, 0xff, 0xff]), Err(Fault::NotWellFormed), "pieces within pieces");
        assert_eq!(bounded(&[0xbf, 0x01, 0xff]), Err(Fault::IndefiniteLength), "a key without a value");
        assert_eq!(bounded(&[0xff]), Err(Fault::IndefiniteLength), "a break of nothing");
        assert_eq!(bounded(&[0x9f; 2000]), Err(Fault::TooDeep));
    }

    #[test]
    fn a_key_named_twice_is_refused_also_when_others_lie_between() {
        assert_eq!(bounded(&[0xa2, 0x01, 0x00, 0x01, 0x00]), Err(Fault::DuplicateKey));
        assert_eq!(bounded(&[0xa3, 0x02, 0x00, 0x01, 0x00, 0x02, 0x00]), Err(Fault::DuplicateKey));
        assert_eq!(bounded(&[0xa2, 0x02, 0x00, 0x01, 0x00]), Ok(()));
    }

    #[test]
    fn another_spelling_of_a_key_does_not_hide_a_duplicate() {
        assert_eq!(
            bounded(&[0xa2, 0x01, 0x00, 0x18, 0x01, 0x00]),
            Err(Fault::DuplicateKey),
            "an integer in a longer form"
        );
        assert_eq!(
            bounded(&[0xa2, 0x61, 0x61, 0x00, 0x78, 0x01, 0x61, 0x00]),
            Err(Fault::DuplicateKey),
            "a longer length"
        );
        assert_eq!(bounded(&[0xa1, 0xc2, 0x41, 0x01, 0x00]), Err(Fault::OddKey), "a bignum that is 1");
        assert_eq!(bounded(&[0xa1, 0x7f, 0x61, 0x61, 0xff, 0x00]), Err(Fault::OddKey), "a text in pieces");
        assert_eq!(bounded(&[0xa2, 0x41, 0x61, 0x00, 0x61, 0x61, 0x00]), Ok(()), "bytes and text differ");
    }

    #[test]
    fn signed_data_of_our_own_is_deterministic() {
        let walk = |bytes| walk(bytes, Strictness::Deterministic);
        assert_eq!(walk(&[0xa2, 0x01, 0x00, 0x02, 0x00]), Ok(()));
        assert_eq!(walk(&[0xa2, 0x02, 0x00, 0x01, 0x00]), Err(Fault::NotDeterministic));
        assert_eq!(walk(&[0x58, 0x01, 0x00]), Err(Fault::NotDeterministic));
    }

    #[test]
    fn two_thousand_open_brackets_stop_at_the_depth_bound() {
        assert_eq!(bounded(&[0x81; 2000]), Err(Fault::TooDeep));
        assert_eq!(bounded(&[0xc1; 2000]), Err(Fault::TooDeep));
    }

    #[test]
    fn sixty_four_kibibytes_of_empty_arrays_stop_at_the_item_bound() {
        let mut bytes = vec![0x80; 65_536];
        bytes[..3].copy_from_slice(&[0x99, 0xff, 0xfd]);
        assert_eq!(bounded(&bytes), Err(Fault::TooManyItems));
    }

    #[test]
    fn a_length_beyond_the_message_ends_as_truncated_without_allocation() {
        assert_eq!(bounded(&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Err(Fault::Truncated));
        assert_eq!(bounded(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Err(Fault::Truncated));
    }

    #[test]
    fn a_byte_after_the_message_is_refused() {
        assert_eq!(bounded(&[0x00, 0x00]), Err(Fault::TrailingBytes));
    }
}
