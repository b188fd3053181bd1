//! The front: what a post may ask, over whichever transport (`http`, [`crate::mqtt`]). Stateless; checks shape, sender and limits, and answers with what the writer says.
//!
//! Nothing is believed of a request but what a device's key proves, and nobody pays for what another sends: until a batch has proven its
//! sender it counts against the address it came from, and afterwards against the post.

mod http;

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use cache::exchange::{Assignment, BatchError, Health, Pinned, Request, Vitals};
use tokio::sync::{Semaphore, SemaphorePermit};

pub use crate::answer::Answer;
use crate::{
    check::{Checked, Delivery, check_by_newest},
    database::Database,
    health::HealthWriter,
    keys::Keys,
    limits::{Buckets, Rate},
    registry::{self, Directory, Enrolled, RegistryError},
    way::Way,
};
pub use http::routes;

/// Rows a post may send: a week's backlog at once, then two hundred a second.
const ROWS: Rate = Rate { per_second: 200.0, burst: 50_000.0 };
/// Bytes an inflated batch may cost a post.
const BYTES: Rate = Rate { per_second: 256.0 * 1024.0, burst: 32.0 * 1024.0 * 1024.0 };
/// What an address may send that proves nothing: strangers, rubbish, wrong keys.
const STRIKES: Rate = Rate { per_second: 0.5, burst: 60.0 };
/// Requests looked at side by side of addresses that have sent too much that proves nothing. A station's boxes, or all posts behind a
/// proxy, share an address: what one of them sends must not close the door to the others, nor cost more than this.
const SUSPECTS: usize = 1;
/// Posts and addresses whose buckets are remembered.
const REMEMBERED: usize = 200_000;
/// Bytes of bodies held at once by all requests together, in units of a kibibyte.
const IN_FLIGHT: usize = 256 * 1024;

/// What the front has answered.
#[derive(Debug, Default)]
pub struct Answers {
    /// Requests that came from no post that is enrolled.
    pub strangers: AtomicU64,
    /// Requests that were asked to come again later.
    pub throttled: AtomicU64,
    /// Batches that will never be taken.
    pub refused: AtomicU64,
    /// Health lines that were taken.
    pub health: AtomicU64,
}

/// What a request is answered with.
pub struct Front {
    /// Who may send.
    pub directory: Directory,
    /// Where batches go.
    pub way: Arc<dyn Way>,
    /// Where health lines go.
    pub health: HealthWriter,
    /// The centre's keys.
    pub keys: Arc<Keys>,
    /// The same, as posts pin them.
    pub pinned: Pinned,
    /// The database, for enrolment.
    pub database: Database,
    /// The address posts are told to send to.
    pub url: String,
    /// What was answered.
    pub answers: Answers,
    /// The monotonic clock's beginning.
    pub start: Instant,
    limits: Mutex<Limits>,
    memory: Semaphore,
    suspects: Semaphore,
}

struct Limits {
    rows: Buckets<i32>,
    bytes: Buckets<i32>,
    strikes: Buckets<IpAddr>,
}

impl Front {
    /// A front with the usual limits.
    #[must_use]
    pub fn new(
        database: Database,
        directory: Directory,
        way: Arc<dyn Way>,
        health: HealthWriter,
        keys: Arc<Keys>,
        url: String,
    ) -> Front {
        let pinned = keys.pinned();
        let limits = Limits {
            rows: Buckets::new(ROWS, REMEMBERED),
            bytes: Buckets::new(BYTES, REMEMBERED),
            strikes: Buckets::new(STRIKES, REMEMBERED),
        };
        Front {
            directory,
            way,
            health,
            keys,
            pinned,
            database,
            url,
            answers: Answers::default(),
            start: Instant::now(),
            limits: Mutex::new(limits),
            memory: Semaphore::new(IN_FLIGHT),
            suspects: Semaphore::new(SUSPECTS),
        }
    }

