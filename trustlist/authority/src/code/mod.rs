//! Test codes: a [`Draft`] of what a code says becomes the text of an `MR1` pass code, and the text a picture.
//!
//! `trustlist/FORMAT.md` specifies the format; the judge's constants are used, its parser is not. A code may be spoilt on
//! purpose ([`Flaw`]), so that a checkpoint can be shown what it must refuse.

mod configuration;
mod mr1;
pub mod picture;
pub mod request;

use std::fmt;

pub use configuration::{ConfigurationDraft, issue_configuration};

use trustlist::{
    code::{Colour, StatusRef, Visit},
    region::Region,
    time::UnixTime,
};

use crate::key::{KeyError, SigningKey, random};

/// How long a code is good for when nobody says otherwise.
pub const DEFAULT_VALIDITY: i64 = 24 * 3600;

/// What a code shall say.
#[derive(Clone)]
pub struct Draft {
    /// The region that issues it.
    pub issuer: Region,
    /// When it is issued.
    pub issued_at: UnixTime,
    /// From when it is valid, where that is later than its issue.
    pub not_before: Option<UnixTime>,
    /// When it ends.
    pub expires: UnixTime,
    /// Claim id, 8 to 16 bytes; random when absent.
    pub id: Option<Vec<u8>>,
    /// Where its status stands.
    pub status: Option<StatusRef>,
    /// Display name, masked already: `张*`.
    pub name: Option<String>,
    /// Last digits of the document.
    pub document: Option<String>,
    /// Colour of the health statement.
    pub colour: Colour,
    /// When the colour was assessed, where that is not the moment of issue.
    pub assessed_at: Option<UnixTime>,
    /// Recent visits.
    pub itinerary: Vec<Visit>,
    /// Tests and vaccinations.
    pub proofs: Vec<Proof>,
    /// The region that a national code speaks for.
    pub on_behalf_of: Option<Region>,
}

/// One entry of class 4, *proof*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What was done: `nat`, `antigen`, `vaccine`.
    pub kind: String,
    /// How it came out: `negative`, `2/3`.
    pub result: String,
    /// The day, in days since 1970-01-01.
    pub date: i64,
}

impl Draft {
    /// A green code of `issuer`, good for a day from `issued_at`.
    #[must_use]
    pub fn new(issuer: Region, issued_at: UnixTime) -> Draft {
        Draft {
            issuer,
            issued_at,
            not_before: None,
            expires: issued_at.plus(DEFAULT_VALIDITY),
            id: None,
            status: None,
            name: None,
            document: None,
            colour: Colour::Green,
            assessed_at: None,
            itinerary: Vec::new(),
            proofs: Vec::new(),
            on_behalf_of: None,
        }
    }
}

/// Prints no person: a draft may hold a name.
impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Draft({} at {})", self.issuer, self.issued_at)
    }
}

/// How a code is spoilt on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// The signature is of another key than the one the code names: what a forger can do.
    Forged,
    /// Signed, and then its claims were changed.
    Tampered,
    /// Signed by a key that is in no list.
    UnknownKey,
    /// The end of the symbol's text is missing.
    Truncated,
}

/// Why there is no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IssueError {
    /// The key could not be used.
    Key(KeyError),
    /// Codes are signed with Ed25519 only.
    NotEd25519,
    /// The claim id has this many bytes, not 8 to 16.
    IdLength(usize),
}

impl From<KeyError> for IssueError {
    fn from(error: KeyError) -> IssueError {
        IssueError::Key(error)
    }
}

impl fmt::Display for IssueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::NotEd25519 => f.write_str("codes are signed with Ed25519 keys only; name such a key"),
            Self::IdLength(length) => write!(f, "a code's id has 8 to 16 bytes, this one {length}"),
        }
    }
}

impl std::error::Error for IssueError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let Self::Key(error) = self { Some(error) } else { None }
    }
}

/// Signs `draft` with the issuer's `key`; `voucher`, a key of the national platform, countersigns it.
///
/// # Errors
/// When a key is not Ed25519, the claim id is out of bounds or the machine gives no randomness.
pub fn issue(draft: &Draft, key: &SigningKey, voucher: Option<&SigningKey>) -> Result<String, IssueError> {
    let draft = identified(draft)?;
    mr1::write(&draft, &draft, &mr1::Signers { named: key, signing: key, voucher })
}

/// As [`issue`], but spoilt.
///
/// # Errors
/// As [`issue`].
pub fn issue_flawed(
    draft: &Draft,
    key: &SigningKey,
    voucher: Option<&SigningKey>,
    flaw: Flaw,
) -> Result<String, IssueError> {
    let draft = identified(draft)?;
    match flaw {
        Flaw::Forged => {
            let forger = SigningKey::from_seed(random()?);
            mr1::write(&draft, &draft, &mr1::Signers { named: key, signing: &forger, voucher })
        }
        Flaw::UnknownKey => issue(&draft, &SigningKey::from_seed(random()?), voucher),
        Flaw::Tampered => {
            let prolonged = Draft { expires: draft.expires.plus(DEFAULT_VALIDITY), ..draft.clone() };
            mr1::write(&draft, &prolonged, &mr1::Signers { named: key, signing: key, voucher })
        }
        Flaw::Truncated => {
            let mut text = issue(&draft, key, voucher)?;
            text.truncate(text.len() * 2 / 3);
            Ok(text)
        }
    }
}

