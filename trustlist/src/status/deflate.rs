//! The one way in which a list's bytes are deflated, bit for bit and for ever: whoever has the bytes has the compressed list too.
//!
//! Any inflater reads it (RFC 1950, RFC 1951), but nothing in it is left to a compressor's taste or version. That is what makes a
//! [delta](super::delta) possible: a gate that knows the new statuses makes the very file that was signed. FORMAT.md §6 says the same
//! in words; a change here makes every delta useless until all gates have it, so there is none.
//!
//! It looks for runs of one byte and nothing else, which costs a twentieth more than a patient compressor where one code in a hundred is set at random, and less where
//! more are.

use std::{cmp::Reverse, collections::BinaryHeap};

/// CMF and FLG (RFC 1950 §2.2): deflate, a window of 32 KiB, no dictionary, "maximum compression".
const HEADER: [u8; 2] = [0x78, 0xda];
/// A run is worth a match from this length on; shorter ones are literals.
const SHORTEST: usize = 8;
/// The longest match (RFC 1951 §3.2.5).
const LONGEST: usize = 258;
/// The symbol that ends a block.
const END: usize = 256;
/// Literals, the end and the lengths.
const SYMBOLS: usize = 286;
/// Longest code of a symbol, and of a code length (RFC 1951 §3.2.7).
const LIMIT: u8 = 15;
const LENGTH_LIMIT: u8 = 7;
/// The order in which the lengths of code length codes are sent (§3.2.7).
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Deflates `bytes` into a zlib stream of one block.
#[must_use]
pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    // Zero is counted once more than it is there, so that there are two symbols at least.
    let mut counts = [0; SYMBOLS];
    counts[0] = 1;
    counts[END] = 1;
    tokens(bytes, |token| counts[token.symbol()] += 1);
    let lengths = code_lengths(&counts, LIMIT);
    let codes = codes(&lengths);

    let mut bits = Bits { bytes: HEADER.to_vec(), held: 0, count: 0 };
    // The last block, with codes of its own.
    bits.put(0b101, 3);
    put_tables(&mut bits, &lengths);
    tokens(bytes, |token| {
        let symbol = token.symbol();
        bits.put(codes[symbol], lengths[symbol]);
        if let Token::Match(length) = token {
            let (_, base, extra) = length_code(length);
            bits.put((length - base) as u32, extra);
            // The distance is 1: the only code there is, of one bit.
            bits.put(0, 1);
        }
    });
    bits.put(codes[END], lengths[END]);
    let mut stream = bits.end();
    stream.extend(adler32(bytes).to_be_bytes());
    stream
}

#[derive(Clone, Copy)]
enum Token {
    Literal(u8),
    /// The byte before, so many times.
    Match(usize),
}

impl Token {
    fn symbol(self) -> usize {
        match self {
            Self::Literal(byte) => usize::from(byte),
            Self::Match(length) => length_code(length).0,
        }
    }
}

/// From left to right: where the byte before repeats [`SHORTEST`] times or more, a match as long as may be, otherwise a literal.
fn tokens(bytes: &[u8], mut take: impl FnMut(Token)) {
    let mut at = 0;
    while at < bytes.len() {
        let run = match at.checked_sub(1).map(|before| bytes[before]) {
            Some(before) => bytes[at..].iter().take(LONGEST).take_while(|byte| **byte == before).count(),
            None => 0,
        };
        if run >= SHORTEST {
            take(Token::Match(run));
            at += run;
        } else {
            take(Token::Literal(bytes[at]));
            at += 1;
        }
    }
}

/// Symbol, base and number of extra bits for the length of a match (RFC 1951 §3.2.5).
fn length_code(length: usize) -> (usize, usize, u8) {
    match length {
        LONGEST => (285, LONGEST, 0),
        ..=10 => (257 + length - 3, length, 0),
        _ => {
            // Four symbols for each power of two.
            let extra = (length - 3).ilog2() as usize - 2;
            let quarter = (length - 3) >> extra;
            (257 + 4 * extra + quarter, (quarter << extra) + 3, extra as u8)
        }
    }
}

