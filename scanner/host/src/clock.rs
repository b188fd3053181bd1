//! The one place that asks the machine for the time, and says how far it may be believed.
//!
//! Only what the machine says is gathered here; [`trustlist::time::clock`] judges it.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use trustlist::time::{
    SKEW, UnixTime,
    clock::{Judged, Reading, Service, judge},
    floor::Known,
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

/// What chrony said last. It is asked beside the lanes, which wait for nobody.
static CHRONY: Mutex<Option<Tracking>> = Mutex::new(None);

/// Asks the time services that must be asked: not on a lane's thread, since an answer is waited for.
pub fn ask_services() {
    // One that does not answer now was heard when it was heard.
    if let Some(tracking) = chrony::ask(chrony::ADDRESS) {
        *CHRONY.lock().unwrap_or_else(PoisonError::into_inner) = Some(tracking);
    }
}

/// What the clock says now, judged by what is known. `runtime` is the runtime folder, where a settled clock is remembered.
#[must_use]
pub fn now(known: &Known, runtime: &Path) -> Judged {
    let now = unix(SystemTime::now());
    let timesyncd = Path::new(TIMESYNC_MARKER).metadata().and_then(|file| file.modified()).ok();
    let timesyncd = timesyncd.and_then(|heard| heard_at(unix(heard), TIMESYNC_POLL, now));
    let chrony = *CHRONY.lock().unwrap_or_else(PoisonError::into_inner);
    let chrony = chrony.and_then(|tracking| heard_at(tracking.updated_at, tracking.interval, now));
    let service = [timesyncd, chrony].into_iter().flatten().min_by_key(|service| service.heard_ago);
    judge(Reading { at: now, service, settled: settled::holds(runtime, now), battery: false }, known)
}

/// A service that was heard at `at` by the clock that shows `now`. One that was heard in the future says that the clock was set since.
fn heard_at(at: UnixTime, poll: Duration, now: UnixTime) -> Option<Service> {
    let ago = now.since(at);
    (ago >= -SKEW).then(|| Service { heard_ago: Duration::from_secs(ago.max(0).unsigned_abs()), poll })
}

/// The moment on the monotonic clock: for deadlines and durations, whatever the calendar does.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "the one place that asks")]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970, for rows: the same clock, one digit finer.
#[must_use]
pub fn unix_millis() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
    }
}

fn unix(time: SystemTime) -> UnixTime {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => UnixTime(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)),
        Err(before) => UnixTime(i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds)),
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
