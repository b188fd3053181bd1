//! What can be wrong with a gate's wiring, before anybody stands before it.

use std::path::Path;

use host::config::{GateKind, Lane};

use super::{Finding, Severity, bad, ok};

/// What moves it is there.
pub(super) fn gate(lane: &Lane) -> Finding {
    let name = &lane.id;
    let there = |path: &Path| path.parent().is_some_and(Path::is_dir);
    match lane.gate.driver {
        GateKind::None => bad(
            "gate",
            Severity::Attention,
            format!("lane {name}: nothing is moved"),
            "set lane.gate.driver, unless the screen is all there is",
        ),
        GateKind::File if !lane.gate.path.as_deref().is_some_and(there) => {
            bad("gate", Severity::Fault, format!("lane {name}: the folder of lane.gate.path is not there"), "make it")
        }
        GateKind::Command
            if lane
                .gate
                .command
                .first()
                .is_none_or(|program| program.starts_with('/') && !Path::new(program).exists()) =>
        {
            bad("gate", Severity::Fault, format!("lane {name}: its program is not there"), "correct lane.gate.command")
        }
        GateKind::Gpio if !cfg!(all(feature = "gpio", target_os = "linux")) => bad(
            "gate",
            Severity::Fault,
            format!("lane {name}: this build drives no GPIO lines"),
            "install the build for gates, or choose another lane.gate.driver",
        ),
        GateKind::Http | GateKind::Mqtt => ok(
            "gate",
            format!(
                "lane {name}: {}; whether it moves is for doctor --relay {name}",
                lane.gate.url.iter().map(ToString::to_string).collect::<String>()
            ),
        ),
        driver if driver != GateKind::Gpio && lane.gpio.relay.is_some() => bad(
            "gate",
            Severity::Attention,
            format!("lane {name}: a relay is wired, and nothing moves it"),
            "set lane.gate.driver = \"gpio\", or take lane.gpio.relay out",
        ),
        driver => ok("gate", format!("lane {name}: {driver:?}")),
    }
}
