//! Whether the service may open what its lanes use: camera, GPIO chip, scan engines.
//!
//! An installer tries things as root, where everything opens; the service runs as a user of its own, with the groups that its unit gives it.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use host::config::{Config, Device, GateKind, ScanEngine};

use super::{Finding, Severity, bad, ok};

/// The service's own group, and those that its unit adds.
const GROUPS: [&str; 5] = ["checkpointd", "video", "gpio", "dialout", "input"];

/// Every device of every lane that is there; a missing one is for whoever looks through it to say.
pub(super) fn access(config: &Config) -> Vec<Finding> {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    devices(config)
        .iter()
        .filter_map(|path| {
            let node = fs::metadata(path).ok()?;
            Some(judged(path, node.mode(), group_name(&groups, node.gid())))
        })
        .collect()
}

fn devices(config: &Config) -> Vec<PathBuf> {
    let mut devices = Vec::new();
    for lane in &config.lane {
        if let Device::Path(path) = &lane.camera.device {
            devices.push(path.clone());
        }
        if lane.gate.driver == GateKind::Gpio {
            devices.push(lane.gpio.chip.clone());
        }
        devices.extend(lane.readers.iter().filter_map(|reader| match reader {
            ScanEngine::Keyboard(path) | ScanEngine::Serial { port: path, .. } => Some(path.clone()),
            ScanEngine::Socket(_) | ScanEngine::Stdin => None,
        }));
    }
    devices.sort();
    devices.dedup();
    devices
}

fn judged(path: &Path, mode: u32, group: Option<&str>) -> Finding {
    let group = group.unwrap_or("unknown");
    // Read and write for the group, or for everybody.
    if mode & 0o006 == 0o006 || mode & 0o060 == 0o060 && GROUPS.contains(&group) {
        return ok("access", format!("{}: open to the service, by group {group}", path.display()));
    }
    bad(
        "access",
        Severity::Fault,
        format!("{}: group {group}, mode {:03o}: the service cannot open it", path.display(), mode & 0o777),
        "install 70-checkpointd.rules and run udevadm trigger, or add the device's group to the unit (SupplementaryGroups=)",
    )
}

/// The name of a group, from group(5).
fn group_name(groups: &str, gid: u32) -> Option<&str> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_of_a_group_that_the_unit_has_is_open_and_roots_own_is_not() {
        let chip = Path::new("/dev/gpiochip0");
        let standing = |mode, group| judged(chip, mode, group).severity;
        assert_eq!(standing(0o20660, Some("gpio")), Severity::Ok);
        assert_eq!(standing(0o20600, Some("gpio")), Severity::Fault, "the group may not");
        assert_eq!(standing(0o20640, Some("video")), Severity::Fault, "reading alone does not set a line");
        // Debian without our udev rule.
        assert_eq!(standing(0o20600, Some("root")), Severity::Fault);
        assert_eq!(standing(0o20666, None), Severity::Ok);
    }

    #[test]
    fn groups_are_named_from_the_systems_own_file() {
        let groups = "root:x:0:\nvideo:x:44:checkpointd\nbroken\n";
        assert_eq!(group_name(groups, 44), Some("video"));
        assert_eq!(group_name(groups, 45), None);
    }

    #[test]
    fn the_groups_are_those_of_the_shipped_unit() {
        let unit = include_str!("../../../../systemd/checkpointd.service");
        assert!(unit.contains(&format!("Group={}\nSupplementaryGroups={}", GROUPS[0], GROUPS[1..].join(" "))));
    }
}
