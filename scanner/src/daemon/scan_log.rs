//! The scan log of a shift: opened, begun with a row about the program, swept, and closed with its end anchored.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
};

use cache::log::{Event, Options, ScanLog, UnixMillis, Writer, device_key, retention::Retention};
use data_encoding::HEXLOWER;
use host::{clock, config::Config, places::LogPlace};
use sha2::{Digest, Sha256};

use super::{
    shared::{Shared, lock},
    threads::{PATIENCE, join_within},
};

/// The scan log, open.
pub struct OpenLog {
    pub writer: Writer,
    pub thread: JoinHandle<()>,
    pub path: PathBuf,
}

pub fn try_log(config: &Config) -> Result<ScanLog, String> {
    let place = LogPlace::configured(config);
    std::fs::create_dir_all(&config.places.state)
        .map_err(|error| format!("{}: {error}", config.places.state.display()))?;
    let signer = device_key::open_or_make(&place.key, &place.post).map_err(|error| error.to_string())?;
    let options = Options {
        upload: place.upload,
        anchor_rows: u64::from(config.log.anchor_rows),
        anchor_within: config.log.anchor_every,
        ..Options::new(place.database, signer)
    };
    ScanLog::open(options, UnixMillis(clock::unix_millis())).map_err(|fault| fault.to_string())
}

/// Opens the log and its writing thread. Without one the lanes work and refer: a row is the price of an admission.
pub fn open_log(shared: &mut Shared) -> Option<OpenLog> {
    let opened = try_log(&shared.config).map(|log| {
        shared.log_set_aside = log.set_aside().map(|path| path.display().to_string());
        let floor = log.time_floor().map_or(i64::MIN, |floor| floor.second().0);
        shared.stored_floor.store(floor, Ordering::Relaxed);
        let path = log.path().to_owned();
        let (writer, thread) = Writer::spawn(log);
        OpenLog { writer, thread, path }
    });
    match opened {
        Ok(log) => Some(log),
        Err(trouble) => {
            log::error!("no scan log: {trouble}; nobody is admitted without one");
            *lock(&shared.log_trouble) = Some(trouble);
            None
        }
    }
}

/// The first row of a shift says which program with which configuration gave the verdicts after it.
pub fn begin_log(shared: &Shared, log: Option<&OpenLog>) {
    let Some(log) = log else { return };
    let text = toml::to_string(&shared.config.effective()).unwrap_or_default();
    let event =
        Event::Config { version: host::BUILD.to_owned(), config: HEXLOWER.encode(&Sha256::digest(text.as_bytes())) };
    let moment = shared.moment(&shared.trust.load());
    drop(log.writer.record(&event, UnixMillis(clock::unix_millis()), moment.trust));
}

pub fn close_log(log: OpenLog) {
    if let Err(fault) = log.writer.with_log(ScanLog::anchor) {
        log::error!("the log's end is not anchored: {fault}");
    }
    let OpenLog { writer, thread, path: _ } = log;
    drop(writer);
    join_within(thread, PATIENCE);
}

/// What was too large to be checked before the first row is checked now, on a thread that nobody waits for. Damage is shown, and the log
/// is set aside at the next start.
pub fn check(shared: &Arc<Shared>, log: &OpenLog) {
    let (shared, path) = (Arc::clone(shared), log.path.clone());
    let checking = thread::Builder::new().name("log-check".to_owned()).spawn(move || {
        if let Err(fault) = cache::log::check(&path) {
            log::error!("{fault}");
            let _ = shared.log_damaged.set(fault.to_string());
        }
    });
    if let Err(error) = checking {
        log::error!("the log is not checked: {error}");
    }
}

/// Old rows go, on the log's own thread: this one must not wait for it.
pub fn forget(shared: &Arc<Shared>, writer: &Writer) {
    let days = LogPlace::configured(&shared.config).retention_days;
    let retention = Retention::of(days);
    let moment = shared.moment(&shared.trust.load());
    let writer = writer.clone();
    tokio::task::spawn_blocking(move || match writer.with_log(move |log| log.retain(retention, moment)) {
        Ok(removed) if removed.rows > 0 => log::info!("{} rows are older than {days} days and go", removed.rows),
        Ok(_) => (),
        Err(fault) => log::warn!("old rows stay: {fault}"),
    });
}
