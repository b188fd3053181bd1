//! The order of the workflow: which file next, and what may be in it. Whoever calls brings the bytes.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use sha2::{Digest, Sha256};

use super::{
    MAX_DELEGATIONS, MAX_METADATA, MAX_ROTATIONS,
    pattern::matches,
    refusal::{Refusal, Why},
    schema::{DelegatedRole, TargetFile, is_content},
    trusted::Trusted,
};
use crate::time::UnixTime;

/// A file to be brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its place below the metadata or the targets, with slashes.
    pub path: String,
    /// Most bytes that will be looked at. Whoever fetches stops there.
    pub limit: u64,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The bytes, at most one beyond the limit.
    Bytes(Vec<u8>),
    /// There is no such file.
    NotFound,
    /// It could not be asked for, in the transport's words.
    Unreachable(String),
}

/// Whoever brings files.
pub trait Fetch {
    /// Brings one metadata file.
    fn metadata(&mut self, request: &Request) -> Answer;
}

impl<F: FnMut(&Request) -> Answer> Fetch for F {
    fn metadata(&mut self, request: &Request) -> Answer {
        self(request)
    }
}

/// Refreshes the top-level roles (§5.3 to §5.6). `trusted` holds every role that was accepted, also when a later one is refused.
///
/// # Errors
/// With the first refusal.
pub fn refresh(trusted: &mut Trusted, now: UnixTime, fetch: &mut dyn Fetch) -> Result<(), Refusal> {
    // §5.3: roots one by one, until there is none.
    for _ in 0..MAX_ROTATIONS {
        let next = trusted.root().signed.version.saturating_add(1);
        let request = Request { path: format!("{next}.root.json"), limit: MAX_METADATA };
        match bytes("root", fetch, &request) {
            Ok(bytes) => trusted.update_root(&bytes)?,
            Err(Refusal { why: Why::Missing, .. }) => break,
            Err(refusal) => return Err(refusal),
        }
    }
    trusted.finish_root(now)?;
    // §5.4
    let request = Request { path: "timestamp.json".to_owned(), limit: MAX_METADATA };
    let timestamp = bytes("timestamp", fetch, &request)?;
    trusted.update_timestamp(&timestamp, now)?;
    // §5.5: a snapshot that is held already is not fetched again, but must not have expired.
    if trusted.snapshot_is_current() {
        let held = trusted.snapshot().expect("it is current").bytes.clone();
        trusted.update_snapshot(&held, now)?;
    } else {
        let named = trusted.named_snapshot()?;
        let limit = named.length.unwrap_or(MAX_METADATA).min(MAX_METADATA);
        let request = Request { path: versioned(trusted, "snapshot", named.version), limit };
        let snapshot = bytes("snapshot", fetch, &request)?;
        trusted.update_snapshot(&snapshot, now)?;
    }
    // §5.6
    load_targets(trusted, "targets", None, now, fetch)
}

/// Makes sure that a targets role is held in the version that the snapshot names.
fn load_targets(
    trusted: &mut Trusted,
    role: &str,
    delegator: Option<&str>,
    now: UnixTime,
    fetch: &mut dyn Fetch,
) -> Result<(), Refusal> {
    if trusted.targets_are_current(role) {
        let held = trusted.targets(role).expect("they are current").bytes.clone();
        return trusted.update_targets(role, delegator, &held, now);
    }
    let named = trusted.named_targets(role)?;
    let limit = named.length.unwrap_or(MAX_METADATA).min(MAX_METADATA);
    let request = Request { path: versioned(trusted, role, named.version), limit };
    let targets = bytes(role, fetch, &request)?;
    trusted.update_targets(role, delegator, &targets, now)
}

