//! The demonstration.

pub mod country;
pub mod draw;
pub mod motion;
