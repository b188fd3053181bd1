//! Clips of a code held before a camera that no single frame gives up: drawn, so that the truth is known.
//!
//! A symbol hangs in a cluttered 720p picture, slightly tilted, and moves as a hand does. Over it wander a glare spot
//! that blows out more than error correction can bear, and a finger; and it is dark enough for noise. Same seed, same
//! clip. What is told apart is only which of the three dominates.

use qrcode::{Color, EcLevel, QrCode, Version};

/// Frames in a clip: one second.
pub const FRAMES: usize = 15;
/// Width of a frame.
pub const WIDTH: usize = 1280;
/// Height of a frame.
pub const HEIGHT: usize = 720;

/// What spoils every frame of a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoiler {
    /// A lamp's reflection on a screen or a plastic sleeve.
    Glare,
    /// Little light, much gain.
    Noise,
    /// Fingers that hold it, and some noise.
    Fingers,
}

/// All spoilers.
pub const SPOILERS: [Spoiler; 3] = [Spoiler::Glare, Spoiler::Noise, Spoiler::Fingers];

/// A clip to draw frames of.
pub struct Clip {
    /// What the symbol says.
    pub text: String,
    modules: Vec<bool>,
    size: usize,
    spoiler: Spoiler,
    dice: Dice,
    ground: Vec<f32>,
    pose: Pose,
    strength: f32,
}

/// Where the symbol is: middle, pixels a module, rotation, foreshortening.
#[derive(Clone, Copy)]
struct Pose {
    x: f32,
    y: f32,
    module: f32,
    angle: f32,
    tilt: f32,
    tilt_axis: f32,
}

