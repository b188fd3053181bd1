//! What lanes, page and report share. A lane reads values that are replaced whole, counts, and tells through mutexes that
//! nobody holds for longer than a copy takes: it waits for no other thread.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use devices::readers::tally::Tally;
use host::{believed_time::BelievedTime, clock::Clock, config::Config};
use lane::{
    liveness::Lifeless,
    queue::{LaneHistory, Scan},
    watchdog::CameraState,
};
use page::{metrics::Metrics, second_line::SecondLineBoard, status::RecentScan};
use sync::{
    lists::{ListRemark, LoadedLists},
    update::{activation::PendingUpdate, round::LastSync},
    upload,
};
use tokio::sync::watch;
use trustlist::{
    region::Region,
    time::Moment,
    trust::Trust,
    verdict::{Reason, Verdict},
};

use super::setup::DaemonEvent;

/// Verdicts the operator's page lists.
const RECENT: usize = 20;
/// How long a screen says that a configuration code was taken, before the shift begins anew.
const SAY_FOR: Duration = Duration::from_secs(3);

/// What all threads of one shift share.
pub struct Shared {
    /// The configuration of this shift.
    pub config: Config,
    /// Whose gate this is.
    pub relying: Region,
    /// The lists in force.
    pub trust: ArcSwap<Trust>,
    /// What is not as it should be with where they come from.
    pub remarks: Mutex<Vec<ListRemark>>,
    /// The time as this device believes it.
    pub time: BelievedTime,
    /// The number that this daemon drew at its start.
    pub instance: String,
    /// Counters.
    pub metrics: Metrics,
    /// Who waits at the second line.
    pub second_line: SecondLineBoard,
    /// The monotonic clock's zero.
    pub started: Instant,
    /// One for each lane of the configuration, in its order.
    pub lanes: Vec<LaneBoard>,
    /// A damaged log was set aside at this start.
    pub log_set_aside: Option<String>,
    /// What came of the latest sync, whoever did it.
    pub sync: Mutex<LastSync>,
    /// Newer lists that wait, and why.
    pub held: Mutex<Option<PendingUpdate>>,
    /// Rows cannot be written, and why.
    pub log_trouble: Mutex<Option<String>>,
    /// Rows that are old enough to go and are owed to a centre.
    pub log_overdue: Mutex<Option<u64>>,
    /// The log is damaged where nothing has touched it yet.
    pub log_damaged: OnceLock<String>,
    /// How the upload does, where rows are sent from here.
    pub upload: watch::Sender<upload::Status>,
    /// When the configuration is to be read anew, in milliseconds since the start; 0 for not.
    reload_at: AtomicU64,
    /// A code asked for newer lists than are here.
    lists_wanted: AtomicBool,
    recent: Mutex<VecDeque<RecentScan>>,
    observer: Option<mpsc::Sender<DaemonEvent>>,
}

