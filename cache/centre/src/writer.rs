//! The writer: batches of many posts, verified before, committed together every few milliseconds; answers follow the commit.
//!
//! A group is one transaction. It locks the head of each log it touches, in order, decides by [`place()`] what is new, and copies that; a
//! head is the only judge of what is new, so that a batch that comes twice, over two fronts or after a lost answer, is taken once.
//! If the transaction fails, whatever the reason, nobody gets a receipt and everybody is asked to come again.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
    pin::pin,
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cache::{
    exchange::{Digest, Receipt, Refusal},
    log::chain::Head,
};
use deadpool_postgres::Transaction;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::{
    binary_copy::BinaryCopyInWriter,
    types::{ToSql, Type},
};
use uuid::Uuid;

use crate::{
    database::{Database, DatabaseError},
    facts::{Facts, Sums},
    place::{self, Placement, place},
};

/// Rows of one group: what a transaction holds in memory and locks.
const GROUP_ROWS: usize = 16_384;
/// Batches of one group.
const GROUP_BATCHES: usize = 1024;
/// Groups that may wait: beyond, gates are asked to come again.
const QUEUE: usize = 4096;
/// Dead letters kept of one post, the newest.
const LETTERS: i64 = 20;
/// What is kept of a dead letter.
const LETTER: usize = 64 * 1024;
/// Days before today for which a partition is made when rows of that day arrive.
const BACK: i32 = 400;

/// A batch that proved itself.
#[derive(Debug)]
pub struct Verified {
    /// The post, by number.
    pub post: i32,
    /// The log.
    pub log: Uuid,
    /// The place before the first row.
    pub after: Head,
    /// Places and hashes of the rows.
    pub heads: Vec<Head>,
    /// The batch's text, and where in it each row is.
    pub text: Vec<u8>,
    /// The rows, with what is known of each.
    pub rows: Vec<(Range<usize>, Facts)>,
    /// The device's anchor.
    pub anchor: String,
    /// The device's word that rows before are given up.
    pub cut: Option<String>,
    /// A receipt of this centre that the post holds.
    pub held: Option<Receipt>,
}

/// A batch that did not.
#[derive(Debug)]
pub struct Letter {
    /// The post it names.
    pub post: i32,
    /// The log it names.
    pub log: Option<Uuid>,
    /// Why it will never be taken.
    pub reason: Refusal,
    /// What exactly.
    pub detail: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What the centre's database says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Durable up to here.
    Durable {
        /// The store.
        store: Uuid,
        /// The head.
        head: Head,
    },
    /// Rows are missing before the batch.
    Behind {
        /// The store.
        store: Uuid,
        /// The head.
        head: Head,
    },
    /// Never.
    Refused {
        /// The store.
        store: Uuid,
        /// Why.
        reason: Refusal,
    },
    /// The log, or its post, is not enrolled or not any more.
    NotEnrolled,
    /// Not now.
    Unavailable,
}

enum Job {
    Batch(Box<Verified>, oneshot::Sender<Outcome>),
    Letter(Box<Letter>, oneshot::Sender<Outcome>),
}

/// Hands batches to the writer.
#[derive(Clone, Debug)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
    /// What it has done, for metrics.
    pub counts: Arc<Counts>,
}

/// What a writer has done since it started.
#[derive(Debug, Default)]
pub struct Counts {
    /// Rows committed.
    pub rows: AtomicU64,
    /// Batches answered with a receipt.
    pub batches: AtomicU64,
    /// Groups committed.
    pub groups: AtomicU64,
    /// Groups that failed.
    pub failures: AtomicU64,
    /// Dead letters.
    pub letters: AtomicU64,
    /// What the last failure said; empty after a success.
    pub trouble: RwLock<String>,
}

/// What a group is written with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a group waits for company.
    pub gather: Duration,
    /// Days that rows are kept.
    pub retention_days: i32,
}

impl Writer {
    /// Starts a writer on the runtime. It ends when all its handles are dropped.
    #[must_use]
    pub fn spawn(database: Database, settings: Settings) -> Writer {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let counts = Arc::new(Counts::default());
        tokio::spawn(run(database, settings, waiting, counts.clone()));
        Writer { jobs, counts }
    }

