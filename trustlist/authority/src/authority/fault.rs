//! Why an authority does not do what it is asked for, and what to do then.

use std::fmt;

use trustlist::{key::KeyId, lists::keys::KeyUse, region::Region, time::UnixTime};

use crate::{code::IssueError, key::KeyError, metadata::Role, national::ListError};

/// Why an authority does not do what it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorityError {
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
    /// Nobody confirms the time, and it is later than it can be.
    ClockAhead {
        /// What the clock says.
        at: UnixTime,
        /// The newest signature.
        newest: UnixTime,
    },
    /// Nobody confirms the time of a first signature, and it is long after this program was made.
    ClockAheadOfProgram {
        /// What the clock says.
        at: UnixTime,
        /// When this program was made.
        built: UnixTime,
    },
    /// A term of validity that is none.
    Terms {
        /// Whose.
        role: &'static str,
        /// What it is.
        days: u32,
        /// The longest.
        most: u32,
    },
    /// The root has expired; clients refuse what hangs on it.
    RootExpired {
        /// When.
        at: UnixTime,
    },
}

impl From<KeyError> for AuthorityError {
    fn from(error: KeyError) -> AuthorityError {
        AuthorityError::Key(error)
    }
}

impl From<ListError> for AuthorityError {
    fn from(error: ListError) -> AuthorityError {
        AuthorityError::List(error)
    }
}

impl fmt::Display for AuthorityError {
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
                write!(
                    f,
                    "the last generation was published at {last}, and time does not run backwards: --at must not be before that, and a \
                     clock that is must be set"
                )
            }
            Self::NotNational(issuer) => {
                write!(f, "this workspace is {issuer}'s; only the national platform (000000) keeps that list")
            }
            Self::Damaged { file } => {
                write!(f, "the published {file} cannot be read; bring the published directory back from a mirror")
            }
            Self::ClockAhead { at, newest } => write!(
                f,
                "the time is said to be {at}, no time service confirms it, and the newest signature here is of {newest}: lists from the \
                 future cost this issuer its gates. Set the clock or wait for its time service (`timedatectl`); if the time is right, \
                 say --clock-is-right"
            ),
            Self::ClockAheadOfProgram { at, built } => write!(
                f,
                "the time is said to be {at}, no time service confirms it, and this program was made at {built}: a root from the future \
                 costs this issuer its gates. Set the clock or wait for its time service (`timedatectl`); if the time is right, say \
                 --clock-is-right"
            ),
            Self::Terms { role, days, most } => write!(
                f,
                "{days} days are no term for the {role}: choose 1 to {most} (in authority.json, where the authority is there already)"
            ),
            Self::RootExpired { at } => {
                write!(f, "the root expired at {at}; renew it with `authority root rotate` first")
            }
        }
    }
}

impl std::error::Error for AuthorityError {
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
    /// The authority cannot sign it.
    Authority(AuthorityError),
    /// The draft is none.
    Draft(IssueError),
}

impl From<AuthorityError> for CodeError {
    fn from(error: AuthorityError) -> CodeError {
        CodeError::Authority(error)
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
            Self::Authority(error) => error.fmt(f),
            Self::Draft(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Authority(error) => Some(error),
            Self::Draft(error) => Some(error),
        }
    }
}
