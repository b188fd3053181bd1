//! What happened since yesterday at this time, by quarters of an hour: verdicts, decisions by hand, waits, time to verdict.
//!
//! Pure: each verdict comes with the moment that its row has, each predicted wait with the moment at which it was asked. A quarter is one of
//! the calendar, so that a page finds today's in any time zone whose clock differs by whole quarters, which all do.

use std::collections::BTreeMap;

use trustlist::verdict::Verdict;

/// A quarter of an hour, in milliseconds.
pub const QUARTER_MS: i64 = 900_000;
/// Quarters kept: a day, and the one that runs.
const KEPT: usize = 97;
/// Times kept of one quarter: more than sixteen lanes can do in it. Stops a clock that stands still from filling the memory.
const TIMES: usize = 8192;

/// One quarter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Quarter {
    verdicts: [u32; 3],
    by_hand: u32,
    times_us: Vec<u32>,
    wait_ms: u64,
    waits: u32,
}

/// What a picture shows of one quarter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuarterFigures {
    /// Its beginning, in milliseconds since 1970.
    pub from_ms: i64,
    /// Admitted, referred, refused.
    pub verdicts: [u32; 3],
    /// Decisions of officers.
    pub by_hand: u32,
    /// The mean of the predicted waits, in seconds; `None` where none was asked for, as before a start.
    pub wait_s: Option<f64>,
    /// Median and 95th percentile of the time to verdict, in milliseconds.
    pub time_to_verdict_ms: Option<[f64; 2]>,
}

/// The last day.
#[derive(Clone, Debug, Default)]
pub struct Today {
    quarters: BTreeMap<i64, Quarter>,
}

impl Today {
    /// The quarter of a moment. What comes last counts: a quarter more than a day before or behind it is of a clock that was wrong, or forgotten.
    fn quarter(&mut self, at_ms: i64) -> &mut Quarter {
        let place = at_ms.div_euclid(QUARTER_MS);
        self.quarters.retain(|known, _| known.abs_diff(place) < KEPT as u64);
        self.quarters.entry(place).or_default()
    }

    /// A lane gave a verdict.
    pub fn verdict(&mut self, at_ms: i64, verdict: Verdict, took_us: u32) {
        let quarter = self.quarter(at_ms);
        quarter.verdicts[verdict as usize] = quarter.verdicts[verdict as usize].saturating_add(1);
        if quarter.times_us.len() < TIMES {
            quarter.times_us.push(took_us);
        }
    }

    /// An officer decided.
    pub fn by_hand(&mut self, at_ms: i64) {
        let quarter = self.quarter(at_ms);
        quarter.by_hand = quarter.by_hand.saturating_add(1);
    }

    /// So long would somebody wait who came now.
    pub fn wait(&mut self, at_ms: i64, seconds: f64) {
        let quarter = self.quarter(at_ms);
        quarter.wait_ms = quarter.wait_ms.saturating_add((seconds.clamp(0.0, 86_400.0) * 1000.0) as u64);
        quarter.waits = quarter.waits.saturating_add(1);
    }

    /// Each quarter in which there was anything, the oldest first.
    #[must_use]
    pub fn figures(&self) -> Vec<QuarterFigures> {
        let figures = |(place, quarter): (&i64, &Quarter)| {
            let mut times = quarter.times_us.clone();
            times.sort_unstable();
            // The smallest time that so many of a hundred do not exceed.
            let part = |share: usize| f64::from(times[(times.len() * share).div_ceil(100) - 1]) / 1000.0;
            QuarterFigures {
                from_ms: place * QUARTER_MS,
                verdicts: quarter.verdicts,
                by_hand: quarter.by_hand,
                wait_s: (quarter.waits > 0).then(|| quarter.wait_ms as f64 / f64::from(quarter.waits) / 1000.0),
                time_to_verdict_ms: (!times.is_empty()).then(|| [part(50), part(95)]),
            }
        };
        self.quarters.iter().map(figures).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_612_180_800_000;

    #[test]
    fn each_quarter_counts_its_own_and_a_quarter_without_anything_is_none() {
        let mut today = Today::default();
        for minute in 0..60 {
            let verdict = [Verdict::Admit, Verdict::Refer, Verdict::Refuse][usize::from(minute >= 30) * 2];
            if !(15..30).contains(&minute) {
                today.verdict(NOON + minute * 60_000, verdict, 1000 * (minute as u32 + 1));
            }
        }
        today.by_hand(NOON + 1);
        today.wait(NOON, 2.0);
        today.wait(NOON + 1, 4.0);
        let figures = today.figures();
        assert_eq!(figures.len(), 3);
        assert_eq!((figures[0].from_ms, figures[0].verdicts, figures[0].by_hand), (NOON, [15, 0, 0], 1));
        assert_eq!((figures[0].wait_s, figures[1].wait_s), (Some(3.0), None));
        assert_eq!(figures[0].time_to_verdict_ms, Some([8.0, 15.0]));
        assert_eq!((figures[1].from_ms, figures[1].verdicts), (NOON + 2 * QUARTER_MS, [0, 0, 15]));
    }

    #[test]
    fn a_day_is_kept_and_a_clock_that_jumps_fills_no_memory() {
        let mut today = Today::default();
        for quarter in 0..1000 {
            today.verdict(NOON + quarter * QUARTER_MS, Verdict::Admit, 1);
        }
        assert_eq!(today.figures().len(), KEPT);
        today.verdict(i64::MIN, Verdict::Admit, 1);
        today.verdict(i64::MAX, Verdict::Admit, 1);
        assert_eq!(today.figures().len(), 1, "the clock was wrong before");
        assert!(today.figures()[0].from_ms > NOON);
        for _ in 0..2 * TIMES {
            today.verdict(i64::MAX, Verdict::Refer, 1);
        }
        assert_eq!(today.figures()[0].verdicts[1], 2 * TIMES as u32);
        assert!(today.quarters.values().all(|quarter| quarter.times_us.len() <= TIMES));
    }

    #[test]
    fn verdicts_have_the_order_of_the_picture() {
        assert_eq!([Verdict::Admit, Verdict::Refer, Verdict::Refuse].map(|verdict| verdict as usize), [0, 1, 2]);
    }
}