impl Clip {
    /// The clip of that number.
    pub fn new(number: u64, spoiler: Spoiler) -> Clip {
        let mut dice = Dice(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..8 {
            dice.part();
        }
        let characters = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
        let length = 220 + dice.below(85);
        let text: String =
            "MR1:".chars().chain((0..length).map(|_| char::from(characters[dice.below(characters.len())]))).collect();
        let code = QrCode::with_version(&text, Version::Normal(10), EcLevel::M).expect("a pass code fits version 10-M");
        let modules = code.to_colors().into_iter().map(|colour| colour == Color::Dark).collect();
        let pose = Pose {
            x: 640.0 + dice.between(-250.0, 250.0),
            y: 360.0 + dice.between(-60.0, 60.0),
            module: dice.between(3.4, 5.0),
            angle: dice.between(-0.35, 0.35),
            tilt: dice.between(0.0, 0.25),
            tilt_axis: dice.between(0.0, std::f32::consts::TAU),
        };
        let ground = clutter(&mut dice);
        let strength = dice.part();
        Clip { text, modules, size: code.width(), spoiler, dice, ground, pose, strength }
    }

    /// Frame `index`, row by row. Frames are drawn in order.
    pub fn frame(&mut self, index: usize) -> Vec<u8> {
        let pose = self.hand(index);
        let (white, black, noise) = match self.spoiler {
            Spoiler::Glare => (170.0, 24.0, 3.0),
            Spoiler::Noise => (66.0 - 10.0 * self.strength, 20.0, 22.0 + 2.0 * self.strength),
            Spoiler::Fingers => (120.0, 28.0, 9.0),
        };
        let mut picture = self.ground.clone();
        for value in &mut picture {
            *value *= white / 255.0;
        }
        self.draw_symbol(&mut picture, pose, white, black);
        match self.spoiler {
            Spoiler::Glare => self.draw_glare(&mut picture, pose, index),
            Spoiler::Fingers => self.draw_fingers(&mut picture, pose, index, white),
            Spoiler::Noise => {}
        }
        let picture = blurred(&picture);
        picture.iter().map(|&value| (value + noise * self.dice.normal()).clamp(0.0, 255.0) as u8).collect()
    }

    /// A hand's drift and tremor.
    fn hand(&mut self, index: usize) -> Pose {
        let time = index as f32 / FRAMES as f32;
        let mut pose = self.pose;
        pose.x += 25.0 * (time * 4.0 + self.strength * 6.0).sin() + self.dice.between(-2.0, 2.0);
        pose.y += 16.0 * (time * 5.0 + self.strength * 3.0).cos() + self.dice.between(-2.0, 2.0);
        pose.angle += 0.05 * (time * 6.0).sin();
        pose.module *= 1.0 + 0.03 * (time * 3.0).sin();
        pose
    }

    fn draw_symbol(&self, picture: &mut [f32], pose: Pose, white: f32, black: f32) {
        let half = self.size as f32 / 2.0;
        let reach = (half + 5.0) * pose.module * 1.5;
        let (sin, cos) = pose.angle.sin_cos();
        let (axis_y, axis_x) = pose.tilt_axis.sin_cos();
        let clip = |value: f32, most: usize| value.clamp(0.0, most as f32) as usize;
        for y in clip(pose.y - reach, HEIGHT)..clip(pose.y + reach, HEIGHT) {
            for x in clip(pose.x - reach, WIDTH)..clip(pose.x + reach, WIDTH) {
                let mut sum = 0.0;
                let mut hits = 0.0;
                for (sx, sy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                    let (dx, dy) = (x as f32 + sx - pose.x, y as f32 + sy - pose.y);
                    // Foreshortening along the axis, then rotation, then modules.
                    let along = dx * axis_x + dy * axis_y;
                    let stretch = 1.0 / (1.0 - pose.tilt * along / reach) * (1.0 + pose.tilt * 0.3);
                    let (dx, dy) = (dx * stretch, dy * stretch);
                    let u = (dx * cos + dy * sin) / pose.module + half;
                    let v = (-dx * sin + dy * cos) / pose.module + half;
                    if u < -4.0 || v < -4.0 || u >= self.size as f32 + 4.0 || v >= self.size as f32 + 4.0 {
                        continue;
                    }
                    hits += 0.25;
                    let (column, row) = (u.floor(), v.floor());
                    let inside = column >= 0.0 && row >= 0.0 && column < self.size as f32 && row < self.size as f32;
                    let dark = inside && self.modules[row as usize * self.size + column as usize];
                    sum += 0.25 * if dark { black } else { white };
                }
                let value = &mut picture[y * WIDTH + x];
                *value = *value * (1.0 - hits) + sum;
            }
        }
    }

    /// A spot whose middle is burnt out over a third of the code and more, wandering across it.
    fn draw_glare(&self, picture: &mut [f32], pose: Pose, index: usize) {
        let side = self.size as f32 * pose.module;
        let phase = index as f32 * 0.55 + self.strength * 40.0;
        let (x, y) = (pose.x + 0.30 * side * phase.cos(), pose.y + 0.30 * side * (phase * 0.77).sin());
        let radius = side * (0.27 + 0.07 * self.strength);
        for (at, value) in picture.iter_mut().enumerate() {
            let (dx, dy) = ((at % WIDTH) as f32 - x, (at / WIDTH) as f32 - y);
            let distance = (dx * dx + dy * dy) / (radius * radius);
            if distance < 6.0 {
                *value += 600.0 * (-distance * 0.9).exp();
            }
        }
    }

    /// Two fingertips that come and go over the code.
    fn draw_fingers(&self, picture: &mut [f32], pose: Pose, index: usize, white: f32) {
        let side = self.size as f32 * pose.module;
        for finger in 0..3 {
            let phase = index as f32 * 0.5 + self.strength * 30.0 + finger as f32 * 2.1;
            let (x, y) = (pose.x + 0.38 * side * phase.cos(), pose.y + 0.34 * side * (phase * 1.3).sin());
            let (wide, long) = (side * 0.15, side * (0.26 + 0.06 * self.strength));
            let (sin, cos) = (phase * 0.4).sin_cos();
            for (at, value) in picture.iter_mut().enumerate() {
                let (dx, dy) = ((at % WIDTH) as f32 - x, (at / WIDTH) as f32 - y);
                let (u, v) = ((dx * cos + dy * sin) / wide, (dy * cos - dx * sin) / long);
                let distance = u * u + v * v;
                if distance < 1.0 {
                    *value = white * (0.55 - 0.15 * distance);
                }
            }
        }
    }
}

/// A room: slopes of light, boxes, stripes.
fn clutter(dice: &mut Dice) -> Vec<f32> {
    let base = dice.between(60.0, 150.0);
    let (slope_x, slope_y) = (dice.between(-50.0, 50.0), dice.between(-50.0, 50.0));
    let mut ground: Vec<f32> = (0..WIDTH * HEIGHT)
        .map(|at| base + slope_x * (at % WIDTH) as f32 / WIDTH as f32 + slope_y * (at / WIDTH) as f32 / HEIGHT as f32)
        .collect();
    for _ in 0..40 {
        let (left, top) = (dice.below(WIDTH), dice.below(HEIGHT));
        let (wide, high, value) = (10 + dice.below(250), 10 + dice.below(200), dice.between(15.0, 240.0));
        let stripes = (dice.below(3) == 0).then(|| 4 + dice.below(14));
        for y in top..(top + high).min(HEIGHT) {
            for x in left..(left + wide).min(WIDTH) {
                if stripes.is_none_or(|pitch| (x / pitch) % 2 == 0) {
                    ground[y * WIDTH + x] = value;
                }
            }
        }
    }
    ground
}

/// A lens: three pixels of it, each way.
fn blurred(picture: &[f32]) -> Vec<f32> {
    let mut across = picture.to_vec();
    for y in 0..HEIGHT {
        for x in 1..WIDTH - 1 {
            let at = y * WIDTH + x;
            across[at] = 0.2 * picture[at - 1] + 0.6 * picture[at] + 0.2 * picture[at + 1];
        }
    }
    let mut both = across.clone();
    for at in WIDTH..WIDTH * (HEIGHT - 1) {
        both[at] = 0.2 * across[at - WIDTH] + 0.6 * across[at] + 0.2 * across[at + WIDTH];
    }
    both
}

/// Numbers that look like chance.
struct Dice(u64);

impl Dice {
    fn part(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }

    fn below(&mut self, most: usize) -> usize {
        ((self.part() * most as f32) as usize).min(most - 1)
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.part()
    }

    /// Nearly normal, of deviation one.
    fn normal(&mut self) -> f32 {
        (self.part() + self.part() + self.part() + self.part() - 2.0) * 1.732
    }
}
