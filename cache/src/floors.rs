//! The lowest generations that may still be accepted, in a small file beside the trust store.
//!
//! The store itself guards against replays while it is there. This file is for the day on which it is not: cut to nothing, deleted, or
//! set back by a lost write-ahead log. Whoever begins again beside this file takes nothing older than what was held before.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use trustlist::region::Region;

use crate::log::Fault;

/// What was accepted of one issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Floor {
    /// Version of the newest root.
    pub root: u64,
    /// Generation of the newest repository.
    pub generation: u64,
}

impl Floor {
    /// Whether a repository of this generation under this root is older. A newer root may count its generations anew (TUF §5.3.11).
    #[must_use]
    pub fn forbids(&self, root: u64, generation: u64) -> bool {
        root < self.root || root == self.root && generation < self.generation
    }
}

/// The floors of all issuers.
#[derive(Debug)]
pub struct Floors {
    path: PathBuf,
    issuers: BTreeMap<Region, Floor>,
}

impl Floors {
    /// Reads those beside a store; none when it never held anything.
    ///
    /// # Errors
    /// When there is a file that cannot be read: then nobody knows what may be accepted.
    pub fn beside(store: &Path) -> Result<Floors, Fault> {
        let path = store.with_extension("floors");
        let issuers = read(&path)?;
        Ok(Floors { path, issuers })
    }

    /// None yet, in place of a file that cannot be read: for a store that is whole, and bears witness itself of what was accepted. The file is set
    /// aside for the technician once others are written.
    pub(crate) fn lost(store: &Path) -> Floors {
        Floors { path: store.with_extension("floors"), issuers: BTreeMap::new() }
    }

    /// The floors that a whole store says, in memory only: for a disk that cannot be written.
    pub(crate) fn of_store(store: &Path, accepted: BTreeMap<Region, Floor>) -> Floors {
        Floors { path: store.with_extension("floors"), issuers: accepted }
    }

    /// Whether nothing was ever held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// What was accepted of an issuer.
    #[must_use]
    pub fn of(&self, issuer: Region) -> Option<Floor> {
        self.issuers.get(&issuer).copied()
    }

    /// Every issuer's.
    pub fn iter(&self) -> impl Iterator<Item = (Region, Floor)> {
        self.issuers.iter().map(|(issuer, floor)| (*issuer, *floor))
    }

    /// An issuer that was founded anew counts its roots anew, and its generations on; on the disk before it returns.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn found_anew(&mut self, issuer: Region, floor: Floor) -> Result<(), Fault> {
        self.change(|issuers| {
            issuers.insert(issuer, floor);
        })
    }

    /// Raises floors, on the disk before it returns.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn raise(&mut self, to: &[(Region, Floor)]) -> Result<(), Fault> {
        if to.iter().all(|(issuer, floor)| self.issuers.get(issuer) == Some(floor)) {
            return Ok(());
        }
        self.change(|issuers| {
            for (issuer, floor) in to {
                let held = issuers.entry(*issuer).or_insert(*floor);
                if !held.forbids(floor.root, floor.generation) {
                    *held = *floor;
                }
            }
        })
    }

    fn change(&mut self, change: impl FnOnce(&mut BTreeMap<Region, Floor>)) -> Result<(), Fault> {
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::StorageFull => Fault::Full,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Fault::ReadOnly(self.path.clone()),
            _ => Fault::File(self.path.clone(), error),
        };
        // Two processes may sync at once: whoever writes has read what the other wrote. The lock goes with the folder's handle.
        let folder = File::open(self.path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        folder.lock().map_err(failed)?;
        let mut issuers = match read(&self.path) {
            Err(Fault::Damaged { .. }) => {
                let aside = self.path.with_extension("floors.damaged");
                fs::rename(&self.path, aside).map_err(failed)?;
                self.issuers.clone()
            }
            read => read?,
        };
        change(&mut issuers);
        if issuers != self.issuers {
            write(&self.path, &issuers).and_then(|()| folder.sync_all()).map_err(failed)?;
            self.issuers = issuers;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<BTreeMap<Region, Floor>, Fault> {
    match fs::read(path) {
        Ok(bytes) => parse(&bytes).map_err(|complaint| Fault::Damaged { path: path.to_owned(), complaint }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(Fault::File(path.to_owned(), error)),
    }
}

/// What is in the file: the floors, and a digest over them, so that no flipped byte makes another number of one.
#[derive(Serialize, Deserialize)]
struct Written {
    floors: BTreeMap<Region, Floor>,
    digest: String,
}

fn digest(floors: &BTreeMap<Region, Floor>) -> String {
    HEXLOWER.encode(&Sha256::digest(serde_json::to_vec(floors).expect("plain data")))
}

fn parse(bytes: &[u8]) -> Result<BTreeMap<Region, Floor>, String> {
    if let Ok(written) = serde_json::from_slice::<Written>(bytes) {
        let whole = digest(&written.floors) == written.digest;
        return if whole { Ok(written.floors) } else { Err("its digest is another".to_owned()) };
    }
    // Releases before wrote the floors alone.
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// Aside, then renamed: half a file would lock the store.
fn write(path: &Path, issuers: &BTreeMap<Region, Floor>) -> std::io::Result<()> {
    let aside = path.with_extension("floors.new");
    let mut file = File::create(&aside)?;
    file.write_all(
        &serde_json::to_vec(&Written { floors: issuers.clone(), digest: digest(issuers) }).expect("plain data"),
    )?;
    file.sync_all()?;
    fs::rename(&aside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_rises_and_never_sinks_and_a_newer_root_may_count_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("store.db");
        let issuer: Region = "440000".parse().expect("a region");
        let floor = |root, generation| Floor { root, generation };
        let mut floors = Floors::beside(&store).expect("none yet");
        assert!(floors.is_empty());
        floors.raise(&[(issuer, floor(1, 7))]).expect("written");
        floors.raise(&[(issuer, floor(1, 3))]).expect("nothing");
        assert_eq!(Floors::beside(&store).expect("read").of(issuer), Some(floor(1, 7)));
        assert!(floor(1, 7).forbids(1, 6) && !floor(1, 7).forbids(1, 7) && !floor(1, 7).forbids(2, 1));
        floors.raise(&[(issuer, floor(2, 1))]).expect("written");
        let read = Floors::beside(&store).expect("read");
        assert!(read.of(issuer).is_some_and(|held| held.forbids(1, 9)), "the old root is over");
    }

    #[test]
    fn two_who_raise_different_floors_at_once_lose_neither() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("store.db");
        let raisers: Vec<_> = (0..4_u64)
            .map(|number| {
                let store = store.clone();
                std::thread::spawn(move || {
                    let issuer: Region = format!("44{number}000").parse().expect("a region");
                    let mut floors = Floors::beside(&store).expect("readable");
                    for generation in 1..=20 {
                        floors.raise(&[(issuer, Floor { root: 1, generation })]).expect("written");
                    }
                })
            })
            .collect();
        raisers.into_iter().for_each(|raiser| raiser.join().expect("no panic"));
        let floors = Floors::beside(&store).expect("readable");
        assert_eq!(floors.iter().map(|(_, floor)| floor.generation).collect::<Vec<_>>(), [20; 4]);
    }

    #[test]
    fn floors_that_cannot_be_read_are_a_fault_and_not_no_floors() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("store.db");
        fs::write(store.with_extension("floors"), "{\"440").expect("written");
        assert!(matches!(Floors::beside(&store), Err(Fault::Damaged { .. })));
    }
}
