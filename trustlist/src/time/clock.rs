//! How far a machine's clock is believed: from what it shows, who confirmed it and the evidence of the [floor](super::floor), and how a stored
//! floor that was wrong comes down again.
//!
//! A time service confirms, but never a time below the build date or below what many issuers have signed: who says that has no clock, or
//! is no time service. Below what this device alone had stored it is the device that was wrong; that is said at once, and after
//! [`PATIENCE`] the stored time follows the service down.

use std::time::Duration;

use serde::Serialize;

use super::{
    Moment, SKEW, TimeTrust, UnixTime,
    floor::{Evidence, Floor, Known},
};

/// How long a confirmed clock stays below the stored floor before the floor follows it. A service that is set right within that, or a
/// server that lied once, changes nothing.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// A battery carries a clock over a power-off for so long; then it drifts too far, or was changed.
pub const BATTERY: Duration = Duration::from_secs(30 * 86_400);

/// A time service that has not been heard for so many of its polls is not heard any more.
const POLLS: u32 = 3;

/// A time service was heard in this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// How long ago.
    pub heard_ago: Duration,
    /// How often it asks its servers.
    pub poll: Duration,
}

impl Service {
    fn is_heard(self) -> bool {
        self.heard_ago <= self.poll.saturating_mul(POLLS)
    }
}

/// What a machine knows of its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What the clock shows.
    pub at: UnixTime,
    /// The time service that set it in this boot, where one did.
    pub service: Option<Service>,
    /// Root or an officer said in this boot that the clock is right.
    pub settled: bool,
    /// A battery-backed clock was running while the power was off, and agrees with this one.
    pub battery: bool,
}

/// Why a clock is believed as far as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// A time service confirms it now.
    ServiceHeard,
    /// A time service confirmed it earlier in this boot.
    ServiceWasHeard,
    /// Root or an officer settled it in this boot.
    Settled,
    /// A battery-backed clock moved on across the power-off.
    Battery,
    /// Nobody confirmed it.
    NobodyConfirms,
    /// It is below the floor, and nobody confirmed it.
    BelowFloor,
    /// A time service says a time below build date or quorum.
    ServiceBelowEvidence,
    /// A time service says a time below what this device was sure of; what is stored follows it soon.
    ServiceBelowStored,
}

/// A clock, judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The time and how far it is believed.
    pub moment: Moment,
    /// The floor behind it.
    pub floor: Floor,
    /// Why.
    pub because: Because,
}

/// Judges a clock.
#[must_use]
pub fn judge(reading: Reading, known: &Known) -> Judged {
    let (trust, because) = believe(reading, known);
    let floor = known.floor();
    Judged { moment: Moment { at: reading.at, trust, floor: floor.at }, floor, because }
}

fn believe(reading: Reading, known: &Known) -> (TimeTrust, Because) {
    let (hard, floor) = (known.hard_floor(), known.floor());
    // Issuers' clocks and ours differ a little, and a service steers the clock back by as much.
    let below = |floor: Floor| match floor.evidence {
        Evidence::BuildDate => reading.at < floor.at,
        Evidence::Quorum | Evidence::LastSure => reading.at.plus(SKEW) < floor.at,
    };
    // Whoever looked at the clock and said that it is right proves the device wrong at once, as a service does after a while.
    let settled = reading.settled && !below(hard);
    match reading.service {
        Some(_) if below(hard) => (TimeTrust::Untrusted, Because::ServiceBelowEvidence),
        Some(_) if below(floor) && !settled => (TimeTrust::Untrusted, Because::ServiceBelowStored),
        None if below(floor) && !settled => (TimeTrust::Untrusted, Because::BelowFloor),
        Some(service) if service.is_heard() => (TimeTrust::Synced, Because::ServiceHeard),
        Some(_) => (TimeTrust::Holdover, Because::ServiceWasHeard),
        None if settled => (TimeTrust::Holdover, Because::Settled),
        None if reading.battery && battery_reaches(reading.at, known) => (TimeTrust::Holdover, Because::Battery),
        None => (TimeTrust::FloorOnly, Because::NobodyConfirms),
    }
}

/// A battery carries on what the device was sure of: without that there is nothing to carry.
fn battery_reaches(at: UnixTime, known: &Known) -> bool {
    let reach = i64::try_from(BATTERY.as_secs()).unwrap_or(i64::MAX);
    known.last_sure.is_some_and(|sure| at <= sure.plus(reach))
}

