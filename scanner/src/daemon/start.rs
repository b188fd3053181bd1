//! Starting what works through a shift, each on a thread of its own: lanes and their cameras, upload, lists, page.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool, mpsc},
    thread::{self, JoinHandle},
};

use cache::log::{Memory, Reader};
use devices::{
    camera::{SourceEvent, supervisor},
    frame::{Frame, SlotSender, slot},
    gate::{Gate, cues},
    readers,
};
use host::config::Device;
use lane::watchdog::CameraState;
use page::{
    hub::Hub,
    server::{self, PageState},
    status::Status,
};
use sync::upload::{
    self,
    relay::{self, Relay},
};
use tokio::sync::watch;

use super::{
    error::DaemonError,
    health,
    lane_worker::{Inputs, LaneWorker},
    list_updater, reporter,
    scan_log::OpenLog,
    setup::{DaemonEvent, OpenSource, Setup},
    shared::{Shared, lock},
    threads::{Threads, Worker},
};

/// Texts that may wait for a lane.
const TEXTS: usize = 16;

/// A lane with its gate, its readers and its camera.
///
/// # Errors
/// When a thread cannot be had, or the gate cannot be built as configured.
pub fn lane(
    index: usize,
    shared: &Arc<Shared>,
    log: Option<&OpenLog>,
    hub: &Hub,
    source: &OpenSource,
    stop: &Arc<AtomicBool>,
    threads: &mut Threads,
) -> Result<(), DaemonError> {
    let settings = &shared.config.lane[index];
    let gate = Gate::new(&shared.config.checkpoint.id, settings, &cues(&shared.config.signals))
        .map_err(|error| DaemonError::Gate { lane: settings.id.clone(), error })?;
    let memory = log.and_then(|log| match Reader::open(&log.path) {
        Ok(reader) => Some(Memory::new(log.writer.clone(), reader)),
        Err(fault) => {
            // This lane refers; the others work.
            log::error!("lane {}: the scan log cannot be read: {fault}", settings.id);
            *lock(&shared.log_trouble) = Some(fault.to_string());
            None
        }
    });
    let screen = hub.screen(&settings.id).expect("the hub was made from the same lanes");
    let station = LaneWorker::new(index, Arc::clone(shared), gate, memory, screen);
    let (frames_in, frames) = slot();
    let (texts_in, texts) = mpsc::sync_channel(TEXTS);
    for reader in &settings.readers {
        let engine = readers::listen(reader.clone(), texts_in.clone(), Arc::clone(stop))
            .map_err(|error| DaemonError::Thread("a reader's thread", error))?;
        threads.others.push(engine.thread);
        lock(&shared.lanes[index].readers).push(engine.tally);
    }
    let has_camera = settings.camera.device != Device::None;
    if has_camera {
        threads.others.push(camera(index, shared, source, frames_in, stop));
    }
    let stop = Arc::clone(stop);
    let inputs = Inputs { frames, texts, has_camera };
    let thread = thread::Builder::new()
        .name(format!("lane-{index}"))
        .spawn(move || station.work(&inputs, &stop))
        .map_err(|error| DaemonError::Thread("a lane's thread", error))?;
    threads.lanes.push(thread);
    Ok(())
}

fn camera(
    index: usize,
    shared: &Arc<Shared>,
    source: &OpenSource,
    frames: SlotSender<Frame>,
    stop: &Arc<AtomicBool>,
) -> JoinHandle<()> {
    let camera = shared.config.lane[index].camera.clone();
    let patience = supervisor::Patience { deadline: camera.deadline, longest_pause: camera.retry_at_most };
    let source = Arc::clone(source);
    let shared = Arc::clone(shared);
    let heard = move |event: SourceEvent| {
        let (lane, name) = (&shared.lanes[index], &shared.config.lane[index].id);
        match &event {
            SourceEvent::Back { .. } => {
                lock(&lane.camera_trouble).take();
                lane.set_camera(CameraState::Up);
                log::info!("lane {name}: {event}");
            }
            SourceEvent::Lost { why } => {
                *lock(&lane.camera_trouble) = Some(why.clone());
                lane.set_camera(CameraState::Lost);
                log::error!("lane {name}: {event}");
            }
            SourceEvent::Damaged(_) => shared.metrics.frames("damaged", 1),
            SourceEvent::Ended => log::info!("lane {name}: {event}"),
        }
    };
    supervisor::supervise_with(move || source(&camera), patience, frames, heard, Arc::clone(stop))
}

