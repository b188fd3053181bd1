//! Reads every module of a laid mesh, and says of each how dark it is and how sure that is.
//!
//! Thresholds are found among the modules, not the pixels: the dark and the light modules around one say where the
//! line between them runs there. Where a whole neighbourhood has one value there is glare, a finger or a sticker, and
//! what was sampled there is handed on with hardly any confidence.

use crate::{grid::SoftGrid, mesh::Mesh, plane::Plane, symbol::Point};

/// How dark every module is, row by row, in grey levels.
#[derive(Clone, Debug)]
pub(crate) struct Samples {
    size: usize,
    ink: Vec<f32>,
}

/// Half the side of the neighbourhood whose modules fix the threshold.
const NEAR: usize = 5;

impl Samples {
    /// Samples every module. `None` when a corner of the symbol lies far outside the picture.
    pub(crate) fn take(plane: &Plane<'_>, mesh: &Mesh, size: usize) -> Self {
        let mut ink = vec![0.0; size * size];
        for (columns, rows, map) in mesh.parts() {
            let middle = Point::new((columns.start + columns.end) as f32 / 2.0, (rows.start + rows.end) as f32 / 2.0);
            let p = map.map(middle);
            let u = map.map(middle + Point::new(1.0, 0.0)) - p;
            let v = map.map(middle + Point::new(0.0, 1.0)) - p;
            let many = u.length().min(v.length()) >= 2.6;
            let (du, dv) = (u * 0.22, v * 0.22);
            for y in rows {
                for x in columns.clone() {
                    let p = map.map(Point::new(x as f32 + 0.5, y as f32 + 0.5));
                    let mut value = plane.ink(p);
                    if many {
                        value =
                            value * 2.0 + plane.ink(p + du) + plane.ink(p - du) + plane.ink(p + dv) + plane.ink(p - dv);
                        value /= 6.0;
                    }
                    ink[y * size + x] = value;
                }
            }
        }
        Self { size, ink }
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

    /// Signed confidences.
    pub(crate) fn soften(&self) -> Option<SoftGrid> {
        let n = self.size;
        let means = Window::over(n, &self.ink).means(NEAR);
        // The dark and the light modules of each neighbourhood, apart.
        let mut dark = vec![0.0; n * n];
        let mut is_dark = vec![0.0; n * n];
        for i in 0..n * n {
            if self.ink[i] > means[i] {
                dark[i] = self.ink[i];
                is_dark[i] = 1.0;
            }
        }
        let (total, count) = (Window::over(n, &self.ink), Window::over(n, &is_dark));
        let dark = Window::over(n, &dark);
        let close = count.sums(2);
        let mut modules = vec![0_i8; n * n];
        for y in 0..n {
            for x in 0..n {
                let i = y * n + x;
                let area = Window::area(n, x, y, NEAR);
                let (all, some, number) = (total.sum(x, y, NEAR), dark.sum(x, y, NEAR), count.sum(x, y, NEAR));
                let (darks, lights) = (number, area - number);
                let (threshold, half) = if darks < 3.0 || lights < 3.0 {
                    (means[i], 40.0)
                } else {
                    let (d, l) = (some / darks, (all - some) / lights);
                    ((d + l) / 2.0, ((d - l) / 2.0).max(1.0))
                };
                let mut value = (self.ink[i] - threshold) / half;
                // Nobody nearby has the other colour: masks see to it that this does not happen by itself.
                let around = Window::area(n, x, y, 2);
                if close[i] == 0.0 || close[i] == around {
                    value *= 0.05;
                }
                let level = (value * 90.0).clamp(-127.0, 127.0) as i8;
                modules[i] = if level == 0 { if value > 0.0 { 1 } else { -1 } } else { level };
            }
        }
        SoftGrid::new(n, modules)
    }
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

    fn sums(&self, radius: usize) -> Vec<f32> {
        (0..self.n * self.n).map(|i| self.sum(i % self.n, i / self.n, radius)).collect()
    }

    fn means(&self, radius: usize) -> Vec<f32> {
        (0..self.n * self.n)
            .map(|i| {
                let (x, y) = (i % self.n, i / self.n);
                self.sum(x, y, radius) / Self::area(self.n, x, y, radius)
            })
            .collect()
    }
}
