//! The daemon `checkpointd`: camera, lane, gate, sync, pages.

pub mod metrics;
pub mod page;

/// This build, for pages and metrics.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");
