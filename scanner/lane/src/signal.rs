//! What a lane's lights and sounder say, as values: which lights, and which rhythm. No line, thread or clock in here.
//!
//! A sounder behind a line is on or off, so contour must come from rhythm. The four rhythms differ in number *and* length, so that they are
//! told apart through ninety decibels and through a wall: admit is two quick ones, the second longer; refer is three even ones; refuse is
//! a single long one; the alarm goes on for as long as it stands. Lights differ in place, not only in colour.

use std::time::Duration;

use trustlist::verdict::Verdict;

use crate::screen::{Attention, LaneState};

/// Milliseconds on, then off.
type Beep = (u16, u16);

const TICK: &[Beep] = &[(20, 0)];
const ADMIT: &[Beep] = &[(60, 60), (180, 0)];
const REFER: &[Beep] = &[(150, 150), (150, 150), (150, 0)];
const REFUSE: &[Beep] = &[(700, 0)];
const ATTENTION: &[Beep] = &[(40, 960), (40, 0)];
const FIRE: &[Beep] = &[(500, 500)];

/// What may sound, and who may notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cues {
    /// Whether anything sounds at all; lights always speak.
    pub sound: bool,
    /// Whether a short tick says that a code was seen, before it is judged.
    pub read_cue: bool,
    /// Whether a refusal looks and sounds to bystanders like a referral.
    pub discreet: bool,
}

impl Default for Cues {
    fn default() -> Cues {
        Cues { sound: true, read_cue: true, discreet: false }
    }
}

/// Which lights are on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lights {
    /// *Admit*.
    pub green: bool,
    /// *Refer*, and what staff must look at.
    pub amber: bool,
    /// *Refuse*.
    pub red: bool,
}

/// Lights, and a rhythm from the moment they come on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signal {
    /// Steady.
    pub lights: Lights,
    rhythm: &'static [Beep],
    endless: bool,
}

impl Signal {
    /// The signal of the fire contact: the way is free for everybody.
    #[must_use]
    pub fn alarm(cues: &Cues) -> Signal {
        Signal::of(&LaneState::Attention { hint: Attention::Fire }, cues)
    }

    /// The signal that goes with what the screen shows.
    #[must_use]
    pub fn of(state: &LaneState, cues: &Cues) -> Signal {
        let dark = Lights::default();
        let (lights, rhythm, endless) = match state {
            LaneState::Verdict { verdict, .. } => match verdict {
                Verdict::Admit => (Lights { green: true, ..dark }, ADMIT, false),
                Verdict::Refuse if !cues.discreet => (Lights { red: true, ..dark }, REFUSE, false),
                Verdict::Refer | Verdict::Refuse => (Lights { amber: true, ..dark }, REFER, false),
            },
            LaneState::Reading => (dark, if cues.read_cue { TICK } else { &[] }, false),
            LaneState::Attention { hint: Attention::Fire } => {
                (Lights { green: true, amber: true, red: true }, FIRE, true)
            }
            LaneState::Attention { .. } => (Lights { amber: true, ..dark }, ATTENTION, false),
            LaneState::Idle | LaneState::Hint { .. } | LaneState::Configured { .. } | LaneState::Closed => {
                (dark, &[][..], false)
            }
        };
        Signal { lights, rhythm: if cues.sound { rhythm } else { &[] }, endless }
    }

    /// Whether it sounds `since` it began, and when that changes next; `None` for never.
    #[must_use]
    pub fn sounds(&self, since: Duration) -> (bool, Option<Duration>) {
        let whole: Duration = self.rhythm.iter().map(|(on, off)| millis(*on) + millis(*off)).sum();
        if whole.is_zero() {
            return (false, None);
        }
        let mut edge = Duration::ZERO;
        if self.endless {
            let rounds = since.as_nanos() / whole.as_nanos();
            edge = whole * u32::try_from(rounds).unwrap_or(u32::MAX);
        }
        for (on, off) in self.rhythm {
            edge += millis(*on);
            if since < edge {
                return (true, Some(edge));
            }
            edge += millis(*off);
            if since < edge {
                return (false, Some(edge));
            }
        }
        (false, None)
    }
}

fn millis(count: u16) -> Duration {
    Duration::from_millis(count.into())
}

#[cfg(test)]
mod tests {
    use trustlist::verdict::Reason;

    use super::*;
    use crate::screen::Hint;

    fn verdict(reason: Reason) -> LaneState {
        LaneState::Verdict { verdict: reason.verdict(), reason, notice: None, instead: None, number: None }
    }

    /// The lengths of the tones and pauses, as somebody with a stopwatch would write them down.
    fn heard(signal: Signal) -> Vec<u128> {
        let (mut at, mut lengths) = (Duration::ZERO, Vec::new());
        while let (_, Some(next)) = signal.sounds(at) {
            lengths.push((next - at).as_millis());
            at = next;
            if lengths.len() == 9 {
                break;
            }
        }
        lengths
    }

    #[test]
    fn each_verdict_has_a_light_and_a_rhythm_of_its_own_and_all_rhythms_end_within_a_second() {
        let cues = Cues::default();
        let cases = [
            (Reason::Ok, Lights { green: true, ..Lights::default() }, vec![60, 60, 180]),
            (Reason::ColourYellow, Lights { amber: true, ..Lights::default() }, vec![150; 5]),
            (Reason::Expired, Lights { red: true, ..Lights::default() }, vec![700]),
        ];
        for (reason, lights, rhythm) in cases {
            let signal = Signal::of(&verdict(reason), &cues);
            assert_eq!(signal.lights, lights, "{reason}");
            assert_eq!(heard(signal), rhythm, "{reason}");
            assert_eq!(signal.sounds(Duration::from_secs(1)), (false, None), "{reason}");
        }
    }

    #[test]
    fn the_read_cue_is_a_tick_without_a_light_and_not_a_verdict() {
        let mut cues = Cues::default();
        let signal = Signal::of(&LaneState::Reading, &cues);
        assert_eq!((signal.lights, heard(signal)), (Lights::default(), vec![20]));
        cues.read_cue = false;
        assert_eq!(heard(Signal::of(&LaneState::Reading, &cues)), Vec::<u128>::new());
    }

    #[test]
    fn where_discretion_is_asked_for_nobody_hears_or_sees_who_was_refused() {
        let cues = Cues { discreet: true, ..Cues::default() };
        assert_eq!(Signal::of(&verdict(Reason::ColourRed), &cues), Signal::of(&verdict(Reason::ColourYellow), &cues));
    }

    #[test]
    fn a_silent_lane_still_shows_its_lights() {
        let cues = Cues { sound: false, ..Cues::default() };
        for state in [verdict(Reason::Expired), LaneState::Attention { hint: Attention::Fire }] {
            let signal = Signal::of(&state, &cues);
            assert_ne!(signal.lights, Lights::default());
            assert_eq!(heard(signal), Vec::<u128>::new());
        }
    }

    #[test]
    fn the_alarm_sounds_for_as_long_as_it_stands() {
        let alarm = Signal::alarm(&Cues::default());
        let hour = Duration::from_secs(3600);
        assert!(alarm.sounds(hour).0 && !alarm.sounds(hour + Duration::from_millis(500)).0);
        assert_eq!(heard(alarm), vec![500; 9]);
    }

    #[test]
    fn a_hint_or_an_idle_lane_is_dark_and_silent() {
        let cues = Cues::default();
        for state in [LaneState::Idle, LaneState::Closed, LaneState::Hint { hint: Hint::Closer }] {
            assert_eq!(Signal::of(&state, &cues), Signal::default(), "{state:?}");
        }
    }
}
