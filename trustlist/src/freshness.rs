//! The freshness ladder and the floor of time: how much a list and a clock are worth, from their ages alone.

use serde::{Deserialize, Serialize};

use crate::{
    lists::policy::Ladder,
    time::{Moment, TimeTrust, UnixTime},
};

/// How far an issuer's newest verified list can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Freshness {
    /// Up to date.
    Fresh,
    /// Due: admits, and says so.
    Grace,
    /// Old: the policy profile decides.
    Restricted,
    /// Too old: everybody is referred.
    Stale,
}

impl Freshness {
    /// Every step, freshest first.
    pub const ALL: [Freshness; 4] = [Self::Fresh, Self::Grace, Self::Restricted, Self::Stale];

    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Grace => "grace",
            Self::Restricted => "restricted",
            Self::Stale => "stale",
        }
    }

    /// The step of a list of this age in seconds.
    #[must_use]
    pub fn of_age(age: i64, ladder: Ladder) -> Freshness {
        if age <= ladder.fresh_s {
            Self::Fresh
        } else if age <= ladder.grace_s {
            Self::Grace
        } else if age <= ladder.restricted_s {
            Self::Restricted
        } else {
            Self::Stale
        }
    }
}

/// Age in seconds at `moment` of a list issued at `issued`; `None` when the clock cannot say. A list from the (near) future is new.
#[must_use]
pub fn age(issued: UnixTime, moment: Moment) -> Option<i64> {
    (moment.trust != TimeTrust::Untrusted).then(|| moment.at.since(issued).max(0))
}

/// The earliest time it can be: the latest of the build's date, the latest time ever stored, and the newest list's issue.
#[must_use]
pub fn floor(built: UnixTime, stored: Option<UnixTime>, newest_list: Option<UnixTime>) -> UnixTime {
    [Some(built), stored, newest_list].into_iter().flatten().max().unwrap_or(built)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_goes_down_the_ladder_as_it_ages() {
        let hour = 3600;
        for (age, step) in [
            (0, Freshness::Fresh),
            (24 * hour, Freshness::Fresh),
            (24 * hour + 1, Freshness::Grace),
            (72 * hour, Freshness::Grace),
            (72 * hour + 1, Freshness::Restricted),
            (7 * 24 * hour, Freshness::Restricted),
            (7 * 24 * hour + 1, Freshness::Stale),
        ] {
            assert_eq!(Freshness::of_age(age, Ladder::default()), step, "{age} s");
        }
    }

    #[test]
    fn an_untrusted_clock_knows_no_age() {
        let moment = |trust| Moment { at: UnixTime(100), trust };
        assert_eq!(age(UnixTime(40), moment(TimeTrust::FloorOnly)), Some(60));
        assert_eq!(age(UnixTime(400), moment(TimeTrust::Synced)), Some(0));
        assert_eq!(age(UnixTime(40), moment(TimeTrust::Untrusted)), None);
    }

    #[test]
    fn the_floor_is_the_latest_of_what_is_known() {
        assert_eq!(floor(UnixTime(5), None, Some(UnixTime(9))), UnixTime(9));
        assert_eq!(floor(UnixTime(5), Some(UnixTime(12)), Some(UnixTime(9))), UnixTime(12));
        assert_eq!(floor(UnixTime(5), None, None), UnixTime(5));
    }
}
