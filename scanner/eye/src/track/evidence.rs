//! Evidence of symbols that no frame has given up yet: their soft modules, added over frames.
//!
//! A module under glare in one frame is in plain sight in the next, and noise cancels itself. What must not happen is
//! that two symbols are added: a sighting joins a track only when it has as many modules, lies about where the track
//! was, and its data modules agree with those added so far. A code that changes on the screen starts a new track.

use super::register;
use crate::decode::{self, Decoded, FunctionMap};
use crate::grid::SoftGrid;
use crate::light::Light;
use crate::luma::Luma;
use crate::plane::Plane;
use crate::reader::Sighting;
use crate::sample::Samples;
use crate::symbol::{Point, Symbol, Version};

/// Symbols whose evidence is kept at the same time; the attack: a wall of unreadable symbols.
pub const MAX_TRACKS: usize = 6;

/// Symbols that are looked for where they were, in one frame.
const MAX_FOLLOWED: usize = 2;

/// Frames a symbol may be out of sight before its evidence is thrown away.
pub const FORGET_AFTER: u32 = 12;

/// Frames whose evidence is added at full weight; older evidence is halved whenever as many have come again, so that
/// a symbol that was laid wrongly once does not spoil it for ever.
const FULL_WEIGHT: u32 = 16;

/// Correlation of data modules from which two sightings are of the same symbol. Those of two symbols that have nothing
/// to do with each other agree by chance: for version 10 that is 0 ± 0.02.
const SAME: f32 = 0.18;

/// All symbols being pieced together.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    tracks: Vec<Track>,
    frame: u32,
}

/// One of them.
#[derive(Clone, Debug)]
struct Track {
    size: usize,
    inverted: bool,
    sums: Vec<i16>,
    frames: u32,
    weight: u32,
    last: u32,
    structure: i32,
    corners: [Point; 4],
}

impl Evidence {
    /// Counts a frame and forgets what has been out of sight for long.
    pub(super) fn next_frame(&mut self) {
        self.frame = self.frame.wrapping_add(1);
        let now = self.frame;
        self.tracks.retain(|track| now.wrapping_sub(track.last) <= FORGET_AFTER && !track.refuted());
    }

    /// Adds a frame's sightings, each to the symbol it is of; a symbol, and how many frames it took, once what was
    /// added suffices to read it.
    pub(super) fn add(&mut self, sightings: &[Sighting]) -> Option<(Symbol, u32)> {
        let mut ranked: Vec<(i32, &Sighting)> =
            sightings.iter().map(|sighting| (structure(&sighting.grid), sighting)).collect();
        ranked.sort_by_key(|(structure, _)| -structure);
        ranked.into_iter().find_map(|(structure, sighting)| self.add_one(sighting, structure))
    }

    fn add_one(&mut self, sighting: &Sighting, structure: i32) -> Option<(Symbol, u32)> {
        let version = Version::from_size(sighting.grid.size())?;
        let now = self.frame;
        let known = self.tracks.iter_mut().filter(|track| track.may_be(sighting, version));
        let best = known.map(|track| (track.agreement(&sighting.grid, version), track));
        let best = best.filter(|(agreement, _)| *agreement >= SAME).max_by(|one, other| one.0.total_cmp(&other.0));
        let Some((_, track)) = best else {
            self.start(sighting, structure);
            return None;
        };
        // Two sightings in one frame are two ways to lay the same grid: the first, likelier one counts.
        if track.last == now {
            return None;
        }
        track.join(&sighting.grid, sighting.corners, now);
        track.read()
    }

    /// Looks for the likeliest symbols that this frame did not show by their finders, and adds what is found.
    pub(super) fn follow(&mut self, luma: Luma<'_>) -> Option<(Symbol, u32)> {
        let now = self.frame;
        self.tracks.sort_by_key(|track| -track.worth());
        let (light, mut read) = (Light::default(), None);
        for track in self.tracks.iter_mut().take(MAX_FOLLOWED).filter(|track| track.last != now) {
            let size = track.size;
            let Some(version) = Version::from_size(size) else { continue };
            let found = register::find(luma, version, &track.sums, track.inverted, track.corners);
            let Some((corners, map)) = found.and_then(|corners| Some((corners, register::square_to(size, corners)?)))
            else {
                continue;
            };
            let plane = Plane::new(luma, &light, track.inverted);
            let middle = |index: usize| Point::new((index % size) as f32 + 0.5, (index / size) as f32 + 0.5);
            let places: Vec<Point> = (0..size * size).map(|index| map.map(middle(index))).collect();
            let grid = Samples::take(&plane, &places, size).soften();
            if track.agreement(&grid, version) >= SAME {
                track.join(&grid, corners, now);
                read = read.or_else(|| track.read());
            }
        }
        read
    }

    /// Outline of the likeliest symbol that was seen in this frame, when it is likely a symbol.
    pub(super) fn outline(&self) -> Option<[Point; 4]> {
        let seen = self.tracks.iter().filter(|track| track.last == self.frame && track.credible());
        seen.max_by_key(|track| track.worth()).map(|track| track.corners)
    }

