//! The device's state in one value: for the operator's page, for `checkpointd status`, and for whoever scripts.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use trustlist::lists::Names;

use crate::strings::Strings;

/// Everything worth knowing at a glance. No persons.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The build that runs.
    pub build: String,
    /// The number that this daemon drew at its start: [`host::instance`].
    #[serde(default)]
    pub instance: String,
    /// The checkpoint's name.
    pub checkpoint: String,
    /// RFC 3339.
    pub time: String,
    /// `synced`, `holdover`, `floor-only` or `untrusted`.
    pub time_trust: String,
    /// Degraded states.
    pub faults: Vec<DegradedStatus>,
    /// The queue before all lanes.
    pub queue: QueueStatus,
    /// Each lane.
    pub lanes: Vec<LaneStatus>,
    /// Each issuer's list.
    pub lists: Vec<ListStatus>,
    /// The scan log.
    pub log: LogStatus,
    /// List sync.
    pub sync: SyncStatus,
    /// The latest verdicts, newest first.
    pub recent: Vec<RecentScan>,
    /// The last day by quarters of an hour, oldest first; those without anything are left out.
    #[serde(default)]
    pub today: Vec<QuarterStatus>,
}

/// A quarter of an hour: see [`lane::today`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QuarterStatus {
    /// Its beginning, in milliseconds since 1970.
    pub from_ms: i64,
    /// Admitted.
    pub admit: u32,
    /// Referred.
    pub refer: u32,
    /// Refused.
    pub refuse: u32,
    /// Decided by hand.
    pub by_hand: u32,
    /// Mean of the predicted waits, in seconds.
    pub wait_s: Option<f64>,
    /// Median and 95th percentile, in milliseconds.
    pub time_to_verdict_ms: Option<[f64; 2]>,
}

/// A degraded state; codes are those of [`super::view::DegradedState`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DegradedStatus {
    /// The stable code.
    pub code: String,
    /// The fact behind it.
    pub detail: String,
}

/// See [`lane::queue::Queue`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueStatus {
    /// Arrivals a minute.
    pub per_minute: f64,
    /// Share of the lanes' time that is taken.
    pub utilisation: Option<f64>,
    /// Predicted mean wait in seconds.
    pub wait_s: Option<f64>,
    /// Whether one more lane would help.
    pub open_one_more: bool,
}

/// One lane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LaneStatus {
    /// Its name.
    pub lane: String,
    /// Frames arrive.
    pub camera_up: bool,
    /// What has been the matter with them for ten seconds: `black`, `white`, `flat`, `torn` or `frozen`.
    #[serde(default)]
    pub lifeless: Option<String>,
    /// Its scan engines.
    #[serde(default)]
    pub readers: Vec<ReaderStatus>,
    /// Frames a second that were looked at.
    pub frames_per_second: Option<f64>,
    /// Why the latest frame with something like a symbol in it was not read: `blurred`, `too-small`, `too-bright` or `too-dark`.
    pub no_read: Option<String>,
    /// Seconds since then.
    pub no_read_age_s: Option<u64>,
    /// Verdicts a minute.
    pub per_minute: f64,
    /// Seconds from one traveller to the next.
    pub cycle_s: Option<f64>,
    /// Share of each verdict.
    pub verdicts: std::collections::BTreeMap<String, f64>,
    /// Count of each reason.
    pub reasons: std::collections::BTreeMap<String, usize>,
    /// 50th, 95th and 99th percentile in milliseconds.
    pub time_to_verdict_ms: Option<[f64; 3]>,
    /// Verdicts by time-to-verdict: so many milliseconds at most and more than the step before, and how many; no end for the last.
    pub times: Vec<(Option<u16>, usize)>,
    /// Verdicts in each of the last thirty ten-second steps.
    pub steps: Vec<usize>,
}

/// One scan engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReaderStatus {
    /// Where it is.
    pub reader: String,
    /// Texts since the start by what became of them: `read`, `malformed`, `not-a-pass-code`, `old`, `crowded` or `too-long`.
    pub texts: std::collections::BTreeMap<String, u64>,
    /// Texts that nothing ended but silence.
    pub without_suffix: u64,
    /// Texts that had something around them.
    pub wrapped: u64,
    /// What its installer should change.
    pub advice: Option<String>,
}

/// One issuer's list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListStatus {
    /// Division code.
    pub issuer: String,
    /// Names for people, in Chinese and English.
    pub names: Names,
    /// `fresh`, `grace`, `restricted`, `stale` or `missing`.
    pub freshness: String,
    /// Age in seconds of the newest verified metadata.
    pub age_s: Option<i64>,
    /// Its number.
    pub generation: Option<u64>,
}

/// The scan log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogStatus {
    /// Rows kept.
    pub rows: Option<u64>,
    /// Rows not yet acknowledged by the operations centre.
    pub outbox_pending: Option<u64>,
    /// Rows that it refused; `checkpointd log outbox` lists them.
    pub outbox_dead: Option<u64>,
    /// Why rows wait: what the last attempt to send some came to.
    pub upload_waits: Option<String>,
    /// Acknowledged rows given up for want of space since the start.
    pub given_up: Option<u64>,
    /// Rows that could not be written since the start.
    pub failed: Option<u64>,
}

