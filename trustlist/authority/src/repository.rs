//! A TUF repository (specification §4, §6) as values: role keys, versions, targets and a moment in; files by path out.
//!
//! Consistent snapshots always: metadata carries its version in its name and targets their SHA-256, so that a mirror that is half
//! updated still serves one whole generation. `timestamp.json` carries an additional member `issued`; other TUF clients keep and pass it over.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use trustlist::time::UnixTime;

use crate::key::{KeyError, KeyType, SigningKey};

/// The version of the specification that is written.
const SPEC_VERSION: &str = "1.0.31";

/// The keys of one role, and how many of them must sign.
#[derive(Clone, Debug)]
pub struct RoleKeys {
    /// Its keys.
    pub keys: Vec<SigningKey>,
    /// How many must sign.
    pub threshold: u64,
}

impl RoleKeys {
    /// A role with one key.
    #[must_use]
    pub fn one(key: SigningKey) -> RoleKeys {
        RoleKeys { keys: vec![key], threshold: 1 }
    }

    fn ids(&self) -> Vec<String> {
        self.keys.iter().map(key_id).collect()
    }
}

/// The keys of the four top-level roles.
#[derive(Clone, Debug)]
pub struct Roles {
    /// Kept offline: says who the others are.
    pub root: RoleKeys,
    /// Says which targets there are.
    pub targets: RoleKeys,
    /// Says which metadata belongs together.
    pub snapshot: RoleKeys,
    /// Says what is newest.
    pub timestamp: RoleKeys,
}

impl Roles {
    /// One fresh Ed25519 key for each role.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub fn generate() -> Result<Roles, KeyError> {
        let one = || SigningKey::generate(KeyType::Ed25519).map(RoleKeys::one);
        Ok(Roles { root: one()?, targets: one()?, snapshot: one()?, timestamp: one()? })
    }

    /// Keys that come out the same each time, for tests and demonstrations.
    #[must_use]
    pub fn from_seed(seed: &str) -> Roles {
        let one = |role: &str| RoleKeys::one(SigningKey::from_seed(Sha256::digest(format!("{seed} {role}")).into()));
        Roles { root: one("root"), targets: one("targets"), snapshot: one("snapshot"), timestamp: one("timestamp") }
    }
}

/// The version of each role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// Of `targets.json`.
    pub targets: u64,
    /// Of `snapshot.json`.
    pub snapshot: u64,
    /// Of `timestamp.json`.
    pub timestamp: u64,
}

impl Versions {
    /// The first publication.
    pub const FIRST: Versions = Versions { targets: 1, snapshot: 1, timestamp: 1 };
}

/// How long each role's metadata is good for, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of the root.
    pub root: i64,
    /// Of targets and snapshot.
    pub targets: i64,
    /// Of the timestamp.
    pub timestamp: i64,
}

impl Default for Lifetimes {
    /// Five years, a quarter, a week.
    fn default() -> Lifetimes {
        const DAY: i64 = 86_400;
        Lifetimes { root: 5 * 365 * DAY, targets: 90 * DAY, timestamp: 7 * DAY }
    }
}

/// Writes one version of the root. `before` are the root keys of the version before it, which must sign too.
///
/// # Errors
/// When a key cannot sign.
pub fn root(roles: &Roles, before: Option<&RoleKeys>, version: u64, expires: UnixTime) -> Result<Vec<u8>, KeyError> {
    let all = [&roles.root, &roles.targets, &roles.snapshot, &roles.timestamp];
    let keys: BTreeMap<String, Value> =
        all.iter().flat_map(|role| &role.keys).map(|key| (key_id(key), key_value(key))).collect();
    let role = |role: &RoleKeys| json!({"keyids": role.ids(), "threshold": role.threshold});
    let signed = json!({
        "_type": "root",
        "spec_version": SPEC_VERSION,
        "version": version,
        "expires": expires,
        "consistent_snapshot": true,
        "keys": keys,
        "roles": {
            "root": role(&roles.root),
            "targets": role(&roles.targets),
            "snapshot": role(&roles.snapshot),
            "timestamp": role(&roles.timestamp),
        },
    });
    sign(&signed, roles.root.keys.iter().chain(before.iter().flat_map(|before| &before.keys)))
}

