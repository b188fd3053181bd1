//! The daemon at work: everything is begun ([`super::parts`]), looked after once a second, changed when the configuration is read anew, and
//! ended in reverse.

use std::{sync::Arc, time::Duration};

use host::{causes::WithCauses, config::Config};
use lane::watchdog::{CameraState, LaneHealth, Stall, Watchdog};
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

use super::{
    error::DaemonError,
    in_force,
    parts::Parts,
    process::Process,
    reporter,
    scan_log::{LogKeeper, check, forget},
    service_manager,
    setup::{DaemonEvent, Setup},
    signals::{DaemonRequest, Signals},
};

/// How often it is looked whether everything advances.
const ROUND: Duration = Duration::from_secs(1);
/// How often it is looked whether every lane can work, until they can.
const READY_CHECK: Duration = Duration::from_millis(10);
/// How often old rows are looked for.
const RETENTION: Duration = Duration::from_secs(3600);
/// How often a log that could not be opened is tried again.
const LOG_RETRY: Duration = Duration::from_secs(2);
/// How long a screen says that a configuration code was taken, before what it changes is begun anew.
const SAY_FOR: Duration = Duration::from_secs(3);

/// Works until somebody wishes otherwise, or every lane's source has ended.
///
/// # Errors
/// When it cannot begin: what it needs is not in the configuration, or not in this build.
pub async fn work(setup: &Setup, signals: &mut Signals) -> Result<(), DaemonError> {
    let config = (setup.config)()?;
    config.relying()?;
    let process = Process::new(setup, &config);
    let logs = LogKeeper::new(&setup.clock).map_err(DaemonError::Randomness)?;
    let (reload, reloads) = mpsc::channel(1);
    let mut session =
        Session { setup, config, parts: Parts::new(process, logs, reload), watchdog: Watchdog::default(), stuck: None };
    let begun = session.parts.begin(setup, &session.config).await;
    if begun.is_ok() {
        session.tend(signals, reloads).await;
        service_manager::stopping();
    }
    session.parts.end().await;
    begun
}

struct Session<'a> {
    setup: &'a Setup,
    config: Config,
    parts: Parts,
    watchdog: Watchdog,
    /// What did not advance when it was last looked.
    stuck: Option<Stall>,
}

impl Session<'_> {
    /// The second-by-second round while lanes work.
    async fn tend(&mut self, signals: &mut Signals, mut reloads: mpsc::Receiver<()>) {
        let mut round_at = interval(ROUND);
        let mut ready_at = interval(READY_CHECK);
        let mut forget_at = interval(RETENTION);
        let mut retry_log_at = interval(LOG_RETRY);
        for timer in [&mut round_at, &mut ready_at, &mut forget_at, &mut retry_log_at] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        retry_log_at.reset();
        let mut ready = false;
        let mut reload_at: Option<Instant> = None;
        loop {
            tokio::select! {
                wish = signals.next() => match wish {
                    DaemonRequest::Stop => return,
                    DaemonRequest::Reload => self.reload().await,
                },
                // The screen says first that the code was taken.
                Some(()) = reloads.recv() => reload_at = Some(Instant::now() + SAY_FOR),
                () = sleep_until(reload_at.unwrap_or_else(Instant::now)), if reload_at.is_some() => {
                    reload_at = None;
                    self.reload().await;
                }
                _ = ready_at.tick(), if !ready => {
                    ready = self.is_ready();
                    if ready {
                        self.say_ready().await;
                    }
                }
                _ = round_at.tick() => {
                    self.parts.retry(self.setup);
                    self.notify_watchdog();
                    if self.parts.lanes().iter().all(|lane| lane.ended()) {
                        return;
                    }
                }
                _ = forget_at.tick() => if let Some(log) = &self.parts.log {
                    let process = &self.parts.process;
                    forget(&self.config, process.time.moment(&process.lists.now()), &process.log_health, &log.writer);
                },
                _ = retry_log_at.tick(), if self.parts.log.is_none() => {
                    if let Err(error) = self.parts.retry_log(self.setup, &self.config).await {
                        log::error!("{}", WithCauses(&error));
                    }
                },
            }
        }
    }

    /// Whether every lane works or has said why not.
    fn is_ready(&self) -> bool {
        let now = self.parts.process.uptime.now();
        self.parts.lanes().iter().all(|lane| lane.camera.at(now).state != CameraState::Unknown || lane.ended())
    }

    async fn say_ready(&mut self) {
        let line = self.line_now().await;
        service_manager::ready(&line);
        let process = &self.parts.process;
        let after = process.uptime.now();
        log::info!("ready after {after:?}: {line}");
        process.events.emit(DaemonEvent::Ready { after });
        if let Some(log) = &self.parts.log {
            check(&process.log_health, log);
        }
    }

    /// The state in a line, as it is now; as it was, if it cannot be put together within a second.
    async fn line_now(&self) -> String {
        let mut status = self.parts.status();
        status.mark_unchanged();
        self.parts.report_now();
        let _ = timeout(ROUND, status.changed()).await;
        reporter::one_line(&status.borrow())
    }

    /// Pets the watchdog while frames and decisions advance; says once what does not.
    fn notify_watchdog(&mut self) {
        let now = self.parts.process.uptime.now();
        let lanes: Vec<LaneHealth> = self.parts.lanes().iter().map(|lane| lane.health(now)).collect();
        let found = self.watchdog.check(&lanes, now).err();
        if let Some(stuck) = found.filter(|_| found != self.stuck) {
            log::error!("{stuck}; the watchdog is left to bite");
        }
        self.stuck = found;
        if found.is_none() {
            service_manager::alive();
        }
    }

    /// Reads configuration and lists anew, and changes what is another. What cannot be read or used changes nothing.
    async fn reload(&mut self) {
        service_manager::reloading();
        let (load_config, load_lists) = (Arc::clone(&self.setup.config), Arc::clone(&self.setup.lists));
        let (before, clock) = (self.config.clone(), self.setup.clock.clone());
        let loaded = spawn_blocking(move || {
            let config = load_config()?;
            if config != before {
                in_force::check(&config, &clock)?;
            }
            let lists = load_lists(&config);
            Ok::<_, DaemonError>((config, lists))
        });
        match loaded.await {
            Ok(Ok((config, lists))) => {
                match lists {
                    Ok(lists) => self.parts.process.lists.replace(lists, &self.parts.process.lists_health),
                    Err(failure) => log::error!("lists are not read anew: {}", WithCauses(&failure)),
                }
                self.change(config).await;
            }
            Ok(Err(failure)) => log::error!("not reloaded: {}", WithCauses(&failure)),
            Err(panicked) => log::error!("not reloaded: {panicked}"),
        }
        service_manager::ready("reloaded");
    }

    async fn change(&mut self, config: Config) {
        let lanes = self.parts.lanes().len();
        match self.parts.change(self.setup, &config).await {
            Ok(()) if config == self.config => log::info!("lists read anew"),
            Ok(()) => log::info!("configuration and lists read anew"),
            Err(error) => log::error!("configuration read anew, but for a part: {}", WithCauses(&error)),
        }
        if config.lane != self.config.lane || lanes != config.lane.len() {
            // Another lane may have another's place in its count.
            self.watchdog = Watchdog::default();
        }
        self.config = config;
    }
}
