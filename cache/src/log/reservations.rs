//! Anti-passback between the question and the row: a code is reserved before its gate moves.
//!
//! The log answers "was this code here before?" only for rows that are on the disk. Two lanes that ask at the same instant would both
//! hear no, and so would one lane while the disk is slow. So whoever wants to open reserves the code first, for all lanes of a group in
//! one direction; whoever comes second hears "used". A reservation ends when the row is durable (the log answers from then on) or the
//! gate did not move; where the gate moved and the row failed, it stands for the whole window.
//!
//! Pure: moments are arguments. A key names nobody: it is a keyed hash under a secret of this process.

use std::{collections::BTreeMap, time::Duration};

/// A code within a group of lanes and a direction, under a secret of this process.
pub type Key = [u8; 32];

/// Names one reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim(u64);

/// Why a code is not reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Somebody else has it: it is being used.
    Taken,
    /// More reservations than may be kept: nobody can say.
    Full,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    claim: Claim,
    /// Until when; `None` while it is not decided.
    until: Option<Duration>,
}

/// Codes that are being used.
#[derive(Debug)]
pub struct Reservations {
    at_most: usize,
    next: u64,
    held: BTreeMap<Key, Held>,
}

impl Reservations {
    /// None; at most so many, whatever is shown to the cameras.
    #[must_use]
    pub fn new(at_most: usize) -> Reservations {
        Reservations { at_most, next: 0, held: BTreeMap::new() }
    }

    /// Reserves a code.
    ///
    /// # Errors
    /// When somebody has it, or too many are reserved.
    pub fn reserve(&mut self, key: Key, now: Duration) -> Result<Claim, Denied> {
        let over = |held: &Held| held.until.is_some_and(|until| until <= now);
        if self.held.get(&key).is_some_and(|held| !over(held)) {
            return Err(Denied::Taken);
        }
        if self.held.len() >= self.at_most {
            self.held.retain(|_, held| !over(held));
            if self.held.len() >= self.at_most {
                return Err(Denied::Full);
            }
        }
        self.next += 1;
        let claim = Claim(self.next);
        self.held.insert(key, Held { claim, until: None });
        Ok(claim)
    }

    /// The log answers for it now, or its gate did not move.
    pub fn release(&mut self, claim: Claim) {
        self.held.retain(|_, held| held.claim != claim);
    }

    /// Its gate moved and its row is lost: it stands until then.
    pub fn keep(&mut self, claim: Claim, until: Duration) {
        if let Some(held) = self.held.values_mut().find(|held| held.claim == claim) {
            held.until = Some(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn whoever_comes_second_hears_that_it_is_used_until_it_is_released() {
        let mut reservations = Reservations::new(8);
        let first = reservations.reserve([1; 32], SECOND).expect("free");
        assert_eq!(reservations.reserve([1; 32], SECOND), Err(Denied::Taken));
        reservations.reserve([2; 32], SECOND).expect("another code, or another group");
        reservations.release(first);
        let again = reservations.reserve([1; 32], SECOND).expect("free again");
        reservations.release(first);
        assert_eq!(reservations.reserve([1; 32], SECOND), Err(Denied::Taken), "an old claim releases nothing");
        reservations.release(again);
    }

    #[test]
    fn a_gate_that_moved_without_its_row_keeps_the_code_for_the_window() {
        let mut reservations = Reservations::new(8);
        let claim = reservations.reserve([1; 32], SECOND).expect("free");
        reservations.keep(claim, SECOND * 61);
        assert_eq!(reservations.reserve([1; 32], SECOND * 60), Err(Denied::Taken));
        reservations.reserve([1; 32], SECOND * 61).expect("the window is over");
    }

    #[test]
    fn reservations_are_bounded_and_those_that_are_over_make_room() {
        let mut reservations = Reservations::new(2);
        let first = reservations.reserve([1; 32], SECOND).expect("free");
        reservations.reserve([2; 32], SECOND).expect("free");
        assert_eq!(reservations.reserve([3; 32], SECOND), Err(Denied::Full));
        reservations.keep(first, SECOND * 2);
        reservations.reserve([3; 32], SECOND * 3).expect("one is over");
    }
}
