//! When the mirrors are asked next: by the clock with some jitter, later and later while they do not answer, and soon after the link is up.
//!
//! Jitter, because a district whose power comes back would ask all at once: the gates of a fleet spread over `sync.spread`. The moment and the
//! jitter are arguments.

use std::time::{Duration, Instant};

use host::{backoff::Backoff, config};

/// A link that comes up is given so long to be usable.
const SETTLE: Duration = Duration::from_secs(1);
/// A link that comes and goes does not make the mirrors be asked again sooner than this after a success.
const AT_MOST: Duration = Duration::from_secs(30);

/// First pause after mirrors did not answer.
const FIRST_PAUSE: Duration = Duration::from_secs(30);

pub use host::chance::jitter;

/// When to try next.
#[derive(Clone, Debug)]
pub struct SyncSchedule {
    every: Duration,
    first_pause: Duration,
    spread: Duration,
    failures: u32,
    last_success: Option<Instant>,
    due: Instant,
    /// Until when a mirror asked to be left in peace.
    peace: Option<Instant>,
}

impl SyncSchedule {
    /// Due at once; then `every` so often, and after a failure first after `first_pause`.
    #[must_use]
    pub fn new(every: Duration, first_pause: Duration, now: Instant) -> SyncSchedule {
        SyncSchedule {
            every,
            first_pause,
            spread: Duration::ZERO,
            failures: 0,
            last_success: None,
            due: now,
            peace: None,
        }
    }

    /// For the mirrors that are configured. Folders are nobody's network, and need no spreading.
    #[must_use]
    pub fn of_mirrors(sync: &config::Sync, now: Instant, jitter: f64) -> SyncSchedule {
        let far = sync.mirrors.iter().any(|mirror| mirror.folder().is_none());
        let spread = if far { sync.spread } else { Duration::ZERO };
        SyncSchedule::new(sync.every, FIRST_PAUSE, now).spread(spread, now, jitter)
    }

    /// The same where a whole fleet may begin at once: somewhere in the time over which its gates spread, and so again when the link comes up.
    /// `jitter` is 0 to 1.
    #[must_use]
    pub fn spread(self, spread: Duration, now: Instant, jitter: f64) -> SyncSchedule {
        SyncSchedule { spread, due: now + spread.mul_f64(jitter), ..self }
    }

    /// Whether to try now.
    #[must_use]
    pub fn due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// How long until the next try.
    #[must_use]
    pub fn pause(&self, now: Instant) -> Duration {
        self.due.saturating_duration_since(now)
    }

    /// A try ended well or not. `jitter` is 0 to 1.
    pub fn ended(&mut self, well: bool, now: Instant, jitter: f64) {
        let pause = if well {
            self.failures = 0;
            self.last_success = Some(now);
            self.every.mul_f64(0.9 + 0.2 * jitter)
        } else {
            self.failures += 1;
            Backoff { first: self.first_pause, cap: self.every }.spread(self.failures, jitter)
        };
        self.due = now + pause;
    }

    /// A traveller's code asks for newer lists than there are here. Anybody can show one, so mirrors that answered are asked no sooner than
    /// after a link that flaps, and mirrors that do not answer no sooner than they would be anyway.
    pub fn wanted(&mut self, now: Instant) {
        if self.failures == 0 {
            let soonest = self.last_success.map_or(now, |last| last + AT_MOST);
            self.sooner(soonest.max(now));
        }
    }

    /// A mirror asks to be left in peace for so long.
    pub fn not_before(&mut self, peace: Duration, now: Instant) {
        self.peace = Some(now + peace);
        self.due = self.due.max(now + peace);
    }

    /// The link came up.
    pub fn link_is_up(&mut self, now: Instant, jitter: f64) {
        self.failures = 0;
        let soon = now + SETTLE + self.spread.mul_f64(jitter);
        let soonest = self.last_success.map_or(soon, |last| last + AT_MOST);
        self.sooner(soon.max(soonest));
    }

