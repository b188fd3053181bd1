//! What to send next to a centre that signs no receipts, and what its answer means. Pure: time and chance are arguments, and it owns no
//! rows.
//!
//! Fresh rows go first. After a week without a network the centre sees what happens now at once, and last week behind it.

use std::{collections::VecDeque, time::Duration};

use cache::outbox::{Open, OutboxUpdate};
use host::backoff::Backoff;

/// Single rows refused one after another, without any acceptance between, until we stop believing it is the rows.
const SUSPICIOUS: u32 = 3;

/// What the centre said to a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The transport took every row; whether the centre has stored them is a receipt's matter.
    Accepted,
    /// Not now: no connection, overloaded, not authorised, no such endpoint. Whoever runs it will mend it.
    Again(String),
    /// Never: it looked at the rows and does not take them.
    Refused(String),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send these, in this order.
    Send(Vec<u64>),
    /// Nothing before this much time has passed.
    Wait(Duration),
    /// Nothing is owed.
    Rest,
}

/// Decides. It owns no rows: the store does.
#[derive(Debug)]
pub struct OutboxScheduler {
    batch: usize,
    backoff: Backoff,
    failures: u32,
    refusals: u32,
    not_before: Duration,
    /// Batches that were refused whole and are tried in halves, to find the row that is to blame.
    suspects: VecDeque<Vec<u64>>,
}

impl OutboxScheduler {
    /// Sends at most `batch` rows at once.
    #[must_use]
    pub fn new(batch: usize, backoff: Backoff) -> OutboxScheduler {
        OutboxScheduler {
            batch: batch.max(1),
            backoff,
            failures: 0,
            refusals: 0,
            not_before: Duration::ZERO,
            suspects: VecDeque::new(),
        }
    }

    /// What to do at `now` (time since any fixed moment, monotonic) with what waits.
    pub fn next(&mut self, now: Duration, open: &Open) -> Step {
        if now < self.not_before {
            return Step::Wait(self.not_before - now);
        }
        if let Some(suspects) = self.suspects.pop_front() {
            return Step::Send(suspects);
        }
        // Fresh rows lead, the backlog fills up; each part in the order of the chain.
        let fresh = self.batch.div_ceil(4);
        let mut newest: Vec<u64> = open.newest.iter().copied().take(fresh).collect();
        newest.reverse();
        let room = self.batch - newest.len();
        let backlog = open.oldest.iter().copied().filter(|seq| !newest.contains(seq)).take(room);
        let batch: Vec<u64> = newest.iter().copied().chain(backlog).collect();
        if batch.is_empty() { Step::Rest } else { Step::Send(batch) }
    }

    /// What the answer means for the rows that were sent; `None` leaves them pending.
    #[must_use]
    pub fn answered(&mut self, rows: Vec<u64>, answer: Answer, now: Duration, chance: f64) -> Option<OutboxUpdate> {
        match answer {
            Answer::Accepted => {
                self.failures = 0;
                self.refusals = 0;
                Some(OutboxUpdate::Sent(rows))
            }
            // Every row refused alone is more likely a wrong endpoint than a log full of bad rows.
            Answer::Refused(text) if rows.len() == 1 && self.refusals < SUSPICIOUS => {
                self.refusals += 1;
                self.failures = 0;
                Some(OutboxUpdate::Dead(rows, text))
            }
            Answer::Refused(_) if rows.len() > 1 => {
                let (front, back) = rows.split_at(rows.len() / 2);
                // Depth first: a guilty row is found after as many steps as the batch has doublings.
                self.suspects.push_front(back.to_vec());
                self.suspects.push_front(front.to_vec());
                None
            }
            Answer::Again(_) | Answer::Refused(_) => {
                self.failures = self.failures.saturating_add(1);
                self.not_before = now + self.backoff.spread(self.failures, chance);
                // Whoever was under suspicion is sent again with everybody else.
                self.suspects.clear();
                None
            }
        }
    }

