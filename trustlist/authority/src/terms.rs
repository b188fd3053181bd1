//! How long each role's metadata stays valid.

use serde::{Deserialize, Serialize};
use trustlist::time::UnixTime;

use crate::metadata::Role;

const DAY: i64 = 24 * 3600;

/// Days that each role's metadata stays valid after it was signed.
///
/// A sync refuses metadata that has expired, and a stick may be carried for days: so the timestamp lives for a week although it is made
/// anew every day. How old a list may be at a gate is another matter, and the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// `root.json`.
    pub root_days: u32,
    /// `targets.json`.
    pub targets_days: u32,
    /// `snapshot.json`.
    pub snapshot_days: u32,
    /// `timestamp.json`.
    pub timestamp_days: u32,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { root_days: 730, targets_days: 90, snapshot_days: 30, timestamp_days: 7 }
    }
}

impl Terms {
    fn seconds(self, role: Role) -> i64 {
        let days = match role {
            Role::Root => self.root_days,
            Role::Targets => self.targets_days,
            Role::Snapshot => self.snapshot_days,
            Role::Timestamp => self.timestamp_days,
        };
        i64::from(days) * DAY
    }

    /// When what is signed at `at` expires.
    #[must_use]
    pub fn expiry(self, role: Role, at: UnixTime) -> UnixTime {
        at.plus(self.seconds(role))
    }

    /// When what expires at `expires` was signed.
    #[must_use]
    pub fn signed(self, role: Role, expires: UnixTime) -> UnixTime {
        expires.plus(-self.seconds(role))
    }

    /// Whether a clock that nobody confirms may say `at` where the newest signature is of `newest`: not later than a timestamp lives.
    /// An authority that publishes daily is never further behind; a clock that is further ahead is wrong.
    #[must_use]
    pub fn may_be_now(self, at: UnixTime, newest: UnixTime) -> bool {
        at.since(newest) <= self.seconds(Role::Timestamp)
    }

    /// The first term that is none: no day, or longer than [`Terms::LONGEST`] allows.
    #[must_use]
    pub fn unusual(self) -> Option<(&'static str, u32, u32)> {
        let terms = [self.root_days, self.targets_days, self.snapshot_days, self.timestamp_days];
        let mut all = Role::ALL.iter().zip(terms).zip(Terms::LONGEST);
        let (role, days, most) =
            all.find(|((_, days), most)| *days == 0 || days > most).map(|((role, days), most)| (role, days, most))?;
        Some((role.name(), days, most))
    }

    /// The longest that each role of [`Role::ALL`] may live, in days. A stolen key signs for no longer, and a date of another century is a
    /// mistake.
    pub const LONGEST: [u32; 4] = [3_650, 731, 366, 92];

    /// Whether metadata that expires at `expires` has more than half of its term left.
    #[must_use]
    pub fn still_good(self, role: Role, expires: UnixTime, at: UnixTime) -> bool {
        expires.since(at) > self.seconds(role) / 2
    }
}
