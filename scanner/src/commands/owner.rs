//! Whoever types `sudo checkpointd trust import` must not leave files that the service cannot write: a command that writes into the state
//! folder takes on that folder's owner first, for good, as the stick's unit does.

use std::path::Path;

use crate::commands::failure::Failure;

/// Makes this process one of the owner of `state`, if it is root's and the folder is not. A folder that is not there yet decides nothing.
///
/// # Errors
/// When the system does not let it: then nothing must be written.
#[cfg(target_os = "linux")]
pub(super) fn take_on(state: &Path) -> Result<(), Failure> {
    use std::{fs, os::unix::fs::MetadataExt};

    use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

    if !Uid::effective().is_root() {
        return Ok(());
    }
    let Ok(folder) = fs::metadata(state) else { return Ok(()) };
    if folder.uid() == 0 {
        return Ok(());
    }
    // Groups first: they cannot be given up any more once the user is another.
    setgroups(&[])
        .and_then(|()| setgid(Gid::from_raw(folder.gid())))
        .and_then(|()| setuid(Uid::from_raw(folder.uid())))
        .map_err(|error| {
            let what = format!("cannot take on the owner of {}; run this as that user", state.display());
            Failure::new(what).because(error)
        })
}

/// Elsewhere no service has a user of its own.
#[cfg(not(target_os = "linux"))]
pub(super) fn take_on(_: &Path) -> Result<(), Failure> {
    Ok(())
}
