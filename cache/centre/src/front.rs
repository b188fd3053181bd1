//! The front: what a post may ask, over HTTP. Stateless; checks shape, sender and limits, and answers with what the writer says.
//!
//! Nothing is believed of a request but what a device's key proves, and nobody pays for what another sends: until a batch has proven its
//! sender it counts against the address it came from, and afterwards against the post.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use cache::{
    exchange::{
        Assignment, Batch, BatchError, Digest, Health, Pinned, Receipt, Refusal, Refused, Request,
        batch::{MAX_BYTES, bounded, gunzip},
    },
    log::{anchor::AnchorError, note::NoteSigner, row::UnixMillis},
};
use tokio::sync::Semaphore;

use crate::{
    facts::Facts,
    health::HealthWriter,
    limits::{Buckets, Rate},
    registry::{self, Directory, Enrolled, RegistryError},
    writer::{Letter, Outcome, Verified, Writer},
};

/// Longest wait for a request's body.
const BODY: Duration = Duration::from_secs(30);
/// Rows a post may send: a week's backlog at once, then two hundred a second.
const ROWS: Rate = Rate { per_second: 200.0, burst: 50_000.0 };
/// Bytes an inflated batch may cost a post.
const BYTES: Rate = Rate { per_second: 256.0 * 1024.0, burst: 32.0 * 1024.0 * 1024.0 };
/// What an address may send that proves nothing: strangers, rubbish, wrong keys.
const STRIKES: Rate = Rate { per_second: 0.5, burst: 60.0 };
/// Posts and addresses whose buckets are remembered.
const REMEMBERED: usize = 200_000;
/// Bytes of bodies held at once by all requests together, in units of a kibibyte.
const IN_FLIGHT: usize = 256 * 1024;
/// Body above which the check leaves the runtime's thread.
const LARGE: usize = 64 * 1024;

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
    pub writer: Writer,
    /// Where health lines go.
    pub health: HealthWriter,
    /// The centre's key.
    pub signer: NoteSigner,
    /// The same, as posts pin it.
    pub pinned: Pinned,
    /// The database, for enrolment.
    pub database: crate::database::Database,
    /// The address posts are told to send to.
    pub url: String,
    /// What was answered.
    pub answers: Answers,
    /// The monotonic clock's beginning.
    pub start: Instant,
    limits: Mutex<Limits>,
    memory: Semaphore,
}

struct Limits {
    rows: Buckets<i32>,
    bytes: Buckets<i32>,
    strikes: Buckets<IpAddr>,
}

/// An answer, before it is spelt for a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP's number for it.
    pub status: u16,
    /// A signed note, or a sentence.
    pub text: String,
    /// Seconds to wait.
    pub retry_after: Option<u64>,
}

impl Answer {
    fn new(status: u16, text: impl Into<String>) -> Answer {
        Answer { status, text: text.into(), retry_after: None }
    }

