//! Roots: signing one, and changing which keys a role has (TUF 1.0.31 §6.1).
//!
//! A new root is signed by enough keys of the old one and by enough of its own, so that a client that knows any root can
//! walk to the newest.

use trustlist::time::UnixTime;

use crate::{
    authority::{Authority, AuthorityError},
    key::SigningKey,
    metadata::{self, Role, Root},
};

/// Digits of a key id that name it to people and in file names.
pub const ID_PREFIX: usize = 16;

/// What shall change in the next root.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which role.
    pub role: Role,
    /// Keys that come in.
    pub add: Vec<SigningKey>,
    /// Ids of keys that go, or the beginnings of ids.
    pub remove: Vec<String>,
    /// Signatures needed from then on; as before when absent.
    pub threshold: Option<u32>,
}

impl Authority {
    /// The newest root.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn root(&self) -> Result<Root, AuthorityError> {
        let newest = self.roots.last().ok_or(AuthorityError::Damaged { file: "root.json" })?;
        metadata::read(newest).map_err(|_| AuthorityError::Damaged { file: "root.json" })
    }

    /// Signs the next root. Without a change it is the same keys with a new term.
    ///
    /// # Errors
    /// When too few keys of the old or the new root are here, or a threshold is out of reach.
    pub fn rotate_root(&mut self, changes: Vec<Change>, at: UnixTime) -> Result<u64, AuthorityError> {
        let mut root = self.root()?;
        let held = self.private.len();
        for change in changes {
            for wanted in &change.remove {
                let unknown = || AuthorityError::UnknownRoleKey(wanted.clone());
                let keys = root.roles.get_mut(&change.role).ok_or_else(unknown)?;
                // The whole id, or at least as much of it as stands in a file's name.
                let meant = |id: &String| wanted.len() >= ID_PREFIX && id.starts_with(wanted.as_str());
                if !keys.keyids.iter().any(meant) {
                    self.private.truncate(held);
                    return Err(unknown());
                }
                keys.keyids.retain(|id| !meant(id));
            }
            for key in change.add {
                root.give(change.role, &key);
                self.private.push(key);
            }
            if let (Some(threshold), Some(keys)) = (change.threshold, root.roles.get_mut(&change.role)) {
                keys.threshold = threshold;
            }
        }
        let used: Vec<&String> = root.roles.values().flat_map(|keys| &keys.keyids).collect();
        let unused: Vec<String> = root.keys.keys().filter(|id| !used.contains(id)).cloned().collect();
        for id in unused {
            root.keys.remove(&id);
        }
        let signed = self.sign_root(root, at);
        if signed.is_err() {
            self.private.truncate(held);
        }
        signed
    }

    /// Signs `root` as the next version: by the keys of the newest root, if there is one, and by its own.
    pub(crate) fn sign_root(&mut self, mut root: Root, at: UnixTime) -> Result<u64, AuthorityError> {
        for keys in root.roles.values() {
            if keys.threshold == 0 || keys.threshold as usize > keys.keyids.len() {
                return Err(AuthorityError::Threshold { keys: keys.keyids.len(), threshold: keys.threshold });
            }
        }
        root.version += 1;
        root.expires = self.terms.expiry(Role::Root, at);
        let mut signers = self.signers(&root, Role::Root)?;
        if !self.roots.is_empty() {
            for key in self.signers(&self.root()?, Role::Root)? {
                let id = metadata::key_id(key);
                if !signers.iter().any(|other| metadata::key_id(other) == id) {
                    signers.push(key);
                }
            }
        }
        let bytes = metadata::sign(&root, signers)?;
        self.roots.push(bytes);
        Ok(root.version)
    }

    /// The private keys of a role under `root`: all that are here, when they are enough.
    pub(crate) fn signers(&self, root: &Root, role: Role) -> Result<Vec<&SigningKey>, AuthorityError> {
        let keys = root.roles.get(&role).ok_or(AuthorityError::Damaged { file: "root.json" })?;
        let mut signers = Vec::new();
        let mut missing = Vec::new();
        for id in &keys.keyids {
            match self.private.iter().find(|key| metadata::key_id(key) == *id) {
                Some(key) => signers.push(key),
                None => missing.push(id.clone()),
            }
        }
        let threshold = keys.threshold;
        if signers.len() < threshold as usize {
            return Err(AuthorityError::KeysMissing { issuer: self.issuer, role, missing, threshold });
        }
        Ok(signers)
    }
}