    /// Writes a batch and waits for the commit.
    pub async fn write(&self, batch: Verified) -> Outcome {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Batch(Box::new(batch), reply), answer).await
    }

    /// Keeps a dead letter and waits for the commit.
    pub async fn bury(&self, letter: Letter) -> Outcome {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Letter(Box::new(letter), reply), answer).await
    }

    async fn ask(&self, job: Job, answer: oneshot::Receiver<Outcome>) -> Outcome {
        if self.jobs.try_send(job).is_err() {
            return Outcome::Unavailable;
        }
        answer.await.unwrap_or(Outcome::Unavailable)
    }
}

async fn run(database: Database, settings: Settings, mut waiting: mpsc::Receiver<Job>, counts: Arc<Counts>) {
    let mut days = BTreeSet::new();
    while let Some(first) = waiting.recv().await {
        let group = gather(first, &mut waiting, settings.gather).await;
        let answers = match write(&database, &settings, &group, &mut days, &counts).await {
            Ok(answers) => {
                counts.groups.fetch_add(1, Ordering::Relaxed);
                if let Ok(mut trouble) = counts.trouble.write() {
                    trouble.clear();
                }
                answers
            }
            Err(error) => {
                if counts.failures.fetch_add(1, Ordering::Relaxed).is_multiple_of(100) {
                    ::log::error!("rows cannot be written, posts are asked to come again: {error}");
                }
                if let Ok(mut trouble) = counts.trouble.write() {
                    *trouble = error.to_string();
                }
                // Partitions may have gone with the database that was lost.
                days.clear();
                vec![Outcome::Unavailable; group.len()]
            }
        };
        for (job, outcome) in group.into_iter().zip(answers) {
            let (Job::Batch(_, reply) | Job::Letter(_, reply)) = job;
            // Whoever asked may have gone; what is committed stays so, and the next batch brings the receipt.
            let _ = reply.send(outcome);
        }
    }
}

async fn gather(first: Job, waiting: &mut mpsc::Receiver<Job>, at_most: Duration) -> Vec<Job> {
    let rows = |job: &Job| match job {
        Job::Batch(batch, _) => batch.rows.len() + 1,
        Job::Letter(..) => 1,
    };
    let mut total = rows(&first);
    let mut group = vec![first];
    let mut deadline = pin!(tokio::time::sleep(at_most));
    while total < GROUP_ROWS && group.len() < GROUP_BATCHES {
        tokio::select! {
            biased;
            job = waiting.recv() => match job {
                Some(job) => {
                    total += rows(&job);
                    group.push(job);
                }
                None => break,
            },
            () = &mut deadline => break,
        }
    }
    group
}

/// A log's head as it is locked.
struct Locked {
    no: i32,
    post: i32,
    enrolled: bool,
    stored: Head,
    head: Head,
}

