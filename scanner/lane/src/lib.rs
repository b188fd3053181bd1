//! The lane, pure: what happens at a gate and when, and what its screen, lights and sounder show of it.
//!
//! Events and a moment go in, actions come out ([`machine`]). Beside it: a text without its wrapping ([`text`]), from what was read to what
//! the machine is told ([`presentation`]), whether pictures show anything ([`liveness`]), codes that are held up and not read
//! ([`unread`]), what is shown ([`screen`], [`signal`]), who waits at the second line ([`second_line`]), whether everything advances
//! ([`watchdog`]), and how the queue does ([`queue`]). There is no clock, thread, file, database, page or configuration in here.

pub mod liveness;
pub mod machine;
pub mod presentation;
pub mod queue;
pub mod screen;
pub mod second_line;
pub mod signal;
pub mod text;
pub mod today;
pub mod unread;
#[cfg(test)]
mod vector;
pub mod watchdog;
