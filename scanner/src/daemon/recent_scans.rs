//! The latest verdicts, for the operator's page: lanes add them, an officer's decision marks them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use page::status::RecentScan;
use trustlist::verdict::Verdict;

/// Verdicts the operator's page lists.
const RECENT: usize = 20;

/// The latest verdicts of all lanes. Clones are the same; the lock is held for a copy.
#[derive(Clone, Default)]
pub struct RecentScans(Arc<Mutex<VecDeque<RecentScan>>>);

impl RecentScans {
    fn list(&self) -> MutexGuard<'_, VecDeque<RecentScan>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a verdict, and forgets the oldest.
    pub fn add(&self, recent: RecentScan) {
        let mut list = self.list();
        list.truncate(RECENT - 1);
        list.push_front(recent);
    }

    /// All, newest first.
    pub fn all(&self) -> Vec<RecentScan> {
        self.list().iter().cloned().collect()
    }

    /// An officer decided otherwise about a scan.
    pub fn decided_by_hand(&self, scan: &str, verdict: Verdict) {
        for recent in self.list().iter_mut().filter(|recent| recent.scan.as_deref() == Some(scan)) {
            recent.by_hand = Some(verdict.code().to_owned());
        }
    }
}
