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

    /// Whether metadata that expires at `expires` has more than half of its term left.
    #[must_use]
    pub fn still_good(self, role: Role, expires: UnixTime, at: UnixTime) -> bool {
        expires.since(at) > self.seconds(role) / 2
    }
}
