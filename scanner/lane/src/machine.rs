//! The lane as a state machine: what was seen and a moment go in, actions come out. No camera, clock, gate or log in here.
//!
//! One presentation gives one verdict and one row. A code that was judged must be away for the same-symbol timeout before it is judged again;
//! another one in its place waits for the re-arm time. Two different pass codes give no verdict: one is asked for. A code that had its verdict,
//! one that is stuck to the glass, and a text that only begins like a pass code are no second code: what is judged is the one that is new.
//! Only an [`Admission`] opens the gate, and every tick closes it that is due.
//!
//! Where a sensor watches, each admission ends as *passed* or *not taken*, in the order in which they were given. The fire contact overrides
//! everything: the gate is held open, nobody is judged, and the screen says so until it is over.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use trustlist::{
    judge::Admission,
    verdict::{Reason, Verdict},
};

use crate::screen::{Attention, Hint, LaneState};

/// How long a hint stays on the screen after its cause is gone.
const HINT_FOR: Duration = Duration::from_millis(1200);
/// A traveller whose gate closes behind their back is still seen going through: so long an admission is waited for after the gate closed.
const LAST_STEP: Duration = Duration::from_secs(2);
/// Between the legs, a bag and an arm the beam is free for less than this: it is one person, and the gate stays open behind them.
const BEHIND: Duration = Duration::from_millis(300);
/// How long a masked name stays, where the policy shows one.
const NAME_FOR: Duration = Duration::from_secs(2);
/// Judged symbols remembered. A wall of codes cannot make the memory grow.
const MAX_REMEMBERED: usize = 256;

/// What comes to a lane later than this after it happened is worth nothing: whoever it was about has gone. Stops a gate from opening for nobody.
pub const FRESH: Duration = Duration::from_secs(1);

/// How patient a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// A judged code must be out of view this long before it is judged again.
    pub same_symbol: Duration,
    /// The view must be empty this long before another code is judged.
    pub rearm: Duration,
    /// A code in view this long is stuck to the glass.
    pub stuck: Duration,
    /// How long a verdict stays on the screen.
    pub show_for: Duration,
    /// How long the gate stays open.
    pub open_for: Duration,
    /// Whether a sensor sees travellers pass. Without one nothing is known of passages, and nothing is said.
    pub sensor: bool,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            same_symbol: Duration::from_secs(3),
            rearm: Duration::from_millis(500),
            stuck: Duration::from_secs(60),
            show_for: Duration::from_secs(4),
            open_for: Duration::from_secs(3),
            sensor: false,
        }
    }
}

/// What tells one symbol from another: a digest of its text, never the text.
pub type SymbolId = [u8; 16];

/// One symbol of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VisibleSymbol {
    /// Which.
    pub id: SymbolId,
    /// What it claims to be.
    pub claim: Claim,
    /// How far from the aim point, as a part of the way to the picture's farthest corner.
    pub distance: f32,
}

/// What a symbol claims to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A pass code: it parses as the envelope of one.
    PassCode,
    /// It begins like a pass code and is none. Anybody can print that, so it is judged only when nothing better is there.
    Malformed,
    /// Nothing: a bus ticket, a web link.
    Nothing,
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A frame was looked at, and this was in it.
    Frame(&'a [VisibleSymbol]),
    /// An engine read this. It is no part of a picture, and is not said again.
    Text(&'a [VisibleSymbol]),
    /// The code that was to be judged was, and its row is written.
    Judged {
        /// What the lane does.
        verdict: Verdict,
        /// Why.
        reason: Reason,
        /// A suspension's notice.
        notice: Option<String>,
        /// The other code that it lets travellers show.
        instead: Option<String>,
        /// Proof of an admission.
        admission: Option<Admission>,
        /// The number by which the second line calls the traveller.
        number: Option<String>,
        /// Whether the screen shows the bearer's name.
        named: bool,
    },
    /// A configuration code was shown; what came of it, as the screen says it.
    Configured(&'static str),
    /// Time passed.
    Tick,
    /// No frame arrives any more.
    CameraLost,
    /// Frames arrive again.
    CameraBack,
    /// Somebody is in the passage's beam.
    InBeam,
    /// Nobody is any more.
    BeamFree,
    /// The fire or egress contact closed.
    Alarm,
    /// It is open again.
    AlarmOver,
    /// The lane ends.
    Stop,
}

/// What became of an admission, where a sensor watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// The traveller went through.
    Passed,
    /// The gate was open and nobody went through: the admission is unused.
    NotTaken,
}

/// What happened at the gate that no verdict stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateEvent {
    /// The fire or egress contact holds the gate open from here on; nobody is judged meanwhile.
    Alarm,
    /// The alarm is over, and the gate closed.
    AlarmOver,
    /// Somebody went through without an admission.
    Forced,
}

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// Judge this symbol, write its row, and come back with [`Event::Judged`].
    Judge(SymbolId),
    /// Open the gate.
    Open(Admission),
    /// Close the gate.
    Close,
    /// Hold the gate open until told to close it; nobody's admission stands behind it, and admissions given before are not followed up.
    Hold,
    /// Record what became of the oldest admission that nothing was recorded of yet.
    Passage(Passage),
    /// Record what happened at the gate without a verdict.
    GateEvent(GateEvent),
    /// Fill the screen.
    Show(LaneState),
    /// Take the bearer's name off the screen, and forget it.
    ForgetName,
    /// A symbol was read that is no pass code: count it.
    CountNotAPassCode,
}

