//! `checkpointd desk pair`: a code with which one other machine becomes a desk of this gate.

use clap::{Args, Subcommand};
use host::clock::Clock;
use page::desk::{PairingFiles, identity, pairing::CODE_LASTS_MS};

use crate::commands::failure::{Exit, Failure};

/// `desk`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a code and the certificate's fingerprint; the code counts once, for ten minutes
    Pair,
}

/// Offers to pair.
///
/// # Errors
/// When there is no desk to pair, or this user may not.
pub fn run(
    said: &super::ConfigArgs,
    clock: &Clock,
    Arguments { command: Command::Pair }: Arguments,
) -> Result<Exit, Failure> {
    let config = super::config_args::configuration(said)?;
    let Some(listen) = config.page.desk_listen else {
        return Err(Failure::configuration(
            "there is no desk for other machines here: set page.desk_listen".to_owned(),
        ));
    };
    super::owner::take_on(&config.places.state)?;
    let fingerprint = identity::fingerprint(&config.places.state).map_err(|error| {
        Failure::new("there is no certificate yet; the daemon makes it when it begins with page.desk_listen")
            .because(error)
    })?;
    let runtime = config.places.runtime;
    let code = PairingFiles::of(runtime.clone()).offer_code(clock).map_err(|error| {
        Failure::new(format!("cannot write into {}; be root, or the user checkpointd", runtime.display()))
            .because(error)
    })?;
    let (first, second) = code.split_at(code.len() / 2);
    super::output::print(&format!(
        "open       https://{listen}/ on the desk's machine\ncompare    {fingerprint}\n           with the SHA-256 fingerprint of the certificate that its browser shows\n\
         code       {first}-{second}, once, for {} minutes\n",
        CODE_LASTS_MS / 60_000
    ));
    Ok(Exit::Ok)
}
