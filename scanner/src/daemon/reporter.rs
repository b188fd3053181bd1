//! Once a second: the device's state in one value for the pages, and in numbers for the metrics. On a thread of its own, because it asks the disk:
//! one that hangs must not keep the watchdog from being petted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

use ::sync::upload;
use cache::{
    log::{Body, Event, Reader, UnixMillis, Writer},
    outbox::Counts,
};
use devices::readers::tally::Outcome;
use host::{believed_time::BelievedTime, service_window};
use lane::{liveness::Lifeless, queue, today::Today};
use page::{
    metrics::Metrics,
    server::PageState,
    status::{DegradedStatus, LaneStatus, LogStatus, QueueStatus, Status},
    view::DegradedState,
};
use tokio::sync::watch;
use trustlist::time::{
    TimeTrust, UnixTime,
    clock::{self, Judged},
};

use super::{
    degraded::{Seen, faults},
    founding::FoundingWatch,
    lane_report::{LaneReport, LaneView},
    lists_in_force::{ListsHealth, ListsInForce, ListsState},
    log_health::LogHealth,
    process::Uptime,
    recent_scans::RecentScans,
    service_manager,
    settings::ReportSettings,
};

mod floor;
mod parts_of_status;

use parts_of_status::{FRESHNESSES, lane_status, lists, quarter_status, sync};

/// How often the state is put together.
const REPORT: Duration = Duration::from_secs(1);

/// How far back the picture of the day goes.
const DAY_S: i64 = 86_400;

const TIME_TRUSTS: [&str; 4] = ["synced", "holdover", "floor-only", "untrusted"];

/// What the report sees of the others: one narrow handle each.
pub struct ReportHandles {
    /// The time as this device believes it, and the clock.
    pub time: BelievedTime,
    /// Time since the daemon began.
    pub uptime: Uptime,
    /// The lists in force.
    pub lists: ListsInForce,
    /// How they are.
    pub lists_health: ListsHealth,
    /// How the scan log is.
    pub log_health: LogHealth,
    /// How the upload does.
    pub upload: watch::Receiver<upload::Status>,
    /// Every lane.
    pub lanes: watch::Receiver<Vec<LaneView>>,
    /// The latest verdicts.
    pub recent: RecentScans,
    /// Counters.
    pub metrics: Metrics,
    /// The number that this daemon drew at its start.
    pub instance: String,
    /// The log; `None` while there is none.
    pub log: Option<(Reader, Writer)>,
}

/// Puts the device's state together, second by second.
pub struct Reporter {
    settings: ReportSettings,
    others: ReportHandles,
    /// Frames of each lane at the last report.
    frames: BTreeMap<String, u64>,
    last: Duration,
    /// Looks for a confirmed clock that stays below the floor of time.
    floor: clock::Watch,
    /// Looks for the word of somebody who stands at this gate.
    founding: FoundingWatch,
    /// Lanes on which bad signatures come in a burst.
    bursts: BTreeSet<String>,
    /// The last day, and up to which row of the log it is told.
    today: Today,
    told: u64,
    textfile_at: Duration,
    ask_at: Duration,
}

/// What one round of the report says, and what is to be done beside.
pub struct Report {
    /// The state.
    pub status: Status,
    /// Its degraded parts, for the band of every screen.
    pub faults: Vec<DegradedState>,
    /// Whether this device admits nobody now, so that no lane invites anybody.
    pub refers_everybody: bool,
    /// Whether the file of metrics is to be written.
    pub textfile: bool,
    /// Whether the time services are to be asked.
    pub ask_services: bool,
}

/// How often the time services are asked what they heard.
const ASK_SERVICES: Duration = Duration::from_secs(16);
/// Degraded states in which this device admits nobody, so that no lane invites anybody.
const REFERS_EVERYBODY: [&str; 2] = ["clock-untrusted", "log-unavailable"];

