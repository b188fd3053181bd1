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
    code::{self, Draft, Flaw, IssueError},
    key::{KeyError, KeyType, SigningKey},
    metadata::{self, Role, RoleKeys, Root},
    national::National,
    rotate,
    statuses::StatusDrafts,
    terms::Terms,
};

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
    pub(crate) national: Option<National>,
    pub(crate) published: Option<Generation>,
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

/// Why an authority does not do what it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeskError {
    /// A key cannot be made or used.
    Key(KeyError),
    /// A threshold that no set of keys reaches, or none at all.
    Threshold {
        /// Keys there would be.
        keys: usize,
        /// Signatures asked for.
        threshold: u32,
    },
    /// Too few private keys of a role are on this machine.
    KeysMissing {
        /// Whose.
        issuer: Region,
        /// Which role.
        role: Role,
        /// Ids of those that are not here.
        missing: Vec<String>,
        /// Signatures needed.
        threshold: u32,
    },
    /// No private key for codes, or for status lists, is good at this moment.
    NoKey {
        /// Whose.
        issuer: Region,
        /// For what.
        use_for: KeyUse,
    },
    /// No such key.
    UnknownKey(KeyId),
    /// No such key of a role.
    UnknownRoleKey(String),
    /// The key is in the list already.
    DuplicateKey(KeyId),
    /// This key entry cannot be used.
    BadEntry(String),
    /// The moment is before what was published last.
    BackInTime {
        /// When that was.
        last: UnixTime,
    },
    /// Something that only the national platform does.
    NotNational(Region),
    /// The national lists contradict themselves.
    List(crate::national::ListError),
    /// What was published last cannot be read.
    Damaged {
        /// Which file.
        file: &'static str,
    },
    /// The root has expired; clients refuse what hangs on it.
    RootExpired {
        /// When.
        at: UnixTime,
    },
}

impl From<KeyError> for DeskError {
    fn from(error: KeyError) -> DeskError {
        DeskError::Key(error)
    }
}

impl From<crate::national::ListError> for DeskError {
    fn from(error: crate::national::ListError) -> DeskError {
        DeskError::List(error)
    }
}

impl fmt::Display for DeskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::List(error) => error.fmt(f),
            Self::Threshold { keys, threshold } => {
                write!(
                    f,
                    "{threshold} of {keys} keys cannot sign; ask for at least one and at most as many as there are"
                )
            }
            Self::KeysMissing { issuer, role, missing, threshold } => {
                let missing: Vec<&str> = missing.iter().map(|id| &id[..id.len().min(16)]).collect();
                let (role, missing) = (role.name(), missing.join(", "));
                write!(
                    f,
                    "{issuer}: {threshold} {role} key(s) must sign and too few are here; \
                     put the key files of {missing} back into keys/ (names begin with {role}-)"
                )
            }
            Self::NoKey { issuer, use_for } => {
                let what = match use_for {
                    KeyUse::Code => "pass codes",
                    KeyUse::Status => "status lists",
                };
                write!(
                    f,
                    "{issuer} holds no private key for {what} that is active now; make one with `authority issuer rotate-key`"
                )
            }
            Self::UnknownKey(kid) => write!(f, "no key {kid} in keys.json; `authority show` lists them"),
            Self::UnknownRoleKey(id) => write!(f, "no role has a key {id}; `authority show` lists them"),
            Self::DuplicateKey(kid) => write!(f, "key {kid} is in keys.json already"),
            Self::BadEntry(why) => write!(f, "the key cannot be used: {why}"),
            Self::BackInTime { last } => {
                write!(f, "the last generation was published at {last}; --at must not be before that")
            }
            Self::NotNational(issuer) => {
                write!(f, "this workspace is {issuer}'s; only the national platform (000000) keeps that list")
            }
            Self::Damaged { file } => {
                write!(f, "the published {file} cannot be read; bring the published directory back from a mirror")
            }
            Self::RootExpired { at } => {
                write!(f, "the root expired at {at}; renew it with `authority root rotate` first")
            }
        }
    }
}

