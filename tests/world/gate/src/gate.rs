//! One process of the gate: the product's parts, put together in the order in which the daemon puts them, and driven from one thread.
//!
//! Row, then gate: what a lane does with a code is the daemon's order (judge, reserve, ask the log, take a place among the openings,
//! hand the row over, wait), with the wait taken apart, because the world lets other things happen meanwhile.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cache::{
    log::{
        Admissions, CodeId, Direction, Memory, Options, Owed, Passage, PassbackScope, Reader, Receipt, Reserved,
        ScanLog, ScanRow, UnixMillis, Writer, Written,
        lived::Uptime,
        note::NoteSigner,
        openings::Bounds,
        reservations::Denied,
        writer::{Progress, Worker},
    },
    machine::Machine,
    trust_store::TrustStore,
};
use host::config::Config;
use lane::{
    machine::{Action, Event, Lane, Patience, VisibleSymbol},
    presentation::Presentation,
};
use sync::{
    lists,
    update::{self, SyncResult, TrustAnchor, activation, schedule::SyncSchedule},
};
use trustlist::{
    judge::{self, Admission, Context, Judgement, Outcome, Repetition},
    region::Region,
    time::{Moment, TimeTrust, UnixTime, clock, floor::Known},
    trust::Trust,
    verdict::Verdict,
};
use uuid::Uuid;

use crate::{country, history::Setup, mirror::SimulatedMirror, mutation::Mutation, upload::Upload};

/// When the program was built.
const BUILT: UnixTime = UnixTime(country::BEGINNING - 100 * 86_400);
/// How long a gate waits for its row.
pub const COMMIT_DEADLINE: Duration = Duration::from_millis(50);
/// First pause after a mirror did not answer: the daemon's.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// Lanes of the gate form one group.
const GROUP: &str = "hall";
/// The device's signing key.
const DEVICE: [u8; 32] = [7; 32];
/// The post's name.
pub const POST: &str = "gate-1";

/// The device's key, and its name.
///
/// # Panics
/// Never: the name is one.
#[must_use]
pub fn device() -> NoteSigner {
    NoteSigner::new(POST, &DEVICE).expect("a name")
}

/// The places on the disk.
pub struct Places {
    /// The scan log.
    pub log: PathBuf,
    /// The trust store.
    pub store: PathBuf,
    /// The package's lists: none.
    pub seed: PathBuf,
}

impl Places {
    /// Below a folder.
    #[must_use]
    pub fn below(folder: &Path) -> Places {
        Places { log: folder.join("scans.db"), store: folder.join("trust.db"), seed: folder.join("no-seed") }
    }
}

/// The log's parts, while it is open.
pub struct OpenLog {
    /// The handle.
    pub writer: Writer,
    /// The thread's work.
    pub worker: Worker,
    /// For questions.
    pub reader: Reader,
    /// What carries rows to the centre.
    pub upload: Option<Upload>,
}

/// A row that a lane waits for.
pub struct Pending {
    receipt: Receipt,
    judgement: Judgement,
    admits: bool,
    /// When it was handed over.
    pub since: Duration,
    /// The moment that it was judged by.
    pub moment: Moment,
    /// By the gate's clock.
    pub at: UnixMillis,
}

impl Pending {
    /// Whether the row says that somebody is admitted.
    #[must_use]
    pub fn admits(&self) -> bool {
        self.admits
    }

    /// The row's identity.
    #[must_use]
    pub fn row(&self) -> Uuid {
        self.receipt.id()
    }
}

/// What a row came to, for its lane.
pub struct Settled {
    /// The verdict.
    pub decision: judge::Decision,
    /// Proof of an admission.
    pub admission: Option<Admission>,
    /// The row's identity, where it has a row.
    pub row: Option<Uuid>,
    /// A receipt that is still to come, though the gate may move.
    pub late: Option<Receipt>,
    /// The row is on the disk, here.
    pub place: Option<cache::log::chain::Head>,
}

/// One lane.
pub struct LaneState {
    /// When what happens.
    pub machine: Lane,
    /// Its access to the log.
    pub memory: Option<Memory>,
    /// The gate is open.
    pub open: bool,
}

