//! The eye: a luma plane and a budget in, QR symbols out. Bounded work, no thread, no clock, no unsafe.
//!
//! ```no_run
//! use eye::{Budget, Eye, Luma, Reader};
//! # fn pixels() -> Vec<u8> { vec![0; 1280 * 720] }
//! let frame = pixels();
//! let luma = Luma::new(&frame, 1280, 720)?;
//! let reading = Eye::new().read(luma, Budget::picture());
//! for symbol in &reading.symbols {
//!     println!("version {} at {:?}", symbol.version, symbol.center());
//! }
//! # Ok::<(), eye::LumaError>(())
//! ```
#![forbid(unsafe_code)]

mod blocks;
pub mod cause;
pub mod decode;
mod elastic;
pub mod explain;
mod eye;
mod finder;
mod frame;
mod geometry;
pub mod grid;
mod group;
mod held;
mod light;
mod luma;
mod mesh;
mod pair;
mod plane;
pub mod presence;
mod reader;
mod sample;
mod scan;
mod symbol;
pub mod track;

pub use eye::Eye;
pub use grid::SoftGrid;
pub use luma::{Luma, LumaError, MAX_PIXELS, MAX_SIDE, within_limits};
pub use reader::{Budget, Effort, Hint, MAX_UNREAD, Reader, Reading, Sighting, Statistics};
pub use symbol::{EcLevel, Point, StructuredAppend, Symbol, Version};
