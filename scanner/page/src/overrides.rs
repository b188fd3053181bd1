//! What the operator's page may do beyond looking: an officer's word on a scan, and the device's word on itself.
//!
//! The server only knows this trait; the running shift is behind it.

use std::fmt;

use serde::Deserialize;
use trustlist::verdict::Verdict;

/// An officer decides otherwise than the device.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// The scan, as the page lists it.
    pub scan: uuid::Uuid,
    /// The officer's verdict: `admit` or `refuse`.
    pub verdict: Verdict,
    /// The officer's role, never a name.
    pub role: String,
    /// Why.
    pub why: Why,
    /// When it was signed, in milliseconds since 1970.
    pub signed_ms: i64,
    /// The officer's public key, in Base64.
    pub key: String,
    /// The signature over all of this (`cache/LOG.md`, *By hand*), in Base64.
    pub signature: String,
}

/// Why an officer decides otherwise. A closed list: free text would collect names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Papers were shown and looked at.
    Papers,
    /// The issuer was asked by telephone.
    IssuerAsked,
    /// Somebody needs help at once.
    Emergency,
    /// The person is not whom the code was issued to.
    NotTheHolder,
    /// Camera, lists or clock failed, not the traveller.
    Equipment,
}

impl Why {
    /// The stable word for the row.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Papers => "papers",
            Self::IssuerAsked => "issuer-asked",
            Self::Emergency => "emergency",
            Self::NotTheHolder => "not-the-holder",
            Self::Equipment => "equipment",
        }
    }
}

/// Why an override was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverrideRefusal {
    /// No usable list of officers is configured.
    NoOfficers,
    /// The key has not that role, or did not make the signature.
    NotAnOfficer,
    /// It was not signed just now, or was heard before.
    NotNow,
    /// The scan is not among the recent ones.
    UnknownScan,
    /// An officer admits or refuses; there is nobody to refer to.
    NotAVerdict,
    /// The row could not be written, so the override does not count.
    NotWritten,
}

impl fmt::Display for OverrideRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoOfficers => "no officers here: name a list of roles and public keys as page.officers",
            Self::NotAnOfficer => "no officer of that role signed this",
            Self::NotNow => "it was not signed just now, or was heard before; sign it again",
            Self::UnknownScan => "this scan is not among the recent ones",
            Self::NotAVerdict => "an officer admits or refuses",
            Self::NotWritten => "the scan log could not be written; the override does not count",
        })
    }
}

/// What the running shift offers the page.
pub trait OverrideService: Send + Sync + fmt::Debug {
    /// Writes an officer's word into the chain. May wait for the disk.
    ///
    /// # Errors
    /// When it was not written, and why.
    fn decide(&self, word: &Override) -> Result<(), OverrideRefusal>;

    /// The device's signed word on itself; `None` without a scan log. May wait for the disk.
    fn attestation(&self) -> Option<String>;
}