/// What a group adds, collected before it is written.
#[derive(Default)]
struct Additions<'g> {
    rows: Vec<(i32, Head, i64, &'g str)>,
    anchors: Vec<(i32, i64, &'g str)>,
    holes: Vec<(i32, u64, Head, &'g str)>,
    sums: Sums,
}

async fn write(
    database: &Database,
    settings: &Settings,
    group: &[Job],
    days: &mut BTreeSet<i32>,
    counts: &Counts,
) -> Result<Vec<Outcome>, DatabaseError> {
    if days.is_empty() {
        // A new start, or after a failure: is it still the database it was?
        database.store().await?;
        *days = database.sweep(today(), settings.retention_days).await?;
    }
    let now = today();
    for job in group {
        let Job::Batch(batch, _) = job else { continue };
        for day in batch.rows.iter().map(|(_, facts)| facts.day()).collect::<BTreeSet<_>>() {
            let kept = (now - settings.retention_days.min(BACK)..=now + 2).contains(&day);
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

async fn add(transaction: &Transaction<'_>, additions: &Additions<'_>) -> Result<(), DatabaseError> {
    if !additions.rows.is_empty() {
        let statement = transaction.prepare_cached("COPY entries (log, seq, at, hash, body) FROM STDIN BINARY").await?;
        let sink = transaction.copy_in(&statement).await?;
        let types = [Type::INT4, Type::INT8, Type::TIMESTAMPTZ, Type::BYTEA, Type::TEXT];
        let mut copy = pin!(BinaryCopyInWriter::new(sink, &types));
        for (log, head, at_ms, body) in &additions.rows {
            let hash = head.hash.as_slice();
            let row: [&(dyn ToSql + Sync); 5] = [log, &signed(head.seq), &moment(*at_ms), &hash, body];
            copy.as_mut().write(&row).await?;
        }
        copy.as_mut().finish().await?;
    }
    if !additions.anchors.is_empty() {
        let logs: Vec<i32> = additions.anchors.iter().map(|(log, ..)| *log).collect();
        let seqs: Vec<i64> = additions.anchors.iter().map(|(_, seq, _)| *seq).collect();
        let notes: Vec<&str> = additions.anchors.iter().map(|(.., note)| *note).collect();
        let sql =
            "INSERT INTO anchors SELECT * FROM unnest($1::int[], $2::bigint[], $3::text[]) ON CONFLICT DO NOTHING";
        let statement = transaction.prepare_cached(sql).await?;
        transaction.execute(&statement, &[&logs, &seqs, &notes]).await?;
    }
    for (log, first, after, note) in &additions.holes {
        let sql = "INSERT INTO holes (log, first, last, hash, note) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        let hash = after.hash.as_slice();
        transaction.execute(sql, &[log, &signed(*first), &signed(after.seq), &hash, note]).await?;
    }
    add_sums(transaction, &additions.sums).await
}

async fn add_sums(transaction: &Transaction<'_>, sums: &Sums) -> Result<(), DatabaseError> {
    if sums.hours.is_empty() {
        return Ok(());
    }
    let posts: Vec<i32> = sums.lanes.keys().map(|(post, _)| *post).collect();
    let lanes: Vec<&str> = sums.lanes.keys().map(|(_, lane)| &**lane).collect();
    let last: Vec<SystemTime> = sums.lanes.values().map(|at| moment(*at)).collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO lanes SELECT * FROM unnest($1::int[], $2::text[], $3::timestamptz[]) ON CONFLICT (post, lane)
             DO UPDATE SET last_scan = greatest(lanes.last_scan, excluded.last_scan)",
        )
        .await?;
    transaction.execute(&statement, &[&posts, &lanes, &last]).await?;

    let posts: Vec<i32> = sums.hours.keys().map(|(post, ..)| *post).collect();
    let lanes: Vec<&str> = sums.hours.keys().map(|(_, lane, _)| &**lane).collect();
    let hours: Vec<SystemTime> = sums.hours.keys().map(|(.., hour)| moment(*hour)).collect();
    let column = |of: fn(&crate::facts::Hour) -> i32| sums.hours.values().map(of).collect::<Vec<i32>>();
    let (scans, admitted) = (column(|hour| hour.scans), column(|hour| hour.admitted));
    let (referred, refused) = (column(|hour| hour.referred), column(|hour| hour.refused));
    let verdict_us: Vec<i64> = sums.hours.values().map(|hour| hour.verdict_us).collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO lane_hours AS h SELECT * FROM unnest($1::int[], $2::text[], $3::timestamptz[], $4::int[], $5::int[],
             $6::int[], $7::int[], $8::bigint[]) ON CONFLICT (post, lane, hour) DO UPDATE SET scans = h.scans + excluded.scans,
             admitted = h.admitted + excluded.admitted, referred = h.referred + excluded.referred,
             refused = h.refused + excluded.refused, verdict_us = h.verdict_us + excluded.verdict_us",
        )
        .await?;
    transaction
        .execute(&statement, &[&posts, &lanes, &hours, &scans, &admitted, &referred, &refused, &verdict_us])
        .await?;

    let posts: Vec<i32> = sums.reasons.keys().map(|(post, ..)| *post).collect();
    let days: Vec<i32> = sums.reasons.keys().map(|(_, day, ..)| *day).collect();
    let verdicts: Vec<&str> = sums.reasons.keys().map(|(_, _, verdict, _)| &**verdict).collect();
    let reasons: Vec<&str> = sums.reasons.keys().map(|(.., reason)| &**reason).collect();
    let scans: Vec<i32> = sums.reasons.values().copied().collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO reason_days AS r SELECT post, date '1970-01-01' + day, verdict, reason, scans
             FROM unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::int[]) u (post, day, verdict, reason, scans)
             ON CONFLICT (post, day, verdict, reason) DO UPDATE SET scans = r.scans + excluded.scans",
        )
        .await?;
    transaction.execute(&statement, &[&posts, &days, &verdicts, &reasons, &scans]).await?;

    let posts: Vec<i32> = sums.lists.keys().map(|(post, ..)| *post).collect();
    let days: Vec<i32> = sums.lists.keys().map(|(_, day, _)| *day).collect();
    let issuers: Vec<&str> = sums.lists.keys().map(|(.., issuer)| &**issuer).collect();
    let scans: Vec<i32> = sums.lists.values().map(|lists| lists.scans).collect();
    let old: Vec<i32> = sums.lists.values().map(|lists| lists.old).collect();
    let oldest: Vec<i64> = sums.lists.values().map(|lists| lists.oldest).collect();
    let statement = transaction
        .prepare_cached(
            "INSERT INTO list_days AS l SELECT post, date '1970-01-01' + day, issuer, scans, old, oldest
             FROM unnest($1::int[], $2::int[], $3::text[], $4::int[], $5::int[], $6::bigint[]) u (post, day, issuer, scans, old, oldest)
             ON CONFLICT (post, day, issuer) DO UPDATE SET scans = l.scans + excluded.scans, old = l.old + excluded.old,
             oldest = greatest(l.oldest, excluded.oldest)",
        )
        .await?;
    transaction.execute(&statement, &[&posts, &days, &issuers, &scans, &old, &oldest]).await?;
    Ok(())
}

async fn advance(transaction: &Transaction<'_>, heads: impl Iterator<Item = &Locked>) -> Result<(), DatabaseError> {
    let mut moved: Vec<&Locked> = heads.filter(|locked| locked.head != locked.stored).collect();
    if moved.is_empty() {
        return Ok(());
    }
    moved.sort_unstable_by_key(|locked| locked.no);
    let logs: Vec<i32> = moved.iter().map(|locked| locked.no).collect();
    let seqs: Vec<i64> = moved.iter().map(|locked| signed(locked.head.seq)).collect();
    let hashes: Vec<&[u8]> = moved.iter().map(|locked| locked.head.hash.as_slice()).collect();
    let sql = "UPDATE logs SET seq = u.seq, hash = u.hash, arrived = now()
        FROM unnest($1::int[], $2::bigint[], $3::bytea[]) u (no, seq, hash) WHERE logs.no = u.no";
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, &[&logs, &seqs, &hashes]).await?;
    Ok(())
}

