//! Lists from a folder or a mirror to the judge: fetch, verify, put together.
//!
//! Verifying is [`trustlist::tuf`]'s business; this file only knows the layout `<issuer>/metadata/…`, `<issuer>/targets/…`, and that
//! the national repository comes first, because it pins the others' first roots. Each repository is on its own: one that is
//! broken is reported and left out.

use std::{collections::BTreeMap, path::Path, time::Duration};

use cache::trust_store::TrustStore;
use data_encoding::HEXLOWER;
use host::{causes::WithCauses, config::Config};
use sha2::{Digest, Sha256};
use trustlist::{
    region::{NATIONAL, Region},
    status::delta::is_delta,
    time::UnixTime,
    trust::{Assembly, Repository, Trust},
    tuf::{self, Answer, Fetch, MAX_METADATA, Refusal, Request, Trusted, schema::TargetFile},
};

use crate::error::Error;

mod beneath;
mod delta;
pub mod folder;
pub mod store;

pub use beneath::Folder;
pub use folder::FolderMirror;
pub use store::{from_store, issued, named, with_seed, with_staged};

/// Largest target read: a status shard with room to grow. Stops endless data.
const MAX_TARGET: u64 = 8 * 1024 * 1024;
/// Most targets of one issuer, deltas apart. Stops a province that lists crumbs without end.
const MAX_TARGETS: usize = 4096;
/// Most bytes in all targets of one issuer, deltas apart: as many status lists as a gate keeps in memory, and room for the rest. They are
/// held twice while newer ones come. Stops a province that fills the memory of the process that fetches, and with it ends the others' lists.
const MAX_REPOSITORY: u64 = 40 * 1024 * 1024;

/// Most bytes in all targets of all issuers together. In the order of the nation's list: whoever stands late in it is left out where those
/// before it list too much.
pub(crate) const MAX_TOGETHER: u64 = 64 * 1024 * 1024;

/// The lists, and what is not as it should be with where they come from.
#[derive(Debug)]
pub struct LoadedLists {
    /// Verified and put together.
    pub trust: Trust,
    /// What somebody must hear of.
    pub remarks: Vec<ListRemark>,
}

/// Something about this device's lists that the band, the status and the journal say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRemark {
    /// Stable: `list-fallback`, `list-previous` or `list-lost`.
    pub code: &'static str,
    /// The fact behind it.
    pub detail: String,
}

/// Whoever brings files by their path below the layout's top: a folder, a stick, a web server.
pub trait Mirror {
    /// Brings one file, at most one byte beyond `limit`.
    fn fetch(&mut self, path: &str, limit: u64) -> Answer;

    /// Whether it is there, so that a file that cannot be had says nothing of the next: a folder always is, a server when it answered what it
    /// was asked last, whatever it said of that file.
    fn is_there(&self) -> bool {
        false
    }

    /// From here on asks an issuer's own files, whatever was said of all issuers at once. `false` where that asks nothing else.
    fn walk(&mut self, _issuer: Region) -> bool {
        false
    }

    /// For how long it asks to be left in peace.
    fn asks_for_peace(&self) -> Option<Duration> {
        None
    }
}

/// One repository of a mirror, seen as the TUF workflow sees it.
pub(crate) struct Metadata<'a> {
    pub(crate) mirror: &'a mut dyn Mirror,
    pub(crate) issuer: Region,
}

impl Fetch for Metadata<'_> {
    fn metadata(&mut self, request: &Request) -> Answer {
        self.mirror.fetch(&format!("{}/metadata/{}", self.issuer, request.path), request.limit)
    }
}

/// Verifies everything in `folder` and puts it together. The folder's own first national root is believed: whoever names a folder
/// vouches for it. Expiry is not asked: at the gate it only moves the freshness ladder.
///
/// # Errors
/// When the national repository cannot be verified or read. Another issuer's fault goes to the journal.
pub fn from_folder(folder: &Path) -> Result<Trust, Error> {
    let mut mirror = FolderMirror::open(folder)?;
    let root = match mirror.fetch(&format!("{NATIONAL}/metadata/1.root.json"), MAX_METADATA) {
        Answer::Bytes(bytes) => bytes,
        Answer::NotFound => {
            return Err(Error::NoRepositories(folder.to_owned()));
        }
        Answer::Unreachable(why) => return Err(Error::Unreadable(folder.to_owned(), why)),
    };
    from_mirror(&mut mirror, &root, &folder.display().to_string())
}

