//! Files in a folder that strangers write: a stick, an inbox, a mirror on a share. What stands there may be a link to somewhere else, a pipe that never
//! ends, or another disk; none of it is followed, waited for or written through.
//!
//! The kernel keeps the look inside the folder where it can (`openat2`, Linux 5.6); elsewhere each part of a name is opened by itself, and no
//! link is followed.

use std::{
    fs::File,
    io::{Error, ErrorKind, Read, Result, Write},
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path},
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, fstat, fsync, mkdirat, openat, renameat, unlinkat},
    io::Errno,
};

/// A folder, open.
#[derive(Debug)]
pub struct Folder(OwnedFd);

impl Folder {
    /// Opens the folder that somebody named. A link may lead to it, but none is followed below it.
    ///
    /// # Errors
    /// When it is none.
    pub fn open(path: &Path) -> Result<Folder> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Folder(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Reads a regular file, at most one byte beyond `limit`. Never waits for anybody to write.
    ///
    /// # Errors
    /// When there is none, or something else stands there.
    pub fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>> {
        let parts = parts(path)?;
        // Not blocking: opening a pipe for reading waits for whoever writes it, for ever.
        let file = self.beneath(&parts, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(Error::new(ErrorKind::InvalidInput, "it is no regular file"));
        }
        let mut bytes = Vec::new();
        File::from(file).take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Writes a file whole: aside, to the disk, then in its place. A link that stands there is replaced, and what it leads to stays as it is.
    ///
    /// # Errors
    /// When the folder cannot be written, or a link stands where a folder should.
    pub fn put(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let parts = parts(path)?;
        let (name, above) = parts.split_last().ok_or(ErrorKind::InvalidInput)?;
        let mut folder = self.0.try_clone()?;
        for part in above {
            match mkdirat(&folder, *part, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => (),
                Err(error) => return Err(error.into()),
            }
            folder = step(&folder, part, OFlags::RDONLY | OFlags::DIRECTORY)?;
        }
        let aside = format!("{name}.new");
        match unlinkat(&folder, aside.as_str(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => (),
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&folder, aside.as_str(), flags, Mode::from_raw_mode(0o644))?);
        file.write_all(bytes)?;
        fsync(&file)?;
        Ok(renameat(&folder, aside.as_str(), &folder, *name)?)
    }

    #[cfg(target_os = "linux")]
    fn beneath(&self, parts: &[&str], flags: OFlags) -> Result<OwnedFd> {
        use rustix::fs::{ResolveFlags, openat2};
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let path = parts.join("/");
        match openat2(&self.0, path.as_str(), flags | OFlags::CLOEXEC, Mode::empty(), inside) {
            Ok(file) => Ok(file),
            Err(Errno::LOOP | Errno::XDEV) => Err(leads_away()),
            // An older kernel, or a service's filter of system calls that does not know the call.
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => self.step_by_step(parts, flags),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn beneath(&self, parts: &[&str], flags: OFlags) -> Result<OwnedFd> {
        self.step_by_step(parts, flags)
    }

    fn step_by_step(&self, parts: &[&str], flags: OFlags) -> Result<OwnedFd> {
        let (name, above) = parts.split_last().ok_or(ErrorKind::InvalidInput)?;
        let mut folder = self.0.try_clone()?;
        for part in above {
            folder = step(&folder, part, OFlags::RDONLY | OFlags::DIRECTORY)?;
        }
        step(&folder, name, flags)
    }
}

fn step(folder: impl AsFd, part: &str, flags: OFlags) -> Result<OwnedFd> {
    openat(folder, part, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).map_err(|error| match error {
        Errno::LOOP | Errno::MLINK => leads_away(),
        error => error.into(),
    })
}

/// The parts of a name that stays inside.
fn parts(path: &str) -> Result<Vec<&str>> {
    let part = |component: Component<'_>| match component {
        Component::Normal(_) => Ok(()),
        _ => Err(Error::new(ErrorKind::InvalidInput, "its name climbs out of the folder")),
    };
    Path::new(path).components().try_for_each(part)?;
    Ok(path.split('/').filter(|part| !part.is_empty()).collect())
}

fn leads_away() -> Error {
    Error::new(ErrorKind::InvalidInput, "it is a symbolic link, or lies on another disk; neither is followed")
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Folder::open(place.path()).expect("opened");
        (place, folder)
    }

    #[test]
    fn a_pipe_is_not_waited_for_and_read_by_nobody() {
        let (place, folder) = folder();
        let pipe = place.path().join("timestamp.json");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
        fs::create_dir(place.path().join("folder")).expect("made");
        for name in ["timestamp.json", "folder"] {
            assert_eq!(folder.read(name, 9).expect_err("no file").kind(), ErrorKind::InvalidInput, "{name}");
        }
    }

    #[test]
    fn what_is_written_goes_through_no_link() {
        let (place, folder) = folder();
        let victim = tempfile::tempdir().expect("another folder");
        fs::write(victim.path().join("precious"), "kept").expect("written");
        symlink(victim.path().join("precious"), place.path().join("timestamp.json.new")).expect("linked");
        symlink(victim.path().join("precious"), place.path().join("snapshot.json")).expect("linked");
        symlink(victim.path(), place.path().join("440000")).expect("linked");
        folder.put("timestamp.json", b"new").expect("written");
        folder.put("snapshot.json", b"new").expect("written");
        assert!(folder.put("440000/metadata/1.root.json", b"new").is_err(), "a folder that is a link");
        assert_eq!(fs::read(victim.path().join("precious")).expect("read"), b"kept");
        assert_eq!(fs::read_dir(victim.path()).expect("read").count(), 1);
        assert_eq!(folder.read("timestamp.json", 9).expect("read"), b"new");
        assert_eq!(folder.read("snapshot.json", 9).expect("read"), b"new");
    }

    #[test]
    fn both_ways_of_looking_find_the_same_and_follow_no_link() {
        let (place, folder) = folder();
        folder.put("a/b/c", b"deep").expect("written");
        symlink(place.path().join("a"), place.path().join("way")).expect("linked");
        for path in ["a/b/c", "way/b/c", "../etc/passwd", "/etc/passwd", "a/none"] {
            let slow = parts(path).and_then(|parts| folder.step_by_step(&parts, OFlags::RDONLY));
            assert_eq!(slow.is_ok(), path == "a/b/c", "{path}");
            assert_eq!(folder.read(path, 9).is_ok(), path == "a/b/c", "{path}");
        }
    }
}
