//! A history: everything that happens around one gate, drawn from one seed before anything runs.
//!
//! Each event carries all that was drawn for it, so that taking one away changes no other: a history that ends badly can be
//! shortened to the few events that matter ([`crate::shrink`]).

use fastrand::Rng;

/// Microseconds since the world began.
pub type Micros = u64;

/// One second.
pub const SECOND: Micros = 1_000_000;
/// One hour.
pub const HOUR: Micros = 3600 * SECOND;

/// Who issues in this country, by their place in [`crate::country::ISSUERS`].
pub type IssuerIndex = usize;

/// How a code was spoilt by whoever shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Forgery {
    /// It was not.
    Genuine,
    /// Its claims were changed after they were signed.
    Tampered,
    /// Somebody else's key signed it.
    OtherKey,
    /// Its end is missing.
    CutShort,
}

/// A code that a traveller has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Code {
    /// Whose.
    pub issuer: IssuerIndex,
    /// The holder's number: the code's id and its place in the status list. Two issuers may give the same one.
    pub person: u32,
    /// When it was issued, in seconds since the world began; it is good for a day.
    pub issued: i64,
    /// 0 green, 1 yellow, 2 red.
    pub colour: u8,
    /// Whether the nation countersigned.
    pub vouched: bool,
    /// What was done to it.
    pub forgery: Forgery,
}

/// What is held before a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// One code.
    One(Code),
    /// A code, with a sticker beside it that begins like a code and is none.
    WithSticker(Code),
    /// Two travellers' codes at once.
    Two(Code, Code),
    /// A bus ticket.
    Ticket,
}

/// What the clock's battery and the system make of a power-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootClock {
    /// A battery carried the clock on.
    Battery,
    /// It stands where it was.
    Stopped,
    /// It begins in 1970.
    Epoch,
}

/// What a time service says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeService {
    /// The truth.
    Right,
    /// A time that is off by so many seconds.
    Lies(i64),
    /// Nothing.
    Silent,
}

/// How the disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskState {
    /// Well.
    Well,
    /// Each transaction takes up to so many milliseconds.
    Slow(u32),
    /// Nothing written comes back.
    Hangs,
    /// So many of a thousand writes and flushes fail.
    Errors(u16),
    /// No space is left.
    Full,
    /// Mounted for reading only.
    ReadOnly,
}

/// How the mirror is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorState {
    /// Current and whole.
    Well,
    /// It does not answer.
    Silent,
    /// It keeps what it had when this began.
    Frozen,
    /// A part of its files is missing; the number chooses which.
    Half(u8),
    /// A page asks for a room number instead of every file.
    Portal,
    /// Files never end.
    Endless,
    /// Files are cut short or have a flipped bit.
    Corrupt(u8),
    /// It goes back to what it had at the beginning.
    RolledBack,
}

/// How the centre is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CentreState {
    /// Well.
    Well,
    /// It does not answer.
    Silent,
    /// It stores, and its answers are lost.
    AnswersLost,
    /// Something on the way takes batches with `200` and stores nothing.
    Swallows,
    /// It answers with the first receipt that it ever gave.
    Repeats,
    /// It refuses every row, signed.
    Refuses,
}

/// What somebody publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// The same, newly signed.
    Routine,
    /// With these holders' codes revoked.
    Revokes(u32),
    /// Dated two hundred days ahead.
    OfTheFuture,
    /// The nation suspends the recognition of this issuer for so many hours.
    Suspends(IssuerIndex, u8),
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A traveller comes to a lane.
    Traveller {
        /// Which.
        lane: usize,
        /// With what.
        shown: Shown,
    },
    /// Somebody or something sets the clock by so many seconds.
    ClockStep(i64),
    /// The clock is set to a year's first of January: 1970, 2036, 2038.
    ClockYear(i64),
    /// The time service changes.
    Service(TimeService),
    /// The disk changes.
    Disk(DiskState),
    /// The mirror changes.
    Mirror(MirrorState),
    /// The centre changes.
    Centre(CentreState),
    /// The centre's database is lost, and begun anew.
    CentreForgets,
    /// An issuer publishes.
    Publishes(IssuerIndex, Publication),
    /// The power goes, for so many seconds.
    PowerCut {
        /// How long.
        seconds: u32,
        /// While a transaction is being written.
        amid: bool,
        /// What becomes of the clock.
        clock: BootClock,
    },
    /// The process is killed; it is started again two seconds later.
    Kill,
    /// The network's link comes up.
    LinkUp,
    /// The operator verifies and reads the whole log.
    Export,
    /// The operator prunes what is old.
    Prune,
}

