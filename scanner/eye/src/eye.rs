//! The order of tries: which level, which polarity, which triple, which grid, until the budget is spent.
//!
//! First everything is looked at once, cheaply: every level, both polarities, every plausible triple, each grid as
//! sampled. Most symbols are read there. Only then the most promising grids that did not decode are taken up again
//! with what costs more: codewords disbelieved, blur taken out, cloth followed. So a symbol in plain sight never
//! waits for a smudge to be investigated.

use crate::{
    decode::{self, DecodeError, Decoded},
    elastic::{self, Closeness},
    explain::{Note, Notes},
    finder::{self, Finder},
    frame::{self, Frame},
    group,
    light::Light,
    luma::Luma,
    mesh::Mesh,
    pair,
    plane::{Plane, halve},
    reader::{Budget, Effort, MAX_UNREAD, Reader, Reading, Sighting},
    sample::Samples,
    scan::Scanner,
    symbol::{Point, Symbol},
};

/// The eye: finds and reads QR symbols.
///
/// Keeps buffers between frames (a third of the largest frame, and a few bytes per 64 pixels) and nothing else.
#[derive(Clone, Debug, Default)]
pub struct Eye {
    scanner: Scanner,
    lights: [Light; LEVELS],
    held: [Light; HELD_LEVELS],
    halves: [Vec<u8>; LEVELS - 1],
}

/// Full size, half, quarter, eighth.
const LEVELS: usize = 4;
/// Of these the first are looked at once more, with every block's line between dark and light its own.
const HELD_LEVELS: usize = 3;
/// What a block with an edge counts in the thresholds of each level.
const EDGE_WEIGHTS: [u8; LEVELS] = [1, 3, 3, 3];
/// Crossings checked on each level; the attack: noise that looks like a finder in every row.
const MAX_CROSSINGS: [usize; LEVELS] = [3000, 2000, 2000, 1000];
/// Modules moved one by one in one frame; the attack: many symbols, each almost right.
const MAX_FOLLOWED: usize = 16_000;
/// Grids followed as closely as a crack needs in one frame.
const MAX_CLOSELY: usize = 2;
/// Finders in a view from which a pair of them says nothing; the attack: noise and walls, where every pair is one.
const MANY_FINDERS: usize = 20;
/// Finders tried as Micro QR symbols per level and polarity.
const MAX_MICRO: usize = 6;
/// What a grid must promise to be looked at twice; symbols have 1.6 and more.
const MIN_PROMISE: f32 = 1.2;
/// Grids that did not decode and are remembered for a second look.
const MAX_PENDING: usize = 12;

impl Eye {
    /// An eye with empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a frame as [`Reader::read`] does, and tells what was seen and decided on the way.
    pub fn explain(&mut self, luma: Luma<'_>, budget: Budget) -> (Reading, Vec<Note>) {
        self.search(luma, budget, Notes::taking())
    }

    fn search(&mut self, luma: Luma<'_>, budget: Budget, notes: Notes) -> (Reading, Vec<Note>) {
        let mut search = Search {
            budget,
            crossings: 0,
            followed: 0,
            closely: 0,
            reading: Reading::default(),
            notes,
            pending: Vec::new(),
            seen: Vec::new(),
        };
        let mut views: Vec<View<'_>> = Vec::with_capacity(LEVELS);
        let buffers = std::iter::once(None).chain(self.halves.iter_mut().map(Some));
        for (level, (light, buffer)) in self.lights.iter_mut().zip(buffers).enumerate() {
            let luma = match (buffer, views.last()) {
                (Some(buffer), Some(view)) => match halve(view.luma, buffer) {
                    Some(half) => half,
                    None => break,
                },
                _ => luma,
            };
            let brightness = light.measure(luma, EDGE_WEIGHTS[level]);
            if level == 0 {
                let s = &mut search.reading.statistics;
                (s.dark, s.mean, s.light) = (brightness.dark, brightness.mean, brightness.light);
            }
            views.push(View { luma, light, scale: (1 << level) as f32 });
            search.level(views[level], level, MAX_CROSSINGS[level], &mut self.scanner);
            if search.done() || search.settled() || (level == 0 && budget.effort == Effort::Quick) {
                break;
            }
        }
        if search.reading.symbols.is_empty() && budget.effort != Effort::Quick {
            for (level, light) in self.held.iter_mut().enumerate().take(views.len()) {
                if search.spent() || !light.hold_strictly(views[level].light) {
                    continue;
                }
                views.push(View { light, ..views[level] });
                search.level(views[views.len() - 1], views.len() - 1, MAX_CROSSINGS[level], &mut self.scanner);
                if search.done() {
                    break;
                }
            }
        }
        search.two_finders(&views);
        search.second_look(&views);
        (search.reading, search.notes.into_vec())
    }
}

