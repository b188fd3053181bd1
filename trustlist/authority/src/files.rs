//! Files of a folder: read whole, written beside their place and renamed, keys for their owner only.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    fault::WorkspaceError,
    key::{self, SigningKey},
};

/// The private keys of a folder. One that others may read is refused.
pub(crate) fn read_keys(directory: &Path) -> Result<Vec<SigningKey>, WorkspaceError> {
    let mut keys = Vec::new();
    let mut files = names(directory)?;
    files.sort_unstable();
    let is_key = |name: &&String| [key::PEM, key::NOTE].iter().any(|end| name.ends_with(&format!(".{end}")));
    for name in files.iter().filter(is_key) {
        let path = directory.join(name);
        let mode = fs::metadata(&path).map_err(|error| WorkspaceError::io("read", &path, error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(WorkspaceError::OpenKey(path));
        }
        let text = fs::read_to_string(&path).map_err(|error| WorkspaceError::io("read", &path, error))?;
        let key = if name.ends_with(key::NOTE) { SigningKey::from_note(&text) } else { SigningKey::from_pem(&text) };
        keys.push(key.map_err(|error| WorkspaceError::BadFile(path, error.to_string()))?);
    }
    Ok(keys)
}

/// Files `<number>.json` of a folder.
pub(crate) fn numbered(directory: &Path) -> Result<Vec<(u64, PathBuf)>, WorkspaceError> {
    let number = |name: &String| name.strip_suffix(".json").and_then(|number| number.parse().ok());
    Ok(names(directory)?.iter().filter_map(|name| Some((number(name)?, directory.join(name)))).collect())
}

/// Names in a folder; none when there is no such folder.
pub(crate) fn names(directory: &Path) -> Result<Vec<String>, WorkspaceError> {
    let failed = |error| WorkspaceError::io("read", directory, error);
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    names.collect::<Result<_, _>>().map_err(failed)
}

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, WorkspaceError> {
    fs::read(path).map_err(|error| WorkspaceError::io("read", path, error))
}

/// Reads a JSON document.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, WorkspaceError> {
    serde_json::from_slice(&read(path)?).map_err(|error| WorkspaceError::BadFile(path.to_owned(), error.to_string()))
}

pub(crate) fn write_json<T: Serialize>(path: &Path, document: &T) -> Result<(), WorkspaceError> {
    let mut bytes = serde_json::to_vec_pretty(document).expect("documents are plain values");
    bytes.push(b'\n');
    write(path, &bytes)
}

/// Puts a file in its place whole, unless it stands there already.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), WorkspaceError> {
    if fs::read(path).is_ok_and(|held| held == bytes) {
        return Ok(());
    }
    let failed = |error| WorkspaceError::io("write", path, error);
    let directory = path.parent().unwrap_or(Path::new("."));
    create_directory(directory, 0o755)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = directory.join(format!(".{name}.new"));
    let mut file = File::create(&beside).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}

/// Writes a key, or the note of one in a token, unless it is there; `name` is without the end that says which of the two it is.
pub(crate) fn write_key(directory: &Path, name: &str, key: &SigningKey) -> Result<(), WorkspaceError> {
    let (end, text) = key.to_file();
    let path = &directory.join(format!("{name}.{end}"));
    let failed = |error| WorkspaceError::io("write", path, error);
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        file => file.map_err(failed)?,
    };
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

pub(crate) fn create_directory(directory: &Path, mode: u32) -> Result<(), WorkspaceError> {
    let made = fs::DirBuilder::new().recursive(true).mode(mode).create(directory);
    made.map_err(|error| WorkspaceError::io("make the folder", directory, error))
}

pub(crate) fn remove(path: &Path) -> Result<(), WorkspaceError> {
    fs::remove_file(path).map_err(|error| WorkspaceError::io("remove", path, error))
}

/// Two commands in one folder would sign two generations of one number.
pub(crate) fn lock(path: &Path) -> Result<File, WorkspaceError> {
    let file = File::open(path).map_err(|error| WorkspaceError::io("read", path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(WorkspaceError::Busy(path.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(WorkspaceError::io("lock", path, error)),
    }
}
