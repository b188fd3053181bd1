//! The one place of this room that asks the machine for the moment.
//!
//! Every thread here waits for a device: a camera's buffer, an engine's bytes, a line's edge, an answer of a gate's program. Its waits are
//! the kernel's, which no simulated world can shorten, so the thread asks when the kernel lets it go. What decides is given the moment:
//! framing, panel, and the age of a picture.

use std::time::{Duration, Instant, SystemTime};

/// The moment on the monotonic clock.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// How long ago the kernel stamped something with its calendar; `None` where that is still to come.
#[cfg(target_os = "linux")]
pub(crate) fn age(then: SystemTime) -> Option<Duration> {
    SystemTime::now().duration_since(then).ok()
}
