//! A mirror on the web that is asked for its index first, and for files where the index says that there is something new.
//!
//! An index could hold an issuer back. So each round two issuers are asked for their own files whatever it says, in turn; and an issuer whom it
//! leads to an error is asked for its files in the same round.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cache::trust_store::{
    TrustStore,
    mirrors::{KeptAnswer, MirrorMemory},
};
use trustlist::{
    region::{NATIONAL, Region},
    tuf::Answer,
};

use super::{
    https::{Reply, WebMirror},
    index::{FILE, FIRST, Index, MAX_FIRST, MAX_INDEX, first_files},
};
use crate::{error::Error, lists::Mirror};

/// Issuers that are asked for past the index in a round.
const WALKED: usize = 2;
/// Longest answer that is kept to be asked for by its tag, the index apart: a timestamp's, several times over. Stops a mirror from filling the store.
const LONGEST_KEPT: usize = 4096;

/// A mirror with its index.
pub struct IndexedMirror {
    web: WebMirror,
    address: String,
    before: MirrorMemory,
    memory: MirrorMemory,
    index: Index,
    walked: BTreeSet<Region>,
    /// What came in one file, for a gate that holds nothing yet.
    first: BTreeMap<String, String>,
    /// Whose files were taken from there.
    taken_first: BTreeSet<Region>,
    /// Why the index could not even be asked for. The files need not be tried then.
    silent: Option<String>,
}

impl IndexedMirror {
    /// Asks for the index.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ask(mut web: WebMirror, address: &str, store: &TrustStore) -> Result<IndexedMirror, Error> {
        let before = store.mirror(address)?;
        let mut memory = before.clone();
        let known = memory.answers.get(FILE);
        let reply = web.ask(FILE, MAX_INDEX, known.map(|known| known.tag.as_str()));
        let (index, silent) = match (reply, known) {
            (Reply::NotModified, Some(known)) => (Index::parse(&known.bytes), None),
            (Reply::Answer(Answer::Bytes(bytes), tag), _) => {
                let index = Index::parse(&bytes);
                match tag.filter(|_| index.is_some()) {
                    Some(tag) => memory.answers.insert(FILE.to_owned(), KeptAnswer { tag, bytes }),
                    None => memory.answers.remove(FILE),
                };
                (index, None)
            }
            (Reply::Answer(Answer::Unreachable(why), _), _) if !web.is_there() => (None, Some(why)),
            // Without an index it is a mirror all the same.
            _ => (None, None),
        };
        let mut index = index.unwrap_or_default();
        let mut doubtful = Vec::new();
        for issuer in index.after(None) {
            let roots = store.roots(issuer)?;
            let newest = index.newest(issuer).map(|newest| &newest.root);
            // The version that is held and another root: it says nothing of this issuer (`trustlist/FORMAT.md` §9).
            if let (Some((version, held)), Some(told)) = (roots.last(), newest)
                && *version == told.version
                && !told.is(held)
            {
                doubtful.push(issuer);
            }
        }
        for issuer in doubtful {
            index.forget(issuer);
        }
        let walked: BTreeSet<Region> = {
            let in_turn: Vec<Region> = index.after(memory.walked).take(WALKED).collect();
            memory.walked = in_turn.last().copied().or(memory.walked);
            in_turn.into_iter().collect()
        };
        let mut first = BTreeMap::new();
        if index != Index::default()
            && store.newest(NATIONAL)?.is_none()
            && let Answer::Bytes(bytes) = web.fetch(FIRST, MAX_FIRST)
        {
            first = first_files(&bytes);
        }
        Ok(IndexedMirror {
            web,
            address: address.to_owned(),
            before,
            memory,
            index,
            walked,
            first,
            taken_first: BTreeSet::new(),
            silent,
        })
    }

    /// Whether it has an index.
    #[must_use]
    pub fn has_index(&self) -> bool {
        self.index != Index::default()
    }

    /// Of a mirror without an index: whose files are asked for although another mirror had them all.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn take_turns(&mut self, store: &TrustStore) -> Result<BTreeSet<Region>, Error> {
        let issuers = store.issuers()?;
        let (before, after): (Vec<Region>, Vec<Region>) =
            issuers.into_iter().partition(|issuer| self.memory.walked.is_some_and(|walked| *issuer <= walked));
        let turn: Vec<Region> = after.into_iter().chain(before).take(WALKED).collect();
        self.memory.walked = turn.last().copied().or(self.memory.walked);
        Ok(turn.into_iter().collect())
    }

    /// Keeps for the next round what was answered with a tag, and whose turn it was.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn remember(self, store: &mut TrustStore) -> Result<(), Error> {
        Ok(store.remember_mirror(&self.address, &self.before, &self.memory)?)
    }

    /// What the index answers to a file of an issuer's metadata; `None` where the file is to be fetched.
    fn by_index(&self, path: &str) -> Option<Answer> {
        let (issuer, file) = path.split_once("/metadata/")?;
        let issuer: Region = issuer.parse().ok()?;
        let newest = self.index.newest(issuer).filter(|_| !self.walked.contains(&issuer))?;
        if file == "timestamp.json" {
            return Some(Answer::Bytes(newest.timestamp.clone().into_bytes()));
        }
        let version: u64 = file.strip_suffix(".root.json")?.parse().ok()?;
        (version > newest.root.version).then_some(Answer::NotFound)
    }

    /// A file that changes under its name, by its tag where it was had before.
    fn by_tag(&mut self, path: &str, limit: u64) -> Answer {
        let known = self.memory.answers.get(path);
        match (self.web.ask(path, limit, known.map(|known| known.tag.as_str())), known) {
            (Reply::NotModified, Some(known)) => Answer::Bytes(known.bytes.clone()),
            // It was not asked for by a tag.
            (Reply::NotModified, None) => Answer::NotFound,
            (Reply::Answer(answer, tag), _) => {
                match (&answer, tag) {
                    (Answer::Bytes(bytes), Some(tag)) if bytes.len() <= LONGEST_KEPT => {
                        self.memory.answers.insert(path.to_owned(), KeptAnswer { tag, bytes: bytes.clone() });
                    }
                    _ => drop(self.memory.answers.remove(path)),
                }
                answer
            }
        }
    }
}

impl Mirror for IndexedMirror {
    fn fetch(&mut self, path: &str, limit: u64) -> Answer {
        if let Some(why) = &self.silent {
            return Answer::Unreachable(why.clone());
        }
        if let Some(answer) = self.by_index(path) {
            return answer;
        }
        // Each file is asked for once; what is not taken as it came here is fetched alone then.
        if let Some(text) = self.first.remove(path).filter(|text| text.len() as u64 <= limit) {
            self.taken_first.extend(path.split('/').next().and_then(|issuer| issuer.parse::<Region>().ok()));
            return Answer::Bytes(text.into_bytes());
        }
        if path.ends_with("/metadata/timestamp.json") { self.by_tag(path, limit) } else { self.web.fetch(path, limit) }
    }

    fn is_there(&self) -> bool {
        self.web.is_there()
    }

    fn asks_for_peace(&self) -> Option<Duration> {
        self.web.asks_for_peace()
    }

    fn walk(&mut self, issuer: Region) -> bool {
        self.first.retain(|path, _| path.split('/').next() != Some(issuer.as_str()));
        let listed = self.index.forget(issuer) && !self.walked.contains(&issuer);
        self.taken_first.remove(&issuer) || listed
    }
}
