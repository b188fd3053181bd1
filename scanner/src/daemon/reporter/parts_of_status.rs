//! The parts of the status, each made of what one thread says of itself.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use devices::readers::tally::{Outcome, Tally};
use lane::{queue, today::QuarterFigures, watchdog::CameraState};
use page::status::{LaneStatus, ListStatus, QuarterStatus, ReaderStatus, SyncStatus};
use sync::update::activation::PendingUpdate;
use trustlist::{
    freshness::Freshness,
    time::{Moment, UnixTime},
    trust::Trust,
};

use super::super::{
    lane_report::{LaneReport, LaneView},
    lists_in_force::ListsState,
};

/// The best first.
pub(super) const FRESHNESSES: [&str; 5] = ["fresh", "grace", "restricted", "stale", "missing"];

pub(super) fn lane_status(lane: &LaneView, report: &LaneReport, now: Duration, rate: Option<f64>) -> LaneStatus {
    let figures = report.history.figures(now);
    LaneStatus {
        lane: lane.settings.lane.id.clone(),
        camera_up: lane.camera.at(now).state == CameraState::Up,
        lifeless: report.lifeless.map(|cause| cause.code().to_owned()),
        readers: lane.readers.iter().map(|tally| reader_status(tally)).collect(),
        frames_per_second: rate,
        no_read: report.no_read.map(|(why, _)| why.to_owned()),
        no_read_age_s: report.no_read.map(|(_, at)| now.saturating_sub(at).as_secs()),
        per_minute: figures.per_minute,
        cycle_s: figures.cycle_s,
        verdicts: owned(figures.verdicts),
        reasons: owned(figures.reasons),
        time_to_verdict_ms: figures.time_to_verdict_ms,
        times: queue::TIMES_MS.map(Some).into_iter().chain([None]).zip(figures.times).collect(),
        steps: figures.steps,
    }
}

pub(super) fn quarter_status(quarter: QuarterFigures) -> QuarterStatus {
    let [admit, refer, refuse] = quarter.verdicts;
    QuarterStatus {
        from_ms: quarter.from_ms,
        admit,
        refer,
        refuse,
        by_hand: quarter.by_hand,
        wait_s: quarter.wait_s,
        time_to_verdict_ms: quarter.time_to_verdict_ms,
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

pub(super) fn sync(lists: &ListsState, moment: Moment) -> SyncStatus {
    let last = &lists.sync;
    SyncStatus {
        last_attempt: last.last_attempt.map(|at| UnixTime(at).to_string()),
        last_success: last.last_success.map(|at| UnixTime(at).to_string()),
        age_s: last.last_success.map(|at| moment.at.since(UnixTime(at))),
        last_result: last.last_result.clone(),
        waiting: lists.held.as_ref().map(PendingUpdate::line),
    }
}

/// The worst first: of a country's lists those are looked for.
pub(super) fn lists(profile: Option<&str>, trust: &Trust, moment: Moment) -> Vec<ListStatus> {
    let profile = trust.profile(profile);
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
