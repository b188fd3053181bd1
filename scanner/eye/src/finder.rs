//! Turns a crossing in one row into a finder pattern, or dismisses it: the pattern has to be there in other
//! directions too.

use std::{
    f32::consts::{FRAC_PI_4, PI, TAU},
    sync::LazyLock,
};

use crate::{
    plane::Plane,
    scan::{Crossing, is_finder},
    symbol::Point,
};

/// A square with a ring around it: one of the three marks of a symbol, or something that looks like one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Finder {
    /// Its middle.
    pub(crate) center: Point,
    /// Pixels across its seven modules, the mean over the directions looked at.
    pub(crate) size: f32,
    /// Angle of one of its sides, by the way its edges lie farther off towards the corners.
    pub(crate) angle: f32,
    /// Share of the directions in which both its rings are seen.
    pub(crate) quality: f32,
    /// Its own line between dark and light, halfway between its stone and its light ring, where the line of the blocks
    /// around it is another: bent by a dark card, glare or a slope of light.
    pub(crate) threshold: Option<f32>,
    /// From its middle to where its light ring ends, two and a half modules, by direction; both ways are one.
    pub(crate) light_ring: [f32; RAYS / 2],
}

impl Finder {
    /// Pixels a module along a direction in which one of its sides runs.
    pub(crate) fn module_along(&self, direction: Point) -> f32 {
        let turn = (direction.y.atan2(direction.x) - FIRST_RAY).rem_euclid(PI) / PI * (RAYS / 2) as f32;
        let (i, part) = (turn as usize, turn.fract());
        let (a, b) = (self.light_ring[i % (RAYS / 2)], self.light_ring[(i + 1) % (RAYS / 2)]);
        // On a straight edge it is the inverse of the distance that runs evenly.
        0.4 * a * b / (b + (a - b) * part)
    }
}

/// Runs from a point through a finder pattern, in whole steps.
#[derive(Clone, Copy, Debug)]
struct Section {
    runs: [f32; 5],
    /// How far the middle of the centre run lies from the start, in steps.
    offset: f32,
}

/// Checks a crossing down, across and along the diagonals.
pub(crate) fn check(plane: &Plane<'_>, crossing: Crossing) -> Option<Finder> {
    let mut x = crossing.x as i32;
    let mut y = crossing.y as i32;
    // Tilt can stretch one direction threefold.
    let reach = (crossing.width * 3.0) as i32;
    let down = section(plane, x, y, 0, 1, reach)?;
    y += down.offset.floor() as i32;
    let across = section(plane, x, y, 1, 0, reach)?;
    let center_x = x as f32 + 0.5 + across.offset;
    x += across.offset.floor() as i32;
    // Once more down from the better middle.
    let down = section(plane, x, y, 0, 1, reach)?;
    let center_y = y as f32 + 0.5 + down.offset;
    y += down.offset.floor() as i32;
    let diagonals = [section(plane, x, y, 1, 1, reach), section(plane, x, y, 1, -1, reach)];
    let total = |s: &Section| s.runs.iter().sum::<f32>();
    let (mut least, mut most) = (total(&across).min(total(&down)), total(&across).max(total(&down)));
    let mut seen = 0;
    for diagonal in diagonals.iter().flatten() {
        least = least.min(total(diagonal));
        most = most.max(total(diagonal));
        seen += 1;
    }
    if seen == 0 || most > 5.0 * least {
        return None;
    }
    let Rings { center, quality, angle, threshold, light_ring } = rings(plane, Point::new(center_x, center_y), most)?;
    (quality >= MIN_QUALITY).then_some(Finder {
        center,
        size: (least + most) / 2.0,
        angle,
        quality,
        threshold,
        light_ring,
    })
}

/// Directions in which the rings are looked for.
const RAYS: usize = 16;
/// Angle of the first.
const FIRST_RAY: f32 = 0.1;
/// One step along each.
static RAY: LazyLock<[Point; RAYS]> =
    LazyLock::new(|| std::array::from_fn(|i| Point::new(ray_angle(i).cos(), ray_angle(i).sin())));

fn ray_angle(i: usize) -> f32 {
    i as f32 * TAU / RAYS as f32 + FIRST_RAY
}

