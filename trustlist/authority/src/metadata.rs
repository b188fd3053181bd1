//! TUF metadata (The Update Framework 1.0.31) as this publisher writes it: root, targets, snapshot, timestamp.
//!
//! Every role is signed over its canonical JSON and kept as a small value, so that nothing here knows a file or a clock.
//! Snapshots are consistent: versions in metadata names, hashes in target names.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use olpc_cjson::CanonicalFormatter;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use trustlist::time::UnixTime;

use crate::key::{KeyError, KeyType, SigningKey};

/// The specification that the metadata follows.
pub const SPEC_VERSION: &str = "1.0.31";

/// The four top-level roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Says which keys the roles have.
    Root,
    /// Says which targets there are.
    Targets,
    /// Says which metadata belongs together.
    Snapshot,
    /// Says what is newest.
    Timestamp,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 4] = [Role::Root, Role::Targets, Role::Snapshot, Role::Timestamp];

    /// Its name in metadata and file names.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
        }
    }
}

/// A signed role: the form of every metadata file (§4.2).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signed<T> {
    /// Signatures by key id.
    pub signatures: Vec<Signature>,
    /// What is signed.
    pub signed: T,
}

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Whose.
    pub keyid: String,
    /// Hexadecimal.
    pub sig: String,
}

/// A public key of a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleKey {
    /// `ed25519`, `ecdsa`, `rsa`.
    pub keytype: String,
    /// `ed25519`, `ecdsa-sha2-nistp256`, `rsassa-pss-sha256`.
    pub scheme: String,
    /// The key itself.
    pub keyval: KeyValue,
}

/// `{"public": …}`: hexadecimal for Ed25519, otherwise PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// The public key.
    pub public: String,
}

impl RoleKey {
    /// The public half of a private key.
    #[must_use]
    pub fn of(key: &SigningKey) -> RoleKey {
        let (keytype, scheme) = match key.key_type() {
            KeyType::Ed25519 => ("ed25519", "ed25519"),
            KeyType::Ecdsa => ("ecdsa", "ecdsa-sha2-nistp256"),
            KeyType::Rsa => ("rsa", "rsassa-pss-sha256"),
        };
        let public = key.public_pem().unwrap_or_else(|| HEXLOWER.encode(&key.public_bytes()));
        RoleKey { keytype: keytype.to_owned(), scheme: scheme.to_owned(), keyval: KeyValue { public } }
    }

    /// SHA-256 over the canonical form (§4.2).
    #[must_use]
    pub fn id(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(canonical(self)))
    }
}

/// The key id of a private key.
#[must_use]
pub fn key_id(key: &SigningKey) -> String {
    RoleKey::of(key).id()
}

/// Which keys sign a role, and how many must.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleKeys {
    /// Key ids.
    pub keyids: Vec<String>,
    /// How many of them must sign.
    pub threshold: u32,
}

/// `root.json` (§4.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "_type", rename = "root")]
pub struct Root {
    /// Specification.
    pub spec_version: String,
    /// Counts up.
    pub version: u64,
    /// Then clients refuse it.
    pub expires: UnixTime,
    /// Always true here.
    pub consistent_snapshot: bool,
    /// Public keys by id.
    pub keys: BTreeMap<String, RoleKey>,
    /// Keys of each role.
    pub roles: BTreeMap<Role, RoleKeys>,
}

impl Root {
    /// Gives `key` to `role`.
    pub fn give(&mut self, role: Role, key: &SigningKey) {
        let public = RoleKey::of(key);
        let id = public.id();
        self.keys.insert(id.clone(), public);
        if let Some(keys) = self.roles.get_mut(&role).filter(|keys| !keys.keyids.contains(&id)) {
            keys.keyids.push(id);
        }
    }
}

/// `targets.json` (§4.5). No delegations: every issuer has a repository of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "_type", rename = "targets")]
pub struct Targets {
    /// Specification.
    pub spec_version: String,
    /// Counts up.
    pub version: u64,
    /// Then clients refuse it.
    pub expires: UnixTime,
    /// What there is.
    pub targets: BTreeMap<String, FileFacts>,
}

