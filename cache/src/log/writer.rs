//! The thread that owns the writing connection, and the handle through which everybody else writes.
//!
//! Group commit without waiting: the thread takes what is there, commits it in one transaction, and acknowledges each row.
//! A lone row is committed at once; rows that arrive meanwhile share the next transaction, so that the disk's flushes, not
//! the number of rows, set the pace. Housekeeping (anchors, write-ahead log) happens when nobody waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use trustlist::time::{Moment, TimeTrust};
use uuid::Uuid;

use crate::outbox::Mark;

use super::{Change, Event, Fault, ScanLog, ScanRow, UnixMillis, WriteFault, chain::Head, row};

/// Rows that may wait. At one traveller a second this is more than an hour: beyond it the disk has hung, and memory must
/// not fill up with rows.
const WAITING: usize = 4096;
/// Rows of one transaction, so that the first of a burst is not kept waiting for the last.
const GROUP: usize = 256;
/// Longest time between two times stored when there are no rows.
const TIME_EVERY: Duration = Duration::from_secs(60);
/// Quiet time after which the write-ahead log is folded into the database.
const QUIET: Duration = Duration::from_millis(250);
/// Pause between two steps of deleting, for rows to come in between.
const SWEEP_PAUSE: Duration = Duration::from_millis(20);

/// Handle to the writing thread; clones share it. The thread ends when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Writer {
    sender: SyncSender<Job>,
    gauges: Arc<Gauges>,
}

/// Counters for metrics and the page; they survive a full disk because they are not on it.
#[derive(Debug)]
pub struct Gauges {
    rows: AtomicU64,
    commits: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    healthy: AtomicBool,
}

impl Gauges {
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

/// A row's place once it is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is on the disk, here.
    Committed(Head),
    /// Not within the time given. It may still come: ask again.
    Late,
    /// It is not in the log and will not be.
    Failed(WriteFault),
}

/// The promise of an append. Dropping it does not take the row back.
#[derive(Debug)]
#[must_use = "a gate moves on the receipt"]
pub struct Receipt {
    id: Uuid,
    answer: Receiver<Result<Head, WriteFault>>,
}

impl Receipt {
    /// The row's identity, known before it is committed.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Waits for the disk, at most this long.
    pub fn wait(&self, at_most: Duration) -> Written {
        match self.answer.recv_timeout(at_most) {
            Ok(Ok(head)) => Written::Committed(head),
            Ok(Err(fault)) => Written::Failed(fault),
            Err(RecvTimeoutError::Timeout) => Written::Late,
            Err(RecvTimeoutError::Disconnected) => Written::Failed(WriteFault::Closed),
        }
    }
}

enum Job {
    Change(Change, Option<SyncSender<Result<Head, WriteFault>>>),
    Whole(Box<dyn FnOnce(&mut ScanLog) + Send>),
}

impl Writer {
    /// Starts the thread. Join the handle after the last `Writer` is dropped: it ends with everything committed and anchored.
    pub fn spawn(log: ScanLog) -> (Writer, JoinHandle<()>) {
        let (sender, jobs) = mpsc::sync_channel(WAITING);
        let gauges = Arc::new(Gauges {
            rows: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            healthy: AtomicBool::new(true),
        });
        let shared = Arc::clone(&gauges);
        let thread = thread::Builder::new()
            .name("scan-log".into())
            .spawn(move || {
                Desk { log, gauges: shared, unanchored: None, unfolded: 0, time: None, sweeping: true }.work(&jobs)
            })
            .expect("the system gives a thread at start");
        (Writer { sender, gauges }, thread)
    }

    /// Hands a row over; it is committed as soon as the disk allows.
    pub fn append(&self, row: &ScanRow) -> Receipt {
        self.send(row.at_ms, row.time_trust, |id| row.body(id))
    }

