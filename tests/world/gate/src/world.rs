//! The world: one gate, one scheduler, one thread. The same history gives the same world to the byte.

mod clock;
mod lanes;
mod power;
mod rounds;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cache::{
    log::{Receipt, query::Filter, verify::Evidence},
    machine::Machine,
};
use simulated_disk::{Disk, Faults, install};

use crate::{
    centre::Centre,
    country::{Country, Files},
    gate::{Gate, Places, device},
    history::{
        CentreState, DiskState, Event, HOUR, Happening, History, Micros, MirrorState, Publication, SECOND, TimeService,
    },
    ledger::Ledger,
    mutation::Mutation,
    oracles::{self, Violation, Word},
    upload::centre_key,
};
use clock::Clock;
use lanes::{Inbox, Waiting};

/// How long all is well at the end, beyond the time between two rounds of the mirrors, before the gate must admit again.
const WELL: Micros = HOUR;
/// Between two looks of the gate at its clock, its mirrors and its centre.
const MINUTE: Micros = 60 * SECOND;

/// Something that the world has promised itself to do. Of a process that has ended, nothing is done any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Write(u32),
    Deadline(u32, usize),
    Tick(u32, usize),
    Closed(u32, usize),
    Boot(u32),
    Minute,
}

/// How a history ended.
#[derive(Debug)]
pub struct Outcome {
    /// What did not hold, if anything.
    pub violation: Option<Violation>,
    /// What the world knows.
    pub ledger: Ledger,
    /// A digest of everything that the gate did, and of every byte of its log.
    pub digest: u64,
    /// The log's rows at the end, where it can be read.
    pub rows: Vec<String>,
}

/// The world.
pub struct World<'h> {
    history: &'h History,
    mutation: Option<Mutation>,
    country: Country,
    disk: Disk,
    disk_state: DiskState,
    mirror: MirrorState,
    frozen: Rc<Files>,
    centre: Centre,
    clock: Clock,
    machine: Machine,
    micros: Arc<AtomicU64>,
    folder: tempfile::TempDir,
    places: Places,
    gate: Option<Gate>,
    processes: u32,
    queue: BinaryHeap<Reverse<(Micros, u64, Item)>>,
    asked: u64,
    now: Micros,
    writes_at: Option<Micros>,
    waiting: Vec<Option<Waiting>>,
    inbox: Vec<VecDeque<Inbox>>,
    late: Vec<(Receipt, usize)>,
    last_answer: String,
    ledger: Ledger,
    digest: DefaultHasher,
    violation: Option<Violation>,
}

