//! One group in one transaction: heads are locked in order, each batch is placed by its log's head, and what is new is added.

use std::{
    collections::{BTreeSet, HashMap},
    sync::atomic::Ordering,
};

use cache::{
    exchange::{Digest, Refusal},
    log::chain::Head,
};
use deadpool_postgres::Transaction;
use uuid::Uuid;

use super::{
    Counts, Job, Letter, Outcome, Settings, Verified,
    letters::{alarm, bury},
    signed,
    statements::{Additions, Locked, add, advance},
};
use crate::{
    database::{Database, DatabaseError},
    place::{self, Placement, place},
};

/// Days before today for which a partition is made when rows of that day arrive.
const BACK: i32 = 400;

/// Writes a group on the UTC day `today`, counted from 1970. `days` are the partitions that are known to be there.
pub(super) async fn write(
    database: &Database,
    settings: &Settings,
    group: &[Job],
    days: &mut BTreeSet<i32>,
    counts: &Counts,
    today: i32,
) -> Result<Vec<Outcome>, DatabaseError> {
    if days.is_empty() {
        // A new start, or after a failure: is it still the database it was?
        database.store().await?;
        *days = database.sweep(today, settings.retention_days).await?;
    }
    for job in group {
        let Job::Batch(batch, _) = job else { continue };
        for day in batch.rows.iter().map(|(_, facts)| facts.day()).collect::<BTreeSet<_>>() {
            let kept = (today - settings.retention_days.min(BACK)..=today + 2).contains(&day);
            if kept && !days.contains(&day) {
                database.make_day(day).await?;
                days.insert(day);
            }
        }
    }
    let mut connection = database.connection().await?;
    let transaction = connection.transaction().await?;
    let (store, mut heads) = lock(&transaction, group).await?;
    let mut additions = Additions::default();
    let mut outcomes = Vec::with_capacity(group.len());
    let mut forgotten = false;
    for job in group {
        outcomes.push(match job {
            Job::Letter(letter, _) => {
                counts.letters.fetch_add(1, Ordering::Relaxed);
                bury(&transaction, letter).await?;
                Outcome::Refused { store, reason: letter.reason }
            }
            Job::Batch(batch, _) => match heads.get_mut(&batch.log) {
                Some(locked) if locked.enrolled && locked.post == batch.post => {
                    let outcome = take(&transaction, store, locked, batch, &mut additions).await?;
                    let shown = batch.held.as_ref().filter(|held| held.store == store && held.log == batch.log);
                    forgotten |= shown.is_some_and(|held| held.through.seq > locked.head.seq);
                    outcome
                }
                _ => {
                    let detail = format!("log {} is not the one that was enrolled", batch.log);
                    alarm(&transaction, batch.post, "other-log", &detail).await?;
                    Outcome::NotEnrolled
                }
            },
        });
    }
    add(&transaction, &additions).await?;
    advance(&transaction, heads.values()).await?;
    transaction.commit().await?;
    drop(connection);
    if forgotten {
        ::log::error!(
            "a post holds a receipt of this store for more than it has: the database was put back; new store id"
        );
        let anew = database.forgotten(store).await?;
        for outcome in &mut outcomes {
            if let Outcome::Durable { store, .. } | Outcome::Behind { store, .. } | Outcome::Refused { store, .. } =
                outcome
            {
                *store = anew;
            }
        }
    }
    counts.rows.fetch_add(additions.rows.len() as u64, Ordering::Relaxed);
    let durable = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Durable { .. })).count();
    counts.batches.fetch_add(durable as u64, Ordering::Relaxed);
    Ok(outcomes)
}

/// Locks the heads of the group's logs, always in the same order.
async fn lock(transaction: &Transaction<'_>, group: &[Job]) -> Result<(Uuid, HashMap<Uuid, Locked>), DatabaseError> {
    let logs: BTreeSet<Uuid> = group
        .iter()
        .filter_map(|job| match job {
            Job::Batch(batch, _) => Some(batch.log),
            Job::Letter(..) => None,
        })
        .collect();
    let logs: Vec<Uuid> = logs.into_iter().collect();
    let statement = transaction.prepare_cached(HEADS).await?;
    let mut heads = HashMap::with_capacity(logs.len());
    for row in transaction.query(&statement, &[&logs]).await? {
        let hash: &[u8] = row.get(4);
        let seq = u64::try_from(row.get::<_, i64>(3)).unwrap_or(0);
        let stored = Head { seq, hash: hash.try_into().unwrap_or([0; 32]) };
        let locked = Locked { no: row.get(0), post: row.get(2), enrolled: row.get(5), stored, head: stored };
        heads.insert(row.get(1), locked);
    }
    let statement = transaction.prepare_cached("SELECT id FROM store").await?;
    let store = transaction.query_one(&statement, &[]).await?.get(0);
    Ok((store, heads))
}

