//! Private keys: made, kept as PKCS#8 PEM, and used. The only type in the project that signs.
//!
//! A key file has no passphrase: it is as safe as the machine and the directory it lies in, so nothing here prints a key,
//! and the workspace writes the files readable by their owner only. Copies in memory are wiped by the crates that hold them.

use std::fmt;

use ed25519_dalek::Signer;
use getrandom::SysRng;
use p256::pkcs8::{
    AlgorithmIdentifierRef, DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding, ObjectIdentifier,
    PrivateKeyInfoRef, SecretDocument,
    der::{Decode, asn1::OctetStringRef},
};
use rsa::signature::{RandomizedSigner, SignatureEncoding};
use sha2::Sha256;
use trustlist::key::{Algorithm, KeyId};
use zeroize::Zeroizing;

pub(crate) mod kind;

pub use kind::{KeyError, KeyType, random};

#[cfg(feature = "pkcs11")]
use crate::token::{Token, TokenKey};

/// Bits of the RSA keys made here: what TUF clients and the judge both accept.
const RSA_BITS: usize = 3072;
/// `id-Ed25519` (RFC 8410 §3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const PEM_LABEL: &str = "PRIVATE KEY";
/// How the names of key files end: keys, and notes of keys that are in a token.
pub const PEM: &str = "pem";
/// The note of a key in a token.
pub const NOTE: &str = "pkcs11";

/// A private key. It prints its id only.
#[derive(Clone)]
pub struct SigningKey(Inner);

#[derive(Clone)]
enum Inner {
    Ed25519(ed25519_dalek::SigningKey),
    Ecdsa(p256::ecdsa::SigningKey),
    Rsa(Box<rsa::PrivateKey>),
    #[cfg(feature = "pkcs11")]
    Token(Box<TokenKey>),
}

impl SigningKey {
    /// Makes a key from the machine's randomness.
    ///
    /// # Errors
    /// When the machine gives none.
    pub fn generate(key_type: KeyType) -> Result<SigningKey, KeyError> {
        match key_type {
            KeyType::Ed25519 => Ok(SigningKey::from_seed(random()?)),
            KeyType::Ecdsa => {
                // About one seed in 2^32 is no scalar of the group.
                loop {
                    if let Ok(key) = p256::ecdsa::SigningKey::from_slice(&random::<32>()?) {
                        return Ok(SigningKey(Inner::Ecdsa(key)));
                    }
                }
            }
            KeyType::Rsa => {
                let key = rsa::PrivateKey::new(&mut SysRng, RSA_BITS).map_err(|_| KeyError::NoRandomness)?;
                Ok(SigningKey(Inner::Rsa(Box::new(key))))
            }
        }
    }

