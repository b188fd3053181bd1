//! Travellers at the lanes.

use std::time::{Duration, Instant};

use cache::log::Written;
use lane::{
    machine::{Action, Event, FRESH, SymbolId},
    presentation::Presentation,
};
use trustlist::verdict::{Reason, Verdict};

use super::{Item, World};
use crate::{
    country::identity,
    gate::{self, Pending, Settled},
    history::{Code, DiskState, Forgery, Micros, SECOND, Shown},
    ledger::Opening,
    mutation::Mutation,
    oracles::{self, Word},
};

/// A gate stays open so long, and its lane looks up a moment later.
const CLOSES: Micros = 3_020_000;
/// When a lane has forgotten whom it saw last.
const REARMS: Micros = 600_000;

/// A row that a lane waits for.
pub(super) struct Waiting {
    pending: Pending,
    code: Code,
    /// What the oracles say of an admission, by what the gate had when it judged.
    words: [(&'static str, Word); 2],
}

/// Somebody who comes while the lane waits for the disk.
#[derive(Clone, Debug)]
pub(super) struct Inbox {
    at: Micros,
    shown: Shown,
}

impl World<'_> {
    pub(super) fn traveller(&mut self, lane: usize, shown: &Shown) {
        if self.gate.is_none() {
            return;
        }
        if self.waiting[lane].is_some() {
            self.inbox[lane].push_back(Inbox { at: self.now, shown: shown.clone() });
            return;
        }
        self.ledger.presented += 1;
        let (codes, extra): (Vec<Code>, Option<&str>) = match shown {
            Shown::One(code) => (vec![*code], None),
            Shown::WithSticker(code) => (vec![*code], Some("MR1:STICKER")),
            Shown::Two(one, other) => (vec![*one, *other], None),
            Shown::Ticket => (Vec::new(), Some("https://bus.example/t/7")),
        };
        let texts = codes.iter().map(|code| self.country.text(code)).chain(extra.map(str::to_owned));
        let texts: Vec<String> = texts.collect();
        if self.mutation == Some(Mutation::TextsKept) {
            let _ = std::fs::write(self.folder.path().join("seen.txt"), texts.join("\n"));
        }
        let mut presentations: Vec<Presentation> =
            texts.iter().map(|text| Presentation::of_engine(text.as_bytes())).collect();
        let seen = gate::seen(&presentations);
        let now = self.monotonic();
        let Some(gate) = &mut self.gate else { return };
        let event = if seen.len() == 1 { Event::Text(&seen) } else { Event::Frame(&seen) };
        let actions = gate.tell(lane, event, now);
        self.at(REARMS, Item::Tick(self.processes, lane));
        for action in actions {
            let Action::Judge(id) = action else { continue };
            let which = |presentation: &Presentation| presentation.seen().first().map(|seen| seen.id) == Some(id);
            let Some(at) = presentations.iter().position(which) else { continue };
            // A sticker that is judged is nobody's code.
            let code = codes.get(at).copied().unwrap_or(Code { forgery: Forgery::CutShort, ..nobody() });
            self.judge(lane, &mut presentations[at], id, code);
        }
    }

    fn judge(&mut self, lane: usize, presentation: &mut Presentation, id: SymbolId, code: Code) {
        let (at, now) = (self.wall(), self.monotonic());
        let reading = self.reading();
        let Some(gate) = &mut self.gate else { return };
        let moment = gate.judged(reading).moment;
        let _ = self.disk.time_spent();
        let judged = gate.judge(lane, presentation, id, moment, (at, now));
        let waited = Duration::from_micros(self.disk.time_spent());
        let patient = oracles::no_lane_waits_too_long(waited);
        match judged {
            None => {}
            Some(Ok(pending)) => {
                self.ledger.written.insert(pending.row(), self.now);
                if pending.admits() {
                    self.ledger.handed.insert(identity(&code));
                }
                let confirmed = self.clock.heard.is_some() || self.clock.battery;
                let words = [
                    ("admissions_are_allowed", oracles::admissions_are_allowed(gate, &self.country, &code, &pending)),
                    (
                        "the_clock_is_believed_for_a_reason",
                        oracles::the_clock_is_believed_for_a_reason(&pending, confirmed),
                    ),
                ];
                self.waiting[lane] = Some(Waiting { pending, code, words });
                self.at(gate::COMMIT_DEADLINE.as_micros() as Micros, Item::Deadline(self.processes, lane));
                self.write_soon();
            }
            Some(Err(settled)) => {
                if settled.admission.is_some() {
                    self.ledger.handed.insert(identity(&code));
                }
                self.write_soon();
                self.given(lane, settled, code, at.0);
            }
        }
        self.hold("no_lane_waits_too_long", patient);
    }

    /// What a lane waits for may have been decided.
    pub(super) fn settle(&mut self, lane: usize) {
        let Some(Waiting { pending, code, words }) = self.waiting[lane].take() else { return };
        let now = self.monotonic();
        let (at, moment) = (pending.at, pending.moment);
        let Some(gate) = &self.gate else { return };
        match gate.settle(pending, now) {
            Err(pending) => self.waiting[lane] = Some(Waiting { pending: *pending, code, words }),
            Ok(settled) => {
                if settled.admission.is_some() {
                    words.into_iter().for_each(|(oracle, word)| self.hold(oracle, word));
                }
                self.note((moment.trust.code(), lane));
                self.given(lane, settled, code, at.0);
                self.next_in_line(lane);
            }
        }
    }

    /// Whoever came while the lane waited, unless they have gone.
    fn next_in_line(&mut self, lane: usize) {
        while let Some(next) = self.inbox[lane].pop_front() {
            if self.now.saturating_sub(next.at) < FRESH.as_micros() as Micros {
                self.traveller(lane, &next.shown);
                return;
            }
        }
    }

    /// A verdict is given: the lane is told, and its gate moves.
    fn given(&mut self, lane: usize, settled: Settled, code: Code, wall_ms: i64) {
        let Settled { decision, admission, row, late, place } = settled;
        let (verdict, reason) = (decision.verdict, decision.reason);
        self.last_answer = format!("{} {}", reason.code(), decision.detail.unwrap_or_default());
        *self.ledger.reasons.entry(reason.code()).or_default() += 1;
        self.note((reason.code(), decision.detail));
        if reason == Reason::AlreadyUsed {
            let word = oracles::used_means_used(&self.ledger, &code);
            self.hold("used_means_used", word);
        }
        let (now, instant) = (self.monotonic(), self.machine.now());
        let Some(gate) = &mut self.gate else { return };
        if reason == Reason::KeyNewerThanList {
            gate.schedule.wanted(instant);
        }
        let event =
            Event::Judged { verdict, reason, notice: None, instead: None, admission, number: None, named: false };
        let opens = gate.tell(lane, event, now).iter().any(|action| matches!(action, Action::Open(_)));
        let log = gate.log.as_ref().and_then(|log| log.reader.log_id().ok().flatten());
        if let (Some(row), Some(head), Some(log)) = (row, place, log) {
            self.ledger.durable.insert(row, (log, head));
            let word = oracles::no_place_is_used_twice(&mut self.ledger, log, head.seq, head.hash);
            self.hold("no_place_is_used_twice", word);
        }
        if !opens {
            debug_assert!(verdict != Verdict::Admit || self.gate.is_none());
            return;
        }
        let opening = Opening {
            at: self.now,
            wall_ms,
            lane,
            row: row.unwrap_or_default(),
            code,
            process: self.processes,
            durable: place.is_some(),
            failed: false,
        };
        if self.history.setup.window > 0 {
            let word = oracles::one_code_is_admitted_once(&self.ledger, &self.history.setup, &opening);
            self.hold("one_code_is_admitted_once", word);
        }
        self.ledger.openings.push(opening);
        self.at(CLOSES, Item::Closed(self.processes, lane));
        if let Some(receipt) = late {
            self.marked();
            self.late.push((receipt, self.ledger.openings.len() - 1));
        }
    }

    /// The gate runs ahead of the disk, and a thread of its own marks that beside the log: it is waited for, so that the same history
    /// finds the same mark.
    fn marked(&self) {
        if !matches!(self.mutation, None | Some(Mutation::NothingReserved)) {
            return;
        }
        let mark = self.folder.path().join("scans.db-ahead");
        let began = Instant::now();
        while std::fs::metadata(&mark).is_ok_and(|mark| mark.len() == 0) || !mark.exists() {
            if began.elapsed() > Duration::from_secs(5) {
                return;
            }
            std::thread::yield_now();
        }
    }

    /// Rows that their gates did not wait for.
    pub(super) fn settle_late(&mut self) {
        let log = self.gate.as_ref().and_then(|gate| gate.log.as_ref()?.reader.log_id().ok().flatten());
        let mut still = Vec::new();
        for (receipt, opening) in std::mem::take(&mut self.late) {
            match receipt.wait(Duration::ZERO) {
                Written::Late => still.push((receipt, opening)),
                Written::Committed(head) => {
                    self.ledger.openings[opening].durable = true;
                    if let Some(log) = log {
                        self.ledger.durable.insert(receipt.id(), (log, head));
                    }
                }
                Written::Failed(_) => self.ledger.openings[opening].failed = true,
            }
        }
        self.late = still;
    }

    pub(super) fn tick(&mut self, lane: usize) {
        let now = self.monotonic();
        if let Some(gate) = &mut self.gate {
            gate.tell(lane, Event::Tick, now);
        }
    }

    /// All has been well for long: somebody with a good code comes.
    pub(super) fn good_traveller(&mut self, lane: usize) {
        let Some(issuer) = self.good_issuer() else { return };
        let issued = i64::try_from(self.now / SECOND).unwrap_or(0) - 60;
        let person = 1000 - 1 - u32::try_from(lane).unwrap_or(0);
        let code = Code { issuer, person, issued, colour: 0, vouched: false, forgery: Forgery::Genuine };
        let before = self.ledger.openings.len();
        "nothing".clone_into(&mut self.last_answer);
        debug_assert_eq!(self.disk_state, DiskState::Well);
        self.traveller(lane, &Shown::One(code));
        self.until(self.now + 10 * SECOND);
        let admitted = self.ledger.openings.len() > before;
        // Whoever was revoked before is no proof.
        if self.last_answer.starts_with("revoked") {
            return;
        }
        let word = oracles::the_gate_admits_again(admitted, &self.last_answer);
        self.hold("the_gate_admits_again", word);
    }

    /// An issuer whose lists nobody has spoilt.
    fn good_issuer(&self) -> Option<usize> {
        let well = |issuer: &usize| {
            !self.country.malicious.contains(&crate::country::region(crate::country::ISSUERS[*issuer]))
        };
        Some(1).filter(well)
    }
}

fn nobody() -> Code {
    Code { issuer: 5, person: 0, issued: 0, colour: 2, vouched: false, forgery: Forgery::CutShort }
}