/// Reports each second, and when woken, until the other end of `wakes` is dropped.
pub fn keep_reporting(
    mut reporter: Reporter,
    page: &PageState,
    status_to_page: &watch::Sender<Status>,
    wakes: &Receiver<()>,
) {
    let clock = reporter.others.time.clock().clone();
    clock.ask_services(&reporter.settings.runtime);
    loop {
        let report = reporter.step();
        page.hub.besides(report.refers_everybody);
        page.hub.band(report.faults);
        service_manager::status(&one_line(&report.status));
        status_to_page.send_replace(report.status);
        if report.textfile {
            reporter.write_textfile();
        }
        if report.ask_services {
            clock.ask_services(&reporter.settings.runtime);
        }
        if let Err(RecvTimeoutError::Disconnected) = wakes.recv_timeout(REPORT) {
            return;
        }
    }
}

impl Reporter {
    /// Begins with nothing to compare with.
    pub fn new(settings: ReportSettings, others: ReportHandles) -> Reporter {
        let now = others.uptime.now();
        Reporter {
            settings,
            others,
            frames: BTreeMap::new(),
            last: Duration::ZERO,
            floor: clock::Watch::default(),
            founding: FoundingWatch::default(),
            bursts: BTreeSet::new(),
            today: Today::default(),
            told: 0,
            textfile_at: now,
            ask_at: now + ASK_SERVICES,
        }
    }

    /// One round: the state now, as a value, and as numbers in the metrics.
    pub fn step(&mut self) -> Report {
        let now = self.others.uptime.now();
        let (status, faults) = self.report(now);
        let textfile = now >= self.textfile_at;
        if textfile {
            self.textfile_at = now + self.settings.metrics.every.max(REPORT);
        }
        let ask_services = now >= self.ask_at;
        if ask_services {
            self.ask_at = now + ASK_SERVICES;
        }
        let refers_everybody = faults.iter().any(|fault| REFERS_EVERYBODY.contains(&fault.code));
        Report { status, faults, refers_everybody, textfile, ask_services }
    }

    fn write_textfile(&self) {
        let Some(path) = &self.settings.metrics.textfile else { return };
        if let Err(error) = self.others.metrics.write_textfile(path) {
            log::warn!("metrics.textfile {}: {error}", path.display());
        }
    }

    /// The state now, its degraded parts for the band, and the same as numbers in the metrics.
    fn report(&mut self, now: Duration) -> (Status, Vec<DegradedState>) {
        let trust = self.others.lists.now();
        let clock = self.others.time.judged(Some(&trust));
        let moment = clock.moment;
        self.look_after_the_log(clock, trust.national().generation, now);
        let lanes: Vec<(LaneView, LaneReport)> =
            self.others.lanes.borrow().iter().map(|lane| (lane.clone(), lane.report())).collect();
        let (lists_now, upload) = (self.others.lists_health.now(), self.others.upload.borrow().clone());
        let seen = Seen {
            settings: &self.settings,
            lanes: &lanes,
            lists: &lists_now,
            log: &self.others.log_health.now(),
            upload: upload.cannot_begin.clone(),
            window: service_window::remaining(&self.settings.runtime, self.others.time.clock().calendar()),
            now,
        };
        let mut faults = faults(&seen, &trust, moment);
        let (reader, writer) = self.others.log.as_ref().map(|(reader, writer)| (reader, writer)).unzip();
        let gauges = writer.map(Writer::gauges);
        let gaps = gauges.map_or(0, |gauges| gauges.gaps());
        if gaps > 0 {
            faults.push(DegradedState { code: "log-gap", detail: gaps.to_string() });
        }
        if let Some(fork) = reader.and_then(|reader| reader.fork().ok()?) {
            faults.push(DegradedState { code: "log-fork", detail: fork });
        }
        let outbox = reader.and_then(|reader| reader.outbox_counts().ok());
        let log = LogStatus {
            rows: reader.and_then(|reader| reader.rows().ok()),
            outbox_pending: outbox.map(|counts| counts.pending),
            outbox_dead: outbox.map(|counts| counts.dead),
            upload_waits: upload.trouble,
            given_up: gauges.map(|gauges| gauges.dropped()),
            failed: gauges.map(|gauges| gauges.failed()),
        };
        self.sound_the_alarm(&lanes, now);
        let histories: Vec<_> = lanes.iter().map(|(_, report)| report.history.clone()).collect();
        let queue = queue::queue(&histories, now);
        self.read_on(moment.at);
        if let Some(wait) = queue.wait_s {
            self.today.wait(UnixMillis::from(moment.at).0, wait);
        }
        let status = Status {
            build: host::BUILD.to_owned(),
            instance: self.others.instance.clone(),
            checkpoint: self.settings.post.clone(),
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
            lanes: self.lanes(&lanes, now),
            lists: lists(self.settings.profile.as_deref(), &trust, moment),
            log,
            sync: sync(&lists_now, moment),
            recent: self.others.recent.all(),
            today: self.today.figures().into_iter().map(quarter_status).collect(),
        };
        count(&self.others.metrics, &status, &lists_now, moment.trust, outbox);
        for (lane, report) in &lanes {
            self.others.metrics.longest_round(&lane.settings.lane.id, report.longest_round);
        }
        (status, faults)
    }

