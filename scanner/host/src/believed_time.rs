//! The one believed time: what the clock says, judged by all evidence that this device has of the earliest time that it can be.
//!
//! Daemon, commands and sync all judge by this value. It is made with a [`Clock`], the runtime folder, where a settled clock is remembered, and
//! the latest time that the scan log has stored; the lists' word comes with each question, because lists are replaced while it lives.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use trustlist::{
    time::{
        Moment, UnixTime,
        clock::{Judged, judge},
        floor::Known,
    },
    trust::Trust,
};

use crate::clock::{self, Clock};

/// Stands for a device that was never sure of any time.
const NEVER: i64 = i64::MIN;

/// The time as far as this device believes it. Clones share what is remembered.
#[derive(Clone, Debug)]
pub struct BelievedTime {
    clock: Clock,
    runtime: Arc<Path>,
    /// The latest time that this device was sure of, in Unix seconds.
    last_sure: Arc<AtomicI64>,
}

impl BelievedTime {
    /// By `clock`, on a device that was sure of `last_sure` before.
    #[must_use]
    pub fn new(clock: Clock, runtime: &Path, last_sure: Option<UnixTime>) -> BelievedTime {
        let time = BelievedTime { clock, runtime: runtime.into(), last_sure: Arc::new(AtomicI64::new(NEVER)) };
        time.remember(last_sure);
        time
    }

    /// The same device with another runtime folder.
    #[must_use]
    pub fn with_runtime(&self, runtime: &Path) -> BelievedTime {
        BelievedTime { runtime: runtime.into(), ..self.clone() }
    }

    /// The clock that it is judged from.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The latest time that this device was sure of.
    #[must_use]
    pub fn last_sure(&self) -> Option<UnixTime> {
        Some(self.last_sure.load(Ordering::Relaxed)).filter(|stored| *stored != NEVER).map(UnixTime)
    }

    /// The scan log has stored another latest time.
    pub fn remember(&self, last_sure: Option<UnixTime>) {
        self.last_sure.store(last_sure.map_or(NEVER, |time| time.0), Ordering::Relaxed);
    }

    /// All evidence of the earliest time that it can be; `trust` are the lists, where there are any.
    #[must_use]
    pub fn known(&self, trust: Option<&Trust>) -> Known {
        Known { built: clock::built(), quorum: trust.and_then(Trust::quorum), last_sure: self.last_sure() }
    }

    /// What the clock says now, and why it is believed as far as it is.
    #[must_use]
    pub fn judged(&self, trust: Option<&Trust>) -> Judged {
        judge(self.clock.reading(&self.runtime), &self.known(trust))
    }

    /// The calendar, as far as it is believed with these lists.
    #[must_use]
    pub fn moment(&self, trust: &Trust) -> Moment {
        self.judged(Some(trust)).moment
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    use trustlist::time::{TimeTrust, clock::Service};

    use super::*;
    use crate::clock::TimeSource;

    /// A calendar that nobody confirms.
    struct Stopped(SystemTime);

    impl TimeSource for Stopped {
        fn monotonic(&self) -> Instant {
            unreachable!("no duration is measured")
        }

        fn calendar(&self) -> SystemTime {
            self.0
        }

        fn ask_services(&self, _: &Path) {}

        fn service(&self, _: &Path, _: UnixTime) -> Option<Service> {
            None
        }

        fn settled(&self, _: &Path, _: UnixTime) -> bool {
            false
        }
    }

    #[test]
    fn a_given_clock_is_judged_by_what_the_device_was_sure_of() {
        let at = clock::built().plus(86_400);
        let calendar = UNIX_EPOCH + Duration::from_secs(at.0.unsigned_abs());
        let time = BelievedTime::new(Clock::of(Stopped(calendar)), Path::new("/nonexistent"), None);
        assert_eq!((time.last_sure(), time.judged(None).moment.trust), (None, TimeTrust::FloorOnly));
        time.clone().remember(Some(at.plus(86_400)));
        let judged = time.judged(None);
        assert_eq!(judged.moment.trust, TimeTrust::Untrusted, "it was later once: clones share what is remembered");
        assert_eq!(judged.floor.at, at.plus(86_400));
    }
}
