//! What came of a round of fetching lists, as `sync once` and `trust import` print it.

use serde_json::json;
use sync::update::{SyncResult, round::Round};

use super::{
    failure::{Exit, Failure},
    output,
};

/// Prints what came of a sync or an import.
pub fn report(round: &Round, json: bool) -> Result<Exit, Failure> {
    let report = &round.report;
    let shown = if json {
        let object = json!({
            "result": report.result(), "source": report.source, "issuers": report.issuers, "waiting": round.held
        });
        object.to_string()
    } else {
        let waiting =
            round.held.as_ref().map(|held| format!("waiting for checkpointd trust activate: {}\n", held.line()));
        waiting.unwrap_or_default() + &report.to_string()
    };
    output::print(&(shown + "\n"));
    Ok(if report.result() == SyncResult::Failed { Exit::Failure } else { Exit::Ok })
}
