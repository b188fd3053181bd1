//! Milliseconds since 1970: the grain of the log. A file of its own, because rows and the overrides inside them both stand on it.

use std::fmt;

use serde::{Deserialize, Serialize};
use trustlist::time::UnixTime;

/// Milliseconds since 1970-01-01T00:00:00Z: the grain of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// The second this moment lies in.
    #[must_use]
    pub const fn second(self) -> UnixTime {
        UnixTime(self.0.div_euclid(1000))
    }

    /// The UTC day this moment lies in, counted from 1970-01-01. Day keys are named by it.
    #[must_use]
    pub const fn day(self) -> i64 {
        self.0.div_euclid(86_400_000)
    }

    /// This moment moved by `millis`, saturating.
    #[must_use]
    pub const fn plus(self, millis: i64) -> UnixMillis {
        UnixMillis(self.0.saturating_add(millis))
    }
}

impl From<UnixTime> for UnixMillis {
    fn from(at: UnixTime) -> Self {
        UnixMillis(at.0.saturating_mul(1000))
    }
}

/// RFC 3339 with milliseconds, in UTC.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(stamp) => write!(f, "{stamp:.3}"),
            Err(_) => write!(f, "@{}ms", self.0),
        }
    }
}
