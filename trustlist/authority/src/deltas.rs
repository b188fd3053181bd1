//! Deltas of status lists: what leads from the last few signed lists to the newest. The judge's half is [`trustlist::status::delta`].

use std::collections::BTreeMap;

use ciborium::Value;
use trustlist::status::{StatusArray, delta};

use crate::statuses;

/// Lists before the newest that a delta leads from. A gate that is further behind fetches the whole list.
pub const STEPS: usize = 3;
/// What a target costs in `targets.json`. A delta that saves no more than that is not offered.
const LISTING: usize = 135;
/// Low bits of a gap that are tried: a list has fewer codes than 2 to this power.
const PARAMETERS: std::ops::RangeInclusive<u32> = 0..=25;

/// The newest signed lists of an issuer and those before them, by number of shard and in the order in which they were signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignedLists(BTreeMap<u64, BTreeMap<u64, Vec<u8>>>);

impl SignedLists {
    /// Every list that is kept: number of shard, place in the order, bytes.
    pub fn all(&self) -> impl Iterator<Item = (u64, u64, &[u8])> {
        self.0
            .iter()
            .flat_map(|(number, lists)| lists.iter().map(move |(order, bytes)| (*number, *order, bytes.as_slice())))
    }

    /// Takes a list as it was kept.
    pub fn put(&mut self, number: u64, order: u64, bytes: Vec<u8>) {
        self.0.entry(number).or_default().insert(order, bytes);
    }

    /// The list of a shard that was signed last.
    #[must_use]
    pub fn newest(&self, number: u64) -> Option<&[u8]> {
        self.0.get(&number)?.last_key_value().map(|(_, bytes)| bytes.as_slice())
    }

    /// Takes a list that was signed now, if it is another than the newest, and forgets those that no delta leads from any more.
    pub(crate) fn add(&mut self, number: u64, bytes: &[u8]) {
        let lists = self.0.entry(number).or_default();
        let order = match lists.last_key_value() {
            Some((_, newest)) if newest == bytes => return,
            Some((order, _)) => order + 1,
            None => 0,
        };
        lists.insert(order, bytes.to_vec());
        while lists.len() > STEPS + 1 {
            lists.pop_first();
        }
    }

    /// Deltas to the newest list of every shard, by the name of their target.
    pub(crate) fn deltas(&self) -> BTreeMap<String, Vec<u8>> {
        let mut deltas = BTreeMap::new();
        for (number, lists) in &self.0 {
            let mut newest_first = lists.values().rev();
            let Some(newest) = newest_first.next() else { continue };
            for held in newest_first {
                if let Some(bytes) = between(held, newest).filter(|bytes| bytes.len() + LISTING < newest.len()) {
                    deltas.insert(delta::name(&statuses::name(*number), held), bytes);
                }
            }
        }
        deltas
    }
}

/// The delta that leads from one signed list to another; `None` where one of them was not made here.
#[must_use]
pub fn between(held: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let (old, now) = (StatusArray::of_shard(held).ok()?, StatusArray::of_shard(new).ok()?);
    let list = now.deflate();
    let at = new.windows(list.len()).position(|bytes| bytes == list)?;
    let (before, after) = (&new[..at], &new[at + list.len()..]);
    let kept = before.iter().zip(held).take_while(|(new, held)| new == held).count();

    let mut changes = [const { Vec::new() }; 3];
    let held = old.bytes().iter().copied().chain(std::iter::repeat(0));
    for (at, (held, new)) in (0..).zip(held.zip(now.bytes())).filter(|(_, (held, new))| held != *new) {
        for code in 0..4 {
            if let change @ 1.. = (held ^ new) >> (code * 2) & 3 {
                changes[usize::from(change) - 1].push(at * 4 + code);
            }
        }
    }
    let mut parts = vec![number(kept), Value::from(&before[kept..]), number(now.bytes().len())];
    parts.extend(changes.iter().map(|indices| gaps(indices)));
    parts.push(Value::from(after));
    let mut bytes = Vec::new();
    ciborium::into_writer(&Value::Array(parts), &mut bytes).expect("writing to memory does not fail");
    Some(bytes)
}

/// Ascending indices as gaps in the Rice code that takes the fewest bits: parameter, number of indices, bits.
fn gaps(indices: &[u64]) -> Value {
    let mut next = 0;
    let gaps: Vec<u64> = indices.iter().map(|index| index - std::mem::replace(&mut next, index + 1)).collect();
    let bits = |parameter: &u32| gaps.iter().map(|gap| (gap >> parameter) + 1 + u64::from(*parameter)).sum::<u64>();
    let parameter = PARAMETERS.min_by_key(bits).expect("there are some");
    let (mut bytes, mut place) = (Vec::new(), 0_u32);
    let mut put = |bit: bool| {
        if place % 8 == 0 {
            bytes.push(0);
        }
        *bytes.last_mut().expect("just there") |= u8::from(bit) << (7 - place % 8);
        place += 1;
    };
    for gap in gaps {
        (0..gap >> parameter).for_each(|_| put(true));
        put(false);
        (0..parameter).rev().for_each(|low| put(gap >> low & 1 == 1));
    }
    Value::Array(vec![Value::from(parameter), number(indices.len()), Value::from(bytes)])
}

fn number(number: usize) -> Value {
    Value::from(number as u64)
}
