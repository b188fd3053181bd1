//! What the board under this program says of itself: how much room its disk has, and how hot it is.

use std::{fs, path::Path};

/// Where Linux shows the board's thermometers (kernel documentation, *Thermal sysfs*).
pub const THERMOMETERS: &str = "/sys/class/thermal";
/// Zones that are looked at: a board has a handful.
const ZONES: usize = 64;

/// Room that this user may still fill where `folder` lies, in MiB.
#[cfg(unix)]
#[must_use]
pub fn free_mib(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.checked_mul(disk.f_frsize)? >> 20)
}

/// Nobody knows here.
#[cfg(not(unix))]
#[must_use]
pub fn free_mib(_folder: &Path) -> Option<u64> {
    None
}

/// The hottest of the board's thermal zones below `thermometers`, in thousandths of a degree Celsius; `None` where there is none.
#[must_use]
pub fn temperature_mc(thermometers: &Path) -> Option<i64> {
    let zones = fs::read_dir(thermometers).ok()?.flatten().take(ZONES);
    let zones = zones.filter(|zone| zone.file_name().to_string_lossy().starts_with("thermal_zone"));
    // A sensor that is switched off cannot be read (EINVAL, EAGAIN).
    zones.filter_map(|zone| fs::read_to_string(zone.path().join("temp")).ok()?.trim().parse().ok()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_zone_that_can_be_read_is_the_boards_temperature() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(temperature_mc(folder.path()), None, "a board without a thermometer");
        for (zone, text) in [
            ("thermal_zone0", "47236\n"),
            ("thermal_zone1", "-274000\n"),
            ("thermal_zone2", "?"),
            ("cooling_device0", "99000"),
        ] {
            let zone = folder.path().join(zone);
            fs::create_dir(&zone).expect("made");
            fs::write(zone.join("temp"), text).expect("written");
        }
        assert_eq!(temperature_mc(folder.path()), Some(47_236));
        assert_eq!(temperature_mc(&folder.path().join("none")), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_has_room_and_one_that_is_not_there_has_none_to_tell_of() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(free_mib(folder.path()).is_some());
        assert_eq!(free_mib(&folder.path().join("none")), None);
    }
}
