//! An authority on disk: one folder with its keys, the drafts of its lists, and what it has published.
//!
//! ```text
//! authority.json        whose it is, and its terms
//! keys/                 private keys, PKCS#8 PEM without passphrase, readable by their owner only
//! roots/                every root, `<version>.root.json`; the first is what others pin
//! lists/                drafts: the documents that are published, and status/<n>.json
//! signed/               the last status lists of every shard as they were signed, for deltas between them
//! hosted/<issuer>/      issuers that the national platform keeps itself, each with keys and lists
//! lists/last.json       the numbers of what was published last, so that a lost published/ is noticed
//! published/<issuer>/   metadata/ and targets/: what any file server may serve
//! ```
//!
//! A file is written beside its place and then renamed, and a publication ends with `timestamp.json`: whoever reads meanwhile
//! sees the old generation whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use trustlist::{lists::keys::KeyUse, region::Region, time::UnixTime};

use crate::{
    authority::{Authority, AuthorityError, Generation, entry_kid},
    deltas::SignedLists,
    fault::WorkspaceError,
    files::{
        create_directory, lock, names, numbered, read, read_json, read_keys, remove, write, write_json, write_key,
    },
    key::SigningKey,
    last::{LastPublished, Record},
    metadata::{self, Role},
    national::National,
    place::Place,
    publish::{Publication, root_name},
    rotate::ID_PREFIX,
    statuses::StatusDrafts,
    terms::Terms,
};

mod backup;
mod before;
#[cfg(test)]
mod tests;

pub use backup::{BackUp, Restored};

/// Names in the folder.
const CARD: &str = "authority.json";
const KEYS: &str = "keys";
const LISTS: &str = "lists";
const ROOTS: &str = "roots";
const SIGNED: &str = "signed";
const HOSTED: &str = "hosted";
const PUBLISHED: &str = "published";
/// In `lists/`: what was published last, keys that are not announced yet, the last number of a configuration code.
const LAST: &str = "last.json";
const ANNOUNCED: &str = "announced.json";
const CONFIGURATION: &str = "configuration.json";
/// In `roots/`: the national root, where a province keeps it.
const NATION: &str = "nation.root.json";

/// `authority.json`.
#[derive(Serialize, Deserialize)]
struct Card {
    issuer: Region,
    terms: Terms,
    /// Where what is published here ends up: looked at before each publication.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mirrors: Vec<Place>,
}

/// An authority, its folder, and a lock on it until it is dropped.
#[derive(Debug)]
pub struct Workspace {
    /// The authority. Changes are kept by [`Workspace::save`].
    pub authority: Authority,
    /// Where what is published here ends up.
    pub mirrors: Vec<Place>,
    /// What was published last; none when the folder does not know.
    last: Option<LastPublished>,
    directory: PathBuf,
    published: PathBuf,
    _lock: File,
}

impl Workspace {
    /// Makes the folder of a new authority. What is there already is never overwritten.
    ///
    /// # Errors
    /// When there is an authority, or the folder cannot be written.
    pub fn create(directory: &Path, authority: Authority) -> Result<Workspace, WorkspaceError> {
        Workspace::create_in(directory, &directory.join(PUBLISHED), authority)
    }

    /// Whether an authority can be made in this folder.
    ///
    /// # Errors
    /// When there is one.
    pub fn check_free(directory: &Path) -> Result<(), WorkspaceError> {
        if directory.join(CARD).exists() || directory.join(KEYS).exists() {
            return Err(WorkspaceError::AlreadyThere(directory.to_owned()));
        }
        Ok(())
    }

    fn create_in(directory: &Path, published: &Path, authority: Authority) -> Result<Workspace, WorkspaceError> {
        Workspace::check_free(directory)?;
        let card = directory.join(CARD);
        create_directory(directory, 0o755)?;
        create_directory(&directory.join(KEYS), 0o700)?;
        write_json(&card, &Card { issuer: authority.issuer, terms: authority.terms, mirrors: Vec::new() })?;
        let workspace = Workspace {
            authority,
            mirrors: Vec::new(),
            last: Some(LastPublished::default()),
            directory: directory.to_owned(),
            published: published.to_owned(),
            _lock: lock(&card)?,
        };
        workspace.save()?;
        Ok(workspace)
    }

