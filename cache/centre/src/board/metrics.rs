//! Metrics for Prometheus: every post of the registry, heard or not, by the time its word arrived here.
//!
//! Times, not ages: a gauge that nobody updates does not grow, and its alert would resolve itself when the series goes stale.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus::{Encoder, GaugeVec, IntCounter, Opts, Registry, TextEncoder};

use super::questions::Snapshot;
use crate::front::Front;

/// The text of a scrape.
pub fn text(snapshot: &Snapshot, front: &Front) -> Result<String, prometheus::Error> {
    let registry = Registry::new();
    let gauge = |name: &str, help: &str, labels: &[&str]| {
        let gauge = GaugeVec::new(Opts::new(name, help), labels)?;
        registry.register(Box::new(gauge.clone()))?;
        Ok::<GaugeVec, prometheus::Error>(gauge)
    };
    let seen = gauge(
        "checkpoint_post_last_seen_timestamp_seconds",
        "When anything of the post last arrived; of one never heard, when it was enrolled.",
        &["post", "station"],
    )?;
    let never = gauge("checkpoint_post_never_seen", "1 where nothing of the post ever arrived.", &["post"])?;
    let rows = gauge("checkpoint_post_rows", "Rows of the post's log that are durable here.", &["post"])?;
    let scan = gauge(
        "checkpoint_lane_last_scan_timestamp_seconds",
        "The lane's newest scan, by its post's clock.",
        &["post", "lane"],
    )?;
    let silent =
        gauge("checkpoint_lane_silent", "1 where a lane is silent against its own rhythm.", &["post", "lane"])?;
    let list = gauge(
        "checkpoint_post_list_timestamp_seconds",
        "When the issuer's newest list at the post was issued.",
        &["post", "issuer"],
    )?;
    let clock = gauge("checkpoint_post_clock_confirmed", "1 where the post's clock is confirmed.", &["post"])?;
    let outbox = gauge("checkpoint_post_outbox_rows", "Rows that no receipt covers.", &["post"])?;
    let oldest = gauge(
        "checkpoint_post_outbox_oldest_timestamp_seconds",
        "When the oldest row that no receipt covers was written.",
        &["post"],
    )?;
    let camera = gauge("checkpoint_post_camera_up", "1 where a lane's pictures can be believed.", &["post", "lane"])?;
    let alarm = gauge("checkpoint_post_alarm", "1 for each alarm of a post that was not cleared.", &["post", "kind"])?;
    for post in &snapshot.posts {
        let name = post.name.as_str();
        seen.with_label_values(&[name, &post.station]).set(unix(post.seen.unwrap_or(post.since)));
        never.with_label_values(&[name]).set(f64::from(u8::from(post.seen.is_none())));
        rows.with_label_values(&[name]).set(post.rows as f64);
        for lane in &post.lanes {
            scan.with_label_values(&[name, &lane.lane]).set(unix(lane.last.unwrap_or(post.since)));
            silent.with_label_values(&[name, &lane.lane]).set(f64::from(u8::from(lane.silent)));
        }
        for (kind, _) in &post.alarms {
            alarm.with_label_values(&[name, kind]).set(1.0);
        }
        if let Some((_, trust, _)) = &post.clock {
            let confirmed = matches!(trust.as_str(), "synced" | "holdover");
            clock.with_label_values(&[name]).set(f64::from(u8::from(confirmed)));
        }
        let Some((vitals, (_, _, arrived))) = post.vitals.as_ref().zip(post.clock.as_ref()) else { continue };
        for (issuer, age) in &vitals.list_age_s {
            list.with_label_values(&[name, &issuer.to_string()]).set(unix(*arrived) - *age as f64);
        }
        for (lane, good) in &vitals.cameras {
            camera.with_label_values(&[name, lane]).set(f64::from(u8::from(*good)));
        }
        outbox.with_label_values(&[name]).set(vitals.outbox as f64);
        let age = vitals.outbox_age_s.filter(|_| vitals.outbox > 0).unwrap_or(0);
        oldest.with_label_values(&[name]).set(unix(*arrived) - age as f64);
    }
    let count = |name: &str, help: &str, value: u64| {
        let counter = IntCounter::new(name, help)?;
        counter.inc_by(value);
        registry.register(Box::new(counter))
    };
    let (written, answered) = (front.way.counts(), &front.answers);
    count("checkpoint_centre_rows_total", "Rows committed.", written.rows.load(Relaxed))?;
    count("checkpoint_centre_receipts_total", "Batches answered with a receipt.", written.batches.load(Relaxed))?;
    count("checkpoint_centre_commits_total", "Transactions committed.", written.groups.load(Relaxed))?;
    count("checkpoint_centre_commit_failures_total", "Transactions that failed.", written.failures.load(Relaxed))?;
    count("checkpoint_centre_dead_letters_total", "Batches that will never be taken.", written.letters.load(Relaxed))?;
    count(
        "checkpoint_centre_strangers_total",
        "Requests of nobody who is enrolled.",
        answered.strangers.load(Relaxed),
    )?;
    count("checkpoint_centre_throttled_total", "Requests that were asked to wait.", answered.throttled.load(Relaxed))?;
    count("checkpoint_centre_refused_total", "Batches with no shape or no proof.", answered.refused.load(Relaxed))?;
    count("checkpoint_centre_health_lines_total", "Health lines taken.", answered.health.load(Relaxed))?;
    let mut out = Vec::new();
    TextEncoder::new().encode(&registry.gather(), &mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn unix(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
