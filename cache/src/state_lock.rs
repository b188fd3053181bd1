//! One daemon for one state folder: an exclusive lock that is held from start to end, and names who holds it.
//!
//! The kernel gives the lock back when its holder ends, however it ends. Commands that only read, or write in short transactions of
//! their own, do not ask for it.

use std::{
    fmt,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The name of the lock in the state folder.
const NAME: &str = "lock";
/// Longest text that is read from it: a number.
const MAX: u64 = 20;

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

/// Why the lock is not ours.
#[derive(Debug)]
pub enum LockError {
    /// Another process has the state folder; its id, where it said so.
    Held {
        /// The folder.
        folder: PathBuf,
        /// The other's process id.
        pid: Option<u32>,
    },
    /// The lock cannot be made or asked for.
    File(PathBuf, io::Error),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { folder, pid: Some(pid) } => {
                write!(
                    f,
                    "{}: process {pid} has this state folder; end it, or give this one a folder of its own",
                    folder.display()
                )
            }
            Self::Held { folder, pid: None } => {
                write!(
                    f,
                    "{}: another process has this state folder; end it, or give this one a folder of its own",
                    folder.display()
                )
            }
            Self::File(path, _) => write!(f, "{}: cannot be locked", path.display()),
        }
    }
}

impl std::error::Error for LockError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Held { .. } => None,
            Self::File(_, error) => Some(error),
        }
    }
}

impl StateLock {
    /// Takes the lock of a state folder, without waiting for it.
    ///
    /// # Errors
    /// When another process has it, or the folder cannot be written.
    pub fn take(folder: &Path) -> Result<StateLock, LockError> {
        let path = folder.join(NAME);
        let failed = |error| LockError::File(path.clone(), error);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o640)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Whoever took it a moment ago may not have written its number yet.
                let read = file.take(MAX).read_to_string(&mut text);
                let pid = read.ok().and_then(|_| text.trim().parse().ok());
                return Err(LockError::Held { folder: folder.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| writeln!(file, "{}", std::process::id()));
        // A full disk must not keep a daemon from its folder: then nobody reads its number.
        drop(written);
        Ok(StateLock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_folder_has_one_daemon_and_the_second_hears_who_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let lock = StateLock::take(folder.path()).expect("free");
        let error = StateLock::take(folder.path()).expect_err("held");
        let LockError::Held { pid, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*pid, Some(std::process::id()));
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        StateLock::take(folder.path()).expect("free again");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = StateLock::take(Path::new("/proc/checkpointd")).expect_err("no folder");
        assert!(error.to_string().contains("/proc/checkpointd"), "{error}");
    }
}
