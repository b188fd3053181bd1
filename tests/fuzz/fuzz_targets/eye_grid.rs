//! Soft modules into the decoder: no panic, and a payload only with evidence behind it.
//!
//! The first byte chooses the size; the rest are modules. What is missing is filled in as the standard fixes it, so
//! that timing and finders are right and the fuzzer can spend itself on formats, codewords and segments.
#![no_main]

use eye::SoftGrid;
use eye::Version;
use eye::decode::{decode, fixed_module, named_version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [which, modules @ ..] = data else { return };
    let version = match which & 63 {
        number @ 1..=40 => Version::Model2(number),
        number => Version::Micro(number % 4 + 1),
    };
    let size = version.size();
    let module = |index: usize| match fixed_module(version, index % size, index / size) {
        Some(dark) if which & 64 == 0 => {
            if dark {
                100
            } else {
                -100
            }
        }
        _ => modules.get(index % modules.len().max(1)).map_or(0, |byte| *byte as i8),
    };
    let grid = SoftGrid::new(size, (0..size * size).map(module).collect()).expect("the version's own size");
    let _ = named_version(&grid);
    if let Ok(decoded) = decode(&grid) {
        assert!(!decoded.payload.is_empty() && decoded.payload.len() <= 7089);
        assert!(decoded.evidence >= 30);
    }
});
