//! Travellers one after the other, as frames: the demonstration's camera.
//!
//! Each comes up to the window, holds the phone there until the lane has answered, and leaves. Drawing a frame takes a while, as
//! a camera's exposure does; frames are given at most thirty times a second.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use devices::{
    camera::{FrameSource, Next},
    frame::{Frame, Pool},
};
use host::clock::Clock;

use super::{
    draw::{self, HALL, Modules},
    motion::{self, HEIGHT, WIDTH},
};

/// Pause between two frames.
const FRAME: Duration = Duration::from_millis(33);
/// A traveller who is not answered goes on after this long.
const GIVES_UP: Duration = Duration::from_secs(8);

/// How long the view stays empty between two travellers, and how long a phone is held up after the answer.
#[derive(Clone, Copy, Debug)]
pub struct Tempo {
    /// Empty view.
    pub gap: Duration,
    /// Held up after the answer.
    pub linger: Duration,
}

/// What the crowd and whoever listens to the lane share: how many travellers were answered.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<AtomicUsize>);

impl Answers {
    /// The traveller who is there now has an answer.
    pub fn given(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// The travellers' phones, played as frames.
pub struct Crowd {
    phones: Vec<Modules>,
    tempo: Tempo,
    answers: Answers,
    clock: Clock,
    pool: Pool,
    at: usize,
    since: Instant,
    answered: Option<Instant>,
    sequence: u64,
    due: Instant,
}

impl Crowd {
    /// Who comes, how fast, and how they learn of their answers.
    #[must_use]
    pub fn new(phones: Vec<Modules>, tempo: Tempo, answers: Answers, clock: Clock) -> Crowd {
        let now = clock.now();
        // The first comes a gap after the start.
        Crowd {
            phones,
            tempo,
            answers,
            clock,
            pool: Pool::new(),
            at: 0,
            since: now + tempo.gap,
            answered: None,
            sequence: 0,
            due: now,
        }
    }

    fn next_traveller(&mut self, now: Instant) {
        self.at += 1;
        self.since = now + self.tempo.gap;
        self.answered = None;
    }
}

impl FrameSource for Crowd {
    fn next(&mut self, deadline: Duration) -> Next {
        let wait = self.due.saturating_duration_since(self.clock.now());
        thread::sleep(wait.min(deadline));
        if wait > deadline {
            return Next::Timeout;
        }
        let now = self.clock.now();
        self.due = now + FRAME;
        if self.at >= self.phones.len() {
            return Next::End;
        }
        let shown_for = now.saturating_duration_since(self.since);
        if self.answered.is_none() && (self.answers.count() > self.at || shown_for > GIVES_UP) {
            self.answered = Some(now);
        }
        let leaving = self.answered.map(|at| now - at).and_then(|ago| ago.checked_sub(self.tempo.linger));
        let manner = motion::manner(self.at);
        let pose = if now < self.since { None } else { motion::pose(manner, shown_for, leaving) };
        self.sequence += 1;
        let light = if pose.is_some() { manner.light } else { HALL };
        let phone = pose.map(|pose| (&self.phones[self.at], pose));
        let drawn = draw::frame(WIDTH, HEIGHT, phone, light, self.sequence);
        if pose.is_none() && leaving.is_some() {
            self.next_traveller(now);
        }
        let mut luma = self.pool.take(drawn.len());
        luma.copy_from_slice(&drawn);
        let frame = Frame::new(luma, WIDTH, HEIGHT, self.sequence, self.clock.now()).expect("drawn in this size");
        Next::Frame(frame)
    }

    fn describe(&self) -> String {
        format!("{} drawn travellers", self.phones.len())
    }
}
