//! From three finders to a first map of the whole symbol: how many modules it has, and where they lie.
//!
//! Every edge of every finder that can be seen gives one equation, and one least squares over all of them gives the
//! map; no finder is extrapolated alone. The number of modules comes from what the finders measure, and is believed
//! only when something inside the symbol agrees: its timing patterns, or its version information.

use crate::{
    decode::nearest_version,
    finder::Finder,
    geometry::{Fit, Homography},
    group::Triple,
    plane::Plane,
    symbol::{MAX_SIZE, Point, Version},
};

/// A symbol's outline before its alignment patterns are looked at.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Modules along a side.
    pub(crate) size: usize,
    /// From modules (the symbol's own corner is 0, 0) to pixels.
    pub(crate) map: Homography,
    /// The equations the map came from, for more to be added.
    fit: Fit,
    /// Each finder's own centre and module axes, in the order top left, top right, bottom left.
    pub(crate) corners: [Axes; 3],
    /// How much the symbol agrees with this size, at most 1.
    pub(crate) evidence: f32,
}

/// A finder's own geometry: its centre, and one module along each of the symbol's axes, in pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axes {
    pub(crate) center: Point,
    pub(crate) u: Point,
    pub(crate) v: Point,
    /// The finder's own line between dark and light, when it is measured by that and not by the blocks around.
    threshold: Option<f32>,
}

impl Axes {
    /// Pixels of one module, the smaller way.
    pub(crate) fn module(&self) -> f32 {
        self.u.length().min(self.v.length())
    }
}

/// An edge seen on a finder: the pixel, and which line of the finder it lies on.
#[derive(Clone, Copy, Debug)]
struct Edge {
    at: Point,
    finder: usize,
    /// Along the rows (a column boundary) or down the columns.
    horizontal: bool,
    /// Modules from the finder's middle.
    line: f32,
}

/// Edges a finder has to show of the 52 that are looked for, and three of them together of 156. A true one that is
/// damaged, blurred or bent shows most of them, clutter that looks like one hardly more than half.
const MIN_EDGES: usize = 24;
const MIN_EDGES_OF_THREE: usize = 96;

/// Agreement below which a size is not believed.
const MIN_EVIDENCE: f32 = 0.3;

/// All frames that three finders may be part of, the most agreeing first; at most two.
///
/// The line between dark and light is that of the blocks around first, because they average more noise and blur away;
/// where nothing comes of it, each finder's own, which a dark card, glare or a slope of light nearby does not bend.
pub(crate) fn frames(plane: &Plane<'_>, triple: &Triple) -> Vec<Frame> {
    let frames = frames_by(plane, triple, Line::Blocks);
    let bent = [triple.top_left, triple.top_right, triple.bottom_left].iter().any(|finder| finder.threshold.is_some());
    if frames.is_empty() && bent { frames_by(plane, triple, Line::Own) } else { frames }
}

/// Whose line between dark and light the finders are measured by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Blocks,
    Own,
}

