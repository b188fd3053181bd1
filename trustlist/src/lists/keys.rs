//! `keys.json` of each issuer: its pass-code and status-list keys, and the national platform's for configuration codes. Believed only inside the scope that the national list gives.

use std::collections::BTreeSet;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::{
    code::{Format, IssuerKey, KeyState, Kind, Usage, hc1::certificate},
    key::{Algorithm, KeyId, PublicKey},
    region::Region,
    time::Window,
};

/// The whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// Every key.
    pub keys: Vec<KeyEntry>,
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyUse {
    /// Pass codes.
    Code,
    /// Status lists.
    Status,
    /// Configuration codes of checkpoints; only the national platform has such keys.
    Configuration,
}

/// One key: raw with its algorithm, or in a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEntry {
    /// The algorithm; the message never chooses it.
    pub algorithm: Algorithm,
    /// Ed25519: the 32 raw bytes; others: a DER SubjectPublicKeyInfo. Base64.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub public_key: Option<String>,
    /// Instead of a public key: an X.509 certificate, DER in Base64.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub certificate: Option<String>,
    /// What messages call the key, in a format that does not call it by a digest of itself: for `NZCP` the DID URL under which it
    /// is published.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// The formats that it signs.
    pub formats: Vec<Format>,
    /// What it signs.
    #[serde(rename = "use")]
    pub use_for: KeyUse,
    /// Kinds of certificate that it may sign; empty for all. A certificate's own key usage narrows it further.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub kinds: BTreeSet<Kind>,
    /// Its validity.
    #[serde(flatten)]
    pub window: Window,
    /// How it stands.
    #[serde(flatten)]
    pub state: KeyState,
}

impl KeyEntry {
    /// The key as the judge uses it, or what is wrong with the entry.
    pub(crate) fn issuer_key(&self, issuer: Region, scope: &[Region]) -> Result<IssuerKey, String> {
        let decode = |text: &str| BASE64.decode(text.as_bytes()).map_err(|_| "not Base64".to_owned());
        let (kid, public, window, certified) = match (&self.public_key, &self.certificate) {
            (Some(key), None) => {
                let bytes = decode(key)?;
                let public = match self.algorithm {
                    Algorithm::EdDsa => PublicKey::ed25519(&bytes),
                    other => PublicKey::from_spki(&bytes, other),
                };
                (KeyId::of(&bytes), public.map_err(|bad| bad.to_string())?, self.window, Usage::Codes)
            }
            (None, Some(certificate)) => {
                let signer = certificate::read(&decode(certificate)?).map_err(|bad| bad.to_string())?;
                if signer.public.algorithm() != self.algorithm {
                    return Err("the certificate's key is of another algorithm than the entry says".to_owned());
                }
                (signer.kid, signer.public, signer.window.and(self.window), signer.usage)
            }
            _ => return Err("a key has either public_key or certificate".to_owned()),
        };
        let usage = match (self.use_for, certified) {
            (KeyUse::Status, _) => Usage::Status,
            (KeyUse::Configuration, _) => Usage::Configuration,
            (KeyUse::Code, Usage::Codes) if self.kinds.is_empty() => Usage::Codes,
            (KeyUse::Code, Usage::Kinds(kinds)) if self.kinds.is_empty() => Usage::Kinds(kinds),
            (KeyUse::Code, certified) => {
                Usage::Kinds(self.kinds.iter().copied().filter(|kind| certified.allows(Some(*kind))).collect())
            }
        };
        let kid = self.name.as_ref().map_or(kid, |name| KeyId::of(name.as_bytes()));
        let formats = self.formats.clone();
        Ok(IssuerKey { issuer, scope: scope.to_vec(), kid, public, formats, usage, window, state: self.state })
    }
}
