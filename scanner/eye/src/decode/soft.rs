//! From soft bits to data codewords: cut into blocks, correct each, retry with the least trusted codewords erased.
//!
//! The retries are Forney's generalised minimum distance decoding: an erasure costs half an error, so not believing
//! the codewords under a glare spot nearly doubles how large it may be. After it Chase's: the shakiest single bits
//! are flipped, a few at a time. Both are bounded by a count of tries, and both must clear a higher bar of evidence,
//! because every try is one more chance to be right by accident.

use super::correct::{Correction, MAX_BLOCK, correct, correct_with, surprise};
use super::field::syndromes;
use super::symbology::Blocks;

/// Evidence in bits a block needs when it was corrected as sampled. What the standard allows lies above it.
const PLAIN_EVIDENCE: i32 = 16;
/// Evidence in bits a block needs when codewords were erased or flipped on suspicion.
const RETRY_EVIDENCE: i32 = 26;
/// Shakiest bits of a block that Chase's patterns flip, alone and in pairs.
const CHASE_BITS: usize = 6;

/// Retries while nothing yet says that the grid is a symbol; enough for the erasures alone.
const UNPROVEN_TRIES: usize = 24;

/// The corrected data codewords of a symbol, and what correcting them took.
#[derive(Clone, Debug, Default)]
pub struct Corrected {
    /// Data codewords of all blocks in order.
    pub data: Vec<u8>,
    /// Codewords put right without having been under suspicion.
    pub errors: usize,
    /// Codewords not believed.
    pub erasures: usize,
    /// Blocks that needed more than one try.
    pub retried: usize,
    /// Evidence that the blocks are real, in bits.
    pub evidence: i32,
}

/// Where correction stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncorrected {
    /// Blocks that were corrected.
    pub solved: usize,
    /// Blocks the symbol has.
    pub blocks: usize,
}

/// Corrects every block as sampled; stops at the first that cannot be.
pub fn plain(bits: &[i8], blocks: &Blocks) -> Result<Corrected, Uncorrected> {
    let mut corrected = Corrected { data: Vec::with_capacity(blocks.data_total()), ..Corrected::default() };
    for index in 0..blocks.count {
        let mut block = Block::gather(bits, blocks, index);
        let Some(taken) = block.plain() else { return Err(Uncorrected { solved: index, blocks: blocks.count }) };
        corrected.add(&block, taken, false);
    }
    Ok(corrected)
}

/// Corrects every block, with up to `tries` retries each.
///
/// While no block has been corrected only a few are spent: on a grid that is no symbol, or was laid wrongly, none
/// ever is.
pub fn retrying(bits: &[i8], blocks: &Blocks, tries: usize) -> Result<Corrected, Uncorrected> {
    let mut corrected = Corrected { data: Vec::with_capacity(blocks.data_total()), ..Corrected::default() };
    let mut open: Vec<usize> = Vec::new();
    for index in 0..blocks.count {
        let mut block = Block::gather(bits, blocks, index);
        match block.plain() {
            Some(taken) => corrected.add(&block, taken, false),
            None => {
                open.push(index);
                corrected.data.resize(corrected.data.len() + blocks.data(index), 0);
            }
        }
    }
    let before = blocks.count - open.len();
    for (rescued, index) in open.into_iter().enumerate() {
        let mut block = Block::gather(bits, blocks, index);
        let tries = if before + rescued == 0 { tries.min(UNPROVEN_TRIES) } else { tries };
        let Some(taken) = block.retry(tries) else {
            return Err(Uncorrected { solved: before + rescued, blocks: blocks.count });
        };
        let start: usize = (0..index).map(|before| blocks.data(before)).sum();
        corrected.data[start..start + block.data].copy_from_slice(&block.codewords[..block.data]);
        corrected.count(&block, taken, true);
    }
    Ok(corrected)
}

impl Corrected {
    fn add(&mut self, block: &Block, taken: Correction, retried: bool) {
        self.data.extend_from_slice(&block.codewords[..block.data]);
        self.count(block, taken, retried);
    }

    fn count(&mut self, block: &Block, taken: Correction, retried: bool) {
        self.errors += taken.errors;
        self.erasures += taken.erasures;
        self.retried += usize::from(retried);
        self.evidence += surprise(block.length, block.correction, taken);
    }
}

/// One block as sampled: codewords, and their soft bits to doubt them by.
struct Block {
    codewords: [u8; MAX_BLOCK],
    soft: [[i8; 8]; MAX_BLOCK],
    length: usize,
    data: usize,
    correction: usize,
}

