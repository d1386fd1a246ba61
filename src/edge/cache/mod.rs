//! What the edge stores: responses and slices in memory and on disk, and the purges that they are subject to.
//!
//! Every stored response keeps the number of purges at which its fill began, and no response is given out that a later
//! purge is about: neither one that was found, nor one that is just being stored.

#[cfg(test)]
mod crash;
pub mod disk;
#[cfg(test)]
mod fixtures;
pub mod head;
mod keeper;
#[cfg(test)]
mod load;
mod memory;
#[cfg(test)]
mod model;
mod passes;
pub mod purge;
mod sequence;
mod site;
pub mod slices;
pub mod stored;
mod tags;
#[cfg(test)]
mod tests;
mod tiers;
pub mod variants;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use self::disk::{Catalog, Disk, FileEntry};
pub use self::disk::{DiskError, DiskOptions, MAX_FILE_BODY};
pub use self::head::HeadBlock;
use self::keeper::{Item, Keeper, MANY_RULES, Queue, Write};
use self::memory::{Chosen, Key, Memory};
use self::passes::Passes;
pub use self::purge::{Footing, Purge, Scope, What};
use self::purge::{Index, MAX_RULES, Rule, Standing};
pub use self::sequence::Sequence;
pub use self::site::SiteId;
use self::slices::SliceKey;
pub use self::slices::{SLICE_LENGTH, SliceSet};
pub use self::stored::{Draft, Stored, StoredBody};
pub use self::tags::{MAX_DEPENDENCIES, MAX_SURROGATE_TAGS, Tags, TooManyTags};
use self::tiers::Tiers;
use self::variants::Variant;
pub use self::variants::{MAX_VARIANTS, Variation};
use crate::clock::Clock;
use crate::edge::rules::key::PrimaryKey;
use crate::http::encoding::Coding;

/// The most slices that are forgotten one by one.
const MAX_REMOVED_SLICES: u32 = 65_536;

/// How large the cache may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheOptions {
    /// The most bytes in memory, with what each response costs beside its bytes.
    pub memory: u64,
    pub disk: Option<DiskOptions>,
}

/// The stored responses of one edge.
#[derive(Debug)]
pub struct Cache {
    tiers: Arc<Tiers>,
    _keeper: Keeper,
}

/// What a look for a stored response found.
#[derive(Debug)]
pub enum Found {
    /// Nothing of this key.
    Miss,
    /// Responses of this key, but of other variants.
    VaryMiss,
    Stored(Hit),
    /// A response whose file has yet to be read.
    Disk(DiskCandidate),
}

/// A stored response that no hard purge is about.
#[derive(Debug, Clone)]
pub struct Hit {
    pub stored: Arc<Stored>,
    /// It counts as stale, whatever its age is.
    pub soft_purged: bool,
}

/// A response on disk.
#[derive(Debug)]
pub struct DiskCandidate {
    tiers: Arc<Tiers>,
    key: PrimaryKey,
    variant: Arc<Variant<Arc<FileEntry>>>,
}

/// What a look for a slice found.
#[derive(Debug)]
pub enum FoundSlice {
    Miss,
    Slice(Bytes),
    /// A slice whose file has yet to be read.
    Disk(SliceCandidate),
}

/// A slice on disk.
#[derive(Debug)]
pub struct SliceCandidate {
    tiers: Arc<Tiers>,
    set: Arc<SliceSet>,
    index: u32,
    file: Arc<FileEntry>,
}

/// Why a response is not kept. It can be sent all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    #[error("a purge came while the response was fetched")]
    Purged,
    #[error("there is no room for the response")]
    NoRoom,
}

/// A purge since the given sequence is about the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the response was purged meanwhile")]
pub struct Purged;

