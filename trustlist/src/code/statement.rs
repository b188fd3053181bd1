//! What a pass code says once it is read, in the words that all formats share. Values only; nothing here believes or refuses them.

use serde::{Deserialize, Serialize};

use crate::{region::Region, time::UnixTime};

/// What a format's claims say, in the words that all formats share.
#[derive(Clone)]
pub(super) struct Claims {
    pub(super) issuer: Option<Region>,
    pub(super) issued_at: UnixTime,
    pub(super) not_before: Option<UnixTime>,
    pub(super) expires: Option<UnixTime>,
    pub(super) id: Vec<u8>,
    pub(super) status: Option<StatusRef>,
    pub(super) statement: Statement,
    pub(super) kind: Option<Kind>,
}

/// What kind of thing a certificate states; keys may be limited to some (EU DCC, "extended key usage").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A test.
    Test,
    /// A vaccination.
    Vaccination,
    /// A recovery.
    Recovery,
}

/// Where a status list says how a code stands now (Token Status List: `status_list`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRef {
    /// Index in the list.
    pub index: u64,
    /// The list, as the name of a target in the issuer's repository: `status/3`.
    pub uri: String,
}

/// The colour of a health statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// No anomaly.
    Green,
    /// To be looked at.
    Yellow,
    /// Under medical measures.
    Red,
}

/// A visit: an area and the last day there, in days since 1970-01-01 (RFC 8943 §1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Division code of the area.
    pub area: Region,
    /// Days since 1970-01-01.
    pub last_day: i64,
}

/// What the credential states and a verdict needs. Name and document digits are read past and not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// Health colour, where the format has one.
    pub colour: Option<Colour>,
    /// Recent visits.
    pub itinerary: Vec<Visit>,
    /// The region that a code of the national platform speaks for.
    pub on_behalf_of: Option<Region>,
}
