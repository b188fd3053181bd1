//! The counters, in Prometheus text: for the loopback page, and as a file for node_exporter's textfile collector.
//!
//! Labels come from closed sets (lanes of the configuration, reason codes, stages), so their number is bounded. Nothing that
//! a traveller shows becomes a label.

use std::{io, path::Path, time::Duration};

use host::atomic_file;
use prometheus::{
    Encoder, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder, core::Collector,
};
use trustlist::verdict::{Reason, Verdict};

/// Bounds of the time-to-verdict and stage histograms, in seconds: fine below the budget, one at the 500 ms alarm.
const SECONDS: &[f64] = &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0];

/// A step on the way from a frame to an open gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// What the camera delivered to luma: cut, stripped or decoded.
    Luma,
    /// Luma to symbol text.
    Read,
    /// Text to decision.
    Judge,
    /// Row committed.
    Record,
    /// Gate signal given.
    Gate,
}

impl Stage {
    /// Every stage in order.
    pub const ALL: [Stage; 5] = [Stage::Luma, Stage::Read, Stage::Judge, Stage::Record, Stage::Gate];

    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Luma => "luma",
            Self::Read => "read",
            Self::Judge => "judge",
            Self::Record => "record",
            Self::Gate => "gate",
        }
    }
}

/// All counters of the process. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    scans: IntCounterVec,
    time_to_verdict: HistogramVec,
    stages: HistogramVec,
    frames: IntCounterVec,
    lifeless: GaugeVec,
    reader_texts: IntCounterVec,
    old_inputs: IntCounterVec,
    gate_opens: IntCounterVec,
    passages: IntCounterVec,
    camera_up: GaugeVec,
    longest_round: GaugeVec,
    trust_age: GaugeVec,
    trust_freshness: GaugeVec,
    sync_attempts: IntCounterVec,
    bursts: IntCounterVec,
    lists_waiting: Gauge,
    sync_last_success: Gauge,
    outbox: GaugeVec,
    log_rows: Gauge,
    rows_lost: IntCounterVec,
    clock_trust: GaugeVec,
}

/// What becomes of a frame.
const FRAMES: [&str; 6] = ["read", "no-code", "not-a-pass-code", "replaced", "damaged", "panicked"];
/// What comes to a lane.
const INPUTS: [&str; 3] = ["frame", "text", "contact"];
/// What becomes of a sync.
const SYNCS: [&str; 4] = ["updated", "waiting", "unchanged", "failed"];

