//! Shape, sender and chain of a batch: everything that costs time, in one place that waits for nobody. Pure but for the directory.

use cache::{
    exchange::{Batch, BatchError, Pinned, Receipt, Refusal},
    log::anchor::AnchorError,
};

use crate::{
    answer::Subject,
    facts::Facts,
    registry::{Directory, Enrolled},
    writer::{Letter, Verified},
};

/// Batch above which the check leaves the runtime's thread.
const LARGE: usize = 64 * 1024;

/// What becomes of a batch's bytes.
#[derive(Debug)]
pub enum Checked {
    /// Somebody's who is enrolled: to be written, or to be kept as a dead letter.
    Known(Subject, Delivery),
    /// No batch at all.
    Rubbish(BatchError),
    /// Of nobody who is enrolled, with the bytes.
    Stranger(String, Vec<u8>),
}

impl Checked {
    /// The bytes of what another look at the registry might make good: its sender may have been enrolled, or replaced, a moment ago at another
    /// front.
    pub fn doubtful(self) -> Result<Vec<u8>, Checked> {
        match self {
            Self::Stranger(_, bytes) => Ok(bytes),
            Self::Known(_, Delivery::Letter(letter)) if letter.reason == Refusal::BadSignature => Ok(letter.bytes),
            other => Err(other),
        }
    }
}

/// Checks a batch, and where its sender is in doubt once more by the newest registry.
pub async fn check_by_newest(directory: &Directory, pinned: &Pinned, bytes: Vec<u8>) -> Checked {
    match check_aside(directory, pinned, bytes).await.doubtful() {
        Err(certain) => certain,
        Ok(bytes) => {
            if let Err(error) = directory.refresh().await {
                ::log::debug!("the registry is not refreshed: {error}");
            }
            check_aside(directory, pinned, bytes).await
        }
    }
}

/// Checks a batch, a large one on a thread that may take its time.
async fn check_aside(directory: &Directory, pinned: &Pinned, bytes: Vec<u8>) -> Checked {
    if bytes.len() <= LARGE {
        return check(directory, pinned, bytes);
    }
    let (directory, pinned) = (directory.clone(), pinned.clone());
    let checking = tokio::task::spawn_blocking(move || check(&directory, &pinned, bytes));
    // What makes the check panic is no batch.
    checking.await.unwrap_or(Checked::Rubbish(BatchError::Header))
}

/// What is handed to whoever writes.
#[derive(Debug)]
pub enum Delivery {
    /// A batch that proved itself.
    Batch(Box<Verified>),
    /// One that did not.
    Letter(Box<Letter>),
}

impl Delivery {
    /// The post, by number.
    #[must_use]
    pub fn post(&self) -> i32 {
        match self {
            Self::Batch(batch) => batch.post,
            Self::Letter(letter) => letter.post,
        }
    }

    /// Rows that may be added.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.rows.len(),
            Self::Letter(_) => 0,
        }
    }

    /// The bytes as the post sent them, inflated.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Batch(batch) => &batch.text,
            Self::Letter(letter) => &letter.bytes,
        }
    }
}

/// Checks a batch against the posts that are enrolled; `pinned` are the centre's own keys.
#[must_use]
pub fn check(directory: &Directory, pinned: &Pinned, bytes: Vec<u8>) -> Checked {
    let batch = match Batch::parse(&bytes) {
        Ok(batch) => batch,
        Err(error) => return Checked::Rubbish(error),
    };
    let Some(Enrolled { no, device }) = directory.find(&batch.post) else {
        return Checked::Stranger(batch.post.clone(), bytes);
    };
    let about = Subject {
        post: batch.post.clone(),
        log: batch.log,
        span: (batch.after.seq + 1, batch.after.seq + batch.rows.len() as u64),
        digest: batch.digest,
    };
    let delivery = match batch.verify(&device) {
        Err(error) => {
            let reason = match error {
                BatchError::Chain | BatchError::OtherLog => Refusal::ChainBroken,
                BatchError::Anchor(AnchorError::Note(_)) | BatchError::Cut(_) => Refusal::BadSignature,
                _ => Refusal::NotABatch,
            };
            let (log, digest) = (Some(batch.log), batch.digest);
            let letter = Letter { post: no, log, reason, detail: error.to_string(), digest, bytes };
            Delivery::Letter(Box::new(letter))
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
            let Batch { log, after, cut, anchor, .. } = batch;
            let verified = Verified { post: no, log, after, heads: proven.heads, rows, anchor, cut, held, text: bytes };
            Delivery::Batch(Box::new(verified))
        }
    };
    Checked::Known(about, delivery)
}