    /// Drops the evidence for a symbol that has been read.
    pub(super) fn forget_near(&mut self, symbol: &Symbol) {
        let center = symbol.center();
        self.tracks.retain(|track| distance(track.center(), center) > 0.5 * track.side());
    }

    fn start(&mut self, sighting: &Sighting, structure: i32) {
        if self.tracks.len() >= MAX_TRACKS {
            let weakest = (0..self.tracks.len()).min_by_key(|&index| self.tracks[index].worth());
            let weakest = weakest.expect("there are some");
            if self.tracks[weakest].worth() > structure {
                return;
            }
            self.tracks.swap_remove(weakest);
        }
        self.tracks.push(Track {
            size: sighting.grid.size(),
            inverted: sighting.inverted,
            sums: sighting.grid.modules().iter().map(|&module| i16::from(module)).collect(),
            frames: 1,
            weight: 1,
            last: self.frame,
            structure,
            corners: sighting.corners,
        });
    }
}

/// What the timing patterns say for a grid, in bits.
fn structure(grid: &SoftGrid) -> i32 {
    Version::from_size(grid.size()).map_or(i32::MIN, |version| decode::timing_evidence(grid, version).iter().sum())
}

impl Track {
    fn may_be(&self, sighting: &Sighting, version: Version) -> bool {
        let center = middle(&sighting.corners);
        self.size == version.size()
            && self.inverted == sighting.inverted
            && distance(self.center(), center) < 0.75 * self.side()
    }

    /// Correlation of the data modules with what was added so far, −1 to 1.
    fn agreement(&self, grid: &SoftGrid, version: Version) -> f32 {
        let map = FunctionMap::new(version);
        let (mut both, mut either) = (0i64, 0i64);
        for (index, (&sum, &module)) in self.sums.iter().zip(grid.modules()).enumerate() {
            if !map.covers(index % self.size, index / self.size) {
                let product = i64::from(sum) * i64::from(module);
                both += product;
                either += product.abs();
            }
        }
        if either == 0 { 0.0 } else { both as f32 / either as f32 }
    }

    fn join(&mut self, grid: &SoftGrid, corners: [Point; 4], now: u32) {
        if self.weight >= FULL_WEIGHT {
            self.sums.iter_mut().for_each(|sum| *sum /= 2);
            self.weight /= 2;
        }
        for (sum, &module) in self.sums.iter_mut().zip(grid.modules()) {
            *sum = sum.saturating_add(i16::from(module));
        }
        self.frames += 1;
        self.weight += 1;
        self.last = now;
        self.corners = corners;
    }

    /// The symbol, if what was added suffices.
    fn read(&mut self) -> Option<(Symbol, u32)> {
        let grid = self.grid()?;
        self.structure = structure(&grid);
        let decoded = decode::decode(&grid).ok()?;
        Some((symbol(decoded, self), self.frames))
    }

    /// How likely this is a symbol at all: what its timing says, and a little for every frame that agreed. Clutter
    /// that stands still agrees with itself as well, so frames alone are worth little.
    fn worth(&self) -> i32 {
        self.structure + 4 * (self.frames.min(10) as i32 - 1)
    }

    /// Whether its timing alternates so well that clutter hardly could.
    fn credible(&self) -> bool {
        let modules = 2 * (self.size as i32 - 16);
        self.structure > if self.frames > 1 { modules / 5 } else { modules / 2 }
    }

    /// Whether enough frames have agreed to know that this is no symbol.
    fn refuted(&self) -> bool {
        self.frames >= 4 && self.structure < 0
    }

    /// What was added, brought back to a grid's range.
    fn grid(&self) -> Option<SoftGrid> {
        let most = self.sums.iter().map(|sum| sum.unsigned_abs()).max().unwrap_or(0).max(1);
        let scaled = |sum: i16| (i32::from(sum) * 127 / i32::from(most)) as i8;
        SoftGrid::new(self.size, self.sums.iter().map(|&sum| scaled(sum)).collect())
    }

    fn center(&self) -> Point {
        middle(&self.corners)
    }

    fn side(&self) -> f32 {
        0.7 * distance(self.corners[0], self.corners[2])
    }
}

fn symbol(decoded: Decoded, track: &Track) -> Symbol {
    Symbol {
        payload: decoded.payload,
        corners: track.corners,
        version: decoded.version,
        ec_level: decoded.ec_level,
        mirrored: decoded.mirrored,
        inverted: track.inverted,
        structured_append: decoded.structured_append,
        eci: decoded.eci,
    }
}

fn middle(corners: &[Point; 4]) -> Point {
    let sum = corners.iter().fold(Point::default(), |sum, corner| Point::new(sum.x + corner.x, sum.y + corner.y));
    Point::new(sum.x / 4.0, sum.y / 4.0)
}

fn distance(one: Point, other: Point) -> f32 {
    (one.x - other.x).hypot(one.y - other.y)
}
