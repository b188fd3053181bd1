//! Whether a configuration can be put in force: the files, addresses and names that the parts of the daemon need to begin with.
//!
//! One function for `check-config`, which must not pass what `run` then refuses, and for a reload, which leaves the old configuration
//! working where the new one cannot be had. Nothing is opened that only one program can hold, and nobody is asked over a network.

use devices::gate::Gate;
use host::{clock::Clock, config::Config};
use sync::{
    update::{MirrorAccess, WebMirror},
    upload,
};

use super::error::DaemonError;

/// Looks at what the configuration names.
///
/// # Errors
/// With the first thing that is missing or cannot be used.
pub fn check(config: &Config, clock: &Clock) -> Result<(), DaemonError> {
    config.relying()?;
    for lane in &config.lane {
        Gate::check(lane).map_err(|error| DaemonError::Gate { lane: lane.id.clone(), error })?;
    }
    // Where another process has the network, the secrets are that one's.
    if config.network.apart {
        return Ok(());
    }
    if let Some(options) = upload::Options::configured(config) {
        upload::centre(&options, clock).map_err(DaemonError::Upload)?;
    }
    let way = MirrorAccess::from(&config.sync);
    for mirror in config.sync.mirrors.iter().filter(|mirror| mirror.folder().is_none()) {
        WebMirror::new(&mirror.0, &way)?;
    }
    Ok(())
}