#[cfg(test)]
mod tests {
    use trustlist::tuf::Trusted;

    use super::*;
    use crate::{
        authority::{Plan, RolePlan, Source},
        key::KeyType,
        terms::Terms,
    };

    const MORNING: UnixTime = UnixTime(1_612_137_600);

    fn two_of_three() -> Authority {
        let root = RolePlan { keys: 3, threshold: 2, key_type: KeyType::Ed25519 };
        let plan = Plan { root, ..Plan::default() };
        let issuer = "420000".parse().expect("a region");
        Authority::init(issuer, &plan, Terms::default(), Source::Seed([1; 32]), MORNING).expect("made")
    }

    #[test]
    fn a_client_with_the_first_root_follows_every_rotation() {
        let mut authority = two_of_three();
        let old = authority.root().expect("a root").roles[&Role::Root].keyids.clone();
        let change = Change {
            role: Role::Root,
            add: vec![SigningKey::generate(KeyType::Ecdsa).expect("randomness")],
            remove: vec![old[0][..ID_PREFIX].to_owned()],
            threshold: Some(3),
        };
        assert_eq!(authority.rotate_root(vec![change], MORNING.plus(10)), Ok(2));
        let timestamp = Change {
            role: Role::Timestamp,
            add: vec![SigningKey::from_seed([9; 32])],
            remove: authority.root().expect("a root").roles[&Role::Timestamp].keyids.clone(),
            threshold: None,
        };
        assert_eq!(authority.rotate_root(vec![timestamp], MORNING.plus(20)), Ok(3));
        let mut client = Trusted::from_root(authority.first_root()).expect("the first root");
        for root in &authority.roots()[1..] {
            assert_eq!(client.update_root(root), Ok(()));
        }
        let newest = authority.root().expect("a root");
        assert_eq!(newest.roles[&Role::Root].threshold, 3);
        assert!(!newest.keys.contains_key(&old[0]), "a key that no role has is not in the root");
    }

    #[test]
    fn what_cannot_be_signed_leaves_everything_as_it_was() {
        let mut authority = two_of_three();
        let keys = authority.private.len();
        let change = |remove: &str, threshold| Change {
            role: Role::Root,
            add: vec![SigningKey::from_seed([9; 32])],
            remove: if remove.is_empty() { Vec::new() } else { vec![remove.to_owned()] },
            threshold,
        };
        assert_eq!(
            authority.rotate_root(vec![change("", Some(5))], MORNING),
            Err(AuthorityError::Threshold { keys: 4, threshold: 5 })
        );
        assert!(matches!(
            authority.rotate_root(vec![change("0123456789abcdef", None)], MORNING),
            Err(AuthorityError::UnknownRoleKey(_))
        ));
        assert_eq!((authority.private.len(), authority.roots().len()), (keys, 1));
    }

    #[test]
    fn too_few_root_keys_are_named_with_what_to_do() {
        let mut authority = two_of_three();
        authority.private.drain(..2);
        let error = authority.rotate_root(Vec::new(), MORNING).expect_err("two of three are gone");
        assert!(matches!(&error, AuthorityError::KeysMissing { role: Role::Root, missing, .. } if missing.len() == 2));
        assert!(error.to_string().contains("put the key files of"), "{error}");
        assert!(authority.publish(MORNING).is_ok(), "publishing needs no root key");
    }
}
