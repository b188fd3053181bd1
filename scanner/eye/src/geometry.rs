//! Points, and the projective map between a symbol's modules and the frame's pixels.

use std::ops::{Add, Mul, Sub};

use crate::symbol::Point;

impl Add for Point {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self::new(self.x + o.x, self.y + o.y)
    }
}

impl Sub for Point {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Self::new(self.x - o.x, self.y - o.y)
    }
}

impl Mul<f32> for Point {
    type Output = Self;
    fn mul(self, k: f32) -> Self {
        Self::new(self.x * k, self.y * k)
    }
}

impl Point {
    pub(crate) fn dot(self, o: Self) -> f32 {
        self.x * o.x + self.y * o.y
    }

    pub(crate) fn cross(self, o: Self) -> f32 {
        self.x * o.y - self.y * o.x
    }

    pub(crate) fn length(self) -> f32 {
        self.dot(self).sqrt()
    }
}

/// A projective map of the plane: `(x, y)` goes to `(a·x + b·y + c, d·x + e·y + f) / (g·x + h·y + i)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Homography([f64; 9]);

impl Homography {
    /// The map that takes four points to four others.
    pub(crate) fn between(from: [Point; 4], to: [Point; 4]) -> Option<Self> {
        let mut fit = Fit::default();
        for (a, b) in from.iter().zip(&to) {
            fit.point(*a, *b, 1.0);
        }
        fit.solve()
    }

    /// Where a point goes; far away rather than nowhere when it lies on the horizon.
    #[inline]
    pub(crate) fn map(&self, p: Point) -> Point {
        let m = &self.0;
        let (x, y) = (f64::from(p.x), f64::from(p.y));
        let w = m[6] * x + m[7] * y + m[8];
        let k = if w.abs() < 1e-9 { 1e9 } else { 1.0 / w };
        Point::new(((m[0] * x + m[1] * y + m[2]) * k) as f32, ((m[3] * x + m[4] * y + m[5]) * k) as f32)
    }

    /// The map backwards; `None` when everything lands on a line.
    pub(crate) fn inverse(&self) -> Option<Self> {
        let m = &self.0;
        let minor = |a: usize, b: usize, c: usize, d: usize| m[a] * m[d] - m[b] * m[c];
        let adjugate = [
            minor(4, 5, 7, 8),
            -minor(1, 2, 7, 8),
            minor(1, 2, 4, 5),
            -minor(3, 5, 6, 8),
            minor(0, 2, 6, 8),
            -minor(0, 2, 3, 5),
            minor(3, 4, 6, 7),
            -minor(0, 1, 6, 7),
            minor(0, 1, 3, 4),
        ];
        let determinant = m[0] * adjugate[0] + m[1] * adjugate[3] + m[2] * adjugate[6];
        (determinant.abs() > 1e-12).then_some(Self(adjugate))
    }

    #[cfg(test)]
    fn of(m: [f64; 9]) -> Self {
        Self(m)
    }
}

/// Least squares for a homography, one linear equation at a time.
///
/// Written for the map from pixels to modules: there, "this pixel lies on the edge between column 6 and 7" is a
/// linear equation, so an edge helps even where no corner can be seen.
#[derive(Clone, Debug)]
pub(crate) struct Fit {
    /// Upper triangle of the normal equations, 8 unknowns and the right side.
    normal: [[f64; 9]; 8],
    origin: Point,
    scale: f64,
}

impl Default for Fit {
    fn default() -> Self {
        Self { normal: [[0.0; 9]; 8], origin: Point::default(), scale: 1.0 }
    }
}

impl Fit {
    /// A fit whose source points are first moved by `origin` and divided by `scale`, for the arithmetic's sake.
    pub(crate) fn around(origin: Point, scale: f32) -> Self {
        Self { origin, scale: 1.0 / f64::from(scale.max(1e-3)), ..Self::default() }
    }

    fn normalized(&self, p: Point) -> (f64, f64) {
        (f64::from(p.x - self.origin.x) * self.scale, f64::from(p.y - self.origin.y) * self.scale)
    }

    fn add(&mut self, row: [f64; 9], weight: f64) {
        for i in 0..8 {
            for j in i..9 {
                self.normal[i][j] += weight * row[i] * row[j];
            }
        }
    }

    /// The first coordinate of the image of `from` is `x`.
    pub(crate) fn column(&mut self, from: Point, x: f32, weight: f64) {
        let (u, v) = self.normalized(from);
        let x = f64::from(x);
        self.add([u, v, 1.0, 0.0, 0.0, 0.0, -x * u, -x * v, x], weight);
    }