fn frames_by(plane: &Plane<'_>, triple: &Triple, line: Line) -> Vec<Frame> {
    let Some((corners, along_u, along_v)) = measure(plane, triple, line) else { return Vec::new() };
    if !square(&corners, along_u, along_v) {
        return Vec::new();
    }
    let Some(edges) = edges(plane, &corners).filter(|edges| edges.len() >= MIN_EDGES_OF_THREE) else {
        return Vec::new();
    };
    let mut sizes: Vec<usize> = Vec::new();
    let mut add = |modules: f32| {
        let version = ((modules - 17.0) / 4.0).round().max(1.0) as usize;
        let size = 17 + 4 * version;
        if size <= MAX_SIZE && !sizes.contains(&size) {
            sizes.push(size);
        }
    };
    let mean = (along_u + along_v) / 2.0;
    for modules in [mean, along_u, along_v, mean - 2.0, mean + 2.0] {
        add(modules);
    }
    if mean > 40.0 {
        add(mean - 4.0);
        add(mean + 4.0);
    }
    let mut frames: Vec<Frame> =
        sizes.iter().filter_map(|size| frame(plane, triple, &corners, &edges, *size)).collect();
    // The version information overrules what was measured, within reason.
    for i in 0..frames.len() {
        if let Some(size) = named_size(plane, &frames[i])
            && size.abs_diff(mean as usize) <= 8 + mean as usize / 10
        {
            if let Some(known) = frames.iter_mut().find(|f| f.size == size) {
                known.evidence += 0.5;
            } else if let Some(mut new) = frame(plane, triple, &corners, &edges, size) {
                new.evidence += 0.5;
                frames.push(new);
            }
            break;
        }
    }
    frames.retain(|f| f.evidence >= MIN_EVIDENCE);
    frames.sort_by(|a, b| b.evidence.total_cmp(&a.evidence));
    frames.truncate(2);
    frames
}

/// Two finders' own axes: `u` along the line between them, `v` to its right. `None` when one of them shows too few edges.
pub(crate) fn measure_two(plane: &Plane<'_>, pair: &[Finder; 2]) -> Option<[Axes; 2]> {
    let u = unit(pair[1].center - pair[0].center);
    let v = Point::new(-u.y, u.x);
    let mut ends = [Axes { center: Point::default(), u, v, threshold: None }; 2];
    for (axes, finder) in ends.iter_mut().zip(pair) {
        let by = |threshold| {
            let (mu, shift_u) = module_along(plane, finder, u, threshold)?;
            let (mv, shift_v) = module_along(plane, finder, v, threshold)?;
            (mu <= 3.5 * mv && mv <= 3.5 * mu).then_some((mu, shift_u, mv, shift_v))
        };
        let own = || Some((finder.threshold, by(Some(finder.threshold?))?));
        let (threshold, (mu, shift_u, mv, shift_v)) = by(None).map(|m| (None, m)).or_else(own)?;
        let center = finder.center + u * shift_u + v * shift_v;
        *axes = Axes { center, u: u * mu, v: v * mv, threshold };
        // Tilt makes the two directions no right angle: the edges know.
        let mut fit = Fit::around(center, 3.5 * axes.module());
        fit.stiffen();
        for edge in edges(plane, &[*axes])? {
            if edge.horizontal {
                fit.column(edge.at, edge.line, 1.0);
            } else {
                fit.row(edge.at, edge.line, 1.0);
            }
        }
        let map = fit.solve()?.inverse()?;
        let middle = map.map(Point::default());
        if (middle - center).length() > axes.module() {
            return None;
        }
        *axes = Axes {
            center: middle,
            u: map.map(Point::new(1.0, 0.0)) - middle,
            v: map.map(Point::new(0.0, 1.0)) - middle,
            threshold,
        };
    }
    Some(ends)
}

