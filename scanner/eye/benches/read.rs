//! Milliseconds a frame, on the named frames: `cargo bench -p eye --bench read`.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, criterion_group, criterion_main};
use eye::{Budget, Eye, Luma, Reader};

fn benches(criterion: &mut Criterion) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/frames");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the frames lie beside the tests")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with("png") || name.ends_with("jpg"))
        .collect();
    names.sort();
    let mut eye = Eye::new();
    for name in names {
        let image = image::open(format!("{folder}/{name}")).expect("an image").to_luma8();
        let luma = Luma::new(image.as_raw(), image.width() as usize, image.height() as usize).expect("fits");
        let mut number = 0;
        criterion.bench_function(&name, |b| {
            b.iter(|| {
                number += 1;
                eye.read(luma, Budget::frame(number))
            });
        });
    }
}

criterion_group! {
    name = read;
    config = Criterion::default().sample_size(30);
    targets = benches
}
criterion_main!(read);
