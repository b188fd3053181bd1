//! Why a symbol in a picture is not read, for whoever looks after the camera: one cause with its measure and what helps.
//!
//! The search's notes say where something like a symbol was seen, the watch says it where no finder is left; the pixels there say
//! what is wrong. It is asked after the fact and decides nothing.

use crate::{
    explain::Note,
    eye::Eye,
    grid::SoftGrid,
    luma::Luma,
    presence::{Presence, Watch},
    reader::{Budget, Hint},
    symbol::Point,
};

/// What keeps a symbol from being read, the first that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Hardly any light in the whole picture. Measure: the symbol's lightest grey level.
    TooDark,
    /// A dim screen before something bright. Measure: its light as a share of the picture's.
    DimScreen,
    /// Even the dark modules are light. Measure: the symbol's darkest grey level.
    TooBright,
    /// A part of it is blown out, the rest is not. Measure: that part.
    Glare,
    /// Too few pixels a module. Measure: pixels a module.
    TooSmall,
    /// Out of focus, or moving. Measure: the blur's sigma in modules.
    Blurred,
    /// A part of it has one colour. Measure: that part.
    Covered,
    /// Bent, torn, or drawn otherwise than the standard says. Measure: the share of modules that are clear all the same.
    Irregular,
}

impl Cause {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Cause::TooDark => "too-dark",
            Cause::DimScreen => "dim-screen",
            Cause::TooBright => "too-bright",
            Cause::Glare => "glare",
            Cause::TooSmall => "too-small",
            Cause::Blurred => "blurred",
            Cause::Covered => "covered",
            Cause::Irregular => "irregular",
        }
    }

    /// What helps, for an installer.
    #[must_use]
    pub const fn helps(self) -> &'static str {
        match self {
            Cause::TooDark => "more light, more exposure or gain",
            Cause::DimScreen => {
                "a brighter screen; exposure for the code instead of the hall behind it; no lamp or window in view"
            }
            Cause::TooBright => "less exposure or gain",
            Cause::Glare => {
                "turn the camera or the window by some degrees; a lamp to the side instead of beside the camera"
            }
            Cause::TooSmall => "nearer, a longer lens, or more pixels",
            Cause::Blurred => "focus on the working distance; exposure of 8 ms or less; hold still",
            Cause::Covered => "the whole code into view, without a thumb on it",
            Cause::Irregular => {
                "flat, and drawn as the standard says: square modules, plain finders, a logo below a tenth of the area"
            }
        }
    }
}

/// One cause, how bad it is, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// What.
    pub cause: Cause,
    /// By the cause's own measure.
    pub measure: f32,
    /// Round the symbol, in pixels.
    pub outline: [Point; 4],
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (code, measure) = (self.cause.code(), self.measure);
        match self.cause {
            Cause::TooDark => write!(f, "{code}: the lightest of it has {measure:.0} of 255"),
            Cause::TooBright => write!(f, "{code}: the darkest of it has {measure:.0} of 255"),
            Cause::DimScreen => write!(f, "{code}: {:.0} % of the light around it", measure * 100.0),
            Cause::Glare => write!(f, "{code}: {:.0} % of it is blown out", measure * 100.0),
            Cause::TooSmall => write!(f, "{code}: {measure:.1} pixels a module"),
            Cause::Blurred => write!(f, "{code}: by {measure:.1} of a module"),
            Cause::Covered => write!(f, "{code}: {:.0} % of it", measure * 100.0),
            Cause::Irregular => {
                write!(f, "{code}: {:.0} % of its modules are clear, and yet they do not fit", measure * 100.0)
            }
        }?;
        write!(f, "; {}", self.cause.helps())
    }
}

/// Agreement from which a grid is taken for one of a symbol.
const MIN_AGREEMENT: f32 = 0.6;
/// Grey level from which a pixel is blown out, and below which the lightest of a symbol is hardly any light.
const BLOWN: u8 = 252;
const DARK: u8 = 48;
/// The least share of the picture's light that a screen has which is not dim, and the most light a dim one has.
const DIM_SHARE: f32 = 0.5;
const DIM: u8 = 110;
/// Shares of a symbol: blown out, and of one colour.
const MUCH_GLARE: f32 = 0.03;
const MUCH_COVER: f32 = 0.04;
/// Fewer pixels a module, and more blur in modules, are hardly read.
const FEW_PIXELS: f32 = 1.8;
const MUCH_BLUR: f32 = 0.42;
/// Modules that are not believed; the squares in which they are counted, and how many of a square's make it covered.
const DOUBT: u8 = 16;
const SQUARE: usize = 5;
const MANY: usize = 19;