/// The frame of a symbol that has two finders, `corner` being the one between the others, and a third at a known place. The axes
/// are those of [`measure_two`].
pub(crate) fn of_two(plane: &Plane<'_>, corner: &Axes, other: &Axes, third: Point, size: usize) -> Option<Frame> {
    let far = size as f32 - 7.0;
    let (along, away) = (other.center - corner.center, third - corner.center);
    // Seen from the front the third finder lies clockwise of the second, or the second is the lower one.
    let other_is_right = along.cross(away) > 0.0;
    // The axes of both in the symbol's own directions.
    let turned = |axes: &Axes| {
        let towards = |axis: Point, to: Point| if axis.dot(to) < 0.0 { axis * -1.0 } else { axis };
        let (along, away) = (towards(axes.u, along), towards(axes.v, away));
        let (u, v) = if other_is_right { (along, away) } else { (away, along) };
        Axes { u, v, ..*axes }
    };
    let (corner, other) = (turned(corner), turned(other));
    let place = |is_right: bool| if is_right { Point::new(3.5 + far, 3.5) } else { Point::new(3.5, 3.5 + far) };
    let reach = (other.center - third).length();
    let mut fit = Fit::around((other.center + third) * 0.5, reach * 0.5);
    for (axes, middle) in [(&corner, Point::new(3.5, 3.5)), (&other, place(other_is_right))] {
        for edge in edges(plane, &[*axes])? {
            if edge.horizontal {
                fit.column(edge.at, middle.x + edge.line, 1.0);
            } else {
                fit.row(edge.at, middle.y + edge.line, 1.0);
            }
        }
        fit.point(axes.center, middle, 2.0);
    }
    fit.point(third, place(!other_is_right), 12.0);
    let map = fit.solve()?.inverse()?;
    // The third has the axes that the map gives it.
    let middle = map.map(place(!other_is_right));
    let at = |x: f32, y: f32| map.map(place(!other_is_right) + Point::new(x, y)) - middle;
    let hidden = Axes { center: middle, u: at(1.0, 0.0), v: at(0.0, 1.0), threshold: None };
    let corners = if other_is_right { [corner, other, hidden] } else { [corner, hidden, other] };
    let frame = Frame { size, map, fit, corners, evidence: 0.0 };
    frame.is_whole(reach).then_some(frame)
}

/// Micro QR symbols have one finder: the frames of all four directions and sizes whose timing patterns agree, best
/// first, at most two.
pub(crate) fn micro_frames(plane: &Plane<'_>, finder: &Finder) -> Vec<Frame> {
    let mut frames = Vec::new();
    let (sin, cos) = finder.angle.sin_cos();
    let (u, v) = (Point::new(cos, sin), Point::new(-sin, cos));
    let Some((mu, shift_u)) = module_along(plane, finder, u, None) else { return frames };
    let Some((mv, shift_v)) = module_along(plane, finder, v, None) else { return frames };
    let center = finder.center + u * shift_u + v * shift_v;
    let (mut u, mut v) = (u * mu, v * mv);
    for _ in 0..4 {
        (u, v) = (v, u * -1.0);
        let axes = Axes { center, u, v, threshold: None };
        let mut fit = Fit::around(center, 3.5 * axes.module());
        fit.stiffen();
        // From every direction they are the same edges.
        let Some(edges) = edges(plane, &[axes]) else { return frames };
        for edge in edges {
            if edge.horizontal {
                fit.column(edge.at, 3.5 + edge.line, 1.0);
            } else {
                fit.row(edge.at, 3.5 + edge.line, 1.0);
            }
        }
        let Some(map) = fit.solve().and_then(|back| back.inverse()) else { continue };
        for size in [11, 13, 15, 17] {
            let mut frame = Frame { size, map, fit: fit.clone(), corners: [axes; 3], evidence: 0.0 };
            frame.evidence = micro_timing(plane, &frame);
            if frame.evidence >= 0.75 {
                frames.push(frame);
            }
        }
    }
    frames.sort_by(|a, b| b.evidence.total_cmp(&a.evidence));
    frames.truncate(2);
    frames
}

/// How well the timing patterns along two edges of a Micro QR symbol alternate and then end in light.
fn micro_timing(plane: &Plane<'_>, frame: &Frame) -> f32 {
    let mut sum = 0_i32;
    for i in 7..frame.size + 2 {
        let along = i as f32 + 0.5;
        for p in [Point::new(along, 0.5), Point::new(0.5, along)] {
            let dark = plane.contrast(frame.map.map(p)) > 0.0;
            sum += if dark == (i % 2 == 0 && i < frame.size) { 1 } else { -1 };
        }
    }
    sum as f32 / (2 * (frame.size - 5)) as f32
}

fn unit(p: Point) -> Point {
    p * (1.0 / p.length().max(1e-6))
}