fn from_mirror(mirror: &mut dyn Mirror, root: &[u8], place: &str) -> Result<Trust, Error> {
    let national = repository(mirror, NATIONAL, root, MAX_TOGETHER)
        .map_err(|refusal| Error::Refused { place: format!("{place}/{NATIONAL}"), refusal })?;
    let mut assembly = Assembly::begin(&national).map_err(|error| Error::Unusable(place.to_owned(), error))?;
    let mut room = MAX_TOGETHER.saturating_sub(size(&national.targets));
    for (issuer, root) in pinned_roots(&national.targets) {
        match repository(mirror, issuer, &root, room) {
            Ok(repository) => {
                room = room.saturating_sub(size(&repository.targets));
                assembly.take(&repository);
            }
            // No folder at all: this mirror does not carry the issuer. Its codes refer as `list-missing`.
            Err(Refusal { why: tuf::Why::Missing, role }) if role == "timestamp" => {
                log::debug!("{place}: carries no lists of {issuer}")
            }
            Err(refusal) => log::warn!("{place}/{issuer}: left out: {refusal}"),
        }
    }
    let (trust, faults) = assembly.end();
    for fault in faults {
        log::warn!("{place}: {fault}");
    }
    Ok(trust)
}

/// The first roots that the national list pins, where its targets hold them and they are what it says.
pub(crate) fn pinned_roots(national: &BTreeMap<String, Vec<u8>>) -> Vec<(Region, Vec<u8>)> {
    let list = national
        .get("trustlist.json")
        .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(bytes).ok()?.get("issuers")?.as_array().cloned());
    let mut roots = Vec::new();
    for entry in list.unwrap_or_default() {
        let Some(id) = entry["id"].as_str().and_then(|id| id.parse::<Region>().ok()) else { continue };
        let pinned = entry["root_sha256"].as_str().unwrap_or_default();
        match national.get(&format!("roots/{id}.json")) {
            _ if id == NATIONAL => (),
            Some(root) if HEXLOWER.encode(&Sha256::digest(root)) == pinned => roots.push((id, root.clone())),
            Some(_) => log::warn!("roots/{id}.json is not the root that the national list pins; {id} is left out"),
            None => log::warn!("roots/{id}.json is missing in the national repository; {id} is left out"),
        }
    }
    roots
}

fn size(targets: &BTreeMap<String, Vec<u8>>) -> u64 {
    targets.values().map(|bytes| bytes.len() as u64).sum()
}

/// Verifies one repository from its first root up and reads all its targets, where there is `room` for so many bytes.
fn repository(mirror: &mut dyn Mirror, issuer: Region, root: &[u8], room: u64) -> Result<Repository, Refusal> {
    let mut trusted = Trusted::from_root(root)?;
    // Expiry is no question here, so the moment is before every expiry.
    tuf::refresh(&mut trusted, UnixTime(i64::MIN), &mut Metadata { mirror: &mut *mirror, issuer })?;
    let targets = targets(mirror, issuer, &trusted, None, room)?;
    Ok(trusted.repository(issuer, targets))
}

/// All targets that the trusted state names, deltas apart, which only lead to them: those of `held` that are still what is named, the others from the mirror.
pub(crate) fn targets(
    mirror: &mut dyn Mirror,
    issuer: Region,
    trusted: &Trusted,
    held: Option<&BTreeMap<String, Vec<u8>>>,
    room: u64,
) -> Result<BTreeMap<String, Vec<u8>>, Refusal> {
    let mut targets = BTreeMap::new();
    let stated = trusted.targets("targets").map(|targets| targets.signed.targets.clone()).unwrap_or_default();
    bounded(&stated, room)?;
    for (name, target) in stated.iter().filter(|(name, _)| !is_delta(name)) {
        let name = name.clone();
        let held = held.and_then(|held| held.get(&name));
        if let Some(bytes) = held.filter(|bytes| target.is(bytes)) {
            targets.insert(name, bytes.clone());
            continue;
        }
        if let Some(bytes) = held.and_then(|held| delta::by_delta(mirror, issuer, trusted, &stated, &name, held)) {
            targets.insert(name, bytes);
            continue;
        }
        let request = tuf::target_request(trusted, &name, target);
        let refused = |why| Refusal { role: name.clone(), why };
        match mirror.fetch(&format!("{issuer}/targets/{}", request.path), request.limit) {
            Answer::Bytes(bytes) if target.is(&bytes) => targets.insert(name, bytes),
            Answer::Bytes(_) => return Err(refused(tuf::Why::OtherContent)),
            Answer::NotFound => return Err(refused(tuf::Why::Missing)),
            Answer::Unreachable(why) => return Err(refused(tuf::Why::Unreachable(why))),
        };
    }
    Ok(targets)
}

