//! Once a second: the device's state in one value for the pages, and in numbers for the metrics. On a thread of its own, because it asks the disk:
//! one that hangs must not keep the watchdog from being petted.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::{
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use cache::{
    log::{Reader, Writer},
    outbox::Counts,
};
use devices::readers::tally::{Outcome, Tally};
use host::config;
use lane::{liveness::Lifeless, queue, watchdog::CameraState};
use page::{
    server::PageState,
    status::{DegradedStatus, LaneStatus, ListStatus, LogStatus, QueueStatus, ReaderStatus, Status, SyncStatus},
    view::DegradedState,
};
use sync::update::activation::PendingUpdate;
use tokio::sync::watch;
use trustlist::{
    freshness::Freshness,
    time::{
        Moment, TimeTrust, UnixTime,
        clock::{self, Because, Judged},
        floor::Evidence,
    },
    trust::Trust,
};

use super::{
    degraded::faults,
    founding::FoundingWatch,
    service_manager,
    shared::{LaneBoard, Shared, lock},
};

/// How far a clock that somebody settled may lie below the floor before that is a move.
const SKEW_S: i64 = 300;
/// How often the state is put together.
const REPORT: Duration = Duration::from_secs(1);

const TIME_TRUSTS: [&str; 4] = ["synced", "holdover", "floor-only", "untrusted"];
const FRESHNESSES: [&str; 5] = ["fresh", "grace", "restricted", "stale", "missing"];

/// What the reporter remembers between two seconds.
#[derive(Default)]
pub struct Reporter {
    frames: Vec<u64>,
    last: Duration,
    /// Looks for a confirmed clock that stays below the floor of time.
    floor: clock::Watch,
    /// Looks for the word of somebody who stands at this gate.
    founding: FoundingWatch,
    /// Lanes on which bad signatures come in a burst.
    bursts: BTreeSet<String>,
}

/// The log that is reported about; `None` while there is none.
pub type Log = Option<(Reader, Writer)>;

/// How often the time services are asked what they heard.
const ASK_SERVICES: Duration = Duration::from_secs(16);
/// Degraded states in which this device admits nobody, so that no lane invites anybody.
const REFERS_EVERYBODY: [&str; 2] = ["clock-untrusted", "log-unavailable"];

/// Reports each second, and when woken, until the other end of `wakes` is dropped.
pub fn keep_reporting(
    shared: &Shared,
    log: &Log,
    page: &PageState,
    status_to_page: &watch::Sender<Status>,
    wakes: &Receiver<()>,
) {
    let mut reporter = Reporter::default();
    let clock = shared.time.clock();
    let (mut textfile_at, mut ask_at) = (clock.now(), clock.now());
    loop {
        if clock.now() >= ask_at {
            clock.ask_services(&shared.config.places.runtime);
            ask_at = clock.now() + ASK_SERVICES;
        }
        let (status, faults) = reporter.report(shared, log);
        page.hub.besides(faults.iter().any(|fault| REFERS_EVERYBODY.contains(&fault.code)));
        page.hub.band(faults);
        service_manager::status(&one_line(&status));
        status_to_page.send_replace(status);
        if clock.now() >= textfile_at {
            write_textfile(shared);
            textfile_at = clock.now() + shared.config.metrics.every.max(REPORT);
        }
        if let Err(RecvTimeoutError::Disconnected) = wakes.recv_timeout(REPORT) {
            return;
        }
    }
}

/// The floor of time rises with a clock that is confirmed, and to what a quorum of issuers signed. Where it jumps by more than the clocks'
/// allowance, as after a night without power, there is a row.
fn follow_up(shared: &Shared, writer: &Writer, clock: Judged, stored: Option<UnixTime>) {
    let sure = matches!(clock.moment.trust, TimeTrust::Synced | TimeTrust::Holdover);
    let (to, evidence) = match clock.floor.evidence {
        _ if sure => (clock.moment.at, "confirmed-clock"),
        Evidence::Quorum => (clock.floor.at, Evidence::Quorum.code()),
        Evidence::BuildDate | Evidence::LastSure => return,
    };
    match stored {
        Some(stored) if to > stored.plus(SKEW_S) => {
            log::info!("the floor of time rises from {stored} to {to}: {evidence}");
            // The row is written when the disk allows; nobody here waits for it.
            drop(writer.move_floor(to.into(), evidence, to.into()));
        }
        Some(stored) if to > stored && sure => (),
        // Nothing was known before: the floor begins, and does not move.
        None if sure => (),
        _ => return,
    }
    shared.time.remember(Some(to));
}

fn write_textfile(shared: &Shared) {
    let Some(path) = &shared.config.metrics.textfile else { return };
    if let Err(error) = shared.metrics.write_textfile(path) {
        log::warn!("metrics.textfile {}: {error}", path.display());
    }
}