/// Module axes at each finder, and how many modules lie along the top and the left side.
fn measure(plane: &Plane<'_>, triple: &Triple, line: Line) -> Option<([Axes; 3], f32, f32)> {
    let finders = [triple.top_left, triple.top_right, triple.bottom_left];
    let across = triple.top_right.center - triple.top_left.center;
    let down = triple.bottom_left.center - triple.top_left.center;
    let (u, v) = (unit(across), unit(down));
    let mut axes = [Axes { center: Point::default(), u, v, threshold: None }; 3];
    for (a, finder) in axes.iter_mut().zip(&finders) {
        let own = finder.threshold.filter(|_| line == Line::Own);
        let other = finder.threshold.filter(|_| line == Line::Blocks);
        let by = |threshold| {
            let (mu, shift_u) = module_along(plane, finder, u, threshold)?;
            let (mv, shift_v) = module_along(plane, finder, v, threshold)?;
            (mu <= 3.5 * mv && mv <= 3.5 * mu).then_some((threshold, mu, shift_u, mv, shift_v))
        };
        // Where a finder cannot be measured by the one line, it can by the other: glare beside one of the three.
        let (threshold, mu, shift_u, mv, shift_v) = by(own).or_else(|| finder.threshold.and_then(|_| by(other)))?;
        a.center = finder.center + u * shift_u + v * shift_v;
        a.u = u * mu;
        a.v = v * mv;
        a.threshold = threshold;
    }
    // Along a line seen in perspective, the number of modules is the distance by the geometric mean of the module
    // sizes at its ends: exactly, not approximately.
    let count = |a: Point, b: Point, p: Point, q: Point| (b - a).length() / (p.length() * q.length()).sqrt() + 7.0;
    let along_u = count(axes[0].center, axes[1].center, axes[0].u, axes[1].u);
    let along_v = count(axes[0].center, axes[2].center, axes[0].v, axes[2].v);
    Some((axes, along_u, along_v))
}

/// Pixels a module along a line through a finder's middle, and how far its true middle lies along that line.
fn module_along(plane: &Plane<'_>, finder: &Finder, direction: Point, threshold: Option<f32>) -> Option<(f32, f32)> {
    let forth = crossings(plane, finder, direction, threshold);
    let back = crossings(plane, finder, direction * -1.0, threshold);
    let [a1, a2, a3] = forth;
    let [b1, b2, b3] = back;
    let (a1, a2, b1, b2) = (a1?, a2?, b1?, b2?);
    let (three, five) = (a1 + b1, a2 + b2);
    // Ink that spreads widens the square of three and narrows that of five by as much: their sum is honest.
    let mut module = (three + five) / 8.0;
    let mut shift = (a1 - b1 + a2 - b2) / 4.0;
    if let (Some(a3), Some(b3)) = (a3, b3) {
        let seven = a3 + b3;
        if (five..2.2 * five).contains(&seven) {
            module = (five + seven) / 12.0;
            shift = (a1 - b1 + a2 - b2 + a3 - b3) / 6.0;
        }
    }
    (three > 1.2 * module && three < 5.0 * module && module > 0.8).then_some((module, shift))
}

/// Distances from a finder's dark middle to its first three edges along a ray.
fn crossings(plane: &Plane<'_>, finder: &Finder, direction: Point, threshold: Option<f32>) -> [Option<f32>; 3] {
    let mut out = [None; 3];
    let step = 0.5;
    let mut last = plane.contrast_over(finder.center, threshold);
    if last <= 0.0 {
        return out;
    }
    let mut distance = 0.0;
    let mut next = 0;
    while distance < finder.size {
        distance += step;
        let value = plane.contrast_over(finder.center + direction * distance, threshold);
        if (value > 0.0) != (last > 0.0) {
            out[next] = Some(distance - step * value / (value - last));
            next += 1;
            if next == 3 {
                break;
            }
        }
        last = value;
    }
    out
}

