//! Draws what a gate's camera sees: a hall, and a phone held up to it with a symbol on its screen.
//!
//! Perspective, hand tremor, defocus, exposure, uneven light, glare and sensor noise are all there, because clean squares
//! prove nothing. Pure: the same scene, frame number and seed give the same picture.

/// A symbol as modules, without its quiet zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modules {
    /// Modules along one side.
    pub size: usize,
    /// Row by row; true is dark.
    pub dark: Vec<bool>,
}

impl Modules {
    fn is_dark(&self, x: f32, y: f32) -> bool {
        if x < 0.0 || y < 0.0 {
            return false;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, checked above")]
        let (column, row) = (x as usize, y as usize);
        column < self.size && row < self.size && self.dark[row * self.size + column]
    }
}

/// How the phone is held, as the camera sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Centre of the symbol, in pixels.
    pub centre: (f32, f32),
    /// Pixels for one module at the centre.
    pub module: f32,
    /// Turned in the picture's plane, in radians.
    pub roll: f32,
    /// Tilted about the vertical and the horizontal axis, in radians.
    pub tilt: (f32, f32),
}

/// What lens, light and sensor do to the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Light {
    /// Grey value of the lit screen, 0 to 255.
    pub white: f32,
    /// Grey value of a dark module.
    pub black: f32,
    /// Standard deviation of the blur, in pixels.
    pub blur: f32,
    /// Standard deviation of the sensor's noise, in grey values.
    pub noise: f32,
    /// How much brighter the left side is than the right one, as a ratio.
    pub slope: f32,
    /// A reflection on the screen: place and radius in modules from the symbol's top left.
    pub glare: Option<(f32, f32, f32)>,
}

/// Ordinary light at a station gate.
pub const HALL: Light = Light { white: 205.0, black: 34.0, blur: 0.8, noise: 3.0, slope: 1.4, glare: None };

/// Distance of the camera in units of the symbol's width; sets how strong the perspective is.
const DISTANCE: f32 = 3.0;
/// Light modules around the symbol (ISO/IEC 18004 §5.3.8 asks for four).
const QUIET: f32 = 4.0;

/// Draws one frame of `width` by `height` pixels, rows from the top, one byte a pixel.
#[must_use]
pub fn frame(width: usize, height: usize, phone: Option<(&Modules, Pose)>, light: Light, seed: u64) -> Vec<u8> {
    let mut plane = hall(width, height);
    if let Some((symbol, pose)) = phone {
        paint(&mut plane, width, symbol, pose, light);
    }
    blur(&mut plane, width, light.blur);
    expose(&plane, width, light, seed)
}

/// A hall out of focus: floor, wall, a lit sign, pillars.
fn hall(width: usize, height: usize) -> Vec<f32> {
    let (w, h) = (as_f32(width), as_f32(height));
    let mut plane = Vec::with_capacity(width * height);
    for row in 0..height {
        for column in 0..width {
            let (x, y) = (as_f32(column) / w, as_f32(row) / h);
            let mut grey = 70.0 + 40.0 * y + 12.0 * (x * 9.0).sin();
            if (0.08..0.3).contains(&x) && (0.06..0.2).contains(&y) {
                grey = 190.0;
            }
            if (x * 5.0).fract() < 0.12 && y > 0.3 {
                grey -= 35.0;
            }
            plane.push(grey);
        }
    }
    plane
}

/// Paints the phone: for each pixel, which point of the phone's plane lies behind it.
fn paint(plane: &mut [f32], width: usize, symbol: &Modules, pose: Pose, light: Light) {
    let side = as_f32(symbol.size);
    let to_plane = Projection::new(pose, side);
    let reach = pose.module * side * 2.2;
    let height = plane.len() / width;
    let rows = span(pose.centre.1, reach, height);
    for row in rows {
        for column in span(pose.centre.0, reach, width) {
            // Four samples a pixel, so that edges have the grey values that a sensor gives them.
            let mut sum = 0.0;
            let mut hits = 0.0;
            for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                if let Some((x, y)) = to_plane.behind(as_f32(column) + dx, as_f32(row) + dy)
                    && let Some(grey) = surface(symbol, x, y, light)
                {
                    sum += grey;
                    hits += 1.0;
                }
            }
            let pixel = &mut plane[row * width + column];
            *pixel = (sum + (4.0 - hits) * *pixel) / 4.0;
        }
    }
}