    /// Failures since the last acceptance: what a page shows as "not connected".
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn scheduler() -> OutboxScheduler {
        OutboxScheduler::new(8, Backoff::default())
    }

    fn open(all: RangeInclusive<u64>) -> Open {
        Open { newest: all.clone().rev().take(8).collect(), oldest: all.take(8).collect() }
    }

    #[test]
    fn fresh_rows_lead_and_the_backlog_fills_up() {
        assert_eq!(scheduler().next(SECOND, &open(1..=1000)), Step::Send(vec![999, 1000, 1, 2, 3, 4, 5, 6]));
        assert_eq!(scheduler().next(SECOND, &open(7..=9)), Step::Send(vec![8, 9, 7]));
        assert_eq!(scheduler().next(SECOND, &Open::default()), Step::Rest);
    }

    #[test]
    fn failures_wait_longer_each_time_up_to_the_cap_and_an_acceptance_forgets_them() {
        let mut scheduler = scheduler();
        let mut now = SECOND;
        let mut waits = Vec::new();
        for _ in 0..12 {
            let update = scheduler.answered(vec![1, 2], Answer::Again("refused connection".into()), now, 1.0);
            assert_eq!(update, None);
            let Step::Wait(wait) = scheduler.next(now, &open(1..=2)) else { panic!("waits") };
            waits.push(wait);
            now += wait;
        }
        assert!(waits[0] >= SECOND / 2 && waits[0] <= SECOND, "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= Backoff::default().cap), "{waits:?}");
        assert!(waits[11] >= Backoff::default().cap / 2, "{waits:?}");
        assert_eq!(scheduler.next(now, &open(1..=2)), Step::Send(vec![1, 2]));
        assert_eq!(scheduler.answered(vec![1, 2], Answer::Accepted, now, 0.0), Some(OutboxUpdate::Sent(vec![1, 2])));
        assert_eq!(scheduler.failures(), 0);
    }

    /// Plays a centre that takes everything but some rows; until nothing is owed.
    fn play(mut owed: Vec<u64>, refuses: impl Fn(u64) -> bool, rounds: usize) -> (Vec<u64>, Vec<u64>, Vec<u64>) {
        let mut scheduler = scheduler();
        let (mut taken, mut dead) = (Vec::new(), Vec::new());
        let mut now = SECOND;
        for _ in 0..rounds {
            let open = Open { newest: owed.iter().rev().copied().collect(), oldest: owed.clone() };
            match scheduler.next(now, &open) {
                Step::Rest => break,
                Step::Wait(wait) => now += wait,
                Step::Send(rows) => {
                    let answer = if rows.iter().any(|row| refuses(*row)) {
                        Answer::Refused("422".into())
                    } else {
                        Answer::Accepted
                    };
                    match scheduler.answered(rows, answer, now, 0.5) {
                        Some(OutboxUpdate::Sent(rows)) => {
                            owed.retain(|row| !rows.contains(row));
                            taken.extend(rows);
                        }
                        Some(OutboxUpdate::Dead(rows, _)) => {
                            owed.retain(|row| !rows.contains(row));
                            dead.extend(rows);
                        }
                        _ => {}
                    }
                }
            }
        }
        taken.sort_unstable();
        (taken, dead, owed)
    }

    #[test]
    fn one_bad_row_becomes_a_dead_letter_and_holds_nobody_up() {
        let (taken, dead, owed) = play((1..=40).collect(), |row| row == 13, 200);
        assert_eq!((dead, owed), (vec![13], vec![]));
        assert_eq!(taken, (1..=40).filter(|row| *row != 13).collect::<Vec<_>>());
    }

    #[test]
    fn a_centre_that_refuses_everything_does_not_turn_the_log_into_dead_letters() {
        let (taken, dead, owed) = play((1..=40).collect(), |_| true, 500);
        assert_eq!((taken.len(), dead.len()), (0, SUSPICIOUS as usize));
        assert_eq!(owed.len(), 37);
    }
}
