//! The one place that asks the machine for the time, and says how far it may be believed.
//!
//! Only what the machine says is gathered here; [`trustlist::time::clock`] judges it.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use trustlist::time::{
    UnixTime,
    clock::{Judged, Reading, Service, judge},
    floor::Known,
};

use crate::settled;

/// systemd-timesyncd touches this file whenever it has set the clock by a server (systemd-timesyncd.service(8)).
const TIMESYNC_MARKER: &str = "/run/systemd/timesync/synchronized";

/// How often timesyncd asks its servers at least (`PollIntervalMaxSec=`, timesyncd.conf(5)).
const TIMESYNC_POLL: Duration = Duration::from_secs(2048);

/// When this program was built, in Unix seconds.
#[must_use]
pub fn built() -> UnixTime {
    UnixTime(env!("CHECKPOINTD_BUILT").parse().unwrap_or(0))
}

/// What the clock says now, judged by what is known. `runtime` is the runtime folder, where a settled clock is remembered.
#[must_use]
pub fn now(known: &Known, runtime: &Path) -> Judged {
    let now = SystemTime::now();
    let heard = Path::new(TIMESYNC_MARKER).metadata().and_then(|file| file.modified()).ok();
    let service =
        heard.map(|heard| Service { heard_ago: now.duration_since(heard).unwrap_or_default(), poll: TIMESYNC_POLL });
    let settled = settled::holds(runtime, unix(now));
    judge(Reading { at: unix(now), service, settled, battery: false }, known)
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
