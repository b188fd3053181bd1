//! Keeps the lists: asks the mirrors by the clock and when the link comes up, looks into the inbox, and puts what is newer in force.
//! A thread of its own; other processes (a command, a sync service) may write to the store too, and what they bring counts as well.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, SystemTime},
};

use cache::trust_store::TrustStore;
use host::{believed_time::BelievedTime, causes::WithCauses, config::Config};
use page::metrics::Metrics;
use sync::{
    error::Error,
    update::{
        Connections, Outcome, SyncResult, activation, link,
        round::{self, Round},
        schedule::{SyncSchedule, jitter},
        sync_request,
    },
};
use trustlist::{
    region::{NATIONAL, Region},
    time::Moment,
    trust::Trust,
};

use super::{
    lists_in_force::{ListsHealth, ListsInForce},
    setup::LoadLists,
};

/// How often it is looked whether somebody brought lists.
const LOOK: Duration = Duration::from_secs(2);

/// Length and time of files: they change whenever somebody writes them.
type Stamps = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// What keeps the lists: its slice of the configuration, and one narrow handle for each thing of others.
pub struct ListUpdater {
    /// Where lists come from.
    pub config: Config,
    /// Loads and verifies the lists that are on this device.
    pub load: LoadLists,
    /// The time as this device believes it, and the clock.
    pub time: BelievedTime,
    /// The lists in force.
    pub lists: ListsInForce,
    /// How they are.
    pub health: ListsHealth,
    /// Counters.
    pub metrics: Metrics,
}

