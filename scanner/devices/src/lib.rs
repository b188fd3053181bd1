//! What a lane sees through and moves: cameras and their frames, scan engines, and the drivers of gates, lights and sounder.
//!
//! One file owns one piece of the world. Nothing here decides: pictures and texts go in, and a gate does what it is told.

#![allow(clippy::disallowed_methods, reason = "cameras, engines and gates still measure their own waits")]

pub mod camera;
pub mod frame;
pub mod gate;
mod moment;
pub mod readers;