/// Looks for every edge of the finders where it is expected; `None` when one of the finders shows too few.
fn edges(plane: &Plane<'_>, corners: &[Axes]) -> Option<Vec<Edge>> {
    let mut edges = Vec::with_capacity(160);
    for (finder, axes) in corners.iter().enumerate() {
        let before = edges.len();
        for (horizontal, along, aside) in [(true, axes.u, axes.v), (false, axes.v, axes.u)] {
            for offset in [-2.0_f32, -1.0, 0.0, 1.0, 2.0] {
                let start = axes.center + aside * offset;
                for sign in [-1.0_f32, 1.0] {
                    for (line, rising) in [(1.5_f32, false), (2.5, true), (3.5, false)] {
                        if line < 2.0 && offset.abs() > 1.5 {
                            continue;
                        }
                        if let Some(at) = edge_near(plane, start, along * sign, line, rising, axes.threshold) {
                            edges.push(Edge { at, finder, horizontal, line: line * sign });
                        }
                    }
                }
            }
        }
        if edges.len() < before + MIN_EDGES {
            return None;
        }
    }
    Some(edges)
}

/// Whether three finders with these axes, and so many modules apart, can be those of a square that is seen from somewhere.
fn square(corners: &[Axes; 3], along_u: f32, along_v: f32) -> bool {
    let (most, least) = (along_u.max(along_v), along_u.min(along_v));
    // From the smallest symbol to the largest, which is 177, with what tilt and bent paper do to the measure.
    if most > 1.35 * least + 3.0 || least < 17.5 || most > 190.0 {
        return false;
    }
    let alike = |sizes: [f32; 3]| {
        let most = sizes.into_iter().fold(0.0, f32::max);
        sizes.into_iter().all(|size| most < 2.6 * size)
    };
    alike(corners.map(|c| c.u.length())) && alike(corners.map(|c| c.v.length()))
}

/// The edge nearest to `line` modules along an axis, within three quarters of a module.
fn edge_near(
    plane: &Plane<'_>,
    start: Point,
    module: Point,
    line: f32,
    rising: bool,
    threshold: Option<f32>,
) -> Option<Point> {
    const HALF: usize = 3;
    let value = |i: usize| plane.contrast_over(start + module * (line + (i as f32 - HALF as f32) * 0.25), threshold);
    let mut best: Option<(f32, f32)> = None;
    let mut last = value(0);
    for i in 1..=2 * HALF {
        let now = value(i);
        if (now > 0.0) == rising && (last > 0.0) != rising {
            let place = i as f32 - HALF as f32 - now / (now - last);
            if best.is_none_or(|(away, _)| place.abs() < away) {
                best = Some((place.abs(), line + place * 0.25));
            }
        }
        last = now;
    }
    best.map(|(_, at)| start + module * at)
}

fn frame(plane: &Plane<'_>, triple: &Triple, corners: &[Axes; 3], edges: &[Edge], size: usize) -> Option<Frame> {
    let far = size as f32 - 7.0;
    let middles = [Point::new(3.5, 3.5), Point::new(3.5 + far, 3.5), Point::new(3.5, 3.5 + far)];
    let reach = (triple.top_right.center - triple.bottom_left.center).length();
    let mut kept: Vec<&Edge> = edges.iter().collect();
    let mut fit = Fit::default();
    let mut back = None;
    for round in 0..3 {
        fit = Fit::around(triple.middle(), reach * 0.5);
        for edge in &kept {
            let middle = middles[edge.finder];
            if edge.horizontal {
                fit.column(edge.at, middle.x + edge.line, 1.0);
            } else {
                fit.row(edge.at, middle.y + edge.line, 1.0);
            }
        }
        // The middles themselves, lightly: they hold the map where one side of a finder cannot be seen.
        for (axes, middle) in corners.iter().zip(&middles) {
            fit.point(axes.center, *middle, 2.0);
        }
        let solved = fit.solve()?;
        back = Some(solved);
        if round == 2 {
            break;
        }
        let tolerance = if round == 0 { 0.8 } else { 0.4 };
        let before = kept.len();
        kept.retain(|edge| {
            let seen = solved.map(edge.at);
            let middle = middles[edge.finder];
            let error = if edge.horizontal { seen.x - middle.x - edge.line } else { seen.y - middle.y - edge.line };
            error.abs() < tolerance
        });
        if kept.len() * 2 < edges.len() {
            return None;
        }
        if kept.len() == before && round == 1 {
            break;
        }
    }
    let map = back?.inverse()?;
    let mut frame = Frame { size, map, fit, corners: *corners, evidence: 0.0 };
    if !frame.is_whole(reach) {
        return None;
    }
    frame.evidence = timing(plane, &frame);
    Some(frame)
}

