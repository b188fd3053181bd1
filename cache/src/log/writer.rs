//! The thread that owns the writing connection, and the handle through which everybody else writes.
//!
//! Group commit without waiting: the thread takes what is there, commits it in one transaction, and acknowledges each row.
//! A lone row is committed at once; rows that arrive meanwhile share the next transaction, so that the disk's flushes, not
//! the number of rows, set the pace. Housekeeping (anchors, write-ahead log) happens when nobody waits.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use trustlist::time::{Moment, TimeTrust};
use uuid::Uuid;

use super::{
    Change, Event, Fault, ScanLog, ScanRow, UnixMillis, WriteFault,
    admissions::{Admissions, InFlight, Mover, Reserved},
    chain::Head,
    openings::{Lost, Objection},
    row, unclean,
};
use crate::outbox::OutboxUpdate;

/// Rows that may wait. At one traveller a second this is more than an hour: beyond it the disk has hung, and memory must
/// not fill up with rows.
const WAITING: usize = 4096;
/// Rows of one transaction, so that the first of a burst is not kept waiting for the last.
const GROUP: usize = 256;
/// Longest time between two times stored when there are no rows.
const TIME_EVERY: Duration = Duration::from_secs(60);
/// Quiet time after which housekeeping begins.
const QUIET: Duration = Duration::from_millis(250);
/// Changes after which the write-ahead log is folded into the database. Folding after each would write every page twice; the more rows
/// share a page before it is folded in, the less a card wears.
const FOLD: usize = 500;
/// How long a small update of the outbox waits for a row whose transaction it can share.
const LINGER: Duration = Duration::from_secs(1);
/// Rows that a small update speaks of.
const SMALL: usize = 16;
/// How long anybody waits for the writing thread to answer a request.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two steps of deleting, for rows to come in between.
const SWEEP_PAUSE: Duration = Duration::from_millis(20);

/// Handle to the writing thread; clones share it. The thread ends when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct Writer {
    sender: SyncSender<Job>,
    gauges: Arc<Gauges>,
    admissions: Arc<Admissions>,
    ahead: Arc<Ahead>,
}

/// The mark beside the log that says that gates run ahead of the disk.
#[derive(Debug)]
struct Ahead {
    path: PathBuf,
    marked: AtomicBool,
}

impl Ahead {
    /// Makes the mark unless it is there, without waiting for the disk.
    fn mark(self: &Arc<Self>, at_most: u64) {
        if self.marked.swap(true, Ordering::SeqCst) {
            return;
        }
        let path = self.path.clone();
        let mark = move || {
            if let Err(error) = unclean::mark(&path, at_most) {
                ::log::error!("that gates run ahead of the disk cannot be marked: {error}");
            }
        };
        if let Err(error) = thread::Builder::new().name("log-ahead".to_owned()).spawn(mark) {
            ::log::error!("that gates run ahead of the disk cannot be marked: {error}");
        }
    }

    /// Takes the mark away once no gate runs ahead.
    fn clear(self: &Arc<Self>, admissions: &Admissions) {
        if !self.marked.load(Ordering::SeqCst) || admissions.ahead() > 0 || admissions.lost().is_some() {
            return;
        }
        self.marked.store(false, Ordering::SeqCst);
        unclean::forget(&self.path);
        // A gate that moved in between may have found its mark made already.
        if admissions.ahead() > 0 {
            self.mark(u64::from(admissions.bounds().openings));
        }
    }
}

/// Counters for metrics and the page; they survive a full disk because they are not on it.
#[derive(Debug)]
pub struct Gauges {
    rows: AtomicU64,
    commits: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    gaps: AtomicU64,
    floor: AtomicI64,
    healthy: AtomicBool,
}

impl Gauges {
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
    opening: Option<(Mover, Arc<Ahead>, u64)>,
}

