//! Drafts of status lists: what [`crate::status`] signs.
//!
//! A draft names only the codes that are not valid. A shard is issued when its draft last changed, not when it is published, so
//! that publishing twice gives the same bytes and costs nobody a download.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use trustlist::{
    status::{PREFIX, SHARD, Status, StatusArray},
    time::UnixTime,
};

use crate::{
    key::{KeyError, SigningKey},
    status,
};

/// Shards an issuer may have: a billion codes.
pub const MAX_SHARDS: u64 = 1000;

/// One shard as drafted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusDraft {
    /// Codes it covers.
    pub codes: u64,
    /// When it last changed.
    pub changed: UnixTime,
    /// How long a verifier may use it, in seconds; said in the list itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ttl: Option<i64>,
    /// Codes that are not valid, by their index in the shard.
    pub set: BTreeMap<u64, Status>,
}

impl StatusDraft {
    /// `codes` valid codes.
    #[must_use]
    pub fn new(codes: u64, changed: UnixTime) -> StatusDraft {
        StatusDraft { codes, changed, ttl: None, set: BTreeMap::new() }
    }

    /// The draft that a signed shard was made of, as far as the shard tells: codes are counted in fours there.
    #[must_use]
    pub(crate) fn of_shard(shard: &[u8]) -> Option<StatusDraft> {
        let array = StatusArray::of_shard(shard).ok()?;
        let (changed, ttl) = status::issued(shard)?;
        let stands = |index: u64| Some((index, array.status(index))).filter(|(_, status)| *status != Status::Valid);
        Some(StatusDraft { codes: array.codes(), changed, ttl, set: (0..array.codes()).filter_map(stands).collect() })
    }

    /// How the code at `index` stands.
    #[must_use]
    pub fn status(&self, index: u64) -> Status {
        let set = || self.set.get(&index).copied().unwrap_or(Status::Valid);
        if index < self.codes { set() } else { Status::Unknown }
    }

    /// The packed array.
    #[must_use]
    pub fn array(&self) -> StatusArray {
        let mut array = StatusArray::valid(usize::try_from(self.codes).unwrap_or(usize::MAX));
        for (index, status) in &self.set {
            array.set(*index, *status);
        }
        array
    }

    /// The signed shard under its name, `status/<n>`; the one that is `held`, where nothing changed. It is not issued before its key
    /// `begins`: a gate would take it for one that the key cannot have signed.
    ///
    /// # Errors
    /// When the key finds no randomness.
    pub fn sign(
        &self,
        uri: &str,
        key: &SigningKey,
        begins: Option<UnixTime>,
        held: Option<&[u8]>,
    ) -> Result<Vec<u8>, KeyError> {
        let issued = begins.map_or(self.changed, |begins| begins.max(self.changed));
        status::shard(uri, &self.array(), issued, self.ttl, key, held)
    }
}

/// All drafts of an issuer by number of shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusDrafts(BTreeMap<u64, StatusDraft>);

/// The draft of a status list cannot be changed so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusError {
    /// The shard is beyond [`MAX_SHARDS`].
    TooFar {
        /// Which.
        index: u64,
    },
    /// There is no such code in the lists.
    Beyond {
        /// Which code.
        index: u64,
        /// So many there are.
        codes: u64,
    },
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFar { index } => {
                write!(f, "code {index} is beyond {MAX_SHARDS} lists of {SHARD} codes; use a smaller index")
            }
            Self::Beyond { index, codes } => write!(
                f,
                "there is no code {index}: the lists cover {codes} codes; make them longer with `authority status-list grow`"
            ),
        }
    }
}

impl std::error::Error for StatusError {}

impl StatusDrafts {
    /// The drafts by number.
    #[must_use]
    pub fn shards(&self) -> &BTreeMap<u64, StatusDraft> {
        &self.0
    }

    /// Takes a draft as it was kept.
    pub fn put(&mut self, number: u64, draft: StatusDraft) {
        self.0.insert(number, draft);
    }

    /// Codes that all lists cover together.
    #[must_use]
    pub fn codes(&self) -> u64 {
        self.0.values().map(|draft| draft.codes).sum()
    }

