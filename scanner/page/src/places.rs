//! Places for connections: a bounded number for each kind of visitor, and a newcomer always finds one.
//!
//! Whoever holds a place and asks for nothing loses it first, then whoever came last: idle clients, however many, keep no newcomer out, and
//! a screen that has its place keeps it. Strangers take places from strangers only.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use crate::visitor::Visitor;

/// Connections at once of each kind of visitor. Stops a program that opens sockets in a loop from taking all descriptors.
pub const PLACES: usize = 32;

/// All places.
#[derive(Clone, Debug, Default)]
pub struct Places(Arc<[Mutex<VecDeque<Arc<Held>>>; 2]>);

#[derive(Debug, Default)]
struct Held {
    /// It has asked for something.
    asked: AtomicBool,
    lost: Notify,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub struct Place {
    held: Arc<Held>,
    of: Places,
    visitor: Visitor,
}

impl Places {
    /// A place for a newcomer.
    #[must_use]
    pub fn take(&self, visitor: Visitor) -> Place {
        let held = Arc::<Held>::default();
        let mut places = self.lock(visitor);
        if places.len() >= PLACES {
            let silent = places.iter().position(|held| !held.asked.load(Ordering::Relaxed));
            if let Some(loser) = places.remove(silent.unwrap_or(PLACES - 1)) {
                loser.lost.notify_one();
            }
        }
        places.push_back(Arc::clone(&held));
        drop(places);
        Place { held, of: self.clone(), visitor }
    }

    fn lock(&self, visitor: Visitor) -> MutexGuard<'_, VecDeque<Arc<Held>>> {
        self.0[visitor as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Something was asked for.
    pub fn asked(&self) {
        self.held.asked.store(true, Ordering::Relaxed);
    }

    /// Waits until somebody else has this place.
    pub async fn lost(&self) {
        self.held.lost.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.lock(self.visitor).retain(|held| !Arc::ptr_eq(held, &self.held));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_lost(place: &Place) -> bool {
        use std::{
            future::Future,
            pin::pin,
            task::{Context, Poll, Waker},
        };
        matches!(pin!(place.lost()).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()))
    }

    #[test]
    fn a_newcomer_has_a_place_and_the_silent_lose_theirs_before_a_screen_does() {
        let places = Places::default();
        let screen = places.take(Visitor::House);
        screen.asked();
        let silent: Vec<Place> = (0..100).map(|_| places.take(Visitor::House)).collect();
        assert!(!is_lost(&screen));
        assert_eq!(silent.iter().filter(|place| is_lost(place)).count(), 100 - (PLACES - 1));
        assert!(!is_lost(silent.last().expect("a hundred")), "the newest");
    }

    #[test]
    fn among_those_who_asked_whoever_came_last_makes_room_and_a_screen_keeps_its_place() {
        let places = Places::default();
        let all: Vec<Place> = (0..=PLACES).map(|_| places.take(Visitor::House)).inspect(Place::asked).collect();
        let lost: Vec<usize> = (0..=PLACES).filter(|at| is_lost(&all[*at])).collect();
        assert_eq!(lost, [PLACES - 1]);
    }

    #[test]
    fn strangers_take_no_place_of_the_house_and_a_place_that_is_given_back_is_free() {
        let places = Places::default();
        let screen = places.take(Visitor::House);
        let strangers: Vec<Place> = (0..100).map(|_| places.take(Visitor::Stranger)).collect();
        assert!(!is_lost(&screen));
        drop(strangers);
        let first = places.take(Visitor::Stranger);
        let rest: Vec<Place> = (1..PLACES).map(|_| places.take(Visitor::Stranger)).collect();
        assert!(!is_lost(&first) && rest.iter().all(|place| !is_lost(place)));
    }
}
