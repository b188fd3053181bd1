//! How the queue does: passengers a minute, shares of verdicts, percentiles of time-to-verdict, and the wait ahead.
//!
//! Pure: scans come in with the moment at which they were decided, and the answer is asked for at a moment. The wait is
//! Sakasegawa's formula for deterministic service, the one `hardware.md` gives to whoever plans the lanes:
//! `W ≈ ½ · (D / c) · ρ^(√(2(c+1)) − 1) / (1 − ρ)`.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use serde::Serialize;
use trustlist::verdict::{Reason, Verdict};

/// How far back rates look.
const SPAN: Duration = Duration::from_secs(300);
/// Scans kept per lane; more than a lane can do in the span.
const KEPT: usize = 512;
/// Bad signatures within a minute on one lane that are no accident any more: somebody tries forged codes.
const BURST: usize = 5;
const BURST_SPAN: Duration = Duration::from_secs(60);
/// A gap longer than this means that nobody waited, so it says nothing about the cycle.
const IDLE_GAP: Duration = Duration::from_secs(8);
/// Above this utilisation a queue grows with every hiccup: open one more lane.
const BUSY: f64 = 0.85;

/// Upper ends of the steps in which times-to-verdict are counted, in milliseconds; the budget (150) and the alarm (500) among them.
pub const TIMES_MS: [u16; 8] = [5, 10, 20, 50, 100, 150, 300, 500];

/// One verdict as the telemetry needs it. Nothing of the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Since the daemon started, monotonic.
    pub at: Duration,
    /// What the lane did.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// First decodable frame to verdict.
    pub took: Duration,
}

/// The recent past of one lane.
#[derive(Clone, Debug, Default)]
pub struct LaneHistory {
    scans: VecDeque<Scan>,
}

/// What an operator reads off one lane.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LaneFigures {
    /// Verdicts in the last five minutes.
    pub scans: usize,
    /// Verdicts a minute.
    pub per_minute: f64,
    /// Median seconds from one traveller to the next while a queue stood there; `None` before it is known.
    pub cycle_s: Option<f64>,
    /// Share of each verdict, 0 to 1.
    pub verdicts: BTreeMap<&'static str, f64>,
    /// Count of each reason.
    pub reasons: BTreeMap<&'static str, usize>,
    /// Time-to-verdict in milliseconds: 50th, 95th and 99th percentile.
    pub time_to_verdict_ms: Option<[f64; 3]>,
    /// Verdicts whose time was within each of [`TIMES_MS`], and beyond the last: for a plot.
    pub times: Vec<usize>,
    /// Verdicts in each of the last thirty ten-second steps, oldest first: for a plot.
    pub steps: Vec<usize>,
}

/// What an operator reads off all lanes together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Queue {
    /// Lanes that gave a verdict in the last five minutes.
    pub lanes: usize,
    /// Arrivals a minute, all lanes.
    pub per_minute: f64,
    /// Share of the lanes' time that is taken: ρ.
    pub utilisation: Option<f64>,
    /// Predicted mean wait in seconds; `None` when it is unknown or grows without end.
    pub wait_s: Option<f64>,
    /// Whether one more lane would help now.
    pub open_one_more: bool,
}

impl LaneHistory {
    /// Remembers a scan, forgetting the oldest beyond the bound.
    pub fn add(&mut self, scan: Scan) {
        if self.scans.len() == KEPT {
            self.scans.pop_front();
        }
        self.scans.push_back(scan);
    }

    fn recent(&self, now: Duration) -> impl Iterator<Item = &Scan> {
        let from = now.saturating_sub(SPAN);
        self.scans.iter().filter(move |scan| scan.at >= from)
    }