/// Rows go to a centre on a thread of their own, where one is configured.
pub fn upload(
    shared: &Arc<Shared>,
    log: &OpenLog,
    state: watch::Receiver<Status>,
) -> Result<Option<Worker>, DaemonError> {
    let config = &shared.config;
    let Some(mut options) = upload::Options::configured(config) else { return Ok(None) };
    let mut centre: Box<dyn upload::Centre> = if config.network.apart {
        options.batch = options.batch.min(relay::MAX_BATCH);
        let place = config.places.relay();
        match Relay::listen(&place, options.timeout) {
            Ok(relay) => Box::new(relay),
            Err(error) => {
                log::error!("rows stay here: {}: {error}", place.display());
                return Ok(None);
            }
        }
    } else {
        upload::centre(&options, shared.time.clock()).map_err(DaemonError::Upload)?
    };
    let reader = Reader::open(&log.path).map_err(DaemonError::Log)?;
    let (shared, writer) = (Arc::clone(shared), log.writer.clone());
    let state_folder = log.path.parent().unwrap_or(Path::new(".")).to_owned();
    let (stop, stops) = mpsc::sync_channel(1);
    let thread = thread::Builder::new()
        .name("upload".to_owned())
        .spawn(move || {
            let describe = || {
                let around = health::Surroundings::now(&state_folder, &shared.time, &shared.trust.load());
                health::describe(&options.post, &state.borrow(), &around)
            };
            upload::run(
                (&options, shared.time.clock()),
                centre.as_mut(),
                (&writer, &reader),
                &describe,
                &stops,
                &shared.upload,
            );
        })
        .map_err(|error| DaemonError::Thread("the upload's thread", error))?;
    Ok(Some((stop, thread)))
}

/// The state is put together on a thread of its own; a message makes that happen at once.
pub fn reporter(
    shared: &Arc<Shared>,
    log: Option<&OpenLog>,
    page: &Arc<PageState>,
    status_to_page: watch::Sender<Status>,
) -> Result<Worker, DaemonError> {
    let reader = log.map(|log| Reader::open(&log.path)).transpose();
    let reader = reader.map_err(DaemonError::Log)?;
    let log: reporter::Log = reader.zip(log.map(|log| log.writer.clone()));
    let (wake, wakes) = mpsc::sync_channel(1);
    let (shared, page) = (Arc::clone(shared), Arc::clone(page));
    let thread = thread::Builder::new()
        .name("report".to_owned())
        .spawn(move || reporter::keep_reporting(&shared, &log, &page, &status_to_page, &wakes))
        .map_err(|error| DaemonError::Thread("the report's thread", error))?;
    Ok((wake, thread))
}

/// Newer lists come on a thread of their own.
pub fn keeper(shared: &Arc<Shared>, setup: &Setup) -> Result<Worker, DaemonError> {
    let (stop, stops) = mpsc::sync_channel(1);
    let (shared, lists) = (Arc::clone(shared), Arc::clone(&setup.lists));
    let thread = thread::Builder::new()
        .name("lists".to_owned())
        .spawn(move || list_updater::keep(&shared, &lists, &stops))
        .map_err(|error| DaemonError::Thread("the lists' thread", error))?;
    Ok((stop, thread))
}

/// The page. A taken port costs the page, not the lane.
pub async fn page(shared: &Shared, page: &Arc<PageState>, stops: watch::Receiver<bool>) {
    if !shared.config.page.enabled {
        return;
    }
    let address = shared.config.page.listen.0;
    match server::bind(address) {
        Ok(listener) => {
            let at = listener.local_addr().unwrap_or(address);
            log::info!("page: http://{at}/");
            shared.emit(DaemonEvent::Page(at));
            tokio::spawn(server::serve(listener, Arc::clone(page), stops));
        }
        Err(error) => log::error!("no page: {address}: {error}; the lane works without it"),
    }
}
