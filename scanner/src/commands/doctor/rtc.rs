//! The battery-backed clock: what a board without a network knows of the time when it is switched on.

use std::{fs, path::Path, time::Duration};

use trustlist::time::{Moment, TimeTrust, UnixTime};

use super::{Finding, Severity, bad, ok};

/// Farther from the system's clock than this, and the next boot begins with a wrong one: the skew that a verdict allows.
const AWAY: Duration = Duration::from_secs(300);

/// What the kernel tells of one clock (Documentation/ABI/testing/sysfs-class-rtc).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rtc {
    /// `rtc0`
    id: String,
    /// Its driver's name for it.
    chip: String,
    /// What it shows; `None` when it cannot be read, or says itself that it has lost the time.
    at: Option<UnixTime>,
    /// Whether the kernel set the system's clock by it when it booted.
    set_the_clock: bool,
}

/// Holds the machine's battery-backed clocks against its own.
pub(super) fn rtc(moment: Moment) -> Finding {
    judged(&clocks(Path::new("/sys/class/rtc")), moment)
}

fn clocks(class: &Path) -> Vec<Rtc> {
    let folders = fs::read_dir(class).into_iter().flatten().filter_map(Result::ok);
    let mut clocks: Vec<Rtc> = folders
        .map(|folder| {
            let says = |name| fs::read_to_string(folder.path().join(name)).unwrap_or_default().trim().to_owned();
            Rtc {
                id: folder.file_name().to_string_lossy().into_owned(),
                chip: says("name"),
                at: says("since_epoch").parse().ok().map(UnixTime),
                set_the_clock: says("hctosys") == "1",
            }
        })
        .collect();
    clocks.sort_by(|one, other| one.id.cmp(&other.id));
    clocks
}

/// The one that counts is the one that set the clock; where none did, the first.
fn judged(clocks: &[Rtc], moment: Moment) -> Finding {
    let attention = |fact: String, advice| bad("clock battery", Severity::Attention, fact, advice);
    let Some(rtc) = clocks.iter().find(|rtc| rtc.set_the_clock).or_else(|| clocks.first()) else {
        return attention(
            "there is no battery-backed clock".to_owned(),
            "fit one: without it this board refers everybody after it was switched off, until a network or a newer list tells the time",
        );
    };
    let name = format!("{} ({})", rtc.id, rtc.chip);
    let Some(at) = rtc.at else {
        return attention(format!("{name} tells no time"), "set it (hwclock --systohc), and change its battery");
    };
    if at < moment.floor {
        return attention(
            format!("{name} says {at}, which is in the past"),
            "set it (hwclock --systohc) once the clock is right; if it forgets again, change its battery",
        );
    }
    let away = at.since(moment.at).unsigned_abs();
    if moment.trust != TimeTrust::Untrusted && away > AWAY.as_secs() {
        return attention(
            format!("{name} says {at}, {away} s from the clock"),
            "set it by whichever of the two is right: hwclock --systohc, or --hctosys; it holds UTC",
        );
    }
    if !rtc.set_the_clock {
        return attention(
            format!("{name} is right, and the kernel did not set the clock by it when it booted"),
            "name it in the device tree or build its driver in, or have hwclock --hctosys run before checkpointd starts",
        );
    }
    ok("clock battery", format!("{name} is right and set the clock at boot"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: UnixTime = UnixTime(1_700_000_000);
    const NOW: Moment = Moment { at: UnixTime(1_700_100_000), trust: TimeTrust::FloorOnly, floor: FLOOR };

    fn clock(away: i64, set_the_clock: bool) -> Rtc {
        let at = Some(NOW.at.plus(away));
        Rtc { id: "rtc0".to_owned(), chip: "rtc-ds1307 1-0068".to_owned(), at, set_the_clock }
    }

    #[test]
    fn a_battery_backed_clock_is_there_keeps_time_and_sets_the_clock_or_it_is_said_what_to_do() {
        for (clocks, standing, says) in [
            (vec![clock(1, true)], Severity::Ok, "is right"),
            (vec![clock(-299, true)], Severity::Ok, "is right"),
            (vec![], Severity::Attention, "no battery-backed clock"),
            (vec![clock(1, false)], Severity::Attention, "did not set the clock"),
            (vec![clock(8 * 3600, true)], Severity::Attention, "28800 s from the clock"),
            (vec![clock(-200_000, true)], Severity::Attention, "in the past"),
            (vec![Rtc { at: None, ..clock(0, true) }], Severity::Attention, "tells no time"),
            // A board's own clock without a battery beside one that was fitted.
            (vec![clock(-1_700_000_000, false), clock(2, true)], Severity::Ok, "is right"),
        ] {
            let finding = judged(&clocks, NOW);
            assert_eq!(finding.severity, standing, "{clocks:?}");
            assert!(finding.fact.contains(says), "{}", finding.fact);
            assert_eq!(finding.advice.is_none(), standing == Severity::Ok);
        }
    }

    #[test]
    fn a_clock_that_nobody_believes_says_nothing_against_the_battery() {
        let lost = Moment { at: UnixTime(0), trust: TimeTrust::Untrusted, floor: FLOOR };
        assert_eq!(judged(&[clock(0, true)], lost).severity, Severity::Ok);
    }

    #[test]
    fn clocks_are_read_from_the_kernels_own_files() {
        let class = tempfile::tempdir().expect("a folder");
        let file = |path: &str, text: &str| {
            let path = class.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder above it")).expect("made");
            fs::write(path, text).expect("written");
        };
        assert_eq!(clocks(class.path()), []);
        for (name, text) in [("name", "rtc-ds1307 1-0068\n"), ("since_epoch", "1700100001\n"), ("hctosys", "1\n")] {
            file(&format!("rtc0/{name}"), text);
        }
        // Its oscillator has stopped: reading the time fails (EINVAL), and so there is no such file here.
        file("rtc1/name", "rtc-pcf8563\n");
        let found = clocks(class.path());
        assert_eq!(found[0], clock(1, true));
        assert_eq!((found[1].at, found[1].set_the_clock), (None, false));
        assert_eq!(clocks(Path::new("/is/not/there")), []);
    }
}
