//! How this post is, in a centre's words: what the page shows, without what is nobody else's business.

use cache::{
    exchange::{Health, Vitals},
    log::UnixMillis,
};
use page::status::Status;
use trustlist::time::TimeTrust;
use uuid::Uuid;

/// From the state that the page shows; what only the log knows is filled in where the line is signed.
#[must_use]
pub fn describe(post: &str, status: &Status) -> Health {
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
            list_age_s: status.lists.iter().filter_map(age).collect(),
            cameras: status.lanes.iter().map(seen).collect(),
            attentions: status.faults.iter().map(|fault| fault.code.clone()).collect(),
            ..Vitals::default()
        },
    }
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
            ..Status::default()
        };
        let health = describe("gate-3", &status);
        assert_eq!((health.time_trust, health.at), (TimeTrust::Holdover, UnixMillis(1_612_166_400_000)));
        assert_eq!(health.vitals.cameras, [("1".to_owned(), true), ("2".to_owned(), false)].into());
        assert_eq!(health.vitals.list_age_s.values().copied().collect::<Vec<_>>(), [7200]);
        assert_eq!(health.vitals.attentions, ["list-stale"]);
        assert_eq!(describe("gate-3", &Status::default()).time_trust, TimeTrust::Untrusted, "nothing is known yet");
    }
}
