//! What the outbox speaks of: rows as they are sent, rows that were refused, and how far the centre has signed for them.

use uuid::Uuid;

/// A row as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its log.
    pub log: Uuid,
    /// Its place in the chain.
    pub seq: u64,
    /// Its identity: what makes delivery idempotent.
    pub id: Uuid,
    /// Its hash.
    pub hash: [u8; 32],
    /// Its exact text.
    pub body: String,
}

impl Item {
    /// The line that leaves the device: who says it, of which log, the row's place and hash, and the row exactly as chained.
    #[must_use]
    pub fn line(&self, post: &str) -> String {
        let post = serde_json::to_string(post).expect("a text always serialises");
        let hash = data_encoding::HEXLOWER.encode(&self.hash);
        let Item { log, seq, body, .. } = self;
        format!("{{\"post\":{post},\"log\":\"{log}\",\"seq\":{seq},\"hash\":\"{hash}\",\"row\":{body}}}")
    }
}

/// A row that the centre refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its place in the chain.
    pub seq: u64,
    /// Its identity.
    pub id: String,
    /// What the centre said, as it said it: escape it before printing.
    pub answer: Option<String>,
}

/// How many of the rows that are held are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting to be sent.
    pub pending: u64,
    /// Taken by the transport; no receipt covers them.
    pub sent: u64,
    /// Below the centre's receipt.
    pub acknowledged: u64,
    /// Refused.
    pub dead: u64,
}

/// How far a centre has receipted the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The centre's database.
    pub store: String,
    /// The last row without a gap before it that is durable there.
    pub through: u64,
    /// The signed receipt.
    pub note: String,
}