/// Writes targets, snapshot and timestamp with all their files: paths begin with `metadata/` and `targets/`.
///
/// # Errors
/// When a key cannot sign.
pub fn publish(
    roles: &Roles,
    versions: Versions,
    lifetimes: Lifetimes,
    targets: &BTreeMap<String, Vec<u8>>,
    at: UnixTime,
) -> Result<BTreeMap<String, Vec<u8>>, KeyError> {
    let mut files = BTreeMap::new();
    let mut stated = BTreeMap::new();
    for (name, bytes) in targets {
        let hash = HEXLOWER.encode(&Sha256::digest(bytes));
        stated.insert(name, json!({"length": bytes.len(), "hashes": {"sha256": hash}}));
        let path = match name.rsplit_once('/') {
            Some((folder, file)) => format!("targets/{folder}/{hash}.{file}"),
            None => format!("targets/{hash}.{name}"),
        };
        files.insert(path, bytes.clone());
    }
    let targets = sign(
        &json!({
            "_type": "targets",
            "spec_version": SPEC_VERSION,
            "version": versions.targets,
            "expires": at.plus(lifetimes.targets),
            "targets": stated,
        }),
        &roles.targets.keys,
    )?;
    let snapshot = sign(
        &json!({
            "_type": "snapshot",
            "spec_version": SPEC_VERSION,
            "version": versions.snapshot,
            "expires": at.plus(lifetimes.targets),
            "meta": {"targets.json": meta(versions.targets, &targets)},
        }),
        &roles.snapshot.keys,
    )?;
    let timestamp = sign(
        &json!({
            "_type": "timestamp",
            "spec_version": SPEC_VERSION,
            "version": versions.timestamp,
            "expires": at.plus(lifetimes.timestamp),
            "issued": at,
            "meta": {"snapshot.json": meta(versions.snapshot, &snapshot)},
        }),
        &roles.timestamp.keys,
    )?;
    files.insert(format!("metadata/{}.targets.json", versions.targets), targets);
    files.insert(format!("metadata/{}.snapshot.json", versions.snapshot), snapshot);
    files.insert("metadata/timestamp.json".to_owned(), timestamp);
    Ok(files)
}

fn meta(version: u64, bytes: &[u8]) -> Value {
    json!({"version": version, "length": bytes.len(), "hashes": {"sha256": HEXLOWER.encode(&Sha256::digest(bytes))}})
}

/// Wraps a signed part with the signatures of `keys`, each once.
fn sign<'a>(signed: &Value, keys: impl IntoIterator<Item = &'a SigningKey>) -> Result<Vec<u8>, KeyError> {
    let message = canonical(signed);
    let mut signers = BTreeSet::new();
    let mut signatures = Vec::new();
    for key in keys {
        let id = key_id(key);
        if signers.insert(id.clone()) {
            signatures.push(json!({"keyid": id, "sig": HEXLOWER.encode(&key.sign_metadata(&message)?)}));
        }
    }
    Ok(serde_json::to_vec(&json!({"signatures": signatures, "signed": signed})).expect("JSON values serialise"))
}

/// The id under which metadata names a key: SHA-256 over its canonical form (§4.2).
#[must_use]
pub fn key_id(key: &SigningKey) -> String {
    HEXLOWER.encode(&Sha256::digest(canonical(&key_value(key))))
}

fn key_value(key: &SigningKey) -> Value {
    let (keytype, scheme) = match key.key_type() {
        KeyType::Ed25519 => ("ed25519", "ed25519"),
        KeyType::Ecdsa => ("ecdsa", "ecdsa-sha2-nistp256"),
        KeyType::Rsa => ("rsa", "rsassa-pss-sha256"),
    };
    let public = key.public_pem().unwrap_or_else(|| HEXLOWER.encode(&key.public_bytes()));
    json!({"keytype": keytype, "scheme": scheme, "keyval": {"public": public}})
}

/// OLPC canonical JSON (§4.2.1).
fn canonical(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, olpc_cjson::CanonicalFormatter::new());
    value.serialize(&mut serializer).expect("metadata has no floats, and memory can be written to");
    bytes
}

#[cfg(test)]
mod tests {
    use trustlist::tuf::{self, Answer, Request, Trusted};

    use super::*;

    const AT: UnixTime = UnixTime(1_612_137_600);

    fn serve(files: &BTreeMap<String, Vec<u8>>) -> impl FnMut(&Request) -> Answer + '_ {
        |request| match files.get(&format!("metadata/{}", request.path)) {
            Some(bytes) => Answer::Bytes(bytes.clone()),
            None => Answer::NotFound,
        }
    }

    #[test]
    fn what_is_published_is_accepted_and_its_targets_are_found() {
        let roles = Roles::from_seed("Hubei");
        let targets = BTreeMap::from([("keys.json".to_owned(), b"{}".to_vec()), ("status/0".to_owned(), vec![7])]);
        let lifetimes = Lifetimes::default();
        let files = publish(&roles, Versions::FIRST, lifetimes, &targets, AT).expect("signed");
        let first = root(&roles, None, 1, AT.plus(lifetimes.root)).expect("signed");
        let mut trusted = Trusted::from_root(&first).expect("a root");
        tuf::refresh(&mut trusted, AT, &mut serve(&files)).expect("accepted");
        let target = tuf::find_target(&mut trusted, "status/0", AT, &mut serve(&files)).expect("found").expect("named");
        let request = tuf::target_request(&trusted, "status/0", &target);
        assert!(target.is(&files[&format!("targets/{}", request.path)]));
        assert_eq!(trusted.timestamp().and_then(|timestamp| timestamp.signed.issued), Some(AT));
    }

    #[test]
    fn a_root_of_new_keys_is_accepted_when_the_old_ones_sign_it_and_not_otherwise() {
        let (old, new) = (Roles::from_seed("old"), Roles::from_seed("new"));
        let expires = AT.plus(1000);
        let first = root(&old, None, 1, expires).expect("signed");
        let mut trusted = Trusted::from_root(&first).expect("a root");
        let orphan = root(&new, None, 2, expires).expect("signed");
        assert!(trusted.clone().update_root(&orphan).is_err());
        let rotated = root(&new, Some(&old.root), 2, expires).expect("signed");
        assert_eq!(trusted.update_root(&rotated), Ok(()));
        assert_eq!(trusted.root().signed.version, 2);
    }
}
