//! The national platform's drafts: who issues, who recognises whom, what is suspended, which areas are risky, what a gate does.
//!
//! The drafts are the documents that are published. Every change is checked here against the others, so that a list that contradicts
//! itself is never signed.

use std::collections::BTreeMap;

use trustlist::{
    code::Format,
    lists::{
        Names,
        policy::Policy,
        recognition::{Arrangement, Party, Recognition, Suspension},
        risk::{RiskArea, RiskAreas},
        trustlist::{IssuerEntry, TrustList},
    },
    region::{NATIONAL, Region},
    time::{UnixTime, Window},
};

use crate::{
    metadata::{self, Root},
    regions,
};

mod fault;
#[cfg(test)]
mod tests;

pub use fault::ListError;

/// All national documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct National {
    /// `trustlist.json`.
    pub list: TrustList,
    /// `roots/<issuer>.json`: each issuer's first root, byte for byte.
    pub roots: BTreeMap<Region, Vec<u8>>,
    /// `recognition.json`.
    pub recognition: Recognition,
    /// `policy.json`.
    pub policy: Policy,
    /// `risk-areas.json`.
    pub risk_areas: RiskAreas,
}

/// What the national platform says of a new issuer. What is left open follows from its division code.
#[derive(Clone, Debug)]
pub struct Newcomer {
    /// Division code or country.
    pub id: Region,
    /// Names; from the table of provinces when absent.
    pub names: Option<Names>,
    /// The issuer above it.
    pub parent: Option<Region>,
    /// Regions it may speak for; itself when empty.
    pub scope: Vec<Region>,
    /// Formats that count.
    pub formats: Vec<Format>,
    /// Mirrors of its repository.
    pub mirrors: Vec<String>,
    /// Its first `root.json`, byte for byte.
    pub root: Vec<u8>,
}

impl National {
    /// Empty lists that name the national platform itself, with its own first root.
    #[must_use]
    pub fn new(root: &[u8]) -> National {
        let entry = IssuerEntry {
            id: NATIONAL,
            name: Names { zh: "国家政务服务平台".to_owned(), en: "National platform".to_owned() },
            level: "national".to_owned(),
            parent: None,
            scope: vec![NATIONAL],
            formats: vec![Format::Mr1],
            root_sha256: metadata::sha256(root),
            mirrors: Vec::new(),
        };
        let list = TrustList { issuers: vec![entry] };
        National { list, roots: BTreeMap::from([(NATIONAL, root.to_vec())]), ..National::default() }
    }

    /// An issuer's line.
    #[must_use]
    pub fn issuer(&self, id: Region) -> Option<&IssuerEntry> {
        self.list.issuers.iter().find(|entry| entry.id == id)
    }

    /// Adds an issuer.
    ///
    /// # Errors
    /// When it is there already, lies nowhere, speaks for what is another's, or its root is none.
    pub fn add(&mut self, newcomer: Newcomer) -> Result<&IssuerEntry, ListError> {
        let id = newcomer.id;
        if self.issuer(id).is_some() {
            return Err(ListError::DuplicateIssuer(id));
        }
        known_region(id)?;
        let names = newcomer.names.or_else(|| regions::names(id)).ok_or(ListError::NoNames(id))?;
        let root = first_root(&newcomer.root)?;
        let parent = newcomer.parent.unwrap_or(if id.level() > 1 && self.issuer(id.province()).is_some() {
            id.province()
        } else {
            NATIONAL
        });
        if self.issuer(parent).is_none() {
            return Err(ListError::UnknownIssuer(parent));
        }
        let scope = if newcomer.scope.is_empty() { vec![id] } else { newcomer.scope };
        let entry = IssuerEntry {
            id,
            name: names,
            level: level(id).to_owned(),
            parent: Some(parent),
            scope,
            formats: if newcomer.formats.is_empty() { vec![Format::Mr1] } else { newcomer.formats },
            root_sha256: metadata::sha256(&newcomer.root),
            mirrors: newcomer.mirrors,
        };
        self.check_scope(&entry)?;
        self.check_root(id, &root)?;
        self.roots.insert(id, newcomer.root);
        let at = self.list.issuers.partition_point(|other| other.id < id);
        self.list.issuers.insert(at, entry);
        Ok(&self.list.issuers[at])
    }

