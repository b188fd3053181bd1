//! The page, from a snapshot: server-rendered, no script, refreshed by the browser.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use jiff::{Timestamp, tz::TimeZone};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    need::Need,
    questions::{Post, Snapshot},
};

/// Posts that are shown one by one; the others are counted.
const SHOWN: usize = 200;
const STYLE: &str = "
:root{color-scheme:light dark}body{font:16px/1.4 system-ui,'Noto Sans CJK SC',sans-serif;margin:1.5rem;max-width:90rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}table{border-collapse:collapse;width:100%;display:block;overflow-x:auto}
th{text-align:left;font-weight:600;border-bottom:2px solid}td,th{padding:.25rem .8rem .25rem 0;vertical-align:top}
td{border-bottom:1px solid #8884}.n{text-align:right;font-variant-numeric:tabular-nums}
.worst{background:#b00020;color:#fff}.warn{background:#ffb000;color:#000}.fine{background:#0a7d33;color:#fff}
b.worst,b.warn,b.fine{padding:.05rem .45rem;border-radius:.3rem;font-weight:600;display:inline-block;margin:.1rem .3rem .1rem 0}
.sum{display:flex;gap:1.5rem;flex-wrap:wrap;margin:.8rem 0}.sum b{font-size:1.3rem;margin-right:.4rem}
.trouble{background:#b00020;color:#fff;padding:.6rem 1rem;border-radius:.3rem}small{opacity:.75}";

/// The whole page; `trouble` is what the writer last complained of.
#[must_use]
pub fn page(snapshot: Option<&Snapshot>, trouble: &str, zone: &TimeZone) -> String {
    let name = zone.iana_name().unwrap_or("UTC");
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                meta http-equiv="refresh" content="10";
                title { "Checkpoints" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                @if !trouble.is_empty() {
                    p.trouble role="alert" { "Rows are not taken: " (trouble) ". Posts keep them and send again." }
                }
                @match snapshot {
                    None => p.trouble role="alert" { "The database does not answer; nothing on this page would be true." },
                    Some(snapshot) => (board(snapshot, zone, name)),
                }
            }
        }
    };
    body.into_string()
}

fn board(snapshot: &Snapshot, zone: &TimeZone, name: &str) -> Markup {
    let need = snapshot.posts.iter().filter(|post| !post.needs.is_empty()).count();
    let clock = |at: SystemTime| time(at, zone);
    html! {
        h1 { "Checkpoints" }
        p { "As of " (clock(snapshot.at)) ". " small { "Times are in " (name) "; those of scans are by the post's own clock." } }
        div.sum {
            span { b #need .worst[need > 0] .fine[need == 0] { (need) } "need somebody" }
            span { b { (snapshot.posts.len()) } "posts" }
        }
        table #posts {
            tr { th { "Post" } th { "Needs" } th { "Last heard" } th { "Clock" } th.n { "Rows here" } th.n { "Waiting" } th { "Build" } }
            @for post in snapshot.posts.iter().take(SHOWN) { (row(post, snapshot.at, zone)) }
        }
        @if snapshot.posts.len() > SHOWN { p { (snapshot.posts.len() - SHOWN) " more posts need nobody sooner than these." } }
        h2 { "Silent lanes" }
        table #silent {
            tr { th { "Post" } th { "Lane" } th { "Last scan" } th.n { "Scans missed by its own rhythm" } }
            @for (post, lane) in snapshot.posts.iter().flat_map(|post| post.lanes.iter().map(move |lane| (post, lane)))
                .filter(|(_, lane)| lane.silent).take(SHOWN) {
                tr {
                    td { (post.name) }
                    td { (lane.lane) }
                    td { @match lane.last { Some(last) => { (clock(last)) " (" (span(snapshot.at, last)) ")" }, None => "never" } }
                    td.n { @match lane.expected { Some(expected) => { (format!("{expected:.0}")) }, None => "no rhythm yet" } }
                }
            }
        }
        h2 { "Old lists, by the scans they judged since yesterday" }
        table #lists {
            tr { th { "Post" } th { "Issuer" } th.n { "Scans" } th.n { "Oldest list" } }
            @for list in &snapshot.lists {
                tr { td { (list.post) } td { (list.issuer) } td.n { (list.scans) } td.n { (length(seconds(list.oldest))) } }
            }
        }
        h2 { "Referred and refused, against last week" }
        table #reasons {
            tr { th { "Verdict" } th { "Reason" } th.n { "Last 7 days" } th.n { "7 days before" } th.n { "Change" } }
            @for reason in &snapshot.reasons {
                tr {
                    td { (reason.verdict) } td { (reason.reason) } td.n { (reason.week) } td.n { (reason.before) }
                    td.n { @if reason.before == 0 { "new" } @else { (format!("{:+.0} %", (reason.week as f64 / reason.before as f64 - 1.0) * 100.0)) } }
                }
            }
        }
        h2 { "Stations" }
        table #stations {
            tr { th { "Station" } th.n { "Posts" } th.n { "Need somebody" } th.n { "Travellers waiting" } }
            @for (station, (posts, needs, queue)) in stations(snapshot) {
                tr { td { (station) } td.n { (posts) } td.n { (needs) } td.n { @match queue { Some(queue) => { (queue) }, None => "not said" } } }
            }
        }
        h2 { "Builds" }
        table #builds {
            tr { th { "Build" } th.n { "Posts" } }
            @for (build, posts) in builds(snapshot) { tr { td { (build) } td.n { (posts) } } }
        }
    }
}

