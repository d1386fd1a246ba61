//! Finding the files of an earlier run: a few at a time, between writes.

use std::fs::{self, DirEntry, ReadDir};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::disk::{Disk, FILES, FileError, file};
use super::super::purge::{Index, Standing};
use super::super::sequence::Sequence;
use super::super::tiers::Tiers;

/// The extension of a file that is being written.
pub(super) const STAGING: &str = "new";

/// Files that are looked at before waiting work is.
const STEP: usize = 64;

/// Where the search is.
pub(super) struct Loader {
    directories: Vec<PathBuf>,
    open: Option<ReadDir>,
    /// A directory could not be read to its end: there are files that nobody compares with purges.
    missed: bool,
    /// The last purge of the journal. A file that is newer was written by this run, or the journal lost purges.
    latest: Sequence,
    /// Purges up to here were retired: no file that is still there is one that they were about.
    floor: Sequence,
}

impl Loader {
    pub fn new(disk: &Disk, index: &Index) -> Self {
        let (_, latest, floor) = index.snapshot();
        let listed = fs::read_dir(disk.root.join(FILES))
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>());
        let missed = listed.is_err();
        Self { directories: listed.unwrap_or_default(), open: None, missed, latest, floor }
    }

    /// Looks at a few files; true when all were looked at.
    pub fn step(&mut self, tiers: &Tiers, disk: &Disk) -> bool {
        for _ in 0..STEP {
            match self.next_file() {
                Some(entry) => self.look_at(tiers, disk, &entry.path()),
                None => {
                    if self.missed {
                        tracing::error!("the disk cache is given up until the next start: not all files were found");
                        tiers.doubt(disk);
                    }
                    return true;
                }
            }
        }
        false
    }

    fn next_file(&mut self) -> Option<DirEntry> {
        loop {
            match self.open.as_mut().and_then(Iterator::next) {
                Some(Ok(entry)) => return Some(entry),
                Some(Err(_)) => self.missed = true,
                None => {}
            }
            self.open = match fs::read_dir(self.directories.pop()?) {
                Ok(entries) => Some(entries),
                Err(error) => {
                    self.missed |= !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
                    None
                }
            };
        }
    }

    fn look_at(&self, tiers: &Tiers, disk: &Disk, path: &Path) {
        if path.extension().is_some_and(|extension| extension == STAGING) {
            // Left behind by a crash: what this run writes has its name by now.
            return unlink(path);
        }
        let Some(name) =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| u128::from_str_radix(name, 16).ok())
        else {
            return;
        };
        match file::open(path, disk.id) {
            Ok(opened) => self.enter(tiers, disk, path, name, &opened),
            Err(FileError::Gone) => {}
            Err(FileError::Foreign) => unlink(path),
            Err(error) => {
                disk.corrupt.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                tracing::warn!(%error, path = %path.display(), "a file of the disk cache is removed");
                unlink(path);
            }
        }
    }

    fn enter(&self, tiers: &Tiers, disk: &Disk, path: &Path, name: u128, opened: &file::Opened) {
        let key = opened.meta.tier_key();
        if disk.catalog.has_name(&key, name) {
            return;
        }
        if opened.meta.filled_at > tiers.index.latest() {
            tracing::error!("the disk cache is given up until the next start: its journal lost purges");
            return tiers.doubt(disk);
        }
        let entry = Arc::new(opened.meta.entry(opened.length, self.floor, opened.softened));
        let expired = entry.retained_until <= tiers.clock.now();
        let unknown = opened.meta.filled_at > self.latest || entry.name != name;
        if expired || unknown || tiers.index.standing(key.primary(), &entry.footing) == Standing::Gone {
            return unlink(path);
        }
        if !disk.catalog.find(&key, opened.meta.variation(), entry) {
            return unlink(path);
        }
        disk.catalog.evict();
    }
}

fn unlink(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(%error, path = %path.display(), "a file of the disk cache could not be removed");
    }
}
