//! Blobs in memory, for tests: gone with the last engine that shares them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use super::{BLOCK_BYTES, BlobId, BlobReader, BlobRef, BlobWriter, Blobs, Error, Footer, FooterBuilder, Space};

const DEFAULT_CAPACITY: u64 = 1 << 40;
const CHUNK_BYTES: u64 = 4 * BLOCK_BYTES;

/// An engine that keeps blobs in memory.
#[derive(Debug)]
pub struct MemoryBlobs {
    run: u64,
    next: AtomicU64,
    shelf: Arc<Mutex<Shelf>>,
}

/// What survives a reopening.
#[derive(Debug)]
struct Shelf {
    capacity: u64,
    used: u64,
    blobs: BTreeMap<BlobId, Stored>,
    quarantined: BTreeMap<BlobId, Stored>,
}

#[derive(Debug, Clone, Default)]
struct Stored {
    body: Bytes,
    footer: Bytes,
}

struct MemoryWriter {
    id: BlobId,
    body: BytesMut,
    footer: FooterBuilder,
    shelf: Arc<Mutex<Shelf>>,
    finished: bool,
}

struct MemoryReader {
    blob: BlobRef,
    stored: Stored,
    position: u64,
    end: u64,
}

impl MemoryBlobs {
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// An engine that is full when its blobs, finished and unfinished, hold `bytes` bytes.
    pub fn with_capacity(bytes: u64) -> Self {
        let shelf = Shelf { capacity: bytes, used: 0, blobs: BTreeMap::new(), quarantined: BTreeMap::new() };
        Self { run: 1, next: AtomicU64::new(0), shelf: Arc::new(Mutex::new(shelf)) }
    }

    /// Gives the next process run's engine over the same blobs.
    pub fn reopen(&self) -> Self {
        Self { run: self.run + 1, next: AtomicU64::new(0), shelf: self.shelf.clone() }
    }

