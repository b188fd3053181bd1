//! The stored floor of time follows what is sure of a later or an earlier time, with a row of each move that somebody might ask about.

use std::time::Duration;

use cache::log::Writer;
use trustlist::time::{
    TimeTrust, UnixTime,
    clock::{Because, Judged},
    floor::Evidence,
};

use super::Reporter;

/// How far a clock that somebody settled may lie below the floor before that is a move.
const SKEW_S: i64 = 300;

impl Reporter {
    /// The floor of time follows a clock that is confirmed below it, and what is evidence of a later time, with a row that says so.
    pub(super) fn follow(&mut self, writer: &Writer, clock: Judged, now: Duration) {
        let stored = self.others.time.last_sure();
        let settled =
            clock.because == Because::Settled && stored.is_some_and(|stored| clock.moment.at.plus(SKEW_S) < stored);
        let lowered = self.floor.look(&clock, now);
        let evidence = match lowered {
            _ if settled => "settled-by-root",
            Some(_) => "confirmed-clock",
            None => return self.follow_up(writer, clock, stored),
        };
        let to = clock.moment.at;
        let from = stored.map_or("nothing".to_owned(), |stored| stored.to_string());
        log::warn!("the floor of time goes back from {from} to {to}: {evidence}");
        // The row is written when the disk allows; nobody here waits for it.
        drop(writer.move_floor(to.into(), evidence, to.into()));
        self.others.time.remember(Some(to));
    }

    /// The floor of time rises with a clock that is confirmed, and to what a quorum of issuers signed. Where it jumps by more than the clocks'
    /// allowance, as after a night without power, there is a row.
    fn follow_up(&self, writer: &Writer, clock: Judged, stored: Option<UnixTime>) {
        let sure = matches!(clock.moment.trust, TimeTrust::Synced | TimeTrust::Holdover);
        let (to, evidence) = match clock.floor.evidence {
            _ if sure => (clock.moment.at, "confirmed-clock"),
            Evidence::Quorum => (clock.floor.at, Evidence::Quorum.code()),
            Evidence::BuildDate | Evidence::LastSure => return,
        };
        match stored {
            Some(stored) if to > stored.plus(SKEW_S) => {
                log::info!("the floor of time rises from {stored} to {to}: {evidence}");
                // The row is written when the disk allows; nobody here waits for it.
                drop(writer.move_floor(to.into(), evidence, to.into()));
            }
            Some(stored) if to > stored && sure => (),
            // Nothing was known before: the floor begins, and does not move.
            None if sure => (),
            _ => return,
        }
        self.others.time.remember(Some(to));
    }
}
