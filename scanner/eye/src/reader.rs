//! The eye's promise: a luma plane and a budget in, symbols and what was learnt about the light out.
//!
//! The budget counts candidates, never time: the same frame gives the same answer on every machine, and a hostile
//! frame costs what the caps say and no more.

use crate::{grid::SoftGrid, luma::Luma, symbol::Point, symbol::Symbol};

/// Anything that finds symbols in a frame. Other symbologies (Grid Matrix, Aztec) would be readers of their own.
pub trait Reader {
    /// Looks at one frame. Readers keep only buffers and the rotation of late tries between frames, never pixels.
    fn read(&mut self, luma: Luma<'_>, budget: Budget) -> Reading;
}

/// How much work one frame may cost, in things looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The search ends when this many symbols were read.
    pub symbols: usize,
    /// Finder patterns kept per level and polarity (the attack: a wall of hundreds of squares).
    pub finders: usize,
    /// Groups of three finders tried per level and polarity (grows with the cube of the finders).
    pub triples: usize,
    /// Grids sampled and handed to the decoder over the whole frame.
    pub grids: usize,
    /// Which tries are made.
    pub effort: Effort,
    /// Also hand out the sampled grids that did not decode, for evidence to be added up over frames.
    pub keep_unread: bool,
}

/// Which tries are made on a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Only the first try: full size, dark on light.
    Quick,
    /// Everything once, and a second look at two of the grids that did not decode, others in each frame: count
    /// frames into it.
    Rotating(u32),
    /// Every try: for a single picture that will not come again.
    Thorough,
}

impl Budget {
    /// For one frame of a stream: the first symbol, late tries rotated over `frame_number`.
    #[must_use]
    pub fn frame(frame_number: u32) -> Self {
        // One symbol is nearly always among the first three or four triples; fewer may be tried than of a whole wall.
        Self {
            symbols: 1,
            finders: 40,
            triples: 12,
            effort: Effort::Rotating(frame_number),
            keep_unread: true,
            ..Self::picture()
        }
    }

    /// For a single picture: all symbols in it, every try.
    #[must_use]
    pub fn picture() -> Self {
        Self { symbols: 16, finders: 64, triples: 32, grids: 72, effort: Effort::Thorough, keep_unread: false }
    }
}

/// A symbol whose place is known and whose payload is not.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// What was sampled.
    pub grid: SoftGrid,
    /// Its outer corners in pixels, as in [`Symbol::corners`].
    pub corners: [Point; 4],
    /// Light modules on dark ground.
    pub inverted: bool,
}

/// What one look at one frame gave.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Reading {
    /// Symbols read, in the order they were found.
    pub symbols: Vec<Symbol>,
    /// Symbols seen and not read; at most [`MAX_UNREAD`], and only when the budget asks for them.
    pub unread: Vec<Sighting>,
    /// Counts and brightness.
    pub statistics: Statistics,
}

/// Most unread sightings handed out from one frame.
pub const MAX_UNREAD: usize = 12;

/// What was counted while looking.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Finder patterns located, over all tries.
    pub finders: u32,
    /// Groups of three tried.
    pub triples: u32,
    /// Grids handed to the decoder.
    pub grids: u32,
    /// A cap of the budget was reached: the frame is crowded or hostile.
    pub capped: bool,
    /// Brightness below which the darkest twentieth of the frame lies.
    pub dark: u8,
    /// Mean brightness.
    pub mean: u8,
    /// Brightness above which the lightest twentieth lies.
    pub light: u8,
    /// Pixels a module of the nearest thing to a symbol that was seen.
    pub module_size: Option<f32>,
    /// How much of its contrast is left in patterns one module wide: near 1 is sharp, below 0.4 hardly anybody reads it.
    pub sharpness: Option<f32>,
}

/// What the camera, or the person before it, could do better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hint {
    /// Even the light parts are dark: more exposure or light.
    TooDark,
    /// The light parts are blown out: less exposure.
    TooBright,
    /// A symbol is in view whose modules are too few pixels: come closer.
    TooSmall,
    /// A symbol is in view and out of focus or moving.
    Blurred,
}

impl Hint {
    /// Every one.
    pub const ALL: [Hint; 4] = [Hint::TooDark, Hint::TooBright, Hint::TooSmall, Hint::Blurred];

    /// The stable word, for who looks after the camera.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Hint::TooDark => "too-dark",
            Hint::TooBright => "too-bright",
            Hint::TooSmall => "too-small",
            Hint::Blurred => "blurred",
        }
    }
}

impl Reading {
    /// What to do better, in order of importance; empty when a symbol was read.
    #[must_use]
    pub fn hints(&self) -> Vec<Hint> {
        let mut hints = Vec::new();
        if !self.symbols.is_empty() {
            return hints;
        }
        let s = &self.statistics;
        if s.light < 48 {
            hints.push(Hint::TooDark);
        }
        if s.mean > 225 && s.dark > 128 {
            hints.push(Hint::TooBright);
        }
        if s.module_size.is_some_and(|m| m < 1.7) {
            hints.push(Hint::TooSmall);
        }
        if s.sharpness.is_some_and(|sharpness| sharpness < 0.4) {
            hints.push(Hint::Blurred);
        }
        hints
    }
}
