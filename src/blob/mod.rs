//! Immutable byte strings: the contract that every blob engine keeps.
//!
//! `contract` is this page as tests; every engine runs it. Blobs are opaque: what they mean is the store's affair.

#[cfg(test)]
mod contract;
mod faulty;
mod files;
mod footer;
mod memory;

pub use faulty::{Fault, FaultyBlobs};
pub use files::{BlobTree, FileBlobs, Options, Scrutiny};
pub use footer::{Footer, FooterBuilder, FooterError, footer_bytes};
pub use memory::MemoryBlobs;

use std::fmt;
use std::io;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// How many bytes one checksum covers, and the unit that ranged reads verify.
pub const BLOCK_BYTES: u64 = 64 * 1024;

/// Chunks are written without a copy where their memory begins at a multiple of this and their lengths are multiples too.
pub const WRITE_ALIGNMENT: usize = 4096;

/// A blob's identifier: the number of the process run that wrote it, and a number within that run, in which the engine may
/// say where the blob is. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlobId {
    pub run: u64,
    pub number: u64,
}

/// What is needed to read a blob back and to know that it is the one that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    pub id: BlobId,
    /// The blob's length in bytes, without footer.
    pub length: u64,
    /// The CRC64NVME of the footer, which holds the checksum of every block.
    pub footer_checksum: u64,
}

/// A store of blobs.
#[async_trait]
pub trait Blobs: Send + Sync + 'static {
    /// Begins a blob. `length` is how long it will be, where that is known: a hint for preallocation, not a promise.
    async fn create(&self, length: Option<u64>) -> Result<Box<dyn BlobWriter>, Error>;

    /// Opens the bytes in `range` (clamped to the blob's length) for reading.
    ///
    /// A reader that is open when its blob is deleted may still read it to the end, or may fail; it never gives other
    /// bytes. Callers that must not fail keep the blob from being deleted meanwhile.
    async fn read(&self, blob: BlobRef, range: Range<u64>) -> Result<Box<dyn BlobReader>, Error>;

    /// Removes a blob; removing one that does not exist succeeds. Need not be durable: after a power loss a blob that was
    /// removed may be back.
    async fn delete(&self, id: BlobId) -> Result<(), Error>;

    /// Takes a finished blob out of the store, durably, without destroying its bytes: from here on it is neither listed nor
    /// read. Fails with [`Error::Missing`] where there is none.
    async fn quarantine(&self, id: BlobId) -> Result<(), Error>;

    /// Forgets what memory holds of a blob, as far as the machine allows, so that the next read is one from the disk. Costs
    /// time only, whoever reads it meanwhile.
    async fn forget_cached(&self, id: BlobId);

    /// Gives the blobs with ids greater than `after`, in order, at most `limit`. Unfinished ones may be among them.
    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobId>, Error>;

    /// The bytes still free for blobs and the size of the whole, so that the store can keep a reserve.
    async fn space(&self) -> Result<Space, Error>;

    /// Tells whether blobs are still taken, or the error that every new one would get. Does not block.
    fn writable(&self) -> Result<(), Error>;

    /// The number of the process run: the `run` of every blob written through this engine since it was opened.
    fn run(&self) -> u64;
}

/// A blob being written. Dropped unfinished, it never existed.
#[async_trait]
pub trait BlobWriter: Send {
    /// Adds bytes at the end. The bytes may still be on their way when this returns: their error is then that of the next
    /// call. After an error, or when the future was dropped, the writer can only be dropped.
    async fn write(&mut self, chunk: Bytes) -> Result<(), Error>;

    /// Makes the blob durable, whatever the durability mode, and gives its reference. After an error, or when the future is
    /// dropped before it is done, the blob never existed.
    async fn finish(self: Box<Self>) -> Result<BlobRef, Error>;
}

/// Verified bytes of a blob, in order. Every block is checked before any of its bytes is given out.
#[async_trait]
pub trait BlobReader: Send {
    /// Gives the next bytes (at most 1 MiB, never none), or `None` at the end of the range. The footer is verified even
    /// where the range is empty. After an error the same bytes may be asked for again.
    async fn next(&mut self) -> Result<Option<Bytes>, Error>;
}

/// How much room the blobs' file system has, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub free: u64,
    pub total: u64,
}

/// What went wrong in a blob engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The blob's bytes are not what was written. Nothing of the damaged block was given out.
    #[error("blob {0} is corrupt")]
    Corrupt(BlobId),
    #[error("blob {0} does not exist")]
    Missing(BlobId),
    /// There is no room left. The unfinished blob is gone.
    #[error("no space left for blobs")]
    Full,
    /// A sync failed earlier: the engine takes no more blobs until it is opened again. Reading and deleting go on.
    #[error("blob storage stopped accepting writes: {0}")]
    ReadOnly(String),
    #[error("blob storage")]
    Io(#[source] io::Error),
}

impl From<io::Error> for Error {
    /// Tells a full disk (or quota) from every other cause.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error),
        }
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.run, self.number)
    }
}
