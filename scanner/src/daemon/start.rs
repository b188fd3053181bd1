//! Starting what works through a shift, each on a thread of its own: lanes and their cameras, upload, lists, page.

use std::{
    sync::{Arc, atomic::AtomicBool, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use cache::log::{Memory, Reader};
use tokio::sync::watch;

use super::{
    OpenSource, Setup, Told, keeper,
    logbook::OpenLog,
    report,
    shared::{Camera, Shared, lock},
    station::{Inputs, Station},
};
use crate::{
    config::Device,
    failure::Failure,
    frame::{Frame, SlotSender, slot},
    gate::{Gate, GateError},
    page::{
        hub::Hub,
        server::{self, Shown},
        status::Status,
    },
    readers,
    source::{SourceEvent, supervisor},
    upload::{
        self,
        relay::{self, Relay},
    },
};

/// What a thread that may sit in a driver or a network is waited for at the end.
pub const PATIENCE: Duration = Duration::from_millis(800);
/// Texts that may wait for a lane.
const TEXTS: usize = 16;

/// What works for lanes.
#[derive(Default)]
pub struct Threads {
    lanes: Vec<JoinHandle<()>>,
    /// Cameras and scan engines.
    others: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Lanes are waited for: they close gates. A camera's thread may sit in its driver for ever, and owns nothing else; an engine's lets go of it,
    /// so that the next shift can have it.
    pub fn join(self) {
        for lane in self.lanes {
            if lane.join().is_err() {
                log::error!("a lane's thread panicked");
            }
        }
        for other in self.others {
            join_within(other, PATIENCE);
        }
    }
}

/// Waits for a thread, and leaves one behind that does not end.
pub fn join_within(thread: JoinHandle<()>, patience: Duration) {
    let until = Instant::now() + patience;
    while !thread.is_finished() && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    if thread.is_finished() {
        // A panic has been said by its hook.
        let _ = thread.join();
    } else {
        log::warn!("a thread does not end; it is left behind");
    }
}

/// A lane with its gate, its readers and its camera.
///
/// # Errors
/// When a thread cannot be had, the gate cannot be built as configured, or the log cannot be read.
pub fn lane(
    index: usize,
    shared: &Arc<Shared>,
    log: Option<&OpenLog>,
    hub: &Hub,
    source: &OpenSource,
    stop: &Arc<AtomicBool>,
    threads: &mut Threads,
) -> Result<(), Failure> {
    let settings = &shared.config.lane[index];
    let gate = Gate::new(&shared.config.checkpoint.id, settings, &shared.config.signals).map_err(|error| {
        let what = format!("lane {}: {error}", settings.id);
        match error {
            GateError::Unsuitable(_) => Failure::configuration(what),
            GateError::Silent(_) => Failure::new(what),
        }
    })?;
    let memory = match log.map(|log| Reader::open(&log.path).map(|reader| Memory::new(log.writer.clone(), reader))) {
        Some(Ok(memory)) => Some(memory),
        Some(Err(fault)) => return Err(Failure::new("the scan log cannot be read").because(fault)),
        None => None,
    };
    let screen = hub.screen(&settings.id).expect("the hub was made from the same lanes");
    let station = Station::new(index, Arc::clone(shared), gate, memory, screen);
    let (frames_in, frames) = slot();
    let (texts_in, texts) = mpsc::sync_channel(TEXTS);
    for reader in &settings.readers {
        let thread = readers::listen(reader.clone(), texts_in.clone(), Arc::clone(stop))
            .map_err(|error| Failure::new("cannot start a reader's thread").because(error))?;
        threads.others.push(thread);
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
        .map_err(|error| Failure::new("cannot start a lane's thread").because(error))?;
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
                lane.set_camera(Camera::Up);
                log::info!("lane {name}: {event}");
            }
            SourceEvent::Lost { why } => {
                *lock(&lane.camera_trouble) = Some(why.clone());
                lane.set_camera(Camera::Lost);
                log::error!("lane {name}: {event}");
            }
            SourceEvent::Damaged(_) => shared.metrics.frames("damaged", 1),
            SourceEvent::Ended => log::info!("lane {name}: {event}"),
        }
    };
    supervisor::supervise_with(move || source(&camera), patience, frames, heard, Arc::clone(stop))
}

