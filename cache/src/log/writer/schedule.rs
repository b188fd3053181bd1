//! When the writing thread does what, besides committing what is handed to it. Pure: moments are arguments.
//!
//! Rows come first. Anchors, the folding of the write-ahead log and the deletion of old rows are done when nobody waits, and no later
//! than their own deadlines.

use std::time::{Duration, Instant};

/// Longest time between two times stored when there are no rows.
const TIME_EVERY: Duration = Duration::from_secs(60);
/// Quiet time after which housekeeping begins.
const QUIET: Duration = Duration::from_millis(250);
/// Changes after which the write-ahead log is folded into the database. Folding after each would write every page twice; the more rows
/// share a page before it is folded in, the less a card wears.
const FOLD: usize = 500;
/// How long a small update of the outbox waits for a row whose transaction it can share.
const LINGER: Duration = Duration::from_secs(1);
/// Longest pause between two steps of deleting, for rows to come in between. A step that took less time is followed by a pause as long
/// as the step: deleting has half the disk.
const SWEEP_PAUSE: Duration = Duration::from_millis(20);

/// Something that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// Commit what lingers, and the gap that the chain does not know of.
    Commit,
    /// Delete or roll up one portion of old rows.
    Sweep,
    /// Fold the write-ahead log into the database.
    Fold,
    /// Sign the chain's head.
    Anchor,
}

/// What a transaction held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transaction {
    /// Changes.
    pub(super) changes: usize,
    /// The chain has grown.
    pub(super) grew: bool,
    /// The time was stored with it.
    pub(super) time: bool,
}

/// What is due when.
#[derive(Debug)]
pub(super) struct Schedule {
    anchor_within: Duration,
    /// When the first row without an anchor was committed.
    unanchored: Option<Instant>,
    /// Changes committed since the write-ahead log was folded in.
    unfolded: usize,
    /// When the time alone was last stored.
    time: Option<Instant>,
    /// Pause before the next step of deleting; `None` when nothing is left to delete or to roll up.
    sweep_after: Option<Duration>,
    /// Since when small updates wait for a row.
    lingers_since: Option<Instant>,
}

impl Schedule {
    /// After a start there may be rows to delete: a sweep may have been cut off.
    pub(super) fn new(anchor_within: Duration) -> Schedule {
        Schedule {
            anchor_within,
            unanchored: None,
            unfolded: 0,
            time: None,
            sweep_after: Some(SWEEP_PAUSE),
            lingers_since: None,
        }
    }

    /// Whether a time that comes without a row is stored.
    pub(super) fn stores_time(&self, now: Instant) -> bool {
        self.time.is_none_or(|last| now.saturating_duration_since(last) >= TIME_EVERY)
    }

    /// A small update waits for a row.
    pub(super) fn lingers(&mut self, now: Instant) {
        self.lingers_since.get_or_insert(now);
    }

    /// Nothing lingers any longer: it is being committed.
    pub(super) fn commits(&mut self) {
        self.lingers_since = None;
    }

    /// A transaction is durable.
    pub(super) fn committed(&mut self, transaction: Transaction, now: Instant) {
        if transaction.time {
            self.time = Some(now);
        }
        self.unfolded += transaction.changes;
        if transaction.grew {
            self.unanchored.get_or_insert(now);
        }
    }

    /// Somebody worked on the log: there may be rows to delete.
    pub(super) fn may_sweep(&mut self) {
        self.sweep_after = Some(self.sweep_after.unwrap_or_default());
    }

    /// A step of deleting took so long; whether there is more to do.
    pub(super) fn swept(&mut self, more: bool, took: Duration) {
        self.sweep_after = more.then(|| took.min(SWEEP_PAUSE));
    }

    /// The write-ahead log was folded in.
    pub(super) fn folded(&mut self) {
        self.unfolded = 0;
    }

    /// The head was signed, or cannot be.
    pub(super) fn anchored(&mut self) {
        self.unanchored = None;
    }

    /// What is due at once although rows may wait.
    pub(super) fn pressing(&self, now: Instant) -> Vec<Duty> {
        // Twice as many as are folded in when nobody waits: the rows never stop.
        let fold = (self.unfolded >= 2 * FOLD).then_some(Duty::Fold);
        fold.into_iter().chain(self.anchor_due(now).then_some(Duty::Anchor)).collect()
    }

    /// What is due when nobody waits. `gap`: the chain has to say that rows are lost.
    pub(super) fn idle(&self, now: Instant, gap: bool) -> Vec<Duty> {
        let lingered = self.lingers_since.is_some_and(|since| now.saturating_duration_since(since) >= LINGER);
        [
            (lingered || gap, Duty::Commit),
            (self.sweep_after.is_some(), Duty::Sweep),
            (self.unfolded >= FOLD, Duty::Fold),
            (self.anchor_due(now), Duty::Anchor),
        ]
        .into_iter()
        .filter_map(|(due, duty)| due.then_some(duty))
        .collect()
    }

