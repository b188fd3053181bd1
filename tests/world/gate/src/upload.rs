//! Rows to the centre: the daemon's courier, one step at a time.
//!
//! The courier that ships is a loop that waits; until it is a step, this is its order with its parts: the stretch, the anchor, the
//! batch, the meaning of the reply, the outbox.

use std::time::{Duration, Instant};

use cache::{
    exchange::{Draft, Pinned, Receipt},
    log::{UnixMillis, batch::Stretch, chain::Head, note::NoteSigner},
    outbox::{OutboxUpdate, ReceivedReceipt},
};
use host::backoff::Backoff;
use sync::upload::receipts::{Meaning, meaning};

use crate::{
    centre::Centre,
    gate::{OpenLog, POST},
    mutation::Mutation,
};

/// Rows of one batch.
const BATCH: usize = 256;

/// The courier's state.
pub struct Upload {
    pinned: Pinned,
    failures: u32,
    not_before: Duration,
    /// The centre lacks rows from here on, though they were acknowledged.
    rewind: Option<u64>,
    mutation: Option<Mutation>,
}

/// The centre's key.
///
/// # Panics
/// Never: the name is one.
#[must_use]
pub fn centre_key() -> NoteSigner {
    NoteSigner::new("centre", &[8; 32]).expect("a name")
}

impl Upload {
    /// Knows the centre's key.
    ///
    /// # Panics
    /// Never: one key is few enough.
    #[must_use]
    pub fn new(mutation: Option<Mutation>) -> Upload {
        let pinned = Pinned::new(vec![centre_key().verifier()]).expect("one key");
        Upload { pinned, failures: 0, not_before: Duration::ZERO, rewind: None, mutation }
    }

    /// One step; whether there may be more to do at once.
    ///
    /// # Errors
    /// When the log cannot be asked.
    pub fn step(
        &mut self,
        log: &mut OpenLog,
        centre: &mut Centre,
        (now, at): (Duration, UnixMillis),
        instant: Instant,
    ) -> Result<bool, cache::log::Fault> {
        if now < self.not_before {
            return Ok(false);
        }
        let open = log.reader.outbox_open(1)?;
        let held = log.reader.acknowledged()?;
        let through = held.as_ref().map_or(0, |held| held.through);
        let Some(pending) = open.oldest.first().copied().or(self.rewind) else { return Ok(false) };
        let from = pending.min(through + 1).min(self.rewind.unwrap_or(u64::MAX));
        let Some(stretch) = log.reader.stretch(from, BATCH, 1 << 20)? else { return Ok(false) };
        let cut = stretch.after.seq > through.min(from - 1);
        let signed = log.worker.between(instant, |log| log.sign_stretch(&stretch, cut))?;
        let Some(signed) = signed else { return Ok(false) };
        let draft = Draft {
            post: POST,
            log: stretch.log,
            after: stretch.after,
            cut: signed.cut.as_deref(),
            held: held.as_ref().map(|held| held.note.as_str()),
        };
        let batch = draft.write(stretch.rows.iter().map(String::as_str), &signed.anchor);
        let reply = centre.exchange(&batch, at);
        if self.mutation == Some(Mutation::AnyAnswerIsAReceipt)
            && let Ok(reply) = &reply
            && reply.status == 200
        {
            let store = held.map_or_else(|| centre.store.to_string(), |held| held.store);
            let (through, hash) = (stretch.last.seq, stretch.last.hash);
            let received = ReceivedReceipt { store, through, hash, note: reply.text.clone() };
            log.worker.between(instant, |log| log.update_outbox(OutboxUpdate::Received(received)))?;
            return Ok(true);
        }
        let meant = match &reply {
            Err(why) => Meaning::Later { why: why.clone(), wait: None },
            Ok(reply) => meaning(reply, &self.pinned, POST, stretch.log),
        };
        match (meant, reply) {
            (Meaning::Receipt(receipt), Ok(reply)) => {
                let answer = (receipt.as_ref(), reply.text);
                self.receipt(answer, (through, &stretch), log, (now, instant))
            }
            (Meaning::Refused(refused), _) => {
                self.later(now);
                let rows = (refused.from..=refused.to.min(stretch.last.seq)).collect();
                let dead = OutboxUpdate::Dead(rows, refused.reason.to_string());
                log.worker.between(instant, |log| log.update_outbox(dead))?;
                Ok(false)
            }
            _ => {
                self.later(now);
                Ok(false)
            }
        }
    }

    fn receipt(
        &mut self,
        (receipt, note): (&Receipt, String),
        (through, stretch): (u64, &Stretch),
        log: &mut OpenLog,
        (now, instant): (Duration, Instant),
    ) -> Result<bool, cache::log::Fault> {
        let Head { seq, hash } = receipt.through;
        let received = ReceivedReceipt { store: receipt.store.to_string(), through: seq, hash, note };
        log.worker.between(instant, |log| log.update_outbox(OutboxUpdate::Received(received)))?;
        let behind = seq < stretch.after.seq;
        if seq >= stretch.last.seq && stretch.after.seq < through {
            let again = (stretch.after.seq + 1..=stretch.last.seq).collect();
            log.worker.between(instant, |log| log.update_outbox(OutboxUpdate::Sent(again)))?;
        }
        let known = log.reader.acknowledged()?.map_or(0, |held| held.through);
        let sense = known != through || seq >= stretch.last.seq || (behind && self.rewind.is_none());
        if !sense {
            self.later(now);
            return Ok(false);
        }
        self.rewind = behind.then_some(seq + 1);
        self.failures = 0;
        Ok(true)
    }

    fn later(&mut self, now: Duration) {
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + Backoff::default().spread(self.failures, 0.5);
    }
}