/// A symbol in front of the lane that claims to be a pass code.
#[derive(Clone, Copy, Debug)]
struct InView {
    id: SymbolId,
    claim: Claim,
    first: Duration,
    last: Duration,
    /// When it had its verdict.
    judged: Option<Duration>,
    stuck: bool,
}

/// Where codes were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// In a picture of what is before the lane: what is still there is seen again.
    View,
    /// By an engine, once.
    Engine,
}

/// One lane.
#[derive(Debug)]
pub struct Lane {
    patience: Patience,
    /// What is in front of the lane, in the order in which it came.
    present: Vec<InView>,
    judged: HashMap<SymbolId, Duration>,
    other: Option<(SymbolId, Duration)>,
    open_until: Option<Duration>,
    /// Admissions whose travellers have not gone through yet, oldest first, and until when each is waited for.
    awaited: VecDeque<Duration>,
    /// Since when the beam is free behind the last one.
    beam_free: Option<Duration>,
    alarm: bool,
    show_until: Option<Duration>,
    /// What is shown until then is a traveller's verdict.
    shows_verdict: bool,
    name_until: Option<Duration>,
    hint: Option<Hint>,
    camera: bool,
}

impl Lane {
    /// A lane with nobody in front of it and its gate closed.
    #[must_use]
    pub fn new(patience: Patience) -> Lane {
        Lane {
            patience,
            present: Vec::new(),
            judged: HashMap::new(),
            other: None,
            open_until: None,
            awaited: VecDeque::new(),
            beam_free: None,
            alarm: false,
            show_until: None,
            shows_verdict: false,
            name_until: None,
            hint: None,
            camera: true,
        }
    }

    /// Takes what happened at `now`, a monotonic moment, and says what is to be done.
    #[must_use]
    pub fn on(&mut self, event: Event<'_>, now: Duration) -> Vec<Action> {
        let mut actions = self.due(now);
        match event {
            // Nobody is judged where everybody may go through: no admission hides behind an alarm.
            Event::Frame(_) | Event::Text(_) if self.alarm => (),
            Event::Frame(seen) => self.look(seen, Source::View, now, &mut actions),
            Event::Text(seen) => self.look(seen, Source::Engine, now, &mut actions),
            Event::Judged { verdict, reason, notice, instead, admission, number, named } => {
                self.name_until = named.then_some(now + NAME_FOR);
                self.hint = None;
                self.show_until = Some(now + self.patience.show_for);
                self.shows_verdict = true;
                if let Some(admission) = admission {
                    let until = now + self.patience.open_for;
                    self.open_until = Some(until);
                    if self.patience.sensor {
                        self.awaited.push_back(until + LAST_STEP);
                    }
                    actions.push(Action::Open(admission));
                }
                actions.push(Action::Show(LaneState::Verdict { verdict, reason, notice, instead, number }));
            }
            // Whoever is judged is told so; a code that sets nothing does not hide it.
            Event::Configured(outcome) if outcome != "taken" && self.is_with_somebody() => (),
            Event::Configured(outcome) => {
                self.hint = None;
                self.show_until = Some(now + self.patience.show_for);
                self.shows_verdict = false;
                actions.push(Action::Show(LaneState::Configured { outcome }));
            }
            Event::Tick => (),
            Event::CameraLost => {
                (self.camera, self.show_until) = (false, None);
                actions.push(Action::Show(self.waiting()));
            }
            Event::CameraBack => {
                (self.camera, self.show_until) = (true, None);
                actions.push(Action::Show(self.waiting()));
            }
            Event::InBeam => self.in_beam(now, &mut actions),
            Event::BeamFree => self.beam_free = Some(now),
            Event::Alarm if !self.alarm => {
                self.alarm = true;
                (self.open_until, self.show_until, self.hint) = (None, None, None);
                self.awaited.clear();
                actions.extend([Action::Hold, Action::GateEvent(GateEvent::Alarm), Action::Show(self.waiting())]);
            }
            Event::AlarmOver if self.alarm => {
                self.alarm = false;
                actions.extend([Action::Close, Action::GateEvent(GateEvent::AlarmOver), Action::Show(self.waiting())]);
            }
            Event::Alarm | Event::AlarmOver => (),
            Event::Stop => {
                self.open_until = None;
                actions.push(Action::Close);
                if self.name_until.take().is_some() {
                    actions.push(Action::ForgetName);
                }
                actions.push(Action::Show(LaneState::Closed));
            }
        }
        actions
    }

