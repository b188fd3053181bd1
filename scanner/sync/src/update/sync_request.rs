//! That newer lists are wanted, from the process that scans to the one that has the network: a file whose time is the message.

use std::{fs, io, path::PathBuf, time::SystemTime};

use host::config::Config;

fn place(config: &Config) -> PathBuf {
    config.places.sync_request()
}

/// Says so.
///
/// # Errors
/// When the runtime folder cannot be written to.
pub fn ask(config: &Config) -> io::Result<()> {
    fs::write(place(config), "")
}

/// When it was last said.
#[must_use]
pub fn asked_at(config: &Config) -> Option<SystemTime> {
    fs::metadata(place(config)).ok()?.modified().ok()
}
