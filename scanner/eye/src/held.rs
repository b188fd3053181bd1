//! Holds the line between dark and light in every block to what the block itself holds.
//!
//! The mean over 5 × 5 blocks reaches 20 pixels beyond a block, farther than a quiet zone is wide. Beside a bright hall it
//! lies above the light of a dim telephone, beside a dark bezel below the dark of a lit card, and a whole finder pattern
//! is of one colour. A block that holds a strong edge knows better: its line lies between its own dark and light. An
//! even block does not know by itself which of the two it is; a held block beside it, in which it continues the
//! light, does.

use std::ops::Range;

use crate::blocks::Blocks;

/// Light that a block with two colours of a code has at least over its dark, as parts of the light: 2 of 5. Less is texture.
const RANGE: (i16, i16) = (2, 5);
/// By how much noise may make the same light lighter in one block than in the next.
const ALIKE: u8 = 12;

/// How readily a block is held to what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Where it lies among others of its light, and the line is near the end of what all these hold. Blur and large modules
    /// leave many blocks without the whole contrast: those are better judged by their neighbours.
    Gentle,
    /// Where the line is near the end of what it holds itself.
    Strict,
}

impl Hold {
    /// A line within this many sixteenths of the range from either end is foreign.
    const fn outside(self) -> i16 {
        match self {
            Hold::Gentle => 4,
            Hold::Strict => 5,
        }
    }
}

/// Sixteenths of the range that a foreign line is moved to, from the nearer end.
const INSIDE: i16 = 7;
/// Blocks of the same light among nine, two apart: a corner of a code has four, its quiet zone counted.
const MIN_FELLOWS: u8 = 4;
/// Side of the squares of blocks in which changes are counted, and how many of the sixteen have to be changed for another look.
const CELL: usize = 4;
const MIN_CHANGED: u16 = 4;

/// The darkest and the lightest around each block of a row.
#[derive(Clone, Debug, Default)]
struct Ends {
    lows: Vec<u8>,
    highs: Vec<u8>,
}

impl Ends {
    /// Moves the thresholds of a row that are foreign to it, and says the lines of those blocks that have one of their own. Written
    /// for eight at a time: by index over slices of one length, without a branch, in the arithmetic that every machine has for lanes.
    fn hold(&self, thresholds: &mut [u8], lines: &mut [u8], edges: &[u8], fellows: &[u8], how: Hold) {
        let n = thresholds.len();
        let (lines, edges, fellows) = (&mut lines[..n], &edges[..n], &fellows[..n]);
        let (lows, highs) = (&self.lows[..n], &self.highs[..n]);
        for i in 0..n {
            let (low, high, threshold) = (i16::from(lows[i]), i16::from(highs[i]), i16::from(thresholds[i]));
            let range = high - low;
            let own = (edges[i] == 1) & (fellows[i] >= MIN_FELLOWS) & (range * RANGE.1 >= high * RANGE.0);
            let (outside, inside) = (range * how.outside() / 16, range * INSIDE / 16);
            let foreign = (threshold < low + outside) | (threshold > high - outside);
            let moved = threshold.max(low + inside).min(high - inside);
            let threshold = if own & foreign { moved } else { threshold };
            thresholds[i] = threshold as u8;
            lines[i] = if own { threshold as u8 } else { u8::MAX };
        }
    }
}

/// Buffers for a row of blocks, and the lines of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    /// The line of blocks that hold two colours, 255 elsewhere.
    lines: Vec<u8>,
    best: Vec<u8>,
    /// The range of lights that are alike, of each block.
    alike: (Vec<u8>, Vec<u8>),
    /// The darkest and the lightest of a block and those beside it that are of the same light.
    ends: Ends,
    /// How many around are of the same light.
    fellows: Vec<u8>,
}

/// Moves the thresholds of `across` blocks a row; `edges` is 1 where a block holds an edge.
pub(crate) fn hold(
    thresholds: &mut [u8],
    blocks: &Blocks,
    edges: &[u8],
    across: usize,
    how: Hold,
    scratch: &mut Scratch,
) {
    let rows = thresholds.len() / across.max(1);
    scratch.lines.resize(thresholds.len(), u8::MAX);
    for y in 0..rows {
        scratch.take_own(blocks, across, y);
        if how == Hold::Gentle {
            scratch.look_around(blocks, across, y, rows);
        }
        let row = y * across..(y + 1) * across;
        let lines = &mut scratch.lines[row.clone()];
        scratch.ends.hold(&mut thresholds[row.clone()], lines, &edges[row], &scratch.fellows, how);
    }
    let Scratch { lines, best, .. } = scratch;
    for y in 0..rows {
        let row = y * across..(y + 1) * across;
        let (means, highs) = (&blocks.means[row.clone()], &blocks.highs[row.clone()]);
        best.clear();
        best.resize(across, u8::MAX);
        for near in y.saturating_sub(1)..(y + 2).min(rows) {
            let beside = near * across..(near + 1) * across;
            let (lines, lights) = (&lines[beside.clone()], &blocks.highs[beside]);
            // The neighbours to the left, above or below, and to the right.
            let last = across - 1;
            continued(&mut best[1..], &means[1..], &highs[1..], &lines[..last], &lights[..last]);
            continued(best, means, highs, lines, lights);
            continued(&mut best[..last], &means[..last], &highs[..last], &lines[1..], &lights[1..]);
        }
        let (thresholds, edges, best) = (&mut thresholds[row.clone()], &edges[row], &best[..across]);
        for i in 0..across {
            let taken_for_dark = (edges[i] == 0) & (thresholds[i] > means[i]);
            thresholds[i] = thresholds[i].min(best[i] | !u8::from(taken_for_dark).wrapping_neg());
        }
    }
}

