//! What a publisher runs: keys, lists, publishing, test codes. Never installed on a gate.
//!
//! What a province, a city or the national platform runs, each on its own machine. The only code of the project that signs.
//! Time is an argument here too; only the command asks the machine for it.

#![forbid(unsafe_code)]

pub mod authority;
pub mod changes;
pub mod code;
#[cfg(feature = "commands")]
pub mod commands;
pub mod deltas;
pub mod fault;
pub mod federation;
mod files;
pub mod import;
pub mod key;
pub mod last;
pub mod metadata;
pub mod mirror;
pub mod national;
pub mod place;
pub mod policy;
pub mod publish;
pub mod regions;
pub mod rotate;
pub mod status;
pub mod statuses;
pub mod terms;
#[cfg(feature = "pkcs11")]
pub mod token;
pub mod workspace;

pub use authority::{Authority, AuthorityError, CodeError, Plan, RolePlan, Source};
pub use fault::WorkspaceError;
pub use federation::Federation;
pub use workspace::Workspace;
