//! The one place that asks this machine what time it is in the centre's reckoning: Unix milliseconds, and UTC days for the partitions.

use std::time::{SystemTime, UNIX_EPOCH};

use cache::log::row::UnixMillis;

/// The centre's clock.
#[must_use]
pub fn now() -> UnixMillis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

/// Today's UTC day, counted from 1970.
#[must_use]
pub fn today() -> i32 {
    i32::try_from(now().day()).unwrap_or(i32::MAX)
}
