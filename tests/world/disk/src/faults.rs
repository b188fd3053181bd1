//! What may go wrong with the disk from now on, as chances and limits that the world sets.

/// The disk's present temper. All chances are of one in a thousand operations; zero is never.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// A write ends with an input/output error and changes nothing.
    pub write_error: u16,
    /// A flush ends with an error; what it should have made durable stays in doubt.
    pub flush_error: u16,
    /// A flush says that it succeeded and did nothing.
    pub lying_flush: u16,
    /// A read ends with an error.
    pub read_error: u16,
    /// The shortest and longest time of a flush, in microseconds.
    pub flush_us: (u64, u64),
    /// Bytes that all files together may have; `None` where there is no limit.
    pub capacity: Option<u64>,
    /// Nothing can be written (`EROFS`).
    pub read_only: bool,
    /// A flush never comes back: it takes longer than anybody waits. What it should have made durable stays in doubt.
    pub hangs: bool,
}

/// A flush on a disk that hangs takes this long, in microseconds: longer than any bound of the daemon, short enough to be counted.
pub(crate) const HUNG_US: u64 = 3_600_000_000;
