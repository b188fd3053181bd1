//! What lives as long as the process, so that no reload loses it. Only the session holds it whole; every part is given what it needs of it.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use host::{believed_time::BelievedTime, causes::WithCauses, clock::Clock, config::Config, instance};
use page::{metrics::Metrics, second_line::SecondLineBoard};
use sync::{lists::LoadedLists, upload};
use tokio::sync::watch;
use trustlist::trust::Trust;

use super::{
    lists_in_force::{ListsHealth, ListsInForce},
    log_health::LogHealth,
    overrides::SignedBefore,
    recent_scans::RecentScans,
    setup::{DaemonEvent, Setup},
};

/// Time since the daemon began, on the monotonic clock. Clones count from the same moment.
#[derive(Clone)]
pub struct Uptime {
    clock: Clock,
    began: Instant,
}

impl Uptime {
    /// Begins now.
    pub fn new(clock: &Clock) -> Uptime {
        Uptime { clock: clock.clone(), began: clock.now() }
    }

    /// How long it has been.
    pub fn now(&self) -> Duration {
        self.clock.since(self.began)
    }
}

/// Whoever listens to what happens, if anybody does.
#[derive(Clone)]
pub struct Events(Option<mpsc::Sender<DaemonEvent>>);

impl Events {
    /// Tells them.
    pub fn emit(&self, event: DaemonEvent) {
        if let Some(observer) = &self.0 {
            // An observer that has gone is nobody's loss.
            let _ = observer.send(event);
        }
    }
}

/// What lives as long as the process.
pub struct Process {
    /// The monotonic clock's zero.
    pub uptime: Uptime,
    /// The time as this device believes it.
    pub time: BelievedTime,
    /// The lists that everybody judges by.
    pub lists: ListsInForce,
    /// How they are.
    pub lists_health: ListsHealth,
    /// How the scan log is.
    pub log_health: LogHealth,
    /// How the upload does, where rows are sent from here.
    pub upload: watch::Sender<upload::Status>,
    /// The configuration in force, for codes that would change it.
    pub in_force: Arc<ArcSwap<Config>>,
    /// The latest verdicts.
    pub recent: RecentScans,
    /// Counters.
    pub metrics: Metrics,
    /// Who waits at the second line.
    pub second_line: SecondLineBoard,
    /// The number that this daemon drew at its start.
    pub instance: String,
    /// When each officer's key signed last.
    pub signed_before: SignedBefore,
    /// Whoever listens.
    pub events: Events,
}

impl Process {
    /// Begins with a configuration and the lists that are on this device.
    pub fn new(setup: &Setup, config: &Config) -> Process {
        let LoadedLists { trust, remarks } = (setup.lists)(config).unwrap_or_else(|failure| {
            log::error!("no lists: {}; every traveller is referred", WithCauses(&failure));
            LoadedLists { trust: Trust::none(), remarks: Vec::new() }
        });
        let (lists, lists_health) = (ListsInForce::new(Trust::none()), ListsHealth::default());
        lists.replace(LoadedLists { trust, remarks }, &lists_health);
        let runtime = &config.places.runtime;
        Process {
            uptime: Uptime::new(&setup.clock),
            time: BelievedTime::new(setup.clock.clone(), runtime, None),
            lists,
            lists_health,
            log_health: LogHealth::default(),
            upload: watch::Sender::new(upload::Status::default()),
            in_force: Arc::new(ArcSwap::from_pointee(config.clone())),
            recent: RecentScans::default(),
            metrics: Metrics::new(config.lane.iter().map(|lane| lane.id.as_str())),
            second_line: SecondLineBoard::new(config.checkpoint.id.clone()),
            instance: announced(runtime),
            signed_before: SignedBefore::default(),
            events: Events(setup.observer.clone()),
        }
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        self.time.clock()
    }

    /// Another configuration is in force.
    pub fn now_in_force(&mut self, config: &Config) {
        let before = self.in_force.swap(Arc::new(config.clone()));
        self.metrics.begin_lanes(config.lane.iter().map(|lane| lane.id.as_str()));
        self.second_line = self.second_line.at(config.checkpoint.id.clone());
        let runtime = &config.places.runtime;
        if before.places.runtime != *runtime {
            self.time = self.time.with_runtime(runtime);
            self.instance = announced(runtime);
        }
    }
}

fn announced(runtime: &Path) -> String {
    instance::announce(runtime).unwrap_or_else(|error| {
        let runtime = runtime.display();
        log::warn!("{runtime}: {error}; checkpointd status cannot tell this daemon from another");
        String::new()
    })
}
