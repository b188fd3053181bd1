//! Small TOML files in `places.state` that are part of the configuration: read whole and bounded, never passed over when they are damaged.

use std::{fs, io, path::Path};

use serde::de::DeserializeOwned;

use super::{ConfigError, Origin};

/// Larger than any number of lanes makes it; stops a filled-up file from filling memory.
const MAX_FILE: u64 = 64 * 1024;

/// Reads one; none where it is not there, or where this user may not look into that folder (whoever asks for `checkpointd status`), who
/// sees the installer's files only.
///
/// # Errors
/// When it is there and no such file; `advice` says what to do about it.
pub(super) fn read<T: DeserializeOwned>(file: &Path, advice: &str) -> Result<Option<T>, ConfigError> {
    let unreadable = |cause| ConfigError::Unreadable { file: file.to_owned(), cause };
    match fs::metadata(file) {
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            return Ok(None);
        }
        Err(cause) => return Err(unreadable(cause)),
        Ok(about) if about.len() > MAX_FILE => return Err(unreadable(io::ErrorKind::FileTooLarge.into())),
        Ok(_) => (),
    }
    let text = fs::read_to_string(file).map_err(unreadable)?;
    toml::from_str(&text).map(Some).map_err(|error| ConfigError::Syntax {
        origin: Origin::File { file: file.display().to_string().into(), line: 1 },
        says: format!("{}; {advice}", error.message()),
    })
}
