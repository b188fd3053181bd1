//! What was published last, and by whom: looked at before each publication.
//!
//! Gates keep the newest generation and refuse an older one. A folder that has forgotten what it published (a backup that was brought back,
//! a second copy) would sign numbers that gates know already: they would refuse every list from it, and nobody here would notice. So a
//! folder keeps the numbers beside its drafts, apart from `published/`, and looks at its mirrors.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use trustlist::{
    region::Region,
    time::UnixTime,
    tuf::{self, Answer, Refusal, Request, Trusted, Why},
};

use crate::{authority::Generation, place::Place};

/// Largest target that is fetched from a mirror: what a gate takes.
const MAX_TARGET: u64 = 8 * 1024 * 1024;

/// The numbers of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Version of its timestamp: the generation.
    pub generation: u64,
    /// When it was signed.
    pub issued: UnixTime,
    /// SHA-256 of its `timestamp.json`.
    pub sha256: String,
}

/// `lists/last.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPublished {
    /// The newest generation that was published from here; none before the first.
    pub last: Option<Record>,
    /// The folder was brought back from a backup, and nobody has looked since whether something was published after it was made.
    #[serde(default)]
    pub restored: bool,
}

/// Why nothing is published, and nothing is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastError {
    /// The folder does not know what it published.
    Unrecorded(Region),
    /// `published/` is gone or older than what was published from here.
    PublishedIsOlder {
        /// Whose.
        issuer: Region,
        /// What is in `published/`.
        published: Option<u64>,
        /// What was published.
        recorded: u64,
    },
    /// The folder was restored, and no mirror was looked at since.
    Restored {
        /// Whose.
        issuer: Region,
        /// What the backup holds.
        generation: u64,
    },
    /// A mirror holds a generation that was not published from here.
    Behind {
        /// Whose.
        issuer: Region,
        /// Where.
        place: String,
        /// What is there.
        there: u64,
        /// What was published from here.
        here: u64,
    },
    /// A mirror holds another generation of the same number.
    Fork {
        /// Whose.
        issuer: Region,
        /// Where.
        place: String,
        /// The number of both.
        generation: u64,
    },
    /// A mirror gives no answer.
    Unreachable {
        /// Which.
        place: String,
        /// Its words.
        why: String,
    },
    /// What stands on a mirror in this authority's folder is not by its keys.
    NotOurs {
        /// Whose folder.
        issuer: Region,
        /// Which mirror.
        place: String,
        /// What is wrong.
        why: String,
    },
}

impl fmt::Display for LastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unrecorded(issuer) => write!(
                f,
                "{issuer}: this folder does not know what it published last: published/ and lists/last.json are missing, as in a copy \
                 that is not whole. Take it up from a mirror with `authority restore --mirror PLACE`; if there is none any more, say the \
                 last generation that gates hold with `authority publish --after N`"
            ),
            Self::PublishedIsOlder { issuer, published, recorded } => {
                let held = published.map_or("no generation".to_owned(), |number| format!("generation {number}"));
                write!(
                    f,
                    "{issuer}: generation {recorded} was published from here, and published/ holds {held}. Bring published/ back with \
                     `authority restore --mirror PLACE`; if there is no mirror any more, go on with `authority publish --after {recorded}`"
                )
            }
            Self::Restored { issuer, generation } => write!(
                f,
                "{issuer}: this folder was restored from a backup of generation {generation}, and later ones may have been published. Take \
                 them up with `authority restore --mirror PLACE`; if there is no mirror any more, say the last generation that gates hold \
                 with `authority publish --after N`, and look whether later revocations are missing"
            ),
            Self::Behind { issuer, place, there, here } => write!(
                f,
                "{issuer}: {place} holds generation {there}, and {here} is the last that was published from here: another copy of this \
                 folder has published. Find it and publish there, or take up what it published with `authority restore --mirror {place}`"
            ),
            Self::Fork { issuer, place, generation } => write!(
                f,
                "{issuer}: {place} holds another generation {generation} than the one that was published from here: two copies of this \
                 folder publish. Stop one of them. Then take up the other's lists with `authority restore --mirror {place}`, or keep the \
                 lists of this folder and go on with `authority publish --after {generation}`"
            ),
            Self::Unreachable { place, why } => write!(
                f,
                "{place} cannot be looked at ({why}), so nobody knows whether another copy has published. Try again; if this folder is the \
                 only one, publish with --without-mirrors"
            ),
            Self::NotOurs { issuer, place, why } => write!(
                f,
                "what {place} holds in {issuer}/ was not published with the keys of this folder ({why}). If {issuer} was founded anew, \
                 take the old files away there; otherwise find out whose they are before anything is published"
            ),
        }
    }
}

