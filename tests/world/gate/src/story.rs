//! A history in plain sentences.

use crate::{
    country::ISSUERS,
    history::{
        BootClock, CentreState, Code, DiskState, Event, Forgery, History, MirrorState, Publication, Shown, TimeService,
    },
    oracles::Violation,
};

/// The kind of an event, for counting.
#[must_use]
pub fn kind(event: &Event) -> &'static str {
    match event {
        Event::Traveller { .. } => "a traveller",
        Event::ClockStep(_) | Event::ClockYear(_) => "the clock is set",
        Event::Service(TimeService::Right) => "the time service is right again",
        Event::Service(TimeService::Lies(_)) => "the time service lies",
        Event::Service(TimeService::Silent) => "the time service is silent",
        Event::Disk(DiskState::Well) => "the disk is well again",
        Event::Disk(DiskState::Slow(_)) => "the disk is slow",
        Event::Disk(DiskState::Hangs) => "the disk hangs",
        Event::Disk(DiskState::Errors(_)) => "the disk gives errors",
        Event::Disk(DiskState::Full) => "the disk is full",
        Event::Disk(DiskState::ReadOnly) => "the disk is read-only",
        Event::Mirror(MirrorState::Well) => "the mirror is well again",
        Event::Mirror(_) => "the mirror is ill",
        Event::Centre(CentreState::Well) => "the centre is well again",
        Event::Centre(_) => "the centre is ill",
        Event::CentreForgets => "the centre loses its database",
        Event::Publishes(_, Publication::OfTheFuture) => "an issuer publishes in the future",
        Event::Publishes(_, Publication::Revokes(_)) => "an issuer revokes",
        Event::Publishes(_, Publication::Suspends(..)) => "the nation suspends a recognition",
        Event::Publishes(_, Publication::Routine) => "an issuer publishes",
        Event::PowerCut { .. } => "the power goes",
        Event::Kill => "the process is killed",
        Event::LinkUp => "the link comes up",
        Event::Export => "the operator reads the log",
        Event::Prune => "the operator prunes",
    }
}

fn code(code: &Code) -> String {
    let colour = ["green", "yellow", "red"][usize::from(code.colour.min(2))];
    let forgery = match code.forgery {
        Forgery::Genuine => "",
        Forgery::Tampered => ", changed after it was signed",
        Forgery::OtherKey => ", signed by nobody's key",
        Forgery::CutShort => ", cut short",
    };
    let issued = code.issued as f64 / 3600.0;
    format!(
        "a {colour} code of {} for person {}, issued at hour {issued:.2}{forgery}",
        ISSUERS[code.issuer], code.person
    )
}

fn sentence(event: &Event) -> String {
    match event {
        Event::Traveller { lane, shown } => match shown {
            Shown::One(one) => format!("At lane {lane} somebody shows {}.", code(one)),
            Shown::WithSticker(one) => format!("At lane {lane}, beside a sticker, somebody shows {}.", code(one)),
            Shown::Two(one, other) => format!("At lane {lane} two hold up {} and {}.", code(one), code(other)),
            Shown::Ticket => format!("At lane {lane} somebody shows a bus ticket."),
        },
        Event::ClockStep(seconds) => format!("The gate's clock is set by {seconds} s."),
        Event::ClockYear(year) => format!("The gate's clock is set to {year}."),
        Event::Service(TimeService::Lies(seconds)) => {
            format!("The time service says a time that is off by {seconds} s.")
        }
        Event::Service(TimeService::Silent) => "The time service falls silent.".to_owned(),
        Event::Service(TimeService::Right) => "The time service says the right time.".to_owned(),
        Event::Disk(state) => format!("The disk: {state:?}."),
        Event::Mirror(state) => format!("The mirror: {state:?}."),
        Event::Centre(state) => format!("The centre: {state:?}."),
        Event::CentreForgets => "The centre loses its database, and begins another.".to_owned(),
        Event::Publishes(issuer, what) => format!("{} publishes: {what:?}.", ISSUERS[*issuer]),
        Event::PowerCut { seconds, amid, clock } => {
            let amid = if *amid { ", while a transaction is being written" } else { "" };
            let clock = match clock {
                BootClock::Battery => "a battery carries the clock on",
                BootClock::Stopped => "the clock stands still meanwhile",
                BootClock::Epoch => "the clock begins in 1970",
            };
            format!("The power goes for {seconds} s{amid}; {clock}.")
        }
        Event::Kill => "The process is killed, and started again.".to_owned(),
        Event::LinkUp => "The network's link comes up.".to_owned(),
        Event::Export => "The operator reads and verifies the log.".to_owned(),
        Event::Prune => "The operator prunes what is old.".to_owned(),
    }
}

fn clock(at: u64) -> String {
    let seconds = at / 1_000_000;
    format!("{:>4}:{:02}:{:02}.{:06}", seconds / 3600, seconds / 60 % 60, seconds % 60, at % 1_000_000)
}

/// The whole history, and how it ended.
#[must_use]
pub fn tell(history: &History, violation: &Violation) -> String {
    let setup = history.setup;
    let mut lines = vec![format!(
        "Seed {}: {} lanes, a code once in {} s, rows kept {} days, mirrors every {} h, {} centre.",
        history.seed,
        setup.lanes,
        setup.window,
        setup.keep_days,
        setup.sync_hours,
        if setup.centre { "a" } else { "no" }
    )];
    lines.extend(
        history.happenings.iter().map(|happening| format!("{}  {}", clock(happening.at), sentence(&happening.event))),
    );
    lines.push(format!("{}  {} does not hold: {}.", clock(violation.at), violation.oracle, violation.what));
    lines.join("\n")
}
