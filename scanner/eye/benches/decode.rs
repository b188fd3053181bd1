//! How long a ready grid takes: as drawn, lightly damaged, under a glare spot, and when nothing is in it.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, criterion_group, criterion_main};
use eye::SoftGrid;
use eye::decode::{Effort, decode, decode_with};

/// A symbol that is filled with alphanumeric text, as pass codes are.
fn symbol(version: i16) -> SoftGrid {
    let text: Vec<u8> = (0..version as usize * 18).map(|index| b"0123456789ABCDEFGHIJ"[index * 7 % 20]).collect();
    let code = qrcode::QrCode::with_version(&text, qrcode::Version::Normal(version), qrcode::EcLevel::M)
        .expect("the text fits");
    let (size, colours) = (code.width(), code.to_colors());
    SoftGrid::from_bits(size, |x, y| colours[y * size + x] == qrcode::Color::Dark).expect("a size that exists")
}

fn glared(mut grid: SoftGrid) -> SoftGrid {
    let size = grid.size();
    let radius = size / 9;
    for index in 0..size * size {
        let (x, y) = ((index % size).abs_diff(size / 2), (index / size).abs_diff(size / 2));
        if x * x + y * y < radius * radius {
            grid.modules_mut()[index] = 0;
        }
    }
    grid
}

fn noise(size: usize) -> SoftGrid {
    let mut state = 1u64;
    let modules = (0..size * size).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as i8
    });
    SoftGrid::new(size, modules.collect()).expect("a size that exists")
}

fn benches(criterion: &mut Criterion) {
    for version in [2, 10, 18, 40] {
        let clean = symbol(version);
        criterion.bench_function(&format!("clean v{version}"), |bench| bench.iter(|| decode(&clean).is_ok()));
        let glared = glared(clean);
        assert!(version < 10 || decode(&glared).is_ok(), "the bench measures a rescue");
        criterion.bench_function(&format!("glare v{version}"), |bench| bench.iter(|| decode(&glared).is_ok()));
        let noise = noise(17 + 4 * version as usize);
        criterion.bench_function(&format!("noise v{version}"), |bench| bench.iter(|| decode(&noise).is_ok()));
        criterion.bench_function(&format!("noise v{version}, quick"), |bench| {
            bench.iter(|| decode_with(&noise, Effort::QUICK).is_ok());
        });
    }
}

criterion_group!(decoding, benches);
criterion_main!(decoding);
