//! What is measured of a patch of the small copy: its shape, its brightness, and its surroundings.

/// What of a box is inside, holes included: everything that cannot be reached from the rim.
pub(super) fn filled((width, height): (usize, usize), inside: impl Fn(usize, usize) -> bool) -> Vec<u8> {
    let mut shape = vec![1_u8; width * height];
    let mut stack = vec![(0, 0)];
    while let Some((x, y)) = stack.pop() {
        let cell = &mut shape[y * width + x];
        if *cell == 0 || inside(x, y) {
            continue;
        }
        *cell = 0;
        stack.extend((x > 0).then(|| (x - 1, y)));
        stack.extend((y > 0).then(|| (x, y - 1)));
        stack.extend((x + 1 < width).then(|| (x + 1, y)));
        stack.extend((y + 1 < height).then(|| (x, y + 1)));
    }
    shape
}

/// How a shape is spread around its middle.
pub(super) struct Spread {
    /// Its pixels.
    pub(super) area: usize,
    /// Its length by its width.
    pub(super) aspect: f64,
    /// Its area by that of a parallelogram of the same spread.
    pub(super) solid: f64,
}

impl Spread {
    pub(super) fn of(shape: &[u8], width: usize) -> Spread {
        let (mut n, mut sx, mut sy, mut sxx, mut syy, mut sxy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        for at in (0..shape.len()).filter(|at| shape[*at] == 1) {
            let (x, y) = ((at % width) as f64, (at / width) as f64);
            (n, sx, sy) = (n + 1.0, sx + x, sy + y);
            (sxx, syy, sxy) = (sxx + x * x, syy + y * y, sxy + x * y);
        }
        let n = f64::max(n, 1.0);
        let (xx, yy, xy) = (sxx / n - sx / n * (sx / n), syy / n - sy / n * (sy / n), sxy / n - sx / n * (sy / n));
        let (middle, half) = ((xx + yy) / 2.0, ((xx - yy) / 2.0).hypot(xy));
        let (long, short) = (middle + half, (middle - half).max(1e-3));
        // A parallelogram of area A has the moments' product (A / 12)².
        Spread { area: n as usize, aspect: (long / short).sqrt(), solid: n / (12.0 * (long * short).sqrt()) }
    }
}

/// Counts of brightness.
pub(super) struct Histogram([u32; 256]);

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram([0; 256])
    }
}

impl Histogram {
    pub(super) fn add(&mut self, value: u8) {
        self.0[usize::from(value)] += 1;
    }

    fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// The value below which this share lies.
    pub(super) fn share(&self, share: f64) -> u8 {
        let rank = (share * f64::from(self.total())) as u32;
        let mut below = 0;
        for (value, count) in (0..=u8::MAX).zip(self.0) {
            below += count;
            if below > rank {
                return value;
            }
        }
        u8::MAX
    }

    /// The share that lies below a value.
    pub(super) fn below(&self, value: u8) -> f64 {
        f64::from(self.0[..usize::from(value)].iter().sum::<u32>()) / f64::from(self.total().max(1))
    }

    pub(super) fn mean(&self) -> f64 {
        let sum: f64 = self.0.iter().enumerate().map(|(value, count)| value as f64 * f64::from(*count)).sum();
        sum / f64::from(self.total().max(1))
    }
}

/// Each pixel becomes the largest (or least) of those `reach` around it. Whole rows at a time, so that it vectorizes.
pub(super) fn spread(
    from: &[u8],
    scratch: &mut Vec<u8>,
    to: &mut Vec<u8>,
    width: usize,
    reach: usize,
    of: impl Fn(u8, u8) -> u8 + Copy,
) {
    let merge = |into: &mut [u8], other: &[u8]| {
        for (pixel, other) in into.iter_mut().zip(other) {
            *pixel = of(*pixel, *other);
        }
    };
    scratch.clear();
    scratch.extend_from_slice(from);
    for (row, to) in from.chunks_exact(width).zip(scratch.chunks_exact_mut(width)) {
        for away in 1..=reach.min(width - 1) {
            merge(&mut to[away..], row);
            merge(to, &row[away..]);
        }
    }
    to.clear();
    to.extend_from_slice(scratch);
    for away in (1..=reach).map(|rows| rows * width) {
        if away < scratch.len() {
            merge(&mut to[away..], scratch);
            merge(to, &scratch[away..]);
        }
    }
}
