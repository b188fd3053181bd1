//! What a board asks the database: heads, health lines, roll-ups and the registry, never the rows themselves.

use std::time::{Duration, SystemTime};

use cache::exchange::Vitals;
use tokio_postgres::{Row, types::Json};

use super::need::{self, Known, Need};
use crate::database::{Connection, Database, DatabaseError};

/// A post on the board.
#[derive(Clone, Debug)]
pub struct Post {
    /// Its name.
    pub name: String,
    /// Its station.
    pub station: String,
    /// `invited` or `enrolled`.
    pub state: String,
    /// When it was enrolled, or invited.
    pub since: SystemTime,
    /// Its newest row here.
    pub rows: i64,
    /// When anything was last heard of it.
    pub seen: Option<SystemTime>,
    /// Its clock, in its last health line, and when that arrived.
    pub clock: Option<(SystemTime, String, SystemTime)>,
    /// Its last health line.
    pub vitals: Option<Vitals>,
    /// Alarms that were not cleared, with what they say.
    pub alarms: Vec<(String, String)>,
    /// What is wrong, the worst first.
    pub needs: Vec<Need>,
    /// Its lanes that are known.
    pub lanes: Vec<Lane>,
}

/// A lane on the board.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Its name.
    pub lane: String,
    /// Its newest scan, by its post's clock; none if it never scanned.
    pub last: Option<SystemTime>,
    /// Scans that the same hours brought earlier and this silence has not.
    pub expected: Option<f64>,
    /// Whether that means something.
    pub silent: bool,
}

/// A reason of this week beside last week's.
#[derive(Clone, Debug)]
pub struct Reason {
    /// The verdict.
    pub verdict: String,
    /// The reason.
    pub reason: String,
    /// Scans of the last seven days.
    pub week: i64,
    /// Scans of the seven days before.
    pub before: i64,
}

/// An issuer whose lists were old where it mattered.
#[derive(Clone, Debug)]
pub struct OldList {
    /// The post.
    pub post: String,
    /// The issuer.
    pub issuer: String,
    /// Scans that were judged by a list older than a day, today and yesterday.
    pub scans: i64,
    /// The oldest of these lists, in seconds.
    pub oldest: i64,
}

/// Everything the board shows.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was asked.
    pub at: SystemTime,
    /// Posts, those that need somebody first.
    pub posts: Vec<Post>,
    /// Reasons of what was not admitted.
    pub reasons: Vec<Reason>,
    /// Old lists, the most harmful first.
    pub lists: Vec<OldList>,
}

impl Snapshot {
    /// Asks everything.
    pub async fn take(database: &Database) -> Result<Snapshot, DatabaseError> {
        let connection = database.connection().await?;
        let at = SystemTime::now();
        let mut lanes = lanes(&connection, at).await?;
        let statement = connection.prepare_cached(POSTS).await?;
        let rows = connection.query(&statement, &[]).await?;
        let mut posts = Vec::with_capacity(rows.len());
        for row in &rows {
            let own = lanes.remove(&row.get(0)).unwrap_or_default();
            posts.push(post(row, own, at));
        }
        posts.sort_by(|one, other| order(one).cmp(&order(other)));
        let statement = connection.prepare_cached(REASONS).await?;
        let reasons = connection.query(&statement, &[]).await?;
        let statement = connection.prepare_cached(LISTS).await?;
        let lists = connection.query(&statement, &[]).await?;
        Ok(Snapshot {
            at,
            posts,
            reasons: reasons
                .iter()
                .map(|row| Reason { verdict: row.get(0), reason: row.get(1), week: row.get(2), before: row.get(3) })
                .collect(),
            lists: lists
                .iter()
                .map(|row| OldList { post: row.get(0), issuer: row.get(1), scans: row.get(2), oldest: row.get(3) })
                .collect(),
        })
    }
}

/// Those with needs first, the worst need first, then the longest silence.
fn order(post: &Post) -> (bool, Option<&Need>, Option<SystemTime>, &str) {
    (post.needs.is_empty(), post.needs.first(), post.seen, &post.name)
}

const POSTS: &str =
    "SELECT p.no, p.name, p.station, p.state, coalesce(p.enrolled, p.invited), coalesce(l.seq, 0), l.arrived,
    h.arrived, h.at, h.trust, h.vitals, p.lanes,
    coalesce((SELECT array_agg(a.kind ORDER BY a.kind) FROM alarms a WHERE a.post = p.no), '{}'),
    coalesce((SELECT array_agg(a.detail ORDER BY a.kind) FROM alarms a WHERE a.post = p.no), '{}')
    FROM posts p LEFT JOIN logs l ON l.post = p.no AND l.state = 'open' LEFT JOIN health h ON h.post = p.no
    WHERE p.state <> 'revoked'";

