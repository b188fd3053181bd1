//! Sets of rows, as ranges: what was sent of a log of a million rows is usually one range and a handful of others.

use std::{collections::BTreeMap, ops::RangeInclusive};

/// Disjoint ranges of places in the chain, none touching the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds rows.
    pub fn insert(&mut self, rows: RangeInclusive<u64>) {
        let (mut first, mut last) = rows.into_inner();
        if first > last {
            return;
        }
        // Whatever overlaps or touches becomes one with it.
        while let Some((&known_first, &known_last)) = self.0.range(..=last.saturating_add(1)).next_back() {
            if known_last.saturating_add(1) < first {
                break;
            }
            (first, last) = (first.min(known_first), last.max(known_last));
            self.0.remove(&known_first);
        }
        self.0.insert(first, last);
    }

    /// Takes rows out.
    pub fn remove(&mut self, rows: RangeInclusive<u64>) {
        let (first, last) = rows.into_inner();
        if first > last {
            return;
        }
        while let Some((&known_first, &known_last)) = self.0.range(..=last).next_back() {
            if known_last < first {
                break;
            }
            self.0.remove(&known_first);
            if known_last > last {
                self.0.insert(last + 1, known_last);
            }
            if known_first < first {
                self.0.insert(known_first, first - 1);
            }
        }
    }

    /// Whether the row is in the set.
    #[must_use]
    pub fn contains(&self, row: u64) -> bool {
        self.0.range(..=row).next_back().is_some_and(|(_, last)| *last >= row)
    }

    /// Rows of the set between these two.
    #[must_use]
    pub fn count(&self, within: RangeInclusive<u64>) -> u64 {
        let (first, last) = within.into_inner();
        let part = |(from, to): (&u64, &u64)| (*to.min(&last) + 1).saturating_sub(*from.max(&first));
        if first > last { 0 } else { self.0.range(..=last).map(part).sum() }
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = RangeInclusive<u64>> {
        self.0.iter().map(|(first, last)| *first..=*last)
    }

    /// The rows between these two that are *not* in the set, in order: at most `limit`.
    #[must_use]
    pub fn absent(&self, within: RangeInclusive<u64>, limit: usize) -> Vec<u64> {
        let (mut at, last) = within.into_inner();
        let mut absent = Vec::new();
        while at <= last && absent.len() < limit {
            match self.0.range(..=at).next_back() {
                Some((_, end)) if *end >= at => at = end + 1,
                _ => {
                    absent.push(at);
                    at += 1;
                }
            }
        }
        absent
    }

    /// The same from the end: newest first.
    #[must_use]
    pub fn absent_from_end(&self, within: RangeInclusive<u64>, limit: usize) -> Vec<u64> {
        let (first, mut at) = within.into_inner();
        let mut absent = Vec::new();
        while at >= first && at > 0 && absent.len() < limit {
            match self.0.range(..=at).next_back() {
                Some((start, end)) if *end >= at => at = start - 1,
                _ => {
                    absent.push(at);
                    at -= 1;
                }
            }
        }
        absent
    }
}

impl FromIterator<RangeInclusive<u64>> for Ranges {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<u64>>>(ranges: I) -> Ranges {
        let mut set = Ranges::default();
        ranges.into_iter().for_each(|rows| set.insert(rows));
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ranges_that_touch_become_one_and_a_hole_splits_one() {
        let mut set: Ranges = [1..=3, 7..=9, 4..=6].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [1..=9]);
        set.remove(4..=5);
        assert_eq!(set.iter().collect::<Vec<_>>(), [1..=3, 6..=9]);
        assert_eq!((set.count(2..=7), set.count(4..=5)), (4, 0));
        assert_eq!(set.absent(1..=12, 3), [4, 5, 10]);
        assert_eq!(set.absent_from_end(1..=11, 3), [11, 10, 5]);
    }

    #[test]
    fn a_set_of_ranges_is_a_set() {
        // A small generator instead of chance: the same ranges each time.
        let mut state = 7_u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let (mut ranges, mut plain) = (Ranges::default(), BTreeSet::new());
        for _ in 0..2000 {
            let first = 1 + draw(60);
            let rows = first..=first + draw(8);
            if draw(3) == 0 {
                plain.retain(|row| !rows.contains(row));
                ranges.remove(rows);
            } else {
                plain.extend(rows.clone());
                ranges.insert(rows);
            }
            assert_eq!(ranges.iter().flatten().collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
            assert_eq!(ranges.count(1..=70), plain.len() as u64);
            assert!((0..70).all(|row| ranges.contains(row) == plain.contains(&row)));
            let absent: Vec<u64> = (1..=70).filter(|row| !plain.contains(row)).collect();
            assert_eq!(ranges.absent(1..=70, 100), absent);
            assert_eq!(ranges.absent_from_end(1..=70, 100), absent.iter().rev().copied().collect::<Vec<_>>());
            let touching = ranges.iter().zip(ranges.iter().skip(1)).any(|(one, next)| one.end() + 1 >= *next.start());
            assert!(!touching, "{ranges:?}");
        }
    }
}
