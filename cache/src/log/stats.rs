//! Figures per lane and hour: verdicts, reasons, and how long a verdict took. Pure over rows.

use std::collections::BTreeMap;

use serde::Serialize;
use trustlist::{
    time::UnixTime,
    verdict::{Reason, Verdict},
};

use super::row::ScanRow;

/// Time to verdict in microseconds, by nearest rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Half took no longer.
    pub p50: u32,
    /// Nineteen of twenty took no longer.
    pub p95: u32,
    /// Ninety-nine of a hundred took no longer.
    pub p99: u32,
    /// The longest.
    pub max: u32,
}

/// One lane in one hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LaneHour {
    /// The lane.
    pub lane: String,
    /// The hour's first second.
    pub hour: UnixTime,
    /// Scans.
    pub scans: u64,
    /// Of those, admitted.
    pub admit: u64,
    /// Referred.
    pub refer: u64,
    /// Refused.
    pub refuse: u64,
    /// By reason code.
    pub reasons: BTreeMap<&'static str, u64>,
    /// How long it took.
    pub time_to_verdict_us: Percentiles,
}

impl LaneHour {
    fn count(&mut self, verdict: Verdict, reason: Reason, count: u64) {
        self.scans += count;
        match verdict {
            Verdict::Admit => self.admit += count,
            Verdict::Refer => self.refer += count,
            Verdict::Refuse => self.refuse += count,
        }
        *self.reasons.entry(reason.code()).or_default() += count;
    }
}

/// Scans of one hour at one lane, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// By verdict and reason.
    pub verdicts: BTreeMap<(Verdict, Reason), u64>,
    /// Times to verdict in microseconds, in any order.
    pub times: Vec<u32>,
}

/// Collects rows in any order.
#[derive(Debug, Default)]
pub struct Stats {
    cells: BTreeMap<(UnixTime, String), (LaneHour, Vec<u32>)>,
}

impl Stats {
    /// Counts a row.
    pub fn add(&mut self, row: &ScanRow) {
        let hour = UnixTime(row.at_ms.second().0.div_euclid(3600) * 3600);
        let (cell, times) = self.cell(hour, &row.lane);
        cell.count(row.verdict, row.reason, 1);
        times.push(row.time_to_verdict_us);
    }

    /// Counts what was counted before.
    pub fn add_tally(&mut self, hour: UnixTime, lane: &str, tally: &Tally) {
        let (cell, times) = self.cell(hour, lane);
        for ((verdict, reason), count) in &tally.verdicts {
            cell.count(*verdict, *reason, *count);
        }
        times.extend(&tally.times);
    }

    fn cell(&mut self, hour: UnixTime, lane: &str) -> &mut (LaneHour, Vec<u32>) {
        self.cells.entry((hour, lane.to_owned())).or_insert_with(|| {
            let cell = LaneHour {
                lane: lane.to_owned(),
                hour,
                scans: 0,
                admit: 0,
                refer: 0,
                refuse: 0,
                reasons: BTreeMap::new(),
                time_to_verdict_us: Percentiles::default(),
            };
            (cell, Vec::new())
        })
    }

    /// The figures, by hour and then by lane.
    #[must_use]
    pub fn finish(self) -> Vec<LaneHour> {
        let finish = |(mut cell, times): (LaneHour, Vec<u32>)| {
            cell.time_to_verdict_us = percentiles(times);
            cell
        };
        self.cells.into_values().map(finish).collect()
    }
}

/// Percentiles by nearest rank; zeros of nothing.
#[must_use]
pub fn percentiles(mut times: Vec<u32>) -> Percentiles {
    times.sort_unstable();
    let rank = |percent: usize| {
        let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(place).copied().unwrap_or(0)
    };
    Percentiles { p50: rank(50), p95: rank(95), p99: rank(99), max: rank(100) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::row::tests::row;

    #[test]
    fn percentiles_are_values_that_occurred() {
        assert_eq!(percentiles((1..=100).collect()), Percentiles { p50: 50, p95: 95, p99: 99, max: 100 });
        assert_eq!(percentiles(vec![7]), Percentiles { p50: 7, p95: 7, p99: 7, max: 7 });
        assert_eq!(percentiles(vec![]), Percentiles::default());
    }

    #[test]
    fn each_lane_and_hour_is_counted_for_itself() {
        let mut stats = Stats::default();
        for n in 0..3000 {
            let mut scan = row(n);
            if n % 10 == 0 {
                (scan.verdict, scan.reason) = (Verdict::Refer, Reason::RiskArea);
            }
            stats.add(&scan);
        }
        let cells = stats.finish();
        assert_eq!(cells.len(), 6, "75 minutes, three lanes");
        assert_eq!(cells.iter().map(|cell| cell.scans).sum::<u64>(), 3000);
        assert_eq!(cells.iter().map(|cell| cell.refer).sum::<u64>(), 300);
        assert_eq!((cells[0].lane.as_str(), cells[0].hour.to_string().as_str()), ("1", "2021-02-01T00:00:00Z"));
        assert_eq!(cells[0].reasons.values().sum::<u64>(), cells[0].scans);
        assert!(cells[0].time_to_verdict_us.p50 >= 40_000);
    }
}