impl std::error::Error for LastError {}

/// What a mirror holds of an issuer, verified from the roots that are known here.
#[derive(Debug)]
pub struct Found {
    /// Roots that follow the newest one known here.
    pub roots: Vec<Vec<u8>>,
    /// The newest generation.
    pub generation: Generation,
    /// Its numbers.
    pub record: Record,
    trusted: Trusted,
    place: Place,
    issuer: Region,
}

impl Found {
    /// Looks at what `place` holds of `issuer`, whose roots are known here, oldest first; none when it holds nothing.
    ///
    /// What stands there was signed under the newest root, or under one before it that has been rotated since.
    ///
    /// # Errors
    /// When the place gives no answer, or what it holds is signed by other keys.
    pub fn look(place: &Place, issuer: Region, roots: &[Vec<u8>]) -> Result<Option<Found>, LastError> {
        let mut under = roots.iter().rev().map(|root| Found::look_from(place, issuer, root, roots.len() as u64));
        let newest = under.next().unwrap_or(Ok(None));
        match newest {
            Err(LastError::NotOurs { .. }) => under.find(Result::is_ok).unwrap_or(newest),
            looked => looked,
        }
    }

    fn look_from(place: &Place, issuer: Region, root: &[u8], known: u64) -> Result<Option<Found>, LastError> {
        let not_ours = |refusal: Refusal| match refusal.why {
            Why::Unreachable(why) => LastError::Unreachable { place: place.to_string(), why },
            _ => LastError::NotOurs { issuer, place: place.to_string(), why: refusal.to_string() },
        };
        let mut roots = Vec::new();
        let mut fetch = |request: &Request| {
            let answer = place.fetch(&format!("{issuer}/metadata/{}", request.path), request.limit);
            let version = request.path.strip_suffix(".root.json").and_then(|version| version.parse::<u64>().ok());
            if let (Some(_), Answer::Bytes(bytes)) = (version.filter(|version| *version > known), &answer) {
                roots.push(bytes.clone());
            }
            answer
        };
        let mut trusted = Trusted::from_root(root).map_err(not_ours)?;
        // What has expired is looked at all the same: it is the numbers that count.
        match tuf::refresh(&mut trusted, UnixTime(0), &mut fetch) {
            Err(Refusal { role, why: Why::Missing }) if role == "timestamp" => return Ok(None),
            done => done.map_err(not_ours)?,
        }
        let (Some(timestamp), Some(snapshot), Some(targets)) =
            (trusted.timestamp(), trusted.snapshot(), trusted.targets("targets"))
        else {
            return Ok(None);
        };
        let generation = Generation {
            timestamp: timestamp.bytes.clone(),
            snapshot: snapshot.bytes.clone(),
            targets: targets.bytes.clone(),
        };
        let record = Record {
            generation: timestamp.signed.version,
            issued: timestamp.signed.issued.unwrap_or(UnixTime(0)),
            sha256: crate::metadata::sha256(&timestamp.bytes),
        };
        Ok(Some(Found { roots, generation, record, trusted, place: place.clone(), issuer }))
    }

    /// Fetches every target that the generation names.
    ///
    /// # Errors
    /// When one cannot be had as it is named.
    pub fn targets(&self) -> Result<BTreeMap<String, Vec<u8>>, LastError> {
        let mut targets = BTreeMap::new();
        let Some(named) = self.trusted.targets("targets") else { return Ok(targets) };
        for (name, target) in &named.signed.targets {
            let path = tuf::target_request(&self.trusted, name, target).path;
            let broken = |why: String| LastError::Unreachable { place: self.place.to_string(), why };
            match self.place.fetch(&format!("{}/targets/{path}", self.issuer), MAX_TARGET) {
                Answer::Bytes(bytes) if target.is(&bytes) => targets.insert(name.clone(), bytes),
                Answer::Bytes(_) => return Err(broken(format!("its {name} is not the one that was published"))),
                Answer::NotFound => return Err(broken(format!("its {name} is missing"))),
                Answer::Unreachable(why) => return Err(broken(format!("{name}: {why}"))),
            };
        }
        Ok(targets)
    }
}

