//! Keys as the lists state them, and the one function that checks a signature.
//!
//! The list pins the algorithm to the key; a message never chooses how it is checked. Weak Ed25519 keys (small order, or not in
//! canonical form) are refused when they are read, and signatures are checked strictly (RFC 8032 §5.1.7, no small-order
//! points, canonical S).

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use ed25519_dalek::VerifyingKey;
use p256::{ecdsa::signature::Verifier, pkcs8::DecodePublicKey};
use rsa::{pkcs1::DecodeRsaPublicKey, traits::PublicKeyParts};
use serde::{Deserialize, Serialize, de};
use sha2::{Digest, Sha256};

/// The first 8 bytes of SHA-256 over a raw public key (or, for `HC1`, over a certificate).
///
/// A hint, not an identity: two keys may share one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

impl KeyId {
    /// The key id of a raw public key or a certificate's bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> KeyId {
        let digest = Sha256::digest(bytes);
        KeyId(digest[..8].try_into().expect("a SHA-256 has 32 bytes"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// Sixteen lower-case hexadecimal digits.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&HEXLOWER.encode(&self.0))
    }
}

/// The text is not sixteen hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAKeyId;

impl fmt::Display for NotAKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key id is sixteen lower-case hexadecimal digits")
    }
}

impl std::error::Error for NotAKeyId {}

impl FromStr for KeyId {
    type Err = NotAKeyId;

    fn from_str(text: &str) -> Result<Self, NotAKeyId> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| NotAKeyId)?;
        Ok(KeyId(bytes.try_into().map_err(|_| NotAKeyId)?))
    }
}

impl Serialize for KeyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A signature algorithm of the COSE registry that a list may pin to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032), COSE -8.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA on P-256 with SHA-256, COSE -7.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384, COSE -35. No format of ours signs with it; certificates with such keys are about, and a code
    /// that names one is told from a code that names no key at all.
    #[serde(rename = "ES384")]
    Es384,
    /// RSASSA-PSS with SHA-256, COSE -37.
    #[serde(rename = "PS256")]
    Ps256,
}

impl Algorithm {
    /// Its number in the IANA registry "COSE Algorithms".
    #[must_use]
    pub const fn cose(self) -> i64 {
        match self {
            Self::EdDsa => -8,
            Self::Es256 => -7,
            Self::Es384 => -35,
            Self::Ps256 => -37,
        }
    }
}

/// A public key together with the only algorithm it is used with.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Inner);

#[derive(Clone, PartialEq, Eq)]
enum Inner {
    Ed25519(VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    Rsa(rsa::PublicKey),
}

/// Why bytes are no public key that we use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadKey {
    /// Not the encoding that the algorithm has.
    Encoding,
    /// An Ed25519 point of small order, or not in canonical form: it would accept signatures over anything.
    Weak,
    /// An RSA modulus outside 2048 to 4096 bits.
    RsaSize(usize),
    /// A curve or algorithm that is not supported.
    Unsupported,
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding => f.write_str("the bytes are no public key of this algorithm"),
            Self::Weak => f.write_str("the Ed25519 key is weak (small order or not canonical); make another"),
            Self::RsaSize(bits) => write!(f, "the RSA key has {bits} bits; 2048 to 4096 are accepted"),
            Self::Unsupported => f.write_str("only Ed25519, P-256, P-384 and RSA keys are supported"),
        }
    }
}

impl std::error::Error for BadKey {}

impl PublicKey {
    /// An Ed25519 key from its 32 raw bytes.
    ///
    /// # Errors
    /// When the bytes are no point of the curve, or a weak one.
    pub fn ed25519(raw: &[u8]) -> Result<PublicKey, BadKey> {
        let raw: &[u8; 32] = raw.try_into().map_err(|_| BadKey::Encoding)?;
        let key = VerifyingKey::from_bytes(raw).map_err(|_| BadKey::Encoding)?;
        // A non-canonical y (≥ p) decodes and re-encodes to other bytes.
        if key.is_weak() || key.to_bytes() != *raw {
            return Err(BadKey::Weak);
        }
        Ok(PublicKey(Inner::Ed25519(key)))
    }

