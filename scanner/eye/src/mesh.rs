//! From a first map to an exact one: finds every alignment pattern and lays a mesh through them.
//!
//! Paper bends and lenses bow; between neighbouring alignment patterns a symbol is flat enough for a map of its own.

use crate::{
    frame::Frame,
    geometry::Homography,
    plane::Plane,
    symbol::{Point, Version},
};

/// Maps of the parts of a symbol, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Mesh {
    /// Module coordinates where the parts meet, the same in both directions, with the symbol's own edges.
    cuts: Vec<usize>,
    maps: Vec<Homography>,
    /// Alignment patterns that were seen, and looked for.
    pub(crate) seen: (usize, usize),
}

/// Likeness at which an alignment pattern is believed.
const LIKENESS: f32 = 0.6;

/// Likeness from which one is believed wherever it lies; and how many modules one that is less clear may lie from where
/// its neighbours put it.
const CLEAR: f32 = 0.85;
const MAX_OFF: f32 = 0.8;

/// Alignment patterns looked for in vain before no more are; the attack: large grids laid over clutter.
const MAX_UNSEEN: usize = 6;

impl Mesh {
    /// One map for everything.
    pub(crate) fn flat(frame: &Frame) -> Self {
        Self { cuts: vec![0, frame.size], maps: vec![frame.map], seen: (0, 0) }
    }

    /// Looks for the alignment patterns and fits the mesh to them.
    pub(crate) fn fitted(plane: &Plane<'_>, frame: &Frame) -> Self {
        let Some(version) = Version::from_size(frame.size) else { return Self::flat(frame) };
        let centers = version.alignment_centres();
        let at: Vec<f32> = centers.iter().map(|c| f32::from(*c) + 0.5).collect();
        match at.len() {
            0 | 1 => Self::flat(frame),
            2 => Self::single(plane, frame, Point::new(at[1], at[1])),
            _ => Self::grid(plane, frame, &at),
        }
    }

    /// Versions 2 to 6 have one alignment pattern: it corrects the map's far corner.
    fn single(plane: &Plane<'_>, frame: &Frame, module: Point) -> Self {
        let mut mesh = Self::flat(frame);
        mesh.seen.1 = 1;
        let (u, v) = axes(&frame.map, module);
        if let Some((found, _)) = find(plane, frame.map.map(module), u, v, 3.5)
            && let Some(map) = frame.with_points(&[(module, found)])
        {
            mesh.maps[0] = map;
            mesh.seen.0 = 1;
        }
        mesh
    }

