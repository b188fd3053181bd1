//! Moments, windows and how far a clock may be believed. Nothing here asks a machine for the time.
//!
//! [`quorum`] is what issuers' signed times are worth together, [`floor`] the earliest time that it can be and which evidence says so,
//! [`clock`] how far a machine's clock is believed, and how a stored floor that was wrong comes down again.

pub mod clock;
pub mod floor;
pub mod quorum;

use std::fmt;

use serde::{Deserialize, Serialize, de};

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds (RFC 8392 §2, NumericDate).
///
/// Written and read as RFC 3339 text in lists and on screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub i64);

impl Serialize for UnixTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        UnixTime::parse_rfc3339(&text)
            .ok_or_else(|| de::Error::custom(format!("{text:?} is no RFC 3339 time such as 2021-02-01T08:00:00Z")))
    }
}

impl UnixTime {
    /// Seconds from `earlier` to `self`; negative when `earlier` is in fact later.
    #[must_use]
    pub fn since(self, earlier: UnixTime) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment moved by `seconds`, saturating at the ends of the calendar.
    #[must_use]
    pub fn plus(self, seconds: i64) -> UnixTime {
        UnixTime(self.0.saturating_add(seconds))
    }

    /// Reads an RFC 3339 time such as `2021-02-01T08:00:00Z`; `None` when it is not one.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<UnixTime> {
        // The calendar's last hours, by which some say "never", are later than our library's last moment, which stands for them.
        let last = || {
            let never = text.starts_with("9999-12-3") && text.ends_with('Z');
            never.then(|| text.get(..19)?.parse::<jiff::civil::DateTime>().ok()).flatten()
        };
        let stamp = text.parse::<jiff::Timestamp>().ok().or_else(|| last().map(|_| jiff::Timestamp::MAX));
        stamp.map(|stamp| UnixTime(stamp.as_second()))
    }
}

/// RFC 3339 in UTC. A moment outside years -9999 to 9999 shows as its number.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(stamp) => write!(f, "{stamp}"),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

/// Clocks of issuers and gates may differ by so many seconds, where no policy profile says otherwise.
pub const SKEW: i64 = 300;

/// How sure the device is of its clock. What each step may do stands with the judge and in `docs/lists.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeTrust {
    /// Below the floor, or never set: validity cannot be decided.
    Untrusted,
    /// Not below the floor, but nothing has confirmed it since boot.
    FloorOnly,
    /// Confirmed or settled earlier in this boot, or carried over a power-off by a battery.
    Holdover,
    /// A time source confirms it now.
    Synced,
}

impl TimeTrust {
    /// The stable word for rows, pages and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted",
            Self::FloorOnly => "floor-only",
            Self::Holdover => "holdover",
            Self::Synced => "synced",
        }
    }
}

/// A point on the calendar together with how far it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What the clock says.
    pub at: UnixTime,
    /// How far that is believed.
    pub trust: TimeTrust,
    /// The earliest time that it can be, whatever the clock says.
    pub floor: UnixTime,
}

impl Moment {
    /// A moment that a time service confirms.
    #[must_use]
    pub const fn synced(at: UnixTime) -> Moment {
        Moment { at, trust: TimeTrust::Synced, floor: at }
    }

    /// Whether a time service, an officer or a battery-backed clock stands behind what the clock says.
    #[must_use]
    pub const fn is_confirmed(self) -> bool {
        matches!(self.trust, TimeTrust::Synced | TimeTrust::Holdover)
    }

    /// The time by which the expiry of metadata is judged: what a confirmed clock says, and otherwise the floor. A clock that runs ahead
    /// would call every list of the country expired.
    #[must_use]
    pub fn certain(self) -> UnixTime {
        if self.is_confirmed() { self.at } else { self.floor }
    }

    /// Whether `end` has passed. `None` where the clock says so and nobody confirms it: the floor has not reached `end`.
    #[must_use]
    pub fn has_passed(self, end: UnixTime, skew: i64) -> Option<bool> {
        let passed = |at: UnixTime| at.plus(-skew) >= end;
        match self.trust {
            TimeTrust::Untrusted => passed(self.floor).then_some(true),
            TimeTrust::FloorOnly if passed(self.at) => passed(self.floor).then_some(true),
            _ => Some(passed(self.at)),
        }
    }

    /// Whether `beginning` has come. `None` where the clock says that it has not and nobody confirms it: a clock that stood still says
    /// that of everything.
    #[must_use]
    pub fn has_come(self, beginning: UnixTime, skew: i64) -> Option<bool> {
        let come = |at: UnixTime| at.plus(skew) >= beginning;
        match self.trust {
            TimeTrust::Untrusted => come(self.floor).then_some(true),
            TimeTrust::FloorOnly => (come(self.at) || come(self.floor)).then_some(true),
            _ => Some(come(self.at)),
        }
    }

