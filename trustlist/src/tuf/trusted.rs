//! What was accepted so far, byte for byte, and the checks by which more is. The steps of the specification's §5 stand in the margin.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    refusal::{Refusal, Why},
    schema::{Delegations, Envelope, MetaFile, Role, Root, Snapshot, Targets, Timestamp, is_content},
    threshold::check_threshold,
};
use crate::{
    region::Region,
    time::{UnixTime, quorum::Fingerprint},
    trust::Repository,
};

/// One accepted file: its bytes as received, and what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted<T> {
    /// As received.
    pub bytes: Vec<u8>,
    /// What they say.
    pub signed: T,
}

/// The trusted state of one repository. A value: cloned before a try, kept when the try fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    root: Accepted<Root>,
    timestamp: Option<Accepted<Timestamp>>,
    snapshot: Option<Accepted<Snapshot>>,
    /// `targets` and every delegated role that was needed.
    targets: BTreeMap<String, Accepted<Targets>>,
}

impl Trusted {
    /// §5.2: starts from a root that came by a trusted way. It must sign itself.
    ///
    /// # Errors
    /// When it is no root, or not signed by its own threshold.
    pub fn from_root(bytes: &[u8]) -> Result<Trusted, Refusal> {
        let (envelope, root) = read_root(bytes)?;
        check_threshold("root", &envelope, &root.role("root")?)?;
        let root = Accepted { bytes: bytes.to_vec(), signed: root };
        Ok(Trusted { root, timestamp: None, snapshot: None, targets: BTreeMap::new() })
    }

    /// The trusted root.
    #[must_use]
    pub fn root(&self) -> &Accepted<Root> {
        &self.root
    }

    /// The trusted timestamp.
    #[must_use]
    pub fn timestamp(&self) -> Option<&Accepted<Timestamp>> {
        self.timestamp.as_ref()
    }

