//! A frame: one picture as brightness, when it was taken, and which one of the stream it is.
//!
//! Colour is never made: every camera format is cut, stripped or decoded to luma only. A frame owns its buffer, so that
//! the camera's own memory goes back to the driver at once; buffers return to their [`Pool`] when the frame is dropped,
//! so that a lane allocates nothing once it runs.
//!
//! What arrives short or damaged never becomes a frame: it is a [`Damage`], and counted.

mod damage;
mod jpeg;
mod picture;
mod pixels;
mod pool;
mod slot;

use std::{
    fmt,
    time::{Duration, Instant},
};

use eye::{Luma, LumaError};

use crate::moment;

pub use damage::Damage;
pub use jpeg::JpegEnd;
pub use picture::{PictureError, read_picture, read_picture_bytes};
pub use pixels::{Layout, to_luma};
pub use pool::{Buffer, Pool};
pub use slot::{Slot, SlotReceiver, SlotSender, slot};

/// One picture in luma.
pub struct Frame {
    luma: Buffer,
    width: usize,
    height: usize,
    stride: usize,
    sequence: u64,
    captured: Instant,
    luma_took: Duration,
}

impl Frame {
    /// A frame over a buffer whose rows follow each other without gaps, of a picture that arrived at `captured`.
    pub fn new(
        luma: Buffer,
        width: usize,
        height: usize,
        sequence: u64,
        captured: Instant,
    ) -> Result<Frame, LumaError> {
        Luma::new(&luma, width, height)?;
        Ok(Frame {
            luma,
            width,
            height,
            stride: width,
            sequence,
            captured,
            luma_took: moment::now().saturating_duration_since(captured),
        })
    }

    /// The same picture under another number, as though it had been taken at `captured`.
    #[must_use]
    pub fn numbered(mut self, sequence: u64, captured: Instant) -> Frame {
        self.sequence = sequence;
        self.captured = captured;
        self
    }

    /// The same picture, whose luma took so long: where it was taken a while before anybody could begin.
    #[must_use]
    pub fn converted_in(mut self, took: Duration) -> Frame {
        self.luma_took = took;
        self
    }

    /// What the eye looks at.
    #[must_use]
    pub fn luma(&self) -> Luma<'_> {
        Luma::with_stride(&self.luma, self.width, self.height, self.stride).expect("checked when the frame was made")
    }

    /// Pixels in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Its number in the stream, as the source counts; a gap is a picture that never arrived.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// When it arrived, on the monotonic clock. Not a time of day.
    #[must_use]
    pub fn captured(&self) -> Instant {
        self.captured
    }

    /// From its arrival until it was luma: cut, stripped or decoded.
    #[must_use]
    pub fn luma_took(&self) -> Duration {
        self.luma_took
    }
}

/// Dimensions only: a frame may show a face.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({}x{}, number {})", self.width, self.height, self.sequence)
    }
}
