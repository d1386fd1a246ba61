//! Which files there are: what the disk tier finds them by, in memory. What is evicted here is unlinked by the keeper.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::HeaderMap;
use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync;
use parking_lot::Mutex;

use super::super::memory::Key;
use super::super::purge::Footing;
use super::super::variants::{Variant, Variants, Variation};
use crate::clock::Timestamp;

/// Sizes are counted in blocks of this many bytes, as file systems do.
const BLOCK: u64 = 4096;

/// A file, and what purges go by.
#[derive(Debug)]
pub(in super::super) struct FileEntry {
    pub name: u128,
    /// In bytes.
    pub length: u64,
    pub footing: Footing,
    pub response_time: Timestamp,
    pub retained_until: Timestamp,
    /// Whether the file itself says that it was softly purged.
    pub softened: AtomicBool,
}

type Files = Arc<Variants<Arc<FileEntry>>>;

#[derive(Debug)]
pub(in super::super) struct Catalog {
    files: sync::Cache<Key, Files>,
    /// Files that the catalog has no more, to be unlinked unless it has them again.
    loose: Arc<Mutex<Vec<Loose>>>,
    /// Held while something is taken out until it is among the loose ones.
    leaving: Mutex<()>,
    /// While files of an earlier run are still to be found: the hashes of keys of which they must not be used any more.
    outdated: Mutex<Option<HashSet<u64>>>,
    hasher: RandomState,
    evicted: Arc<AtomicU64>,
}

/// A file that was taken out of the catalog.
#[derive(Debug, Clone)]
pub(super) struct Loose {
    pub key: Key,
    pub name: u128,
}

impl Catalog {
    /// A catalog of files of at most `capacity` bytes, of which the least recently used ones go first.
    pub fn new(capacity: u64) -> Self {
        let loose: Arc<Mutex<Vec<Loose>>> = Arc::default();
        let evicted: Arc<AtomicU64> = Arc::default();
        let (evicted_files, evicted_count) = (loose.clone(), evicted.clone());
        let files = sync::Cache::builder()
            .max_capacity(capacity / BLOCK)
            .weigher(|_, files: &Files| {
                u32::try_from(files.iter().map(|file| blocks(file)).sum::<u64>()).unwrap_or(u32::MAX)
            })
            .eviction_policy(EvictionPolicy::lru())
            .eviction_listener(move |key: Arc<Key>, files: Files, cause| {
                if cause.was_evicted() {
                    evicted_count.fetch_add(1, Ordering::Relaxed);
                    evicted_files
                        .lock()
                        .extend(files.iter().map(|file| Loose { key: Key::clone(&key), name: file.name }));
                }
            })
            .build();
        let outdated = Mutex::new(Some(HashSet::new()));
        Self { files, loose, leaving: Mutex::default(), outdated, hasher: RandomState::new(), evicted }
    }

    pub fn choose(&self, key: &Key, headers: &HeaderMap) -> Option<Arc<Variant<Arc<FileEntry>>>> {
        self.files.get(key)?.choose(headers).cloned()
    }

    pub fn has_key(&self, key: &Key) -> bool {
        self.files.contains_key(key)
    }

    /// Whether this very entry is still there.
    pub fn has(&self, key: &Key, file: &Arc<FileEntry>) -> bool {
        self.files.get(key).is_some_and(|files| files.iter().any(|other| Arc::ptr_eq(other, file)))
    }

    /// Whether a file of this name is there.
    pub fn has_name(&self, key: &Key, name: u128) -> bool {
        self.files.get(key).is_some_and(|files| files.iter().any(|file| file.name == name))
    }

    /// Adds a file, in place of the one of its variation. What is too much then goes with [`Self::evict`].
    pub fn insert(&self, key: &Key, variation: Variation, file: Arc<FileEntry>) {
        let _leaving = self.leaving.lock();
        let mut before = None;
        self.files.entry(key.clone()).and_upsert_with(|old| {
            before = old.map(moka::Entry::into_value);
            Arc::new(match &before {
                Some(files) => files.with(&variation, file, u64::MAX, |file| file.length),
                None => Variants::new(variation, file),
            })
        });
        if let Some(before) = before {
            self.loosen(key, before.iter());
        }
    }

