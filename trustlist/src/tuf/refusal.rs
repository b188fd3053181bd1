//! Why metadata was refused: which role, what is wrong, and what that usually means.

use std::fmt;

use crate::time::UnixTime;

/// A role's metadata was refused. What had been accepted before stays accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The role: `root`, `timestamp`, `snapshot`, `targets` or a delegated one.
    pub role: String,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The file is not there.
    Missing,
    /// It could not be fetched: the transport's own words.
    Unreachable(String),
    /// It is no metadata at all.
    Unreadable(String),
    /// It is metadata, and not such as a gate can use.
    Unusable(String),
    /// Fewer good signatures than the threshold asks for.
    Signatures {
        /// Distinct keys whose signature holds.
        good: usize,
        /// How many are asked for.
        threshold: u64,
    },
    /// A version that is not the one expected.
    Version {
        /// The version found.
        found: u64,
        /// The version expected.
        expected: u64,
    },
    /// An older version than the trusted one: a replay.
    Rollback {
        /// The version found.
        found: u64,
        /// The version trusted.
        trusted: u64,
    },
    /// It has expired.
    Expired(UnixTime),
    /// Longer than stated, or than the bound.
    TooLong {
        /// Bytes allowed.
        limit: u64,
    },
    /// More targets than the bound.
    TooMany {
        /// How many are allowed.
        limit: usize,
    },
    /// Targets that are longer together than the bound.
    TooMuch {
        /// Bytes allowed.
        limit: u64,
    },
    /// More bytes of targets than this device has room for beside those of the issuers before this one.
    NoRoom {
        /// Bytes allowed for all issuers together.
        limit: u64,
    },
    /// Shorter or other bytes than stated.
    OtherContent,
    /// The role above it does not name it.
    NotNamed,
}

impl Refusal {
    pub(crate) fn new(role: impl Into<String>, why: Why) -> Refusal {
        Refusal { role: role.into(), why }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = &self.role;
        match &self.why {
            Why::Missing => write!(f, "{role}: the file is not there"),
            Why::Unreachable(why) => write!(f, "{role}: {why}"),
            Why::Unreadable(why) => {
                let why = short(why);
                write!(f, "{role}: not the metadata that was expected ({why}); is this a captive portal?")
            }
            Why::Unusable(why) => {
                write!(f, "{role}: nothing that a gate can use ({}); its issuer must publish again", short(why))
            }
            Why::Signatures { good, threshold } => {
                write!(
                    f,
                    "{role}: {good} of {threshold} signatures needed hold; the file was not made by whom it should be"
                )
            }
            Why::Version { found, expected } => {
                write!(f, "{role}: version {found} instead of {expected}; the mirror is half updated")
            }
            Why::Rollback { found, trusted } => {
                write!(f, "{role}: version {found} is older than the trusted {trusted}; the mirror is old, or replays")
            }
            Why::Expired(at) => {
                write!(f, "{role}: expired at {at}; the publisher must publish again, or this clock is wrong")
            }
            Why::TooLong { limit } => write!(f, "{role}: more than {limit} bytes"),
            Why::TooMany { limit } => write!(f, "{role}: more than {limit} targets"),
            Why::TooMuch { limit } => write!(f, "{role}: more than {limit} bytes of targets together"),
            Why::NoRoom { limit } => {
                write!(
                    f,
                    "{role}: no room is left; all issuers together may take {limit} bytes, in the order of the nation's list"
                )
            }
            Why::OtherContent => {
                write!(f, "{role}: not the content that was signed for; the mirror is damaged or half updated")
            }
            Why::NotNamed => write!(f, "{role}: nothing that is trusted names it"),
        }
    }
}

/// As much of a text as a line bears: it may hold what a stranger wrote.
fn short(text: &str) -> &str {
    const LONGEST: usize = 160;
    text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end])
}

impl std::error::Error for Refusal {}
