//! What a publication would change, in the words of those who have to answer for it: issuers, keys, arrangements, numbers of codes.
//!
//! A gate puts lists that change many verdicts in force only after a while; whoever signs them shall have seen it before everybody else.

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, de::DeserializeOwned};
use trustlist::{
    code::KeyState,
    lists::{
        keys::{KeyEntry, Keys},
        recognition::Recognition,
        risk::RiskAreas,
        trustlist::{IssuerEntry, TrustList},
    },
    region::Region,
    status::{PREFIX, Status, StatusArray, delta},
};

use crate::authority::entry_kid;

/// Codes that may change without a question, and the part of all codes that may: a day's revocations are neither.
pub const FEW_CODES: u64 = 100;
/// One in so many.
pub const SMALL_PART: u64 = 100;

/// What changes between two generations of one issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Nothing was published before.
    pub first: bool,
    /// What comes, goes and changes, a line each.
    pub lines: Vec<String>,
    /// Codes by status before and after, where a list changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codes: Option<CodeChanges>,
    /// Why somebody should look twice, a line each.
    pub much: Vec<String>,
}

/// How many codes stand how, in the lists that change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Good.
    pub valid: u64,
    /// Revoked.
    pub revoked: u64,
    /// Suspended.
    pub suspended: u64,
}

/// Counts before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CodeChanges {
    /// Published last.
    pub before: Counts,
    /// Published now.
    pub after: Counts,
    /// Codes whose status is another.
    pub changed: u64,
}

/// Whether so many changed codes, of all, are worth a question.
#[must_use]
pub fn is_much(changed: u64, all: u64) -> bool {
    changed > FEW_CODES && changed > all / SMALL_PART
}

impl fmt::Display for CodeChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CodeChanges { before, after, changed } = self;
        write!(
            f,
            "{changed} codes stand otherwise: valid {} -> {}, revoked {} -> {}, suspended {} -> {}",
            before.valid, after.valid, before.revoked, after.revoked, before.suspended, after.suspended
        )
    }
}

impl Changes {
    /// Between the targets that were published last, none before the first time, and those that would be.
    #[must_use]
    pub fn between(old: Option<&BTreeMap<String, Vec<u8>>>, new: &BTreeMap<String, Vec<u8>>) -> Changes {
        let Some(old) = old else { return Changes { first: true, ..Changes::default() } };
        let mut changes = Changes::default();
        changes.keys(&document::<Keys>(old, "keys.json").keys, &document::<Keys>(new, "keys.json").keys);
        changes.issuers(
            &document::<TrustList>(old, "trustlist.json").issuers,
            &document::<TrustList>(new, "trustlist.json").issuers,
        );
        changes.recognition(&document(old, "recognition.json"), &document(new, "recognition.json"));
        let areas = [old, new].map(|targets| {
            let areas = document::<RiskAreas>(targets, "risk-areas.json").areas;
            areas.iter().map(|area| format!("risk area {} {}", area.area, text(&area.level))).collect::<Vec<_>>()
        });
        changes.compare(&areas[0], &areas[1]);
        if old.get("policy.json") != new.get("policy.json") {
            changes.lines.push("the policy".to_owned());
            changes
                .much
                .push("the policy is another: what every gate does with colours, areas and old lists".to_owned());
        }
        changes.statuses(old, new);
        changes
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.first && self.lines.is_empty() && self.codes.is_none()
    }

    fn keys(&mut self, old: &[KeyEntry], new: &[KeyEntry]) {
        let lines = |entries: &[KeyEntry]| -> Vec<String> { entries.iter().map(key_line).collect() };
        self.compare(&lines(old), &lines(new));
        let revoked = |entries: &[KeyEntry]| {
            let revoked = entries.iter().filter(|entry| entry.state == KeyState::Revoked);
            revoked.filter_map(|entry| entry_kid(entry).ok()).collect::<Vec<_>>()
        };
        let before = revoked(old);
        for kid in revoked(new).into_iter().filter(|kid| !before.contains(kid)) {
            self.much.push(format!("key {kid} is revoked: everything that it signed is worth nothing"));
        }
        let ids = |entries: &[KeyEntry]| entries.iter().filter_map(|entry| entry_kid(entry).ok()).collect::<Vec<_>>();
        let after = ids(new);
        for kid in ids(old).into_iter().filter(|kid| !after.contains(kid)) {
            self.much.push(format!("key {kid} is gone: gates will not know who signed its codes"));
        }
    }

