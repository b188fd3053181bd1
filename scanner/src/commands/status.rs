//! `checkpointd status`: what the operator's page shows, in a terminal.

use std::{path::Path, thread, time::Duration};

use clap::Args;

use crate::{
    failure::{Exit, Failure},
    page::status::Status,
};

/// A daemon on this machine answers within this, or hangs.
const PATIENCE: Duration = Duration::from_secs(3);
/// Largest answer read.
const MAX_ANSWER: u64 = 1 << 20;

/// `status`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  checkpointd status\n  checkpointd status --json\n  checkpointd status --watch\n\n\
    Asks the running daemon. Ends with 1 when it does not answer."
)]
pub struct Arguments {
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Again every second, until Ctrl-C
    #[arg(long, conflicts_with = "json")]
    watch: bool,
}

/// Asks and prints.
///
/// # Errors
/// When no daemon answers.
pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<Exit, Failure> {
    let listen = super::configuration(config)?.page.listen.0;
    let url = format!("http://{listen}/status.json");
    loop {
        let text = ask(&url)?;
        if arguments.json {
            super::print(&format!("{text}\n"));
            return Ok(Exit::Ok);
        }
        let status: Status = serde_json::from_str(&text).map_err(|error| {
            Failure::new(format!("what answers at {listen} is no checkpointd of this release")).because(error)
        })?;
        if !arguments.watch {
            super::print(&status.text());
            return Ok(Exit::Ok);
        }
        // Home and clear (ECMA-48), then the state.
        super::print(&format!("\x1b[H\x1b[2J{}", status.text()));
        thread::sleep(Duration::from_secs(1));
    }
}

fn ask(url: &str) -> Result<String, Failure> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let failed = |error: ureq::Error| {
        Failure::new(format!(
            "no daemon answers at {url}; is it running (systemctl status checkpointd), and its page enabled?"
        ))
        .because(error)
    };
    let mut answer = agent.get(url).call().map_err(failed)?;
    answer.body_mut().with_config().limit(MAX_ANSWER).read_to_string().map_err(failed)
}
