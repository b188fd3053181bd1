//! The daemon: cameras, lanes, the scan log, the page and the lists, started in order, kept, and stopped in order.
//!
//! Each lane is a thread that waits for nobody (`lane_worker`); each camera is one beside it. Everything that may wait (the page,
//! the lists, rows on their way to a centre, the once-a-second report) lives on other threads and reaches a lane only through
//! values that are replaced whole. What all of them share is `shared`; one run from a configuration to the next is a `session`.

mod config_codes;
mod degraded;
mod error;
mod founding;
mod health;
pub mod in_force;
mod lane_worker;
mod list_updater;
mod overrides;
mod preview;
mod reporter;
mod row;
mod scan_log;
mod service_manager;
mod session;
mod setup;
mod shared;
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
        let mut config = (setup.config)()?;
        let mut log = scan_log::LogKeeper::new(&setup.clock).map_err(DaemonError::Randomness)?;
        let end = loop {
            match session::work(setup, &mut signals, config, &mut log).await {
                Ok(session::End::Reload(anew)) => config = *anew,
                Ok(session::End::Stop) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        log.close();
        end
    });
    // A client that reads slowly must not keep the daemon from ending.
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}
