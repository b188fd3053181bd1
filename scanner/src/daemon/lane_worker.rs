//! One lane at work: the thread that looks at frames, judges what they show, writes the row, moves the gate, fills the screen.
//!
//! What to do is the state machine's ([`lane::machine`]) and the judge's word; this file obeys, in the one order that counts:
//! row, then gate, then screen. It owns its eye, its gate and its access to the log, and waits for nobody but the disk.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use cache::log::{Memory, Receipt};
use eye::track::Tracker;
use trustlist::{
    judge::Decision,
    lists::recognition::Suspension,
    verdict::{Reason, Verdict},
};
use uuid::Uuid;

mod inputs;
mod notes;
mod record;

pub use inputs::{Arrivals, Inputs};

use devices::{
    frame::Frame,
    gate::{Gate, Hold, cues},
    readers::{EngineRead, tally::Outcome},
};
use host::{believed_time::BelievedTime, clock::Clock, config};
use lane::{
    liveness::{Lifeless, Liveness},
    machine::{Action, Claim, Event, FRESH, Lane, Patience, SymbolId},
    presentation::{Aim, Known, Presentation},
    queue::Scan,
    signal::{Cues, Signal},
    unread::UnreadCode,
    watchdog::CameraState,
};
use page::{
    hub::LaneScreen,
    metrics::{Metrics, Stage},
    second_line::{Card, SecondLineBoard},
    status::RecentScan,
};
use tokio::sync::watch;

use super::{
    config_codes::ConfigCodes,
    lane_report::{CameraView, LaneReport},
    lists_in_force::ListsInForce,
    log_health::LogHealth,
    preview::preview,
    process::{Events, Uptime},
    recent_scans::RecentScans,
    settings::LaneSettings,
    setup::DaemonEvent,
};

/// How often the lane looks up when nothing arrives: what a gate's closing may be late by.
const TICK: Duration = Duration::from_millis(20);
/// Pause between two aiming pictures.
const PREVIEW_EVERY: Duration = Duration::from_millis(100);

/// What a lane sees of the others: one narrow handle each.
#[derive(Clone)]
pub struct LaneHandles {
    /// The time as this device believes it, and the clock.
    pub time: BelievedTime,
    /// Time since the daemon began.
    pub uptime: Uptime,
    /// The lists that it judges by.
    pub lists: ListsInForce,
    /// Where it says that rows cannot be written.
    pub log_health: LogHealth,
    /// Counters.
    pub metrics: Metrics,
    /// Who waits at the second line.
    pub second_line: SecondLineBoard,
    /// The latest verdicts.
    pub recent: RecentScans,
    /// Whoever listens.
    pub events: Events,
    /// What takes configuration codes.
    pub codes: ConfigCodes,
}

/// One lane's own things.
pub struct LaneWorker {
    settings: Arc<LaneSettings>,
    others: LaneHandles,
    eye: Tracker,
    unread: UnreadCode,
    cues: Cues,
    liveness: Liveness,
    /// What symbols that stay in view claim.
    known: Known,
    lane: Lane,
    gate: Gate,
    memory: Option<Memory>,
    screen: LaneScreen,
    /// What it says of itself.
    report: watch::Sender<LaneReport>,
    /// Rows that the gate did not wait for: they may still fail, and then somebody must know.
    late: Vec<Receipt>,
    camera: CameraView,
    /// What the state machine knows of the camera.
    told_of_camera: CameraState,
    /// The row of the latest verdict.
    row: Option<Uuid>,
    /// The rows of admissions of which nothing is recorded yet, oldest first. Empty where no sensor watches.
    awaited: VecDeque<Option<Uuid>>,
    next_preview: Duration,
    /// The configuration code in view, and when it was last seen: it is asked about once.
    configuration: Option<(SymbolId, Duration)>,
}