    /// The second coordinate of the image of `from` is `y`.
    pub(crate) fn row(&mut self, from: Point, y: f32, weight: f64) {
        let (u, v) = self.normalized(from);
        let y = f64::from(y);
        self.add([0.0, 0.0, 0.0, u, v, 1.0, -y * u, -y * v, y], weight);
    }

    /// Lets the map be hardly projective: for places too close together to show perspective.
    pub(crate) fn stiffen(&mut self) {
        self.normal[6][6] += 1e6;
        self.normal[7][7] += 1e6;
    }

    /// The image of `from` is `to`.
    pub(crate) fn point(&mut self, from: Point, to: Point, weight: f64) {
        self.column(from, to.x, weight);
        self.row(from, to.y, weight);
    }

    /// The map of least squares; `None` when the equations do not fix one.
    #[expect(clippy::needless_range_loop, reason = "rows and columns of a matrix are read by their indices")]
    pub(crate) fn solve(&self) -> Option<Homography> {
        let mut m = self.normal;
        for i in 1..8 {
            for j in 0..i {
                m[i][j] = m[j][i];
            }
        }
        for i in 0..8 {
            let pivot = (i..8).max_by(|a, b| m[*a][i].abs().total_cmp(&m[*b][i].abs()))?;
            if m[pivot][i].abs() < 1e-12 {
                return None;
            }
            m.swap(i, pivot);
            for r in i + 1..8 {
                let k = m[r][i] / m[i][i];
                for c in i..9 {
                    m[r][c] -= k * m[i][c];
                }
            }
        }
        let mut h = [0.0; 8];
        for i in (0..8).rev() {
            let known: f64 = (i + 1..8).map(|j| m[i][j] * h[j]).sum();
            h[i] = (m[i][8] - known) / m[i][i];
            if !h[i].is_finite() {
                return None;
            }
        }
        // Undo the normalization of the source.
        let (s, ox, oy) = (self.scale, f64::from(self.origin.x), f64::from(self.origin.y));
        let row = |a: f64, b: f64, c: f64| [a * s, b * s, c - s * (a * ox + b * oy)];
        let (x, y, w) = (row(h[0], h[1], h[2]), row(h[3], h[4], h[5]), row(h[6], h[7], 1.0));
        Some(Homography([x[0], x[1], x[2], y[0], y[1], y[2], w[0], w[1], w[2]]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: Point, b: Point) -> bool {
        (a - b).length() < 0.01
    }

    #[test]
    fn four_corners_fix_a_map_and_its_inverse_undoes_it() {
        let square = [Point::new(0.0, 0.0), Point::new(21.0, 0.0), Point::new(21.0, 21.0), Point::new(0.0, 21.0)];
        let quad =
            [Point::new(100.0, 120.0), Point::new(300.0, 100.0), Point::new(320.0, 330.0), Point::new(90.0, 300.0)];
        let map = Homography::between(square, quad).expect("no three corners lie on a line");
        let back = map.inverse().expect("it is no projection onto a line");
        for (a, b) in square.iter().zip(&quad) {
            assert!(near(map.map(*a), *b) && near(back.map(*b), *a));
        }
    }

    #[test]
    fn edges_alone_fix_a_map() {
        let truth = Homography::of([0.25, 0.02, -20.0, -0.01, 0.24, -30.0, 1e-4, 2e-4, 1.0]);
        let back = truth.inverse().expect("regular");
        let mut fit = Fit::around(Point::new(200.0, 200.0), 100.0);
        for i in 0..6 {
            for j in 0..6 {
                let place = Point::new(i as f32 * 5.0, j as f32 * 5.0 + 0.3);
                fit.column(back.map(place), place.x, 1.0);
                let place = Point::new(i as f32 * 5.0 + 0.2, j as f32 * 5.0);
                fit.row(back.map(place), place.y, 1.0);
            }
        }
        let found = fit.solve().expect("36 columns and 36 rows are enough");
        let p = Point::new(150.0, 180.0);
        assert!(near(found.map(p), truth.map(p)));
    }

    #[test]
    fn points_on_a_line_fix_nothing() {
        let line = [Point::new(0.0, 0.0), Point::new(1.0, 1.0), Point::new(2.0, 2.0), Point::new(3.0, 3.0)];
        assert!(Homography::between(line, line).is_none());
    }
}