impl Reporter {
    /// The state now, its degraded parts for the band, and the same as numbers in the metrics.
    fn report(&mut self, shared: &Shared, log: &Log) -> (Status, Vec<DegradedState>) {
        let trust = shared.trust.load_full();
        let clock = shared.time.judged(Some(&trust));
        let moment = clock.moment;
        let (reader, writer) = log.as_ref().map(|(reader, writer)| (reader, writer)).unzip();
        if let Some(writer) = writer {
            self.follow(shared, writer, clock);
            self.founding.look(shared, writer, trust.national().generation, moment);
            writer.note_time(moment);
            match writer.admissions().objection() {
                Some(objection) => *lock(&shared.log_trouble) = Some(objection.to_string()),
                None if writer.gauges().healthy() => drop(lock(&shared.log_trouble).take()),
                None => (),
            }
        }
        let mut faults = faults(shared, &trust, moment);
        let gaps = writer.map_or(0, |writer| writer.gauges().gaps());
        if gaps > 0 {
            faults.push(DegradedState { code: "log-gap", detail: gaps.to_string() });
        }
        if let Some(fork) = reader.and_then(|reader| reader.fork().ok()?) {
            faults.push(DegradedState { code: "log-fork", detail: fork });
        }
        let now = shared.now();
        self.sound_the_alarm(shared, now);
        let histories: Vec<_> = shared.lanes.iter().map(LaneBoard::history).collect();
        let queue = queue::queue(&histories, now);
        let outbox = reader.and_then(|reader| reader.outbox_counts().ok());
        let status = Status {
            build: host::BUILD.to_owned(),
            instance: shared.instance.clone(),
            checkpoint: shared.config.checkpoint.id.clone(),
            time: moment.at.to_string(),
            time_trust: moment.trust.code().to_owned(),
            faults: faults
                .iter()
                .map(|fault| DegradedStatus { code: fault.code.to_owned(), detail: fault.detail.clone() })
                .collect(),
            queue: QueueStatus {
                per_minute: queue.per_minute,
                utilisation: queue.utilisation,
                wait_s: queue.wait_s,
                open_one_more: queue.open_one_more,
            },
            lanes: self.lanes(shared, now),
            lists: lists(shared, &trust, moment),
            log: LogStatus {
                rows: reader.and_then(|reader| reader.rows().ok()),
                outbox_pending: outbox.map(|counts| counts.pending),
                outbox_dead: outbox.map(|counts| counts.dead),
                upload_waits: shared.upload.borrow().trouble.clone(),
                given_up: log.as_ref().map(|(_, writer)| writer.gauges().dropped()),
                failed: log.as_ref().map(|(_, writer)| writer.gauges().failed()),
            },
            sync: sync(shared, moment),
            recent: shared.recent(),
        };
        count(shared, &status, moment.trust, outbox);
        (status, faults)
    }

    /// The floor of time follows a clock that is confirmed below it, and what is evidence of a later time, with a row that says so.
    fn follow(&mut self, shared: &Shared, writer: &Writer, clock: Judged) {
        let stored = shared.time.last_sure();
        let settled =
            clock.because == Because::Settled && stored.is_some_and(|stored| clock.moment.at.plus(SKEW_S) < stored);
        let lowered = self.floor.look(&clock, shared.now());
        let evidence = match lowered {
            _ if settled => "settled-by-root",
            Some(_) => "confirmed-clock",
            None => return follow_up(shared, writer, clock, stored),
        };
        let to = clock.moment.at;
        let from = stored.map_or("nothing".to_owned(), |stored| stored.to_string());
        log::warn!("the floor of time goes back from {from} to {to}: {evidence}");
        // The row is written when the disk allows; nobody here waits for it.
        drop(writer.move_floor(to.into(), evidence, to.into()));
        shared.time.remember(Some(to));
    }

    /// Once when a burst begins, not each second: the journal is read by people.
    fn sound_the_alarm(&mut self, shared: &Shared, now: Duration) {
        for (lane, settings) in shared.lanes.iter().zip(&shared.config.lane) {
            match lane.history().burst(now) {
                Some(bad) if self.bursts.insert(settings.id.clone()) => {
                    shared.metrics.burst(&settings.id);
                    log::error!(
                        "lane {}: {bad} bad signatures within a minute; somebody tries forged codes",
                        settings.id
                    );
                }
                Some(_) => (),
                None => drop(self.bursts.remove(&settings.id)),
            }
        }
    }

    fn lanes(&mut self, shared: &Shared, now: Duration) -> Vec<LaneStatus> {
        let since = now.saturating_sub(self.last).as_secs_f64();
        self.last = now;
        self.frames.resize(shared.lanes.len(), 0);
        let lanes = shared.lanes.iter().zip(&shared.config.lane).zip(&mut self.frames);
        lanes
            .map(|((lane, settings), before)| {
                let frames = lane.frames.load(Ordering::Relaxed);
                let rate = (since > 0.2).then(|| (frames - *before) as f64 / since);
                *before = frames;
                lane_status(lane, settings, now, rate)
            })
            .collect()
    }
}

