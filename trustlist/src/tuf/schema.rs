//! The metadata's shape (specification §4). Members that are not known are passed over; the signature covers them all the same.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error},
};
use serde_json::Value;
use sha2::{Digest, Sha256, Sha512};

use super::{
    key::Key,
    refusal::{Refusal, Why},
};
use crate::time::UnixTime;

/// The largest version or length. Whoever counts beyond it cannot be followed by any store of versions: the fault is found here, where it
/// costs the issuer, and not there, where it would cost everybody.
const LARGEST: u64 = i64::MAX as u64;

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number > LARGEST { Err(D::Error::custom(format!("{number} is beyond {LARGEST}"))) } else { Ok(number) }
}

fn optional_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Option::<u64>::deserialize(deserializer)?
        .map(
            |number| {
                if number > LARGEST {
                    Err(D::Error::custom(format!("{number} is beyond {LARGEST}")))
                } else {
                    Ok(number)
                }
            },
        )
        .transpose()
}

/// A signed file: what is signed, in canonical form, and by whom.
pub(super) struct Envelope {
    pub(super) signed: Value,
    pub(super) canonical: Vec<u8>,
    pub(super) signatures: Vec<Signature>,
}

/// One signature.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Signature {
    /// Whose.
    pub keyid: String,
    /// Hexadecimal.
    pub sig: String,
}

impl Envelope {
    /// Parses a file and puts its signed part into canonical form (OLPC canonical JSON, §4.2.1).
    pub(super) fn parse(role: &str, bytes: &[u8]) -> Result<Envelope, Refusal> {
        #[derive(Deserialize)]
        struct File {
            signed: Value,
            signatures: Vec<Signature>,
        }
        let unreadable = |why: String| Refusal::new(role, Why::Unreadable(why));
        // serde_json bounds the depth at 128.
        let file: File = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
        // §4.2: every keyid in the list is unique.
        for (index, signature) in file.signatures.iter().enumerate() {
            if file.signatures[..index].iter().any(|other| other.keyid == signature.keyid) {
                return Err(unreadable("a key signs twice".to_owned()));
            }
        }
        let mut canonical = Vec::new();
        let mut serializer =
            serde_json::Serializer::with_formatter(&mut canonical, olpc_cjson::CanonicalFormatter::new());
        file.signed.serialize(&mut serializer).map_err(|error| unreadable(error.to_string()))?;
        Ok(Envelope { signed: file.signed, canonical, signatures: file.signatures })
    }

    /// The signed part as the metadata of one role.
    pub(super) fn read<T: DeserializeOwned>(&self, role: &str, kind: &str) -> Result<T, Refusal> {
        let unreadable = |why: String| Refusal::new(role, Why::Unusable(why));
        if self.signed.get("_type").and_then(Value::as_str) != Some(kind) {
            return Err(unreadable(format!("its type is not {kind}")));
        }
        // §4.3: the major version must be ours.
        let version = self.signed.get("spec_version").and_then(Value::as_str).unwrap_or_default();
        if !version.starts_with("1.") {
            return Err(unreadable(format!("specification version {version:?}")));
        }
        T::deserialize(&self.signed).map_err(|error| unreadable(error.to_string()))
    }
}

/// The keys and threshold of one role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Ids of its keys.
    pub keyids: Vec<String>,
    /// How many of them must sign.
    pub threshold: u64,
}

/// A role together with the keys that the role above states.
pub(super) struct RoleKeys<'a> {
    pub(super) role: &'a Role,
    pub(super) keys: &'a BTreeMap<String, Key>,
}

/// `root.json` (§4.3).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Root {
    /// Its version.
    #[serde(deserialize_with = "number")]
    pub version: u64,
    /// When it expires.
    pub expires: UnixTime,
    /// Every key by id.
    pub keys: BTreeMap<String, Key>,
    /// Every top-level role.
    pub roles: BTreeMap<String, Role>,
    /// Whether files carry their version or hash in their names.
    #[serde(default)]
    pub consistent_snapshot: bool,
}

impl Root {
    /// The keys of a top-level role.
    pub(super) fn role(&self, name: &str) -> Result<RoleKeys<'_>, Refusal> {
        let role = self.roles.get(name).ok_or_else(|| Refusal::new(name, Why::NotNamed))?;
        Ok(RoleKeys { role, keys: &self.keys })
    }
}

/// What one role says of another's file (§4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaFile {
    /// Its version.
    #[serde(deserialize_with = "number")]
    pub version: u64,
    /// Its length in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "optional_number")]
    pub length: Option<u64>,
    /// Its hashes in hexadecimal by algorithm.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub hashes: BTreeMap<String, String>,
}

