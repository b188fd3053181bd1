//! The floor of time: the earliest that it can be, and which evidence says so.
//!
//! Evidence has a reach. The build date and a [quorum](super::quorum) of issuers count on every device; the latest time that this device was
//! sure of counts on this device, and a time service may prove it wrong. What one issuer signed, and what a clock said that nobody
//! confirmed, raises nothing.

use serde::{Deserialize, Serialize};

use super::{Moment, TimeTrust, UnixTime};

/// What says that it cannot be earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The program was built then.
    BuildDate,
    /// So many issuers have signed at or after it that one of them alone cannot have moved it.
    Quorum,
    /// This device was sure of it once.
    LastSure,
}

impl Evidence {
    /// The stable word for rows, pages and scripts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::BuildDate => "build-date",
            Self::Quorum => "quorum",
            Self::LastSure => "last-sure",
        }
    }
}

/// The earliest time that it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Floor {
    /// That time.
    pub at: UnixTime,
    /// What says so.
    pub evidence: Evidence,
}

/// All evidence that a device has of the earliest time that it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Known {
    /// When the program was built.
    pub built: UnixTime,
    /// What the lists in force say together ([`super::quorum::quorum`]).
    pub quorum: Option<UnixTime>,
    /// The latest time that this device was sure of, as it is stored.
    pub last_sure: Option<UnixTime>,
}

impl Known {
    /// The latest of all evidence.
    #[must_use]
    pub fn floor(&self) -> Floor {
        let hard = self.hard_floor();
        match self.last_sure {
            Some(at) if at > hard.at => Floor { at, evidence: Evidence::LastSure },
            _ => hard,
        }
    }

    /// The latest of the evidence that no time service can prove wrong: build date and quorum.
    #[must_use]
    pub fn hard_floor(&self) -> Floor {
        match self.quorum {
            Some(at) if at > self.built => Floor { at, evidence: Evidence::Quorum },
            _ => Floor { at: self.built, evidence: Evidence::BuildDate },
        }
    }
}

/// The latest time that a device is sure of after `moment`, if that is later than what it has stored. Only a confirmed clock makes it sure.
#[must_use]
pub fn raised(stored: Option<UnixTime>, moment: Moment) -> Option<UnixTime> {
    let sure = matches!(moment.trust, TimeTrust::Synced | TimeTrust::Holdover);
    (sure && stored.is_none_or(|stored| moment.at > stored)).then_some(moment.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT: UnixTime = UnixTime(1000);

    fn known(quorum: Option<i64>, last_sure: Option<i64>) -> Known {
        Known { built: BUILT, quorum: quorum.map(UnixTime), last_sure: last_sure.map(UnixTime) }
    }

    #[test]
    fn the_floor_is_the_latest_evidence_and_says_which_it_is() {
        for (quorum, last_sure, at, evidence) in [
            (None, None, 1000, Evidence::BuildDate),
            (Some(2000), None, 2000, Evidence::Quorum),
            (Some(500), Some(600), 1000, Evidence::BuildDate),
            (Some(2000), Some(3000), 3000, Evidence::LastSure),
            (Some(4000), Some(3000), 4000, Evidence::Quorum),
        ] {
            assert_eq!(known(quorum, last_sure).floor(), Floor { at: UnixTime(at), evidence });
        }
        assert_eq!(known(Some(2000), Some(3000)).hard_floor().at, UnixTime(2000));
    }

    #[test]
    fn only_a_confirmed_clock_raises_what_a_device_is_sure_of() {
        let at = |trust| Moment { at: UnixTime(9000), trust, floor: BUILT };
        for (trust, raises) in [
            (TimeTrust::Synced, true),
            (TimeTrust::Holdover, true),
            (TimeTrust::FloorOnly, false),
            (TimeTrust::Untrusted, false),
        ] {
            assert_eq!(raised(Some(BUILT), at(trust)).is_some(), raises, "{trust:?}");
            assert_eq!(raised(None, at(trust)).is_some(), raises, "{trust:?}, on a new device");
        }
        assert_eq!(raised(Some(UnixTime(9001)), at(TimeTrust::Synced)), None, "never down");
    }
}
