//! What all lanes share before a gate moves: the bound of openings without a row, and the codes that are reserved.
//!
//! The two pure values ([`super::openings`], [`super::reservations`]) under one lock that nobody holds while waiting for a disk. The
//! daemon makes one and gives it to every log it opens, so that neither a reload nor a new log forgets what is on its way; a writing
//! thread that hangs in the kernel still settles its rows here, should it ever come back.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{
    day_keys::CodeId,
    openings::{Bounds, Lost, Objection, Openings, Settled, Ticket},
    reservations::{Claim, Denied, Key, Reservations},
    row::Direction,
    unix_millis::UnixMillis,
};
use crate::machine::Machine;

/// Codes reserved at once. Stops a crowd before a disk that hangs from filling the memory; the bound of openings is far below.
const RESERVED: usize = 4096;

/// A group of lanes in one direction: within it a code is used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassbackScope<'a> {
    /// The group's name in the configuration.
    pub group: &'a str,
    /// Which way.
    pub direction: Direction,
}

/// The shared state. Cheap to clone as an [`Arc`].
pub struct Admissions {
    state: Mutex<State>,
    freed: Condvar,
    machine: Machine,
    start: Instant,
    /// Names codes in memory, for this process only.
    secret: [u8; 32],
}

struct State {
    openings: Openings,
    reservations: Reservations,
}

impl fmt::Debug for Admissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admissions")
    }
}

impl Admissions {
    /// Nothing on its way.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new(bounds: Bounds, machine: Machine) -> Result<Arc<Admissions>, getrandom::Error> {
        let secret = machine.random()?;
        Ok(Arc::new(Admissions {
            state: Mutex::new(State { openings: Openings::new(bounds), reservations: Reservations::new(RESERVED) }),
            freed: Condvar::new(),
            start: machine.now(),
            machine,
            secret,
        }))
    }

    /// Other bounds from here on.
    pub fn bind(&self, bounds: Bounds) {
        self.lock().openings.bind(bounds);
    }

    /// The bounds in force.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.lock().openings.bounds()
    }

    /// Reserves a code until its row is settled, or the answer is dropped.
    ///
    /// # Errors
    /// When it is being used, or too many are reserved.
    pub fn reserve(self: &Arc<Self>, scope: &PassbackScope<'_>, code: &CodeId<'_>) -> Result<Reserved, Denied> {
        let key = self.key(scope, code);
        let claim = self.lock().reservations.reserve(key, self.now())?;
        Ok(Reserved { admissions: Arc::clone(self), claim: Some(claim) })
    }

    /// A row that opens no gate goes to the disk.
    pub(super) fn row(self: &Arc<Self>) -> InFlight {
        let ticket = self.lock().openings.row(self.now());
        self.in_flight(ticket, None)
    }

    /// A place among the openings for a row whose gate will wait up to `wait`. Waits as long for one that others take and will give
    /// back in a moment: a burst at many lanes is no disk that hangs.
    ///
    /// # Errors
    /// When the gates are too far ahead of the disk already.
    pub(super) fn opening(self: &Arc<Self>, at: UnixMillis, wait: Duration) -> Result<InFlight, Objection> {
        let (began, mut waited) = (self.now(), false);
        let mut state = self.lock();
        loop {
            match state.openings.opening(self.now(), wait, at) {
                Ok(ticket) => {
                    drop(state);
                    return Ok(self.in_flight(ticket, None));
                }
                Err(objection @ Objection::TooMany(_)) if state.openings.ahead() == 0 => {
                    let left = wait.saturating_sub(self.now().saturating_sub(began));
                    // A simulated clock may stand still meanwhile.
                    if waited || left.is_zero() {
                        return Err(objection);
                    }
                    let (again, end) = self.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
                    (state, waited) = (again, end.timed_out());
                }
                Err(objection) => return Err(objection),
            }
        }
    }

    /// Why a gate that asked now, and waited for nothing, would not open; `None` while it would.
    #[must_use]
    pub fn objection(&self) -> Option<Objection> {
        self.lock().openings.objection(self.now(), Duration::ZERO)
    }

    /// Openings without a row of which the chain does not know yet.
    #[must_use]
    pub fn lost(&self) -> Option<Lost> {
        self.lock().openings.lost()
    }

    pub(super) fn recorded(&self, lost: Lost) {
        self.lock().openings.recorded(lost);
    }

    /// Gates that moved and whose rows are still on their way.
    #[must_use]
    pub fn ahead(&self) -> u64 {
        self.lock().openings.ahead()
    }

    /// How long the oldest row has waited for the disk.
    #[must_use]
    pub fn oldest(&self) -> Option<Duration> {
        self.lock().openings.oldest(self.now())
    }

    fn in_flight(self: &Arc<Self>, ticket: Ticket, claim: Option<(Claim, Duration)>) -> InFlight {
        InFlight { admissions: Arc::clone(self), ticket, claim, settled: false }
    }

    fn key(&self, scope: &PassbackScope<'_>, code: &CodeId<'_>) -> Key {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes keys of any length");
        // The group's length first: no two parts can be split in two ways.
        mac.update(&(scope.group.len() as u64).to_be_bytes());
        mac.update(scope.group.as_bytes());
        mac.update(scope.direction.code().as_bytes());
        mac.update(code.issuer.to_string().as_bytes());
        mac.update(code.id);
        mac.finalize().into_bytes().into()
    }

    fn now(&self) -> Duration {
        self.machine.since(self.start)
    }

    /// Nothing under this lock can panic half way; should it nevertheless, the bound must go on counting.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A code that is reserved: dropped, it is free again.
