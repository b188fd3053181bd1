//! When a time service was heard last, and how the clock stood to the time since boot then. Somebody who sets the clock by hand afterwards ends
//! what that hearing confirmed: the service spoke of another time.
//!
//! It is remembered in the runtime folder, so that a process that starts anew knows it, and goes with the boot.

use std::{fs, io, path::Path, time::Duration};

use trustlist::time::{SKEW, UnixTime, clock::Service};

use crate::settled::uptime;

/// The file's name in the runtime folder.
const FILE: &str = "clock-heard";

/// The last word of a time service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearing {
    boot: String,
    /// When it was heard, by the clock of then.
    at: UnixTime,
    /// What the clock showed less the seconds since boot.
    offset: i64,
}

/// A service as it was heard: when, and how often it asks its servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// By this machine's clock.
    pub at: UnixTime,
    /// How often it asks.
    pub poll: Duration,
}

/// What counts of a service that was heard, on a clock that shows `now` so many seconds after the boot; and what is to be remembered.
pub(crate) fn judge(
    heard: Option<Heard>,
    before: Option<Hearing>,
    now: UnixTime,
    boot: &str,
    uptime: i64,
) -> (Option<Service>, Option<Hearing>) {
    let Some(Heard { at, poll }) = heard else { return (None, before) };
    let ago = now.since(at);
    // In the future: the clock was set back since. Before the boot: it was set ahead since, or that was another boot.
    if ago < -SKEW || ago > uptime.saturating_add(SKEW) {
        return (None, before);
    }
    let service = Some(Service { heard_ago: Duration::from_secs(ago.max(0).unsigned_abs()), poll });
    let offset = now.0.saturating_sub(uptime);
    match before {
        Some(before) if before.boot == boot && before.at == at => {
            let stepped = offset.saturating_sub(before.offset).abs() > SKEW;
            (service.filter(|_| !stepped), Some(before))
        }
        _ => (service, Some(Hearing { boot: boot.to_owned(), at, offset })),
    }
}

/// What was remembered.
pub(crate) fn recall(runtime: &Path) -> Option<Hearing> {
    let text = fs::read_to_string(runtime.join(FILE)).ok()?;
    let mut words = text.split_whitespace();
    let boot = words.next()?.to_owned();
    Some(Hearing { boot, at: UnixTime(words.next()?.parse().ok()?), offset: words.next()?.parse().ok()? })
}

/// Remembers it.
pub(crate) fn remember(runtime: &Path, hearing: &Hearing) -> io::Result<()> {
    let Hearing { boot, at, offset } = hearing;
    fs::write(runtime.join(FILE), format!("{boot} {} {offset}\n", at.0))
}

/// The name of this boot, and for how many seconds it has lasted; nothing known where the machine does not say.
pub(crate) fn boot() -> (String, i64) {
    uptime().unwrap_or_else(|_| (String::new(), i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixTime = UnixTime(1_800_000_000);
    const POLL: Duration = Duration::from_secs(2048);

    /// Whether a service counts that was heard at noon, an hour after the boot, so much later and after such a step of the clock.
    fn counts(lived: i64, step: i64) -> bool {
        let heard = Some(Heard { at: NOON, poll: POLL });
        let (service, before) = judge(heard, None, NOON, "boot-1", 3600);
        assert!(service.is_some());
        judge(heard, before, NOON.plus(lived + step), "boot-1", 3600 + lived).0.is_some()
    }

    #[test]
    fn a_clock_that_runs_on_after_a_service_was_heard_stays_confirmed_and_one_that_is_set_does_not() {
        assert!(counts(60, 0) && counts(86_400, 0), "as long as it runs on");
        for step in [3600, -3600, 365 * 86_400, -365 * 86_400, 301] {
            assert!(!counts(60, step), "set by {step} s a minute later");
            assert!(!counts(86_400, step), "set by {step} s a day later");
        }
        assert!(counts(86_400, 200), "clocks are steered a little");
    }

    #[test]
    fn a_service_that_is_heard_again_after_the_clock_was_set_confirms_it() {
        let (_, before) = judge(Some(Heard { at: NOON, poll: POLL }), None, NOON, "boot-1", 3600);
        let later = NOON.plus(7200);
        let (service, after) = judge(Some(Heard { at: later, poll: POLL }), before, later, "boot-1", 3700);
        assert_eq!(service.map(|service| service.heard_ago), Some(Duration::ZERO));
        assert!(judge(Some(Heard { at: later, poll: POLL }), after, later.plus(60), "boot-1", 3760).0.is_some());
    }

    #[test]
    fn a_service_that_was_heard_in_the_future_or_before_the_boot_confirms_nothing() {
        for ago in [-86_400, 7200] {
            let heard = Some(Heard { at: NOON.plus(-ago), poll: POLL });
            assert_eq!(judge(heard, None, NOON, "boot-1", 3600).0, None, "{ago}");
        }
        assert!(judge(Some(Heard { at: NOON.plus(60), poll: POLL }), None, NOON, "boot-1", 3600).0.is_some());
    }

    #[test]
    fn a_process_that_starts_anew_knows_what_was_heard_before() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(recall(folder.path()), None);
        let (_, hearing) = judge(Some(Heard { at: NOON, poll: POLL }), None, NOON, "boot-1", 3600);
        let hearing = hearing.expect("heard");
        remember(folder.path(), &hearing).expect("written");
        assert_eq!(recall(folder.path()), Some(hearing));
        fs::write(folder.path().join(FILE), "boot-1 x").expect("written");
        assert_eq!(recall(folder.path()), None);
    }
}