/// Grey value of the phone at a point in modules from the symbol's top left; `None` beside the phone.
fn surface(symbol: &Modules, x: f32, y: f32, light: Light) -> Option<f32> {
    let side = as_f32(symbol.size);
    let (left, right) = (-QUIET - 2.0, side + QUIET + 2.0);
    let (top, bottom) = (-side * 0.45, side * 1.3);
    let rim = 2.5;
    if x < left - rim || x > right + rim || y < top - rim * 2.0 || y > bottom + rim * 2.0 {
        return None;
    }
    if x < left || x > right || y < top || y > bottom {
        return Some(18.0);
    }
    let heading = y < top * 0.45 && y > top * 0.75 && x > side * 0.15 && x < side * 0.85 && (x * 0.7).fract() > 0.25;
    let footing = y > side * 1.12 && y < side * 1.16 && x > side * 0.1 && x < side * 0.9 && (x * 1.3).fract() > 0.3;
    let mut grey = if heading || footing || symbol.is_dark(x, y) { light.black } else { light.white };
    if let Some((gx, gy, radius)) = light.glare {
        let away = ((x - gx).powi(2) + (y - gy).powi(2)).sqrt() / radius;
        grey += 255.0 * (1.0 - away).clamp(0.0, 1.0);
    }
    Some(grey)
}

/// From a pixel to the phone's plane: the inverse of a pinhole camera looking at a tilted plane.
struct Projection([[f32; 3]; 3]);

impl Projection {
    fn new(pose: Pose, side: f32) -> Projection {
        let (roll_sin, roll_cos) = pose.roll.sin_cos();
        let (turn_sin, turn_cos) = pose.tilt.0.sin_cos();
        let (nod_sin, nod_cos) = pose.tilt.1.sin_cos();
        // Columns of the rotation that carry the plane's own axes.
        let across =
            [turn_cos * roll_cos, nod_cos * roll_sin + nod_sin * turn_sin * roll_cos, -turn_sin * nod_cos * roll_cos];
        let down =
            [-turn_cos * roll_sin, nod_cos * roll_cos - nod_sin * turn_sin * roll_sin, nod_sin + turn_sin * roll_sin];
        let focal = pose.module * side * DISTANCE;
        let depth = side * DISTANCE;
        let (cx, cy) = pose.centre;
        let middle = side / 2.0;
        let column = |axis: [f32; 3]| [focal * axis[0] + cx * axis[2], focal * axis[1] + cy * axis[2], axis[2]];
        let (a, b) = (column(across), column(down));
        let origin =
            [cx * depth - middle * (a[0] + b[0]), cy * depth - middle * (a[1] + b[1]), depth - middle * (a[2] + b[2])];
        Projection(inverse([[a[0], b[0], origin[0]], [a[1], b[1], origin[1]], [a[2], b[2], origin[2]]]))
    }

    /// The point of the plane behind a pixel; `None` at the horizon.
    fn behind(&self, x: f32, y: f32) -> Option<(f32, f32)> {
        let [u, v, w] = self.0.map(|row| row[0] * x + row[1] * y + row[2]);
        (w.abs() > 1e-9).then(|| (u / w, v / w))
    }
}

/// Adjugate over determinant; a held phone never has a zero determinant.
fn inverse(m: [[f32; 3]; 3]) -> [[f32; 3]; 3] {
    let minor = |r: usize, c: usize| {
        let (r0, r1) = ((r + 1) % 3, (r + 2) % 3);
        let (c0, c1) = ((c + 1) % 3, (c + 2) % 3);
        m[r0][c0] * m[r1][c1] - m[r0][c1] * m[r1][c0]
    };
    let determinant = m[0][0] * minor(0, 0) + m[0][1] * minor(0, 1) + m[0][2] * minor(0, 2);
    let mut result = [[0.0; 3]; 3];
    for (r, row) in result.iter_mut().enumerate() {
        for (c, value) in row.iter_mut().enumerate() {
            *value = minor(c, r) / determinant;
        }
    }
    result
}