/// What one lane tells the others.
#[derive(Default)]
pub struct LaneBoard {
    /// 0 before anything is known, 1 while frames arrive, 2 while none does.
    camera: AtomicU8,
    /// Why none does.
    pub camera_trouble: Mutex<Option<String>>,
    /// Milliseconds since the start at which the lane's loop last went round.
    beat: AtomicU64,
    /// What has been the matter with its pictures for long.
    pub lifeless: Mutex<Option<Lifeless>>,
    /// What came of its engines' texts.
    pub readers: Mutex<Vec<Arc<Tally>>>,
    /// Frames looked at.
    pub frames: AtomicU64,
    /// The gate did not do as it was told.
    pub gate_trouble: Mutex<Option<String>>,
    /// The fire or egress contact holds the gate open.
    pub alarm: AtomicBool,
    /// Rows that came too late for the gate to wait.
    pub late_rows: AtomicU64,
    /// When the last of those was, in milliseconds since the start; 0 for never.
    pub late_at: AtomicU64,
    /// What the eye would have liked when it last saw something and did not read it, and when that was.
    pub no_read: Mutex<Option<(&'static str, Duration)>>,
    /// The lane's thread has ended.
    pub ended: AtomicBool,
    history: Mutex<LaneHistory>,
}

/// A value behind a lock that a panic elsewhere cannot leave half done.
pub fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LaneBoard {
    /// Whether frames arrive.
    pub fn camera(&self) -> CameraState {
        match self.camera.load(Ordering::Relaxed) {
            0 => CameraState::Unknown,
            1 => CameraState::Up,
            _ => CameraState::Lost,
        }
    }

    /// Says whether frames arrive.
    pub fn set_camera(&self, camera: CameraState) {
        let code = match camera {
            CameraState::Unknown => 0,
            CameraState::Up => 1,
            CameraState::Lost => 2,
        };
        self.camera.store(code, Ordering::Relaxed);
    }

    /// The loop goes round.
    pub fn beats(&self, now: Duration) {
        self.beat.store(millis(now), Ordering::Relaxed);
    }

    /// How long ago the loop last went round.
    pub fn silent_for(&self, now: Duration) -> Duration {
        Duration::from_millis(millis(now).saturating_sub(self.beat.load(Ordering::Relaxed)))
    }

    /// A row came too late for the gate to wait.
    pub fn row_was_late(&self, now: Duration) {
        self.late_rows.fetch_add(1, Ordering::Relaxed);
        self.late_at.store(millis(now).max(1), Ordering::Relaxed);
    }

    /// The lane's recent past.
    pub fn history(&self) -> LaneHistory {
        lock(&self.history).clone()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Shared {
    /// For one shift.
    pub fn new(
        config: Config,
        relying: Region,
        lists: LoadedLists,
        clock: &Clock,
        observer: Option<mpsc::Sender<DaemonEvent>>,
    ) -> Shared {
        let time = BelievedTime::new(clock.clone(), &config.places.runtime, None);
        Shared {
            lanes: config.lane.iter().map(|_| LaneBoard::default()).collect(),
            instance: String::new(),
            metrics: Metrics::new(config.lane.iter().map(|lane| lane.id.as_str())),
            second_line: SecondLineBoard::new(config.checkpoint.id.clone()),
            config,
            relying,
            trust: ArcSwap::from_pointee(lists.trust),
            remarks: Mutex::new(lists.remarks),
            started: clock.now(),
            time,
            log_set_aside: None,
            sync: Mutex::new(LastSync::default()),
            held: Mutex::new(None),
            log_trouble: Mutex::new(None),
            log_overdue: Mutex::new(None),
            log_damaged: OnceLock::new(),
            upload: watch::Sender::new(upload::Status::default()),
            reload_at: AtomicU64::new(0),
            lists_wanted: AtomicBool::new(false),
            recent: Mutex::new(VecDeque::new()),
            observer,
        }
    }

    /// Since the start.
    pub fn now(&self) -> Duration {
        self.time.clock().since(self.started)
    }

    /// Asks for the configuration to be read anew once the screens have said why.
    pub fn reload_soon(&self) {
        self.reload_at.store(millis(self.now() + SAY_FOR).max(1), Ordering::Relaxed);
    }

    /// Whether that is due; it is said once.
    pub fn reload_is_due(&self) -> bool {
        let at = self.reload_at.load(Ordering::Relaxed);
        let due = at != 0 && millis(self.now()) >= at;
        if due {
            self.reload_at.store(0, Ordering::Relaxed);
        }
        due
    }

    /// Whether a code asked for newer lists since this was last asked.
    pub fn lists_are_wanted(&self) -> bool {
        self.lists_wanted.swap(false, Ordering::Relaxed)
    }

    /// The calendar, as far as it is believed with these lists.
    pub fn moment(&self, trust: &Trust) -> Moment {
        self.time.moment(trust)
    }

    /// Counts a verdict and remembers it for the pages.
    pub fn scanned(&self, lane: usize, scan: Scan, recent: RecentScan) {
        if scan.reason == Reason::KeyNewerThanList {
            self.lists_wanted.store(true, Ordering::Relaxed);
        }
        self.metrics.scan(&self.config.lane[lane].id, scan.verdict, scan.reason, scan.took);
        lock(&self.lanes[lane].history).add(scan);
        let mut list = lock(&self.recent);
        list.truncate(RECENT - 1);
        list.push_front(recent);
    }

    /// The latest verdicts, newest first.
    pub fn recent(&self) -> Vec<RecentScan> {
        lock(&self.recent).iter().cloned().collect()
    }

    /// An officer decided otherwise: the page shows it.
    pub fn overridden(&self, scan: &str, verdict: Verdict) {
        let mut list = lock(&self.recent);
        for recent in list.iter_mut().filter(|recent| recent.scan.as_deref() == Some(scan)) {
            recent.by_hand = Some(verdict.code().to_owned());
        }
    }

    /// Tells whoever listens.
    pub fn emit(&self, event: DaemonEvent) {
        if let Some(observer) = &self.observer {
            // An observer that has gone is nobody's loss.
            let _ = observer.send(event);
        }
    }

    /// Puts newer lists in force, whole.
    pub fn take(&self, lists: LoadedLists) {
        self.trust.store(Arc::new(lists.trust));
        *lock(&self.remarks) = lists.remarks;
    }
}
