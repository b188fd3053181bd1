//! The index of a mirror: one file that answers for every repository whether there is anything new (`trustlist/FORMAT.md` §9).
//!
//! It is made from the files of a mirror by whoever keeps the mirror, holds no key and no signature, and is believed no more than those
//! files. The same repositories give the same bytes. An issuer whose files are not whole is left out, alone.

use std::{collections::BTreeMap, fmt, path::Path};

use serde::Serialize;
use trustlist::{region::Region, tuf};

use crate::{fault::WorkspaceError, files, metadata};

pub mod first;
mod folder;

pub use folder::{FILE, write};

/// Largest index, before compression. A gate looks at no more; 35 issuers take a third of it.
pub const MAX_INDEX: usize = 65_536;
/// Largest `timestamp.json` that is put into an index. A usual one has 600 bytes; stops one issuer from filling the index.
pub const MAX_TIMESTAMP: u64 = 4_096;
/// Hexadecimal digits of a root's digest: 16 bytes of SHA-256, enough to tell one root from another.
const DIGEST: usize = 32;

/// What is newest in one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// Version of the newest root.
    pub root_version: u64,
    /// The newest root.
    pub root: Vec<u8>,
    /// `timestamp.json`.
    pub timestamp: Vec<u8>,
}

/// Why a repository is not in the index. A gate asks for its files alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// A file is missing.
    Missing(&'static str),
    /// A file is a link, a pipe, a folder or otherwise no file.
    NotAFile(String),
    /// A file is too large.
    TooLarge(String),
    /// The file is no timestamp.
    NotATimestamp,
    /// The index is full.
    Full,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "its {name} is not on the mirror; bring the repository over whole"),
            Self::NotAFile(name) => write!(f, "its {name} is no plain file; bring the repository over anew"),
            Self::TooLarge(name) => write!(f, "its {name} is larger than any is; ask its issuer"),
            Self::NotATimestamp => f.write_str("its timestamp.json is none; ask its issuer to publish again"),
            Self::Full => write!(f, "the index would be larger than {MAX_INDEX} bytes"),
        }
    }
}

/// An index, and what is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The bytes of `index.json`.
    pub bytes: Vec<u8>,
    /// Whose repositories are in it.
    pub listed: Vec<Region>,
    /// Whose are not, and why.
    pub left_out: Vec<(Region, LeftOut)>,
}

/// One line of the index.
#[derive(Serialize)]
struct Line<'a> {
    root: RootLine,
    timestamp: &'a str,
}

#[derive(Serialize)]
struct RootLine {
    version: u64,
    digest: String,
}

impl Index {
    /// Makes the index of these repositories, in the order of their codes.
    #[must_use]
    pub fn of(repositories: &BTreeMap<Region, Result<Newest, LeftOut>>) -> Index {
        const HEAD: &str = "{\"index\":1,\"issuers\":{\n";
        const END: &str = "\n}}\n";
        let mut index = Index { bytes: HEAD.into(), listed: Vec::new(), left_out: Vec::new() };
        for (issuer, newest) in repositories {
            let line = newest.clone().and_then(|newest| newest.line(*issuer));
            let room = |line: &String| index.bytes.len() + line.len() + ",\n".len() + END.len() <= MAX_INDEX;
            match line.and_then(|line| if room(&line) { Ok(line) } else { Err(LeftOut::Full) }) {
                Ok(line) => {
                    if !index.listed.is_empty() {
                        index.bytes.extend_from_slice(b",\n");
                    }
                    index.bytes.extend_from_slice(line.as_bytes());
                    index.listed.push(*issuer);
                }
                Err(why) => index.left_out.push((*issuer, why)),
            }
        }
        index.bytes.extend_from_slice(END.as_bytes());
        index
    }

    /// Reads the repositories of a mirror and makes their index.
    ///
    /// # Errors
    /// When the mirror's folder cannot be read. What is wrong with one repository leaves out that one.
    pub fn of_mirror(mirror: &Path) -> Result<Index, WorkspaceError> {
        let mut repositories = BTreeMap::new();
        for issuer in files::names(mirror)?.iter().filter_map(|name| name.parse::<Region>().ok()) {
            repositories.insert(issuer, folder::newest(&mirror.join(issuer.as_str()).join("metadata")));
        }
        Ok(Index::of(&repositories))
    }
}

impl Newest {
    fn line(&self, issuer: Region) -> Result<String, LeftOut> {
        // Whether it is signed by the right keys is for the gate to see; that it is a timestamp keeps other files out of a public one.
        let role = serde_json::from_slice::<serde_json::Value>(&self.timestamp)
            .ok()
            .and_then(|file| file["signed"]["_type"].as_str().map(str::to_owned));
        let timestamp = std::str::from_utf8(&self.timestamp).map_err(|_| LeftOut::NotATimestamp)?;
        if role.as_deref() != Some("timestamp") {
            return Err(LeftOut::NotATimestamp);
        }
        let mut digest = metadata::sha256(&self.root);
        digest.truncate(DIGEST);
        let line = Line { root: RootLine { version: self.root_version, digest }, timestamp };
        let line = serde_json::to_string(&line).expect("texts and numbers have a JSON form");
        Ok(format!("\"{issuer}\":{line}"))
    }
}

/// Largest root that is looked at: the client's bound on metadata.
const MAX_ROOT: u64 = tuf::MAX_METADATA;

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(timestamp: &str) -> Result<Newest, LeftOut> {
        Ok(Newest { root_version: 2, root: b"{}".to_vec(), timestamp: timestamp.into() })
    }

    const TIMESTAMP: &str = r#"{"signatures":[],"signed":{"_type":"timestamp","name":"湖北"}}"#;

    #[test]
    fn an_index_gives_every_timestamp_back_byte_for_byte() {
        let region = |code: &str| code.parse::<Region>().expect("a region");
        let repositories =
            BTreeMap::from([(region("420000"), newest(TIMESTAMP)), (region("DE"), newest("{\"signed\":{}}"))]);
        let index = Index::of(&repositories);
        assert_eq!(index.left_out, [(region("DE"), LeftOut::NotATimestamp)]);
        let read: serde_json::Value = serde_json::from_slice(&index.bytes).expect("JSON");
        assert_eq!(read["index"], 1);
        assert_eq!(read["issuers"]["420000"]["timestamp"], TIMESTAMP);
        assert_eq!(read["issuers"]["420000"]["root"]["digest"], metadata::sha256(b"{}")[..DIGEST]);
        assert_eq!(index, Index::of(&repositories), "the same repositories give the same bytes");
    }

    #[test]
    fn an_index_never_outgrows_its_bound_and_leaves_the_last_out() {
        let long = TIMESTAMP.replace("湖北", &"x".repeat(4_000));
        let countries = ('A'..='Z').map(|letter| (format!("A{letter}").parse().expect("a country"), newest(&long)));
        let index = Index::of(&countries.collect());
        assert!(index.bytes.len() <= MAX_INDEX && index.bytes.len() > MAX_INDEX - 4_200);
        assert!(!index.listed.is_empty());
        assert!(index.left_out.iter().all(|(_, why)| *why == LeftOut::Full));
        assert!(serde_json::from_slice::<serde_json::Value>(&index.bytes).is_ok());
    }
}
