//! A simulated world around one gate: clocks, a disk, mirrors, a centre, an operator and travellers, all drawn from one seed, with days
//! of the gate's life in a second. What runs in it are the product's parts; what is simulated are the edges that they are given.
//!
//! ```text
//! seed ─► history ─► world ─┬─ lanes ─ judge ─ log (SQLite on a simulated disk) ─ courier ─► centre
//!                           └─ clock ─ mirror ─ trust store (the same disk) ─ lists in force
//! ```
//!
//! - [`history`] draws what happens; [`world`] lets it happen to a [`gate`]; [`ledger`] is what the world knows of it.
//! - [`oracles`] are what must hold whatever happened; [`mod@reference`] is the second judge, a table of what an admission needs.
//! - [`shrink`] shortens a history that ended badly; [`story`] tells it.
//! - [`mutation`] puts faults back in that were found before: one that nothing notices is an oracle that is missing.

#![forbid(unsafe_code)]

pub mod centre;
pub mod country;
pub mod gate;
pub mod history;
pub mod ledger;
pub mod mirror;
pub mod mutation;
pub mod oracles;
pub mod reference;
pub mod shrink;
pub mod story;
pub mod upload;
pub mod world;
