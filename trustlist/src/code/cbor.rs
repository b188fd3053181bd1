//! A strict walk over CBOR (RFC 8949) before anything believes its shape.
//!
//! Parsers of CBOR accept much that signed data must not be: indefinite lengths, duplicate keys, trailing bytes, deep nests,
//! and 64 KiB of empty arrays that become megabytes of tree. This walk allocates nothing but the open maps' last keys
//! and visits each byte once; what passes may be handed to a parser.

use std::fmt;

/// Deepest nest. Stops stack exhaustion by thousands of opening brackets.
pub const MAX_DEPTH: usize = 8;
/// Items in one message. Stops a small message from becoming a large tree.
pub const MAX_ITEMS: usize = 2048;

/// How strict the walk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Bounds, no indefinite lengths, no duplicate keys, nothing after the item.
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
        match major {
            0 | 1 => Ok(()),
            2 => self.take(argument).map(|_| ()),
            3 => match std::str::from_utf8(self.take(argument)?) {
                Ok(_) => Ok(()),
                Err(_) => Err(Fault::NotWellFormed),
            },
            4 => (0..argument).try_for_each(|_| self.item(depth + 1)),
            5 => self.map(argument, depth),
            6 => self.item(depth + 1),
            // Simple values 0 to 23, and 24 with one byte that must be 32 or more (RFC 8949 §3.3); 25 to 27 are floats.
            _ if additional == 24 && argument < 32 => Err(Fault::NotWellFormed),
            _ => Ok(()),
        }
    }

    fn map(&mut self, pairs: u64, depth: usize) -> Result<(), Fault> {
        let mut keys: Vec<&'a [u8]> = Vec::new();
        for _ in 0..pairs {
            let before = self.rest;
            self.item(depth + 1)?;
            let key = &before[..before.len() - self.rest.len()];
            match keys.last() {
                Some(last) if self.strictness == Strictness::Deterministic => match (*last).cmp(key) {
                    std::cmp::Ordering::Less => keys.clear(),
                    std::cmp::Ordering::Equal => return Err(Fault::DuplicateKey),
                    std::cmp::Ordering::Greater => return Err(Fault::NotDeterministic),
                },
                // Compared as encoded: an integer key in a longer form is the same key, so forms are checked for keys too.
                _ if keys.contains(&key) => return Err(Fault::DuplicateKey),
                _ => (),
            }
            keys.push(key);
            self.item(depth + 1)?;
        }
        Ok(())
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
            31 => return Err(Fault::IndefiniteLength),
            _ => return Err(Fault::NotWellFormed),
        };
        let argument = self.take(width)?.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        // Two forms of one integer would be two keys to a comparison of bytes and one key to a parser: shortest form always,
        // but for floats, whose width is their precision.
        let shortest = match width {
            1 => argument >= 24,
            2 => argument > 0xff,
            4 => argument > 0xffff,
            _ => argument > 0xffff_ffff,
        };
        if !shortest && major != 7 && (self.strictness == Strictness::Deterministic || major < 2) {
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
    fn an_indefinite_length_is_refused() {
        assert_eq!(bounded(&[0x9f, 0xff]), Err(Fault::IndefiniteLength));
        assert_eq!(bounded(&[0x5f, 0x41, 0x00, 0xff]), Err(Fault::IndefiniteLength));
    }

    #[test]
    fn a_key_named_twice_is_refused_also_when_others_lie_between() {
        assert_eq!(bounded(&[0xa2, 0x01, 0x00, 0x01, 0x00]), Err(Fault::DuplicateKey));
        assert_eq!(bounded(&[0xa3, 0x02, 0x00, 0x01, 0x00, 0x02, 0x00]), Err(Fault::DuplicateKey));
        assert_eq!(bounded(&[0xa2, 0x02, 0x00, 0x01, 0x00]), Ok(()));
    }

    #[test]
    fn a_key_in_a_longer_form_does_not_hide_a_duplicate() {
        assert_eq!(bounded(&[0xa2, 0x01, 0x00, 0x18, 0x01, 0x00]), Err(Fault::NotDeterministic));
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
