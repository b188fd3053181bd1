//! The box that a checkpoint runs on: what its installer decided ([`config`]), where its things lie ([`places`]), what time it is
//! ([`clock`]) and how far that is believed ([`believed_time`]), whether configuration codes count ([`service_window`]), other machines it may speak with ([`peer`]), and files that
//! are replaced whole ([`atomic_file`]).
//!
//! Nothing here knows of lanes at work, lists or rows: those who do are given what this crate reads.

pub mod atomic_file;
pub mod backoff;
pub mod believed_time;
pub mod board;
pub mod causes;
pub mod chance;
pub mod chrony;
pub mod clock;
pub mod config;
pub mod gpsd;
pub mod hearing;
pub mod instance;
pub mod peer;
pub mod places;
pub mod retry_after;
pub mod service_window;
pub mod settled;

/// The release of this program, for pages, rows and requests.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");
