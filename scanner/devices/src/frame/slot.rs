//! The newest-wins slot between the camera's thread and the lane's: a fresh frame replaces a waiting one.
//!
//! An old picture is worth nothing, so nothing ever queues; what is replaced is counted. When either end is dropped the
//! other one notices.

use std::{
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::moment;

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

#[derive(Debug)]
struct State<T> {
    waiting: Option<T>,
    replaced: u64,
    closed: bool,
}

/// The end that fills.
#[derive(Debug)]
pub struct SlotSender<T>(Arc<Shared<T>>);

/// The end that empties.
#[derive(Debug)]
pub struct SlotReceiver<T>(Arc<Shared<T>>);

/// What a wait ended with.
#[derive(Debug, PartialEq, Eq)]
pub enum Slot<T> {
    /// The newest.
    Filled(T),
    /// Nothing came in time.
    Timeout,
    /// Nothing will ever come.
    Closed,
}

/// A slot of one place.
#[must_use]
pub fn slot<T>() -> (SlotSender<T>, SlotReceiver<T>) {
    let state = Mutex::new(State { waiting: None, replaced: 0, closed: false });
    let shared = Arc::new(Shared { state, filled: Condvar::new() });
    (SlotSender(shared.clone()), SlotReceiver(shared))
}

impl<T> Shared<T> {
    /// A panic elsewhere leaves nothing half done here: the state is always whole.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.state().closed = true;
        self.filled.notify_all();
    }
}

impl<T> SlotSender<T> {
    /// Puts `value` in place of whatever waits. `false` once nobody will take it any more.
    pub fn put(&self, value: T) -> bool {
        let mut state = self.0.state();
        if state.closed {
            return false;
        }
        let old = state.waiting.replace(value);
        state.replaced += u64::from(old.is_some());
        // The old one goes back to its pool outside the lock.
        drop(state);
        drop(old);
        self.0.filled.notify_one();
        true
    }
}

impl<T> SlotReceiver<T> {
    /// The newest value, waiting for one until `deadline`.
    #[must_use]
    pub fn take(&self, deadline: Instant) -> Slot<T> {
        let mut state = self.0.state();
        loop {
            if let Some(value) = state.waiting.take() {
                return Slot::Filled(value);
            }
            if state.closed {
                return Slot::Closed;
            }
            let left = deadline.saturating_duration_since(moment::now());
            if left == Duration::ZERO {
                return Slot::Timeout;
            }
            state = self.0.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many values were replaced before anybody took them, since this was last asked.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        mem::take(&mut self.0.state().replaced)
    }
}

impl<T> Drop for SlotSender<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<T> Drop for SlotReceiver<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_wins_and_the_others_are_counted() {
        let (sender, receiver) = slot();
        assert!((1..=5).all(|number| sender.put(number)));
        assert_eq!(receiver.take(Instant::now()), Slot::Filled(5));
        assert_eq!([receiver.replaced(), receiver.replaced()], [4, 0]);
        assert_eq!(receiver.take(Instant::now()), Slot::Timeout);
    }

    #[test]
    fn a_waiting_lane_is_woken_by_a_frame_and_by_the_end() {
        let (sender, receiver) = slot();
        let far = Instant::now() + Duration::from_secs(60);
        let lane = std::thread::spawn(move || [receiver.take(far), receiver.take(far)]);
        // Time to begin waiting; whoever is slower finds the same.
        std::thread::sleep(Duration::from_millis(50));
        assert!(sender.put(7));
        drop(sender);
        let seen = lane.join().expect("no panic");
        assert_eq!(seen, [Slot::Filled(7), Slot::Closed]);
    }

    #[test]
    fn a_camera_whose_lane_has_gone_is_told() {
        let (sender, receiver) = slot();
        drop(receiver);
        assert!(!sender.put(1));
    }
}