/// Something at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When.
    pub at: Micros,
    /// What.
    pub event: Event,
}

/// How one gate is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Lanes.
    pub lanes: usize,
    /// Anti-passback window, in seconds; 0 for none.
    pub window: u32,
    /// Days rows are kept.
    pub keep_days: u32,
    /// Hours between two rounds of the mirrors.
    pub sync_hours: u32,
    /// Whether there is a centre that signs receipts.
    pub centre: bool,
}

/// Everything that happens to one gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Where it all comes from.
    pub seed: u64,
    /// How the gate is set up.
    pub setup: Setup,
    /// How long it lasts.
    pub length: Micros,
    /// What happens, in order.
    pub happenings: Vec<Happening>,
}

/// Kinds of faults, each with a rate of its own in a history.
const KINDS: usize = 9;

impl History {
    /// The history of this seed, so many hours long.
    #[must_use]
    pub fn draw(seed: u64, hours: u64, lanes: Option<usize>) -> History {
        let mut draw = Rng::with_seed(seed);
        let setup = Setup {
            lanes: lanes.unwrap_or_else(|| draw.usize(1..=4)),
            window: [0, 600, 3600, 6 * 3600][draw.usize(..4)],
            keep_days: draw.u32(1..=3),
            sync_hours: draw.u32(1..=6),
            centre: draw.u8(..4) > 0,
        };
        let length = hours * HOUR;
        let mut happenings = Vec::new();
        travellers(&mut Rng::with_seed(draw.u64(..)), &setup, length, &mut happenings);
        publications(&mut Rng::with_seed(draw.u64(..)), length, &mut happenings);
        // Most histories have few kinds of faults, some many: what hides behind one kind is seen without it.
        for kind in 0..KINDS {
            let (rate, mut own) = (draw.u64(..3), Rng::with_seed(draw.u64(..)));
            // Of three rates one is never.
            for _ in 0..rate * length.div_ceil(24 * HOUR) * 2 {
                faults(kind, &mut own, length, &mut happenings);
            }
        }
        happenings.sort_by_key(|happening| happening.at);
        History { seed, setup, length, happenings }
    }
}

fn travellers(draw: &mut Rng, setup: &Setup, length: Micros, into: &mut Vec<Happening>) {
    let mut known: Vec<Code> = Vec::new();
    let mut at = 0;
    // A gate has rushes of a few minutes and quiet nights.
    while at < length {
        at += draw.u64(SECOND..HOUR);
        let rush = draw.u32(1..120);
        for _ in 0..rush {
            at += draw.u64(200_000..6 * SECOND);
            if at >= length {
                return;
            }
            let code = traveller(draw, at, &mut known);
            let lane = draw.usize(..setup.lanes);
            let shown = match draw.u8(..60) {
                0 => Shown::Two(code, traveller(draw, at, &mut known)),
                1 => Shown::Ticket,
                2 | 3 => Shown::WithSticker(code),
                _ => Shown::One(code),
            };
            into.push(Happening { at, event: Event::Traveller { lane, shown: shown.clone() } });
            // The same code at another lane, in the same breath or a little later.
            if draw.u8(..12) == 0 {
                let at = at + [0, 1000, 30_000, SECOND, 40 * SECOND][draw.usize(..5)];
                let event = Event::Traveller { lane: draw.usize(..setup.lanes), shown };
                into.push(Happening { at, event });
            }
        }
    }
}

fn traveller(draw: &mut Rng, at: Micros, known: &mut Vec<Code>) -> Code {
    if !known.is_empty() && draw.u8(..4) == 0 {
        return known[draw.usize(..known.len())];
    }
    let now = i64::try_from(at / SECOND).unwrap_or(i64::MAX);
    let code = Code {
        issuer: [0, 0, 0, 1, 1, 2, 3, 4, 5][draw.usize(..9)],
        person: draw.u32(..1020),
        issued: now - [0, 60, 3600, 40_000, 80_000, 90_000][draw.usize(..6)] - i64::from(draw.u8(..)),
        colour: [0, 0, 0, 0, 0, 0, 0, 1, 2][draw.usize(..9)],
        vouched: draw.u8(..4) > 0,
        forgery: match draw.u8(..40) {
            0 => Forgery::Tampered,
            1 => Forgery::OtherKey,
            2 => Forgery::CutShort,
            _ => Forgery::Genuine,
        },
    };
    // Two provinces number alike.
    let twin = Code { issuer: 1, ..code };
    let remembered = if draw.u8(..10) == 0 && code.issuer == 0 { twin } else { code };
    if known.len() < 64 {
        known.push(remembered)
    } else {
        known[draw.usize(..64)] = remembered
    }
    code
}

