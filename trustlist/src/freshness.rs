//! The freshness ladder: how much a list is worth, from its age and how far the clock is believed.

use serde::{Deserialize, Serialize};

use crate::{
    lists::policy::Ladder,
    time::{Moment, TimeTrust},
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

/// The step of a list of this age, where the clock can say its age, by a clock that is believed so far. A clock that nobody confirms may
/// have stood still in a cupboard, so by it no list is better than *restricted*.
#[must_use]
pub fn of(age: Option<i64>, moment: Moment, ladder: Ladder) -> Freshness {
    let step = age.map_or(Freshness::Stale, |age| Freshness::of_age(age, ladder));
    if moment.trust == TimeTrust::FloorOnly { step.max(Freshness::Restricted) } else { step }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixTime;

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
    fn a_clock_that_nobody_confirms_shows_no_list_as_better_than_restricted() {
        let at = |trust| Moment { at: UnixTime(100), trust, floor: UnixTime(0) };
        let step = |age, trust| of(age, at(trust), Ladder::default());
        assert_eq!(step(Some(0), TimeTrust::FloorOnly), Freshness::Restricted, "half a year in a cupboard");
        assert_eq!(step(Some(8 * 86_400), TimeTrust::FloorOnly), Freshness::Stale);
        assert_eq!(step(Some(0), TimeTrust::Holdover), Freshness::Fresh);
        assert_eq!(step(None, TimeTrust::Untrusted), Freshness::Stale);
    }
}
