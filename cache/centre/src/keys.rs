//! The centre's keys: the one that signs, and, while it hands over, the one that follows it.
//!
//! A succession has three steps. *Announce* makes the new key and has the old one vouch for it; from the next start on everything is
//! signed by both, so that posts that pin either are served. Posts that ask again are assigned both. *Take over* ends it: the new key
//! signs alone, and the announcement stays, for posts that missed it.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use cache::{
    exchange::{Pinned, receipt::announce},
    log::{
        device_key::{DeviceKeyError, open_or_make},
        note::{NoteSigner, NoteVerifier},
    },
};

/// Why a succession does not go on.
#[derive(Debug)]
pub enum SuccessionError {
    /// A key file.
    Key(DeviceKeyError),
    /// A file.
    File(PathBuf, io::Error),
    /// A key is announced already.
    Announced,
    /// No key is announced.
    NotAnnounced,
}

impl fmt::Display for SuccessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Announced => f.write_str("a key is announced already; `key take-over` ends that"),
            Self::NotAnnounced => f.write_str("no key is announced; `key announce` makes one"),
        }
    }
}

impl std::error::Error for SuccessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Key(error) => Some(error),
            Self::File(_, error) => Some(error),
            Self::Announced | Self::NotAnnounced => None,
        }
    }
}

/// What the centre signs with.
#[derive(Debug)]
pub struct Keys {
    present: NoteSigner,
    next: Option<NoteSigner>,
    announcement: Option<String>,
}

impl Keys {
    /// One key, which nothing follows yet.
    #[must_use]
    pub fn new(present: NoteSigner) -> Keys {
        Keys { present, next: None, announcement: None }
    }

    /// The keys at `path` and beside it; the first one, named `name`, is made if it is not there.
    pub fn open(path: &Path, name: &str) -> Result<Keys, SuccessionError> {
        let present = open_or_make(path, name).map_err(SuccessionError::Key)?;
        let next = next(path);
        let next = if next.exists() { Some(open_or_make(&next, name).map_err(SuccessionError::Key)?) } else { None };
        let announced = announcement(path);
        let announcement = match fs::read_to_string(&announced) {
            Ok(note) => Some(note),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(SuccessionError::File(announced, error)),
        };
        Ok(Keys { present, next, announcement })
    }

    /// Makes the key that follows the one at `path`, and has that one vouch for it.
    pub fn announce(path: &Path, name: &str) -> Result<Keys, SuccessionError> {
        let Keys { present, next: known, .. } = Keys::open(path, name)?;
        if known.is_some() {
            return Err(SuccessionError::Announced);
        }
        let next = open_or_make(&next(path), name).map_err(SuccessionError::Key)?;
        let (file, note) = (announcement(path), announce(&next.verifier(), &present));
        let written = fs::write(&file, &note).and_then(|()| fs::File::open(&file)?.sync_all());
        written.map_err(|error| SuccessionError::File(file, error))?;
        Ok(Keys { present, next: Some(next), announcement: Some(note) })
    }

    /// Puts the announced key into the place of the present one, which is kept beside it under the hash in its name.
    pub fn take_over(path: &Path, name: &str) -> Result<Keys, SuccessionError> {
        let Keys { present, next: Some(_), .. } = Keys::open(path, name)? else {
            return Err(SuccessionError::NotAnnounced);
        };
        let text = present.verifier().to_string();
        let kept = beside(path, &format!("retired-{}", text.split('+').nth(1).unwrap_or("key")));
        let moved = match fs::hard_link(path, &kept) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            done => done,
        };
        moved.and_then(|()| fs::rename(next(path), path)).map_err(|error| SuccessionError::File(kept, error))?;
        Keys::open(path, name)
    }

    /// A note, signed by the present key and by the one that follows it.
    pub fn sign(&self, note: impl FnOnce(&NoteSigner) -> String) -> String {
        let note = note(&self.present);
        self.next.as_ref().map_or_else(|| note.clone(), |next| next.sign_too(&note))
    }

    /// What posts pin: the oldest first.
    #[must_use]
    pub fn pinned(&self) -> Pinned {
        let keys = [Some(&self.present), self.next.as_ref()].into_iter().flatten();
        Pinned::new(keys.map(NoteSigner::verifier).collect()).expect("one key or two")
    }

    /// The key that signs.
    #[must_use]
    pub fn present(&self) -> NoteVerifier {
        self.present.verifier()
    }

    /// The key that new slips name: it signs for as long as they are good.
    #[must_use]
    pub fn newest(&self) -> NoteVerifier {
        self.next.as_ref().unwrap_or(&self.present).verifier()
    }

    /// The key that is announced.
    #[must_use]
    pub fn next(&self) -> Option<NoteVerifier> {
        self.next.as_ref().map(NoteSigner::verifier)
    }

    /// The old key's word for the new one, also after it took over.
    #[must_use]
    pub fn announcement(&self) -> Option<&str> {
        self.announcement.as_deref()
    }
}

fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{what}"));
    path.with_file_name(name)
}

fn next(path: &Path) -> PathBuf {
    beside(path, "next")
}

fn announcement(path: &Path) -> PathBuf {
    beside(path, "announcement")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_announced_by_the_old_one_signs_beside_it_and_takes_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("centre.key");
        let old = Keys::open(&path, "centre.example").expect("made").present();
        assert!(matches!(Keys::take_over(&path, "centre.example"), Err(SuccessionError::NotAnnounced)));
        let both = Keys::announce(&path, "centre.example").expect("announced");
        assert!(matches!(Keys::announce(&path, "centre.example"), Err(SuccessionError::Announced)));
        let new = both.next().expect("announced");
        let note = Keys::open(&path, "centre.example").expect("read").sign(|key| key.sign("text\n"));
        assert!(old.open(&note).is_ok() && new.open(&note).is_ok());
        let alone = Keys::take_over(&path, "centre.example").expect("taken over");
        assert_eq!((alone.present(), alone.next()), (new.clone(), None));
        // A post that pins the old key alone follows the announcement.
        let pinned = Pinned::new(vec![old.clone()]).expect("one");
        let followed = pinned.succeed(alone.announcement().expect("kept")).expect("vouched for");
        assert_eq!(followed.keys(), [old, new]);
    }
}
