//! Newer lists into the device's store: from a mirror on the web, a stick, an inbox; each verified whole before it counts.
//!
//! The national repository comes first, because it pins the others' first roots. After it each issuer is on its own: one that is
//! broken, silent or malicious is reported and keeps what is stored. "Nothing new" is a result of its own, neither success nor failure.
//! Verdicts never wait for any of this. What was verified is staged; [`activation`] puts it in force.

pub mod activation;
pub mod carry;
pub mod founding;
mod https;
pub mod index;
mod indexed;
pub mod link;
mod resumable;
pub mod round;
pub mod schedule;
pub mod sync_request;

use std::{collections::BTreeMap, fmt, time::Duration};

use cache::trust_store::{Slot, StoredRepository, TrustStore};
use serde::Serialize;
use trustlist::{
    region::{NATIONAL, Region},
    time::{Moment, UnixTime},
    trust::Trust,
    tuf::{self, Refusal, Trusted, Why},
};

use crate::{
    error::Error,
    lists::{self, Mirror},
};

pub use https::{Connections, MirrorAccess, WebMirror};
pub use indexed::IndexedMirror;
use resumable::ResumableMirror;

/// A mirror that was silent this often is given up for this time.
const SILENCES: usize = 2;

/// What came of one issuer's repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Outcome {
    /// A newer one is in force.
    Updated {
        /// The generation before; `None` for the first.
        from: Option<u64>,
        /// The generation now.
        to: u64,
    },
    /// A newer one was verified, and is not in force yet: it would change much.
    Waiting {
        /// The generation in force.
        from: Option<u64>,
        /// The generation that waits.
        to: u64,
    },
    /// There is nothing newer.
    Unchanged {
        /// The generation.
        generation: u64,
    },
    /// What is offered is older than what is here.
    Older {
        /// What is here.
        generation: u64,
    },
    /// A newer one was verified, and is dated in the future of this clock, which is confirmed: it waits until then.
    FromTheFuture {
        /// Its generation.
        generation: u64,
        /// When it says that it was issued.
        issued: UnixTime,
    },
    /// The mirror does not carry it.
    Absent,
    /// The mirror did not answer; what is here stays in force.
    Unreachable {
        /// The transport's words.
        why: String,
    },
    /// It was refused, or could not be had; what is here stays in force.
    Refused {
        /// What is wrong.
        why: String,
    },
}

/// What came of a whole sync.
#[derive(Clone, Debug, Serialize)]
pub struct SyncReport {
    /// Where from.
    pub source: String,
    /// Each issuer.
    pub issuers: BTreeMap<Region, Outcome>,
    /// For how long the mirror asks to be left in peace.
    #[serde(skip)]
    pub peace: Option<Duration>,
}

/// The one word for metrics and pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncResult {
    /// Something newer is in force.
    Updated,
    /// Something newer was verified and waits for an operator or a deadline.
    Waiting,
    /// All that answered have nothing newer.
    Unchanged,
    /// The national list could not be brought up to date, and nothing else was.
    Failed,
}

impl SyncResult {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::Waiting => "waiting",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
        }
    }
}

impl SyncReport {
    /// The result in one word.
    #[must_use]
    pub fn result(&self) -> SyncResult {
        if self.issuers.values().any(|outcome| matches!(outcome, Outcome::Updated { .. })) {
            return SyncResult::Updated;
        }
        if self.issuers.values().any(|outcome| matches!(outcome, Outcome::Waiting { .. })) {
            return SyncResult::Waiting;
        }
        match self.issuers.get(&NATIONAL) {
            Some(Outcome::Unchanged { .. } | Outcome::Older { .. } | Outcome::FromTheFuture { .. }) => {
                SyncResult::Unchanged
            }
            _ => SyncResult::Failed,
        }
    }
}

