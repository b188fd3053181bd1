//! `trustlist.json` of the national repository: who issues, for which regions, in which formats, and each issuer's first root.

use serde::{Deserialize, Serialize};

use super::Names;
use crate::{code::Format, region::Region};

/// The whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustList {
    /// Every issuer.
    pub issuers: Vec<IssuerEntry>,
}

/// One issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerEntry {
    /// Division code, or two letters of a country.
    pub id: Region,
    /// What people call it.
    pub name: Names,
    /// `national`, `province`, `city`, `county` or `country`.
    pub level: String,
    /// The issuer above it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub parent: Option<Region>,
    /// The regions that it may speak for. Its keys are believed inside these only.
    pub scope: Vec<Region>,
    /// The formats that count.
    pub formats: Vec<Format>,
    /// SHA-256 of the issuer's first `root.json`, in hexadecimal; the root itself is the target `roots/<id>.json`.
    pub root_sha256: String,
    /// Where its repository is mirrored, in order of preference.
    #[serde(default)]
    pub mirrors: Vec<String>,
}
