//! The verdict. One pure function, [`decide`], that the daemon, the commands, the tests and the benches all call.
//!
//! The order of checks is the specification's: envelope → key → signature → scope → time → recognition → status → colour → risk areas →
//! code age → already used. The first that fails is the reason. What the *device* does not know refers: it never admits, and it never
//! calls a traveller a forger.

use std::iter::repeat;

use serde::Serialize;

use crate::{
    code::{Credential, Envelope, Format, MaskedName, ParseError, Rejection},
    freshness::Freshness,
    key::KeyId,
    lists::{
        policy::Profile,
        recognition::{Route, Suspension},
    },
    recognise::{self, Outcome as Recognised, Presented},
    region::{NATIONAL, Region},
    status::Status,
    time::{Moment, TimeTrust, UnixTime, Window},
    trust::Trust,
    verdict::{Reason, Verdict},
};

/// Seconds in a day.
const DAY: i64 = 86_400;

/// Where and when the decision is made.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Now, and how far that is believed.
    pub moment: Moment,
    /// The region whose gate this is.
    pub relying: Region,
    /// The policy profile by name; the list's default when `None`.
    pub profile: Option<&'a str>,
}

/// What became of a text.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// A bus ticket, a web link: counted, hinted at, and never logged with its text.
    NotAPassCode,
    /// A pass code, judged.
    Judged(Box<Judgement>),
}

/// The decision as rows, pages and scripts see it. No personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// What the lane does.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// A finer stable code, where there is one.
    pub detail: Option<&'static str>,
    /// The format that the text claims.
    pub format: Option<Format>,
    /// The issuer, once its signature is proven.
    pub issuer: Option<Region>,
    /// The key id that the code names.
    pub kid: Option<KeyId>,
    /// The route by which it counts here; `None` for a home code.
    pub route: Option<Route>,
    /// Freshness of the issuer's list.
    pub freshness: Option<Freshness>,
    /// Number of the issuer's list.
    pub list_generation: Option<u64>,
    /// Age of the issuer's list in seconds.
    pub list_age_s: Option<i64>,
    /// The suspension behind `recognition-suspended`.
    pub notice: Option<Suspension>,
}

/// Proof that a judgement admitted. Opening a gate asks for one and consumes it.
///
/// ```compile_fail
/// let forged = trustlist::judge::Admission { _private: () };
/// ```
#[derive(Debug)]
pub struct Admission {
    _private: (),
}

/// A decision, the admission if it is one, and what a repeat token is made from.
#[derive(Debug)]
pub struct Judgement {
    decision: Decision,
    /// What the profile says of a code that the log has seen admitted.
    if_used: Verdict,
    id: Option<Vec<u8>>,
    name: Option<MaskedName>,
}

/// What the log knows of the code's earlier admissions within the anti-passback window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// Not seen, or anti-passback is off.
    First,
    /// Admitted already.
    Used,
}

impl Judgement {
    /// The decision so far.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The code's unique id, once its signature is proven: make a keyed token of it, and keep nothing else.
    #[must_use]
    pub fn token_source(&self) -> Option<&[u8]> {
        self.id.as_deref()
    }

    /// The bearer's masked name, if the policy shows it: for the screen, which forgets it. It is in no decision and no row.
    #[must_use]
    pub fn name(&mut self) -> Option<MaskedName> {
        self.name.take()
    }

    /// Applies what the log knows. Validity before repetition: a code that was not admitted for another reason stays so.
    #[must_use]
    pub fn with_repetition(self, seen: Repetition) -> Judgement {
        match (self.decision.verdict, seen) {
            (Verdict::Admit, Repetition::Used) => {
                let verdict = self.if_used;
                self.turned(Reason::AlreadyUsed, verdict)
            }
            _ => self,
        }
    }

    /// The row could not be written, and why: an admission becomes a referral. A refusal stays one.
    #[must_use]
    pub fn log_unavailable(mut self, why: &'static str) -> Judgement {
        let reason = Reason::LogUnavailable;
        if self.decision.verdict != Verdict::Admit {
            return self;
        }
        self.decision.detail = Some(why);
        self.turned(reason, reason.verdict())
    }