impl Receipt {
    /// The row's identity, known before it is committed.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The gate moves although the row is late. Only for the receipt of an [`Opening`], and only when it says `true`: otherwise the row
    /// was decided about meanwhile, and [`Receipt::wait`] tells how.
    #[must_use]
    pub fn gate_moves(&self) -> bool {
        let Some((mover, ahead, at_most)) = &self.opening else { return false };
        let moves = mover.moves();
        if moves {
            ahead.mark(*at_most);
        }
        moves
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

/// A place among the openings: the row whose gate may move before it is durable.
#[must_use = "dropped, the place is free again"]
pub struct Opening(InFlight);

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening")
    }
}

impl Opening {
    /// The code that is used with it, and the window within which it is used once.
    pub fn using(self, reserved: Option<Reserved>, window: Duration) -> Opening {
        Opening(self.0.using(reserved, window))
    }
}

type Answer = SyncSender<Result<Head, WriteFault>>;

/// A change on its way, with whoever waits for it and its place among the rows that are not durable.
struct Waiting {
    answer: Option<Answer>,
    in_flight: Option<InFlight>,
}

impl Waiting {
    fn settle(self, result: Result<Head, WriteFault>) {
        // Settled first: whoever hears the answer may ask the next question at once.
        match (&result, self.in_flight) {
            (Ok(_), Some(in_flight)) => in_flight.durable(),
            (_, in_flight) => drop(in_flight),
        }
        if let Some(answer) = self.answer {
            // The lane may have given up waiting; the row is in the log all the same.
            let _ = answer.send(result);
        }
    }
}

enum Job {
    Change(Change, Waiting),
    Whole(Box<dyn FnOnce(&mut ScanLog) + Send>),
}

