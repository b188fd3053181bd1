//! What the writing thread counts, for metrics and the page. It survives a full disk because it is not on it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use super::super::UnixMillis;

/// Counters since the start.
#[derive(Debug)]
pub struct Gauges {
    pub(super) rows: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) gaps: AtomicU64,
    pub(super) floor: AtomicI64,
    pub(super) healthy: AtomicBool,
}

impl Gauges {
    /// Nothing counted yet, in a log whose floor of time is this.
    pub(super) fn new(floor: Option<UnixMillis>) -> Gauges {
        Gauges {
            rows: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            floor: AtomicI64::new(floor.map_or(i64::MIN, |floor| floor.0)),
            healthy: AtomicBool::new(true),
        }
    }

    /// The latest time known, as far as the log has it.
    #[must_use]
    pub fn floor(&self) -> Option<UnixMillis> {
        let floor = self.floor.load(Ordering::Relaxed);
        (floor != i64::MIN).then_some(UnixMillis(floor))
    }

    /// Openings since the start whose rows are lost, as far as the chain says so.
    #[must_use]
    pub fn gaps(&self) -> u64 {
        self.gaps.load(Ordering::Relaxed)
    }

    /// Rows committed since the start.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Transactions since the start.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Acknowledged rows given up for want of space since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Whether the last attempt to write succeeded. `false` is an alarm.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Rows that could not be written since the start.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}