/// One process.
pub struct Gate {
    /// Which, counted from the first.
    pub process: u32,
    /// Its lanes.
    pub lanes: Vec<LaneState>,
    /// The log, while it can be had.
    pub log: Option<OpenLog>,
    /// The lists in force, while they can be had.
    pub trust: Option<Arc<Trust>>,
    /// Their generations.
    pub in_force: BTreeMap<Region, u64>,
    /// When the mirrors are asked.
    pub schedule: SyncSchedule,
    stored_floor: Option<UnixTime>,
    watch: clock::Watch,
    admissions: Arc<Admissions>,
    machine: Machine,
    setup: Setup,
    mutation: Option<Mutation>,
}

impl Gate {
    /// A process that starts.
    ///
    /// # Panics
    /// When the simulated machine gives no randomness: it does.
    #[must_use]
    pub fn start(process: u32, setup: Setup, machine: &Machine, mutation: Option<Mutation>) -> Gate {
        let patience = Patience::default();
        let lane = || LaneState { machine: Lane::new(patience), memory: None, open: false };
        Gate {
            process,
            lanes: (0..setup.lanes).map(|_| lane()).collect(),
            log: None,
            trust: None,
            in_force: BTreeMap::new(),
            schedule: SyncSchedule::new(Duration::from_secs(3600) * setup.sync_hours, FIRST_PAUSE, machine.now()),
            stored_floor: None,
            watch: clock::Watch::default(),
            admissions: Admissions::new(Bounds::default(), machine.clone()).expect("randomness"),
            machine: machine.clone(),
            setup,
            mutation,
        }
    }

    fn has(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// Opens the log, if that can be done now.
    ///
    /// # Errors
    /// With what is the matter.
    pub fn open_log(&mut self, places: &Places, uptime: Uptime, at: UnixMillis) -> Result<(), cache::log::Fault> {
        let owed = if self.setup.centre { Owed::Receipt } else { Owed::Nothing };
        let options =
            Options { owed, uptime: Some(uptime), ..Options::new(&places.log, device(), self.machine.clone()) };
        let log = ScanLog::open(options, at)?;
        let reader = Reader::open(&places.log)?;
        let (writer, worker) = Writer::driven(log, Arc::clone(&self.admissions));
        self.stored_floor = writer.gauges().floor().map(UnixMillis::second);
        for lane in &mut self.lanes {
            lane.memory = Some(Memory::new(writer.clone(), Reader::open(&places.log)?));
        }
        let upload = self.setup.centre.then(|| Upload::new(self.mutation));
        self.log = Some(OpenLog { writer, worker, reader, upload });
        Ok(())
    }

    /// Loads what is in force in the store.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load_lists(&mut self, places: &Places) -> Result<(), sync::error::Error> {
        let store = TrustStore::open(&places.store)?;
        let loaded = lists::with_seed(&store, &places.seed)?;
        self.in_force = store.in_force()?;
        if let Some(loaded) = loaded {
            self.trust = Some(Arc::new(loaded.trust));
        }
        Ok(())
    }

    /// How far the clock is believed.
    #[must_use]
    pub fn judged(&self, reading: clock::Reading) -> clock::Judged {
        let votes = |trust: &Arc<Trust>| match self.mutation {
            Some(Mutation::OneIssuerMovesTheFloor) => {
                trust.issuers().filter_map(|issuer| Some(issuer.repository?.issued)).max()
            }
            _ => trust.quorum(),
        };
        let known = Known { built: BUILT, quorum: self.trust.as_ref().and_then(votes), last_sure: self.stored_floor };
        let mut judged = clock::judge(reading, &known);
        if self.has(Mutation::UnsureClockBelieved) {
            judged.moment.trust = TimeTrust::Synced;
        }
        judged
    }

    /// What the daemon's reporter does with the clock: the floor follows a confirmed one down, and the log notes the time.
    pub fn report_time(&mut self, judged: clock::Judged, now: Duration) {
        let Some(log) = &self.log else { return };
        if let Some(lowered) = self.watch.look(&judged, now)
            && self.mutation != Some(Mutation::FloorNeverFollows)
        {
            drop(log.writer.move_floor(lowered.to.into(), "confirmed-clock", lowered.to.into()));
            self.stored_floor = Some(lowered.to);
        }
        let mut moment = judged.moment;
        if self.mutation == Some(Mutation::RetentionByWallClock) {
            moment.trust = TimeTrust::Synced;
        }
        log.writer.note_time(moment);
    }

