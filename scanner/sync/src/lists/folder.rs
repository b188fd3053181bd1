//! Trust repositories in a folder: a mirror's root, a stick, the package's seed.
//!
//! A stick is a stranger: names that climb out of the folder and symbolic links are refused, and a file is read to its bound only.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use trustlist::{region::Region, tuf::Answer};

use super::{Mirror, beneath::Folder};
use crate::error::Error;

/// How deep below the folder that somebody names repositories are looked for.
const DEEPEST: usize = 2;
/// Folders that are looked into. Stops a stick with a million of them from being a long search.
const MOST_FOLDERS: usize = 256;

/// A folder that holds `<issuer>/metadata` and `<issuer>/targets`.
///
/// It is opened for each file anew: a stick whose folder somebody holds open cannot be taken out.
#[derive(Debug)]
pub struct FolderMirror(PathBuf);

impl FolderMirror {
    /// Opens a folder.
    ///
    /// # Errors
    /// When it is none.
    pub fn open(path: &Path) -> Result<FolderMirror, Error> {
        match Folder::open(path) {
            Ok(_) => Ok(FolderMirror(path.to_owned())),
            Err(error) if error.kind() == ErrorKind::NotADirectory => Err(Error::NotAFolder(path.to_owned())),
            Err(error) => Err(Error::FolderMirror(path.to_owned(), error)),
        }
    }
}

/// Where below `folder` repositories lie: there, or in the folders below it that hold some. People copy a folder where its content belongs.
#[must_use]
pub fn with_repositories(folder: &Path) -> Vec<PathBuf> {
    let mut level = vec![folder.to_owned()];
    for _ in 0..=DEEPEST {
        let found: Vec<PathBuf> = level.iter().filter(|folder| holds_repositories(folder)).cloned().collect();
        if !found.is_empty() {
            return found;
        }
        level = level.iter().flat_map(|folder| folders_in(folder)).take(MOST_FOLDERS).collect();
    }
    Vec::new()
}

fn holds_repositories(folder: &Path) -> bool {
    let is_one = |folder: &PathBuf| {
        let name = folder.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.parse::<Region>().is_ok()) && folder.join("metadata").is_dir()
    };
    folders_in(folder).iter().any(is_one)
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.take(MOST_FOLDERS).map(|entry| entry.path()).collect()
}

impl Mirror for FolderMirror {
    fn is_there(&self) -> bool {
        true
    }

    fn fetch(&mut self, path: &str, limit: u64) -> Answer {
        match Folder::open(&self.0).and_then(|folder| folder.read(path, limit)) {
            Ok(bytes) => Answer::Bytes(bytes),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Answer::NotFound,
            Err(error) => Answer::Unreachable(format!("{path}: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn repositories_in_a_folder_of_the_stick_are_found() {
        let stick = tempfile::tempdir().expect("a folder");
        assert!(with_repositories(stick.path()).is_empty());
        fs::create_dir_all(stick.path().join("backup/trust/440000/metadata")).expect("made");
        assert_eq!(with_repositories(stick.path()), [stick.path().join("backup/trust")]);
        fs::create_dir_all(stick.path().join("000000/metadata")).expect("made");
        assert_eq!(with_repositories(stick.path()), [stick.path()], "what lies at the top counts");
    }

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
