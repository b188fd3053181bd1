//! What is looked at before anything is signed: what was published last, here and on the mirrors, the clock, and what would change.

use std::collections::BTreeMap;

use trustlist::{region::NATIONAL, time::UnixTime};

use super::{NATION, ROOTS, Workspace};
use crate::{
    authority::AuthorityError,
    changes::Changes,
    fault::WorkspaceError,
    files::{read, write},
    last::{self, Found, LastPublished, Record},
    place::Place,
    publish::target_path,
};

impl Workspace {
    /// Looks at what stands in these places.
    ///
    /// # Errors
    /// When one gives no answer, or holds what is not this authority's.
    fn look(&self, places: &[Place]) -> Result<Vec<(String, Record)>, WorkspaceError> {
        let mut seen = Vec::new();
        for place in places {
            if let Some(found) = Found::look(place, self.authority.issuer, &self.authority.roots)? {
                seen.push((place.to_string(), found.record));
            }
        }
        Ok(seen)
    }

    /// Whether the next generation may be signed here. The mirrors, a stick and this folder itself may show that gates hold a later one;
    /// `after` is the generation that somebody says was the last.
    ///
    /// # Errors
    /// When they may.
    pub fn check_last(&self, mirrors: &[Place], stick: &[Place], after: Option<u64>) -> Result<(), WorkspaceError> {
        let mut seen = self.look(mirrors)?;
        let on_mirror = !seen.is_empty();
        seen.extend(self.look(stick)?);
        let published = self.record()?;
        Ok(last::check(self.authority.issuer, self.last.as_ref(), published.as_ref(), &seen, on_mirror, after)?)
    }

    /// The moment for which something shall be signed, if it can be: `confirmed` by a time service, or not later than a timestamp lives after
    /// the newest signature that is held here, or `nation`'s.
    ///
    /// # Errors
    /// When it lies in the future.
    pub fn check_clock(&self, at: UnixTime, confirmed: bool, nation: Option<UnixTime>) -> Result<(), WorkspaceError> {
        let recorded = self.last.as_ref().and_then(|last| Some(last.last.as_ref()?.issued));
        let own = self.authority.newest_signed()?;
        let newest = [recorded, nation].into_iter().flatten().fold(own, UnixTime::max);
        if confirmed || self.authority.terms.may_be_now(at, newest) {
            Ok(())
        } else {
            Err(AuthorityError::ClockAhead { at, newest }.into())
        }
    }

    /// Keeps the national root, by which the national lists on a mirror can be told from others.
    ///
    /// # Errors
    /// When it is no root, or cannot be written.
    pub fn keep_national_root(&self, root: &[u8]) -> Result<(), WorkspaceError> {
        trustlist::tuf::Trusted::from_root(root)
            .map_err(|why| WorkspaceError::Usage(format!("the national root cannot be used: {why}")))?;
        write(&self.directory.join(ROOTS).join(NATION), root)
    }

    /// When the national platform last published, as far as these places hold that and a national root is kept here.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn nation_published(&self, places: &[Place]) -> Result<Option<UnixTime>, WorkspaceError> {
        let path = self.directory.join(ROOTS).join(NATION);
        if !path.exists() {
            return Ok(None);
        }
        let root = [read(&path)?];
        // What is not by the nation's keys is no evidence, and no fault of this publication.
        let found = |place: &Place| Found::look(place, NATIONAL, &root).ok().flatten();
        Ok(places.iter().filter_map(found).map(|found| found.record.issued).max())
    }

    /// What the next generation would change.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn changes(&self, at: UnixTime) -> Result<Changes, WorkspaceError> {
        let mut next = self.authority.clone();
        next.settle_announcements(at);
        let new = next.targets(at)?;
        let Some(generation) = &self.authority.published else { return Ok(Changes::between(None, &new)) };
        let mut old = BTreeMap::new();
        let repository = self.published.join(self.authority.issuer.as_str());
        for (name, facts) in generation.named()? {
            // A target that somebody took away from published/ is only missing in the comparison.
            if let Ok(bytes) = std::fs::read(repository.join(target_path(&name, &facts.hashes.sha256))) {
                old.insert(name, bytes);
            }
        }
        Ok(Changes::between(Some(&old), &new))
    }

    /// Takes up what was published elsewhere: its lists become the drafts, and the next generation follows it. False when nothing there is
    /// newer or other than here.
    ///
    /// # Errors
    /// When a target cannot be had, or a file cannot be written.
    pub fn take_up(&mut self, found: &Found) -> Result<bool, WorkspaceError> {
        let here = self.record()?;
        let same = here.as_ref().is_some_and(|here| *here == found.record);
        let older = here.as_ref().is_some_and(|here| here.generation > found.record.generation);
        if !same && !older {
            let targets = found.targets()?;
            self.authority.take_up(&targets, &found.roots)?;
            self.authority.published = Some(found.generation.clone());
            self.save_signed()?;
            self.write_found(found, &targets)?;
        }
        self.last = Some(LastPublished { last: self.record()?, restored: false });
        self.save()?;
        Ok(!same && !older)
    }

    /// Writes what was found elsewhere to `published/`, the timestamp at the end.
    fn write_found(&self, found: &Found, targets: &BTreeMap<String, Vec<u8>>) -> Result<(), WorkspaceError> {
        let repository = self.published.join(self.authority.issuer.as_str());
        for (name, facts) in found.generation.named()? {
            if let Some(bytes) = targets.get(&name) {
                write(&repository.join(target_path(&name, &facts.hashes.sha256)), bytes)?;
            }
        }
        for (path, bytes) in self.authority.metadata_files()? {
            write(&repository.join(path), &bytes)?;
        }
        Ok(())
    }
}