/// What the cache holds and what became of it, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes in memory, with what is still being sent.
    pub memory_bytes: u64,
    /// Responses and slices in memory.
    pub memory_entries: u64,
    /// Responses and slices that memory had no room for any more, since the start.
    pub memory_evictions: u64,
    pub disk_bytes: u64,
    pub disk_entries: u64,
    pub disk_evictions: u64,
    /// Writes to disk that were left out because too many waited.
    pub disk_writes_dropped: u64,
    /// Files that were found corrupt.
    pub disk_corrupt: u64,
    /// Purges in force.
    pub purge_rules: u64,
    /// Purges that counted for a whole site, because there were too many.
    pub purge_rules_folded: u64,
}

impl Cache {
    /// Opens the cache with what its disk tier holds, if it has one. Blocks.
    ///
    /// # Errors
    /// [`DiskError`] where the directory cannot be used. What is in doubt there is wiped, which is no error.
    pub fn open(options: CacheOptions, clock: Clock) -> Result<Arc<Self>, DiskError> {
        let index = Arc::new(Index::new(MAX_RULES));
        let disk = options.disk.as_ref().map(|disk| Disk::open(disk, &index)).transpose()?;
        let tiers = Arc::new(Tiers {
            memory: Memory::new(options.memory),
            disk,
            index,
            passes: Passes::new(clock.clone()),
            clock,
            queue: Queue::default(),
        });
        let keeper = Keeper::start(tiers.clone()).map_err(DiskError::Thread)?;
        Ok(Arc::new(Self { tiers, _keeper: keeper }))
    }

    /// The number of the last purge. A fill notes it before it sends its request.
    pub fn sequence(&self) -> Sequence {
        self.tiers.index.latest()
    }

    /// Looks for a stored response that answers a request with these headers. Never blocks.
    pub fn lookup(&self, key: &PrimaryKey, headers: &HeaderMap) -> Found {
        let chosen = self.tiers.memory.choose(key, headers);
        let others = matches!(chosen, Chosen::Other);
        if let Chosen::Stored(stored) = chosen
            && let Some(hit) = self.tiers.hit(key, stored)
        {
            return Found::Stored(hit);
        }
        match self.tiers.disk() {
            Some(disk) => self.lookup_disk(disk, key, headers, others),
            None if others => Found::VaryMiss,
            None => Found::Miss,
        }
    }

    fn lookup_disk(&self, disk: &Disk, key: &PrimaryKey, headers: &HeaderMap, others: bool) -> Found {
        let tier_key = Key::Response(key.clone());
        let Some(variant) = disk.catalog.choose(&tier_key, headers) else {
            return if others || disk.catalog.has_key(&tier_key) { Found::VaryMiss } else { Found::Miss };
        };
        if !self.tiers.is_usable(disk, &tier_key, &variant.item) {
            return if others { Found::VaryMiss } else { Found::Miss };
        }
        Found::Disk(DiskCandidate { tiers: self.tiers.clone(), key: key.clone(), variant })
    }

    /// How a stored response is chosen by requests like one that found it; `None` where it is not in memory any more.
    pub fn variation_of(&self, key: &PrimaryKey, headers: &HeaderMap, stored: &Arc<Stored>) -> Option<Variation> {
        self.tiers.memory.variation_of(key, headers, stored)
    }

    /// Keeps a complete response, in memory at once and on disk in time. It takes the place of what was stored for its
    /// variation; one that does not vary takes the place of all.
    ///
    /// # Errors
    /// [`NotKept`] says why it is not kept. Where there is no room, what was there before may be gone too.
    pub fn store(&self, key: &PrimaryKey, variation: &Variation, stored: &Arc<Stored>) -> Result<(), NotKept> {
        if self.tiers.index.standing(key, stored.footing()) == Standing::Gone {
            return Err(NotKept::Purged);
        }
        if !self.tiers.memory.put(key, variation, stored) {
            return Err(NotKept::NoRoom);
        }
        self.tiers.passes.clear(key);
        self.write(Write {
            key: Key::Response(key.clone()),
            variation: variation.clone(),
            item: Item::Response(stored.clone()),
        });
        Ok(())
    }

