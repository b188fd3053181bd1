//! The service window: a short time in which configuration codes count, opened by whoever may write into the runtime folder.
//!
//! It is a file whose age is its state, so that a reboot, a stop and a set clock all close it, and nothing opens it but a person
//! at the machine.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Longest that a window stays open.
pub const LONGEST: Duration = Duration::from_secs(1800);

fn file(runtime: &Path) -> PathBuf {
    runtime.join("service-window")
}

/// Opens the window.
///
/// # Errors
/// When the runtime folder cannot be written to.
pub fn open(runtime: &Path, how_long: Duration) -> io::Result<()> {
    fs::create_dir_all(runtime)?;
    fs::write(file(runtime), how_long.min(LONGEST).as_secs().to_string())
}

/// Closes it, if it is open.
///
/// # Errors
/// When the file cannot be removed.
pub fn close(runtime: &Path) -> io::Result<()> {
    match fs::remove_file(file(runtime)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// For how long it stays open at `now`; `None` when it is closed. A clock that was set back closes it as much as one that was set forward.
#[must_use]
pub fn remaining(runtime: &Path, now: SystemTime) -> Option<Duration> {
    let path = file(runtime);
    let age = now.duration_since(fs::metadata(&path).ok()?.modified().ok()?).ok()?;
    let how_long = fs::read_to_string(&path).ok()?.trim().parse().ok().map(Duration::from_secs)?;
    how_long.min(LONGEST).checked_sub(age).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[expect(clippy::disallowed_methods, reason = "files are dated by this machine")]
    fn now() -> SystemTime {
        Clock::machine().calendar()
    }

    #[test]
    fn a_window_is_open_for_as_long_as_it_says_and_never_longer_than_half_an_hour() {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = folder.path().join("run");
        assert_eq!(remaining(&runtime, now()), None, "nobody opened it");
        open(&runtime, Duration::from_secs(600)).expect("opened");
        assert!(remaining(&runtime, now()).is_some_and(|left| left > Duration::from_secs(590)));
        let aged = |seconds: u64| {
            let then = now() - Duration::from_secs(seconds);
            fs::File::options().write(true).open(file(&runtime)).and_then(|file| file.set_modified(then)).expect("set");
        };
        aged(601);
        assert_eq!(remaining(&runtime, now()), None, "it is over");
        fs::write(file(&runtime), "999999").expect("written");
        aged(1801);
        assert_eq!(remaining(&runtime, now()), None, "nothing opens it for days");
        open(&runtime, Duration::from_secs(600)).expect("opened");
        close(&runtime).expect("closed");
        assert_eq!(remaining(&runtime, now()), None);
        close(&runtime).expect("closing twice is closing");
    }

    #[test]
    fn a_clock_that_was_set_back_closes_the_window() {
        let folder = tempfile::tempdir().expect("a folder");
        open(folder.path(), Duration::from_secs(600)).expect("opened");
        let later = now() + Duration::from_secs(3600);
        fs::File::options()
            .write(true)
            .open(file(folder.path()))
            .and_then(|file| file.set_modified(later))
            .expect("set");
        assert_eq!(remaining(folder.path(), now()), None);
    }
}
