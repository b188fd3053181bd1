//! The memory: scan log, outbox, floor of time, and the verified trust store, in SQLite.
//!
//! What is absent: nothing here asks the machine what time it is, or for chance (moments are arguments, and whoever opens a log gives
//! it a [`machine::Machine`]), and no row, error or log line holds a payload, a name or a document number.

#![forbid(unsafe_code)]

pub mod exchange;
pub mod floors;
pub mod log;
pub mod machine;
pub mod outbox;
pub mod state_lock;
pub mod trust_store;