    /// The Ed25519 key of a seed, for tests and demonstrations that must come out the same every time.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> SigningKey {
        SigningKey(Inner::Ed25519(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    /// Reads a PKCS#8 key in PEM.
    ///
    /// # Errors
    /// When the text is none, or of an algorithm that is not used here.
    pub fn from_pem(pem: &str) -> Result<SigningKey, KeyError> {
        let (label, document) = SecretDocument::from_pem(pem).map_err(|_| KeyError::NotAKey)?;
        if label != PEM_LABEL {
            return Err(KeyError::NotAKey);
        }
        let der = document.as_bytes();
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyError::NotAKey)?;
        if info.algorithm.oid == ED25519 {
            // RFC 8410 §7: the private key is an OCTET STRING inside the OCTET STRING.
            let seed = <&OctetStringRef>::from_der(info.private_key.as_bytes()).map_err(|_| KeyError::NotAKey)?;
            return Ok(SigningKey::from_seed(seed.as_bytes().try_into().map_err(|_| KeyError::NotAKey)?));
        }
        if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_der(der) {
            return Ok(SigningKey(Inner::Ecdsa(key)));
        }
        let key = rsa::PrivateKey::from_pkcs8_der(der).map_err(|_| KeyError::Unsupported)?;
        Ok(SigningKey(Inner::Rsa(Box::new(key))))
    }

    /// Has a token make a key.
    ///
    /// # Errors
    /// When the token cannot be used.
    #[cfg(feature = "pkcs11")]
    pub fn generate_in(token: Token, key_type: KeyType) -> Result<SigningKey, KeyError> {
        Ok(SigningKey(Inner::Token(Box::new(TokenKey::generate(token, key_type)?))))
    }

    /// Reads the note of a key in a token.
    ///
    /// # Errors
    /// When it is none.
    #[cfg(feature = "pkcs11")]
    pub fn from_note(note: &str) -> Result<SigningKey, KeyError> {
        let key: TokenKey = serde_json::from_str(note).map_err(|_| KeyError::NotAKey)?;
        key.check()?;
        Ok(SigningKey(Inner::Token(Box::new(key))))
    }

    /// Says that the note of a key in a token is of no use here.
    ///
    /// # Errors
    /// Always: this program was built without PKCS#11.
    #[cfg(not(feature = "pkcs11"))]
    pub fn from_note(_: &str) -> Result<SigningKey, KeyError> {
        Err(KeyError::Token(
            "the key is in a token, and this program was built without PKCS#11; take one that was".to_owned(),
        ))
    }

    /// What is kept of the key in a file: how the file's name ends, and its content, wiped when dropped. Of a key in a token that is a note
    /// of where it is.
    #[must_use]
    pub fn to_file(&self) -> (&'static str, Zeroizing<String>) {
        let document = match &self.0 {
            #[cfg(feature = "pkcs11")]
            Inner::Token(key) => {
                let note = serde_json::to_string_pretty(key).expect("a note is plain text");
                return (NOTE, Zeroizing::new(note));
            }
            Inner::Ed25519(key) => {
                let mut wrapped = [0x04; 34];
                wrapped[1] = 32;
                wrapped[2..].copy_from_slice(key.as_bytes());
                let algorithm = AlgorithmIdentifierRef { oid: ED25519, parameters: None };
                let octets = OctetStringRef::new(&wrapped).expect("34 bytes fit an octet string");
                SecretDocument::encode_msg(&PrivateKeyInfoRef::new(algorithm, octets))
                    .expect("an Ed25519 key has a PKCS#8 form")
            }
            Inner::Ecdsa(key) => key.to_pkcs8_der().expect("a P-256 key has a PKCS#8 form"),
            Inner::Rsa(key) => key.to_pkcs8_der().expect("an RSA key has a PKCS#8 form"),
        };
        (PEM, document.to_pem(PEM_LABEL, LineEnding::LF).expect("the label is plain ASCII"))
    }

    /// What kind of key it is.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        match &self.0 {
            Inner::Ed25519(_) => KeyType::Ed25519,
            Inner::Ecdsa(_) => KeyType::Ecdsa,
            Inner::Rsa(_) => KeyType::Rsa,
            #[cfg(feature = "pkcs11")]
            Inner::Token(key) => key.key_type(),
        }
    }

    /// The algorithm that a list pins to its public half.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.key_type() {
            KeyType::Ed25519 => Algorithm::EdDsa,
            KeyType::Ecdsa => Algorithm::Es256,
            KeyType::Rsa => Algorithm::Ps256,
        }
    }

    /// The public half as `keys.json` states it: 32 raw bytes for Ed25519, otherwise a DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn public_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Inner::Ed25519(key) => key.verifying_key().to_bytes().to_vec(),
            Inner::Ecdsa(key) => spki(key.verifying_key()),
            Inner::Rsa(key) => spki(key.as_public_key()),
            #[cfg(feature = "pkcs11")]
            Inner::Token(key) => key.public_bytes(),
        }
    }

    /// The public half in PEM, as TUF metadata states ECDSA and RSA keys.
    #[must_use]
    pub fn public_pem(&self) -> Option<String> {
        let pem = match &self.0 {
            Inner::Ed25519(_) => return None,
            Inner::Ecdsa(key) => key.verifying_key().to_public_key_pem(LineEnding::LF),
            Inner::Rsa(key) => key.as_public_key().to_public_key_pem(LineEnding::LF),
            #[cfg(feature = "pkcs11")]
            Inner::Token(key) => return key.public_pem(),
        };
        Some(pem.expect("a public key has a PEM form"))
    }

    /// The id under which codes name the key.
    #[must_use]
    pub fn kid(&self) -> KeyId {
        KeyId::of(&self.public_bytes())
    }

    /// Signs as COSE wants it: ECDSA as r ‖ s (RFC 9053 §2.1).
    ///
    /// # Errors
    /// When an RSA signature finds no randomness for its salt.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.0 {
            Inner::Ed25519(key) => Ok(key.sign(message).to_vec()),
            Inner::Ecdsa(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                Ok(signature.to_vec())
            }
            Inner::Rsa(key) => {
                let key = rsa::pss::SigningKey::<Sha256>::new((**key).clone());
                let signature = key.try_sign_with_rng(&mut SysRng, message).map_err(|_| KeyError::NoRandomness)?;
                Ok(signature.to_vec())
            }
            #[cfg(feature = "pkcs11")]
            Inner::Token(key) => key.sign(message),
        }
    }

    /// Signs as TUF wants it: ECDSA in DER.
    ///
    /// # Errors
    /// When an RSA signature finds no randomness for its salt.
    pub fn sign_metadata(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.sign(message)?;
        if self.key_type() != KeyType::Ecdsa {
            return Ok(signature);
        }
        let signature = p256::ecdsa::Signature::from_slice(&signature).map_err(|_| KeyError::NotAKey)?;
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid())
    }
}

