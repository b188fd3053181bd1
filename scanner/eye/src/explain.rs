//! Why a symbol is not read: the same search again, taking notes.
//!
//! An installer holds a code before the camera and asks. The answer is a list of [`Note`]s in the order things were
//! looked at, and pictures of the stages; values only, whoever asks writes the files.

use crate::{decode::DecodeError, grid::SoftGrid, symbol::Point};

/// One thing the search saw or decided. Places are in pixels of the whole frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// A level of the pyramid is searched; its pixels are this many of the frame's wide.
    Level {
        /// 1, 2 or 4.
        scale: f32,
    },
    /// A finder pattern.
    Finder {
        /// Its middle.
        center: Point,
        /// Its width in pixels.
        size: f32,
        /// Light on dark.
        inverted: bool,
    },
    /// Three finders that may belong together: top left, top right, bottom left.
    Triple {
        /// Their middles.
        centers: [Point; 3],
    },
    /// A symbol's outline was laid.
    Frame {
        /// Modules along a side.
        size: usize,
        /// How much the timing patterns and the version information agree, at most 1.5.
        evidence: f32,
        /// Its corners.
        outline: [Point; 4],
    },
    /// A grid was sampled and decoded.
    Grid {
        /// Alignment patterns seen, and looked for.
        alignment: (usize, usize),
        /// What was sampled.
        grid: SoftGrid,
        /// Middles of its modules, row by row.
        places: Vec<Point>,
        /// What the decoder made of it.
        outcome: Result<(), DecodeError>,
    },
}

/// Where notes go: nowhere, unless somebody asked.
#[derive(Debug, Default)]
pub(crate) struct Notes(Option<Vec<Note>>);

/// Most notes taken of one frame.
const MAX_NOTES: usize = 4000;

impl Notes {
    pub(crate) fn taking() -> Self {
        Self(Some(Vec::new()))
    }

    pub(crate) fn take(&mut self, note: impl FnOnce() -> Note) {
        if let Some(notes) = &mut self.0
            && notes.len() < MAX_NOTES
        {
            notes.push(note());
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Note> {
        self.0.unwrap_or_default()
    }
}
