//! The front over HTTP: paths, bodies within their size and time, and answers as HTTP spells them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use cache::exchange::{
    BatchError,
    batch::{MAX_BYTES, bounded, gunzip},
};

use futures_util::StreamExt;
use tokio::sync::SemaphorePermit;

use super::{Answer, Front};

/// Longest wait for a request's body.
const BODY: Duration = Duration::from_secs(30);
/// Compressed body above which inflating leaves the runtime's thread.
const LARGE: usize = 8 * 1024;

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

/// What a post may ask.
pub fn routes(front: Arc<Front>) -> Router {
    Router::new()
        .route("/v1/batch", post(batch))
        .route("/v1/health", post(health))
        .route("/v1/enrol", post(enrol))
        .route("/v1/key", get(key))
        .route("/v1/key/succession", get(succession))
        .route("/healthz", get(alive))
        .with_state(front)
}

async fn batch(
    State(front): State<Arc<Front>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let mut arrived = match front.body(&headers, body).await {
        Ok(arrived) => arrived,
        Err(answer) => return answer,
    };
    let bytes = std::mem::take(&mut arrived.bytes);
    let packed = match headers.get(header::CONTENT_ENCODING).map(|encoding| encoding.as_bytes()) {
        None | Some(b"identity") => return front.batch(bytes, from.ip()).await,
        Some(packed @ (b"gzip" | b"zstd")) => packed,
        Some(_) => return Answer::new(415, "content-encoding: gzip, zstd or none\n"),
    };
    // Rows are eight times smaller at best; what inflates further than that is bounded by the largest batch, one after the other.
    if let Err(answer) = front.hold(&mut arrived, (bytes.len() * 8).min(MAX_BYTES)) {
        return answer;
    }
    let gzip = packed == b"gzip";
    let inflated = if bytes.len() > LARGE {
        tokio::task::spawn_blocking(move || inflate(&bytes, gzip)).await.unwrap_or(Err(BatchError::Compression))
    } else {
        inflate(&bytes, gzip)
    };
    match inflated {
        Ok(inflated) => front.batch(inflated, from.ip()).await,
        Err(error) => {
            let status = if error == BatchError::TooLarge { 413 } else { 400 };
            front.strike(from.ip(), 1.0).err().unwrap_or_else(|| Answer::new(status, format!("{error}\n")))
        }
    }
}

fn inflate(bytes: &[u8], gzip: bool) -> Result<Vec<u8>, BatchError> {
    if gzip {
        return gunzip(bytes);
    }
    bounded(ruzstd::decoding::StreamingDecoder::new(bytes).map_err(|_| BatchError::Compression)?)
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
    format!("{}\n", front.keys.present())
}

/// For posts that pin an older key than the one that signs.
async fn succession(State(front): State<Arc<Front>>) -> Answer {
    match front.keys.announcement() {
        Some(note) => Answer::new(200, note),
        None => Answer::new(404, "no key is announced\n"),
    }
}

/// For a load balancer: whether rows would be taken.
async fn alive(State(front): State<Arc<Front>>) -> Answer {
    match front.database.connection().await {
        Ok(_) => Answer::new(200, "ok\n"),
        Err(error) => Answer::later(503, format!("{error}\n"), Duration::from_secs(5)),
    }
}

/// A request's bytes, and the part of the memory of all requests that they take.
struct Arrived<'f> {
    bytes: Vec<u8>,
    held: Option<SemaphorePermit<'f>>,
}

impl Front {
    /// A request's body, within its size and its time. Memory is counted as bytes arrive: who announces much and sends slowly holds no more
    /// than was sent.
    async fn body(&self, headers: &HeaderMap, body: Body) -> Result<Arrived<'_>, Answer> {
        let length = headers.get(header::CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > MAX_BYTES) {
            return Err(Answer::new(413, "larger than a batch may be\n"));
        }
        let mut arrived = Arrived { bytes: Vec::new(), held: None };
        let reading = async {
            let mut chunks = body.into_data_stream();
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk.map_err(|_| Answer::new(400, "the body could not be read\n"))?;
                if arrived.bytes.len() + chunk.len() > MAX_BYTES {
                    return Err(Answer::new(413, "larger than a batch may be\n"));
                }
                self.hold(&mut arrived, chunk.len())?;
                arrived.bytes.extend_from_slice(&chunk);
            }
            Ok(())
        };
        match tokio::time::timeout(BODY, reading).await {
            Ok(done) => done.map(|()| arrived),
            Err(_) => Err(Answer::new(408, "the body came too slowly\n")),
        }
    }

    /// Takes memory for so many bytes more.
    fn hold<'f>(&'f self, arrived: &mut Arrived<'f>, bytes: usize) -> Result<(), Answer> {
        let units = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let Ok(more) = self.memory.try_acquire_many(units) else {
            return Err(Answer::later(503, "too much at once\n", Duration::from_secs(2)));
        };
        match &mut arrived.held {
            Some(held) => held.merge(more),
            None => arrived.held = Some(more),
        }
        Ok(())
    }

    async fn text(&self, headers: &HeaderMap, body: Body) -> Result<String, Answer> {
        let Arrived { bytes, .. } = self.body(headers, body).await?;
        if bytes.len() > cache::exchange::MAX_NOTE {
            return Err(Answer::new(413, "larger than a note may be\n"));
        }
        String::from_utf8(bytes).map_err(|_| Answer::new(400, "no text\n"))
    }
}
