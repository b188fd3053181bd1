//! Rows to a centre that signs receipts: batches in the order of the chain, each proven by the device's anchor, and nothing counted as
//! acknowledged but what a receipt by a pinned key covers.
//!
//! Whatever else is answered, by whomever, changes nothing: a captive portal's page, a proxy's `200`, an answer cut short. What an answer
//! means is decided by [`meaning`], a pure function; the loop obeys it.

use std::{
    ops::RangeInclusive,
    sync::mpsc::{Receiver, TryRecvError},
    time::{Duration, Instant},
};

use cache::{
    exchange::{
        Draft, Health, Pinned, Receipt, Refused,
        batch::{MAX_ROWS, gzip},
    },
    log::{Fault, Reader, Writer, Written, chain::Head},
    outbox::{OutboxUpdate, ReceivedReceipt},
};
use host::{backoff::Backoff, clock::Clock};
use tokio::sync::watch;
use uuid::Uuid;

use super::{Centre, DISK, LOOK, Options, Status};

/// Rows of one batch, before compression: a slow link sends it within the timeout.
const BYTES: usize = 1 << 20;
/// Between two health lines.
const HEALTH: Duration = Duration::from_secs(300);
/// Longest pause that a centre may ask for.
const LONGEST: Duration = Duration::from_secs(3600);
/// What is shown of an answer's text.
const SHOWN: usize = 200;

/// What is carried to a centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// A batch, gzip.
    Batch,
    /// A health line.
    Health,
}

/// What came back, believed no further than its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP's number, or what corresponds to it.
    pub status: u16,
    /// The text.
    pub text: String,
    /// How long the centre asks to wait.
    pub retry_after: Option<Duration>,
}

/// What a reply to a batch means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Rows are durable up to here.
    Receipt(Box<Receipt>),
    /// The centre will never take these rows.
    Refused(Refused),
    /// Not now.
    Later {
        /// Why, for a person.
        why: String,
        /// As long as the centre asked.
        wait: Option<Duration>,
    },
}

/// What a reply means for this post and this log.
#[must_use]
pub fn meaning(reply: &Reply, pinned: &Pinned, post: &str, log: Uuid) -> Meaning {
    let later = |why: String| Meaning::Later { why, wait: reply.retry_after.map(|wait| wait.min(LONGEST)) };
    let shown = || reply.text.chars().filter(|character| !character.is_control()).take(SHOWN).collect::<String>();
    match reply.status {
        200 | 409 => match Receipt::verify(&reply.text, pinned, post, log) {
            Ok(receipt) => Meaning::Receipt(Box::new(receipt)),
            Err(error) => later(format!("{}: {error}: is something between this post and its centre?", reply.status)),
        },
        422 => match Refused::verify(&reply.text, pinned, post, log) {
            Ok(refused) => Meaning::Refused(refused),
            Err(error) => later(format!("422: {error}")),
        },
        status => later(format!("{status} {}", shown())),
    }
}

/// What a post says of itself; log and counter are filled in where it is signed.
pub type Describe<'d> = dyn Fn() -> Health + 'd;

/// Uploads until the other end of `stop` is dropped.
pub(super) fn run(
    (options, clock): (&Options, &Clock),
    pinned: &Pinned,
    centre: &mut dyn Centre,
    (writer, reader): (&Writer, &Reader),
    describe: &Describe<'_>,
    stop: &Receiver<()>,
    status: &watch::Sender<Status>,
) {
    let mut upload = Upload {
        options,
        pinned,
        centre,
        writer,
        reader,
        describe,
        status,
        pace: Pace { backoff: options.backoff, failures: 0, not_before: Duration::ZERO },
        start: clock.now(),
        clock,
        health_due: Duration::ZERO,
        rewind: None,
    };
    while stop.try_recv() != Err(TryRecvError::Disconnected) {
        if let Err(fault) = upload.step() {
            ::log::debug!("upload pauses: {fault}");
            upload.centre.idle(LOOK);
        }
    }
}

/// What the outbox keeps of a refusal: the rows, of those that were sent, with the reason. A centre speaks of no others.
fn refused_rows(refused: RangeInclusive<u64>, sent: RangeInclusive<u64>, reason: &str) -> OutboxUpdate {
    let rows = (*refused.start()).max(*sent.start())..=(*refused.end()).min(*sent.end());
    OutboxUpdate::Dead(rows.collect(), reason.to_owned())
}

/// When to try again.
struct Pace {
    backoff: Backoff,
    failures: u32,
    not_before: Duration,
}

struct Upload<'a> {
    options: &'a Options,
    pinned: &'a Pinned,
    centre: &'a mut dyn Centre,
    writer: &'a Writer,
    reader: &'a Reader,
    describe: &'a Describe<'a>,
    status: &'a watch::Sender<Status>,
    pace: Pace,
    start: Instant,
    clock: &'a Clock,
    health_due: Duration,
    /// The centre lacks rows from here on, though they were acknowledged.
    rewind: Option<u64>,
}