    fn grid(plane: &Plane<'_>, frame: &Frame, at: &[f32]) -> Self {
        let n = at.len();
        let last = n - 1;
        let module = |x: usize, y: usize| Point::new(at[x], at[y]);
        let mut known: Vec<Option<Point>> = vec![None; n * n];
        let mut likes = vec![1.0_f32; n * n];
        let mut refused = vec![false; n * n];
        // The finders stand where three of the patterns would; their own axes reach there.
        let [tl, tr, bl] = frame.corners;
        known[0] = Some(tl.center + tl.u * 3.0 + tl.v * 3.0);
        known[last] = Some(tr.center - tr.u * 3.0 + tr.v * 3.0);
        known[last * n] = Some(bl.center + bl.u * 3.0 - bl.v * 3.0);
        let mut map = frame.map;
        let (mut seen, mut sought) = (0, 0);
        // Outwards from the corner between the finders: each pattern is expected where its known neighbours put it.
        let mut order: Vec<(usize, usize)> = (0..n * n).map(|i| (i % n, i / n)).collect();
        order.sort_by_key(|(x, y)| (x + y, *x));
        for round in 0..2 {
            for &(x, y) in &order {
                if known[y * n + x].is_some() {
                    continue;
                }
                if seen == 0 && sought == MAX_UNSEEN {
                    return Self { seen: (0, n * n - 3), ..Self::flat(frame) };
                }
                sought += 1;
                let guess = guess(&known, n, x, y, &map, &module);
                let (u, v) = axes(&map, module(x, y));
                let near = find(plane, guess, u, v, 1.0);
                let found = match near {
                    Some((p, likeness)) if likeness > 0.75 => Some((p, likeness)),
                    _ if refused[y * n + x] => None,
                    _ => find(plane, guess, u, v, if round == 0 { 2.0 } else { 3.0 }),
                };
                if let Some((p, likeness)) = found {
                    known[y * n + x] = Some(p);
                    likes[y * n + x] = likeness;
                    seen += 1;
                }
            }
            while let Some(outlier) = outlier(&known, &likes, n, &map, &module) {
                known[outlier] = None;
                refused[outlier] = true;
                seen -= 1;
            }
            let points: Vec<(Point, Point)> = (0..n * n)
                .filter(|i| ![0, last, last * n].contains(i))
                .filter_map(|i| Some((module(i % n, i / n), known[i]?)))
                .collect();
            if let Some(better) = frame.with_points(&points) {
                map = better;
            }
            if points.len() + 3 == n * n {
                break;
            }
        }
        let places: Vec<Point> =
            (0..n * n).map(|i| known[i].unwrap_or_else(|| guess(&known, n, i % n, i / n, &map, &module))).collect();
        let mut cuts: Vec<usize> = at.iter().map(|a| *a as usize).collect();
        let mut maps = Vec::with_capacity(last * last);
        for y in 0..last {
            for x in 0..last {
                let corner = |dx: usize, dy: usize| (module(x + dx, y + dy), places[(y + dy) * n + x + dx]);
                let quad = [corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1)];
                maps.push(Homography::between(quad.map(|q| q.0), quad.map(|q| q.1)).unwrap_or(map));
            }
        }
        cuts[0] = 0;
        cuts[last] = frame.size;
        Self { cuts, maps, seen: (seen, n * n - 3) }
    }

    /// Middles of all modules in pixels, row by row.
    pub(crate) fn places(&self, size: usize) -> Vec<Point> {
        let mut places = vec![Point::default(); size * size];
        for (columns, rows, map) in self.parts() {
            for y in rows {
                for x in columns.clone() {
                    places[y * size + x] = map.map(Point::new(x as f32 + 0.5, y as f32 + 0.5));
                }
            }
        }
        places
    }

    /// Calls `visit` with every module of the symbol and the map that holds there, part by part.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (std::ops::Range<usize>, std::ops::Range<usize>, &Homography)> {
        let n = self.cuts.len() - 1;
        self.maps
            .iter()
            .enumerate()
            .map(move |(i, map)| (self.cuts[i % n]..self.cuts[i % n + 1], self.cuts[i / n]..self.cuts[i / n + 1], map))
    }
}

/// One module to the right and one down, in pixels, at a module.
fn axes(map: &Homography, at: Point) -> (Point, Point) {
    let p = map.map(at);
    (map.map(at + Point::new(1.0, 0.0)) - p, map.map(at + Point::new(0.0, 1.0)) - p)
}

/// Where a pattern should be: the map's opinion, moved by how far the map was off at known patterns nearby.
fn guess(
    known: &[Option<Point>],
    n: usize,
    x: usize,
    y: usize,
    map: &Homography,
    module: &impl Fn(usize, usize) -> Point,
) -> Point {
    let here = map.map(module(x, y));
    let place = |x: usize, y: usize| known[y * n + x];
    // A parallelogram with three known neighbours is exact for everything that is smooth.
    let mut sum = Point::default();
    let mut weight = 0.0;
    let steps: [(isize, isize); 4] = [(-1, -1), (1, -1), (-1, 1), (1, 1)];
    for (dx, dy) in steps {
        let (Some(ax), Some(ay)) = (x.checked_add_signed(dx), y.checked_add_signed(dy)) else { continue };
        if ax >= n || ay >= n {
            continue;
        }
        if let (Some(a), Some(b), Some(c)) = (place(ax, y), place(x, ay), place(ax, ay)) {
            let off = (a - map.map(module(ax, y))) + (b - map.map(module(x, ay))) - (c - map.map(module(ax, ay)));
            sum = sum + off;
            weight += 1.0;
        }
    }
    if weight == 0.0 {
        for (i, p) in known.iter().enumerate() {
            if let Some(p) = p {
                let (kx, ky) = (i % n, i / n);
                let away = (kx.abs_diff(x).pow(2) + ky.abs_diff(y).pow(2)) as f32;
                let w = 1.0 / (away * away + 0.01);
                sum = sum + (*p - map.map(module(kx, ky))) * w;
                weight += w;
            }
        }
    }
    here + sum * (1.0 / weight.max(1e-6))
}