/// `timestamp.json` (§4.6).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Timestamp {
    /// Its version.
    #[serde(deserialize_with = "number")]
    pub version: u64,
    /// When it expires.
    pub expires: UnixTime,
    /// The snapshot, as the only member `snapshot.json`.
    pub meta: BTreeMap<String, MetaFile>,
    /// When it was issued: an additional member of ours, which other clients keep and pass over.
    #[serde(default)]
    pub issued: Option<UnixTime>,
}

impl Timestamp {
    /// What it says of the snapshot.
    pub fn snapshot(&self) -> Result<&MetaFile, Refusal> {
        self.meta
            .get("snapshot.json")
            .ok_or_else(|| Refusal::new("timestamp", Why::Unusable("it names no snapshot.json".to_owned())))
    }
}

/// `snapshot.json` (§4.4).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Snapshot {
    /// Its version.
    #[serde(deserialize_with = "number")]
    pub version: u64,
    /// When it expires.
    pub expires: UnixTime,
    /// Every targets role's file by its name.
    pub meta: BTreeMap<String, MetaFile>,
}

/// `targets.json` and delegated roles (§4.5).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Targets {
    /// Its version.
    #[serde(deserialize_with = "number")]
    pub version: u64,
    /// When it expires.
    pub expires: UnixTime,
    /// Every target by name.
    pub targets: BTreeMap<String, TargetFile>,
    /// Roles that it hands some targets to.
    #[serde(default)]
    pub delegations: Option<Delegations>,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFile {
    /// Length in bytes.
    #[serde(deserialize_with = "number")]
    pub length: u64,
    /// Hashes in hexadecimal by algorithm.
    pub hashes: BTreeMap<String, String>,
}

/// Delegated roles and their keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Delegations {
    /// Every key by id.
    pub keys: BTreeMap<String, Key>,
    /// The roles in order of preference.
    #[serde(default)]
    pub roles: Option<Vec<DelegatedRole>>,
    /// Or bins by the hash of the path (TAP 15). Never both.
    #[serde(default)]
    pub succinct_roles: Option<SuccinctRoles>,
}

impl Delegations {
    /// The keys and threshold of a role that is delegated to.
    pub(super) fn role(&self, name: &str) -> Option<&Role> {
        match (&self.roles, &self.succinct_roles) {
            (Some(roles), None) => roles.iter().find(|delegated| delegated.name == name).map(|found| &found.role),
            (None, Some(bins)) => bins.is_bin(name).then_some(&bins.role),
            _ => None,
        }
    }
}

/// Bins that share the paths by the first bits of their SHA-256 (TAP 15).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SuccinctRoles {
    /// Keys and threshold of every bin.
    #[serde(flatten)]
    pub role: Role,
    /// Bits of the hash that choose the bin, 1 to 32.
    pub bit_length: u32,
    /// What a bin's name begins with.
    pub name_prefix: String,
}

impl SuccinctRoles {
    /// The bin for a target; `None` when the number of bits is none that is allowed.
    pub(super) fn bin_of(&self, target: &str) -> Option<String> {
        if !(1..=32).contains(&self.bit_length) {
            return None;
        }
        let digest = Sha256::digest(target.as_bytes());
        let first = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let number = first >> (32 - self.bit_length);
        Some(format!("{}-{number:0width$x}", self.name_prefix, width = self.width()))
    }

    fn is_bin(&self, name: &str) -> bool {
        let digits = name.strip_prefix(&self.name_prefix).and_then(|rest| rest.strip_prefix('-'));
        (1..=32).contains(&self.bit_length)
            && digits.is_some_and(|digits| {
                digits.len() == self.width()
                    && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
                    && u64::from_str_radix(digits, 16).is_ok_and(|number| number < 1 << self.bit_length)
            })
    }

    /// Hexadecimal digits of the highest bin's number.
    fn width(&self) -> usize {
        self.bit_length.div_ceil(4) as usize
    }
}

/// One delegated role.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DelegatedRole {
    /// Its name.
    pub name: String,
    /// Its keys and threshold.
    #[serde(flatten)]
    pub role: Role,
    /// Whether the search ends with it.
    pub terminating: bool,
    /// Path patterns that it is trusted for.
    #[serde(default)]
    pub paths: Option<Vec<String>>,
    /// Or prefixes of the SHA-256 of paths.
    #[serde(default)]
    pub path_hash_prefixes: Option<Vec<String>>,
}

/// Whether bytes have the length and one supported hash that were signed for; every supported hash that is stated must hold.
pub(super) fn is_content(bytes: &[u8], length: Option<u64>, hashes: &BTreeMap<String, String>) -> bool {
    let hashed = hashes.iter().all(|(algorithm, stated)| {
        let digest: &[u8] = match algorithm.as_str() {
            "sha256" => &Sha256::digest(bytes),
            "sha512" => &Sha512::digest(bytes),
            _ => return true,
        };
        HEXLOWER_PERMISSIVE.decode(stated.as_bytes()).is_ok_and(|stated| stated == digest)
    });
    hashed && length.is_none_or(|length| length == bytes.len() as u64)
}
