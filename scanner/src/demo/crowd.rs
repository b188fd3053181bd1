//! Travellers one after the other, as frames: the demonstration's camera.
//!
//! Each comes up to the window, holds the phone there until the lane has answered, and leaves. Drawing a frame takes a while, as
//! a camera's exposure does; frames are given at most thirty times a second.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    draw::{self, HALL, Modules},
    motion::{self, HEIGHT, WIDTH},
};
use crate::{
    frame::{Frame, Pool},
    source::{FrameSource, Next},
};

/// Pause between two frames.
const FRAME: Duration = Duration::from_millis(33);

/// How long the view stays empty between two travellers, and how long a phone is held up.
#[derive(Clone, Copy, Debug)]
pub struct Tempo {
    /// Empty view.
    pub gap: Duration,
    /// Held up after the answer.
    pub linger: Duration,
    /// Held up without an answer before its bearer goes on.
    pub patience: Duration,
}

/// What the crowd and whoever listens to the lane share: who came when, and up to whom they were answered.
///
/// An answer is to a picture, and belongs to who was in it. On a slow machine a phone that is taken away is seen for so long that the
/// lane takes it for another presentation and answers again; and an answer may come when its traveller has gone.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    /// When each one's turn began, after the last one's the end.
    turns: Vec<Instant>,
    answered: usize,
}

impl Answers {
    /// What was captured then has an answer: the traveller who got it, if it is their first.
    pub fn given(&self, captured: Instant) -> Option<usize> {
        let mut queue = self.queue();
        let traveller = queue.turns.partition_point(|began| *began <= captured).checked_sub(1)?;
        if traveller < queue.answered {
            return None;
        }
        queue.answered = traveller + 1;
        Some(traveller)
    }

    /// How many travellers' turns are over.
    #[must_use]
    pub fn over(&self) -> usize {
        self.queue().turns.len().saturating_sub(1)
    }

    fn next_turn(&self, began: Instant) {
        self.queue().turns.push(began);
    }

    fn answered(&self, traveller: usize) -> bool {
        self.queue().answered > traveller
    }

    /// A panic elsewhere leaves nothing half done here.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The travellers' phones, played as frames.
pub struct Crowd {
    phones: Vec<Modules>,
    tempo: Tempo,
    answers: Answers,
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
    pub fn new(phones: Vec<Modules>, tempo: Tempo, answers: Answers) -> Crowd {
        let now = Instant::now();
        answers.next_turn(now);
        // The first comes a gap after the start.
        Crowd {
            phones,
            tempo,
            answers,
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
        self.answers.next_turn(now);
        self.since = now + self.tempo.gap;
        self.answered = None;
    }
}

impl FrameSource for Crowd {
    fn next(&mut self, deadline: Duration) -> Next {
        let wait = self.due.saturating_duration_since(Instant::now());
        thread::sleep(wait.min(deadline));
        if wait > deadline {
            return Next::Timeout;
        }
        let now = Instant::now();
        self.due = now + FRAME;
        if self.at >= self.phones.len() {
            return Next::End;
        }
        let shown_for = now.saturating_duration_since(self.since);
        if self.answered.is_none() && (self.answers.answered(self.at) || shown_for > self.tempo.patience) {
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
        let frame = Frame::new(luma, WIDTH, HEIGHT, self.sequence, Instant::now()).expect("drawn in this size");
        Next::Frame(frame)
    }

    fn describe(&self) -> String {
        format!("{} drawn travellers", self.phones.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_belongs_to_who_was_in_the_picture_and_counts_once() {
        let answers = Answers::default();
        let began = Instant::now();
        let at = |second| began + Duration::from_secs(second);
        answers.next_turn(at(10));
        answers.next_turn(at(20));
        answers.next_turn(at(30));
        assert_eq!(answers.given(at(9)), None, "nobody was there yet");
        assert_eq!(answers.given(at(12)), Some(0));
        assert_eq!(answers.given(at(19)), None, "the same phone, taken for another presentation");
        assert!(!answers.answered(1));
        assert_eq!(answers.given(at(33)), Some(2), "the one before gave up");
        assert_eq!(answers.given(at(25)), None, "and an answer after the next one's comes too late");
        assert_eq!(answers.over(), 2);
    }
}