/// What became of the latest time that a device was sure of: for its row in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lowered {
    /// What was stored.
    pub from: UnixTime,
    /// What is stored now.
    pub to: UnixTime,
}

/// Watches for a confirmed clock that stays below the stored floor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch {
    /// Since when, on the monotonic clock.
    below_since: Option<Duration>,
}

impl Watch {
    /// Looks at a clock as it was judged; `now` is the monotonic clock. Says when the stored time is to follow it down, once.
    #[must_use]
    pub fn look(&mut self, judged: &Judged, now: Duration) -> Option<Lowered> {
        if judged.because != Because::ServiceBelowStored {
            self.below_since = None;
            return None;
        }
        let since = *self.below_since.get_or_insert(now);
        if now.saturating_sub(since) < PATIENCE {
            return None;
        }
        self.below_since = None;
        Some(Lowered { from: judged.floor.at, to: judged.moment.at })
    }

    /// How long until the stored time follows, while it is watched.
    #[must_use]
    pub fn remaining(&self, now: Duration) -> Option<Duration> {
        self.below_since.map(|since| PATIENCE.saturating_sub(now.saturating_sub(since)))
    }
}

/// Why a clock cannot be settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotSettle {
    /// What the clock shows.
    pub at: UnixTime,
    /// What it is below, which nobody's word lowers.
    pub floor: Floor,
}

impl std::fmt::Display for CannotSettle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Floor { at: floor, evidence } = self.floor;
        let what = match evidence {
            Evidence::Quorum => "which several issuers have signed after",
            Evidence::BuildDate | Evidence::LastSure => "when this program was built",
        };
        write!(f, "the clock shows {}, and it is not before {floor}, {what}; set the clock first", self.at)
    }
}

impl std::error::Error for CannotSettle {}

