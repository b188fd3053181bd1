//! The national platform's drafts: who issues, who recognises whom, what is suspended, which areas are risky, what a gate does.
//!
//! The drafts are the documents that are published. Every change is checked here against the others, so that a list that contradicts
//! itself is never signed.

use std::{collections::BTreeMap, fmt};

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

/// A change that the lists do not bear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListError {
    /// The issuer is in the list already.
    DuplicateIssuer(Region),
    /// No issuer in the list has this code, or speaks for it.
    UnknownIssuer(Region),
    /// No province has this division code.
    UnknownRegion(Region),
    /// A city, county or country needs names.
    NoNames(Region),
    /// Two issuers would speak for one region, and neither is above the other.
    OverlappingScope {
        /// Whose is new.
        issuer: Region,
        /// Whose is there.
        other: Region,
        /// The region of both.
        region: Region,
    },
    /// A region outside of the issuer's own province.
    ForeignScope {
        /// Whose.
        issuer: Region,
        /// Which.
        region: Region,
    },
    /// The file is no first root.
    NotARoot(&'static str),
    /// The end is not after the beginning.
    EmptyWindow,
    /// The very same is in the list already.
    AlreadyThere(&'static str),
    /// There is none to take out.
    NotThere(&'static str),
    /// A notice, an approver or a name is missing.
    Blank(&'static str),
    /// `policy.json` would not do.
    Policy(String),
    /// Another issuer names it as the one above.
    HasChildren(Region),
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateIssuer(id) => {
                write!(
                    f,
                    "issuer {id} is in the trust list already; take it out with `authority issuer retire {id}` first"
                )
            }
            Self::UnknownIssuer(id) => {
                write!(f, "no issuer in the trust list speaks for {id}; add it with `authority issuer add {id}` first")
            }
            Self::UnknownRegion(id) => {
                write!(f, "{id} lies in none of the 34 provinces of GB/T 2260; check the digits")
            }
            Self::NoNames(id) => write!(f, "{id} is in no table of names; give it some with --zh and --en"),
            Self::OverlappingScope { issuer, other, region } => write!(
                f,
                "{issuer} would speak for {region}, and so does {other}; narrow one scope, or name the other with --parent"
            ),
            Self::ForeignScope { issuer, region } => {
                write!(
                    f,
                    "{issuer} may not speak for {region}, which lies outside of it; only the national platform can"
                )
            }
            Self::NotARoot(why) => {
                write!(
                    f,
                    "the file is no first root ({why}); take metadata/1.root.json of the issuer's published repository"
                )
            }
            Self::EmptyWindow => f.write_str("the end is not after the beginning; check --from and --until"),
            Self::AlreadyThere(what) => write!(f, "this {what} is in the list already"),
            Self::NotThere(what) => write!(f, "there is no such {what} in the list"),
            Self::Blank(what) => write!(f, "{what} must not be empty"),
            Self::Policy(why) => write!(f, "the policy cannot be used: {why}"),
            Self::HasChildren(id) => write!(f, "issuer {id} stands below it; retire that one first"),
        }
    }
}

impl std::error::Error for ListError {}

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
        let list = TrustList { issuers: vec![entry], configuration_key: None };
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
        first_root(&newcomer.root)?;
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

    /// Ends the suspension of a notice at `at`; it stays in the list as evidence.
    ///
    /// # Errors
    /// When no suspension of this notice is open then.
    pub fn resume(&mut self, notice: &str, at: UnixTime) -> Result<(), ListError> {
        let mut open =
            self.recognition.suspensions.iter_mut().filter(|suspension| {
                suspension.notice == notice && suspension.window.until.is_none_or(|until| until > at)
            });
        let first = open.next().ok_or(ListError::NotThere("open suspension"))?;
        for suspension in std::iter::once(first).chain(open) {
            suspension.window.until = Some(at);
        }
        Ok(())
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

    /// Ends every open listing of an area at `at`. Visits before that keep counting.
    ///
    /// # Errors
    /// When the area is not listed then.
    pub fn clear_area(&mut self, area: Region, at: UnixTime) -> Result<(), ListError> {
        let open = |listed: &&mut RiskArea| listed.area == area && listed.window.until.is_none_or(|until| until > at);
        let mut cleared = false;
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

    fn check_scope(&self, entry: &IssuerEntry) -> Result<(), ListError> {
        for region in &entry.scope {
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

/// A country, the national platform, or what lies in one of the provinces.
fn known_region(region: Region) -> Result<(), ListError> {
    if region == NATIONAL || region.is_country() || regions::find(region.province()).is_some() {
        Ok(())
    } else {
        Err(ListError::UnknownRegion(region))
    }
}

fn first_root(bytes: &[u8]) -> Result<(), ListError> {
    let root: Root = metadata::read(bytes).map_err(|_| ListError::NotARoot("it is no root metadata"))?;
    if root.version == 1 { Ok(()) } else { Err(ListError::NotARoot("its version is not 1")) }
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

#[cfg(test)]
mod tests {
    use trustlist::lists::{recognition::Route, risk::RiskLevel};

    use super::*;
    use crate::desk::{Authority, Plan, Source};

    const MORNING: UnixTime = UnixTime(1_612_137_600);

    fn region(text: &str) -> Region {
        text.parse().expect("a region")
    }

    fn authority(id: &str) -> Authority {
        Authority::init(region(id), &Plan::default(), Default::default(), Source::Seed([1; 32]), MORNING).expect("made")
    }

    fn newcomer(id: &str) -> Newcomer {
        Newcomer {
            id: region(id),
            names: None,
            parent: None,
            scope: Vec::new(),
            formats: Vec::new(),
            mirrors: Vec::new(),
            root: authority(id).first_root().to_vec(),
        }
    }

    fn named(id: &str) -> Newcomer {
        let names = Some(Names { zh: "某地".to_owned(), en: "Somewhere".to_owned() });
        Newcomer { names, ..newcomer(id) }
    }

    fn lists() -> National {
        let mut lists = National::new(authority("000000").first_root());
        lists.add(newcomer("420000")).expect("Hubei");
        lists
    }

    #[test]
    fn an_issuer_is_listed_once_with_what_follows_from_its_code() {
        let mut lists = lists();
        let hubei = lists.issuer(region("420000")).expect("listed").clone();
        assert_eq!((hubei.name.en.as_str(), hubei.level.as_str()), ("Hubei", "province"));
        assert_eq!((hubei.parent, hubei.scope.as_slice()), (Some(NATIONAL), &[region("420000")][..]));
        assert_eq!(lists.add(newcomer("420000")), Err(ListError::DuplicateIssuer(region("420000"))));
        let wuhan = lists.add(named("420100")).expect("Wuhan");
        assert_eq!((wuhan.parent, wuhan.level.as_str()), (Some(region("420000")), "city"));
        assert_eq!(lists.retire(region("420000")), Err(ListError::HasChildren(region("420100"))));
        assert_eq!(lists.retire(region("420100")), Ok(()));
        assert_eq!(lists.check(), Ok(()));
    }

    #[test]
    fn an_issuer_that_lies_nowhere_has_no_name_or_no_root_is_refused() {
        let mut lists = lists();
        assert_eq!(lists.add(newcomer("990000")).err(), Some(ListError::UnknownRegion(region("990000"))));
        assert_eq!(lists.add(newcomer("440300")).err(), Some(ListError::NoNames(region("440300"))));
        let rootless = Newcomer { root: b"{}".to_vec(), ..newcomer("440000") };
        assert!(matches!(lists.add(rootless).err(), Some(ListError::NotARoot(_))));
        let orphan = Newcomer { parent: Some(region("310000")), ..newcomer("440000") };
        assert_eq!(lists.add(orphan).err(), Some(ListError::UnknownIssuer(region("310000"))));
    }

    #[test]
    fn two_issuers_speak_for_one_region_only_when_one_stands_above_the_other() {
        let mut lists = lists();
        let elsewhere = Newcomer { scope: vec![region("440100")], ..named("420100") };
        assert!(matches!(lists.add(elsewhere).err(), Some(ListError::ForeignScope { .. })));
        let rival = Newcomer { parent: Some(NATIONAL), ..named("420100") };
        assert!(matches!(lists.add(rival).err(), Some(ListError::OverlappingScope { .. })));
        assert_eq!(lists.check(), Ok(()), "what was refused left nothing behind");
    }

    #[test]
    fn an_arrangement_needs_an_issuer_a_place_and_a_time() {
        let mut lists = lists();
        let arrangement = |issuing: &str, relying: &str| Arrangement {
            issuing: Party::Region(region(issuing)),
            relying: Party::Region(region(relying)),
            route: Route::Direct,
            window: Window::default(),
        };
        assert_eq!(lists.arrange(arrangement("440000", "420000")), Err(ListError::UnknownIssuer(region("440000"))));
        assert_eq!(lists.arrange(arrangement("420000", "990000")), Err(ListError::UnknownRegion(region("990000"))));
        let window = Window { from: Some(MORNING), until: Some(MORNING) };
        let never = Arrangement { window, ..arrangement("420100", "440000") };
        assert_eq!(lists.arrange(never), Err(ListError::EmptyWindow));
        assert_eq!(lists.arrange(arrangement("420100", "440000")), Ok(()));
        assert_eq!(lists.arrange(arrangement("420100", "440000")), Err(ListError::AlreadyThere("arrangement")));
        assert_eq!(lists.end_arrangement(|listed| listed.route == Route::Direct), Ok(1));
        assert!(lists.end_arrangement(|_| true).is_err());
    }

    #[test]
    fn an_area_that_is_cleared_stays_listed_for_visits_before_that() {
        let mut lists = lists();
        let area = RiskArea {
            area: region("420102"),
            level: RiskLevel::High,
            name: Names::default(),
            window: Window { from: Some(MORNING), until: None },
        };
        assert_eq!(lists.list_area(area.clone()), Ok(()));
        assert_eq!(lists.list_area(area), Err(ListError::AlreadyThere("risk area")));
        assert_eq!(lists.clear_area(region("420102"), MORNING.plus(10)), Ok(()));
        assert_eq!(lists.risk_areas.areas[0].window.until, Some(MORNING.plus(10)));
        assert!(lists.clear_area(region("420102"), MORNING.plus(20)).is_err());
    }
}