impl Frame {
    /// The four outer corners in pixels, clockwise from the symbol's own top left.
    pub(crate) fn outline(&self) -> [Point; 4] {
        let n = self.size as f32;
        [Point::new(0.0, 0.0), Point::new(n, 0.0), Point::new(n, n), Point::new(0.0, n)].map(|p| self.map.map(p))
    }

    /// Whether the map neither folds the symbol over nor stretches it out of the picture; `reach` is the distance of two finders.
    fn is_whole(&self, reach: f32) -> bool {
        let outline = self.outline();
        (0..4).all(|i| {
            let (a, b, c) = (outline[i], outline[(i + 1) % 4], outline[(i + 2) % 4]);
            (b - a).cross(c - b) > 0.0 && (b - a).length() <= 4.0 * reach
        })
    }

    /// Adds places that are known (module coordinates and pixels) to the equations and solves them again.
    pub(crate) fn with_points(&self, points: &[(Point, Point)]) -> Option<Homography> {
        let mut fit = self.fit.clone();
        for (module, pixel) in points {
            fit.point(*pixel, *module, 12.0);
        }
        fit.solve()?.inverse()
    }
}

/// How well the two timing patterns alternate: the share of modules that fit less the share that does not, of the
/// better pattern mostly.
fn timing(plane: &Plane<'_>, frame: &Frame) -> f32 {
    let score = |column: bool| {
        let mut sum = 0_i32;
        for i in 8..frame.size - 8 {
            let along = i as f32 + 0.5;
            let p = if column { Point::new(6.5, along) } else { Point::new(along, 6.5) };
            let dark = plane.contrast(frame.map.map(p)) > 0.0;
            sum += if dark == (i % 2 == 0) { 1 } else { -1 };
        }
        sum as f32 / (frame.size - 16) as f32
    };
    let (a, b) = (score(false), score(true));
    a.max(b) * 0.7 + a.min(b) * 0.3
}

/// The size named by the version information, if either copy can be made out.
fn named_size(plane: &Plane<'_>, frame: &Frame) -> Option<usize> {
    if frame.size < 41 {
        return None;
    }
    // Read from the finders' own axes: a wrong size has not spoilt those.
    let [_, right, below] = frame.corners;
    let bit = |p: Point, axes: &Axes| u32::from(plane.contrast_over(p, axes.threshold) > 0.0);
    let mut words = [0_u32; 4];
    for i in 0..18_u32 {
        let (near, across) = ((i % 3) as f32, (i / 3) as f32);
        let p = right.center + right.u * (near - 7.0) + right.v * (across - 3.0);
        let q = below.center + below.v * (near - 7.0) + below.u * (across - 3.0);
        words[0] |= bit(p, &right) << i;
        words[1] |= bit(q, &below) << i;
    }
    let (version, distance) = words[..2].iter().map(|w| nearest_version(*w)).min_by_key(|(_, distance)| *distance)?;
    let Version::Model2(_) = version else { return None };
    (distance <= 3).then(|| version.size())
}
