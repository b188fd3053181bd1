//! `checkpointd service-window`: opens and closes the time in which configuration codes count.

use std::time::Duration;

use clap::Args;
use host::service_window;

use crate::commands::failure::{Exit, Failure};

/// `service-window`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sudo checkpointd service-window            (ten minutes)\n  \
    sudo checkpointd service-window --minutes 3\n  sudo checkpointd service-window --close\n\n\
    While it is open, every lane's screen says so, and a configuration code (authority config-code) shown to a lane's camera\n\
    is checked and applied. Stopping the daemon closes it too.")]
pub struct Arguments {
    /// For how long, at most 30
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=30))]
    minutes: u64,
    /// Close it now
    #[arg(long, conflicts_with = "minutes")]
    close: bool,
}

/// Opens or closes.
///
/// # Errors
/// When this user may not.
pub fn run(said: &super::ConfigArgs, arguments: Arguments) -> Result<Exit, Failure> {
    let runtime = super::config_args::configuration(said)?.places.runtime;
    let failed = |error| {
        Failure::new(format!("cannot write into {}; be root, or the user checkpointd", runtime.display()))
            .because(error)
    };
    if arguments.close {
        service_window::close(&runtime).map_err(failed)?;
        super::output::print("the service window is closed\n");
    } else {
        service_window::open(&runtime, Duration::from_secs(arguments.minutes * 60)).map_err(failed)?;
        super::output::print(&format!("configuration codes count for {} minutes\n", arguments.minutes));
    }
    Ok(Exit::Ok)
}