/// Share of them that have to show both: a finder may be damaged, but data that looks like one in the directions of
/// the raster does so in few others.
const MIN_QUALITY: f32 = 0.75;

/// What a look all around a middle gives.
struct Rings {
    center: Point,
    quality: f32,
    angle: f32,
    threshold: Option<f32>,
    light_ring: [f32; RAYS / 2],
}

/// By how many of their own standard deviations stone and ring differ at least: noise that happens to look like both
/// differs by less.
const MIN_SIGNAL: f32 = 3.0;

/// How far the line of the blocks may lie from a finder's own, in parts of the contrast there.
const MAX_BEND: f32 = 0.15;

/// Looks for the light and the dark ring all around; gives a better middle, the share of directions that fit, the
/// angle of a side, and the line between dark and light.
fn rings(plane: &Plane<'_>, center: Point, reach: f32) -> Option<Rings> {
    let mut edges = [[0.0_f32; 3]; RAYS];
    let mut good = 0;
    for (i, (edges, ray)) in edges.iter_mut().zip(&*RAY).enumerate() {
        let (mut next, mut distance, mut dark) = (0, 0.0, true);
        while distance < reach {
            distance += 1.0;
            if plane.dark_at(center + *ray * distance) != dark {
                edges[next] = distance - 0.5;
                next += 1;
                dark = !dark;
                if next == 3 {
                    break;
                }
            }
        }
        let [stone, light, ring] = *edges;
        // 1.5, 2.5 and 3.5 modules, with half a pixel and a good deal of blur either way.
        let fits = next >= 2
            && (light - stone) <= 1.2 * stone + 1.0
            && (light - stone) >= 0.25 * stone - 0.5
            && (next < 3 || ring - light >= 0.2 * stone - 0.5);
        good += usize::from(fits);
        if !fits {
            edges[1] = 0.0;
        }
        // Too many misses to make up for.
        if i + 1 - good > (RAYS as f32 * (1.0 - MIN_QUALITY)) as usize {
            return None;
        }
    }
    // Opposite edges of the light ring lie equally far from the true middle.
    let (mut sum, mut pairs) = (Point::default(), 0.0);
    for i in 0..RAYS / 2 {
        let (a, b) = (edges[i], edges[i + RAYS / 2]);
        if a[1] > 0.0 && b[1] > 0.0 {
            // Projected on each direction, half the squares' difference; over all directions this sums to half.
            sum = sum + RAY[i] * ((a[1] - b[1] + a[0] - b[0]) * 0.5);
            pairs += 1.0;
        }
    }
    if pairs < 4.0 {
        return None;
    }
    let light_ring = std::array::from_fn(|i| match (edges[i][1], edges[i + RAYS / 2][1]) {
        (a, b) if a > 0.0 && b > 0.0 => (a + b) / 2.0,
        (a, b) if a.max(b) > 0.0 => a.max(b),
        _ => reach * 2.5 / 7.0,
    });
    // A square's outline has four bumps: its fourth harmonic points at a corner.
    let (mut re, mut im) = (0.0, 0.0);
    for (i, edge) in edges.iter().enumerate() {
        let angle = 4.0 * ray_angle(i);
        re += edge[1] * angle.cos();
        im += edge[1] * angle.sin();
    }
    let corner = im.atan2(re) / 4.0;
    let (mut stone, mut ring, mut squares, mut seen) = (0.0, 0.0, 0.0, 0.0);
    for (edge, ray) in edges.iter().zip(&*RAY).filter(|(edge, _)| edge[1] > 0.0) {
        let dark = plane.ink(center + *ray * (edge[0] * 0.4));
        let light = plane.ink(center + *ray * ((edge[0] + edge[1]) / 2.0));
        stone += dark;
        ring += light;
        squares += dark * dark + light * light;
        seen += 1.0;
    }
    let (own, contrast) = ((stone + ring) / (2.0 * seen), (stone - ring) / seen);
    let variance = (squares - (stone * stone + ring * ring) / seen) / (2.0 * seen);
    if contrast * contrast < MIN_SIGNAL * MIN_SIGNAL * variance {
        return None;
    }
    let bent = (plane.ink(center) - own - plane.contrast(center)).abs() > MAX_BEND * contrast;
    Some(Rings {
        center: center + sum * (1.0 / pairs),
        quality: good as f32 / RAYS as f32,
        angle: corner + FRAC_PI_4,
        threshold: bent.then_some(own),
        light_ring,
    })
}

