//! Deltas: what changed in a list since the one that a gate holds.
//!
//! A delta is believed in nothing. It says what stands around the new list in the signed message and which codes changed; from that and
//! the list that is held the new message is made, **bit for bit**, since there is one way to [`deflate`](super::StatusArray::deflate) statuses. The bytes
//! count if they are the target that the repository's metadata names, and otherwise they are dropped and the whole list is fetched. So a wrong
//! delta costs time and changes nothing.
//!
//! Changes are three lists of indices, one for each way in which two bits can change, each as gaps in a Rice code: close to the
//! entropy of "these of so many", and sorted because it cannot be written otherwise.

use std::fmt;

use ciborium::Value;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{MAX_INFLATED, PREFIX, deflate::deflate, packed};
use crate::code::cbor::{self, Strictness};

/// Between a list's name and what it is a delta from.
const INFIX: &str = ".delta-";
/// Bits of a gap that are sent as they are: a list has fewer codes than 2 to this power.
const MAX_RICE: usize = 25;

/// Why a delta gave no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The delta, or the list that is held, cannot be read.
    Unreadable(&'static str),
    /// What it makes is not the list that the metadata names.
    OtherContent,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => f.write_str(why),
            Self::OtherContent => f.write_str("it does not make the list that is signed for"),
        }
    }
}

impl std::error::Error for Fault {}

/// The name of the target that leads from the list whose bytes are `held` to the newest of the same name.
#[must_use]
pub fn name(list: &str, held: &[u8]) -> String {
    format!("{list}{INFIX}{}", HEXLOWER.encode(&Sha256::digest(held)[..4]))
}

/// Whether a target is a delta: a way to a list, and nothing that is kept.
#[must_use]
pub fn is_delta(target: &str) -> bool {
    target.starts_with(PREFIX) && target.contains(INFIX)
}

/// What a delta says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// So many of the held message's first bytes begin the new one, too.
    kept: usize,
    /// They are followed by these, up to the list.
    before: Vec<u8>,
    /// Length of the new array in bytes. Codes that it has more are valid before they are changed.
    length: usize,
    /// Codes whose two bits change by 1, by 2, by 3 (exclusive or).
    changes: [Gaps; 3],
    /// What follows the list: the signature, and claims between.
    after: Vec<u8>,
}

impl Delta {
    /// Reads a delta: a CBOR array of `kept`, `before`, `length`, three times `[parameter, count, gaps]`, `after`.
    ///
    /// # Errors
    /// When it is anything else, or leads beyond the list.
    pub fn read(bytes: &[u8]) -> Result<Delta, Fault> {
        cbor::walk(bytes, Strictness::Deterministic).map_err(|fault| Fault::Unreadable(fault.code()))?;
        let shape = Fault::Unreadable("it is no delta");
        let value: Value = ciborium::from_reader(bytes).map_err(|_| shape)?;
        let Some([kept, before, length, by_one, by_two, by_three, after]) = value.as_array().map(Vec::as_slice) else {
            return Err(shape);
        };
        let length = number(length).ok_or(shape)?;
        if length > MAX_INFLATED {
            return Err(Fault::Unreadable("its list is too long"));
        }
        let gaps = |value| Gaps::read(value, length as u64 * 4);
        Ok(Delta {
            kept: number(kept).ok_or(shape)?,
            before: before.as_bytes().ok_or(shape)?.clone(),
            length,
            changes: [gaps(by_one)?, gaps(by_two)?, gaps(by_three)?],
            after: after.as_bytes().ok_or(shape)?.clone(),
        })
    }

    /// The message that this delta makes of the one that is held.
    ///
    /// # Errors
    /// When what is held is no status list, or shorter than the delta takes it to be.
    pub fn apply(&self, held: &[u8]) -> Result<Vec<u8>, Fault> {
        let kept = held.get(..self.kept).ok_or(Fault::Unreadable("what is held is too short for it"))?;
        let mut bytes = packed(held).map_err(|_| Fault::Unreadable("what is held is no status list"))?;
        bytes.resize(self.length, 0);
        for (change, gaps) in (1..).zip(&self.changes) {
            for index in gaps.indices() {
                let index = index?;
                bytes[(index / 4) as usize] ^= change << (index % 4 * 2);
            }
        }
        Ok([kept, &self.before, &deflate(&bytes), &self.after].concat())
    }
}

