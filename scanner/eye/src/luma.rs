//! What the eye looks at: a borrowed plane of brightness, checked once.
//!
//! Everything downstream indexes without asking again, because the only constructor proves that every row lies
//! inside the buffer and that the plane is neither empty nor larger than the largest frame we promise to handle.

use std::fmt;

/// Most pixels a frame may have, a photograph of 12 megapixels whichever way it was held; bounds every allocation the eye makes
/// from a stranger's picture.
pub const MAX_PIXELS: usize = 4096 * 3072;
/// Longest side a frame may have: places in a row are kept in 16 bits, and a strip of a few rows shows nobody's code.
pub const MAX_SIDE: usize = 16_384;

/// Whether a frame of that size is neither empty nor larger than what is looked at.
#[must_use]
pub const fn within_limits(width: usize, height: usize) -> bool {
    // Neither product can overflow once the sides are bounded.
    width >= 1 && height >= 1 && width <= MAX_SIDE && height <= MAX_SIDE && width * height <= MAX_PIXELS
}

/// A borrowed plane of 8-bit brightness, row by row.
///
/// Not an image: it has no colour, no orientation and no time.
#[derive(Clone, Copy)]
pub struct Luma<'a> {
    data: &'a [u8],
    width: usize,
    height: usize,
    stride: usize,
}

/// Why a buffer is no luma plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LumaError {
    /// Width or height is zero.
    Empty,
    /// More than [`MAX_PIXELS`], or longer than [`MAX_SIDE`].
    TooLarge {
        /// Width asked for.
        width: usize,
        /// Height asked for.
        height: usize,
    },
    /// The stride is shorter than a row.
    ShortStride {
        /// Width asked for.
        width: usize,
        /// Stride given.
        stride: usize,
    },
    /// The buffer ends before the last row does.
    ShortBuffer {
        /// Bytes the dimensions need.
        needed: usize,
        /// Bytes given.
        given: usize,
    },
}

impl fmt::Display for LumaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the frame has no pixels"),
            Self::TooLarge { width, height } => {
                write!(f, "the frame is {width}x{height}; at most {MAX_PIXELS} pixels are read: scale it down")
            }
            Self::ShortStride { width, stride } => {
                write!(f, "rows of {width} pixels do not fit a stride of {stride} bytes")
            }
            Self::ShortBuffer { needed, given } => {
                write!(f, "the frame needs {needed} bytes and has {given}: a short or damaged buffer")
            }
        }
    }
}

impl std::error::Error for LumaError {}

impl<'a> Luma<'a> {
    /// A plane whose rows follow each other without gaps.
    pub fn new(data: &'a [u8], width: usize, height: usize) -> Result<Self, LumaError> {
        Self::with_stride(data, width, height, width)
    }

    /// A plane whose rows start every `stride` bytes, as camera buffers do.
    pub fn with_stride(data: &'a [u8], width: usize, height: usize, stride: usize) -> Result<Self, LumaError> {
        if width == 0 || height == 0 {
            return Err(LumaError::Empty);
        }
        if !within_limits(width, height) {
            return Err(LumaError::TooLarge { width, height });
        }
        if stride < width {
            return Err(LumaError::ShortStride { width, stride });
        }
        // The last row need not be padded. Checked: a stride is a stranger's number.
        let needed = (height - 1).checked_mul(stride).and_then(|n| n.checked_add(width)).unwrap_or(usize::MAX);
        if data.len() < needed {
            return Err(LumaError::ShortBuffer { needed, given: data.len() });
        }
        Ok(Self { data, width, height, stride })
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// One row. `y` lies below the height.
    #[must_use]
    pub fn row(&self, y: usize) -> &'a [u8] {
        let start = y * self.stride;
        &self.data[start..start + self.width]
    }

    /// The part of this plane that lies in the given box (clipped to the plane), and where it starts.
    ///
    /// `None` when nothing of the box lies inside.
    #[must_use]
    pub fn crop(&self, x: usize, y: usize, width: usize, height: usize) -> Option<Luma<'a>> {
        if x >= self.width || y >= self.height || width == 0 || height == 0 {
            return None;
        }
        let width = width.min(self.width - x);
        let height = height.min(self.height - y);
        Some(Luma { data: &self.data[y * self.stride + x..], width, height, stride: self.stride })
    }

    /// Brightness at a pixel inside the plane.
    #[must_use]
    pub fn at(&self, x: usize, y: usize) -> u8 {
        self.data[y * self.stride + x]
    }
}

impl fmt::Debug for Luma<'_> {
    /// Dimensions only: a frame may show a face.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Luma({}x{})", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_that_does_not_fit_its_buffer_is_refused() {
        let data = [0_u8; 100];
        assert!(Luma::new(&data, 10, 10).is_ok());
        assert_eq!(Luma::new(&data, 0, 10).err(), Some(LumaError::Empty));
        assert_eq!(Luma::new(&data, 10, 11).err(), Some(LumaError::ShortBuffer { needed: 110, given: 100 }));
        assert_eq!(Luma::with_stride(&data, 10, 2, 9).err(), Some(LumaError::ShortStride { width: 10, stride: 9 }));
        assert!(matches!(Luma::with_stride(&data, 1, 3, usize::MAX).err(), Some(LumaError::ShortBuffer { .. })));
        assert!(matches!(Luma::new(&data, MAX_SIDE + 1, 1).err(), Some(LumaError::TooLarge { .. })));
        assert!(matches!(Luma::new(&data, usize::MAX, usize::MAX).err(), Some(LumaError::TooLarge { .. })));
    }

    #[test]
    fn a_photograph_of_twelve_megapixels_is_taken_upright_and_lying() {
        let data = vec![0_u8; MAX_PIXELS];
        assert!(Luma::new(&data, 4096, 3072).is_ok() && Luma::new(&data, 3072, 4096).is_ok());
        assert!(matches!(Luma::new(&data, 4096, 3073).err(), Some(LumaError::TooLarge { .. })));
        assert!(matches!(Luma::new(&data, 3073, 4096).err(), Some(LumaError::TooLarge { .. })));
    }

    #[test]
    fn the_last_row_needs_no_padding() {
        let data = [7_u8; 19];
        let luma = Luma::with_stride(&data, 9, 2, 10).expect("19 bytes hold 10 + 9");
        assert_eq!(luma.row(1).len(), 9);
    }

    #[test]
    fn a_crop_is_clipped_to_the_plane() {
        let data: Vec<u8> = (0..100).collect();
        let luma = Luma::new(&data, 10, 10).expect("fits");
        let crop = luma.crop(8, 8, 5, 5).expect("overlaps");
        assert_eq!((crop.width(), crop.height(), crop.at(1, 1)), (2, 2, 99));
        assert!(luma.crop(10, 0, 1, 1).is_none());
    }
}
