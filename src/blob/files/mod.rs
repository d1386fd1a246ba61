//! Blobs as files: the engine of a single machine.
//!
//! A blob is one file under its final, never-reused name, `<directory>/<32 hex digits>`, body first and footer behind it.
//! A file without reference is garbage whatever it holds, so nothing is ever renamed: a crash leaves an orphan for the
//! sweeper, not a half blob that somebody points at. Small blobs share files instead ([`pack`]): the same holds for them.
//!
//! Everything that may wait for a disk runs on tokio's blocking threads. The exceptions are reads that the kernel answers
//! from memory or not at all (`RWF_NOWAIT`, `RESOLVE_CACHED`).

mod buffers;
mod cached;
mod draft;
mod footers;
mod layout;
mod listing;
mod output;
mod pack;
mod reader;
mod run;
mod small;
mod sync;
mod tree;
mod writer;

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use rustix::fs::{Advice, FlockOperation, fadvise, flock, statvfs};
use rustix::io::Errno;
use serde::Deserialize;

use self::buffers::Buffers;
use self::footers::Footers;
use self::layout::Layout;
use self::listing::Listing;
use self::pack::{Packs, Place};
use self::reader::FileReader;
use self::small::SmallWriter;
use self::sync::Syncs;
pub use self::tree::{BlobTree, Scrutiny};
use self::writer::FileWriter;
use super::{BlobId, BlobReader, BlobRef, BlobWriter, Blobs, Error, Space};

/// How [`FileBlobs`] uses memory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How many bytes of decoded footers are kept, so that ranged reads need not read them again.
    pub footer_cache_bytes: u64,
    /// How many bytes of idle read buffers are kept for the next reads.
    pub idle_buffer_bytes: u64,
    /// Blobs that are announced with up to this many bytes share files; 0: each blob has a file of its own.
    pub pack_threshold: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { footer_cache_bytes: 16 << 20, idle_buffer_bytes: 16 << 20, pack_threshold: 256 << 10 }
    }
}

/// An engine that keeps each blob in a file of its own.
pub struct FileBlobs {
    shared: Arc<Shared>,
    /// The root directory, locked while the engine is open.
    _lock: File,
}

/// What writers and readers share with their engine.
struct Shared {
    layout: Layout,
    run: u64,
    /// The number of the next blob in a file of its own.
    next: AtomicU64,
    packs: Packs,
    syncs: Syncs,
    listing: Listing,
    footers: Footers,
    buffers: Arc<Buffers>,
}

impl FileBlobs {
    /// Opens the blobs under `root`, which is made if need be, and begins a new run. Blocks.
    ///
    /// Fails where another engine has `root` open, and where blobs exist but the run counter is lost (a new counter could
    /// give out ids again).
    pub fn open(root: &Path, options: Options) -> Result<Self, Error> {
        let layout = Layout::prepare(root).map_err(|error| at(root, &error))?;
        let lock = lock(root)?;
        let run = run::begin(&layout)?;
        let packs = Packs::open(&layout.packs(), run, options.pack_threshold);
        let shared = Shared {
            layout,
            run,
            next: AtomicU64::new(0),
            packs,
            syncs: Syncs::new(),
            listing: Listing::default(),
            footers: Footers::new(options.footer_cache_bytes),
            buffers: Arc::new(Buffers::new(options.idle_buffer_bytes)),
        };
        pack::remove_empty(&shared).map_err(|error| at(root, &error))?;
        Ok(Self { shared: Arc::new(shared), _lock: lock })
    }
}

fn lock(root: &Path) -> Result<File, Error> {
    let directory = File::open(root)?;
    match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(directory),
        Err(Errno::WOULDBLOCK) => {
            Err(at(root, &io::Error::new(io::ErrorKind::ResourceBusy, "in use by another engine")))
        }
        Err(error) => Err(at(root, &error.into())),
    }
}

/// Says where it happened, for the operator who gave the path.
fn at(path: &Path, error: &io::Error) -> Error {
    Error::Io(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

#[async_trait]
impl Blobs for FileBlobs {
    async fn create(&self, length: Option<u64>) -> Result<Box<dyn BlobWriter>, Error> {
        self.shared.syncs.check()?;
        let shared = self.shared.clone();
        if length.is_some_and(|length| length <= shared.packs.threshold()) && shared.packs.threshold() > 0 {
            return Ok(Box::new(SmallWriter::new(shared)));
        }
        Ok(Box::new(FileWriter::create(shared, length).await?))
    }

    async fn read(&self, blob: BlobRef, range: Range<u64>) -> Result<Box<dyn BlobReader>, Error> {
        Ok(Box::new(FileReader::open(self.shared.clone(), blob, range).await?))
    }

    async fn delete(&self, id: BlobId) -> Result<(), Error> {
        let shared = self.shared.clone();
        blocking(move || {
            shared.footers.forget(id);
            // No sync: if a power loss brings the blob back, it is an unreferenced one of an earlier run, and the sweeper
            // removes it again.
            pack::remove(&shared, id)
        })
        .await
    }

    async fn quarantine(&self, id: BlobId) -> Result<(), Error> {
        let shared = self.shared.clone();
        blocking(move || {
            shared.footers.forget(id);
            pack::quarantine(&shared, id).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Error::Missing(id),
                _ => error.into(),
            })
        })
        .await
    }

    async fn forget_cached(&self, id: BlobId) {
        let shared = self.shared.clone();
        let forgetting = tokio::task::spawn_blocking(move || {
            shared.footers.forget(id);
            // Whatever fails here, the read that follows tells.
            if let Ok(place) = Place::open(&shared.layout, id, |path| File::open(path)) {
                let bytes = place.bytes();
                let length = NonZeroU64::new(bytes.end - bytes.start);
                let _ = fadvise(&place.file, bytes.start, length, Advice::DontNeed);
            }
        });
        let _ = forgetting.await;
    }

    /// Collects the names of one directory at a time: at most 4096 ids beside the page.
    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobId>, Error> {
        let shared = self.shared.clone();
        blocking(move || {
            let created = shared.next.load(Ordering::Relaxed);
            let current = BlobId { run: shared.run, number: created };
            let mut page = shared.listing.page(&shared.layout, current, after, limit)?;
            let last = page.last().copied().filter(|_| page.len() == limit);
            page.extend(pack::page(&shared.layout, after, last, limit)?);
            page.sort_unstable();
            page.truncate(limit);
            Ok(page)
        })
        .await
    }

    async fn space(&self) -> Result<Space, Error> {
        let shared = self.shared.clone();
        blocking(move || {
            let volume = statvfs(shared.layout.root()).map_err(io::Error::from)?;
            let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize);
            Ok(Space { free: bytes(volume.f_bavail), total: bytes(volume.f_blocks) })
        })
        .await
    }

    fn writable(&self) -> Result<(), Error> {
        self.shared.syncs.check()
    }

    fn run(&self) -> u64 {
        self.shared.run
    }
}

/// Runs `work` on a thread that may block. It runs to its end even if the future is dropped.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    unless_stopped(tokio::task::spawn_blocking(work).await)
}

/// Turns the end of a blocking task that never ran, because the runtime shut down, into an error.
fn unless_stopped<T>(outcome: Result<Result<T, Error>, tokio::task::JoinError>) -> Result<T, Error> {
    outcome.unwrap_or_else(|stopped| Err(Error::Io(io::Error::other(stopped))))
}

#[cfg(test)]
mod tests;
