//! `checkpointd check-config`: reads the configuration as the daemon would, and prints what holds.

use clap::Args;
use host::causes::WithCauses;

use crate::{
    commands::failure::{Exit, Failure},
    daemon::in_force,
};

/// `check-config`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  checkpointd check-config --config /etc/checkpointd/config.toml\n\n\
    Ends with 78 when something is wrong, after naming every problem with file, line and key.")]
pub struct Arguments {
    /// Print what holds as JSON instead of TOML
    #[arg(long)]
    json: bool,
}

/// Reads and prints.
///
/// # Errors
/// When the configuration is wrong, or lacks what only its owner can know.
pub fn run(said: &super::ConfigArgs, arguments: Arguments) -> Result<Exit, Failure> {
    let config = super::config_args::configuration(said)?;
    let effective = config.effective();
    let shown = if arguments.json {
        serde_json::to_string_pretty(&effective).map_err(|error| Failure::new("cannot print it").because(error))?
    } else {
        effective.to_string()
    };
    super::output::print(&format!("{}\n", shown.trim_end()));
    in_force::check(&config).map_err(|error| Failure::configuration(WithCauses(&error).to_string()))?;
    Ok(Exit::Ok)
}
