//! What the eye found: a symbol, where it is, and how it was printed.

use std::fmt;

/// A place in the frame, in pixels; the centre of the first pixel is (0.5, 0.5).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Downwards.
    pub y: f32,
}

impl Point {
    /// A place.
    #[must_use]
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }
}

/// Modules along the side of the largest symbol, version 40.
pub const MAX_SIZE: usize = 177;

/// How many modules the symbol has, and of which family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// QR Code Model 2, versions 1 to 40.
    Model2(u8),
    /// Micro QR, M1 to M4.
    Micro(u8),
}

impl Version {
    /// Modules along one side.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Model2(v) => 17 + 4 * usize::from(v),
            Self::Micro(v) => 9 + 2 * usize::from(v),
        }
    }

    /// The version whose symbols have this many modules along one side.
    #[must_use]
    pub fn from_size(size: usize) -> Option<Self> {
        match size {
            11 | 13 | 15 | 17 => Some(Self::Micro(((size - 9) / 2) as u8)),
            21..=177 if size % 4 == 1 => Some(Self::Model2(((size - 17) / 4) as u8)),
            _ => None,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model2(v) => write!(f, "{v}"),
            Self::Micro(v) => write!(f, "M{v}"),
        }
    }
}

/// How much of the symbol may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EcLevel {
    /// About 7 % of codewords.
    L,
    /// About 15 %.
    M,
    /// About 25 %.
    Q,
    /// About 30 %.
    H,
}

impl fmt::Display for EcLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::L => "L",
            Self::M => "M",
            Self::Q => "Q",
            Self::H => "H",
        })
    }
}

/// The symbol is one of several that belong together (ISO/IEC 18004 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StructuredAppend {
    /// Place of this symbol, from 0.
    pub index: u8,
    /// How many symbols there are.
    pub count: u8,
    /// Parity over the whole message.
    pub parity: u8,
}

/// A symbol that was found and whose payload passed its own error correction.
///
/// Not a pass code: what the bytes mean, and whether to believe them, is the judge's question.
#[derive(Clone, PartialEq)]
pub struct Symbol {
    /// The bytes of all segments, in order; kanji and ECI segments as their bytes.
    pub payload: Vec<u8>,
    /// Outer corners in pixels, clockwise as seen on a symbol that is not mirrored, from its own top left.
    pub corners: [Point; 4],
    /// Family and size.
    pub version: Version,
    /// Error correction level.
    pub ec_level: EcLevel,
    /// Seen in a mirror, or through glass from behind.
    pub mirrored: bool,
    /// Light modules on dark ground.
    pub inverted: bool,
    /// Set when it is one of a series.
    pub structured_append: Option<StructuredAppend>,
    /// The first extended channel interpretation (character set) the symbol names.
    pub eci: Option<u32>,
}

impl Symbol {
    /// Centre of the four corners.
    #[must_use]
    pub fn center(&self) -> Point {
        let sum = self.corners.iter().fold(Point::default(), |a, c| Point::new(a.x + c.x, a.y + c.y));
        Point::new(sum.x / 4.0, sum.y / 4.0)
    }

    /// The same symbol as seen in the frame a crop was taken from.
    #[must_use]
    pub fn shifted(mut self, dx: f32, dy: f32) -> Self {
        for corner in &mut self.corners {
            corner.x += dx;
            corner.y += dy;
        }
        self
    }
}

impl fmt::Debug for Symbol {
    /// Without the payload: it is a traveller's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbol")
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .field("version", &self.version)
            .field("ec_level", &self.ec_level)
            .field("corners", &self.corners)
            .field("mirrored", &self.mirrored)
            .field("inverted", &self.inverted)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_versions_name_each_other() {
        for v in 1..=40 {
            let version = Version::Model2(v);
            assert_eq!(Version::from_size(version.size()), Some(version));
        }
        for v in 1..=4 {
            let version = Version::Micro(v);
            assert_eq!(Version::from_size(version.size()), Some(version));
        }
        assert_eq!(Version::from_size(19), None);
        assert_eq!(Version::from_size(181), None);
    }

    #[test]
    fn a_symbol_prints_itself_without_its_text() {
        let symbol = Symbol {
            payload: b"ZHANG SAN".to_vec(),
            corners: [Point::default(); 4],
            version: Version::Model2(2),
            ec_level: EcLevel::M,
            mirrored: false,
            inverted: false,
            structured_append: None,
            eci: None,
        };
        let text = format!("{symbol:?}");
        assert!(!text.contains("ZHANG") && !text.contains("90, 72"), "{text}");
    }
}