    /// Keeps a compressed form of a stored response in memory, as long as the response itself is kept. The first one of a
    /// coding counts; a form for which there is no room is not kept.
    pub fn store_compressed(&self, key: &PrimaryKey, stored: &Arc<Stored>, coding: Coding, form: Stored) {
        let form = Arc::new(form);
        self.tiers.memory.extend(key, stored, &form, || stored.set_compressed(coding, form.clone()));
    }

    /// Forgets every variant of a key, also what waits to be written to disk; not what is being fetched. A file that was to be
    /// unlinked may be found again after a crash: what must never come back is to be purged.
    pub fn remove(&self, key: &PrimaryKey) {
        self.tiers.remove(&Key::Response(key.clone()));
    }

    /// Looks for a slice. One that a hard purge is about is not found; whether a soft one is, its head says.
    pub fn slice(&self, set: &Arc<SliceSet>, index: u32) -> FoundSlice {
        let slice_key = SliceKey { set: set.clone(), index };
        if let Some(slice) = self.tiers.memory.slice(&slice_key)
            && self.tiers.index.standing(&set.key, &slice.footing) != Standing::Gone
        {
            return FoundSlice::Slice(slice.bytes.clone());
        }
        let key = Key::Slice(slice_key);
        let file = self.tiers.disk().and_then(|disk| {
            let file = disk.catalog.choose(&key, &HeaderMap::new())?.item.clone();
            self.tiers.is_usable(disk, &key, &file).then_some(file)
        });
        match file {
            Some(file) => FoundSlice::Disk(SliceCandidate { tiers: self.tiers.clone(), set: set.clone(), index, file }),
            None => FoundSlice::Miss,
        }
    }

    /// Keeps a slice, of which `bytes` must be all of [`SliceSet::range`].
    ///
    /// # Errors
    /// [`NotKept`] says why it is not kept.
    pub fn store_slice(&self, set: &Arc<SliceSet>, index: u32, bytes: Bytes, footing: Footing) -> Result<(), NotKept> {
        if self.tiers.index.standing(&set.key, &footing) == Standing::Gone {
            return Err(NotKept::Purged);
        }
        let key = SliceKey { set: set.clone(), index };
        let slice = self.tiers.memory.put_slice(&key, bytes, footing).ok_or(NotKept::NoRoom)?;
        self.write(Write { key: Key::Slice(key), variation: Variation::default(), item: Item::Slice(slice) });
        Ok(())
    }

    fn write(&self, write: Write) {
        if let Some(disk) = self.tiers.disk() {
            // At once: whether or not this is written in the end, what it takes the place of must not be found again.
            self.tiers.queue.cancel(&write.key, Some(&write.variation));
            disk.catalog.make_way(&write.key, &write.variation);
            self.tiers.queue.push(write);
        }
    }

    /// Forgets the slices of a set, whose parts turned out not to belong together. Of a body above 64 GiB those beyond it
    /// stay until they are evicted; with another entity tag or length nobody asks for them.
    pub fn remove_slices(&self, set: &Arc<SliceSet>) {
        for index in 0..set.count().unwrap_or(u32::MAX).min(MAX_REMOVED_SLICES) {
            self.tiers.remove(&Key::Slice(SliceKey { set: set.clone(), index }));
        }
    }

    /// Marks what turned out not to be cacheable, so that requests for it are not collapsed for a while: two minutes at
    /// most.
    pub fn mark_uncacheable(&self, key: &PrimaryKey, time: Duration) {
        self.tiers.passes.mark(key, time);
    }

    /// Whether it was marked so and nothing was stored since.
    pub fn is_uncacheable(&self, key: &PrimaryKey) -> bool {
        self.tiers.passes.is_marked(key)
    }

    /// Says whether what a fill brings may still be kept: the sequence up to which no purge, hard or soft, is about it.
    /// The fill may go on from there. With no `tags`, those of a response whose head has not come yet, purges by any tag
    /// count.
    ///
    /// # Errors
    /// [`Purged`] where one is.
    pub fn untouched(
        &self,
        since: Sequence,
        site: &SiteId,
        key: &PrimaryKey,
        tags: Option<&Tags>,
    ) -> Result<Sequence, Purged> {
        self.tiers.index.untouched(since, site, key, tags).ok_or(Purged)
    }