impl std::error::Error for DeskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Key(error) => Some(error),
            Self::List(error) => Some(error),
            _ => None,
        }
    }
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
    ) -> Result<Authority, DeskError> {
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
                return Err(DeskError::Threshold { keys: keys as usize, threshold });
            }
            root.roles.insert(role, RoleKeys { keyids: Vec::new(), threshold });
            for number in 0..keys {
                let key = source.key(issuer, &format!("{}-{number}", role.name()), key_type)?;
                rotate::enrol(&mut root, role, &key);
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
            national: None,
            published: None,
        };
        authority.sign_root(root, at)?;
        if issuer == NATIONAL {
            authority.national = Some(National::new(authority.first_root()));
        }
        for use_for in [KeyUse::Code, KeyUse::Status] {
            // Codes of a country come with certificates; the others sign their own.
            if !issuer.is_country() {
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
    /// When this is a province's desk.
    pub fn national(&self) -> Result<&National, DeskError> {
        self.national.as_ref().ok_or(DeskError::NotNational(self.issuer))
    }

    /// The national lists, to be changed.
    ///
    /// # Errors
    /// When this is a province's desk.
    pub fn national_mut(&mut self) -> Result<&mut National, DeskError> {
        self.national.as_mut().ok_or(DeskError::NotNational(self.issuer))
    }

    /// Lists a key that this machine made, good from `at`.
    ///
    /// # Errors
    /// When it is there already.
    pub fn add_key(&mut self, key: SigningKey, use_for: KeyUse, at: UnixTime) -> Result<KeyId, DeskError> {
        let kid = key.kid();
        self.add_entry(KeyEntry {
            algorithm: key.algorithm(),
            public_key: Some(BASE64.encode(&key.public_bytes())),
            certificate: None,
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
    pub fn add_entry(&mut self, entry: KeyEntry) -> Result<KeyId, DeskError> {
        let kid = entry_kid(&entry).map_err(DeskError::BadEntry)?;
        if self.keys.keys.iter().any(|other| entry_kid(other) == Ok(kid) && other.use_for == entry.use_for) {
            return Err(DeskError::DuplicateKey(kid));
        }
        self.keys.keys.push(entry);
        Ok(kid)
    }

    /// Makes a new key at `at` and retires the active ones of the same use: what they signed before stays good.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub fn rotate_key(&mut self, use_for: KeyUse, key: SigningKey, at: UnixTime) -> Result<KeyId, DeskError> {
        let kid = self.add_key(key, use_for, at)?;
        for entry in self.keys.keys.iter_mut().filter(|entry| entry.use_for == use_for) {
            if entry.state == KeyState::Active && entry_kid(entry) != Ok(kid) && entry.certificate.is_none() {
                entry.state = KeyState::Retired { at };
            }
        }
        Ok(kid)
    }

    /// Changes how a key stands.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn set_key_state(&mut self, kid: KeyId, state: KeyState) -> Result<(), DeskError> {
        let entry = self.keys.keys.iter_mut().find(|entry| entry_kid(entry) == Ok(kid));
        entry.ok_or(DeskError::UnknownKey(kid))?.state = state;
        Ok(())
    }

    /// The newest active private key of a use that is good at `at`; if none is, the newest active one, so that a code can be made
    /// that is older than its desk.
    ///
    /// # Errors
    /// When this machine holds none.
    pub fn signing_key(&self, use_for: KeyUse, at: UnixTime) -> Result<&SigningKey, DeskError> {
        let active = |entry: &&KeyEntry| entry.use_for == use_for && entry.state == KeyState::Active;
        let held = |entry: &KeyEntry| entry_kid(entry).ok().and_then(|kid| self.private_key(kid));
        let newest_first = || self.keys.keys.iter().rev().filter(active);
        newest_first()
            .filter(|entry| entry.window.contains(at))
            .find_map(held)
            .or_else(|| newest_first().find_map(held))
            .ok_or(DeskError::NoKey { issuer: self.issuer, use_for })
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

/// Why there is no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeError {
    /// The desk cannot sign it.
    Desk(DeskError),
    /// The draft is none.
    Draft(IssueError),
}

impl From<DeskError> for CodeError {
    fn from(error: DeskError) -> CodeError {
        CodeError::Desk(error)
    }
}

impl From<IssueError> for CodeError {
    fn from(error: IssueError) -> CodeError {
        CodeError::Draft(error)
    }
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Desk(error) => error.fmt(f),
            Self::Draft(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Desk(error) => Some(error),
            Self::Draft(error) => Some(error),
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
