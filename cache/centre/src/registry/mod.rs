//! The registry: which post has which device key, name and place, and how a device comes to be one.
//!
//! Keys are pinned once, by a one-time token (`enrolment`); a lost answer is given again to the same device, and another device with the same
//! token is an alarm. A box whose state was wiped, or that was replaced, is taken on only after the operator said *replace*: its log is
//! another one, the old log is closed, and history stays.

mod directory;
mod enrolment;
mod posts;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::database::DatabaseError;
pub use directory::{Directory, Enrolled};
pub use enrolment::{enrol, invitations, invite, lacking, replace};
pub use posts::{Entry, clear, list, rename, restore, revoke};

/// A post to be invited: one line of a batch enrolment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Its name.
    pub post: String,
    /// The station it belongs to.
    #[serde(default)]
    pub station: String,
    /// The division code of its region.
    #[serde(default)]
    pub region: String,
    /// Its lanes.
    #[serde(default)]
    pub lanes: Vec<String>,
}

/// Why the registry does not do it.
#[derive(Debug)]
pub enum RegistryError {
    /// The database.
    Database(DatabaseError),
    /// A post cannot be called this.
    Name(String),
    /// A post of this name is there already; its state.
    Exists(String, String),
    /// No post of this name.
    Unknown(String),
    /// The token is unknown, or its time is over.
    Token,
    /// The token was used by another device.
    TokenTaken,
    /// The device that used the token is not this post's any more: revoked, or replaced.
    Ended(String),
    /// The device's key belongs to another post.
    KeyTaken(String),
    /// The device asks with a log that belongs to another post.
    LogTaken,
    /// This line of a CSV is not `name,station,region,lanes`.
    Line(usize),
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f),
            Self::Name(name) => write!(f, "a post cannot be called {name:?} (one line of at most 128 bytes)"),
            Self::Exists(name, state) => {
                write!(f, "{name} is {state} already; `posts replace` makes a new slip for it")
            }
            Self::Unknown(name) => write!(f, "no post is called {name}"),
            Self::Token => f.write_str("the slip is not known here, or its time is over; ask for a new one"),
            Self::TokenTaken => f.write_str("another device has used this slip"),
            Self::Ended(name) => {
                write!(f, "this device is not {name} any more: it was revoked, or another took its place")
            }
            Self::KeyTaken(name) => write!(f, "this device is enrolled as {name}"),
            Self::LogTaken => f.write_str("this log belongs to another post"),
            Self::Line(line) => write!(f, "line {line} is not NAME,STATION,REGION,LANE LANE …"),
        }
    }
}

impl std::error::Error for RegistryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Database(error) => Some(error),
            _ => None,
        }
    }
}

impl From<DatabaseError> for RegistryError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<tokio_postgres::Error> for RegistryError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

/// Every front looks at this number, and reads the posts again when it has changed.
async fn changed(transaction: &deadpool_postgres::Transaction<'_>) -> Result<(), RegistryError> {
    transaction.execute("UPDATE store SET generation = generation + 1", &[]).await?;
    Ok(())
}