    /// A key from a DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), pinned to `algorithm`.
    ///
    /// # Errors
    /// When the structure, the curve or the size is not one we use.
    pub fn from_spki(der: &[u8], algorithm: Algorithm) -> Result<PublicKey, BadKey> {
        match algorithm {
            Algorithm::EdDsa => {
                // RFC 8410 §4: a fixed prefix and the raw key.
                let raw = der.strip_prefix(&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]);
                PublicKey::ed25519(raw.ok_or(BadKey::Encoding)?)
            }
            Algorithm::Es256 => {
                let key = p256::ecdsa::VerifyingKey::from_public_key_der(der).map_err(|_| BadKey::Encoding)?;
                Ok(PublicKey(Inner::P256(key)))
            }
            Algorithm::Es384 => {
                let key = p384::ecdsa::VerifyingKey::from_public_key_der(der).map_err(|_| BadKey::Encoding)?;
                Ok(PublicKey(Inner::P384(key)))
            }
            Algorithm::Ps256 => {
                PublicKey::sized(rsa::PublicKey::from_public_key_der(der).map_err(|_| BadKey::Encoding)?)
            }
        }
    }

    /// A P-256 key from its point (SEC 1 §2.3.3), pinned to ES256.
    ///
    /// # Errors
    /// When the bytes are no point of the curve.
    pub fn p256_point(bytes: &[u8]) -> Result<PublicKey, BadKey> {
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes).map_err(|_| BadKey::Encoding)?;
        Ok(PublicKey(Inner::P256(key)))
    }

    /// An RSA key from a DER RSAPublicKey (RFC 8017 §A.1.1), pinned to PS256.
    ///
    /// # Errors
    /// When the structure or the size is not one we use.
    pub fn rsa(der: &[u8]) -> Result<PublicKey, BadKey> {
        PublicKey::sized(rsa::PublicKey::from_pkcs1_der(der).map_err(|_| BadKey::Encoding)?)
    }

    fn sized(key: rsa::PublicKey) -> Result<PublicKey, BadKey> {
        let bits = key.size() * 8;
        if !(2048..=4096).contains(&bits) {
            return Err(BadKey::RsaSize(bits));
        }
        Ok(PublicKey(Inner::Rsa(key)))
    }

    /// The algorithm the key is pinned to.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match &self.0 {
            Inner::Ed25519(_) => Algorithm::EdDsa,
            Inner::P256(_) => Algorithm::Es256,
            Inner::P384(_) => Algorithm::Es384,
            Inner::Rsa(_) => Algorithm::Ps256,
        }
    }

    /// Whether this key made `signature` over `message`. ES256 takes the 64 bytes r ‖ s (RFC 9053 §2.1), ES384 96; both take s and
    /// n − s.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Inner::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Inner::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Inner::P384(key) => p384::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            // RFC 8230 §2: the salt is as long as the hash.
            Inner::Rsa(key) => pss(&rsa::pss::VerifyingKey::new(key.clone()), message, signature),
        }
    }

    /// The same for metadata of The Update Framework, which leaves the length of an RSA-PSS salt to the signer (specification §4.2.1, scheme
    /// `rsassa-pss-sha256`): libraries sign with that of the hash, or with the longest that fits. ES256 signatures are in DER there.
    #[must_use]
    pub fn verify_metadata(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Inner::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Inner::Rsa(key) => pss(&rsa::pss::VerifyingKey::new_with_auto_salt_len(key.clone()), message, signature),
            Inner::Ed25519(_) | Inner::P384(_) => self.verify(message, signature),
        }
    }

    /// A digest that is the same however the key was written down.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.algorithm().cose().to_be_bytes());
        match &self.0 {
            Inner::Ed25519(key) => digest.update(key.as_bytes()),
            Inner::P256(key) => digest.update(key.to_sec1_point(true).as_bytes()),
            Inner::P384(key) => digest.update(key.to_sec1_point(true).as_bytes()),
            Inner::Rsa(key) => {
                for number in [key.n_bytes(), key.e_bytes()] {
                    digest.update((number.len() as u64).to_be_bytes());
                    digest.update(&number);
                }
            }
        }
        digest.finalize().into()
    }
}

fn pss(key: &rsa::pss::VerifyingKey<Sha256>, message: &[u8], signature: &[u8]) -> bool {
    rsa::pss::Signature::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.algorithm())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_order_key_is_refused_before_it_can_accept_anything() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::ed25519(&identity).err(), Some(BadKey::Weak));
    }

    #[test]
    fn a_key_that_is_not_in_canonical_form_is_refused() {
        // y = p, which is 0 modulo p: RFC 8032 §5.1.3 wants y < p.
        let mut non_canonical = [0xff; 32];
        non_canonical[0] = 0xed;
        non_canonical[31] = 0x7f;
        assert_eq!(PublicKey::ed25519(&non_canonical).err(), Some(BadKey::Weak));
    }

    #[test]
    fn a_key_id_is_read_as_it_is_written() {
        let id = KeyId::of(b"abc");
        assert_eq!(id.to_string(), "ba7816bf8f01cfea");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("ba7816".parse::<KeyId>(), Err(NotAKeyId));
    }
}
