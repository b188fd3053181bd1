//! Frames made to keep the eye busy. What is asserted is work, not time: finders, triples and grids stay within the
//! budget, so a frame costs the same bounded amount on every machine.

use eye::{Budget, Eye, Luma, Reader, Statistics};

const WIDTH: usize = 1280;
const HEIGHT: usize = 720;
/// Levels times polarities, as the eye has them.
const SEARCHES: u32 = 8;

fn finder(frame: &mut [u8], x0: usize, y0: usize, module: usize) {
    for y in 0..7 * module {
        for x in 0..7 * module {
            let (mx, my) = (x / module, y / module);
            let ring = mx == 0 || my == 0 || mx == 6 || my == 6;
            let stone = (2..5).contains(&mx) && (2..5).contains(&my);
            if ring || stone {
                frame[(y0 + y) * WIDTH + x0 + x] = 20;
            }
        }
    }
}

fn wall(columns: usize, rows: usize, module: usize) -> Vec<u8> {
    let mut frame = vec![220; WIDTH * HEIGHT];
    for i in 0..columns * rows {
        finder(&mut frame, i % columns * (WIDTH / columns) + 1, i / columns * (HEIGHT / rows) + 1, module);
    }
    frame
}

fn noise(cell: usize, levels: u8) -> Vec<u8> {
    let mut frame = vec![0; WIDTH * HEIGHT];
    for (i, p) in frame.iter_mut().enumerate() {
        let (x, y) = (i % WIDTH / cell, i / WIDTH / cell);
        let mut v = (x as u64) << 32 | y as u64 | 1;
        for _ in 0..3 {
            v = v.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            v ^= v >> 29;
        }
        *p = if levels == 2 { 20 + 200 * (v & 1) as u8 } else { (v >> 20) as u8 };
    }
    frame
}

fn work(frame: &[u8], budget: Budget) -> Statistics {
    let reading = Eye::new().read(Luma::new(frame, WIDTH, HEIGHT).expect("a frame's size"), budget);
    assert!(reading.symbols.is_empty(), "a payload that is not there");
    let s = reading.statistics;
    assert!(s.finders <= SEARCHES * budget.finders as u32, "{s:?}");
    assert!(s.triples <= SEARCHES * budget.triples as u32, "{s:?}");
    // The last frame of a triple and the last way of a second look may start before the budget is seen to be spent.
    assert!(s.grids <= budget.grids as u32 + 4, "{s:?}");
    s
}

#[test]
fn a_wall_of_finder_patterns_costs_no_more_than_the_budget() {
    for (columns, rows, module) in [(12, 8, 8), (25, 16, 4), (40, 22, 3), (64, 36, 2)] {
        let s = work(&wall(columns, rows, module), Budget::picture());
        assert!(s.capped, "{columns}x{rows}: {s:?}");
        let _ = work(&wall(columns, rows, module), Budget::frame(3));
    }
}

#[test]
fn noise_and_checkers_cost_no_more_than_the_budget() {
    for (cell, levels) in [(1, 0), (1, 2), (2, 2), (3, 2), (5, 2), (9, 2)] {
        let _ = work(&noise(cell, levels), Budget::picture());
    }
}

#[test]
fn nested_squares_are_not_followed_inwards() {
    let mut frame = vec![220_u8; WIDTH * HEIGHT];
    for (i, p) in frame.iter_mut().enumerate() {
        let (x, y) = ((i % WIDTH).abs_diff(WIDTH / 2), (i / WIDTH).abs_diff(HEIGHT / 2));
        if (x.max(y) / 9).is_multiple_of(2) {
            *p = 20;
        }
    }
    let s = work(&frame, Budget::picture());
    assert!(s.finders < 16, "{s:?}");
}

#[test]
fn symbols_that_are_all_damaged_are_given_up() {
    let code = qrcode::QrCode::with_error_correction_level("0123456789ABCDEF".repeat(12), qrcode::EcLevel::L)
        .expect("the text fits");
    let (n, colors) = (code.width(), code.to_colors());
    let pitch = (n + 8) * 2;
    let mut frame = vec![220_u8; WIDTH * HEIGHT];
    for y0 in (0..HEIGHT - pitch).step_by(pitch) {
        for x0 in (0..WIDTH - pitch).step_by(pitch) {
            for y in 0..2 * n {
                for x in 0..2 * n {
                    // A third of the rows between the finders is another symbol's.
                    let row = if (9..n - 9).contains(&(y / 2)) && y / 2 % 3 == 0 { n - 1 - y / 2 } else { y / 2 };
                    if colors[row * n + x / 2] == qrcode::Color::Dark {
                        frame[(y0 + 8 + y) * WIDTH + x0 + 8 + x] = 20;
                    }
                }
            }
        }
    }
    let s = work(&frame, Budget::picture());
    assert!(s.grids > 8, "the symbols are seen: {s:?}");
    let s = work(&frame, Budget { grids: 5, ..Budget::picture() });
    assert!(s.grids <= 9, "{s:?}");
}
