//! Both tiers and the purges that they are subject to: what the cache and its keeper share.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::disk::{Disk, FileEntry, FileError, Meta, file};
use super::keeper::Queue;
use super::memory::{Key, Memory};
use super::passes::Passes;
use super::purge::{Index, Purge, Rule, Standing};
use super::slices::SliceKey;
use super::stored::Stored;
use super::variants::Variation;
use super::{Hit, SliceSet};
use crate::clock::Clock;
use crate::edge::rules::key::PrimaryKey;

#[derive(Debug)]
pub(super) struct Tiers {
    pub clock: Clock,
    pub memory: Memory,
    pub disk: Option<Disk>,
    pub index: Arc<Index>,
    pub passes: Passes,
    pub queue: Queue,
}

impl Tiers {
    /// The disk tier, while it may be used.
    pub fn disk(&self) -> Option<&Disk> {
        self.disk.as_ref().filter(|disk| disk.is_on())
    }

    /// A response of memory, as far as purges left it.
    pub fn hit(&self, key: &PrimaryKey, stored: Arc<Stored>) -> Option<Hit> {
        match self.index.standing(key, stored.footing()) {
            Standing::Gone => {
                self.memory.retain(&Key::Response(key.clone()), |other| !std::ptr::eq(other, &*stored));
                None
            }
            standing => Some(Hit { stored, soft_purged: standing == Standing::Soft }),
        }
    }

    /// Whether purges left a file of the catalog as it was; forgets it otherwise.
    pub fn is_usable(&self, disk: &Disk, key: &Key, file: &Arc<FileEntry>) -> bool {
        let usable = self.index.standing(key.primary(), &file.footing) != Standing::Gone;
        if !usable {
            self.forget_file(disk, key, file);
        }
        usable
    }

    /// Reads the file of a response and puts it into memory; `None` also where that has no room for it. Blocks.
    pub fn load_response(&self, key: &PrimaryKey, variation: &Variation, file: &Arc<FileEntry>) -> Option<Hit> {
        let disk = self.disk()?;
        let tier_key = Key::Response(key.clone());
        // Before it is read: what is being read takes memory too.
        let held = self.memory.reserve(file.length)?;
        let (meta, body) = self.read(disk, &tier_key, variation, file)?;
        let stored = meta.into_stored(body, file.footing.copied());
        let stored = match stored {
            Ok(stored) => Arc::new(stored),
            Err(error) => {
                self.mistrust(disk, &tier_key, file, &error);
                return None;
            }
        };
        drop(held);
        let stored = self.memory.put_back(key, variation, stored)?;
        self.still_there(disk, &tier_key, file, || {
            self.memory.retain(&tier_key, |other| !std::ptr::eq(other, &*stored));
        })?;
        self.hit(key, stored)
    }

    /// Reads the file of a slice and puts it into memory; `None` also where that has no room for it. Blocks.
    pub fn load_slice(&self, set: &Arc<SliceSet>, index: u32, file: &Arc<FileEntry>) -> Option<Bytes> {
        let disk = self.disk()?;
        let range = set.range(index);
        // Before it is read: what is being read takes memory too.
        let held = self.memory.reserve(range.end - range.start)?;
        let slice_key = SliceKey { set: set.clone(), index };
        let key = Key::Slice(slice_key.clone());
        let (_, bytes) = self.read(disk, &key, &Variation::default(), file)?;
        if bytes.len() as u64 != range.end - range.start {
            self.mistrust(disk, &key, file, &FileError::Corrupt);
            return None;
        }
        drop(held);
        let slice = self.memory.put_slice(&slice_key, bytes, file.footing.copied())?;
        let bytes = slice.bytes.clone();
        self.still_there(disk, &key, file, || self.memory.remove(&key))?;
        (self.index.standing(&set.key, &file.footing) != Standing::Gone).then_some(bytes)
    }

    /// Reads and verifies a file, which must be the one that the catalog means.
    fn read(&self, disk: &Disk, key: &Key, variation: &Variation, file: &Arc<FileEntry>) -> Option<(Meta, Bytes)> {
        let read = || {
            let mut opened = file::open(&disk.path_of(file.name), disk.id)?;
            let meta = &opened.meta;
            // Another one of the same name was written meanwhile, or by accident.
            let same = meta.filled_at == file.footing.filled_at() && meta.arrived_at() == file.response_time;
            if !same || meta.variation() != *variation || meta.tier_key() != *key {
                return Err(FileError::Gone);
            }
            let body = opened.read_body()?;
            Ok((opened.meta, body))
        };
        read().inspect_err(|error| self.mistrust(disk, key, file, error)).ok()
    }

    /// Undoes what was made of a file that was taken out of the catalog meanwhile: whoever took it out did so before he looked
    /// into memory, so one of both finds what was put there.
    fn still_there(&self, disk: &Disk, key: &Key, file: &Arc<FileEntry>, undo: impl FnOnce()) -> Option<()> {
        if disk.is_on() && disk.catalog.has(key, file) {
            return Some(());
        }
        undo();
        None
    }

    /// Forgets a file that could not be read.
    fn mistrust(&self, disk: &Disk, key: &Key, file: &Arc<FileEntry>, error: &FileError) {
        if !matches!(error, FileError::Gone) {
            disk.corrupt.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%error, path = %disk.path_of(file.name).display(), "a file of the disk cache is not used");
        }
        self.forget_file(disk, key, file);
    }

    /// Treats everything as purged, because purges may have been lost, and gives the files up.
    pub fn doubt(&self, disk: &Disk) {
        disk.abandon();
        self.index.apply(&[Rule::new(&Purge::everything())], |_| ());
    }

    pub fn forget_file(&self, disk: &Disk, key: &Key, file: &Arc<FileEntry>) {
        disk.catalog.retain(key, |other| !std::ptr::eq(other, &**file));
    }

    /// Forgets what is stored for a key, and what is being written or read for it. In this order: see [`Self::still_there`].
    pub fn remove(&self, key: &Key) {
        if let Some(disk) = &self.disk {
            self.queue.cancel(key, None);
            disk.catalog.remove(key);
        }
        self.memory.remove(key);
    }
}