    /// How many blobs there are, finished and unfinished.
    pub fn len(&self) -> usize {
        self.shelf.lock().blobs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bodies in quarantine.
    pub fn quarantined(&self) -> Vec<Bytes> {
        self.shelf.lock().quarantined.values().map(|stored| stored.body.clone()).collect()
    }

    /// Changes one bit in the middle of a blob's body (of its footer, if the body is empty). Whether the blob exists.
    pub fn corrupt(&self, id: BlobId) -> bool {
        let middle = self.shelf.lock().blobs.get(&id).map(|stored| stored.body.len() as u64 / 2);
        middle.is_some_and(|at| self.flip(id, at))
    }

    /// Changes one bit of the byte at `at`, counting through body and footer. Whether there is such a byte.
    pub fn flip(&self, id: BlobId, at: u64) -> bool {
        self.edit(id, |bytes| match usize::try_from(at).ok().and_then(|at| bytes.get_mut(at)) {
            Some(byte) => {
                *byte ^= 1;
                true
            }
            None => false,
        })
    }

    /// Cuts body and footer together down to `bytes`. Whether the blob exists.
    pub fn truncate(&self, id: BlobId, bytes: u64) -> bool {
        self.edit(id, |all| {
            all.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
            true
        })
    }

    fn edit(&self, id: BlobId, change: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        let mut shelf = self.shelf.lock();
        let Some(stored) = shelf.blobs.get_mut(&id) else { return false };
        let mut all = [&stored.body[..], &stored.footer].concat();
        let changed = change(&mut all);
        let mut all = Bytes::from(all);
        stored.footer = all.split_off(stored.body.len().min(all.len()));
        stored.body = all;
        changed
    }
}

impl Default for MemoryBlobs {
    fn default() -> Self {
        Self::new()
    }
}

impl Shelf {
    fn reserve(&mut self, bytes: u64) -> Result<(), Error> {
        if self.capacity - self.used < bytes {
            return Err(Error::Full);
        }
        self.used += bytes;
        Ok(())
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn create(&self, _length: Option<u64>) -> Result<Box<dyn BlobWriter>, Error> {
        let id = BlobId { run: self.run, number: self.next.fetch_add(1, Ordering::Relaxed) };
        self.shelf.lock().blobs.insert(id, Stored::default());
        let (body, footer, shelf) = (BytesMut::new(), FooterBuilder::new(), self.shelf.clone());
        Ok(Box::new(MemoryWriter { id, body, footer, shelf, finished: false }))
    }

    async fn read(&self, blob: BlobRef, range: Range<u64>) -> Result<Box<dyn BlobReader>, Error> {
        let stored = self.shelf.lock().blobs.get(&blob.id).cloned().ok_or(Error::Missing(blob.id))?;
        let end = range.end.min(blob.length);
        Ok(Box::new(MemoryReader { blob, stored, position: range.start.min(end), end }))
    }

    async fn delete(&self, id: BlobId) -> Result<(), Error> {
        let mut shelf = self.shelf.lock();
        if let Some(stored) = shelf.blobs.remove(&id) {
            shelf.used -= stored.body.len() as u64;
        }
        Ok(())
    }

    async fn quarantine(&self, id: BlobId) -> Result<(), Error> {
        let mut shelf = self.shelf.lock();
        let stored = shelf.blobs.remove(&id).ok_or(Error::Missing(id))?;
        shelf.quarantined.insert(id, stored);
        Ok(())
    }

    /// There is nothing but memory.
    async fn forget_cached(&self, _id: BlobId) {}

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobId>, Error> {
        let shelf = self.shelf.lock();
        let greater = shelf.blobs.keys().filter(|id| after.is_none_or(|after| **id > after));
        Ok(greater.take(limit).copied().collect())
    }

    async fn space(&self) -> Result<Space, Error> {
        let shelf = self.shelf.lock();
        Ok(Space { free: shelf.capacity - shelf.used, total: shelf.capacity })
    }

    fn writable(&self) -> Result<(), Error> {
        Ok(())
    }

    fn run(&self) -> u64 {
        self.run
    }
}

#[async_trait]
impl BlobWriter for MemoryWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), Error> {
        self.shelf.lock().reserve(chunk.len() as u64)?;
        self.footer.update(&chunk);
        self.body.extend_from_slice(&chunk);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<BlobRef, Error> {
        let length = self.footer.length();
        let (footer, footer_checksum) = std::mem::take(&mut self.footer).finish();
        let stored = Stored { body: std::mem::take(&mut self.body).freeze(), footer: footer.into() };
        self.shelf.lock().blobs.insert(self.id, stored);
        self.finished = true;
        Ok(BlobRef { id: self.id, length, footer_checksum })
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        if !self.finished {
            let mut shelf = self.shelf.lock();
            shelf.used -= self.body.len() as u64;
            shelf.blobs.remove(&self.id);
        }
    }
}

#[async_trait]
impl BlobReader for MemoryReader {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let corrupt = Error::Corrupt(self.blob.id);
        let Ok(footer) = Footer::decode(&self.stored.footer, &self.blob) else { return Err(corrupt) };
        if self.stored.body.len() as u64 != self.blob.length {
            return Err(corrupt);
        }
        if self.position == self.end {
            return Ok(None);
        }
        let first = self.position / BLOCK_BYTES;
        let start = first * BLOCK_BYTES;
        let stop = (start + CHUNK_BYTES).min(self.end);
        let verified = stop.next_multiple_of(BLOCK_BYTES).min(self.blob.length);
        let body = &self.stored.body;
        if !footer.vouches_for(first, &body[start as usize..verified as usize]) {
            return Err(corrupt);
        }
        let bytes = body.slice(self.position as usize..stop as usize);
        self.position = stop;
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn capacity_counts_unfinished_blobs_and_comes_back_with_deletion() {
        let blobs = MemoryBlobs::with_capacity(10);
        let mut writer = blobs.create(None).await.unwrap();
        writer.write(Bytes::from_static(&[0; 8])).await.unwrap();
        let mut other = blobs.create(None).await.unwrap();
        assert!(matches!(other.write(Bytes::from_static(&[0; 3])).await, Err(Error::Full)));
        drop(other);
        assert_eq!(blobs.space().await.unwrap(), Space { free: 2, total: 10 });

        let blob = writer.finish().await.unwrap();
        assert_eq!(blobs.len(), 1);
        blobs.delete(blob.id).await.unwrap();
        assert_eq!(blobs.space().await.unwrap().free, 10);
        assert!(blobs.is_empty());
    }
}
