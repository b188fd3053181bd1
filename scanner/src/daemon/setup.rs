//! What the daemon is given, the edges it works with; and what it tells whoever listens.

use std::{
    net::SocketAddr,
    sync::{Arc, mpsc},
    time::Duration,
};

use devices::camera::{FrameSource, SourceError};
use host::{
    clock::Clock,
    config::{self, Config, ConfigError},
};
use sync::lists::LoadedLists;
use tokio::sync::watch;
use trustlist::judge::Decision;

/// Opens what a lane looks through.
pub type OpenSource = Arc<dyn Fn(&config::Camera) -> Result<Box<dyn FrameSource>, SourceError> + Send + Sync>;
/// Loads and verifies the lists that are on this device.
pub type LoadLists = Arc<dyn Fn(&Config) -> Result<LoadedLists, sync::error::Error> + Send + Sync>;
/// Reads the configuration anew.
pub type LoadConfig = Arc<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// What the daemon is given: the edges it works with.
#[derive(Clone)]
pub struct Setup {
    /// The clock.
    pub clock: Clock,
    /// The configuration, now and at each reload.
    pub config: LoadConfig,
    /// The lists, now and at each reload.
    pub lists: LoadLists,
    /// Cameras.
    pub source: OpenSource,
    /// Who else is told what happens: the demonstration, a test.
    pub observer: Option<mpsc::Sender<DaemonEvent>>,
    /// Ends the daemon as a signal does.
    pub stop: Option<watch::Receiver<bool>>,
}

/// What an observer is told. No text of any code.
#[derive(Clone, Debug)]
pub enum DaemonEvent {
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
