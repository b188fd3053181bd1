//! Publishing: the drafts become targets, and targets, snapshot and timestamp are signed over them.
//!
//! What did not change is not signed again until half of its term is over, so that a publication without news costs a gate one
//! timestamp. The files come out in an order in which they can be written one after another: whoever reads in between
//! sees the old generation whole.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, de::DeserializeOwned};
use trustlist::{lists::keys::KeyUse, region::Region, status::delta, time::UnixTime, trust::Repository};

use crate::{
    desk::{Authority, DeskError, Generation},
    key::SigningKey,
    metadata::{self, FileFacts, MetaFacts, Role, SPEC_VERSION, Snapshot, Targets, Timestamp},
    statuses,
};

/// What a publication consists of.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Whose.
    pub issuer: Region,
    /// Version of its timestamp.
    pub generation: u64,
    /// Paths below `<issuer>/` with their bytes, in the order of writing; what it shares with the one before included.
    pub files: Vec<(String, Vec<u8>)>,
    /// Paths of the generation before, which mirrors and clients may still be reading.
    pub before: Vec<String>,
    /// Targets that are new or changed since the generation before, deltas apart.
    pub changed: Vec<String>,
    /// Targets that are gone.
    pub gone: Vec<String>,
}

impl Authority {
    /// Every target by name, without the deltas.
    ///
    /// # Errors
    /// When the lists contradict themselves, or no status key is here although there are status lists.
    pub fn targets(&self, at: UnixTime) -> Result<BTreeMap<String, Vec<u8>>, DeskError> {
        let mut targets = BTreeMap::from([("keys.json".to_owned(), json(&self.keys))]);
        if !self.statuses.shards().is_empty() {
            let key = self.signing_key(KeyUse::Status, at)?;
            for (number, draft) in self.statuses.shards() {
                let name = statuses::name(*number);
                let shard = draft.sign(&name, key, self.signed_lists.newest(*number))?;
                targets.insert(name, shard);
            }
        }
        if let Some(national) = &self.national {
            national.check()?;
            targets.insert("trustlist.json".to_owned(), json(&national.list));
            targets.insert("recognition.json".to_owned(), json(&national.recognition));
            targets.insert("policy.json".to_owned(), json(&national.policy));
            targets.insert("risk-areas.json".to_owned(), json(&national.risk_areas));
            for (issuer, root) in &national.roots {
                targets.insert(format!("roots/{issuer}.json"), root.clone());
            }
        }
        Ok(targets)
    }

    /// Signs the next generation.
    ///
    /// # Errors
    /// When keys are missing, the lists contradict themselves, the root has expired or `at` is before the last generation.
    pub fn publish(&mut self, at: UnixTime) -> Result<Publication, DeskError> {
        let root = self.root()?;
        if root.expires <= at {
            return Err(DeskError::RootExpired { at: root.expires });
        }
        let targets = self.targets(at)?;
        let last = self.published.as_ref().map(Last::read).transpose()?;
        if let Some(last) = last.as_ref().filter(|last| last.timestamp.issued > at) {
            return Err(DeskError::BackInTime { last: last.timestamp.issued });
        }
        let before = last.as_ref().map(Last::paths).unwrap_or_default();
        let mut signed_lists = self.signed_lists.clone();
        for number in self.statuses.shards().keys() {
            signed_lists.add(*number, &targets[&statuses::name(*number)]);
        }
        let old = last.as_ref().map(|last| last.targets.targets.clone()).unwrap_or_default();
        let is_new = |(name, bytes): &(&String, &Vec<u8>)| old.get(*name) != Some(&FileFacts::of(bytes));
        let changed = targets.iter().filter(is_new).map(|(name, _)| name.clone()).collect();
        let is_gone = |name: &&String| !targets.contains_key(*name) && !delta::is_delta(name);
        let gone = old.keys().filter(is_gone).cloned().collect();
        let targets: BTreeMap<String, Vec<u8>> = targets.into_iter().chain(signed_lists.deltas()).collect();
        let facts: BTreeMap<String, FileFacts> =
            targets.iter().map(|(name, bytes)| (name.clone(), FileFacts::of(bytes))).collect();

        let (targets_version, targets_file) = self.renew(
            Role::Targets,
            last.as_ref().map(|last| (last.targets.version, last.targets.expires, &last.files.targets)),
            old == facts,
            at,
            |version, expires, keys| {
                let spec_version = SPEC_VERSION.to_owned();
                metadata::sign(&Targets { spec_version, version, expires, targets: facts.clone() }, keys)
            },
        )?;
        let meta = BTreeMap::from([("targets.json".to_owned(), MetaFacts::of(targets_version, &targets_file))]);
        let (snapshot_version, snapshot_file) = self.renew(
            Role::Snapshot,
            last.as_ref().map(|last| (last.snapshot.version, last.snapshot.expires, &last.files.snapshot)),
            last.as_ref().is_some_and(|last| last.snapshot.meta == meta),
            at,
            |version, expires, keys| {
                let spec_version = SPEC_VERSION.to_owned();
                metadata::sign(&Snapshot { spec_version, version, expires, meta: meta.clone() }, keys)
            },
        )?;
        let timestamp = Timestamp {
            spec_version: SPEC_VERSION.to_owned(),
            version: last.as_ref().map_or(1, |last| last.timestamp.version + 1),
            expires: self.terms.expiry(Role::Timestamp, at),
            issued: at,
            meta: BTreeMap::from([("snapshot.json".to_owned(), MetaFacts::of(snapshot_version, &snapshot_file))]),
        };
        let timestamp_file = metadata::sign(&timestamp, self.signers(&root, Role::Timestamp)?)?;

        let mut files: Vec<(String, Vec<u8>)> =
            targets.into_iter().map(|(name, bytes)| (target_path(&name, &facts[&name].hashes.sha256), bytes)).collect();
        files.extend(
            self.roots
                .iter()
                .zip(1..)
                .map(|(root, version)| (format!("metadata/{}", root_name(version)), root.clone())),
        );
        files.push((format!("metadata/{targets_version}.targets.json"), targets_file.clone()));
        files.push((format!("metadata/{snapshot_version}.snapshot.json"), snapshot_file.clone()));
        files.push(("metadata/timestamp.json".to_owned(), timestamp_file.clone()));
        self.signed_lists = signed_lists;
        self.published = Some(Generation { timestamp: timestamp_file, snapshot: snapshot_file, targets: targets_file });
        Ok(Publication { issuer: self.issuer, generation: timestamp.version, files, before, changed, gone })
    }

