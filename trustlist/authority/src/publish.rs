//! Publishing: the drafts become targets, and targets, snapshot and timestamp are signed over them.
//!
//! What did not change is not signed again until half of its term is over, so that a publication without news costs a gate one
//! timestamp. The files come out in an order in which they can be written one after another: whoever reads in between
//! sees the old generation whole.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, de::DeserializeOwned};
use trustlist::{key::KeyId, lists::keys::KeyUse, region::Region, status::delta, time::UnixTime, trust::Repository};

use crate::{
    authority::{Authority, AuthorityError, Generation},
    key::SigningKey,
    last::Record,
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
    /// Keys that are announced with this generation, and when each begins to sign.
    pub announced: Vec<(KeyId, UnixTime)>,
    /// When its parts expire.
    pub expiries: Expiries,
}

/// When the parts of a generation expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Expiries {
    /// `root.json`.
    pub root: UnixTime,
    /// `targets.json`.
    pub targets: UnixTime,
    /// `snapshot.json`.
    pub snapshot: UnixTime,
    /// `timestamp.json`.
    pub timestamp: UnixTime,
}

impl Authority {
    /// Every target by name, without the deltas.
    ///
    /// # Errors
    /// When the lists contradict themselves, or no status key is here although there are status lists.
    pub fn targets(&self, at: UnixTime) -> Result<BTreeMap<String, Vec<u8>>, AuthorityError> {
        let mut targets = BTreeMap::from([("keys.json".to_owned(), json(&self.keys))]);
        if !self.statuses.shards().is_empty() {
            let key = self.signing_key(KeyUse::Status, at)?;
            let begins = self.begins(key);
            for (number, draft) in self.statuses.shards() {
                let name = statuses::name(*number);
                let shard = draft.sign(&name, key, begins, self.signed_lists.newest(*number))?;
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
    pub fn publish(&mut self, at: UnixTime) -> Result<Publication, AuthorityError> {
        self.publish_after(at, 0)
    }

    /// Signs the next generation with numbers above `after`: where gates may hold generations that are not known here.
    ///
    /// # Errors
    /// As for [`Authority::publish`].
    pub fn publish_after(&mut self, at: UnixTime, after: u64) -> Result<Publication, AuthorityError> {
        let root = self.root()?;
        if root.expires <= at {
            return Err(AuthorityError::RootExpired { at: root.expires });
        }
        let announced = self.settle_announcements(at);
        let targets = self.targets(at)?;
        let last = self.published.as_ref().map(Last::read).transpose()?;
        if let Some(last) = last.as_ref().filter(|last| last.timestamp.issued > at) {
            return Err(AuthorityError::BackInTime { last: last.timestamp.issued });
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
            after,
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
            after,
            |version, expires, keys| {
                let spec_version = SPEC_VERSION.to_owned();
                metadata::sign(&Snapshot { spec_version, version, expires, meta: meta.clone() }, keys)
            },
        )?;
        let timestamp = Timestamp {
            spec_version: SPEC_VERSION.to_owned(),
            version: last.as_ref().map_or(0, |last| last.timestamp.version).max(after) + 1,
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
        let expiries = Expiries {
            root: root.expires,
            targets: expires(&targets_file, "targets.json")?,
            snapshot: expires(&snapshot_file, "snapshot.json")?,
            timestamp: timestamp.expires,
        };
        self.signed_lists = signed_lists;
        self.announced.clear();
        self.published = Some(Generation { timestamp: timestamp_file, snapshot: snapshot_file, targets: targets_file });
        let (issuer, generation) = (self.issuer, timestamp.version);
        Ok(Publication { issuer, generation, files, before, changed, gone, announced, expiries })
    }

    /// The last version of a role's file, if it may stay; otherwise the next one.
    fn renew(
        &self,
        role: Role,
        last: Option<(u64, UnixTime, &Vec<u8>)>,
        unchanged: bool,
        at: UnixTime,
        after: u64,
        sign: impl FnOnce(u64, UnixTime, Vec<&SigningKey>) -> Result<Vec<u8>, crate::key::KeyError>,
    ) -> Result<(u64, Vec<u8>), AuthorityError> {
        let signers = self.signers(&self.root()?, role)?;
        if let Some((version, expires, file)) = last {
            // Signed by the keys that the role has now, or the root has been rotated since.
            let ours = || signers.iter().all(|key| signed_by(file, &metadata::key_id(key)));
            if unchanged && version > after && self.terms.still_good(role, expires, at) && ours() {
                return Ok((version, file.clone()));
            }
        }
        let version = last.map_or(0, |(version, ..)| version).max(after) + 1;
        Ok((version, sign(version, self.terms.expiry(role, at), signers)?))
    }

    /// Number and moment of the generation that was published last.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_published(&self) -> Result<Option<(u64, UnixTime)>, AuthorityError> {
        let last = self.published.as_ref().map(Last::read).transpose()?;
        Ok(last.map(|last| (last.timestamp.version, last.timestamp.issued)))
    }

    /// The newest moment for which this authority holds a signature of its own: no clock of its was ever later and right.
    ///
    /// # Errors
    /// When what was published cannot be read.
    pub fn newest_signed(&self) -> Result<UnixTime, AuthorityError> {
        // A root does not say when it was signed, only when it ends.
        let root = self.terms.signed(Role::Root, self.root()?.expires);
        Ok(self.last_published()?.map_or(root, |(_, at)| at.max(root)))
    }

    /// The metadata of the generation that was published last, with the roots, in the order of writing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn metadata_files(&self) -> Result<Vec<(String, Vec<u8>)>, AuthorityError> {
        let roots = self.roots.iter().zip(1..);
        let mut files: Vec<(String, Vec<u8>)> =
            roots.map(|(root, version)| (format!("metadata/{}", root_name(version)), root.clone())).collect();
        if let Some(generation) = &self.published {
            let last = Last::read(generation)?;
            let (targets, snapshot) = (last.targets.version, last.snapshot.version);
            files.push((format!("metadata/{targets}.targets.json"), generation.targets.clone()));
            files.push((format!("metadata/{snapshot}.snapshot.json"), generation.snapshot.clone()));
            files.push(("metadata/timestamp.json".to_owned(), generation.timestamp.clone()));
        }
        Ok(files)
    }

    /// Makes the lists that were published the drafts: whoever lost the drafts must not take back what gates know.
    ///
    /// # Errors
    /// When a list cannot be read.
    pub(crate) fn take_up(
        &mut self,
        targets: &BTreeMap<String, Vec<u8>>,
        roots: &[Vec<u8>],
    ) -> Result<(), AuthorityError> {
        fn read<T: DeserializeOwned>(
            targets: &BTreeMap<String, Vec<u8>>,
            file: &'static str,
        ) -> Result<T, AuthorityError> {
            let bytes = targets.get(file).ok_or(AuthorityError::Damaged { file })?;
            serde_json::from_slice(bytes).map_err(|_| AuthorityError::Damaged { file })
        }
        let keys = read(targets, "keys.json")?;
        let mut statuses = statuses::StatusDrafts::default();
        for (name, bytes) in targets {
            if let Some(number) = statuses::number(name) {
                let draft = statuses::StatusDraft::of_shard(bytes).ok_or(AuthorityError::Damaged { file: "status" })?;
                statuses.put(number, draft);
                self.signed_lists.add(number, bytes);
            }
        }
        if let Some(national) = &mut self.national {
            national.list = read(targets, "trustlist.json")?;
            national.recognition = read(targets, "recognition.json")?;
            national.policy = read(targets, "policy.json")?;
            national.risk_areas = read(targets, "risk-areas.json")?;
            let issuer = |name: &str| name.strip_prefix("roots/")?.strip_suffix(".json")?.parse().ok();
            national.roots = targets.iter().filter_map(|(name, bytes)| Some((issuer(name)?, bytes.clone()))).collect();
        }
        (self.keys, self.statuses) = (keys, statuses);
        self.roots.extend(roots.iter().cloned());
        self.announced.clear();
        Ok(())
    }

    /// What a gate would hold after it has verified the generation that was published last: for tests that are not about the transport.
    ///
    /// # Errors
    /// When nothing was published, or it cannot be read.
    pub fn repository(&self) -> Result<Repository, AuthorityError> {
        let last = Last::read(self.published.as_ref().ok_or(AuthorityError::Damaged { file: "timestamp.json" })?)?;
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

    fn read(files: &Generation) -> Result<Last<'_>, AuthorityError> {
        fn part<T: DeserializeOwned>(bytes: &[u8], file: &'static str) -> Result<T, AuthorityError> {
            metadata::read(bytes).map_err(|_| AuthorityError::Damaged { file })
        }
        Ok(Last {
            files,
            timestamp: part(&files.timestamp, "timestamp.json")?,
            snapshot: part(&files.snapshot, "snapshot.json")?,
            targets: part(&files.targets, "targets.json")?,
        })
    }
}

impl Generation {
    /// Its numbers.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn record(&self) -> Result<Record, AuthorityError> {
        let timestamp = Last::read(self)?.timestamp;
        let sha256 = metadata::sha256(&self.timestamp);
        Ok(Record { generation: timestamp.version, issued: timestamp.issued, sha256 })
    }

    /// The targets it names, by name, with their hashes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn named(&self) -> Result<BTreeMap<String, FileFacts>, AuthorityError> {
        Ok(Last::read(self)?.targets.targets)
    }
}

fn expires(file: &[u8], name: &'static str) -> Result<UnixTime, AuthorityError> {
    #[derive(serde::Deserialize)]
    struct Expires {
        expires: UnixTime,
    }
    let read = metadata::read::<Expires>(file).map_err(|_| AuthorityError::Damaged { file: name })?;
    Ok(read.expires)
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