/// List sync.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncStatus {
    /// RFC 3339 of the last attempt.
    pub last_attempt: Option<String>,
    /// RFC 3339 of the last sync that ended with verified lists.
    pub last_success: Option<String>,
    /// Seconds since.
    pub age_s: Option<i64>,
    /// What the last attempt came to.
    pub last_result: Option<String>,
    /// Newer lists that wait for an operator's word, and why.
    pub waiting: Option<String>,
}

/// One verdict of the recent past.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecentScan {
    /// The row's identity; absent where no row could be written.
    pub scan: Option<String>,
    /// What an officer made of it, where one decided otherwise.
    pub by_hand: Option<String>,
    /// RFC 3339.
    pub time: String,
    /// The lane.
    pub lane: String,
    /// The verdict.
    pub verdict: String,
    /// The reason code.
    pub reason: String,
    /// Division code of the issuer, where it was proven.
    pub issuer: Option<String>,
}

/// The terminal's language, whose words are those of the operator's page.
const TERMINAL: &str = "en";
/// As many of the latest verdicts fit beside the rest on a terminal.
const RECENT: usize = 8;

impl Status {
    /// The same for a terminal, in the order and the words of the operator's page.
    #[must_use]
    pub fn text(&self) -> String {
        let words = Strings::built_in();
        let word = |key: String| words.word(TERMINAL, &key).unwrap_or_default().to_owned();
        let mut text = format!("{}  build {}  {}  clock {}\n", self.checkpoint, self.build, self.time, self.time_trust);
        for DegradedStatus { code, detail } in &self.faults {
            let what = format!("attention: {code} {detail}");
            let (told, next) = (word(format!("fault.{code}")), word(format!("fault.{code}.do")));
            let _ = writeln!(text, "{}\n           {told}: {next}", what.trim_end());
        }
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let _ = writeln!(
            text,
            "queue     {:.1} a minute, utilisation {}, wait {}{}",
            self.queue.per_minute,
            or_dash(self.queue.utilisation.map(|share| format!("{:.0} %", share * 100.0))),
            or_dash(self.queue.wait_s.map(|seconds| format!("{seconds:.1} s"))),
            if self.queue.open_one_more { "  open one more lane" } else { "" },
        );
        self.log_text(&mut text);
        text.extend(self.lanes.iter().map(LaneStatus::text));
        let sum = |of: fn(&QuarterStatus) -> u32| self.today.iter().map(of).fold(0, u32::saturating_add);
        let _ = writeln!(
            text,
            "a day     {} admitted, {} referred, {} refused, {} decided by hand",
            sum(|quarter| quarter.admit),
            sum(|quarter| quarter.refer),
            sum(|quarter| quarter.refuse),
            sum(|quarter| quarter.by_hand),
        );
        let seen = self.recent.iter().filter(|scan| scan.verdict != "admit" || scan.by_hand.is_some());
        for scan in seen.take(RECENT) {
            let _ = writeln!(
                text,
                "scan      {} lane {} {:<7}{:<22}{:<7}{}",
                scan.time,
                scan.lane,
                scan.verdict,
                scan.reason,
                scan.issuer.as_deref().unwrap_or("-"),
                scan.by_hand.as_ref().map(|verdict| format!("by hand: {verdict}")).unwrap_or_default(),
            );
        }
        let (fresh, old): (Vec<_>, Vec<_>) = self.lists.iter().partition(|list| list.freshness == "fresh");
        for list in &old {
            let _ = writeln!(
                text,
                "list      {:<7}{:<11} {:>8}  {} {}",
                list.issuer,
                list.freshness,
                or_dash(list.age_s.map(age)),
                list.names.en,
                list.names.zh,
            );
        }
        let rest = word(if old.is_empty() { "operator.all-fresh" } else { "operator.fresh" }.to_owned());
        let _ = writeln!(text, "lists     {}", rest.replace("{}", &fresh.len().to_string()));
        text
    }

    fn log_text(&self, text: &mut String) {
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let _ = writeln!(
            text,
            "log       {} rows, {} to upload",
            or_dash(self.log.rows.map(|rows| rows.to_string())),
            or_dash(self.log.outbox_pending.map(|rows| rows.to_string())),
        );
        for (rows, what) in [
            (self.log.outbox_dead, "refused by the centre: checkpointd log outbox"),
            (self.log.given_up, "given up for want of space"),
            (self.log.failed, "could not be written"),
        ] {
            if let Some(rows @ 1..) = rows {
                let _ = writeln!(text, "          {rows} {what}");
            }
        }
        if let Some(why) = &self.log.upload_waits {
            let _ = writeln!(text, "          the upload waits: {why}");
        }
        let _ = writeln!(text, "sync      {}", or_dash(self.sync.last_result.clone()));
        if let Some(waiting) = &self.sync.waiting {
            let _ = writeln!(text, "waiting   {waiting}");
        }
    }
}

