//! The daemon: cameras, lanes, the scan log, the page and the lists, started in order, kept, and stopped in order.
//!
//! Each lane is a thread that waits for nobody (`lane_worker`); each camera is one beside it. Everything that may wait (the page,
//! the lists, rows on their way to a centre, the once-a-second report) lives on other threads and reaches a lane only through
//! values that are replaced whole. What lives as long as the process is `process`; each part is begun with its slice of the configuration
//! (`settings`), and a reload begins anew only those whose slice is another (`parts`).

mod config_codes;
mod degraded;
mod error;
mod face;
mod founding;
mod health;
pub mod in_force;
mod lane_part;
mod lane_report;
mod lane_worker;
mod list_updater;
mod lists_in_force;
mod log_health;
mod overrides;
mod parts;
mod preview;
mod process;
mod recent_scans;
mod reporter;
mod row;
mod scan_log;
mod service_manager;
mod session;
mod settings;
mod setup;
mod signals;
mod start;
mod threads;

use std::time::Duration;

pub use error::DaemonError;
pub use scan_log::{machine, owed};
pub use setup::{DaemonEvent, LoadConfig, LoadLists, OpenSource, Setup};

/// Runs until a signal or `setup.stop` ends it, or every lane's source has ended.
///
/// # Errors
/// When it cannot start: the configuration is wrong, or the machine gives it no threads.
pub fn run(setup: &Setup) -> Result<(), DaemonError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("page")
        .enable_all()
        .build()
        .map_err(|error| DaemonError::Thread("threads", error))?;
    let result = runtime.block_on(async {
        let mut signals = signals::Signals::listen(setup.stop.clone()).map_err(DaemonError::Signals)?;
        session::work(setup, &mut signals).await
    });
    // A client that reads slowly must not keep the daemon from ending.
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}