impl Writer {
    /// Starts the thread. Join the handle after the last `Writer` is dropped: it ends with everything committed and anchored.
    /// `admissions` is shared by every log that this process opens.
    pub fn spawn(log: ScanLog, admissions: Arc<Admissions>) -> (Writer, JoinHandle<()>) {
        let (sender, jobs) = mpsc::sync_channel(WAITING);
        let gauges = Arc::new(Gauges {
            rows: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            floor: AtomicI64::new(log.time_floor().map_or(i64::MIN, |floor| floor.0)),
            healthy: AtomicBool::new(true),
        });
        let ahead = Arc::new(Ahead { path: log.path().to_owned(), marked: AtomicBool::new(false) });
        let worker = WriterThread {
            log,
            gauges: Arc::clone(&gauges),
            admissions: Arc::clone(&admissions),
            ahead: Arc::clone(&ahead),
            unanchored: None,
            unfolded: 0,
            time: None,
            sweeping: true,
            lingering: Vec::new(),
            lingers_since: None,
        };
        let thread = thread::Builder::new()
            .name("scan-log".into())
            .spawn(move || worker.work(&jobs))
            .expect("the system gives a thread at start");
        (Writer { sender, gauges, admissions, ahead }, thread)
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
        let _ = self.sender.try_send(Job::Change(time, Waiting { answer: None, in_flight: None }));
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
        let id = match row::new_id(at) {
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
        let until = Instant::now() + PATIENCE;
        loop {
            match self.sender.try_send(job) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(Fault::Closed),
                Err(TrySendError::Full(_)) if Instant::now() >= until => return Err(Fault::Busy),
                Err(TrySendError::Full(again)) => {
                    job = again;
                    thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }
}

/// The thread's own things.
struct WriterThread {
    log: ScanLog,
    gauges: Arc<Gauges>,
    admissions: Arc<Admissions>,
    ahead: Arc<Ahead>,
    /// When the first row without an anchor was committed.
    unanchored: Option<Instant>,
    /// Changes committed since the write-ahead log was folded in.
    unfolded: usize,
    /// When the time alone was last stored.
    time: Option<Instant>,
    /// Whether there may be rows to delete or to roll up.
    sweeping: bool,
    /// Small updates of the outbox that wait for a row.
    lingering: Vec<(Change, Waiting)>,
    lingers_since: Option<Instant>,
}

impl WriterThread {
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
            let mut group = Vec::new();
            let mut whole = None;
            let mut next = Some(job);
            while let Some(job) = next {
                match job {
                    Job::Change(Change::Time { .. }, _)
                        if self.time.is_some_and(|last| last.elapsed() < TIME_EVERY) => {}
                    Job::Change(change, waiting) => group.push((change, waiting)),
                    Job::Whole(work) => {
                        whole = Some(work);
                        break;
                    }
                }
                next = if group.len() < GROUP { jobs.try_recv().ok() } else { None };
            }
            if whole.is_none() && group.iter().all(|(change, _)| may_linger(change)) {
                self.lingering.append(&mut group);
                self.lingers_since.get_or_insert_with(Instant::now);
            } else {
                self.commit(group);
            }
            if let Some(work) = whole {
                work(&mut self.log);
                self.sweeping = true;
            }
            if self.unanchored.is_some_and(|since| since.elapsed() >= self.log.options.anchor_within) {
                self.anchor();
            }
        }
        self.commit(Vec::new());
        self.anchor();
        self.log.fold();
        self.ahead.clear(&self.admissions);
    }

    fn patience(&self) -> Duration {
        if self.sweeping {
            return SWEEP_PAUSE;
        }
        let linger = self.lingers_since.map(|since| LINGER.saturating_sub(since.elapsed()));
        if let Some(linger) = linger {
            return linger;
        }
        if self.unfolded >= FOLD || self.admissions.lost().is_some() {
            return QUIET;
        }
        self.unanchored.map_or(self.log.options.anchor_within, |since| {
            self.log.options.anchor_within.saturating_sub(since.elapsed())
        })
    }

    /// Commits a group, with what lingered and with the gap that the chain does not know of yet.
    fn commit(&mut self, mut group: Vec<(Change, Waiting)>) {
        group.append(&mut self.lingering);
        self.lingers_since = None;
        let (mut changes, waiting): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let rows = changes.iter().filter(|change| matches!(change, Change::Row { .. })).count();
        let lost = self.admissions.lost();
        changes.extend(lost.and_then(|lost| gap(lost, &changes)));
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
                if changes.iter().any(|change| matches!(change, Change::Time { .. })) {
                    self.time = Some(Instant::now());
                }
                self.unfolded += changes.len();
                if rows > 0 || lost.is_some() {
                    self.unanchored.get_or_insert_with(Instant::now);
                }
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
        // Twice as many as are folded in when nobody waits: the rows never stop.
        if self.unfolded >= 2 * FOLD {
            self.fold();
        }
    }

    /// Nobody waits.
    fn tidy(&mut self) {
        if self.lingers_since.is_some_and(|since| since.elapsed() >= LINGER) || self.admissions.lost().is_some() {
            self.commit(Vec::new());
        }
        if self.sweeping {
            let more = self.log.sweep().and_then(|more| Ok(self.log.roll_up()? || more));
            self.sweeping = more.unwrap_or_else(|fault| {
                ::log::error!("old rows cannot be deleted: {fault}");
                false
            });
        }
        if self.unfolded >= FOLD {
            self.fold();
        }
        if self.unanchored.is_some_and(|since| since.elapsed() >= self.log.options.anchor_within) {
            self.anchor();
        }
        self.ahead.clear(&self.admissions);
    }

    fn fold(&mut self) {
        self.log.fold();
        self.log.mend_reserve();
        self.unfolded = 0;
    }

    fn anchor(&mut self) {
        self.unanchored = None;
        if let Err(fault) = self.log.anchor() {
            ::log::error!("no anchor written: {fault}");
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
fn gap(lost: Lost, with: &[Change]) -> Option<Change> {
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
    let id = row::new_id(at).ok()?;
    Some(Change::Row { body: event.body(&id, at), at, trust })
}
