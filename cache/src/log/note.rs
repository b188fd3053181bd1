//! Signed notes as specified by C2SP (c2sp.org/signed-note), with Ed25519 keys: text, an empty line, signature lines.
//!
//! Only what anchors need: one signature by this device, other parties' signature lines are left unread. Keys have the text
//! forms of Go's `golang.org/x/mod/sumdb/note`, so existing tools can check an anchor:
//! `NAME+HASH+BASE64(0x01 ‖ public key)` and `PRIVATE+KEY+NAME+HASH+BASE64(0x01 ‖ seed)`.

use std::{fmt, str::FromStr};

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// The signature type Ed25519 in key ids and key encodings.
const ED25519: u8 = 0x01;
/// A note larger than this is not ours; stops a huge file from being parsed.
const MAX_NOTE: usize = 64 * 1024;

/// Why a note or key text was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteError {
    /// The text has not the shape of a signed note.
    NotANote,
    /// The text has not the shape of a key, or its hash does not fit it.
    NotAKey,
    /// The key's name is empty or holds a space or a plus.
    BadName,
    /// No signature line is by this key.
    OtherKey,
    /// The line is by this key's name and hash, and the signature is wrong.
    BadSignature,
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANote => "not a signed note",
            Self::NotAKey => "not a note key (expected NAME+HASH+BASE64)",
            Self::BadName => "a key's name must not be empty nor hold spaces or plus signs",
            Self::OtherKey => "not signed by this key",
            Self::BadSignature => "the signature is wrong",
        })
    }
}

impl std::error::Error for NoteError {}

/// Checks notes of one device.
#[derive(Clone, PartialEq, Eq)]
pub struct NoteVerifier {
    name: String,
    key: VerifyingKey,
}

/// Signs this device's notes. Prints without its secret.
pub struct NoteSigner {
    name: String,
    key: SigningKey,
}

fn key_id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let digest = Sha256::new().chain_update(name).chain_update([b'\n', ED25519]).chain_update(public).finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

fn check_name(name: &str) -> Result<(), NoteError> {
    let bad = name.is_empty() || name.contains('+') || name.chars().any(char::is_whitespace);
    if bad { Err(NoteError::BadName) } else { Ok(()) }
}

/// Splits `NAME+HASH+BASE64` into name, hash and the 32 bytes after the algorithm.
fn split_key(text: &str) -> Result<(&str, &str, [u8; 32]), NoteError> {
    let mut parts = text.trim_end().splitn(3, '+');
    let (Some(name), Some(hash), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(NoteError::NotAKey);
    };
    check_name(name)?;
    let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| NoteError::NotAKey)?;
    match bytes.split_first() {
        Some((&ED25519, key)) => Ok((name, hash, key.try_into().map_err(|_| NoteError::NotAKey)?)),
        _ => Err(NoteError::NotAKey),
    }
}

fn join_key(name: &str, public: &[u8; 32], secret_or_public: &[u8; 32]) -> String {
    let mut bytes = vec![ED25519];
    bytes.extend_from_slice(secret_or_public);
    format!("{name}+{}+{}", HEXLOWER.encode(&key_id(name, public)), BASE64.encode(&bytes))
}

impl NoteVerifier {
    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text that was signed, if `note` carries this key's signature.
    pub fn open<'n>(&self, note: &'n str) -> Result<&'n str, NoteError> {
        if note.len() > MAX_NOTE || !note.ends_with('\n') {
            return Err(NoteError::NotANote);
        }
        let split = note.rfind("\n\n").ok_or(NoteError::NotANote)?;
        let (text, signatures) = (&note[..=split], &note[split + 2..]);
        let id = key_id(&self.name, self.key.as_bytes());
        for line in signatures.lines() {
            let (name, encoded) =
                line.strip_prefix("— ").and_then(|line| line.split_once(' ')).ok_or(NoteError::NotANote)?;
            let bytes = BASE64.decode(encoded.as_bytes()).map_err(|_| NoteError::NotANote)?;
            let Some(signature) = bytes.strip_prefix(&id).filter(|_| name == self.name) else { continue };
            let signature = Signature::from_slice(signature).map_err(|_| NoteError::BadSignature)?;
            return match self.key.verify_strict(text.as_bytes(), &signature) {
                Ok(()) => Ok(text),
                Err(_) => Err(NoteError::BadSignature),
            };
        }
        Err(NoteError::OtherKey)
    }
}

impl FromStr for NoteVerifier {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, hash, public) = split_key(text)?;
        let key = VerifyingKey::from_bytes(&public).map_err(|_| NoteError::NotAKey)?;
        if hash != HEXLOWER.encode(&key_id(name, &public)) || key.is_weak() {
            return Err(NoteError::NotAKey);
        }
        Ok(NoteVerifier { name: name.to_owned(), key })
    }
}