    /// What the passing of time asks for: closing the gate, clearing the screen, forgetting.
    fn due(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        let gone_through = self.beam_free.is_some_and(|since| now.saturating_sub(since) >= BEHIND);
        if gone_through {
            self.beam_free = None;
        }
        let behind = gone_through && self.awaited.is_empty() && self.open_until.is_some();
        if behind || self.open_until.is_some_and(|until| until <= now) {
            self.open_until = None;
            actions.push(Action::Close);
        }
        while self.awaited.front().is_some_and(|until| *until <= now) {
            self.awaited.pop_front();
            actions.push(Action::Passage(Passage::NotTaken));
        }
        if self.name_until.is_some_and(|until| until <= now) {
            self.name_until = None;
            actions.push(Action::ForgetName);
        }
        if self.show_until.is_some_and(|until| until <= now) {
            self.show_until = None;
            self.hint = None;
            actions.push(Action::Show(self.waiting()));
        }
        let rearm = self.patience.rearm;
        let gone = self.present.extract_if(.., |presence| now.saturating_sub(presence.last) >= rearm);
        let gone: Vec<InView> = gone.collect();
        for presence in gone.iter().filter(|presence| presence.judged.is_some()) {
            if self.judged.len() >= MAX_REMEMBERED {
                self.judged.clear();
            }
            self.judged.insert(presence.id, presence.last);
        }
        if gone.iter().any(|presence| presence.stuck) && self.show_until.is_none() {
            actions.push(Action::Show(self.waiting()));
        }
        let same_symbol = self.patience.same_symbol;
        self.judged.retain(|_, last| now.saturating_sub(*last) < same_symbol);
        actions
    }

    /// Whether a traveller stands here, or still reads what became of their code.
    fn is_with_somebody(&self) -> bool {
        self.present.iter().any(|presence| !presence.stuck) || (self.shows_verdict && self.show_until.is_some())
    }

    /// What the screen says when there is nobody to speak to.
    fn waiting(&self) -> LaneState {
        match (self.alarm, self.camera) {
            (true, _) => LaneState::Attention { hint: Attention::Fire },
            (false, false) => LaneState::Attention { hint: Attention::CameraLost },
            (false, true) if self.present.iter().any(|presence| presence.stuck) => {
                LaneState::Attention { hint: Attention::StuckMedia }
            }
            (false, true) => LaneState::Idle,
        }
    }

    /// Somebody goes through.
    fn in_beam(&mut self, now: Duration, actions: &mut Vec<Action>) {
        let the_same = self.beam_free.take().is_some();
        if the_same || self.alarm {
            return;
        }
        if self.awaited.pop_front().is_none() {
            actions.push(Action::GateEvent(GateEvent::Forced));
            return;
        }
        // The gate does not close onto whoever stands in it, unless they stay there.
        let at_least = now + self.patience.open_for;
        self.open_until = self.open_until.map(|until| until.max(at_least));
        actions.push(Action::Passage(Passage::Passed));
    }

