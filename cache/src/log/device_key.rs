//! The device's signing key: made at first boot, kept in a file only its owner can read, or handed in by systemd.
//!
//! The key is never replaced silently: a file that exists and cannot be read as a key is an error, because a new key would
//! make every older anchor look foreign.

use std::{
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::note::{NoteError, NoteSigner};

/// Why there is no device key.
#[derive(Debug)]
pub enum DeviceKeyError {
    /// The file could not be read or made.
    File(PathBuf, io::Error),
    /// The file holds no key.
    NotAKey(PathBuf, NoteError),
    /// The system has no randomness.
    NoRandomness(getrandom::Error),
}

impl fmt::Display for DeviceKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, _) => {
                write!(f, "device key {}: cannot be read or made; check the directory and its owner", path.display())
            }
            Self::NotAKey(path, _) => write!(
                f,
                "device key {}: the file holds no key; restore it, or move it away to let a new one be made \
                 (older anchors are then checked with the old public key)",
                path.display()
            ),
            Self::NoRandomness(_) => f.write_str("device key: the system gives no randomness"),
        }
    }
}

impl std::error::Error for DeviceKeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(_, error) => Some(error),
            Self::NotAKey(_, error) => Some(error),
            Self::NoRandomness(error) => Some(error),
        }
    }
}

/// Reads the key at `path`; when the file does not exist, makes one named `name` there with mode 0600.
///
/// A systemd credential is such a path too (`$CREDENTIALS_DIRECTORY/device-key`); where the service manager hands in none, the key
/// lies in the state folder.
pub fn open_or_make(path: &Path, name: &str) -> Result<NoteSigner, DeviceKeyError> {
    match read(path) {
        Err(DeviceKeyError::File(_, error)) if error.kind() == io::ErrorKind::NotFound => make(path, name),
        answer => answer,
    }
}

fn read(path: &Path) -> Result<NoteSigner, DeviceKeyError> {
    let text = fs::read_to_string(path).map_err(|error| DeviceKeyError::File(path.to_owned(), error))?;
    NoteSigner::parse_private(&text).map_err(|error| DeviceKeyError::NotAKey(path.to_owned(), error))
}

/// Written beside, synced, and linked into place: after a power cut there is a whole key or none, and of two processes that
/// start at once one wins.
fn make(path: &Path, name: &str) -> Result<NoteSigner, DeviceKeyError> {
    let failed = |error| DeviceKeyError::File(path.to_owned(), error);
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(DeviceKeyError::NoRandomness)?;
    let signer =
        NoteSigner::new(&key_name(name), &seed).map_err(|error| DeviceKeyError::NotAKey(path.to_owned(), error))?;
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&draft).and_then(|mut file| {
        writeln!(file, "{}", signer.to_private())?;
        file.sync_all()?;
        fs::hard_link(&draft, path)
    });
    let removed = fs::remove_file(&draft);
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return read(path),
        Err(error) => return Err(failed(error)),
        Ok(()) => removed.map_err(failed)?,
    }
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    }
    Ok(signer)
}

/// A post may be called anything; a key's name has neither spaces nor plus signs (C2SP signed-note).
fn key_name(post: &str) -> String {
    let name = post.replace(|character: char| character.is_whitespace() || character == '+', "-");
    if name.is_empty() { "checkpoint".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_with_spaces_in_its_name_gets_a_key_that_can_be_read_again() {
        let directory = tempfile::tempdir().expect("a directory");
        for (number, post) in ["Guangzhou South", "广州南站 3+4", ""].into_iter().enumerate() {
            let path = directory.path().join(format!("{number}.key"));
            let made = open_or_make(&path, post).expect("made");
            assert_eq!(open_or_make(&path, post).expect("read").verifier(), made.verifier());
        }
    }

    #[test]
    fn the_key_is_made_once_and_only_its_owner_reads_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("device.key");
        let first = open_or_make(&path, "gate-3").expect("made");
        let again = open_or_make(&path, "another-name").expect("read");
        assert_eq!(first.verifier(), again.verifier());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1, "no draft is left");
    }

    #[test]
    fn a_key_that_cannot_be_read_is_an_error_and_stays_where_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("device.key");
        fs::write(&path, "PRIVATE+KEY+cut sho").expect("written");
        let error = open_or_make(&path, "gate-3").expect_err("no key");
        assert!(error.to_string().contains("device.key"), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("there"), "PRIVATE+KEY+cut sho");
    }
}