    /// Takes an issuer out, with the arrangements that name it.
    ///
    /// # Errors
    /// When it is not there, or others stand below it.
    pub fn retire(&mut self, id: Region) -> Result<(), ListError> {
        if id == NATIONAL || self.issuer(id).is_none() {
            return Err(ListError::UnknownIssuer(id));
        }
        if let Some(child) = self.list.issuers.iter().find(|entry| entry.parent == Some(id)) {
            return Err(ListError::HasChildren(child.id));
        }
        self.list.issuers.retain(|entry| entry.id != id);
        self.roots.remove(&id);
        let others = |issuing: Party| issuing != Party::Region(id);
        self.recognition.arrangements.retain(|arrangement| others(arrangement.issuing));
        self.recognition.suspensions.retain(|suspension| others(suspension.issuing));
        Ok(())
    }

    /// Adds an arrangement.
    ///
    /// # Errors
    /// When nobody issues for the one side, the other lies nowhere, or it is there already.
    pub fn arrange(&mut self, arrangement: Arrangement) -> Result<(), ListError> {
        self.check_pair(arrangement.issuing, arrangement.relying, arrangement.window)?;
        if self.recognition.arrangements.contains(&arrangement) {
            return Err(ListError::AlreadyThere("arrangement"));
        }
        self.recognition.arrangements.push(arrangement);
        Ok(())
    }

    /// Takes out every arrangement of this pair (of this route, where one is named); how many there were.
    ///
    /// # Errors
    /// When there is none.
    pub fn end_arrangement(&mut self, matches: impl Fn(&Arrangement) -> bool) -> Result<usize, ListError> {
        let before = self.recognition.arrangements.len();
        self.recognition.arrangements.retain(|arrangement| !matches(arrangement));
        match before - self.recognition.arrangements.len() {
            0 => Err(ListError::NotThere("arrangement")),
            ended => Ok(ended),
        }
    }

    /// Adds a suspension.
    ///
    /// # Errors
    /// As for an arrangement, or when notice or approver is missing.
    pub fn suspend(&mut self, suspension: Suspension) -> Result<(), ListError> {
        self.check_pair(suspension.issuing, suspension.relying, suspension.window)?;
        for (what, text) in [("the notice's number", &suspension.notice), ("the approver", &suspension.approved_by)] {
            if text.trim().is_empty() {
                return Err(ListError::Blank(what));
            }
        }
        if self.recognition.suspensions.contains(&suspension) {
            return Err(ListError::AlreadyThere("suspension"));
        }
        self.recognition.suspensions.push(suspension);
        Ok(())
    }

    /// Ends the suspension of a notice at `at`; it stays in the list as evidence. One that has not begun by then is taken out: it never was
    /// in force. True when something was ended.
    ///
    /// # Errors
    /// When no suspension of this notice is open then.
    pub fn resume(&mut self, notice: &str, at: UnixTime) -> Result<bool, ListError> {
        let before = self.recognition.suspensions.len();
        self.recognition.suspensions.retain(|suspension| suspension.notice != notice || begun(suspension.window, at));
        let taken_out = before > self.recognition.suspensions.len();
        let mut open =
            self.recognition.suspensions.iter_mut().filter(|suspension| {
                suspension.notice == notice && suspension.window.until.is_none_or(|until| until > at)
            });
        match open.next() {
            None if taken_out => return Ok(false),
            None => return Err(ListError::NotThere("open suspension")),
            Some(first) => {
                std::iter::once(first).chain(open).for_each(|suspension| suspension.window.until = Some(at));
            }
        }
        Ok(true)
    }

    /// Lists an area, or changes the level of one that is listed.
    ///
    /// # Errors
    /// When it lies nowhere, or its end is not after its beginning.
    pub fn list_area(&mut self, area: RiskArea) -> Result<(), ListError> {
        known_region(area.area)?;
        check_window(area.window)?;
        if self.risk_areas.areas.contains(&area) {
            return Err(ListError::AlreadyThere("risk area"));
        }
        self.risk_areas.areas.push(area);
        Ok(())
    }

    /// Ends every open listing of an area at `at`. Visits before that keep counting. A listing that has not begun by then is taken out.
    ///
    /// # Errors
    /// When the area is not listed then.
    pub fn clear_area(&mut self, area: Region, at: UnixTime) -> Result<(), ListError> {
        let open = |listed: &&mut RiskArea| listed.area == area && listed.window.until.is_none_or(|until| until > at);
        let before = self.risk_areas.areas.len();
        self.risk_areas.areas.retain(|listed| listed.area != area || begun(listed.window, at));
        let mut cleared = before > self.risk_areas.areas.len();
        for listed in self.risk_areas.areas.iter_mut().filter(open) {
            listed.window.until = Some(at);
            cleared = true;
        }
        if cleared { Ok(()) } else { Err(ListError::NotThere("listed risk area")) }
    }