    /// Makes the lists cover at least `codes` codes, all of them valid.
    ///
    /// # Errors
    /// When that needs more than [`MAX_SHARDS`] lists.
    pub fn grow(&mut self, codes: u64, at: UnixTime) -> Result<(), StatusError> {
        if codes > MAX_SHARDS * SHARD {
            return Err(StatusError::TooFar { index: codes });
        }
        for number in 0..codes.div_ceil(SHARD) {
            let wanted = (codes - number * SHARD).min(SHARD);
            let draft = self.0.entry(number).or_insert_with(|| StatusDraft::new(0, at));
            if draft.codes < wanted {
                draft.codes = wanted;
                draft.changed = at;
            }
        }
        Ok(())
    }

    /// How the code at `index`, counted over all lists, stands.
    #[must_use]
    pub fn status(&self, index: u64) -> Status {
        self.0.get(&(index / SHARD)).map_or(Status::Unknown, |draft| draft.status(index % SHARD))
    }

    /// Sets the code at `index`, counted over all lists. False when it stood so already.
    ///
    /// # Errors
    /// When the lists do not cover it.
    pub fn set(&mut self, index: u64, status: Status, at: UnixTime) -> Result<bool, StatusError> {
        let codes = self.codes();
        let draft = self.0.get_mut(&(index / SHARD)).filter(|draft| index % SHARD < draft.codes);
        let draft = draft.ok_or(StatusError::Beyond { index, codes })?;
        let index = index % SHARD;
        if draft.status(index) == status {
            return Ok(false);
        }
        if status == Status::Valid {
            draft.set.remove(&index);
        } else {
            draft.set.insert(index, status);
        }
        // Never backwards: a shard that says less than it said must not look older.
        draft.changed = draft.changed.max(at);
        Ok(true)
    }
}

/// The name of the target in which the code at `index`, counted over all lists, stands, and its index there.
#[must_use]
pub fn place(index: u64) -> (String, u64) {
    (name(index / SHARD), index % SHARD)
}

/// The number of the shard whose target has this name; none for a delta and for other targets.
#[must_use]
pub fn number(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.parse().ok()
}

/// The name of a shard's target.
#[must_use]
pub fn name(number: u64) -> String {
    format!("status/{number}")
}

#[cfg(test)]
mod tests {
    use trustlist::{
        code::{Format, IssuerKey, KeyState, Usage},
        key::PublicKey,
        status::StatusList,
        time::Window,
    };

    use super::*;

    const AT: UnixTime = UnixTime(1_612_137_600);

    #[test]
    fn the_judge_reads_a_shard_that_was_signed_here() {
        let mut drafts = StatusDrafts::default();
        drafts.grow(1_500_000, AT).expect("two shards");
        drafts.set(1_000_005, Status::Revoked, AT.plus(60)).expect("inside");
        let key = SigningKey::from_seed([5; 32]);
        let issuer_key = IssuerKey {
            issuer: "440000".parse().expect("a region"),
            scope: Vec::new(),
            kid: key.kid(),
            public: PublicKey::ed25519(&key.public_bytes()).expect("a key"),
            formats: vec![Format::Mr1],
            usage: Usage::Status,
            window: Window::default(),
            state: KeyState::Active,
        };
        let (uri, index) = place(1_000_005);
        let bytes = drafts.shards()[&1].sign(&uri, &key, None, None).expect("a shard");
        let list = StatusList::read(&bytes, &uri, &[&issuer_key]).expect("readable");
        assert_eq!(list.issued, AT.plus(60));
        assert_eq!(list.statuses.status(index), Status::Revoked);
        assert_eq!(list.statuses.status(index + 1), Status::Valid);
        assert_eq!(list.statuses.status(500_000), Status::Unknown);
        assert_eq!(
            drafts.shards()[&1].sign(&uri, &key, None, None).expect("a shard"),
            bytes,
            "the same draft gives the same bytes"
        );
    }

    #[test]
    fn a_code_that_no_list_covers_cannot_be_set() {
        let mut drafts = StatusDrafts::default();
        drafts.grow(10, AT).expect("one shard");
        assert_eq!(drafts.set(10, Status::Revoked, AT), Err(StatusError::Beyond { index: 10, codes: 10 }));
        assert_eq!(drafts.status(10), Status::Unknown);
        assert_eq!(drafts.set(9, Status::Valid, AT.plus(1)), Ok(false));
        assert_eq!(drafts.shards()[&0].changed, AT, "a change that changes nothing is none");
    }
}