impl Reader for Eye {
    fn read(&mut self, luma: Luma<'_>, budget: Budget) -> Reading {
        self.search(luma, budget, Notes::default()).0
    }
}

/// One level of the pyramid.
#[derive(Clone, Copy)]
struct View<'a> {
    luma: Luma<'a>,
    light: &'a Light,
    /// Pixels of the frame that one pixel of this level is wide.
    scale: f32,
}

/// A grid that did not decode at first.
struct Pending {
    level: usize,
    inverted: bool,
    frame: Frame,
    /// In pixels of the whole frame.
    middle: Point,
    alignment: (usize, usize),
    places: Vec<Point>,
    samples: Samples,
    /// How much it looks like a symbol.
    promise: f32,
}

struct Search {
    budget: Budget,
    reading: Reading,
    notes: Notes,
    pending: Vec<Pending>,
    /// The finders of each view, by polarity.
    seen: Vec<(usize, bool, Vec<Finder>)>,
    crossings: usize,
    followed: usize,
    closely: usize,
}

impl Search {
    fn done(&self) -> bool {
        self.reading.symbols.len() >= self.budget.symbols || self.spent()
    }

    /// Something was read and nothing that looks like a symbol was left unread: smaller levels would show the same.
    fn settled(&self) -> bool {
        !self.reading.symbols.is_empty()
            && self.pending.iter().all(|p| p.promise < MIN_PROMISE || self.covered(p.middle))
    }

    fn spent(&self) -> bool {
        self.reading.statistics.grids as usize >= self.budget.grids
    }

    /// Searches a view, the one of that index; checks at most so many crossings.
    fn level(&mut self, view: View<'_>, level: usize, crossings: usize, scanner: &mut Scanner) {
        let View { luma, light, scale } = view;
        self.notes.take(|| Note::Level { scale });
        let planes = [Plane::new(luma, light, false), Plane::new(luma, light, true)];
        self.crossings = 0;
        let finders = self.finders(&planes, view, crossings, scanner);
        for (plane, mut finders) in planes.iter().zip(finders) {
            if finders.len() > self.budget.finders {
                self.reading.statistics.capped = true;
                finders.sort_by(|a, b| b.quality.total_cmp(&a.quality));
                finders.truncate(self.budget.finders);
            }
            for f in &finders {
                let (center, size, inverted) = (f.center * scale, f.size * scale, plane.inverted());
                self.notes.take(|| Note::Finder { center, size, inverted });
            }
            self.reading.statistics.finders += finders.len() as u32;
            self.seen.push((level, plane.inverted(), finders.clone()));
            self.polarity(plane, &finders, level, scale);
            if self.done() {
                return;
            }
        }
    }