    /// How long nobody must come before [`Schedule::idle`] is asked.
    pub(super) fn pause(&self, now: Instant, gap: bool) -> Duration {
        if let Some(pause) = self.sweep_after {
            return pause;
        }
        if let Some(since) = self.lingers_since {
            return LINGER.saturating_sub(now.saturating_duration_since(since));
        }
        if self.unfolded >= FOLD || gap {
            return QUIET;
        }
        self.unanchored
            .map_or(self.anchor_within, |since| self.anchor_within.saturating_sub(now.saturating_duration_since(since)))
    }

    fn anchor_due(&self, now: Instant) -> bool {
        self.unanchored.is_some_and(|since| now.saturating_duration_since(since) >= self.anchor_within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANCHOR: Duration = Duration::from_secs(60);
    const ROW: Transaction = Transaction { changes: 1, grew: true, time: false };

    /// A schedule that has nothing left to sweep, and the moment at which it begins.
    #[allow(clippy::disallowed_methods, reason = "any moment will do, and the standard library makes no other")]
    fn quiet() -> (Schedule, Instant) {
        let mut schedule = Schedule::new(ANCHOR);
        schedule.swept(false, Duration::ZERO);
        (schedule, Instant::now())
    }

    #[test]
    fn the_head_is_signed_no_later_than_agreed_whether_rows_come_or_not() {
        let (mut schedule, start) = quiet();
        schedule.committed(ROW, start);
        schedule.committed(ROW, start + ANCHOR / 2);
        assert_eq!(schedule.pause(start + ANCHOR / 2, false), ANCHOR / 2, "counted from the first");
        assert_eq!(schedule.pressing(start + ANCHOR / 2), []);
        assert_eq!(schedule.pressing(start + ANCHOR), [Duty::Anchor]);
        assert_eq!(schedule.idle(start + ANCHOR, false), [Duty::Anchor]);
        schedule.anchored();
        assert_eq!(schedule.idle(start + 2 * ANCHOR, false), [], "nothing new to sign");
    }

    #[test]
    fn the_write_ahead_log_is_folded_when_nobody_waits_and_in_the_end_although_somebody_does() {
        let (mut schedule, start) = quiet();
        schedule.committed(Transaction { changes: FOLD, ..ROW }, start);
        assert_eq!((schedule.pressing(start), schedule.idle(start, false)), (vec![], vec![Duty::Fold]));
        assert_eq!(schedule.pause(start, false), QUIET);
        schedule.committed(Transaction { changes: FOLD, ..ROW }, start);
        assert_eq!(schedule.pressing(start), [Duty::Fold]);
        schedule.folded();
        assert_eq!(schedule.pressing(start), []);
    }

    #[test]
    fn a_small_update_waits_a_second_for_a_row_and_a_gap_waits_for_nobody() {
        let (mut schedule, start) = quiet();
        schedule.lingers(start);
        schedule.lingers(start + LINGER / 2);
        assert_eq!(schedule.pause(start + LINGER / 2, false), LINGER / 2, "counted from the first");
        assert_eq!(schedule.idle(start + LINGER / 2, false), []);
        assert_eq!(schedule.idle(start + LINGER, false), [Duty::Commit]);
        schedule.commits();
        assert_eq!(schedule.idle(start + LINGER, false), []);
        assert_eq!(schedule.idle(start, true), [Duty::Commit]);
    }

    #[test]
    fn deleting_rests_as_long_as_it_worked_so_that_rows_come_in_between() {
        let (mut schedule, start) = quiet();
        assert_eq!(schedule.idle(start, false), []);
        schedule.may_sweep();
        assert_eq!((schedule.idle(start, false), schedule.pause(start, false)), (vec![Duty::Sweep], Duration::ZERO));
        for (took, pause) in
            [(3, 3), (200, 20)].map(|(took, pause)| (Duration::from_millis(took), Duration::from_millis(pause)))
        {
            schedule.swept(true, took);
            assert_eq!(schedule.pause(start, false), pause);
        }
        schedule.swept(false, Duration::ZERO);
        assert_eq!(schedule.pause(start, false), ANCHOR);
    }

    #[test]
    fn the_time_alone_is_stored_once_a_minute() {
        let (mut schedule, start) = quiet();
        assert!(schedule.stores_time(start));
        schedule.committed(Transaction { changes: 1, grew: false, time: true }, start);
        assert!(!schedule.stores_time(start + TIME_EVERY / 2));
        assert!(schedule.stores_time(start + TIME_EVERY));
        assert_eq!(schedule.idle(start + ANCHOR, false), [], "a time alone needs no anchor");
    }
}
