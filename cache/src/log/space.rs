//! A full disk: a reserve, and a rule for what may go.
//!
//! The rule: when a row cannot be written for want of space, the oldest rows that a centre has *acknowledged* are given up,
//! with a receipt in the chain, and the row is tried once more. Rows nobody has acknowledged are never given up: then the
//! row fails, the lane refers, and the alarm is shown. Deleting needs space itself (the write-ahead log), so a reserve file
//! lies beside the database and is given back to the disk for that moment.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{Change, Fault, ScanLog, chain::Head};

/// Size of the reserve: more than the write-ahead log of giving up one portion of rows.
const RESERVE: usize = 8 << 20;

fn reserve_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-reserve");
    name.into()
}

/// Makes the reserve unless it is there. A disk too full for it is not an error yet.
pub(super) fn keep_reserve(path: &Path) -> io::Result<()> {
    let reserve = reserve_path(path);
    if fs::metadata(&reserve).is_ok_and(|file| file.len() == RESERVE as u64) {
        return Ok(());
    }
    let written = fs::File::create(&reserve).and_then(|mut file| {
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

impl ScanLog {
    /// Commits; when there is no space, gives up acknowledged rows and tries once more. Also says how many were given up.
    pub(crate) fn commit_or_make_room(&mut self, changes: &[Change]) -> Result<(Vec<Head>, u64), Fault> {
        match self.commit(changes) {
            Err(Fault::Full) => {}
            answer => return answer.map(|heads| (heads, 0)),
        }
        // An acknowledgement makes room for later, so it may use the reserve.
        let only_marks = changes.iter().all(|change| matches!(change, Change::Mark(_)));
        if !only_marks && self.may_give_up()?.is_none() {
            return Err(Fault::Full);
        }
        // Perhaps there is no reserve: then the attempts may fail, which is the answer.
        let _ = fs::remove_file(reserve_path(&self.options.path));
        let dropped = if only_marks { Ok(0) } else { self.give_up() };
        let again = dropped.and_then(|dropped| {
            if dropped == 0 && !only_marks {
                return Err(Fault::Full);
            }
            self.commit(changes).map(|heads| (heads, dropped))
        });
        // Back from the write-ahead log into the database's own free pages; these are used before the file grows.
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = keep_reserve(&self.options.path) {
            ::log::warn!("no reserve beside the scan log: {error}");
        }
        if let Ok((_, dropped @ 1..)) = again {
            ::log::error!("no space: {dropped} of the oldest acknowledged rows were given up; free space");
        }
        again
    }
}
