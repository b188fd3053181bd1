//! One lane with its threads, begun and ended alone: what changes in another lane's configuration, or fails there, does not touch it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use cache::log::{Memory, Reader};
use devices::{
    camera::{SourceEvent, supervisor},
    frame::{Frame, SlotSender, slot},
    gate::{Gate, cues},
    readers,
};
use host::{backoff::Backoff, clock::Clock};
use lane::watchdog::CameraState;
use page::{hub::LaneScreen, metrics::Metrics};
use tokio::sync::watch;

use super::{
    error::DaemonError,
    lane_report::{CameraReport, CameraView, LaneReport, LaneView},
    lane_worker::{Inputs, LaneHandles, LaneWorker},
    scan_log::OpenLog,
    settings::LaneSettings,
    setup::OpenSource,
    threads::{PATIENCE, join_within},
};

/// Texts that may wait for a lane.
const TEXTS: usize = 16;
/// When a lane whose gate could not be had is begun again.
const AGAIN: Backoff = Backoff { first: Duration::from_secs(1), cap: Duration::from_secs(60) };

/// What a lane is begun from.
pub struct LaneGear<'a> {
    /// Opens what it looks through.
    pub source: &'a OpenSource,
    /// The scan log, where there is one.
    pub log: Option<&'a OpenLog>,
    /// What it sees of the others.
    pub handles: LaneHandles,
}

/// One lane.
pub struct LanePart {
    /// What it was begun with.
    pub settings: Arc<LaneSettings>,
    /// The slots of its screen, which outlive its threads.
    pub screen: LaneScreen,
    /// What the others see of it.
    pub view: LaneView,
    /// Why it did not begin, until somebody took it.
    pub why_not: Option<DaemonError>,
    state: State,
}

enum State {
    Works(Running),
    /// Its gate cannot be had; it is begun again at that moment.
    Waits {
        until: Duration,
        failures: u32,
    },
}

struct Running {
    stop: Arc<AtomicBool>,
    lane: JoinHandle<()>,
    /// Threads of its camera and scan engines.
    others: Vec<JoinHandle<()>>,
}

impl LanePart {
    /// Begins a lane with its gate, its readers and its camera.
    ///
    /// # Errors
    /// When a thread cannot be had, or the gate cannot be built as configured.
    pub fn begin(
        settings: Arc<LaneSettings>,
        screen: LaneScreen,
        gear: &LaneGear<'_>,
    ) -> Result<LanePart, DaemonError> {
        let own = &settings.lane;
        let gate = Gate::new(&settings.post, own, &cues(&settings.signals))
            .map_err(|error| DaemonError::Gate { lane: own.id.clone(), error })?;
        let memory = gear.log.and_then(|log| memory(&own.id, log, &gear.handles));
        let stop = Arc::new(AtomicBool::new(false));
        let (frames_in, frames) = slot();
        let (texts_in, texts) = mpsc::sync_channel(TEXTS);
        let (mut others, mut tallies) = (Vec::new(), Vec::new());
        for reader in &own.readers {
            let engine = readers::listen(reader.clone(), texts_in.clone(), Arc::clone(&stop))
                .map_err(|error| DaemonError::Thread("a reader's thread", error))?;
            others.push(engine.thread);
            tallies.push(engine.tally);
        }
        let has_camera = settings.has_camera();
        let (camera_in, camera) = watch::channel(CameraReport::default());
        if has_camera {
            others.push(supervised(&settings, gear, frames_in, camera_in, &stop));
        }
        let camera = CameraView::new(has_camera.then_some(camera), gear.handles.uptime.now());
        let (report_in, report) =
            watch::channel(LaneReport { beat: gear.handles.uptime.now(), ..LaneReport::default() });
        let worker = LaneWorker::new(
            Arc::clone(&settings),
            gear.handles.clone(),
            (gate, memory),
            screen.clone(),
            camera.clone(),
            report_in,
        );
        let inputs = Inputs { frames, texts, has_camera };
        let stops = Arc::clone(&stop);
        let lane = thread::Builder::new()
            .name(format!("lane-{}", own.id.replace('\0', "")))
            .spawn(move || worker.work(&inputs, &stops))
            .map_err(|error| DaemonError::Thread("a lane's thread", error))?;
        let view = LaneView::new(Arc::clone(&settings), camera, tallies, report);
        Ok(LanePart { settings, screen, view, why_not: None, state: State::Works(Running { stop, lane, others }) })
    }