    /// The last version of a role's file, if it may stay; otherwise the next one.
    fn renew(
        &self,
        role: Role,
        last: Option<(u64, UnixTime, &Vec<u8>)>,
        unchanged: bool,
        at: UnixTime,
        sign: impl FnOnce(u64, UnixTime, Vec<&SigningKey>) -> Result<Vec<u8>, crate::key::KeyError>,
    ) -> Result<(u64, Vec<u8>), DeskError> {
        let signers = self.signers(&self.root()?, role)?;
        if let Some((version, expires, file)) = last {
            // Signed by the keys that the role has now, or the root has been rotated since.
            let ours = || signers.iter().all(|key| signed_by(file, &metadata::key_id(key)));
            if unchanged && self.terms.still_good(role, expires, at) && ours() {
                return Ok((version, file.clone()));
            }
        }
        let version = last.map_or(1, |(version, ..)| version + 1);
        Ok((version, sign(version, self.terms.expiry(role, at), signers)?))
    }

    /// Number and moment of the generation that was published last.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_published(&self) -> Result<Option<(u64, UnixTime)>, DeskError> {
        let last = self.published.as_ref().map(Last::read).transpose()?;
        Ok(last.map(|last| (last.timestamp.version, last.timestamp.issued)))
    }

    /// What a gate would hold after it has verified the generation that was published last: for tests that are not about the transport.
    ///
    /// # Errors
    /// When nothing was published, or it cannot be read.
    pub fn repository(&self) -> Result<Repository, DeskError> {
        let last = Last::read(self.published.as_ref().ok_or(DeskError::Damaged { file: "timestamp.json" })?)?;
        Ok(Repository {
            issuer: self.issuer,
            generation: last.timestamp.version,
            issued: last.timestamp.issued,
            expires: last.timestamp.expires,
            arrived: None,
            root_keys: BTreeSet::new(),
            targets: self.targets(last.timestamp.issued)?,
        })
    }
}

/// The last generation, read.
struct Last<'a> {
    files: &'a Generation,
    timestamp: Timestamp,
    snapshot: Snapshot,
    targets: Targets,
}

impl Last<'_> {
    fn paths(&self) -> Vec<String> {
        let targets = self.targets.targets.iter().map(|(name, facts)| target_path(name, &facts.hashes.sha256));
        let metadata = [
            format!("metadata/{}.targets.json", self.targets.version),
            format!("metadata/{}.snapshot.json", self.snapshot.version),
        ];
        targets.chain(metadata).collect()
    }

    fn read(files: &Generation) -> Result<Last<'_>, DeskError> {
        fn part<T: DeserializeOwned>(bytes: &[u8], file: &'static str) -> Result<T, DeskError> {
            metadata::read(bytes).map_err(|_| DeskError::Damaged { file })
        }
        Ok(Last {
            files,
            timestamp: part(&files.timestamp, "timestamp.json")?,
            snapshot: part(&files.snapshot, "snapshot.json")?,
            targets: part(&files.targets, "targets.json")?,
        })
    }
}

/// The file name of a version of the root.
#[must_use]
pub fn root_name(version: u64) -> String {
    format!("{version}.root.json")
}

/// Where a target stands: its hash before the last part of its name (TUF 1.0.31 §6.2, consistent snapshots).
#[must_use]
pub fn target_path(name: &str, sha256: &str) -> String {
    match name.rsplit_once('/') {
        Some((directory, file)) => format!("targets/{directory}/{sha256}.{file}"),
        None => format!("targets/{sha256}.{name}"),
    }
}

fn signed_by(file: &[u8], keyid: &str) -> bool {
    serde_json::from_slice::<metadata::Signed<serde_json::Value>>(file)
        .is_ok_and(|file| file.signatures.iter().any(|signature| signature.keyid == keyid))
}

/// A document as people may read it, too.
fn json<T: Serialize>(document: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(document).expect("lists are plain values");
    bytes.push(b'\n');
    bytes
}
