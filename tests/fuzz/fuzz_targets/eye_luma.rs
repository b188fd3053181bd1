//! Raw pixels into the eye and the tracker: no panic, whatever they are.
//!
//! The first three bytes say how large the picture is and how it is looked at; the rest is its pixels, each byte
//! drawn as a small block so that finder patterns are within a fuzzer's reach.
#![no_main]

use eye::presence::Watch;
use eye::track::Tracker;
use eye::{Budget, Effort, Eye, Luma, Reader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [columns, cell, how, cells @ ..] = data else { return };
    let (columns, cell) = (usize::from(*columns % 96) + 1, usize::from(*cell % 5) + 1);
    let rows = (cells.len() / columns).min(96);
    if rows == 0 {
        return;
    }
    let (width, height) = (columns * cell, rows * cell);
    let pixels: Vec<u8> =
        (0..width * height).map(|at| cells[at / width / cell * columns + at % width / cell]).collect();
    let Ok(luma) = Luma::new(&pixels, width, height) else { return };
    let effort = [Effort::Quick, Effort::Rotating(u32::from(*how)), Effort::Thorough][usize::from(*how % 3)];
    let budget = Budget { effort, keep_unread: how & 4 != 0, ..Budget::picture() };
    let reading = Eye::new().read(luma, budget);
    let _ = reading.hints();
    if let Some(presence) = Watch::default().look(luma) {
        let [from, _, to, _] = presence.outline;
        assert!(from.x >= 0.0 && from.y >= 0.0 && to.x <= width as f32 && to.y <= height as f32, "outside the frame");
    }
    if how & 8 != 0 {
        let mut tracker = Tracker::new();
        for _ in 0..3 {
            let _ = tracker.see(luma);
        }
    }
});