/// Huffman's code: the two rarest nodes are joined until one is left; of equal ones, the earlier, leaves in the order of their symbols
/// before joined nodes in the order of their joining. Where a code is longer than `limit`, all counts are halved, rounding up, and it begins
/// anew.
fn code_lengths(counts: &[u32], limit: u8) -> Vec<u8> {
    let mut counts = counts.to_vec();
    loop {
        let mut rarest: BinaryHeap<Reverse<(u32, usize)>> = counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(node, count)| Reverse((*count, node)))
            .collect();
        let mut parents = vec![0; counts.len()];
        while rarest.len() > 1 {
            let node = parents.len();
            let mut joined = 0;
            for _ in 0..2 {
                let Some(Reverse((count, child))) = rarest.pop() else { break };
                parents[child] = node;
                joined += count;
            }
            parents.push(0);
            rarest.push(Reverse((joined, node)));
        }
        // A parent comes after its children, so depths are known from the last node down.
        let mut depths = vec![0_u8; parents.len()];
        for node in (0..parents.len()).rev().filter(|node| parents[*node] > 0) {
            depths[node] = depths[parents[node]].saturating_add(1);
        }
        depths.truncate(counts.len());
        if depths.iter().all(|depth| *depth <= limit) {
            return depths;
        }
        for count in &mut counts {
            *count = count.div_ceil(2);
        }
    }
}

/// Canonical codes for code lengths (RFC 1951 §3.2.2), reversed, as they are sent.
fn codes(lengths: &[u8]) -> Vec<u32> {
    let mut codes = vec![0; lengths.len()];
    let mut next = 0_u32;
    for bits in 1..=LIMIT {
        for (code, _) in codes.iter_mut().zip(lengths).filter(|(_, length)| **length == bits) {
            *code = next.reverse_bits() >> (32 - u32::from(bits));
            next += 1;
        }
        next <<= 1;
    }
    codes
}

/// The code lengths themselves (RFC 1951 §3.2.7): of the symbols up to the last that is used, and 1 for the only distance.
fn put_tables(bits: &mut Bits, lengths: &[u8]) {
    let used = lengths.iter().rposition(|length| *length > 0).expect("the end is used") + 1;
    let all: Vec<u8> = lengths[..used].iter().copied().chain([1]).collect();
    let runs = runs(&all);
    let mut counts = [0; ORDER.len()];
    for (symbol, ..) in &runs {
        counts[*symbol] += 1;
    }
    let meta = code_lengths(&counts, LENGTH_LIMIT);
    let meta_codes = codes(&meta);
    let sent = ORDER.iter().rposition(|symbol| meta[*symbol] > 0).expect("some length is used") + 1;
    bits.put((used - 257) as u32, 5);
    bits.put(0, 5);
    bits.put((sent - 4) as u32, 4);
    for symbol in &ORDER[..sent] {
        bits.put(u32::from(meta[*symbol]), 3);
    }
    for (symbol, extra, width) in runs {
        bits.put(meta_codes[symbol], meta[symbol]);
        bits.put(extra, width);
    }
}

/// Code lengths with their runs taken together: symbol, extra bits and their number. 16 repeats the length before 3 to 6 times, 17 and 18
/// stand for 3 to 10 and 11 to 138 zeros; each is as long as may be.
fn runs(lengths: &[u8]) -> Vec<(usize, u32, u8)> {
    let mut runs = Vec::new();
    let mut at = 0;
    while at < lengths.len() {
        let length = lengths[at];
        let run = lengths[at..].iter().take_while(|other| **other == length).count();
        let repeats = at > 0 && lengths[at - 1] == length;
        at += match (length, run) {
            (0, 11..) => {
                runs.push((18, (run.min(138) - 11) as u32, 7));
                run.min(138)
            }
            (0, 3..) => {
                runs.push((17, (run - 3) as u32, 3));
                run
            }
            (1.., 3..) if repeats => {
                runs.push((16, (run.min(6) - 3) as u32, 2));
                run.min(6)
            }
            _ => {
                runs.push((usize::from(length), 0, 0));
                1
            }
        };
    }
    runs
}