impl LaneStatus {
    fn text(&self) -> String {
        let camera = match (self.camera_up, self.frames_per_second) {
            (true, Some(rate)) => format!("up, {rate:.0} pictures a second"),
            (true, None) => "up".to_owned(),
            (false, _) => "down".to_owned(),
        };
        let mut text =
            format!("lane {:<5}{:.1} a minute, camera {camera}, time to verdict ", self.lane, self.per_minute);
        let _ = match self.time_to_verdict_ms {
            Some([p50, p95, p99]) => writeln!(text, "p50 {p50:.0} p95 {p95:.0} p99 {p99:.0} ms"),
            None => writeln!(text, "-"),
        };
        if let Some(cycle) = self.cycle_s {
            let _ = writeln!(text, "          one traveller every {cycle:.1} s while there is a queue");
        }
        let shares: Vec<String> =
            self.verdicts.iter().map(|(verdict, share)| format!("{verdict} {:.0} %", share * 100.0)).collect();
        if !shares.is_empty() {
            let reasons: Vec<String> = self.reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
            let _ = writeln!(text, "          {} ({})", shares.join(", "), reasons.join(", "));
        }
        if let Some(cause) = &self.lifeless {
            let _ = writeln!(text, "          its pictures show nothing: {cause}");
        }
        for reader in &self.readers {
            let texts: Vec<String> = reader.texts.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
            let texts = if texts.is_empty() { "no text yet".to_owned() } else { texts.join(", ") };
            let _ = writeln!(text, "          {}: {texts}", reader.reader);
            if let Some(advice) = &reader.advice {
                let _ = writeln!(text, "          {}: {advice}", reader.reader);
            }
        }
        if let (Some(why), Some(ago)) = (&self.no_read, self.no_read_age_s) {
            let _ = writeln!(text, "          a code was last not read {ago} s ago: {why}");
        }
        text
    }
}

/// An age for people: minutes, hours or days.
#[must_use]
pub fn age(seconds: i64) -> String {
    match seconds {
        ..5400 => format!("{} min", seconds / 60),
        5400..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terminal_names_each_degraded_state_and_each_list_with_its_age() {
        let status = Status {
            checkpoint: "Guangzhou South".to_owned(),
            faults: vec![DegradedStatus { code: "list-grace".to_owned(), detail: "420000".to_owned() }],
            lists: vec![ListStatus {
                issuer: "420000".to_owned(),
                freshness: "grace".to_owned(),
                age_s: Some(93_600),
                ..ListStatus::default()
            }],
            ..Status::default()
        };
        let text = status.text();
        assert!(text.contains("attention: list-grace 420000"), "{text}");
        assert!(text.contains("420000 grace           26 h"), "{text}");
        assert!(text.contains("List due for update: Connect, or plug in the update stick"), "{text}");
        let order =
            ["attention:", "queue ", "log ", "a day", "list ", "lists "].map(|part| text.find(part).expect("there"));
        assert!(order.is_sorted(), "as on the page: {text}");
    }

    #[test]
    fn the_terminal_tells_of_a_lane_what_the_operators_page_does() {
        let lane = LaneStatus {
            lane: "1".to_owned(),
            camera_up: true,
            frames_per_second: Some(29.6),
            no_read: Some("blurred".to_owned()),
            no_read_age_s: Some(12),
            per_minute: 24.0,
            cycle_s: Some(2.4),
            verdicts: [("admit".to_owned(), 0.9), ("refer".to_owned(), 0.1)].into(),
            reasons: [("colour-yellow".to_owned(), 1), ("ok".to_owned(), 9)].into(),
            time_to_verdict_ms: Some([21.0, 34.0, 40.0]),
            ..LaneStatus::default()
        };
        let recent = RecentScan {
            time: "2021-02-01T00:00:00Z".to_owned(),
            lane: "1".to_owned(),
            verdict: "refer".to_owned(),
            reason: "colour-yellow".to_owned(),
            by_hand: Some("admit".to_owned()),
            ..RecentScan::default()
        };
        let log = LogStatus {
            rows: Some(20),
            outbox_pending: Some(7),
            outbox_dead: Some(2),
            upload_waits: Some("no route".to_owned()),
            given_up: Some(1024),
            failed: Some(0),
        };
        let text = Status { lanes: vec![lane], log, recent: vec![recent], ..Status::default() }.text();
        assert!(!text.contains("could not be written"), "{text}");
        for part in [
            "lane 1    24.0 a minute, camera up, 30 pictures a second, time to verdict p50 21 p95 34 p99 40 ms\n",
            "          one traveller every 2.4 s while there is a queue\n",
            "          admit 90 %, refer 10 % (colour-yellow 1, ok 9)\n",
            "          a code was last not read 12 s ago: blurred\n",
            "log       20 rows, 7 to upload\n          2 refused by the centre: checkpointd log outbox\n          1024 given up for want of space\n",
            "          the upload waits: no route\n",
            "scan      2021-02-01T00:00:00Z lane 1 refer  colour-yellow         -      by hand: admit\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
