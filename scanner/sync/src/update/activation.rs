//! From the stage into force: what was verified is tried on the scans of the last day first, and waits where it would change much.
//!
//! Whether to wait is [`trustlist::shadow`]'s word. A repository waits alone: those that change little with it come into force without it.
//! Nothing waits where nothing is known: on a first start, without a day's scans, or by a clock that cannot count a deadline.

use std::{collections::BTreeMap, path::Path};

use cache::{
    log::{Body, Reader, ScanRow, UnixMillis, query::Filter},
    trust_store::{Note, Slot, TrustStore},
};
use host::config::Config;
use serde::{Deserialize, Serialize};
use trustlist::{
    code::Format,
    judge::Context,
    lists::recognition::Route,
    region::Region,
    shadow::{self, Advice, Report, Sample, Seen, Terms},
    time::{Moment, TimeTrust, UnixTime},
    trust::Trust,
};

use super::Outcome;
use crate::{error::Error, lists};

/// How far back scans are tried.
const DAY_MS: i64 = 86_400_000;

/// Newer lists that wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingUpdate {
    /// Whose.
    pub issuers: Vec<Region>,
    /// Since when the first of them waits.
    pub since: UnixTime,
    /// When they come into force without anybody's word.
    pub until: UnixTime,
    /// What they would change.
    pub report: Report,
    /// Scans that are judged otherwise already by what came into force since then. Without it they would all creep in one by one.
    pub spent: u64,
}

impl PendingUpdate {
    /// In one line, for the band, the journal and a terminal.
    #[must_use]
    pub fn line(&self) -> String {
        format!(
            "{}: {:.0} % of {} verdicts would change; until {}",
            lists::named(&self.issuers),
            self.report.share() * 100.0,
            self.report.scans,
            self.until
        )
    }
}

/// What came of an attempt to activate.
#[derive(Clone, Debug, Default)]
pub struct Activation {
    /// In force now: issuer, generation before, generation now.
    pub activated: Vec<(Region, Option<u64>, u64)>,
    /// What waits, and why.
    pub held: Option<PendingUpdate>,
}

impl Activation {
    /// Says in a sync's outcomes what is in force and what waits.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn tell(&self, outcomes: &mut BTreeMap<Region, Outcome>, store: &TrustStore) -> Result<(), Error> {
        for (issuer, from, to) in &self.activated {
            outcomes.insert(*issuer, Outcome::Updated { from: *from, to: *to });
        }
        for issuer in self.held.iter().flat_map(|held| &held.issuers) {
            let generation = |slot| Ok::<_, Error>(store.repository(*issuer, slot)?.map(|held| held.generation));
            if let Some(to) = generation(Slot::Staged)? {
                outcomes.insert(*issuer, Outcome::Waiting { from: generation(Slot::Current)?, to });
            }
        }
        Ok(())
    }
}

/// Puts in force what is staged, but for what has to wait.
///
/// # Errors
/// When the store cannot be read or written.
pub fn settle(config: &Config, store: &mut TrustStore, moment: Moment) -> Result<Activation, Error> {
    if moment.is_confirmed() {
        store.note_arrivals(moment.at)?;
        release(store, moment)?;
    }
    let staged = store.staged()?;
    if staged.is_empty() {
        store.set_note(Note::Hold, None)?;
        return Ok(Activation::default());
    }
    let (ready, held) = sort(config, store, &staged, moment)?;
    let activated = activate(store, &ready)?;
    let note = held.as_ref().map(|held| serde_json::to_string(held).expect("plain data"));
    store.set_note(Note::Hold, note.as_deref())?;
    Ok(Activation { activated, held })
}

/// What was dated ahead and whose time has come goes the way of all lists, unless newer ones have come meanwhile.
fn release(store: &mut TrustStore, moment: Moment) -> Result<(), Error> {
    for issuer in store.ahead()? {
        let Some(waiting) = store.repository(issuer, Slot::Ahead)? else { continue };
        let issued = lists::issued(store, issuer, &waiting)?;
        if issued.is_some_and(|issued| moment.is_before(issued)) {
            continue;
        }
        let newer = store.newest(issuer)?.is_none_or(|newest| newest.generation < waiting.generation);
        store.forget_ahead(issuer)?;
        if newer && issued.is_some() {
            store.keep_timestamp(issuer, &waiting.timestamp)?;
            store.stage(issuer, &waiting)?;
        }
    }
    Ok(())
}

/// Puts everything that is staged in force, by an operator's word.
///
/// # Errors
/// When the store cannot be read or written.
pub fn settle_by_hand(store: &mut TrustStore) -> Result<Activation, Error> {
    let staged = store.staged()?;
    let activated = activate(store, &staged)?;
    store.set_note(Note::Hold, None)?;
    Ok(Activation { activated, held: None })
}

/// What waits in this store.
///
/// # Errors
/// When the store cannot be read.
pub fn held(store: &TrustStore) -> Result<Option<PendingUpdate>, Error> {
    let note = store.note(Note::Hold)?;
    Ok(note.and_then(|note| serde_json::from_str(&note).ok()))
}

/// What everything that is staged would change; `None` when there is nothing to compare.
///
/// # Errors
/// When the store cannot be read.
pub fn try_staged(
    config: &Config,
    store: &TrustStore,
    staged: &[Region],
    now: UnixTime,
) -> Result<Option<(Trust, Trust, Report)>, Error> {
    let Some(here) = lists::with_seed(store, &config.trust.seed)? else { return Ok(None) };
    let Some(there) = lists::with_staged(store, &config.trust.seed, staged)? else { return Ok(None) };
    let report = try_on_scans(config, &here.trust, &there.trust, now);
    Ok(Some((here.trust, there.trust, report)))
}

