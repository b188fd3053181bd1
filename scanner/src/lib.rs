//! The daemon `checkpointd`: camera, lane, gate, sync, pages.

pub mod clock;
pub mod commands;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod failure;
pub mod frame;
pub mod gate;
pub mod journal;
pub mod lane;
pub mod lists;
pub mod metrics;
pub mod page;
mod peer;
mod posted;
pub mod readers;
pub mod run;
pub mod service;
pub mod source;
pub mod sync;
pub mod telemetry;
pub mod upload;

/// This build, for pages and metrics.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");
