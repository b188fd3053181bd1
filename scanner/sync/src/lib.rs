//! The couriers of a checkpoint: newer lists come in ([`lists`], [`update`]), rows go out ([`upload`]), once a centre has taken the device
//! on ([`enrolment`]).
//!
//! No verdict waits for any of it. What comes in is verified whole before it counts ([`trustlist::tuf`]); what goes out stays in the
//! outbox until the centre has it ([`cache::outbox`]).

pub mod enrolment;
pub mod error;
pub mod lists;
pub mod update;
pub mod upload;