    /// Ends the judgement: the decision, and the one admission if it admits.
    #[must_use]
    pub fn close(self) -> (Decision, Option<Admission>) {
        let admission = (self.decision.verdict == Verdict::Admit).then_some(Admission { _private: () });
        (self.decision, admission)
    }

    fn turned(mut self, reason: Reason, verdict: Verdict) -> Judgement {
        self.decision.reason = reason;
        self.decision.verdict = verdict;
        self
    }
}

/// Judges a symbol's text against everything verified. Pure: the same arguments give the same answer.
pub fn decide(text: &str, trust: &Trust, context: &Context<'_>) -> Outcome {
    decide_parsed(Envelope::parse(text), trust, context)
}

/// The same for a text that was parsed already, when it was told from a bus ticket.
pub fn decide_parsed(parsed: Result<Envelope, ParseError>, trust: &Trust, context: &Context<'_>) -> Outcome {
    let profile = trust.profile(context.profile);
    let mut decision = Decision {
        verdict: Verdict::Refuse,
        reason: Reason::Malformed,
        detail: None,
        format: None,
        issuer: None,
        kid: None,
        route: None,
        freshness: None,
        list_generation: None,
        list_age_s: None,
        notice: None,
    };
    let envelope = match parsed {
        Ok(envelope) => envelope,
        Err(ParseError::NotAPassCode) => return Outcome::NotAPassCode,
        Err(ParseError::Malformed { format, detail }) => {
            decision.format = Some(format);
            decision.detail = Some(detail);
            return judged(decision, by_itself(Reason::Malformed), None, None, &profile);
        }
    };
    decision.format = Some(envelope.format());
    decision.kid = envelope.key_id();
    let credential = match envelope.attest(trust.ring()) {
        Ok(credential) => credential,
        Err(rejection) => {
            let reason = triage(rejection, trust, context.moment, &profile);
            decision.detail = rejection.detail;
            if let Some(repository) = rejection.issuer.and_then(|issuer| trust.speaks_for(issuer)) {
                describe_list(&mut decision, repository.entry.id, trust, context.moment, &profile);
            }
            // Only a signature proves an issuer; a rejection after it does too.
            let proven = matches!(reason, Reason::IssuerOutOfScope | Reason::KeyRetired | Reason::KeyRevoked);
            decision.issuer = rejection.issuer.filter(|_| proven);
            return judged(decision, by_itself(reason), None, None, &profile);
        }
    };
    decision.issuer = Some(credential.issuer());
    describe_list(&mut decision, credential.repository(), trust, context.moment, &profile);
    let found = weigh(&credential, trust, context, &profile, &mut decision);
    let name = profile.show_name.then(|| credential.name()).flatten();
    judged(decision, found, Some(credential.id().to_vec()), name, &profile)
}

/// An unknown key is three things: an issuer nobody lists, a key that is newer than our list, or a key that is not.
fn triage(rejection: Rejection, trust: &Trust, moment: Moment, profile: &Profile) -> Reason {
    if rejection.reason != Reason::UnknownKey {
        return rejection.reason;
    }
    if trust.is_empty() {
        return Reason::ListMissing;
    }
    let Some(issuer) = rejection.issuer else { return Reason::UnknownKey };
    let Some(listed) = trust.speaks_for(issuer) else {
        return if rejection.issuer_is_hint { Reason::UnknownKey } else { Reason::UnknownIssuer };
    };
    match trust.freshness(listed.entry.id, moment, profile) {
        None => Reason::ListMissing,
        Some((_, Freshness::Fresh)) => Reason::UnknownKey,
        Some(_) => Reason::KeyNewerThanList,
    }
}

fn describe_list(decision: &mut Decision, issuer: Region, trust: &Trust, moment: Moment, profile: &Profile) {
    if let Some((age, freshness)) = trust.freshness(issuer, moment, profile) {
        decision.list_age_s = age;
        decision.freshness = Some(freshness);
    }
    decision.list_generation =
        trust.issuer(issuer).and_then(|issuer| issuer.repository).map(|repository| repository.generation);
}

