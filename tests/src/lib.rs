//! The proving ground: stories end to end, vectors, frames.

use cache::machine::Machine;

/// The machine that these tests run on, for logs that wait for real threads and real disks.
#[must_use]
pub fn machine() -> Machine {
    Machine::new(|| host::clock::Clock::machine().now(), host::chance::fill)
}
