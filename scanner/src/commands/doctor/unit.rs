//! Whether the service is the one that the package ships: watched, and confined.

use std::process::Command;

use super::{Finding, Severity, bad, ok};

/// What `systemctl show` says of the unit as shipped (`systemd/checkpointd.service`).
const SHIPPED: [(&str, &str); 6] = [
    ("User", "checkpointd"),
    ("NoNewPrivileges", "yes"),
    ("ProtectSystem", "strict"),
    ("DevicePolicy", "closed"),
    ("MemoryDenyWriteExecute", "yes"),
    ("Type", "notify"),
];

/// The unit on this machine. `None` where there is no systemd to ask.
pub(super) fn unit() -> Option<Finding> {
    let properties = SHIPPED.map(|(name, _)| name).join(",") + ",LoadState,WatchdogUSec";
    let answer =
        Command::new("systemctl").args(["show", "checkpointd.service", "--property", &properties]).output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    answer.status.success().then(|| judged(&text))
}

fn judged(text: &str) -> Finding {
    let says = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    if says("LoadState") != Some("loaded") {
        return bad(
            "unit",
            Severity::Attention,
            "checkpointd.service is not installed: nothing starts with the machine",
            "install the package, or what systemd/README.md lists",
        );
    }
    let mut weaker: Vec<String> = SHIPPED
        .iter()
        .filter(|(name, shipped)| says(name) != Some(shipped))
        .map(|(name, shipped)| format!("{name} is {}, not {shipped}", says(name).unwrap_or("unknown")))
        .collect();
    if says("WatchdogUSec").is_none_or(|every| every == "0" || every == "infinity") {
        weaker.push("nobody watches it (WatchdogSec)".to_owned());
    }
    if weaker.is_empty() {
        ok("unit", "checkpointd.service, watched and confined as shipped")
    } else {
        bad(
            "unit",
            Severity::Attention,
            format!("checkpointd.service: {}", weaker.join("; ")),
            "systemctl cat checkpointd shows which drop-in weakens it",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(change: (&str, &str)) -> String {
        SHIPPED
            .into_iter()
            .chain([("LoadState", "loaded"), ("WatchdogUSec", "10s")])
            .map(|(name, value)| format!("{name}={}\n", if name == change.0 { change.1 } else { value }))
            .collect()
    }

    #[test]
    fn a_unit_as_shipped_is_ok_and_each_way_to_weaken_it_is_named() {
        assert_eq!(judged(&shown(("", ""))).severity, Severity::Ok);
        for weaker in [("User", "root"), ("ProtectSystem", "no"), ("DevicePolicy", "auto"), ("NoNewPrivileges", "no")] {
            let finding = judged(&shown(weaker));
            assert_eq!(finding.severity, Severity::Attention);
            assert!(finding.fact.contains(weaker.0), "{}", finding.fact);
        }
        assert!(judged(&shown(("WatchdogUSec", "0"))).fact.contains("nobody watches"));
        assert!(judged(&shown(("LoadState", "not-found"))).fact.contains("not installed"));
    }

    #[test]
    fn what_is_expected_is_what_the_shipped_unit_says() {
        let unit = include_str!("../../../../systemd/checkpointd.service");
        for (name, value) in SHIPPED {
            assert!(unit.lines().any(|line| line == format!("{name}={value}")), "{name}={value}");
        }
    }
}
