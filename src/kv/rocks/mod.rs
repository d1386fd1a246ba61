//! The store on RocksDB.
//!
//! One thread, the committer, owns all writes: it drains the queue of waiting commits, checks their expectations,
//! merges them into one write batch, writes that with one sync of the write-ahead log, and answers all. That is group
//! commit and linearizable compare-and-write without a lock. Reads try memory on the calling thread, and hop to a
//! blocking thread only where the disk is needed: a hop costs more than a cached read.

mod aside;
mod batch;
mod committer;
mod gauges;
mod open;
mod options;
mod queue;
mod read;
mod resident;
mod slot;
#[cfg(test)]
mod tests;
mod wal;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use self::committer::Committer;
pub use self::gauges::Gauges;
use self::open::{Database, check_tables_of};
pub use self::options::{Durability, RocksOptions};
use self::queue::Queue;
use self::read::{ReadError, Tier};
use self::slot::Slot;
use super::{Commit, CommitError, Committed, Error, Kv, Page, Scan, Table};

/// The most items that a scan may ask for to be tried on the calling thread: about 0.3 ms when each is a group.
const INLINE_SCAN_ITEMS: usize = 64;

/// A store in one directory of RocksDB files.
///
/// After a failed write it only reads: until it is opened again, or, where the disk was full, until there is room and it
/// has opened its files anew by itself.
///
/// Must be used within a tokio runtime. Dropping it finishes the queued commits, syncs them and blocks until that is
/// done. The directory stays locked until the last read in flight has ended.
pub struct RocksKv {
    slot: Arc<Slot>,
    queue: Arc<Queue>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

impl RocksKv {
    /// Opens the store in `path`, or makes one; blocks while the write-ahead log is replayed.
    ///
    /// # Errors
    /// A directory that holds tables which are not in `tables` (a newer version's), that is open already, or that is
    /// damaged is refused; nothing is repaired or skipped.
    pub fn open(path: &Path, options: RocksOptions, tables: &[Table]) -> Result<Self, Error> {
        let durability = options.durability;
        let slot = Arc::new(Slot::open(path, options, tables)?);
        let queue = Arc::new(Queue::new());
        let committer = Committer::new(Arc::clone(&slot), Arc::clone(&queue), durability)?;
        let thread = std::thread::Builder::new()
            .name("kv-committer".to_owned())
            .spawn(move || committer.run())
            .map_err(|error| Error::Engine(format!("no thread for commits: {error}")))?;
        Ok(Self { slot, queue, committer: Mutex::new(Some(thread)) })
    }

    /// Opens the copy in `path` for reading alone: nothing in it is changed, and every commit gets [`Error::ReadOnly`].
    /// Blocks.
    ///
    /// # Errors
    /// A directory that no store made, of a newer version, without one of `tables`, or that is damaged is refused.
    pub fn open_read_only(path: &Path, options: RocksOptions, tables: &[Table]) -> Result<Self, Error> {
        let slot = Arc::new(Slot::open_read_only(path, options, tables)?);
        let queue = Arc::new(Queue::new());
        queue.fail("it was opened for reading alone".to_owned());
        Ok(Self { slot, queue, committer: Mutex::new(None) })
    }

    /// Finishes the queued commits and syncs them; blocks until that is done. Later commits get [`Error::Closed`].
    pub fn close(&self) {
        self.queue.close();
        if let Some(thread) = self.committer.lock().take() {
            // A committer that panicked has marked the queue as failed; there is nothing left to hear from it.
            let _ = thread.join();
        }
    }
}

impl Drop for RocksKv {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for RocksKv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocksKv").field("path", &self.slot.path()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Kv for RocksKv {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
        match self.read_in_memory(|database| database.get(table, key, Tier::Memory)) {
            Err(ReadError::NeedsDisk) => {}
            found => return Ok(found?),
        }
        let key = key.to_vec();
        self.read_from_disk(move |database| database.get(table, &key, Tier::Disk)).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page, Error> {
        if scan.limit <= INLINE_SCAN_ITEMS {
            match self.read_in_memory(|database| database.scan(&scan, Tier::Memory)) {
                Err(ReadError::NeedsDisk) => {}
                found => return Ok(found?),
            }
        }
        self.read_from_disk(move |database| database.scan(&scan, Tier::Disk)).await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        check_tables_of(&commit, self.slot.tables())?;
        self.queue.submit(commit).await
    }

    fn writable(&self) -> Result<(), Error> {
        self.queue.check()
    }
}

impl RocksKv {
    /// Reads on the calling thread, unless the database is being opened anew.
    fn read_in_memory<T>(&self, read: impl FnOnce(&Database) -> Result<T, ReadError>) -> Result<T, ReadError> {
        match self.slot.try_read() {
            Some(database) => read(&*database?),
            None => Err(ReadError::NeedsDisk),
        }
    }

    async fn read_from_disk<T, F>(&self, read: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Database) -> Result<T, ReadError> + Send + 'static,
    {
        let slot = Arc::clone(&self.slot);
        let reading = tokio::task::spawn_blocking(move || read(&*slot.read()?));
        // The task is lost only when the runtime shuts down, or by a panic, which has been reported by then.
        let found = reading.await.map_err(|_| Error::Closed)?;
        Ok(found?)
    }
}
