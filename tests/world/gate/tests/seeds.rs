//! A few histories, and every one that ever ended badly. SQLite's file system is the process's: one world at a time, so one
//! test.

use std::time::{Duration, Instant};

use simulated_world::{
    country::Country,
    history::History,
    mutation::Mutation,
    story,
    world::{Outcome, World},
};

/// Seeds that once ended badly, with the hours of their histories.
const ONCE_FAILED: &[(u64, u64)] = &[];
/// Seconds for fresh seeds, where somebody wants them; `cargo xtask simulate` draws as many as it is given time for.
const FRESH: &str = "CHECKPOINT_FRESH_SEEDS";

fn lived(seed: u64, hours: u64, country: &Country, mutation: Option<Mutation>) -> (History, Outcome) {
    let history = History::draw(seed, hours, None);
    let outcome = World::new(&history, country, mutation).run();
    (history, outcome)
}

fn holds(seed: u64, hours: u64, country: &Country) -> Outcome {
    let (history, outcome) = lived(seed, hours, country, None);
    if let Some(violation) = &outcome.violation {
        panic!(
            "{}\n\ncargo xtask simulate --seed {seed} --hours {hours} tells it in fewer events",
            story::tell(&history, violation)
        );
    }
    outcome
}

#[test]
fn whatever_happens_to_a_gate_every_promise_holds_and_the_same_seed_is_the_same_world() {
    let country = Country::found();
    for (seed, hours) in ONCE_FAILED {
        holds(*seed, *hours, &country);
    }
    // The same seed gives the same history, the same answers, and the same bytes in the log.
    let (first, again) = (holds(7, 12, &country), holds(7, 12, &country));
    assert_eq!((first.digest, &first.rows), (again.digest, &again.rows), "seed 7 is two worlds");
    assert!(first.ledger.presented > 100 && first.rows.len() > 100, "{} rows", first.rows.len());
    assert_ne!(first.digest, holds(8, 12, &country).digest, "another seed is another world");

    // A fault that is put back is noticed: this world is not blind.
    let noticed = (1..40).find_map(|seed| lived(seed, 12, &country, Some(Mutation::NothingReserved)).1.violation);
    assert!(noticed.is_some(), "a code that is admitted at two lanes at once goes unnoticed");

    let seconds = std::env::var(FRESH).ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    let (mut seed, began) = (fastrand::u64(..1 << 40), Instant::now());
    while began.elapsed() < Duration::from_secs(seconds) {
        println!("seed {seed}");
        holds(seed, 36, &country);
        seed += 1;
    }
}