    /// Scans the rows of a level for finders, dark and light ones at once.
    fn finders(
        &mut self,
        planes: &[Plane<'_>; 2],
        view: View<'_>,
        most: usize,
        scanner: &mut Scanner,
    ) -> [Vec<Finder>; 2] {
        let mut finders: [Vec<Finder>; 2] = [Vec::new(), Vec::new()];
        // Middle and reach of those that the row may cross again.
        let mut here: [Vec<(Point, f32)>; 2] = [Vec::new(), Vec::new()];
        scanner.start();
        for y in (1..view.luma.height()).step_by(3) {
            here.iter_mut().for_each(|here| here.retain(|(center, reach)| center.y + reach > y as f32));
            scanner.row(view.luma, view.light, y, |crossing| {
                let polarity = usize::from(crossing.inverted);
                let (known, here) = (&mut finders[polarity], &mut here[polarity]);
                let p = Point::new(crossing.x, y as f32 + 0.5);
                if here.iter().any(|(center, reach)| (*center - p).length() < *reach) {
                    return;
                }
                self.crossings += 1;
                if self.crossings > most || known.len() >= 4 * self.budget.finders {
                    self.reading.statistics.capped = true;
                    return;
                }
                if let Some(finder) = finder::check(&planes[polarity], crossing) {
                    here.push((finder.center, finder.size * 0.5));
                    known.push(finder);
                }
            });
        }
        finders
    }

    fn polarity(&mut self, plane: &Plane<'_>, finders: &[Finder], level: usize, scale: f32) {
        let (triples, capped) = group::triples(finders, self.budget.triples);
        self.reading.statistics.capped |= capped;
        let mut used = vec![false; finders.len()];
        for triple in &triples {
            if triple.members.iter().any(|i| used[*i]) || self.covered(triple.middle() * scale) {
                continue;
            }
            self.reading.statistics.triples += 1;
            let centers = [triple.top_left, triple.top_right, triple.bottom_left].map(|f| f.center * scale);
            self.notes.take(|| Note::Triple { centers });
            for frame in frame::frames(plane, triple) {
                if self.first_look(plane, frame, level, scale) {
                    for i in triple.members {
                        used[i] = true;
                    }
                    break;
                }
            }
            if self.done() {
                return;
            }
        }
        if self.budget.effort == Effort::Thorough && self.reading.symbols.is_empty() {
            self.micro(plane, finders, level, scale);
        }
    }

    /// Micro QR symbols have a single finder; only clear ones are tried.
    fn micro(&mut self, plane: &Plane<'_>, finders: &[Finder], level: usize, scale: f32) {
        for finder in finders.iter().filter(|f| f.quality > 0.9).take(MAX_MICRO) {
            for frame in frame::micro_frames(plane, finder) {
                if self.first_look(plane, frame, level, scale) || self.done() {
                    return;
                }
            }
        }
    }

    /// Whether a symbol that was read already lies there.
    fn covered(&self, p: Point) -> bool {
        self.reading.symbols.iter().any(|s| {
            let d = s.center() - p;
            d.length() < 0.25 * (s.corners[0] - s.corners[2]).length()
        })
    }

    /// Whether it lies within a symbol that was read already. The middle between two of a symbol's finders is not the symbol's middle.
    fn within_a_read_one(&self, p: Point) -> bool {
        self.reading.symbols.iter().any(|s| {
            let turns = (0..4).map(|i| (s.corners[(i + 1) % 4] - s.corners[i]).cross(p - s.corners[i]));
            turns.clone().all(|turn| turn >= 0.0) || turns.clone().all(|turn| turn <= 0.0)
        })
    }

    /// Samples a frame's grid and decodes it as it is; remembers it when it looks like a symbol and does not decode.
    fn first_look(&mut self, plane: &Plane<'_>, frame: Frame, level: usize, scale: f32) -> bool {
        let outline = frame.outline().map(|p| p * scale);
        self.notes.take(|| Note::Frame { size: frame.size, evidence: frame.evidence, outline });
        let mesh = Mesh::fitted(plane, &frame);
        let places = mesh.places(frame.size);
        let samples = Samples::take(plane, &places, frame.size);
        let shown = Shown { alignment: mesh.seen, places: &places, scale };
        match self.try_grid(&samples, shown, decode::Effort::QUICK) {
            Ok(decoded) => {
                self.found(decoded, &frame, plane.inverted(), scale);
                true
            }
            Err(error) => {
                let (seen, of) = mesh.seen;
                let mut promise = frame.evidence + if of > 0 { seen as f32 / of as f32 } else { 0.3 };
                if let DecodeError::Uncorrectable { solved, blocks } = error {
                    promise += 0.3 + solved as f32 / blocks.max(1) as f32;
                }
                let alignment = mesh.seen;
                let inverted = plane.inverted();
                let middle = (outline[0] + outline[2]) * 0.5;
                self.remember(Pending { level, inverted, frame, middle, alignment, places, samples, promise });
                false
            }
        }
    }

    fn remember(&mut self, pending: Pending) {
        let at = self.pending.partition_point(|p| p.promise >= pending.promise);
        self.pending.insert(at, pending);
        self.pending.truncate(MAX_PENDING);
    }

    fn try_grid(
        &mut self,
        samples: &Samples,
        shown: Shown<'_>,
        effort: decode::Effort,
    ) -> Result<Decoded, DecodeError> {
        self.reading.statistics.grids += 1;
        let grid = samples.soften();
        let outcome = decode::decode_with(&grid, effort);
        self.notes.take(|| Note::Grid {
            alignment: shown.alignment,
            grid,
            places: shown.places.iter().map(|p| *p * shown.scale).collect(),
            outcome: outcome.as_ref().map(|_| ()).map_err(|e| *e),
        });
        outcome
    }

    /// Tries two finders whose third is covered, beside the symbols that were read.
    fn two_finders(&mut self, views: &[View<'_>]) {
        let (of_a_view, mut searches) = match self.budget.effort {
            Effort::Quick => return,
            Effort::Rotating(_) => (4, 4),
            Effort::Thorough => (8, 8),
        };
        let mut seen = std::mem::take(&mut self.seen);
        if let Effort::Rotating(frame) = self.budget.effort
            && !seen.is_empty()
        {
            let first = frame as usize % seen.len();
            seen.rotate_left(first);
        }
        for (level, inverted, finders) in seen.into_iter().filter(|(_, _, finders)| finders.len() < MANY_FINDERS) {
            let view = views[level];
            let plane = Plane::new(view.luma, view.light, inverted);
            for pair in pair::pairs(&finders, of_a_view) {
                if self.done() || searches == 0 {
                    return;
                }
                if self.within_a_read_one((pair[0].center + pair[1].center) * (0.5 * view.scale)) {
                    continue;
                }
                if let Some(frame) = pair::frame(&plane, &pair, &mut searches)
                    && self.first_look(&plane, frame, level, view.scale)
                {
                    return;
                }
            }
        }
    }

    /// Takes up the most promising grids again, with everything that helps.
    fn second_look(&mut self, views: &[View<'_>]) {
        let many = match self.budget.effort {
            Effort::Quick => 1,
            Effort::Rotating(_) => 2,
            Effort::Thorough => 5,
        };
        let mut pending = std::mem::take(&mut self.pending);
        pending.retain(|p| p.promise >= MIN_PROMISE);
        if let Effort::Rotating(frame) = self.budget.effort
            && !pending.is_empty()
        {
            // A code stays in view for many frames: each takes up another grid first.
            let first = frame as usize % pending.len();
            pending.rotate_left(first);
        }
        let mut looked_at: Vec<Point> = Vec::new();
        for p in pending {
            if self.done() || looked_at.len() >= many {
                break;
            }
            let view = views[p.level];
            let outline = p.frame.outline();
            let middle = p.middle;
            let reach = (outline[0] - outline[2]).length() * view.scale * 0.2;
            // The same place on another level is worth another look, a third time it is not.
            if self.covered(middle) || looked_at.iter().filter(|q| (**q - middle).length() < reach).count() >= 2 {
                continue;
            }
            looked_at.push(middle);
            let plane = Plane::new(view.luma, view.light, p.inverted);
            if let Some(decoded) = self.every_way(&plane, &p, view.scale) {
                self.found(decoded, &p.frame, p.inverted, view.scale);
                continue;
            }
            let s = &mut self.reading.statistics;
            s.module_size.get_or_insert(p.frame.corners[0].module() * view.scale);
            s.sharpness.get_or_insert(p.samples.sharpness());
            if self.budget.keep_unread && self.reading.unread.len() < MAX_UNREAD {
                let corners = outline.map(|q| q * view.scale);
                self.reading.unread.push(Sighting { grid: p.samples.soften(), corners, inverted: p.inverted });
            }
        }
    }

    fn every_way(&mut self, plane: &Plane<'_>, p: &Pending, scale: f32) -> Option<Decoded> {
        const FULL: decode::Effort = decode::Effort::FULL;
        let size = p.frame.size;
        let shown = Shown { alignment: p.alignment, places: &p.places, scale };
        let first = self.try_grid(&p.samples, shown, FULL).ok();
        let sharper = |s: &mut Self, samples: &Samples, shown, share| {
            if s.spent() { None } else { s.try_grid(&samples.sharpened(share), shown, FULL).ok() }
        };
        if let Some(decoded) =
            first.or_else(|| sharper(self, &p.samples, shown, 0.15)).or_else(|| sharper(self, &p.samples, shown, 0.4))
        {
            return Some(decoded);
        }
        // The second of them costs the most of all, and is for the likeliest.
        let close = if self.closely < MAX_CLOSELY { 2 } else { 1 };
        for (how, rounds) in [(Closeness::LOOSE, 2), (Closeness::CLOSE, 3)].into_iter().take(close) {
            if self.followed > MAX_FOLLOWED {
                return None;
            }
            if how == Closeness::CLOSE {
                self.closely += 1;
            } else {
                self.followed += rounds * size * size;
            }
            let mut places = elastic::follow(plane, &p.places, &p.samples, size, how)?;
            for round in 1..=rounds {
                let samples = Samples::take(plane, &places, size);
                let shown = Shown { places: &places, ..shown };
                if self.spent() {
                    return None;
                }
                if let Ok(decoded) = self.try_grid(&samples, shown, FULL) {
                    return Some(decoded);
                }
                if round < rounds {
                    places = elastic::follow(plane, &places, &samples, size, how)?;
                }
            }
        }
        None
    }

    fn found(&mut self, decoded: Decoded, frame: &Frame, inverted: bool, scale: f32) {
        self.reading.symbols.push(Symbol {
            payload: decoded.payload,
            corners: frame.outline().map(|p| p * scale),
            version: decoded.version,
            ec_level: decoded.ec_level,
            mirrored: decoded.mirrored,
            inverted,
            structured_append: decoded.structured_append,
            eci: decoded.eci,
        });
    }
}

/// What a note about a grid says besides the grid.
#[derive(Clone, Copy)]
struct Shown<'a> {
    alignment: (usize, usize),
    places: &'a [Point],
    scale: f32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use qrcode::{Color, EcLevel as Level, QrCode, Version as Kind};

    /// A code drawn upright, `scale` pixels a module, with a quiet zone.
    fn drawn(code: &QrCode, scale: usize, dark: u8, light: u8) -> (Vec<u8>, usize) {
        let (n, quiet, colors) = (code.width(), 4, code.to_colors());
        let side = (n + 2 * quiet) * scale;
        let mut data = vec![light; side * side];
        for y in 0..n * scale {
            for x in 0..n * scale {
                if colors[y / scale * n + x / scale] == Color::Dark {
                    data[(y + quiet * scale) * side + x + quiet * scale] = dark;
                }
            }
        }
        (data, side)
    }

    fn read(data: &[u8], side: usize, budget: Budget) -> Reading {
        Eye::new().read(Luma::new(data, side, side).expect("fits"), budget)
    }

    #[test]
    fn every_version_is_read_in_both_polarities() {
        for version in 1..=40_i16 {
            let code = QrCode::with_version(b"MR1:GATE", Kind::Normal(version), Level::M).expect("fits");
            for (dark, light) in [(20, 230), (230, 20)] {
                let (data, side) = drawn(&code, 3, dark, light);
                let reading = read(&data, side, Budget::frame(0));
                let symbol = reading.symbols.first().unwrap_or_else(|| panic!("version {version} is not read"));
                assert_eq!(symbol.payload, b"MR1:GATE");
                assert_eq!(symbol.version, crate::Version::Model2(version as u8));
                assert_eq!((symbol.inverted, symbol.mirrored), (dark > light, false));
                assert!((symbol.corners[0] - Point::new(12.0, 12.0)).length() < 1.5, "{symbol:?}");
            }
        }
    }

    #[test]
    fn micro_symbols_are_read_in_any_direction() {
        // The encoder writes M3-L otherwise than the standard says.
        for version in [2, 4_i16] {
            let code = QrCode::with_version(b"12345", Kind::Micro(version), Level::L).expect("fits");
            let (data, side) = drawn(&code, 5, 20, 230);
            let turned: Vec<u8> = (0..side * side).map(|i| data[(side - 1 - i % side) * side + i / side]).collect();
            for data in [&data, &turned] {
                let reading = read(data, side, Budget::picture());
                let symbol = reading.symbols.first().unwrap_or_else(|| panic!("M{version} is not read"));
                assert_eq!(
                    (symbol.payload.as_slice(), symbol.version),
                    (b"12345".as_slice(), crate::Version::Micro(version as u8))
                );
            }
        }
    }

    #[test]
    fn a_symbol_with_a_covered_outer_finder_is_read() {
        for version in [4, 10] {
            let code = QrCode::with_version(b"under a thumb", Kind::Normal(version), Level::H).expect("fits");
            let (scale, far) = (4, code.width() - 4);
            for (across, down) in [(far, 0), (0, far)] {
                let (mut data, side) = drawn(&code, scale, 20, 230);
                for y in down * scale..(down + 8) * scale {
                    data[y * side + across * scale..][..8 * scale].fill(120);
                }
                let reading = read(&data, side, Budget::frame(0));
                let payload = reading.symbols.first().map(|symbol| symbol.payload.as_slice());
                assert_eq!(payload, Some(b"under a thumb".as_slice()), "version {version}, {across},{down}");
            }
        }
    }

    #[test]
    fn a_symbol_with_all_its_finders_is_told_once() {
        for version in 1..=12 {
            let code = QrCode::with_version(b"once", Kind::Normal(version), Level::H).expect("fits");
            for scale in [3, 4, 7] {
                let (data, side) = drawn(&code, scale, 20, 230);
                let reading = read(&data, side, Budget::picture());
                assert_eq!(reading.symbols.len(), 1, "version {version} at {scale} pixels a module");
            }
        }
    }

    #[test]
    fn a_folded_symbol_is_read() {
        let code = QrCode::with_version(b"kept in a pocket", Kind::Normal(8), Level::M).expect("fits");
        let (flat, side) = drawn(&code, 4, 20, 230);
        // Right of the fold, which is not upright, the paper turns away and is seen shorter by a third.
        let data: Vec<u8> = (0..side * side)
            .map(|i| {
                let (x, y) = (i % side, i / side);
                let fold = side as f32 * 0.45 + (y as f32 - side as f32 / 2.0) * 0.15;
                let beyond = (x as f32 - fold).max(0.0);
                flat.get(y * side + (x as f32 + beyond * 0.5) as usize)
                    .filter(|_| x as f32 + beyond * 0.5 < side as f32)
                    .copied()
                    .unwrap_or(230)
            })
            .collect();
        let reading = read(&data, side, Budget::picture());
        assert_eq!(reading.symbols.first().map(|s| s.payload.as_slice()), Some(b"kept in a pocket".as_slice()));
    }

    #[test]
    fn a_mirrored_symbol_is_read_and_said_to_be_one() {
        let code = QrCode::new(b"seen from behind the glass").expect("fits");
        let (mut data, side) = drawn(&code, 4, 20, 230);
        for row in data.chunks_exact_mut(side) {
            row.reverse();
        }
        let reading = read(&data, side, Budget::frame(0));
        let symbol = reading.symbols.first().expect("it is drawn there");
        assert!(symbol.mirrored);
        assert_eq!(symbol.payload, b"seen from behind the glass");
    }

    #[test]
    fn all_symbols_of_a_picture_are_found_and_a_frame_ends_with_the_first() {
        let (a, side) = drawn(&QrCode::new(b"left").expect("fits"), 4, 20, 230);
        let (b, _) = drawn(&QrCode::new(b"rite").expect("fits"), 4, 20, 230);
        let both: Vec<u8> =
            a.chunks_exact(side).zip(b.chunks_exact(side)).flat_map(|(a, b)| a.iter().chain(b).copied()).collect();
        let luma = Luma::new(&both, 2 * side, side).expect("fits");
        let mut payloads: Vec<Vec<u8>> =
            Eye::new().read(luma, Budget::picture()).symbols.into_iter().map(|s| s.payload).collect();
        payloads.sort();
        assert_eq!(payloads, [b"left".to_vec(), b"rite".to_vec()]);
        assert_eq!(Eye::new().read(luma, Budget::frame(7)).symbols.len(), 1);
    }
}
