//! How long this device has lived, and how long its clock has been steady: what may delete rows must not be a clock alone.
//!
//! Lived time is the kernel's count since boot (`CLOCK_BOOTTIME`), summed over boots and stored with each anchor. Nobody can move it
//! forward but by waiting. A clock counts only after it was confirmed without a jump for a whole lived day. Pure but for reading the
//! kernel's count.

use std::{fs, time::Duration};

use trustlist::time::TimeTrust;
use uuid::Uuid;

use super::unix_millis::UnixMillis;

/// Difference between clock and lived time that is no jump.
const SKEW_MS: i64 = 300_000;
/// A device that was without power for so long has not jumped: a post that is switched off at night.
const OFF_MS: i64 = 86_400_000;
/// How long a clock must have been confirmed without a jump before it may delete anything.
pub const STEADY: Duration = Duration::from_secs(86_400);

/// Which boot this is, and how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uptime {
    /// The boot's random name.
    pub boot: Uuid,
    /// Time since, suspended or not.
    pub up: Duration,
}

impl Uptime {
    /// What the kernel says; `None` where it says nothing.
    #[must_use]
    pub fn of_this_machine() -> Option<Uptime> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().parse().ok()?;
        let text = fs::read_to_string("/proc/uptime").ok()?;
        let up = text.split_whitespace().next()?.parse().ok().filter(|up: &f64| up.is_finite() && *up >= 0.0)?;
        Some(Uptime { boot, up: Duration::from_secs_f64(up) })
    }
}

/// What is stored: lived time, and the moment of its boot at which it was so much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Lived.
    pub lived: Duration,
    /// Then.
    pub then: Option<Uptime>,
}

impl Stored {
    /// Lived time now.
    #[must_use]
    pub fn now(self, now: Option<Uptime>) -> Duration {
        match (self.then, now) {
            (_, None) => self.lived,
            (Some(then), Some(now)) if then.boot == now.boot => self.lived + now.up.saturating_sub(then.up),
            (_, Some(now)) => self.lived + now.up,
        }
    }

    /// As text in the database.
    #[must_use]
    pub fn text(&self) -> String {
        let then = self.then.map_or(String::new(), |then| format!(" {} {}", then.boot, then.up.as_millis()));
        format!("{}{then}", self.lived.as_millis())
    }

    /// Reads it back; what cannot be read has not been lived.
    #[must_use]
    pub fn parse(text: &str) -> Stored {
        let mut words = text.split(' ');
        let lived = Duration::from_millis(words.next().and_then(|word| word.parse().ok()).unwrap_or(0));
        let boot = words.next().and_then(|word| word.parse().ok());
        let up = words.next().and_then(|word| word.parse().ok()).map(Duration::from_millis);
        Stored { lived, then: boot.zip(up).map(|(boot, up)| Uptime { boot, up }) }
    }
}

/// Since when the clock has been confirmed without a jump, in lived time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steadiness {
    since: Option<Duration>,
    last: Option<(UnixMillis, Duration)>,
}

impl Steadiness {
    /// The clock shows `at` when the device has lived so long. `booted`: since the last time, the device was off.
    pub fn note(&mut self, at: UnixMillis, trust: TimeTrust, lived: Duration, booted: bool) {
        let millis = |lived: Duration| i64::try_from(lived.as_millis()).unwrap_or(i64::MAX);
        let ahead = self.last.map_or(0, |(then, lived_then)| {
            at.0.saturating_sub(then.0).saturating_sub(millis(lived.saturating_sub(lived_then)))
        });
        let off = booted && (0..=OFF_MS).contains(&ahead);
        let jumped = ahead.saturating_abs() > SKEW_MS && !off;
        self.since = match trust {
            TimeTrust::Synced if jumped => Some(lived),
            TimeTrust::Synced => self.since.or(Some(lived)),
            _ => None,
        };
        self.last = Some((at, lived));
    }

