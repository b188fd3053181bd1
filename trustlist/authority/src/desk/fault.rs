//! Why a desk does not do what it is asked for, and what to do then.

use std::fmt;

use trustlist::{key::KeyId, lists::keys::KeyUse, region::Region, time::UnixTime};

use crate::{code::IssueError, key::KeyError, metadata::Role, national::ListError};

/// Why an authority does not do what it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeskError {
    /// A key cannot be made or used.
    Key(KeyError),
    /// A threshold that no set of keys reaches, or none at all.
    Threshold {
        /// Keys there would be.
        keys: usize,
        /// Signatures asked for.
        threshold: u32,
    },
    /// Too few private keys of a role are on this machine.
    KeysMissing {
        /// Whose.
        issuer: Region,
        /// Which role.
        role: Role,
        /// Ids of those that are not here.
        missing: Vec<String>,
        /// Signatures needed.
        threshold: u32,
    },
    /// No private key for codes, or for status lists, is good at this moment.
    NoKey {
        /// Whose.
        issuer: Region,
        /// For what.
        use_for: KeyUse,
    },
    /// No such key.
    UnknownKey(KeyId),
    /// No such key of a role.
    UnknownRoleKey(String),
    /// The key is in the list already.
    DuplicateKey(KeyId),
    /// This key entry cannot be used.
    BadEntry(String),
    /// The moment is before what was published last.
    BackInTime {
        /// When that was.
        last: UnixTime,
    },
    /// Something that only the national platform does.
    NotNational(Region),
    /// The national lists contradict themselves.
    List(ListError),
    /// What was published last cannot be read.
    Damaged {
        /// Which file.
        file: &'static str,
    },
    /// The root has expired; clients refuse what hangs on it.
    RootExpired {
        /// When.
        at: UnixTime,
    },
}

impl From<KeyError> for DeskError {
    fn from(error: KeyError) -> DeskError {
        DeskError::Key(error)
    }
}

impl From<ListError> for DeskError {
    fn from(error: ListError) -> DeskError {
        DeskError::List(error)
    }
}

impl fmt::Display for DeskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::List(error) => error.fmt(f),
            Self::Threshold { keys, threshold } => {
                write!(
                    f,
                    "{threshold} of {keys} keys cannot sign; ask for at least one and at most as many as there are"
                )
            }
            Self::KeysMissing { issuer, role, missing, threshold } => {
                let missing: Vec<&str> = missing.iter().map(|id| &id[..id.len().min(16)]).collect();
                let (role, missing) = (role.name(), missing.join(", "));
                write!(
                    f,
                    "{issuer}: {threshold} {role} key(s) must sign and too few are here; \
                     put the key files of {missing} back into keys/ (names begin with {role}-)"
                )
            }
            Self::NoKey { issuer, use_for } => {
                let what = match use_for {
                    KeyUse::Code => "pass codes",
                    KeyUse::Status => "status lists",
                    KeyUse::Configuration => "configuration codes",
                };
                write!(
                    f,
                    "{issuer} holds no private key for {what} that is active now; make one with `authority issuer rotate-key`"
                )
            }
            Self::UnknownKey(kid) => write!(f, "no key {kid} in keys.json; `authority show` lists them"),
            Self::UnknownRoleKey(id) => write!(f, "no role has a key {id}; `authority show` lists them"),
            Self::DuplicateKey(kid) => write!(f, "key {kid} is in keys.json already"),
            Self::BadEntry(why) => write!(f, "the key cannot be used: {why}"),
            Self::BackInTime { last } => {
                write!(f, "the last generation was published at {last}; --at must not be before that")
            }
            Self::NotNational(issuer) => {
                write!(f, "this workspace is {issuer}'s; only the national platform (000000) keeps that list")
            }
            Self::Damaged { file } => {
                write!(f, "the published {file} cannot be read; bring the published directory back from a mirror")
            }
            Self::RootExpired { at } => {
                write!(f, "the root expired at {at}; renew it with `authority root rotate` first")
            }
        }
    }
}

impl std::error::Error for DeskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Key(error) => Some(error),
            Self::List(error) => Some(error),
            _ => None,
        }
    }
}

/// Why there is no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeError {
    /// The desk cannot sign it.
    Desk(DeskError),
    /// The draft is none.
    Draft(IssueError),
}

impl From<DeskError> for CodeError {
    fn from(error: DeskError) -> CodeError {
        CodeError::Desk(error)
    }
}

impl From<IssueError> for CodeError {
    fn from(error: IssueError) -> CodeError {
        CodeError::Draft(error)
    }
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Desk(error) => error.fmt(f),
            Self::Draft(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Desk(error) => Some(error),
            Self::Draft(error) => Some(error),
        }
    }
}
