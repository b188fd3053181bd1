//! Keys of TUF metadata (specification §4.2): ed25519, ECDSA on P-256, RSA-PSS.

use data_encoding::HEXLOWER_PERMISSIVE;
use p256::pkcs8::der::pem;
use serde::{Deserialize, Serialize};

use crate::key::{Algorithm, PublicKey};

/// A key as metadata states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// `ed25519`, `ecdsa`, `ecdsa-sha2-nistp256` or `rsa`.
    pub keytype: String,
    /// `ed25519`, `ecdsa-sha2-nistp256` or `rsassa-pss-sha256`.
    pub scheme: String,
    /// The public part.
    pub keyval: KeyVal,
}

/// The public part: hexadecimal for ed25519, PEM for the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyVal {
    /// The public part; empty where a kind of key that is not known states something else.
    #[serde(default)]
    pub public: String,
}

impl Key {
    /// The key as it is used; `None` when its kind is not supported or its encoding is wrong.
    #[must_use]
    pub fn public(&self) -> Option<PublicKey> {
        let written = self.keyval.public.as_bytes();
        let spki = |algorithm| {
            let (_, der) = pem::decode_vec(written).ok()?;
            PublicKey::from_spki(&der, algorithm).ok()
        };
        // Older roots, Sigstore's first among them, write the bare point in hexadecimal.
        let point = || PublicKey::p256_point(&HEXLOWER_PERMISSIVE.decode(written).ok()?).ok();
        match (self.keytype.as_str(), self.scheme.as_str()) {
            ("ed25519", "ed25519") => PublicKey::ed25519(&HEXLOWER_PERMISSIVE.decode(written).ok()?).ok(),
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => spki(Algorithm::Es256).or_else(point),
            ("rsa", "rsassa-pss-sha256") => spki(Algorithm::Ps256),
            _ => None,
        }
    }
}