/// What other lists would change of the last day's verdicts.
#[must_use]
pub fn try_on_scans(config: &Config, here: &Trust, there: &Trust, now: UnixTime) -> Report {
    ShadowRun::new(config, now).map(|shadow_run| shadow_run.report(here, there)).unwrap_or_default()
}

fn activate(store: &mut TrustStore, issuers: &[Region]) -> Result<Vec<(Region, Option<u64>, u64)>, Error> {
    let mut activated = Vec::new();
    for issuer in issuers {
        let generation = |slot| Ok::<_, Error>(store.repository(*issuer, slot)?.map(|held| held.generation));
        if let Some(to) = generation(Slot::Staged)? {
            activated.push((*issuer, generation(Slot::Current)?, to));
        }
    }
    store.activate(issuers)?;
    Ok(activated)
}

/// Which of the staged come into force now, and which wait.
fn sort(
    config: &Config,
    store: &TrustStore,
    staged: &[Region],
    moment: Moment,
) -> Result<(Vec<Region>, Option<PendingUpdate>), Error> {
    let everything = Ok((staged.to_vec(), None));
    let (TimeTrust::Synced | TimeTrust::Holdover | TimeTrust::FloorOnly) = moment.trust else { return everything };
    let Some(shadow_run) =
        ShadowRun::new(config, moment.at).filter(|shadow_run| shadow_run.sample.scans() >= shadow::FEWEST)
    else {
        return everything;
    };
    let Some(here) = lists::with_seed(store, &config.trust.seed)? else { return everything };
    let terms = Terms {
        above: config.trust.hold_above.0,
        at_most_s: i64::try_from(config.trust.hold_at_most.as_secs()).unwrap_or(i64::MAX),
    };
    let (since, mut spent) = held(store)?.map_or((moment.at, 0), |held| (held.since, held.spent));
    let changes = |issuers: &[Region]| {
        let there = lists::with_staged(store, &config.trust.seed, issuers)?;
        Ok::<_, Error>(there.map(|there| shadow_run.report(&here.trust, &there.trust)).unwrap_or_default())
    };
    let advise = |report: &Report, spent| {
        let all = Report { changed: report.changed + spent, ..report.clone() };
        terms.advise(&all, since, moment.at)
    };
    let Advice::Wait { until } = advise(&changes(staged)?, spent) else { return everything };
    // Those that change little go first, so that one bad list holds up as few others as may be.
    let mut each = Vec::new();
    for issuer in staged {
        each.push((changes(&[*issuer])?, *issuer));
    }
    each.sort_by_key(|(report, _)| report.changed);
    let (mut ready, mut waiting) = (Vec::new(), Vec::new());
    for (report, issuer) in each {
        match advise(&report, spent) {
            Advice::Activate => {
                spent += report.changed;
                ready.push(issuer);
            }
            Advice::Wait { .. } => waiting.push(issuer),
        }
    }
    waiting.sort();
    let report = changes(&waiting)?;
    let held = (!waiting.is_empty()).then_some(PendingUpdate { issuers: waiting, since, until, report, spent });
    Ok((ready, held))
}

/// The last day's scans at this gate.
struct ShadowRun<'a> {
    sample: Sample,
    context: Context<'a>,
}

impl ShadowRun<'_> {
    /// `None` where it is not known whose gate this is.
    fn new(config: &Config, now: UnixTime) -> Option<ShadowRun<'_>> {
        let relying = config.checkpoint.relying?;
        // The lists are compared as by a good clock: what a clock cannot say is the same by both.
        let moment = Moment::synced(now);
        let context = Context { moment, relying, profile: config.checkpoint.profile.as_deref() };
        Some(ShadowRun { sample: scans(&config.places.scan_log(), now), context })
    }

    fn report(&self, here: &Trust, there: &Trust) -> Report {
        shadow::compare(here, there, &self.sample, &self.context)
    }
}

fn scans(log: &Path, now: UnixTime) -> Sample {
    let mut sample = Sample::default();
    let from = UnixMillis::from(now).plus(-DAY_MS);
    let filter = Filter { from: Some(from), ..Filter::default() };
    let read = log.exists().then(|| Reader::open(log)).transpose().and_then(|reader| {
        reader.map_or(Ok(()), |reader| {
            reader.each(&filter, |stored| {
                if let Ok(Body::Scan(row)) = stored.entry().map(|entry| entry.body) {
                    sample.add(seen(&row));
                }
                true
            })
        })
    });
    if let Err(fault) = read {
        log::warn!("newer lists are not tried on the last day's scans: {fault}");
    }
    sample
}

fn seen(row: &ScanRow) -> Seen {
    let route =
        |code: &str| [Route::Direct, Route::Intermediary, Route::National].into_iter().find(|r| r.code() == code);
    Seen {
        issuer: row.issuer,
        kid: row.kid.as_deref().and_then(|kid| kid.parse().ok()),
        format: row.format.as_deref().and_then(|code| Format::ALL.into_iter().find(|format| format.code() == code)),
        route: row.route.as_deref().and_then(route),
        verdict: row.verdict,
        reason: row.reason,
    }
}
