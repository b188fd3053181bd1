//! A writer's side: takes its parts of the stream, checks and writes what is in them, answers, and only then acknowledges.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_nats::jetstream::{
    AckKind, Message,
    consumer::{AckPolicy, pull},
};
use cache::exchange::{Pinned, batch::gunzip};
use futures_util::{StreamExt, future::join_all};
use tokio::{sync::watch, task::JoinHandle};

use super::{ANSWER_TO, PAUSE, Stream, partitions::hold, subject};
use crate::{
    answer::Answer,
    check::{Checked, check_by_newest},
    database::Database,
    registry::Directory,
    way::Way,
};

/// Messages that are looked at together.
const AT_ONCE: usize = 256;
/// A message that is not acknowledged within this comes again.
const ACKNOWLEDGED: Duration = Duration::from_secs(60);
/// Times that a message is tried; then it is its post's to send again.
const TRIES: i64 = 20;
/// Longest pause between them.
const LONGEST: u64 = 60;

/// Everything that a writer writes with.
#[derive(Clone)]
pub struct Tools {
    /// The stream.
    pub stream: Stream,
    /// The posts.
    pub directory: Directory,
    /// The centre's keys.
    pub pinned: Pinned,
    /// The straight way, to the writer in this process.
    pub way: Arc<dyn Way>,
}

/// Writes the parts that this process gets, for ever.
pub async fn write(tools: Tools, database: Database) {
    let (sender, mut held) = watch::channel(Vec::new());
    tokio::spawn(hold(database, sender));
    let mut running: HashMap<u16, JoinHandle<()>> = HashMap::new();
    loop {
        let mine = held.borrow_and_update().clone();
        running.retain(|partition, task| {
            let keep = mine.contains(partition);
            if !keep {
                task.abort();
            }
            keep
        });
        for partition in mine {
            running.entry(partition).or_insert_with(|| tokio::spawn(follow(tools.clone(), partition)));
        }
        if held.changed().await.is_err() {
            return;
        }
    }
}

/// Follows one part, over every loss of the cluster.
async fn follow(tools: Tools, partition: u16) {
    loop {
        if let Err(error) = take(&tools, partition).await {
            ::log::debug!("part {partition} of the stream: {error}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn take(tools: &Tools, partition: u16) -> Result<(), async_nats::Error> {
    let stream = tools.stream.open().await;
    let name = format!("writer-{partition}");
    let config = pull::Config {
        durable_name: Some(name.clone()),
        filter_subject: subject(partition),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACKNOWLEDGED,
        max_ack_pending: 2 * AT_ONCE as i64,
        ..pull::Config::default()
    };
    let consumer = stream.get_or_create_consumer(&name, config).await?;
    let messages =
        consumer.stream().max_messages_per_batch(AT_ONCE).heartbeat(5 * PAUSE).expires(15 * PAUSE).messages();
    let mut chunks = messages.await?.ready_chunks(AT_ONCE);
    while let Some(chunk) = chunks.next().await {
        let messages = chunk.into_iter().collect::<Result<Vec<Message>, _>>()?;
        join_all(messages.into_iter().map(|message| answer(tools, message))).await;
    }
    Ok(())
}

/// Commits a message, answers its front, and acknowledges. What goes wrong between two of these brings the message again, and the head of its
/// log sees that its rows are held.
async fn answer(tools: &Tools, message: Message) {
    let bytes = if message.payload.starts_with(&[0x1f, 0x8b]) {
        gunzip(&message.payload)
    } else {
        Ok(message.payload.to_vec())
    };
    let checked = match bytes {
        Ok(bytes) => check_by_newest(&tools.directory, &tools.pinned, bytes).await,
        Err(error) => Checked::Rubbish(error),
    };
    let answer = match checked {
        Checked::Known(about, delivery) => tools.way.carry(about, delivery).await,
        Checked::Stranger(name, _) => {
            Answer::later(403, format!("{name} is not enrolled here\n"), Duration::from_secs(300))
        }
        Checked::Rubbish(error) => Answer::new(400, format!("{error}\n")),
    };
    let tries = message.info().map_or(1, |info| info.delivered);
    if answer.status == 503 && tries < TRIES {
        let pause = Duration::from_secs((1 << tries.clamp(0, 6)).min(LONGEST));
        // Not acknowledged either way: it comes again.
        let _ = message.ack_with(AckKind::Nak(Some(pause))).await;
        return;
    }
    let to = message.headers.as_ref().and_then(|headers| headers.get(ANSWER_TO));
    if let (Some(to), Ok(text)) = (to, serde_json::to_vec(&answer)) {
        // A front that has gone takes the answer with it; the post asks again.
        let _ = tools.stream.client.publish(to.to_string(), text.into()).await;
    }
    let _ = message.ack().await;
}