impl LaneWorker {
    /// A lane with its gate closed.
    pub fn new(
        settings: Arc<LaneSettings>,
        others: LaneHandles,
        (gate, memory): (Gate, Option<Memory>),
        screen: LaneScreen,
        camera: CameraView,
        report: watch::Sender<LaneReport>,
    ) -> LaneWorker {
        let own = &settings.lane;
        let patience = Patience {
            same_symbol: own.same_symbol_timeout,
            rearm: own.rearm,
            stuck: own.stuck,
            show_for: own.show_for,
            open_for: own.gate.open_for,
            sensor: own.gpio.passage.is_some(),
        };
        LaneWorker {
            eye: Tracker::new(),
            unread: UnreadCode::default(),
            liveness: Liveness::default(),
            known: Known::default(),
            cues: cues(&settings.signals),
            lane: Lane::new(patience),
            gate,
            memory,
            screen,
            report,
            late: Vec::new(),
            camera,
            told_of_camera: CameraState::Unknown,
            row: None,
            awaited: VecDeque::new(),
            next_preview: Duration::ZERO,
            configuration: None,
            settings,
            others,
        }
    }

    fn settings(&self) -> &config::Lane {
        &self.settings.lane
    }

    fn clock(&self) -> &Clock {
        self.others.time.clock()
    }

    fn now(&self) -> Duration {
        self.others.uptime.now()
    }

