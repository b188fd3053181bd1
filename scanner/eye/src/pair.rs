//! From two finders to a first map of the symbol: the third is under a thumb, a crack, a glare or a band of a dimmed screen.
//!
//! Two finders at one side of a symbol have a timing pattern between them. It says on which side of them the symbol lies and how
//! many modules it has. A second timing pattern leaves one of the two at a right angle and leads to where the third finder must
//! be: that place is searched for, and believed only when the modules on the way alternate.

use crate::{
    finder::Finder,
    frame::{self, Axes, Frame},
    plane::Plane,
    symbol::{MAX_SIZE, Point},
};

/// Both rings are seen in nearly all directions: of two, none may be in doubt.
const MIN_QUALITY: f32 = 0.87;
/// Two finders of one symbol are about of one size, unless it is seen from very near.
const MAX_UNLIKE: f32 = 1.7;
/// How many modules may be missing or too many by the distance of the two, as a share of all.
const MAX_MISCOUNT: f32 = 0.07;
/// Share of alternating modules less those that do not, for the pattern between the two, and for that to the third.
const MIN_BETWEEN: f32 = 0.5;
const MIN_BEYOND: f32 = 0.55;
/// How far the third may lie from where it would without perspective, as a share of the side; and the steps of the search in modules.
const REACH: f32 = 0.12;
const STEP: f32 = 0.5;
/// Most steps either way; the largest symbols have to be seen from the front.
const MAX_STEPS: i32 = 18;