/// Why the symbol that the notes or the watch saw is not read; `None` where one was read or nothing like one was seen.
#[must_use]
pub fn find(luma: Luma<'_>, notes: &[Note], presence: Option<Presence>) -> Option<Finding> {
    if notes.iter().any(|note| matches!(note, Note::Grid { outcome: Ok(()), .. })) {
        return None;
    }
    let seen = best_grid(notes);
    let outline = seen.as_ref().map(|seen| seen.outline).or(presence.map(|presence| presence.outline))?;
    let found = |cause, measure| Some(Finding { cause, measure, outline });
    let code = Pixels::within(luma, &outline);
    let frame = Pixels::within(luma, &whole(luma));
    let (dark, light, around) = (code.share(0.05), code.share(0.95), frame.share(0.95));
    if light < DARK && around < 2 * DARK {
        return found(Cause::TooDark, f32::from(light));
    }
    if light >= BLOWN && dark > 110 {
        return found(Cause::TooBright, f32::from(dark));
    }
    let blown = code.blown();
    // On a white screen that is exposed to the end every light module is blown out, half of all.
    if (MUCH_GLARE..0.4).contains(&blown) && code.share(0.75 - blown.min(0.7)) < BLOWN {
        return found(Cause::Glare, blown);
    }
    if light < DIM && f32::from(light) < DIM_SHARE * f32::from(around) {
        return found(Cause::DimScreen, f32::from(light) / f32::from(around.max(1)));
    }
    let Some(seen) = seen else {
        let presence = presence?;
        let module = presence.side / 57.0;
        return match presence.hint {
            Hint::TooSmall => found(Cause::TooSmall, module),
            _ => found(Cause::Blurred, code.blur() / module.max(0.1)),
        };
    };
    let module = (outline[1] - outline[0]).length() / seen.size as f32;
    if module < FEW_PIXELS {
        return found(Cause::TooSmall, module);
    }
    let blur = code.blur() / module;
    if blur > MUCH_BLUR {
        return found(Cause::Blurred, blur);
    }
    let grid = seen.grid?;
    let covered = covered(grid);
    if covered > MUCH_COVER {
        return found(Cause::Covered, covered);
    }
    let clear = grid.modules().iter().filter(|value| value.unsigned_abs() >= DOUBT).count();
    found(Cause::Irregular, clear as f32 / grid.modules().len() as f32)
}

/// The same of a picture that nobody has looked at yet: with every try.
#[must_use]
pub fn of(luma: Luma<'_>) -> Option<Finding> {
    let (_, notes) = Eye::new().explain(luma, Budget::picture());
    find(luma, &notes, Watch::default().look(luma))
}

/// The likeliest of the grids that were laid.
struct Seen<'a> {
    size: usize,
    outline: [Point; 4],
    grid: Option<&'a SoftGrid>,
}

fn best_grid(notes: &[Note]) -> Option<Seen<'_>> {
    let mut best: Option<(f32, Seen<'_>)> = None;
    for (at, note) in notes.iter().enumerate() {
        let Note::Frame { size, evidence, outline } = note else { continue };
        if *evidence >= MIN_AGREEMENT && best.as_ref().is_none_or(|(most, _)| evidence > most) {
            let grid = notes[at..].iter().find_map(|note| match note {
                Note::Grid { grid, .. } if grid.size() == *size => Some(grid),
                _ => None,
            });
            best = Some((*evidence, Seen { size: *size, outline: *outline, grid }));
        }
    }
    best.map(|(_, seen)| seen)
}

fn whole(luma: Luma<'_>) -> [Point; 4] {
    let (w, h) = (luma.width() as f32, luma.height() as f32);
    [Point::new(0.0, 0.0), Point::new(w, 0.0), Point::new(w, h), Point::new(0.0, h)]
}

