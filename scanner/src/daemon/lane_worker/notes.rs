//! What a lane notes beside its presentations: passages, contacts, its gate, its camera, and rows that nobody waited for.

use std::time::Duration;

use cache::log::{self as log_of, UnixMillis, Written};
use devices::gate::ContactEvent;
use lane::{
    machine::{Event, FRESH, GateEvent, Passage},
    watchdog::CameraState,
};

use super::{super::row, LaneWorker};

impl LaneWorker {
    /// What became of the oldest admission of which nothing is known yet.
    pub(super) fn note_passage(&mut self, passage: Passage) {
        let passage = row::passage(passage);
        self.others.metrics.passage(&self.settings().id, passage.code());
        // An admission without a row was given by nobody: rows come first.
        let Some(scan) = self.awaited.pop_front().flatten() else { return };
        self.note(&log_of::Event::Passage { scan, passage });
    }

    pub(super) fn note_gate_event(&mut self, event: GateEvent) {
        let lane = self.settings().id.clone();
        let what = row::gate_event(event);
        log::warn!("lane {lane}: {}", what.code());
        match event {
            GateEvent::Alarm => self.report.send_modify(|report| report.alarm = true),
            GateEvent::AlarmOver => self.report.send_modify(|report| report.alarm = false),
            GateEvent::Forced => self.others.metrics.passage(&lane, what.code()),
        }
        self.note(&log_of::Event::Gate { lane, what });
    }

    /// Hands an event to the log. The gate has moved: nobody waits, and a failure is told when it is known.
    pub(super) fn note(&mut self, event: &log_of::Event) {
        let trust = self.others.time.moment(&self.others.lists.now()).trust;
        let at = UnixMillis(self.clock().unix_millis());
        if let Some(memory) = &self.memory {
            self.late.push(memory.record(event, at, trust));
        }
    }

    pub(super) fn watch_contacts(&mut self) {
        while let Some((sensed, at)) = self.gate.sensed() {
            let event = match sensed {
                // An alarm is how things stand, and no passing event: it counts however late it comes.
                ContactEvent::Alarm => Event::Alarm,
                ContactEvent::AlarmOver => Event::AlarmOver,
                _ if self.clock().since(at) >= FRESH => {
                    self.came_late("contact");
                    continue;
                }
                ContactEvent::InBeam => Event::InBeam,
                ContactEvent::BeamFree => Event::BeamFree,
            };
            self.nothing_seen(event);
        }
    }

    /// What is wrong with the gate now; one line in the journal for each change.
    pub(super) fn watch_gate(&mut self) {
        let now = self.gate.trouble();
        if self.report.borrow().gate_trouble == now {
            return;
        }
        match &now {
            Some(trouble) => log::error!("lane {}: the gate does not answer: {trouble}", self.settings().id),
            None => log::info!("lane {}: the gate answers again", self.settings().id),
        }
        self.report.send_modify(|report| report.gate_trouble = now);
    }

    pub(super) fn watch_camera(&mut self) {
        let camera = self.camera.at(self.now()).state;
        if camera == self.told_of_camera {
            return;
        }
        self.told_of_camera = camera;
        let event = match camera {
            CameraState::Up => Event::CameraBack,
            CameraState::Lost => Event::CameraLost,
            CameraState::Unknown => return,
        };
        self.nothing_seen(event);
    }

    pub(super) fn settle_late_rows(&mut self) {
        let log_health = &self.others.log_health;
        self.late.retain(|receipt| match receipt.wait(Duration::ZERO) {
            Written::Late => true,
            Written::Committed(_) => false,
            Written::Failed(fault) => {
                log::error!("a row whose traveller has passed could not be written: {}", fault.code());
                log_health.unavailable(fault.code());
                false
            }
        });
    }
}