/// The pattern that deserves belief the least, of those that are neither where their neighbours put them nor clear: something
/// under a logo that looks a little like one. Paper that bends moves neighbours alike, so that their word still holds.
fn outlier(
    known: &[Option<Point>],
    likes: &[f32],
    n: usize,
    map: &Homography,
    module: &impl Fn(usize, usize) -> Point,
) -> Option<usize> {
    let mut others = known.to_vec();
    let mut worst: Option<(f32, usize)> = None;
    for i in (0..n * n).filter(|i| likes[*i] < CLEAR) {
        let Some(place) = others[i].take() else { continue };
        let (x, y) = (i % n, i / n);
        let (u, v) = axes(map, module(x, y));
        let off = (guess(&others, n, x, y, map, module) - place).length() / u.length().max(v.length()).max(0.1);
        others[i] = Some(place);
        let doubt = off * (1.25 - likes[i]);
        if off > MAX_OFF && worst.is_none_or(|(most, _)| doubt > most) {
            worst = Some((doubt, i));
        }
    }
    worst.map(|(_, i)| i)
}

/// The place most like an alignment pattern within `reach` modules of a guess.
fn find(plane: &Plane<'_>, guess: Point, u: Point, v: Point, reach: f32) -> Option<(Point, f32)> {
    if !plane.contains(guess) || u.length() + v.length() > 200.0 {
        return None;
    }
    let steps = (reach / 0.5) as i32;
    let mut best = (guess, f32::MIN, f32::MIN);
    for j in -steps..=steps {
        for i in -steps..=steps {
            let (x, y) = (i as f32 * 0.5, j as f32 * 0.5);
            let p = guess + u * x + v * y;
            let likeness = likeness(plane, p, u, v);
            // Of two that are alike, the nearer one.
            let worth = likeness - 0.03 * (x * x + y * y).sqrt();
            if worth > best.2 {
                best = (p, likeness, worth);
            }
        }
    }
    let (mut p, mut value, _) = best;
    if value < LIKENESS * 0.8 {
        return None;
    }
    for step in [0.25, 0.125] {
        for (x, y) in [(-step, 0.0), (step, 0.0), (0.0, -step), (0.0, step)] {
            let q = p + u * x + v * y;
            let other = likeness(plane, q, u, v);
            if other > value {
                (p, value) = (q, other);
            }
        }
    }
    (value >= LIKENESS).then_some((p, value))
}

/// Correlation of the 25 modules around a place with an alignment pattern, −1 to 1.
fn likeness(plane: &Plane<'_>, at: Point, u: Point, v: Point) -> f32 {
    // 17 dark modules and 8 light: values with mean zero.
    const DARK: f32 = 8.0;
    const LIGHT: f32 = -17.0;
    let (mut sum, mut square, mut product) = (0.0, 0.0, 0.0);
    for y in -2..=2_i32 {
        for x in -2..=2_i32 {
            let ring = x.abs().max(y.abs());
            let value = plane.ink(at + u * x as f32 + v * y as f32);
            sum += value;
            square += value * value;
            product += value * if ring == 1 { LIGHT } else { DARK };
        }
    }
    let variance = (square - sum * sum / 25.0).max(1.0);
    // Σ of squared template values: 17·8² + 8·17² = 3400. A flat patch has no likeness to anything.
    if variance < 25.0 * 9.0 { 0.0 } else { product / (variance * 3400.0).sqrt() }
}
