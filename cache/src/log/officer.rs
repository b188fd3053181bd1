//! An officer's word on a scan: what is signed, by whom it may be signed, and whether the signature holds.
//!
//! The key is an officer's, the private half never reaches the device that keeps the log. So the row proves itself to whoever has the
//! list of officers: neither the device nor whoever doctors its database can make one up.

use std::{collections::BTreeSet, fmt};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use trustlist::{key::PublicKey, verdict::Verdict};
use uuid::Uuid;

use super::unix_millis::UnixMillis;

/// Lines read of a list of officers.
const MAX_OFFICERS: usize = 256;
/// Longest name of a role. Roles stand in rows.
const MAX_ROLE: usize = 32;

/// What an officer decided, signed. Its members are those of the `override` row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The scan.
    pub scan: Uuid,
    /// The officer's verdict.
    pub verdict: Verdict,
    /// `steward`, `supervisor`, …: a role, never a person.
    pub role: String,
    /// A stable word for why.
    pub why: String,
    /// When it was signed, by the clock of whoever signed.
    pub signed_ms: UnixMillis,
    /// The officer's Ed25519 public key, 32 bytes in Base64.
    pub key: String,
    /// The signature over [`Word::message`], 64 bytes in Base64.
    pub signature: String,
}

impl Word {
    /// The signed text: one member a line, in this order, so that nothing of one can be taken for another.
    #[must_use]
    pub fn message(&self) -> String {
        let Word { scan, verdict, role, why, signed_ms, .. } = self;
        format!(
            "checkpointd override\nscan {scan}\nverdict {}\nrole {role}\nwhy {why}\nsigned_ms {}\n",
            verdict.code(),
            signed_ms.0
        )
    }

    /// Whether its key made its signature. Strictly, as for codes: no weak keys, canonical S.
    #[must_use]
    pub fn holds(&self) -> bool {
        let one_line = |text: &str| !text.contains('\n');
        let decode = |text: &str| BASE64.decode(text.as_bytes()).ok();
        let key = decode(&self.key).and_then(|bytes| PublicKey::ed25519(&bytes).ok());
        let signature = decode(&self.signature);
        one_line(&self.role)
            && one_line(&self.why)
            && key.zip(signature).is_some_and(|(key, signature)| key.verify(self.message().as_bytes(), &signature))
    }
}

/// Who may decide by hand: roles with the public keys of those who have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Officers(BTreeSet<(String, String)>);

/// A line of the list of officers that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLine(pub usize);

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is no role with an Ed25519 public key in Base64, such as the operator's page shows", self.0)
    }
}

impl std::error::Error for BadLine {}

impl Officers {
    /// Reads lines `ROLE PUBLIC-KEY`; `#` begins a remark. A list with a line that is none is refused whole, so that a slip of
    /// the pen is seen when it is made and not when an officer is needed.
    ///
    /// # Errors
    /// With the number of the first such line.
    pub fn parse(text: &str) -> Result<Officers, BadLine> {
        let mut officers = BTreeSet::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let bad = BadLine(index + 1);
            let (role, key) = line.split_once(char::is_whitespace).ok_or(bad)?;
            let bytes = BASE64.decode(key.trim().as_bytes()).map_err(|_| bad)?;
            if role.len() > MAX_ROLE || officers.len() == MAX_OFFICERS || PublicKey::ed25519(&bytes).is_err() {
                return Err(bad);
            }
            officers.insert((role.to_owned(), key.trim().to_owned()));
        }
        Ok(Officers(officers))
    }

    /// Whether this word is one of theirs: the key has the role, and its signature holds.
    #[must_use]
    pub fn vouch_for(&self, word: &Word) -> bool {
        self.0.contains(&(word.role.clone(), word.key.clone())) && word.holds()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    pub(crate) fn signed(scan: Uuid, verdict: Verdict, seed: u8) -> Word {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let mut word = Word {
            scan,
            verdict,
            role: "steward".to_owned(),
            why: "papers".to_owned(),
            signed_ms: UnixMillis(1_612_137_600_000),
            key: BASE64.encode(key.verifying_key().as_bytes()),
            signature: String::new(),
        };
        word.signature = BASE64.encode(&key.sign(word.message().as_bytes()).to_bytes());
        word
    }

    #[test]
    fn a_word_holds_as_it_was_signed_and_with_nothing_of_it_changed() {
        let good = signed(Uuid::from_u128(7), Verdict::Admit, 1);
        assert!(good.holds());
        let other = signed(Uuid::from_u128(7), Verdict::Admit, 2);
        for (changed, what) in [
            (Word { scan: Uuid::from_u128(8), ..good.clone() }, "another scan"),
            (Word { verdict: Verdict::Refuse, ..good.clone() }, "another verdict"),
            (Word { role: "supervisor".to_owned(), ..good.clone() }, "another role"),
            (Word { why: "emergency".to_owned(), ..good.clone() }, "another reason"),
            (Word { signed_ms: good.signed_ms.plus(1), ..good.clone() }, "another time"),
            (Word { key: other.key.clone(), ..good.clone() }, "another key"),
            (Word { signature: other.signature, ..good.clone() }, "another's signature"),
            (Word { signature: String::new(), ..good.clone() }, "no signature"),
            (Word { role: "steward\nwhy papers".to_owned(), ..good.clone() }, "a line break in a member"),
        ] {
            assert!(!changed.holds(), "{what}");
        }
    }

    #[test]
    fn a_role_belongs_to_the_keys_that_the_list_gives_it() {
        let word = signed(Uuid::from_u128(7), Verdict::Admit, 1);
        let list = |role: &str, key: &str| Officers::parse(&format!("# who\n\n{role} {key}  # since May\n"));
        assert!(list("steward", &word.key).expect("a list").vouch_for(&word));
        assert!(!list("supervisor", &word.key).expect("a list").vouch_for(&word));
        let other = signed(Uuid::from_u128(7), Verdict::Admit, 2).key;
        assert!(!list("steward", &other).expect("a list").vouch_for(&word));
        assert!(!Officers::default().vouch_for(&word));
    }

    #[test]
    fn a_list_with_a_slip_of_the_pen_is_refused_with_its_line() {
        for text in ["steward", "steward 314159", "ok AAAA", &format!("steward {}", BASE64.encode(&[0; 32]))] {
            assert_eq!(Officers::parse(&format!("# roles\n{text}\n")), Err(BadLine(2)), "{text}");
        }
    }
}
