//! `checkpointd status`: what the operator's page shows, in a terminal.

use std::{
    io::{self, IsTerminal},
    net::SocketAddr,
    thread,
    time::Duration,
};

use clap::Args;
use host::{config::Config, instance};
use page::status::Status;

use crate::commands::failure::{Exit, Failure};

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
pub fn run(said: &super::ConfigArgs, arguments: Arguments) -> Result<Exit, Failure> {
    let config = super::config_args::configuration(said)?;
    loop {
        let (status, text) = ask(&config)?;
        if arguments.json {
            super::output::print(&format!("{text}\n"));
            return Ok(Exit::Ok);
        }
        if !arguments.watch {
            super::output::print(&shown(&status));
            return Ok(Exit::Ok);
        }
        // Home and clear (ECMA-48), then the state.
        super::output::print(&format!("\x1b[H\x1b[2J{}", shown(&status)));
        thread::sleep(Duration::from_secs(1));
    }
}

/// In colour for a terminal, unless its user wants none (no-color.org); plain for everything else.
fn shown(status: &Status) -> String {
    let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if colour { coloured(&status.text()) } else { status.text() }
}

/// Lines that ask for somebody are yellow, those of lists that admit nobody red (ECMA-48). The words stay the same.
fn coloured(text: &str) -> String {
    let colour = |line: &str| match line {
        _ if line.contains(" stale ") || line.contains(" missing ") || line.contains("camera down") => Some(31),
        _ if line.starts_with("attention:") || line.contains("open one more lane") => Some(33),
        _ => None,
    };
    text.lines()
        .map(|line| colour(line).map_or(format!("{line}\n"), |code| format!("\x1b[{code}m{line}\x1b[0m\n")))
        .collect()
}

/// The state of this gate's daemon.
///
/// # Errors
/// When none answers, or something else does.
pub(super) fn of(config: &Config) -> Result<Status, Failure> {
    ask(config).map(|(status, _)| status)
}

fn ask(config: &Config) -> Result<(Status, String), Failure> {
    let listen = config.page.listen.0;
    let text = fetch(listen)?;
    let status: Status = serde_json::from_str(&text).map_err(|error| {
        Failure::new(format!("what answers at {listen} is no checkpointd of this release")).because(error)
    })?;
    if is_ours(&status, config) {
        return Ok((status, text));
    }
    Err(Failure::new(format!(
        "what answers at {listen} is the daemon of {:?}, and not the one of this configuration ({:?}): another gate's, or a \
         demonstration that somebody forgot? ss -ltnp 'sport = :{}' says whose it is",
        status.checkpoint,
        config.checkpoint.id,
        listen.port()
    )))
}

/// Whether this is the daemon that could write into this gate's runtime folder.
fn is_ours(status: &Status, config: &Config) -> bool {
    match instance::announced(&config.places.runtime) {
        Ok(announced) => announced.is_some_and(|number| number == status.instance),
        // Who may not look there can only go by the name.
        Err(_) => status.checkpoint == config.checkpoint.id,
    }
}

fn fetch(listen: SocketAddr) -> Result<String, Failure> {
    let url = format!("http://{listen}/status.json");
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let failed = |error: ureq::Error| {
        Failure::new(format!(
            "no daemon answers at {url}; is it running (systemctl status checkpointd), and its page enabled?"
        ))
        .because(error)
    };
    let mut answer = agent.get(&url).call().map_err(failed)?;
    answer.body_mut().with_config().limit(MAX_ANSWER).read_to_string().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_adds_to_the_words_and_changes_none() {
        let text = "gate 7\nattention: list-grace 420000\nlist 640000 missing   -  x\n";
        let bright = coloured(text);
        assert!(bright.contains("\x1b[33mattention: list-grace 420000\x1b[0m"), "{bright:?}");
        assert!(bright.contains("\x1b[31mlist 640000"), "{bright:?}");
        let plain = ["\x1b[31m", "\x1b[33m", "\x1b[0m"].iter().fold(bright, |text, code| text.replace(code, ""));
        assert_eq!(plain, text);
    }
}
