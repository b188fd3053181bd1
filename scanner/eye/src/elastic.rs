//! Follows a symbol that is neither flat nor smoothly bent: cloth, crumpled paper, a label over an edge.
//!
//! A patch of modules that is sampled in the middle of its modules shows the most contrast; one that is sampled on
//! their edges shows none. So every patch is shifted to where its contrast is greatest, starting at the finders,
//! whose place is sure, and going outwards, each patch expecting to be moved about as far as its neighbours were.

use crate::{
    plane::Plane,
    sample::Samples,
    symbol::{Point, Version},
};

/// How closely a symbol is followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Closeness {
    /// Modules between the middles of two patches.
    spacing: usize,
    /// Half the side of a patch in modules.
    radius: usize,
    /// What a shift of a module has to bring, in parts of the contrast.
    reason: f32,
    /// Whether the alignment patterns, too, are where the symbol is known to lie.
    anchored: bool,
}

impl Closeness {
    /// For paper that bends: large patches, which see through noise.
    pub(crate) const LOOSE: Closeness = Closeness { spacing: 4, radius: 3, reason: 0.12, anchored: false };
    /// For paper with a fold and glass with a crack, beside which the modules lie otherwise within two or three of them.
    pub(crate) const CLOSE: Closeness = Closeness { spacing: 2, radius: 2, reason: 0.2, anchored: true };
}

/// Largest symbol followed: the work grows with its area.
const MAX_MODULES: usize = 101;

/// Moves the modules' places to where their neighbourhoods show the most contrast.
///
/// `None` when the symbol is too large for it.
pub(crate) fn follow(
    plane: &Plane<'_>,
    places: &[Point],
    samples: &Samples,
    size: usize,
    how: Closeness,
) -> Option<Vec<Point>> {
    if size > MAX_MODULES {
        return None;
    }
    let levels = samples.levels();
    let count = (size - 1).div_ceil(how.spacing) + 1;
    let middle = |i: usize| (i * how.spacing).min(size - 1);
    let mut shifts: Vec<Option<Point>> = vec![None; count * count];
    let far = size as f32 - 4.0;
    let mut sure = vec![Point::new(3.0, 3.0), Point::new(far, 3.0), Point::new(3.0, far)];
    if let Some(version) = Version::from_size(size).filter(|_| how.anchored) {
        let centers = version.alignment_centres();
        let all = centers.iter().flat_map(|y| centers.iter().map(move |x| (*x, *y)));
        sure.extend(all.map(|(x, y)| Point::new(f32::from(x), f32::from(y))));
    }
    let distance = |i: usize| {
        let at = Point::new(middle(i % count) as f32, middle(i / count) as f32);
        sure.iter().fold(f32::MAX, |d, place| d.min((at - *place).length()))
    };
    let mut order: Vec<usize> = (0..count * count).collect();
    order.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)));
    for node in order {
        let (nx, ny) = (node % count, node / count);
        let mut sum = Point::default();
        let mut known = 0.0;
        for y in ny.saturating_sub(1)..(ny + 2).min(count) {
            for x in nx.saturating_sub(1)..(nx + 2).min(count) {
                if let Some(shift) = shifts[y * count + x] {
                    sum = sum + shift;
                    known += 1.0;
                }
            }
        }
        let expected = if known > 0.0 { sum * (1.0 / known) } else { Point::default() };
        let patch = Patch::around(places, size, (middle(nx), middle(ny)), how);
        shifts[node] = Some(patch.best(plane, places, &levels, expected));
    }
    // Neighbouring patches share modules; what they disagree on is noise.
    let smooth: Vec<Point> = (0..count * count)
        .map(|node| {
            let (nx, ny) = (node % count, node / count);
            let mut sum = Point::default();
            let mut weight = 0.0;
            for y in ny.saturating_sub(1)..(ny + 2).min(count) {
                for x in nx.saturating_sub(1)..(nx + 2).min(count) {
                    let w = if x == nx && y == ny { 4.0 } else { 1.0 };
                    sum = sum + shifts[y * count + x].unwrap_or_default() * w;
                    weight += w;
                }
            }
            sum * (1.0 / weight)
        })
        .collect();
    let mut moved = places.to_vec();
    for y in 0..size {
        for x in 0..size {
            let (fx, fy) = (x as f32 / how.spacing as f32, y as f32 / how.spacing as f32);
            let (x0, y0) = ((fx as usize).min(count - 1), (fy as usize).min(count - 1));
            let (x1, y1) = ((x0 + 1).min(count - 1), (y0 + 1).min(count - 1));
            let (ax, ay) = (fx - x0 as f32, fy - y0 as f32);
            let top = smooth[y0 * count + x0] * (1.0 - ax) + smooth[y0 * count + x1] * ax;
            let bottom = smooth[y1 * count + x0] * (1.0 - ax) + smooth[y1 * count + x1] * ax;
            let shift = top * (1.0 - ay) + bottom * ay;
            let (u, v) = axes(places, size, x, y);
            moved[y * size + x] = places[y * size + x] + u * shift.x + v * shift.y;
        }
    }
    Some(moved)
}

/// One module to the right and one down, in pixels.
pub(crate) fn axes(places: &[Point], size: usize, x: usize, y: usize) -> (Point, Point) {
    let at = |x: usize, y: usize| places[y * size + x];
    let (x0, x1) = (x.saturating_sub(1), (x + 1).min(size - 1));
    let (y0, y1) = (y.saturating_sub(1), (y + 1).min(size - 1));
    ((at(x1, y) - at(x0, y)) * (1.0 / (x1 - x0) as f32), (at(x, y1) - at(x, y0)) * (1.0 / (y1 - y0) as f32))
}

/// Some modules near each other, and the local axes they are shifted along.
struct Patch {
    modules: Vec<usize>,
    u: Point,
    v: Point,
    reason: f32,
}

impl Patch {
    fn around(places: &[Point], size: usize, (x, y): (usize, usize), how: Closeness) -> Self {
        let (u, v) = axes(places, size, x, y);
        let mut modules = Vec::with_capacity((2 * how.radius + 1).pow(2));
        for my in y.saturating_sub(how.radius)..(y + how.radius + 1).min(size) {
            for mx in x.saturating_sub(how.radius)..(x + how.radius + 1).min(size) {
                // Every other module says as much, at half the price.
                if (mx + my) % 2 == 0 {
                    modules.push(my * size + mx);
                }
            }
        }
        Self { modules, u, v, reason: how.reason }
    }

    /// The shift in modules that shows the most contrast, near the expected one.
    fn best(&self, plane: &Plane<'_>, places: &[Point], levels: &[(f32, f32)], expected: Point) -> Point {
        let worth = |step: Point| {
            let shift = expected + step;
            let pixels = self.u * shift.x + self.v * shift.y;
            let mut contrast = 0.0;
            for module in &self.modules {
                let (threshold, half) = levels[*module];
                contrast += ((plane.ink(places[*module] + pixels) - threshold).abs() / half).min(1.2);
            }
            // A shift needs a reason.
            contrast / self.modules.len() as f32 - self.reason * step.dot(step)
        };
        let mut best = (Point::default(), worth(Point::default()));
        // Uphill, at most half a module and a quarter in each direction.
        for _ in 0..3 {
            let from = best.0;
            for (x, y) in [(-0.25, 0.0), (0.25, 0.0), (0.0, -0.25), (0.0, 0.25)] {
                let step = from + Point::new(x, y);
                let value = worth(step);
                if value > best.1 {
                    best = (step, value);
                }
            }
            if best.0 == from {
                break;
            }
        }
        expected + best.0
    }
}
