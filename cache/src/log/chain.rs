//! The hash chain: each row's hash covers its place, its predecessor's hash and its exact text.
//!
//! `hash = SHA-256("checkpointd scan log 1" ‖ 0x00 ‖ seq as 8 bytes big-endian ‖ previous hash ‖ body)`. Place and
//! predecessor have fixed lengths and the body comes last, so no two rows share an input. The chain alone proves order,
//! not authorship: whoever can write the file can chain anew. Anchors ([`super::anchor`]) are what that runs into.

use std::fmt;

use sha2::{Digest, Sha256};

/// Separates these hashes from every other use of SHA-256.
const DOMAIN: &[u8] = b"checkpointd scan log 1\0";

/// What the first row of a log is chained to.
pub const ORIGIN: [u8; 32] = [0; 32];

/// A place in the chain and the hash there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Position of the row, from 1; 0 before the first.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Head {
    /// Before the first row.
    pub const ORIGIN: Head = Head { seq: 0, hash: ORIGIN };

    /// The head after a row with this text.
    #[must_use]
    pub fn followed_by(self, body: &str) -> Head {
        let seq = self.seq + 1;
        Head { seq, hash: hash(seq, &self.hash, body) }
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({} {})", self.seq, data_encoding::HEXLOWER.encode(&self.hash[..4]))
    }
}

/// A row's hash.
#[must_use]
pub fn hash(seq: u64, previous: &[u8; 32], body: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    hasher.update(seq.to_be_bytes());
    hasher.update(previous);
    hasher.update(body.as_bytes());
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_the_specification_shows() {
        // The worked example of cache/LOG.md.
        assert_eq!(
            data_encoding::HEXLOWER.encode(&Head::ORIGIN.followed_by("{}").hash),
            "9f12c8c0514b6475530cfbbb72feb31a0448e6672e04642f256ccec7021cfe73"
        );
    }

    #[test]
    fn place_predecessor_and_text_each_change_the_hash() {
        let base = hash(1, &ORIGIN, "{}");
        assert_ne!(base, hash(2, &ORIGIN, "{}"));
        assert_ne!(base, hash(1, &base, "{}"));
        assert_ne!(base, hash(1, &ORIGIN, "{ }"));
    }
}
