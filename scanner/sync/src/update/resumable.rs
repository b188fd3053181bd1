//! Targets that a sync has fetched are kept as they come, so that one that is cut off, by the link or by the plug, goes on where it was.
//!
//! In a consistent repository a target's file name begins with its hash (TUF §6.2), so the name alone says whether bytes are whole.

use cache::trust_store::TrustStore;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use trustlist::{region::Region, tuf::Answer};

use crate::lists::Mirror;

/// Shorter ones are fetched again in less time than it takes to keep them.
const WORTH_KEEPING: usize = 4096;

/// A mirror with a shelf before it.
pub struct ResumableMirror<'a> {
    mirror: &'a mut dyn Mirror,
    store: &'a mut TrustStore,
    issuer: Region,
}

impl<'a> ResumableMirror<'a> {
    /// Before the targets of one issuer.
    pub fn new(mirror: &'a mut dyn Mirror, store: &'a mut TrustStore, issuer: Region) -> ResumableMirror<'a> {
        ResumableMirror { mirror, store, issuer }
    }
}

impl Mirror for ResumableMirror<'_> {
    fn is_there(&self) -> bool {
        self.mirror.is_there()
    }

    fn walk(&mut self, issuer: Region) -> bool {
        self.mirror.walk(issuer)
    }

    fn asks_for_peace(&self) -> Option<std::time::Duration> {
        self.mirror.asks_for_peace()
    }

    fn fetch(&mut self, path: &str, limit: u64) -> Answer {
        if let Ok(Some(bytes)) = self.store.fetched(self.issuer, path)
            && is_what_its_name_says(path, &bytes)
        {
            return Answer::Bytes(bytes);
        }
        let answer = self.mirror.fetch(path, limit);
        if let Answer::Bytes(bytes) = &answer
            && bytes.len() >= WORTH_KEEPING
            && is_what_its_name_says(path, bytes)
            && let Err(fault) = self.store.keep_fetched(self.issuer, path, bytes)
        {
            // The sync itself will stumble over the same disk, and say so.
            log::debug!("{path} is not kept: {fault}");
        }
        answer
    }
}

fn is_what_its_name_says(path: &str, bytes: &[u8]) -> bool {
    let file = path.rsplit('/').next().unwrap_or_default();
    file.split_once('.').is_some_and(|(hash, _)| hash == HEXLOWER.encode(&Sha256::digest(bytes)))
}
