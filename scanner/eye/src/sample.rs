//! Reads every module of a laid mesh, and says of each how dark it is and how sure that is.
//!
//! Thresholds are found among the modules, not the pixels: the dark and the light modules around one say where the
//! line between them runs there. Where a whole neighbourhood has one value there is glare, a finger or a sticker, and
//! what was sampled there is handed on with hardly any confidence.

use crate::{grid::SoftGrid, plane::Plane, symbol::Point};

/// How dark every module is, row by row, in grey levels.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    size: usize,
    ink: Vec<f32>,
}

/// Half the side of the neighbourhood whose modules fix the threshold.
const NEAR: usize = 5;

impl Samples {
    /// Samples every module at its place.
    pub(crate) fn take(plane: &Plane<'_>, places: &[Point], size: usize) -> Self {
        let mut ink = Vec::with_capacity(size * size);
        for (i, p) in places.iter().enumerate() {
            // The neighbour before, or at the start of a row the one after, says how large a module is here.
            let u = if i % size > 0 { *p - places[i - 1] } else { places[i + 1] - *p };
            let v = if i >= size { *p - places[i - size] } else { places[i + size] - *p };
            let mut value = plane.ink(*p);
            if u.dot(u).min(v.dot(v)) >= 2.6 * 2.6 {
                let (u, v) = (u * 0.22, v * 0.22);
                let around = plane.ink(*p + u) + plane.ink(*p - u) + plane.ink(*p + v) + plane.ink(*p - v);
                value = (value * 2.0 + around) / 6.0;
            }
            ink.push(value);
        }
        Self { size, ink }
    }

    /// How much contrast the timing patterns, one module wide, keep of that between the darkest and lightest places.
    pub(crate) fn sharpness(&self) -> f32 {
        let n = self.size;
        let mut sorted = self.ink.clone();
        sorted.sort_by(f32::total_cmp);
        let range = (sorted[n * n * 9 / 10] - sorted[n * n / 10]).max(1.0);
        let (mut sum, mut count) = (0.0, 0.0);
        for i in 8..n.saturating_sub(9) {
            for (a, b) in [(6 * n + i, 6 * n + i + 1), (i * n + 6, (i + 1) * n + 6)] {
                sum += (self.ink[a] - self.ink[b]).abs();
                count += 1.0;
            }
        }
        if count > 0.0 { (sum / count / range).min(1.0) } else { 1.0 }
    }

    /// The same samples with the blur of neighbours taken out: each less a share of the four around it.
    pub(crate) fn sharpened(&self, share: f32) -> Self {
        let n = self.size;
        // Around the symbol it is light.
        let ground = {
            let mut sorted = self.ink.clone();
            sorted.sort_by(f32::total_cmp);
            sorted[sorted.len() / 10]
        };
        let at = |x: isize, y: isize| {
            if x < 0 || y < 0 || x as usize >= n || y as usize >= n {
                ground
            } else {
                self.ink[y as usize * n + x as usize]
            }
        };
        let mut ink = Vec::with_capacity(n * n);
        for y in 0..n as isize {
            for x in 0..n as isize {
                let around = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
                let own = at(x, y);
                ink.push(own + share * (4.0 * own - around));
            }
        }
        Self { size: n, ink }
    }

    /// For every module the line between dark and light there, and how far both lie from it.
    pub(crate) fn levels(&self) -> Vec<(f32, f32)> {
        self.levels_and_darks().0
    }