/// What a check found: the reason, and the verdict that goes with it and with no other.
type Found = (Reason, Verdict);

/// A reason that no profile has a word of its own about.
fn by_itself(reason: Reason) -> Found {
    (reason, reason.verdict())
}

/// The checks after the signature, in the specification's order. The first that finds something decides; none after it is asked.
fn weigh(
    credential: &Credential,
    trust: &Trust,
    context: &Context<'_>,
    profile: &Profile,
    decision: &mut Decision,
) -> Found {
    if let Some((reason, detail)) = time(credential, context.moment, profile) {
        decision.detail = detail;
        return by_itself(reason);
    }
    let freshness = decision.freshness.unwrap_or(Freshness::Stale);
    if let Some(reason) = recognition(credential, trust, context, decision) {
        // What an old list does not recognise, a newer one may: that is ignorance, not a refusal.
        let ignorant = freshness >= Freshness::Restricted && reason.verdict() == Verdict::Refuse;
        return by_itself(if ignorant { Reason::ListStale } else { reason });
    }
    let found = status(credential, trust, context.moment, profile)
        .map(by_itself)
        .or_else(|| colour(credential, profile))
        .or_else(|| risk_areas(credential, trust, context.moment, profile))
        .or_else(|| age(credential, context.moment, profile).map(by_itself));
    if let Some(found) = found {
        return found;
    }
    let home = context.relying.province().contains(spoken_for(credential));
    let restricted = if home { profile.restricted_home } else { profile.restricted_foreign };
    by_itself(match freshness {
        Freshness::Fresh => Reason::Ok,
        Freshness::Grace => Reason::OkGrace,
        Freshness::Restricted if restricted == Verdict::Admit => Reason::OkGrace,
        Freshness::Restricted | Freshness::Stale => Reason::ListStale,
    })
}

/// The key's validity first, since a key comes before what it signs; then the code's own. Where a clock that nobody confirms says that
/// something is over or to come, and the floor does not, it is the clock that is not believed, and nobody's code.
fn time(credential: &Credential, moment: Moment, profile: &Profile) -> Option<(Reason, Option<&'static str>)> {
    if moment.trust == TimeTrust::Untrusted {
        return Some((Reason::ClockUntrusted, None));
    }
    let skew = profile.skew_s.clamp(0, DAY);
    let to_come = |from: UnixTime| moment.has_come(from, skew).map(|come| !come);
    let over = |until: UnixTime| moment.has_passed(until, skew);
    let key = credential.key_window();
    let checks = [
        (key.from.map(to_come), Reason::KeyNotYetValid),
        (Some(to_come(credential.valid_from())), Reason::NotYetValid),
        (credential.valid_until().into_iter().chain(key.until).min().map(over), Reason::Expired),
    ];
    checks.into_iter().find_map(|(fails, reason)| match fails? {
        Some(false) => None,
        Some(true) => Some((reason, None)),
        None => Some((Reason::ClockUntrusted, Some(reason.code()))),
    })
}

/// The region that the code is about: a national code speaks for another.
fn spoken_for(credential: &Credential) -> Region {
    match credential.statement().on_behalf_of {
        Some(region) if credential.issuer() == NATIONAL => region,
        _ => credential.issuer(),
    }
}

fn recognition(
    credential: &Credential,
    trust: &Trust,
    context: &Context<'_>,
    decision: &mut Decision,
) -> Option<Reason> {
    let presented = Presented {
        issuing: spoken_for(credential),
        national: credential.issuer() == NATIONAL,
        vouched: credential.vouched_by_national(),
    };
    let explanation = recognise::recognise(presented, context.relying, trust.recognition(), context.moment.at);
    match explanation.outcome {
        Recognised::Home => None,
        Recognised::Recognised { route } => {
            decision.route = Some(route);
            None
        }
        Recognised::RecognitionSuspended { suspension } => {
            decision.notice = Some(suspension);
            Some(Reason::RecognitionSuspended)
        }
        Recognised::NotVouched => Some(Reason::NotVouched),
        Recognised::NotRecognised => Some(Reason::NotRecognised),
    }
}

