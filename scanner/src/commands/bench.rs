//! `checkpointd bench`: replays pictures through the real eye and the real judge of this machine, and says where the time goes.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use clap::Args;
use devices::camera::{FrameSource, Next, Pictures};
use eye::{
    cause::{self, Cause},
    track::Tracker,
};
use host::clock::Clock;
use serde::Serialize;

use super::judging::{Judge, Judging};
use crate::commands::failure::{Exit, Failure};

/// A picture file is read within this, or the disk has hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// `bench`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  checkpointd bench --frames recorded/ --trust /media/stick --relying 440000\n  \
    checkpointd bench --frames recorded/ --repeat 20 --json\n\n\
    Times are of this machine's clock, on one core; `load` is what a camera would have done. Without lists (--trust, or those of\n\
    this device) nothing is judged, and the stage is left out.")]
pub struct Arguments {
    #[command(flatten)]
    judging: Judging,
    /// Pictures to replay in the order of their names, as frames of one stream
    #[arg(long, value_name = "DIR")]
    frames: PathBuf,
    /// How many times
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    repeat: u32,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// What one stage took, in microseconds.
#[derive(Debug, Serialize)]
struct Stage {
    stage: &'static str,
    count: usize,
    p50_us: u128,
    p95_us: u128,
    p99_us: u128,
    max_us: u128,
}

#[derive(Debug, Serialize)]
struct Report {
    frames: usize,
    damaged: usize,
    symbols: usize,
    judged: usize,
    /// Frames of one round in which something like a symbol was seen and nothing was read, by cause.
    unread: BTreeMap<&'static str, usize>,
    stages: Vec<Stage>,
    /// Frames a second one core can look at and judge, not counting the loading.
    frames_per_second: f64,
    /// The most memory the process ever held, in bytes; `null` where the system does not say.
    peak_memory: Option<u64>,
}

/// Replays and reports.
///
/// # Errors
/// When there is no picture, or lists were named that cannot be used.
pub fn run(said: &super::ConfigArgs, clock: &Clock, arguments: Arguments) -> Result<Exit, Failure> {
    let asked = arguments.judging.trust.is_some();
    let judge = match arguments.judging.load(said, clock) {
        Ok(judge) => Some(judge),
        Err(failure) if asked => return Err(failure),
        Err(_) => None,
    };
    let mut times = Times::default();
    for round in 0..arguments.repeat {
        let mut pictures = Pictures::open(&arguments.frames)
            .map_err(|error| Failure::new(format!("no frames in {}", arguments.frames.display())).because(error))?;
        replay(&mut pictures, judge.as_ref(), clock, &mut times, round == 0);
    }
    if times.read.is_empty() {
        return Err(Failure::new(format!("no picture in {} could be read", arguments.frames.display())));
    }
    let report = times.report();
    if arguments.json {
        super::output::print(&(serde_json::to_string(&report).expect("numbers are plain data") + "\n"));
    } else {
        super::output::print(&report.text());
    }
    Ok(Exit::Ok)
}

#[derive(Default)]
struct Times {
    load: Vec<Duration>,
    read: Vec<Duration>,
    judge: Vec<Duration>,
    damaged: usize,
    symbols: usize,
    unread: BTreeMap<Cause, usize>,
}

fn replay(pictures: &mut Pictures, judge: Option<&Judge>, clock: &Clock, times: &mut Times, causes: bool) {
    let mut eye = Tracker::new();
    loop {
        let began = clock.now();
        let frame = match pictures.next(PATIENCE) {
            Next::Frame(frame) => frame,
            Next::Damaged(_) => {
                times.damaged += 1;
                continue;
            }
            Next::Timeout | Next::End | Next::Gone(_) => return,
        };
        times.load.push(clock.since(began));
        let began = clock.now();
        let sight = eye.see(frame.luma());
        times.read.push(clock.since(began));
        times.symbols += sight.symbols.len();
        if causes
            && sight.symbols.is_empty()
            && let Some(finding) = cause::of(frame.luma())
        {
            *times.unread.entry(finding.cause).or_default() += 1;
        }
        let Some(judge) = judge else { continue };
        for text in sight.symbols.iter().filter_map(|symbol| str::from_utf8(&symbol.payload).ok()) {
            let began = clock.now();
            if judge.decide(text).is_some() {
                times.judge.push(clock.since(began));
            }
        }
    }
}

impl Times {
    fn report(mut self) -> Report {
        let busy: Duration = self.read.iter().chain(&self.judge).sum();
        Report {
            frames: self.read.len(),
            damaged: self.damaged,
            symbols: self.symbols,
            judged: self.judge.len(),
            unread: self.unread.iter().map(|(cause, frames)| (cause.code(), *frames)).collect(),
            frames_per_second: self.read.len() as f64 / busy.as_secs_f64().max(1e-9),
            stages: [("load", &mut self.load), ("read", &mut self.read), ("judge", &mut self.judge)]
                .into_iter()
                .filter_map(|(name, times)| stage(name, times))
                .collect(),
            peak_memory: peak_memory(),
        }
    }
}

/// Nearest-rank percentiles; `None` of nothing.
fn stage(stage: &'static str, times: &mut [Duration]) -> Option<Stage> {
    times.sort();
    let rank = |per_cent: usize| times.get((times.len() * per_cent).div_ceil(100).max(1) - 1).map(Duration::as_micros);
    Some(Stage {
        stage,
        count: times.len(),
        p50_us: rank(50)?,
        p95_us: rank(95)?,
        p99_us: rank(99)?,
        max_us: rank(100)?,
    })
}

/// `VmHWM` of proc_pid_status(5).
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

impl Report {
    fn text(&self) -> String {
        let mut text = format!(
            "{} frames ({} damaged), {} symbols, {} judged\n{:<8}{:>10}{:>10}{:>10}{:>10}  microseconds\n",
            self.frames, self.damaged, self.symbols, self.judged, "stage", "p50", "p95", "p99", "max"
        );
        for stage in &self.stages {
            text.push_str(&format!(
                "{:<8}{:>10}{:>10}{:>10}{:>10}\n",
                stage.stage, stage.p50_us, stage.p95_us, stage.p99_us, stage.max_us
            ));
        }
        text.push_str(&format!("{:.0} frames a second on one core", self.frames_per_second));
        if let Some(bytes) = self.peak_memory {
            text.push_str(&format!(", {} MiB at most", bytes.div_ceil(1 << 20)));
        }
        text.push('\n');
        for (cause, frames) in &self.unread {
            text.push_str(&format!("not read: {cause:<12}{frames:>6} frames\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks_of_what_was_measured() {
        let mut times: Vec<Duration> = (1..=200).rev().map(Duration::from_micros).collect();
        let stage = stage("read", &mut times).expect("times");
        assert_eq!((stage.p50_us, stage.p95_us, stage.p99_us, stage.max_us), (100, 190, 198, 200));
        assert!(super::stage("judge", &mut []).is_none());
    }
}