impl Scratch {
    /// For a row of blocks what each holds itself.
    fn take_own(&mut self, blocks: &Blocks, across: usize, y: usize) {
        let row = y * across..(y + 1) * across;
        let Ends { lows, highs } = &mut self.ends;
        lows.clear();
        lows.extend_from_slice(&blocks.lows[row.clone()]);
        highs.clear();
        highs.extend_from_slice(&blocks.highs[row]);
        self.fellows.clear();
        self.fellows.resize(across, MIN_FELLOWS);
    }

    /// For a row of blocks what lies around each and is of the same light.
    fn look_around(&mut self, blocks: &Blocks, across: usize, y: usize, rows: usize) {
        let row = y * across..(y + 1) * across;
        let (from, to) = &mut self.alike;
        from.clear();
        from.extend(blocks.highs[row.clone()].iter().map(|high| high - high / 3));
        to.clear();
        to.extend(blocks.highs[row].iter().map(|high| high.saturating_add(high / 2 + ALIKE)));
        let Ends { lows, highs } = &mut self.ends;
        for near in y.saturating_sub(1)..(y + 2).min(rows) {
            let at = near * across;
            for (to_left, to_right) in [(0, 1), (0, 0), (1, 0)] {
                let (here, there) = (to_right..across - to_left, at + to_left..at + across - to_right);
                let alike =
                    Alike { from: &from[here.clone()], to: &to[here.clone()], high: &blocks.highs[there.clone()] };
                alike.widen(&mut lows[here.clone()], &mut highs[here], &blocks.lows[there]);
            }
        }
        self.fellows.fill(0);
        let far = 2.min(across - 1);
        for near in [y.checked_sub(2), Some(y), Some(y + 2)].into_iter().flatten().filter(|near| *near < rows) {
            let at = near * across;
            for (to_left, to_right) in [(0, far), (0, 0), (far, 0)] {
                let (here, there) = (to_right..across - to_left, at + to_left..at + across - to_right);
                let alike = Alike { from: &from[here.clone()], to: &to[here.clone()], high: &blocks.highs[there] };
                alike.count(&mut self.fellows[here]);
            }
        }
    }
}

/// Which of some blocks' lights lie in the range of others, block by block. Written for sixteen at a time: by index over
/// slices of one length, without a branch.
struct Alike<'a> {
    from: &'a [u8],
    to: &'a [u8],
    high: &'a [u8],
}

impl Alike<'_> {
    fn widen(&self, lowest: &mut [u8], highest: &mut [u8], low: &[u8]) {
        let n = self.high.len();
        let (from, to, high) = (&self.from[..n], &self.to[..n], self.high);
        let (lowest, highest, low) = (&mut lowest[..n], &mut highest[..n], &low[..n]);
        for i in 0..n {
            let mask = u8::from((high[i] >= from[i]) & (high[i] <= to[i])).wrapping_neg();
            lowest[i] = lowest[i].min(low[i] | !mask);
            highest[i] = highest[i].max(high[i] & mask);
        }
    }

    fn count(&self, fellows: &mut [u8]) {
        let n = self.high.len();
        let (from, to, fellows) = (&self.from[..n], &self.to[..n], &mut fellows[..n]);
        for i in 0..n {
            fellows[i] += u8::from((self.high[i] >= from[i]) & (self.high[i] <= to[i]));
        }
    }
}

/// Where a block continues its neighbour's light, the neighbour's line is one for it, the lowest of all counting.
fn continued(best: &mut [u8], means: &[u8], highs: &[u8], lines: &[u8], lights: &[u8]) {
    let n = best.len();
    let (means, highs, lines, lights) = (&means[..n], &highs[..n], &lines[..n], &lights[..n]);
    for i in 0..n {
        let lighter = (means[i] > lines[i]) & (lights[i] <= highs[i].saturating_add(ALIKE));
        best[i] = best[i].min(lines[i] | !u8::from(lighter).wrapping_neg());
    }
}

/// For each row of blocks the part in which many edges have another line than `before`; empty where none have.
pub(crate) fn changed(now: &[u8], before: &[u8], edges: &[u8], across: usize, parts: &mut Vec<Range<usize>>) {
    parts.clear();
    let strip = across * CELL;
    let strips = now.chunks(strip).zip(before.chunks(strip)).zip(edges.chunks(strip));
    let mut counts = vec![0_u16; across.div_ceil(CELL)];
    for ((now, before), edges) in strips {
        counts.fill(0);
        for ((now, before), edges) in now.chunks(across).zip(before.chunks(across)).zip(edges.chunks(across)) {
            let cells = now.chunks(CELL).zip(before.chunks(CELL)).zip(edges.chunks(CELL));
            for (count, ((now, before), edges)) in counts.iter_mut().zip(cells) {
                let blocks = now.iter().zip(before).zip(edges);
                *count += blocks.map(|((now, before), edge)| u16::from(now != before) & u16::from(*edge)).sum::<u16>();
            }
        }
        let much = |count: &u16| *count >= MIN_CHANGED;
        let part = match (counts.iter().position(much), counts.iter().rposition(much)) {
            (Some(first), Some(last)) => first.saturating_sub(1) * CELL..((last + 2) * CELL).min(across),
            _ => 0..0,
        };
        parts.extend(std::iter::repeat_n(part, now.len() / across));
    }
    // A finder reaches beyond the strip in which its symbol is seen.
    let alone = parts.clone();
    for (y, part) in parts.iter_mut().enumerate() {
        for near in [y.checked_sub(CELL), Some(y + CELL)].into_iter().flatten() {
            if let Some(other) = alone.get(near).filter(|other| !other.is_empty()) {
                let joined = part.start.min(other.start)..part.end.max(other.end);
                *part = if part.start == part.end { (*other).clone() } else { joined };
            }
        }
    }
}
