//! Evidence before opening: how many gates may open before the rows of their travellers are on the disk.
//!
//! A disk that is slow must not close a gate, and a disk that hangs must not leave it open for ever. So a gate may open before its row
//! is durable, but only a few times, and only for a moment: at most [`Bounds::openings`] over all lanes, and none later than
//! [`Bounds::age`] after the oldest row that waits. What opened and never got its row is counted, and the chain says so afterwards.
//!
//! Pure: moments are arguments, counted from any fixed one on the monotonic clock.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::unix_millis::UnixMillis;

/// How far the gates may run ahead of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Openings over all lanes whose rows are not durable yet.
    pub openings: u32,
    /// Time since the oldest row that is not durable, after which no gate opens.
    pub age: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { openings: 8, age: Duration::from_secs(2) }
    }
}

/// Why a gate does not open now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objection {
    /// So many openings wait for their rows.
    TooMany(u32),
    /// A row has waited for the disk this long.
    TooOld(Duration),
}

impl Objection {
    /// The stable word for rows and screens.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooMany(_) => "too-many-openings-without-a-row",
            Self::TooOld(_) => "disk-hangs",
        }
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany(openings) => write!(f, "{openings} gates opened whose rows are not on the disk yet"),
            Self::TooOld(age) => write!(f, "the disk has not taken a row for {:.1} s", age.as_secs_f64()),
        }
    }
}

/// Names one row on its way to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// An opening that the chain will never show, summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// How many.
    pub openings: u64,
    /// When the first of them was judged.
    pub first: UnixMillis,
    /// When the last was.
    pub last: UnixMillis,
}

/// An opening on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Opening {
    at: UnixMillis,
    /// Whether the gate has moved without waiting any longer.
    moved: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    since: Duration,
    opening: Option<Opening>,
}

/// What became of an opening whose row was decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The row is durable.
    Durable,
    /// The row is lost; the gate did not move.
    Withheld,
    /// The row is lost; the gate had moved.
    Lost,
}

/// Rows on their way to the disk, and openings that ended without one.
#[derive(Debug, Default)]
pub struct Openings {
    bounds: Bounds,
    next: u64,
    rows: BTreeMap<Ticket, Row>,
    lost: Option<Lost>,
}

impl Openings {
    /// None on their way.
    #[must_use]
    pub fn new(bounds: Bounds) -> Openings {
        Openings { bounds, ..Openings::default() }
    }

