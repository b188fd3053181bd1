//! From a decision to its row. Pure: what is not a parameter here cannot get into the log.

use std::time::Duration;

use cache::log::{self, Direction, ScanRow, Token, UnixMillis};
use host::config;
use lane::machine::{GateEvent, Passage};
use trustlist::{judge::Decision, time::TimeTrust};

/// Where and when a decision was made.
pub struct ScanContext<'a> {
    /// The device's clock, to the millisecond.
    pub at: UnixMillis,
    /// How far it is believed.
    pub time_trust: TimeTrust,
    /// The lane.
    pub lane: &'a config::Lane,
    /// From the first decodable frame to the decision.
    pub took: Duration,
}

/// The row of one decision.
pub fn scan_row(decision: &Decision, context: &ScanContext<'_>, token: Option<Token>) -> ScanRow {
    ScanRow {
        at_ms: context.at,
        time_trust: context.time_trust,
        lane: context.lane.id.clone(),
        direction: direction(context.lane.direction),
        verdict: decision.verdict,
        reason: decision.reason,
        detail: decision.detail.map(str::to_owned),
        issuer: decision.issuer,
        kid: decision.kid.map(|kid| kid.to_string()),
        format: decision.format.map(|format| format.code().to_owned()),
        route: decision.route.map(|route| route.code().to_owned()),
        list_generation: decision.list_generation,
        list_age_s: decision.list_age_s,
        token,
        time_to_verdict_us: u32::try_from(context.took.as_micros()).unwrap_or(u32::MAX),
        passage: log::Passage::Unobserved,
    }
}

/// Which way a lane leads, as the log records it.
pub const fn direction(direction: config::Direction) -> Direction {
    match direction {
        config::Direction::Entry => Direction::Entry,
        config::Direction::Exit => Direction::Exit,
    }
}

/// What the lane's state machine says of a passage, as the log records it.
pub const fn passage(passage: Passage) -> log::Passage {
    match passage {
        Passage::Passed => log::Passage::Passed,
        Passage::NotTaken => log::Passage::NotTaken,
    }
}

/// What the lane's state machine says of the gate, as the log records it.
pub const fn gate_event(event: GateEvent) -> log::Unbidden {
    match event {
        GateEvent::Alarm => log::Unbidden::Alarm,
        GateEvent::AlarmOver => log::Unbidden::AlarmOver,
        GateEvent::Forced => log::Unbidden::Forced,
    }
}
