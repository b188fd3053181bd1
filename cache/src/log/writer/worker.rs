//! The writing thread's work, one step at a time.

use std::{
    mem,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::{Duration, Instant},
};

use trustlist::time::TimeTrust;

use super::{
    super::{Change, Event, ScanLog, WriteFault, admissions::Admissions, openings::Lost, row},
    Job,
    ahead::AheadMark,
    gauges::Gauges,
    receipt::Waiting,
    schedule::{Duty, Schedule, Transaction},
};
use crate::{machine::Machine, outbox::OutboxUpdate};

/// Rows of one transaction, so that the first of a burst is not kept waiting for the last.
const GROUP: usize = 256;
/// Rows that a small update of the outbox speaks of.
const SMALL: usize = 16;

/// The log, its queue, and what is due. It works when it is told to.
pub struct Worker {
    log: ScanLog,
    jobs: Receiver<Job>,
    gauges: Arc<Gauges>,
    admissions: Arc<Admissions>,
    ahead: Arc<AheadMark>,
    schedule: Schedule,
    /// Small updates of the outbox that wait for a row.
    lingering: Vec<(Change, Waiting)>,
}

/// What one step left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Rows may wait: step again at once.
    Busy,
    /// Nothing is due for so long, unless somebody writes.
    Idle(Duration),
    /// The last handle is dropped: everything is committed and anchored.
    Ended,
}

impl Worker {
    pub(super) fn new(
        log: ScanLog,
        jobs: Receiver<Job>,
        gauges: Arc<Gauges>,
        admissions: Arc<Admissions>,
        ahead: Arc<AheadMark>,
    ) -> Worker {
        let schedule = Schedule::new(log.options.anchor_within);
        Worker { log, jobs, gauges, admissions, ahead, schedule, lingering: Vec::new() }
    }

    /// Steps until the last handle is dropped: the thread.
    pub(super) fn run(mut self) {
        let machine = self.log.machine().clone();
        loop {
            match self.jobs.recv_timeout(self.pause(machine.now())) {
                Ok(job) => self.take(job, machine.now()),
                Err(RecvTimeoutError::Timeout) => self.tidy(machine.now()),
                Err(RecvTimeoutError::Disconnected) => return self.end(machine.now()),
            }
        }
    }

    /// Does what waits at `now`, at most one group of rows; where nothing waits, what is due.
    pub fn step(&mut self, now: Instant) -> Progress {
        match self.jobs.try_recv() {
            Ok(job) => {
                self.take(job, now);
                Progress::Busy
            }
            Err(TryRecvError::Empty) => {
                self.tidy(now);
                Progress::Idle(self.pause(now))
            }
            Err(TryRecvError::Disconnected) => {
                self.end(now);
                Progress::Ended
            }
        }
    }

    /// Runs `work` between two groups, as [`super::Writer::with_log`] has it done for whoever waits: whoever drives the worker cannot.
    pub fn between<T>(&mut self, now: Instant, work: impl FnOnce(&mut ScanLog) -> T) -> T {
        let answer = work(&mut self.log);
        self.schedule.may_sweep();
        self.obey_pressing(now);
        answer
    }

    fn obey_pressing(&mut self, now: Instant) {
        for duty in self.schedule.pressing(now) {
            self.obey(duty, now);
        }
    }

    fn pause(&self, now: Instant) -> Duration {
        self.schedule.pause(now, self.admissions.lost().is_some())
    }

    /// A job, and those that wait behind it, as one group.
    fn take(&mut self, job: Job, now: Instant) {
        let mut group = Vec::new();
        let mut whole = None;
        let mut next = Some(job);
        while let Some(job) = next {
            match job {
                Job::Change(Change::Time { .. }, _) if !self.schedule.stores_time(now) => {}
                Job::Change(change, waiting) => group.push((change, waiting)),
                Job::Whole(work) => {
                    whole = Some(work);
                    break;
                }
            }
            next = if group.len() < GROUP { self.jobs.try_recv().ok() } else { None };
        }
        if whole.is_none() && group.iter().all(|(change, _)| may_linger(change)) {
            if !group.is_empty() {
                self.lingering.append(&mut group);
                self.schedule.lingers(now);
            }
        } else {
            self.commit(group, now);
        }
        match whole {
            Some(work) => self.between(now, work),
            None => self.obey_pressing(now),
        }
    }