    fn later(status: u16, text: impl Into<String>, wait: Duration) -> Answer {
        Answer { status, text: text.into(), retry_after: Some(wait.as_secs_f64().ceil().max(1.0) as u64) }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], self.text).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl Front {
    /// A front with the usual limits.
    #[must_use]
    pub fn new(
        database: crate::database::Database,
        directory: Directory,
        writer: Writer,
        health: HealthWriter,
        signer: NoteSigner,
        url: String,
    ) -> Front {
        let pinned = Pinned::new(vec![signer.verifier()]).expect("one key");
        let limits = Limits {
            rows: Buckets::new(ROWS, REMEMBERED),
            bytes: Buckets::new(BYTES, REMEMBERED),
            strikes: Buckets::new(STRIKES, REMEMBERED),
        };
        Front {
            directory,
            writer,
            health,
            signer,
            pinned,
            database,
            url,
            answers: Answers::default(),
            start: Instant::now(),
            limits: Mutex::new(limits),
            memory: Semaphore::new(IN_FLIGHT),
        }
    }

    /// Whether an address may ask at all; `strike` counts it against it.
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
        if let Err(answer) = self.strike(from, 0.0) {
            return answer;
        }
        let checked = if bytes.len() > LARGE {
            let (directory, pinned) = (self.directory.clone(), self.pinned.clone());
            tokio::task::spawn_blocking(move || check(&directory, &pinned, bytes)).await
        } else {
            Ok(check(&self.directory, &self.pinned, bytes))
        };
        let Ok(checked) = checked else { return Answer::later(503, "busy\n", Duration::from_secs(5)) };
        match checked {
            Checked::Proven { batch, post, digest } => {
                if let Err(answer) = self.charge(batch.post, batch.rows.len(), batch.text.len()) {
                    return answer;
                }
                let (log, span) = (batch.log, (batch.after.seq + 1, batch.after.seq + batch.rows.len() as u64));
                let outcome = self.writer.write(*batch).await;
                self.answer(outcome, &post, log, span, digest)
            }
            Checked::Bad { letter, post, span } => {
                self.answers.refused.fetch_add(1, Ordering::Relaxed);
                if let Err(answer) = self.strike(from, 1.0) {
                    return answer;
                }
                let (log, digest) = (letter.log.unwrap_or_default(), letter.digest);
                let outcome = self.writer.bury(*letter).await;
                self.answer(outcome, &post, log, span, digest)
            }
            Checked::Rubbish(error) => {
                self.answers.refused.fetch_add(1, Ordering::Relaxed);
                let status = if error == BatchError::TooLarge { 413 } else { 400 };
                self.strike(from, 1.0).err().unwrap_or_else(|| Answer::new(status, format!("{error}\n")))
            }
            Checked::Stranger(name) => self.stranger(from, &format!("{name} is not enrolled here\n")),
        }
    }

    fn answer(&self, outcome: Outcome, post: &str, log: uuid::Uuid, span: (u64, u64), batch: Digest) -> Answer {
        let at = now();
        let receipt =
            |store, through| Receipt { post: post.to_owned(), log, store, through, batch, at }.sign(&self.signer);
        match outcome {
            Outcome::Durable { store, head } => Answer::new(200, receipt(store, head)),
            Outcome::Behind { store, head } => Answer::new(409, receipt(store, head)),
            Outcome::Refused { store, reason } => {
                let (from, to) = span;
                let refused = Refused { post: post.to_owned(), log, store, from, to, reason, batch, at };
                Answer::new(422, refused.sign(&self.signer))
            }
            Outcome::NotEnrolled => {
                let text = format!(
                    "log {log} is not the one {post} was enrolled with; the operator has to say `posts replace`\n"
                );
                Answer::later(403, text, Duration::from_secs(300))
            }
            Outcome::Unavailable => {
                Answer::later(503, "the database does not take rows now; keep them\n", Duration::from_secs(5))
            }
        }
    }

    /// Takes a health line from an address.
    pub fn health(&self, note: &str, from: IpAddr) -> Answer {
        if let Err(answer) = self.strike(from, 0.0) {
            return answer;
        }
        let Some(name) = Health::claimed_post(note) else { return self.stranger(from, "no health line\n") };
        let Some(Enrolled { no, device }) = self.directory.find(name) else {
            return self.stranger(from, "not enrolled here\n");
        };
        match Health::open(note, &device) {
            Err(error) => self.stranger(from, &format!("{error}\n")),
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
        if let Err(answer) = self.strike(from, 0.0) {
            return answer;
        }
        let request = match Request::open(note) {
            Ok(request) if request.centre == self.signer.verifier() => request,
            Ok(_) => return self.stranger(from, "the slip is another centre's\n"),
            Err(error) => return self.stranger(from, &format!("{error}\n")),
        };
        let keys = vec![self.signer.verifier().to_string()];
        match registry::enrol(&self.database, &request, &self.url, &keys).await {
            Ok((no, place)) => {
                self.directory.learn(&place.post, Enrolled { no, device: request.device.clone() });
                ::log::info!("{} is enrolled", place.post);
                Answer::new(200, Assignment { device: request.device, place }.sign(&self.signer))
            }
            Err(RegistryError::Database(error)) => {
                ::log::error!("an enrolment failed: {error}");
                Answer::later(503, "the database does not answer\n", Duration::from_secs(10))
            }
            Err(error @ (RegistryError::TokenTaken | RegistryError::KeyTaken(_) | RegistryError::LogTaken)) => {
                Answer::new(409, format!("{error}\n"))
            }
            Err(error) => self.stranger(from, &format!("{error}\n")),
        }
    }
}

enum Checked {
    Proven { batch: Box<Verified>, post: String, digest: Digest },
    Bad { letter: Box<Letter>, post: String, span: (u64, u64) },
    Rubbish(BatchError),
    Stranger(String),
}

