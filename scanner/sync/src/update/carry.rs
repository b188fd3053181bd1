//! Carrying lists by hand: writing them out, and saying what a stick would change.

use std::{collections::BTreeSet, fs, path::Path};

use cache::trust_store::{Slot, TrustStore};
use serde::Serialize;
use trustlist::{
    trust::Trust,
    tuf::{Trusted, target_request},
};

use crate::{error::Error, lists::Folder};

/// Writes everything the store holds in the layout of a mirror; returns the number of files. Metadata goes last, the timestamp at the very
/// end, so that a stick that is pulled out too early shows the old lists or none.
///
/// # Errors
/// When the store cannot be read, or the folder cannot be written.
pub fn export(store: &TrustStore, folder: &Path) -> Result<usize, Error> {
    let written = |error| Error::CannotWrite(folder.to_owned(), error);
    fs::create_dir_all(folder).map_err(written)?;
    // The stick is a stranger's: nothing is written through a link on it.
    let beneath = Folder::open(folder).map_err(written)?;
    let mut files = 0;
    let mut put = |path: String, bytes: &[u8]| -> Result<(), Error> {
        beneath.put(&path, bytes).map_err(|error| Error::CannotWrite(folder.join(&path), error))?;
        files += 1;
        Ok(())
    };
    for issuer in store.issuers()? {
        let Some(stored) = store.repository(issuer, Slot::Current)? else { continue };
        let roots = store.roots(issuer)?;
        let Some((_, newest)) = roots.last() else { continue };
        let mut trusted = Trusted::from_root(newest).map_err(|refusal| Error::DoesNotVerify(issuer, refusal))?;
        trusted
            .restore_timestamp(&stored.timestamp)
            .and_then(|()| trusted.restore_snapshot(&stored.snapshot))
            .and_then(|()| trusted.restore_targets("targets", None, &stored.targets_role))
            .map_err(|refusal| Error::DoesNotVerify(issuer, refusal))?;
        let (Some(snapshot), Some(role)) = (trusted.snapshot(), trusted.targets("targets")) else { continue };
        for (name, bytes) in &stored.targets {
            if let Some(target) = role.signed.targets.get(name) {
                put(format!("{issuer}/targets/{}", target_request(&trusted, name, target).path), bytes)?;
            }
        }
        for (version, bytes) in &roots {
            put(format!("{issuer}/metadata/{version}.root.json"), bytes)?;
        }
        put(format!("{issuer}/metadata/{}.targets.json", role.signed.version), &stored.targets_role)?;
        put(format!("{issuer}/metadata/{}.snapshot.json", snapshot.signed.version), &stored.snapshot)?;
        put(format!("{issuer}/metadata/timestamp.json"), &stored.timestamp)?;
    }
    if files == 0 {
        return Err(Error::NothingToExport);
    }
    Ok(files)
}

/// What one state of the lists has that another has not, an entry a line.
#[derive(Debug, Default, Serialize)]
pub struct Difference {
    /// Only there: would be new here.
    pub added: Vec<String>,
    /// Only here: would go.
    pub removed: Vec<String>,
}

impl Difference {
    /// From `here` to `there`.
    #[must_use]
    pub fn between(here: &Trust, there: &Trust) -> Difference {
        let (here, there) = (lines(here), lines(there));
        Difference {
            added: there.difference(&here).cloned().collect(),
            removed: here.difference(&there).cloned().collect(),
        }
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        if self.added.is_empty() && self.removed.is_empty() {
            return "no difference".to_owned();
        }
        let removed = self.removed.iter().map(|line| format!("- {line}\n"));
        removed.chain(self.added.iter().map(|line| format!("+ {line}\n"))).collect()
    }
}

fn lines(trust: &Trust) -> BTreeSet<String> {
    fn entry(kind: &str, value: &impl Serialize) -> String {
        format!("{kind} {}", serde_json::to_string(value).expect("an entry is plain data"))
    }
    let mut lines = BTreeSet::new();
    for issuer in trust.issuers() {
        lines.insert(entry("issuer", &issuer.entry));
        if let Some(facts) = issuer.repository {
            lines.insert(format!("generation {} {}", issuer.entry.id, facts.generation));
        }
        let [revoked, suspended, _] = issuer.statuses.counts();
        lines.insert(format!("statuses {}: {revoked} revoked, {suspended} suspended", issuer.entry.id));
    }
    lines.extend(trust.policy().profiles.iter().map(|profile| entry("policy", &profile)));
    lines.extend(trust.recognition().arrangements.iter().map(|arrangement| entry("arrangement", arrangement)));
    lines.extend(trust.recognition().suspensions.iter().map(|suspension| entry("suspension", suspension)));
    lines.extend(trust.risk_areas().areas.iter().map(|area| entry("risk area", area)));
    lines.extend(trust.ring().iter().map(|key| format!("key {} {} {}", key.issuer, key.kid, key.state)));
    lines
}
