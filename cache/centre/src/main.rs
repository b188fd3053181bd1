//! `checkpoint-centre`: the memory of many gates.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use centre::commands;
use clap::Parser;

fn main() -> ExitCode {
    let arguments = commands::Arguments::parse();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"))
        .format_timestamp_millis()
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(arguments.run()),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("checkpoint-centre: {error}");
            ExitCode::FAILURE
        }
    }
}