fn post(row: &Row, mut lanes: Vec<Lane>, at: SystemTime) -> Post {
    let since: SystemTime = row.get(4);
    let (rows, health): (Option<SystemTime>, Option<SystemTime>) = (row.get(6), row.get(7));
    let seen = rows.max(health);
    let vitals = row.get::<_, Option<Json<Vitals>>>(10).map(|Json(vitals)| vitals);
    let ago = |then: SystemTime| at.duration_since(then).unwrap_or_default();
    // A lane of the registry that never scanned is as silent as its post is old.
    for lane in row.get::<_, Vec<String>>(11) {
        if !lanes.iter().any(|known| known.lane == lane) {
            lanes.push(Lane { silent: need::silent(ago(since), None), lane, last: None, expected: None });
        }
    }
    let alarms: Vec<String> = row.get(12);
    let details: Vec<String> = row.get(13);
    let clock = row.get::<_, Option<SystemTime>>(8).zip(health);
    let trust: Option<String> = row.get(9);
    let silent: Vec<String> = lanes.iter().filter(|lane| lane.silent).map(|lane| lane.lane.clone()).collect();
    let known = Known {
        silence: seen.map(ago),
        alarms: &alarms,
        trust: trust.as_deref(),
        vitals: vitals.as_ref(),
        // Of a post that is gone altogether, its lanes need not be told apart.
        silent: if seen.is_some_and(|seen| ago(seen) <= need::GONE) { &silent } else { &[] },
    };
    let needs = need::needs(&known);
    Post {
        name: row.get(1),
        station: row.get(2),
        state: row.get(3),
        since,
        rows: row.get(5),
        seen,
        clock: clock.zip(trust).map(|((said, arrived), trust)| (said, trust, arrived)),
        vitals,
        alarms: alarms.into_iter().zip(details).collect(),
        needs,
        lanes,
    }
}

/// What the same hours brought one to four weeks ago, or, where the lane is younger, one to six days ago: the mean over those that
/// brought anything. A silence of more than a day is measured by its last day.
const LANES: &str = "SELECT l.post, l.lane, l.last_scan,
    CASE WHEN l.last_scan < now() - interval '10 minutes' THEN (
        SELECT coalesce(avg(w.scans) FILTER (WHERE w.days % 7 = 0), avg(w.scans)) FROM (
            SELECT k.days, sum(h.scans * extract(epoch FROM
                least(h.hour + interval '1 hour', now() - k.back) - greatest(h.hour, s.begin - k.back)) / 3600)::float8 AS scans
            FROM (SELECT greatest(l.last_scan, now() - interval '1 day') AS begin) s,
                 (SELECT days, make_interval(days => days) AS back FROM unnest('{1,2,3,4,5,6,7,14,21,28}'::int[]) days) k
                 JOIN LATERAL (SELECT hour, scans FROM lane_hours WHERE post = l.post AND lane = l.lane
                     AND hour > s.begin - k.back - interval '1 hour' AND hour < now() - k.back) h ON true
            GROUP BY k.days) w)
    END FROM lanes l JOIN posts p ON p.no = l.post AND p.state = 'enrolled'";

async fn lanes(
    connection: &Connection,
    at: SystemTime,
) -> Result<std::collections::HashMap<i32, Vec<Lane>>, DatabaseError> {
    let statement = connection.prepare_cached(LANES).await?;
    let mut lanes = std::collections::HashMap::<i32, Vec<Lane>>::new();
    for row in connection.query(&statement, &[]).await? {
        let last: SystemTime = row.get(2);
        let silence = at.duration_since(last).unwrap_or(Duration::ZERO);
        let expected: Option<f64> = row.get(3);
        let silent = need::silent(silence, expected);
        lanes.entry(row.get(0)).or_default().push(Lane { lane: row.get(1), last: Some(last), expected, silent });
    }
    Ok(lanes)
}

const REASONS: &str = "SELECT verdict, reason, coalesce(sum(scans) FILTER (WHERE day > current_date - 7), 0)::bigint AS week,
    coalesce(sum(scans) FILTER (WHERE day <= current_date - 7), 0)::bigint
    FROM reason_days WHERE day > current_date - 14 AND verdict <> 'admit' GROUP BY verdict, reason ORDER BY week DESC LIMIT 20";
const LISTS: &str = "SELECT p.name, l.issuer, sum(l.old)::bigint AS scans, max(l.oldest)
    FROM list_days l JOIN posts p ON p.no = l.post WHERE l.day > current_date - 2 AND l.old > 0
    GROUP BY p.name, l.issuer ORDER BY scans DESC LIMIT 20";
