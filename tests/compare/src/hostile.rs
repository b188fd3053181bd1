//! Frames made to cost time: what somebody could print on a card or show on a screen to stall a lane. All 720p.

use image::{GrayImage, Luma};

use crate::frames::Frame;

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;

/// All of them, in rising order of what they used to cost.
pub fn frames() -> Vec<Frame> {
    vec![
        Frame::drawn("100 finder patterns", || finders(100)),
        Frame::drawn("400 finder patterns", || finders(400)),
        Frame::drawn("900 finder patterns", || finders(900)),
        Frame::drawn("finders, jittered sizes", jittered),
        Frame::drawn("noise", || noise(1)),
        Frame::drawn("noise, 2 px", || noise(2)),
        Frame::drawn("noise, 3 px", || noise(3)),
        Frame::drawn("noise, 8 px", || noise(8)),
        Frame::drawn("chequer, 3 px", || chequer(3)),
        Frame::drawn("chequer, 7 px", || chequer(7)),
        Frame::drawn("rings", rings),
        Frame::drawn("nested squares", nested),
        Frame::drawn("symbols without content", hollow),
        Frame::drawn("symbols with noise inside", || dense(true)),
        Frame::drawn("vertical 1:1:3:1:1 bars", bars),
    ]
}

fn blank() -> GrayImage {
    GrayImage::from_pixel(WIDTH, HEIGHT, Luma([230]))
}

fn square(image: &mut GrayImage, left: i64, top: i64, side: i64, value: u8) {
    for y in top.max(0)..(top + side).min(i64::from(HEIGHT)) {
        for x in left.max(0)..(left + side).min(i64::from(WIDTH)) {
            image.put_pixel(x as u32, y as u32, Luma([value]));
        }
    }
}

fn finder(image: &mut GrayImage, left: i64, top: i64, module: i64) {
    square(image, left, top, 7 * module, 20);
    square(image, left + module, top + module, 5 * module, 230);
    square(image, left + 2 * module, top + 2 * module, 3 * module, 20);
}

/// A lattice of equal finder patterns: every three of them look like a symbol's corners.
fn finders(count: i64) -> GrayImage {
    let mut image = blank();
    let rows = ((count * 9 / 16) as f64).sqrt().ceil() as i64;
    let columns = (count + rows - 1) / rows;
    let pitch = (i64::from(WIDTH) / columns).min(i64::from(HEIGHT) / rows);
    for index in 0..count {
        finder(&mut image, index % columns * pitch + 2, index / columns * pitch + 2, (pitch / 9).max(2));
    }
    image
}

fn jittered() -> GrayImage {
    let (mut image, mut dice) = (blank(), Dice(5));
    for index in 0..300 {
        let (x, y) = (index % 20 * 64 + dice.roll(16) as i64, index / 20 * 48 + dice.roll(8) as i64);
        finder(&mut image, x, y, 2 + dice.roll(4) as i64);
    }
    image
}

fn noise(cell: u32) -> GrayImage {
    let mut dice = Dice(u64::from(cell));
    let (columns, rows) = (WIDTH.div_ceil(cell), HEIGHT.div_ceil(cell));
    let cells: Vec<u8> = (0..columns * rows)
        .map(|_| if cell == 1 { dice.roll(256) as u8 } else { dice.roll(2) as u8 * 220 + 15 })
        .collect();
    GrayImage::from_fn(WIDTH, HEIGHT, |x, y| Luma([cells[(y / cell * columns + x / cell) as usize]]))
}

fn chequer(cell: u32) -> GrayImage {
    GrayImage::from_fn(WIDTH, HEIGHT, |x, y| Luma([if (x / cell + y / cell) % 2 == 0 { 20 } else { 230 }]))
}

fn rings() -> GrayImage {
    GrayImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let (x, y) = ((x % 80) as i32 - 40, (y % 80) as i32 - 40);
        let radius = f64::from(x * x + y * y).sqrt() / 4.0;
        Luma([if matches!(radius as i32, 0..=1 | 3 | 5 | 7) { 20 } else { 230 }])
    })
}

fn nested() -> GrayImage {
    let mut image = blank();
    for step in 0..60 {
        square(&mut image, 280 + step * 6, step * 6, 720 - 12 * step, if step % 2 == 0 { 20 } else { 230 });
    }
    image
}

/// Frames of symbols: three finders and timing, nothing inside.
fn hollow() -> GrayImage {
    dense(false)
}

fn dense(filled: bool) -> GrayImage {
    let (mut image, mut dice) = (blank(), Dice(11));
    let (module, size) = (3i64, 33i64);
    let pitch = (size + 4) * module;
    for row in 0..i64::from(HEIGHT) / pitch {
        for column in 0..i64::from(WIDTH) / pitch {
            let (left, top) = (column * pitch + 6, row * pitch + 6);
            if filled {
                for index in 0..size * size {
                    let value = if dice.roll(2) == 0 { 20 } else { 230 };
                    square(&mut image, left + index % size * module, top + index / size * module, module, value);
                }
            }
            for (x, y) in [(0, 0), (size - 7, 0), (0, size - 7)] {
                square(&mut image, left + (x - 1) * module, top + (y - 1) * module, 9 * module, 230);
                finder(&mut image, left + x * module, top + y * module, module);
            }
            for at in 8..size - 8 {
                let value = if at % 2 == 0 { 20 } else { 230 };
                square(&mut image, left + at * module, top + 6 * module, module, value);
                square(&mut image, left + 6 * module, top + at * module, module, value);
            }
        }
    }
    image
}

/// Every row crosses hundreds of finder patterns that are none.
fn bars() -> GrayImage {
    GrayImage::from_fn(WIDTH, HEIGHT, |x, _| Luma([if matches!(x / 3 % 8, 0 | 2..=4 | 6) { 20 } else { 230 }]))
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
