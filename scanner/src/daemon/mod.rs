//! The daemon: cameras, lanes, the scan log, the page and the lists, started in order, kept, and stopped in order.
//!
//! Each lane is a thread that waits for nobody (`station`); each camera is one beside it. Everything that may wait (the page,
//! the lists, rows on their way to a centre, the once-a-second report) lives on other threads and reaches a lane only through
//! values that are replaced whole. What all of them share is `shared`; one run from a configuration to the next is a `shift`.

mod desk;
mod faults;
mod keeper;
mod logbook;
mod notice;
mod notify;
mod orders;
mod preview;
mod pulse;
mod report;
mod row;
mod shared;
mod shift;
mod sight;
mod signals;
mod start;
mod station;

use std::{
    net::SocketAddr,
    sync::{Arc, mpsc},
    time::Duration,
};

use tokio::sync::watch;
use trustlist::judge::Decision;

use crate::{
    config::{self, Config},
    failure::Failure,
    lists::Loaded,
    source::{FrameSource, SourceError},
};

/// Opens what a lane looks through.
pub type OpenSource = Arc<dyn Fn(&config::Camera) -> Result<Box<dyn FrameSource>, SourceError> + Send + Sync>;
/// Loads and verifies the lists that are on this device.
pub type LoadLists = Arc<dyn Fn(&Config) -> Result<Loaded, Failure> + Send + Sync>;
/// Reads the configuration anew.
pub type LoadConfig = Arc<dyn Fn() -> Result<Config, Failure> + Send + Sync>;

/// What the daemon is given: the edges it works with.
#[derive(Clone)]
pub struct Setup {
    /// The configuration, now and at each reload.
    pub config: LoadConfig,
    /// The lists, now and at each reload.
    pub lists: LoadLists,
    /// Cameras.
    pub source: OpenSource,
    /// Who else is told what happens: the demonstration, a test.
    pub observer: Option<mpsc::Sender<Told>>,
    /// Ends the daemon as a signal does.
    pub stop: Option<watch::Receiver<bool>>,
}

/// What an observer is told. No text of any code.
#[derive(Clone, Debug)]
pub enum Told {
    /// The page is served here.
    Page(SocketAddr),
    /// All lanes work, or have said why not.
    Ready {
        /// Since the daemon began.
        after: Duration,
    },
    /// A verdict was given, its row written, its gate told, its screen filled.
    Verdict {
        /// The lane.
        lane: String,
        /// What was decided.
        decision: Box<Decision>,
        /// From the frame to the gate's signal.
        took: Duration,
    },
    /// A symbol that is no pass code was hinted at.
    NotAPassCode {
        /// The lane.
        lane: String,
    },
}

/// Runs until a signal or `setup.stop` ends it, or every lane's source has ended.
///
/// # Errors
/// When it cannot start: the configuration is wrong, or the machine gives it no threads.
pub fn run(setup: &Setup) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("page")
        .enable_all()
        .build()
        .map_err(|error| Failure::new("cannot start threads").because(error))?;
    let result = runtime.block_on(async {
        let mut signals = signals::Signals::listen(setup.stop.clone())
            .map_err(|error| Failure::new("cannot listen for signals").because(error))?;
        let mut config = (setup.config)()?;
        loop {
            match shift::work(setup, &mut signals, config).await? {
                shift::End::Stop => return Ok(()),
                shift::End::Reload(anew) => config = *anew,
            }
        }
    });
    // A client that reads slowly must not keep the daemon from ending.
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}