/// Keeps the lists until the other end of `stop` is dropped.
pub fn keep(updater: &ListUpdater, stop: &Receiver<()>) {
    let ListUpdater { config, time, lists, .. } = updater;
    let (sync, clock) = (&config.sync, time.clock());
    let inbox = sync.inbox.clone().unwrap_or_else(|| config.places.inbox());
    let store = config.places.trust_store();
    // Where another process has the network it asks, and what it brings is found in the store.
    let asks = !sync.mirrors.is_empty() && !config.network.apart;
    let up = if asks { link::listen() } else { None };
    let mut mirrors = SyncSchedule::of_mirrors(sync, clock.now(), jitter());
    let mut connections = Connections::default();
    // A stick that is still being copied looks broken at first.
    let mut brought = SyncSchedule::new(sync.every, LOOK, clock.now());
    let mut seen_in_inbox = Stamps::new();
    let mut inbox_is_done = true;
    let mut seen_in_store = Stamps::new();
    let mut in_force = generations(&lists.now());
    loop {
        let now = clock.now();
        if up.as_ref().is_some_and(|up| up.try_recv().is_ok()) {
            mirrors.link_is_up(now, jitter());
        }
        if lists.newer_are_wanted() {
            if asks {
                mirrors.wanted(now);
            } else if config.network.apart
                && let Err(error) = sync_request::ask(config)
            {
                log::warn!("newer lists are wanted, and the process with the network cannot be told: {error}");
            }
        }
        let there = timestamps(&inbox);
        if there != seen_in_inbox {
            seen_in_inbox = there;
            inbox_is_done = seen_in_inbox.is_empty();
            brought = SyncSchedule::new(sync.every, LOOK, now);
        }
        if !inbox_is_done && brought.due(now) {
            inbox_is_done =
                updater.round(|store, moment| round::folder(config, store, &inbox, None, moment)) == Some(Whole::Yes);
            brought.ended(false, now, jitter());
        }
        if asks && mirrors.due(now) {
            let mut peace = None;
            let word = updater.round(|store, moment| {
                let round = round::mirrors(config, store, &mut connections, moment, &mut |_, _| ());
                peace = round.as_ref().ok().and_then(|round| round.report.peace);
                round
            });
            mirrors.ended(word.is_some(), clock.now(), jitter());
            if let Some(peace) = peace.take() {
                mirrors.not_before(peace, clock.now());
            }
        }
        let there = stamps(&[store.clone(), store.with_extension("db-wal")]);
        let deadline = updater.health.now().held.map(|held| held.until.0);
        if there != seen_in_store || deadline.is_some_and(|deadline| clock.unix().0 >= deadline) {
            if let Err(failure) = updater.take_what_is_in_force(&mut in_force) {
                log::error!("newer lists are stored and cannot be loaded: {}", WithCauses(&failure));
            }
            seen_in_store = stamps(&[store.clone(), store.with_extension("db-wal")]);
        }
        match stop.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) => (),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Which repositories lie in a folder, by their timestamps: they change with every publication.
fn timestamps(folder: &Path) -> Stamps {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    stamps(&entries.map(|entry| entry.path().join("metadata/timestamp.json")).collect::<Vec<_>>())
}

fn stamps(files: &[PathBuf]) -> Stamps {
    let stamp = |path: &PathBuf| {
        let file = fs::metadata(path).ok()?;
        Some((path.clone(), (file.len(), file.modified().ok())))
    };
    files.iter().filter_map(stamp).collect()
}

/// Whether everything that was offered could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

impl ListUpdater {
    /// One round, told to whom it concerns; `None` when it failed.
    fn round(&self, attempt: impl FnOnce(&mut TrustStore, Moment) -> Result<Round, Error>) -> Option<Whole> {
        let moment = self.time.moment(&self.lists.now());
        let result = round::open(&self.config).and_then(|mut store| attempt(&mut store, moment));
        let word = result.as_ref().map_or(SyncResult::Failed, |round| round.report.result());
        self.metrics.sync(word.code());
        match &result {
            Ok(Round { report, .. }) => {
                let said = report.to_string().replace('\n', "; ");
                match word {
                    SyncResult::Updated => log::info!("lists: {said}"),
                    SyncResult::Failed | SyncResult::Waiting => log::warn!("lists: {said}"),
                    SyncResult::Unchanged => log::debug!("lists: {said}"),
                }
            }
            Err(failure) => {
                let failure = WithCauses(failure).to_string();
                log::warn!("lists: {failure}");
                // What could not be written into the store is said here alone.
                self.health.sync_failed(failure);
            }
        }
        let report = result.ok().filter(|_| word != SyncResult::Failed)?.report;
        let torn = |outcome: &Outcome| matches!(outcome, Outcome::Refused { .. } | Outcome::Unreachable { .. });
        Some(if report.issuers.values().any(torn) { Whole::No } else { Whole::Yes })
    }

    /// Looks into the store: what waited long enough comes into force, and what is in force there is put in force here.
    fn take_what_is_in_force(&self, in_force: &mut BTreeMap<Region, u64>) -> Result<(), Error> {
        if !self.config.places.trust_store().exists() {
            return Ok(());
        }
        let mut store = round::open(&self.config)?;
        let settled = activation::settle(&self.config, &mut store, self.time.moment(&self.lists.now()))?;
        let last = round::last(&store)?;
        if last.last_attempt.is_some() {
            self.health.synced(last);
        }
        let before = self.health.hold(settled.held.clone());
        match (before, &settled.held) {
            (None, Some(held)) => {
                log::warn!("newer lists wait for a word (checkpointd trust activate): {}", held.line())
            }
            (Some(_), None) => log::info!("nothing waits any more"),
            _ => (),
        }
        let mut now = store.in_force()?;
        // What is dated ahead is told with the lists.
        now.extend(store.ahead()?.into_iter().map(|issuer| (issuer, u64::MAX)));
        drop(store);
        if std::mem::replace(in_force, now.clone()) != now {
            self.lists.replace((self.load)(&self.config)?, &self.health);
        }
        Ok(())
    }
}

/// The generations that these lists were put together from.
fn generations(trust: &Trust) -> BTreeMap<Region, u64> {
    let issuers = trust.issuers().filter_map(|issuer| Some((issuer.entry.id, issuer.repository?.generation)));
    issuers.chain([(NATIONAL, trust.national().generation)]).collect()
}
