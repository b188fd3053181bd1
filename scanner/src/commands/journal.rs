//! The journal: sparse lines for the technician, on standard error.
//!
//! Under systemd a line begins with its priority (`<4>`, sd-daemon(3)) and has no time of its own, because the journal has one.
//! In a terminal it has both. `CHECKPOINTD_LOG` sets the level (`error`, `warn`, `info`, `debug`).

use std::{env, io::Write};

use log::{Level, LevelFilter};

/// Starts the journal. A daemon says `info`, a command only what went wrong, unless asked for more.
pub fn start(verbose: bool, daemon: bool) {
    let level = match (verbose, daemon) {
        (true, _) => LevelFilter::Debug,
        (false, true) => LevelFilter::Info,
        (false, false) => LevelFilter::Warn,
    };
    let mut builder = env_logger::Builder::new();
    builder.filter_level(level);
    // Libraries speak when something is wrong only: their chatter may hold what we promise not to log.
    for library in ["hyper", "ureq", "rustls", "rumqttc", "nokhwa", "v4l"] {
        builder.filter_module(library, level.min(LevelFilter::Warn));
    }
    if let Ok(wish) = env::var("CHECKPOINTD_LOG") {
        builder.parse_filters(&wish);
    }
    if env::var_os("JOURNAL_STREAM").is_some() {
        builder.format(|out, record| writeln!(out, "<{}>{}", priority(record.level()), record.args()));
    }
    // A second start in the same process (a test) keeps the first.
    let _ = builder.try_init();
}

/// Priorities of syslog(3).
const fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}