    /// Opens the folder of an authority.
    ///
    /// # Errors
    /// When it is none, another command works in it, or a file in it cannot be used.
    pub fn open(directory: &Path) -> Result<Workspace, WorkspaceError> {
        Workspace::open_in(directory, &directory.join(PUBLISHED))
    }

    fn open_in(directory: &Path, published: &Path) -> Result<Workspace, WorkspaceError> {
        let card_path = directory.join(CARD);
        if !card_path.exists() {
            return Err(WorkspaceError::NotAWorkspace(directory.to_owned()));
        }
        let lock = lock(&card_path)?;
        let card: Card = read_json(&card_path)?;
        if let Some((role, days, most)) = card.terms.unusual() {
            return Err(AuthorityError::Terms { role, days, most }.into());
        }
        let lists = directory.join(LISTS);
        let repository = published.join(card.issuer.as_str());
        let mut authority = Authority {
            issuer: card.issuer,
            terms: card.terms,
            private: read_keys(&directory.join(KEYS))?,
            roots: read_roots(&directory.join(ROOTS))?,
            keys: read_json(&lists.join("keys.json"))?,
            statuses: StatusDrafts::default(),
            signed_lists: read_signed(&directory.join(SIGNED))?,
            national: None,
            published: read_generation(&repository)?,
            announced: read_if_there(&lists.join(ANNOUNCED))?.unwrap_or_default(),
        };
        for (number, path) in numbered(&lists.join("status"))? {
            authority.statuses.put(number, read_json(&path)?);
        }
        if lists.join("trustlist.json").exists() {
            authority.national = Some(read_national(&lists)?);
        }
        Ok(Workspace {
            authority,
            mirrors: card.mirrors,
            last: read_if_there(&lists.join(LAST))?,
            directory: directory.to_owned(),
            published: published.to_owned(),
            _lock: lock,
        })
    }

    /// Where it publishes.
    #[must_use]
    pub fn published(&self) -> &Path {
        &self.published
    }

    /// The first root, for whoever pins it.
    #[must_use]
    pub fn first_root(&self) -> PathBuf {
        self.directory.join(ROOTS).join(root_name(1))
    }

    /// Opens an issuer that the national platform keeps itself.
    ///
    /// # Errors
    /// When there is none, or its folder cannot be used.
    pub fn hosted(&self, issuer: Region) -> Result<Workspace, WorkspaceError> {
        Workspace::open_in(&self.directory.join(HOSTED).join(issuer.as_str()), &self.published)
    }

    /// Keeps an issuer in this folder.
    ///
    /// # Errors
    /// When there is one already, or the folder cannot be written.
    pub fn host(&self, authority: Authority) -> Result<Workspace, WorkspaceError> {
        let directory = self.directory.join(HOSTED).join(authority.issuer.as_str());
        Workspace::create_in(&directory, &self.published, authority)
    }