    /// Whether the clock may delete.
    #[must_use]
    pub fn holds(&self, lived: Duration) -> bool {
        self.since.is_some_and(|since| lived.saturating_sub(since) >= STEADY)
    }

    /// As text in the database.
    #[must_use]
    pub fn text(&self) -> String {
        let since = self.since.map_or("-".to_owned(), |since| since.as_millis().to_string());
        let last = self.last.map_or(String::new(), |(at, lived)| format!(" {} {}", at.0, lived.as_millis()));
        format!("{since}{last}")
    }

    /// Reads it back; what cannot be read was not steady.
    #[must_use]
    pub fn parse(text: &str) -> Steadiness {
        let mut words = text.split(' ');
        let since = words.next().and_then(|word| word.parse().ok()).map(Duration::from_millis);
        let at = words.next().and_then(|word| word.parse().ok()).map(UnixMillis);
        let lived = words.next().and_then(|word| word.parse().ok()).map(Duration::from_millis);
        Steadiness { since, last: at.zip(lived) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const START: UnixMillis = UnixMillis(1_612_137_600_000);

    fn boot(n: u128, hours: u32) -> Option<Uptime> {
        Some(Uptime { boot: Uuid::from_u128(n), up: HOUR * hours })
    }

    #[test]
    fn lived_time_is_summed_over_boots_and_nothing_moves_it_but_waiting() {
        let stored = Stored { lived: HOUR * 10, then: boot(1, 4) };
        for (now, hours) in [(boot(1, 6), 12), (boot(2, 3), 13), (boot(1, 1), 10), (None, 10)] {
            assert_eq!(stored.now(now), HOUR * hours, "{now:?}");
        }
        assert_eq!(Stored { lived: Duration::ZERO, then: None }.now(boot(1, 5)), HOUR * 5, "this boot was lived");
        for stored in [stored, Stored { then: None, ..stored }] {
            assert_eq!(Stored::parse(&stored.text()), stored);
        }
        assert_eq!(Stored::parse("?").lived, Duration::ZERO);
    }

    #[test]
    fn only_a_clock_that_was_confirmed_for_a_lived_day_without_a_jump_may_delete() {
        let hours = |hours: i64| START.plus(hours * 3_600_000);
        let synced = TimeTrust::Synced;
        type Step = (i64, TimeTrust, u32, bool);
        let table: &[(&str, &[Step], bool)] = &[
            ("a day", &[(0, synced, 0, false), (24, synced, 24, false)], true),
            ("not yet a day", &[(0, synced, 0, false), (23, synced, 23, false)], false),
            ("twenty days ahead at once", &[(0, synced, 0, false), (24 * 20, synced, 24, false)], false),
            (
                "and a day later",
                &[(0, synced, 0, false), (24 * 20, synced, 1, false), (24 * 21, synced, 25, false)],
                true,
            ),
            (
                "a holdover in between",
                &[(0, synced, 0, false), (9, TimeTrust::Holdover, 9, false), (30, synced, 30, false)],
                false,
            ),
            ("back by an hour", &[(0, synced, 0, false), (11, synced, 12, false), (23, synced, 24, false)], false),
            ("a night without power", &[(0, synced, 0, false), (22, synced, 12, true), (34, synced, 24, false)], true),
            (
                "a month without power",
                &[(0, synced, 0, false), (720, synced, 12, true), (732, synced, 24, false)],
                false,
            ),
            ("never confirmed", &[(0, TimeTrust::FloorOnly, 0, false), (48, TimeTrust::FloorOnly, 48, false)], false),
        ];
        for (name, steps, holds) in table {
            let mut steady = Steadiness::default();
            let mut lived = Duration::ZERO;
            for (clock, trust, hours_lived, booted) in *steps {
                lived = HOUR * *hours_lived;
                // Every step passes through the database.
                steady = Steadiness::parse(&steady.text());
                steady.note(hours(*clock), *trust, lived, *booted);
            }
            assert_eq!(steady.holds(lived), *holds, "{name}: {steady:?}");
        }
    }
}
