//! One round: the mirrors in their order; or what lies in a folder. Then into force with what may.

use std::path::Path;

use cache::trust_store::{Note, TrustStore};
use host::config::Config;
use serde::{Deserialize, Serialize};
use trustlist::{
    region::NATIONAL,
    time::Moment,
    tuf::{Answer, MAX_METADATA},
};

use super::{
    MirrorAccess, SyncReport, SyncResult, TrustAnchor, WebMirror,
    activation::{self, PendingUpdate},
    sync,
};
use crate::{
    error::Error,
    lists::{FolderMirror, Mirror, folder::with_repositories},
};

/// What came of a round.
#[derive(Debug)]
pub struct Round {
    /// Each issuer.
    pub report: SyncReport,
    /// What waits.
    pub held: Option<PendingUpdate>,
}

/// What came of the latest sync, for whoever did not see it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LastSync {
    /// Unix seconds of the last attempt.
    pub last_attempt: Option<i64>,
    /// What it came to.
    pub last_result: Option<String>,
    /// Unix seconds at which one last ended with verified lists.
    pub last_success: Option<i64>,
}

/// Opens this device's store.
///
/// # Errors
/// When it is damaged or not ours.
pub fn open(config: &Config) -> Result<TrustStore, Error> {
    Ok(TrustStore::open(&config.places.trust_store())?)
}

/// The national root that the package's seed brings.
#[must_use]
pub fn seed_root(config: &Config) -> Option<Vec<u8>> {
    let mut seed = FolderMirror::open(&config.trust.seed).ok()?;
    match seed.fetch(&format!("{NATIONAL}/metadata/1.root.json"), MAX_METADATA) {
        Answer::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// Asks the mirrors one after the other, and takes each issuer from the one where it is newest and whole. `watch` is told each file, and its bytes.
///
/// # Errors
/// When none is configured, or the store cannot be used.
pub fn mirrors(
    config: &Config,
    store: &mut TrustStore,
    moment: Moment,
    watch: &mut dyn FnMut(&str, usize),
) -> Result<Round, Error> {
    let seed = seed_root(config);
    let anchor = TrustAnchor { first_root: seed.as_deref(), moment };
    let (mut merged, mut failure): (Option<SyncReport>, Option<Error>) = (None, None);
    for mirror in &config.sync.mirrors {
        let mut ask = |store: &mut TrustStore| match mirror.folder() {
            Some(folder) => {
                sync(store, &mut CountedMirror(FolderMirror::open(folder)?, &mut *watch), &mirror.0, &anchor)
            }
            None => {
                let web = WebMirror::new(&mirror.0, &MirrorAccess::from(&config.sync))?;
                sync(store, &mut CountedMirror(web, &mut *watch), &mirror.0, &anchor)
            }
        };
        match ask(store) {
            Ok(report) => {
                merged = Some(match merged {
                    Some(before) => before.and(report),
                    None => report,
                });
            }
            // A folder that is not mounted is no reason not to ask the next.
            Err(error) => failure = Some(error),
        }
    }
    let report = merged.ok_or_else(|| failure.unwrap_or(Error::NoMirrors))?;
    finish(config, store, moment, report)
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
    moment: Moment,
) -> Result<Round, Error> {
    let found = with_repositories(folder);
    let folder = match found.as_slice() {
        [one] => one.as_path(),
        [] => folder,
        several => return Err(Error::SeveralPlaces(several.to_vec())),
    };
    let mut mirror = FolderMirror::open(folder)?;
    let seed = seed_root(config);
    let anchor = TrustAnchor { first_root: vouched_root.or(seed.as_deref()), moment };
    let report = sync(store, &mut mirror, &folder.display().to_string(), &anchor)?;
    finish(config, store, moment, report)
}

fn finish(config: &Config, store: &mut TrustStore, moment: Moment, mut report: SyncReport) -> Result<Round, Error> {
    let settled = activation::settle(config, store, moment)?;
    settled.tell(&mut report.issuers, store)?;
    remember(store, &report, moment.at.0)?;
    Ok(Round { report, held: settled.held })
}

/// What came of the latest sync into this store.
///
/// # Errors
/// When the store cannot be read.
pub fn last(store: &TrustStore) -> Result<LastSync, Error> {
    let note = store.note(Note::Sync)?;
    Ok(note.and_then(|note| serde_json::from_str(&note).ok()).unwrap_or_default())
}

fn remember(store: &mut TrustStore, report: &SyncReport, at: i64) -> Result<(), Error> {
    let last_success = if report.result() == SyncResult::Failed { last(store)?.last_success } else { Some(at) };
    let last_result = Some(format!("{} from {}", report.result().code(), report.source));
    let note = LastSync { last_attempt: Some(at), last_result, last_success };
    Ok(store.set_note(Note::Sync, Some(&serde_json::to_string(&note).expect("plain data")))?)
}

/// Tells somebody of each file.
struct CountedMirror<'a, M>(M, &'a mut dyn FnMut(&str, usize));

impl<M: Mirror> Mirror for CountedMirror<'_, M> {
    fn fetch(&mut self, path: &str, limit: u64) -> Answer {
        let answer = self.0.fetch(path, limit);
        if let Answer::Bytes(bytes) = &answer {
            (self.1)(path, bytes.len());
        }
        answer
    }
}