    /// Hands an event over.
    pub fn record(&self, event: &Event, at: UnixMillis, trust: TimeTrust) -> Receipt {
        self.send(at, trust, |id| event.body(id, at))
    }

    /// Tells the time, so that the floor rises while nobody passes. Stored at most once a minute.
    pub fn note_time(&self, moment: Moment) {
        // A full queue means rows are on their way, and they bring their time.
        let _ = self.sender.try_send(Job::Change(Change::Time { at: moment.at.into(), trust: moment.trust }, None));
    }

    /// Counters.
    #[must_use]
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// Runs `work` on the writing thread, between two groups, and waits for its answer.
    pub fn with_log<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut ScanLog) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, result) = mpsc::sync_channel(1);
        let job = Job::Whole(Box::new(move |log| {
            // Whoever asked may have given up.
            let _ = answer.send(work(log));
        }));
        self.sender.send(job).map_err(|_| Fault::Closed)?;
        result.recv().map_err(|_| Fault::Closed)?
    }

    /// Hands over what became of rows in the outbox; it shares the next transaction. Resolves like a row's receipt.
    pub fn mark(&self, mark: Mark) -> Receipt {
        let (answer, result) = mpsc::sync_channel(1);
        if self.sender.send(Job::Change(Change::Mark(mark), Some(answer.clone()))).is_err() {
            answer.send(Err(WriteFault::Closed)).expect("the receipt is held below, and its slot is empty");
        }
        Receipt { id: Uuid::nil(), answer: result }
    }

    /// Makes the key of a day, should the clock have jumped to one that has none. A traveller waits, so not for longer than `within`.
    pub(super) fn make_day_key(&self, day: i64, within: Duration) -> Result<(), Fault> {
        let (answer, result) = mpsc::sync_channel(1);
        match self.sender.try_send(Job::Change(Change::DayKey(day), Some(answer))) {
            Ok(()) => (),
            Err(TrySendError::Full(_)) => return Err(Fault::Busy),
            Err(TrySendError::Disconnected(_)) => return Err(Fault::Closed),
        }
        match (Receipt { id: Uuid::nil(), answer: result }).wait(within) {
            Written::Committed(_) => Ok(()),
            Written::Late => Err(Fault::Busy),
            Written::Failed(WriteFault::Full) => Err(Fault::Full),
            Written::Failed(WriteFault::Busy | WriteFault::Overloaded) => Err(Fault::Busy),
            // The journal has the writer's own words.
            Written::Failed(_) => Err(Fault::Closed),
        }
    }

    fn send(&self, at: UnixMillis, trust: TimeTrust, body: impl FnOnce(&Uuid) -> String) -> Receipt {
        let (answer, result) = mpsc::sync_channel(1);
        let id = row::new_id(at);
        let receipt = Receipt { id: *id.as_ref().unwrap_or(&Uuid::nil()), answer: result };
        let fault = match id {
            Err(_) => Some(WriteFault::Other),
            Ok(id) => {
                let change = Change::Row { body: body(&id), at, trust };
                match self.sender.try_send(Job::Change(change, Some(answer.clone()))) {
                    Ok(()) => None,
                    Err(TrySendError::Full(_)) => Some(WriteFault::Overloaded),
                    Err(TrySendError::Disconnected(_)) => Some(WriteFault::Closed),
                }
            }
        };
        if let Some(fault) = fault {
            self.gauges.failed.fetch_add(1, Ordering::Relaxed);
            answer.send(Err(fault)).expect("the receipt is held above, and its slot is empty");
        }
        receipt
    }
}

/// The thread's own things.
struct Desk {
    log: ScanLog,
    gauges: Arc<Gauges>,
    /// When the first row without an anchor was committed.
    unanchored: Option<Instant>,
    /// Rows committed since the write-ahead log was folded in.
    unfolded: usize,
    /// When the time alone was last stored.
    time: Option<Instant>,
    /// Whether a receipt may have given up rows that are still there.
    sweeping: bool,
}

