//! Lists from the device's own store: what was accepted, verified again.
//!
//! Where the disk has changed what is in force, the generation before it takes its place, and then what the package brought; each
//! issuer on its own, and each time it is said.

use std::{collections::BTreeMap, path::Path};

use cache::{
    log::Fault,
    trust_store::{Slot, StoredRepository, TrustStore},
};
use trustlist::{
    region::{NATIONAL, Region},
    status::delta::is_delta,
    time::UnixTime,
    trust::{Assembly, Repository},
    tuf::{Answer, MAX_METADATA, Trusted},
};

use super::{FolderMirror, ListRemark, LoadedLists, Mirror, pinned_roots, repository};
use crate::error::Error;

/// Everything the store has in force, put together; `None` while it holds no national list.
///
/// # Errors
/// When the store cannot be read, or no national generation can be verified.
pub fn from_store(store: &TrustStore) -> Result<Option<LoadedLists>, Error> {
    put_together(store, None, &[])
}

/// The same, and what the store lacks from the package's lists: what this device judges by.
///
/// # Errors
/// As [`from_store`].
pub fn with_seed(store: &TrustStore, seed: &Path) -> Result<Option<LoadedLists>, Error> {
    put_together(store, FolderMirror::open(seed).ok(), &[])
}

/// Everything as it would be with what is staged of these issuers.
///
/// # Errors
/// As [`from_store`].
pub fn with_staged(store: &TrustStore, seed: &Path, staged: &[Region]) -> Result<Option<LoadedLists>, Error> {
    put_together(store, FolderMirror::open(seed).ok(), staged)
}

/// One issuer's lists after the other, in the nation's order: what is read from the disk is held once, and one issuer at a time.
fn put_together(
    store: &TrustStore,
    mut seed: Option<FolderMirror>,
    staged: &[Region],
) -> Result<Option<LoadedLists>, Error> {
    let unreadable = |fault| Error::StoreUnreadable(store.path().to_owned(), fault);
    let mut found = Found { store, staged, previous: Vec::new(), from_seed: Vec::new() };
    let national = match found.stored(NATIONAL, seed.as_mut()).map_err(unreadable)? {
        Some(national) => Some(national),
        None if !found.from_seed.is_empty() => return Err(Error::NationalDoesNotVerify),
        None => seed.as_mut().and_then(|seed| brought_national(store, seed)),
    };
    let Some(national) = national else { return Ok(None) };
    let mut assembly = Assembly::begin(&national).map_err(Error::StoredUnusable)?;
    let known = store.issuers().map_err(unreadable)?;
    let mut pinned: BTreeMap<Region, Vec<u8>> = match seed {
        Some(_) => pinned_roots(&national.targets).into_iter().collect(),
        None => BTreeMap::new(),
    };
    drop(national);
    let mut order = assembly.order().to_vec();
    order.extend(known.iter().filter(|issuer| !assembly.order().contains(issuer)));
    for issuer in order.into_iter().filter(|issuer| *issuer != NATIONAL) {
        let mut repository = None;
        if known.contains(&issuer) {
            repository = found.stored(issuer, seed.as_mut()).map_err(unreadable)?;
        }
        // Whoever has not been heard of since the package was made is judged by what it brought: learning of others takes nothing from them.
        let unheard = !found.from_seed.contains(&issuer) && store.floors().of(issuer).is_none();
        if repository.is_none()
            && unheard
            && let Some((seed, root)) = seed.as_mut().zip(pinned.remove(&issuer))
        {
            repository = super::repository(seed, issuer, &root, super::MAX_TOGETHER).ok();
        }
        repository.iter().for_each(|repository| assembly.take(repository));
    }
    let (trust, faults) = assembly.end();
    for fault in faults {
        log::warn!("{fault}");
    }
    let behind = store.behind().map_err(unreadable)?;
    let ahead = store.ahead().map_err(unreadable)?;
    let remarks = [
        ("list-previous", found.previous),
        ("list-fallback", found.from_seed),
        ("list-lost", behind),
        ("list-from-the-future", ahead),
    ];
    let remarks = remarks.into_iter().filter(|(_, issuers)| !issuers.is_empty());
    let remarks = remarks.map(|(code, issuers)| ListRemark { code, detail: named(&issuers) }).collect();
    Ok(Some(LoadedLists { trust, remarks }))
}

/// What was found of the issuers so far, and in whose place something else is used.
struct Found<'a> {
    store: &'a TrustStore,
    staged: &'a [Region],
    /// The generation before stands in.
    previous: Vec<Region>,
    /// What the package brought stands in, where it brought something.
    from_seed: Vec<Region>,
}