/// Bits from the least significant end of each byte (RFC 1951 §3.1.1).
struct Bits {
    bytes: Vec<u8>,
    held: u64,
    count: u8,
}

impl Bits {
    fn put(&mut self, bits: u32, width: u8) {
        self.held |= u64::from(bits) << self.count;
        self.count += width;
        while self.count >= 8 {
            self.bytes.push(self.held as u8);
            self.held >>= 8;
            self.count -= 8;
        }
    }

    fn end(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.bytes.push(self.held as u8);
        }
        self.bytes
    }
}

/// The checksum at the end (RFC 1950 §8.2).
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    let (mut a, mut b) = (1, 0);
    // So many bytes before a sum can overflow.
    for chunk in bytes.chunks(5552) {
        for byte in chunk {
            a += u32::from(*byte);
            b += a;
        }
        a %= MODULUS;
        b %= MODULUS;
    }
    b << 16 | a
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::ZlibDecoder;
    use proptest::prelude::*;

    use super::*;

    fn inflated(stream: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut decoder = ZlibDecoder::new(stream);
        decoder.read_to_end(&mut bytes).expect("an inflater that we did not write reads it");
        assert_eq!(decoder.total_in(), stream.len() as u64, "nothing follows");
        bytes
    }

    #[test]
    fn every_length_of_a_run_has_its_symbol() {
        // RFC 1951 §3.2.5, the table's corners: length, symbol, base, extra bits.
        for (length, symbol, base, extra) in [
            (3, 257, 3, 0),
            (10, 264, 10, 0),
            (11, 265, 11, 1),
            (12, 265, 11, 1),
            (13, 266, 13, 1),
            (18, 268, 17, 1),
            (19, 269, 19, 2),
            (34, 272, 31, 2),
            (35, 273, 35, 3),
            (130, 280, 115, 4),
            (131, 281, 131, 5),
            (257, 284, 227, 5),
            (258, 285, 258, 0),
        ] {
            assert_eq!(length_code(length), (symbol, base, extra), "{length}");
        }
    }

    #[test]
    fn lists_of_every_kind_inflate_to_what_they_were() {
        let ramp: Vec<u8> = (0..=255).cycle().take(70_000).collect();
        // Fibonacci's counts make the deepest codes there are.
        let mut deep = Vec::new();
        let (mut few, mut more) = (1, 1);
        for symbol in 0..24_u8 {
            deep.extend(std::iter::repeat_n([symbol * 2, symbol * 2 + 1], few).flatten());
            (few, more) = (more, few + more);
        }
        for bytes in [Vec::new(), vec![0], vec![0; 250_000], vec![0xaa; 777], vec![1, 1, 1, 1, 1, 1, 1, 2], ramp, deep]
        {
            assert_eq!(inflated(&deflate(&bytes)), bytes);
        }
    }

    proptest! {
        #[test]
        fn whatever_the_statuses_the_stream_inflates_to_them(
            pieces in prop::collection::vec((any::<u8>(), 1_usize..600), 0..200),
        ) {
            let bytes: Vec<u8> = pieces.iter().flat_map(|(byte, length)| std::iter::repeat_n(*byte, *length)).collect();
            prop_assert_eq!(inflated(&deflate(&bytes)), bytes);
        }

        #[test]
        fn bytes_without_any_order_inflate_too(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
            prop_assert_eq!(inflated(&deflate(&bytes)), bytes);
        }
    }
}
