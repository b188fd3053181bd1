//! The calm band: which degraded states there are now, each with the fact behind it. Pure.

use std::time::Duration;

use lane::watchdog::CameraState;
use page::view::DegradedState;
use sync::lists::named;
use trustlist::{
    freshness::Freshness,
    region::Region,
    time::{Moment, TimeTrust},
    trust::Trust,
};

use super::{
    lane_report::{LaneReport, LaneView},
    lists_in_force::ListsState,
    log_health::LogState,
    settings::ReportSettings,
};

/// A late row is shown this long.
const LATE_FOR: Duration = Duration::from_secs(60);

/// What the device is judged by, all of one moment.
pub struct Seen<'a> {
    /// Post and policy.
    pub settings: &'a ReportSettings,
    /// Every lane with what it says of itself.
    pub lanes: &'a [(LaneView, LaneReport)],
    /// How the lists are.
    pub lists: &'a ListsState,
    /// How the log is.
    pub log: &'a LogState,
    /// Why rows cannot be sent at all.
    pub upload: Option<String>,
    /// For how long a service window stays open.
    pub window: Option<Duration>,
    /// The moment, since the daemon began.
    pub now: Duration,
}

/// Every degraded state.
pub fn faults(seen: &Seen<'_>, trust: &Trust, moment: Moment) -> Vec<DegradedState> {
    let Seen { settings, lanes, lists, log, upload, window, now } = seen;
    let mut faults = list_faults(settings.profile.as_deref(), trust, moment);
    let mut add = |code, detail| faults.push(DegradedState { code, detail });
    for remark in &lists.remarks {
        add(remark.code, remark.detail.clone());
    }
    if let Some(held) = &lists.held {
        add("list-held", held.line());
    }
    if moment.trust == TimeTrust::Untrusted {
        add("clock-untrusted", moment.at.to_string());
    }
    let ahead: Vec<Region> = trust.from_the_future(moment).collect();
    if !ahead.is_empty() {
        add("list-from-the-future", named(&ahead));
    }
    if let Some(left) = window {
        add("service-window", format!("{} min", left.as_secs().div_ceil(60)));
    }
    if let Some(aside) = &log.set_aside {
        add("log-quarantined", aside.clone());
    }
    if let Some(damage) = &log.damaged {
        add("log-damaged", damage.clone());
    }
    if let Some(rows) = log.overdue {
        add("log-overdue", rows.to_string());
    }
    if let Some(trouble) = &log.unavailable {
        add("log-unavailable", trouble.clone());
    }
    if let Some(trouble) = upload {
        add("upload-unavailable", trouble.clone());
    }
    for (lane, report) in *lanes {
        let name = &lane.settings.lane.id;
        let camera = lane.camera.at(*now);
        if camera.state == CameraState::Lost && !report.ended {
            add("camera-lost", format!("{name}: {}", camera.trouble.unwrap_or_default()));
        }
        if let Some(cause) = report.lifeless {
            add("picture-lifeless", format!("{name}: {}", cause.advice()));
        }
        if report.alarm {
            add("fire", name.clone());
        }
        if let Some(trouble) = &report.gate_trouble {
            add("gate-fault", format!("{name}: {trouble}"));
        }
        if report.late_at.is_some_and(|late_at| now.saturating_sub(late_at) < LATE_FOR) {
            add("commit-late", format!("{name}: {}", report.late_rows));
        }
        if let Some(bad) = report.history.burst(*now) {
            add("signature-burst", format!("{name}: {bad}"));
        }
    }
    faults.sort();
    faults
}

/// One line for each rung of the ladder that any issuer stands on, with the issuers.
fn list_faults(profile: Option<&str>, trust: &Trust, moment: Moment) -> Vec<DegradedState> {
    if trust.is_empty() {
        return vec![DegradedState { code: "list-missing", detail: String::new() }];
    }
    let profile = trust.profile(profile);
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
