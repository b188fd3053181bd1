//! The journal: sparse lines for the technician, on standard error.
//!
//! Under systemd a line begins with its priority (`<4>`, sd-daemon(3)) and has no time of its own, because the journal has one.
//! In a terminal it has both. `CHECKPOINTD_LOG` sets the level (`error`, `warn`, `info`, `debug`).
//!
//! Whoever makes the daemon say the same thing again and again (an engine that stutters, a code that is held up for hours, a link that
//! comes and goes) must not wear the disk out nor push older lines off it: of one kind, which is one place in the program, a minute has a few
//! lines, and what is left out is counted.

use std::{
    collections::HashMap,
    env,
    io::Write,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use host::clock::Clock;
use log::{Level, LevelFilter, Log, Metadata, Record};

/// Lines of one kind in [`MINUTE`].
const LINES: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);
/// What a gate without wires would do is said each time: that is all there is of it.
pub const EACH_TIME: &str = "gate";

/// Starts the journal. A daemon says `info`, a command only what went wrong, unless asked for more.
pub fn start(clock: Clock, verbose: bool, daemon: bool) {
    let level = match (verbose, daemon) {
        (true, _) => LevelFilter::Debug,
        (false, true) => LevelFilter::Info,
        (false, false) => LevelFilter::Warn,
    };
    let mut builder = env_logger::Builder::new();
    builder.filter_level(level);
    // Libraries speak when something is wrong only: their chatter may hold what we promise not to log.
    for library in ["hyper", "ureq", "rustls", "rumqttc", "nokhwa", "v4l"] {
        builder.filter_module(library, level.min(LevelFilter::Warn));
    }
    if let Ok(wish) = env::var("CHECKPOINTD_LOG") {
        builder.parse_filters(&wish);
    }
    if env::var_os("JOURNAL_STREAM").is_some() {
        builder.format(|out, record| writeln!(out, "<{}>{}", priority(record.level()), record.args()));
    }
    let lines = builder.build();
    let most = lines.filter();
    // A second start in the same process (a test) keeps the first.
    if log::set_boxed_logger(Box::new(Journal { lines, clock, kinds: Mutex::default() })).is_ok() {
        log::set_max_level(most);
    }
}

/// Priorities of syslog(3).
const fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

struct Journal {
    lines: env_logger::Logger,
    clock: Clock,
    kinds: Mutex<HashMap<(String, u32), Quota>>,
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.lines.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.lines.matches(record) {
            return;
        }
        // Whoever asks for more wants all of it.
        if record.level() > Level::Info || record.target() == EACH_TIME {
            return self.lines.log(record);
        }
        let kind = (record.target().to_owned(), record.line().unwrap_or(0));
        let told = {
            let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
            kinds.entry(kind).or_default().one_more(self.clock.now())
        };
        let also = |text: std::fmt::Arguments<'_>| {
            let line = Record::builder().level(record.level()).target(record.target()).args(text).build();
            self.lines.log(&line);
        };
        match told {
            Told::Line => self.lines.log(record),
            Told::LineAfter(left_out) => {
                also(format_args!("({left_out} lines like the next one were left out)"));
                self.lines.log(record);
            }
            Told::LastLine => {
                self.lines.log(record);
                also(format_args!("(more lines like the last one are left out for a minute)"));
            }
            Told::Nothing => (),
        }
    }

    fn flush(&self) {
        self.lines.flush();
    }
}

/// What is written of one more line of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// The line.
    Line,
    /// How many were left out before it, and the line.
    LineAfter(u64),
    /// The line, and that those after it are left out.
    LastLine,
    /// Nothing.
    Nothing,
}

/// What one kind has had in its minute.
#[derive(Debug, Default)]
struct Quota {
    since: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Quota {
    fn one_more(&mut self, now: Instant) -> Told {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= MINUTE) {
            let left_out = self.left_out;
            *self = Quota { since: Some(now), written: 1, left_out: 0 };
            return if left_out == 0 { Told::Line } else { Told::LineAfter(left_out) };
        }
        if self.written >= LINES {
            self.left_out += 1;
            return Told::Nothing;
        }
        self.written += 1;
        if self.written == LINES { Told::LastLine } else { Told::Line }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any moment will do")]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_line_that_comes_a_thousand_times_a_second_is_written_a_few_times_a_minute_and_counted() {
        let (start, mut quota) = (Instant::now(), Quota::default());
        let mut told: Vec<Told> = Vec::new();
        for millis in 0..120_000_u64 {
            told.push(quota.one_more(start + Duration::from_millis(millis)));
        }
        let written = |minute: &[Told]| minute.iter().filter(|told| **told != Told::Nothing).count();
        let (first, second) = told.split_at(60_000);
        assert_eq!((written(first), written(second)), (20, 20));
        assert_eq!(first[19], Told::LastLine);
        assert_eq!(second[0], Told::LineAfter(60_000 - 20));
    }

    #[test]
    fn lines_that_come_now_and_then_are_all_written() {
        let (start, mut quota) = (Instant::now(), Quota::default());
        assert!((0..1000).all(|n| quota.one_more(start + Duration::from_secs(n * 5)) == Told::Line));
    }
}
