//! From a text to a verdict with its row: the judge's word, the log's objection, the disk's receipt.

use std::{sync::Arc, time::Instant};

use cache::log::{CodeId, UnixMillis, Written};
use host::{clock, config};
use lane::{machine::SymbolId, presentation::Presentation};
use page::metrics::Stage;
use trustlist::{
    code::MaskedName,
    judge::{self, Admission, Context, Decision, Judgement, Outcome, Repetition},
};

use super::{
    super::{
        row::{self, ScanContext},
        shared::lock,
    },
    LaneWorker,
};

/// What a code came to: the decision, proof of an admission, and a name to be shown and forgotten.
type Judged = (Decision, Option<Admission>, Option<MaskedName>);

impl LaneWorker {
    /// Judges, writes the row, and waits for the disk as long as the gate can wait.
    pub(super) fn judge(&mut self, id: SymbolId, presentation: &mut Presentation, since: Instant) -> Option<Judged> {
        let parsed = presentation.take(id)?;
        self.row = None;
        let began = Instant::now();
        let trust = self.shared.trust.load_full();
        let moment = self.shared.moment(&trust);
        let profile = self.shared.config.checkpoint.profile.as_deref();
        let context = Context { moment, relying: self.shared.relying, profile };
        let Outcome::Judged(mut judgement) = judge::decide_parsed(parsed, &trust, &context) else { return None };
        let name = judgement.name();
        let at = UnixMillis(clock::unix_millis());
        let judgement = self.against_the_log(*judgement, at);
        self.shared.metrics.stage(Stage::Judge, began.elapsed());
        let shared = Arc::clone(&self.shared);
        let lane = &shared.config.lane[self.index];
        let context = ScanContext { at, time_trust: moment.trust, lane, took: since.elapsed() };
        let began = Instant::now();
        let judgement = self.record(judgement, &context);
        self.shared.metrics.stage(Stage::Record, began.elapsed());
        let (decision, admission) = judgement.close();
        Some((decision, admission, name))
    }

    /// Whether the code was used already, where the lane asks. Without the log nobody can know, so nobody is admitted.
    fn against_the_log(&mut self, judgement: Judgement, at: UnixMillis) -> Judgement {
        let (window, group, direction) = {
            let settings = self.settings();
            (settings.anti_passback.as_secs(), settings.group.clone(), settings.direction)
        };
        let Some(code) = code_of(&judgement).filter(|_| window > 0) else { return judgement };
        let shared = Arc::clone(&self.shared);
        let alike = |lane: &&config::Lane| lane.group == group && lane.direction == direction;
        let lanes: Vec<&str> = shared.config.lane.iter().filter(alike).map(|lane| lane.id.as_str()).collect();
        let window = u32::try_from(window).unwrap_or(u32::MAX);
        match self.memory.as_mut().map(|memory| memory.seen(&code, &lanes, at, window)) {
            Some(Ok(None)) => judgement.with_repetition(Repetition::First),
            Some(Ok(Some(_))) => judgement.with_repetition(Repetition::Used),
            Some(Err(fault)) => {
                log::error!("lane {}: earlier scans cannot be asked for: {fault}", self.settings().id);
                judgement.log_unavailable()
            }
            None => judgement.log_unavailable(),
        }
    }

    fn record(&mut self, judgement: Judgement, context: &ScanContext<'_>) -> Judgement {
        let deadline = context.lane.commit_deadline;
        let Some(memory) = &mut self.memory else { return judgement.log_unavailable() };
        let token = match code_of(&judgement).map(|code| memory.token(&code, context.at, deadline)).transpose() {
            Ok(token) => token,
            Err(fault) => {
                *lock(&self.shared.log_trouble) = Some(fault.to_string());
                return judgement.log_unavailable();
            }
        };
        let receipt = memory.append(&row::scan_row(judgement.decision(), context, token));
        self.row = Some(receipt.id());
        match receipt.wait(deadline) {
            Written::Committed(_) => {
                lock(&self.shared.log_trouble).take();
                judgement
            }
            Written::Late => {
                self.shared.lanes[self.index].row_was_late(self.shared.now());
                self.late.push(receipt);
                judgement
            }
            Written::Failed(fault) => {
                // There is no scan that an officer could decide about by hand.
                self.row = None;
                *lock(&self.shared.log_trouble) = Some(fault.code().to_owned());
                judgement.log_unavailable()
            }
        }
    }
}

/// What names the code, once its signature is proven.
fn code_of(judgement: &Judgement) -> Option<CodeId<'_>> {
    Some(CodeId { issuer: judgement.decision().issuer?, id: judgement.token_source()? })
}
