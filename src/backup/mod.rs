//! Copies of a data directory: made while a server works on it, consistent all the same, and put back later.
//!
//! ```text
//! BACKUP/brim-backup.json   the manifest, written last: what has none is no backup
//! BACKUP/kv/                a checkpoint of the metadata engine
//! BACKUP/blobs/             every blob that the checkpoint points at, laid out as in a data directory
//! BACKUP/master.key         what secrets are encrypted with, where it was asked for
//! BACKUP/credentials        the root key, where it was asked for
//! ```
//!
//! # Why a backup is a state that existed
//!
//! 1. **A pin** stops the removal of blobs.
//! 2. **The checkpoint** is the metadata at one moment.
//! 3. **The blobs** that the checkpoint points at are linked or copied.
//! 4. Everything is synced, and the pin goes. If it was lost before, what was missing may have been swept: that is an
//!    error, not damage.
//! 5. The **manifest** is written.
//!
//! - *Every record of the checkpoint has its blobs.* A commit that points at a blob begins when the blob is durable under
//!   its final name, in either durability mode. So a blob of the checkpoint was there when the checkpoint was made; and it
//!   is not removed before it was copied, because of the pin (`store::pin` says why none slips through).
//! - *Commits under way* are in the checkpoint whole or not at all, and every commit that was answered before it is in it.
//!   In `relaxed` mode that goes for what was not synced yet, too: the checkpoint is made of what reads see.
//! - *Blobs are immutable*, and an id is never given to another one. So it does not matter when a blob is copied, nor what
//!   became of its object; and a file of the right size with the right footer is that blob, wherever it was found.
//! - *Blobs that are being written*, and those whose commit is not in the checkpoint, are not copied: nothing points at
//!   them. *Promises* of room and *leases* of readers are the server's own and end with it.
//! - *Open uploads* are copied with their parts: a client can go on with an upload whose parts were all there.
//! - *Sweep-queue rows* are copied as they are. A restored store goes on sweeping; a target that was not copied, as nothing
//!   pointed at it, counts as removed. *Orphans* stay behind.
//! - *Inline bytes, keys and the change log* are rows like any other.

mod kv_files;
mod manifest;
mod transfer;

use std::io;
use std::path::{Path, PathBuf};

pub use kv_files::{KvFile, copy_in, copy_out};
pub use manifest::{BlobTotals, FORMAT, LogHead, MANIFEST, Manifest, Secrets};
pub use transfer::{Base, Placed, Transfer};

use crate::report::Stopped;
use crate::{blob, store};

/// Why a backup was not made, or not put back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{0} is no backup, or one that was not finished: it has no brim-backup.json")]
    NoManifest(PathBuf),
    #[error("{path} has format {format}: a newer brim made this backup; this one reads formats up to {FORMAT}")]
    Newer { path: PathBuf, format: u32 },
    #[error("{0} is damaged")]
    DamagedManifest(PathBuf),
    /// A file of the metadata is not what was backed up. There is nothing to be had from the rest.
    #[error("{0} is not what was backed up: restore another backup")]
    DamagedFile(PathBuf),
    #[error("{} missing or damaged", blobs(*.0))]
    DamagedBlobs(u64),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("cannot copy blobs: {0}")]
    Blob(#[from] blob::Error),
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Error {
    /// An error at `path`, for `map_err`.
    pub fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

fn blobs(count: u64) -> String {
    if count == 1 { "1 blob is".to_owned() } else { format!("{count} blobs are") }
}
