//! Pass codes: from a symbol's text to a credential, through one door.
//!
//! [`Envelope::parse`] reads a text and believes nothing; an envelope shows its format and key id. [`Envelope::attest`] consumes
//! it against the keys of the trust list and is the only way to a [`Credential`]. What a format is like inside is the business
//! of its own folder; it is known here by one entry of `FORMATS`.
//!
//! ```compile_fail
//! # fn main() -> Result<(), trustlist::code::ParseError> {
//! let envelope = trustlist::code::Envelope::parse("MR1:…")?;
//! let issuer = envelope.issuer(); // an envelope has no such thing: nothing in it is proven
//! # Ok(()) }
//! ```

use std::fmt;

use serde::Serialize;

use crate::{
    key::{KeyId, PublicKey},
    region::{NATIONAL, Region},
    time::{UnixTime, Window},
    verdict::Reason,
};

pub mod cbor;
pub mod cose;
pub mod cwt;
pub mod hc1;
pub mod mr1;
mod name;
pub mod nzcp;
pub mod ring;
mod statement;
pub mod text;

pub use name::MaskedName;
pub use ring::{IssuerKey, KeyRing, KeyState, Usage};
use statement::Claims;
pub use statement::{Colour, Kind, Statement, StatusRef, Visit};

/// A format of pass code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
pub enum Format {
    /// Our own: EdDSA over a deterministic CWT.
    #[serde(rename = "MR1")]
    Mr1,
    /// The EU Digital COVID Certificate.
    #[serde(rename = "HC1")]
    Hc1,
    /// The New Zealand COVID Pass.
    #[serde(rename = "NZCP")]
    Nzcp,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 3] = [Self::Mr1, Self::Hc1, Self::Nzcp];

    /// The format that a text claims by its prefix; nothing else of the text is looked at.
    #[must_use]
    pub fn claimed_by(text: &str) -> Option<Format> {
        FORMATS.iter().find(|reader| text.starts_with(reader.prefix)).map(|reader| reader.format)
    }

    /// The stable word, with which the format's prefix begins.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Mr1 => "MR1",
            Self::Hc1 => "HC1",
            Self::Nzcp => "NZCP",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// How a format is told by its prefix, and read.
struct Reader {
    format: Format,
    prefix: &'static str,
    parse: fn(&str) -> Result<Box<dyn Unbelieved>, &'static str>,
    /// What a code is that names another algorithm than the list pins to its key. Where the format has one algorithm, that is a
    /// fault of its own; where it has several, the message's other word changes what was signed, and is a bad signature.
    mismatch: (Reason, Option<&'static str>),
    /// Whether the issuer is who the key's list says, and the message's claim only a hint.
    issuer_is_hint: bool,
}

/// Every format. One entry makes a format known.
const FORMATS: &[Reader] = &[
    Reader {
        format: Format::Mr1,
        prefix: mr1::PREFIX,
        parse: mr1::parse,
        mismatch: (Reason::AlgorithmMismatch, None),
        issuer_is_hint: false,
    },
    Reader {
        format: Format::Hc1,
        prefix: "HC1:",
        parse: hc1::parse,
        mismatch: (Reason::BadSignature, Some("algorithm-mismatch")),
        issuer_is_hint: true,
    },
    Reader {
        format: Format::Nzcp,
        prefix: nzcp::PREFIX,
        parse: nzcp::parse,
        mismatch: (Reason::AlgorithmMismatch, None),
        issuer_is_hint: true,
    },
];

/// What a format's parser gives: a message with a signature over it, of which nothing is believed.
trait Unbelieved: Send {
    /// The key id that the message names: a hint. `None` when it names none that a key could have.
    fn key_id(&self) -> Option<KeyId>;
    /// COSE number of the algorithm that the message names, to be compared with the list's.
    fn algorithm(&self) -> Option<i64>;
    /// The issuer that the message claims. Unproven: used only to say *why* no key was found.
    fn claimed_issuer(&self) -> Option<Region>;
    /// Whether `key` made the signature.
    fn signed_by(&self, key: &PublicKey) -> bool;
    /// Whether one of `keys` made a countersignature over the message.
    fn vouched_by(&self, keys: &[&IssuerKey]) -> bool;
    /// Reads the claims of a message whose signature holds. `kid` names the key that made it.
    fn claims(&self) -> Result<Claims, &'static str>;
    /// The display name, where the format has one. Asked for only where a policy shows it.
    fn name(&self) -> Option<MaskedName> {
        None
    }
}

/// What a text is that has no envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// A bus ticket, a web link: no verdict, no row, no text kept.
    NotAPassCode,
    /// It claims a format and cannot be one.
    Malformed {
        /// The format that the prefix claims.
        format: Format,
        /// What is wrong, as a stable code.
        detail: &'static str,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAPassCode => f.write_str("the text is no pass code"),
            Self::Malformed { format, detail } => write!(f, "the text claims to be {format} and is not: {detail}"),
        }
    }
}