impl Metrics {
    /// Counters at zero for `lanes`. What can be counted is there before the first time, so that the first time is seen as a rise.
    #[must_use]
    pub fn new<'a>(lanes: impl IntoIterator<Item = &'a str>) -> Metrics {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            keep(&registry, IntCounterVec::new(Opts::new(name, help), labels).expect("a well-formed metric"))
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            keep(&registry, GaugeVec::new(Opts::new(name, help), labels).expect("a well-formed metric"))
        };
        let histogram = |name: &str, help: &str, labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
            keep(&registry, HistogramVec::new(options, labels).expect("a well-formed metric"))
        };
        let single = |name: &str, help: &str| keep(&registry, Gauge::new(name, help).expect("a well-formed metric"));
        let build = gauge("checkpoint_build_info", "Always 1; the label says which build runs.", &["version"]);
        build.with_label_values(&[host::BUILD]).set(1.0);
        let metrics = Metrics {
            scans: counter("checkpoint_scans_total", "Verdicts given.", &["lane", "verdict", "reason"]),
            time_to_verdict: histogram(
                "checkpoint_time_to_verdict_seconds",
                "First decodable frame to verdict and gate signal.",
                &["lane"],
            ),
            stages: histogram("checkpoint_stage_seconds", "Time spent in each step of a verdict.", &["stage"]),
            frames: counter("checkpoint_frames_total", "Frames by what became of them.", &["result"]),
            lifeless: gauge(
                "checkpoint_picture_lifeless",
                "1 for what has been the matter with a camera's pictures for ten seconds, 0 for the others.",
                &["lane", "cause"],
            ),
            reader_texts: counter(
                "checkpoint_reader_texts_total",
                "Texts of scan engines by what became of them.",
                &["lane", "result"],
            ),
            old_inputs: counter(
                "checkpoint_old_inputs_total",
                "What came to a lane later than a second after it happened, and was dropped.",
                &["lane", "input"],
            ),
            gate_opens: counter("checkpoint_gate_opens_total", "Times the gate was told to open.", &["lane"]),
            passages: counter(
                "checkpoint_passages_total",
                "What a passage sensor saw: passed, not-taken, forced.",
                &["lane", "passage"],
            ),
            camera_up: gauge("checkpoint_camera_up", "1 while frames arrive that show something.", &["lane"]),
            longest_round: gauge(
                "checkpoint_lane_longest_round_seconds",
                "Longest time that the lane's loop took to come round again since it began.",
                &["lane"],
            ),
            trust_age: gauge("checkpoint_trust_age_seconds", "Age of the newest verified list.", &["issuer"]),
            trust_freshness: gauge(
                "checkpoint_trust_freshness",
                "1 for the freshness an issuer's list has now, 0 for the others.",
                &["issuer", "state"],
            ),
            bursts: counter(
                "checkpoint_signature_bursts_total",
                "Times that bad signatures came in a burst: five within a minute.",
                &["lane"],
            ),
            lists_waiting: single("checkpoint_lists_waiting", "Issuers whose newer lists wait for an operator's word."),
            sync_attempts: counter("checkpoint_sync_attempts_total", "Attempts to update lists.", &["result"]),
            sync_last_success: single(
                "checkpoint_sync_last_success_timestamp_seconds",
                "When a sync last ended with verified lists; 0 for never.",
            ),
            outbox: gauge("checkpoint_outbox_rows", "Rows on their way to the operations centre.", &["state"]),
            log_rows: single("checkpoint_log_rows", "Rows in the scan log."),
            rows_lost: counter(
                "checkpoint_log_rows_lost_total",
                "Rows that were given up for want of space, or could not be written.",
                &["how"],
            ),
            clock_trust: gauge(
                "checkpoint_clock_trust",
                "1 for the trust the clock has now, 0 for the others.",
                &["state"],
            ),
            registry,
        };
        metrics.begin_lanes(lanes);
        for stage in Stage::ALL {
            let _ = metrics.stages.with_label_values(&[stage.code()]);
        }
        for result in FRAMES {
            let _ = metrics.frames.with_label_values(&[result]);
        }
        for result in SYNCS {
            let _ = metrics.sync_attempts.with_label_values(&[result]);
        }
        metrics
    }

    /// Lanes that may be new are there from now on, with what they counted before.
    pub fn begin_lanes<'a>(&self, lanes: impl IntoIterator<Item = &'a str>) {
        for lane in lanes {
            let _ = self.time_to_verdict.with_label_values(&[lane]);
            let _ = self.gate_opens.with_label_values(&[lane]);
            let _ = self.bursts.with_label_values(&[lane]);
            for input in INPUTS {
                let _ = self.old_inputs.with_label_values(&[lane, input]);
            }
        }
    }

    /// A verdict was given on `lane`, `took` after the first decodable frame.
    pub fn scan(&self, lane: &str, verdict: Verdict, reason: Reason, took: Duration) {
        self.scans.with_label_values(&[lane, verdict.code(), reason.code()]).inc();
        self.time_to_verdict.with_label_values(&[lane]).observe(took.as_secs_f64());
    }

    /// One step took so long.
    pub fn stage(&self, stage: Stage, took: Duration) {
        self.stages.with_label_values(&[stage.code()]).observe(took.as_secs_f64());
    }

    /// `count` frames ended as `result`, one of `FRAMES`.
    pub fn frames(&self, result: &'static str, count: u64) {
        self.frames.with_label_values(&[result]).inc_by(count);
    }

    /// What has been the matter with the pictures of `lane`, one of `causes`, if anything has.
    pub fn lifeless(&self, lane: &str, cause: Option<&str>, causes: &[&str]) {
        one_of(causes, cause.unwrap_or_default(), |name, value| {
            self.lifeless.with_label_values(&[lane, name]).set(value)
        });
    }

    /// So many texts came to `result` on `lane` since the start.
    pub fn reader_texts(&self, lane: &str, result: &str, texts: u64) {
        let counted = self.reader_texts.with_label_values(&[lane, result]);
        counted.inc_by(texts.saturating_sub(counted.get()));
    }

    /// Something came to `lane` too late, as one of `INPUTS`.
    pub fn old_input(&self, lane: &str, input: &'static str) {
        self.old_inputs.with_label_values(&[lane, input]).inc();
    }

    /// The gate of `lane` was told to open.
    pub fn gate_opened(&self, lane: &str) {
        self.gate_opens.with_label_values(&[lane]).inc();
    }

    /// The passage sensor of `lane` saw `passed`, `not-taken` or `forced`.
    pub fn passage(&self, lane: &str, passage: &'static str) {
        self.passages.with_label_values(&[lane, passage]).inc();
    }

    /// Whether frames arrive on `lane`.
    pub fn camera(&self, lane: &str, up: bool) {
        self.camera_up.with_label_values(&[lane]).set(f64::from(u8::from(up)));
    }

    /// The longest that the loop of `lane` took to come round again.
    pub fn longest_round(&self, lane: &str, took: Duration) {
        self.longest_round.with_label_values(&[lane]).set(took.as_secs_f64());
    }

    /// An issuer's list is so old, in seconds, and therefore `state` of `states`.
    pub fn trust(&self, issuer: &str, age: i64, state: &str, states: &[&str]) {
        #[expect(clippy::cast_precision_loss, reason = "an age in seconds is far below 2^52")]
        self.trust_age.with_label_values(&[issuer]).set(age as f64);
        one_of(states, state, |name, value| self.trust_freshness.with_label_values(&[issuer, name]).set(value));
    }

    /// A burst of bad signatures began on `lane`.
    pub fn burst(&self, lane: &str) {
        self.bursts.with_label_values(&[lane]).inc();
    }

    /// So many issuers' newer lists wait.
    pub fn lists_waiting(&self, issuers: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a country has far fewer than 2^52 issuers")]
        self.lists_waiting.set(issuers as f64);
    }

    /// A sync ended as `result`, one of `SYNCS`.
    pub fn sync(&self, result: &'static str) {
        self.sync_attempts.with_label_values(&[result]).inc();
    }

    /// When a sync last ended with verified lists, in Unix seconds: before this process began, too.
    pub fn sync_last_success(&self, at: i64) {
        #[expect(clippy::cast_precision_loss, reason = "Unix seconds are far below 2^52")]
        self.sync_last_success.set(at as f64);
    }

    /// Rows in the outbox by state.
    pub fn outbox(&self, state: &str, rows: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a row count on one board is far below 2^52")]
        self.outbox.with_label_values(&[state]).set(rows as f64);
    }

    /// Rows in the log.
    pub fn log_rows(&self, rows: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a row count on one board is far below 2^52")]
        self.log_rows.set(rows as f64);
    }

    /// So many rows were given up for want of space since the start, and so many could not be written.
    pub fn rows_lost(&self, given_up: u64, failed: u64) {
        for (how, rows) in [("given-up", given_up), ("failed", failed)] {
            let lost = self.rows_lost.with_label_values(&[how]);
            lost.inc_by(rows.saturating_sub(lost.get()));
        }
    }

    /// How far the clock is believed: `state` of `states`.
    pub fn clock(&self, state: &str, states: &[&str]) {
        one_of(states, state, |name, value| self.clock_trust.with_label_values(&[name]).set(value));
    }

    /// Everything as Prometheus text 0.0.4.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("writing to memory does not fail");
        String::from_utf8(text).expect("Prometheus text is UTF-8")
    }

    /// Writes the text to `path` for node_exporter, which must never see half a file.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn write_textfile(&self, path: &Path) -> io::Result<()> {
        atomic_file::publish(path, &self.text())
    }
}