impl Block {
    /// Undoes the interleaving: data codewords go round the blocks, then correction codewords do.
    fn gather(bits: &[i8], blocks: &Blocks, index: usize) -> Block {
        let (count, correction, data) = (blocks.count, blocks.correction, blocks.data(index));
        let short = blocks.total / count - correction;
        let shorts = count - blocks.total % count;
        let mut block =
            Block { codewords: [0; MAX_BLOCK], soft: [[0; 8]; MAX_BLOCK], length: data + correction, data, correction };
        for place in 0..block.length {
            let codeword = if place < short {
                place * count + index
            } else if place < data {
                short * count + index - shorts
            } else {
                blocks.data_total() + (place - data) * count + index
            };
            block.take(place, bits, codeword, blocks);
        }
        block
    }

    fn take(&mut self, place: usize, bits: &[i8], codeword: usize, blocks: &Blocks) {
        let half = blocks.data_total() - 1;
        let short_by = if blocks.half_at_end && codeword >= half { 4 } else { 0 };
        let (start, width) = match (short_by, codeword == half) {
            (4, true) => (codeword * 8, 4),
            _ => (codeword * 8 - short_by, 8),
        };
        // A half codeword's missing bits are known zeroes.
        let mut soft = [-127; 8];
        for (to, from) in soft[..width].iter_mut().zip(bits.get(start..start + width).unwrap_or(&[])) {
            *to = *from;
        }
        self.soft[place] = soft;
        self.codewords[place] = soft.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit > 0));
    }

    fn accept(&self, taken: Correction, evidence: i32) -> Option<Correction> {
        (surprise(self.length, self.correction, taken) >= evidence).then_some(taken)
    }

    fn plain(&mut self) -> Option<Correction> {
        let before = self.codewords;
        let taken = correct(&mut self.codewords[..self.length], self.correction, &[])?;
        let accepted = self.accept(taken, PLAIN_EVIDENCE);
        if accepted.is_none() {
            self.codewords = before;
        }
        accepted
    }

    fn retry(&mut self, tries: usize) -> Option<Correction> {
        let sampled = self.codewords;
        let doubtful = self.by_doubt();
        let sums = syndromes(&sampled[..self.length], self.correction);
        let mut left = tries;
        let most = (1..=self.correction).rev().find(|&erasures| {
            surprise(self.length, self.correction, Correction { errors: 0, erasures }) >= RETRY_EVIDENCE
        })?;
        let mut attempt = |block: &mut Block, flips: &[(u8, u8)], erasures: usize| -> Option<Correction> {
            left = left.checked_sub(1)?;
            block.codewords = sampled;
            for &(place, bit) in flips {
                block.codewords[usize::from(place)] ^= 0x80 >> bit;
            }
            let erased = &doubtful[..erasures.min(block.length)];
            let codewords = &mut block.codewords[..block.length];
            let taken = match flips {
                [] => correct_with(codewords, block.correction, erased, &sums)?,
                _ => correct(codewords, block.correction, erased)?,
            };
            block.accept(taken, RETRY_EVIDENCE)
        };
        // Half the doubt first, then more and less by turns: the middle is where most rescued blocks lie.
        let (mut up, mut down) = (most / 2, most / 2);
        while up < most || down > 0 {
            up = (up + 2).min(most);
            for erasures in [down, up] {
                if let Some(taken) = attempt(self, &[], erasures) {
                    return Some(taken);
                }
            }
            down = down.saturating_sub(2);
        }
        let shaky = self.shakiest(&doubtful);
        for (first, &flip) in shaky.iter().enumerate() {
            for &other in &shaky[first..] {
                let flips = if other == flip { vec![flip] } else { vec![flip, other] };
                for erasures in [0, most / 2] {
                    if let Some(taken) = attempt(self, &flips, erasures) {
                        return Some(taken);
                    }
                }
            }
        }
        self.codewords = sampled;
        None
    }

    /// Places of the block, the least trusted first: by their weakest bit, then by the next.
    fn by_doubt(&self) -> Vec<u8> {
        let trust = |place: u8| {
            let mut bits = self.soft[usize::from(place)].map(i8::unsigned_abs);
            bits.sort_unstable();
            (bits[0], bits[1], bits[2])
        };
        let mut places: Vec<(u8, (u8, u8, u8))> = (0..self.length as u8).map(|place| (place, trust(place))).collect();
        places.sort_by_key(|&(_, trust)| trust);
        places.into_iter().map(|(place, _)| place).collect()
    }

    /// The shakiest bits, at most one a codeword.
    fn shakiest(&self, doubtful: &[u8]) -> Vec<(u8, u8)> {
        let weakest = |place: u8| {
            let bits = self.soft[usize::from(place)];
            (0..8u8).min_by_key(|&bit| bits[usize::from(bit)].unsigned_abs()).map(|bit| (place, bit))
        };
        doubtful.iter().take(CHASE_BITS).filter_map(|&place| weakest(place)).collect()
    }
}
