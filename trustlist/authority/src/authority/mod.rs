//! One authority as a value: its keys, its drafts and what it last published. Publishing is a function of these and the moment.
//!
//! No file is read or written here, and no clock is asked: the workspace keeps an authority on disk, and a test or a
//! demonstration makes a whole country of them in memory.

use std::{collections::BTreeMap, fmt};

use data_encoding::BASE64;
use sha2::{Digest, Sha256};
use trustlist::{
    code::{Format, KeyState},
    key::{Algorithm, KeyId},
    lists::keys::{KeyEntry, KeyUse, Keys},
    region::{NATIONAL, Region},
    time::{UnixTime, Window},
};

use crate::{
    code::{self, Draft, Flaw},
    deltas::SignedLists,
    key::{KeyError, KeyType, SigningKey},
    metadata::{self, Role, RoleKeys, Root},
    national::{ListError, National},
    statuses::StatusDrafts,
    terms::Terms,
};

mod fault;

pub use fault::{AuthorityError, CodeError};

/// How many keys a role gets, of which kind, and how many must sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RolePlan {
    /// Keys made.
    pub keys: u32,
    /// Signatures needed.
    pub threshold: u32,
    /// Kind of the keys.
    pub key_type: KeyType,
}

impl Default for RolePlan {
    fn default() -> RolePlan {
        RolePlan { keys: 1, threshold: 1, key_type: KeyType::Ed25519 }
    }
}

/// What keys a new authority gets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// Root keys: few, kept apart from the machine that publishes.
    pub root: RolePlan,
    /// The others, which sign day by day.
    pub online: RolePlan,
}

/// Where keys come from.
#[derive(Clone, Copy)]
pub enum Source {
    /// The machine's randomness.
    Random,
    /// A seed: the same keys every time. For tests and demonstrations, never for a country.
    Seed([u8; 32]),
}

/// A seed is every key at once: it is not printed.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Random => "Random",
            Self::Seed(_) => "Seed(…)",
        })
    }
}

impl Source {
    /// Makes the key of a purpose. Only Ed25519 keys come from a seed.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub fn key(self, issuer: Region, purpose: &str, key_type: KeyType) -> Result<SigningKey, KeyError> {
        match (self, key_type) {
            (Self::Seed(seed), KeyType::Ed25519) => {
                let mut hash = Sha256::new();
                hash.update(seed);
                hash.update(issuer.as_str());
                hash.update(purpose);
                Ok(SigningKey::from_seed(hash.finalize().into()))
            }
            _ => SigningKey::generate(key_type),
        }
    }
}

/// One authority.
#[derive(Clone, Debug)]
pub struct Authority {
    pub(crate) issuer: Region,
    pub(crate) terms: Terms,
    /// Private keys of roles, codes and status lists, as far as this machine holds them.
    pub(crate) private: Vec<SigningKey>,
    /// Every root, oldest first.
    pub(crate) roots: Vec<Vec<u8>>,
    /// `keys.json`.
    pub(crate) keys: Keys,
    pub(crate) statuses: StatusDrafts,
    pub(crate) signed_lists: SignedLists,
    pub(crate) national: Option<National>,
    pub(crate) published: Option<Generation>,
    /// Keys that no generation has announced yet, with the seconds that shall pass between announcement and first use.
    pub(crate) announced: BTreeMap<KeyId, i64>,
}

/// The metadata that was published last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// `timestamp.json`.
    pub timestamp: Vec<u8>,
    /// `<version>.snapshot.json`.
    pub snapshot: Vec<u8>,
    /// `<version>.targets.json`.
    pub targets: Vec<u8>,
}

impl Authority {
    /// Makes an authority with its keys and its first root, at the moment `at`. The national one gets empty lists.
    ///
    /// # Errors
    /// When the machine gives no randomness, or a threshold is out of reach.
    pub fn init(
        issuer: Region,
        plan: &Plan,
        terms: Terms,
        source: Source,
        at: UnixTime,
    ) -> Result<Authority, AuthorityError> {
        Authority::init_with(issuer, plan, terms, source, Vec::new(), at)
    }