/// The list that was signed for, by way of a delta from the one that is held. Nothing else comes back.
///
/// # Errors
/// When it cannot be had so; then the whole list is fetched.
pub fn follow(delta: &[u8], held: &[u8], signed_for: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>, Fault> {
    let made = Delta::read(delta)?.apply(held)?;
    if signed_for(&made) { Ok(made) } else { Err(Fault::OtherContent) }
}

/// Ascending indices as gaps in a Rice code: how many indices were passed over since the last, its high bits as so many ones and a zero,
/// then its low bits as they are; from the most significant end of each byte, with zeros at the end of the last.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Gaps {
    /// How many low bits.
    parameter: u32,
    count: usize,
    bits: Vec<u8>,
}

impl Gaps {
    /// Reads them to their end once, so that none is beyond `codes` and none is missing.
    fn read(value: &Value, codes: u64) -> Result<Gaps, Fault> {
        let Some([parameter, count, bits]) = value.as_array().map(Vec::as_slice) else { return Err(UNREADABLE) };
        let (Some(parameter), Some(count), Some(bits)) = (number(parameter), number(count), bits.as_bytes()) else {
            return Err(UNREADABLE);
        };
        if parameter > MAX_RICE {
            return Err(UNREADABLE);
        }
        let gaps = Gaps { parameter: parameter as u32, count, bits: bits.clone() };
        let mut indices = gaps.indices();
        for index in indices.by_ref() {
            if index? >= codes {
                return Err(Fault::Unreadable("it changes a code beyond the list"));
            }
        }
        if indices.is_at_end() { Ok(gaps) } else { Err(UNREADABLE) }
    }

    fn indices(&self) -> Indices<'_> {
        Indices { gaps: self, place: 0, left: self.count, next: 0 }
    }
}

const UNREADABLE: Fault = Fault::Unreadable("its changes cannot be read");

struct Indices<'a> {
    gaps: &'a Gaps,
    /// Of the next bit.
    place: usize,
    left: usize,
    /// The least that the next index can be.
    next: u64,
}

impl Indices<'_> {
    fn bit(&mut self) -> Option<u64> {
        let byte = self.gaps.bits.get(self.place / 8)?;
        let bit = byte >> (7 - self.place % 8) & 1;
        self.place += 1;
        Some(u64::from(bit))
    }

    fn gap(&mut self) -> Option<u64> {
        let mut gap = 0;
        while self.bit()? == 1 {
            gap += 1;
        }
        for _ in 0..self.gaps.parameter {
            gap = gap << 1 | self.bit()?;
        }
        Some(gap)
    }

    /// Whether nothing is left but zeros in the last byte.
    fn is_at_end(&mut self) -> bool {
        self.place.div_ceil(8) == self.gaps.bits.len() && std::iter::from_fn(|| self.bit()).all(|bit| bit == 0)
    }
}

impl Iterator for Indices<'_> {
    type Item = Result<u64, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let Some(gap) = self.gap() else {
            self.left = 0;
            return Some(Err(UNREADABLE));
        };
        let index = self.next + gap;
        self.next = index + 1;
        Some(Ok(index))
    }
}