fn keep<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> C {
    registry.register(Box::new(collector.clone())).expect("each metric is registered once");
    collector
}

fn one_of(states: &[&str], now: &str, set: impl Fn(&str, f64)) {
    for state in states {
        set(state, f64::from(u8::from(*state == now)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_counted_by_lane_verdict_and_reason() {
        let metrics = Metrics::new(["1"]);
        metrics.scan("1", Verdict::Refer, Reason::ColourYellow, Duration::from_millis(42));
        let text = metrics.text();
        assert!(
            text.contains(r#"checkpoint_scans_total{lane="1",reason="colour-yellow",verdict="refer"} 1"#),
            "{text}"
        );
        assert!(text.contains(r#"checkpoint_time_to_verdict_seconds_bucket{lane="1",le="0.05"} 1"#), "{text}");
    }

    #[test]
    fn what_has_not_happened_yet_is_counted_as_none_and_not_left_out() {
        let text = Metrics::new(["1"]).text();
        for none in [
            r#"checkpoint_gate_opens_total{lane="1"} 0"#,
            r#"checkpoint_frames_total{result="damaged"} 0"#,
            r#"checkpoint_sync_attempts_total{result="failed"} 0"#,
            r#"checkpoint_stage_seconds_count{stage="luma"} 0"#,
        ] {
            assert!(text.contains(none), "{none}: {text}");
        }
    }
}
