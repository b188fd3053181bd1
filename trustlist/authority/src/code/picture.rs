//! The symbol of a code's text: a QR code in alphanumeric mode, as PNG, SVG or modules.

use std::{fmt, io::Cursor};

use image::{GrayImage, ImageFormat, Luma};
use qrcode::{EcLevel, QrCode, Version};

/// Light modules around the symbol (ISO/IEC 18004 §6.3.8).
pub const QUIET_ZONE: u32 = 4;
/// Largest module drawn, in pixels. Stops a picture of gigabytes.
pub const MAX_SCALE: u32 = 64;

/// Error correction of a symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Level {
    /// 7 % may be damaged.
    L,
    /// 15 %.
    #[default]
    M,
    /// 25 %.
    Q,
    /// 30 %.
    H,
}

/// The text does not fit the largest symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// Its length in characters.
    pub characters: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} characters do not fit a QR code of this level; shorten the itinerary", self.characters)
    }
}

impl std::error::Error for TooLong {}

/// A drawn symbol.
#[derive(Clone)]
pub struct Picture {
    modules: Vec<bool>,
    width: usize,
    version: i16,
    level: Level,
}

impl Picture {
    /// Draws `text` in the smallest version that holds it.
    ///
    /// # Errors
    /// When no version does.
    pub fn draw(text: &str, level: Level) -> Result<Picture, TooLong> {
        let ec = match level {
            Level::L => EcLevel::L,
            Level::M => EcLevel::M,
            Level::Q => EcLevel::Q,
            Level::H => EcLevel::H,
        };
        let code =
            QrCode::with_error_correction_level(text, ec).map_err(|_| TooLong { characters: text.chars().count() })?;
        let version = match code.version() {
            Version::Normal(version) | Version::Micro(version) => version,
        };
        let modules = code.to_colors().iter().map(|colour| *colour == qrcode::Color::Dark).collect();
        Ok(Picture { modules, width: code.width(), version, level })
    }

    /// Version, 1 to 40.
    #[must_use]
    pub fn version(&self) -> i16 {
        self.version
    }

    /// Error correction.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Modules a side, without the quiet zone.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Row by row; true is dark.
    #[must_use]
    pub fn modules(&self) -> &[bool] {
        &self.modules
    }

    /// A grey picture with `scale` pixels a module (1 to [`MAX_SCALE`]) and a quiet zone.
    #[must_use]
    pub fn luma(&self, scale: u32) -> GrayImage {
        let scale = scale.clamp(1, MAX_SCALE);
        let width = u32::try_from(self.width).expect("at most 177 modules");
        let side = (width + 2 * QUIET_ZONE) * scale;
        GrayImage::from_fn(side, side, |x, y| {
            let module = |pixel: u32| (pixel / scale).checked_sub(QUIET_ZONE).filter(|at| *at < width);
            let dark = match (module(x), module(y)) {
                (Some(column), Some(row)) => self.modules[(row * width + column) as usize],
                _ => false,
            };
            Luma([if dark { 0 } else { 255 }])
        })
    }

    /// The grey picture as a PNG file.
    #[must_use]
    pub fn png(&self, scale: u32) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        self.luma(scale).write_to(&mut file, ImageFormat::Png).expect("a grey picture in memory has a PNG form");
        file.into_inner()
    }

    /// The symbol as an SVG file with `scale` units a module: one path, a rectangle for every run of dark modules.
    #[must_use]
    pub fn svg(&self, scale: u32) -> String {
        use fmt::Write;
        let quiet = QUIET_ZONE as usize;
        let side = self.width + 2 * quiet;
        let pixels = side * scale.clamp(1, MAX_SCALE) as usize;
        let mut path = String::new();
        for (row, modules) in self.modules.chunks(self.width).enumerate() {
            let mut column = 0;
            while column < modules.len() {
                let run = modules[column..].iter().take_while(|dark| **dark).count();
                if run > 0 {
                    let (x, y) = (column + quiet, row + quiet);
                    write!(path, "M{x} {y}h{run}v1h-{run}z").expect("writing to a text does not fail");
                }
                column += run + 1;
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{pixels}\" height=\"{pixels}\" \
             viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
             <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        code::{
            issue,
            tests::{full, typical},
        },
        key::SigningKey,
    };

    #[test]
    fn a_typical_code_fits_version_10_at_level_m() {
        let text = issue(&typical(), &SigningKey::from_seed([1; 32]), None).expect("a code");
        assert!(text.len() <= 311, "{} characters", text.len());
        let picture = Picture::draw(&text, Level::M).expect("a symbol");
        assert!(picture.version() <= 10, "version {}", picture.version());
    }

    #[test]
    fn a_code_with_all_four_classes_and_a_countersignature_fits_version_14() {
        let (key, national) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([2; 32]));
        let text = issue(&full(), &key, Some(&national)).expect("a code");
        let picture = Picture::draw(&text, Level::M).expect("a symbol");
        assert!(picture.version() <= 14, "version {} for {} characters", picture.version(), text.len());
    }

    #[test]
    fn a_picture_has_its_quiet_zone_and_a_finder_in_the_corner() {
        let picture = Picture::draw("MR1:HELLO", Level::M).expect("a symbol");
        let luma = picture.luma(2);
        assert_eq!(luma.width(), (21 + 8) * 2);
        assert_eq!([luma.get_pixel(7, 8).0, luma.get_pixel(8, 8).0], [[255], [0]]);
        assert_eq!(picture.png(2)[1..4], *b"PNG");
        assert!(picture.svg(2).contains("M4 4h7v1h-7z"));
    }

    #[test]
    fn a_text_that_no_symbol_holds_is_an_error() {
        assert_eq!(Picture::draw(&"A".repeat(5000), Level::M).err(), Some(TooLong { characters: 5000 }));
    }
}
