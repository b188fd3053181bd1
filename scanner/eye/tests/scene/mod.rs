//! Draws a symbol as a gate's camera sees it: somewhere, turned, tilted, small, dim, noisy, out of focus.
//!
//! Every distortion has a named limit below which the eye promises to read; the same numbers give the same frame.

use qrcode::{Color, EcLevel, QrCode};

/// Width of a frame.
pub const WIDTH: usize = 640;
/// Height of a frame.
pub const HEIGHT: usize = 480;

/// What happens to the symbol on its way into the frame.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Pixels a module.
    pub module: f32,
    /// Degrees turned.
    pub turn: f32,
    /// Degrees tilted about a slanted axis.
    pub tilt: f32,
    /// Blur in modules (sigma of the lens).
    pub blur: f32,
    /// Brightness of light modules.
    pub white: f32,
    /// Brightness of dark modules.
    pub black: f32,
    /// Sigma of the noise.
    pub noise: f32,
    /// Light on one side of the frame against the other.
    pub gradient: f32,
    /// Light modules on dark ground.
    pub inverted: bool,
    /// Degrees of cylinder the symbol is bent round.
    pub curve: f32,
    /// Which noise.
    pub seed: u64,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            module: 4.0,
            turn: 0.0,
            tilt: 0.0,
            blur: 0.15,
            white: 215.0,
            black: 28.0,
            noise: 2.0,
            gradient: 1.0,
            inverted: false,
            curve: 0.0,
            seed: 1,
        }
    }
}

/// A symbol with this text.
pub fn code(text: &str, level: EcLevel) -> QrCode {
    QrCode::with_error_correction_level(text, level).expect("the text fits a symbol")
}

impl Scene {
    /// The frame, [`WIDTH`] × [`HEIGHT`].
    pub fn draw(&self, code: &QrCode) -> Vec<u8> {
        let (n, colors) = (code.width() as f32, code.to_colors());
        let (sin, cos) = self.turn.to_radians().sin_cos();
        let (tilt_sin, tilt_cos) = self.tilt.to_radians().sin_cos();
        let (axis_sin, axis_cos) = 0.6_f32.sin_cos();
        // The eye is three and a half sides away.
        let far = 3.5 * n * self.module;
        let bend = self.curve.to_radians() / n;
        // 1 dark, 0 light, at a place of the symbol in modules from its middle.
        let ink = |x: f32, y: f32| {
            let x = if bend > 1e-4 { (x * bend).clamp(-1.0, 1.0).asin() / bend } else { x };
            let (mx, my) = (x + n / 2.0, y + n / 2.0);
            if mx < -4.0 || my < -4.0 || mx >= n + 4.0 || my >= n + 4.0 {
                return None;
            }
            let inside = mx >= 0.0 && my >= 0.0 && mx < n && my < n;
            let dark = inside && colors[my as usize * n as usize + mx as usize] == Color::Dark;
            Some(if dark != self.inverted { 1.0 } else { 0.0 })
        };
        // Many samples a pixel, spread as wide as the blur.
        let spread = (self.blur * self.module).max(0.35);
        let taps: Vec<(f32, f32, f32)> = (0..49)
            .map(|i| ((i % 7) as f32 / 3.0 - 1.0, (i / 7) as f32 / 3.0 - 1.0))
            .map(|(x, y)| (x * 2.2 * spread, y * 2.2 * spread, (-(x * x + y * y) * 2.42).exp()))
            .collect();
        let total: f32 = taps.iter().map(|t| t.2).sum();
        let mut dice = self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut part = || {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            (dice >> 40) as f32 / (1 << 24) as f32
        };
        let mut frame = Vec::with_capacity(WIDTH * HEIGHT);
        for i in 0..WIDTH * HEIGHT {
            let (px, py) =
                ((i % WIDTH) as f32 + 0.5 - WIDTH as f32 / 2.0, (i / WIDTH) as f32 + 0.5 - HEIGHT as f32 / 2.0);
            let mut sum = 0.0;
            for (dx, dy, weight) in &taps {
                let (x, y) = (px + dx, py + dy);
                // Back through the camera: into the axes of the tilt, off the tilted plane, and turned.
                let (a, b) = (x * axis_cos + y * axis_sin, -x * axis_sin + y * axis_cos);
                let depth = far / (tilt_cos * far - a * tilt_sin);
                let (a, b) = (a * depth, b * (1.0 + a * depth * tilt_sin / far));
                let (x, y) = (a * axis_cos - b * axis_sin, a * axis_sin + b * axis_cos);
                let (x, y) = (x * cos + y * sin, -x * sin + y * cos);
                sum += weight * ink(x / self.module, y / self.module).unwrap_or(0.45);
            }
            let light = self.gradient.powf(-((i % WIDTH) as f32 / WIDTH as f32));
            let level = (self.white + (self.black - self.white) * sum / total) * light;
            let noise = (0..4).map(|_| part() - 0.5).sum::<f32>() * 1.73 * self.noise;
            frame.push((level + noise).clamp(0.0, 255.0) as u8);
        }
        frame
    }
}
