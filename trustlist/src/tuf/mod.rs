//! The Update Framework's client workflow (specification 1.0.x, §5) as pure functions: bytes, trusted state and a moment in, a new state or
//! a refusal out.
//!
//! Nothing here fetches, stores or knows the time. [`Trusted`] is what was accepted, byte for byte as received; [`workflow::refresh`] asks
//! its caller for files by name and takes them in the specification's order. A refusal leaves what was accepted before it, so a state is
//! acceptable after every step.

pub mod key;
pub mod pattern;
pub mod refusal;
pub mod schema;
mod threshold;
pub mod trusted;
pub mod workflow;

pub use refusal::{Refusal, Why};
pub use trusted::Trusted;
pub use workflow::{Answer, Fetch, Request, find_target, refresh, target_request};

/// Largest metadata file. Stops endless data.
pub const MAX_METADATA: u64 = 1024 * 1024;
/// Root rotations followed in one refresh. Stops an endless chain.
pub const MAX_ROTATIONS: u64 = 64;
/// Delegated roles looked at for one target. Stops a maze.
pub const MAX_DELEGATIONS: usize = 32;