/// Gaussian blur as two passes of a short kernel.
fn blur(plane: &mut [f32], width: usize, sigma: f32) {
    if sigma < 0.2 {
        return;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few pixels")]
    let radius = (sigma * 2.5).ceil().min(16.0) as usize;
    let weights: Vec<f32> = (0..=radius).map(|at| (-0.5 * (as_f32(at) / sigma).powi(2)).exp()).collect();
    let total = weights[0] + 2.0 * weights[1..].iter().sum::<f32>();
    let height = plane.len() / width;
    let mut line = Vec::new();
    for row in plane.chunks_exact_mut(width) {
        convolve(&mut line, row.iter().copied(), &weights, total);
        row.copy_from_slice(&line);
    }
    let mut columns = vec![0.0; plane.len()];
    for row in 0..height {
        let above = |by: usize| &plane[row.saturating_sub(by) * width..][..width];
        let below = |by: usize| &plane[(row + by).min(height - 1) * width..][..width];
        let out = &mut columns[row * width..][..width];
        for (by, weight) in weights.iter().enumerate() {
            let scale = if by == 0 { weight / total / 2.0 } else { weight / total };
            for ((pixel, up), down) in out.iter_mut().zip(above(by)).zip(below(by)) {
                *pixel += scale * (up + down);
            }
        }
    }
    plane.copy_from_slice(&columns);
}

fn convolve(out: &mut Vec<f32>, line: impl Iterator<Item = f32>, weights: &[f32], total: f32) {
    let line: Vec<f32> = line.collect();
    let last = line.len() - 1;
    out.clear();
    out.extend((0..line.len()).map(|at| {
        let sides = weights.iter().enumerate().skip(1);
        let sum: f32 =
            sides.map(|(by, weight)| weight * (line[at.saturating_sub(by)] + line[(at + by).min(last)])).sum();
        (sum + weights[0] * line[at]) / total
    }));
}

/// Uneven light and sensor noise, then whole grey values.
fn expose(plane: &[f32], width: usize, light: Light, seed: u64) -> Vec<u8> {
    let mut chance = Chance(seed | 1);
    let w = as_f32(width);
    plane
        .iter()
        .enumerate()
        .map(|(index, grey)| {
            let across = as_f32(index % width) / w;
            let lit = grey * (1.0 + (1.0 / light.slope - 1.0) * across);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
            let byte = (lit + light.noise * chance.bell()).clamp(0.0, 255.0) as u8;
            byte
        })
        .collect()
}

/// A small generator (xorshift64*): pictures must be the same on every machine, and need no secrecy.
pub struct Chance(pub u64);

impl Chance {
    /// Evenly from 0 to 1.
    pub fn even(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        #[expect(clippy::cast_precision_loss, reason = "24 bits fit an f32")]
        let value = (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40) as f32;
        value / 16_777_216.0
    }

    /// Roughly normal, mean 0, deviation 1: the sum of four even draws.
    pub fn bell(&mut self) -> f32 {
        ((0..4).map(|_| self.even()).sum::<f32>() - 2.0) * 1.73
    }
}

/// Pixels from `centre - reach` to `centre + reach`, inside `0..end`.
fn span(centre: f32, reach: f32, end: usize) -> std::ops::Range<usize> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the picture")]
    let at = |value: f32| value.clamp(0.0, as_f32(end)) as usize;
    at(centre - reach)..at(centre + reach)
}

fn as_f32(value: usize) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "picture sizes are far below 2^24")]
    let value = value as f32;
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkers(size: usize) -> Modules {
        Modules { size, dark: (0..size * size).map(|at| (at / size + at % size).is_multiple_of(2)).collect() }
    }

    #[test]
    fn the_same_scene_and_seed_give_the_same_picture() {
        let symbol = checkers(21);
        let pose = Pose { centre: (160.0, 90.0), module: 3.0, roll: 0.1, tilt: (0.3, -0.2) };
        let once = frame(320, 180, Some((&symbol, pose)), HALL, 7);
        assert_eq!(once, frame(320, 180, Some((&symbol, pose)), HALL, 7));
        assert_ne!(once, frame(320, 180, Some((&symbol, pose)), HALL, 8));
        assert_eq!(once.len(), 320 * 180);
    }

    #[test]
    fn an_untilted_module_lies_where_the_pose_says() {
        let mut symbol = checkers(21);
        symbol.dark.fill(true);
        let pose = Pose { centre: (160.0, 90.0), module: 3.0, roll: 0.0, tilt: (0.0, 0.0) };
        let light = Light { blur: 0.0, noise: 0.0, slope: 1.0, ..HALL };
        let picture = frame(320, 180, Some((&symbol, pose)), light, 1);
        let at = |x: usize, y: usize| f32::from(picture[y * 320 + x]);
        assert_eq!(at(160, 90), light.black);
        assert_eq!(at(160 + 33, 90), light.white, "the quiet zone begins 10.5 modules from the centre");
    }
}
