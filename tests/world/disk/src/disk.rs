//! The disk: named files, a clock for its flushes, and the faults it has at the moment.
//!
//! A name's creation, change and removal are durable at once, as on a journalling file system that was mounted with
//! `dirsync`; what is in doubt after a power cut is content. (That a directory is flushed where it must be is held by a test of
//! real system calls elsewhere, and not here.)

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    faults::{Faults, HUNG_US},
    file::File,
    locks::Handle,
};

/// A file's number; its names come and go.
pub(crate) type Inode = u64;

/// A disk, shared by all that use it.
#[derive(Clone, Debug)]
pub struct Disk {
    state: Arc<Mutex<State>>,
}

/// Why an operation on a plain file did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no file of that name.
    NotFound,
    /// The medium gave an error.
    Medium,
    /// No space is left.
    Full,
    /// The file system is mounted for reading only.
    ReadOnly,
    /// The process that had the file open is dead, or the power is off.
    Dead,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::NotFound => "there is no such file",
            Refusal::Medium => "input/output error",
            Refusal::Full => "no space is left on the disk",
            Refusal::ReadOnly => "the file system is read-only",
            Refusal::Dead => "the process is dead",
        })
    }
}

impl std::error::Error for Refusal {}

#[derive(Debug)]
pub(crate) struct State {
    names: BTreeMap<String, Inode>,
    files: BTreeMap<Inode, File>,
    next_inode: Inode,
    /// Shared memory of processes that died: a connection of theirs may still look into it before it is dropped.
    graves: Vec<Box<[u64]>>,
    pub faults: Faults,
    pub random: fastrand::Rng,
    /// The world's monotonic clock, in microseconds.
    now_us: u64,
    /// How long operations since [`Disk::time_spent`] was last asked took.
    spent_us: u64,
    /// Handles made before the latest death are dead.
    oldest_alive: Handle,
    next_handle: Handle,
    written: u64,
    flushes: u64,
}

impl Disk {
    /// An empty disk without faults; everything drawn comes from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Disk {
        let state = State {
            names: BTreeMap::new(),
            files: BTreeMap::new(),
            next_inode: 0,
            graves: Vec::new(),
            faults: Faults::default(),
            random: fastrand::Rng::with_seed(seed),
            now_us: 0,
            spent_us: 0,
            oldest_alive: 0,
            next_handle: 0,
            written: 0,
            flushes: 0,
        };
        Disk { state: Arc::new(Mutex::new(state)) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Lets time pass: flushes that are done by then are durable.
    pub fn at(&self, now_us: u64) {
        let mut state = self.state();
        state.now_us = state.now_us.max(now_us);
        let now_us = state.now_us;
        state.files.values_mut().for_each(|file| file.settle(now_us));
    }

    /// How long the operations since the last call took, in microseconds; asking sets it back to zero.
    #[must_use]
    pub fn time_spent(&self) -> u64 {
        std::mem::take(&mut self.state().spent_us)
    }

    /// Bytes written and flushes asked for since the disk was made.
    #[must_use]
    pub fn wear(&self) -> (u64, u64) {
        let state = self.state();
        (state.written, state.flushes)
    }

    /// The process dies where it stands; the machine goes on. Every open handle is dead, what was written is seen by the next.
    pub fn kill(&self) {
        self.state().die(|_| ());
    }

    /// The power goes: as [`Disk::kill`], and what no flush has finished is there, is not, or is torn.
    pub fn cut_power(&self) {
        let state = &mut *self.state();
        let now_us = state.now_us;
        let mut random = state.random.fork();
        state.die(|file| file.lose_power(now_us, &mut random));
    }

    /// A bit of a file changes by itself.
    pub fn rot(&self, name: &str) {
        let state = &mut *self.state();
        if let Some(file) = state.names.get(name).and_then(|inode| state.files.get_mut(inode)) {
            file.rot(&mut state.random);
        }
    }

    /// Somebody sleeps this long, in microseconds.
    pub(crate) fn spend(&self, time_us: u64) {
        self.state().spent_us += time_us;
    }

    /// The names of all files.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// A file's whole content.
    ///
    /// # Errors
    /// Where there is none, or the medium cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, Refusal> {
        let mut state = self.state();
        if state.happens(|faults| faults.read_error) {
            return Err(Refusal::Medium);
        }
        let inode = state.find(name).ok_or(Refusal::NotFound)?;
        state.file(inode).map(|file| file.seen.clone())
    }