    /// Whose issuers are kept here.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn hosted_issuers(&self) -> Result<Vec<Region>, WorkspaceError> {
        let mut issuers: Vec<Region> =
            names(&self.directory.join(HOSTED))?.iter().filter_map(|name| name.parse().ok()).collect();
        issuers.sort_unstable();
        Ok(issuers)
    }

    /// Writes new keys, all drafts and all roots. A key file that is there is left alone.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self) -> Result<(), WorkspaceError> {
        let authority = &self.authority;
        for (name, key) in self.key_files() {
            write_key(&self.directory.join(KEYS), &name, key)?;
        }
        let card = Card { issuer: authority.issuer, terms: authority.terms, mirrors: self.mirrors.clone() };
        write_json(&self.directory.join(CARD), &card)?;
        let lists = self.directory.join(LISTS);
        if let Some(last) = &self.last {
            write_json(&lists.join(LAST), last)?;
        }
        if !authority.announced.is_empty() || lists.join(ANNOUNCED).exists() {
            write_json(&lists.join(ANNOUNCED), &authority.announced)?;
        }
        write_json(&lists.join("keys.json"), &authority.keys)?;
        for (number, draft) in authority.statuses.shards() {
            write_json(&lists.join(format!("status/{number}.json")), draft)?;
        }
        if let Some(national) = &authority.national {
            write_json(&lists.join("trustlist.json"), &national.list)?;
            write_json(&lists.join("recognition.json"), &national.recognition)?;
            write_json(&lists.join("policy.json"), &national.policy)?;
            write_json(&lists.join("risk-areas.json"), &national.risk_areas)?;
            for (issuer, root) in &national.roots {
                write(&lists.join(format!("roots/{issuer}.json")), root)?;
            }
            for name in names(&lists.join("roots"))? {
                let listed = name.strip_suffix(".json").and_then(|id| id.parse().ok());
                if listed.is_some_and(|issuer| !national.roots.contains_key(&issuer)) {
                    remove(&lists.join("roots").join(name))?;
                }
            }
        }
        // Not to what is published: a root that names new keys goes out together with what they signed.
        for (root, version) in authority.roots.iter().zip(1..) {
            write(&self.directory.join(ROOTS).join(root_name(version)), root)?;
        }
        Ok(())
    }

    /// Signs and writes the next generation, to [`Workspace::published`] and to `out`. Its numbers are above `after`.
    ///
    /// Whether gates may hold later ones is another question: [`Workspace::check_last`].
    ///
    /// # Errors
    /// When it cannot be signed, or a file cannot be written.
    pub fn publish(&mut self, at: UnixTime, after: u64, out: Option<&Path>) -> Result<Publication, WorkspaceError> {
        let publication = self.authority.publish_after(at, after)?;
        self.save_signed()?;
        for place in std::iter::once(self.published.as_path()).chain(out) {
            write_publication(&place.join(publication.issuer.as_str()), &publication)?;
        }
        // Afterwards: where the power fails between the two, published/ is the newer, and counts.
        self.last = Some(LastPublished { last: self.record()?, restored: false });
        self.save()?;
        Ok(publication)
    }

    /// The number of the next configuration code made at `at`: the second in which it is made, or the one after the last, so that no two
    /// have the same.
    ///
    /// # Errors
    /// When `wanted` is not above the last number, or the number cannot be kept.
    pub fn next_configuration_number(&self, at: UnixTime, wanted: Option<u64>) -> Result<u64, WorkspaceError> {
        let path = self.directory.join(LISTS).join(CONFIGURATION);
        let last: u64 = read_if_there(&path)?.unwrap_or(0);
        if let Some(wanted) = wanted.filter(|wanted| *wanted <= last) {
            return Err(WorkspaceError::Usage(format!(
                "a configuration code has number {last} already, and checkpoints take none that is not higher; choose one above it than {wanted}"
            )));
        }
        let second = u64::try_from(at.0).unwrap_or(0);
        let number = wanted.unwrap_or(second.max(last + 1));
        write_json(&path, &number)?;
        Ok(number)
    }

    fn record(&self) -> Result<Option<Record>, WorkspaceError> {
        Ok(self.authority.published.as_ref().map(Generation::record).transpose()?)
    }

    /// Keeps the signed lists before they are published: a publication that is cut short is then repeated with the same bytes.
    fn save_signed(&self) -> Result<(), WorkspaceError> {
        let directory = self.directory.join(SIGNED);
        let mut kept = BTreeSet::new();
        for (number, order, bytes) in self.authority.signed_lists.all() {
            let name = format!("{number}-{order}.cwt");
            write(&directory.join(&name), bytes)?;
            kept.insert(name);
        }
        let mut gone = names(&directory)?.into_iter().filter(|name| !kept.contains(name));
        gone.try_for_each(|name| remove(&directory.join(name)))
    }

    /// Keys with the names of their files. A name says what the key is for; only its content counts. A key that has no purpose any
    /// more keeps the file it has.
    fn key_files(&self) -> impl Iterator<Item = (String, &SigningKey)> {
        let root = self.authority.root().ok();
        self.authority.private.iter().filter_map(move |key| {
            let id = metadata::key_id(key);
            let has = |role: &Role| {
                root.as_ref().is_some_and(|root| root.roles.get(role).is_some_and(|keys| keys.keyids.contains(&id)))
            };
            if let Some(role) = Role::ALL.iter().find(|role| has(role)) {
                return Some((format!("{}-{}", role.name(), &id[..ID_PREFIX]), key));
            }
            let entry = self.authority.keys.keys.iter().find(|entry| entry_kid(entry) == Ok(key.kid()))?;
            let purpose = match entry.use_for {
                KeyUse::Code => "code",
                KeyUse::Status => "status",
                KeyUse::Configuration => "configuration",
            };
            Some((format!("{purpose}-{}", key.kid()), key))
        })
    }
}

