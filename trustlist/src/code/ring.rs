//! The keys as the lists state them, found by key id.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{Format, Kind};
use crate::{
    key::{KeyId, PublicKey},
    region::{NATIONAL, Region},
    time::{UnixTime, Window},
};

/// Keys of one issuer tried per key id. Stops a list full of one key id from costing a signature check each. The bound is each issuer's own,
/// or one could fill another's.
pub const MAX_PER_KID: usize = 8;

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum KeyState {
    /// In use.
    Active,
    /// Good for what it signed before `at`, and for nothing after.
    Retired {
        /// When it was retired.
        at: UnixTime,
    },
    /// Good for nothing.
    Revoked,
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active => f.write_str("active"),
            Self::Retired { at } => write!(f, "retired {at}"),
            Self::Revoked => f.write_str("revoked"),
        }
    }
}

/// What a key may sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Pass codes of any kind.
    Codes,
    /// Pass codes of these kinds only.
    Kinds(HashSet<Kind>),
    /// Status lists.
    Status,
    /// Configuration codes of checkpoints; believed of the national platform only.
    Configuration,
}

impl Usage {
    /// Whether it may sign pass codes at all.
    #[must_use]
    pub fn signs_codes(&self) -> bool {
        !matches!(self, Self::Status | Self::Configuration)
    }

    /// Whether it may sign a code of this kind.
    #[must_use]
    pub fn allows(&self, kind: Option<Kind>) -> bool {
        match (self, kind) {
            (Self::Codes, _) => true,
            (Self::Kinds(kinds), Some(kind)) => kinds.contains(&kind),
            (Self::Kinds(_), None) | (Self::Status | Self::Configuration, _) => false,
        }
    }
}

/// A key, whose it is, and what it may say.
#[derive(Clone, Debug)]
pub struct IssuerKey {
    /// Whose repository states the key.
    pub issuer: Region,
    /// The regions that the national list lets the issuer speak for.
    pub scope: Vec<Region>,
    /// Its id.
    pub kid: KeyId,
    /// The key with its pinned algorithm.
    pub public: PublicKey,
    /// The formats it signs.
    pub formats: Vec<Format>,
    /// What it may sign.
    pub usage: Usage,
    /// Its own validity.
    pub window: Window,
    /// How it stands.
    pub state: KeyState,
}

impl IssuerKey {
    /// Whether the national list lets the key's issuer speak for `region`.
    #[must_use]
    pub fn speaks_for(&self, region: Region) -> bool {
        self.scope.iter().any(|scope| scope.contains(region))
    }

    /// Whether what it signs counts that says of itself to be of `at`: inside its validity, before it was retired, never once revoked.
    #[must_use]
    pub fn good_at(&self, at: UnixTime) -> bool {
        !self.ended_by(at) && self.window.contains(at)
    }

    /// Whether it is over at `at`: its validity has ended, or it was retired; a revoked key always is.
    #[must_use]
    pub fn ended_by(&self, at: UnixTime) -> bool {
        let retired = match self.state {
            KeyState::Active => false,
            KeyState::Retired { at: retired } => retired <= at,
            KeyState::Revoked => true,
        };
        retired || self.window.until.is_some_and(|until| until <= at)
    }
}

/// All keys by id.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    by_kid: HashMap<KeyId, Vec<IssuerKey>>,
}

impl KeyRing {
    /// Adds a key; false when [`MAX_PER_KID`] others of its issuer have its id already.
    pub fn add(&mut self, key: IssuerKey) -> bool {
        let keys = self.by_kid.entry(key.kid).or_default();
        if keys.iter().filter(|other| other.issuer == key.issuer).count() == MAX_PER_KID {
            return false;
        }
        keys.push(key);
        true
    }

    /// The keys with this id.
    #[must_use]
    pub fn candidates(&self, kid: KeyId) -> &[IssuerKey] {
        self.by_kid.get(&kid).map_or(&[], Vec::as_slice)
    }

    /// The national platform's keys that may vouch for a code of this format and kind that was issued at `issued`: those that could
    /// have signed it themselves. A word is given after what it is given for, so a key that was retired by then did not give it.
    #[must_use]
    pub fn vouchers(&self, format: Format, kind: Option<Kind>, issued: UnixTime) -> Vec<&IssuerKey> {
        let national = |key: &&IssuerKey| key.issuer == NATIONAL;
        let may = |key: &&IssuerKey| {
            key.formats.contains(&format) && key.usage.allows(kind) && key.good_at(issued) && national(key)
        };
        // Of a key that is stated twice and taken back once, nothing counts.
        let standing =
            |same: &&Vec<IssuerKey>| !same.iter().any(|key| national(&key) && key.state == KeyState::Revoked);
        self.by_kid.values().filter(standing).flatten().filter(may).collect()
    }

    /// Every key.
    pub fn iter(&self) -> impl Iterator<Item = &IssuerKey> {
        self.by_kid.values().flatten()
    }
}