    /// Checks every document against the others, as before publishing: drafts may have been edited by hand.
    ///
    /// # Errors
    /// With the first contradiction.
    pub fn check(&self) -> Result<(), ListError> {
        for entry in &self.list.issuers {
            let root =
                self.roots.get(&entry.id).ok_or(ListError::NotARoot("the draft roots/<issuer>.json is missing"))?;
            if metadata::sha256(root) != entry.root_sha256 {
                return Err(ListError::NotARoot("it is not the one whose hash is in the trust list"));
            }
            self.check_scope(entry)?;
            self.check_root(
                entry.id,
                &metadata::read(root).map_err(|_| ListError::NotARoot("it is no root metadata"))?,
            )?;
        }
        for area in &self.risk_areas.areas {
            known_region(area.area)?;
        }
        for arrangement in &self.recognition.arrangements {
            self.check_pair(arrangement.issuing, arrangement.relying, arrangement.window)?;
        }
        for suspension in &self.recognition.suspensions {
            self.check_pair(suspension.issuing, suspension.relying, suspension.window)?;
        }
        if !self.policy.profiles.contains_key(&self.policy.default) {
            return Err(ListError::Policy(format!("its default profile \"{}\" is not in it", self.policy.default)));
        }
        Ok(())
    }

    /// A root key is one issuer's: a file that was handed over twice, or by the wrong one, would let one issuer publish for another.
    fn check_root(&self, id: Region, root: &Root) -> Result<(), ListError> {
        for (other, bytes) in self.roots.iter().filter(|(other, _)| **other != id) {
            let theirs: Root = metadata::read(bytes).map_err(|_| ListError::NotARoot("it is no root metadata"))?;
            if theirs.keys.keys().any(|key| root.keys.contains_key(key)) {
                return Err(ListError::RootOfAnother { issuer: id, other: *other });
            }
        }
        Ok(())
    }

    fn check_scope(&self, entry: &IssuerEntry) -> Result<(), ListError> {
        for region in &entry.scope {
            known_region(*region)?;
            if entry.id != NATIONAL && !entry.id.province().contains(*region) {
                return Err(ListError::ForeignScope { issuer: entry.id, region: *region });
            }
            for other in self.list.issuers.iter().filter(|other| other.id != entry.id) {
                let common = other.scope.iter().any(|theirs| theirs.contains(*region) || region.contains(*theirs));
                if common && !self.is_above(other, entry) && !self.is_above(entry, other) {
                    return Err(ListError::OverlappingScope { issuer: entry.id, other: other.id, region: *region });
                }
            }
        }
        Ok(())
    }

    /// Whether `upper` is among the issuers above `lower`. A chain longer than the list is a circle.
    fn is_above(&self, upper: &IssuerEntry, lower: &IssuerEntry) -> bool {
        let mut parent = lower.parent;
        for _ in 0..=self.list.issuers.len() {
            match parent {
                Some(id) if id == upper.id => return true,
                Some(id) => parent = self.issuer(id).and_then(|entry| entry.parent),
                None => return false,
            }
        }
        false
    }

    fn check_pair(&self, issuing: Party, relying: Party, window: Window) -> Result<(), ListError> {
        if let Party::Region(region) = issuing {
            let speaks = |entry: &IssuerEntry| entry.scope.iter().any(|scope| scope.contains(region));
            if !self.list.issuers.iter().any(speaks) {
                return Err(ListError::UnknownIssuer(region));
            }
        }
        if let Party::Region(region) = relying {
            known_region(region)?;
        }
        check_window(window)
    }
}

fn check_window(window: Window) -> Result<(), ListError> {
    match (window.from, window.until) {
        (Some(from), Some(until)) if until <= from => Err(ListError::EmptyWindow),
        _ => Ok(()),
    }
}

fn known_region(region: Region) -> Result<(), ListError> {
    if region.exists() { Ok(()) } else { Err(ListError::UnknownRegion(region)) }
}

fn begun(window: Window, at: UnixTime) -> bool {
    window.from.is_none_or(|from| from < at)
}

fn first_root(bytes: &[u8]) -> Result<Root, ListError> {
    let root: Root = metadata::read(bytes).map_err(|_| ListError::NotARoot("it is no root metadata"))?;
    if root.version == 1 { Ok(root) } else { Err(ListError::NotARoot("its version is not 1")) }
}

fn level(region: Region) -> &'static str {
    match region.level() {
        _ if region.is_country() => "country",
        0 => "national",
        1 => "province",
        2 => "city",
        _ => "county",
    }
}