fn spki(key: &impl EncodePublicKey) -> Vec<u8> {
    key.to_public_key_der().expect("a public key has a DER form").into_vec()
}

#[cfg(test)]
mod tests {
    use trustlist::key::PublicKey;

    use super::*;

    fn public(key: &SigningKey) -> PublicKey {
        match key.algorithm() {
            Algorithm::EdDsa => PublicKey::ed25519(&key.public_bytes()),
            other => PublicKey::from_spki(&key.public_bytes(), other),
        }
        .expect("the judge takes the keys that are made here")
    }

    #[test]
    fn every_kind_of_key_survives_its_file_and_the_judge_takes_its_signatures() {
        for key_type in [KeyType::Ed25519, KeyType::Ecdsa, KeyType::Rsa] {
            let key = SigningKey::generate(key_type).expect("randomness");
            let read = SigningKey::from_pem(&key.to_file().1).expect("the key that was written");
            assert_eq!(read.kid(), key.kid());
            let signature = read.sign(b"a message").expect("randomness");
            assert!(public(&key).verify(b"a message", &signature), "{key_type:?}");
            assert!(!public(&key).verify(b"a messagf", &signature), "{key_type:?}");
        }
    }

    #[test]
    fn an_ed25519_key_is_written_as_rfc_8410_shows_it() {
        // RFC 8410 §10.3.
        let pem = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";
        let key = SigningKey::from_pem(pem).expect("the example");
        assert_eq!(*key.to_file().1, pem);
        assert!(key.public_bytes().starts_with(&[0x19, 0xbf, 0x44, 0x09, 0x69, 0x84]));
    }

    #[test]
    fn what_is_no_key_is_told_from_what_is_a_key_of_another_kind() {
        assert_eq!(SigningKey::from_pem("nonsense").err(), Some(KeyError::NotAKey));
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(SigningKey::from_pem(certificate).err(), Some(KeyError::NotAKey));
        assert!(!format!("{:?}", SigningKey::from_seed([7; 32])).contains("0707"));
    }
}