impl std::error::Error for ParseError {}

/// A pass code as read: parsed, **not believed**.
pub struct Envelope {
    reader: &'static Reader,
    message: Box<dyn Unbelieved>,
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key_id() {
            Some(kid) => write!(f, "Envelope({} {kid})", self.format()),
            None => write!(f, "Envelope({} without a key id)", self.format()),
        }
    }
}

/// Why an envelope is no credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// One of `unknown-key`, `algorithm-mismatch`, `bad-signature`, `malformed`, `issuer-out-of-scope`, `key-retired`, `key-revoked`.
    pub reason: Reason,
    /// A finer stable code, where there is one.
    pub detail: Option<&'static str>,
    /// The issuer: proven when the signature held, otherwise only claimed. For choosing among reasons, not for belief.
    pub issuer: Option<Region>,
    /// Whether the format lets a message claim any issuer, so that one which nobody lists says nothing.
    pub issuer_is_hint: bool,
}

impl Envelope {
    /// Reads a text. Total: any text gives an envelope or says what it is instead.
    ///
    /// # Errors
    /// When the text is no pass code, or a broken one.
    pub fn parse(text: &str) -> Result<Envelope, ParseError> {
        for reader in FORMATS {
            if let Some(body) = text.strip_prefix(reader.prefix) {
                let malformed = |detail| ParseError::Malformed { format: reader.format, detail };
                return Ok(Envelope { reader, message: (reader.parse)(body).map_err(malformed)? });
            }
        }
        Err(ParseError::NotAPassCode)
    }

    /// The format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.reader.format
    }

    /// The key id that the message names: a hint, not an identity. `None` when it names none that a key could have.
    #[must_use]
    pub fn key_id(&self) -> Option<KeyId> {
        self.message.key_id()
    }

    /// Believes the envelope if a key of `ring` made its signature and may say what it says.
    ///
    /// All keys with the message's key id are tried. The list says which algorithm and format a key has; the message never chooses.
    ///
    /// # Errors
    /// With the reason, in the order key → signature → scope → key state.
    pub fn attest(self, ring: &KeyRing) -> Result<Credential, Rejection> {
        let issuer_is_hint = self.reader.issuer_is_hint;
        let reject =
            |reason, detail| Rejection { reason, detail, issuer: self.message.claimed_issuer(), issuer_is_hint };
        let Some(kid) = self.key_id() else { return Err(reject(Reason::UnknownKey, Some("bad-kid"))) };
        let candidates: Vec<&IssuerKey> = ring
            .candidates(kid)
            .iter()
            .filter(|key| key.formats.contains(&self.format()) && key.usage.signs_codes())
            .collect();
        if candidates.is_empty() {
            return Err(reject(Reason::UnknownKey, None));
        }
        let named = self.message.algorithm();
        let fitting: Vec<&IssuerKey> =
            candidates.into_iter().filter(|key| named == Some(key.public.algorithm().cose())).collect();
        if fitting.is_empty() {
            let (reason, detail) = self.reader.mismatch;
            return Err(reject(reason, detail));
        }
        let mut signers: Vec<&IssuerKey> =
            fitting.into_iter().filter(|key| self.message.signed_by(&key.public)).collect();
        if signers.is_empty() {
            return Err(reject(Reason::BadSignature, None));
        }
        let claims = self.message.claims().map_err(|detail| reject(Reason::Malformed, Some(detail)))?;
        // Any issuer can state another's public key. Where the one that the message names states it, what others say of it is nothing.
        if signers.len() > 1
            && let Some(named) = self.message.claimed_issuer()
            && signers.iter().any(|key| key.speaks_for(named))
        {
            signers.retain(|key| key.speaks_for(named));
        }
        let judged: Vec<_> = signers.iter().map(|key| (*key, may_say(key, &signers, &claims))).collect();
        let (key, answer) = judged.iter().find(|(_, answer)| answer.is_ok()).unwrap_or(&judged[0]);
        let issuer = claims.issuer.unwrap_or(key.issuer);
        if let Err((reason, detail)) = *answer {
            return Err(Rejection { reason, detail, issuer: Some(issuer), issuer_is_hint });
        }
        let vouchers = ring.vouchers(self.format(), claims.kind, claims.issued_at);
        let vouched = issuer != NATIONAL && self.message.vouched_by(&vouchers);
        Ok(Credential {
            format: self.format(),
            kid,
            repository: key.issuer,
            issuer,
            key_window: key.window,
            vouched,
            claims,
            message: self.message,
        })
    }
}

