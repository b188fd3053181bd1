//! A full disk: a reserve, and a rule for what may go.
//!
//! The rule: when a row cannot be written for want of space, the oldest rows that a centre has *acknowledged* are given up,
//! with a receipt in the chain, and the row is tried once more. Rows nobody has acknowledged are never given up: then the
//! row fails, the lane refers, and the alarm is shown. Deleting needs space itself (the write-ahead log), and so does opening
//! the log, so a reserve file lies beside the database and is given back to the disk for that moment.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{Change, Fault, ScanLog, WriteFault, chain::Head, side_files::beside};

/// Size of the reserve: more than the write-ahead log of giving up one portion of rows.
const RESERVE: usize = 8 << 20;
/// A write-ahead log larger than this is worth folding in before anything is given up.
const WORTH_FOLDING: u64 = 4 << 20;

fn reserve_path(path: &Path) -> PathBuf {
    beside(path, "-reserve")
}

/// Size of the write-ahead log.
pub(super) fn wal_bytes(path: &Path) -> u64 {
    fs::metadata(beside(path, "-wal")).map_or(0, |file| file.len())
}

/// Makes the reserve unless it is there. A disk too full for it is not an error yet.
pub(super) fn keep_reserve(path: &Path) -> io::Result<()> {
    let reserve = reserve_path(path);
    if fs::metadata(&reserve).is_ok_and(|file| file.len() == RESERVE as u64) {
        return Ok(());
    }
    let create = || fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o640).open(&reserve);
    let written = create().and_then(|mut file| {
        let block = [0; 65536];
        for _ in 0..RESERVE / block.len() {
            file.write_all(&block)?;
        }
        file.sync_all()
    });
    if written.is_err() {
        // A partial reserve would only take the space that rows need.
        let _ = fs::remove_file(&reserve);
    }
    written
}

/// Opens; where that fails as it does on a full disk (the shared memory of the write-ahead log is a file, too), gives the reserve back to
/// the disk and opens once more.
pub(super) fn with_reserve<T>(path: &Path, open: impl Fn() -> Result<T, Fault>) -> Result<T, Fault> {
    let answer = open();
    let wants_space = match &answer {
        Err(fault) => matches!(WriteFault::from(fault), WriteFault::Full | WriteFault::Disk | WriteFault::ReadOnly),
        Ok(_) => false,
    };
    if wants_space && fs::remove_file(reserve_path(path)).is_ok() {
        return open();
    }
    answer
}

impl ScanLog {
    /// Commits; when there is no space, folds the write-ahead log, then gives up acknowledged rows, and tries again. Also says how many
    /// were given up.
    pub(crate) fn commit_or_make_room(&mut self, changes: &[Change]) -> Result<(Vec<Head>, u64), Fault> {
        let first = match self.commit(changes) {
            Err(fault @ (Fault::Full | Fault::Held)) => fault,
            answer => return answer.map(|heads| (heads, 0)),
        };
        // A reader that has gone left a write-ahead log that can be folded in now.
        let worth = WORTH_FOLDING.min(self.options.max_bytes / 16);
        if matches!(first, Fault::Held) || wal_bytes(&self.options.path) > worth {
            let answer = self.spending_reserve(|log| {
                log.fold_away();
                log.commit(changes)
            });
            match answer {
                Err(Fault::Full) => {}
                answer => return answer.map(|heads| (heads, 0)),
            }
        }
        // An acknowledgement makes room for later, so it may use the reserve.
        let only_updates = changes.iter().all(|change| matches!(change, Change::Outbox(_)));
        if !only_updates && self.may_give_up()?.is_none() {
            return Err(Fault::Full);
        }
        let again = self.spending_reserve(|log| {
            let dropped = if only_updates { 0 } else { log.give_up()? };
            if dropped == 0 && !only_updates {
                return Err(Fault::Full);
            }
            log.fold_away();
            log.commit(changes).map(|heads| (heads, dropped))
        });
        if let Ok((_, dropped @ 1..)) = again {
            ::log::error!("no space: {dropped} of the oldest acknowledged rows were given up; free space");
        }
        again
    }

    /// Does something while the reserve is given back to the disk, and makes it again.
    fn spending_reserve<T>(&mut self, work: impl FnOnce(&mut ScanLog) -> Result<T, Fault>) -> Result<T, Fault> {
        // Perhaps there is no reserve: then the attempts may fail, which is the answer.
        let _ = fs::remove_file(reserve_path(&self.options.path));
        let answer = work(self);
        // Back from the write-ahead log into the database's own free pages; these are used before the file grows.
        self.fold_away();
        self.mend_reserve();
        answer
    }

    /// Makes the reserve again where it was spent and there is space.
    pub(crate) fn mend_reserve(&self) {
        if let Err(error) = keep_reserve(&self.options.path) {
            ::log::warn!("no reserve beside the scan log: {error}");
        }
    }
}
