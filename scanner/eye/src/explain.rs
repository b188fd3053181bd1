//! Why a symbol is not read: the same search again, taking notes.
//!
//! An installer holds a code before the camera and asks. The answer is a list of [`Note`]s in the order things were
//! looked at, and pictures of the stages; values only, whoever asks writes the files.

use std::fmt;

use crate::{decode::DecodeError, grid::SoftGrid, light::Light, luma::Luma, symbol::Point};

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

impl fmt::Display for Note {
    /// One line, without the grid's content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level { scale } => write!(f, "level 1:{scale}"),
            Self::Finder { center, size, inverted } => {
                let kind = if *inverted { "light" } else { "dark" };
                write!(f, "  {kind} finder at {:.0},{:.0}, {size:.0} px", center.x, center.y)
            }
            Self::Triple { centers } => {
                write!(f, "  triple")?;
                centers.iter().try_for_each(|c| write!(f, " {:.0},{:.0}", c.x, c.y))
            }
            Self::Frame { size, evidence, .. } => write!(f, "    {size} modules a side, agreement {evidence:.2}"),
            Self::Grid { alignment: (seen, of), outcome, .. } => {
                write!(f, "      {seen} of {of} alignment patterns: ")?;
                match outcome {
                    Ok(()) => write!(f, "read"),
                    Err(error) => write!(f, "{error}"),
                }
            }
        }
    }
}

/// A stage of the search as a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// `bits`, `candidates`, `grid` or `samples`.
    pub name: &'static str,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Red, green and blue of every pixel, row by row.
    pub rgb: Vec<u8>,
}

const GREEN: [u8; 3] = [40, 220, 60];
const BLUE: [u8; 3] = [70, 130, 255];
const RED: [u8; 3] = [255, 50, 40];
/// Pixels a module in the picture of samples.
const CELL: usize = 6;

/// Draws the stages: what counts as dark, the finders and triples, the last grid laid, and what was sampled there.
#[must_use]
pub fn pictures(luma: Luma<'_>, notes: &[Note]) -> Vec<Picture> {
    let mut light = Light::default();
    light.measure(luma, 1);
    let mut bits = Picture::of(luma, "bits");
    for (i, p) in bits.rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let (x, y) = (i % luma.width(), i / luma.width());
        *p = [if luma.at(x, y) < light.threshold(x, y) { 0 } else { 255 }; 3];
    }
    let mut candidates = Picture::of(luma, "candidates");
    let mut grid = Picture::of(luma, "grid");
    let mut samples = None;
    for note in notes {
        match note {
            Note::Finder { center, size, inverted } => {
                let (r, color) = (size / 2.0, if *inverted { BLUE } else { GREEN });
                let corner = |x: f32, y: f32| *center + Point::new(x * r, y * r);
                candidates
                    .outline(&[corner(-1.0, -1.0), corner(1.0, -1.0), corner(1.0, 1.0), corner(-1.0, 1.0)], color);
            }
            Note::Triple { centers } => candidates.outline(centers, RED),
            Note::Frame { outline, .. } => grid.outline(outline, BLUE),
            Note::Grid { grid: modules, places, outcome, .. } => {
                let color = if outcome.is_ok() { GREEN } else { RED };
                places.iter().for_each(|p| grid.dot(*p, color));
                samples = Some(Picture::of_grid(modules));
            }
            Note::Level { .. } => {}
        }
    }
    [bits, candidates, grid].into_iter().chain(samples).collect()
}

impl Picture {
    fn of(luma: Luma<'_>, name: &'static str) -> Self {
        let rgb = (0..luma.height()).flat_map(|y| luma.row(y).iter().flat_map(|v| [*v; 3])).collect();
        Self { name, width: luma.width(), height: luma.height(), rgb }
    }

    /// Dark and light modules, red where the sampler hardly believed what it saw.
    fn of_grid(grid: &SoftGrid) -> Self {
        let side = grid.size() * CELL;
        let mut rgb = Vec::with_capacity(side * side * 3);
        for i in 0..side * side {
            let value = grid.module(i % side / CELL, i / side / CELL);
            let grey = (128 - i16::from(value)).clamp(0, 255) as u8;
            rgb.extend(if value.unsigned_abs() < 16 { [220, grey / 2, grey / 2] } else { [grey; 3] });
        }
        Self { name: "samples", width: side, height: side, rgb }
    }

    fn dot(&mut self, p: Point, color: [u8; 3]) {
        if p.x >= 0.0 && p.y >= 0.0 && (p.x as usize) < self.width && (p.y as usize) < self.height {
            let at = (p.y as usize * self.width + p.x as usize) * 3;
            self.rgb[at..at + 3].copy_from_slice(&color);
        }
    }

    fn outline(&mut self, corners: &[Point], color: [u8; 3]) {
        for (i, a) in corners.iter().enumerate() {
            let step = corners[(i + 1) % corners.len()] - *a;
            // Corners may lie far outside: no more dots than a frame is wide and high.
            let dots = (step.length().min(8000.0) as usize).max(1);
            (0..=dots).for_each(|k| self.dot(*a + step * (k as f32 / dots as f32), color));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Budget, Eye};

    #[test]
    fn a_search_can_be_seen_and_told_stage_by_stage() {
        let code = qrcode::QrCode::new(b"explain").expect("fits");
        let (n, colors) = (code.width(), code.to_colors());
        let side = (n + 8) * 4;
        let dark = |x: usize, y: usize| {
            let (x, y) = (x / 4, y / 4);
            (4..n + 4).contains(&x) && (4..n + 4).contains(&y) && colors[(y - 4) * n + x - 4] == qrcode::Color::Dark
        };
        let data: Vec<u8> = (0..side * side).map(|i| if dark(i % side, i / side) { 20 } else { 230 }).collect();
        let luma = Luma::new(&data, side, side).expect("fits");
        let (reading, notes) = Eye::new().explain(luma, Budget::picture());
        assert_eq!(reading.symbols.len(), 1);
        let told: Vec<String> = notes.iter().map(ToString::to_string).collect();
        assert_eq!(told.first().map(String::as_str), Some("level 1:1"));
        assert_eq!(told.last().map(|line| line.ends_with(": read")), Some(true), "{told:#?}");
        let pictures = pictures(luma, &notes);
        assert_eq!(pictures.iter().map(|p| p.name).collect::<Vec<_>>(), ["bits", "candidates", "grid", "samples"]);
        assert!(pictures.iter().all(|p| p.rgb.len() == p.width * p.height * 3));
        let bits = &pictures[0];
        assert!((0..side * side).all(|i| (bits.rgb[i * 3] == 0) == dark(i % side, i / side)));
    }
}
