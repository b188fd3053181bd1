//! The one place that asks the machine for the time, and says how far it may be believed.
//!
//! The floor (build date, latest time ever stored, newest issue time of a verified list) comes in as a value. Below it the
//! clock is untrusted: a board without a battery boots in 1970. Above it, a time service's word decides between `synced`,
//! `holdover` and `floor-only`.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use trustlist::time::{Moment, TimeTrust, UnixTime};

/// systemd-timesyncd touches this file whenever it has set the clock by a server (systemd-timesyncd.service(8)).
pub const TIMESYNC_MARKER: &str = "/run/systemd/timesync/synchronized";

/// A time service that was heard within this is hearing it still: timesyncd polls at most every 2048 s.
const STILL_SYNCED: Duration = Duration::from_secs(3 * 2048);

/// When this program was built, in Unix seconds.
#[must_use]
pub fn built() -> UnixTime {
    UnixTime(env!("CHECKPOINTD_BUILT").parse().unwrap_or(0))
}

/// What the clock says now, judged against `floor`. `marker` is touched by the time service when it sets the clock.
#[must_use]
pub fn now(floor: UnixTime, marker: &Path) -> Moment {
    let now = SystemTime::now();
    let synced = marker.metadata().and_then(|file| file.modified()).ok();
    let at = unix(now);
    Moment { at, trust: trust(at, floor, synced.map(|synced| now.duration_since(synced).unwrap_or_default())) }
}

/// Milliseconds since 1970, for rows: the same clock, one digit finer.
#[must_use]
pub fn unix_millis() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
    }
}

/// `since_sync` is how long ago a time service set the clock in this boot, if one did.
fn trust(at: UnixTime, floor: UnixTime, since_sync: Option<Duration>) -> TimeTrust {
    match since_sync {
        _ if at < floor => TimeTrust::Untrusted,
        None => TimeTrust::FloorOnly,
        Some(since) if since <= STILL_SYNCED => TimeTrust::Synced,
        Some(_) => TimeTrust::Holdover,
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

    const FLOOR: UnixTime = UnixTime(1_700_000_000);

    #[test]
    fn a_board_that_boots_in_1970_does_not_believe_its_clock_whoever_set_it() {
        assert_eq!(trust(UnixTime(0), FLOOR, None), TimeTrust::Untrusted);
        assert_eq!(trust(UnixTime(0), FLOOR, Some(Duration::ZERO)), TimeTrust::Untrusted);
    }

    #[test]
    fn a_clock_above_its_floor_is_believed_as_far_as_a_time_service_says() {
        let after = FLOOR.plus(1);
        assert_eq!(trust(after, FLOOR, None), TimeTrust::FloorOnly);
        assert_eq!(trust(after, FLOOR, Some(Duration::from_secs(60))), TimeTrust::Synced);
        assert_eq!(trust(after, FLOOR, Some(Duration::from_secs(86_400))), TimeTrust::Holdover);
    }
}
