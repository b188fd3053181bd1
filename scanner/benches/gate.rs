//! The decision on each kind of code, and the eye on named pictures. `cargo bench -p scanner`.

use std::hint::black_box;

use authority::code::picture::{Level, Picture};
use criterion::{Criterion, criterion_group, criterion_main};
use eye::{Luma, track::Tracker};
use scanner::demo::{
    country::{GATE, country},
    draw::{self, HALL, Modules},
    motion::{self, HEIGHT, WIDTH},
};
use sync::lists;
use trustlist::{
    judge::{Context, decide},
    time::{Moment, UnixTime},
};

const NOW: UnixTime = UnixTime(1_612_137_600);

fn decisions(criterion: &mut Criterion) {
    let country = country(NOW).expect("made");
    let mirror = tempfile::tempdir().expect("a folder");
    for (path, bytes) in &country.files {
        let path = mirror.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder above it")).expect("made");
        std::fs::write(path, bytes).expect("written");
    }
    let trust = lists::from_folder(mirror.path()).expect("verified");
    let moment = Moment::synced(NOW);
    let context = Context { moment, relying: GATE.parse().expect("a region"), profile: None };
    let mut group = criterion.benchmark_group("decide");
    for who in [
        "from Guangdong, green",
        "from Hubei, by the direct route",
        "from Shanghai, vouched for by the national platform",
        "with a forged code",
        "with half a code",
        "with a bus ticket",
    ] {
        let text = &country.travellers.iter().find(|traveller| traveller.who == who).expect("they travel").text;
        group.bench_function(who, |bencher| bencher.iter(|| decide(black_box(text), &trust, &context)));
    }
    group.finish();
    criterion.bench_function("lists from a folder, 36 repositories", |bencher| {
        bencher.iter(|| lists::from_folder(mirror.path()).expect("verified"));
    });
}

fn frames(criterion: &mut Criterion) {
    let country = country(NOW).expect("made");
    let picture = Picture::draw(&country.travellers[0].text, Level::M).expect("it fits");
    let phone = Modules { size: picture.width(), dark: picture.modules().to_vec() };
    let held = std::time::Duration::from_millis(900);
    let mut group = criterion.benchmark_group("eye, 720p");
    let mut scenes: Vec<(String, Vec<u8>)> = vec![("empty hall".to_owned(), draw::frame(WIDTH, HEIGHT, None, HALL, 1))];
    for manner in 0..6 {
        let how = motion::manner(manner);
        let pose = motion::pose(how, held, None).expect("held up");
        scenes.push((
            format!("phone held in manner {manner}"),
            draw::frame(WIDTH, HEIGHT, Some((&phone, pose)), how.light, 1),
        ));
    }
    for (name, plane) in &scenes {
        let luma = Luma::new(plane, WIDTH, HEIGHT).expect("a frame");
        group.bench_function(name, |bencher| {
            bencher.iter_batched(Tracker::new, |mut eye| eye.see(luma), criterion::BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, decisions, frames);
criterion_main!(benches);
