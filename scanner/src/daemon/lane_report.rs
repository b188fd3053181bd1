//! What one lane and its camera tell the others: two values, each replaced by the one thread that owns it, and read whole.

use std::{sync::Arc, time::Duration};

use devices::readers::tally::Tally;
use lane::{
    liveness::Lifeless,
    queue::LaneHistory,
    watchdog::{CameraState, LaneHealth},
};
use tokio::sync::watch;

use super::settings::LaneSettings;

/// A camera that has neither delivered nor said why not for this long after the start counts as lost: opening may hang in a driver.
const CAMERA_PATIENCE: Duration = Duration::from_secs(5);

/// What a lane's thread says of itself. Moments count from the start of the daemon.
#[derive(Clone, Debug, Default)]
pub struct LaneReport {
    /// When its loop last went round.
    pub beat: Duration,
    /// The longest that its loop took to come round again, the waiting for frames included.
    pub longest_round: Duration,
    /// Frames looked at.
    pub frames: u64,
    /// What has been the matter with its pictures for long.
    pub lifeless: Option<Lifeless>,
    /// The gate did not do as it was told.
    pub gate_trouble: Option<String>,
    /// The fire or egress contact holds the gate open.
    pub alarm: bool,
    /// Rows that came too late for the gate to wait.
    pub late_rows: u64,
    /// When the last of those was.
    pub late_at: Option<Duration>,
    /// What the eye would have liked when it last saw something and did not read it, and when that was.
    pub no_read: Option<(&'static str, Duration)>,
    /// The thread has ended, or never began.
    pub ended: bool,
    /// The lane's recent past.
    pub history: LaneHistory,
}

/// What a camera's thread says of itself.
#[derive(Clone, Debug)]
pub struct CameraReport {
    /// Whether frames arrive.
    pub state: CameraState,
    /// Why none does.
    pub trouble: Option<String>,
}

impl Default for CameraReport {
    fn default() -> CameraReport {
        CameraReport { state: CameraState::Unknown, trouble: None }
    }
}

/// A lane's camera, seen from outside.
#[derive(Clone)]
pub struct CameraView {
    /// What its thread says; nothing, where a lane has no camera.
    report: Option<watch::Receiver<CameraReport>>,
    /// When it was begun.
    began: Duration,
}

impl CameraView {
    /// Of a camera whose thread was begun at `began`; of none, which is as well as up.
    pub fn new(report: Option<watch::Receiver<CameraReport>>, began: Duration) -> CameraView {
        CameraView { report, began }
    }

    /// How it is at `now`. A lane does not wait for ever for a camera whose opening hangs.
    pub fn at(&self, now: Duration) -> CameraReport {
        let Some(report) = &self.report else { return CameraReport { state: CameraState::Up, trouble: None } };
        let said = report.borrow().clone();
        if said.state == CameraState::Unknown && now.saturating_sub(self.began) >= CAMERA_PATIENCE {
            let trouble = Some(format!("it has not answered within {CAMERA_PATIENCE:?}"));
            return CameraReport { state: CameraState::Lost, trouble };
        }
        said
    }
}

/// One lane, seen from outside.
#[derive(Clone)]
pub struct LaneView {
    /// What it was begun with.
    pub settings: Arc<LaneSettings>,
    /// Its camera.
    pub camera: CameraView,
    /// What came of its engines' texts.
    pub readers: Vec<Arc<Tally>>,
    report: watch::Receiver<LaneReport>,
}

impl LaneView {
    /// Of a lane that reports through `report`.
    pub fn new(
        settings: Arc<LaneSettings>,
        camera: CameraView,
        readers: Vec<Arc<Tally>>,
        report: watch::Receiver<LaneReport>,
    ) -> LaneView {
        LaneView { settings, camera, readers, report }
    }

    /// Of a lane that does not work, and why.
    pub fn out_of_service(settings: Arc<LaneSettings>, why: String) -> LaneView {
        let report = LaneReport { ended: true, gate_trouble: Some(why), ..LaneReport::default() };
        let (_, report) = watch::channel(report);
        let camera = CameraView::new(Some(watch::channel(CameraReport::default()).1), Duration::ZERO);
        LaneView { settings, camera, readers: Vec::new(), report }
    }

    /// What it says of itself.
    pub fn report(&self) -> LaneReport {
        self.report.borrow().clone()
    }

    /// Whether it has ended, or never began.
    pub fn ended(&self) -> bool {
        self.report.borrow().ended
    }

    /// As the watchdog judges it.
    pub fn health(&self, now: Duration) -> LaneHealth {
        let report = self.report.borrow();
        let has_camera = self.settings.has_camera();
        LaneHealth {
            silent: now.saturating_sub(report.beat),
            camera: has_camera.then(|| self.camera.at(now).state),
            deadline: self.settings.lane.camera.deadline,
            frames: report.frames,
            ended: report.ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_whose_opening_hangs_counts_as_lost_after_a_while_and_one_that_delivers_late_is_up() {
        let (told, report) = watch::channel(CameraReport::default());
        let camera = CameraView::new(Some(report), Duration::from_secs(100));
        assert_eq!(camera.at(Duration::from_secs(104)).state, CameraState::Unknown);
        let lost = camera.at(Duration::from_secs(105));
        assert_eq!(lost.state, CameraState::Lost);
        assert!(lost.trouble.is_some_and(|why| why.contains("not answered")));
        told.send_replace(CameraReport { state: CameraState::Up, trouble: None });
        assert_eq!(camera.at(Duration::from_secs(106)).state, CameraState::Up);
    }
}