impl SyncReport {
    /// What came of two mirrors, for each issuer from the one that had more: a mirror that lacks an issuer, or holds an old one, keeps nobody from
    /// having it of the next.
    #[must_use]
    pub fn and(self, next: SyncReport) -> SyncReport {
        let source = match (self.result(), next.result()) {
            (SyncResult::Failed, _) => next.source.clone(),
            (_, SyncResult::Failed) => self.source.clone(),
            _ => format!("{}, {}", self.source, next.source),
        };
        let mut issuers = self.issuers;
        for (issuer, second) in next.issuers {
            let best = match (issuers.remove(&issuer), second) {
                (Some(Outcome::Updated { from, .. }), Outcome::Updated { to, .. }) => Outcome::Updated { from, to },
                (Some(first), second) if first.rank() <= second.rank() => first,
                (_, second) => second,
            };
            issuers.insert(issuer, best);
        }
        SyncReport { source, issuers, peace: self.peace.or(next.peace) }
    }
}

impl Outcome {
    /// Whether this issuer's newest lists are here, as far as whoever was asked knows.
    pub(crate) fn is_good(&self) -> bool {
        matches!(
            self,
            Self::Updated { .. } | Self::Waiting { .. } | Self::Unchanged { .. } | Self::FromTheFuture { .. }
        )
    }

    /// The lower, the more came of it.
    fn rank(&self) -> u8 {
        match self {
            Self::Updated { .. } => 0,
            Self::Waiting { .. } => 1,
            Self::Unchanged { .. } => 2,
            Self::FromTheFuture { .. } => 3,
            Self::Older { .. } => 4,
            Self::Refused { .. } => 5,
            Self::Unreachable { .. } => 6,
            Self::Absent => 7,
        }
    }
}

impl fmt::Display for SyncReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut unchanged = 0;
        for (issuer, outcome) in &self.issuers {
            match outcome {
                Outcome::Updated { from: Some(from), to } => {
                    writeln!(f, "{issuer}  updated from generation {from} to {to}")?
                }
                Outcome::Updated { from: None, to } => writeln!(f, "{issuer}  new, generation {to}")?,
                Outcome::Waiting { to, .. } => writeln!(f, "{issuer}  generation {to} waits")?,
                Outcome::Unchanged { .. } => unchanged += 1,
                Outcome::Older { generation } => {
                    writeln!(f, "{issuer}  older than what is here (generation {generation}); nothing taken")?;
                }
                Outcome::FromTheFuture { generation, issued } => {
                    writeln!(
                        f,
                        "{issuer}  generation {generation} is dated {issued}, which is to come; it waits until then"
                    )?;
                }
                Outcome::Absent => writeln!(f, "{issuer}  not carried there")?,
                Outcome::Unreachable { why } => writeln!(f, "{issuer}  {why}")?,
                Outcome::Refused { why } => writeln!(f, "{issuer}  refused: {why}")?,
            }
        }
        if unchanged > 0 {
            writeln!(f, "{unchanged} unchanged")?;
        }
        write!(f, "{}: {}", self.source, self.result().code())
    }
}

/// What a sync may believe beside what the store holds.
pub struct TrustAnchor<'a> {
    /// The national root that the package brings or somebody vouches for, for a store that has none yet.
    pub first_root: Option<&'a [u8]>,
    /// Now, and how far that is believed.
    pub moment: Moment,
}

/// Stages what `mirror` offers that is newer than what the store holds.
///
/// # Errors
/// When the store cannot be read or written, or there is no root to begin with.
pub fn sync(
    store: &mut TrustStore,
    mirror: &mut dyn Mirror,
    source: &str,
    anchor: &TrustAnchor<'_>,
) -> Result<SyncReport, Error> {
    sync_some(store, mirror, source, anchor, &|_| true)
}

