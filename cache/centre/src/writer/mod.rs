//! The writer: batches of many posts, verified before, committed together every few milliseconds; answers follow the commit.
//!
//! A group is one transaction (`group`). It locks the head of each log it touches, in order, decides by [`crate::place`] what is new,
//! and copies that; a head is the only judge of what is new, so that a batch that comes twice, over two fronts, a stream or after a lost
//! answer, is taken once. If the transaction fails, whatever the reason, nobody gets a receipt and everybody is asked to come again.

mod group;
mod letters;
mod statements;
mod sums;

use std::{
    collections::BTreeSet,
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
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::{
    clock::today,
    database::{Database, DatabaseError},
    facts::Facts,
};
pub use letters::alarm;

/// Rows of one group: what a transaction holds in memory and locks.
const GROUP_ROWS: usize = 16_384;
/// Batches of one group.
const GROUP_BATCHES: usize = 1024;
/// Groups that may wait: beyond, gates are asked to come again.
const QUEUE: usize = 4096;

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
        let mut answers = commit(&database, &settings, &group, &mut days, &counts).await;
        if answers.as_ref().is_err_and(DatabaseError::is_about_values) && group.len() > 1 {
            // Something that one post sent cannot be stored: by itself it fails alone.
            let mut alone = Vec::with_capacity(group.len());
            for job in group.chunks(1) {
                let answer = commit(&database, &settings, job, &mut days, &counts).await;
                alone.extend(answer.unwrap_or_else(|_| vec![Outcome::Unavailable]));
            }
            answers = Ok(alone);
        }
        let answers = answers.unwrap_or_else(|_| vec![Outcome::Unavailable; group.len()]);
        for (job, outcome) in group.into_iter().zip(answers) {
            let (Job::Batch(_, reply) | Job::Letter(_, reply)) = job;
            // Whoever asked may have gone; what is committed stays so, and the next batch brings the receipt.
            let _ = reply.send(outcome);
        }
    }
}

/// Writes a group, and says in the counts how it went.
async fn commit(
    database: &Database,
    settings: &Settings,
    group: &[Job],
    days: &mut BTreeSet<i32>,
    counts: &Counts,
) -> Result<Vec<Outcome>, DatabaseError> {
    let written = group::write(database, settings, group, days, counts, today()).await;
    match &written {
        Ok(_) => {
            counts.groups.fetch_add(1, Ordering::Relaxed);
            if let Ok(mut trouble) = counts.trouble.write() {
                trouble.clear();
            }
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
        }
    }
    written
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

/// The database counts in signed numbers; a batch's places were held to them when it was read.
fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// A moment as the database takes it.
#[must_use]
pub fn moment(at_ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at_ms).unwrap_or(0))
}
