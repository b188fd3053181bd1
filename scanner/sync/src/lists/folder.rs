//! Trust repositories in a folder: a mirror's root, a stick, the package's seed.
//!
//! A stick is a stranger: names that climb out of the folder and symbolic links are refused, and a file is read to its bound only.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::{Component, Path, PathBuf},
};

use trustlist::tuf::Answer;

use super::Mirror;
use crate::error::Error;

/// A folder that holds `<issuer>/metadata` and `<issuer>/targets`.
#[derive(Debug)]
pub struct FolderMirror(PathBuf);

impl FolderMirror {
    /// Opens a folder.
    ///
    /// # Errors
    /// When it is none.
    pub fn open(path: &Path) -> Result<FolderMirror, Error> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Ok(FolderMirror(path.to_owned())),
            Ok(_) => Err(Error::NotAFolder(path.to_owned())),
            Err(error) => Err(Error::FolderMirror(path.to_owned(), error)),
        }
    }

    fn read(&self, path: &str, limit: u64) -> std::io::Result<Vec<u8>> {
        let mut place = self.0.clone();
        for part in Path::new(path).components() {
            let Component::Normal(part) = part else {
                return Err(std::io::Error::new(ErrorKind::InvalidInput, "its name climbs out of the folder"));
            };
            place.push(part);
            if fs::symlink_metadata(&place)?.file_type().is_symlink() {
                let why = format!("{} is a symbolic link; links are not followed", place.display());
                return Err(std::io::Error::new(ErrorKind::InvalidInput, why));
            }
        }
        let mut bytes = Vec::new();
        File::open(&place)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Mirror for FolderMirror {
    fn fetch(&mut self, path: &str, limit: u64) -> Answer {
        match self.read(path, limit) {
            Ok(bytes) => Answer::Bytes(bytes),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Answer::NotFound,
            Err(error) => Answer::Unreachable(format!("{path}: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_cannot_reach_out_of_itself() {
        let stick = tempfile::tempdir().expect("a folder");
        fs::write(stick.path().join("inside"), "fine").expect("written");
        std::os::unix::fs::symlink("/etc/passwd", stick.path().join("link")).expect("linked");
        let mut folder = FolderMirror::open(stick.path()).expect("a folder");
        assert_eq!(folder.fetch("inside", 100), Answer::Bytes(b"fine".to_vec()));
        assert_eq!(
            folder.fetch("inside", 1),
            Answer::Bytes(b"fi".to_vec()),
            "one byte beyond the limit shows that it is longer"
        );
        assert_eq!(folder.fetch("absent", 100), Answer::NotFound);
        for path in ["../etc/passwd", "/etc/passwd", "link"] {
            assert!(matches!(folder.fetch(path, 100), Answer::Unreachable(_)), "{path}");
        }
    }
}
