//! The outbox: what is still owed to a centre.
//!
//! Each row is *pending*, *sent* (the transport took it), *acknowledged* (a receipt that the centre signed covers it), or a *dead letter*
//! with the answer that refused it. A transport's success is not storage: only an acknowledged row may be given up for want of space.
//! Delivery is at least once; a row's `id` makes it idempotent. What to send next is decided elsewhere; here is what became of rows.

mod ranges;
mod rows;

use std::ops::RangeInclusive;

pub use ranges::Ranges;
pub use rows::{Acknowledged, Counts, DeadLetter, Item};

/// What changes in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxUpdate {
    /// The transport took them.
    Sent(Vec<u64>),
    /// The centre refuses them, and says this.
    Dead(Vec<u64>, String),
    /// Dead letters to be tried again; all of them when empty.
    Retry(Vec<u64>),
    /// Rows to be sent once more, whatever became of them.
    Resend(RangeInclusive<u64>),
    /// The centre signed for rows.
    Received(ReceivedReceipt),
    /// The centre has the anchors up to this row.
    AnchorsSent(u64),
}

/// A receipt of the centre, its signature already checked by whoever hands it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedReceipt {
    /// The centre's database.
    pub store: String,
    /// The highest row without a gap before it that is durable there.
    pub through: u64,
    /// That row's hash.
    pub hash: [u8; 32],
    /// The signed note itself, kept as a witness of the chain's end.
    pub note: String,
}

/// Rows that wait, as the store sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// The newest, newest first.
    pub newest: Vec<u64>,
    /// The oldest, oldest first.
    pub oldest: Vec<u64>,
}