/// The draft with a claim id.
fn identified(draft: &Draft) -> Result<Draft, IssueError> {
    match &draft.id {
        None => Ok(Draft { id: Some(random::<8>()?.to_vec()), ..draft.clone() }),
        Some(id) if (8..=16).contains(&id.len()) => Ok(draft.clone()),
        Some(id) => Err(IssueError::IdLength(id.len())),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use trustlist::{
        code::{Envelope, Format, IssuerKey, KeyRing, KeyState, Usage},
        key::PublicKey,
        region::NATIONAL,
        time::Window,
        verdict::Reason,
    };

    use super::*;

    const MORNING: UnixTime = UnixTime(1_612_137_600);

    fn region(text: &str) -> Region {
        text.parse().expect("a region")
    }

    fn ring(keys: &[(Region, &SigningKey)]) -> KeyRing {
        let mut ring = KeyRing::default();
        for (issuer, key) in keys {
            let public = PublicKey::ed25519(&key.public_bytes()).expect("a good key");
            ring.add(IssuerKey {
                issuer: *issuer,
                scope: vec![*issuer],
                kid: key.kid(),
                public,
                formats: vec![Format::Mr1],
                usage: Usage::Codes,
                window: Window::default(),
                state: KeyState::Active,
            });
        }
        ring
    }

    /// What a code carries day by day: a masked name, four digits, a colour and when it was assessed, a visit, a status.
    pub(crate) fn typical() -> Draft {
        Draft {
            status: Some(StatusRef { index: 734_211, uri: "status/42".to_owned() }),
            name: Some("张*".to_owned()),
            document: Some("4213".to_owned()),
            assessed_at: Some(MORNING),
            itinerary: vec![Visit { area: region("420100"), last_day: 18_655 }],
            ..Draft::new(region("440000"), MORNING)
        }
    }

    /// All four classes.
    pub(crate) fn full() -> Draft {
        let proofs = vec![Proof { kind: "nat".to_owned(), result: "negative".to_owned(), date: 18_658 }];
        Draft { proofs, ..typical() }
    }

    #[test]
    fn the_judge_attests_a_code_that_was_issued_here() {
        let (key, national) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let ring = ring(&[(region("440000"), &key), (NATIONAL, &national)]);
        let text = issue(&full(), &key, Some(&national)).expect("a code");
        let credential = Envelope::parse(&text).expect("a pass code").attest(&ring).expect("a credential");
        assert_eq!(credential.issuer(), region("440000"));
        assert_eq!(credential.issued_at(), MORNING);
        assert_eq!(credential.valid_until(), Some(MORNING.plus(DEFAULT_VALIDITY)));
        assert_eq!(credential.statement().colour, Some(Colour::Green));
        assert_eq!(credential.statement().itinerary, typical().itinerary);
        assert_eq!(credential.status(), typical().status.as_ref());
        assert!(credential.vouched_by_national());

        let text = issue(&typical(), &key, Some(&key)).expect("a code");
        let credential = Envelope::parse(&text).expect("a pass code").attest(&ring).expect("a credential");
        assert!(!credential.vouched_by_national(), "a province cannot vouch for itself");
    }

    #[test]
    fn every_flaw_is_refused_for_its_own_reason() {
        let key = SigningKey::from_seed([1; 32]);
        let ring = ring(&[(region("440000"), &key)]);
        for (flaw, reason) in [
            (Flaw::Forged, Reason::BadSignature),
            (Flaw::Tampered, Reason::BadSignature),
            (Flaw::UnknownKey, Reason::UnknownKey),
        ] {
            let text = issue_flawed(&typical(), &key, None, flaw).expect("a code");
            let rejection = Envelope::parse(&text).expect("a pass code").attest(&ring).expect_err("spoilt");
            assert_eq!(rejection.reason, reason, "{flaw:?}");
        }
        let text = issue_flawed(&typical(), &key, None, Flaw::Truncated).expect("a code");
        assert!(Envelope::parse(&text).is_err());
    }

    #[test]
    fn two_codes_of_one_draft_have_different_ids() {
        let key = SigningKey::from_seed([1; 32]);
        assert_ne!(issue(&typical(), &key, None).expect("a code"), issue(&typical(), &key, None).expect("a code"));
    }

    #[test]
    fn a_code_needs_an_ed25519_key_and_an_id_of_eight_to_sixteen_bytes() {
        let ecdsa = SigningKey::generate(crate::key::KeyType::Ecdsa).expect("randomness");
        assert_eq!(issue(&typical(), &ecdsa, None).err(), Some(IssueError::NotEd25519));
        let short = Draft { id: Some(vec![1; 7]), ..typical() };
        assert_eq!(issue(&short, &SigningKey::from_seed([1; 32]), None).err(), Some(IssueError::IdLength(7)));
    }
}
