//! Why the daemon cannot start, or cannot begin with another configuration.

use std::{error, fmt, io, path::PathBuf};

use cache::log::Fault;
use devices::gate::GateError;
use host::{config::ConfigError, peer::PeerError};

/// Why the daemon cannot start.
#[derive(Debug)]
pub enum DaemonError {
    /// The configuration is wrong.
    Config(ConfigError),
    /// A lane has no gate the way it is configured.
    Gate {
        /// The lane.
        lane: String,
        /// What is wrong.
        error: GateError,
    },
    /// The centre cannot be reached the way it is configured.
    Upload(PeerError),
    /// The socket to the process that has the network cannot be had.
    Relay(PathBuf, io::Error),
    /// The lists cannot be loaded.
    Lists(sync::error::Error),
    /// The scan log cannot be read.
    Log(Fault),
    /// The system has no thread for this.
    Thread(&'static str, io::Error),
    /// The system has no randomness.
    Randomness(String),
    /// The system has no place for a handler of signals.
    Signals(io::Error),
}

impl DaemonError {
    /// Whether a start with the same configuration would fail again.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::Config(_) | Self::Upload(_) | Self::Gate { error: GateError::Unsuitable(_), .. })
    }
}

impl fmt::Display for DaemonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}"),
            Self::Gate { lane, error } => write!(f, "lane {lane}: {error}"),
            Self::Upload(error) => write!(f, "upload: {error}"),
            Self::Relay(place, error) => write!(f, "{}: {error}", place.display()),
            Self::Lists(error) => write!(f, "{error}"),
            Self::Log(_) => f.write_str("the scan log cannot be read"),
            Self::Thread(whose, _) => write!(f, "cannot start {whose}"),
            Self::Randomness(error) => write!(f, "the system has no randomness: {error}"),
            Self::Signals(_) => f.write_str("cannot listen for signals"),
        }
    }
}

impl error::Error for DaemonError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Log(cause) => Some(cause),
            Self::Thread(_, cause) | Self::Signals(cause) => Some(cause),
            // Shown whole already: what lies behind it is the cause of this.
            Self::Lists(error) => error.source(),
            Self::Config(_) | Self::Gate { .. } | Self::Upload(_) | Self::Relay(..) | Self::Randomness(_) => None,
        }
    }
}

impl From<ConfigError> for DaemonError {
    fn from(error: ConfigError) -> DaemonError {
        DaemonError::Config(error)
    }
}

impl From<sync::error::Error> for DaemonError {
    fn from(error: sync::error::Error) -> DaemonError {
        DaemonError::Lists(error)
    }
}