impl Upload<'_> {
    fn step(&mut self) -> Result<(), Fault> {
        let now = self.clock.since(self.start);
        if now < self.pace.not_before {
            self.centre.idle((self.pace.not_before - now).min(LOOK));
            return Ok(());
        }
        if now >= self.health_due {
            self.health_due = now + HEALTH;
            self.health()?;
        }
        let open = self.reader.outbox_open(1)?;
        let held = self.reader.acknowledged()?;
        let through = held.as_ref().map_or(0, |held| held.through);
        let Some(pending) = open.oldest.first().copied().or(self.rewind) else {
            self.centre.idle(LOOK);
            return Ok(());
        };
        // In the order of the chain, from the first row that no receipt covers; a row that is to be sent again brings those after it.
        let from = pending.min(through + 1).min(self.rewind.unwrap_or(u64::MAX));
        let most = self.options.batch.min(MAX_ROWS);
        let Some(stretch) = self.reader.stretch(from, most, BYTES)? else {
            self.centre.idle(LOOK);
            return Ok(());
        };
        let cut = stretch.after.seq > through.min(from - 1);
        let asked = stretch.clone();
        let Some(signed) = self.writer.with_log(move |log| log.sign_stretch(&asked, cut))? else { return Ok(()) };
        let draft = Draft {
            post: &self.options.post,
            log: stretch.log,
            after: stretch.after,
            cut: signed.cut.as_deref(),
            held: held.as_ref().map(|held| held.note.as_str()),
        };
        let bytes = draft.write(stretch.rows.iter().map(String::as_str), &signed.anchor);
        let reply = self.centre.exchange(Errand::Batch, gzip(&bytes));
        let meaning = match &reply {
            Err(why) => Meaning::Later { why: why.clone(), wait: None },
            Ok(reply) => meaning(reply, self.pinned, &self.options.post, stretch.log),
        };
        match (meaning, reply) {
            (Meaning::Receipt(receipt), Ok(reply)) => {
                self.receipt(&receipt, reply.text, stretch.after, stretch.last, through)
            }
            (Meaning::Refused(refused), _) => {
                let Refused { from, to, reason, .. } = refused;
                let first = self.status.borrow().refused == 0;
                if first {
                    ::log::error!("the centre will never take rows {from} to {to}: {reason}; they stay here");
                }
                self.status.send_modify(|status| status.refused = to.saturating_sub(from) + 1);
                self.later(format!("rows {from} to {to} are refused: {reason}"), Some(self.pace.backoff.cap));
                self.commit(refused_rows(from..=to, stretch.after.seq + 1..=stretch.last.seq, &reason.to_string()))
            }
            (Meaning::Later { why, wait }, _) => {
                self.later(why, wait);
                Ok(())
            }
            (Meaning::Receipt(_), Err(_)) => Ok(()),
        }
    }

    fn receipt(&mut self, receipt: &Receipt, note: String, after: Head, last: Head, through: u64) -> Result<(), Fault> {
        let Head { seq, hash } = receipt.through;
        self.commit(OutboxUpdate::Received(ReceivedReceipt {
            store: receipt.store.to_string(),
            through: seq,
            hash,
            note,
        }))?;
        let behind = seq < after.seq;
        if seq >= last.seq && after.seq < through {
            // Rows that were to be sent once more.
            self.commit(OutboxUpdate::Sent((after.seq + 1..=last.seq).collect()))?;
        }
        let known = self.reader.acknowledged()?.map_or(0, |held| held.through);
        // Something moved, everything that was sent is covered, or the centre says for the first time that it lacks older rows.
        let sense = known != through || seq >= last.seq || (behind && self.rewind.is_none());
        if !sense {
            let fork = self.reader.fork()?;
            let why = fork.unwrap_or_else(|| format!("row {seq}, and {} were sent", last.seq));
            self.later(format!("the centre's receipt does not cover what it was sent: {why}"), None);
            return Ok(());
        }
        self.rewind = behind.then_some(seq + 1);
        if self.pace.failures > 0 {
            ::log::info!("upload goes on");
        }
        self.pace.failures = 0;
        self.status.send_modify(|status| {
            status.failures = 0;
            status.trouble = None;
            status.refused = 0;
            status.delivered += known.saturating_sub(through);
        });
        Ok(())
    }

    /// A health line is no evidence: one that was lost is followed by the next.
    fn health(&mut self) -> Result<(), Fault> {
        let mut health = (self.describe)();
        let (counts, through) = (self.reader.outbox_counts()?, self.reader.acknowledged()?);
        health.vitals.outbox = counts.pending + counts.sent;
        health.vitals.refused = counts.dead;
        let oldest = self.reader.stretch(through.map_or(0, |held| held.through) + 1, 1, 1)?;
        health.vitals.outbox_age_s = oldest.map(|oldest| (health.at.0.saturating_sub(oldest.at.0) / 1000).max(0));
        let note = self.writer.with_log(move |log| log.sign_health(health))?;
        if let Err(why) = self.centre.exchange(Errand::Health, note.into_bytes()) {
            ::log::debug!("a health line was lost: {why}");
        }
        Ok(())
    }

    fn later(&mut self, why: String, wait: Option<Duration>) {
        self.pace.failures = self.pace.failures.saturating_add(1);
        let chance = self.writer.machine().jitter();
        let own = self.pace.backoff.spread(self.pace.failures, chance);
        self.pace.not_before = self.clock.since(self.start) + wait.map_or(own, |wait| wait.max(own));
        if self.pace.failures == 1 {
            ::log::warn!("upload waits: {why}");
        }
        self.status.send_modify(|status| {
            status.failures = self.pace.failures;
            status.trouble = Some(why);
        });
    }

    fn commit(&self, update: OutboxUpdate) -> Result<(), Fault> {
        match self.writer.update_outbox(update).wait(DISK) {
            Written::Committed(_) => Ok(()),
            Written::Late => Err(Fault::Busy),
            Written::Failed(_) => Err(Fault::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use cache::{
        exchange::{Digest, Refusal},
        log::{note::NoteSigner, row::UnixMillis},
    };

    use super::*;

    const LOG: Uuid = Uuid::from_u128(7);

    fn centre() -> NoteSigner {
        NoteSigner::new("centre.example", &[1; 32]).expect("a name")
    }

    fn said(status: u16, text: &str, seconds: Option<u64>) -> Meaning {
        let pinned = Pinned::new(vec![centre().verifier()]).expect("one key");
        let reply = Reply { status, text: text.to_owned(), retry_after: seconds.map(Duration::from_secs) };
        meaning(&reply, &pinned, "gate-3", LOG)
    }

    fn receipt() -> Receipt {
        Receipt {
            post: "gate-3".into(),
            log: LOG,
            store: Uuid::from_u128(8),
            through: Head { seq: 9, hash: [3; 32] },
            batch: Digest([4; 32]),
            at: UnixMillis(1_612_166_401_250),
        }
    }

    #[test]
    fn only_a_pinned_keys_receipt_acknowledges_and_every_other_answer_waits() {
        let note = receipt().sign(&centre());
        assert_eq!(said(200, &note, None), Meaning::Receipt(Box::new(receipt())));
        assert_eq!(said(409, &note, None), Meaning::Receipt(Box::new(receipt())));
        let forged = receipt().sign(&NoteSigner::new("centre.example", &[2; 32]).expect("a name"));
        let cut = &note[..note.len() - 20];
        let refused_as_good = Refused {
            post: "gate-3".into(),
            log: LOG,
            store: Uuid::from_u128(8),
            from: 1,
            to: 9,
            reason: Refusal::Fork,
            batch: Digest([4; 32]),
            at: UnixMillis(0),
        };
        let refused = refused_as_good.sign(&centre());
        for (status, text) in [
            (200, "<html>Welcome to the airport</html>"),
            (200, ""),
            (200, "{\"error\":\"database\"}"),
            (200, cut),
            (200, &forged),
            (200, &refused),
            (202, &note),
            (204, ""),
            (301, &note),
            (403, "not enrolled"),
            (422, &note),
            (503, &note),
        ] {
            assert!(matches!(said(status, text, None), Meaning::Later { .. }), "{status} {text}");
        }
        assert_eq!(said(422, &refused, None), Meaning::Refused(refused_as_good));
    }

    #[test]
    fn of_a_refusal_the_outbox_keeps_the_rows_that_were_sent_and_no_others() {
        let dead = |rows: &[u64]| OutboxUpdate::Dead(rows.to_vec(), "fork".to_owned());
        assert_eq!(refused_rows(4..=6, 1..=9, "fork"), dead(&[4, 5, 6]));
        assert_eq!(refused_rows(0..=u64::MAX, 8..=9, "fork"), dead(&[8, 9]), "however far it reaches");
        assert_eq!(refused_rows(20..=30, 8..=9, "fork"), dead(&[]));
    }

    #[test]
    fn the_centres_pause_is_kept_to_an_hour_and_its_text_is_shown_without_escapes() {
        let Meaning::Later { why, wait } = said(503, "\u{1b}[2Jbusy", Some(1_000_000)) else { panic!("waits") };
        assert_eq!((why.as_str(), wait), ("503 [2Jbusy", Some(LONGEST)));
    }
}