fn publications(draw: &mut Rng, length: Micros, into: &mut Vec<Happening>) {
    for issuer in 0..crate::country::ISSUERS.len() {
        let mut at = draw.u64(..HOUR);
        while at < length {
            let publication = match draw.u8(..5) {
                0 if issuer > 0 => Publication::Revokes(draw.u32(..1000)),
                _ => Publication::Routine,
            };
            into.push(Happening { at, event: Event::Publishes(issuer, publication) });
            at += draw.u64(4 * HOUR..20 * HOUR);
        }
    }
}

fn faults(kind: usize, draw: &mut Rng, length: Micros, into: &mut Vec<Happening>) {
    let at = draw.u64(..length);
    let lasts = SECOND + up_to(draw, [60 * SECOND, HOUR, 30 * HOUR]);
    let (event, ends) = match kind {
        0 => (
            Event::PowerCut {
                seconds: u32::try_from(1 + up_to(draw, [60, 4000, 4000])).unwrap_or(1),
                amid: draw.bool(),
                clock: [BootClock::Battery, BootClock::Stopped, BootClock::Epoch][draw.usize(..3)],
            },
            None,
        ),
        1 => (Event::Kill, None),
        2 => {
            let step = 1 + seconds(draw, [120, 7200, 40 * 86_400]);
            let event = match draw.u8(..8) {
                0 => Event::ClockYear([1970, 2036, 2038][draw.usize(..3)]),
                1..=4 => Event::ClockStep(step),
                _ => Event::ClockStep(-step),
            };
            (event, None)
        }
        3 => {
            let lie = 400 + seconds(draw, [7200, 40 * 86_400, 12 * 365 * 86_400]);
            let service = match draw.u8(..4) {
                0 => TimeService::Lies(lie),
                1 => TimeService::Lies(-lie),
                _ => TimeService::Silent,
            };
            (Event::Service(service), Some(Event::Service(TimeService::Right)))
        }
        4 => {
            let state = match draw.u8(..6) {
                0 | 1 => DiskState::Slow(draw.u32(10..600)),
                2 => DiskState::Hangs,
                3 => DiskState::Errors(draw.u16(1..300)),
                4 => DiskState::Full,
                _ => DiskState::ReadOnly,
            };
            (Event::Disk(state), Some(Event::Disk(DiskState::Well)))
        }
        5 => {
            let state = match draw.u8(..7) {
                0 => MirrorState::Silent,
                1 => MirrorState::Frozen,
                2 => MirrorState::Half(draw.u8(..)),
                3 => MirrorState::Portal,
                4 => MirrorState::Endless,
                5 => MirrorState::RolledBack,
                _ => MirrorState::Corrupt(draw.u8(..)),
            };
            (Event::Mirror(state), Some(Event::Mirror(MirrorState::Well)))
        }
        6 => {
            let state = [
                CentreState::Silent,
                CentreState::AnswersLost,
                CentreState::Swallows,
                CentreState::Repeats,
                CentreState::Refuses,
            ][draw.usize(..5)];
            if draw.u8(..6) == 0 {
                (Event::CentreForgets, None)
            } else {
                (Event::Centre(state), Some(Event::Centre(CentreState::Well)))
            }
        }
        7 => {
            let issuer = draw.usize(1..crate::country::ISSUERS.len());
            let event = match draw.u8(..3) {
                0 => Event::Publishes(issuer, Publication::OfTheFuture),
                1 => Event::Publishes(0, Publication::Suspends(draw.usize(2..=3), draw.u8(1..40))),
                _ => Event::Publishes(issuer, Publication::Revokes(draw.u32(..1000))),
            };
            (event, None)
        }
        _ => ([Event::LinkUp, Event::Export, Event::Prune][draw.usize(..3)].clone(), None),
    };
    into.push(Happening { at, event });
    if let Some(event) = ends {
        into.push(Happening { at: (at + lasts).min(length), event });
    }
}

/// Less than one of three bounds: short things are as common as long ones.
fn up_to(draw: &mut Rng, bounds: [u64; 3]) -> u64 {
    let bound = bounds[draw.usize(..3)];
    draw.u64(..bound)
}

fn seconds(draw: &mut Rng, bounds: [u64; 3]) -> i64 {
    i64::try_from(up_to(draw, bounds)).unwrap_or(i64::MAX)
}
