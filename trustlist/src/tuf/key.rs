//! Keys and signatures of TUF metadata (specification §4.2): ed25519, ECDSA on P-256, RSA-PSS.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER_PERMISSIVE;
use p256::pkcs8::der::pem;
use serde::{Deserialize, Serialize};

use super::{
    refusal::{Refusal, Why},
    schema::{Envelope, RoleKeys},
};
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
    fn public(&self) -> Option<PublicKey> {
        let spki = |algorithm| {
            let (_, der) = pem::decode_vec(self.keyval.public.as_bytes()).ok()?;
            PublicKey::from_spki(&der, algorithm).ok()
        };
        match (self.keytype.as_str(), self.scheme.as_str()) {
            ("ed25519", "ed25519") => {
                PublicKey::ed25519(&HEXLOWER_PERMISSIVE.decode(self.keyval.public.as_bytes()).ok()?).ok()
            }
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => spki(Algorithm::Es256),
            ("rsa", "rsassa-pss-sha256") => spki(Algorithm::Ps256),
            _ => None,
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some(public) = self.public() else { return false };
        if public.algorithm() == Algorithm::Es256 {
            // TUF carries ECDSA signatures in DER; our keys check r ‖ s.
            return p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| public.verify(message, &signature.to_bytes()));
        }
        public.verify(message, signature)
    }
}

/// Checks that a threshold of a role's keys signed (§5.3.4 and its like). Each key counts once, whatever ids it goes by.
pub(super) fn check_threshold(role: &str, envelope: &Envelope, keys: &RoleKeys<'_>) -> Result<(), Refusal> {
    let mut good = BTreeSet::new();
    for signature in &envelope.signatures {
        if !keys.role.keyids.contains(&signature.keyid) {
            continue;
        }
        let Some(key) = keys.keys.get(&signature.keyid) else { continue };
        let Ok(bytes) = HEXLOWER_PERMISSIVE.decode(signature.sig.as_bytes()) else { continue };
        if !good.contains(&key.keyval.public) && key.verify(&envelope.canonical, &bytes) {
            good.insert(key.keyval.public.clone());
        }
    }
    let threshold = keys.role.threshold;
    if threshold > 0 && good.len() as u64 >= threshold {
        Ok(())
    } else {
        Err(Refusal::new(role, Why::Signatures { good: good.len(), threshold }))
    }
}
