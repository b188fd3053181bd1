//! From a text to a verdict with its row: the judge's word, the log's objection, the disk's receipt.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cache::log::{CodeId, PassbackScope, Reserved, UnixMillis, Written, reservations::Denied};
use lane::{machine::SymbolId, presentation::Presentation};
use page::metrics::Stage;
use trustlist::{
    code::MaskedName,
    judge::{self, Admission, Context, Decision, Judgement, Outcome, Repetition},
    verdict::Verdict,
};

use super::{
    super::row::{self, ScanContext},
    LaneWorker,
};

/// What a code came to: the decision, proof of an admission, and a name to be shown and forgotten.
type Judged = (Decision, Option<Admission>, Option<MaskedName>);

impl LaneWorker {
    /// Judges, writes the row, and waits for the disk as long as the gate can wait.
    pub(super) fn judge(&mut self, id: SymbolId, presentation: &mut Presentation, since: Instant) -> Option<Judged> {
        let parsed = presentation.take(id)?;
        self.row = None;
        let began = self.clock().now();
        let trust = self.others.lists.now();
        let moment = self.others.time.moment(&trust);
        let profile = self.settings.profile.as_deref();
        let context = Context { moment, relying: self.settings.relying, profile };
        let Outcome::Judged(mut judgement) = judge::decide_parsed(parsed, &trust, &context) else { return None };
        let name = judgement.name();
        let at = UnixMillis(self.clock().unix_millis());
        let (judgement, reserved) = self.against_the_log(*judgement, at);
        self.others.metrics.stage(Stage::Judge, self.clock().since(began));
        let settings = Arc::clone(&self.settings);
        let context =
            ScanContext { at, time_trust: moment.trust, lane: &settings.lane, took: self.clock().since(since) };
        let began = self.clock().now();
        let judgement = self.record(judgement, &context, reserved);
        self.others.metrics.stage(Stage::Record, self.clock().since(began));
        let (decision, admission) = judgement.close();
        Some((decision, admission, name))
    }

    /// Whether the code was used already, where the lane asks. Without the log nobody can know, so nobody is admitted. The code is reserved
    /// before the question is asked: no other lane of the group admits it between the answer and the row.
    fn against_the_log(&mut self, judgement: Judgement, at: UnixMillis) -> (Judgement, Option<Reserved>) {
        let own = Arc::clone(&self.settings);
        let settings = &own.lane;
        let window = u32::try_from(settings.anti_passback.as_secs()).unwrap_or(u32::MAX);
        let asks = window > 0 && judgement.decision().verdict == Verdict::Admit;
        let Some(code) = code_of(&judgement).filter(|_| asks) else { return (judgement, None) };
        let Some(memory) = &mut self.memory else { return (judgement.log_unavailable("no-log"), None) };
        let scope = PassbackScope { group: &settings.group, direction: row::direction(settings.direction) };
        let reserved = match memory.reserve(&scope, &code) {
            Ok(reserved) => reserved,
            Err(Denied::Taken) => return (judgement.with_repetition(Repetition::Used), None),
            Err(Denied::Full) => return (judgement.log_unavailable("too-many-reservations"), None),
        };
        let lanes: Vec<&str> = own.alike.iter().map(String::as_str).collect();
        match memory.seen(&code, &lanes, at, window) {
            Ok(None) => (judgement.with_repetition(Repetition::First), Some(reserved)),
            Ok(Some(_)) => (judgement.with_repetition(Repetition::Used), None),
            Err(fault) => {
                log::error!("lane {}: earlier scans cannot be asked for: {fault}", settings.id);
                (judgement.log_unavailable("log-unreadable"), None)
            }
        }
    }

    fn record(&mut self, judgement: Judgement, context: &ScanContext<'_>, reserved: Option<Reserved>) -> Judgement {
        let (deadline, window) = (context.lane.commit_deadline, context.lane.anti_passback);
        let Some(memory) = &mut self.memory else { return judgement.log_unavailable("no-log") };
        let token = match code_of(&judgement).map(|code| memory.token(&code, context.at, deadline)).transpose() {
            Ok(token) => token,
            Err(fault) => {
                self.others.log_health.unavailable(fault.to_string());
                return judgement.log_unavailable("no-day-key");
            }
        };
        // The place among the openings comes before the row: no row says `admit` of a traveller who was referred.
        let admits = judgement.decision().verdict == Verdict::Admit;
        let (judgement, opening) = match admits.then(|| memory.opening(context.at, deadline)).transpose() {
            Ok(opening) => (judgement, opening.map(|opening| opening.using(reserved, window))),
            Err(objection) => {
                self.others.log_health.unavailable(objection.to_string());
                (judgement.log_unavailable(objection.code()), None)
            }
        };
        let row = row::scan_row(judgement.decision(), context, token);
        let receipt = match opening {
            Some(opening) => memory.append_opening(&row, opening),
            None => memory.append(&row),
        };
        self.row = Some(receipt.id());
        let mut written = receipt.wait(deadline);
        if written == Written::Late && admits && !receipt.gate_moves() {
            // The row was decided about in this very moment.
            written = receipt.wait(Duration::ZERO);
        }
        match written {
            Written::Committed(_) => judgement,
            Written::Late => {
                let now = self.now();
                self.report.send_modify(|report| {
                    report.late_rows += 1;
                    report.late_at = Some(now);
                });
                self.late.push(receipt);
                judgement
            }
            Written::Failed(fault) => {
                // There is no scan that an officer could decide about by hand.
                self.row = None;
                self.others.log_health.unavailable(fault.code());
                judgement.log_unavailable(fault.code())
            }
        }
    }
}

/// What names the code, once its signature is proven.
fn code_of(judgement: &Judgement) -> Option<CodeId<'_>> {
    Some(CodeId { issuer: judgement.decision().issuer?, id: judgement.token_source()? })
}
