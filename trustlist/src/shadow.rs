//! What newer lists would change, tried on what was seen at the gate before they are in force. Pure: rows in, a report out.
//!
//! A row holds no code, so a verdict cannot be given again; but key, issuer, format and route are known, and by them the lists decide.
//! Both states of the lists are asked the same, and only where their answers differ is a verdict counted as changed. What a row does not
//! tell (colour, itinerary, the place in a status list) is taken to be as it was; of statuses only their share is known.
//!
//! A key that is revoked changes every verdict of its codes, and must not wait for ever: [`Terms`] have a deadline.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    code::{Colour, Format, KeyState},
    judge::Context,
    key::KeyId,
    lists::{policy::Profile, recognition::Route},
    recognise::{self, Outcome, Presented},
    region::{NATIONAL, Region},
    time::UnixTime,
    trust::Trust,
    verdict::{Actor, Reason, Verdict},
};

/// Scans that say something about a share. Fewer, and one traveller would decide what all others are judged by.
pub const FEWEST: u64 = 20;
/// Kinds of change that are told; the report goes into status and journal.
const TOLD: usize = 12;
/// A code is rarely valid for longer; what a key that was retired earlier signed has expired.
const DAY: i64 = 86_400;

/// What a row tells of a scan, as far as lists decide by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Who issued the code, where its signature proved it.
    pub issuer: Option<Region>,
    /// The key it named.
    pub kid: Option<KeyId>,
    /// Its format.
    pub format: Option<Format>,
    /// The route by which it counted.
    pub route: Option<Route>,
    /// What the lane did.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
}

/// Scans, those that are alike counted together.
#[derive(Clone, Debug, Default)]
pub struct Sample(BTreeMap<Seen, u64>);

impl Sample {
    /// Adds a scan.
    pub fn add(&mut self, seen: Seen) {
        *self.0.entry(seen).or_default() += 1;
    }

    /// How many scans there are.
    #[must_use]
    pub fn scans(&self) -> u64 {
        self.0.values().sum()
    }
}

/// What would change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Scans that were tried.
    pub scans: u64,
    /// Scans whose verdict would be another.
    pub changed: u64,
    /// Scans that the device could not judge and now could: what newer lists are for, and no reason to wait.
    pub resolved: u64,
    /// The changes, most frequent first, a dozen at most.
    pub changes: Vec<Change>,
}

/// Scans that would change alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// How many.
    pub scans: u64,
    /// Whose codes.
    pub issuer: Option<Region>,
    /// The verdict by the lists in force.
    pub from: Verdict,
    /// Its reason.
    pub because: Reason,
    /// The verdict by the newer ones.
    pub to: Verdict,
    /// Its reason.
    pub then: Reason,
}

impl Report {
    /// Changed scans as a part of all, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a day's scans are far below 2^52")]
        let share = self.changed as f64 / self.scans.max(1) as f64;
        share
    }
}

/// When newer lists wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// They wait when more than this part of the verdicts would change.
    pub above: f64,
    /// They wait at most so many seconds.
    pub at_most_s: i64,
}

/// What becomes of newer lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Advice {
    /// They come into force.
    Activate,
    /// They wait for an operator, or until then.
    Wait {
        /// The deadline.
        until: UnixTime,
    },
}

impl Terms {
    /// Decides on lists that have waited since `since`. A clock that went back cannot say how long that is, and does not hold anything.
    pub fn advise(&self, report: &Report, since: UnixTime, now: UnixTime) -> Advice {
        let waited = now.since(since);
        let over = !(0..self.at_most_s).contains(&waited);
        if report.scans < FEWEST || report.share() <= self.above || over {
            return Advice::Activate;
        }
        Advice::Wait { until: since.plus(self.at_most_s) }
    }
}

/// Tries `there` against `here` on what was seen.
#[must_use]
pub fn compare(here: &Trust, there: &Trust, sample: &Sample, context: &Context<'_>) -> Report {
    let mut report = Report { scans: sample.scans(), ..Report::default() };
    let mut changes: BTreeMap<Change, u64> = BTreeMap::new();
    let mut admitted: BTreeMap<Region, u64> = BTreeMap::new();
    for (seen, scans) in &sample.0 {
        let ((from, because), (to, then)) = (foresee(seen, here, context), foresee(seen, there, context));
        if from == to {
            if let (Verdict::Admit, Some(issuer)) = (to, seen.issuer) {
                *admitted.entry(issuer).or_default() += scans;
            }
        } else if seen.reason.actor() == Actor::Device {
            report.resolved += scans;
        } else {
            let change = Change { scans: 0, issuer: seen.issuer, from, because, to, then };
            *changes.entry(change).or_default() += scans;
        }
    }
    for (issuer, scans) in admitted {
        let lost = lost_by_status(issuer, here, there, scans);
        if lost > 0 {
            let (from, to) = (Verdict::Admit, Reason::Revoked.verdict());
            let change =
                Change { scans: 0, issuer: Some(issuer), from, because: Reason::Ok, to, then: Reason::Revoked };
            *changes.entry(change).or_default() += lost;
        }
    }
    report.changed = changes.values().sum();
    report.changes = changes.into_iter().map(|(change, scans)| Change { scans, ..change }).collect();
    report.changes.sort_by(|a, b| b.cmp(a));
    report.changes.truncate(TOLD);
    report
}

