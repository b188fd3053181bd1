//! `checkpointd run`: the daemon.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use devices::camera;
use host::clock::Clock;
use sync::lists;

use crate::{
    commands::failure::{Exit, Failure},
    daemon::{self, Setup},
};

/// `run`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  checkpointd run\n  checkpointd --config gate.toml run --trust /media/stick\n\n\
    SIGTERM ends it in order: what is being judged is finished, the gate is closed, the log is anchored.\n\
    SIGHUP reads configuration and lists anew; a mistake in either changes nothing and is said in the journal.")]
pub struct Arguments {
    /// Lists to judge by: a folder of trust repositories, in place of those on this device
    #[arg(long, value_name = "DIR")]
    trust: Option<PathBuf>,
}

/// Runs until it is told to stop.
///
/// # Errors
/// When it cannot start.
pub fn run(said: &super::ConfigArgs, clock: Clock, arguments: Arguments) -> Result<Exit, Failure> {
    let said = said.clone();
    let setup = Setup {
        clock,
        config: Arc::new(move || super::config_args::read(&said)),
        lists: Arc::new(move |config| lists::load(arguments.trust.as_deref(), config)),
        source: Arc::new(camera::open),
        observer: None,
        stop: None,
    };
    daemon::run(&setup)?;
    Ok(Exit::Ok)
}
