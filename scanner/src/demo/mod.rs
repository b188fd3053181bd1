//! The demonstration.

pub mod country;
pub mod crowd;
pub mod draw;
pub mod motion;