/// The same for some of the issuers only.
pub(crate) fn sync_some(
    store: &mut TrustStore,
    mirror: &mut dyn Mirror,
    source: &str,
    anchor: &TrustAnchor<'_>,
    wanted: &dyn Fn(Region) -> bool,
) -> Result<SyncReport, Error> {
    let mut report = SyncReport { source: source.to_owned(), issuers: BTreeMap::new(), peace: None };
    let known = store.roots(NATIONAL)?;
    let root = match (known.first(), anchor.first_root) {
        (Some(_), _) => None,
        (None, Some(root)) => Some(root),
        (None, None) => {
            return Err(Error::NoRoot);
        }
    };
    let mut silent = 0;
    if wanted(NATIONAL) {
        let outcome = one_in_one_round(store, mirror, NATIONAL, root, anchor.moment, lists::MAX_TOGETHER)?;
        silent += usize::from(is_silent(mirror, &outcome)) * SILENCES;
        report.issuers.insert(NATIONAL, outcome);
    }
    report.peace = mirror.asks_for_peace();
    let mut room = lists::MAX_TOGETHER.saturating_sub(store.size(NATIONAL)?);
    // The others are asked for by the newest national list that verified, also when the mirror's was refused.
    let Some(national) = store.newest(NATIONAL)? else { return Ok(report) };
    for (issuer, root) in lists::pinned_roots(&national.targets) {
        // Thirty-five times a timeout would keep the next mirror waiting.
        if silent >= SILENCES || mirror.asks_for_peace().is_some() {
            break;
        }
        if wanted(issuer) {
            let outcome = one_in_one_round(store, mirror, issuer, Some(&root), anchor.moment, room)?;
            silent += usize::from(is_silent(mirror, &outcome));
            report.issuers.insert(issuer, outcome);
        }
        room = room.saturating_sub(store.size(issuer)?);
    }
    report.peace = mirror.asks_for_peace();
    Ok(report)
}

/// Whether an outcome says that the mirror is not there, and not only that it lacks this file.
fn is_silent(mirror: &dyn Mirror, outcome: &Outcome) -> bool {
    !mirror.is_there() && matches!(outcome, Outcome::Unreachable { .. })
}

/// One issuer's repository; where what the mirror said of all issuers at once leads to nothing good, from its files alone.
fn one_in_one_round(
    store: &mut TrustStore,
    mirror: &mut dyn Mirror,
    issuer: Region,
    first_root: Option<&[u8]>,
    moment: Moment,
    room: u64,
) -> Result<Outcome, Error> {
    let outcome = one(store, mirror, issuer, first_root, moment, room)?;
    if outcome.is_good() || is_silent(mirror, &outcome) || mirror.asks_for_peace().is_some() || !mirror.walk(issuer) {
        return Ok(outcome);
    }
    one(store, mirror, issuer, first_root, moment, room)
}