    /// Adds a file of an earlier run, unless something came since that removes or replaces what is stored for its key. False
    /// where the file must not be used.
    pub fn find(&self, key: &Key, variation: Variation, file: Arc<FileEntry>) -> bool {
        let outdated = self.outdated.lock();
        let usable = outdated.as_ref().is_some_and(|keys| !keys.contains(&self.hasher.hash_one(key)));
        if usable {
            self.insert(key, variation, file);
        }
        usable
    }

    /// Says that all files of an earlier run were found.
    pub fn found(&self) {
        *self.outdated.lock() = None;
    }

    /// Keeps files of a key that were not found yet from being used.
    fn outdate(&self, key: &Key) {
        if let Some(keys) = self.outdated.lock().as_mut() {
            keys.insert(self.hasher.hash_one(key));
        }
    }

    /// Evicts what is too much now.
    pub fn evict(&self) {
        self.files.run_pending_tasks();
    }

    /// Waits until all that left the catalog is among the loose files.
    pub fn settle(&self) {
        drop(self.leaving.lock());
        // Waits for evictions too, which others may be in the middle of.
        self.evict();
    }

    pub fn remove(&self, key: &Key) {
        self.outdate(key);
        let _leaving = self.leaving.lock();
        if let Some(files) = self.files.remove(key) {
            self.loosen(key, files.iter());
        }
    }

    /// Removes the files of which `keep` does not say so.
    pub fn retain(&self, key: &Key, keep: impl Fn(&FileEntry) -> bool) {
        self.filter(key, |_, file| keep(file));
    }

    /// Removes the files that a response of this variation takes the place of.
    pub fn make_way(&self, key: &Key, variation: &Variation) {
        self.outdate(key);
        self.filter(key, |other, _| !variation.is_plain() && !other.is_plain() && other != variation);
    }

    fn filter(&self, key: &Key, keep: impl Fn(&Variation, &FileEntry) -> bool) {
        if !self.files.contains_key(key) {
            return;
        }
        let _leaving = self.leaving.lock();
        let mut before = None;
        self.files.entry(key.clone()).and_compute_with(|old| {
            let Some(files) = old.map(moka::Entry::into_value) else { return Op::Nop };
            let left = files.filtered(|variation, file| keep(variation, file));
            if left.as_ref().is_some_and(|left| left.iter().count() == files.iter().count()) {
                return Op::Nop;
            }
            before = Some(files);
            left.map_or(Op::Remove, |left| Op::Put(Arc::new(left)))
        });
        if let Some(before) = before {
            // Those that stay are not unlinked: their names are in use.
            self.loosen(key, before.iter());
        }
    }

    fn loosen<'f>(&self, key: &Key, files: impl Iterator<Item = &'f Arc<FileEntry>>) {
        self.loose.lock().extend(files.map(|file| Loose { key: key.clone(), name: file.name }));
    }

    /// Takes the files that were taken out. Those whose names are in use again must not be unlinked.
    pub(super) fn take_loose(&self) -> Vec<Loose> {
        let loose = std::mem::take(&mut *self.loose.lock());
        loose.into_iter().filter(|file| !self.has_name(&file.key, file.name)).collect()
    }

    /// Puts a file back that could not be unlinked, to be tried again.
    pub(super) fn put_loose(&self, loose: Loose) {
        self.loose.lock().push(loose);
    }

    pub fn iter(&self) -> impl Iterator<Item = (Arc<Key>, Files)> {
        self.files.iter()
    }

    /// Bytes, by what file systems give to files of their lengths.
    pub fn bytes(&self) -> u64 {
        self.files.weighted_size() * BLOCK
    }

    pub fn len(&self) -> u64 {
        self.files.entry_count()
    }

    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }
}

fn blocks(file: &FileEntry) -> u64 {
    file.length.div_ceil(BLOCK)
}
