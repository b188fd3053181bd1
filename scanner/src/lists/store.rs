//! Lists from the device's own store: what was accepted, verified again.

use cache::trust_store::{Slot, StoredRepository, TrustStore};
use trustlist::{
    region::{NATIONAL, Region},
    status::delta::is_delta,
    trust::{Repository, Trust},
    tuf::Trusted,
};

use crate::failure::Failure;

/// Everything the store holds, put together; `None` while it holds no national list.
///
/// # Errors
/// When the store cannot be read, or neither national generation can be verified.
pub fn from_store(store: &TrustStore) -> Result<Option<Trust>, Failure> {
    let unreadable = |fault| {
        Failure::new(format!("the trust store cannot be read; keep {} for the technician", store.path().display()))
            .because(fault)
    };
    let mut national = None;
    let mut others = Vec::new();
    for issuer in store.issuers().map_err(unreadable)? {
        let Some(repository) = newest_that_verifies(store, issuer).map_err(unreadable)? else { continue };
        if issuer == NATIONAL {
            national = Some(repository);
        } else {
            others.push(repository);
        }
    }
    let Some(national) = national else { return Ok(None) };
    let (trust, faults) = Trust::assemble(national, others)
        .map_err(|error| Failure::new("the stored lists cannot be used").because(error))?;
    for fault in faults {
        log::warn!("{fault}");
    }
    Ok(Some(trust))
}

/// The current generation of an issuer, or where the disk has changed it, the one before.
fn newest_that_verifies(store: &TrustStore, issuer: Region) -> Result<Option<Repository>, cache::log::Fault> {
    for slot in [Slot::Current, Slot::Previous] {
        let Some(stored) = store.repository(issuer, slot)? else { continue };
        match verified(store, issuer, &stored)? {
            Some(repository) => return Ok(Some(repository)),
            None => log::error!("{issuer}: the stored {slot:?} generation {} does not verify", stored.generation),
        }
    }
    Ok(None)
}

fn verified(
    store: &TrustStore,
    issuer: Region,
    stored: &StoredRepository,
) -> Result<Option<Repository>, cache::log::Fault> {
    let Some(trusted) = restored(store, issuer, stored)? else { return Ok(None) };
    let Some(role) = trusted.targets("targets") else { return Ok(None) };
    let mut kept = role.signed.targets.iter().filter(|(name, _)| !is_delta(name));
    let whole = kept.all(|(name, target)| stored.targets.get(name).is_some_and(|bytes| target.is(bytes)));
    let coherent = trusted.snapshot_is_current() && trusted.targets_are_current("targets");
    Ok((whole && coherent).then(|| trusted.repository(issuer, stored.targets.clone())))
}

/// The trusted state of what is stored; `None` when a role of it does not verify.
///
/// # Errors
/// When the store cannot be read.
fn restored(
    store: &TrustStore,
    issuer: Region,
    stored: &StoredRepository,
) -> Result<Option<Trusted>, cache::log::Fault> {
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
