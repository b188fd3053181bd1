//! Status lists at 1, 10 and 100 million codes: bytes signed, bytes kept, and what a lookup costs. `cargo bench -p trustlist --bench status`;
//! the numbers stand in docs/lists.md.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use trustlist::{
    status::{SHARD, Status, StatusArray, StatusList, StatusLists, StatusTable},
    time::{UnixTime, Window},
};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

fn shard(random: &mut Random, one_in: u64) -> StatusArray {
    let mut array = StatusArray::valid(SHARD as usize);
    for _ in 0..SHARD / one_in {
        array.set(random.next() % SHARD, Status::Revoked);
    }
    array
}

fn lookups(criterion: &mut Criterion) {
    let mut random = Random(1);
    for one_in in [1000, 100] {
        for shards in [1, 10, 100] {
            let (mut lists, mut signed, mut raw) = (StatusLists::default(), 0, Vec::new());
            for number in 0..shards {
                let array = shard(&mut random, one_in);
                signed += array.deflate().len();
                let statuses = StatusTable::of(array.bytes());
                raw.push(array);
                lists
                    .add(StatusList {
                        uri: format!("status/{number}"),
                        issued: UnixTime(0),
                        window: Window::default(),
                        ttl: None,
                        statuses,
                    })
                    .expect("there is room");
            }
            let name = format!("{shards} million codes, 1 in {one_in} set");
            println!(
                "{name}: {signed} bytes deflated, {} bytes kept, {} bytes packed",
                lists.memory(),
                shards * SHARD / 4
            );
            let uris: Vec<String> = (0..shards).map(|number| format!("status/{number}")).collect();
            let mut group = criterion.benchmark_group(&name);
            let place = |random: &mut Random| (random.next() % shards, random.next() % SHARD);
            group.bench_function("lookup", |bencher| {
                bencher.iter_batched(
                    || place(&mut random),
                    |(shard, index)| black_box(&lists).status(&uris[shard as usize], index),
                    BatchSize::SmallInput,
                );
            });
            group.bench_function("lookup in the packed arrays", |bencher| {
                bencher.iter_batched(
                    || place(&mut random),
                    |(shard, index)| black_box(&raw)[shard as usize].status(index),
                    BatchSize::SmallInput,
                );
            });
            group.finish();
        }
    }
}

fn one_list(criterion: &mut Criterion) {
    let array = shard(&mut Random(1), 100);
    let mut group = criterion.benchmark_group("a million codes, 1 in 100 set");
    group.bench_function("deflate", |bencher| bencher.iter(|| black_box(&array).deflate()));
    group.bench_function("table", |bencher| bencher.iter(|| StatusTable::of(black_box(&array).bytes())));
    group.finish();
}

criterion_group!(benches, lookups, one_list);
criterion_main!(benches);
