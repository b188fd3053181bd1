//! The scan log of the daemon: one for all its sessions, because a reload must not wait for a disk. It is opened on a thread of its own, so
//! that a disk that hangs at the start costs admissions and nothing else; it is begun with a row about the program, swept, and closed with
//! its end anchored.

use std::{
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use cache::{
    log::{
        Admissions, Event, Options, Owed, PendingOpen, ScanLog, UnixMillis, Writer, device_key, openings::Bounds,
        retention::Retention,
    },
    machine::Machine,
    state_lock::StateLock,
};
use data_encoding::HEXLOWER;
use host::{
    believed_time::BelievedTime,
    chance,
    clock::Clock,
    config::{Config, Receipts},
    places::LogPlace,
};
use sha2::{Digest, Sha256};
use trustlist::{time::Moment, trust::Trust};

use super::{
    log_health::LogHealth,
    threads::{PATIENCE, join_within},
};

/// Longest wait for a log to open before the lanes begin without one. It is found open later.
const OPENING: Duration = Duration::from_secs(2);

/// The scan log, open, as a session has it.
#[derive(Clone)]
pub struct OpenLog {
    pub writer: Writer,
    pub path: PathBuf,
}

/// What makes a log another one, or to be opened anew.
#[derive(Clone, PartialEq, Eq)]
struct LogSettings {
    place: LogPlace,
    state: PathBuf,
    anchor_rows: u32,
    anchor_every: Duration,
}

impl LogSettings {
    fn of(config: &Config) -> LogSettings {
        LogSettings {
            place: LogPlace::configured(config),
            state: config.places.state.clone(),
            anchor_rows: config.log.anchor_rows,
            anchor_every: config.log.anchor_every,
        }
    }
}

struct Kept {
    settings: LogSettings,
    log: OpenLog,
    thread: JoinHandle<()>,
    set_aside: Option<String>,
}

/// Keeps the log, and the lock of its folder, from the first session to the last.
pub struct LogKeeper {
    clock: Clock,
    admissions: Arc<Admissions>,
    folder: Option<(PathBuf, StateLock)>,
    pending: Option<(LogSettings, PendingOpen)>,
    kept: Option<Kept>,
}

impl LogKeeper {
    /// Has none yet.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new(clock: &Clock) -> Result<LogKeeper, String> {
        let admissions = Admissions::new(Bounds::default(), machine(clock)).map_err(|error| error.to_string())?;
        Ok(LogKeeper { clock: clock.clone(), admissions, folder: None, pending: None, kept: None })
    }

    /// Whether the log that is open is the one that this configuration wants.
    pub fn suits(&self, config: &Config) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.settings == LogSettings::of(config))
    }

    /// How far gates may go ahead of the disk.
    pub fn bind(&self, config: &Config) {
        self.admissions.bind(Bounds { openings: config.log.openings_ahead, age: config.log.ahead_for });
    }

    /// The log of a configuration: the one that is open, if it is the same. Without one the lanes work and refer: a row is the price of an
    /// admission.
    pub fn open(&mut self, config: &Config, time: &BelievedTime, health: &LogHealth) -> Option<OpenLog> {
        self.bind(config);
        match self.opened(config, OPENING) {
            Ok(kept) => {
                health.opened(kept.set_aside.clone());
                time.remember(kept.log.writer.gauges().floor().map(|floor| floor.second()));
                Some(kept.log.clone())
            }
            Err(trouble) => {
                log::error!("no scan log: {trouble}; nobody is admitted without one");
                health.unavailable(trouble);
                None
            }
        }
    }

    /// Whether a log that could not be opened before is open now. Waits for nothing.
    pub fn retry(&mut self, config: &Config) -> Result<(), String> {
        self.opened(config, Duration::ZERO).map(|_| ())
    }

    fn opened(&mut self, config: &Config, at_most: Duration) -> Result<&Kept, String> {
        let settings = LogSettings::of(config);
        if self.kept.as_ref().is_none_or(|kept| kept.settings != settings) {
            self.close();
            let log = self.open_anew(config, &settings, at_most)?;
            let set_aside = log.set_aside().map(|path| path.display().to_string());
            let set_aside = set_aside.or_else(|| log.cut().map(|known| format!("row {} is gone", known.seq)));
            let path = log.path().to_owned();
            let (writer, thread) = Writer::spawn(log, Arc::clone(&self.admissions));
            self.kept = Some(Kept { settings, log: OpenLog { writer, path }, thread, set_aside });
        }
        self.kept.as_ref().ok_or_else(|| "it was closed".to_owned())
    }

    fn open_anew(&mut self, config: &Config, settings: &LogSettings, at_most: Duration) -> Result<ScanLog, String> {
        let state = &settings.state;
        if self.folder.as_ref().is_none_or(|(folder, _)| folder != state) {
            self.folder = None;
            std::fs::create_dir_all(state).map_err(|error| format!("{}: {error}", state.display()))?;
            self.folder = Some((state.clone(), StateLock::take(state).map_err(|error| error.to_string())?));
        }
        if self.pending.as_ref().is_none_or(|(wanted, _)| wanted != settings) {
            let place = &settings.place;
            let signer = device_key::open_or_make(&place.key, &place.post).map_err(|error| error.to_string())?;
            let options = Options {
                owed: owed(place),
                anchor_rows: u64::from(config.log.anchor_rows),
                anchor_within: config.log.anchor_every,
                ..Options::new(&place.database, signer, machine(&self.clock))
            };
            let pending = ScanLog::open_aside(options, UnixMillis(self.clock.unix_millis()))
                .map_err(|error| error.to_string())?;
            self.pending = Some((settings.clone(), pending));
        }
        let answer = self.pending.as_ref().and_then(|(_, pending)| pending.wait(at_most));
        let Some(answer) = answer else { return Err("the disk does not answer".to_owned()) };
        self.pending = None;
        answer.map_err(|fault| fault.to_string())
    }

    /// Closes the log with its end anchored, as far as the disk answers; a thread that the kernel holds is left behind.
    pub fn close(&mut self) {
        let Some(Kept { log, thread, .. }) = self.kept.take() else { return };
        drop(log);
        join_within(&self.clock, thread, PATIENCE);
    }
}

