//! A history that ends badly, shortened to the events that it takes: whole stretches first, then smaller ones (Zeller and Hildebrandt,
//! *Simplifying and isolating failure-inducing input*, 2002). What is left is no proof of a cause, but a story that a person can read.

use crate::history::History;

/// Worlds that a shrinking may take, so that it ends.
const MOST: usize = 600;

/// The shortest history found for which `fails` still says so.
pub fn shrink(history: &History, mut fails: impl FnMut(&History) -> bool) -> History {
    let mut best = history.clone();
    let (mut pieces, mut worlds) = (2, 0);
    while !best.happenings.is_empty() && worlds < MOST {
        let length = best.happenings.len();
        let size = length.div_ceil(pieces);
        let mut shorter = None;
        for from in (0..length).step_by(size) {
            let mut candidate = best.clone();
            candidate.happenings.drain(from..(from + size).min(length));
            worlds += 1;
            if fails(&candidate) {
                shorter = Some(candidate);
                break;
            }
            if worlds >= MOST {
                break;
            }
        }
        match shorter {
            Some(candidate) => {
                best = candidate;
                pieces = pieces.saturating_sub(1).max(2);
            }
            None if size == 1 => break,
            None => pieces = (pieces * 2).min(length),
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_history_only_the_events_that_it_takes_are_left() {
        let history = History::draw(3, 24, None);
        assert!(history.happenings.len() > 100);
        let wanted = [&history.happenings[17], &history.happenings[90]];
        let short = shrink(&history, |history| wanted.iter().all(|wanted| history.happenings.contains(wanted)));
        assert_eq!(short.happenings.iter().collect::<Vec<_>>(), wanted);
    }
}
