//! One file: what processes see of it, and what of that the platter has.

use crate::locks::{DatabaseLocks, MemoryLocks};

/// A disk writes whole sectors: a write that the power cut tears is torn between two of them.
pub(crate) const SECTOR: usize = 512;

/// A change that a process made and no flush has made durable yet.
#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

/// A change, and when the flush that covers it is done; `None` where no flush covers it.
#[derive(Clone, Debug)]
struct Pending {
    change: Change,
    durable_at_us: Option<u64>,
}

/// One file's content, twice, and its locks.
#[derive(Debug, Default)]
pub(crate) struct File {
    /// What every process reads: the page cache.
    pub seen: Vec<u8>,
    /// How many handles of living processes are open.
    pub open: u32,
    durable: Vec<u8>,
    pending: Vec<Pending>,
    pub database: DatabaseLocks,
    pub memory: MemoryLocks,
}

impl File {
    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        apply(&mut self.seen, at, bytes);
        self.pending.push(Pending { change: Change::Write { at, bytes: bytes.to_vec() }, durable_at_us: None });
    }

    pub fn resize(&mut self, length: usize) {
        self.seen.resize(length, 0);
        self.pending.push(Pending { change: Change::Length(length), durable_at_us: None });
    }

    /// A flush begins that is done at `done_at_us`.
    pub fn flush(&mut self, done_at_us: u64) {
        for pending in &mut self.pending {
            pending.durable_at_us.get_or_insert(done_at_us);
        }
    }

    /// Moves what flushes have made durable by `now_us` onto the platter.
    pub fn settle(&mut self, now_us: u64) {
        let done =
            self.pending.iter().take_while(|pending| pending.durable_at_us.is_some_and(|at| at <= now_us)).count();
        for pending in self.pending.drain(..done) {
            pending.change.apply_to(&mut self.durable);
        }
    }

    /// The power goes: of the changes no flush has finished, each is on the platter, is not, or is there in part.
    pub fn lose_power(&mut self, now_us: u64, random: &mut fastrand::Rng) {
        self.settle(now_us);
        for pending in self.pending.drain(..) {
            match (random.u8(..3), pending.change) {
                (0, _) => (),
                (1, change) => change.apply_to(&mut self.durable),
                (_, Change::Length(length)) => Change::Length(length).apply_to(&mut self.durable),
                (_, Change::Write { at, bytes }) => tear(&mut self.durable, at, &bytes, random),
            }
        }
        self.seen.clone_from(&self.durable);
    }

    /// No process has the file open any more; what they shared of memory is handed over.
    pub fn forget_processes(&mut self) -> Vec<Box<[u64]>> {
        self.open = 0;
        self.database = DatabaseLocks::default();
        std::mem::take(&mut self.memory).into_regions()
    }

    /// A bit of the platter changes by itself.
    pub fn rot(&mut self, random: &mut fastrand::Rng) {
        if let Some(at) = random.choice(0..self.seen.len()) {
            let bit = 1 << random.u8(..8);
            self.seen[at] ^= bit;
            if let Some(byte) = self.durable.get_mut(at) {
                *byte ^= bit;
            }
        }
    }
}

impl Change {
    fn apply_to(self, content: &mut Vec<u8>) {
        match self {
            Change::Write { at, bytes } => apply(content, at, &bytes),
            Change::Length(length) => content.resize(length, 0),
        }
    }
}

fn apply(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}

/// Some sectors of a write, in any order, are on the platter.
fn tear(content: &mut Vec<u8>, at: usize, bytes: &[u8], random: &mut fastrand::Rng) {
    let mut from = 0;
    while from < bytes.len() {
        let to = bytes.len().min(from + SECTOR - (at + from) % SECTOR);
        if random.bool() {
            apply(content, at + from, &bytes[from..to]);
        }
        from = to;
    }
}
