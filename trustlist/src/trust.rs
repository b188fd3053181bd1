//! Everything that was verified, put together for judging: the national lists, and each issuer's keys and status lists.
//!
//! A [`Repository`] is what the TUF workflow delivers. One that is broken or missing ages alone: it becomes a [`Fault`], and the others
//! work. Only a broken national one is an error, because nothing can be judged without it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    code::{Format, IssuerKey, KeyRing, Usage, ring::MAX_PER_KID},
    freshness::{self, Freshness},
    lists::{
        BadDocument, Fault, entries,
        keys::KeyEntry,
        policy::{Policy, Profile},
        recognition::Recognition,
        risk::RiskAreas,
        trustlist::IssuerEntry,
    },
    region::{NATIONAL, Region},
    status::{MAX_INFLATED, PREFIX, Room, StatusList, StatusLists},
    time::{
        Moment, TimeTrust, UnixTime,
        quorum::{Fingerprint, Vote, quorum},
    },
};

/// One issuer's repository as the TUF workflow last accepted it ([`crate::tuf`] makes it).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Whose it is.
    pub issuer: Region,
    /// Version of its timestamp metadata.
    pub generation: u64,
    /// When that was issued, by its own signed word; 1970 when it does not say.
    pub issued: UnixTime,
    /// When that expires.
    pub expires: UnixTime,
    /// When this device accepted it, where it is known.
    pub arrived: Option<UnixTime>,
    /// The keys of its root.
    pub root_keys: BTreeSet<Fingerprint>,
    /// Verified targets by name.
    pub targets: BTreeMap<String, Vec<u8>>,
}

/// What is known of one issuer.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// Its line in the national list.
    pub entry: IssuerEntry,
    /// What its repository says; `None` when this device holds none.
    pub repository: Option<RepositoryFacts>,
    /// Its status lists.
    pub statuses: StatusLists,
}

/// Number and age of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepositoryFacts {
    /// Version of its timestamp metadata.
    pub generation: u64,
    /// When that was issued.
    pub issued: UnixTime,
    /// When that expires.
    pub expires: UnixTime,
    /// When this device accepted it, where it is known.
    pub arrived: Option<UnixTime>,
}

impl RepositoryFacts {
    /// From when it ages at `moment`: its issue, but for one that claims to be of a confirmed clock's future, which ages from its arrival.
    /// Whoever dates a list ahead does not keep it fresh until then.
    #[must_use]
    pub fn ages_from(&self, moment: Moment) -> UnixTime {
        self.arrived.filter(|_| moment.is_before(self.issued)).unwrap_or(self.issued)
    }
}

/// Lists that are put together one repository after the other, so that whoever reads them from a disk holds one at a time.
pub struct Assembly {
    trust: Trust,
    faults: Vec<Fault>,
    room: Room,
    order: Vec<Region>,
}

impl Assembly {
    /// Begins with the nation's.
    ///
    /// # Errors
    /// When the national repository lacks its list of issuers, or one of its lists is no document.
    pub fn begin(national: &Repository) -> Result<Assembly, TrustError> {
        Assembly::begin_within(national, Room::DEVICE)
    }

    /// The same within other bounds than a device's.
    ///
    /// # Errors
    /// As [`Assembly::begin`].
    pub fn begin_within(national: &Repository, mut room: Room) -> Result<Assembly, TrustError> {
        let mut faults = Vec::new();
        let read = |file: &'static str| national.targets.get(file).map(Vec::as_slice);
        let list = read("trustlist.json").ok_or(TrustError::Missing { file: "trustlist.json" })?;
        let entries_of = entries::<IssuerEntry>(list, NATIONAL, "trustlist.json", "issuers", &mut faults)?;
        let recognition = match read("recognition.json") {
            None => Recognition::default(),
            Some(bytes) => Recognition {
                arrangements: entries(bytes, NATIONAL, "recognition.json", "arrangements", &mut faults)?,
                suspensions: entries(bytes, NATIONAL, "recognition.json", "suspensions", &mut faults)?,
            },
        };
        let risk_areas = match read("risk-areas.json") {
            None => RiskAreas::default(),
            Some(bytes) => RiskAreas { areas: entries(bytes, NATIONAL, "risk-areas.json", "areas", &mut faults)? },
        };
        let mut trust = Trust {
            national: facts(national),
            issuers: BTreeMap::new(),
            ring: KeyRing::default(),
            recognition,
            policy: policy(read("policy.json"))?,
            risk_areas,
            configuration_keys: Vec::new(),
            votes: vec![vote(national)],
        };
        let mut order = Vec::new();
        for entry in entries_of {
            order.push(entry.id);
            trust.issuers.insert(entry.id, Issuer { entry, repository: None, statuses: StatusLists::default() });
        }
        trust.take(national, &mut room, &mut faults);
        Ok(Assembly { trust, faults, room, order })
    }

    /// The issuers in the order of the nation's list. Where there is no room for all, it says who goes without: whoever comes last.
    #[must_use]
    pub fn order(&self) -> &[Region] {
        &self.order
    }