    /// What the log is to know of the time, and what is to be known of the log.
    fn look_after_the_log(&mut self, clock: Judged, national: u64, now: Duration) {
        let Some(writer) = self.others.log.as_ref().map(|(_, writer)| writer.clone()) else { return };
        self.follow(&writer, clock, now);
        self.founding.look(&self.settings.trust_store, &writer, national, clock.moment);
        writer.note_time(clock.moment);
        match writer.admissions().objection() {
            Some(objection) => self.others.log_health.unavailable(objection.to_string()),
            None if writer.gauges().healthy() => self.others.log_health.available(),
            None => (),
        }
    }

    /// Reads what the log has new of the last day: a portion each second, so that a start with a day's rows asks the disk for a while and
    /// holds nobody up. The picture outlives a restart this way.
    fn read_on(&mut self, now: UnixTime) {
        let Some((reader, _)) = &self.others.log else { return };
        let Ok(news) = reader.news(self.told, now.plus(-DAY_S).into()) else { return };
        for stored in news {
            self.told = stored.seq;
            let Ok(entry) = stored.entry() else { continue };
            match entry.body {
                Body::Scan(scan) => self.today.verdict(entry.at.0, scan.verdict, scan.time_to_verdict_us),
                Body::Event(Event::Override(_)) => self.today.by_hand(entry.at.0),
                Body::Event(_) => (),
            }
        }
    }

    /// Once when a burst begins, not each second: the journal is read by people.
    fn sound_the_alarm(&mut self, lanes: &[(LaneView, LaneReport)], now: Duration) {
        for (lane, report) in lanes {
            let settings = &lane.settings.lane;
            match report.history.burst(now) {
                Some(bad) if self.bursts.insert(settings.id.clone()) => {
                    self.others.metrics.burst(&settings.id);
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

    fn lanes(&mut self, lanes: &[(LaneView, LaneReport)], now: Duration) -> Vec<LaneStatus> {
        let since = now.saturating_sub(self.last).as_secs_f64();
        self.last = now;
        let rate = |before: Option<u64>, frames: u64| {
            let new = frames.saturating_sub(before.unwrap_or(0));
            (since > 0.2).then(|| new as f64 / since)
        };
        lanes
            .iter()
            .map(|(lane, report)| {
                let before = self.frames.insert(lane.settings.lane.id.clone(), report.frames);
                lane_status(lane, report, now, rate(before, report.frames))
            })
            .collect()
    }
}

fn count(metrics: &Metrics, status: &Status, lists: &ListsState, time_trust: TimeTrust, outbox: Option<Counts>) {
    metrics.clock(time_trust.code(), &TIME_TRUSTS);
    metrics.sync_last_success(lists.sync.last_success.unwrap_or(0));
    metrics.lists_waiting(lists.held.as_ref().map_or(0, |held| held.issuers.len()));
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