/// The pixels within an outline: how many have each grey level, and the steepest steps between them.
struct Pixels {
    levels: [u32; 256],
    across: [u32; 256],
    down: [u32; 256],
    count: u32,
}

impl Pixels {
    fn within(luma: Luma<'_>, outline: &[Point; 4]) -> Self {
        let mut pixels = Pixels { levels: [0; 256], across: [0; 256], down: [0; 256], count: 0 };
        let fold =
            |with: fn(f32, f32) -> f32, of: fn(&Point) -> f32| outline.iter().map(of).fold(of(&outline[0]), with);
        let inside = |value: f32, most: usize| value.clamp(0.0, most as f32) as usize;
        let (left, right) = (fold(f32::min, |p| p.x), fold(f32::max, |p| p.x));
        let (top, bottom) = (fold(f32::min, |p| p.y), fold(f32::max, |p| p.y));
        let (left, right) = (inside(left, luma.width()), inside(right, luma.width()));
        let (top, bottom) = (inside(top, luma.height()), inside(bottom, luma.height()));
        for y in top..bottom {
            let row = luma.row(y);
            let below = luma.row((y + 2).min(luma.height() - 1));
            for x in left..right {
                // Convex, and clockwise in pixels.
                let here = Point::new(x as f32 + 0.5, y as f32 + 0.5);
                let within = (0..4).all(|i| (outline[(i + 1) % 4] - outline[i]).cross(here - outline[i]) >= 0.0);
                if within {
                    pixels.levels[usize::from(row[x])] += 1;
                    pixels.across[usize::from(row[(x + 2).min(row.len() - 1)].abs_diff(row[x]))] += 1;
                    pixels.down[usize::from(below[x].abs_diff(row[x]))] += 1;
                    pixels.count += 1;
                }
            }
        }
        pixels
    }

    /// The level that this share of the pixels does not exceed.
    fn share(&self, part: f32) -> u8 {
        quantile(&self.levels, (self.count as f32 * part.max(0.0)) as u32)
    }

    fn blown(&self) -> f32 {
        self.levels[usize::from(BLOWN)..].iter().sum::<u32>() as f32 / self.count.max(1) as f32
    }

    /// Sigma of the blur in pixels, by the steepest steps in the direction in which they are less steep: a Gaussian lets an edge rise by
    /// erf(1 / (σ √2)) of its height across two pixels, about 0.8 / σ.
    fn blur(&self) -> f32 {
        let steepest = (self.count as f32 * 0.99) as u32;
        let steepest = quantile(&self.across, steepest).min(quantile(&self.down, steepest));
        let height = f32::from(self.share(0.95)) - f32::from(self.share(0.05));
        0.8 * height.max(1.0) / f32::from(steepest.max(1))
    }
}

fn quantile(counts: &[u32; 256], below: u32) -> u8 {
    let mut seen = 0;
    (0..=u8::MAX)
        .find(|level| {
            seen += counts[usize::from(*level)];
            seen > below
        })
        .unwrap_or(u8::MAX)
}

/// The share of squares of modules in which nearly none is believed.
fn covered(grid: &SoftGrid) -> f32 {
    let squares = grid.size() / SQUARE;
    let doubtful = |x: usize, y: usize| grid.module(x, y).unsigned_abs() < DOUBT;
    let hidden = (0..squares * squares).filter(|square| {
        let (x0, y0) = (square % squares * SQUARE, square / squares * SQUARE);
        (0..SQUARE * SQUARE).filter(|i| doubtful(x0 + i % SQUARE, y0 + i / SQUARE)).count() >= MANY
    });
    hidden.count() as f32 / (squares * squares).max(1) as f32
}

#[cfg(test)]
mod tests {
    use qrcode::{Color, EcLevel, QrCode, Version};

    use super::*;

    const WIDTH: usize = 640;
    const HEIGHT: usize = 480;