/// One issuer's repository.
fn one(
    store: &mut TrustStore,
    mirror: &mut dyn Mirror,
    issuer: Region,
    first_root: Option<&[u8]>,
    moment: Moment,
    room: u64,
) -> Result<Outcome, Error> {
    let stored = store.newest(issuer)?;
    let roots = store.roots(issuer)?;
    let newest_root = roots.last().map(|(_, bytes)| bytes.as_slice()).or(first_root);
    let Some(newest_root) = newest_root else { return Ok(Outcome::Absent) };
    let refused = |refusal: Refusal| match refusal.why {
        Why::Unreachable(why) => Outcome::Unreachable { why },
        _ => Outcome::Refused { why: refusal.to_string() },
    };
    let mut trusted = match Trusted::from_root(newest_root) {
        Ok(trusted) => trusted,
        Err(refusal) => return Ok(refused(refusal)),
    };
    // What does not verify any more (a root turned its keys) is fetched anew; that is no fault.
    if let Some(stored) = &stored {
        let _ = trusted
            .restore_timestamp(&store.newest_timestamp(issuer)?.unwrap_or_else(|| stored.timestamp.clone()))
            .and_then(|()| trusted.restore_snapshot(&stored.snapshot))
            .and_then(|()| trusted.restore_targets("targets", None, &stored.targets_role));
    }
    let mut roots_seen: Vec<(u64, Vec<u8>)> = Vec::new();
    let refreshed = {
        let mut metadata = Recorder { inner: lists::Metadata { mirror: &mut *mirror, issuer }, roots: &mut roots_seen };
        tuf::refresh(&mut trusted, moment.certain(), &mut metadata)
    };
    // A store that was cut short begins again with the first root, and would be content with what was offered then.
    let (root, offered) =
        (trusted.root().signed.version, trusted.timestamp().map(|timestamp| timestamp.signed.version));
    if let Some(floor) = store.floors().of(issuer)
        && offered.is_some_and(|offered| floor.forbids(root, offered))
    {
        return Ok(Outcome::Older { generation: floor.generation });
    }
    // Roots and the newest timestamp count from the moment they are accepted, whatever comes of the rest.
    if roots.is_empty() {
        let first = Trusted::from_root(newest_root).map_err(Error::Root)?;
        store.keep_root(issuer, first.root().signed.version, newest_root)?;
    }
    for (version, bytes) in roots_seen {
        if version <= trusted.root().signed.version {
            store.keep_root(issuer, version, &bytes)?;
        }
    }
    // One that is in force already, or waits to be, was taken when nobody could say that it is dated ahead.
    let known = stored.as_ref().map(|stored| &stored.timestamp);
    let ahead = trusted.timestamp().filter(|offered| known != Some(&offered.bytes));
    let ahead = ahead.and_then(|offered| offered.signed.issued).filter(|issued| moment.is_before(*issued));
    if let Some(timestamp) = trusted.timestamp().filter(|_| ahead.is_none()) {
        store.keep_timestamp(issuer, &timestamp.bytes)?;
    }
    match refreshed {
        Ok(()) => (),
        Err(Refusal { why: Why::Missing, role }) if role == "timestamp" => return Ok(Outcome::Absent),
        Err(Refusal { why: Why::Rollback { .. }, .. }) if stored.is_some() => {
            return Ok(Outcome::Older { generation: stored.map_or(0, |stored| stored.generation) });
        }
        Err(refusal) => return Ok(refused(refusal)),
    }
    let timestamp = trusted.timestamp().expect("a refresh that succeeds has one");
    let generation = timestamp.signed.version;
    if let Some(stored) = stored.as_ref().filter(|stored| stored.timestamp == timestamp.bytes) {
        return Ok(Outcome::Unchanged { generation: stored.generation });
    }
    // What waits for its date was fetched once already.
    let waiting = ahead.map(|_| store.repository(issuer, Slot::Ahead)).transpose()?.flatten();
    let held = waiting.as_ref().or(stored.as_ref()).map(|held| &held.targets);
    let mut shelf = ResumableMirror::new(mirror, store, issuer);
    let targets = match lists::targets(&mut shelf, issuer, &trusted, held, room) {
        Ok(targets) => targets,
        Err(refusal) => return Ok(refused(refusal)),
    };
    if issuer == NATIONAL
        && let Err(error) = Trust::assemble(trusted.repository(NATIONAL, targets.clone()), Vec::new())
    {
        return Ok(Outcome::Refused { why: error.to_string() });
    }
    let accepted = StoredRepository {
        generation,
        timestamp: timestamp.bytes.clone(),
        snapshot: trusted.snapshot().map(|snapshot| snapshot.bytes.clone()).unwrap_or_default(),
        targets_role: trusted.targets("targets").map(|role| role.bytes.clone()).unwrap_or_default(),
        targets,
    };
    if let Some(issued) = ahead {
        store.keep_ahead(issuer, &accepted)?;
        return Ok(Outcome::FromTheFuture { generation, issued });
    }
    store.stage(issuer, &accepted)?;
    Ok(Outcome::Updated { from: stored.map(|stored| stored.generation), to: generation })
}

/// Remembers the roots that came by, to keep those that were accepted.
struct Recorder<'a, 'm> {
    inner: lists::Metadata<'m>,
    roots: &'a mut Vec<(u64, Vec<u8>)>,
}

impl tuf::Fetch for Recorder<'_, '_> {
    fn metadata(&mut self, request: &tuf::Request) -> tuf::Answer {
        let answer = self.inner.metadata(request);
        let version = request.path.strip_suffix(".root.json").and_then(|version| version.parse().ok());
        if let (Some(version), tuf::Answer::Bytes(bytes)) = (version, &answer) {
            self.roots.push((version, bytes.clone()));
        }
        answer
    }
}
