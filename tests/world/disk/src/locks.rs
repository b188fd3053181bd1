//! Who may read and write a database file, by the rules of SQLite's locking (sqlite.org/lockingv3.html §3) and of the shared
//! memory of a write-ahead log (sqlite.org/walformat.html §2.3).

use std::{
    collections::{BTreeMap, BTreeSet},
    ptr::NonNull,
};

use sqlite_plugin::flags::{LockLevel, ShmLockMode};

/// Which open handle: each opening of a file has a number of its own.
pub(crate) type Handle = u64;

/// Somebody else has what was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Busy;

/// The five levels of lock on a database file.
#[derive(Debug, Default)]
pub(crate) struct DatabaseLocks {
    held: BTreeMap<Handle, LockLevel>,
}

impl DatabaseLocks {
    pub fn raise(&mut self, handle: Handle, to: LockLevel) -> Result<(), Busy> {
        let others = || self.held.iter().filter(|(other, _)| **other != handle).map(|(_, level)| *level);
        let free = match to {
            LockLevel::Unlocked => true,
            LockLevel::Shared => others().all(|level| level < LockLevel::Pending),
            LockLevel::Reserved | LockLevel::Pending => others().all(|level| level < LockLevel::Reserved),
            LockLevel::Exclusive => others().all(|level| level == LockLevel::Unlocked),
        };
        // A writer that waits for readers keeps new ones out (PENDING), even where it did not get everything yet.
        if !free && to == LockLevel::Exclusive && others().all(|level| level <= LockLevel::Shared) {
            self.held.insert(handle, LockLevel::Pending);
        }
        if !free {
            return Err(Busy);
        }
        let had = self.held.get(&handle).copied().unwrap_or(LockLevel::Unlocked);
        self.held.insert(handle, had.max(to));
        Ok(())
    }

    pub fn lower(&mut self, handle: Handle, to: LockLevel) {
        if to == LockLevel::Unlocked {
            self.held.remove(&handle);
        } else {
            self.held.insert(handle, to);
        }
    }

    pub fn reserved(&self) -> bool {
        self.held.values().any(|level| *level >= LockLevel::Reserved)
    }
}

/// Slots of the shared memory's lock table (`SQLITE_SHM_NLOCK`).
const SLOTS: usize = 8;

/// The shared memory of a write-ahead log, and who holds which of its locks.
///
/// Regions are kept as long as the file: a connection may look into one that it has mapped until it is closed.
#[derive(Debug, Default)]
pub(crate) struct MemoryLocks {
    regions: Vec<Box<[u64]>>,
    shared: [BTreeSet<Handle>; SLOTS],
    exclusive: [Option<Handle>; SLOTS],
    mapped: BTreeSet<Handle>,
}

impl MemoryLocks {
    /// A region of the index, made where `extend` asks for it. `Box<[u64]>`: SQLite reads 64-bit words there.
    pub fn map(&mut self, handle: Handle, index: usize, bytes: usize, extend: bool) -> Option<NonNull<u8>> {
        self.mapped.insert(handle);
        if self.regions.len() <= index && !extend {
            return None;
        }
        while self.regions.len() <= index {
            self.regions.push(vec![0; bytes.div_ceil(8)].into_boxed_slice());
        }
        NonNull::new(self.regions[index].as_mut_ptr().cast())
    }

    pub fn lock(&mut self, handle: Handle, from: u32, count: u32, mode: ShmLockMode) -> Result<(), Busy> {
        let from = from as usize;
        let slots = from..SLOTS.min(from + count as usize);
        let exclusive_elsewhere = |slot: usize| self.exclusive[slot].is_some_and(|holder| holder != handle);
        let shared_elsewhere = |slot: usize| self.shared[slot].iter().any(|holder| *holder != handle);
        let refused = match mode {
            ShmLockMode::LockShared => slots.clone().any(exclusive_elsewhere),
            ShmLockMode::LockExclusive => slots.clone().any(|slot| exclusive_elsewhere(slot) || shared_elsewhere(slot)),
            ShmLockMode::UnlockShared | ShmLockMode::UnlockExclusive => false,
        };
        if refused {
            return Err(Busy);
        }
        for slot in slots {
            match mode {
                ShmLockMode::LockShared => drop(self.shared[slot].insert(handle)),
                ShmLockMode::UnlockShared => drop(self.shared[slot].remove(&handle)),
                ShmLockMode::LockExclusive => self.exclusive[slot] = Some(handle),
                ShmLockMode::UnlockExclusive => self.exclusive[slot] = None,
            }
        }
        Ok(())
    }

    pub fn into_regions(self) -> Vec<Box<[u64]>> {
        self.regions
    }

    /// The last one that leaves takes the memory along: its content is no part of the database.
    pub fn unmap(&mut self, handle: Handle) {
        self.mapped.remove(&handle);
        for slot in 0..SLOTS {
            self.shared[slot].remove(&handle);
            if self.exclusive[slot] == Some(handle) {
                self.exclusive[slot] = None;
            }
        }
        if self.mapped.is_empty() {
            self.regions.clear();
        }
    }
}
