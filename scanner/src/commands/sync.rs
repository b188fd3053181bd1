//! `checkpointd sync`: lists from the mirrors, now, by hand or by a timer.

use std::path::Path;

use clap::{Args, Subcommand};

use super::judging;
use crate::{
    failure::{Exit, Failure},
    sync::{Report, Word, round},
};

/// `sync`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Ask the mirrors once
    #[command(after_help = "Example:\n  checkpointd sync once --json\n\n\
        Ends with 0 when something is new and when nothing is; the last line says which. Ends with 1 when no mirror could be\n\
        reached or the national list was refused; what is here stays in force.")]
    Once(Json),
    /// Show how old each list is, as `trust show` does
    Status(Json),
}

#[derive(Debug, Args)]
struct Json {
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Syncs or tells.
///
/// # Errors
/// When there are no mirrors, or the store cannot be used.
pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.what {
        What::Status(Json { json }) => super::trust::show(config, json),
        What::Once(Json { json }) => {
            let config = super::configuration(config)?;
            let certain = judging::load_trust(None, &config).ok().map(|trust| trust.newest_issue());
            let mut store = round::open(&config)?;
            report(&round::mirrors(&config, &mut store, certain)?, json)
        }
    }
}

/// Prints what came of a sync or an import.
pub(super) fn report(report: &Report, json: bool) -> Result<Exit, Failure> {
    let shown = if json {
        let object = serde_json::json!({ "result": report.word(), "source": report.source, "issuers": report.issuers });
        object.to_string()
    } else {
        report.to_string()
    };
    super::print(&(shown + "\n"));
    Ok(if report.word() == Word::Failed { Exit::Failure } else { Exit::Ok })
}