    /// Leave to look at a request of an address: at once, or one after the other where it has struck out.
    fn admit(&self, from: IpAddr) -> Result<Option<SemaphorePermit<'_>>, Answer> {
        match self.strike(from, 0.0) {
            Ok(()) => Ok(None),
            Err(answer) => self.suspects.try_acquire().map(Some).map_err(|_| answer),
        }
    }

    /// Counts what proves nothing against its address.
    fn strike(&self, from: IpAddr, amount: f64) -> Result<(), Answer> {
        let now = self.start.elapsed();
        let taken = self.limits.lock().map(|mut limits| limits.strikes.take(from, amount, now));
        match taken {
            Ok(Err(wait)) => {
                self.answers.throttled.fetch_add(1, Ordering::Relaxed);
                Err(Answer::later(429, "too much from this address that proves nothing\n", wait))
            }
            _ => Ok(()),
        }
    }

    fn charge(&self, post: i32, rows: usize, bytes: usize) -> Result<(), Answer> {
        let now = self.start.elapsed();
        let taken = self.limits.lock().map(|mut limits| {
            limits.rows.take(post, rows as f64, now).and_then(|()| limits.bytes.take(post, bytes as f64, now))
        });
        match taken {
            Ok(Err(wait)) => {
                self.answers.throttled.fetch_add(1, Ordering::Relaxed);
                Err(Answer::later(429, "this post sends more than it may\n", wait))
            }
            _ => Ok(()),
        }
    }

    /// A stranger, or a post that is not enrolled (any more).
    pub(crate) fn stranger(&self, from: IpAddr, text: &str) -> Answer {
        self.answers.strangers.fetch_add(1, Ordering::Relaxed);
        match self.strike(from, 1.0) {
            Err(answer) => answer,
            Ok(()) => Answer::later(403, text, Duration::from_secs(300)),
        }
    }

    /// Takes a batch, inflated, from an address.
    pub async fn batch(&self, bytes: Vec<u8>, from: IpAddr) -> Answer {
        let leave = match self.admit(from) {
            Ok(leave) => leave,
            Err(answer) => return answer,
        };
        match check_by_newest(&self.directory, &self.pinned, bytes).await {
            Checked::Known(about, delivery) => {
                let within = match &delivery {
                    Delivery::Batch(batch) => self.charge(batch.post, batch.rows.len(), batch.text.len()),
                    Delivery::Letter(_) => {
                        self.answers.refused.fetch_add(1, Ordering::Relaxed);
                        self.strike(from, 1.0)
                    }
                };
                match within {
                    Err(answer) => answer,
                    Ok(()) => {
                        drop(leave);
                        self.way.carry(about, delivery).await
                    }
                }
            }
            Checked::Rubbish(error) => {
                self.answers.refused.fetch_add(1, Ordering::Relaxed);
                let status = if error == BatchError::TooLarge { 413 } else { 400 };
                self.strike(from, 1.0).err().unwrap_or_else(|| Answer::new(status, format!("{error}\n")))
            }
            Checked::Stranger(name, _) => self.stranger(from, &format!("{name} is not enrolled here\n")),
        }
    }

    /// Takes a health line from an address.
    pub fn health(&self, note: &str, from: IpAddr) -> Answer {
        let _leave = match self.admit(from) {
            Ok(leave) => leave,
            Err(answer) => return answer,
        };
        let Some(name) = Health::claimed_post(note) else { return self.stranger(from, "no health line\n") };
        let Some(Enrolled { no, device }) = self.directory.find(name) else {
            return self.stranger(from, "not enrolled here\n");
        };
        match Health::open(note, &device) {
            Err(error) => self.stranger(from, &format!("{error}\n")),
            Ok(health) if !storable(&health.vitals) => self.stranger(from, "a health line holds no NUL\n"),
            Ok(health) => {
                self.answers.health.fetch_add(1, Ordering::Relaxed);
                if self.health.take(no, health) {
                    Answer::new(204, "")
                } else {
                    Answer::later(503, "too many at once\n", Duration::from_secs(60))
                }
            }
        }
    }

    /// Takes a device's request to be enrolled.
    pub async fn enrol(&self, note: &str, from: IpAddr) -> Answer {
        let _leave = match self.admit(from) {
            Ok(leave) => leave,
            Err(answer) => return answer,
        };
        let request = match Request::open(note) {
            Ok(request) if self.pinned.keys().contains(&request.centre) => request,
            Ok(_) => return self.stranger(from, "the slip is another centre's\n"),
            Err(error) => return self.stranger(from, &format!("{error}\n")),
        };
        let keys: Vec<String> = self.pinned.keys().iter().map(ToString::to_string).collect();
        match registry::enrol(&self.database, &request, &self.url, &keys).await {
            Ok((no, place)) => {
                self.directory.learn(&place.post, Enrolled { no, device: request.device.clone() });
                ::log::info!("{} is enrolled", place.post);
                let assignment = Assignment { device: request.device, place };
                Answer::new(200, self.keys.sign(|key| assignment.sign(key)))
            }
            Err(RegistryError::Database(error)) => {
                ::log::error!("an enrolment failed: {error}");
                Answer::later(503, "the database does not answer\n", Duration::from_secs(10))
            }
            Err(
                error @ (RegistryError::TokenTaken
                | RegistryError::Ended(_)
                | RegistryError::KeyTaken(_)
                | RegistryError::LogTaken),
            ) => Answer::new(409, format!("{error}\n")),
            Err(error) => self.stranger(from, &format!("{error}\n")),
        }
    }
}

/// PostgreSQL reads no JSON with an escaped NUL, and one such line must not end the statement that writes those of all posts.
fn storable(vitals: &Vitals) -> bool {
    serde_json::to_string(vitals).is_ok_and(|text| !text.contains("\\u0000"))
}
