//! `policy.json`: what each colour, risk level, code age and freshness state does, in named profiles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::risk::RiskLevel;
use crate::{
    code::Colour,
    verdict::{Actor, Reason, Verdict},
};

/// The whole document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The profile that counts where a checkpoint names none.
    pub default: String,
    /// All profiles by name.
    pub profiles: BTreeMap<String, Profile>,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            default: "standard".to_owned(),
            profiles: BTreeMap::from([("standard".to_owned(), Profile::default())]),
        }
    }
}

/// One profile. Every member has a default, so that a profile says only what it changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Colours that do not admit. Red can be made no milder than *refer*.
    pub colours: BTreeMap<Colour, Verdict>,
    /// Risk levels of visited areas that do not admit.
    pub risk_areas: BTreeMap<RiskLevel, Verdict>,
    /// How many days a visit counts.
    pub risk_days: i64,
    /// Oldest code accepted, in seconds since it was issued; no bound when absent.
    pub max_code_age_s: Option<i64>,
    /// Verdicts stricter than the reason has by itself. Milder ones are ignored, and so are those of what the device does not know.
    pub stricter: BTreeMap<Reason, Verdict>,
    /// Steps of the freshness ladder.
    pub freshness: Ladder,
    /// What *restricted* lists do to codes of the own province.
    pub restricted_home: Verdict,
    /// What *restricted* lists do to codes from elsewhere.
    pub restricted_foreign: Verdict,
    /// Clocks of issuers and gates may differ by so many seconds.
    pub skew_s: i64,
    /// Whether a lane's screen shows the bearer's masked name for two seconds, so that two who stand together know who is meant.
    pub show_name: bool,
}

impl Profile {
    /// The verdict of a reason that has `own` by itself: what `stricter` says, unless that is milder. What the device does not know
    /// stays a referral whatever a list says: it calls nobody a forger.
    #[must_use]
    pub fn verdict(&self, reason: Reason, own: Verdict) -> Verdict {
        match self.stricter.get(&reason) {
            Some(stricter) if reason.actor() != Actor::Device => own.max(*stricter),
            _ => own,
        }
    }
}

impl Default for Profile {
    fn default() -> Profile {
        Profile {
            colours: BTreeMap::from([(Colour::Yellow, Verdict::Refer), (Colour::Red, Verdict::Refuse)]),
            risk_areas: BTreeMap::from([(RiskLevel::Medium, Verdict::Refer), (RiskLevel::High, Verdict::Refer)]),
            risk_days: 14,
            max_code_age_s: None,
            stricter: BTreeMap::new(),
            freshness: Ladder::default(),
            restricted_home: Verdict::Admit,
            restricted_foreign: Verdict::Refer,
            skew_s: 300,
            show_name: false,
        }
    }
}

/// Ages in seconds at which a list leaves each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ladder {
    /// Up to this age a list is fresh.
    pub fresh_s: i64,
    /// Up to this age it is in grace.
    pub grace_s: i64,
    /// Up to this age it is restricted; then it is stale.
    pub restricted_s: i64,
}

impl Default for Ladder {
    fn default() -> Ladder {
        Ladder { fresh_s: 24 * 3600, grace_s: 72 * 3600, restricted_s: 7 * 24 * 3600 }
    }
}
