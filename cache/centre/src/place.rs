//! Where a batch belongs: pure, decided by the log's head alone.
//!
//! The head is the one place that says what is new. A batch either continues it, repeats what is held, leaves a gap, or shows another
//! history; nothing is ever *done nothing about*: what overlaps is compared.

use cache::log::chain::Head;

/// What a batch is beside the head that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The first `skip` rows are held already and the same; the rest is new. Rows of `hole` were given up by the post.
    Append {
        /// Rows that are held.
        skip: usize,
        /// First and last row that will never come.
        hole: Option<(u64, u64)>,
    },
    /// It ends where the head is: everything is held.
    Held,
    /// It ends before the head: the hash held at this place decides between a repetition and a fork.
    Compare(Head),
    /// Rows are missing before it.
    Behind,
    /// It has another row than is held at this place, or before.
    Fork(u64),
}

/// Places a batch whose rows have these places and hashes and follow `after`.
#[must_use]
pub fn place(head: Head, after: Head, rows: &[Head], cut: bool) -> Placement {
    let end = rows.last().copied().unwrap_or(after);
    if after.seq > head.seq {
        return if cut {
            Placement::Append { skip: 0, hole: Some((head.seq + 1, after.seq)) }
        } else {
            Placement::Behind
        };
    }
    if end.seq < head.seq {
        return Placement::Compare(end);
    }
    let skip = usize::try_from(head.seq - after.seq).expect("a batch has fewer rows than memory has bytes");
    let shown = if skip == 0 { after } else { rows[skip - 1] };
    if shown.hash != head.hash {
        Placement::Fork(head.seq)
    } else if end.seq == head.seq {
        Placement::Held
    } else {
        Placement::Append { skip, hole: None }
    }
}

/// The first row that differs, among places that both have.
#[must_use]
pub fn first_difference(held: &[Head], shown: &[Head]) -> Option<u64> {
    let other = |head: &&Head| shown.iter().any(|shown| shown.seq == head.seq && shown.hash != head.hash);
    held.iter().filter(other).map(|head| head.seq).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(from: Head, letters: &str) -> Vec<Head> {
        let mut head = from;
        letters
            .chars()
            .map(|letter| {
                head = head.followed_by(&letter.to_string());
                head
            })
            .collect()
    }

    #[test]
    fn a_batch_continues_repeats_overlaps_or_forks_and_a_gap_is_none_of_these() {
        let all = chain(Head::ORIGIN, "abcdefgh");
        let head = all[4];
        let from = |first: usize| if first == 0 { Head::ORIGIN } else { all[first - 1] };
        let at = |first: usize, last: usize| place(head, from(first), &all[first..last], false);
        assert_eq!(at(5, 8), Placement::Append { skip: 0, hole: None }, "continues");
        assert_eq!(at(2, 8), Placement::Append { skip: 3, hole: None }, "overlaps");
        assert_eq!(at(0, 5), Placement::Held, "repeats");
        assert_eq!(at(0, 3), Placement::Compare(all[2]), "older than the head");
        assert_eq!(at(5, 5), Placement::Held, "asks for the receipt");
        assert_eq!(at(6, 8), Placement::Behind);
        let cut = place(head, from(6), &all[6..], true);
        assert_eq!(cut, Placement::Append { skip: 0, hole: Some((6, 6)) });
        let other = chain(from(3), "dXYZ");
        assert_eq!(place(head, from(3), &other, false), Placement::Fork(5));
        let foreign = Head { seq: 5, hash: [9; 32] };
        assert_eq!(place(head, foreign, &chain(foreign, "f"), true), Placement::Fork(5), "a cut hides no fork");
        assert_eq!(first_difference(&all[3..5], &other), Some(5));
        assert_eq!(first_difference(&all[3..4], &other), None);
    }

    #[test]
    fn an_empty_log_takes_a_batch_from_its_origin_and_no_other_beginning() {
        let all = chain(Head::ORIGIN, "ab");
        assert_eq!(place(Head::ORIGIN, Head::ORIGIN, &all, false), Placement::Append { skip: 0, hole: None });
        assert_eq!(place(Head::ORIGIN, Head::ORIGIN, &[], false), Placement::Held);
        let invented = Head { seq: 0, hash: [1; 32] };
        assert_eq!(place(Head::ORIGIN, invented, &chain(invented, "a"), false), Placement::Fork(0));
    }
}
