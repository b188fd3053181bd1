//! One shift: from a configuration to the next one, or to the end. Everything is started in order ([`super::start`]), looked after once a second, and
//! stopped in reverse.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    time::{Duration, Instant},
};

use host::{
    causes::WithCauses,
    config::{self, Config, Device},
    instance,
};
use lane::watchdog::{CameraState, LaneHealth, Stall, Watchdog};
use nix::unistd::{Uid, User};
use page::{hub::Hub, server::PageState, status::Status, strings::Strings, view::Hello, visitor::House, voice::Voice};
use sync::lists::LoadedLists;
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval, timeout},
};
use trustlist::trust::Trust;

use super::{
    error::DaemonError,
    in_force,
    overrides::LoggedOverrides,
    reporter,
    scan_log::{LogKeeper, OpenLog, begin_log, check, forget},
    service_manager,
    setup::{DaemonEvent, Setup},
    shared::{LaneBoard, Shared, lock},
    signals::{DaemonRequest, Signals},
    start,
    threads::{PATIENCE, Threads, join_within},
};

/// How often it is looked whether everything advances.
const ROUND: Duration = Duration::from_secs(1);
/// How often it is looked whether every lane can work, until they can.
const READY_CHECK: Duration = Duration::from_millis(10);
/// How often old rows are looked for.
const RETENTION: Duration = Duration::from_secs(3600);
/// How often a log that could not be opened is tried again.
const LOG_RETRY: Duration = Duration::from_secs(2);
/// A camera that has neither delivered nor said why not for this long after the start counts as lost: opening may hang in a driver.
const CAMERA_PATIENCE: Duration = Duration::from_secs(5);

/// How a shift ends.
pub enum End {
    /// For good.
    Stop,
    /// Another one begins with this configuration.
    Reload(Box<Config>),
}

/// Works until somebody wishes otherwise.
///
/// # Errors
/// When the shift cannot begin: what it needs is not in the configuration, or not in this build.
pub async fn work(
    setup: &Setup,
    signals: &mut Signals,
    config: Config,
    logs: &mut LogKeeper,
) -> Result<End, DaemonError> {
    let began = setup.clock.now();
    let relying = config.relying()?;
    let lists = (setup.lists)(&config).unwrap_or_else(|failure| {
        log::error!("no lists: {}; every traveller is referred", WithCauses(&failure));
        LoadedLists { trust: Trust::none(), remarks: Vec::new() }
    });
    let mut shared = Shared::new(config, relying, lists, &setup.clock, setup.observer.clone());
    shared.instance = instance::announce(&shared.config.places.runtime).unwrap_or_else(|error| {
        let runtime = shared.config.places.runtime.display();
        log::warn!("{runtime}: {error}; checkpointd status cannot tell this daemon from another");
        String::new()
    });
    let log = logs.open(&mut shared);
    let shared = Arc::new(shared);
    begin_log(&shared, log.as_ref());
    let names: Vec<String> = shared.config.lane.iter().map(|lane| lane.id.clone()).collect();
    let strings = words(&shared.config);
    let voice = voice(&shared.config);
    let hub = Hub::new(&hello(&shared.config, &strings, &voice), &names);
    let stop = Arc::new(AtomicBool::new(false));
    let mut threads = Threads::default();
    let mut without_gate = Vec::new();
    for index in 0..shared.config.lane.len() {
        match start::lane(index, &shared, log.as_ref(), &hub, &setup.source, &stop, &mut threads) {
            Err(error @ DaemonError::Gate { .. }) => without_gate.push((index, error)),
            started => started?,
        }
    }
    out_of_service(without_gate, &shared)?;
    let (status_to_page, mut status) = watch::channel(Status::default());
    let upload = log.as_ref().map(|log| start::upload(&shared, log, status.clone())).transpose()?.flatten();
    let keeper = start::keeper(&shared, setup)?;
    let overrides = Box::new(LoggedOverrides::new(Arc::clone(&shared), log.as_ref().map(|log| log.writer.clone())));
    let page = Arc::new(PageState {
        hub,
        metrics: shared.metrics.clone(),
        strings: strings.json(),
        voice,
        status: status.clone(),
        overrides,
        second_line: shared.second_line.clone(),
        house: house(&shared.config.page.viewers),
    });
    let (stop_page, page_stops) = watch::channel(false);
    start::page(&shared, &page, page_stops).await;

    let reporter = start::reporter(&shared, log.as_ref(), &page, status_to_page)?;

    let end = tend(setup, signals, &shared, log.as_ref(), logs, &reporter.0, (&mut status, began)).await;

    // A service that says so and goes on is killed for it (sd_notify(3)): another shift is no end.
    if !matches!(end, Ok(End::Reload(_))) {
        service_manager::stopping();
    }
    stop.store(true, Ordering::Relaxed);
    threads.join(&setup.clock);
    let _ = stop_page.send(true);
    for (stop, thread) in upload.into_iter().chain([keeper, reporter]) {
        drop(stop);
        join_within(&setup.clock, thread, PATIENCE);
    }
    // Overrides are written too: they end before the log is closed.
    drop(page);
    end
}