    /// The levels, and which modules are dark by a first look.
    fn levels_and_darks(&self) -> (Vec<(f32, f32)>, Window) {
        let n = self.size;
        let total = Window::over(n, &self.ink);
        // The dark and the light modules of each neighbourhood, apart.
        let mut dark = vec![0.0; n * n];
        let mut is_dark = vec![0.0; n * n];
        for y in 0..n {
            for x in 0..n {
                let i = y * n + x;
                if self.ink[i] * Window::area(n, x, y, NEAR) > total.sum(x, y, NEAR) {
                    dark[i] = self.ink[i];
                    is_dark[i] = 1.0;
                }
            }
        }
        let count = Window::over(n, &is_dark);
        let dark = Window::over(n, &dark);
        let mut levels = Vec::with_capacity(n * n);
        for y in 0..n {
            for x in 0..n {
                let area = Window::area(n, x, y, NEAR);
                let (all, some, darks) = (total.sum(x, y, NEAR), dark.sum(x, y, NEAR), count.sum(x, y, NEAR));
                let lights = area - darks;
                levels.push(if darks < 3.0 || lights < 3.0 {
                    (all / area, 40.0)
                } else {
                    let (d, l) = (some / darks, (all - some) / lights);
                    ((d + l) / 2.0, ((d - l) / 2.0).max(1.0))
                });
            }
        }
        (levels, count)
    }

    /// Signed confidences.
    pub(crate) fn soften(&self) -> SoftGrid {
        let n = self.size;
        let (levels, darks) = self.levels_and_darks();
        let usual = usual_contrast(&levels);
        let mut modules = Vec::with_capacity(n * n);
        for y in 0..n {
            for x in 0..n {
                let i = y * n + x;
                let (threshold, half) = levels[i];
                let mut value = (self.ink[i] - threshold) / half;
                // Under a fingertip the two colours are but noise: far less contrast than the symbol has elsewhere.
                let share = contrast(&levels[i]) / usual;
                if share < FAINT {
                    value *= (share / FAINT).powi(2);
                }
                // Nobody nearby has the other colour: masks see to it that this does not happen by itself.
                let close = darks.sum(x, y, 2);
                if close == 0.0 || close == Window::area(n, x, y, 2) {
                    value *= 0.05;
                }
                let level = (value * 90.0).clamp(-127.0, 127.0) as i8;
                modules.push(if level != 0 {
                    level
                } else if value > 0.0 {
                    1
                } else {
                    -1
                });
            }
        }
        SoftGrid::new(n, modules).expect("one value was pushed for each module of an existing version")
    }
}

/// Share of the usual contrast below which a neighbourhood is believed less.
const FAINT: f32 = 0.5;

/// Contrast relative to brightness, which shadows and slopes of light leave as it is.
fn contrast(&(threshold, half): &(f32, f32)) -> f32 {
    half / (threshold.abs() + 8.0)
}

/// The contrast that half of a symbol has at least.
fn usual_contrast(levels: &[(f32, f32)]) -> f32 {
    let mut some: Vec<f32> = levels.iter().step_by(levels.len() / 400 + 1).map(contrast).collect();
    let middle = some.len() / 2;
    *some.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// Sums over squares, by a table of sums.
struct Window {
    n: usize,
    table: Vec<f32>,
}

impl Window {
    fn over(n: usize, values: &[f32]) -> Self {
        let w = n + 1;
        let mut table = vec![0.0; w * w];
        for y in 0..n {
            let mut row = 0.0;
            for x in 0..n {
                row += values[y * n + x];
                table[(y + 1) * w + x + 1] = table[y * w + x + 1] + row;
            }
        }
        Self { n, table }
    }

    fn bounds(n: usize, at: usize, radius: usize) -> (usize, usize) {
        (at.saturating_sub(radius), (at + radius + 1).min(n))
    }

    fn area(n: usize, x: usize, y: usize, radius: usize) -> f32 {
        let ((x0, x1), (y0, y1)) = (Self::bounds(n, x, radius), Self::bounds(n, y, radius));
        ((x1 - x0) * (y1 - y0)) as f32
    }

    fn sum(&self, x: usize, y: usize, radius: usize) -> f32 {
        let w = self.n + 1;
        let ((x0, x1), (y0, y1)) = (Self::bounds(self.n, x, radius), Self::bounds(self.n, y, radius));
        self.table[y1 * w + x1] - self.table[y0 * w + x1] - self.table[y1 * w + x0] + self.table[y0 * w + x0]
    }
}
