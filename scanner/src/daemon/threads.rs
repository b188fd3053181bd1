//! The threads beside the lanes, and how long each is waited for at the end.

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