impl<'h> World<'h> {
    /// The world before its history begins. `country` is the one that [`Country::found`] makes.
    ///
    /// # Panics
    /// When the machine that runs the world gives no folder.
    #[must_use]
    pub fn new(history: &'h History, country: &Country, mutation: Option<Mutation>) -> World<'h> {
        let disk = Disk::new(history.seed);
        install(&disk, history.seed);
        let micros = Arc::new(AtomicU64::new(0));
        let folder = folder();
        let lanes = history.setup.lanes;
        World {
            history,
            mutation,
            country: country.clone(),
            disk,
            disk_state: DiskState::Well,
            mirror: MirrorState::Well,
            frozen: Rc::default(),
            centre: Centre::new(centre_key(), device().verifier()),
            clock: Clock::new(),
            machine: machine(history.seed, &micros),
            micros,
            places: Places::below(folder.path()),
            folder,
            gate: None,
            processes: 0,
            queue: BinaryHeap::new(),
            asked: 0,
            now: 0,
            writes_at: None,
            waiting: (0..lanes).map(|_| None).collect(),
            inbox: vec![VecDeque::new(); lanes],
            late: Vec::new(),
            last_answer: "nothing".to_owned(),
            ledger: Ledger::default(),
            digest: DefaultHasher::new(),
            violation: None,
        }
    }

    /// Lets the history happen, then lets all be well, and looks whether everything held.
    #[must_use]
    pub fn run(mut self) -> Outcome {
        self.boot();
        self.at(MINUTE, Item::Minute);
        for happening in &self.history.happenings {
            self.until(happening.at);
            if self.violation.is_some() {
                break;
            }
            self.happens(happening);
        }
        if self.violation.is_none() {
            self.until(self.history.length);
            self.all_is_well();
        }
        self.end()
    }

    /// Everything that is due before a moment.
    fn until(&mut self, then: Micros) {
        while let Some(Reverse((at, _, item))) = self.queue.peek().copied()
            && at <= then
            && self.violation.is_none()
        {
            self.queue.pop();
            self.pass(at);
            self.due(item);
        }
        self.pass(then);
    }

    fn pass(&mut self, to: Micros) {
        self.now = self.now.max(to);
        self.micros.store(self.now, Ordering::Relaxed);
        self.disk.at(self.now);
    }

    fn at(&mut self, after: Micros, item: Item) {
        self.asked += 1;
        self.queue.push(Reverse((self.now + after, self.asked, item)));
    }

    fn due(&mut self, item: Item) {
        match item {
            Item::Minute => {
                self.minute();
                self.at(MINUTE, Item::Minute);
            }
            Item::Boot(process) if process == self.processes => self.boot(),
            Item::Write(process) if process == self.processes => self.write(),
            Item::Deadline(process, lane) if process == self.processes => self.settle(lane),
            Item::Tick(process, lane) if process == self.processes => self.tick(lane),
            Item::Closed(process, lane) if process == self.processes => {
                self.tick(lane);
                if let Some(gate) = &self.gate
                    && self
                        .ledger
                        .openings
                        .iter()
                        .rev()
                        .find(|opening| opening.lane == lane)
                        .is_none_or(|last| self.now.saturating_sub(last.at) >= 3_020_000)
                {
                    let word = oracles::gates_close(gate, lane);
                    self.hold("gates_close", word);
                }
            }
            _ => {}
        }
    }

    fn happens(&mut self, happening: &Happening) {
        self.pass(happening.at);
        let kind = crate::story::kind(&happening.event);
        if kind != "a traveller" {
            *self.ledger.faults.entry(kind).or_default() += 1;
        }
        match &happening.event {
            Event::Traveller { lane, shown } => self.traveller(*lane, shown),
            Event::ClockStep(seconds) => self.set_clock(self.clock.offset_ms + seconds * 1000),
            Event::ClockYear(year) => {
                let wanted_ms = (year - 1970) * 31_556_952 * 1000;
                self.set_clock(wanted_ms - self.true_ms());
            }
            Event::Service(service) => self.clock.service = *service,
            Event::Disk(state) => self.set_disk(*state),
            Event::Mirror(state) => {
                self.mirror = *state;
                self.frozen = Rc::clone(&self.country.files);
            }
            Event::Centre(state) => self.centre.state = *state,
            Event::CentreForgets => self.centre.forget(),
            Event::Publishes(issuer, publication) => {
                let now = self.true_ms() / 1000;
                self.country.publish(*issuer, *publication, now);
            }
            Event::PowerCut { seconds, amid, clock } => self.cut_power(*seconds, *amid, *clock),
            Event::Kill => self.kill(),
            Event::LinkUp => {
                let now = self.machine.now();
                if let Some(gate) = &mut self.gate {
                    gate.schedule.link_is_up(now, 0.5);
                }
            }
            Event::Export => self.export(),
            Event::Prune => self.prune(),
        }
    }

    fn set_disk(&mut self, state: DiskState) {
        let before = std::mem::replace(&mut self.disk_state, state);
        let faults = match state {
            DiskState::Well | DiskState::Slow(_) | DiskState::Hangs => Faults::default(),
            DiskState::Errors(chance) => Faults { write_error: chance, flush_error: chance, ..Faults::default() },
            DiskState::Full => Faults { capacity: Some(1), ..Faults::default() },
            DiskState::ReadOnly => Faults { read_only: true, ..Faults::default() },
        };
        self.disk.set_faults(faults);
        if before == DiskState::Hangs {
            self.write_soon();
        }
    }

    /// The disk takes a moment for each transaction, and all its time while it hangs.
    fn write_soon(&mut self) {
        if self.disk_state == DiskState::Hangs || self.gate.is_none() {
            return;
        }
        let mut draw = fastrand::Rng::with_seed(self.history.seed ^ self.now.rotate_left(17));
        let takes = match self.disk_state {
            DiskState::Slow(most) => draw.u64(1000..=u64::from(most) * 1000 + 1000),
            _ => draw.u64(200..8000),
        };
        self.write_within(takes);
    }

    /// The log's worker takes its next step by then.
    fn write_within(&mut self, takes: Micros) {
        if self.writes_at.is_none_or(|at| at > self.now + takes) {
            self.writes_at = Some(self.now + takes);
            self.at(takes, Item::Write(self.processes));
        }
    }

    fn write(&mut self) {
        // A step that was asked for later has been overtaken.
        if self.writes_at != Some(self.now) {
            return;
        }
        self.writes_at = None;
        if self.disk_state == DiskState::Hangs {
            return;
        }
        let Some(gate) = &mut self.gate else { return };
        let pause = gate.write();
        self.settle_late();
        for lane in 0..self.history.setup.lanes {
            self.settle(lane);
        }
        let pause = Micros::try_from(pause.as_micros()).unwrap_or(MINUTE).max(20_000);
        if pause < MINUTE {
            self.write_within(pause);
        }
    }

    /// What an oracle says is noted; the first word that something does not hold ends the history.
    fn hold(&mut self, oracle: &'static str, word: Word) {
        if let (Err(what), None) = (word, &self.violation) {
            self.violation = Some(Violation { oracle, at: self.now, what });
        }
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.now)
    }