    /// Nobody waits.
    fn tidy(&mut self, now: Instant) {
        for duty in self.schedule.idle(now, self.admissions.lost().is_some()) {
            self.obey(duty, now);
        }
        self.ahead.clear(&self.admissions);
    }

    fn end(&mut self, now: Instant) {
        self.commit(Vec::new(), now);
        self.obey(Duty::Anchor, now);
        self.log.fold();
        self.ahead.clear(&self.admissions);
    }

    fn obey(&mut self, duty: Duty, now: Instant) {
        match duty {
            Duty::Commit => self.commit(Vec::new(), now),
            Duty::Sweep => self.sweep(),
            Duty::Fold => {
                self.log.fold();
                self.log.mend_reserve();
                self.schedule.folded();
            }
            Duty::Anchor => {
                self.schedule.anchored();
                if let Err(fault) = self.log.anchor() {
                    ::log::error!("no anchor written: {fault}");
                }
            }
        }
    }

    fn sweep(&mut self) {
        let began = self.log.machine().now();
        let more = self.log.sweep().and_then(|more| Ok(self.log.roll_up()? || more));
        let more = more.unwrap_or_else(|fault| {
            ::log::error!("old rows cannot be deleted: {fault}");
            false
        });
        self.schedule.swept(more, self.log.machine().since(began));
    }

    /// Commits a group, with what lingered and with the gap that the chain does not know of yet.
    fn commit(&mut self, mut group: Vec<(Change, Waiting)>, now: Instant) {
        group.extend(mem::take(&mut self.lingering));
        self.schedule.commits();
        let (mut changes, waiting): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let rows = changes.iter().filter(|change| matches!(change, Change::Row { .. })).count();
        let lost = self.admissions.lost();
        changes.extend(lost.and_then(|lost| gap(self.log.machine(), lost, &changes)));
        if changes.is_empty() {
            return;
        }
        let result = self.log.commit_or_make_room(&changes);
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
        match &result {
            Ok(_) => {
                self.gauges.commits.fetch_add(1, Ordering::Relaxed);
                self.gauges.floor.store(self.log.time_floor().map_or(i64::MIN, |floor| floor.0), Ordering::Relaxed);
                self.gauges.rows.fetch_add(rows as u64, Ordering::Relaxed);
                let time = changes.iter().any(|change| matches!(change, Change::Time { .. }));
                let transaction = Transaction { changes: changes.len(), grew: rows > 0 || lost.is_some(), time };
                self.schedule.committed(transaction, now);
                if let Some(lost) = lost {
                    ::log::error!("{} gates opened for travellers whose rows are lost; a row says so", lost.openings);
                    self.gauges.gaps.fetch_add(lost.openings, Ordering::Relaxed);
                    self.admissions.recorded(lost);
                }
            }
            Err(_) => {
                self.gauges.failed.fetch_add(rows as u64, Ordering::Relaxed);
            }
        }
        for (at, waiting) in waiting.into_iter().enumerate() {
            waiting.settle(result.as_ref().map(|heads| heads[at]).map_err(|fault| *fault));
        }
    }
}

/// Whether a change may wait a moment for a row: after a crash it is sent again.
fn may_linger(change: &Change) -> bool {
    match change {
        Change::Outbox(OutboxUpdate::Sent(rows)) => rows.len() <= SMALL,
        Change::Outbox(OutboxUpdate::AnchorsSent(_) | OutboxUpdate::Received(_)) => true,
        _ => false,
    }
}

/// The row that says how many openings have none.
fn gap(machine: &Machine, lost: Lost, with: &[Change]) -> Option<Change> {
    let stamp = with.iter().rev().find_map(|change| match change {
        Change::Row { at, trust, .. } => Some((*at, *trust)),
        _ => None,
    });
    // Alone, it is as old as the last of them; its time raises no floor.
    let (at, trust) = stamp.unwrap_or((lost.last, TimeTrust::Untrusted));
    let event = Event::Gap {
        openings: Some(lost.openings),
        at_most: None,
        first_ms: Some(lost.first),
        last_ms: Some(lost.last),
    };
    let id = row::new_id(machine, at).ok()?;
    Some(Change::Row { body: event.body(&id, at), at, trust })
}
