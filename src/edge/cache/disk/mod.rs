//! The disk tier: one file a response or slice, found by an index in memory that is made anew at every start, and a journal
//! of the purges that files are subject to. Whatever is in doubt is wiped. See `docs/decisions/0034`.

mod catalog;
pub(super) mod file;
mod journal;
pub(super) mod meta;
mod recorder;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::fs::{FlockOperation, flock};
use tokio::sync::Semaphore;

pub(super) use self::catalog::{Catalog, FileEntry};
pub(super) use self::file::{FileError, Meta};
use self::journal::Journal;
pub(super) use self::recorder::Recorder;
use super::purge::Index;

/// How many files are read at once.
const MAX_READS: usize = 64;

/// The most bytes of a body in one file. What is larger and not in slices is kept in memory alone.
pub const MAX_FILE_BODY: u64 = 16 * 1024 * 1024;

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
    #[error("the cache's thread cannot be started")]
    Thread(#[source] io::Error),
    #[error("no random number could be had")]
    Random,
    #[error("the purge is in force, but could not be recorded on disk")]
    NotRecorded,
}

/// The files, their index, and the journal.
#[derive(Debug)]
pub(super) struct Disk {
    pub root: PathBuf,
    /// What files and the journal have in common: a file with another id is of a cache that was wiped.
    pub id: [u8; 16],
    pub catalog: Catalog,
    pub recorder: Recorder,
    pub reads: Arc<Semaphore>,
    pub corrupt: AtomicU64,
    cursor: Mutex<Option<Bytes>>,
    off: Arc<AtomicBool>,
    /// Held as long as the directory is used.
    _lock: File,
}

impl Disk {
    /// Opens the directory and puts the purges of its journal in force. The files are found later, by the keeper.
    pub fn open(options: &DiskOptions, index: &Arc<Index>) -> Result<Self, DiskError> {
        let failed = |error| DiskError::Directory(options.path.clone(), error);
        let root = options.path.clone();
        // Others must not read what may be private.
        DirBuilder::new().recursive(true).mode(0o700).create(root.join(FILES)).map_err(failed)?;
        let lock = File::create(root.join("lock")).map_err(failed)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| DiskError::InUse(root.clone()))?;
        let (journal, cursor) = Self::open_journal(&root, index)?;
        let id = journal.id();
        let off = Arc::new(AtomicBool::new(false));
        let recorder = Recorder::start(journal, cursor.clone(), index.clone(), off.clone()).map_err(failed)?;
        Ok(Self {
            root,
            id,
            catalog: Catalog::new(options.capacity),
            recorder,
            reads: Arc::new(Semaphore::new(MAX_READS)),
            corrupt: AtomicU64::new(0),
            cursor: Mutex::new(cursor),
            off,
            _lock: lock,
        })
    }

    /// The journal with the cursor that was saved last; an empty one, and with it an empty cache, where there is doubt.
    fn open_journal(root: &Path, index: &Index) -> Result<(Journal, Option<Bytes>), DiskError> {
        match Journal::open(root) {
            Ok(Some((journal, state))) => {
                index.restore(&state.rules, state.latest, state.floor);
                return Ok((journal, state.cursor.map(Bytes::from)));
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the disk cache starts empty: its journal cannot be trusted"),
        }
        let mut id = [0; 16];
        aws_lc_rs::rand::fill(&mut id).map_err(|_| DiskError::Random)?;
        let (rules, latest, floor) = index.snapshot();
        let journal = Journal::create(root, id, &rules, latest, floor, None)
            .map_err(|error| DiskError::Directory(root.to_owned(), error))?;
        Ok((journal, None))
    }

    /// Whether files may be used. They may not after the journal could not be written: nobody would know what is purged
    /// after a restart.
    pub fn is_on(&self) -> bool {
        !self.off.load(Ordering::Acquire)
    }

    /// Stops using the files, and sees to it that the next start wipes them.
    pub fn abandon(&self) {
        self.off.store(true, Ordering::Release);
        self.recorder.abandon();
    }

    /// Unlinks the files that the catalog has no more. False where one could not be.
    pub fn unlink_loose(&self) -> bool {
        let mut unlinked = true;
        for loose in self.catalog.take_loose() {
            if !self.succeeded(loose.name, fs::remove_file(self.path_of(loose.name))) {
                self.catalog.put_loose(loose);
                unlinked = false;
            }
        }
        unlinked
    }

    /// Has a file say that it was softly purged. False where that failed.
    pub fn soften(&self, name: u128) -> bool {
        self.succeeded(name, file::soften(&self.path_of(name)))
    }

    fn succeeded(&self, name: u128, outcome: io::Result<()>) -> bool {
        match outcome {
            // A file that is not there is as good as one that was unlinked.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, path = %self.path_of(name).display(), "a file of the disk cache cannot be changed");
                false
            }
            _ => true,
        }
    }

    /// Makes durable what was done to files. False where that failed.
    pub fn sync(&self) -> bool {
        let synced = File::open(&self.root).and_then(|root| Ok(rustix::fs::syncfs(&root)?));
        synced.inspect_err(|error| tracing::warn!(%error, "the disk cache cannot be synced")).is_ok()
    }

    pub fn path_of(&self, name: u128) -> PathBuf {
        let name = format!("{name:032x}");
        self.root.join(FILES).join(&name[..2]).join(name)
    }

    pub fn save_cursor(&self, cursor: Bytes) {
        *self.cursor.lock() = Some(cursor.clone());
        self.recorder.save_cursor(cursor);
    }

    pub fn cursor(&self) -> Option<Bytes> {
        self.cursor.lock().clone()
    }
}

/// The directory of the files, below the cache's.
pub(super) const FILES: &str = "files";
