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
    chrony, gpsd,
    hearing::{self, Heard, Hearing},
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

    /// Asks the time services that must be asked, and remembers in the runtime folder when one was heard. It waits for an answer, so no lane does
    /// it.
    fn ask_services(&self, runtime: &Path);

    /// The time service that was heard last, as far as it counts on a calendar that shows `now`.
    fn service(&self, runtime: &Path, now: UnixTime) -> Option<Service>;

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
    pub fn ask_services(&self, runtime: &Path) {
        self.0.ask_services(runtime);
    }

    /// The calendar with everything that speaks for it.
    #[must_use]
    pub fn reading(&self, runtime: &Path) -> Reading {
        let at = self.unix();
        Reading { at, service: self.0.service(runtime, at), settled: self.0.settled(runtime, at), battery: false }
    }
}

/// This machine.
#[derive(Default)]
struct Machine {
    /// What the services that must be asked said last.
    asked: Mutex<Option<Heard>>,
    /// The last word of any service.
    hearing: Mutex<Option<Hearing>>,
}

impl Machine {
    /// The service that was heard last, as far as it still counts on a clock that shows `now`.
    fn heard(&self, runtime: &Path, now: UnixTime) -> (Option<Service>, Option<Hearing>) {
        let timesyncd = Path::new(TIMESYNC_MARKER).metadata().and_then(|file| file.modified()).ok();
        let timesyncd = timesyncd.map(|heard| Heard { at: unix(heard), poll: TIMESYNC_POLL });
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = [timesyncd, asked].into_iter().flatten().max_by_key(|heard| heard.at);
        let (boot, uptime) = hearing::boot();
        let mut kept = self.hearing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept.take().or_else(|| hearing::recall(runtime));
        let (service, hearing) = hearing::judge(latest, before, now, &boot, uptime);
        kept.clone_from(&hearing);
        (service, hearing)
    }
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

    fn ask_services(&self, runtime: &Path) {
        let chrony = chrony::ask(chrony::ADDRESS);
        let chrony = chrony.map(|tracking| Heard { at: tracking.updated_at, poll: tracking.interval });
        let satellites = gpsd::ask(gpsd::ADDRESS);
        let now = unix(self.calendar());
        // A receiver that says another time than the clock confirms nothing.
        let satellites = satellites.filter(|at| now.since(*at).abs() <= SKEW);
        let satellites = satellites.map(|_| Heard { at: now, poll: gpsd::POLL });
        // One that does not answer now was heard when it was heard.
        if let Some(heard) = [chrony, satellites].into_iter().flatten().max_by_key(|heard| heard.at) {
            *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(heard);
        }
        let known = hearing::recall(runtime);
        let (_, hearing) = self.heard(runtime, now);
        if let Some(hearing) = hearing.filter(|hearing| known.as_ref() != Some(hearing)) {
            // Whoever may not write there has nothing to tell others.
            let _ = hearing::remember(runtime, &hearing);
        }
    }

    fn service(&self, runtime: &Path, now: UnixTime) -> Option<Service> {
        self.heard(runtime, now).0
    }

    fn settled(&self, runtime: &Path, now: UnixTime) -> bool {
        settled::holds(runtime, now)
    }
}

fn unix(time: SystemTime) -> UnixTime {
    UnixTime(millis(time).div_euclid(1000))
}

fn millis(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
    }
}
