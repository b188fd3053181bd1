//! What the memory is given of the machine it runs on: the monotonic clock, and chance.
//!
//! Nothing in this crate asks for either by itself, so that a simulated world can give both, and its log's bytes repeat with its seed.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use uuid::Uuid;

/// Tells the moment on the monotonic clock.
pub type Now = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Fills bytes that nobody can guess: ids, day keys, secrets of the process.
pub type Random = Arc<dyn Fn(&mut [u8]) -> Result<(), getrandom::Error> + Send + Sync>;

/// Both together; clones share them.
#[derive(Clone)]
pub struct Machine {
    now: Now,
    random: Random,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Machine")
    }
}

impl Machine {
    /// A machine with this clock and this randomness.
    pub fn new(
        now: impl Fn() -> Instant + Send + Sync + 'static,
        random: impl Fn(&mut [u8]) -> Result<(), getrandom::Error> + Send + Sync + 'static,
    ) -> Machine {
        Machine { now: Arc::new(now), random: Arc::new(random) }
    }

    /// The moment on the monotonic clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        (self.now)()
    }

    /// Time since an earlier moment.
    #[must_use]
    pub fn since(&self, then: Instant) -> Duration {
        self.now().saturating_duration_since(then)
    }

    /// Random bytes.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], getrandom::Error> {
        let mut bytes = [0; N];
        (self.random)(&mut bytes)?;
        Ok(bytes)
    }

    /// 0 to 1, another each time; the middle where the system has no randomness: jitter is no secret.
    #[must_use]
    pub fn jitter(&self) -> f64 {
        self.random().map_or(0.5, |bytes| f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
    }

    /// UUIDv4 (RFC 9562 §5.4), for the name of a log: nothing of it can be guessed, and two boxes set up in the same second have two.
    ///
    /// # Errors
    /// The system has no randomness.
    pub(crate) fn random_id(&self) -> Result<Uuid, getrandom::Error> {
        Ok(uuid::Builder::from_random_bytes(self.random()?).into_uuid())
    }
}

#[cfg(test)]
impl Machine {
    /// The machine that the tests run on.
    #[allow(clippy::disallowed_methods, reason = "tests that wait for threads wait in real time")]
    pub(crate) fn real() -> Machine {
        Machine::new(Instant::now, getrandom::fill)
    }
}