    /// As [`Authority::init`], with root keys that were made elsewhere; where there are none, they are made here.
    ///
    /// # Errors
    /// As for [`Authority::init`].
    pub fn init_with(
        issuer: Region,
        plan: &Plan,
        terms: Terms,
        source: Source,
        root_keys: Vec<SigningKey>,
        at: UnixTime,
    ) -> Result<Authority, AuthorityError> {
        let mut root_keys = root_keys.into_iter();
        if !issuer.exists() {
            return Err(AuthorityError::List(ListError::UnknownRegion(issuer)));
        }
        if let Some((role, days, most)) = terms.unusual() {
            return Err(AuthorityError::Terms { role, days, most });
        }
        let mut private = Vec::new();
        let mut root = Root {
            spec_version: metadata::SPEC_VERSION.to_owned(),
            version: 0,
            expires: at,
            consistent_snapshot: true,
            keys: BTreeMap::new(),
            roles: BTreeMap::new(),
        };
        for role in Role::ALL {
            let RolePlan { keys, threshold, key_type } = if role == Role::Root { plan.root } else { plan.online };
            if threshold == 0 || threshold > keys {
                return Err(AuthorityError::Threshold { keys: keys as usize, threshold });
            }
            root.roles.insert(role, RoleKeys { keyids: Vec::new(), threshold });
            for number in 0..keys {
                let made = if role == Role::Root { root_keys.next() } else { None };
                let make = || source.key(issuer, &format!("{}-{number}", role.name()), key_type);
                let key = made.map_or_else(make, Ok)?;
                root.give(role, &key);
                private.push(key);
            }
        }
        let mut authority = Authority {
            issuer,
            terms,
            private,
            roots: Vec::new(),
            keys: Keys::default(),
            statuses: StatusDrafts::default(),
            signed_lists: SignedLists::default(),
            national: None,
            published: None,
            announced: BTreeMap::new(),
        };
        authority.sign_root(root, at)?;
        if issuer == NATIONAL {
            authority.national = Some(National::new(authority.first_root()));
        }
        for use_for in [KeyUse::Code, KeyUse::Status, KeyUse::Configuration] {
            // Codes of a country come with certificates; the others sign their own. Only the national platform configures.
            let its_own = if use_for == KeyUse::Configuration { issuer == NATIONAL } else { !issuer.is_country() };
            if its_own {
                authority.add_key(source.key(issuer, &format!("{use_for:?}-0"), KeyType::Ed25519)?, use_for, at)?;
            }
        }
        Ok(authority)
    }

    /// Whose it is.
    #[must_use]
    pub fn issuer(&self) -> Region {
        self.issuer
    }

    /// Its terms of validity.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// The first root: what the national platform pins.
    #[must_use]
    pub fn first_root(&self) -> &[u8] {
        self.roots.first().map_or(&[], Vec::as_slice)
    }

    /// Every root, oldest first.
    #[must_use]
    pub fn roots(&self) -> &[Vec<u8>] {
        &self.roots
    }

    /// The keys that codes and status lists are signed with, as published.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The drafts of its status lists.
    #[must_use]
    pub fn statuses(&self) -> &StatusDrafts {
        &self.statuses
    }

    /// The drafts of its status lists, to be changed.
    pub fn statuses_mut(&mut self) -> &mut StatusDrafts {
        &mut self.statuses
    }

    /// The national lists.
    ///
    /// # Errors
    /// When this is a province.
    pub fn national(&self) -> Result<&National, AuthorityError> {
        self.national.as_ref().ok_or(AuthorityError::NotNational(self.issuer))
    }

    /// The national lists, to be changed.
    ///
    /// # Errors
    /// When this is a province.
    pub fn national_mut(&mut self) -> Result<&mut National, AuthorityError> {
        self.national.as_mut().ok_or(AuthorityError::NotNational(self.issuer))
    }

    /// Lists a key that this machine made, good from `at`.
    ///
    /// # Errors
    /// When it is there already.
    pub fn add_key(&mut self, key: SigningKey, use_for: KeyUse, at: UnixTime) -> Result<KeyId, AuthorityError> {
        let kid = key.kid();
        self.add_entry(KeyEntry {
            algorithm: key.algorithm(),
            public_key: Some(BASE64.encode(&key.public_bytes())),
            certificate: None,
            name: None,
            formats: vec![Format::Mr1],
            use_for,
            kinds: std::collections::BTreeSet::new(),
            window: Window { from: Some(at), until: None },
            state: KeyState::Active,
        })?;
        self.private.push(key);
        Ok(kid)
    }

    /// Lists a key whose private half is elsewhere, such as a certificate's.
    ///
    /// # Errors
    /// When it is there already, or has neither key nor certificate.
    pub fn add_entry(&mut self, entry: KeyEntry) -> Result<KeyId, AuthorityError> {
        let kid = entry_kid(&entry).map_err(AuthorityError::BadEntry)?;
        if self.keys.keys.iter().any(|other| entry_kid(other) == Ok(kid) && other.use_for == entry.use_for) {
            return Err(AuthorityError::DuplicateKey(kid));
        }
        self.keys.keys.push(entry);
        Ok(kid)
    }