const HEADS: &str =
    "SELECT l.no, l.log, l.post, l.seq, l.hash, l.state = 'open' AND p.state = 'enrolled' AND p.key = l.key
    FROM logs l JOIN posts p ON p.no = l.post WHERE l.log = ANY($1) ORDER BY l.no FOR UPDATE OF l";

/// Decides one batch against its head, which moves.
async fn take<'g>(
    transaction: &Transaction<'_>,
    store: Uuid,
    locked: &mut Locked,
    batch: &'g Verified,
    additions: &mut Additions<'g>,
) -> Result<Outcome, DatabaseError> {
    let fork = match place(locked.head, batch.after, &batch.heads, batch.cut.is_some()) {
        Placement::Append { skip, hole } => {
            if let (Some((first, _)), Some(note)) = (hole, &batch.cut) {
                additions.holes.push((locked.no, first, batch.after, note));
            }
            for ((range, facts), head) in batch.rows.iter().zip(&batch.heads).skip(skip) {
                let body = std::str::from_utf8(&batch.text[range.clone()]).unwrap_or_default();
                additions.rows.push((locked.no, *head, facts.at_ms, body));
                additions.sums.add(batch.post, facts);
            }
            locked.head = batch.heads.last().copied().unwrap_or(batch.after);
            additions.anchors.push((locked.no, signed(locked.head.seq), &batch.anchor));
            None
        }
        Placement::Held => None,
        Placement::Behind => return Ok(Outcome::Behind { store, head: locked.head }),
        Placement::Compare(end) => {
            let held = held(transaction, locked.no, end.seq, end.seq, additions).await?;
            held.first().is_some_and(|held| held.hash != end.hash).then_some(end.seq)
        }
        Placement::Fork(at) => Some(at),
    };
    let Some(at) = fork else { return Ok(Outcome::Durable { store, head: locked.head }) };
    let held = held(transaction, locked.no, batch.after.seq + 1, locked.head.seq, additions).await?;
    let first_bad = place::first_difference(&held, &batch.heads).unwrap_or(at);
    let known = additions.anchors.iter().rev().find(|(log, ..)| *log == locked.no).map(|(.., note)| (*note).to_owned());
    transaction
        .execute(
            "INSERT INTO forks (log, first_bad, held, other) VALUES ($1, $2, coalesce($3,
             (SELECT note FROM anchors WHERE log = $1 AND seq >= $2 ORDER BY seq LIMIT 1), ''), $4) ON CONFLICT DO NOTHING",
            &[&locked.no, &signed(first_bad), &known, &batch.anchor],
        )
        .await?;
    let detail = format!("log {}: two signed histories from row {first_bad} on (rewritten, or two boxes)", batch.log);
    alarm(transaction, batch.post, "fork", &detail).await?;
    let letter = Letter {
        post: batch.post,
        log: Some(batch.log),
        reason: Refusal::Fork,
        detail,
        digest: Digest::of(&batch.text),
        bytes: batch.text.clone(),
    };
    bury(transaction, &letter).await?;
    Ok(Outcome::Refused { store, reason: Refusal::Fork })
}

/// Hashes that are held between two places, in this group or before.
async fn held(
    transaction: &Transaction<'_>,
    log: i32,
    from: u64,
    to: u64,
    additions: &Additions<'_>,
) -> Result<Vec<Head>, DatabaseError> {
    let sql = "SELECT seq, hash FROM entries WHERE log = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq LIMIT 4096";
    let rows = transaction.query(sql, &[&log, &signed(from), &signed(to)]).await?;
    let stored = rows.iter().filter_map(|row| {
        let seq = u64::try_from(row.get::<_, i64>(0)).ok()?;
        Some(Head { seq, hash: row.get::<_, &[u8]>(1).try_into().ok()? })
    });
    let fresh = additions.rows.iter().filter(|(of, head, ..)| *of == log && (from..=to).contains(&head.seq));
    Ok(stored.chain(fresh.map(|(_, head, ..)| *head)).collect())
}
