//! Where to look in the next frame, and how hard: a schedule as plain state.

use crate::reader::{Budget, Effort};
use crate::symbol::Point;

/// One look at one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The whole frame; late tries rotate over this number.
    Whole(u32),
    /// Around the last sighting only, with every try: it is small.
    Region {
        /// Left edge in pixels.
        x: usize,
        /// Upper edge.
        y: usize,
        /// Width.
        width: usize,
        /// Height.
        height: usize,
    },
}

impl Default for Look {
    fn default() -> Self {
        Look::Whole(0)
    }
}

impl Look {
    /// What the look may cost.
    #[must_use]
    pub fn budget(self) -> Budget {
        match self {
            Look::Whole(number) => Budget::frame(number),
            Look::Region { .. } => Budget { effort: Effort::Thorough, ..Budget::frame(0) },
        }
    }
}

/// Frames in a row that may be looked at in a region only: a second code, held beside the first, is seen soon after.
const REGION_FRAMES: u32 = 3;

/// Frames without a sighting after which the region is given up.
const LOST_FRAMES: u32 = 2;

/// What decides the next look.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    whole: u32,
    region: Option<(Point, Point)>,
    in_region: u32,
    unseen: u32,
}

impl Schedule {
    /// The look at the next frame, of this size.
    pub(super) fn next(&mut self, width: usize, height: usize) -> Look {
        let Some((low, high)) = self.region.filter(|_| self.in_region < REGION_FRAMES) else { return self.lost() };
        let inside = |value: f32, most: usize| value.clamp(0.0, most as f32) as usize;
        let (x, y) = (inside(low.x, width), inside(low.y, height));
        let (right, bottom) = (inside(high.x.ceil(), width), inside(high.y.ceil(), height));
        // A region that is most of the frame saves nothing.
        if (right - x) * (bottom - y) * 2 > width * height || right < x + 24 || bottom < y + 24 {
            return self.lost();
        }
        self.in_region += 1;
        Look::Region { x, y, width: right - x, height: bottom - y }
    }

    /// Whether a symbol is being followed.
    pub(super) fn follows(&self) -> bool {
        self.region.is_some()
    }

    /// A look at the whole frame, the next of the late tries among it.
    pub(super) fn lost(&mut self) -> Look {
        self.in_region = 0;
        self.whole = self.whole.wrapping_add(1);
        Look::Whole(self.whole)
    }

    /// A symbol, read or not, was seen there; or none was.
    pub(super) fn saw(&mut self, corners: Option<[Point; 4]>) {
        let Some(corners) = corners.filter(|corners| corners.iter().all(|c| c.x.is_finite() && c.y.is_finite())) else {
            self.unseen += 1;
            if self.unseen > LOST_FRAMES {
                self.region = None;
            }
            return;
        };
        self.unseen = 0;
        let fold = |with: fn(f32, f32) -> f32, of: fn(&Point) -> f32| {
            corners.iter().map(of).reduce(with).expect("there are four corners")
        };
        let (left, right) = (fold(f32::min, |c| c.x), fold(f32::max, |c| c.x));
        let (top, bottom) = (fold(f32::min, |c| c.y), fold(f32::max, |c| c.y));
        // A hand moves less than a third of a code's side from one frame to the next.
        let margin = 0.35 * (right - left).max(bottom - top);
        self.region = Some((Point::new(left - margin, top - margin), Point::new(right + margin, bottom + margin)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: f32, y: f32, side: f32) -> Option<[Point; 4]> {
        Some([(0.0, 0.0), (side, 0.0), (side, side), (0.0, side)].map(|(dx, dy)| Point::new(x + dx, y + dy)))
    }

    #[test]
    fn a_sighting_narrows_the_next_looks_and_the_whole_is_looked_at_now_and_then() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.next(1280, 720), Look::Whole(1));
        schedule.saw(square(500.0, 300.0, 100.0));
        for _ in 0..REGION_FRAMES {
            assert_eq!(schedule.next(1280, 720), Look::Region { x: 465, y: 265, width: 170, height: 170 });
            schedule.saw(square(500.0, 300.0, 100.0));
        }
        assert_eq!(schedule.next(1280, 720), Look::Whole(2));
        assert!(matches!(schedule.next(1280, 720), Look::Region { .. }));
    }

    #[test]
    fn what_is_gone_is_looked_for_everywhere_with_the_late_tries_in_turn() {
        let mut schedule = Schedule::default();
        schedule.saw(square(500.0, 300.0, 100.0));
        for _ in 0..=LOST_FRAMES {
            schedule.saw(None);
        }
        let looks: Vec<Look> = (0..3).map(|_| schedule.next(1280, 720)).collect();
        assert_eq!(looks, [Look::Whole(1), Look::Whole(2), Look::Whole(3)]);
    }

    #[test]
    fn corners_outside_the_frame_and_mad_corners_do_no_harm() {
        let mut schedule = Schedule::default();
        for corners in [
            square(-900.0, -900.0, 50.0),
            square(1270.0, 715.0, 4.0),
            square(0.0, 0.0, 1e30),
            square(f32::NAN, 0.0, 1.0),
        ] {
            schedule.saw(corners);
            match schedule.next(1280, 720) {
                Look::Whole(_) => {}
                Look::Region { x, y, width, height } => assert!(x + width <= 1280 && y + height <= 720 && width > 0),
            }
        }
    }
}