/// A list that says nothing at this moment (not yet, or not any more) is one that is missing.
fn status(credential: &Credential, trust: &Trust, moment: Moment, profile: &Profile) -> Option<Reason> {
    let reference = credential.status()?;
    let said = trust.issuer(credential.repository()).and_then(|issuer| {
        let resolved = issuer.repository?.ages_from(moment);
        let list = issuer.statuses.list(&reference.uri)?;
        list.counts(resolved, moment, profile.skew_s.clamp(0, DAY)).then(|| list.statuses.status(reference.index))
    });
    match said.unwrap_or(Status::Unknown) {
        Status::Valid => None,
        Status::Revoked => Some(Reason::Revoked),
        Status::Suspended => Some(Reason::StatusSuspended),
        Status::Unknown => Some(Reason::StatusUnknown),
    }
}

fn colour(credential: &Credential, profile: &Profile) -> Option<Found> {
    use crate::code::Colour;
    let colour = credential.statement().colour?;
    let reason = match colour {
        Colour::Green => return None,
        Colour::Yellow => Reason::ColourYellow,
        Colour::Red => Reason::ColourRed,
    };
    let wish = profile.colours.get(&colour).copied().unwrap_or(reason.verdict());
    // Red can be made no milder than refer.
    let wish = if colour == Colour::Red { wish.max(Verdict::Refer) } else { wish };
    (wish != Verdict::Admit).then_some((reason, wish))
}

fn risk_areas(credential: &Credential, trust: &Trust, moment: Moment, profile: &Profile) -> Option<Found> {
    let today = moment.at.0.div_euclid(DAY);
    // A visit that is to come counts as one of today.
    let days = credential.statement().itinerary.iter().map(|visit| (visit.area, visit.last_day.min(today)));
    let recent = days.filter(|(_, day)| today.saturating_sub(*day) <= profile.risk_days);
    let areas = &trust.risk_areas().areas;
    let worst = recent
        .flat_map(|(visited, day)| areas.iter().filter(move |listed| listed.area.contains(visited)).zip(repeat(day)))
        .filter(|(listed, day)| falls_under(*day, listed.window, moment.at))
        .filter_map(|(listed, _)| profile.risk_areas.get(&listed.level))
        .max()?;
    (*worst != Verdict::Admit).then_some((Reason::RiskArea, *worst))
}

/// Whether a visit that ended on `day` counts under a listing: the listing has begun, since what an area is listed for happened before; and
/// the day had begun when the listing ended, since a visit does not become another one when the area is cleared.
fn falls_under(day: i64, listing: Window, now: UnixTime) -> bool {
    let began = UnixTime(day.saturating_mul(DAY));
    listing.from.is_none_or(|from| from <= now) && listing.until.is_none_or(|until| began < until)
}

fn age(credential: &Credential, moment: Moment, profile: &Profile) -> Option<Reason> {
    let oldest = profile.max_code_age_s?;
    // The first second at which it is too old.
    match moment.has_passed(credential.issued_at().plus(oldest).plus(1), 0) {
        Some(false) => None,
        Some(true) => Some(Reason::CodeTooOld),
        None => Some(Reason::ClockUntrusted),
    }
}

/// Sets reason and verdict, here and nowhere else: what was found, or what the profile says stricter of its reason.
fn judged(
    mut decision: Decision,
    (reason, verdict): Found,
    id: Option<Vec<u8>>,
    name: Option<MaskedName>,
    profile: &Profile,
) -> Outcome {
    decision.reason = reason;
    decision.verdict = profile.verdict(reason, verdict);
    let if_used = profile.verdict(Reason::AlreadyUsed, Reason::AlreadyUsed.verdict());
    Outcome::Judged(Box::new(Judgement { decision, if_used, id, name }))
}
