//! What a post is answered, before it is spelt for a transport. Pure: the moment and the keys are arguments.

use std::time::Duration;

use cache::{
    exchange::{Digest, Receipt, Refused},
    log::row::UnixMillis,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{keys::Keys, writer::Outcome};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP's number for it.
    pub status: u16,
    /// A signed note, or a sentence.
    pub text: String,
    /// Seconds to wait.
    pub retry_after: Option<u64>,
}

/// What an answer to a batch is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The post's name.
    pub post: String,
    /// The log.
    pub log: Uuid,
    /// The first and the last row.
    pub span: (u64, u64),
    /// The batch's digest.
    pub digest: Digest,
}

impl Answer {
    /// For now and for ever.
    pub fn new(status: u16, text: impl Into<String>) -> Answer {
        Answer { status, text: text.into(), retry_after: None }
    }

    /// Come again, in whole seconds.
    pub fn later(status: u16, text: impl Into<String>, wait: Duration) -> Answer {
        Answer { status, text: text.into(), retry_after: Some(wait.as_secs_f64().ceil().max(1.0) as u64) }
    }

    /// What the database's word means for a post, signed.
    #[must_use]
    pub fn of(outcome: Outcome, about: &Subject, keys: &Keys, at: UnixMillis) -> Answer {
        let Subject { post, log, span: (from, to), digest } = about;
        let (post, log, batch) = (post.clone(), *log, *digest);
        let receipt = |store, through| {
            let receipt = Receipt { post: post.clone(), log, store, through, batch, at };
            keys.sign(|key| receipt.sign(key))
        };
        match outcome {
            Outcome::Durable { store, head } => Answer::new(200, receipt(store, head)),
            Outcome::Behind { store, head } => Answer::new(409, receipt(store, head)),
            Outcome::Refused { store, reason } => {
                let refused = Refused { post, log, store, from: *from, to: *to, reason, batch, at };
                Answer::new(422, keys.sign(|key| refused.sign(key)))
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
}