    /// Whether something that says of itself to be of `issued` comes from the future, as far as a confirmed clock can say.
    #[must_use]
    pub fn is_before(self, issued: UnixTime) -> bool {
        self.is_confirmed() && issued > self.at.plus(SKEW)
    }
}

/// A span of validity: from the first moment inside to the first moment after. Open where `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First moment inside.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<UnixTime>,
    /// First moment after.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<UnixTime>,
}

impl Window {
    /// Whether `at` lies inside.
    #[must_use]
    pub fn contains(self, at: UnixTime) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// What lies in both.
    #[must_use]
    pub fn and(self, other: Window) -> Window {
        let until = [self.until, other.until].into_iter().flatten().min();
        Window { from: self.from.max(other.from), until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_its_first_second_and_not_the_one_after_its_last() {
        let window = Window { from: Some(UnixTime(10)), until: Some(UnixTime(20)) };
        assert_eq!([9, 10, 19, 20].map(|at| window.contains(UnixTime(at))), [false, true, true, false]);
        assert!(Window::default().contains(UnixTime(i64::MIN)));
    }

    #[test]
    fn a_time_is_read_to_the_calendars_end_and_never_beyond_it() {
        let second = |text: &str| UnixTime::parse_rfc3339(text).map(|time| time.0);
        assert_eq!(second("1970-01-01T00:00:07.9Z"), Some(7));
        let never = second("9999-12-31T23:59:59Z").expect("the last second that RFC 3339 knows");
        assert!(never > 253_402_200_000);
        assert_eq!(second("9999-12-31T23:59:59.999Z"), Some(never));
        for none in
            ["9999-12-32T00:00:00Z", "9999-12-31", "+10000-01-01T00:00:00Z", "9999-12-3", "9999-12-3éé:59:59ZZZ", ""]
        {
            assert_eq!(second(none), None, "{none:?}");
        }
    }

    #[test]
    fn what_lies_in_two_windows_lies_in_each() {
        let window =
            |from: Option<i64>, until: Option<i64>| Window { from: from.map(UnixTime), until: until.map(UnixTime) };
        assert_eq!(window(Some(10), Some(30)).and(window(Some(20), None)), window(Some(20), Some(30)));
        assert_eq!(window(None, None).and(window(None, Some(5))), window(None, Some(5)));
        assert_eq!(window(None, Some(9)).and(window(Some(1), Some(7))), window(Some(1), Some(7)));
    }

    #[test]
    fn a_clock_that_nobody_confirms_says_neither_that_a_time_is_over_nor_that_it_is_to_come() {
        let moment = |trust| Moment { at: UnixTime(5000), trust, floor: UnixTime(4000) };
        use TimeTrust::{FloorOnly, Holdover, Synced, Untrusted};
        for (trust, passed, come) in [
            (Synced, [Some(true), Some(true), Some(false)], [Some(true), Some(true), Some(false)]),
            (Holdover, [Some(true), Some(true), Some(false)], [Some(true), Some(true), Some(false)]),
            (FloorOnly, [Some(true), None, Some(false)], [Some(true), Some(true), None]),
            (Untrusted, [Some(true), None, None], [Some(true), None, None]),
        ] {
            let ends = [3000, 4500, 6000].map(UnixTime);
            assert_eq!(ends.map(|end| moment(trust).has_passed(end, 0)), passed, "{trust:?}");
            assert_eq!(ends.map(|from| moment(trust).has_come(from, 0)), come, "{trust:?}");
        }
    }

    #[test]
    fn metadata_expires_by_a_confirmed_clock_and_otherwise_by_the_floor() {
        let moment = |trust| Moment { at: UnixTime(5000), trust, floor: UnixTime(4000) };
        assert_eq!(moment(TimeTrust::Holdover).certain(), UnixTime(5000));
        assert_eq!(moment(TimeTrust::FloorOnly).certain(), UnixTime(4000));
        assert_eq!(moment(TimeTrust::Untrusted).certain(), UnixTime(4000));
    }

    #[test]
    fn only_a_confirmed_clock_calls_a_list_one_from_the_future() {
        let moment = |trust| Moment { at: UnixTime(5000), trust, floor: UnixTime(4000) };
        assert!(moment(TimeTrust::Synced).is_before(UnixTime(5301)));
        assert!(!moment(TimeTrust::Synced).is_before(UnixTime(5300)), "clocks differ a little");
        assert!(!moment(TimeTrust::FloorOnly).is_before(UnixTime(i64::MAX)));
    }

    #[test]
    fn times_are_read_and_written_as_rfc_3339() {
        let spring_festival = UnixTime::parse_rfc3339("2021-02-12T00:00:00+08:00").expect("a valid time");
        assert_eq!(spring_festival, UnixTime(1_613_059_200));
        assert_eq!(spring_festival.to_string(), "2021-02-11T16:00:00Z");
        assert_eq!(UnixTime::parse_rfc3339("yesterday"), None);
    }
}
