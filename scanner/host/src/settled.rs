//! That somebody said of this machine's clock, in this boot, that it is right: a file in the runtime folder.
//!
//! Whoever may write there is root or the daemon. What was said holds as long as the clock has run on since, as the machine's own
//! uptime did: a clock that was set, or a reboot, takes it back.

use std::{fs, io, path::Path};

use trustlist::time::{SKEW, UnixTime};

/// The file's name in the runtime folder.
const FILE: &str = "clock-settled";

/// Remembers that the clock, which shows `at`, is right.
///
/// # Errors
/// When the runtime folder cannot be written to, or the machine does not say how long it has been up.
pub fn record(runtime: &Path, at: UnixTime) -> io::Result<()> {
    let (boot, uptime) = uptime()?;
    fs::create_dir_all(runtime)?;
    fs::write(runtime.join(FILE), format!("{boot} {uptime} {}\n", at.0))
}

/// Whether what was said still holds for a clock that shows `now`.
#[must_use]
pub fn holds(runtime: &Path, now: UnixTime) -> bool {
    let Ok(text) = fs::read_to_string(runtime.join(FILE)) else { return false };
    uptime().is_ok_and(|(boot, uptime)| runs_on(&text, &boot, uptime, now))
}

fn runs_on(text: &str, boot: &str, uptime: i64, now: UnixTime) -> bool {
    let mut words = text.split_whitespace();
    let said = (words.next(), words.next().map(str::parse::<i64>), words.next().map(str::parse::<i64>));
    let (Some(then_boot), Some(Ok(then_uptime)), Some(Ok(then))) = said else { return false };
    let lived = uptime.saturating_sub(then_uptime);
    then_boot == boot && lived >= 0 && now.since(UnixTime(then).plus(lived)).abs() <= SKEW
}

/// The name of this boot, and for how many seconds it has lasted, suspended or not (proc_uptime(5), proc_sys_kernel(5)).
pub(crate) fn uptime() -> io::Result<(String, i64)> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let uptime = fs::read_to_string("/proc/uptime")?;
    let seconds = uptime.split('.').next().and_then(|whole| whole.parse().ok());
    let seconds = seconds.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/uptime has no number"))?;
    Ok((boot.trim().to_owned(), seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    #[test]
    fn a_settled_clock_is_believed_while_it_runs_on_and_not_after_it_was_set_or_the_machine_started_anew() {
        let said = format!("boot-1 1000 {}", NOW.0);
        assert!(runs_on(&said, "boot-1", 1000, NOW));
        assert!(runs_on(&said, "boot-1", 87_400, NOW.plus(86_400)), "a day later");
        assert!(!runs_on(&said, "boot-1", 1010, NOW.plus(86_400)), "it was set a day ahead");
        assert!(!runs_on(&said, "boot-1", 87_400, NOW), "it was set a day back");
        assert!(!runs_on(&said, "boot-2", 1000, NOW), "another boot");
        assert!(!runs_on(&said, "boot-1", 10, NOW.plus(-990)), "time ran backwards");
        for damaged in ["", "boot-1", "boot-1 x 5", "boot-1 1000"] {
            assert!(!runs_on(damaged, "boot-1", 1000, NOW), "{damaged:?}");
        }
    }

    #[test]
    fn what_was_said_is_found_again_in_the_same_boot() {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = folder.path().join("run");
        assert!(!holds(&runtime, NOW), "nobody said anything");
        record(&runtime, NOW).expect("written");
        assert!(holds(&runtime, NOW));
    }
}