/// A lane without a gate takes nobody, and is no other lane's fault: its screen is closed, and the device says why.
///
/// # Errors
/// When no lane is left.
fn out_of_service(lanes: Vec<(usize, DaemonError)>, shared: &Shared) -> Result<(), DaemonError> {
    let all = lanes.len() == shared.lanes.len();
    for (index, error) in lanes {
        if all {
            return Err(error);
        }
        log::error!("{error}; this lane takes nobody, the others work");
        *lock(&shared.lanes[index].gate_trouble) = Some(error.to_string());
        shared.lanes[index].ended.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// Whose browsers are this gate's screens: of the users that are named, of root, and of whoever runs this.
fn house(viewers: &[String]) -> House {
    let named = viewers.iter().filter_map(|name| {
        let user = User::from_name(name).ok().flatten();
        if user.is_none() {
            log::warn!("page.viewers: there is no user {name} on this machine");
        }
        user.map(|user| user.uid.as_raw())
    });
    House::of(named.chain([Uid::effective().as_raw()]))
}

/// The words of the screens. What is wrong with a translation is told once a shift.
fn words(config: &Config) -> Strings {
    let (strings, troubles) = Strings::with_folders(&config.page.word_folders());
    for trouble in troubles {
        log::warn!("page.strings: {trouble}");
    }
    strings
}

/// What the screens speak with. What cannot be played is told once a shift.
fn voice(config: &Config) -> Voice {
    let Some(folder) = &config.page.voice else { return Voice::default() };
    let (voice, troubles) = Voice::of_folder(folder);
    for trouble in troubles {
        log::warn!("page.voice: {trouble}");
    }
    voice
}

/// What every page is told first. A language without words is left out; without any, Chinese and English remain.
fn hello(config: &Config, strings: &Strings, voice: &Voice) -> Hello {
    let (mut languages, dumb): (Vec<_>, Vec<_>) =
        config.page.languages.iter().cloned().partition(|language| strings.speaks(language));
    for language in dumb {
        let folder = config.page.strings.display();
        log::warn!("page.languages: there are no words for {language}; put {language}.json into {folder}");
    }
    if languages.is_empty() {
        languages = config::Page::default().languages;
    }
    let signals = &config.signals;
    let desk = languages.iter().cloned().zip(config.page.desk.iter().cloned()).collect();
    Hello {
        voice: voice.names(),
        desk,
        desk_side: config.page.desk_side.map(config::Side::code),
        place: config.checkpoint.id.clone(),
        languages,
        sound: signals.sound,
        read_cue: signals.read_cue,
        discreet: signals.discreet,
        build: host::BUILD,
    }
}

/// The second-by-second round while lanes work.
async fn tend(
    setup: &Setup,
    signals: &mut Signals,
    shared: &Arc<Shared>,
    log: Option<&OpenLog>,
    logs: &mut LogKeeper,
    report_now: &SyncSender<()>,
    (status, began): (&mut watch::Receiver<Status>, Instant),
) -> Result<End, DaemonError> {
    let mut round_at = interval(ROUND);
    let mut ready_at = interval(READY_CHECK);
    let mut forget_at = interval(RETENTION);
    let mut retry_log_at = interval(LOG_RETRY);
    for timer in [&mut round_at, &mut ready_at, &mut forget_at, &mut retry_log_at] {
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    retry_log_at.reset();
    let mut ready = false;
    let mut watchdog = Watchdog::default();
    let mut stuck = None;
    loop {
        tokio::select! {
            wish = signals.next() => match wish {
                DaemonRequest::Stop => return Ok(End::Stop),
                DaemonRequest::Reload => if let Some(end) = reload(setup, shared).await {
                    return Ok(end);
                },
            },
            _ = ready_at.tick(), if !ready => {
                give_up_waiting(shared);
                ready = shared.lanes.iter().all(|lane| lane.camera() != CameraState::Unknown || ended(lane));
                if ready {
                    let line = line_now(report_now, status).await;
                    service_manager::ready(&line);
                    let after = setup.clock.since(began);
                    log::info!("ready after {after:?}: {line}");
                    shared.emit(DaemonEvent::Ready { after });
                    log.inspect(|log| check(shared, log));
                }
            }
            _ = round_at.tick() => {
                if shared.reload_is_due() && let Some(end) = reload(setup, shared).await {
                    return Ok(end);
                }
                notify_watchdog(shared, &mut watchdog, &mut stuck);
                if shared.lanes.iter().all(ended) {
                    return Ok(End::Stop);
                }
            }
            _ = forget_at.tick() => if let Some(log) = log {
                forget(shared, &log.writer);
            },
            _ = retry_log_at.tick(), if log.is_none() => match logs.retry(&shared.config) {
                Ok(()) => {
                    log::warn!("the scan log can be written again");
                    return Ok(End::Reload(Box::new(shared.config.clone())));
                }
                Err(trouble) => *lock(&shared.log_trouble) = Some(trouble),
            },
        }
    }
}

/// Pets the watchdog while frames and decisions advance; says once what does not.
fn notify_watchdog(shared: &Shared, watchdog: &mut Watchdog, stuck: &mut Option<Stall>) {
    let now = shared.now();
    let lanes: Vec<LaneHealth> = shared
        .lanes
        .iter()
        .zip(&shared.config.lane)
        .map(|(lane, settings)| LaneHealth {
            silent: lane.silent_for(now),
            camera: (settings.camera.device != Device::None).then(|| lane.camera()),
            deadline: settings.camera.deadline,
            frames: lane.frames.load(Ordering::Relaxed),
            ended: ended(lane),
        })
        .collect();
    let found = watchdog.check(&lanes, now).err();
    if let Some(stuck) = found.filter(|_| found != *stuck) {
        log::error!("{stuck}; the watchdog is left to bite");
    }
    *stuck = found;
    if found.is_none() {
        service_manager::alive();
    }
}

/// A lane must not wait for ever for a camera whose opening hangs: it says that it has none.
fn give_up_waiting(shared: &Shared) {
    if shared.now() < CAMERA_PATIENCE {
        return;
    }
    for lane in shared.lanes.iter().filter(|lane| lane.camera() == CameraState::Unknown) {
        *lock(&lane.camera_trouble) = Some(format!("it has not answered within {CAMERA_PATIENCE:?}"));
        lane.set_camera(CameraState::Lost);
    }
}

fn ended(lane: &LaneBoard) -> bool {
    lane.ended.load(Ordering::Relaxed)
}

/// The state in a line, as it is now; as it was, if it cannot be put together within a second.
async fn line_now(report_now: &SyncSender<()>, status: &mut watch::Receiver<Status>) -> String {
    status.mark_unchanged();
    // One is on its way already, where this one finds no room.
    let _ = report_now.try_send(());
    let _ = timeout(ROUND, status.changed()).await;
    reporter::one_line(&status.borrow())
}

/// Reads configuration and lists anew. What cannot be read changes nothing: the lane goes on with what it has.
async fn reload(setup: &Setup, shared: &Arc<Shared>) -> Option<End> {
    service_manager::reloading();
    let (load_config, load_lists) = (Arc::clone(&setup.config), Arc::clone(&setup.lists));
    let shared_there = Arc::clone(shared);
    let loaded = spawn_blocking(move || {
        let config = load_config()?;
        if config != shared_there.config {
            in_force::check(&config, shared_there.time.clock())?;
            return Ok(Some(config));
        }
        shared_there.take(load_lists(&config)?);
        Ok::<_, DaemonError>(None)
    });
    let end = match loaded.await {
        Ok(Ok(Some(config))) => Some(End::Reload(Box::new(config))),
        Ok(Ok(None)) => {
            log::info!("lists read anew");
            None
        }
        Ok(Err(failure)) => {
            log::error!("not reloaded: {}", WithCauses(&failure));
            None
        }
        Err(panicked) => {
            log::error!("not reloaded: {panicked}");
            None
        }
    };
    if end.is_none() {
        service_manager::ready("reloaded");
    }
    end
}
