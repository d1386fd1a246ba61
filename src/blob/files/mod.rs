//! Blobs as files: the engine of a single machine.
//!
//! A blob is one file under its final, never-reused name, `<directory>/<32 hex digits>`, body first and footer behind it.
//! A file without reference is garbage whatever it holds, so nothing is ever renamed: a crash leaves an orphan for the
//! sweeper, not a half blob that somebody points at.
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
mod reader;
mod run;
mod sync;
mod tree;
mod writer;

use std::fs::File;
use std::io;
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
use self::reader::FileReader;
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
}

impl Default for Options {
    fn default() -> Self {
        Self { footer_cache_bytes: 16 << 20, idle_buffer_bytes: 16 << 20 }
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
    /// The number of the next blob.
    next: AtomicU64,
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
        let shared = Shared {
            layout,
            run,
            next: AtomicU64::new(0),
            syncs: Syncs::new(),
            listing: Listing::default(),
            footers: Footers::new(options.footer_cache_bytes),
            buffers: Arc::new(Buffers::new(options.idle_buffer_bytes)),
        };
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
        let id = BlobId { run: self.shared.run, number: self.shared.next.fetch_add(1, Ordering::Relaxed) };
        Ok(Box::new(FileWriter::create(self.shared.clone(), id, length).await?))
    }

    async fn read(&self, blob: BlobRef, range: Range<u64>) -> Result<Box<dyn BlobReader>, Error> {
        Ok(Box::new(FileReader::open(self.shared.clone(), blob, range).await?))
    }

    async fn delete(&self, id: BlobId) -> Result<(), Error> {
        let shared = self.shared.clone();
        blocking(move || {
            shared.footers.forget(id);
            // No directory sync: if a power loss brings the file back, it is an unreferenced blob of an earlier run, and
            // the sweeper removes it again.
            match std::fs::remove_file(shared.layout.path(id)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn quarantine(&self, id: BlobId) -> Result<(), Error> {
        let shared = self.shared.clone();
        blocking(move || {
            shared.footers.forget(id);
            shared.layout.quarantine(id).map_err(|error| match error.kind() {
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
            if let Ok(file) = File::open(shared.layout.path(id)) {
                let _ = fadvise(&file, 0, None, Advice::DontNeed);
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
            Ok(shared.listing.page(&shared.layout, current, after, limit)?)
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