    /// Writes a file anew without a flush.
    ///
    /// # Errors
    /// Where the disk is full, for reading only, or broken.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), Refusal> {
        let mut state = self.state();
        state.may_write(content.len())?;
        let inode = match state.find(name) {
            Some(inode) => inode,
            None => state.create(Some(name))?,
        };
        state.count_written(content.len());
        let file = state.file(inode)?;
        file.resize(0);
        file.write(0, content);
        Ok(())
    }

    /// Flushes a file.
    ///
    /// # Errors
    /// Where there is none, or the flush fails.
    pub fn flush(&self, name: &str) -> Result<(), Refusal> {
        let mut state = self.state();
        let inode = state.find(name).ok_or(Refusal::NotFound)?;
        state.flush(inode)
    }

    /// Gives a file another name, in the place of one that has it.
    ///
    /// # Errors
    /// Where there is none.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), Refusal> {
        let mut state = self.state();
        state.may_write(0)?;
        let inode = state.find(from).ok_or(Refusal::NotFound)?;
        if from != to {
            // Nothing has the name where the file moves to, or what has it goes.
            let _ = state.unlink(to);
            state.names.remove(from);
            state.names.insert(to.to_owned(), inode);
        }
        Ok(())
    }

    /// Removes a file.
    ///
    /// # Errors
    /// Where there is none.
    pub fn remove(&self, name: &str) -> Result<(), Refusal> {
        let mut state = self.state();
        state.may_write(0)?;
        state.unlink(name)
    }
}

impl State {
    /// Whether one of the chances comes true now.
    pub fn happens(&mut self, chance: impl Fn(&Faults) -> u16) -> bool {
        let chance = chance(&self.faults);
        chance > 0 && self.random.u16(..1000) < chance
    }

    pub fn find(&self, name: &str) -> Option<Inode> {
        self.names.get(name).copied()
    }

    pub fn file(&mut self, inode: Inode) -> Result<&mut File, Refusal> {
        self.files.get_mut(&inode).ok_or(Refusal::NotFound)
    }

    /// A new, empty file; one without a name is gone when it is closed.
    pub fn create(&mut self, name: Option<&str>) -> Result<Inode, Refusal> {
        self.may_write(0)?;
        let inode = self.next_inode;
        self.next_inode += 1;
        self.files.insert(inode, File::default());
        if let Some(name) = name {
            self.names.insert(name.to_owned(), inode);
        }
        Ok(inode)
    }

    pub fn open(&mut self, inode: Inode) -> Handle {
        if let Some(file) = self.files.get_mut(&inode) {
            file.open += 1;
        }
        self.next_handle += 1;
        self.next_handle - 1
    }

    pub fn close(&mut self, inode: Inode) {
        if let Some(file) = self.files.get_mut(&inode) {
            file.open = file.open.saturating_sub(1);
        }
        self.drop_if_unused(inode);
    }

    pub fn alive(&self, handle: Handle) -> bool {
        handle >= self.oldest_alive
    }

    /// Takes a file's name away; its content stays for those who have it open.
    pub fn unlink(&mut self, name: &str) -> Result<(), Refusal> {
        let inode = self.names.remove(name).ok_or(Refusal::NotFound)?;
        self.drop_if_unused(inode);
        Ok(())
    }

    fn drop_if_unused(&mut self, inode: Inode) {
        let unused = self.files.get(&inode).is_some_and(|file| file.open == 0);
        if unused && !self.names.values().any(|named| *named == inode) {
            self.files.remove(&inode);
        }
    }

    /// All processes end at once; `besides` is what happens to each file's content.
    fn die(&mut self, mut besides: impl FnMut(&mut File)) {
        self.oldest_alive = self.next_handle;
        let named: Vec<Inode> = self.names.values().copied().collect();
        self.files.retain(|inode, file| {
            besides(file);
            self.graves.extend(file.forget_processes());
            named.contains(inode)
        });
    }

    /// Whether `grows` more bytes may be written now, and counts the write.
    pub fn may_write(&mut self, grows: usize) -> Result<(), Refusal> {
        if self.faults.read_only {
            return Err(Refusal::ReadOnly);
        }
        if self.happens(|faults| faults.write_error) {
            return Err(Refusal::Medium);
        }
        let used: u64 = self.files.values().map(|file| file.seen.len() as u64).sum();
        if grows > 0 && self.faults.capacity.is_some_and(|capacity| used + grows as u64 > capacity) {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    pub fn count_written(&mut self, bytes: usize) {
        self.written += bytes as u64;
    }

    pub fn flush(&mut self, inode: Inode) -> Result<(), Refusal> {
        self.flushes += 1;
        let (least, most) = self.faults.flush_us;
        let takes = if self.faults.hangs { HUNG_US } else { self.random.u64(least..=most.max(least)) };
        let done_at = self.now_us + self.spent_us + takes;
        self.spent_us += takes;
        let fails = self.happens(|faults| faults.flush_error);
        let lies = self.happens(|faults| faults.lying_flush);
        let now_us = self.now_us;
        let file = self.file(inode)?;
        if fails {
            return Err(Refusal::Medium);
        }
        if !lies {
            file.flush(done_at);
            file.settle(now_us);
        }
        Ok(())
    }
}
