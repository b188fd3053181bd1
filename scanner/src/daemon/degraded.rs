//! The calm band: which degraded states there are now, each with the fact behind it. Pure.

use std::{sync::atomic::Ordering, time::Duration};

use host::service_window;
use lane::watchdog::CameraState;
use page::view::DegradedState;
use sync::lists::named;
use trustlist::{
    freshness::Freshness,
    region::Region,
    time::{Moment, TimeTrust},
    trust::Trust,
};

use super::shared::{Shared, lock};

/// A late row is shown this long.
const LATE_FOR: Duration = Duration::from_secs(60);

/// Every degraded state.
pub fn faults(shared: &Shared, trust: &Trust, moment: Moment) -> Vec<DegradedState> {
    let mut faults = list_faults(shared, trust, moment);
    let mut add = |code, detail| faults.push(DegradedState { code, detail });
    for remark in lock(&shared.remarks).iter() {
        add(remark.code, remark.detail.clone());
    }
    if let Some(held) = &*lock(&shared.held) {
        add("list-held", held.line());
    }
    if moment.trust == TimeTrust::Untrusted {
        add("clock-untrusted", moment.at.to_string());
    }
    let ahead: Vec<Region> = trust.from_the_future(moment).collect();
    if !ahead.is_empty() {
        add("list-from-the-future", named(&ahead));
    }
    if let Some(left) = service_window::remaining(&shared.config.places.runtime, shared.time.clock().calendar()) {
        add("service-window", format!("{} min", left.as_secs().div_ceil(60)));
    }
    if let Some(aside) = &shared.log_set_aside {
        add("log-quarantined", aside.clone());
    }
    if let Some(damage) = shared.log_damaged.get() {
        add("log-damaged", damage.clone());
    }
    if let Some(rows) = *lock(&shared.log_overdue) {
        add("log-overdue", rows.to_string());
    }
    if let Some(trouble) = lock(&shared.log_trouble).clone() {
        add("log-unavailable", trouble);
    }
    let now = shared.now();
    for (lane, settings) in shared.lanes.iter().zip(&shared.config.lane) {
        let name = &settings.id;
        if lane.camera() == CameraState::Lost {
            let why = lock(&lane.camera_trouble).clone().unwrap_or_default();
            add("camera-lost", format!("{name}: {why}"));
        }
        if let Some(cause) = *lock(&lane.lifeless) {
            add("picture-lifeless", format!("{name}: {}", cause.advice()));
        }
        if lane.alarm.load(Ordering::Relaxed) {
            add("fire", name.clone());
        }
        if let Some(trouble) = lock(&lane.gate_trouble).clone() {
            add("gate-fault", format!("{name}: {trouble}"));
        }
        let late_at = Duration::from_millis(lane.late_at.load(Ordering::Relaxed));
        if !late_at.is_zero() && now.saturating_sub(late_at) < LATE_FOR {
            let rows = lane.late_rows.load(Ordering::Relaxed);
            add("commit-late", format!("{name}: {rows}"));
        }
        if let Some(bad) = lane.history().burst(now) {
            add("signature-burst", format!("{name}: {bad}"));
        }
    }
    faults.sort();
    faults
}

/// One line for each rung of the ladder that any issuer stands on, with the issuers.
fn list_faults(shared: &Shared, trust: &Trust, moment: Moment) -> Vec<DegradedState> {
    if trust.is_empty() {
        return vec![DegradedState { code: "list-missing", detail: String::new() }];
    }
    let profile = trust.profile(shared.config.checkpoint.profile.as_deref());
    let mut faults = Vec::new();
    let rungs = [
        ("list-grace", Some(Freshness::Grace)),
        ("list-restricted", Some(Freshness::Restricted)),
        ("list-stale", Some(Freshness::Stale)),
        ("list-missing", None),
    ];
    for (code, rung) in rungs {
        let on_it: Vec<Region> = trust
            .issuers()
            .map(|issuer| issuer.entry.id)
            .filter(|issuer| trust.freshness(*issuer, moment, &profile).map(|(_, now)| now) == rung)
            .collect();
        if !on_it.is_empty() {
            faults.push(DegradedState { code, detail: named(&on_it) });
        }
    }
    faults
}
