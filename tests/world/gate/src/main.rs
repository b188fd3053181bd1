//! `cargo xtask simulate`: histories one after the other, and what did not hold in them.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, ValueEnum};
use simulated_world::{
    country::Country,
    history::{HOUR, History},
    mutation::Mutation,
    oracles::Violation,
    shrink::shrink,
    story,
    world::{Outcome, World},
};

/// Lets seeds' histories happen to a gate in a simulated world.
#[derive(Parser)]
struct Arguments {
    /// This seed alone; without it fresh ones, from one that is drawn and printed.
    #[arg(long)]
    seed: Option<u64>,
    /// The first of the seeds, where there are several.
    #[arg(long)]
    from: Option<u64>,
    /// Hours of each history.
    #[arg(long, default_value_t = 72)]
    hours: u64,
    /// Lanes; without it as many as the seed draws.
    #[arg(long)]
    lanes: Option<usize>,
    /// Real seconds after which no other history is begun.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Histories at most.
    #[arg(long, default_value_t = u64::MAX)]
    count: u64,
    /// A fault that was found before, put back: seeds go on until it is noticed.
    #[arg(long)]
    mutation: Option<Mutation>,
    /// All such faults, one after the other, as a table.
    #[arg(long)]
    mutations: bool,
    /// Histories that end badly are told as they are, not shortened.
    #[arg(long)]
    whole: bool,
}

/// Sums over histories.
#[derive(Default)]
struct Sum {
    histories: u64,
    hours: u64,
    presented: u64,
    openings: u64,
    rows: u64,
    rounds: u64,
    batches: u64,
    faults: BTreeMap<&'static str, u64>,
    reasons: BTreeMap<&'static str, u64>,
}

impl Sum {
    fn add(&mut self, hours: u64, outcome: &Outcome) {
        self.histories += 1;
        self.hours += hours;
        let ledger = &outcome.ledger;
        self.presented += ledger.presented;
        self.openings += ledger.openings.len() as u64;
        self.rows += ledger.durable.len() as u64;
        self.rounds += ledger.rounds;
        self.batches += ledger.batches;
        for (sums, counts) in [(&mut self.faults, &ledger.faults), (&mut self.reasons, &ledger.reasons)] {
            counts.iter().for_each(|(kind, count)| *sums.entry(kind).or_default() += count);
        }
    }

    fn print(&self, cpu: Duration) {
        let minutes = cpu.as_secs_f64() / 60.0;
        println!("{:>12} histories", self.histories);
        println!("{:>12} simulated gate-hours ({:.2} years)", self.hours, self.hours as f64 / 8766.0);
        println!("{:>12} presentations, {} openings, {} durable rows", self.presented, self.openings, self.rows);
        println!("{:>12} rounds of the mirrors, {} of the courier", self.rounds, self.batches);
        println!(
            "{:>12.1} CPU seconds: {:.0} gate-hours and {:.0} presentations a CPU minute",
            cpu.as_secs_f64(),
            self.hours as f64 / minutes,
            self.presented as f64 / minutes
        );
        println!("faults and events:");
        self.faults.iter().for_each(|(kind, count)| println!("{count:>12} {kind}"));
        println!("answers:");
        self.reasons.iter().for_each(|(reason, count)| println!("{count:>12} {reason}"));
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let country = Country::found();
    if arguments.mutations {
        return mutations(&arguments, &country);
    }
    let drawn = fastrand::u64(..1 << 40);
    let first = arguments.seed.or(arguments.from).unwrap_or(drawn);
    let count = if arguments.seed.is_some() { 1 } else { arguments.count };
    println!("seeds from {first}, {} hours each", arguments.hours);
    let (began, mut told, mut sum) = (Instant::now(), Duration::ZERO, Sum::default());
    let mut failed = Vec::new();
    for seed in (first..).take(usize::try_from(count).unwrap_or(usize::MAX)) {
        let history = History::draw(seed, arguments.hours, arguments.lanes);
        let outcome = World::new(&history, &country, arguments.mutation).run();
        sum.add(arguments.hours, &outcome);
        if let Some(violation) = &outcome.violation {
            failed.push((seed, violation.oracle));
            tell(&history, violation, &country, &arguments);
            if arguments.mutation.is_some() {
                break;
            }
        }
        if began.elapsed() >= told + Duration::from_secs(10) {
            told = began.elapsed();
            eprintln!(
                "seed {seed}: {} histories, {} presentations, {} failed",
                sum.histories,
                sum.presented,
                failed.len()
            );
        }
        if began.elapsed() >= Duration::from_secs(arguments.seconds) {
            break;
        }
    }
    sum.print(cpu_time());
    for (seed, oracle) in &failed {
        println!("seed {seed}: {oracle} does not hold");
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The story of a history that ended badly, as short as it can be made.
fn tell(history: &History, violation: &Violation, country: &Country, arguments: &Arguments) {
    let again = |history: &History| World::new(history, country, arguments.mutation).run().violation;
    let same = |history: &History| again(history).is_some_and(|other| other.oracle == violation.oracle);
    let short = if arguments.whole { history.clone() } else { shrink(history, same) };
    let violation = again(&short).unwrap_or_else(|| violation.clone());
    println!("{}\n", story::tell(&short, &violation));
}

/// Each fault that was put back, and how long the world needs to notice it.
fn mutations(arguments: &Arguments, country: &Country) -> ExitCode {
    println!("| fault that is put back | noticed by | seeds | simulated hours |\n|---|---|---|---|");
    let mut unnoticed = 0;
    for mutation in Mutation::value_variants() {
        let name = mutation.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let (mut hours, began) = (0.0, Instant::now());
        let mut noticed = None;
        for seed in 1..=arguments.count.min(400) {
            let history = History::draw(seed, arguments.hours, arguments.lanes);
            let outcome = World::new(&history, country, Some(*mutation)).run();
            if let Some(violation) = outcome.violation {
                hours += violation.at as f64 / HOUR as f64;
                noticed = Some((violation.oracle, seed));
                break;
            }
            hours += arguments.hours as f64;
            if began.elapsed() >= Duration::from_secs(arguments.seconds) {
                break;
            }
        }
        match noticed {
            Some((oracle, seeds)) => println!("| `{name}` | `{oracle}` | {seeds} | {hours:.0} |"),
            None => {
                unnoticed += 1;
                println!("| `{name}` | nothing | – | {hours:.0} |");
            }
        }
    }
    if unnoticed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What this process has used of the processor.
fn cpu_time() -> Duration {
    // utime and stime in ticks of 10 ms: proc_pid_stat(5), fields 14 and 15.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}
