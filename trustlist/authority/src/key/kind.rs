//! Kinds of keys, what goes wrong with them, and where randomness comes from: what keys in files and keys in tokens share.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of key that can be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum KeyType {
    /// Ed25519 (RFC 8032).
    #[default]
    Ed25519,
    /// ECDSA on P-256 with SHA-256.
    Ecdsa,
    /// RSA-PSS with SHA-256, 3072 bits.
    Rsa,
}

/// Why a key cannot be made or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The machine gives no random numbers.
    NoRandomness,
    /// The text is no PKCS#8 private key in PEM.
    NotAKey,
    /// The key is in a token that cannot be used: its own words.
    Token(String),
    /// A PKCS#8 key, but neither Ed25519, P-256 nor RSA.
    Unsupported,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(why) => why,
            Self::NoRandomness => "the machine gives no random numbers; no key was made",
            Self::NotAKey => "no private key in PEM (\"-----BEGIN PRIVATE KEY-----\") without a passphrase",
            Self::Unsupported => "a private key that is neither Ed25519, P-256 nor RSA",
        })
    }
}

impl std::error::Error for KeyError {}

/// So many random bytes.
///
/// # Errors
/// When the machine gives none.
pub fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
    Ok(bytes)
}
