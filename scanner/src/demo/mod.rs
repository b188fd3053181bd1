//! The demonstration.

pub mod draw;
pub mod motion;