    fn look(&mut self, seen: &[VisibleSymbol], source: Source, now: Duration, actions: &mut Vec<Action>) {
        let mut codes: Vec<&VisibleSymbol> = seen.iter().filter(|seen| seen.claim != Claim::Nothing).collect();
        codes.sort_by(|one, other| one.distance.total_cmp(&other.distance));
        codes.dedup_by_key(|seen| seen.id);
        if codes.is_empty() {
            self.no_pass_code(seen, now, actions);
            return;
        }
        let mut too_soon = false;
        for code in &codes {
            too_soon |= self.note(code, now);
        }
        let in_view = |presence: &&InView| codes.iter().any(|code| code.id == presence.id);
        let view: Vec<InView> = self.present.iter().filter(in_view).copied().collect();
        let new = |claim: Claim| {
            let new = view.iter().filter(move |presence| presence.judged.is_none() && !presence.stuck);
            new.filter(move |presence| presence.claim == claim).collect::<Vec<_>>()
        };
        let bystander = view.iter().any(|presence| presence.claim == Claim::PassCode && !presence.stuck);
        match (new(Claim::PassCode).as_slice(), new(Claim::Malformed).as_slice()) {
            ([code], _) if self.is_armed(code, &view, source, now) => self.judge(code.id, now, actions),
            // Begun like a pass code and no more: only where it is alone.
            ([], [code]) if !bystander => self.judge(code.id, now, actions),
            ([_, _, ..], _) | ([], [_, _, ..]) => self.hint(Hint::ShowOne, now, actions),
            ([], []) if too_soon => self.hint(Hint::AlreadyShown, now, actions),
            _ => (),
        }
        self.notice_stuck(actions);
    }

    /// Remembers a code that is there. Whether it is one that came back too soon.
    fn note(&mut self, code: &VisibleSymbol, now: Duration) -> bool {
        if let Some(presence) = self.present.iter_mut().find(|presence| presence.id == code.id) {
            presence.last = now;
            return false;
        }
        let judged = self.judged.get(&code.id).copied();
        if self.present.len() < MAX_REMEMBERED {
            let presence = InView { id: code.id, claim: code.claim, first: now, last: now, judged, stuck: false };
            self.present.push(presence);
        }
        judged.is_some()
    }

    /// Whether a new code may be judged although another one had its verdict: that one is gone for long enough, is seen to stay where it is,
    /// or the new one has been waited for.
    fn is_armed(&self, new: &InView, view: &[InView], source: Source, now: Duration) -> bool {
        let rearm = self.patience.rearm;
        let long_ago = |moment: Duration| now.saturating_sub(moment) >= rearm;
        self.present.iter().filter(|other| !other.stuck && other.claim == Claim::PassCode).all(|other| {
            let Some(judged) = other.judged else { return true };
            let stays = source == Source::Engine || view.iter().any(|presence| presence.id == other.id);
            long_ago(other.last) || (stays && long_ago(judged)) || long_ago(new.first)
        })
    }

    fn judge(&mut self, id: SymbolId, now: Duration, actions: &mut Vec<Action>) {
        if let Some(presence) = self.present.iter_mut().find(|presence| presence.id == id) {
            presence.judged = Some(now);
        }
        self.hint = None;
        self.show_until = None;
        if self.name_until.take().is_some() {
            actions.push(Action::ForgetName);
        }
        actions.push(Action::Show(LaneState::Reading));
        actions.push(Action::Judge(id));
    }

    /// A sticker, a phone left on the glass: said once, and no longer anybody's code.
    fn notice_stuck(&mut self, actions: &mut Vec<Action>) {
        let stuck = self.patience.stuck;
        let mut noticed = false;
        for presence in self.present.iter_mut().filter(|presence| !presence.stuck) {
            presence.stuck = presence.last.saturating_sub(presence.first) >= stuck;
            noticed |= presence.stuck;
        }
        if noticed && !self.is_with_somebody() {
            (self.show_until, self.hint) = (None, None);
            actions.push(Action::Show(self.waiting()));
        }
    }

    /// A bus ticket, a web link: counted once a presentation, hinted at gently.
    fn no_pass_code(&mut self, seen: &[VisibleSymbol], now: Duration, actions: &mut Vec<Action>) {
        let nearest = seen.iter().min_by(|one, other| one.distance.total_cmp(&other.distance));
        let Some(nearest) = nearest.filter(|_| self.present.iter().all(|presence| presence.stuck)) else { return };
        let known =
            self.other.is_some_and(|(id, last)| id == nearest.id && now.saturating_sub(last) < self.patience.rearm);
        self.other = Some((nearest.id, now));
        if !known {
            actions.push(Action::CountNotAPassCode);
        }
        self.hint(Hint::NotAPassCode, now, actions);
    }

    /// Shows a hint, unless a verdict fills the screen.
    fn hint(&mut self, hint: Hint, now: Duration, actions: &mut Vec<Action>) {
        let verdict_shown = self.show_until.is_some() && self.hint.is_none();
        if verdict_shown {
            return;
        }
        self.show_until = Some(now + HINT_FOR);
        if self.hint != Some(hint) {
            self.hint = Some(hint);
            actions.push(Action::Show(LaneState::Hint { hint }));
        }
    }
}

#[cfg(test)]
mod tests;