    /// The lane's figures at `now`.
    #[must_use]
    pub fn figures(&self, now: Duration) -> LaneFigures {
        let recent: Vec<&Scan> = self.recent(now).collect();
        let count = recent.len();
        let mut verdicts = BTreeMap::new();
        let mut reasons = BTreeMap::new();
        let mut steps = vec![0; 30];
        for scan in &recent {
            *verdicts.entry(scan.verdict.code()).or_insert(0.0) += 1.0 / float(count);
            *reasons.entry(scan.reason.code()).or_insert(0) += 1;
            let ago = now.saturating_sub(scan.at).as_secs() / 10;
            if let Some(step) = usize::try_from(ago).ok().and_then(|ago| steps.len().checked_sub(ago + 1)) {
                steps[step] += 1;
            }
        }
        let mut counts = vec![0; TIMES_MS.len() + 1];
        for scan in &recent {
            counts[TIMES_MS.partition_point(|end| u128::from(*end) < scan.took.as_millis())] += 1;
        }
        let mut times: Vec<f64> = recent.iter().map(|scan| scan.took.as_secs_f64() * 1000.0).collect();
        times.sort_by(f64::total_cmp);
        let observed = now.min(SPAN).as_secs_f64().max(1.0);
        LaneFigures {
            scans: count,
            per_minute: float(count) * 60.0 / observed,
            cycle_s: self.cycle(now),
            verdicts,
            reasons,
            time_to_verdict_ms: percentile(&times, 0.5)
                .zip(percentile(&times, 0.95))
                .zip(percentile(&times, 0.99))
                .map(|((p50, p95), p99)| [p50, p95, p99]),
            times: counts,
            steps,
        }
    }

    /// How many bad signatures the last minute brought, where they are an alarm.
    #[must_use]
    pub fn burst(&self, now: Duration) -> Option<usize> {
        let from = now.saturating_sub(BURST_SPAN);
        let bad = self.scans.iter().filter(|scan| scan.at >= from && scan.reason == Reason::BadSignature).count();
        (bad >= BURST).then_some(bad)
    }

    /// The median gap between travellers who followed each other.
    fn cycle(&self, now: Duration) -> Option<f64> {
        let at: Vec<Duration> = self.recent(now).map(|scan| scan.at).collect();
        let mut gaps: Vec<f64> = at
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .filter(|gap| *gap <= IDLE_GAP)
            .map(|gap| gap.as_secs_f64())
            .collect();
        gaps.sort_by(f64::total_cmp);
        // Few gaps say little: a cycle is known after ten.
        (gaps.len() >= 10).then(|| percentile(&gaps, 0.5)).flatten()
    }
}

/// The queue before all lanes at `now`.
#[must_use]
pub fn queue<'a>(lanes: impl IntoIterator<Item = &'a LaneHistory>, now: Duration) -> Queue {
    let figures: Vec<LaneFigures> =
        lanes.into_iter().map(|lane| lane.figures(now)).filter(|figures| figures.scans > 0).collect();
    // An empty sum of floats is -0.0, which is shown with its sign.
    let per_minute = figures.iter().fold(0.0, |sum, figures| sum + figures.per_minute);
    let cycles: Vec<f64> = figures.iter().filter_map(|figures| figures.cycle_s).collect();
    let cycle = (!cycles.is_empty()).then(|| cycles.iter().sum::<f64>() / float(cycles.len()));
    let utilisation = cycle.map(|cycle| per_minute / 60.0 * cycle / float(figures.len()));
    Queue {
        lanes: figures.len(),
        per_minute,
        utilisation,
        wait_s: cycle.and_then(|cycle| predicted_wait(per_minute / 60.0, cycle, figures.len())),
        open_one_more: utilisation.is_some_and(|utilisation| utilisation > BUSY),
    }
}

/// Mean wait in seconds for `arrivals` a second, `cycle` seconds a traveller, and `lanes`; `None` when the queue grows without end.
#[must_use]
pub fn predicted_wait(arrivals: f64, cycle: f64, lanes: usize) -> Option<f64> {
    let c = float(lanes);
    let rho = arrivals * cycle / c;
    (lanes > 0 && rho < 1.0).then(|| 0.5 * (cycle / c) * rho.powf((2.0 * (c + 1.0)).sqrt() - 1.0) / (1.0 - rho))
}