    /// Asks the mirror, puts in force what may come into force, and takes it. Whether the round went well.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub fn sync(
        &mut self,
        places: &Places,
        mirror: &mut SimulatedMirror,
        root: &[u8],
        moment: Moment,
    ) -> Result<bool, sync::error::Error> {
        let mut store = TrustStore::open(&places.store)?;
        let moment = if self.has(Mutation::FutureListsTaken) {
            Moment { trust: TimeTrust::FloorOnly, ..moment }
        } else {
            moment
        };
        let anchor = TrustAnchor { first_root: Some(root), moment };
        let report = update::sync(&mut store, mirror, "mirror", &anchor)?;
        let mut config = Config::default();
        config.checkpoint.relying = Some(country::region(country::HOME));
        activation::settle(&config, &mut store, moment)?;
        let well = report.result() != SyncResult::Failed;
        let now = store.in_force()?;
        drop(store);
        if now != self.in_force || self.trust.is_none() {
            self.load_lists(places)?;
        }
        Ok(well)
    }

    /// Works off what waits for the disk. How long until something is due without anybody's writing.
    pub fn write(&mut self) -> Duration {
        let Some(log) = &mut self.log else { return Duration::from_secs(60) };
        loop {
            match log.worker.step(self.machine.now()) {
                Progress::Busy => {}
                Progress::Idle(pause) => return pause,
                Progress::Ended => return Duration::from_secs(60),
            }
        }
    }

    /// Judges one code and hands its row over: the daemon's order up to the wait.
    pub fn judge(
        &mut self,
        lane: usize,
        presentation: &mut Presentation,
        symbol: lane::machine::SymbolId,
        moment: Moment,
        (at, now): (UnixMillis, Duration),
    ) -> Option<Result<Pending, Settled>> {
        let parsed = presentation.take(symbol)?;
        let trust = self.trust.clone()?;
        let context = Context { moment, relying: country::region(country::HOME), profile: None };
        let Outcome::Judged(judgement) = judge::decide_parsed(parsed, &trust, &context) else { return None };
        let (judgement, reserved) = self.against_the_log(lane, *judgement, at);
        let window = Duration::from_secs(self.setup.window.into());
        let unrecorded = |judgement: Judgement| {
            let (decision, admission) = judgement.close();
            Some(Err(Settled { decision, admission, row: None, late: None, place: None }))
        };
        if self.lanes[lane].memory.is_none() {
            return unrecorded(judgement.log_unavailable("no-log"));
        }
        let token = match self.token(lane, &judgement, at) {
            Ok(token) => token,
            Err(_) => return unrecorded(judgement.log_unavailable("no-day-key")),
        };
        let mutation = self.mutation;
        let memory = self.lanes[lane].memory.as_ref()?;
        let admits = judgement.decision().verdict == Verdict::Admit;
        let uncounted = mutation == Some(Mutation::OpeningsUncounted);
        let opening = (admits && !uncounted).then(|| memory.opening(at, COMMIT_DEADLINE)).transpose();
        let (judgement, opening) = match opening {
            Ok(opening) => (judgement, opening.map(|opening| opening.using(reserved, window))),
            Err(objection) => (judgement.log_unavailable(objection.code()), None),
        };
        let decision = judgement.decision();
        let row = ScanRow {
            at_ms: at,
            time_trust: moment.trust,
            lane: lane.to_string(),
            direction: Direction::Entry,
            verdict: decision.verdict,
            reason: decision.reason,
            detail: decision.detail.map(str::to_owned),
            issuer: decision.issuer,
            kid: decision.kid.map(|kid| kid.to_string()),
            format: decision.format.map(|format| format.code().to_owned()),
            route: decision.route.map(|route| route.code().to_owned()),
            list_generation: decision.list_generation,
            list_age_s: decision.list_age_s,
            token,
            time_to_verdict_us: 41_000,
            passage: Passage::Unobserved,
        };
        let admits = decision.verdict == Verdict::Admit;
        let receipt = match opening {
            Some(opening) => memory.append_opening(&row, opening),
            None => memory.append(&row),
        };
        let pending = Pending { receipt, judgement, admits, since: now, moment, at };
        if mutation == Some(Mutation::GateBeforeRow) {
            let Pending { receipt, judgement, .. } = pending;
            let row = Some(receipt.id());
            let (decision, admission) = judgement.close();
            return Some(Err(Settled { decision, admission, row, late: Some(receipt), place: None }));
        }
        Some(Ok(pending))
    }

    fn token(
        &mut self,
        lane: usize,
        judgement: &Judgement,
        at: UnixMillis,
    ) -> Result<Option<cache::log::Token>, cache::log::Fault> {
        let Some(code) = code_of(judgement) else { return Ok(None) };
        let code = self.named(code);
        let ask = |gate: &mut Gate| {
            let memory = gate.lanes[lane].memory.as_mut().expect("asked for above");
            memory.token(&code, at, Duration::ZERO)
        };
        match ask(self) {
            // The day has no key yet: the writer makes it while the lane waits.
            Err(cache::log::Fault::Busy) => {
                self.write();
                ask(self).map(Some)
            }
            answer => answer.map(Some),
        }
    }

    fn named<'c>(&self, code: CodeId<'c>) -> CodeId<'c> {
        match self.mutation {
            Some(Mutation::TokenWithoutIssuer) => CodeId { issuer: country::region(country::HOME), ..code },
            _ => code,
        }
    }

    fn against_the_log(&mut self, lane: usize, judgement: Judgement, at: UnixMillis) -> (Judgement, Option<Reserved>) {
        let asks = self.setup.window > 0 && judgement.decision().verdict == Verdict::Admit;
        let Some(code) = code_of(&judgement).filter(|_| asks) else { return (judgement, None) };
        let code = self.named(code);
        let (window, reserves) = (self.setup.window, !self.has(Mutation::NothingReserved));
        let lanes: Vec<String> = (0..self.lanes.len()).map(|lane| lane.to_string()).collect();
        let Some(memory) = &mut self.lanes[lane].memory else { return (judgement.log_unavailable("no-log"), None) };
        let scope = PassbackScope { group: GROUP, direction: Direction::Entry };
        let reserved = match reserves.then(|| memory.reserve(&scope, &code)).transpose() {
            Ok(reserved) => reserved,
            Err(Denied::Taken) => return (judgement.with_repetition(Repetition::Used), None),
            Err(Denied::Full) => return (judgement.log_unavailable("too-many-reservations"), None),
        };
        let lanes: Vec<&str> = lanes.iter().map(String::as_str).collect();
        match memory.seen(&code, &lanes, at, window) {
            Ok(None) => (judgement.with_repetition(Repetition::First), reserved),
            Ok(Some(_)) => (judgement.with_repetition(Repetition::Used), None),
            Err(_) => (judgement.log_unavailable("log-unreadable"), None),
        }
    }

    /// What became of a row that a lane waits for, at `now`; `None` while it may go on waiting.
    ///
    /// # Errors
    /// Gives the row back where its lane is to wait on.
    pub fn settle(&self, pending: Pending, now: Duration) -> Result<Settled, Box<Pending>> {
        let mut written = pending.receipt.wait(Duration::ZERO);
        if written == Written::Late && now < pending.since + COMMIT_DEADLINE {
            return Err(Box::new(pending));
        }
        let uncounted = self.has(Mutation::OpeningsUncounted);
        if written == Written::Late && pending.admits && !uncounted && !pending.receipt.gate_moves() {
            written = pending.receipt.wait(Duration::ZERO);
        }
        let Pending { receipt, judgement, .. } = pending;
        let row = Some(receipt.id());
        Ok(match written {
            Written::Committed(place) => {
                let (decision, admission) = judgement.close();
                Settled { decision, admission, row, late: None, place: Some(place) }
            }
            Written::Late => {
                let (decision, admission) = judgement.close();
                Settled { decision, admission, row, late: Some(receipt), place: None }
            }
            Written::Failed(fault) => {
                let (decision, admission) = judgement.log_unavailable(fault.code()).close();
                Settled { decision, admission, row: None, late: None, place: None }
            }
        })
    }

    /// Tells a lane's state machine, and moves its gate.
    pub fn tell(&mut self, lane: usize, event: Event<'_>, now: Duration) -> Vec<Action> {
        let lane = &mut self.lanes[lane];
        let actions = lane.machine.on(event, now);
        for action in &actions {
            match action {
                Action::Open(_) | Action::Hold => lane.open = true,
                Action::Close => lane.open = false,
                _ => {}
            }
        }
        actions
    }
}

/// What names the code, once its signature is proven.
fn code_of(judgement: &Judgement) -> Option<CodeId<'_>> {
    Some(CodeId { issuer: judgement.decision().issuer?, id: judgement.token_source()? })
}

/// The symbols of several texts in one look.
#[must_use]
pub fn seen(presentations: &[Presentation]) -> Vec<VisibleSymbol> {
    presentations.iter().flat_map(|presentation| presentation.seen().to_vec()).collect()
}