/// A thread beside the lanes, which ends when its sender is dropped.
pub type Companion = (mpsc::SyncSender<()>, JoinHandle<()>);

/// Rows go to a centre on a thread of their own, where one is configured.
pub fn upload(shared: &Arc<Shared>, log: &OpenLog) -> Result<Option<Companion>, Failure> {
    let config = &shared.config;
    let Some(mut options) = upload::Options::configured(config) else { return Ok(None) };
    let mut centre: Box<dyn upload::Centre> = if config.network.apart {
        options.batch = options.batch.min(relay::MAX_BATCH);
        let place = relay::place(config);
        match Relay::listen(&place, options.timeout) {
            Ok(relay) => Box::new(relay),
            Err(error) => {
                log::error!("rows stay here: {}: {error}", place.display());
                return Ok(None);
            }
        }
    } else {
        upload::centre(&options).map_err(|error| Failure::configuration(format!("upload: {error}")))?
    };
    let reader = Reader::open(&log.path).map_err(|fault| Failure::new("the scan log cannot be read").because(fault))?;
    let (shared, writer) = (Arc::clone(shared), log.writer.clone());
    let (stop, stops) = mpsc::sync_channel(1);
    let thread = thread::Builder::new()
        .name("upload".to_owned())
        .spawn(move || upload::run(&options, centre.as_mut(), &writer, &reader, &stops, &shared.upload))
        .map_err(|error| Failure::new("cannot start the upload's thread").because(error))?;
    Ok(Some((stop, thread)))
}

/// The state is put together on a thread of its own; a message makes that happen at once.
pub fn reporter(
    shared: &Arc<Shared>,
    log: Option<&OpenLog>,
    page: &Arc<Shown>,
    status_to_page: watch::Sender<Status>,
) -> Result<Companion, Failure> {
    let reader = log.map(|log| Reader::open(&log.path)).transpose();
    let reader = reader.map_err(|fault| Failure::new("the scan log cannot be read").because(fault))?;
    let log: report::Log = reader.zip(log.map(|log| log.writer.clone()));
    let (wake, wakes) = mpsc::sync_channel(1);
    let (shared, page) = (Arc::clone(shared), Arc::clone(page));
    let thread = thread::Builder::new()
        .name("report".to_owned())
        .spawn(move || report::keep_reporting(&shared, &log, &page, &status_to_page, &wakes))
        .map_err(|error| Failure::new("cannot start the report's thread").because(error))?;
    Ok((wake, thread))
}

/// Newer lists come on a thread of their own.
pub fn keeper(shared: &Arc<Shared>, setup: &Setup) -> Result<Companion, Failure> {
    let (stop, stops) = mpsc::sync_channel(1);
    let (shared, lists) = (Arc::clone(shared), Arc::clone(&setup.lists));
    let thread = thread::Builder::new()
        .name("lists".to_owned())
        .spawn(move || keeper::keep(&shared, &lists, &stops))
        .map_err(|error| Failure::new("cannot start the lists' thread").because(error))?;
    Ok((stop, thread))
}

/// The page. A taken port costs the page, not the lane.
pub async fn page(shared: &Shared, page: &Arc<Shown>, stops: watch::Receiver<bool>) {
    if !shared.config.page.enabled {
        return;
    }
    let address = shared.config.page.listen.0;
    match server::bind(address) {
        Ok(listener) => {
            let at = listener.local_addr().unwrap_or(address);
            log::info!("page: http://{at}/");
            shared.tell(Told::Page(at));
            tokio::spawn(server::serve(listener, Arc::clone(page), stops));
        }
        Err(error) => log::error!("no page: {address}: {error}; the lane works without it"),
    }
}