    fn issuers(&mut self, old: &[IssuerEntry], new: &[IssuerEntry]) {
        let line = |entry: &IssuerEntry| format!("issuer {} {}", entry.id, entry.name.en);
        let lines = |entries: &[IssuerEntry]| entries.iter().map(line).collect::<Vec<_>>();
        self.compare(&lines(old), &lines(new));
        let find = |id: Region| new.iter().find(|entry| entry.id == id);
        for entry in old {
            match find(entry.id) {
                None => self.much.push(format!("issuer {} goes: gates will refuse its codes", entry.id)),
                Some(now) if now.root_sha256 != entry.root_sha256 => {
                    self.lines.push(format!("  issuer {} has another first root", entry.id));
                    self.much.push(format!("issuer {} has another first root: gates begin anew with it", entry.id));
                }
                Some(now) if now != entry => self.lines.push(format!("  issuer {} is described otherwise", entry.id)),
                Some(_) => (),
            }
        }
    }

    fn recognition(&mut self, old: &Recognition, new: &Recognition) {
        let arrangements = [old, new].map(|list| {
            let line = |arrangement: &trustlist::lists::recognition::Arrangement| {
                let route = arrangement.route.code();
                format!("{} counts in {}, {route}", arrangement.issuing, arrangement.relying)
            };
            list.arrangements.iter().map(line).collect::<Vec<_>>()
        });
        let gone = self.compare(&arrangements[0], &arrangements[1]);
        let all = arrangements[0].len();
        if gone > 1 && gone * 10 > all {
            self.much.push(format!("{gone} of {all} arrangements go: gates will refuse what they admitted"));
        }
        let suspensions = [old, new].map(|list| {
            let line = |suspension: &trustlist::lists::recognition::Suspension| {
                let until = suspension.window.until.map(|until| format!(" until {until}")).unwrap_or_default();
                format!("{} suspended in {}, {}{until}", suspension.issuing, suspension.relying, suspension.notice)
            };
            list.suspensions.iter().map(line).collect::<Vec<_>>()
        });
        self.compare(&suspensions[0], &suspensions[1]);
        let of_all = |list: &Recognition| {
            let everybody = trustlist::lists::recognition::Party::Everybody;
            let wide = |suspension: &&trustlist::lists::recognition::Suspension| {
                suspension.issuing == everybody || suspension.relying == everybody
            };
            list.suspensions.iter().filter(wide).count()
        };
        if of_all(new) > of_all(old) {
            self.much.push("a suspension is for everybody".to_owned());
        }
    }

    fn statuses(&mut self, old: &BTreeMap<String, Vec<u8>>, new: &BTreeMap<String, Vec<u8>>) {
        let (mut codes, mut all) = (CodeChanges::default(), 0);
        let is_list = |name: &&String| name.starts_with(PREFIX) && !delta::is_delta(name);
        let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).filter(is_list).collect();
        for name in names {
            let array = |targets: &BTreeMap<String, Vec<u8>>| {
                targets.get(name).and_then(|bytes| StatusArray::of_shard(bytes).ok()).unwrap_or_default()
            };
            let (before, after) = (array(old), array(new));
            all += before.codes();
            if old.get(name) == new.get(name) {
                continue;
            }
            count(&before, &mut codes.before);
            count(&after, &mut codes.after);
            let differs = |index: &u64| before.status(*index) != after.status(*index);
            codes.changed += (0..before.codes().min(after.codes())).filter(differs).count() as u64;
            if after.codes() < before.codes() {
                self.much.push(format!("{name} covers {} codes less", before.codes() - after.codes()));
            }
        }
        if codes.changed == 0 && codes.before == codes.after {
            return;
        }
        if is_much(codes.changed, all) {
            self.much.push(format!("{} of {all} codes stand otherwise", codes.changed));
        }
        self.lines.push(format!("  {codes}"));
        self.codes = Some(codes);
    }

    /// Lines that come and go; how many go.
    fn compare(&mut self, old: &[String], new: &[String]) -> usize {
        let gone: Vec<&String> = old.iter().filter(|line| !new.contains(line)).collect();
        self.lines.extend(gone.iter().map(|line| format!("- {line}")));
        self.lines.extend(new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}")));
        gone.len()
    }
}

fn count(array: &StatusArray, counts: &mut Counts) {
    for index in 0..array.codes() {
        match array.status(index) {
            Status::Valid => counts.valid += 1,
            Status::Revoked => counts.revoked += 1,
            Status::Suspended => counts.suspended += 1,
            Status::Unknown => (),
        }
    }
}

fn key_line(entry: &KeyEntry) -> String {
    let kid = entry_kid(entry).map_or("?".to_owned(), |kid| kid.to_string());
    let state = match entry.state {
        KeyState::Active => entry.window.from.map(|from| format!("from {from}")).unwrap_or_default(),
        KeyState::Retired { at } => format!("until {at}"),
        KeyState::Revoked => "revoked".to_owned(),
    };
    format!("key {kid} for {} {state}", text(&entry.use_for))
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn document<T: DeserializeOwned + Default>(targets: &BTreeMap<String, Vec<u8>>, name: &str) -> T {
    targets.get(name).and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default()
}