impl Found<'_> {
    /// What is stored of an issuer, or what stands in for it; `None` where nothing does.
    fn stored(&mut self, issuer: Region, seed: Option<&mut FolderMirror>) -> Result<Option<Repository>, Fault> {
        let slots: &[Slot] = if self.staged.contains(&issuer) {
            &[Slot::Staged, Slot::Current, Slot::Previous]
        } else {
            &[Slot::Current, Slot::Previous]
        };
        match newest_that_verifies(self.store, issuer, slots)? {
            StoredState::None => Ok(None),
            StoredState::Whole(found, slot) => {
                if slot == Slot::Previous {
                    self.previous.push(issuer);
                }
                Ok(Some(found))
            }
            StoredState::Broken => {
                self.from_seed.push(issuer);
                let roots = self.store.roots(issuer)?;
                let brought = seed.zip(roots.first());
                Ok(brought.and_then(|(seed, (_, root))| repository(seed, issuer, root, super::MAX_TOGETHER).ok()))
            }
        }
    }
}

/// The nation's lists as the package brought them, under the root that this device trusts, where it trusts one.
fn brought_national(store: &TrustStore, seed: &mut FolderMirror) -> Option<Repository> {
    let trusted = store.roots(NATIONAL).ok()?.first().map(|(_, root)| root.clone());
    let root = trusted.or_else(|| match seed.fetch(&format!("{NATIONAL}/metadata/1.root.json"), MAX_METADATA) {
        Answer::Bytes(bytes) => Some(bytes),
        _ => None,
    })?;
    repository(seed, NATIONAL, &root, super::MAX_TOGETHER).ok()
}

/// A few issuers by their codes, and how many more.
#[must_use]
pub fn named(issuers: &[Region]) -> String {
    const NAMED: usize = 4;
    let first: Vec<String> = issuers.iter().take(NAMED).map(ToString::to_string).collect();
    match issuers.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} + {more}", first.join(", ")),
    }
}

/// What became of an issuer's stored generations.
enum StoredState {
    /// None is stored.
    None,
    /// This one verifies.
    Whole(Repository, Slot),
    /// Some are stored and none verifies.
    Broken,
}

/// The first of these generations that verifies.
fn newest_that_verifies(store: &TrustStore, issuer: Region, slots: &[Slot]) -> Result<StoredState, Fault> {
    let mut found = StoredState::None;
    for slot in slots {
        let Some(stored) = store.repository(issuer, *slot)? else { continue };
        let generation = stored.generation;
        match verified(store, issuer, stored)? {
            Some(mut repository) => {
                repository.arrived = store.arrived(issuer, *slot)?;
                return Ok(StoredState::Whole(repository, *slot));
            }
            None => log::error!("{issuer}: the stored {slot:?} generation {generation} does not verify"),
        }
        found = StoredState::Broken;
    }
    Ok(found)
}

fn verified(store: &TrustStore, issuer: Region, stored: StoredRepository) -> Result<Option<Repository>, Fault> {
    let Some(trusted) = restored(store, issuer, &stored)? else { return Ok(None) };
    let Some(role) = trusted.targets("targets") else { return Ok(None) };
    let mut kept = role.signed.targets.iter().filter(|(name, _)| !is_delta(name));
    let whole = kept.all(|(name, target)| stored.targets.get(name).is_some_and(|bytes| target.is(bytes)));
    let coherent = trusted.snapshot_is_current() && trusted.targets_are_current("targets");
    Ok((whole && coherent).then(|| trusted.repository(issuer, stored.targets)))
}

/// When what is stored says that it was issued; `None` when it does not verify, or does not say.
///
/// # Errors
/// When the store cannot be read.
pub fn issued(store: &TrustStore, issuer: Region, stored: &StoredRepository) -> Result<Option<UnixTime>, Fault> {
    Ok(restored(store, issuer, stored)?.and_then(|trusted| trusted.timestamp()?.signed.issued))
}

/// The trusted state of what is stored; `None` when a role of it does not verify.
fn restored(store: &TrustStore, issuer: Region, stored: &StoredRepository) -> Result<Option<Trusted>, Fault> {
    // The newest root first; a generation that was signed under an older one still verifies under that.
    for (_, root) in store.roots(issuer)?.iter().rev() {
        let Ok(mut trusted) = Trusted::from_root(root) else { continue };
        let restored = trusted
            .restore_timestamp(&stored.timestamp)
            .and_then(|()| trusted.restore_snapshot(&stored.snapshot))
            .and_then(|()| trusted.restore_targets("targets", None, &stored.targets_role));
        if restored.is_ok() {
            return Ok(Some(trusted));
        }
    }
    Ok(None)
}
