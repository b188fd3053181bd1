//! The thread that owns the writing connection, and the handle through which everybody else writes.
//!
//! Group commit without waiting: the thread takes what is there, commits it in one transaction, and acknowledges each row.
//! A lone row is committed at once; rows that arrive meanwhile share the next transaction, so that the disk's flushes, not
//! the number of rows, set the pace. What it does when is decided by the pure `schedule`; `worker` obeys it one step at a time, so
//! that a simulated world can drive it without a thread ([`Writer::driven`]).

mod ahead;
mod gauges;
mod receipt;
mod schedule;
mod worker;

use std::{
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{self, RecvTimeoutError, SyncSender, TrySendError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use trustlist::time::{Moment, TimeTrust};
use uuid::Uuid;

use super::{
    Change, Event, Fault, ScanLog, ScanRow, UnixMillis, WriteFault,
    admissions::{Admissions, InFlight},
    openings::Objection,
    row,
};
use crate::{machine::Machine, outbox::OutboxUpdate};
use ahead::AheadMark;
pub use gauges::Gauges;
use receipt::Waiting;
pub use receipt::{Opening, Receipt, Written};
pub use worker::{Progress, Worker};

/// Rows that may wait. At one traveller a second this is more than an hour: beyond it the disk has hung, and memory must
/// not fill up with rows.
const WAITING: usize = 4096;
/// How long anybody waits for the writing thread to answer a request.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two attempts to hand a request over while the queue is full.
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// Handle to the writing thread; clones share it. The thread ends when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Writer {
    sender: SyncSender<Job>,
    gauges: Arc<Gauges>,
    admissions: Arc<Admissions>,
    ahead: Arc<AheadMark>,
    machine: Machine,
}

enum Job {
    Change(Change, Waiting),
    Whole(Box<dyn FnOnce(&mut ScanLog) + Send>),
}

impl Writer {
    /// Starts the thread. Join the handle after the last `Writer` is dropped: it ends with everything committed and anchored.
    /// `admissions` is shared by every log that this process opens.
    pub fn spawn(log: ScanLog, admissions: Arc<Admissions>) -> (Writer, JoinHandle<()>) {
        let (writer, worker) = Writer::driven(log, admissions);
        let thread = thread::Builder::new()
            .name("scan-log".into())
            .spawn(move || worker.run())
            .expect("the system gives a thread at start");
        (writer, thread)
    }

    /// The handle, and the worker that somebody else drives, step by step.
    pub fn driven(log: ScanLog, admissions: Arc<Admissions>) -> (Writer, Worker) {
        let (sender, jobs) = mpsc::sync_channel(WAITING);
        let gauges = Arc::new(Gauges::new(log.time_floor()));
        let ahead = Arc::new(AheadMark::new(log.path().to_owned()));
        let machine = log.machine().clone();
        let worker = Worker::new(log, jobs, Arc::clone(&gauges), Arc::clone(&admissions), Arc::clone(&ahead));
        (Writer { sender, gauges, admissions, ahead, machine }, worker)
    }

    /// The clock and the chance that the log was given: whoever works for it uses the same.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What all lanes share before a gate moves.
    #[must_use]
    pub fn admissions(&self) -> &Arc<Admissions> {
        &self.admissions
    }

    /// A place for the row of an admission whose gate will wait up to `wait` and then move. Ask before the row is written.
    ///
    /// # Errors
    /// When the gates are too far ahead of the disk: refer, and say why.
    pub fn opening(&self, at: UnixMillis, wait: Duration) -> Result<Opening, Objection> {
        self.admissions.opening(at, wait).map(Opening)
    }

    /// Hands over the row of an admission, with its place.
    pub fn append_opening(&self, row: &ScanRow, opening: Opening) -> Receipt {
        let mover = opening.0.mover();
        let at_most = u64::from(self.admissions.bounds().openings);
        let receipt = self.send(row.at_ms, row.time_trust, |id| row.body(id), opening.0);
        Receipt { opening: Some((mover, Arc::clone(&self.ahead), at_most)), ..receipt }
    }

    /// Hands a row over; it is committed as soon as the disk allows.
    pub fn append(&self, row: &ScanRow) -> Receipt {
        self.send(row.at_ms, row.time_trust, |id| row.body(id), self.admissions.row())
    }

    /// Hands an event over.
    pub fn record(&self, event: &Event, at: UnixMillis, trust: TimeTrust) -> Receipt {
        self.send(at, trust, |id| event.body(id, at), self.admissions.row())
    }

    /// Tells the time, so that the floor rises while nobody passes. Stored at most once a minute.
    pub fn note_time(&self, moment: Moment) {
        // A full queue means rows are on their way, and they bring their time.
        let time = Change::Time { at: moment.at.into(), trust: moment.trust };
        let _ = self.sender.try_send(Job::Change(time, Waiting::NOBODY));
    }

    /// Counters.
    #[must_use]
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// Runs `work` on the writing thread, between two groups, and waits for its answer: at most [`PATIENCE`], because the thread may
    /// hang in the disk.
    pub fn with_log<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut ScanLog) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, result) = mpsc::sync_channel(1);
        let job = Job::Whole(Box::new(move |log| {
            // Whoever asked may have given up.
            let _ = answer.send(work(log));
        }));
        self.offer(job)?;
        match result.recv_timeout(PATIENCE) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(Fault::Busy),
            Err(RecvTimeoutError::Disconnected) => Err(Fault::Closed),
        }
    }

    /// Hands over what became of rows in the outbox; it shares the next transaction. Resolves like a row's receipt.
    pub fn update_outbox(&self, update: OutboxUpdate) -> Receipt {
        self.change(Change::Outbox(update))
    }

    /// Moves the floor of time to where evidence puts it, with a row that says so: old, new, evidence.
    pub fn move_floor(&self, to: UnixMillis, evidence: &str, at: UnixMillis) -> Receipt {
        self.change(Change::Floor { to, evidence: evidence.to_owned(), at })
    }

    /// Makes the key of a day, should the clock have jumped to one that has none. A traveller waits, so not for longer than `within`.
    pub(super) fn make_day_key(&self, day: i64, within: Duration) -> Result<(), Fault> {
        match self.change(Change::DayKey(day)).wait(within) {
            Written::Committed(_) => Ok(()),
            Written::Failed(WriteFault::Full) => Err(Fault::Full),
            Written::Late | Written::Failed(WriteFault::Busy | WriteFault::Overloaded) => Err(Fault::Busy),
            // The journal has the writer's own words.
            Written::Failed(_) => Err(Fault::Closed),
        }
    }

    fn change(&self, change: Change) -> Receipt {
        let (answer, result) = mpsc::sync_channel(1);
        self.hand_over(change, Waiting { answer: Some(answer), in_flight: None });
        Receipt { id: Uuid::nil(), answer: result, opening: None }
    }

    fn send(
        &self,
        at: UnixMillis,
        trust: TimeTrust,
        body: impl FnOnce(&Uuid) -> String,
        in_flight: InFlight,
    ) -> Receipt {
        let (answer, result) = mpsc::sync_channel(1);
        let waiting = Waiting { answer: Some(answer), in_flight: Some(in_flight) };
        let id = match row::new_id(&self.machine, at) {
            Ok(id) => {
                self.hand_over(Change::Row { body: body(&id), at, trust }, waiting);
                id
            }
            Err(_) => {
                self.gauges.failed.fetch_add(1, Ordering::Relaxed);
                waiting.settle(Err(WriteFault::Other));
                Uuid::nil()
            }
        };
        Receipt { id, answer: result, opening: None }
    }

    /// Into the queue; where that is full or gone, whoever waits is told at once.
    fn hand_over(&self, change: Change, waiting: Waiting) {
        let (job, fault) = match self.sender.try_send(Job::Change(change, waiting)) {
            Ok(()) => return,
            Err(TrySendError::Full(job)) => (job, WriteFault::Overloaded),
            Err(TrySendError::Disconnected(job)) => (job, WriteFault::Closed),
        };
        self.gauges.failed.fetch_add(1, Ordering::Relaxed);
        if let Job::Change(_, waiting) = job {
            waiting.settle(Err(fault));
        }
    }

    fn offer(&self, mut job: Job) -> Result<(), Fault> {
        let began = self.machine.now();
        loop {
            match self.sender.try_send(job) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(Fault::Closed),
                Err(TrySendError::Full(_)) if self.machine.since(began) >= PATIENCE => return Err(Fault::Busy),
                Err(TrySendError::Full(again)) => {
                    job = again;
                    thread::sleep(FULL_PAUSE);
                }
            }
        }
    }
}
