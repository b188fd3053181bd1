//! The mark beside the log that says that gates run ahead of the disk, made at most once until it is taken away.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::super::{admissions::Admissions, unclean};

/// The mark, and whether it stands.
#[derive(Debug)]
pub(super) struct AheadMark {
    database: PathBuf,
    marked: AtomicBool,
}

impl AheadMark {
    pub(super) fn new(database: PathBuf) -> AheadMark {
        AheadMark { database, marked: AtomicBool::new(false) }
    }

    /// Makes the mark unless it is there, without waiting for the disk.
    pub(super) fn mark(&self, at_most: u64) {
        if self.marked.swap(true, Ordering::SeqCst) {
            return;
        }
        let database = self.database.clone();
        let mark = move || {
            if let Err(error) = unclean::mark(&database, at_most) {
                ::log::error!("that gates run ahead of the disk cannot be marked: {error}");
            }
        };
        if let Err(error) = thread::Builder::new().name("log-ahead".to_owned()).spawn(mark) {
            ::log::error!("that gates run ahead of the disk cannot be marked: {error}");
        }
    }

    /// Takes the mark away once no gate runs ahead.
    pub(super) fn clear(&self, admissions: &Admissions) {
        if !self.marked.load(Ordering::SeqCst) || admissions.ahead() > 0 || admissions.lost().is_some() {
            return;
        }
        self.marked.store(false, Ordering::SeqCst);
        unclean::forget(&self.database);
        // A gate that moved in between may have found its mark made already.
        if admissions.ahead() > 0 {
            self.mark(u64::from(admissions.bounds().openings));
        }
    }
}
