//! GPIO lines as their wiring leaves them, read while nobody drives them.

use devices::gate::{
    lines,
    wiring::{Role, Wire, configured},
};
use host::config::Lane;

use super::{Finding, Severity, bad, ok};

/// One finding for each line that is wired; one in all when the chip does not open.
pub(super) fn wiring(lane: &Lane) -> Vec<Finding> {
    let wires = configured(lane);
    if wires.is_empty() {
        return Vec::new();
    }
    match lines::open(lane) {
        Ok(chip) => wires.iter().map(|wire| line(lane, &chip, wire)).collect(),
        Err(fault) => vec![bad("wiring", Severity::Fault, format!("lane {}: {fault}", lane.id), fault.advice())],
    }
}

fn line(lane: &Lane, chip: &lines::Chip, wire: &Wire<'_>) -> Finding {
    match lines::find(chip, wire).and_then(|found| lines::at_rest(chip, found)) {
        Err(fault) => bad("wiring", Severity::Fault, format!("lane {}: {fault}", lane.id), fault.advice()),
        Ok(on) => judge(&lane.id, wire.role, on),
    }
}

/// What a line's level at rest tells of its wiring. Pure.
fn judge(lane: &str, role: Role, on: bool) -> Finding {
    let fact = format!("lane {lane}: {} is {} at rest", role.code(), if on { "on" } else { "off" });
    let advice = match role {
        _ if !on => return ok("wiring", fact),
        Role::Relay => {
            "the gate is open while the board boots and after a crash: fit the 10 kΩ resistor of hardware.md, or \
             correct lane.gpio.relay_active"
        }
        Role::Green | Role::Amber | Role::Red | Role::Buzzer => {
            "it is on while nobody drives it: fit a resistor, or correct lane.gpio.signals_active"
        }
        Role::Passage => "free the beam and look again; if it is free, correct lane.gpio.passage_active",
        Role::Fire => {
            "the gate will be held open and nobody judged: end the alarm, mend the wire, or correct \
             lane.gpio.fire_active"
        }
    };
    bad("wiring", Severity::Attention, fact, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_on_while_nobody_drives_it_calls_for_its_resistor_or_the_other_level() {
        for (role, advice) in [
            (Role::Relay, "relay_active"),
            (Role::Buzzer, "signals_active"),
            (Role::Passage, "passage_active"),
            (Role::Fire, "fire_active"),
        ] {
            let finding = judge("1", role, true);
            assert_eq!(finding.severity, Severity::Attention, "{role:?}");
            assert!(finding.advice.expect("advice").contains(advice), "{role:?}");
            assert_eq!(judge("1", role, false).severity, Severity::Ok, "{role:?}");
        }
    }
}