/// Takes somebody's word that the clock is right: what the device is to be sure of from then on.
///
/// # Errors
/// When the clock is below build date or quorum.
pub fn settle(at: UnixTime, known: &Known) -> Result<UnixTime, CannotSettle> {
    let floor = known.hard_floor();
    if at < floor.at { Err(CannotSettle { at, floor }) } else { Ok(at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT: UnixTime = UnixTime(1_600_000_000);
    const DAY: i64 = 86_400;
    const HEARD: Service = Service { heard_ago: Duration::from_secs(60), poll: Duration::from_secs(2048) };

    fn reading(at: UnixTime) -> Reading {
        Reading { at, service: None, settled: false, battery: false }
    }

    fn by(service: Service, at: UnixTime) -> Reading {
        Reading { service: Some(service), ..reading(at) }
    }

    /// Built, ten days later a quorum, twenty days later sure.
    fn known() -> Known {
        Known { built: BUILT, quorum: Some(BUILT.plus(10 * DAY)), last_sure: Some(BUILT.plus(20 * DAY)) }
    }

    fn belief(reading: Reading) -> (TimeTrust, Because) {
        let judged = judge(reading, &known());
        (judged.moment.trust, judged.because)
    }

    #[test]
    fn a_board_that_boots_in_1970_does_not_believe_its_clock_whoever_set_it() {
        assert_eq!(belief(reading(UnixTime(0))), (TimeTrust::Untrusted, Because::BelowFloor));
        assert_eq!(belief(by(HEARD, UnixTime(0))), (TimeTrust::Untrusted, Because::ServiceBelowEvidence));
    }

    #[test]
    fn a_clock_above_its_floor_is_believed_as_far_as_somebody_confirms_it() {
        let at = BUILT.plus(21 * DAY);
        assert_eq!(belief(reading(at)), (TimeTrust::FloorOnly, Because::NobodyConfirms));
        assert_eq!(belief(by(HEARD, at)), (TimeTrust::Synced, Because::ServiceHeard));
        let silent = Service { heard_ago: Duration::from_secs(3 * 2048 + 1), ..HEARD };
        assert_eq!(belief(by(silent, at)), (TimeTrust::Holdover, Because::ServiceWasHeard), "three polls were missed");
        let often = Service { heard_ago: Duration::from_secs(60), poll: Duration::from_secs(16) };
        assert_eq!(belief(by(often, at)), (TimeTrust::Holdover, Because::ServiceWasHeard), "it is asked often");
        assert_eq!(belief(Reading { settled: true, ..reading(at) }), (TimeTrust::Holdover, Because::Settled));
    }

    #[test]
    fn a_battery_carries_what_the_device_was_sure_of_for_thirty_days_and_nothing_else() {
        let battery = |at| Reading { battery: true, ..reading(at) };
        assert_eq!(belief(battery(BUILT.plus(50 * DAY))), (TimeTrust::Holdover, Because::Battery));
        assert_eq!(belief(battery(BUILT.plus(50 * DAY + 1))), (TimeTrust::FloorOnly, Because::NobodyConfirms));
        let new = Known { last_sure: None, ..known() };
        assert_eq!(judge(battery(BUILT.plus(21 * DAY)), &new).moment.trust, TimeTrust::FloorOnly);
    }

    #[test]
    fn a_service_below_what_many_have_signed_confirms_nothing_and_one_below_what_was_stored_is_said() {
        assert_eq!(belief(by(HEARD, BUILT.plus(9 * DAY))), (TimeTrust::Untrusted, Because::ServiceBelowEvidence));
        assert_eq!(belief(by(HEARD, BUILT.plus(15 * DAY))), (TimeTrust::Untrusted, Because::ServiceBelowStored));
        assert_eq!(belief(reading(BUILT.plus(15 * DAY))), (TimeTrust::Untrusted, Because::BelowFloor));
        let settled = |at| Reading { settled: true, ..reading(at) };
        assert_eq!(
            belief(settled(BUILT.plus(15 * DAY))),
            (TimeTrust::Holdover, Because::Settled),
            "the device was wrong"
        );
        assert_eq!(belief(settled(BUILT.plus(9 * DAY))), (TimeTrust::Untrusted, Because::BelowFloor));
    }

    #[test]
    fn a_clock_a_little_behind_issuers_or_itself_is_believed() {
        assert_eq!(belief(by(HEARD, BUILT.plus(20 * DAY - 200))), (TimeTrust::Synced, Because::ServiceHeard));
        assert_eq!(belief(reading(BUILT.plus(20 * DAY - 200))), (TimeTrust::FloorOnly, Because::NobodyConfirms));
    }

    #[test]
    fn the_stored_floor_follows_a_confirmed_clock_down_after_ten_minutes_without_a_break() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let below = judge(by(HEARD, BUILT.plus(15 * DAY)), &known());
        let above = judge(by(HEARD, BUILT.plus(21 * DAY)), &known());
        let mut watch = Watch::default();
        assert_eq!(watch.look(&below, minutes(0)), None);
        assert_eq!(watch.remaining(minutes(4)), Some(minutes(6)));
        assert_eq!(watch.look(&above, minutes(5)), None, "the service was wrong once");
        assert_eq!(watch.look(&below, minutes(6)), None);
        assert_eq!(watch.look(&below, minutes(15)), None, "nine minutes");
        let lowered = Lowered { from: BUILT.plus(20 * DAY), to: BUILT.plus(15 * DAY) };
        assert_eq!(watch.look(&below, minutes(16)), Some(lowered));
        let after = Known { last_sure: Some(lowered.to), ..known() };
        assert_eq!(judge(by(HEARD, BUILT.plus(15 * DAY)), &after).moment.trust, TimeTrust::Synced);
    }

    #[test]
    fn a_clock_below_the_floor_that_nobody_confirms_lowers_nothing_however_long_it_stays() {
        let mut watch = Watch::default();
        for at in [reading(BUILT.plus(15 * DAY)), by(HEARD, BUILT.plus(9 * DAY))] {
            let judged = judge(at, &known());
            assert!((0..100).all(|hour| watch.look(&judged, Duration::from_secs(hour * 3600)).is_none()));
        }
    }

    #[test]
    fn a_clock_is_settled_at_or_above_build_date_and_quorum_only() {
        assert_eq!(settle(BUILT.plus(15 * DAY), &known()), Ok(BUILT.plus(15 * DAY)), "below what was stored");
        let refused = settle(BUILT.plus(9 * DAY), &known()).expect_err("many have signed after it");
        assert!(refused.to_string().contains("several issuers"), "{refused}");
    }
}