/// Shape, sender and chain. Everything that costs time, in one place that waits for nobody.
fn check(directory: &Directory, pinned: &Pinned, bytes: Vec<u8>) -> Checked {
    let batch = match Batch::parse(&bytes) {
        Ok(batch) => batch,
        Err(error) => return Checked::Rubbish(error),
    };
    let Some(Enrolled { no, device }) = directory.find(&batch.post) else { return Checked::Stranger(batch.post) };
    let span = (batch.after.seq + 1, batch.after.seq + batch.rows.len() as u64);
    match batch.verify(&device) {
        Err(error) => {
            let reason = match error {
                BatchError::Chain | BatchError::OtherLog => Refusal::ChainBroken,
                BatchError::Anchor(AnchorError::Note(_)) | BatchError::Cut(_) => Refusal::BadSignature,
                _ => Refusal::NotABatch,
            };
            let (log, digest, post) = (Some(batch.log), batch.digest, batch.post);
            let letter = Letter { post: no, log, reason, detail: error.to_string(), digest, bytes };
            Checked::Bad { letter: Box::new(letter), post, span }
        }
        Ok(proven) => {
            let held =
                batch.held.as_deref().and_then(|note| Receipt::verify(note, pinned, &batch.post, batch.log).ok());
            let base = bytes.as_ptr() as usize;
            let rows = batch.rows.iter().map(|row| {
                let start = row.as_ptr() as usize - base;
                (start..start + row.len(), Facts::read(row))
            });
            let rows = rows.collect();
            let Batch { post, log, after, cut, anchor, digest, .. } = batch;
            let verified = Verified { post: no, log, after, heads: proven.heads, rows, anchor, cut, held, text: bytes };
            Checked::Proven { batch: Box::new(verified), post, digest }
        }
    }
}

/// What a post may ask.
pub fn routes(front: Arc<Front>) -> Router {
    Router::new()
        .route("/v1/batch", post(batch))
        .route("/v1/health", post(health))
        .route("/v1/enrol", post(enrol))
        .route("/v1/key", get(key))
        .route("/healthz", get(alive))
        .with_state(front)
}

async fn batch(
    State(front): State<Arc<Front>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let bytes = match front.body(&headers, body).await {
        Ok(bytes) => bytes,
        Err(answer) => return answer,
    };
    let inflated = match headers.get(header::CONTENT_ENCODING).map(|encoding| encoding.as_bytes()) {
        None | Some(b"identity") => Ok(bytes.to_vec()),
        Some(b"gzip") => gunzip(&bytes),
        Some(b"zstd") => match ruzstd::decoding::StreamingDecoder::new(&bytes[..]) {
            Ok(decoder) => bounded(decoder),
            Err(_) => Err(BatchError::Compression),
        },
        Some(_) => return Answer::new(415, "content-encoding: gzip, zstd or none\n"),
    };
    match inflated {
        Ok(inflated) => front.batch(inflated, from.ip()).await,
        Err(error) => {
            let status = if error == BatchError::TooLarge { 413 } else { 400 };
            front.strike(from.ip(), 1.0).err().unwrap_or_else(|| Answer::new(status, format!("{error}\n")))
        }
    }
}

async fn health(
    State(front): State<Arc<Front>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    match front.text(&headers, body).await {
        Ok(note) => front.health(&note, from.ip()),
        Err(answer) => answer,
    }
}

async fn enrol(
    State(front): State<Arc<Front>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    match front.text(&headers, body).await {
        Ok(note) => front.enrol(&note, from.ip()).await,
        Err(answer) => answer,
    }
}

async fn key(State(front): State<Arc<Front>>) -> String {
    format!("{}\n", front.signer.verifier())
}

/// For a load balancer: whether rows would be taken.
async fn alive(State(front): State<Arc<Front>>) -> Answer {
    match front.database.connection().await {
        Ok(_) => Answer::new(200, "ok\n"),
        Err(error) => Answer::later(503, format!("{error}\n"), Duration::from_secs(5)),
    }
}

impl Front {
    /// A request's body, within its size, its time, and the memory that all bodies share.
    async fn body(&self, headers: &HeaderMap, body: Body) -> Result<axum::body::Bytes, Answer> {
        let length = headers.get(header::CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse::<usize>().ok());
        let length = length.unwrap_or(MAX_BYTES);
        if length > MAX_BYTES {
            return Err(Answer::new(413, "larger than a batch may be\n"));
        }
        // Inflated it may be as large as a batch may be; most are small.
        let units = u32::try_from((length * 8).clamp(1024, MAX_BYTES) / 1024).unwrap_or(u32::MAX);
        let Ok(_permit) = self.memory.try_acquire_many(units) else {
            return Err(Answer::later(503, "too much at once\n", Duration::from_secs(2)));
        };
        match tokio::time::timeout(BODY, to_bytes(body, MAX_BYTES)).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(_)) => Err(Answer::new(400, "the body could not be read\n")),
            Err(_) => Err(Answer::new(408, "the body came too slowly\n")),
        }
    }

    async fn text(&self, headers: &HeaderMap, body: Body) -> Result<String, Answer> {
        let bytes = self.body(headers, body).await?;
        if bytes.len() > cache::exchange::MAX_NOTE {
            return Err(Answer::new(413, "larger than a note may be\n"));
        }
        String::from_utf8(bytes.to_vec()).map_err(|_| Answer::new(400, "no text\n"))
    }
}

/// The centre's clock.
#[must_use]
pub fn now() -> UnixMillis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}
