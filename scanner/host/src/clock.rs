//! The one place that asks the machine for the time, and says what speaks for it.
//!
//! Whoever needs the time is given a [`Clock`]: the daemon and the commands make the machine's once and hand it down, a simulated world
//! makes its own. How far the time may be believed is [`crate::believed_time`]'s business.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use trustlist::time::{
    SKEW, UnixTime,
    clock::{Reading, Service},
};

use crate::{
    chrony::{self, Tracking},
    settled,
};

/// systemd-timesyncd touches this file whenever it has set the clock by a server (systemd-timesyncd.service(8)).
const TIMESYNC_MARKER: &str = "/run/systemd/timesync/synchronized";

/// How often timesyncd asks its servers at least (`PollIntervalMaxSec=`, timesyncd.conf(5)).
const TIMESYNC_POLL: Duration = Duration::from_secs(2048);

/// When this program was built, in Unix seconds.
#[must_use]
pub fn built() -> UnixTime {
    UnixTime(env!("CHECKPOINTD_BUILT").parse().unwrap_or(0))
}

/// Where the time comes from: this machine, or a simulated world.
pub trait TimeSource: Send + Sync {
    /// The monotonic clock: for deadlines and durations.
    fn monotonic(&self) -> Instant;

    /// The calendar, which somebody may set: for rows and validity.
    fn calendar(&self) -> SystemTime;

    /// Asks the time services that must be asked. It waits for an answer, so no lane does it.
    fn ask_services(&self);

    /// The time service that was heard last, by a calendar that shows `now`.
    fn service(&self, now: UnixTime) -> Option<Service>;

    /// Whether somebody said in this boot that a clock that shows `now` is right; `runtime` is the runtime folder, which remembers it.
    fn settled(&self, runtime: &Path, now: UnixTime) -> bool;
}

/// A clock that somebody is given. Clones are the same clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn TimeSource>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl Clock {
    /// The machine's.
    #[must_use]
    pub fn machine() -> Clock {
        Clock::of(Machine::default())
    }

    /// That of another source.
    #[must_use]
    pub fn of(source: impl TimeSource + 'static) -> Clock {
        Clock(Arc::new(source))
    }

    /// The moment on the monotonic clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.0.monotonic()
    }

    /// How long ago `earlier` was, on the monotonic clock.
    #[must_use]
    pub fn since(&self, earlier: Instant) -> Duration {
        self.now().saturating_duration_since(earlier)
    }

    /// The calendar, as files are dated.
    #[must_use]
    pub fn calendar(&self) -> SystemTime {
        self.0.calendar()
    }

    /// The calendar in seconds since 1970.
    #[must_use]
    pub fn unix(&self) -> UnixTime {
        UnixTime(self.unix_millis().div_euclid(1000))
    }

    /// The calendar in milliseconds since 1970, for rows: the same clock, one digit finer.
    #[must_use]
    pub fn unix_millis(&self) -> i64 {
        millis(self.calendar())
    }

    /// Asks the time services what they heard. It waits for an answer, so no lane does it.
    pub fn ask_services(&self) {
        self.0.ask_services();
    }

    /// The calendar with everything that speaks for it.
    #[must_use]
    pub fn reading(&self, runtime: &Path) -> Reading {
        let at = self.unix();
        Reading { at, service: self.0.service(at), settled: self.0.settled(runtime, at), battery: false }
    }
}

/// This machine.
#[derive(Default)]
struct Machine {
    /// What chrony said when it was asked last.
    chrony: Mutex<Option<Tracking>>,
}

impl TimeSource for Machine {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks")]
    fn monotonic(&self) -> Instant {
        Instant::now()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that asks")]
    fn calendar(&self) -> SystemTime {
        SystemTime::now()
    }

    fn ask_services(&self) {
        // One that does not answer now was heard when it was heard.
        if let Some(tracking) = chrony::ask(chrony::ADDRESS) {
            *self.chrony.lock().unwrap_or_else(PoisonError::into_inner) = Some(tracking);
        }
    }

    fn service(&self, now: UnixTime) -> Option<Service> {
        let timesyncd = Path::new(TIMESYNC_MARKER).metadata().and_then(|file| file.modified()).ok();
        let timesyncd =
            timesyncd.and_then(|heard| heard_at(UnixTime(millis(heard).div_euclid(1000)), TIMESYNC_POLL, now));
        let chrony = *self.chrony.lock().unwrap_or_else(PoisonError::into_inner);
        let chrony = chrony.and_then(|tracking| heard_at(tracking.updated_at, tracking.interval, now));
        [timesyncd, chrony].into_iter().flatten().min_by_key(|service| service.heard_ago)
    }

    fn settled(&self, runtime: &Path, now: UnixTime) -> bool {
        settled::holds(runtime, now)
    }
}

/// A service that was heard at `at` by the clock that shows `now`. One that was heard in the future says that the clock was set since.
fn heard_at(at: UnixTime, poll: Duration, now: UnixTime) -> Option<Service> {
    let ago = now.since(at);
    (ago >= -SKEW).then(|| Service { heard_ago: Duration::from_secs(ago.max(0).unsigned_abs()), poll })
}

fn millis(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_was_heard_in_the_future_of_a_clock_that_was_set_back_confirms_nothing() {
        let now = UnixTime(1_800_000_000);
        let heard = |ago: i64| heard_at(now.plus(-ago), TIMESYNC_POLL, now).map(|service| service.heard_ago.as_secs());
        assert_eq!(heard(60), Some(60));
        assert_eq!(heard(-60), Some(0), "clocks are steered a little");
        assert_eq!(heard(-86_400), None);
    }
}
