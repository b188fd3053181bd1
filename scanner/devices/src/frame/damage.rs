//! Why a buffer did not become a frame, each kind with its stable word; and the bound of a picture's size.

use std::fmt;

/// Why a buffer did not become a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Damage {
    /// Fewer bytes than its size needs.
    Short {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        given: usize,
    },
    /// Larger than any frame that is read.
    TooLarge {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// Another size than the camera agreed to.
    OtherSize {
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// A JPEG picture that does not begin with its start marker.
    NoStart,
    /// A JPEG picture without its end.
    NoEnd,
    /// A JPEG picture without a size or without data.
    NoPicture,
    /// A JPEG picture that cannot be decoded to its end.
    Undecodable,
    /// The driver itself marked the buffer.
    Flagged,
}

impl Damage {
    /// The stable word for metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Short { .. } => "short",
            Self::TooLarge { .. } => "too-large",
            Self::OtherSize { .. } => "other-size",
            Self::NoStart => "jpeg-no-start",
            Self::NoEnd => "jpeg-no-end",
            Self::NoPicture => "jpeg-no-picture",
            Self::Undecodable => "jpeg-undecodable",
            Self::Flagged => "flagged",
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { needed, given } => write!(f, "the buffer has {given} of {needed} bytes"),
            Self::TooLarge { width, height } => {
                write!(f, "{width}x{height} is more than {} pixels", eye::MAX_PIXELS)
            }
            Self::OtherSize { width, height } => write!(f, "the picture is {width}x{height}, not what was agreed"),
            Self::NoStart => f.write_str("no JPEG start marker"),
            Self::NoEnd => f.write_str("the JPEG picture is cut short"),
            Self::NoPicture => f.write_str("a JPEG file without a picture"),
            Self::Undecodable => f.write_str("the JPEG picture is damaged"),
            Self::Flagged => f.write_str("the driver marked the buffer as damaged"),
        }
    }
}

impl std::error::Error for Damage {}

/// Pixels of a size that is neither empty nor larger than what is read; asked before any allocation.
pub(super) fn bounded(width: usize, height: usize) -> Result<usize, Damage> {
    if width == 0 || height == 0 {
        return Err(Damage::NoPicture);
    }
    if !eye::within_limits(width, height) {
        return Err(Damage::TooLarge { width, height });
    }
    Ok(width * height)
}
