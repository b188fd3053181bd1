//! What people see: the lane screen and the operator's page, on the loopback address only; the second line's desk elsewhere, too ([`desk`]).
//!
//! [`view`] and [`status`] say what can be shown, [`hub`] carries the newest of it from the lanes to whoever looks, [`server`] serves it.
//! Nothing here decides or keeps anything. A browser that is slow, gone or hostile costs a lane nothing: a lane writes
//! its newest state into a slot and never waits for a reader.

pub mod desk;
pub mod hub;
pub mod metrics;
pub mod overrides;
pub mod places;
pub mod second_line;
pub mod server;
pub mod status;
pub mod strings;
pub mod view;
pub mod visitor;
pub mod voice;
