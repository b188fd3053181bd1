//! One round: the mirrors in their order, until one answers; or what lies in the inbox.

use std::path::Path;

use cache::trust_store::TrustStore;
use trustlist::{
    freshness,
    region::NATIONAL,
    time::{TimeTrust, UnixTime},
    tuf::{Answer, MAX_METADATA},
};

use super::{Anchor, Report, Web, Word, sync};
use crate::{
    clock,
    config::Config,
    failure::Failure,
    lists::{Folder, Mirror},
};

/// The store's file of this device.
#[must_use]
pub fn store_path(config: &Config) -> std::path::PathBuf {
    config.places.state.join("trust").join("store.db")
}

/// Opens this device's store.
///
/// # Errors
/// When it is damaged or not ours.
pub fn open(config: &Config) -> Result<TrustStore, Failure> {
    TrustStore::open(&store_path(config))
        .map_err(|fault| Failure::new("the trust store cannot be opened").because(fault))
}

/// The national root that the package's seed brings.
#[must_use]
pub fn seed_root(config: &Config) -> Option<Vec<u8>> {
    let mut seed = Folder::open(&config.trust.seed).ok()?;
    match seed.fetch(&format!("{NATIONAL}/metadata/1.root.json"), MAX_METADATA) {
        Answer::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// Now, or where the clock is below what is certain, that.
#[must_use]
pub fn now(certain: Option<UnixTime>) -> UnixTime {
    let floor = freshness::floor(clock::built(), None, certain);
    let moment = clock::now(floor, Path::new(clock::TIMESYNC_MARKER));
    if moment.trust == TimeTrust::Untrusted { floor } else { moment.at }
}

/// Asks the mirrors one after the other; the first that can be reached decides.
///
/// # Errors
/// When none is configured, or the store cannot be used.
pub fn mirrors(config: &Config, store: &mut TrustStore, certain: Option<UnixTime>) -> Result<Report, Failure> {
    let seed = seed_root(config);
    let anchor = Anchor { first_root: seed.as_deref(), now: now(certain) };
    let mut last = None;
    for mirror in &config.sync.mirrors {
        let report = match mirror.folder() {
            Some(folder) => sync(store, &mut Folder::open(folder)?, &mirror.0, &anchor)?,
            None => sync(store, &mut Web::new(&mirror.0, config.sync.timeout), &mirror.0, &anchor)?,
        };
        if report.word() != Word::Failed {
            return Ok(report);
        }
        last = Some(report);
    }
    last.ok_or_else(|| {
        Failure::new("no mirrors are configured; set sync.mirrors, or bring lists with checkpointd trust import")
    })
}

/// Takes what a folder offers.
///
/// # Errors
/// When it is no folder of repositories, or the store cannot be used.
pub fn folder(
    config: &Config,
    store: &mut TrustStore,
    folder: &Path,
    vouched_root: Option<&[u8]>,
    certain: Option<UnixTime>,
) -> Result<Report, Failure> {
    let mut mirror = Folder::open(folder)?;
    let seed = seed_root(config);
    let anchor = Anchor { first_root: vouched_root.or(seed.as_deref()), now: now(certain) };
    sync(store, &mut mirror, &folder.display().to_string(), &anchor)
}
