//! Whether frames and decisions advance: what the service manager's watchdog is notified. Pure; the moment is an argument.
//!
//! A camera that is missing is a declared state that no restart mends: the lane says so and the watchdog is content. A camera that
//! is *said* to deliver while nothing arrives is a thread that hangs in its driver, as a lane whose loop does not go round hangs; those
//! a new process mends.

use std::{fmt, time::Duration};

/// A lane that has not gone round for this long hangs; so does a camera that is silent for so long beyond its deadline, at which it
/// should have been declared lost. Well below the unit's `WatchdogSec`.
const HANGS: Duration = Duration::from_secs(5);

/// Whether frames arrive from a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CameraState {
    /// Not known yet.
    Unknown,
    /// Frames arrive.
    Up,
    /// No frame arrives.
    Lost,
}

/// How one lane does at one moment.
#[derive(Clone, Copy, Debug)]
pub struct LaneHealth {
    /// How long ago its loop last went round.
    pub silent: Duration,
    /// Whether frames are said to arrive; `None` for a lane without a camera.
    pub camera: Option<CameraState>,
    /// How long that camera may be silent before it is lost.
    pub deadline: Duration,
    /// Frames looked at since the start.
    pub frames: u64,
    /// Its source has ended, as intended.
    pub ended: bool,
}

/// What does not advance, and in which lane of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stall {
    /// The lane's loop: nothing is decided.
    Lane(usize),
    /// Frames, though the camera is said to deliver.
    Frames(usize),
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lane(index) => write!(f, "lane {} decides nothing any more", index + 1),
            Self::Frames(index) => write!(f, "lane {}: its camera hangs in its driver", index + 1),
        }
    }
}

/// Remembers for each lane when it last had a new frame.
#[derive(Debug, Default)]
pub struct Watchdog(Vec<(u64, Duration)>);

impl Watchdog {
    /// Looks at all lanes.
    ///
    /// # Errors
    /// With the first lane that hangs.
    pub fn check(&mut self, lanes: &[LaneHealth], now: Duration) -> Result<(), Stall> {
        self.0.resize(lanes.len(), (0, now));
        for (index, (health, (frames, since))) in lanes.iter().zip(&mut self.0).enumerate() {
            if health.frames != *frames || health.camera != Some(CameraState::Up) {
                (*frames, *since) = (health.frames, now);
            }
            if health.ended {
                continue;
            }
            if health.silent >= HANGS {
                return Err(Stall::Lane(index));
            }
            if now.saturating_sub(*since) >= health.deadline + HANGS {
                return Err(Stall::Frames(index));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALIVE: LaneHealth = LaneHealth {
        silent: Duration::ZERO,
        camera: Some(CameraState::Up),
        deadline: Duration::from_secs(1),
        frames: 0,
        ended: false,
    };

    /// What the watchdog finds in each second while the lane shows `health(second)`.
    fn seconds(health: impl Fn(u64) -> LaneHealth) -> Vec<bool> {
        let mut watchdog = Watchdog::default();
        (0..12).map(|second| watchdog.check(&[health(second)], Duration::from_secs(second)).is_ok()).collect()
    }

    #[test]
    fn a_lane_with_frames_is_alive_and_one_whose_frames_stop_while_its_camera_is_said_to_deliver_is_not() {
        assert_eq!(seconds(|second| LaneHealth { frames: second * 30, ..ALIVE }), [true; 12]);
        let stops = seconds(|second| LaneHealth { frames: second.min(3) * 30, ..ALIVE });
        assert_eq!(stops.iter().position(|alive| !alive), Some(9), "five seconds after its deadline");
    }

    #[test]
    fn a_missing_camera_or_none_at_all_is_a_declared_state_and_no_restart_loop() {
        for camera in [Some(CameraState::Lost), Some(CameraState::Unknown), None] {
            assert_eq!(seconds(|_| LaneHealth { camera, ..ALIVE }), [true; 12], "{camera:?}");
        }
        let back = seconds(|second| LaneHealth {
            camera: Some(if second < 9 { CameraState::Lost } else { CameraState::Up }),
            ..ALIVE
        });
        assert_eq!(back, [true; 12], "a camera that is back has its time from then on");
    }

    #[test]
    fn a_loop_that_does_not_go_round_is_a_lane_that_decides_nothing_whatever_its_camera_does() {
        let mut watchdog = Watchdog::default();
        let hangs = LaneHealth { silent: HANGS, frames: 7, ..ALIVE };
        assert_eq!(watchdog.check(&[ALIVE, hangs], HANGS), Err(Stall::Lane(1)));
        assert_eq!(
            watchdog.check(&[ALIVE, LaneHealth { ended: true, ..hangs }], HANGS),
            Ok(()),
            "its pictures are at an end"
        );
    }
}
