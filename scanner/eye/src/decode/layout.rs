//! Where the codewords lie: the map of function patterns, the zigzag over the rest, and the mask that is taken off.
//!
//! Read with the grid either as it is or transposed; a mirrored symbol is nothing but a transposed one.

use crate::grid::SoftGrid;
use crate::symbol::{MAX_SIZE, Version};

/// Which modules are no data, a bit a module, row by row.
pub struct FunctionMap {
    rows: [[u64; 3]; MAX_SIZE],
    size: usize,
}

impl FunctionMap {
    /// The map of a version's patterns: finders with their separators and format cells, timing, alignment, version.
    pub fn new(version: Version) -> FunctionMap {
        let size = version.size();
        let mut map = FunctionMap { rows: [[0; 3]; MAX_SIZE], size };
        map.fill(0, 0, 9, 9);
        if version.is_micro() {
            map.fill(0, 0, size, 1);
            map.fill(0, 0, 1, size);
            return map;
        }
        map.fill(size - 8, 0, 8, 9);
        map.fill(0, size - 8, 9, 8);
        map.fill(6, 0, 1, size);
        map.fill(0, 6, size, 1);
        for (x, y) in alignment_patterns(version) {
            map.fill(x - 2, y - 2, 5, 5);
        }
        if version >= Version::Model2(7) {
            map.fill(size - 11, 0, 3, 6);
            map.fill(0, size - 11, 6, 3);
        }
        map
    }

    /// Whether the module belongs to a pattern and carries no codeword bit.
    pub fn covers(&self, x: usize, y: usize) -> bool {
        self.rows[y][x / 64] >> (x % 64) & 1 == 1
    }

    fn fill(&mut self, left: usize, top: usize, width: usize, height: usize) {
        for row in &mut self.rows[top..(top + height).min(self.size)] {
            for x in left..(left + width).min(self.size) {
                row[x / 64] |= 1 << (x % 64);
            }
        }
    }
}

/// Whether the standard wants the module dark or light in every symbol of the version; `None` where symbols differ.
///
/// Finders with their separators, timing and alignment patterns: what a grid that is laid rightly must show.
pub fn fixed_module(version: Version, x: usize, y: usize) -> Option<bool> {
    let size = version.size();
    let ring = |x: usize, y: usize, at: (usize, usize)| x.abs_diff(at.0).max(y.abs_diff(at.1));
    let far = if version.is_micro() { 3 } else { size - 4 };
    for middle in [(3, 3), (far, 3), (3, far)] {
        match ring(x, y, middle) {
            0 | 1 | 3 => return Some(true),
            2 | 4 => return Some(false),
            _ => {}
        }
    }
    let line = if version.is_micro() { 0 } else { 6 };
    if x == line || y == line {
        return Some((x + y).is_multiple_of(2));
    }
    alignment_patterns(version).find_map(|middle| match ring(x, y, middle) {
        distance @ 0..=2 => Some(distance != 1),
        _ => None,
    })
}

/// Centres of the alignment patterns of a version, as (column, row).
pub fn alignment_patterns(version: Version) -> impl Iterator<Item = (usize, usize)> {
    let centres = version.alignment_centres();
    let far = version.size() - 7;
    (0..centres.len() * centres.len())
        .map(move |index| {
            let count = centres.len();
            (usize::from(centres[index % count]), usize::from(centres[index / count]))
        })
        .filter(move |&(x, y)| !matches!((x, y), (6, 6)) && (x, y) != (6, far) && (x, y) != (far, 6))
}

/// The symbol's soft bits in codeword order, mask taken off: positive is a 1.
///
/// Remainder bits at the end are left out by the caller, who knows how many codewords there are.
pub fn soft_bits(grid: &SoftGrid, version: Version, mask: u8, mirrored: bool, bits: &mut Vec<i8>) {
    let map = FunctionMap::new(version);
    let size = version.size();
    let modules = grid.modules();
    let flips = MaskTile::new(version, mask);
    let (across, down) = if mirrored { (size, 1) } else { (1, size) };
    bits.clear();
    bits.reserve(size * size);
    let mut upwards = true;
    let mut right = size - 1;
    loop {
        // Model 2 leaves out the column of the vertical timing pattern; Micro has its own at the edge.
        if right == 6 && !version.is_micro() {
            right -= 1;
        }
        let columns = [right, right - 1].map(|x| (x, flips.column(x)));
        let mut tile_row = if upwards { (size - 1) % TILE } else { 0 };
        for step in 0..size {
            let y = if upwards { size - 1 - step } else { step };
            for (x, flip) in &columns {
                if !map.covers(*x, y) {
                    // −1 turns the sign of the module round, 0 leaves it.
                    let flip = flip[tile_row];
                    bits.push((modules[x * across + y * down] ^ flip).wrapping_sub(flip));
                }
            }
            tile_row = match (upwards, tile_row) {
                (true, 0) => TILE - 1,
                (true, row) => row - 1,
                (false, row) if row == TILE - 1 => 0,
                (false, row) => row + 1,
            };
        }
        upwards = !upwards;
        if right < 3 {
            break;
        }
        right -= 2;
    }
}

/// Every mask repeats after this many modules, across and down.
const TILE: usize = 12;

/// One tile of a mask (ISO/IEC 18004:2015 Table 10, columns j = x, rows i = y).
struct MaskTile([[i8; TILE]; TILE]);

impl MaskTile {
    fn new(version: Version, mask: u8) -> MaskTile {
        const RULES: [fn(usize, usize) -> bool; 8] = [
            |x, y| (x + y) % 2 == 0,
            |_, y| y % 2 == 0,
            |x, _| x % 3 == 0,
            |x, y| (x + y) % 3 == 0,
            |x, y| (y / 2 + x / 3) % 2 == 0,
            |x, y| (x * y) % 6 == 0,
            |x, y| (x * y % 2 + x * y % 3) % 2 == 0,
            |x, y| ((x + y) % 2 + x * y % 3) % 2 == 0,
        ];
        let rule = if version.is_micro() { [1, 4, 6, 7][usize::from(mask & 3)] } else { usize::from(mask & 7) };
        MaskTile(std::array::from_fn(|x| std::array::from_fn(|y| -i8::from(RULES[rule](x, y)))))
    }

    /// −1 for rows of column `x` that are flipped, 0 for the others.
    fn column(&self, x: usize) -> [i8; TILE] {
        self.0[x % TILE]
    }
}

/// Whether the timing patterns alternate, the horizontal one and the vertical one: modules that do, less twice those
/// that do not (those that say nothing count for nothing).
///
/// In bits of evidence: a run of modules that has nothing to do with a symbol agrees half of the time.
pub fn timing_evidence(grid: &SoftGrid, version: Version) -> [i32; 2] {
    let size = version.size();
    let (line, from, to) = if version.is_micro() { (0, 8, size) } else { (6, 8, size - 8) };
    let weigh = |value: i8, at: usize| match value {
        0 => 0,
        value if (value > 0) == (at.is_multiple_of(2)) => 1,
        _ => -2,
    };
    let mut evidence = [0; 2];
    for at in from..to {
        evidence[0] += weigh(grid.module(at, line), at);
        evidence[1] += weigh(grid.module(line, at), at);
    }
    evidence
}