async fn bury(transaction: &Transaction<'_>, letter: &Letter) -> Result<(), DatabaseError> {
    let (reason, digest) = (letter.reason.code(), letter.digest.0.as_slice());
    let bytes = &letter.bytes[..letter.bytes.len().min(LETTER)];
    transaction
        .execute(
            "INSERT INTO dead_letters (post, log, reason, detail, digest, bytes) VALUES ($1, $2, $3, $4, $5, $6)",
            &[&letter.post, &letter.log, &reason, &letter.detail, &digest, &bytes],
        )
        .await?;
    transaction
        .execute(
            "DELETE FROM dead_letters WHERE post = $1 AND no <= (SELECT no FROM dead_letters WHERE post = $1
             ORDER BY no DESC OFFSET $2 LIMIT 1)",
            &[&letter.post, &LETTERS],
        )
        .await?;
    if letter.reason != Refusal::Fork {
        alarm(transaction, letter.post, reason, &letter.detail).await?;
    }
    Ok(())
}

/// Raises an alarm of a post, or counts it once more.
pub async fn alarm(
    transaction: &Transaction<'_>,
    post: i32,
    kind: &str,
    detail: &str,
) -> Result<(), tokio_postgres::Error> {
    let sql = "INSERT INTO alarms AS a (post, kind, detail) VALUES ($1, $2, $3) ON CONFLICT (post, kind)
        DO UPDATE SET last = now(), times = a.times + 1, detail = excluded.detail";
    transaction.execute(sql, &[&post, &kind, &detail]).await?;
    Ok(())
}

/// The database counts in signed numbers; a batch's places were held to them when it was read.
fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// A moment as the database takes it.
#[must_use]
pub fn moment(at_ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at_ms).unwrap_or(0))
}

/// Today's UTC day, counted from 1970.
fn today() -> i32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i32::try_from(now.as_secs() / 86_400).unwrap_or(i32::MAX)
}
