//! What the edge stores: responses and slices in memory and on disk, and the purges that they are subject to.
//!
//! Every stored response keeps the number of purges at which its fill began, and no response is given out that a later
//! purge is about: neither one that was found, nor one that is just being stored.

pub mod disk;
pub mod head;
mod memory;
mod passes;
pub mod purge;
mod sequence;
mod site;
pub mod slices;
pub mod stored;
mod tags;
pub mod variants;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

pub use self::disk::{DiskBody, DiskError, DiskOptions, DiskReader};
pub use self::head::HeadBlock;
use self::memory::{Chosen, Key, Memory};
use self::passes::Passes;
pub use self::purge::{Footing, Purge, Scope, What};
use self::purge::{Index, Rule, Standing};
pub use self::sequence::Sequence;
pub use self::site::SiteId;
pub use self::slices::{SLICE_LENGTH, SliceSet};
use self::slices::{Slice, SliceKey};
pub use self::stored::{Draft, Stored, StoredBody};
pub use self::tags::{MAX_DEPENDENCIES, MAX_SURROGATE_TAGS, Tags, TooManyTags};
pub use self::variants::{MAX_VARIANTS, Variation};
use crate::clock::Clock;
use crate::edge::rules::key::PrimaryKey;
use crate::http::encoding::Coding;

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
    memory: Memory,
    index: Index,
    passes: Passes,
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
pub struct DiskCandidate {}

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
pub struct SliceCandidate {}

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
        let memory = Memory::new(options.memory);
        Ok(Arc::new(Self { memory, index: Index::new(purge::MAX_RULES), passes: Passes::new(clock) }))
    }

    /// The number of the last purge. A fill notes it before it sends its request.
    pub fn sequence(&self) -> Sequence {
        self.index.latest()
    }

    /// Looks for a stored response that answers a request with these headers. Never blocks.
    pub fn lookup(&self, key: &PrimaryKey, headers: &HeaderMap) -> Found {
        match self.memory.choose(key, headers) {
            Chosen::None => Found::Miss,
            Chosen::Other => Found::VaryMiss,
            Chosen::Stored(stored) => match self.index.standing(key, &stored.footing) {
                Standing::Gone => Found::Miss,
                standing => Found::Stored(Hit { stored, soft_purged: standing == Standing::Soft }),
            },
        }
    }

    /// Keeps a complete response. It takes the place of what was stored for its variation.
    ///
    /// # Errors
    /// [`NotKept`] says why it is not kept; what was there before stays, if no purge is about it.
    pub fn store(&self, key: &PrimaryKey, variation: &Variation, stored: &Arc<Stored>) -> Result<(), NotKept> {
        if self.index.standing(key, &stored.footing) == Standing::Gone {
            return Err(NotKept::Purged);
        }
        if !self.memory.put(key, variation, stored) {
            return Err(NotKept::NoRoom);
        }
        self.passes.clear(key);
        Ok(())
    }

    /// Keeps a compressed form of a stored response, as long as the response itself is kept. The first one of a coding
    /// counts; a form for which there is no room is not kept.
    pub fn store_compressed(&self, key: &PrimaryKey, stored: &Arc<Stored>, coding: Coding, form: Stored) {
        let form = Arc::new(form);
        self.memory.extend(key, stored, &form, || stored.set_compressed(coding, form.clone()));
    }

    /// Forgets every variant of a key.
    pub fn remove(&self, key: &PrimaryKey) {
        self.memory.remove(&Key::Response(key.clone()));
    }

    /// Looks for a slice. One that a hard purge is about is not found; whether a soft one is, its head says.
    pub fn slice(&self, set: &Arc<SliceSet>, index: u32) -> FoundSlice {
        let key = SliceKey { set: set.clone(), index };
        match self.memory.slice(&key) {
            Some(slice) if self.index.standing(&set.key, &slice.footing) != Standing::Gone => {
                FoundSlice::Slice(slice.bytes.clone())
            }
            _ => FoundSlice::Miss,
        }
    }

    /// Keeps a slice, of which `bytes` must be all of [`SliceSet::range`].
    ///
    /// # Errors
    /// [`NotKept`] says why it is not kept.
    pub fn store_slice(&self, set: &Arc<SliceSet>, index: u32, bytes: Bytes, footing: Footing) -> Result<(), NotKept> {
        if self.index.standing(&set.key, &footing) == Standing::Gone {
            return Err(NotKept::Purged);
        }
        let held = self.memory.hold(memory::slice_weight(bytes.len())).ok_or(NotKept::NoRoom)?;
        self.memory.put_slice(SliceKey { set: set.clone(), index }, Arc::new(Slice { bytes, footing, held }));
        Ok(())
    }

    /// Forgets every slice of a set, whose parts turned out not to belong together.
    pub fn remove_slices(&self, set: &Arc<SliceSet>) {
        for index in 0..set.count().unwrap_or(0) {
            self.memory.remove(&Key::Slice(SliceKey { set: set.clone(), index }));
        }
    }

    /// Marks what turned out not to be cacheable, so that requests for it are not collapsed for a while.
    pub fn mark_uncacheable(&self, key: &PrimaryKey, time: Duration) {
        self.passes.mark(key, time);
    }

    /// Whether it was marked so and nothing was stored since.
    pub fn is_uncacheable(&self, key: &PrimaryKey) -> bool {
        self.passes.is_marked(key)
    }

    /// Says whether what a fill brings may still be kept: the sequence up to which no purge, hard or soft, is about it. The fill may go
    /// on from there. With no `tags`, those of a response whose head has not come yet, purges by any tag count.
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
        self.index.untouched(since, site, key, tags).ok_or(Purged)
    }

    /// Purges. In force for every lookup and every `store` from before the first await; returns once it also
    /// outlives a crash.
    ///
    /// # Errors
    /// [`DiskError::NotRecorded`] where it does not: the purge must not be acknowledged.
    pub async fn purge(&self, purges: &[Purge]) -> Result<Sequence, DiskError> {
        let rules: Vec<Rule> = purges.iter().map(Rule::new).collect();
        Ok(self.index.apply(&rules, |_| ()))
    }

    /// Saves where the feed was read to, after every purge that came before. It may be older after a crash, never newer.
    pub fn save_cursor(&self, _cursor: Bytes) {}

    /// What the cache holds and what became of it.
    pub fn figures(&self) -> Figures {
        Figures {
            memory_bytes: self.memory.held(),
            memory_entries: self.memory.len(),
            purge_rules: self.index.len() as u64,
            purge_rules_folded: self.index.folded(),
            ..Figures::default()
        }
    }

    /// What [`Self::save_cursor`] saved; `None` where nothing is known, and then the cache is empty.
    pub fn cursor(&self) -> Option<Bytes> {
        None
    }
}

impl DiskCandidate {
    /// Reads and verifies the file, on a blocking thread. `None` where it was purged, evicted or corrupt: a miss.
    pub async fn load(self) -> Option<Hit> {
        None
    }
}

impl SliceCandidate {
    /// Reads and verifies the file, on a blocking thread. `None` where it was purged, evicted or corrupt: a miss.
    pub async fn load(self) -> Option<Bytes> {
        None
    }
}