fn row(post: &Post, now: SystemTime, zone: &TimeZone) -> Markup {
    let vitals = post.vitals.as_ref();
    html! {
        tr {
            td { (post.name) @if !post.station.is_empty() { br; small { (post.station) } } }
            td {
                @if post.needs.is_empty() { b.fine { "well" } }
                @for need in &post.needs { b.worst[grave(need)] .warn[!grave(need)] { (words(need, &post.state)) } }
                @for (_, detail) in &post.alarms { br; small { (detail) } }
            }
            td {
                @match post.seen {
                    Some(seen) => { (time(seen, zone)) " (" (span(now, seen)) ")" },
                    None => { "never; " (post.state) " " (time(post.since, zone)) },
                }
            }
            td {
                @match &post.clock {
                    Some((said, trust, arrived)) => {
                        (trust) " " small { (offset(*said, *arrived)) @if let Some(evidence) = vitals.and_then(|vitals| vitals.clock_evidence.as_ref()) { ", " (evidence) } }
                    },
                    None => "not said",
                }
            }
            td.n { (post.rows) }
            td.n { @match vitals { Some(vitals) => { (vitals.outbox) }, None => "not said" } }
            td { @match vitals { Some(vitals) => { (vitals.build) }, None => "not said" } }
        }
    }
}

fn grave(need: &Need) -> bool {
    matches!(need, Need::Alarm(_) | Need::Gone | Need::NeverSeen | Need::Camera(_))
}

fn words(need: &Need, state: &str) -> String {
    match need {
        Need::Alarm(kind) => match kind.as_str() {
            "fork" => "two histories of one log".into(),
            "cut" => "the log lost its end".into(),
            "other-log" => "another log than enrolled".into(),
            "slip-taken" => "two devices, one slip".into(),
            "double-key" => "one device, two names".into(),
            "bad-signature" => "somebody else's signature".into(),
            "chain-broken" => "chain broken".into(),
            other => other.into(),
        },
        Need::NeverSeen if state == "invited" => "not enrolled yet".into(),
        Need::NeverSeen => "never heard".into(),
        Need::Gone => "gone".into(),
        Need::Camera(lane) => format!("lane {lane}: camera"),
        Need::Silent(lane) => format!("lane {lane}: silent"),
        Need::Clock(trust) => format!("clock {trust}"),
        Need::Outbox(rows) => format!("{rows} rows wait"),
        Need::Lists(age) => format!("lists {} old", length(seconds(*age))),
        Need::Disk(free) => format!("disk: {free} MiB left"),
        Need::Hot(heat) => format!("{} °C", heat / 1000),
        Need::Attention(word) => word.clone(),
    }
}

fn stations(snapshot: &Snapshot) -> BTreeMap<&str, (usize, usize, Option<u64>)> {
    let mut stations = BTreeMap::new();
    for post in snapshot.posts.iter().filter(|post| !post.station.is_empty()) {
        let (posts, needs, queue): &mut (usize, usize, Option<u64>) =
            stations.entry(post.station.as_str()).or_default();
        *posts += 1;
        *needs += usize::from(!post.needs.is_empty());
        if let Some(waiting) = post.vitals.as_ref().and_then(|vitals| vitals.queue) {
            *queue = Some(queue.unwrap_or(0) + u64::from(waiting));
        }
    }
    stations
}

fn builds(snapshot: &Snapshot) -> BTreeMap<&str, usize> {
    let mut builds = BTreeMap::new();
    for post in &snapshot.posts {
        let build = post.vitals.as_ref().map_or("not said", |vitals| vitals.build.as_str());
        *builds.entry(build).or_default() += 1;
    }
    builds
}

fn time(at: SystemTime, zone: &TimeZone) -> String {
    let Ok(stamp) = Timestamp::try_from(at) else { return "no date".to_owned() };
    stamp.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn span(now: SystemTime, then: SystemTime) -> String {
    match now.duration_since(then) {
        Ok(ago) => format!("{} ago", length(ago)),
        Err(ahead) => format!("{} ahead", length(ahead.duration())),
    }
}

/// What a clock said beside when it was heard.
fn offset(said: SystemTime, arrived: SystemTime) -> String {
    let (sign, by) = match said.duration_since(arrived) {
        Ok(ahead) => ("ahead", ahead),
        Err(behind) => ("behind", behind.duration()),
    };
    if by < Duration::from_secs(5) { "right".to_owned() } else { format!("{} {sign}", length(by)) }
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_a_database_says_so_and_shows_nothing_old() {
        let page = page(None, "no connection", &TimeZone::UTC);
        assert!(page.contains("nothing on this page would be true") && page.contains("no connection"), "{page}");
    }

    #[test]
    fn a_name_cannot_bring_markup_of_its_own() {
        let post = Post {
            name: "<script>alert(1)</script>".into(),
            station: "<b>".into(),
            state: "enrolled".into(),
            since: SystemTime::UNIX_EPOCH,
            rows: 0,
            seen: None,
            clock: None,
            vitals: None,
            alarms: vec![("fork".into(), "<img>".into())],
            needs: vec![Need::NeverSeen],
            lanes: Vec::new(),
        };
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_612_137_600);
        let snapshot = Snapshot { at, posts: vec![post], reasons: Vec::new(), lists: Vec::new() };
        let zone = TimeZone::get("Asia/Shanghai").expect("a zone");
        let page = page(Some(&snapshot), "", &zone);
        assert!(!page.contains("<script>") && !page.contains("<img>"), "{page}");
        assert!(page.contains("2021-02-01 08:00:00") && page.contains("Asia/Shanghai"), "{page}");
        assert!(page.contains("never heard"), "a post that never came is on the board: {page}");
    }
}
