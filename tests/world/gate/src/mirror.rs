//! A mirror in memory, in the state that the history says.

use std::rc::Rc;

use sync::lists::Mirror;
use trustlist::tuf::Answer;

use crate::{country::Files, history::MirrorState};

/// What one round of the gate finds.
pub struct SimulatedMirror {
    /// How it is.
    pub state: MirrorState,
    /// What is published, or what the mirror still has of it.
    pub files: Rc<Files>,
    /// Files that were asked for.
    pub asked: u64,
}

impl Mirror for SimulatedMirror {
    fn fetch(&mut self, path: &str, limit: u64) -> Answer {
        self.asked += 1;
        // A number that goes with the path, so that the same part is missing whenever it is asked for.
        let part = path.bytes().fold(7_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        let held = || self.files.get(path).cloned();
        match self.state {
            MirrorState::Silent => Answer::Unreachable("no route to host".to_owned()),
            MirrorState::Portal => Answer::Bytes(b"<html>room number?</html>".to_vec()),
            MirrorState::Endless => Answer::Bytes(vec![b' '; usize::try_from(limit).map_or(1, |limit| limit + 1)]),
            MirrorState::Half(which) if part % 3 == which % 3 => Answer::NotFound,
            MirrorState::Corrupt(which) if part % 4 == which % 4 => held().map_or(Answer::NotFound, |mut bytes| {
                let at = usize::from(which) * 7 % bytes.len().max(1);
                match (which % 2, bytes.get_mut(at)) {
                    (0, Some(byte)) => *byte ^= 4,
                    _ => bytes.truncate(at),
                }
                Answer::Bytes(bytes)
            }),
            _ => held().map_or(Answer::NotFound, Answer::Bytes),
        }
    }
}