fn lane_status(lane: &LaneBoard, settings: &config::Lane, now: Duration, rate: Option<f64>) -> LaneStatus {
    let figures = lane.history().figures(now);
    let no_read = *lock(&lane.no_read);
    LaneStatus {
        lane: settings.id.clone(),
        camera_up: lane.camera() == CameraState::Up,
        lifeless: lock(&lane.lifeless).map(|cause| cause.code().to_owned()),
        readers: lock(&lane.readers).iter().map(|tally| reader_status(tally)).collect(),
        frames_per_second: rate,
        no_read: no_read.map(|(why, _)| why.to_owned()),
        no_read_age_s: no_read.map(|(_, at)| now.saturating_sub(at).as_secs()),
        per_minute: figures.per_minute,
        cycle_s: figures.cycle_s,
        verdicts: owned(figures.verdicts),
        reasons: owned(figures.reasons),
        time_to_verdict_ms: figures.time_to_verdict_ms,
        times: queue::TIMES_MS.map(Some).into_iter().chain([None]).zip(figures.times).collect(),
        steps: figures.steps,
    }
}

fn reader_status(tally: &Tally) -> ReaderStatus {
    let counted = Outcome::ALL.map(|outcome| (outcome.code().to_owned(), tally.of_outcome(outcome)));
    ReaderStatus {
        reader: tally.name().to_owned(),
        texts: counted.into_iter().filter(|(_, count)| *count > 0).collect(),
        without_suffix: tally.without_suffix(),
        wrapped: tally.wrapped(),
        advice: tally.advice().map(str::to_owned),
    }
}

fn owned<T>(map: BTreeMap<&'static str, T>) -> BTreeMap<String, T> {
    map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn sync(shared: &Shared, moment: Moment) -> SyncStatus {
    let last = lock(&shared.sync).clone();
    SyncStatus {
        last_attempt: last.last_attempt.map(|at| UnixTime(at).to_string()),
        last_success: last.last_success.map(|at| UnixTime(at).to_string()),
        age_s: last.last_success.map(|at| moment.at.since(UnixTime(at))),
        last_result: last.last_result,
        waiting: lock(&shared.held).as_ref().map(PendingUpdate::line),
    }
}

/// The worst first: of a country's lists those are looked for.
fn lists(shared: &Shared, trust: &Trust, moment: Moment) -> Vec<ListStatus> {
    let profile = trust.profile(shared.config.checkpoint.profile.as_deref());
    let mut lists: Vec<ListStatus> = trust
        .issuers()
        .map(|issuer| {
            let known = trust.freshness(issuer.entry.id, moment, &profile);
            ListStatus {
                issuer: issuer.entry.id.to_string(),
                names: issuer.entry.name.clone(),
                freshness: known.map_or("missing", |(_, freshness)| Freshness::code(freshness)).to_owned(),
                age_s: known.and_then(|(age, _)| age),
                generation: issuer.repository.map(|repository| repository.generation),
            }
        })
        .collect();
    lists.sort_by_key(|list| Reverse(FRESHNESSES.iter().position(|freshness| *freshness == list.freshness)));
    lists
}

fn count(shared: &Shared, status: &Status, time_trust: TimeTrust, outbox: Option<Counts>) {
    let metrics = &shared.metrics;
    metrics.clock(time_trust.code(), &TIME_TRUSTS);
    metrics.sync_last_success(lock(&shared.sync).last_success.unwrap_or(0));
    metrics.lists_waiting(lock(&shared.held).as_ref().map_or(0, |held| held.issuers.len()));
    for list in &status.lists {
        metrics.trust(&list.issuer, list.age_s.unwrap_or(-1), &list.freshness, &FRESHNESSES);
    }
    for lane in &status.lanes {
        metrics.camera(&lane.lane, lane.camera_up && lane.lifeless.is_none());
        metrics.lifeless(&lane.lane, lane.lifeless.as_deref(), &Lifeless::ALL.map(Lifeless::code));
        for outcome in Outcome::ALL.map(Outcome::code) {
            let texts = lane.readers.iter().filter_map(|reader| reader.texts.get(outcome)).sum();
            metrics.reader_texts(&lane.lane, outcome, texts);
        }
    }
    metrics.log_rows(status.log.rows.unwrap_or(0));
    metrics.rows_lost(status.log.given_up.unwrap_or(0), status.log.failed.unwrap_or(0));
    let outbox = outbox.unwrap_or_default();
    for (state, rows) in [
        ("pending", outbox.pending),
        ("sent", outbox.sent),
        ("acknowledged", outbox.acknowledged),
        ("dead", outbox.dead),
    ] {
        metrics.outbox(state, rows);
    }
}

/// The one line for `systemctl status`.
pub fn one_line(status: &Status) -> String {
    let up = status.lanes.iter().filter(|lane| lane.camera_up).count();
    let mut line = format!("{up} of {} lanes see; {} lists", status.lanes.len(), status.lists.len());
    for fault in &status.faults {
        line.push_str(&format!("; {} {}", fault.code, fault.detail));
    }
    line
}