    /// Purges. In force for every lookup and every `store` from before the first await; returns once it also outlives a
    /// crash.
    ///
    /// # Errors
    /// [`DiskError::NotRecorded`] where it does not: the purge must not be acknowledged.
    pub async fn purge(&self, purges: &[Purge]) -> Result<Sequence, DiskError> {
        let rules: Vec<Rule> = purges.iter().map(Rule::new).collect();
        let mut recording = None;
        let sequence = self.tiers.index.apply(&rules, |sequence| {
            // Also where the files were given up: then this says whether a restart knows that.
            recording = self.tiers.disk.as_ref().map(|disk| disk.recorder.record(sequence, rules.clone()));
        });
        if self.tiers.index.len() > MANY_RULES {
            self.tiers.queue.ask_for_sweep();
        }
        if let Some(recording) = recording {
            recording.finish().await?;
        }
        Ok(sequence)
    }

    /// Saves where the feed was read to, after every purge that came before. It may be older after a crash, never newer.
    pub fn save_cursor(&self, cursor: Bytes) {
        if let Some(disk) = self.tiers.disk() {
            disk.save_cursor(cursor);
        }
    }

    /// What [`Self::save_cursor`] saved; `None` where nothing is known, and then what is on disk is not used.
    pub fn cursor(&self) -> Option<Bytes> {
        self.tiers.disk().and_then(Disk::cursor)
    }

    /// Waits until what was stored is written to disk and what was removed is gone from there, or until `patience` is over.
    /// Blocks.
    pub fn flush(&self, patience: Duration) {
        self.tiers.queue.flush(patience);
    }

    /// What the cache holds and what became of it.
    pub fn figures(&self) -> Figures {
        let memory = &self.tiers.memory;
        let disk = self.tiers.disk();
        let of_catalog = |figure: fn(&Catalog) -> u64| disk.map_or(0, |disk| figure(&disk.catalog));
        Figures {
            memory_bytes: memory.held(),
            memory_entries: memory.len(),
            memory_evictions: memory.evicted(),
            disk_bytes: of_catalog(Catalog::bytes),
            disk_entries: of_catalog(Catalog::len),
            disk_evictions: of_catalog(Catalog::evicted),
            disk_writes_dropped: self.tiers.queue.dropped(),
            disk_corrupt: disk.map_or(0, |disk| disk.corrupt.load(Ordering::Relaxed)),
            purge_rules: self.tiers.index.len() as u64,
            purge_rules_folded: self.tiers.index.folded(),
        }
    }
}

impl DiskCandidate {
    /// Reads and verifies the file, on a blocking thread. `None` where it was purged, evicted or corrupt, or memory has no
    /// room for it: a miss.
    pub async fn load(self) -> Option<Hit> {
        let Self { tiers, key, variant } = self;
        blocking(tiers, move |tiers| tiers.load_response(&key, &variant.variation, &variant.item)).await
    }
}

impl SliceCandidate {
    /// Reads and verifies the file, on a blocking thread. `None` where it was purged, evicted or corrupt, or memory has no
    /// room for it: a miss.
    pub async fn load(self) -> Option<Bytes> {
        let Self { tiers, set, index, file } = self;
        blocking(tiers, move |tiers| tiers.load_slice(&set, index, &file)).await
    }
}

/// Reads on a blocking thread, with a bound on how many do.
async fn blocking<T: Send + 'static>(
    tiers: Arc<Tiers>,
    read: impl FnOnce(&Tiers) -> Option<T> + Send + 'static,
) -> Option<T> {
    let reads = tiers.disk.as_ref()?.reads.clone();
    let _permit = reads.acquire().await.ok()?;
    // A read that panicked is a miss.
    tokio::task::spawn_blocking(move || read(&tiers)).await.ok().flatten()
}
