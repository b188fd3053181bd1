//! One round: the mirrors in their order; or what lies in a folder. Then into force with what may.

use std::{path::Path, time::Duration};

use cache::trust_store::{Note, TrustStore};
use host::config::Config;
use serde::{Deserialize, Serialize};
use trustlist::{
    region::{NATIONAL, Region},
    time::Moment,
    tuf::{Answer, MAX_METADATA},
};

use super::{
    Connections, IndexedMirror, MirrorAccess, SyncReport, SyncResult, TrustAnchor,
    activation::{self, PendingUpdate},
    founding, sync, sync_some,
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
/// A mirror that has an index says with one request what is new, so each of them is asked. One that has none, after one that had everything, is
/// asked for what lacks and for two issuers in turn, so that no mirror can hold an issuer back for long.
///
/// # Errors
/// When none is configured, or the store cannot be used.
pub fn mirrors(
    config: &Config,
    store: &mut TrustStore,
    connections: &mut Connections,
    moment: Moment,
    watch: &mut dyn FnMut(&str, usize),
) -> Result<Round, Error> {
    let seed = seed_root(config);
    let anchor = TrustAnchor { first_root: seed.as_deref(), moment };
    let mut merged = Merged::default();
    for mirror in &config.sync.mirrors {
        let mut ask = |store: &mut TrustStore| match mirror.folder() {
            Some(folder) => {
                let mut folder = CountedMirror(FolderMirror::open(folder)?, &mut *watch);
                sync(store, &mut folder, &mirror.0, &anchor)
            }
            None => {
                let web = connections.mirror(&mirror.0, &MirrorAccess::from(&config.sync))?;
                let mut web = CountedMirror(IndexedMirror::ask(web, &mirror.0, store)?, &mut *watch);
                let in_turn = (!web.0.has_index()).then(|| web.0.take_turns(store)).transpose()?;
                let wanted =
                    |issuer| in_turn.as_ref().is_none_or(|turn| merged.lacks(issuer) || turn.contains(&issuer));
                let report = sync_some(store, &mut web, &mirror.0, &anchor, &wanted);
                web.0.remember(store)?;
                report
            }
        };
        match ask(store) {
            Ok(report) => merged.add(report),
            // A folder that is not mounted is no reason not to ask the next.
            Err(error) => merged.failure = Some(error),
        }
    }
    let addresses: Vec<&str> = config.sync.mirrors.iter().map(|mirror| mirror.0.as_str()).collect();
    store.forget_other_mirrors(&addresses)?;
    finish(config, store, moment, merged.end()?)
}

/// What came of the mirrors so far.
#[derive(Default)]
struct Merged {
    report: Option<SyncReport>,
    failure: Option<Error>,
}

impl Merged {
    fn add(&mut self, report: SyncReport) {
        self.report = Some(match self.report.take() {
            Some(before) => before.and(report),
            None => report,
        });
    }

    /// Whether no mirror so far had everything of an issuer.
    fn lacks(&self, issuer: Region) -> bool {
        let came = self.report.as_ref().and_then(|report| report.issuers.get(&issuer));
        came.is_none_or(|outcome| !outcome.is_good())
    }

    fn end(self) -> Result<SyncReport, Error> {
        self.report.ok_or_else(|| self.failure.unwrap_or(Error::NoMirrors))
    }
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
    let founded = match vouched_root {
        Some(root) => founding::found_anew(store, &mut mirror, root, moment)?,
        None => None,
    };
    let mut report = sync(store, &mut mirror, &folder.display().to_string(), &anchor)?;
    report.issuers.extend(founded.map(|outcome| (NATIONAL, outcome)));
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
    fn is_there(&self) -> bool {
        self.0.is_there()
    }

    fn asks_for_peace(&self) -> Option<Duration> {
        self.0.asks_for_peace()
    }

    fn walk(&mut self, issuer: Region) -> bool {
        self.0.walk(issuer)
    }

    fn fetch(&mut self, path: &str, limit: u64) -> Answer {
        let answer = self.0.fetch(path, limit);
        if let Answer::Bytes(bytes) = &answer {
            (self.1)(path, bytes.len());
        }
        answer
    }
}
