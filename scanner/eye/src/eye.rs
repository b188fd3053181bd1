//! The order of tries: which level, which polarity, which triple, which grid, until the budget is spent.

use crate::{
    decode::{self, Decoded},
    explain::{Note, Notes},
    finder::{self, Finder},
    frame::{self, Frame},
    group,
    light::Light,
    luma::Luma,
    mesh::Mesh,
    plane::{Plane, halve},
    reader::{Budget, Effort, MAX_UNREAD, Reader, Reading, Sighting},
    sample::Samples,
    scan::Scanner,
    symbol::{Point, Symbol},
};

/// The eye: finds and reads QR symbols.
///
/// Keeps buffers between frames (at most one and a third times the largest frame) and nothing else.
#[derive(Clone, Debug, Default)]
pub struct Eye {
    light: Light,
    scanner: Scanner,
    half: Vec<u8>,
    quarter: Vec<u8>,
}

/// Crossings checked per level and polarity; the attack: noise that looks like a finder in every row.
const MAX_CROSSINGS: usize = 4000;

impl Eye {
    /// An eye with empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Reader for Eye {
    fn read(&mut self, luma: Luma<'_>, budget: Budget) -> Reading {
        let mut search = Search { budget, reading: Reading::default(), notes: Notes::default() };
        self.search(luma, &mut search);
        search.reading
    }
}

impl Eye {
    /// Reads a frame as [`Reader::read`] does, and tells what was seen and decided on the way.
    pub fn explain(&mut self, luma: Luma<'_>, budget: Budget) -> (Reading, Vec<Note>) {
        let mut search = Search { budget, reading: Reading::default(), notes: Notes::taking() };
        self.search(luma, &mut search);
        (search.reading, search.notes.into_vec())
    }

    fn search(&mut self, luma: Luma<'_>, search: &mut Search) {
        let budget = search.budget;
        let Self { light, scanner, half, quarter } = self;
        let brightness = light.measure(luma);
        let s = &mut search.reading.statistics;
        (s.dark, s.mean, s.light) = (brightness.dark, brightness.mean, brightness.light);
        search.level(luma, light, scanner, 1.0);
        if search.done() || budget.effort == Effort::Quick {
            return;
        }
        if let Some(luma) = halve(luma, half) {
            light.measure(luma);
            search.level(luma, light, scanner, 2.0);
            if search.done() {
                return;
            }
            let Some(luma) = halve(luma, quarter) else { return };
            light.measure(luma);
            search.level(luma, light, scanner, 4.0);
            if search.done() {
                return;
            }
            let Some(luma) = halve(luma, half) else { return };
            light.measure(luma);
            search.level(luma, light, scanner, 8.0);
        }
    }
}

struct Search {
    budget: Budget,
    reading: Reading,
    notes: Notes,
}

impl Search {
    fn done(&self) -> bool {
        self.reading.symbols.len() >= self.budget.symbols || self.reading.statistics.grids as usize >= self.budget.grids
    }

    fn level(&mut self, luma: Luma<'_>, light: &Light, scanner: &mut Scanner, scale: f32) {
        let planes = [Plane::new(luma, light, false), Plane::new(luma, light, true)];
        let mut finders: [Vec<Finder>; 2] = [Vec::new(), Vec::new()];
        let mut crossings = [0_usize; 2];
        self.notes.take(|| Note::Level { scale });
        scanner.start();
        let step = 3;
        let mut y = step / 2;
        while y < luma.height() {
            scanner.row(luma, light, y, |crossing| {
                let polarity = usize::from(crossing.inverted);
                let known = &mut finders[polarity];
                let p = Point::new(crossing.x, y as f32 + 0.5);
                if known.iter().any(|f| (f.center - p).length() < f.size * 0.5) {
                    return;
                }
                crossings[polarity] += 1;
                if crossings[polarity] > MAX_CROSSINGS || known.len() >= 4 * self.budget.finders {
                    self.reading.statistics.capped = true;
                    return;
                }
                known.extend(finder::check(&planes[polarity], crossing));
            });
            y += step;
        }
        for (plane, finders) in planes.iter().zip(&mut finders) {
            if finders.len() > self.budget.finders {
                self.reading.statistics.capped = true;
                finders.sort_by(|a, b| b.quality.total_cmp(&a.quality));
                finders.truncate(self.budget.finders);
            }
            let finders = &*finders;
            for f in finders {
                let (center, size, inverted) = (f.center * scale, f.size * scale, plane.inverted());
                self.notes.take(|| Note::Finder { center, size, inverted });
            }
            self.reading.statistics.finders += finders.len() as u32;
            self.polarity(plane, finders, scale);
            if self.done() {
                return;
            }
        }
    }

    fn polarity(&mut self, plane: &Plane<'_>, finders: &[Finder], scale: f32) {
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
                if let Some(decoded) = self.grid(plane, &frame, scale) {
                    self.found(decoded, &frame, plane.inverted(), scale);
                    for i in triple.members {
                        used[i] = true;
                    }
                    break;
                }
                if self.done() {
                    return;
                }
            }
            if self.done() {
                return;
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

    fn grid(&mut self, plane: &Plane<'_>, frame: &Frame, scale: f32) -> Option<Decoded> {
        let outline = frame.outline().map(|p| p * scale);
        self.notes.take(|| Note::Frame { size: frame.size, evidence: frame.evidence, outline });
        let mesh = Mesh::fitted(plane, frame);
        let samples = Samples::take(plane, &mesh, frame.size);
        let grid = samples.soften()?;
        self.reading.statistics.grids += 1;
        let decoded = decode::decode(&grid);
        self.notes.take(|| Note::Grid {
            alignment: mesh.seen,
            grid: grid.clone(),
            places: mesh.places(frame.size).into_iter().map(|p| p * scale).collect(),
            outcome: decoded.as_ref().map(|_| ()).map_err(|e| *e),
        });
        if let Ok(decoded) = decoded {
            return Some(decoded);
        }
        self.reading.statistics.module_size = Some(frame.corners[0].module() * scale);
        for share in [0.15, 0.4] {
            self.reading.statistics.grids += 1;
            let grid = samples.sharpened(share).soften()?;
            if let Ok(decoded) = decode::decode(&grid) {
                return Some(decoded);
            }
        }
        if self.budget.keep_unread && self.reading.unread.len() < MAX_UNREAD {
            let corners = frame.outline().map(|p| p * scale);
            self.reading.unread.push(Sighting { grid, corners, inverted: plane.inverted() });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_symbol_is_read() {
        let code = qrcode::QrCode::new(b"hello gate").expect("fits");
        let n = code.width();
        let colors = code.to_colors();
        let (scale, quiet) = (4, 4);
        let side = (n + 2 * quiet) * scale;
        let mut data = vec![230_u8; side * side];
        for y in 0..n * scale {
            for x in 0..n * scale {
                if colors[y / scale * n + x / scale] == qrcode::Color::Dark {
                    data[(y + quiet * scale) * side + x + quiet * scale] = 20;
                }
            }
        }
        let reading = Eye::new().read(Luma::new(&data, side, side).expect("fits"), Budget::frame(0));
        assert_eq!(reading.symbols.first().map(|s| s.payload.as_slice()), Some(b"hello gate".as_slice()));
        assert!(reading.hints().is_empty());
    }
}