/// Writes what is not there already, then removes what belongs to neither this generation nor the one before.
fn write_publication(repository: &Path, publication: &Publication) -> Result<(), WorkspaceError> {
    for (path, bytes) in &publication.files {
        write(&repository.join(path), bytes)?;
    }
    let current: BTreeSet<&str> = publication
        .files
        .iter()
        .map(|(path, _)| path.as_str())
        .chain(publication.before.iter().map(String::as_str))
        .collect();
    for folder in ["metadata", "targets", "targets/status", "targets/roots"] {
        for name in names(&repository.join(folder))? {
            let path = format!("{folder}/{name}");
            let file = repository.join(&path);
            if !current.contains(path.as_str()) && file.is_file() {
                remove(&file)?;
            }
        }
    }
    Ok(())
}

fn read_national(lists: &Path) -> Result<National, WorkspaceError> {
    let mut roots = BTreeMap::new();
    for name in names(&lists.join("roots"))? {
        if let Some(issuer) = name.strip_suffix(".json").and_then(|id| id.parse().ok()) {
            roots.insert(issuer, read(&lists.join("roots").join(&name))?);
        }
    }
    Ok(National {
        list: read_json(&lists.join("trustlist.json"))?,
        roots,
        recognition: read_json(&lists.join("recognition.json"))?,
        policy: read_json(&lists.join("policy.json"))?,
        risk_areas: read_json(&lists.join("risk-areas.json"))?,
    })
}

/// A JSON document that need not be there.
fn read_if_there<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, WorkspaceError> {
    if path.exists() { read_json(path).map(Some) } else { Ok(None) }
}

fn read_roots(directory: &Path) -> Result<Vec<Vec<u8>>, WorkspaceError> {
    let mut roots = Vec::new();
    loop {
        let path = directory.join(root_name(roots.len() as u64 + 1));
        if !path.exists() {
            return if roots.is_empty() { Err(WorkspaceError::NoRoot(path)) } else { Ok(roots) };
        }
        roots.push(read(&path)?);
    }
}

/// Signed lists by their names, `<shard>-<order>.cwt`.
fn read_signed(directory: &Path) -> Result<SignedLists, WorkspaceError> {
    let mut lists = SignedLists::default();
    for name in names(directory)? {
        let numbers = name.strip_suffix(".cwt").and_then(|name| name.split_once('-'));
        if let Some((number, order)) =
            numbers.and_then(|(shard, order)| Some((shard.parse().ok()?, order.parse().ok()?)))
        {
            lists.put(number, order, read(&directory.join(&name))?);
        }
    }
    Ok(lists)
}

fn read_generation(repository: &Path) -> Result<Option<Generation>, WorkspaceError> {
    let directory = repository.join("metadata");
    let path = directory.join("timestamp.json");
    if !path.exists() {
        return Ok(None);
    }
    let bad = |path: &Path| WorkspaceError::BadFile(path.to_owned(), "it is no metadata of this role".to_owned());
    let timestamp = read(&path)?;
    let named: metadata::Timestamp = metadata::read(&timestamp).map_err(|_| bad(&path))?;
    let version = named.meta.get("snapshot.json").ok_or_else(|| bad(&path))?.version;
    let path = directory.join(format!("{version}.snapshot.json"));
    let snapshot = read(&path)?;
    let named: metadata::Snapshot = metadata::read(&snapshot).map_err(|_| bad(&path))?;
    let version = named.meta.get("targets.json").ok_or_else(|| bad(&path))?.version;
    let targets = read(&directory.join(format!("{version}.targets.json")))?;
    Ok(Some(Generation { timestamp, snapshot, targets }))
}