/// Of so many admitted scans, how many one expects not to be any more by the statuses that turned bad.
fn lost_by_status(issuer: Region, here: &Trust, there: &Trust, scans: u64) -> u64 {
    let bad = |trust: &Trust| {
        let statuses = &trust.speaks_for(issuer)?.statuses;
        let codes = statuses.codes();
        (codes > 0).then(|| (statuses.counts().iter().sum::<u64>(), codes))
    };
    let (Some((bad_here, codes_here)), Some((bad_there, codes_there))) = (bad(here), bad(there)) else { return 0 };
    let lost = |bad: u64, codes: u64| u128::from(bad) * u128::from(scans) / u128::from(codes);
    u64::try_from(lost(bad_there, codes_there).saturating_sub(lost(bad_here, codes_here))).unwrap_or(scans)
}

/// The verdict that these lists would give, as far as a row tells.
fn foresee(seen: &Seen, trust: &Trust, context: &Context<'_>) -> (Verdict, Reason) {
    let profile = trust.profile(context.profile);
    let reason = match seen.reason {
        // The code itself was at fault, or was never read as far as its key.
        fault @ (Reason::Malformed | Reason::BadSignature | Reason::AlgorithmMismatch) => fault,
        as_seen => match by_the_lists(seen, trust, context) {
            Some(reason) => reason,
            // What stopped it before does not any more; what would have come after it nobody knows.
            None if stopped_by_the_lists(as_seen) => Reason::Ok,
            None => as_seen,
        },
    };
    (verdict(reason, seen, &profile), reason)
}

/// What these lists object to, in the judge's order: key, scope, state, recognition.
fn by_the_lists(seen: &Seen, trust: &Trust, context: &Context<'_>) -> Option<Reason> {
    let kid = seen.kid?;
    let keys: Vec<_> = trust
        .ring()
        .candidates(kid)
        .iter()
        .filter(|key| key.usage.signs_codes() && seen.format.is_none_or(|format| key.formats.contains(&format)))
        .collect();
    if keys.is_empty() {
        let ignorant = matches!(seen.reason, Reason::UnknownIssuer | Reason::ListMissing | Reason::KeyNewerThanList);
        return Some(if ignorant { seen.reason } else { Reason::UnknownKey });
    }
    let speaks = |issuer| keys.iter().filter(move |key| key.speaks_for(issuer));
    let issuer = seen.issuer.or_else(|| keys.first().map(|key| key.issuer))?;
    let standing = |state| match state {
        KeyState::Active => None,
        KeyState::Retired { at } => (at < context.moment.at.plus(-DAY)).then_some(Reason::KeyRetired),
        KeyState::Revoked => Some(Reason::KeyRevoked),
    };
    match speaks(issuer).map(|key| standing(key.state)).min() {
        None => return Some(Reason::IssuerOutOfScope),
        Some(Some(reason)) => return Some(reason),
        Some(None) => (),
    }
    recognised(seen, issuer, trust, context)
}

fn recognised(seen: &Seen, issuer: Region, trust: &Trust, context: &Context<'_>) -> Option<Reason> {
    let (list, at) = (trust.recognition(), context.moment.at);
    if issuer == NATIONAL {
        // A row does not tell for which region a national code spoke.
        let counts = list.arrangements.iter().any(|arrangement| {
            arrangement.route == Route::National
                && arrangement.relying.covers(context.relying)
                && arrangement.window.contains(at)
        });
        return (seen.route == Some(Route::National) && !counts).then_some(Reason::NotRecognised);
    }
    let presented = Presented { issuing: issuer, national: false, vouched: seen.route == Some(Route::Intermediary) };
    match recognise::recognise(presented, context.relying, list, at).outcome {
        Outcome::Home | Outcome::Recognised { .. } => None,
        Outcome::RecognitionSuspended { .. } => Some(Reason::RecognitionSuspended),
        Outcome::NotVouched => Some(Reason::NotVouched),
        Outcome::NotRecognised => Some(Reason::NotRecognised),
    }
}

fn stopped_by_the_lists(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::UnknownIssuer
            | Reason::UnknownKey
            | Reason::KeyNewerThanList
            | Reason::ListMissing
            | Reason::IssuerOutOfScope
            | Reason::KeyRetired
            | Reason::KeyRevoked
            | Reason::NotRecognised
            | Reason::NotVouched
            | Reason::RecognitionSuspended
    )
}

/// The verdict of a reason under a profile, as the judge gives it.
fn verdict(reason: Reason, seen: &Seen, profile: &Profile) -> Verdict {
    let colour = |colour: Colour| profile.colours.get(&colour).copied().unwrap_or(reason.verdict());
    let own = match reason {
        Reason::ColourYellow => colour(Colour::Yellow),
        Reason::ColourRed => colour(Colour::Red).max(Verdict::Refer),
        Reason::RiskArea => seen.verdict,
        other => other.verdict(),
    };
    profile.verdict(reason, own)
}
