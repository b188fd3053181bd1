//! What came of a scan engine's texts, in numbers: for the metrics, the status, and the hint that an installer needs.

use std::sync::atomic::{AtomicU64, Ordering};

/// What came of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is a pass code.
    PassCode,
    /// It begins like a pass code and is none.
    Malformed,
    /// It is something else.
    NotAPassCode,
    /// It was too old when its lane came to it.
    Old,
    /// It came while the lane had too many already.
    Crowded,
    /// It is longer than any symbol.
    TooLong,
}

impl Outcome {
    /// Every one.
    pub const ALL: [Outcome; 6] =
        [Self::PassCode, Self::Malformed, Self::NotAPassCode, Self::Old, Self::Crowded, Self::TooLong];

    /// The stable word, for metrics and status.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::PassCode => "read",
            Self::Malformed => "malformed",
            Self::NotAPassCode => "not-a-pass-code",
            Self::Old => "old",
            Self::Crowded => "crowded",
            Self::TooLong => "too-long",
        }
    }

    /// Why a text was dropped, for the journal; `None` of one that was not.
    pub(super) const fn dropped(self) -> Option<&'static str> {
        match self {
            Self::Old => Some("was older than a second"),
            Self::Crowded => Some("came faster than the lane takes them"),
            Self::TooLong => Some("was longer than any pass code"),
            Self::PassCode | Self::Malformed | Self::NotAPassCode => None,
        }
    }
}

/// Texts of one engine, counted since the start.
#[derive(Debug, Default)]
pub struct Tally {
    name: String,
    outcomes: [AtomicU64; Outcome::ALL.len()],
    /// Texts that ended because nothing more came.
    without_suffix: AtomicU64,
    /// Texts that were wrapped in something.
    wrapped: AtomicU64,
}

impl Tally {
    /// Of the engine of this name.
    pub(super) fn of(name: String) -> Tally {
        Tally { name, ..Tally::default() }
    }

    /// The engine's name, as it is configured.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts what came of one text. What is dropped is said in the journal once; from then on the numbers tell.
    pub fn count(&self, outcome: Outcome) {
        let before = self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
        if let (0, Some(why)) = (before, outcome.dropped()) {
            log::warn!("{}: a text {why} and was dropped; more of them are counted and not said", self.name);
        }
    }

    /// Counts a text that was wrapped in something.
    pub fn count_wrapped(&self) {
        self.wrapped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_without_suffix(&self) {
        self.without_suffix.fetch_add(1, Ordering::Relaxed);
    }

    /// How many texts came to this.
    #[must_use]
    pub fn of_outcome(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize].load(Ordering::Relaxed)
    }

    /// How many texts ended because nothing more came.
    #[must_use]
    pub fn without_suffix(&self) -> u64 {
        self.without_suffix.load(Ordering::Relaxed)
    }

    /// How many texts were wrapped in something.
    #[must_use]
    pub fn wrapped(&self) -> u64 {
        self.wrapped.load(Ordering::Relaxed)
    }

    /// What its installer should change, if the numbers say so.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        let count = |outcome| self.of_outcome(outcome);
        let none_is_good = count(Outcome::PassCode) == 0;
        if none_is_good && count(Outcome::TooLong) > 0 {
            return Some("its texts have no end: check its speed, and give it a suffix (CR)");
        }
        if none_is_good && count(Outcome::Malformed) + count(Outcome::NotAPassCode) >= 3 {
            return Some(
                "none of its texts is a pass code: set its keyboard to the United States', take prefixes off, check its speed",
            );
        }
        if self.without_suffix() > 0 {
            return Some("it ends its texts with nothing, so each waits for 0.1 s: give it a suffix (CR)");
        }
        (count(Outcome::Old) > 0).then_some("texts came too late to count: is the lane or the machine too slow?")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installer_is_told_what_to_change_and_nothing_where_all_is_well() {
        let tally = |outcomes: &[Outcome]| {
            let tally = Tally::of("serial:/dev/ttyS0".to_owned());
            outcomes.iter().for_each(|outcome| tally.count(*outcome));
            tally
        };
        assert_eq!(tally(&[]).advice(), None);
        assert_eq!(tally(&[Outcome::PassCode, Outcome::NotAPassCode, Outcome::Malformed]).advice(), None);
        let mute = tally(&[Outcome::NotAPassCode, Outcome::Malformed, Outcome::Malformed]);
        assert!(mute.advice().is_some_and(|advice| advice.contains("keyboard")));
        assert!(tally(&[Outcome::TooLong]).advice().is_some_and(|advice| advice.contains("suffix")));
        let silent = tally(&[Outcome::PassCode]);
        silent.count_without_suffix();
        assert!(silent.advice().is_some_and(|advice| advice.contains("suffix (CR)")));
        assert!(tally(&[Outcome::PassCode, Outcome::Old]).advice().is_some());
    }

    #[test]
    fn each_outcome_has_its_own_number_and_its_own_word() {
        let tally = Tally::of(String::new());
        for (at, outcome) in Outcome::ALL.into_iter().enumerate() {
            (0..=at).for_each(|_| tally.count(outcome));
        }
        for (at, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(tally.of_outcome(outcome), at as u64 + 1, "{}", outcome.code());
        }
    }
}