/// Nearest-rank percentile of sorted values.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank within the slice")]
    let rank = (share * float(sorted.len())).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

fn float(count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let count = count as f64;
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(gap_ms: u64, scans: u64) -> LaneHistory {
        let mut history = LaneHistory::default();
        for number in 1..=scans {
            history.add(Scan {
                at: Duration::from_millis(gap_ms * number),
                verdict: if number % 10 == 0 { Verdict::Refer } else { Verdict::Admit },
                reason: if number % 10 == 0 { Reason::ColourYellow } else { Reason::Ok },
                took: Duration::from_millis(number),
            });
        }
        history
    }

    #[test]
    fn the_wait_agrees_with_the_simulation_that_the_lane_sizing_page_was_checked_with() {
        // Four lanes, 80 travellers a minute, 2.4 s each: 0.89 s simulated.
        let wait = predicted_wait(80.0 / 60.0, 2.4, 4).expect("the queue is stable");
        assert!((wait - 0.89).abs() < 0.05, "{wait}");
        assert_eq!(predicted_wait(100.0 / 60.0, 2.4, 4), None, "the queue grows without end");
    }

    #[test]
    fn a_lane_that_takes_a_traveller_every_three_seconds_says_so() {
        let figures = lane(3000, 100).figures(Duration::from_secs(300));
        assert_eq!(figures.cycle_s, Some(3.0));
        assert!((figures.per_minute - 20.0).abs() < 0.5, "{}", figures.per_minute);
        assert!((figures.verdicts["refer"] - 0.1).abs() < 1e-9);
        assert_eq!(figures.reasons["ok"], 90);
        assert_eq!(figures.time_to_verdict_ms, Some([50.0, 95.0, 99.0]));
        assert_eq!(figures.steps.iter().sum::<usize>(), 100);
        // 1 to 100 ms, each once.
        assert_eq!(figures.times, [5, 5, 10, 30, 50, 0, 0, 0, 0]);
    }

    #[test]
    fn nobody_is_shown_as_none_a_minute_without_a_sign() {
        assert_eq!(format!("{:.1}", queue(&[], Duration::from_secs(60)).per_minute), "0.0");
    }

    #[test]
    fn a_lane_without_a_pause_asks_for_one_more_and_a_quiet_one_does_not() {
        let now = Duration::from_secs(300);
        assert!(queue([&lane(2400, 125)], now).open_one_more);
        let quiet = queue([&lane(7000, 42), &lane(20_000, 10)], now);
        assert!(!quiet.open_one_more || quiet.utilisation.is_some_and(|rho| rho > BUSY), "{quiet:?}");
        assert_eq!(queue([&LaneHistory::default()], now).wait_s, None);
    }

    #[test]
    fn five_bad_signatures_within_a_minute_are_an_alarm_and_over_ten_minutes_they_are_not() {
        let history = |gap: u64| {
            let mut history = LaneHistory::default();
            for number in 1..=5 {
                let at = Duration::from_secs(gap * number);
                let (verdict, reason) = (Verdict::Refuse, Reason::BadSignature);
                history.add(Scan { at, verdict, reason, took: Duration::ZERO });
            }
            history
        };
        assert_eq!(history(10).burst(Duration::from_secs(50)), Some(5));
        assert_eq!(history(10).burst(Duration::from_secs(75)), None, "the first is over a minute ago");
        assert_eq!(history(120).burst(Duration::from_secs(600)), None);
    }

    #[test]
    fn scans_older_than_five_minutes_are_forgotten() {
        assert_eq!(lane(1000, 10).figures(Duration::from_secs(400)).scans, 0);
    }
}
