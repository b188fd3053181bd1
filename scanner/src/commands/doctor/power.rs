//! Whether the board's supply sags, where the board can tell: a Raspberry Pi.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Finding, Severity, bad, ok};

/// `None` where the board cannot tell.
pub(super) fn power() -> Option<Finding> {
    asked(Path::new("/sys"))
}

/// Raspberry Pi OS hands out the firmware's flags, all since boot; where the kernel is Linux' own there is its voltage sensor, which
/// knows the last two seconds.
fn asked(sys: &Path) -> Option<Finding> {
    let flags = folders(&sys.join("devices/platform"), "soc")
        .flat_map(|soc| folders(&soc, "soc"))
        .find_map(|firmware| fs::read_to_string(firmware.join("get_throttled")).ok());
    if let Some(flags) = flags {
        return throttled(&flags);
    }
    let sensor = folders(&sys.join("class/hwmon"), "hwmon")
        .find(|sensor| fs::read_to_string(sensor.join("name")).is_ok_and(|name| name.trim() == "rpi_volt"))?;
    Some(match fs::read_to_string(sensor.join("in0_lcrit_alarm")).ok()?.trim() {
        "0" => ok("power", "the voltage is right"),
        _ => sags("the voltage sagged within the last two seconds".to_owned()),
    })
}

fn folders(parent: &Path, begins: &'static str) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok);
    entries.filter(move |entry| entry.file_name().to_string_lossy().starts_with(begins)).map(|entry| entry.path())
}

fn throttled(flags: &str) -> Option<Finding> {
    let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).ok()?;
    Some(if flags == 0 { ok("power", "never throttled since boot") } else { sags(format!("throttled ({flags:#x})")) })
}

fn sags(fact: String) -> Finding {
    bad("power", Severity::Attention, fact, "a stronger supply, a shorter cable, or cooling")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(files: &[(&str, &str)]) -> Option<Severity> {
        let sys = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = sys.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder above it")).expect("made");
            fs::write(path, text).expect("written");
        }
        asked(sys.path()).map(|finding| finding.severity)
    }

    #[test]
    fn a_supply_that_sagged_is_told_whichever_kernel_tells_of_it() {
        let firmware = "devices/platform/soc/soc:firmware/get_throttled";
        assert_eq!(board(&[(firmware, "0\n")]), Some(Severity::Ok));
        assert_eq!(board(&[(firmware, "50005\n")]), Some(Severity::Attention));
        assert_eq!(board(&[(firmware, "no number")]), None);
        let newer = "devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled";
        assert_eq!(board(&[(newer, "0x50000\n")]), Some(Severity::Attention));
        let sensor = |name, alarm| {
            board(&[
                ("class/hwmon/hwmon0/name", "cpu_thermal\n"),
                ("class/hwmon/hwmon1/name", name),
                ("class/hwmon/hwmon1/in0_lcrit_alarm", alarm),
            ])
        };
        assert_eq!(sensor("rpi_volt\n", "0\n"), Some(Severity::Ok));
        assert_eq!(sensor("rpi_volt\n", "1\n"), Some(Severity::Attention));
        assert_eq!(sensor("other\n", "1\n"), None);
        assert_eq!(board(&[]), None);
    }
}