    /// Takes another issuer's.
    pub fn take(&mut self, repository: &Repository) {
        self.trust.take(repository, &mut self.room, &mut self.faults);
    }

    /// The lists, and what was left out.
    #[must_use]
    pub fn end(self) -> (Trust, Vec<Fault>) {
        (self.trust, self.faults)
    }
}

/// All that a verdict rests on. Immutable: a newer one takes its place whole.
#[derive(Clone, Debug)]
pub struct Trust {
    national: RepositoryFacts,
    issuers: BTreeMap<Region, Issuer>,
    ring: KeyRing,
    recognition: Recognition,
    policy: Policy,
    risk_areas: RiskAreas,
    configuration_keys: Vec<IssuerKey>,
    votes: Vec<Vote>,
}

/// The national repository cannot be used.
#[derive(Debug)]
pub enum TrustError {
    /// It lacks a list that nothing can be judged without.
    Missing {
        /// Which.
        file: &'static str,
    },
    /// A list in it cannot be read.
    Bad(BadDocument),
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { file } => write!(f, "the national repository has no {file}; publish it again"),
            Self::Bad(document) => write!(f, "the national repository: {document}"),
        }
    }
}

impl std::error::Error for TrustError {}

impl From<BadDocument> for TrustError {
    fn from(document: BadDocument) -> TrustError {
        TrustError::Bad(document)
    }
}

impl Trust {
    /// What a device knows that no list has reached yet: nothing. Every code refers as `list-missing`.
    #[must_use]
    pub fn none() -> Trust {
        Trust {
            national: RepositoryFacts { generation: 0, issued: UnixTime(0), expires: UnixTime(0), arrived: None },
            issuers: BTreeMap::new(),
            ring: KeyRing::default(),
            recognition: Recognition::default(),
            policy: Policy::default(),
            risk_areas: RiskAreas::default(),
            configuration_keys: Vec::new(),
            votes: Vec::new(),
        }
    }

    /// Whether no issuer is known at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Puts verified repositories together. The second value names what was left out.
    ///
    /// # Errors
    /// As [`Assembly::begin`].
    pub fn assemble(national: Repository, repositories: Vec<Repository>) -> Result<(Trust, Vec<Fault>), TrustError> {
        let mut assembly = Assembly::begin(&national)?;
        let places: BTreeMap<Region, usize> = assembly.order().iter().copied().zip(0..).collect();
        let mut ordered: Vec<&Repository> = repositories.iter().collect();
        ordered.sort_by_key(|repository| places.get(&repository.issuer).copied().unwrap_or(usize::MAX));
        for repository in ordered {
            assembly.take(repository);
        }
        Ok(assembly.end())
    }

    /// Takes an issuer's keys and status lists, inside the scope and the formats that the national list gives it.
    fn take(&mut self, repository: &Repository, room: &mut Room, faults: &mut Vec<Fault>) {
        let mut fault = |file: &str, what: String| {
            faults.push(Fault { issuer: repository.issuer, file: file.to_owned(), what });
        };
        let Some(issuer) = self.issuers.get_mut(&repository.issuer) else {
            if repository.issuer != NATIONAL {
                fault("", "the national list does not name this issuer; its repository is left out".to_owned());
            }
            return;
        };
        issuer.repository = Some(facts(repository));
        if repository.issuer != NATIONAL {
            self.votes.push(vote(repository));
        }
        let Some(bytes) = repository.targets.get("keys.json") else {
            fault("keys.json", "missing; the issuer's codes will not be known".to_owned());
            return;
        };
        let mut left_out = Vec::new();
        let keys = match entries::<KeyEntry>(bytes, repository.issuer, "keys.json", "keys", &mut left_out) {
            Ok(keys) => keys,
            Err(bad) => {
                fault("keys.json", bad.why);
                return;
            }
        };
        let mut status_keys: Vec<IssuerKey> = Vec::new();
        for (index, entry) in keys.iter().enumerate() {
            match entry.issuer_key(repository.issuer, &issuer.entry.scope) {
                Err(why) => fault("keys.json", format!("keys[{index}] is left out: {why}")),
                Ok(key) if key.usage == Usage::Status => status_keys.push(key),
                Ok(key) if key.usage == Usage::Configuration => {
                    if repository.issuer != NATIONAL {
                        fault("keys.json", format!("keys[{index}] is left out: only the national platform configures"));
                    } else if self.configuration_keys.len() < MAX_PER_KID {
                        self.configuration_keys.push(key);
                    } else {
                        fault("keys.json", format!("keys[{index}] is left out: too many keys for configuration"));
                    }
                }
                Ok(mut key) => {
                    key.formats.retain(|format: &Format| issuer.entry.formats.contains(format));
                    if !self.ring.add(key) {
                        fault("keys.json", format!("keys[{index}] is left out: too many keys share its key id"));
                    }
                }
            }
        }
        let status_keys: Vec<&IssuerKey> = status_keys.iter().collect();
        let (mut own, mut no_room) = (Room::ISSUER, 0);
        // One list after the other, so that one at a time is inflated.
        for (name, bytes) in
            repository.targets.range(PREFIX.to_owned()..).take_while(|(name, _)| name.starts_with(PREFIX))
        {
            let left = own.and(*room);
            if left.lists == 0 || left.inflated == 0 || left.kept == 0 {
                no_room += 1;
                continue;
            }
            let read = StatusList::read_within(bytes, name, &status_keys, left.inflated);
            let (inflated, kept) = match &read {
                Ok(list) => ((list.statuses.codes() / 4) as usize, list.statuses.memory()),
                // It may have been inflated before it was refused.
                Err(_) => (left.inflated.min(MAX_INFLATED), 0),
            };
            own.take(inflated, kept);
            room.take(inflated, kept);
            if kept > left.kept {
                no_room += 1;
            } else if let Err(why) = read.and_then(|list| issuer.statuses.add(list)) {
                fault(name, format!("left out, so its codes are unknown: {why}"));
            }
        }
        if no_room > 0 {
            let what = format!("{no_room} lists are left out, so their codes are unknown: there is no room for more");
            fault(PREFIX, what);
        }
        faults.append(&mut left_out);
    }