    fn note(&mut self, what: impl Hash) {
        (self.now, what).hash(&mut self.digest);
    }

    /// From now on the time is right, the disk writes, and everybody answers and publishes.
    fn all_is_well(&mut self) {
        self.clock.service = TimeService::Right;
        self.set_disk(DiskState::Well);
        self.mirror = MirrorState::Well;
        self.centre.state = CentreState::Well;
        let now = self.true_ms() / 1000;
        for issuer in 0..crate::country::ISSUERS.len() {
            self.country.publish(issuer, Publication::Routine, now);
        }
        if self.gate.is_none() {
            self.processes += 1;
            self.boot();
        }
        self.until(self.now + WELL + Micros::from(self.history.setup.sync_hours) * HOUR * 6 / 5);
        for lane in 0..self.history.setup.lanes {
            if self.violation.is_none() {
                self.good_traveller(lane);
            }
        }
        self.until(self.now + MINUTE);
    }

    fn end(mut self) -> Outcome {
        if self.violation.is_none() {
            self.look_at_everything();
            if let Some(gate) = &self.gate {
                let word = oracles::others_lists_are_newest(gate, &self.country);
                let centre = gate.log.as_ref().map_or(Ok(()), |log| oracles::rows_reach_the_centre(&log.reader));
                let centre = if self.history.setup.centre { centre } else { Ok(()) };
                self.hold("others_lists_are_newest", word);
                self.hold("rows_reach_the_centre", centre);
            }
            let rows = self.ledger.durable.len() as u64;
            let spared = oracles::the_disk_is_spared(&self.disk, rows);
            self.hold("the_disk_is_spared", spared);
            let codes: Vec<_> = self.ledger.openings.iter().map(|opening| opening.code).collect();
            let personal = oracles::nothing_personal_is_written(&self.disk, self.folder.path(), &codes, &self.country);
            self.hold("nothing_personal_is_written", personal);
        }
        let reader = self.gate.as_ref().and_then(|gate| gate.log.as_ref()).map(|log| &log.reader);
        let filter = Filter { events: true, ..Filter::default() };
        let rows = reader.and_then(|reader| reader.query(&filter).ok()).unwrap_or_default();
        let rows: Vec<String> = rows.iter().map(cache::log::query::Stored::line).collect();
        rows.hash(&mut self.digest);
        Outcome { violation: self.violation, ledger: self.ledger, digest: self.digest.finish(), rows }
    }

    /// What the whole log is asked, after each start and whenever the operator reads it.
    fn look_at_everything(&mut self) {
        let Some(log) = self.gate.as_ref().and_then(|gate| gate.log.as_ref()) else { return };
        let sound = cache::log::verify::verify(&log.reader, &Evidence::default());
        let sound = match sound {
            Ok(report) if !report.is_sound() => Err("the log does not verify".to_owned()),
            _ => Ok(()),
        };
        let durable = oracles::durable_rows_are_there(&log.reader, &mut self.ledger);
        let accounted = oracles::openings_are_accounted_for(&log.reader, &self.ledger);
        let held = oracles::acknowledged_rows_are_at_the_centre(&log.reader, &self.centre);
        self.hold("the_chain_is_sound", sound);
        self.hold("durable_rows_are_there", durable);
        self.hold("openings_are_accounted_for", accounted);
        self.hold("acknowledged_rows_are_at_the_centre", held);
        if let Some((log, seq)) = self.centre.fork {
            self.hold("no_place_is_used_twice", Err(format!("the centre has seen row {seq} of log {log} twice")));
        }
    }
}

/// A folder for the few files that do not lie on the simulated disk yet; in memory, where the machine has such a place.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// The world's clock, and chance from its seed.
fn machine(seed: u64, micros: &Arc<AtomicU64>) -> Machine {
    let (start, clock): (Instant, _) = (host::clock::Clock::machine().now(), Arc::clone(micros));
    let random = Mutex::new(fastrand::Rng::with_seed(!seed));
    Machine::new(
        move || start + Duration::from_micros(clock.load(Ordering::Relaxed)),
        move |bytes| {
            random.lock().expect("nobody panics").fill(bytes);
            Ok(())
        },
    )
}