    /// Works until `stop`, or until the source has no more frames.
    pub fn work(mut self, inputs: &Inputs, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let until = self.clock().now() + TICK;
            let Some(arrivals) = inputs.wait(until) else { break };
            self.step(arrivals);
        }
        self.nothing_seen(Event::Stop);
        self.report.send_modify(|report| report.ended = true);
    }

    /// One round of the lane, in the time of its clock. It waits for the disk, for a row, and for nothing else.
    pub fn step(&mut self, arrivals: Arrivals) {
        self.goes_round();
        self.others.metrics.frames("replaced", arrivals.replaced);
        // Before the frame: that pictures arrive again clears the screen, which must not hide a verdict.
        self.watch_camera();
        self.watch_contacts();
        match arrivals.frame {
            Some(frame) if self.clock().since(frame.captured()) < FRESH => self.look(&frame),
            Some(_) => {
                self.came_late("frame");
                self.tick();
            }
            None => self.tick(),
        }
        for text in arrivals.texts {
            self.hear(text);
        }
        self.watch_gate();
        self.settle_late_rows();
    }

    fn goes_round(&self) {
        let now = self.now();
        self.report.send_modify(|report| {
            report.longest_round = report.longest_round.max(now.saturating_sub(report.beat));
            report.beat = now;
        });
    }

    fn tick(&mut self) {
        self.nothing_seen(Event::Tick);
    }

    /// An event that has nothing to do with a code.
    fn nothing_seen(&mut self, event: Event<'_>) {
        self.happened(event, &mut Presentation::default(), self.clock().now());
    }

    /// Something came so late that whoever it was about has gone: it is dropped, and counted.
    fn came_late(&self, input: &'static str) {
        self.others.metrics.old_input(&self.settings().id, input);
    }

    fn look(&mut self, frame: &Frame) {
        self.others.metrics.stage(Stage::Luma, frame.luma_took());
        let clock = self.clock().clone();
        let began = clock.now();
        let now = self.now();
        // Both are made not to panic. Should one do so on a picture made for it, that picture is lost, and no lane.
        let looked = catch_unwind(AssertUnwindSafe(|| {
            let presentation = self.eye.see(frame.luma());
            let took = clock.since(began);
            let found = presentation.symbols.first().map(|symbol| symbol.corners).or(presentation.outline);
            let noticed = self.unread.of(frame.luma(), found.is_some(), now);
            let lifeless = self.liveness.look(frame.luma(), now);
            (presentation, took, found, noticed, lifeless)
        }));
        let Ok((presentation, took, found, noticed, lifeless)) = looked else {
            (self.eye, self.unread, self.liveness) = (Tracker::new(), UnreadCode::default(), Liveness::default());
            self.others.metrics.frames("panicked", 1);
            self.tick();
            return;
        };
        self.others.metrics.stage(Stage::Read, took);
        self.report.send_modify(|report| report.frames += 1);
        self.note_lifeless(lifeless);
        let outline = found.or(noticed.map(|presence| presence.outline));
        let hint = presentation.hints.first().copied().or(noticed.map(|presence| presence.hint));
        if self.screen.watched() && now >= self.next_preview {
            self.next_preview = now + PREVIEW_EVERY;
            self.screen.preview(preview(frame.luma(), outline, hint));
        }
        if let Some(hint) = hint.filter(|_| presentation.symbols.is_empty() && outline.is_some()) {
            self.report.send_modify(|report| report.no_read = Some((hint.code(), now)));
        }
        let size = (frame.width(), frame.height());
        let aim = Aim { x: self.settings().aim.x, y: self.settings().aim.y };
        let radius = self.settings().aim_radius;
        let mut presentation =
            Presentation::in_picture(presentation.symbols, size, aim, radius, (&mut self.known, now));
        let seen = presentation.seen().to_vec();
        let result = match seen.as_slice() {
            [] => "no-code",
            seen if seen.iter().any(|seen| seen.claim != Claim::Nothing) => "read",
            _ => "not-a-pass-code",
        };
        self.others.metrics.frames(result, 1);
        self.happened(Event::Frame(&seen), &mut presentation, frame.captured());
        self.configured(&presentation);
    }

    fn hear(&mut self, heard: EngineRead) {
        if self.clock().since(heard.arrived()) >= FRESH {
            heard.tally().count(Outcome::Old);
            self.came_late("text");
            return heard.answer(None);
        }
        let mut presentation = Presentation::of_engine(heard.payload());
        let seen = presentation.seen().to_vec();
        heard.tally().count(match seen.first().map(|seen| seen.claim) {
            Some(Claim::PassCode) => Outcome::PassCode,
            Some(Claim::Malformed) => Outcome::Malformed,
            // A configuration code is none of a traveller's either.
            Some(Claim::Nothing) | None => Outcome::NotAPassCode,
        });
        if presentation.was_wrapped() {
            heard.tally().count_wrapped();
        }
        let verdict = self.happened(Event::Text(&seen), &mut presentation, heard.arrived());
        heard.answer(verdict);
        self.configured(&presentation);
    }

    /// What has been the matter with the pictures for long; one line in the journal for each change.
    fn note_lifeless(&self, now: Option<Lifeless>) {
        if self.report.borrow().lifeless == now {
            return;
        }
        match now {
            Some(cause) => log::error!("lane {}: {}", self.settings().id, cause.advice()),
            None => log::info!("lane {}: pictures show something again", self.settings().id),
        }
        self.report.send_modify(|report| report.lifeless = now);
    }

    /// An installer's code, once a presentation; and one at a time, for whoever shows two in turn.
    fn configured(&mut self, presentation: &Presentation) {
        let Some((id, text)) = presentation.configuration() else { return };
        // What it sets begins this lane anew, and between the two a relay lets go: not while it holds the gate open for a fire.
        if self.report.borrow().alarm {
            return;
        }
        let now = self.now();
        let away = self.settings().same_symbol_timeout;
        if let Some((known, last)) = &mut self.configuration
            && now.saturating_sub(*last) < away
        {
            if *known == id {
                *last = now;
            }
            return;
        }
        self.configuration = Some((id, now));
        let LaneHandles { codes, time, lists, .. } = &self.others;
        let outcome = codes.take(&self.settings().id, text, (&lists.now(), time), self.memory.as_ref());
        self.nothing_seen(Event::Configured(outcome));
    }

    /// Tells the state machine, and does what it says. `since` is when the traveller's code could first be read. The verdict, if one was given.
    fn happened(&mut self, event: Event<'_>, presentation: &mut Presentation, since: Instant) -> Option<Verdict> {
        let mut actions = VecDeque::from(self.lane.on(event, self.now()));
        let mut verdict: Option<(Decision, Duration)> = None;
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Judge(id) => {
                    let Some((decision, admission, name)) = self.judge(id, presentation, since) else { continue };
                    let judged = Event::Judged {
                        verdict: decision.verdict,
                        reason: decision.reason,
                        notice: decision.notice.as_ref().map(Suspension::notice_and_dates),
                        instead: decision.notice.as_ref().and_then(|suspension| suspension.instead.clone()),
                        admission,
                        number: self.send_to_the_second_line(&decision),
                        named: name.is_some(),
                    };
                    self.screen.name(name);
                    verdict = Some((decision, self.clock().since(since)));
                    actions.extend(self.lane.on(judged, self.now()));
                }
                Action::Open(admission) => {
                    let began = self.clock().now();
                    self.gate.open(admission);
                    self.others.metrics.stage(Stage::Gate, self.clock().since(began));
                    self.others.metrics.gate_opened(&self.settings().id);
                    if self.settings().gpio.passage.is_some() {
                        self.awaited.push_back(self.row);
                    }
                    if let Some((_, took)) = &mut verdict {
                        *took = self.clock().since(since);
                    }
                }
                Action::Close => self.gate.close(),
                Action::Hold => {
                    self.gate.hold(Hold::Alarm);
                    self.awaited.clear();
                }
                Action::Passage(passage) => self.note_passage(passage),
                Action::GateEvent(event) => self.note_gate_event(event),
                Action::Show(state) => {
                    self.gate.signal(Signal::of(&state, &self.cues));
                    self.screen.show(state);
                }
                Action::ForgetName => self.screen.name(None),
                Action::CountNotAPassCode => {
                    self.others.events.emit(DaemonEvent::NotAPassCode { lane: self.settings().id.clone() });
                }
            }
        }
        let (decision, took) = verdict?;
        let verdict = decision.verdict;
        self.given(decision, took);
        Some(verdict)
    }

    /// Puts up a card for whoever was not admitted; the number for the screen. A verdict without a row is nobody's to change.
    fn send_to_the_second_line(&self, decision: &Decision) -> Option<String> {
        let scan = self.row.filter(|_| decision.verdict != Verdict::Admit)?;
        let trust = self.others.lists.now();
        let suspension = decision.notice.as_ref();
        let card = Card {
            scan,
            at_ms: self.clock().unix_millis(),
            lane: self.settings().id.clone(),
            verdict: decision.verdict,
            reason: decision.reason,
            issuer: decision.issuer.map(|issuer| issuer.to_string()),
            issuer_names: decision.issuer.and_then(|issuer| Some(trust.speaks_for(issuer)?.entry.name.clone())),
            list_age_s: decision.list_age_s,
            notice: suspension.map(Suspension::notice_and_dates),
            instead: suspension.and_then(|suspension| suspension.instead.clone()),
        };
        Some(self.others.second_line.arrive(card).to_string())
    }

    /// Counts a verdict once everything about it is done.
    fn given(&self, decision: Decision, took: Duration) {
        let lane = self.settings().id.clone();
        let scan = Scan { at: self.now(), verdict: decision.verdict, reason: decision.reason, took };
        let recent = RecentScan {
            scan: self.row.map(|row| row.to_string()),
            by_hand: None,
            time: self.clock().unix().to_string(),
            lane: lane.clone(),
            verdict: decision.verdict.code().to_owned(),
            reason: decision.reason.code().to_owned(),
            issuer: decision.issuer.map(|issuer| issuer.to_string()),
        };
        if scan.reason == Reason::KeyNewerThanList {
            self.others.lists.want_newer();
        }
        self.others.metrics.scan(&lane, scan.verdict, scan.reason, scan.took);
        self.report.send_modify(|report| report.history.add(scan));
        self.others.recent.add(recent);
        self.others.events.emit(DaemonEvent::Verdict { lane, decision: Box::new(decision), took });
    }
}
