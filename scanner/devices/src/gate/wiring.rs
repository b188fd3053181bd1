//! Which lines of a lane are wired, and what for. No chip in here.

use host::config::{self, GpioLine, Level};

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Opens the gate.
    Relay,
    /// Light for *admit*.
    Green,
    /// Light for *refer*.
    Amber,
    /// Light for *refuse*.
    Red,
    /// Sounder.
    Buzzer,
    /// Sees travellers pass.
    Passage,
    /// Fire or egress contact.
    Fire,
}

impl Role {
    /// As the configuration calls it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
            Self::Buzzer => "buzzer",
            Self::Passage => "passage",
            Self::Fire => "fire",
        }
    }

    /// Whether the board listens to it rather than drives it.
    #[must_use]
    pub const fn is_input(self) -> bool {
        matches!(self, Self::Passage | Self::Fire)
    }
}

/// A configured line.
#[derive(Clone, Copy, Debug)]
pub struct Wire<'a> {
    /// What for.
    pub role: Role,
    /// Which.
    pub line: &'a GpioLine,
    /// Which level means *on*.
    pub active: Level,
}

/// The lines that are configured. A relay counts only where the gate is moved by it.
#[must_use]
pub fn configured(lane: &config::Lane) -> Vec<Wire<'_>> {
    let gpio = &lane.gpio;
    let relay = gpio.relay.as_ref().filter(|_| lane.gate.driver == config::GateKind::Gpio);
    [
        (Role::Relay, relay, gpio.relay_active),
        (Role::Green, gpio.green.as_ref(), gpio.signals_active),
        (Role::Amber, gpio.amber.as_ref(), gpio.signals_active),
        (Role::Red, gpio.red.as_ref(), gpio.signals_active),
        (Role::Buzzer, gpio.buzzer.as_ref(), gpio.signals_active),
        (Role::Passage, gpio.passage.as_ref(), gpio.passage_active),
        (Role::Fire, gpio.fire.as_ref(), gpio.fire_active),
    ]
    .into_iter()
    .filter_map(|(role, line, active)| Some(Wire { role, line: line?, active }))
    .collect()
}
