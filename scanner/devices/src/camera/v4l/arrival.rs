//! When a picture arrived: the moment that the driver stamped its buffer with, not the moment at which somebody came to fetch it.
//!
//! A lane that was busy finds a buffer that has waited; what is older than a second is worth nothing, and must not pass for fresh because
//! it was fetched late. Drivers stamp with `CLOCK_MONOTONIC` where they say so (V4L2, *Buffers*, `V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC`),
//! and some stamp nonsense.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use v4l::{
    buffer::{Flags, Metadata},
    timestamp::Timestamp,
};

use crate::moment;

/// A stamp older than this is a driver's mistake: no buffer waits so long at a camera whose thread is watched.
const CREDIBLE: Duration = Duration::from_secs(60);

/// The moment at which this buffer was filled, as far as its driver is to be believed.
///
/// The kernel's own reading of its clock is needed to place the stamp, and [`Instant`] does not show it: so this place asks the kernel.
pub(super) fn of(about: &Metadata) -> Instant {
    let fetched = moment::now();
    let reading = clock_gettime(ClockId::Monotonic);
    let reading = Duration::new(reading.tv_sec.unsigned_abs(), u32::try_from(reading.tv_nsec).unwrap_or(0));
    fetched.checked_sub(waited(about.flags, about.timestamp, reading)).unwrap_or(fetched)
}

/// How long a buffer with this stamp has waited when the kernel's clock shows `reading`; nothing where the stamp cannot be believed.
fn waited(flags: Flags, stamp: Timestamp, reading: Duration) -> Duration {
    // One of several values of a field, and no bit of its own.
    if flags & Flags::TIMESTAMP_MASK != Flags::TIMESTAMP_MONOTONIC {
        return Duration::ZERO;
    }
    let (Ok(seconds), Ok(micros)) = (u64::try_from(stamp.sec), u32::try_from(stamp.usec)) else {
        return Duration::ZERO;
    };
    let stamp = Duration::from_secs(seconds) + Duration::from_micros(micros.into());
    reading.checked_sub(stamp).filter(|waited| *waited <= CREDIBLE).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_as_old_as_its_drivers_stamp_says_where_that_can_be_believed() {
        let reading = Duration::from_millis(5_000_300);
        let monotonic = Flags::TIMESTAMP_MONOTONIC | Flags::DONE;
        for (flags, sec, usec, millis) in [
            (monotonic, 5_000, 100_000, 200),
            (monotonic | Flags::TSTAMP_SRC_SOE, 4_999, 800_000, 500),
            (Flags::DONE, 5_000, 100_000, 0),
            (Flags::TIMESTAMP_COPY, 5_000, 100_000, 0),
            (Flags::TIMESTAMP_MASK, 5_000, 100_000, 0),
            (monotonic, 5_001, 0, 0),
            (monotonic, 0, 0, 0),
            (monotonic, -1, -1, 0),
            (monotonic, i64::MAX, i64::MAX, 0),
        ] {
            assert_eq!(
                waited(flags, Timestamp::new(sec, usec), reading),
                Duration::from_millis(millis),
                "{sec}.{usec:06} {flags:?}"
            );
        }
    }
}
