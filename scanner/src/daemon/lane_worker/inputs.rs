//! What reaches a lane: the newest frame, and the texts of scan engines.

use std::{sync::mpsc::Receiver, time::Instant};

use devices::{
    frame::{Frame, Slot, SlotReceiver},
    readers::EngineRead,
};

use super::TICK;

/// What reaches a lane.
pub struct Inputs {
    /// Frames, the newest only.
    pub frames: SlotReceiver<Frame>,
    /// Texts of scan engines.
    pub texts: Receiver<EngineRead>,
    /// Whether there is a camera at all.
    pub has_camera: bool,
}

/// What reached a lane since it last looked.
#[derive(Default)]
pub struct Arrivals {
    /// The newest frame.
    pub frame: Option<Frame>,
    /// Frames before it that nobody looked at.
    pub replaced: u64,
    /// Texts in their order.
    pub texts: Vec<EngineRead>,
}

impl Inputs {
    /// Waits until something arrives or `until`; `None` when nothing will any more.
    pub(super) fn wait(&self, until: Instant) -> Option<Arrivals> {
        let mut arrivals = Arrivals::default();
        match self.frames.take(until) {
            Slot::Filled(frame) => arrivals.frame = Some(frame),
            Slot::Timeout => (),
            Slot::Closed if self.has_camera => return None,
            Slot::Closed => arrivals.texts.extend(self.texts.recv_timeout(TICK)),
        }
        arrivals.replaced = self.frames.replaced();
        arrivals.texts.extend(self.texts.try_iter());
        Some(arrivals)
    }
}
