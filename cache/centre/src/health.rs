//! Health lines: the newest of each post, in memory until the next write, and in one table.
//!
//! A line is no evidence: it is answered when it is in memory, and written with those of other posts once a second. The counter is
//! judged by the table, so that no replay, over whichever front, makes a silent post look alive.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use cache::exchange::Health;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::{
    database::{Database, DatabaseError},
    writer::moment,
};

/// Posts whose lines may wait for one write.
const WAITING: usize = 100_000;

/// Takes health lines.
#[derive(Clone, Debug)]
pub struct HealthWriter {
    waiting: Arc<Mutex<HashMap<i32, (Health, SystemTime)>>>,
}

impl HealthWriter {
    /// Starts writing every `every`, for ever.
    #[must_use]
    pub fn spawn(database: Database, every: Duration) -> HealthWriter {
        let writer = HealthWriter { waiting: Arc::default() };
        let waiting = writer.waiting.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                let lines = waiting.lock().map(|mut waiting| std::mem::take(&mut *waiting)).unwrap_or_default();
                if let Err(error) = write(&database, &lines).await {
                    // The next line of each post brings more than these said.
                    ::log::debug!("{} health lines are not written: {error}", lines.len());
                }
            }
        });
        writer
    }

    /// Keeps a post's line unless a newer one waits; whether there was room.
    #[must_use]
    pub fn take(&self, post: i32, health: Health) -> bool {
        let Ok(mut waiting) = self.waiting.lock() else { return false };
        if waiting.len() >= WAITING && !waiting.contains_key(&post) {
            return false;
        }
        if waiting.get(&post).is_none_or(|(held, _)| held.counter < health.counter) {
            waiting.insert(post, (health, SystemTime::now()));
        }
        true
    }
}

async fn write(database: &Database, lines: &HashMap<i32, (Health, SystemTime)>) -> Result<(), DatabaseError> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<_> = lines.iter().collect();
    lines.sort_unstable_by_key(|(post, _)| **post);
    let posts: Vec<i32> = lines.iter().map(|(post, _)| **post).collect();
    let logs: Vec<Uuid> = lines.iter().map(|(_, (health, _))| health.log).collect();
    let counters: Vec<i64> = lines.iter().map(|(_, (health, _))| i64::try_from(health.counter).unwrap_or(0)).collect();
    let times: Vec<SystemTime> = lines.iter().map(|(_, (health, _))| moment(health.at.0)).collect();
    let trusts: Vec<&str> = lines.iter().map(|(_, (health, _))| health.time_trust.code()).collect();
    let arrivals: Vec<SystemTime> = lines.iter().map(|(_, (_, arrived))| *arrived).collect();
    let vitals: Vec<_> = lines.iter().map(|(_, (health, _))| Json(&health.vitals)).collect();
    let mut connection = database.connection().await?;
    let transaction = connection.transaction().await?;
    let statement = transaction.prepare_cached(UPSERT).await?;
    transaction.execute(&statement, &[&posts, &logs, &counters, &times, &trusts, &arrivals, &vitals]).await?;
    // A post whose log ends before what was acknowledged has lost its end: its own receipt refutes it.
    // Rows that came within the minute may have overtaken the line.
    let statement = transaction.prepare_cached(CUT).await?;
    transaction.execute(&statement, &[&posts]).await?;
    transaction.commit().await?;
    Ok(())
}

const UPSERT: &str = "INSERT INTO health (post, log, counter, at, trust, arrived, vitals)
    SELECT u.* FROM unnest($1::int[], $2::uuid[], $3::bigint[], $4::timestamptz[], $5::text[], $6::timestamptz[], $7::json[])
    u (post, log, counter, at, trust, arrived, vitals) JOIN posts p ON p.no = u.post
    ON CONFLICT (post) DO UPDATE SET log = excluded.log, counter = excluded.counter, at = excluded.at, trust = excluded.trust,
    arrived = excluded.arrived, vitals = excluded.vitals WHERE health.counter < excluded.counter";
const CUT: &str = "INSERT INTO alarms AS a (post, kind, detail)
    SELECT h.post, 'cut', 'log ' || l.log || ' ends at row ' || (h.vitals ->> 'seq') || ', and ' || l.seq || ' rows of it are here'
    FROM health h JOIN logs l ON l.log = h.log AND l.post = h.post
    WHERE h.post = ANY($1) AND (h.vitals ->> 'seq')::bigint < l.seq AND l.arrived < h.arrived - interval '1 minute'
    ON CONFLICT (post, kind) DO UPDATE SET last = now(), times = a.times + 1, detail = excluded.detail";