/// Whether the next generation may be signed here. `published` is what is in `published/`, `seen` what stands elsewhere, and `on_mirror` whether
/// some of it stands on a mirror and not only on a stick, which may be old; `after` is the generation that somebody says was the last.
///
/// # Errors
/// When gates may hold more than is known here.
pub fn check(
    issuer: Region,
    known: Option<&LastPublished>,
    published: Option<&Record>,
    seen: &[(String, Record)],
    on_mirror: bool,
    after: Option<u64>,
) -> Result<(), LastError> {
    let recorded = known.and_then(|known| known.last.as_ref());
    let here = recorded.max_by_generation(published);
    let number = here.map_or(0, |record| record.generation);
    for (place, there) in seen {
        if there.generation > number.max(after.unwrap_or(0)) {
            let (place, there, here) = (place.clone(), there.generation, number);
            return Err(LastError::Behind { issuer, place, there, here });
        }
        let fork = here.is_some_and(|here| here.generation == there.generation && here.sha256 != there.sha256);
        if fork && after.is_none() {
            return Err(LastError::Fork { issuer, place: place.clone(), generation: there.generation });
        }
    }
    if after.is_some() {
        return Ok(());
    }
    match (known, recorded, published) {
        (None, _, None) => Err(LastError::Unrecorded(issuer)),
        (_, Some(recorded), published)
            if published.is_none_or(|published| {
                published.generation < recorded.generation
                    || published.generation == recorded.generation && published.sha256 != recorded.sha256
            }) =>
        {
            let published = published.map(|published| published.generation);
            Err(LastError::PublishedIsOlder { issuer, published, recorded: recorded.generation })
        }
        (Some(known), ..) if known.restored && !on_mirror => Err(LastError::Restored { issuer, generation: number }),
        _ => Ok(()),
    }
}

trait Newest<'a> {
    fn max_by_generation(self, other: Option<&'a Record>) -> Option<&'a Record>;
}

impl<'a> Newest<'a> for Option<&'a Record> {
    fn max_by_generation(self, other: Option<&'a Record>) -> Option<&'a Record> {
        self.into_iter().chain(other).max_by_key(|record| record.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(generation: u64, sha256: &str) -> Record {
        Record { generation, issued: UnixTime(0), sha256: sha256.to_owned() }
    }

    fn known(last: Option<Record>, restored: bool) -> Option<LastPublished> {
        Some(LastPublished { last, restored })
    }

    #[test]
    fn a_generation_is_signed_only_where_nobody_can_hold_a_later_one() {
        let hubei: Region = "420000".parse().expect("a region");
        let (five, seven) = (record(5, "a"), record(7, "a"));
        let fork = record(5, "b");
        let place = || "mirror".to_owned();
        for (known, published, seen, after, expected) in [
            (known(None, false), None, None, None, "ok"),
            (known(Some(five.clone()), false), Some(&five), None, None, "ok"),
            (known(Some(five.clone()), false), Some(&five), Some(&five), None, "ok"),
            (known(Some(seven.clone()), false), Some(&seven), Some(&five), None, "ok"),
            (None, Some(&five), None, None, "ok"),
            (None, None, None, None, "does not know"),
            (None, None, None, Some(7), "ok"),
            (known(Some(five.clone()), false), None, None, None, "holds no generation"),
            (known(Some(seven.clone()), false), Some(&five), None, None, "holds generation 5"),
            (known(Some(five.clone()), false), Some(&five), Some(&seven), None, "another copy"),
            (known(Some(five.clone()), false), Some(&five), Some(&seven), Some(6), "another copy"),
            (known(Some(five.clone()), false), Some(&five), Some(&seven), Some(7), "ok"),
            (known(Some(five.clone()), false), Some(&five), Some(&fork), None, "two copies"),
            (known(Some(five.clone()), false), Some(&five), Some(&fork), Some(5), "ok"),
            (known(Some(five.clone()), true), Some(&five), None, None, "restored from a backup of generation 5"),
            (known(Some(five.clone()), true), Some(&five), Some(&five), None, "ok"),
        ] {
            let seen: Vec<(String, Record)> = seen.into_iter().map(|seen| (place(), seen.clone())).collect();
            let said = match check(hubei, known.as_ref(), published, &seen, !seen.is_empty(), after) {
                Ok(()) => "ok".to_owned(),
                Err(error) => error.to_string(),
            };
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }
}
