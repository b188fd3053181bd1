//! The proving ground: stories end to end, vectors, frames.
