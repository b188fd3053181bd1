//! How a traveller brings a phone to the window: comes near, holds it with a tremor, takes it away.

use std::time::Duration;

use super::draw::{HALL, Light, Pose};

/// The picture's size; what a 720p gate camera gives.
pub const WIDTH: usize = 1280;
/// The picture's height.
pub const HEIGHT: usize = 720;

/// From outside the picture to in front of the window.
const COMING: Duration = Duration::from_millis(350);
/// And away again.
const LEAVING: Duration = Duration::from_millis(250);

/// The manner in which a phone is held, and what light falls on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manner {
    /// Pixels for one module when held still.
    pub module: f32,
    /// Turn in the picture's plane, in degrees.
    pub roll: f32,
    /// Tilt about both axes, in degrees.
    pub tilt: (f32, f32),
    /// Hand tremor, in pixels.
    pub tremor: f32,
    /// Lens, light and sensor.
    pub light: Light,
}

/// One manner for each traveller in turn, from easy to awkward.
#[must_use]
pub fn manner(traveller: usize) -> Manner {
    let calm = Manner { module: 5.0, roll: 4.0, tilt: (8.0, -6.0), tremor: 1.0, light: HALL };
    match traveller % 6 {
        0 => calm,
        1 => Manner { roll: -17.0, tilt: (22.0, 5.0), ..calm },
        2 => Manner { module: 4.2, light: Light { white: 120.0, black: 26.0, noise: 5.0, ..HALL }, ..calm },
        3 => Manner { tilt: (-12.0, 24.0), tremor: 2.0, light: Light { blur: 1.2, ..HALL }, ..calm },
        4 => Manner { roll: 93.0, light: Light { slope: 2.4, ..HALL }, ..calm },
        _ => Manner { module: 4.6, light: Light { glare: Some((9.0, 12.0, 6.0)), blur: 1.0, ..HALL }, ..calm },
    }
}

/// Where the phone is `since` it was raised; `leaving` is how long ago it began to leave, if it did. `None` once it is gone.
#[must_use]
pub fn pose(manner: Manner, since: Duration, leaving: Option<Duration>) -> Option<Pose> {
    let near = (since.as_secs_f32() / COMING.as_secs_f32()).min(1.0);
    let gone = leaving.map_or(0.0, |leaving| leaving.as_secs_f32() / LEAVING.as_secs_f32());
    if gone >= 1.0 {
        return None;
    }
    // Ease in and out, as hands do.
    let shown = near * near * (3.0 - 2.0 * near) * (1.0 - gone * gone);
    let (width, height) = (WIDTH as f32, HEIGHT as f32);
    let seconds = since.as_secs_f32();
    let shake = |speed: f32, phase: f32| {
        manner.tremor * ((seconds * speed + phase).sin() + 0.5 * (seconds * speed * 2.3).sin())
    };
    Some(Pose {
        centre: (width * 0.5 + shake(9.0, 0.0), height * (1.55 - 1.05 * shown) + shake(7.0, 1.0)),
        module: manner.module * (0.6 + 0.4 * shown),
        roll: (manner.roll + 0.6 * shake(5.0, 2.0)).to_radians(),
        tilt: ((manner.tilt.0 + shake(3.0, 0.5)).to_radians(), (manner.tilt.1 + shake(4.0, 1.5)).to_radians()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_comes_into_view_stays_and_goes() {
        let at = |millis: u64, leaving: Option<u64>| {
            pose(manner(0), Duration::from_millis(millis), leaving.map(Duration::from_millis))
        };
        assert!(at(0, None).is_some_and(|pose| pose.centre.1 > HEIGHT as f32));
        assert!(at(900, None).is_some_and(|pose| (pose.centre.1 - 360.0).abs() < 6.0));
        assert_eq!(at(2000, Some(300)), None);
    }
}