    /// The keys of all issuers.
    #[must_use]
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// Arrangements and suspensions.
    #[must_use]
    pub fn recognition(&self) -> &Recognition {
        &self.recognition
    }

    /// All policy profiles.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Listed risk areas.
    #[must_use]
    pub fn risk_areas(&self) -> &RiskAreas {
        &self.risk_areas
    }

    /// Every issuer in the order of its code.
    pub fn issuers(&self) -> impl Iterator<Item = &Issuer> {
        self.issuers.values()
    }

    /// What is known of one issuer.
    #[must_use]
    pub fn issuer(&self, region: Region) -> Option<&Issuer> {
        self.issuers.get(&region)
    }

    /// The issuer that speaks for `region`: itself, its city's, or its province's.
    #[must_use]
    pub fn speaks_for(&self, region: Region) -> Option<&Issuer> {
        self.issuers.get(&region).or_else(|| {
            self.issuers.values().find(|issuer| issuer.entry.scope.iter().any(|scope| scope.contains(region)))
        })
    }

    /// The national repository's number and age.
    #[must_use]
    pub fn national(&self) -> RepositoryFacts {
        self.national
    }

    /// The national platform's keys that sign configuration codes.
    #[must_use]
    pub fn configuration_keys(&self) -> &[IssuerKey] {
        &self.configuration_keys
    }

    /// Whether the national list has a profile of this name.
    #[must_use]
    pub fn has_profile(&self, name: &str) -> bool {
        self.policy.profiles.contains_key(name)
    }

    /// The profile of this name, or the default one. A name that is not there falls back, so that a withdrawn profile closes nothing.
    #[must_use]
    pub fn profile(&self, name: Option<&str>) -> Profile {
        let named = |name: &str| self.policy.profiles.get(name);
        name.and_then(named).or_else(|| named(&self.policy.default)).cloned().unwrap_or_default()
    }

    /// The time that enough independent issuers have signed at or after.
    #[must_use]
    pub fn quorum(&self) -> Option<UnixTime> {
        quorum(&self.votes)
    }

    /// The issuers whose lists in force claim to be of a confirmed clock's future.
    pub fn from_the_future(&self, moment: Moment) -> impl Iterator<Item = Region> {
        let ahead = move |vote: &&Vote| moment.is_before(vote.issued);
        self.votes.iter().filter(ahead).map(|vote| vote.issuer)
    }

    /// Age in seconds and freshness of what is known of `issuer`: the older of its own list and the national one, which says what it may do.
    ///
    /// `None` when this device holds no list of it; an age of `None` when the clock cannot say, which counts as stale.
    #[must_use]
    pub fn freshness(&self, issuer: Region, moment: Moment, profile: &Profile) -> Option<(Option<i64>, Freshness)> {
        let own = self.issuers.get(&issuer)?.repository?;
        let since = own.ages_from(moment).min(self.national.ages_from(moment));
        // A list of the near future is new.
        let age = (moment.trust != TimeTrust::Untrusted).then(|| moment.at.since(since).max(0));
        Some((age, freshness::of(age, moment, profile.freshness)))
    }
}

fn facts(repository: &Repository) -> RepositoryFacts {
    let Repository { generation, issued, expires, arrived, .. } = *repository;
    RepositoryFacts { generation, issued, expires, arrived }
}

fn vote(repository: &Repository) -> Vote {
    Vote { issuer: repository.issuer, issued: repository.issued, root_keys: repository.root_keys.clone() }
}

fn policy(bytes: Option<&[u8]>) -> Result<Policy, BadDocument> {
    let bad = |why: String| BadDocument { file: "policy.json".to_owned(), why };
    bytes.map_or_else(
        || Ok(Policy::default()),
        |bytes| serde_json::from_slice(bytes).map_err(|error| bad(error.to_string())),
    )
}