    /// No later than then, where nobody asked for peace.
    fn sooner(&mut self, due: Instant) {
        self.due = self.due.min(self.peace.map_or(due, |peace| due.max(peace)));
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any moment will do")]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(now: Instant) -> SyncSchedule {
        SyncSchedule::new(900 * SECOND, 30 * SECOND, now)
    }

    #[test]
    fn after_a_success_the_next_is_a_tenth_around_the_period_away() {
        let now = Instant::now();
        for (jitter, pause) in [(0.0, 810), (0.5, 900), (1.0, 990)] {
            let mut pace = pace(now);
            assert!(pace.due(now));
            pace.ended(true, now, jitter);
            assert_eq!(pace.pause(now).as_secs_f64().round(), f64::from(pause));
        }
    }

    #[test]
    fn failures_are_tried_again_later_and_later_and_never_later_than_the_period() {
        let now = Instant::now();
        let mut pace = pace(now);
        let mut pauses = Vec::new();
        for _ in 0..40 {
            pace.ended(false, now, 1.0);
            pauses.push(pace.pause(now).as_secs());
        }
        assert_eq!(pauses[..6], [30, 60, 120, 240, 480, 900]);
        assert!(pauses[6..].iter().all(|pause| *pause == 900));
        pace.ended(true, now, 0.5);
        pace.ended(false, now, 0.0);
        assert_eq!(pace.pause(now), 15 * SECOND, "a success forgets them");
    }

    #[test]
    fn lists_that_are_wanted_are_asked_for_at_once_and_nobody_can_ask_for_them_all_the_time() {
        let now = Instant::now();
        let mut pace = pace(now);
        pace.ended(true, now, 0.5);
        pace.wanted(now + 60 * SECOND);
        assert!(pace.due(now + 60 * SECOND));
        pace.ended(true, now + 60 * SECOND, 0.5);
        pace.wanted(now + 61 * SECOND);
        assert_eq!(pace.pause(now + 61 * SECOND), 29 * SECOND);
        pace.ended(false, now + 90 * SECOND, 1.0);
        pace.wanted(now + 91 * SECOND);
        assert_eq!(pace.pause(now + 91 * SECOND), 29 * SECOND, "mirrors that do not answer are left in peace");
    }

    #[test]
    fn a_link_that_comes_up_is_used_soon_and_one_that_flaps_is_not_used_up() {
        let now = Instant::now();
        let mut pace = pace(now);
        pace.ended(false, now, 1.0);
        let later = now + 100 * SECOND;
        let mut waiting = pace.clone();
        waiting.due = now + 900 * SECOND;
        waiting.spread = 60 * SECOND;
        waiting.link_is_up(later, 0.5);
        assert_eq!(waiting.pause(later), 31 * SECOND);
        pace.ended(true, now, 0.5);
        for second in 0..20 {
            pace.link_is_up(now + second * SECOND, 0.0);
        }
        assert_eq!(pace.pause(now), 30 * SECOND);
    }

    #[test]
    fn a_fleet_whose_power_comes_back_spreads_and_lists_that_are_wanted_do_not_wait_for_it() {
        let now = Instant::now();
        for (jitter, pause) in [(0.0, 0), (0.5, 30), (1.0, 60)] {
            let mut pace = pace(now).spread(60 * SECOND, now, jitter);
            assert_eq!(pace.pause(now), pause * SECOND);
            pace.wanted(now);
            assert!(pace.due(now), "somebody stands there with a code that is not known");
        }
    }

    #[test]
    fn a_mirror_that_asks_for_peace_is_left_in_peace_although_the_link_comes_up() {
        let now = Instant::now();
        let mut pace = pace(now);
        pace.ended(true, now, 0.0);
        pace.not_before(3600 * SECOND, now);
        assert_eq!(pace.pause(now), 3600 * SECOND);
        pace.wanted(now);
        pace.link_is_up(now, 0.0);
        assert_eq!(pace.pause(now), 3600 * SECOND);
        pace.ended(true, now + 3600 * SECOND, 0.5);
        assert_eq!(pace.pause(now + 3600 * SECOND), 900 * SECOND);
    }
}
