//! A front's side: a batch goes into its part of the stream, and its answer comes back on the front's own subject.

use std::{
    collections::HashMap,
    io::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::HeaderMap;
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt, future::BoxFuture};
use tokio::sync::oneshot;

use super::{ANSWER_TO, Stream, StreamError, partition, subject};
use crate::{
    answer::{Answer, Subject},
    check::Delivery,
    way::Way,
    writer::Counts,
};

/// Longest wait for the stream's acknowledgement: a new leader is chosen within this.
const ACCEPTED: Duration = Duration::from_secs(8);
/// Longest wait for the answer after it; then the post is told that its rows are accepted, and asks again.
const ANSWERED: Duration = Duration::from_secs(5);
/// Batches above this are compressed: a message of nats-server holds 1 MiB.
const LARGE: usize = 128 * 1024;
/// Largest message.
const MESSAGE: usize = 1000 * 1024;

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Answer>>>>;

/// The way over a stream.
pub struct StreamWay {
    stream: Stream,
    answers: String,
    next: AtomicU64,
    waiting: Waiting,
    counts: Counts,
}

impl StreamWay {
    /// Listens for answers from here on.
    pub async fn open(stream: Stream) -> Result<StreamWay, StreamError> {
        let answers = stream.client.new_inbox();
        let subscription = stream.client.subscribe(format!("{answers}.*")).await;
        let mut coming = subscription.map_err(StreamError::Subscription)?;
        let waiting = Waiting::default();
        let asked = waiting.clone();
        tokio::spawn(async move {
            while let Some(message) = coming.next().await {
                let number = message.subject.rsplit('.').next().and_then(|number| number.parse().ok());
                let Some(number) = number else { continue };
                let Some(reply) = asked.lock().ok().and_then(|mut asked| asked.remove(&number)) else { continue };
                if let Ok(answer) = serde_json::from_slice(&message.payload) {
                    // Whoever asked may have gone.
                    let _ = reply.send(answer);
                }
            }
        });
        // Made here as well as by writers: whoever comes first.
        let made = stream.clone();
        tokio::spawn(async move { drop(made.open().await) });
        Ok(StreamWay { stream, answers, next: AtomicU64::new(0), waiting, counts: Counts::default() })
    }

    async fn send(&self, about: &Subject, delivery: &Delivery) -> Answer {
        let payload = match packed(delivery.bytes()) {
            Some(payload) => payload,
            None => return Answer::new(413, "larger than the stream takes; send fewer rows\n"),
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        if let Ok(mut waiting) = self.waiting.lock() {
            waiting.insert(number, reply);
        }
        let answer = self.ask(about, payload, number, answer).await;
        if let Ok(mut waiting) = self.waiting.lock() {
            waiting.remove(&number);
        }
        answer
    }

    async fn ask(&self, about: &Subject, payload: Vec<u8>, number: u64, answer: oneshot::Receiver<Answer>) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(ANSWER_TO, format!("{}.{number}", self.answers));
        let published = async {
            let subject = subject(partition(about.log));
            let acknowledged = self.stream.context.publish_with_headers(subject, headers, payload.into()).await;
            acknowledged.map_err(|error| error.to_string())?.await.map_err(|error| error.to_string())
        };
        let accepted = tokio::time::timeout(ACCEPTED, published).await.unwrap_or_else(|_| Err("no answer".to_owned()));
        if let Err(error) = accepted {
            // It may be stored all the same; then the rows come twice, which the database sees.
            self.failed(&error);
            return Answer::later(503, "the stream does not take rows now; keep them\n", Duration::from_secs(5));
        }
        match tokio::time::timeout(ANSWERED, answer).await {
            Ok(Ok(answer)) => answer,
            _ => Answer::later(202, "accepted, and not durable yet: ask again\n", Duration::from_secs(2)),
        }
    }

    fn failed(&self, error: &str) {
        if self.counts.failures.fetch_add(1, Ordering::Relaxed).is_multiple_of(100) {
            ::log::error!("the stream takes no rows, posts are asked to come again: {error}");
        }
        if let Ok(mut trouble) = self.counts.trouble.write() {
            *trouble = format!("the stream: {error}");
        }
    }
}

impl Way for StreamWay {
    fn carry(&self, about: Subject, delivery: Delivery) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let answer = self.send(&about, &delivery).await;
            if answer.status == 200 {
                self.counts.batches.fetch_add(1, Ordering::Relaxed);
                self.counts.rows.fetch_add(delivery.rows() as u64, Ordering::Relaxed);
                if let Ok(mut trouble) = self.counts.trouble.write() {
                    trouble.clear();
                }
            }
            answer
        })
    }

    fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// A batch as a message; none where it is larger than one may be.
fn packed(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() <= LARGE {
        return Some(bytes.to_vec());
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    packed.ok().filter(|packed| packed.len() <= MESSAGE)
}