impl Desk {
    fn work(mut self, jobs: &Receiver<Job>) {
        loop {
            let job = match jobs.recv_timeout(self.patience()) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    self.tidy();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let mut changes = Vec::new();
            let mut waiting = Vec::new();
            let mut whole = None;
            let mut next = Some(job);
            while let Some(job) = next {
                match job {
                    Job::Change(Change::Time { .. }, _)
                        if self.time.is_some_and(|last| last.elapsed() < TIME_EVERY) => {}
                    Job::Change(change, answer) => {
                        changes.push(change);
                        waiting.push(answer);
                    }
                    Job::Whole(work) => {
                        whole = Some(work);
                        break;
                    }
                }
                next = if changes.len() < GROUP { jobs.try_recv().ok() } else { None };
            }
            self.commit(&changes, waiting);
            if let Some(work) = whole {
                work(&mut self.log);
                self.sweeping = true;
            }
            if self.unanchored.is_some_and(|since| since.elapsed() >= self.log.options.anchor_within) {
                self.anchor();
            }
        }
        self.anchor();
        self.log.fold();
    }

    fn patience(&self) -> Duration {
        if self.sweeping {
            return SWEEP_PAUSE;
        }
        if self.unfolded > 0 {
            return QUIET;
        }
        self.unanchored.map_or(self.log.options.anchor_within, |since| {
            self.log.options.anchor_within.saturating_sub(since.elapsed())
        })
    }

    fn commit(&mut self, changes: &[Change], waiting: Vec<Option<SyncSender<Result<Head, WriteFault>>>>) {
        if changes.is_empty() {
            return;
        }
        let result = self.log.commit_or_make_room(changes);
        let result = result.map(|(heads, dropped)| {
            self.gauges.dropped.fetch_add(dropped, Ordering::Relaxed);
            heads
        });
        let result = result.map_err(|fault| {
            // One line for each change of state, however many rows fail.
            if self.gauges.healthy.swap(false, Ordering::Relaxed) {
                ::log::error!("rows cannot be written: {fault}");
            }
            WriteFault::from(&fault)
        });
        if result.is_ok() && !self.gauges.healthy.swap(true, Ordering::Relaxed) {
            ::log::warn!("rows are written again");
        }
        let rows = changes.iter().filter(|change| matches!(change, Change::Row { .. })).count();
        match &result {
            Ok(_) => {
                self.gauges.commits.fetch_add(1, Ordering::Relaxed);
                self.gauges.rows.fetch_add(rows as u64, Ordering::Relaxed);
                self.time = Some(Instant::now());
                self.unfolded += changes.len();
                if rows > 0 {
                    self.unanchored.get_or_insert_with(Instant::now);
                }
            }
            Err(_) => {
                self.gauges.failed.fetch_add(rows as u64, Ordering::Relaxed);
            }
        }
        for (at, answer) in waiting.into_iter().enumerate() {
            let Some(answer) = answer else { continue };
            // The lane may have given up waiting; the row is in the log all the same.
            let _ = answer.send(result.as_ref().map(|heads| heads[at]).map_err(|fault| *fault));
        }
        if self.log.should_fold() {
            self.log.fold();
            self.unfolded = 0;
        }
    }

    /// Nobody waits.
    fn tidy(&mut self) {
        if self.sweeping {
            self.sweeping = self.log.sweep().unwrap_or_else(|fault| {
                ::log::error!("old rows cannot be deleted: {fault}");
                false
            });
        }
        if self.unfolded > 0 {
            self.log.fold();
            self.unfolded = 0;
        }
        if self.unanchored.is_some_and(|since| since.elapsed() >= self.log.options.anchor_within) {
            self.anchor();
        }
    }

    fn anchor(&mut self) {
        self.unanchored = None;
        if let Err(fault) = self.log.anchor() {
            ::log::error!("no anchor written: {fault}");
        }
    }
}
