//! Lists from the device's own store: what was accepted, verified again.
//!
//! Where the disk has changed what is in force, the generation before it takes its place, and then what the package brought; each
//! issuer on its own, and each time it is said.

use std::path::Path;

use cache::{
    log::Fault,
    trust_store::{Slot, StoredRepository, TrustStore},
};
use trustlist::{
    region::{NATIONAL, Region},
    status::delta::is_delta,
    time::UnixTime,
    trust::{Repository, Trust},
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

fn put_together(
    store: &TrustStore,
    mut seed: Option<FolderMirror>,
    staged: &[Region],
) -> Result<Option<LoadedLists>, Error> {
    let unreadable = |fault| Error::StoreUnreadable(store.path().to_owned(), fault);
    let (mut national, mut others) = (None, Vec::new());
    let (mut previous, mut from_seed) = (Vec::new(), Vec::new());
    for issuer in store.issuers().map_err(unreadable)? {
        let slots: &[Slot] = if staged.contains(&issuer) {
            &[Slot::Staged, Slot::Current, Slot::Previous]
        } else {
            &[Slot::Current, Slot::Previous]
        };
        let found = match newest_that_verifies(store, issuer, slots).map_err(unreadable)? {
            StoredState::None => continue,
            StoredState::Whole(repository, slot) => {
                if slot == Slot::Previous {
                    previous.push(issuer);
                }
                repository
            }
            StoredState::Broken => {
                from_seed.push(issuer);
                let roots = store.roots(issuer).map_err(unreadable)?;
                let brought = seed.as_mut().zip(roots.first());
                match brought.and_then(|(seed, (_, root))| repository(seed, issuer, root, super::MAX_TOGETHER).ok()) {
                    Some(repository) => repository,
                    None if issuer == NATIONAL => {
                        return Err(Error::NationalDoesNotVerify);
                    }
                    None => continue,
                }
            }
        };
        if issuer == NATIONAL {
            national = Some(found);
        } else {
            others.push(found);
        }
    }
    if national.is_none() {
        national = seed.as_mut().and_then(|seed| brought_national(store, seed));
    }
    let Some(national) = national else { return Ok(None) };
    // Whoever has not been heard of since the package was made is judged by what it brought: learning of others takes nothing from them.
    if let Some(seed) = seed.as_mut() {
        let known: Vec<Region> = others.iter().map(|other| other.issuer).chain(from_seed.iter().copied()).collect();
        for (issuer, root) in pinned_roots(&national.targets) {
            if !known.contains(&issuer) && store.floors().of(issuer).is_none() {
                others.extend(repository(seed, issuer, &root, super::MAX_TOGETHER));
            }
        }
    }
    let (trust, faults) = Trust::assemble(national, others).map_err(Error::StoredUnusable)?;
    for fault in faults {
        log::warn!("{fault}");
    }
    let behind = store.behind().map_err(unreadable)?;
    let ahead = store.ahead().map_err(unreadable)?;
    let remarks = [
        ("list-previous", previous),
        ("list-fallback", from_seed),
        ("list-lost", behind),
        ("list-from-the-future", ahead),
    ];
    let remarks = remarks.into_iter().filter(|(_, issuers)| !issuers.is_empty());
    let remarks = remarks.map(|(code, issuers)| ListRemark { code, detail: named(&issuers) }).collect();
    Ok(Some(LoadedLists { trust, remarks }))
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
