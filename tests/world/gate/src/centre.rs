//! The centre in memory: it proves batches with the post's key, keeps rows, and signs receipts; and does none of it where the history
//! says so.

use std::collections::BTreeMap;

use cache::{
    exchange::{Batch, Digest, Receipt, Refused, receipt::Refusal},
    log::{
        UnixMillis,
        chain::Head,
        note::{NoteSigner, NoteVerifier},
    },
};
use sync::upload::receipts::Reply;
use uuid::Uuid;

use crate::history::CentreState;

/// The centre.
pub struct Centre {
    /// How it is.
    pub state: CentreState,
    /// Its database's name, and the rows in it: hashes by log and place.
    pub store: Uuid,
    /// Rows that it holds.
    pub rows: BTreeMap<(Uuid, u64), [u8; 32]>,
    /// Where each log ends here.
    ends: BTreeMap<Uuid, Head>,
    /// Two histories of one log were shown.
    pub fork: Option<(Uuid, u64)>,
    key: NoteSigner,
    post: NoteVerifier,
    first_receipt: Option<String>,
    stores: u64,
}

impl Centre {
    /// A centre that knows this post.
    #[must_use]
    pub fn new(key: NoteSigner, post: NoteVerifier) -> Centre {
        Centre {
            state: CentreState::Well,
            store: Uuid::from_u64_pair(1, 0),
            rows: BTreeMap::new(),
            ends: BTreeMap::new(),
            fork: None,
            key,
            post,
            first_receipt: None,
            stores: 1,
        }
    }

    /// Its database is lost.
    pub fn forget(&mut self) {
        self.stores += 1;
        self.store = Uuid::from_u64_pair(self.stores, 0);
        self.rows.clear();
        self.ends.clear();
    }

    /// What comes back to a batch.
    ///
    /// # Errors
    /// When nothing comes back.
    pub fn exchange(&mut self, batch: &[u8], at: UnixMillis) -> Result<Reply, String> {
        let reply = |status, text| Ok(Reply { status, text, retry_after: None });
        match self.state {
            CentreState::Silent => return Err("no route to host".to_owned()),
            CentreState::Swallows => return reply(200, "OK".to_owned()),
            _ => {}
        }
        let Ok(batch) = Batch::parse(batch) else { return reply(400, "no batch".to_owned()) };
        if self.state == CentreState::Refuses {
            let (from, to) = (batch.after.seq + 1, batch.after.seq + batch.rows.len() as u64);
            let (post, log, store) = (batch.post.clone(), batch.log, self.store);
            let refused = Refused { post, log, store, from, to, reason: Refusal::ChainBroken, batch: batch.digest, at };
            return reply(422, refused.sign(&self.key));
        }
        let (status, receipt) = self.take(&batch, at);
        match (self.state, &self.first_receipt) {
            (CentreState::Repeats, Some(first)) => return reply(200, first.clone()),
            (CentreState::AnswersLost, _) => return Err("timed out".to_owned()),
            _ => {}
        }
        if status == 200 && self.first_receipt.is_none() {
            self.first_receipt = Some(receipt.clone());
        }
        reply(status, receipt)
    }

    fn take(&mut self, batch: &Batch<'_>, at: UnixMillis) -> (u16, String) {
        let end = self.ends.get(&batch.log).copied().unwrap_or(Head { seq: 0, hash: [0; 32] });
        let Ok(proven) = batch.verify(&self.post) else { return (400, "not proven".to_owned()) };
        if batch.after.seq > end.seq && !proven.cut {
            return (409, self.receipt(batch, end, at));
        }
        for head in &proven.heads {
            match self.rows.insert((batch.log, head.seq), head.hash) {
                Some(hash) if hash != head.hash => self.fork = Some((batch.log, head.seq)),
                _ => {}
            }
        }
        let end = if proven.end().seq > end.seq { proven.end() } else { end };
        self.ends.insert(batch.log, end);
        (200, self.receipt(batch, end, at))
    }

    fn receipt(&self, batch: &Batch<'_>, through: Head, at: UnixMillis) -> String {
        let (post, log, store, batch) = (batch.post.clone(), batch.log, self.store, Digest(batch.digest.0));
        Receipt { post, log, store, through, batch, at }.sign(&self.key)
    }
}
