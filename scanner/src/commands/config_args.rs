//! Where the configuration is said, and how every command reads it.

use std::path::{Path, PathBuf};

use clap::Args;
use host::config::{self, Assignment, Config, ConfigError, Overlay};

use super::failure::Failure;

/// Where the configuration is said.
#[derive(Clone, Debug, Default, Args)]
pub struct ConfigArgs {
    /// The configuration; a folder `conf.d` beside it is read after it.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help = "The configuration [default: /etc/checkpointd/config.toml]"
    )]
    config: Option<PathBuf>,
    /// Set a key, above files and environment; before the command, once or more: --set checkpoint.relying=420100 --set lane.east-1.rearm=1s
    // Not global: of a repeated argument in two places clap would keep the latter alone, and one key would quietly not be set.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<Assignment>,
}

/// Reads the configuration that the line names, or the usual one, which need not be there.
///
/// # Errors
/// With every problem at once, each with file, line and key.
pub fn configuration(args: &ConfigArgs) -> Result<Config, Failure> {
    Ok(read(args)?)
}

/// The same, for who reads it again and again.
///
/// # Errors
/// With every problem at once, each with file, line and key.
pub fn read(args: &ConfigArgs) -> Result<Config, ConfigError> {
    let overlay = Overlay::default().environment(std::env::vars()).set(&args.set);
    let file = args.config.as_deref().unwrap_or_else(|| Path::new(config::DEFAULT_FILE));
    Config::load(file, args.config.is_some(), &overlay)
}
