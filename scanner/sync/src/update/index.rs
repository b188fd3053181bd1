//! The index of a mirror: one file that answers for every issuer whether there is anything new (`trustlist/FORMAT.md` §9).
//!
//! It is unsigned, and believed no more than the files that it stands for: each part goes the way of a file that was fetched alone.

use std::{collections::BTreeMap, fmt};

use data_encoding::HEXLOWER;
use serde::{
    Deserialize,
    de::{Deserializer, Error, MapAccess, Visitor},
};
use sha2::{Digest, Sha256};
use trustlist::region::Region;

/// Its name at a mirror's top.
pub const FILE: &str = "index.json";
/// Most bytes of an index, before compression. Stops endless data.
pub const MAX_INDEX: u64 = 65_536;
/// Bytes of a root's digest that an index tells.
const DIGEST: usize = 16;

/// What a gate asks for that holds nothing yet: the small files of all repositories in one.
pub const FIRST: &str = "first.json";
/// Most bytes of it, before compression. Stops endless data.
pub const MAX_FIRST: u64 = 1024 * 1024;

/// The files that a mirror gives in one to a gate that holds nothing yet, by their paths; none where it is no such file.
#[must_use]
pub fn first_files(bytes: &[u8]) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct File {
        first: u64,
        files: BTreeMap<String, String>,
    }
    let read = if bytes.len() as u64 > MAX_FIRST { None } else { serde_json::from_slice(bytes).ok() };
    read.filter(|file: &File| file.first == 1).map(|file| file.files).unwrap_or_default()
}

/// What is newest in one repository, as a mirror says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Newest {
    /// Its newest root.
    pub root: NewestRoot,
    /// The bytes of `timestamp.json`, as a text.
    pub timestamp: String,
}

/// Which root is newest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NewestRoot {
    /// Its version.
    pub version: u64,
    digest: String,
}

impl NewestRoot {
    /// Whether it is this one, for all that the digest tells.
    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        HEXLOWER.encode(&Sha256::digest(bytes)[..DIGEST]) == self.digest
    }
}

/// What a mirror says of everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index(BTreeMap<Region, Newest>);

impl Index {
    /// Reads an index; `None` when it is none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Index> {
        #[derive(Deserialize)]
        struct File {
            index: u64,
            issuers: Issuers,
        }
        if bytes.len() as u64 > MAX_INDEX {
            return None;
        }
        // serde_json bounds the depth at 128.
        let file: File = serde_json::from_slice(bytes).ok().filter(|file: &File| file.index == 1)?;
        // A folder that is nobody's is passed over.
        let known = file.issuers.0.into_iter().filter_map(|(name, newest)| Some((name.parse().ok()?, newest)));
        Some(Index(known.collect()))
    }

    /// What it says of one issuer.
    #[must_use]
    pub fn newest(&self, issuer: Region) -> Option<&Newest> {
        self.0.get(&issuer)
    }

    /// Says nothing of an issuer any more; whether it did before.
    pub fn forget(&mut self, issuer: Region) -> bool {
        self.0.remove(&issuer).is_some()
    }

    /// Everybody it speaks of, in the order of their codes, beginning after one of them.
    pub fn after(&self, issuer: Option<Region>) -> impl Iterator<Item = Region> {
        let (before, after): (Vec<Region>, Vec<Region>) =
            self.0.keys().partition(|listed| issuer.is_some_and(|issuer| **listed <= issuer));
        after.into_iter().chain(before)
    }
}

/// A map that names nobody twice: which of two would count depends on the reader.
struct Issuers(BTreeMap<String, Newest>);

impl<'de> Deserialize<'de> for Issuers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Issuers, D::Error> {
        struct Lines;
        impl<'de> Visitor<'de> for Lines {
            type Value = Issuers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from issuers to what is newest of them")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Issuers, A::Error> {
                let mut lines = BTreeMap::new();
                while let Some((name, newest)) = map.next_entry::<String, Newest>()? {
                    if lines.insert(name, newest).is_some() {
                        return Err(A::Error::custom("an issuer is named twice"));
                    }
                }
                Ok(Issuers(lines))
            }
        }
        deserializer.deserialize_map(Lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(issuer: &str, version: u64) -> String {
        format!(
            r#""{issuer}":{{"root":{{"version":{version},"digest":"5fa474711d5b7993fb970c6ca19e9c89"}},"timestamp":"t"}}"#
        )
    }

    fn file(lines: &[String]) -> Vec<u8> {
        format!(r#"{{"index":1,"more":[],"issuers":{{{}}}}}"#, lines.join(",")).into_bytes()
    }

    fn region(code: &str) -> Region {
        code.parse().expect("a region")
    }

    #[test]
    fn an_index_says_what_is_newest_of_each_issuer_and_passes_over_what_is_nobodys() {
        let index = Index::parse(&file(&[line("440000", 2), line("..", 1), line("000000", 1)])).expect("an index");
        let newest = index.newest(region("440000")).expect("listed");
        assert_eq!((newest.root.version, newest.timestamp.as_str()), (2, "t"));
        assert!(newest.root.is(br#"{"root":2}"#) && !newest.root.is(br#"{"root":3}"#));
        assert_eq!(index.newest(region("420000")), None);
        assert_eq!(index.after(None).collect::<Vec<_>>(), [region("000000"), region("440000")]);
        assert_eq!(index.after(Some(region("420000"))).collect::<Vec<_>>(), [region("440000"), region("000000")]);
    }

    #[test]
    fn what_is_no_index_is_none() {
        let long = file(&[line("440000", 1)]).into_iter().chain(std::iter::repeat_n(b' ', 70_000)).collect();
        let deep = [vec![b'['; 200], vec![b']'; 200]].concat();
        for (what, bytes) in [
            ("twice the same issuer", file(&[line("440000", 1), line("440000", 1)])),
            ("another format", br#"{"index":2,"issuers":{}}"#.to_vec()),
            ("a page", b"<html>Please log in</html>".to_vec()),
            ("nothing", Vec::new()),
            ("a line that lacks its timestamp", br#"{"index":1,"issuers":{"440000":{}}}"#.to_vec()),
            (
                "a negative version",
                file(&[line("440000", 1)]).iter().map(|b| if *b == b'1' { b'-' } else { *b }).collect(),
            ),
            ("too long", long),
            ("a maze", deep),
        ] {
            assert_eq!(Index::parse(&bytes), None, "{what}");
        }
    }
}