/// The pairs of finders that may stand at one side of a symbol, the likeliest first, at most `limit`.
pub(crate) fn pairs(finders: &[Finder], limit: usize) -> Vec<[Finder; 2]> {
    let mut pairs: Vec<(f32, [Finder; 2])> = Vec::new();
    let clear: Vec<&Finder> = finders.iter().filter(|finder| finder.quality >= MIN_QUALITY).collect();
    for (i, a) in clear.iter().enumerate() {
        for b in &clear[i + 1..] {
            let along = b.center - a.center;
            let (one, other) = (a.module_along(along), b.module_along(along));
            let modules = along.length() / (one * other).sqrt();
            let unlike = (a.size / b.size).max(b.size / a.size).max(one / other).max(other / one);
            if unlike < MAX_UNLIKE && (13.0..(MAX_SIZE - 6) as f32).contains(&modules) {
                // Nearer ones first where several are alike, as for three finders.
                let worth = (2.2 - a.quality - b.quality) * unlike * along.length().sqrt();
                pairs.push((worth, [**a, **b]));
            }
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs.truncate(limit);
    pairs.into_iter().map(|(_, pair)| pair).collect()
}

/// The map of the symbol that has these two finders and a third that cannot be seen.
///
/// Searches for the third are counted off `searches`; the attack: clutter between two finders that alternates.
pub(crate) fn frame(plane: &Plane<'_>, pair: &[Finder; 2], searches: &mut usize) -> Option<Frame> {
    let along = pair[1].center - pair[0].center;
    let ends = frame::measure_two(plane, pair)?;
    let modules = along.length() / (ends[0].u.length() * ends[1].u.length()).sqrt();
    let slack = 2.0 + modules * MAX_MISCOUNT;
    let sizes = (21..=MAX_SIZE).step_by(4).filter(|size| (*size as f32 - 7.0 - modules).abs() <= slack);
    let mut best: Option<(f32, usize, f32)> = None;
    for size in sizes {
        for side in [1.0, -1.0] {
            let line = Line::between(&ends, size, side);
            let score = line.score(plane, size);
            if score >= MIN_BETWEEN && best.is_none_or(|(most, ..)| score > most) {
                best = Some((score, size, side));
            }
        }
    }
    let (between, size, side) = best?;
    // The third stands off the one of the two from which a timing pattern goes on.
    let corners = [(0, 1), (1, 0)].into_iter().filter_map(|(corner, other)| {
        *searches = searches.checked_sub(1)?;
        let (score, third) = third(plane, &ends[corner], &ends[other], size, side)?;
        Some((score, corner, other, third))
    });
    let (beyond, corner, other, third) = corners.max_by(|a, b| a.0.total_cmp(&b.0))?;
    let (corner, other) = (&ends[corner], &ends[other]);
    let mut frame = frame::of_two(plane, corner, other, third, size)?;
    frame.evidence = between.min(beyond);
    Some(frame)
}

/// Where the modules of a timing pattern lie: along a line between two finders' middles, three modules aside of it.
struct Line {
    from: Point,
    to: Point,
    aside: [Point; 2],
    /// The share of the way that `t` modules are is a·t / (1 + b·t): the modules shrink in perspective.
    a: f32,
    b: f32,
}

impl Line {
    fn between(ends: &[Axes; 2], size: usize, side: f32) -> Self {
        let aside = [ends[0].v * (3.0 * side), ends[1].v * (3.0 * side)];
        Self::new([ends[0].center, ends[1].center], aside, ends[0].u.length(), size)
    }

    fn new([from, to]: [Point; 2], aside: [Point; 2], module: f32, size: usize) -> Self {
        let a = module / (to - from).length().max(1e-3);
        Self { from, to, aside, a, b: a - 1.0 / (size as f32 - 7.0) }
    }

    /// The place `t` modules from the middle of the first finder.
    fn at(&self, t: f32) -> Point {
        let share = self.a * t / (1.0 + self.b * t).max(0.05);
        self.from + (self.to - self.from) * share + self.aside[0] * (1.0 - share) + self.aside[1] * share
    }

    /// Modules that alternate less those that do not, as a share of all between two finders; early when the first do not.
    fn score(&self, plane: &Plane<'_>, size: usize) -> f32 {
        let mut sum = 0_i32;
        for i in 8..size - 8 {
            let dark = plane.contrast(self.at(i as f32 - 3.0)) > 0.0;
            sum += if dark == (i % 2 == 0) { 1 } else { -1 };
            if i == 16 && sum < 2 {
                break;
            }
        }
        sum as f32 / (size - 16) as f32
    }
}

/// Where the third finder must be, if a timing pattern goes from the corner to it; and how well that alternates.
fn third(plane: &Plane<'_>, corner: &Axes, other: &Axes, size: usize, side: f32) -> Option<(f32, Point)> {
    let far = size as f32 - 7.0;
    // One module towards the other finder, and one towards the third.
    let along =
        (other.center - corner.center) * (corner.u.length() / (other.center - corner.center).length().max(1e-3));
    let away = corner.v * side;
    let expected = corner.center + away * far;
    let aside = along * 3.0;
    let score =
        |place: Point| Line::new([corner.center, place], [aside, aside], away.length(), size).score(plane, size);
    let mut best = (f32::MIN, expected);
    let steps = (((REACH * far + 1.0) / STEP) as i32).min(MAX_STEPS);
    for j in -steps..=steps {
        for i in -steps..=steps {
            let (x, y) = (i as f32 * STEP, j as f32 * STEP);
            let place = expected + along * x + away * y;
            // Of two that are alike the nearer one.
            let worth = score(place) - 0.2 * (x.abs() + y.abs()) / far;
            if worth > best.0 {
                best = (worth, place);
            }
        }
    }
    // To the middle of the places that are as good: the modules are wide.
    let reached = score(best.1);
    if reached < MIN_BEYOND || !plane.contains(best.1) {
        return None;
    }
    let mut place = best.1;
    for axis in [along, away] {
        let extent = |sign: f32| {
            (1..6)
                .map(|i| i as f32 * 0.2 * sign)
                .take_while(|x| score(place + axis * *x) >= reached - 0.01)
                .last()
                .unwrap_or(0.0)
        };
        place = place + axis * ((extent(1.0) + extent(-1.0)) / 2.0);
    }
    Some((reached, place))
}
