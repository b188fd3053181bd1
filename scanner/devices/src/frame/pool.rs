//! Buffers that come back: a frame's bytes return to the pool they were taken from, through a channel, from any thread.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

/// Buffers kept for reuse. A lane has one in the camera, one waiting and one under the eye; the rest is for bursts.
const KEPT: usize = 4;

/// Where buffers come from and go back to.
#[derive(Debug)]
pub struct Pool {
    returned: Receiver<Vec<u8>>,
    back: SyncSender<Vec<u8>>,
}

/// Bytes on loan from a pool.
#[derive(Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    back: Option<SyncSender<Vec<u8>>>,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new() -> Pool {
        let (back, returned) = sync_channel(KEPT);
        Pool { returned, back }
    }

    /// A buffer of `length` bytes, holding whatever it held before.
    #[must_use]
    pub fn take(&self, length: usize) -> Buffer {
        let mut bytes = self.returned.try_recv().unwrap_or_default();
        bytes.resize(length, 0);
        Buffer { bytes, back: Some(self.back.clone()) }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes that belong to no pool.
impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Buffer { bytes, back: None }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(back) = self.back.take() {
            // A full or abandoned pool has no use for it.
            let _ = back.try_send(std::mem::take(&mut self.bytes));
        }
    }
}

/// Length only: the bytes may show a face.
impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_the_next_one_taken() {
        let pool = Pool::new();
        let first = pool.take(1000);
        let place = first.as_ptr();
        std::thread::spawn(move || drop(first)).join().expect("no panic");
        assert_eq!(pool.take(900).as_ptr(), place);
    }

    #[test]
    fn a_buffer_outlives_its_pool() {
        let buffer = Pool::new().take(10);
        assert_eq!(buffer.len(), 10);
    }
}