fn number(value: &Value) -> Option<usize> {
    value.as_integer().and_then(|number| number.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Value = Value::Null;

    fn gaps(parameter: u64, count: u64, bits: &[u8]) -> Value {
        Value::Array(vec![Value::from(parameter), Value::from(count), Value::from(bits)])
    }

    /// A delta whose changes by one are these, for a list of eight codes.
    fn delta(changes: Value) -> Vec<u8> {
        let none = || gaps(0, 0, &[]);
        let parts = vec![
            Value::from(9),
            Value::from(&b"a"[..]),
            Value::from(2),
            changes,
            none(),
            none(),
            Value::from(&b"b"[..]),
        ];
        let mut bytes = Vec::new();
        ciborium::into_writer(&Value::Array(parts), &mut bytes).expect("writing to memory does not fail");
        bytes
    }

    fn read(changes: Value) -> Result<Vec<u64>, Fault> {
        Delta::read(&delta(changes))
            .map(|delta| delta.changes[0].indices().map(|index| index.expect("was read")).collect())
    }

    #[test]
    fn gaps_are_read_as_they_are_written_on_paper() {
        // Parameter 1, indices 0, 3, 7: gaps 0, 2, 3; high bits 0, 10, 10; low bits 0, 0, 1.
        assert_eq!(read(gaps(1, 3, &[0b0010_0101])), Ok(vec![0, 3, 7]));
        assert_eq!(read(gaps(0, 8, &[0])), Ok((0..8).collect()), "all of them are eight gaps of nothing");
        assert_eq!(read(gaps(0, 0, &[])), Ok(vec![]));
    }

    #[test]
    fn changes_beyond_the_list_and_bits_too_few_or_too_many_are_refused() {
        let beyond = Err(Fault::Unreadable("it changes a code beyond the list"));
        assert_eq!(read(gaps(0, 1, &[0b1111_1110])), Ok(vec![7]));
        assert_eq!(read(gaps(0, 1, &[0xff, 0])), beyond, "code 8 of eight");
        assert_eq!(read(gaps(0, 9, &[0, 0])), beyond, "a ninth of eight");
        assert_eq!(read(gaps(25, 1, &[0x7f, 0xff, 0xff, 0xff])), beyond);
        for (what, changes) in [
            ("a gap that never ends", gaps(0, 1, &[0xff])),
            ("low bits cut short", gaps(7, 2, &[0])),
            ("a bit after the last", gaps(0, 1, &[0b0000_0001])),
            ("a byte after the last", gaps(0, 1, &[0, 0])),
            ("bytes of no changes", gaps(0, 0, &[0])),
            ("more of them than there can be", gaps(0, u64::MAX, &[0])),
            ("a parameter beyond every list", gaps(26, 0, &[])),
            ("something else", NONE),
        ] {
            assert_eq!(read(changes), Err(UNREADABLE), "{what}");
        }
    }

    #[test]
    fn a_list_that_would_be_too_long_is_refused_before_memory_is_asked_for() {
        let none = || gaps(0, 0, &[]);
        for length in [MAX_INFLATED as u64 + 1, u64::MAX] {
            let parts = vec![
                Value::from(0),
                Value::from(&b""[..]),
                Value::from(length),
                none(),
                none(),
                none(),
                Value::from(&b""[..]),
            ];
            let mut bytes = Vec::new();
            ciborium::into_writer(&Value::Array(parts), &mut bytes).expect("writing to memory does not fail");
            assert_eq!(Delta::read(&bytes), Err(Fault::Unreadable("its list is too long")), "{length}");
        }
    }

    #[test]
    fn what_is_no_delta_and_what_is_held_in_vain_is_said() {
        for bytes in [&b""[..], b"\x80", b"\xa0", b"\x87\0\0\0\0\0\0\0", &[0xff; 9]] {
            assert!(Delta::read(bytes).is_err(), "{bytes:02x?}");
        }
        let good = Delta::read(&delta(gaps(0, 0, &[]))).expect("a delta");
        assert_eq!(good.apply(b"short"), Err(Fault::Unreadable("what is held is too short for it")));
        assert_eq!(good.apply(b"long, but no list"), Err(Fault::Unreadable("what is held is no status list")));
    }

    #[test]
    fn names_say_what_is_held() {
        // SHA-256 of nothing begins with e3b0c442.
        assert_eq!(name("status/3", b""), "status/3.delta-e3b0c442");
        assert!(is_delta("status/3.delta-e3b0c442") && !is_delta("status/3") && !is_delta("roots/x.delta-1"));
    }
}