    /// The trusted snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Option<&Accepted<Snapshot>> {
        self.snapshot.as_ref()
    }

    /// A trusted targets role: `targets`, or a delegated one.
    #[must_use]
    pub fn targets(&self, role: &str) -> Option<&Accepted<Targets>> {
        self.targets.get(role)
    }

    /// Every trusted targets role by name.
    pub fn all_targets(&self) -> impl Iterator<Item = (&str, &Accepted<Targets>)> {
        self.targets.iter().map(|(role, targets)| (role.as_str(), targets))
    }

    /// §5.3.4 to §5.3.8: the root one version up, signed by the thresholds of both.
    ///
    /// # Errors
    /// When it is another version, or either threshold is missed.
    pub fn update_root(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let (envelope, root) = read_root(bytes)?;
        check_threshold("root", &envelope, &self.root.signed.role("root")?)?;
        let expected = self.root.signed.version.saturating_add(1);
        if root.version != expected {
            return Err(Refusal::new("root", Why::Version { found: root.version, expected }));
        }
        check_threshold("root", &envelope, &root.role("root")?)?;
        self.root = Accepted { bytes: bytes.to_vec(), signed: root };
        Ok(())
    }

    /// §5.3.10 and §5.3.11, after the last rotation: the root must not have expired; what it no longer vouches for is forgotten, which
    /// is also how a fast-forward attack is recovered from.
    ///
    /// # Errors
    /// When the root has expired.
    pub fn finish_root(&mut self, now: UnixTime) -> Result<(), Refusal> {
        self.forget_unsigned();
        not_expired("root", self.root.signed.expires, now)
    }

    fn forget_unsigned(&mut self) {
        let holds = |role: &str, bytes: &[u8]| {
            let check = || check_threshold(role, &Envelope::parse(role, bytes)?, &self.root.signed.role(role)?);
            check().is_ok()
        };
        let keep_timestamp = self.timestamp.as_ref().is_some_and(|accepted| holds("timestamp", &accepted.bytes));
        let keep_snapshot =
            keep_timestamp && self.snapshot.as_ref().is_some_and(|accepted| holds("snapshot", &accepted.bytes));
        let keep_targets =
            keep_snapshot && self.targets("targets").is_some_and(|accepted| holds("targets", &accepted.bytes));
        if !keep_timestamp {
            self.timestamp = None;
        }
        if !keep_snapshot {
            self.snapshot = None;
        }
        if !keep_targets {
            self.targets.clear();
        }
    }

    /// §5.4: takes a timestamp; `false` when it is the trusted one again.
    ///
    /// # Errors
    /// When its signature, version or expiry says so.
    pub fn update_timestamp(&mut self, bytes: &[u8], now: UnixTime) -> Result<bool, Refusal> {
        let changed = self.load_timestamp(bytes)?;
        match changed {
            Some(accepted) => {
                // §5.4.4: freeze.
                not_expired("timestamp", accepted.signed.expires, now)?;
                self.timestamp = Some(accepted);
                Ok(true)
            }
            None => {
                let trusted = self.timestamp.as_ref().expect("unchanged, so there is one");
                not_expired("timestamp", trusted.signed.expires, now)?;
                Ok(false)
            }
        }
    }

    fn load_timestamp(&self, bytes: &[u8]) -> Result<Option<Accepted<Timestamp>>, Refusal> {
        let envelope = Envelope::parse("timestamp", bytes)?;
        // §5.4.2
        check_threshold("timestamp", &envelope, &self.root.signed.role("timestamp")?)?;
        let signed: Timestamp = envelope.read("timestamp", "timestamp")?;
        signed.snapshot()?;
        if let Some(trusted) = &self.timestamp {
            // §5.4.3.1: no older version; the same version is no change.
            let (found, known) = (signed.version, trusted.signed.version);
            if found < known {
                return Err(Refusal::new("timestamp", Why::Rollback { found, trusted: known }));
            }
            if found == known {
                return Ok(None);
            }
            // §5.4.3.2: nor an older snapshot.
            let (found, known) = (signed.snapshot()?.version, trusted.signed.snapshot()?.version);
            if found < known {
                return Err(Refusal::new("snapshot", Why::Rollback { found, trusted: known }));
            }
        }
        Ok(Some(Accepted { bytes: bytes.to_vec(), signed }))
    }

    /// §5.5: takes the snapshot that the timestamp names.
    ///
    /// # Errors
    /// When its content, signature, version or expiry says so, or it takes something back.
    pub fn update_snapshot(&mut self, bytes: &[u8], now: UnixTime) -> Result<(), Refusal> {
        let accepted = self.load_snapshot(bytes)?;
        let expected = self.named_snapshot()?.version;
        // §5.5.4
        if accepted.signed.version != expected {
            return Err(Refusal::new("snapshot", Why::Version { found: accepted.signed.version, expected }));
        }
        // §5.5.6
        not_expired("snapshot", accepted.signed.expires, now)?;
        self.snapshot = Some(accepted);
        Ok(())
    }

    fn load_snapshot(&self, bytes: &[u8]) -> Result<Accepted<Snapshot>, Refusal> {
        // §5.5.2
        let named = self.named_snapshot()?;
        if !is_content(bytes, named.length, &named.hashes) {
            return Err(Refusal::new("snapshot", Why::OtherContent));
        }
        let envelope = Envelope::parse("snapshot", bytes)?;
        // §5.5.3
        check_threshold("snapshot", &envelope, &self.root.signed.role("snapshot")?)?;
        let signed: Snapshot = envelope.read("snapshot", "snapshot")?;
        // §5.5.5: every role that was named is named still, in no older version.
        for (file, known) in self.snapshot.iter().flat_map(|trusted| &trusted.signed.meta) {
            let role = file.trim_end_matches(".json");
            match signed.meta.get(file) {
                None => return Err(Refusal::new(role, Why::NotNamed)),
                Some(found) if found.version < known.version => {
                    return Err(Refusal::new(role, Why::Rollback { found: found.version, trusted: known.version }));
                }
                Some(_) => (),
            }
        }
        Ok(Accepted { bytes: bytes.to_vec(), signed })
    }

    /// §5.6: takes a targets role's file that the snapshot names and `delegator` trusts. The top-level role's delegator is the root.
    ///
    /// # Errors
    /// When its content, signature, version or expiry says so.
    pub fn update_targets(
        &mut self,
        role: &str,
        delegator: Option<&str>,
        bytes: &[u8],
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let accepted = self.load_targets(role, delegator, bytes)?;
        // §5.6.5
        not_expired(role, accepted.signed.expires, now)?;
        self.targets.insert(role.to_owned(), accepted);
        Ok(())
    }

    fn load_targets(&self, role: &str, delegator: Option<&str>, bytes: &[u8]) -> Result<Accepted<Targets>, Refusal> {
        // §5.6.2
        let named = self.named_targets(role)?;
        if !is_content(bytes, named.length, &named.hashes) {
            return Err(Refusal::new(role, Why::OtherContent));
        }
        let envelope = Envelope::parse(role, bytes)?;
        // §5.6.3
        match delegator {
            None => check_threshold(role, &envelope, &self.root.signed.role(role)?)?,
            Some(delegator) => {
                let (delegated, delegations) = self.delegated(delegator, role)?;
                let keys = super::schema::RoleKeys { role: delegated, keys: &delegations.keys };
                check_threshold(role, &envelope, &keys)?;
            }
        }
        let signed: Targets = envelope.read(role, "targets")?;
        // §5.6.4
        if signed.version != named.version {
            return Err(Refusal::new(role, Why::Version { found: signed.version, expected: named.version }));
        }
        Ok(Accepted { bytes: bytes.to_vec(), signed })
    }

    fn delegated(&self, delegator: &str, role: &str) -> Result<(&Role, &Delegations), Refusal> {
        let delegations = self.targets(delegator).and_then(|targets| targets.signed.delegations.as_ref());
        delegations.and_then(|all| Some((all.role(role)?, all))).ok_or_else(|| Refusal::new(role, Why::NotNamed))
    }

    /// What the timestamp says of the snapshot.
    pub(super) fn named_snapshot(&self) -> Result<&MetaFile, Refusal> {
        self.timestamp.as_ref().ok_or_else(|| Refusal::new("timestamp", Why::Missing))?.signed.snapshot()
    }

    /// What the snapshot says of a targets role.
    pub(super) fn named_targets(&self, role: &str) -> Result<&MetaFile, Refusal> {
        let snapshot = self.snapshot.as_ref().ok_or_else(|| Refusal::new("snapshot", Why::Missing))?;
        snapshot.signed.meta.get(&format!("{role}.json")).ok_or_else(|| Refusal::new(role, Why::NotNamed))
    }

    /// Takes what was stored before, role by role, as far as it verifies: signatures and versions, but not expiry, because what was good
    /// when it was accepted is old now, not false. The rest is fetched anew.
    pub fn restore_timestamp(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.timestamp = self.load_timestamp(bytes)?.or(self.timestamp.take());
        Ok(())
    }

    /// As [`Self::restore_timestamp`], for the snapshot.
    pub fn restore_snapshot(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        // A stored snapshot may be older than the stored timestamp's (a refresh that stopped between them): it still guards
        // against rollback, so only its signature is asked for here.
        let envelope = Envelope::parse("snapshot", bytes)?;
        check_threshold("snapshot", &envelope, &self.root.signed.role("snapshot")?)?;
        let signed = envelope.read("snapshot", "snapshot")?;
        self.snapshot = Some(Accepted { bytes: bytes.to_vec(), signed });
        Ok(())
    }

    /// As [`Self::restore_timestamp`], for a targets role.
    pub fn restore_targets(&mut self, role: &str, delegator: Option<&str>, bytes: &[u8]) -> Result<(), Refusal> {
        let accepted = self.load_targets(role, delegator, bytes)?;
        self.targets.insert(role.to_owned(), accepted);
        Ok(())
    }

    /// Whether the snapshot held is the one the timestamp names.
    #[must_use]
    pub fn snapshot_is_current(&self) -> bool {
        match (&self.snapshot, self.named_snapshot()) {
            (Some(snapshot), Ok(named)) => {
                snapshot.signed.version == named.version && is_content(&snapshot.bytes, named.length, &named.hashes)
            }
            _ => false,
        }
    }

    /// Whether a targets role held is the one the snapshot names.
    #[must_use]
    pub fn targets_are_current(&self, role: &str) -> bool {
        match (self.targets(role), self.named_targets(role)) {
            (Some(held), Ok(named)) => {
                held.signed.version == named.version && is_content(&held.bytes, named.length, &named.hashes)
            }
            _ => false,
        }
    }

    /// The keys of the trusted root's own role.
    #[must_use]
    pub fn root_keys(&self) -> BTreeSet<Fingerprint> {
        let root = &self.root.signed;
        let ids = root.roles.get("root").into_iter().flat_map(|role| &role.keyids);
        ids.filter_map(|id| root.keys.get(id)?.public()).map(|key| key.fingerprint()).collect()
    }

    /// What the judge sees of this repository: its number and age, and `targets`, which the caller verified.
    #[must_use]
    pub fn repository(&self, issuer: Region, targets: BTreeMap<String, Vec<u8>>) -> Repository {
        let timestamp = self.timestamp.as_ref().map(|accepted| &accepted.signed);
        Repository {
            issuer,
            generation: timestamp.map_or(0, |timestamp| timestamp.version),
            issued: timestamp.and_then(|timestamp| timestamp.issued).unwrap_or(UnixTime(0)),
            expires: timestamp.map_or(UnixTime(0), |timestamp| timestamp.expires),
            arrived: None,
            root_keys: self.root_keys(),
            targets,
        }
    }
}

fn read_root(bytes: &[u8]) -> Result<(Envelope, Root), Refusal> {
    let envelope = Envelope::parse("root", bytes)?;
    let root = envelope.read("root", "root")?;
    Ok((envelope, root))
}

fn not_expired(role: &str, expires: UnixTime, now: UnixTime) -> Result<(), Refusal> {
    if now < expires { Ok(()) } else { Err(Refusal::new(role, Why::Expired(expires))) }
}
