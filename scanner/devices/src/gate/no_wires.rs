//! In place of GPIO lines in a build without them: a lane that has any is refused, and said so.

use std::{convert::Infallible, time::Instant};

use host::config;
use lane::signal::Cues;

use super::{ContactEvent, panel::PanelCommand, wiring};

/// There are none.
#[derive(Debug)]
pub struct Wires(Infallible);

impl Wires {
    /// None, if none are configured.
    ///
    /// # Errors
    /// When some are.
    pub fn connect(lane: &config::Lane, _: &Cues) -> Result<Option<Wires>, &'static str> {
        let none = wiring::configured(lane).is_empty();
        if none {
            Ok(None)
        } else {
            Err("this build has no GPIO lines; leave lane.gpio empty, and choose another gate driver")
        }
    }

    /// Never called.
    pub fn order(&self, _: PanelCommand) {
        match self.0 {}
    }

    /// Never called.
    pub fn sensed(&self) -> Option<(ContactEvent, Instant)> {
        match self.0 {}
    }

    /// Never called.
    pub fn trouble(&self) -> Option<String> {
        match self.0 {}
    }
}
