//! A JetStream cluster between fronts and writers: a front that cannot reach PostgreSQL, or a writer that is gone, stops no front.
//!
//! ```text
//! front ── publish, by log ──► stream (three replicas) ──► writer, one a partition ──► PostgreSQL
//!   ▲ accepted ──────────────────────┘                        │
//!   └──────────────── the answer, signed after the commit ────┘
//! ```
//!
//! - The stream's word is *accepted* (202) and no more: nats-server before 2.10 flushes its files every two minutes, so that a common power
//!   cut loses what it acknowledged. The receipt is signed by the writer, after the commit, and comes back over a subject of the front's own.
//! - Whatever is lost on the way, a post sends its rows until a receipt covers them; whatever comes twice, the log's head in PostgreSQL is the
//!   only judge of what is new. So nothing here numbers or deduplicates messages, and a stream that lost everything costs time only.
//! - A writer checks what comes off the stream as a front checks what comes from a post: whoever can write to the stream can forge nothing.

mod partitions;
mod publish;
mod receive;

use std::{fmt, time::Duration};

use async_nats::{
    Client, ConnectOptions, ServerAddr,
    jetstream::{
        self,
        stream::{Config, DiscardPolicy, RetentionPolicy},
    },
};
use uuid::Uuid;

pub use publish::StreamWay;
pub use receive::{Tools, write};

/// Parts of the stream, each with one writer at a time. Fronts and writers of one stream have to agree, so that it is no option.
pub const PARTITIONS: u16 = 8;
const STREAM: &str = "checkpoint-rows";
/// The header that says where the answer goes.
const ANSWER_TO: &str = "Answer-To";
/// What the stream holds at most; full, it takes nothing more and posts keep their rows.
const MAX_BYTES: i64 = 4 << 30;
/// A message that no writer took in a day is its post's to send again.
const MAX_AGE: Duration = Duration::from_secs(86_400);
/// Pause before the cluster is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Why there is no way to the stream.
#[derive(Debug)]
pub enum StreamError {
    /// An address is none.
    Address(String),
    /// The servers.
    Connection(async_nats::ConnectError),
    /// The answers' subject.
    Subscription(async_nats::SubscribeError),
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(text) => write!(f, "{text} is no stream (nats://HOST:PORT, several apart by commas)"),
            Self::Connection(error) => write!(f, "the stream's servers: {error}"),
            Self::Subscription(error) => write!(f, "the stream's answers: {error}"),
        }
    }
}

impl std::error::Error for StreamError {}

/// A connection to the cluster.
#[derive(Clone, Debug)]
pub struct Stream {
    client: Client,
    context: jetstream::Context,
    replicas: usize,
}

impl Stream {
    /// Connects, now or as soon as a server is there.
    pub async fn connect(addresses: &str, replicas: usize) -> Result<Stream, StreamError> {
        let servers: Result<Vec<ServerAddr>, _> = addresses
            .split(',')
            .map(|address| address.trim().parse().map_err(|_| StreamError::Address(address.to_owned())))
            .collect();
        let options = ConnectOptions::new()
            .name("checkpoint-centre")
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(|attempts| PAUSE.min(Duration::from_millis(50 << attempts.min(5))));
        let client = options.connect(servers?).await.map_err(StreamError::Connection)?;
        let context = jetstream::new(client.clone());
        Ok(Stream { client, context, replicas })
    }

    /// The stream itself, made if it is not there; asks until the cluster has a quorum.
    async fn open(&self) -> jetstream::stream::Stream {
        let config = Config {
            name: STREAM.to_owned(),
            subjects: vec!["checkpoint.rows.*".to_owned()],
            retention: RetentionPolicy::WorkQueue,
            // Old messages are accepted ones: they are not given up for new ones.
            discard: DiscardPolicy::New,
            max_bytes: MAX_BYTES,
            max_age: MAX_AGE,
            num_replicas: self.replicas,
            ..Config::default()
        };
        let mut said = false;
        loop {
            match self.context.get_or_create_stream(config.clone()).await {
                Ok(stream) => return stream,
                Err(error) if !said => ::log::warn!("the stream is not there yet: {error}"),
                Err(_) => {}
            }
            said = true;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Where a log's rows go: always into the same part, in order.
fn partition(log: Uuid) -> u16 {
    u16::try_from(log.as_u128() % u128::from(PARTITIONS)).unwrap_or(0)
}

fn subject(partition: u16) -> String {
    format!("checkpoint.rows.{partition}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_always_in_the_same_part() {
        for log in [0, 1, 7, 8, u128::MAX] {
            let log = Uuid::from_u128(log);
            assert_eq!(partition(log), partition(log));
            assert!(partition(log) < PARTITIONS);
        }
        assert_ne!(partition(Uuid::from_u128(1)), partition(Uuid::from_u128(2)));
    }
}
