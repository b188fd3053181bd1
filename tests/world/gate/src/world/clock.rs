//! The gate's wall clock, and who says what about it.

use std::time::Duration;

use cache::log::UnixMillis;
use trustlist::time::{
    UnixTime,
    clock::{Reading, Service},
};
use uuid::Uuid;

use super::World;
use crate::{
    country::BEGINNING,
    history::{Micros, SECOND, TimeService},
};

/// How often a time service asks its servers.
const POLL: Duration = Duration::from_secs(256);

/// The clock.
pub(super) struct Clock {
    /// How far it is from the truth.
    pub offset_ms: i64,
    /// What the time service says.
    pub service: TimeService,
    /// When it was heard last in this boot.
    pub heard: Option<Micros>,
    /// A battery carried it over the power-off.
    pub battery: bool,
    /// This boot's name, and its beginning.
    pub boot: (Uuid, Micros),
}

impl Clock {
    pub fn new() -> Clock {
        let boot = (Uuid::from_u64_pair(1, 1), 0);
        Clock { offset_ms: 0, service: TimeService::Right, heard: Some(0), battery: false, boot }
    }
}

impl World<'_> {
    /// The true time, in milliseconds since 1970.
    pub(super) fn true_ms(&self) -> i64 {
        BEGINNING * 1000 + i64::try_from(self.now / 1000).unwrap_or(i64::MAX)
    }

    /// What the gate's clock shows.
    pub(super) fn wall(&self) -> UnixMillis {
        UnixMillis(self.true_ms() + self.clock.offset_ms)
    }

    pub(super) fn reading(&self) -> Reading {
        let heard_ago = self.clock.heard.map(|heard| Duration::from_micros(self.now.saturating_sub(heard)));
        Reading {
            at: UnixTime(self.wall().0.div_euclid(1000)),
            service: heard_ago.map(|heard_ago| Service { heard_ago, poll: POLL }),
            settled: false,
            battery: self.clock.battery,
        }
    }

    /// Somebody sets the clock.
    pub(super) fn set_clock(&mut self, offset_ms: i64) {
        if (offset_ms - self.clock.offset_ms).abs() > 1000 {
            self.ledger.clock_unsteady = self.now;
            self.clock.battery = false;
        }
        self.clock.offset_ms = offset_ms;
    }

    /// The time service is heard, where there is one.
    pub(super) fn hear_time(&mut self) {
        let heard_ago = self.clock.heard.map(|heard| Duration::from_micros(self.now.saturating_sub(heard)));
        if heard_ago.is_none_or(|ago| ago > POLL * 3) {
            self.ledger.clock_unsteady = self.now;
        }
        let offset_ms = match self.clock.service {
            TimeService::Silent => return,
            TimeService::Right => 0,
            TimeService::Lies(seconds) => seconds * 1000,
        };
        self.set_clock(offset_ms);
        self.clock.heard = Some(self.now);
    }

    /// How long ago this boot began.
    pub(super) fn up(&self) -> Duration {
        Duration::from_micros(self.now.saturating_sub(self.clock.boot.1)) + Duration::from_micros(SECOND)
    }
}