/// Whether a key that made the signature may say what the claims say. `signers` are all that made it.
fn may_say(key: &IssuerKey, signers: &[&IssuerKey], claims: &Claims) -> Result<(), (Reason, Option<&'static str>)> {
    if !key.speaks_for(claims.issuer.unwrap_or(key.issuer)) {
        return Err((Reason::IssuerOutOfScope, None));
    }
    if !key.usage.allows(claims.kind) {
        return Err((Reason::IssuerOutOfScope, Some("bad-key-usage")));
    }
    // Whoever states a key twice and takes back one has taken back the key.
    if signers.iter().any(|other| other.issuer == key.issuer && other.state == KeyState::Revoked) {
        return Err((Reason::KeyRevoked, None));
    }
    match key.state {
        KeyState::Retired { at } if claims.issued_at >= at => Err((Reason::KeyRetired, None)),
        _ => Ok(()),
    }
}

/// An attested pass code: a key of the trust list made its signature, and the key may speak for its region.
///
/// Not an admission: whether it counts here and now is [`crate::judge`]'s question.
pub struct Credential {
    format: Format,
    kid: KeyId,
    repository: Region,
    issuer: Region,
    key_window: Window,
    vouched: bool,
    claims: Claims,
    message: Box<dyn Unbelieved>,
}

/// Prints no claims: they are a traveller's.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({} of {} by key {})", self.format, self.issuer, self.kid)
    }
}

impl Credential {
    /// The format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The key that made the signature.
    #[must_use]
    pub fn kid(&self) -> KeyId {
        self.kid
    }

    /// The region that issued it.
    #[must_use]
    pub fn issuer(&self) -> Region {
        self.issuer
    }

    /// Whose repository holds the key and the status lists: the issuer's, or that of a region around it.
    #[must_use]
    pub fn repository(&self) -> Region {
        self.repository
    }

    /// When it was issued.
    #[must_use]
    pub fn issued_at(&self) -> UnixTime {
        self.claims.issued_at
    }

    /// From when it is valid, by its own word: the later of issue and not-before.
    #[must_use]
    pub fn valid_from(&self) -> UnixTime {
        let issued = self.claims.issued_at;
        issued.max(self.claims.not_before.unwrap_or(issued))
    }

    /// When it ends, by its own word.
    #[must_use]
    pub fn valid_until(&self) -> Option<UnixTime> {
        self.claims.expires
    }

    /// The validity of the key that signed it, which is the issuer's doing and not the bearer's.
    #[must_use]
    pub fn key_window(&self) -> Window {
        self.key_window
    }

    /// The claim id: unique to the code, and meaningless elsewhere. What a repeat token is made from; never stored itself.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        &self.claims.id
    }

    /// Where its status stands, if the issuer keeps one.
    #[must_use]
    pub fn status(&self) -> Option<&StatusRef> {
        self.claims.status.as_ref()
    }

    /// What it states.
    #[must_use]
    pub fn statement(&self) -> &Statement {
        &self.claims.statement
    }

    /// The bearer's display name, masked; read now, from the message, and kept by nothing here.
    #[must_use]
    pub fn name(&self) -> Option<MaskedName> {
        self.message.name()
    }

    /// Whether a key of the national platform countersigned it.
    #[must_use]
    pub fn vouched_by_national(&self) -> bool {
        self.vouched
    }
}
