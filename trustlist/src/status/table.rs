//! Statuses as they are kept: what is not valid, block by block.
//!
//! A packed array of a hundred million codes is 25 MB however few of them are set. Here a code that is set costs two bytes, and a block
//! where that would be more than the packed bytes keeps those: 2.1 MB at one code in a hundred, never much more than the array.

use std::fmt;

use super::Status;

/// Codes in a block: an offset in it and a status fill 14 bits.
const BLOCK: usize = 4096;
/// Packed bytes of a block.
const PACKED: usize = BLOCK / 4;
/// Entries of a block that is kept packed, eight codes in each. A sparse one has fewer, which is how they are told apart.
const DENSE: usize = PACKED / 2;

/// The statuses of one list, immutable.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StatusTable {
    codes: u64,
    /// Where each block's entries begin, and where the last one's end.
    starts: Box<[u32]>,
    /// A sparse block's codes that are not valid, ascending: offset in the block, status in the two lowest bits. Or a packed block.
    entries: Box<[u16]>,
}

impl StatusTable {
    /// The table of a packed array.
    #[must_use]
    pub fn of(packed: &[u8]) -> StatusTable {
        // Counted first, so that nothing is allocated twice.
        let sizes = packed.chunks(PACKED).map(entries_of);
        let mut starts = Vec::with_capacity(packed.len().div_ceil(PACKED) + 1);
        starts.push(0);
        let mut entries = 0;
        for size in sizes {
            entries += size;
            starts.push(entries as u32);
        }
        let mut table = Vec::with_capacity(entries);
        for (block, span) in packed.chunks(PACKED).zip(starts.windows(2)) {
            if (span[1] - span[0]) as usize == DENSE {
                let pairs =
                    block.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
                table.extend(pairs.chain(std::iter::repeat(0)).take(DENSE));
            } else {
                table.extend(set(block).map(|(offset, status)| (offset << 2) as u16 | u16::from(status)));
            }
        }
        StatusTable { codes: packed.len() as u64 * 4, starts: starts.into(), entries: table.into() }
    }

    /// How the code at `index` stands. Beyond the end: unknown.
    #[must_use]
    pub fn status(&self, index: u64) -> Status {
        if index >= self.codes {
            return Status::Unknown;
        }
        let (block, offset) = ((index / BLOCK as u64) as usize, (index % BLOCK as u64) as usize);
        let entries = &self.entries[self.starts[block] as usize..self.starts[block + 1] as usize];
        if entries.len() == DENSE {
            return Status::of_bits((entries[offset / 8] >> (offset % 8 * 2)) as u8);
        }
        match entries.binary_search_by_key(&offset, |entry| usize::from(entry >> 2)) {
            Ok(found) => Status::of_bits(entries[found] as u8),
            Err(_) => Status::Valid,
        }
    }

    /// How many codes there are.
    #[must_use]
    pub fn codes(&self) -> u64 {
        self.codes
    }

    /// How many codes stand as revoked, suspended, unknown.
    #[must_use]
    pub fn counts(&self) -> [u64; 3] {
        let mut counts = [0; 4];
        for span in self.starts.windows(2) {
            let entries = &self.entries[span[0] as usize..span[1] as usize];
            let places: &[u16] = if entries.len() == DENSE { &[0, 2, 4, 6, 8, 10, 12, 14] } else { &[0] };
            for entry in entries {
                for place in places {
                    counts[usize::from(entry >> place & 3)] += 1;
                }
            }
        }
        [counts[1], counts[2], counts[3]]
    }

    /// Bytes of memory behind it.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.entries)
    }
}

/// A million codes are no reading.
impl fmt::Debug for StatusTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusTable").field("codes", &self.codes).field("counts", &self.counts()).finish()
    }
}

/// Entries that a block of packed bytes takes.
fn entries_of(block: &[u8]) -> usize {
    // A code is set where either of its bits is.
    let set: u32 = block.iter().map(|byte| ((byte | byte >> 1) & 0x55).count_ones()).sum();
    (set as usize).min(DENSE)
}

/// The codes of a block that are not valid: offset and status.
fn set(block: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    block.iter().enumerate().filter(|(_, byte)| **byte != 0).flat_map(|(at, byte)| {
        (0..4).map(move |code| (at * 4 + code, byte >> (code * 2) & 3)).filter(|(_, status)| *status != 0)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::StatusArray, *};

    fn same(packed: Vec<u8>) {
        let table = StatusTable::of(&packed);
        let array = StatusArray::from_bytes(packed);
        let mut counts = [0; 4];
        for index in 0..array.codes() + 9 {
            assert_eq!(table.status(index), array.status(index), "code {index} of {}", array.codes());
            counts[usize::from(array.status(index).bits())] += u64::from(index < array.codes());
        }
        assert_eq!(table.counts(), counts[1..]);
        assert_eq!(table.status(u64::MAX), Status::Unknown);
    }

    #[test]
    fn sparse_and_packed_blocks_and_ends_inside_a_block_say_what_the_array_says() {
        for set in [0, 1, DENSE - 1, DENSE, DENSE + 1] {
            let mut packed = vec![0; PACKED * 2 + 3];
            packed[PACKED..].iter_mut().take(set.div_ceil(4)).for_each(|byte| *byte = 0b1110_0101);
            same(packed);
        }
        for odd in [vec![], vec![0xff], vec![0x1b; PACKED - 1], vec![0xe4; PACKED + 1]] {
            same(odd);
        }
    }

    #[test]
    fn a_million_codes_take_the_memory_that_is_promised() {
        let table_of = |every: usize| {
            let mut array = StatusArray::valid(1_000_000);
            for index in (0..1_000_000).step_by(every) {
                array.set(index as u64, Status::Revoked);
            }
            StatusTable::of(array.bytes()).memory()
        };
        assert_eq!([table_of(1000), table_of(100), table_of(1)], [2984, 20_984, 251_864]);
    }

    proptest! {
        #[test]
        fn whatever_is_set_the_table_says_what_the_array_says(
            length in 0_usize..3000,
            set in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..4), 0..900),
        ) {
            let mut packed = vec![0; length];
            for (at, status) in set.iter().filter(|_| length > 0) {
                let code = at.index(length * 4);
                packed[code / 4] |= status << (code % 4 * 2);
            }
            same(packed);
        }
    }
}