/// Finds what is trusted of a target (§5.6.7): the top-level role first, then its delegations, pre-order and depth first; a terminating one
/// ends the search. `None` when nobody names it.
///
/// # Errors
/// When a role on the way is refused.
pub fn find_target(
    trusted: &mut Trusted,
    name: &str,
    now: UnixTime,
    fetch: &mut dyn Fetch,
) -> Result<Option<TargetFile>, Refusal> {
    let mut waiting: Vec<(String, Option<String>)> = vec![("targets".to_owned(), None)];
    let mut visited: Vec<String> = Vec::new();
    while let Some((role, delegator)) = waiting.pop() {
        if visited.len() > MAX_DELEGATIONS {
            return Ok(None);
        }
        if visited.contains(&role) {
            continue;
        }
        load_targets(trusted, &role, delegator.as_deref(), now, fetch)?;
        visited.push(role.clone());
        let targets = &trusted.targets(&role).expect("just loaded").signed;
        if let Some(target) = targets.targets.get(name) {
            return Ok(Some(target.clone()));
        }
        let Some(delegations) = &targets.delegations else { continue };
        let mut children = Vec::new();
        if let (None, Some(bins)) = (&delegations.roles, &delegations.succinct_roles) {
            children.extend(bins.bin_of(name).map(|bin| (bin, Some(role.clone()))));
        }
        // Either kind of delegation, never both (TAP 15).
        let roles = delegations.roles.iter().filter(|_| delegations.succinct_roles.is_none()).flatten();
        for delegated in roles.filter(|delegated| is_trusted_for(delegated, name)) {
            children.push((delegated.name.clone(), Some(role.clone())));
            if delegated.terminating {
                waiting.clear();
                break;
            }
        }
        waiting.extend(children.into_iter().rev());
    }
    Ok(None)
}

fn is_trusted_for(delegated: &DelegatedRole, name: &str) -> bool {
    match (&delegated.paths, &delegated.path_hash_prefixes) {
        (Some(paths), None) => paths.iter().any(|pattern| matches(pattern, name)),
        (None, Some(prefixes)) => {
            let hash = HEXLOWER.encode(&Sha256::digest(name.as_bytes()));
            prefixes.iter().any(|prefix| hash.starts_with(prefix))
        }
        _ => false,
    }
}

/// Where a target stands below the targets (§5.7.3): with its hash in the name, where the repository is consistent.
#[must_use]
pub fn target_request(trusted: &Trusted, name: &str, target: &TargetFile) -> Request {
    // What is no digest names no file: a path in its place would lead anywhere.
    let digest = |hash: &&String| HEXLOWER_PERMISSIVE.decode(hash.as_bytes()).is_ok();
    let hash = ["sha256", "sha512"].iter().find_map(|algorithm| target.hashes.get(*algorithm).filter(digest));
    let path = match hash {
        Some(hash) if trusted.root().signed.consistent_snapshot => match name.rsplit_once('/') {
            Some((folder, file)) => format!("{folder}/{hash}.{file}"),
            None => format!("{hash}.{name}"),
        },
        _ => name.to_owned(),
    };
    Request { path, limit: target.length }
}

impl TargetFile {
    /// Whether bytes are the target that was signed for: its length, and every hash, of which we must know one.
    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        let known = self.hashes.contains_key("sha256") || self.hashes.contains_key("sha512");
        known && is_content(bytes, Some(self.length), &self.hashes)
    }
}

/// The file name of a role in a version. Role names may hold anything, so all but letters, digits and `-._~` is percent-encoded.
fn versioned(trusted: &Trusted, role: &str, version: u64) -> String {
    let name: String = role
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    if trusted.root().signed.consistent_snapshot { format!("{version}.{name}.json") } else { format!("{name}.json") }
}

fn bytes(role: &str, fetch: &mut dyn Fetch, request: &Request) -> Result<Vec<u8>, Refusal> {
    match fetch.metadata(request) {
        Answer::Bytes(bytes) if bytes.len() as u64 > request.limit => {
            Err(Refusal::new(role, Why::TooLong { limit: request.limit }))
        }
        Answer::Bytes(bytes) => Ok(bytes),
        Answer::NotFound => Err(Refusal::new(role, Why::Missing)),
        Answer::Unreachable(why) => Err(Refusal::new(role, Why::Unreachable(why))),
    }
}
