//! The disk tier.

use std::path::PathBuf;

use bytes::Bytes;

/// Where the disk tier is and how large it may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskOptions {
    /// A directory of its own, made where it is missing.
    pub path: PathBuf,
    /// The most bytes of its files together.
    pub capacity: u64,
}

/// What went wrong with the disk tier.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    #[error("another process uses the cache directory {0}")]
    InUse(PathBuf),
    #[error("the cache directory {0} cannot be used")]
    Directory(PathBuf, #[source] std::io::Error),
    #[error("the file is gone")]
    Gone,
    #[error("the file is corrupt")]
    Corrupt,
    #[error("the file cannot be read")]
    Read(#[source] std::io::Error),
    #[error("the purge is in force, but could not be recorded on disk")]
    NotRecorded,
}

/// A body in a file of the disk tier.
#[derive(Debug)]
pub struct DiskBody {
    length: u64,
}

/// A file of the disk tier opened for reading: it stays readable when it is evicted meanwhile.
#[derive(Debug)]
pub struct DiskReader {}

impl DiskBody {
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Opens the file, on a blocking thread.
    ///
    /// # Errors
    /// [`DiskError::Gone`] where it was evicted or purged: the response counts as not stored.
    pub async fn open(&self) -> Result<DiskReader, DiskError> {
        Err(DiskError::Gone)
    }
}

impl DiskReader {
    /// The verified bytes of the body from `offset` on, at most one block of them; empty at the end. On a blocking thread.
    ///
    /// # Errors
    /// [`DiskError::Corrupt`] where they are not what was written; nothing of the block is given then.
    pub async fn read(&self, _offset: u64) -> Result<Bytes, DiskError> {
        Err(DiskError::Gone)
    }
}
