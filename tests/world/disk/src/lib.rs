//! A disk that exists only in memory, with the faults that disks have.
//!
//! SQLite reads and writes it through a virtual file system of its own ([`install`]), plain files through [`Disk`] itself, and
//! both see the same files. A flush makes what was written before it last; a power cut loses or tears any of what was not
//! flushed; a flush may be slow, fail, or lie. Which of these happens is drawn from a seed, so that the same seed and the same
//! calls give the same bytes.
//!
//! Nothing here waits: a slow flush returns at once and says how long it took ([`Disk::time_spent`]); whoever runs the world
//! lets that time pass, and until it has passed the flush is not done.

mod base;
mod disk;
mod faults;
mod file;
mod locks;
mod sqlite;

pub use disk::{Disk, Refusal};
pub use faults::Faults;
pub use sqlite::install;
