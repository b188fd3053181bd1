//! How this post is, in a centre's words: what the page shows, without what is nobody else's business.

use std::path::Path;

use cache::{
    exchange::{Health, Vitals},
    log::UnixMillis,
};
use host::{believed_time::BelievedTime, board};
use page::status::{QueueStatus, Status};
use trustlist::{
    time::{TimeTrust, clock::Because},
    trust::Trust,
};
use uuid::Uuid;

/// What the page does not show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Room where the log lies, in MiB.
    pub disk_free_mib: Option<u64>,
    /// The board's temperature, in thousandths of a degree Celsius.
    pub temperature_mc: Option<i64>,
    /// Why the clock is believed as far as it is.
    pub clock_evidence: Option<Because>,
}

impl Surroundings {
    /// As they are now, for a log in this folder.
    #[must_use]
    pub fn now(folder: &Path, time: &BelievedTime, trust: &Trust) -> Surroundings {
        Surroundings {
            disk_free_mib: board::free_mib(folder),
            temperature_mc: board::temperature_mc(Path::new(board::THERMOMETERS)),
            clock_evidence: Some(time.judged(Some(trust)).because),
        }
    }
}

/// From the state that the page shows, and what it does not; what only the log knows is filled in where the line is signed.
#[must_use]
pub fn describe(post: &str, status: &Status, around: &Surroundings) -> Health {
    let trusts = [TimeTrust::Synced, TimeTrust::Holdover, TimeTrust::FloorOnly];
    let time_trust = trusts.into_iter().find(|trust| trust.code() == status.time_trust);
    let at = status.time.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond);
    let age = |list: &page::status::ListStatus| Some((list.issuer.parse().ok()?, list.age_s?));
    let seen = |lane: &page::status::LaneStatus| (lane.lane.clone(), lane.camera_up && lane.lifeless.is_none());
    Health {
        post: post.to_owned(),
        log: Uuid::nil(),
        counter: 0,
        at: UnixMillis(at),
        time_trust: time_trust.unwrap_or(TimeTrust::Untrusted),
        vitals: Vitals {
            build: status.build.clone(),
            clock_evidence: around.clock_evidence.map(word),
            queue: waiting(&status.queue),
            disk_free_mib: around.disk_free_mib,
            temperature_mc: around.temperature_mc,
            list_age_s: status.lists.iter().filter_map(age).collect(),
            cameras: status.lanes.iter().map(seen).collect(),
            attentions: status.faults.iter().map(|fault| fault.code.clone()).collect(),
            ..Vitals::default()
        },
    }
}

/// The stable word, as `clock show --json` prints it.
fn word(because: Because) -> String {
    serde_json::to_value(because).ok().and_then(|word| Some(word.as_str()?.to_owned())).unwrap_or_default()
}

/// Travellers that wait: as many as come in the time that one waits (Little's law). `None` while nobody can say how long that is.
fn waiting(queue: &QueueStatus) -> Option<u32> {
    let waiting = queue.per_minute / 60.0 * queue.wait_s?;
    // Whatever the estimate says, no checkpoint holds more; a number that is none becomes 0.
    Some(waiting.round().clamp(0.0, f64::from(u16::MAX)) as u32)
}

#[cfg(test)]
mod tests {
    use page::status::{DegradedStatus, LaneStatus, ListStatus};

    use super::*;

    #[test]
    fn a_post_says_of_itself_what_its_page_shows() {
        let status = Status {
            build: "0.1.0".to_owned(),
            time: "2021-02-01T08:00:00Z".to_owned(),
            time_trust: "holdover".to_owned(),
            lanes: vec![
                LaneStatus { lane: "1".to_owned(), camera_up: true, ..LaneStatus::default() },
                LaneStatus {
                    lane: "2".to_owned(),
                    camera_up: true,
                    lifeless: Some("frozen".to_owned()),
                    ..LaneStatus::default()
                },
            ],
            lists: vec![
                ListStatus { issuer: "420000".to_owned(), age_s: Some(7200), ..ListStatus::default() },
                ListStatus { issuer: "440000".to_owned(), ..ListStatus::default() },
            ],
            faults: vec![DegradedStatus { code: "list-stale".to_owned(), ..DegradedStatus::default() }],
            queue: QueueStatus { per_minute: 6.0, wait_s: Some(40.0), ..QueueStatus::default() },
            ..Status::default()
        };
        let around = Surroundings {
            disk_free_mib: Some(900),
            temperature_mc: Some(47_236),
            clock_evidence: Some(Because::ServiceWasHeard),
        };
        let health = describe("gate-3", &status, &around);
        assert_eq!(health.vitals.queue, Some(4), "six a minute, each of whom waits two thirds of one");
        assert_eq!((health.vitals.disk_free_mib, health.vitals.temperature_mc), (Some(900), Some(47_236)));
        assert_eq!(health.vitals.clock_evidence.as_deref(), Some("service-was-heard"));
        assert_eq!((health.time_trust, health.at), (TimeTrust::Holdover, UnixMillis(1_612_166_400_000)));
        assert_eq!(health.vitals.cameras, [("1".to_owned(), true), ("2".to_owned(), false)].into());
        assert_eq!(health.vitals.list_age_s.values().copied().collect::<Vec<_>>(), [7200]);
        assert_eq!(health.vitals.attentions, ["list-stale"]);
        let nothing = describe("gate-3", &Status::default(), &Surroundings::default());
        assert_eq!(nothing.time_trust, TimeTrust::Untrusted, "nothing is known yet");
        assert_eq!((nothing.vitals.queue, nothing.vitals.temperature_mc), (None, None));
    }
}
