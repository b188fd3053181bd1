//! The seam between looking and reading: a square of modules, each with how sure the sampler was of it.
//!
//! A hard grid throws away what the sampler knew: a module under a glare spot and one in plain sight both become
//! a bit. A soft one keeps it, so that the error correction can be told which codewords not to believe.

use crate::symbol::MAX_SIZE;

/// Modules of a symbol as sampled, row by row from the top left corner, dark positive and light negative.
///
/// The magnitude (1..=127) is the sampler's confidence, and 0 is a module that says nothing (saturated, outside the
/// picture). Confidences are compared within one grid only, so any monotone scale will do. An inverted symbol is
/// inverted by the sampler; a mirrored one may be left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftGrid {
    size: usize,
    modules: Vec<i8>,
}

impl SoftGrid {
    /// A grid of `size` × `size` modules; `None` when the count does not fit or no symbol is that large.
    pub fn new(size: usize, modules: Vec<i8>) -> Option<SoftGrid> {
        (size <= MAX_SIZE && modules.len() == size * size).then_some(SoftGrid { size, modules })
    }

    /// A grid of certain modules: `dark(x, y)` says which are dark.
    pub fn from_bits(size: usize, dark: impl Fn(usize, usize) -> bool) -> Option<SoftGrid> {
        if size > MAX_SIZE {
            return None;
        }
        let bit = |index: usize| if dark(index % size, index / size) { 127 } else { -127 };
        Some(SoftGrid { size, modules: (0..size * size).map(bit).collect() })
    }

    /// Modules along one side.
    pub fn size(&self) -> usize {
        self.size
    }

    /// All modules, row by row.
    pub fn modules(&self) -> &[i8] {
        &self.modules
    }

    /// All modules, to be changed in place.
    pub fn modules_mut(&mut self) -> &mut [i8] {
        &mut self.modules
    }

    /// The module in column `x`, row `y`; 0 (knows nothing) outside the grid.
    pub fn module(&self, x: usize, y: usize) -> i8 {
        if x < self.size && y < self.size { self.modules[y * self.size + x] } else { 0 }
    }

    /// Whether the module is more likely dark than light.
    pub fn dark(&self, x: usize, y: usize) -> bool {
        self.module(x, y) > 0
    }
}
