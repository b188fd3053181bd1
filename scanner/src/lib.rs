//! The daemon `checkpointd` and its commands: who starts, feeds and stops whom.

pub mod commands;
pub mod daemon;
#[cfg(feature = "demo")]
pub mod demo;
