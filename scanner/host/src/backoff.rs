//! How long to wait before another attempt, after attempts that failed: longer each time, up to a cap, and not all of a fleet at once.
//!
//! Pure: the number of failures and the chance are arguments.

use std::time::Duration;

/// Doublings beyond this many are past every cap.
const DOUBLINGS: u32 = 20;

/// The first pause and the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// At most.
    pub cap: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { first: Duration::from_secs(1), cap: Duration::from_secs(300) }
    }
}

impl Backoff {
    /// The pause after so many failures in a row: it doubles with each up to the cap.
    #[must_use]
    pub fn pause(self, failures: u32) -> Duration {
        self.first.saturating_mul(1 << failures.saturating_sub(1).min(DOUBLINGS)).min(self.cap)
    }

    /// The same, placed in its upper half by `chance` (0 to 1), so that a fleet whose peer comes back does not arrive all at once.
    #[must_use]
    pub fn spread(self, failures: u32, chance: f64) -> Duration {
        self.pause(failures).mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_pause_doubles_with_each_failure_up_to_the_cap() {
        let backoff = Backoff { first: SECOND, cap: 5 * SECOND };
        let pauses: Vec<u64> = (0..6).map(|failures| backoff.pause(failures).as_secs()).collect();
        assert_eq!(pauses, [1, 1, 2, 4, 5, 5]);
        assert_eq!(backoff.pause(u32::MAX), 5 * SECOND);
        assert_eq!(Backoff { first: 9 * SECOND, cap: SECOND }.pause(1), SECOND, "the cap holds from the first on");
    }

    #[test]
    fn chance_places_a_pause_in_its_upper_half() {
        let backoff = Backoff::default();
        for (chance, millis) in [(0.0, 1000), (0.5, 1500), (1.0, 2000), (7.0, 2000)] {
            assert_eq!(backoff.spread(2, chance), Duration::from_millis(millis));
        }
    }
}
