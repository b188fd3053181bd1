//! What can be wrong with a configuration, told so that the file can be repaired without this source at hand.

use std::{fmt, io, path::PathBuf};

use super::node::{Node, Origin};

/// One thing to repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was said; `None` when it is something that was *not* said.
    pub origin: Option<Origin>,
    /// The key, with the sections it lies in.
    pub key: String,
    /// What is wrong with it, and what would be right.
    pub fault: Defect,
}

/// What is wrong with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Nobody knows it.
    Unknown {
        /// The key that was perhaps meant.
        nearest: Option<&'static str>,
    },
    /// The value has another shape or lies outside what makes sense.
    Value {
        /// What was found; never a secret, since no secret is ever a setting.
        found: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// A value of the right shape that would make no sense.
    Outside {
        /// What was found.
        found: String,
        /// The least that would be accepted.
        from: String,
        /// The most.
        to: String,
    },
    /// A name that must be unique is not.
    Twice {
        /// The name.
        name: String,
    },
    /// A time that must be shorter than another one is not.
    NotShorter {
        /// What was found.
        found: String,
        /// The other key, and what it says.
        than: (&'static str, String),
        /// What would come of it.
        because: &'static str,
    },
    /// Another setting cannot work without this one.
    Needed {
        /// By what.
        by: &'static str,
    },
}

impl Problem {
    pub(super) fn value(node: &Node, key: &str, expected: &'static str) -> Problem {
        let fault = Defect::Value { found: node.describe(), expected };
        Problem { origin: Some(node.origin.clone()), key: key.to_owned(), fault }
    }

    pub(super) fn twice(node: Option<&Node>, key: &str, name: &str) -> Problem {
        let origin = node.map(|node| node.origin.clone());
        Problem { origin, key: key.to_owned(), fault: Defect::Twice { name: name.to_owned() } }
    }

    pub(super) fn needed(node: Option<&Node>, key: &str, by: &'static str) -> Problem {
        Problem { origin: node.map(|node| node.origin.clone()), key: key.to_owned(), fault: Defect::Needed { by } }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        let key = &self.key;
        match &self.fault {
            Defect::Unknown { nearest: Some(nearest) } => write!(f, "{key} is not known; did you mean {nearest}?"),
            Defect::Unknown { nearest: None } => write!(f, "{key} is not known"),
            Defect::Value { found, expected } => write!(f, "{key}: {found} is not {expected}"),
            Defect::Outside { found, from, to } => write!(f, "{key}: {found} is not from {from} to {to}"),
            Defect::Twice { name } => write!(f, "{key}: \"{name}\" is used twice; each needs its own"),
            Defect::NotShorter { found, than: (other, limit), because } => {
                write!(f, "{key}: {found} is not shorter than {other} ({limit}): {because}")
            }
            Defect::Needed { by } => write!(f, "{key} is not set, and {by} needs it"),
        }
    }
}

/// Why there is no configuration to run with. All of these end with [`super::EXIT_CONFIG`].
#[derive(Debug)]
pub enum ConfigError {
    /// A file or folder cannot be read.
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A file is not TOML.
    Syntax {
        /// Where it stops making sense.
        origin: Origin,
        /// What the parser says.
        says: String,
    },
    /// Values that cannot be used, all of them.
    Invalid(Vec<Problem>),
    /// Nobody said for which region this checkpoint decides.
    RelyingUnset,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, cause } => write!(f, "cannot read {}: {cause}", file.display()),
            Self::Syntax { origin, says } => write!(f, "{origin}: {says}"),
            Self::Invalid(problems) => {
                for (index, problem) in problems.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "\n" };
                    write!(f, "{separator}{problem}")?;
                }
                Ok(())
            }
            Self::RelyingUnset => f.write_str(
                "checkpoint.relying is not set: name the region this checkpoint stands in, such as relying = \"420100\"",
            ),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { cause, .. } => Some(cause),
            _ => None,
        }
    }
}
