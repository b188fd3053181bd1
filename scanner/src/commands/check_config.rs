//! `checkpointd check-config`: reads the configuration as the daemon would, and prints what holds.

use clap::Args;
use host::{causes::WithCauses, clock::Clock, config::Config};
use page::{strings::Strings, voice::Voice};

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
pub fn run(said: &super::ConfigArgs, clock: &Clock, arguments: Arguments) -> Result<Exit, Failure> {
    let config = super::config_args::configuration(said)?;
    let effective = config.effective();
    let shown = if arguments.json {
        serde_json::to_string_pretty(&effective).map_err(|error| Failure::new("cannot print it").because(error))?
    } else {
        effective.to_string()
    };
    super::output::print(&format!("{}\n", shown.trim_end()));
    in_force::check(&config, clock).map_err(|error| Failure::configuration(WithCauses(&error).to_string()))?;
    let troubles = screens(&config);
    if troubles.is_empty() { Ok(Exit::Ok) } else { Err(Failure::configuration(troubles.join("\n"))) }
}

/// What is wrong with the words and recordings of the screens. A lane works all the same, with what there is; so this is told here, before
/// travellers meet it.
fn screens(config: &Config) -> Vec<String> {
    let (strings, slips) = Strings::with_folders(&config.page.word_folders());
    let words = slips.into_iter().chain(strings.lacking(&config.page.languages));
    let voice = config.page.voice.as_deref().map(|folder| Voice::of_folder(folder).1).unwrap_or_default();
    let words = words.map(|trouble| format!("page.strings: {trouble}"));
    words.chain(voice.iter().map(|trouble| format!("page.voice: {trouble}"))).collect()
}
