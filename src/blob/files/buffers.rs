//! Read buffers that are used again: neither allocated nor zeroed for every chunk.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::super::BLOCK_BYTES;

/// The size of a buffer and the most that one read takes: small enough that checksums find the bytes in the cache.
pub(super) const BUFFER_BYTES: u64 = 4 * BLOCK_BYTES;

/// Idle buffers, up to a bound; beyond it they are freed.
#[derive(Debug)]
pub(super) struct Buffers {
    most: usize,
    idle: Mutex<Vec<Vec<u8>>>,
}

/// A buffer on loan, of up to [`BUFFER_BYTES`] bytes. It holds what its last user left in it.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    length: usize,
    home: Arc<Buffers>,
}

impl Buffers {
    /// Keeps up to `idle_bytes` bytes of idle buffers.
    pub(super) fn new(idle_bytes: u64) -> Self {
        let most = usize::try_from(idle_bytes / BUFFER_BYTES).unwrap_or(usize::MAX);
        Self { most, idle: Mutex::new(Vec::new()) }
    }

    /// Lends a buffer of `length` bytes, at most [`BUFFER_BYTES`]. A small one is made to measure, lest a slow receiver of
    /// a few bytes holds a whole buffer.
    pub(super) fn lend(self: &Arc<Self>, length: usize) -> Buffer {
        let small = length as u64 <= BLOCK_BYTES;
        let idle = if small { None } else { self.idle.lock().pop() };
        let bytes = idle.unwrap_or_else(|| vec![0; if small { length } else { BUFFER_BYTES as usize }]);
        Buffer { length: length.min(bytes.len()), bytes, home: self.clone() }
    }
}

impl Buffer {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }

    /// Gives the bytes in `range` without copying; the buffer goes home when the last clone is dropped.
    pub(super) fn freeze(self, range: Range<usize>) -> Bytes {
        Bytes::from_owner(self).slice(range)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.len() as u64 != BUFFER_BYTES {
            return;
        }
        let mut idle = self.home.idle.lock();
        if idle.len() < self.home.most {
            idle.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_home_up_to_the_bound() {
        let buffers = Arc::new(Buffers::new(2 * BUFFER_BYTES));
        let length = BLOCK_BYTES as usize + 1;
        let lent: Vec<_> = (0..3).map(|_| buffers.lend(length).freeze(2..length)).collect();
        assert!(lent.iter().all(|bytes| bytes.len() == length - 2));
        assert_eq!(buffers.idle.lock().len(), 0);
        let clone = lent[0].clone();
        drop(lent);
        assert_eq!(buffers.idle.lock().len(), 2);
        drop((buffers.lend(length), clone));
        assert_eq!(buffers.idle.lock().len(), 2);
    }

    #[test]
    fn small_buffers_are_made_to_measure() {
        let buffers = Arc::new(Buffers::new(BUFFER_BYTES));
        let small = buffers.lend(100);
        assert_eq!((small.bytes.len(), small.bytes().len()), (100, 100));
        drop(small);
        assert_eq!(buffers.idle.lock().len(), 0);
    }
}