    /// A lane without a gate takes nobody, and is no other lane's fault: its screen is closed, and the device says why.
    pub fn out_of_service(
        settings: Arc<LaneSettings>,
        screen: LaneScreen,
        why: DaemonError,
        (now, failures): (Duration, u32),
    ) -> LanePart {
        let view = LaneView::out_of_service(Arc::clone(&settings), why.to_string());
        let until = now + AGAIN.pause(failures.saturating_add(1));
        let state = State::Waits { until, failures: failures.saturating_add(1) };
        LanePart { settings, screen, view, why_not: Some(why), state }
    }

    /// How often its gate could not be had, if it is time to try again.
    pub fn is_due(&self, now: Duration) -> Option<u32> {
        match self.state {
            State::Waits { until, failures } if now >= until => Some(failures),
            State::Waits { .. } | State::Works(_) => None,
        }
    }

    /// Asks its threads to end; [`LanePart::end`] waits for them.
    pub fn stop(&self) {
        if let State::Works(running) = &self.state {
            running.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Ends it, with its gate closed. A lane is waited for; a camera's thread may sit in its driver for ever, and owns nothing else; an engine's
    /// lets go of it, so that the next can have it.
    pub fn end(self, clock: &Clock) {
        self.stop();
        let State::Works(running) = self.state else { return };
        if running.lane.join().is_err() {
            log::error!("a lane's thread panicked");
        }
        for other in running.others {
            join_within(clock, other, PATIENCE);
        }
    }
}

fn memory(lane: &str, log: &OpenLog, handles: &LaneHandles) -> Option<Memory> {
    match Reader::open(&log.path) {
        Ok(reader) => Some(Memory::new(log.writer.clone(), reader)),
        Err(fault) => {
            // This lane refers; the others work.
            log::error!("lane {lane}: the scan log cannot be read: {fault}");
            handles.log_health.unavailable(fault.to_string());
            None
        }
    }
}

fn supervised(
    settings: &LaneSettings,
    gear: &LaneGear<'_>,
    frames: SlotSender<Frame>,
    report: watch::Sender<CameraReport>,
    stop: &Arc<AtomicBool>,
) -> JoinHandle<()> {
    let camera = settings.lane.camera.clone();
    let patience = supervisor::Patience { deadline: camera.deadline, longest_pause: camera.retry_at_most };
    let (name, source) = (settings.lane.id.clone(), Arc::clone(gear.source));
    let metrics = gear.handles.metrics.clone();
    let heard = move |event: SourceEvent| note(&name, &event, &report, &metrics);
    supervisor::supervise_with(move || source(&camera), patience, frames, heard, Arc::clone(stop))
}

fn note(lane: &str, event: &SourceEvent, report: &watch::Sender<CameraReport>, metrics: &Metrics) {
    match event {
        SourceEvent::Back { .. } => {
            report.send_replace(CameraReport { state: CameraState::Up, trouble: None });
            log::info!("lane {lane}: {event}");
        }
        SourceEvent::Lost { why } => {
            report.send_replace(CameraReport { state: CameraState::Lost, trouble: Some(why.clone()) });
            log::error!("lane {lane}: {event}");
        }
        SourceEvent::Damaged(_) => metrics.frames("damaged", 1),
        SourceEvent::Ended => log::info!("lane {lane}: {event}"),
    }
}
