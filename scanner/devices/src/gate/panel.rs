//! What each output line of a lane is to be, decided from what the lane said and what the wires say. Pure: time is an argument.
//!
//! Two rules stand here rather than in the lane, so that they hold although the lane hangs: the relay pulls while the fire contact is
//! closed, whatever the lane says; and it lets go on its own when nobody has said *close* for longer than any traveller takes.

use std::time::Duration;

use lane::signal::{Lights, Signal};

/// What changes the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanelCommand {
    /// The lane opens or holds the gate.
    Open,
    /// The lane closes it.
    Close,
    /// The lane shows something.
    Signal(Signal),
    /// The fire or egress contact is closed (`true`) or open.
    Alarm(bool),
}

/// What the lines are to be; *on* is meaning, not voltage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// The relay pulls: the gate is open.
    pub relay: bool,
    /// Lights.
    pub lights: Lights,
    /// The sounder sounds.
    pub buzzer: bool,
}

/// One lane's output lines.
#[derive(Clone, Copy, Debug)]
pub struct Panel {
    longest: Duration,
    alarm_signal: Signal,
    open_until: Option<Duration>,
    alarm: Option<Duration>,
    signal: Signal,
    signal_since: Duration,
}

impl Panel {
    /// All off. An opening that nobody ends is ended after `longest`; `alarm` is what an alarm looks and sounds like.
    #[must_use]
    pub fn new(longest: Duration, alarm: Signal) -> Panel {
        Panel {
            longest,
            alarm_signal: alarm,
            open_until: None,
            alarm: None,
            signal: Signal::default(),
            signal_since: Duration::ZERO,
        }
    }

    /// Takes an order at `now`.
    pub fn take(&mut self, order: PanelCommand, now: Duration) {
        match order {
            PanelCommand::Open => self.open_until = Some(now + self.longest),
            PanelCommand::Close => self.open_until = None,
            PanelCommand::Signal(signal) => (self.signal, self.signal_since) = (signal, now),
            PanelCommand::Alarm(true) => self.alarm = self.alarm.or(Some(now)),
            PanelCommand::Alarm(false) => self.alarm = None,
        }
    }

    /// What the lines are to be at `now`, and when that changes by itself.
    #[must_use]
    pub fn at(&self, now: Duration) -> (Levels, Option<Duration>) {
        let open_until = self.open_until.filter(|until| now < *until);
        let (signal, since) = match self.alarm {
            Some(since) => (self.alarm_signal, since),
            None => (self.signal, self.signal_since),
        };
        let (buzzer, turns) = signal.sounds(now.saturating_sub(since));
        let turns = turns.map(|turns| since + turns);
        let levels = Levels { relay: open_until.is_some() || self.alarm.is_some(), lights: signal.lights, buzzer };
        (levels, turns.into_iter().chain(open_until).min())
    }
}

#[cfg(test)]
mod tests {
    use lane::{screen::LaneState, signal::Cues};

    use super::*;

    const LONGEST: Duration = Duration::from_secs(7);

    fn alarm() -> Signal {
        Signal::alarm(&Cues::default())
    }

    fn panel() -> Panel {
        Panel::new(LONGEST, alarm())
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn relay(panel: &Panel, now: Duration) -> bool {
        panel.at(now).0.relay
    }

    #[test]
    fn the_relay_pulls_from_open_to_close_and_not_a_moment_longer() {
        let mut panel = panel();
        assert!(!relay(&panel, at(0)));
        panel.take(PanelCommand::Open, at(100));
        assert!(relay(&panel, at(100)) && relay(&panel, at(3099)));
        panel.take(PanelCommand::Close, at(3100));
        assert!(!relay(&panel, at(3100)));
    }

    #[test]
    fn a_lane_that_hangs_with_its_gate_open_does_not_leave_it_open() {
        let mut panel = panel();
        panel.take(PanelCommand::Open, at(0));
        assert_eq!(panel.at(at(6999)), (Levels { relay: true, ..Levels::default() }, Some(LONGEST)));
        assert_eq!(panel.at(LONGEST), (Levels::default(), None));
    }

    #[test]
    fn fire_outranks_everything_the_lane_says_and_its_end_leaves_what_the_lane_said_last() {
        let mut panel = panel();
        panel.take(PanelCommand::Alarm(true), at(0));
        panel.take(PanelCommand::Close, at(10));
        panel.take(PanelCommand::Signal(Signal::of(&LaneState::Reading, &Cues::default())), at(20));
        let hours = Duration::from_secs(7200);
        let (levels, next) = panel.at(hours);
        assert!(levels.relay && levels.lights == alarm().lights && levels.buzzer);
        assert_eq!(next, Some(hours + at(500)), "the sounder turns, the relay stays");
        panel.take(PanelCommand::Alarm(true), hours);
        panel.take(PanelCommand::Alarm(false), hours + at(1));
        assert_eq!(panel.at(hours + at(1)), (Levels::default(), None));
    }

    #[test]
    fn a_rhythm_runs_from_its_own_beginning_and_the_next_one_cuts_it_off() {
        let mut panel = panel();
        let cues = Cues::default();
        panel.take(PanelCommand::Signal(Signal::of(&LaneState::Reading, &cues)), at(1000));
        assert_eq!(panel.at(at(1000)).1, Some(at(1020)));
        assert!(panel.at(at(1019)).0.buzzer && !panel.at(at(1020)).0.buzzer);
        panel.take(PanelCommand::Signal(Signal::of(&LaneState::Idle, &cues)), at(1005));
        assert_eq!(panel.at(at(1005)), (Levels::default(), None));
    }
}