/// `snapshot.json` (§4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "_type", rename = "snapshot")]
pub struct Snapshot {
    /// Specification.
    pub spec_version: String,
    /// Counts up.
    pub version: u64,
    /// Then clients refuse it.
    pub expires: UnixTime,
    /// `targets.json`.
    pub meta: BTreeMap<String, MetaFacts>,
}

/// `timestamp.json` (§4.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "_type", rename = "timestamp")]
pub struct Timestamp {
    /// Specification.
    pub spec_version: String,
    /// Counts up; the repository's generation.
    pub version: u64,
    /// Then clients refuse it.
    pub expires: UnixTime,
    /// When it was issued. Not in the specification, which lets clients keep members they do not know: how a gate tells the age.
    pub issued: UnixTime,
    /// `snapshot.json`.
    pub meta: BTreeMap<String, MetaFacts>,
}

/// Length and hash of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Bytes.
    pub length: u64,
    /// SHA-256 in hexadecimal.
    pub hashes: Hashes,
}

/// Version, length and hash of a metadata file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaFacts {
    /// Version.
    pub version: u64,
    /// Bytes.
    pub length: u64,
    /// SHA-256 in hexadecimal.
    pub hashes: Hashes,
}

/// Hashes of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hashes {
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

impl FileFacts {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> FileFacts {
        FileFacts { length: bytes.len() as u64, hashes: Hashes { sha256: sha256(bytes) } }
    }
}

impl MetaFacts {
    /// Of these bytes.
    #[must_use]
    pub fn of(version: u64, bytes: &[u8]) -> MetaFacts {
        let FileFacts { length, hashes } = FileFacts::of(bytes);
        MetaFacts { version, length, hashes }
    }
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

/// The fingerprint of a root as people read it to each other: SHA-256, eight groups of eight hexadecimal digits.
#[must_use]
pub fn fingerprint(root: &[u8]) -> String {
    let digits = sha256(root);
    let groups: Vec<&str> = (0..8).map(|group| &digits[group * 8..group * 8 + 8]).collect();
    groups.join(" ")
}

/// Signs a role with each of `keys` and gives the file.
///
/// # Errors
/// When a key finds no randomness.
pub fn sign<'a, T: Serialize>(signed: &T, keys: impl IntoIterator<Item = &'a SigningKey>) -> Result<Vec<u8>, KeyError> {
    let message = canonical(signed);
    let mut signatures = Vec::new();
    for key in keys {
        signatures.push(Signature { keyid: key_id(key), sig: HEXLOWER.encode(&key.sign_metadata(&message)?) });
    }
    Ok(serde_json::to_vec(&Signed { signatures, signed }).expect("metadata are plain values"))
}

/// Reads a metadata file that was written here. Its signatures are not looked at.
///
/// # Errors
/// When it is no metadata of this role.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice::<Signed<T>>(bytes).map(|file| file.signed)
}

/// Canonical JSON, which is what signatures and key ids cover (§4.2.1).
fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, CanonicalFormatter::new());
    value.serialize(&mut serializer).expect("metadata hold no floats");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_is_the_hash_of_the_canonical_key() {
        let key = RoleKey::of(&SigningKey::from_seed([3; 32]));
        let text = format!(
            r#"{{"keytype":"ed25519","keyval":{{"public":"{}"}},"scheme":"ed25519"}}"#,
            HEXLOWER.encode(&SigningKey::from_seed([3; 32]).public_bytes())
        );
        assert_eq!(key.id(), sha256(text.as_bytes()));
    }

    #[test]
    fn a_role_is_read_as_it_was_written() {
        let snapshot = Snapshot {
            spec_version: SPEC_VERSION.to_owned(),
            version: 7,
            expires: UnixTime(1_612_137_600),
            meta: BTreeMap::from([("targets.json".to_owned(), MetaFacts::of(3, b"{}"))]),
        };
        let bytes = sign(&snapshot, [&SigningKey::from_seed([3; 32])]).expect("a signature");
        assert_eq!(read::<Snapshot>(&bytes).expect("a snapshot"), snapshot);
        assert!(read::<Targets>(&bytes).is_err());
        assert!(String::from_utf8_lossy(&bytes).contains(r#""expires":"2021-02-01T00:00:00Z""#));
    }
}