/// The machine that the log runs on: its clock, its chance.
pub fn machine(clock: &Clock) -> Machine {
    let clock = clock.clone();
    Machine::new(move || clock.now(), chance::fill)
}

/// What must have happened to a row before it may be given up.
pub fn owed(place: &LogPlace) -> Owed {
    match place.receipts {
        None => Owed::Nothing,
        Some(Receipts::None) => Owed::Delivery,
        Some(Receipts::Signed) => Owed::Receipt,
    }
}

/// The first row of a shift says which program with which configuration gave the verdicts after it.
pub fn begin_log(config: &Config, (trust, time): (&Trust, &BelievedTime), log: &OpenLog) {
    let text = toml::to_string(&config.effective()).unwrap_or_default();
    let event =
        Event::Config { version: host::BUILD.to_owned(), config: HEXLOWER.encode(&Sha256::digest(text.as_bytes())) };
    let moment = time.moment(trust);
    drop(log.writer.record(&event, UnixMillis(time.clock().unix_millis()), moment.trust));
}

/// What was too large to be checked before the first row is checked now, on a thread that nobody waits for. Damage is shown, and the log
/// is set aside at the next start.
pub fn check(health: &LogHealth, log: &OpenLog) {
    let (health, path) = (health.clone(), log.path.clone());
    let checking = thread::Builder::new().name("log-check".to_owned()).spawn(move || {
        if let Err(fault) = cache::log::check(&path) {
            log::error!("{fault}");
            health.damaged(fault.to_string());
        }
    });
    if let Err(error) = checking {
        log::error!("the log is not checked: {error}");
    }
}

/// Old rows go, on the log's own thread: this one must not wait for it.
pub fn forget(config: &Config, moment: Moment, health: &LogHealth, writer: &Writer) {
    let days = LogPlace::configured(config).retention_days;
    let retention = Retention::of(days);
    let (writer, health) = (writer.clone(), health.clone());
    tokio::task::spawn_blocking(move || match writer.with_log(move |log| log.retain(retention, moment)) {
        Ok(removed) => {
            if removed.rows > 0 {
                log::info!("{} rows are older than {days} days and go", removed.rows);
            }
            if removed.overdue > 0 {
                log::error!("{} rows are older than {days} days and no centre has signed for them", removed.overdue);
            }
            health.overdue(removed.overdue);
        }
        Err(fault) => log::warn!("old rows stay: {fault}"),
    });
}