impl fmt::Display for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&join_key(&self.name, self.key.as_bytes(), self.key.as_bytes()))
    }
}

impl fmt::Debug for NoteVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteVerifier({self})")
    }
}

impl NoteSigner {
    /// A signer of this name from 32 secret bytes.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<NoteSigner, NoteError> {
        check_name(name)?;
        Ok(NoteSigner { name: name.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    /// Reads the private text form.
    pub fn parse_private(text: &str) -> Result<NoteSigner, NoteError> {
        let (name, hash, seed) = split_key(text.strip_prefix("PRIVATE+KEY+").ok_or(NoteError::NotAKey)?)?;
        let signer = NoteSigner::new(name, &seed)?;
        let expected = HEXLOWER.encode(&key_id(name, signer.key.verifying_key().as_bytes()));
        if hash == expected { Ok(signer) } else { Err(NoteError::NotAKey) }
    }

    /// The private text form, for the key file only.
    #[must_use]
    pub fn to_private(&self) -> String {
        format!("PRIVATE+KEY+{}", join_key(&self.name, self.key.verifying_key().as_bytes(), self.key.as_bytes()))
    }

    /// The other half.
    #[must_use]
    pub fn verifier(&self) -> NoteVerifier {
        NoteVerifier { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// `text` (which must end with a newline) with this device's signature.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        debug_assert!(text.ends_with('\n'), "a note's text ends with a newline");
        format!("{text}\n{}", self.signature(text))
    }

    /// A signed note with this signer's signature beside those that it carries (C2SP signed-note: one or more signature lines).
    #[must_use]
    pub fn sign_too(&self, note: &str) -> String {
        let text = note.rfind("\n\n").map_or(note, |split| &note[..=split]);
        format!("{note}{}", self.signature(text))
    }

    fn signature(&self, text: &str) -> String {
        let mut bytes = key_id(&self.name, self.key.verifying_key().as_bytes()).to_vec();
        bytes.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("— {} {}\n", self.name, BASE64.encode(&bytes))
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSigner({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example keys and note of Go's `golang.org/x/mod/sumdb/note` documentation.
    const GO_PRIVATE: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    const GO_PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn another_implementations_key_and_note_are_understood_and_made_alike() {
        let verifier: NoteVerifier = GO_PUBLIC.parse().expect("a key");
        let text = verifier.open(GO_NOTE).expect("signed");
        assert!(text.ends_with("your problem is.\n"), "{text}");
        let signer = NoteSigner::parse_private(GO_PRIVATE).expect("a key");
        assert_eq!(signer.verifier(), verifier);
        assert_eq!(signer.to_private(), GO_PRIVATE);
        assert_eq!(verifier.to_string(), GO_PUBLIC);
        assert_eq!(signer.sign(text), GO_NOTE);
    }

    #[test]
    fn a_note_may_carry_two_signatures_and_each_holds_by_itself() {
        let (old, new) = (NoteSigner::new("centre", &[1; 32]), NoteSigner::new("centre", &[2; 32]));
        let (old, new) = (old.expect("a name"), new.expect("a name"));
        let note = new.sign_too(&old.sign("text\n"));
        assert_eq!((old.verifier().open(&note), new.verifier().open(&note)), (Ok("text\n"), Ok("text\n")));
        assert_eq!(new.verifier().open(&note.replace("text", "test")), Err(NoteError::BadSignature));
    }

    #[test]
    fn a_changed_text_another_key_and_a_cut_note_are_told_apart() {
        let verifier: NoteVerifier = GO_PUBLIC.parse().expect("a key");
        assert_eq!(verifier.open(&GO_NOTE.replace("answer", "Answer")), Err(NoteError::BadSignature));
        assert_eq!(verifier.open(GO_NOTE.trim_end()), Err(NoteError::NotANote));
        assert_eq!(verifier.open("no note\n"), Err(NoteError::NotANote));
        let other = NoteSigner::new("other", &[1; 32]).expect("a name").verifier();
        assert_eq!(other.open(GO_NOTE), Err(NoteError::OtherKey));
        assert_eq!("x+00000000+AQ==".parse::<NoteVerifier>(), Err(NoteError::NotAKey));
        assert_eq!(GO_PUBLIC.replace("c74f20a3", "c74f20a4").parse::<NoteVerifier>(), Err(NoteError::NotAKey));
        assert_eq!(NoteSigner::new("a b", &[1; 32]).map(|_| ()), Err(NoteError::BadName));
    }

    #[test]
    fn a_signer_does_not_print_its_secret() {
        let signer = NoteSigner::new("gate", &[1; 32]).expect("a name");
        assert_eq!(format!("{signer:?}"), "NoteSigner(gate)");
    }
}
