//! The way from a front to the database and back: straight, or over a stream of several servers ([`crate::stream`]).

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{
    answer::{Answer, Subject},
    check::Delivery,
    clock::now,
    keys::Keys,
    writer::{Counts, Writer},
};

/// Takes what a post sent to whoever writes it, and brings the answer.
pub trait Way: Send + Sync {
    /// An answer of 200 is a receipt: it was signed after the commit, on whichever way.
    fn carry(&self, about: Subject, delivery: Delivery) -> BoxFuture<'_, Answer>;

    /// What has come back on it, for metrics and the board.
    fn counts(&self) -> &Counts;
}

/// To a writer in this process.
#[derive(Debug)]
pub struct Direct {
    /// The writer.
    pub writer: Writer,
    /// The centre's keys.
    pub keys: Arc<Keys>,
}

impl Way for Direct {
    fn carry(&self, about: Subject, delivery: Delivery) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let outcome = match delivery {
                Delivery::Batch(batch) => self.writer.write(*batch).await,
                Delivery::Letter(letter) => self.writer.bury(*letter).await,
            };
            Answer::of(outcome, &about, &self.keys, now())
        })
    }

    fn counts(&self) -> &Counts {
        &self.writer.counts
    }
}