    /// Other bounds from here on.
    pub fn bind(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// The bounds in force.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// A row that opens no gate goes to the disk.
    pub fn row(&mut self, now: Duration) -> Ticket {
        self.enter(Row { since: now, opening: None })
    }

    /// A row whose gate will wait for it up to `wait` and open then. Asked before the row is written, so that a row that says `admit`
    /// is never one whose traveller was referred.
    ///
    /// # Errors
    /// When the gate could open too late or once too often.
    pub fn opening(&mut self, now: Duration, wait: Duration, at: UnixMillis) -> Result<Ticket, Objection> {
        match self.objection(now, wait) {
            Some(objection) => Err(objection),
            None => Ok(self.enter(Row { since: now, opening: Some(Opening { at, moved: false }) })),
        }
    }

    /// Why a gate that waits up to `wait` from now on does not open; `None` when it may.
    #[must_use]
    pub fn objection(&self, now: Duration, wait: Duration) -> Option<Objection> {
        if let Some(age) = self.oldest(now).filter(|age| *age + wait > self.bounds.age) {
            return Some(Objection::TooOld(age));
        }
        let waiting = self.rows.values().filter(|row| row.opening.is_some()).count();
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        (waiting >= self.bounds.openings).then_some(Objection::TooMany(waiting))
    }

    /// The gate moves without waiting any longer. `false`: the row has been decided about meanwhile; ask what became of it.
    #[must_use]
    pub fn moves(&mut self, ticket: Ticket) -> bool {
        let Some(opening) = self.rows.get_mut(&ticket).and_then(|row| row.opening.as_mut()) else { return false };
        opening.moved = true;
        true
    }

    /// The row is on the disk.
    pub fn durable(&mut self, ticket: Ticket) -> Settled {
        self.rows.remove(&ticket);
        Settled::Durable
    }

    /// The row will never be on the disk.
    pub fn failed(&mut self, ticket: Ticket) -> Settled {
        let Some(Row { opening: Some(Opening { at, moved: true }), .. }) = self.rows.remove(&ticket) else {
            return Settled::Withheld;
        };
        let lost = self.lost.get_or_insert(Lost { openings: 0, first: at, last: at });
        lost.openings += 1;
        (lost.first, lost.last) = (lost.first.min(at), lost.last.max(at));
        Settled::Lost
    }

    /// Openings without a row of which the chain does not know yet.
    #[must_use]
    pub fn lost(&self) -> Option<Lost> {
        self.lost
    }

    /// The chain says so now.
    pub fn recorded(&mut self, recorded: Lost) {
        self.lost = self.lost.filter(|lost| lost.openings > recorded.openings).map(|lost| Lost {
            openings: lost.openings - recorded.openings,
            first: recorded.last,
            last: lost.last,
        });
    }

    /// Gates that moved and whose rows are still on their way.
    #[must_use]
    pub fn ahead(&self) -> u64 {
        let moved = |row: &&Row| row.opening.is_some_and(|opening| opening.moved);
        self.rows.values().filter(moved).count() as u64
    }

    /// How long the oldest row has waited.
    #[must_use]
    pub fn oldest(&self, now: Duration) -> Option<Duration> {
        // Tickets are given in the order of time.
        self.rows.values().next().map(|row| now.saturating_sub(row.since))
    }

    fn enter(&mut self, row: Row) -> Ticket {
        self.next += 1;
        let ticket = Ticket(self.next);
        self.rows.insert(ticket, row);
        ticket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(50);
    const AT: UnixMillis = UnixMillis(1_612_137_600_000);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_disk_that_hangs_lets_eight_gates_open_and_no_more() {
        let mut openings = Openings::new(Bounds::default());
        for n in 0..8 {
            let ticket = openings.opening(ms(n * 100), WAIT, AT.plus(n as i64)).expect("within the bound");
            assert!(openings.moves(ticket));
        }
        assert_eq!(openings.opening(ms(800), WAIT, AT), Err(Objection::TooMany(8)));
        assert_eq!(openings.ahead(), 8);
    }

    #[test]
    fn no_gate_opens_later_than_two_seconds_after_the_oldest_row_that_waits() {
        for (asked, opens) in [(0, true), (1000, true), (1950, true), (1951, false), (2000, false), (60_000, false)] {
            let mut openings = Openings::new(Bounds::default());
            openings.row(ms(0));
            let answer = openings.opening(ms(asked), WAIT, AT);
            assert_eq!(answer.is_ok(), opens, "asked after {asked} ms: {answer:?}");
        }
    }

    #[test]
    fn what_is_durable_makes_room_for_the_next() {
        let mut openings = Openings::new(Bounds { openings: 1, ..Bounds::default() });
        let first = openings.opening(ms(0), WAIT, AT).expect("the first");
        assert_eq!(openings.opening(ms(1), WAIT, AT), Err(Objection::TooMany(1)));
        assert_eq!(openings.durable(first), Settled::Durable);
        let second = openings.opening(ms(5000), WAIT, AT).expect("nothing waits");
        assert!(!openings.moves(first), "the first was decided about");
        assert!(openings.moves(second));
    }

    #[test]
    fn only_a_gate_that_moved_without_its_row_is_counted_and_only_until_the_chain_says_so() {
        let mut openings = Openings::new(Bounds::default());
        let withheld = openings.opening(ms(0), WAIT, AT).expect("the first");
        assert_eq!(openings.failed(withheld), Settled::Withheld);
        let refusal = openings.row(ms(0));
        assert_eq!(openings.failed(refusal), Settled::Withheld);
        assert_eq!(openings.lost(), None);
        for n in [3, 1, 2] {
            let ticket = openings.opening(ms(1), WAIT, AT.plus(n)).expect("room");
            assert!(openings.moves(ticket));
            assert_eq!(openings.failed(ticket), Settled::Lost);
        }
        let lost = openings.lost().expect("three");
        assert_eq!(lost, Lost { openings: 3, first: AT.plus(1), last: AT.plus(3) });
        let later = openings.opening(ms(2), WAIT, AT.plus(9)).expect("room");
        assert!(openings.moves(later));
        assert_eq!(openings.failed(later), Settled::Lost);
        openings.recorded(lost);
        assert_eq!(openings.lost().map(|lost| (lost.openings, lost.last)), Some((1, AT.plus(9))));
        openings.recorded(openings.lost().expect("one"));
        assert_eq!(openings.lost(), None);
    }
}
