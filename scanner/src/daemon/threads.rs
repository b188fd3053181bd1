//! The threads of a session, and how long each is waited for at the end.

use std::{
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use host::clock::Clock;

/// What a thread that may sit in a driver or a network is waited for at the end.
pub const PATIENCE: Duration = Duration::from_millis(800);
/// A thread beside the lanes, which ends when its sender is dropped.
pub type Worker = (mpsc::SyncSender<()>, JoinHandle<()>);

/// What works for lanes.
#[derive(Default)]
pub struct Threads {
    /// Threads of lanes.
    pub lanes: Vec<JoinHandle<()>>,
    /// Threads of cameras and scan engines.
    pub others: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Lanes are waited for: they close gates. A camera's thread may sit in its driver for ever, and owns nothing else; an engine's lets go of it,
    /// so that the next shift can have it.
    pub fn join(self, clock: &Clock) {
        for lane in self.lanes {
            if lane.join().is_err() {
                log::error!("a lane's thread panicked");
            }
        }
        for other in self.others {
            join_within(clock, other, PATIENCE);
        }
    }
}

/// Waits for a thread, and leaves one behind that does not end.
pub fn join_within(clock: &Clock, thread: JoinHandle<()>, patience: Duration) {
    let until = clock.now() + patience;
    while !thread.is_finished() && clock.now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    if thread.is_finished() {
        // A panic has been said by its hook.
        let _ = thread.join();
    } else {
        log::warn!("a thread does not end; it is left behind");
    }
}