#[derive(Debug)]
#[must_use = "dropped, the code is free again"]
pub struct Reserved {
    admissions: Arc<Admissions>,
    claim: Option<Claim>,
}

impl Reserved {
    fn hand_over(mut self) -> Option<Claim> {
        self.claim.take()
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.admissions.lock().reservations.release(claim);
        }
    }
}

/// A row on its way to the disk. Whoever writes settles it; dropped unsettled, it has failed.
#[derive(Debug)]
pub(super) struct InFlight {
    admissions: Arc<Admissions>,
    ticket: Ticket,
    /// The code it uses, and how long that stands should the gate move and the row fail.
    claim: Option<(Claim, Duration)>,
    settled: bool,
}

impl InFlight {
    /// The code that this row uses, and the window within which it is used once.
    pub(super) fn using(mut self, reserved: Option<Reserved>, window: Duration) -> InFlight {
        self.claim = reserved.and_then(Reserved::hand_over).map(|claim| (claim, window));
        self
    }

    /// What the lane keeps: its way to say that the gate moves.
    pub(super) fn mover(&self) -> Mover {
        Mover { admissions: Arc::clone(&self.admissions), ticket: self.ticket }
    }

    pub(super) fn durable(mut self) {
        self.settle(true);
    }

    fn settle(&mut self, durable: bool) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let now = self.admissions.now();
        let mut state = self.admissions.lock();
        let settled = if durable { state.openings.durable(self.ticket) } else { state.openings.failed(self.ticket) };
        if let Some((claim, window)) = self.claim.take() {
            match settled {
                Settled::Durable | Settled::Withheld => state.reservations.release(claim),
                Settled::Lost => state.reservations.keep(claim, now + window),
            }
        }
        drop(state);
        self.admissions.freed.notify_all();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.settle(false);
    }
}

/// The lane's side of a row in flight.
#[derive(Debug)]
pub(super) struct Mover {
    admissions: Arc<Admissions>,
    ticket: Ticket,
}

impl Mover {
    pub(super) fn moves(&self) -> bool {
        self.admissions.lock().openings.moves(self.ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: UnixMillis = UnixMillis(1_612_137_600_000);
    const WINDOW: Duration = Duration::from_secs(3600);

    fn entry(group: &str) -> PassbackScope<'_> {
        PassbackScope { group, direction: Direction::Entry }
    }

    fn code(id: &[u8]) -> CodeId<'_> {
        CodeId { issuer: "420000".parse().expect("a region"), id }
    }

    #[test]
    fn one_code_at_two_lanes_at_the_same_instant_is_admitted_once() {
        let admissions = Admissions::new(Bounds::default(), Machine::real()).expect("randomness");
        for round in 0..200_u32 {
            let id = round.to_be_bytes();
            let barrier = std::sync::Barrier::new(2);
            let lane = || {
                barrier.wait();
                admissions.reserve(&entry("hall"), &code(&id))
            };
            // Both answers are held until both have asked: the disk is slow, no row is durable yet.
            let answers = std::thread::scope(|scope| {
                [scope.spawn(lane), scope.spawn(lane)].map(|lane| lane.join().expect("no panic"))
            });
            assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "round {round}");
        }
    }

    #[test]
    fn groups_directions_and_issuers_each_have_their_own_reservations() {
        let admissions = Admissions::new(Bounds::default(), Machine::real()).expect("randomness");
        let _first = admissions.reserve(&entry("hall"), &code(b"1")).expect("free");
        assert_eq!(admissions.reserve(&entry("hall"), &code(b"1")).err(), Some(Denied::Taken));
        let exit = PassbackScope { group: "hall", direction: Direction::Exit };
        let issuer = CodeId { issuer: "440000".parse().expect("a region"), id: b"1" };
        for (scope, code) in [(&entry("gate"), &code(b"1")), (&exit, &code(b"1")), (&entry("hall"), &issuer)] {
            drop(admissions.reserve(scope, code).expect("free"));
        }
    }

    #[test]
    fn a_reservation_ends_with_its_row_or_stands_for_the_window_where_the_gate_moved_without_one() {
        let admissions = Admissions::new(Bounds::default(), Machine::real()).expect("randomness");
        let opening = || {
            let reserved = admissions.reserve(&entry("hall"), &code(b"1")).expect("free");
            admissions.opening(AT, Duration::from_millis(50)).expect("room").using(Some(reserved), WINDOW)
        };
        opening().durable();
        drop(opening());
        drop(admissions.reserve(&entry("hall"), &code(b"1")).expect("free: the gate did not move"));
        let moved = opening();
        assert!(moved.mover().moves());
        assert_eq!(admissions.ahead(), 1);
        drop(moved);
        assert_eq!(admissions.reserve(&entry("hall"), &code(b"1")).err(), Some(Denied::Taken));
        assert_eq!(admissions.lost().map(|lost| lost.openings), Some(1));
    }

    #[test]
    fn a_burst_at_many_lanes_waits_for_a_place_and_is_not_taken_for_a_disk_that_hangs() {
        let admissions =
            Admissions::new(Bounds { openings: 1, ..Bounds::default() }, Machine::real()).expect("randomness");
        let first = admissions.opening(AT, Duration::from_millis(50)).expect("room");
        std::thread::scope(|scope| {
            let second = scope.spawn(|| admissions.opening(AT, Duration::from_secs(1)).is_ok());
            first.durable();
            assert!(second.join().expect("no panic"));
        });
    }
}