/// The five runs through a pixel in one direction, if they fit a finder pattern.
fn section(plane: &Plane<'_>, x: i32, y: i32, dx: i32, dy: i32, reach: i32) -> Option<Section> {
    if !plane.dark(x, y) {
        return None;
    }
    let mut left = reach;
    // Steps to the last pixel of the picture.
    let room = |sign: i32| {
        let along = |at: i32, step: i32, most: usize| match step.signum() {
            1 => most as i32 - 1 - at,
            -1 => at,
            _ => i32::MAX,
        };
        along(x, sign * dx, plane.width()).min(along(y, sign * dy, plane.height()))
    };
    let rooms = [room(-1), room(1)];
    let mut run = |from: &mut i32, sign: i32, color: bool| {
        let mut length = 0;
        let room = rooms[usize::from(sign > 0)];
        // Beyond the picture everything is light; a run that ends there ends.
        while left > 0 && *from <= room {
            let (px, py) = (x + dx * sign * *from, y + dy * sign * *from);
            if plane.dark_inside(px as usize, py as usize) != color {
                break;
            }
            *from += 1;
            length += 1;
            left -= 1;
        }
        (length, left > 0)
    };
    let (mut forth, mut back) = (0, 1);
    let mut runs = [0; 5];
    let (center_forth, a) = run(&mut forth, 1, true);
    let (center_back, b) = run(&mut back, -1, true);
    runs[2] = center_forth + center_back;
    if !a || !b {
        return None;
    }
    for (k, color) in [(1, false), (2, true)] {
        let (length, more) = run(&mut forth, 1, color);
        runs[2 + k] = length;
        let (length_back, more_back) = run(&mut back, -1, color);
        runs[2 - k] = length_back;
        if length == 0 || length_back == 0 || !more || !more_back {
            return None;
        }
    }
    let runs = runs.map(|r| r as f32);
    // The middle of the whole pattern is steadier than that of its centre, but only on a clean border.
    let offset = (center_forth - 1 - center_back) as f32 / 2.0;
    is_finder(runs).then_some(Section { runs, offset })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{light::Light, luma::Luma};

    /// A finder of `module` pixels a module whose outer corner is at (30, 40).
    fn drawn(module: usize, broken: bool) -> Vec<u8> {
        let mut data = vec![220_u8; 160 * 160];
        for y in 0..7 * module {
            for x in 0..7 * module {
                let (mx, my) = (x / module, y / module);
                let ring = mx == 0 || my == 0 || mx == 6 || my == 6;
                let stone = (2..5).contains(&mx) && (2..5).contains(&my);
                if (ring || stone) && !(broken && my < 2) {
                    data[(40 + y) * 160 + 30 + x] = 20;
                }
            }
        }
        data
    }

    fn find(data: &[u8], module: usize) -> Option<Finder> {
        let luma = Luma::new(data, 160, 160).expect("fits");
        let mut light = Light::default();
        light.measure(luma, 1);
        let plane = Plane::new(luma, &light, false);
        let crossing =
            Crossing { x: 30.0 + 3.5 * module as f32, y: 40 + 3 * module, width: 7.0 * module as f32, inverted: false };
        check(&plane, crossing)
    }

    #[test]
    fn the_middle_of_a_finder_is_found_from_any_row_that_crosses_it() {
        for module in [3, 4, 7, 10] {
            let finder = find(&drawn(module, false), module).expect("it is drawn there");
            let middle = Point::new(30.0 + 3.5 * module as f32, 40.0 + 3.5 * module as f32);
            assert!((finder.center - middle).length() < 0.8, "{finder:?} for {middle:?}");
        }
    }

    #[test]
    fn a_pattern_in_one_direction_only_is_none() {
        assert_eq!(find(&drawn(5, true), 5), None);
    }
}