    /// Lists `key` as the one that signs from `at` on, and retires the active ones of the same use at that moment: what they signed before
    /// stays good. Until `at` they sign.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub fn rotate_key(&mut self, use_for: KeyUse, key: SigningKey, at: UnixTime) -> Result<KeyId, AuthorityError> {
        let kid = self.add_key(key, use_for, at)?;
        for entry in self.keys.keys.iter_mut().filter(|entry| entry.use_for == use_for) {
            if entry.state == KeyState::Active && entry_kid(entry) != Ok(kid) && entry.certificate.is_none() {
                entry.state = KeyState::Retired { at };
            }
        }
        Ok(kid)
    }

    /// As [`Authority::rotate_key`], at least `lead` seconds after the generation that announces the key: a gate that holds a fresh list then
    /// knows the key before it meets a code by it, and refuses nobody's.
    ///
    /// # Errors
    /// As for [`Authority::rotate_key`].
    pub fn announce_key(
        &mut self,
        use_for: KeyUse,
        key: SigningKey,
        at: UnixTime,
        lead: i64,
    ) -> Result<KeyId, AuthorityError> {
        let kid = self.rotate_key(use_for, key, at.plus(lead))?;
        self.announced.insert(kid, lead);
        Ok(kid)
    }

    /// Keys that are announced by the generation of `at`, and when they begin: later than was meant, where it is published later.
    pub(crate) fn settle_announcements(&mut self, at: UnixTime) -> Vec<(KeyId, UnixTime)> {
        let mut begins = Vec::new();
        for (kid, lead) in &self.announced {
            let Some(entry) = self.keys.keys.iter_mut().find(|entry| entry_kid(entry) == Ok(*kid)) else { continue };
            let (meant, earliest) = (entry.window.from.unwrap_or(at), at.plus(*lead));
            let (use_for, from) = (entry.use_for, meant.max(earliest));
            entry.window.from = Some(from);
            for before in self.keys.keys.iter_mut().filter(|entry| entry.use_for == use_for) {
                if before.state == (KeyState::Retired { at: meant }) {
                    before.state = KeyState::Retired { at: from };
                }
            }
            begins.push((*kid, from));
        }
        begins
    }

    /// From when on a key of `keys.json` signs.
    pub(crate) fn begins(&self, key: &SigningKey) -> Option<UnixTime> {
        self.keys.keys.iter().find(|entry| entry_kid(entry) == Ok(key.kid()))?.window.from
    }

    /// Changes how a key stands.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn set_key_state(&mut self, kid: KeyId, state: KeyState) -> Result<(), AuthorityError> {
        let entry = self.keys.keys.iter_mut().find(|entry| entry_kid(entry) == Ok(kid));
        entry.ok_or(AuthorityError::UnknownKey(kid))?.state = state;
        Ok(())
    }

    /// The newest private key of a use that signs at `at`; if none does, the one that began first, so that a code can be made that is older
    /// than its key.
    ///
    /// # Errors
    /// When this machine holds none.
    pub fn signing_key(&self, use_for: KeyUse, at: UnixTime) -> Result<&SigningKey, AuthorityError> {
        let standing = |entry: &&KeyEntry| match entry.state {
            KeyState::Active => true,
            KeyState::Retired { at: retired } => retired > at,
            KeyState::Revoked => false,
        };
        let held = |entry: &KeyEntry| entry_kid(entry).ok().and_then(|kid| self.private_key(kid));
        let newest_first = || self.keys.keys.iter().rev().filter(|entry| entry.use_for == use_for).filter(standing);
        let mut by_age: Vec<&KeyEntry> = newest_first().collect();
        by_age.sort_by_key(|entry| entry.window.from);
        newest_first()
            .filter(|entry| entry.window.contains(at))
            .find_map(held)
            .or_else(|| by_age.into_iter().find_map(held))
            .ok_or(AuthorityError::NoKey { issuer: self.issuer, use_for })
    }

    /// Keys for own codes and lists that are not over and whose private half is not here; those of certificates never are.
    #[must_use]
    pub fn keys_elsewhere(&self) -> Vec<KeyId> {
        let own =
            |entry: &&KeyEntry| entry.state == KeyState::Active && entry.certificate.is_none() && entry.name.is_none();
        let kids = self.keys.keys.iter().filter(own).filter_map(|entry| entry_kid(entry).ok());
        kids.filter(|kid| self.private_key(*kid).is_none()).collect()
    }

    /// The private key with this id, whatever its state: test codes are also signed with keys that were retired.
    #[must_use]
    pub fn private_key(&self, kid: KeyId) -> Option<&SigningKey> {
        self.private.iter().find(|key| key.kid() == kid)
    }

    /// Signs a code with the newest key for codes. `voucher` is the national platform, where it countersigns.
    ///
    /// # Errors
    /// When no private key for codes is good at the moment of issue.
    pub fn issue(&self, draft: &Draft, voucher: Option<&Authority>, flaw: Option<Flaw>) -> Result<String, CodeError> {
        let at = draft.issued_at;
        let key = self.signing_key(KeyUse::Code, at)?;
        let voucher = voucher.map(|national| national.signing_key(KeyUse::Code, at)).transpose()?;
        match flaw {
            None => Ok(code::issue(draft, key, voucher)?),
            Some(flaw) => Ok(code::issue_flawed(draft, key, voucher, flaw)?),
        }
    }
}

/// The id under which codes name the key of an entry.
///
/// # Errors
/// When it has neither key nor certificate in Base64.
pub fn entry_kid(entry: &KeyEntry) -> Result<KeyId, String> {
    let text = entry.public_key.as_ref().or(entry.certificate.as_ref());
    let text = text.ok_or("it has neither public_key nor certificate")?;
    let bytes = BASE64.decode(text.as_bytes()).map_err(|_| "it is not in Base64")?;
    if entry.algorithm == Algorithm::EdDsa && entry.certificate.is_none() && bytes.len() != 32 {
        return Err("an Ed25519 key has 32 bytes".to_owned());
    }
    Ok(KeyId::of(&bytes))
}