/// Whether a name stays where it is put, on every mirror, with a hash before it (The Update Framework §5.7.3): otherwise the mirror would be
/// taken to be silent, which is the issuer's fault.
fn is_plain(name: &str) -> bool {
    let plain = |part: &str| {
        !matches!(part, "" | "." | "..") && part.len() <= 128 && !part.contains(|c: char| c.is_control() || c == '\\')
    };
    name.len() <= 512 && name.split('/').all(plain)
}

/// Refuses what this device could not hold, before anything of it is fetched: the signed lengths say it.
fn bounded(stated: &BTreeMap<String, TargetFile>, room: u64) -> Result<(), Refusal> {
    let refused = |role: &str, why| Err(Refusal { role: role.to_owned(), why });
    let (mut number, mut together) = (0, 0_u64);
    for (name, target) in stated.iter().filter(|(name, _)| !is_delta(name)) {
        if !is_plain(name) {
            return refused("targets", tuf::Why::Unusable("a target has a name that no file can have".to_owned()));
        }
        if target.length > MAX_TARGET {
            return refused(name, tuf::Why::TooLong { limit: MAX_TARGET });
        }
        number += 1;
        together = together.saturating_add(target.length);
    }
    if number > MAX_TARGETS {
        return refused("targets", tuf::Why::TooMany { limit: MAX_TARGETS });
    }
    if together > MAX_REPOSITORY {
        return refused("targets", tuf::Why::TooMuch { limit: MAX_REPOSITORY });
    }
    if together > room {
        return refused("targets", tuf::Why::NoRoom { limit: MAX_TOGETHER });
    }
    Ok(())
}

/// The lists of `folder`, or of this device where none is named.
///
/// # Errors
/// When the lists cannot be verified.
pub fn load(folder: Option<&Path>, config: &Config) -> Result<LoadedLists, Error> {
    match folder {
        Some(folder) => Ok(LoadedLists { trust: from_folder(folder)?, remarks: Vec::new() }),
        None => of_device(&config.places.trust_store(), &config.trust.seed),
    }
}

/// The same for who only judges by them; what is not as it should be stands in the journal.
///
/// # Errors
/// When the lists cannot be verified.
pub fn load_trust(folder: Option<&Path>, config: &Config) -> Result<Trust, Error> {
    load(folder, config).map(|loaded| loaded.trust)
}

/// The lists of this device: what it has accepted, where that does not verify any more the generation before, else what the package brought.
///
/// # Errors
/// When there is nothing that verifies.
pub fn of_device(store: &Path, seed: &Path) -> Result<LoadedLists, Error> {
    let mut remarks = Vec::new();
    if store.exists() || store.with_extension("floors").exists() {
        let opened = TrustStore::read(store).map_err(Error::Store);
        let read = opened.and_then(|opened| Ok((with_seed(&opened, seed)?, opened.behind()?)));
        match read {
            Ok((Some(loaded), _)) => return Ok(loaded),
            Ok((None, behind)) if behind.is_empty() => (),
            Ok((None, behind)) => {
                log::error!("the trust store holds nothing and once held lists; the package's are used in their place");
                remarks.push(ListRemark { code: "list-lost", detail: named(&behind) });
            }
            Err(failure) => {
                let failure = WithCauses(&failure).to_string();
                log::error!("{failure}; the lists that the package brought are used in its place");
                remarks.push(ListRemark { code: "list-fallback", detail: failure });
            }
        }
    }
    if seed.join(NATIONAL.as_str()).is_dir() {
        return Ok(LoadedLists { trust: from_folder(seed)?, remarks });
    }
    let why = remarks.pop().map(|remark| remark.detail);
    Err(Error::NoLists { store: store.to_owned(), seed: seed.to_owned(), why })
}