    /// A version 8 symbol of these two lights in a room of another, `module` pixels a module, with its quiet zone.
    fn room(module: f32, dark: u8, light: u8, around: u8) -> Vec<u8> {
        let text: Vec<u8> = (0..150_u32).map(|n| (n * n * 7 + n * 31 + 11) as u8).collect();
        let code = QrCode::with_version(text, Version::Normal(8), EcLevel::L).expect("fits");
        let (size, colors) = (code.width() as i32, code.to_colors());
        (0..WIDTH * HEIGHT)
            .map(|i| {
                let at = |place: usize, from: f32| ((place as f32 + 0.5 - from) / module).floor() as i32;
                let (x, y) = (at(i % WIDTH, 200.0), at(i / WIDTH, 120.0));
                match (0..size).contains(&x) && (0..size).contains(&y) {
                    true if colors[(y * size + x) as usize] == Color::Dark => dark,
                    _ if (-4..size + 4).contains(&x) && (-4..size + 4).contains(&y) => light,
                    _ => around,
                }
            })
            .collect()
    }

    fn noisy(mut picture: Vec<u8>, by: i32) -> Vec<u8> {
        let mut dice = 9_u64;
        for pixel in &mut picture {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            *pixel = (i32::from(*pixel) + (dice % (2 * by as u64 + 1)) as i32 - by).clamp(0, 255) as u8;
        }
        picture
    }

    /// A spot of one grey over the middle of the symbol.
    fn spot(mut picture: Vec<u8>, radius: f32, grey: u8) -> Vec<u8> {
        for (i, pixel) in picture.iter_mut().enumerate() {
            let (x, y) = ((i % WIDTH) as f32 - 300.0, (i / WIDTH) as f32 - 218.0);
            if x.hypot(y) < radius {
                *pixel = grey;
            }
        }
        picture
    }

    fn blurred(picture: &[u8], reach: usize) -> Vec<u8> {
        let mut out = picture.to_vec();
        for y in reach..HEIGHT - reach {
            for x in reach..WIDTH - reach {
                let rows = y - reach..=y + reach;
                let sum: usize = rows
                    .flat_map(|y| &picture[y * WIDTH + x - reach..=y * WIDTH + x + reach])
                    .map(|pixel| usize::from(*pixel))
                    .sum();
                out[y * WIDTH + x] = (sum / (2 * reach + 1).pow(2)) as u8;
            }
        }
        out
    }

    fn cause(picture: &[u8]) -> Option<Cause> {
        let luma = Luma::new(picture, WIDTH, HEIGHT).expect("fits");
        of(luma).map(|finding| finding.cause)
    }

    #[test]
    fn each_cause_is_named_by_its_own_picture() {
        let plain = || room(4.0, 20, 220, 120);
        let cases = [
            ("a spot blown out", spot(plain(), 60.0, 255), Some(Cause::Glare)),
            ("a finger", spot(plain(), 60.0, 120), Some(Cause::Covered)),
            (
                "a thumb on a dim screen before a hall",
                noisy(spot(room(4.0, 12, 40, 235), 60.0, 25), 4),
                Some(Cause::DimScreen),
            ),
            ("a thumb in a room without light", noisy(spot(room(4.0, 4, 36, 16), 60.0, 20), 3), Some(Cause::TooDark)),
            ("read", plain(), None),
            ("nobody there", vec![120; WIDTH * HEIGHT], None),
        ];
        let found = cases.each_ref().map(|(name, picture, _)| (*name, cause(picture)));
        assert_eq!(found, cases.map(|(name, _, expected)| (name, expected)));
    }

    #[test]
    fn what_the_watch_alone_sees_is_blurred_by_so_much_of_a_module() {
        let picture = blurred(&blurred(&room(6.0, 20, 220, 120), 4), 4);
        let luma = Luma::new(&picture, WIDTH, HEIGHT).expect("fits");
        let corner = |x, y| Point::new(x, y);
        let outline = [corner(200.0, 120.0), corner(494.0, 120.0), corner(494.0, 414.0), corner(200.0, 414.0)];
        let presence = Presence { outline, side: 294.0, hint: Hint::Blurred };
        let finding = find(luma, &[], Some(presence)).expect("a cause");
        assert_eq!(finding.cause, Cause::Blurred);
        // Twice a box of nine pixels is a sigma of 3.65 pixels, 0.6 of a module.
        assert!((0.4..0.9).contains(&finding.measure), "{finding}");
    }
}
