//! The object store: what S3's buckets, objects and uploads mean, on top of a key-value store and a blob store.
//!
//! Nothing here knows HTTP or XML. A mutation reads what it needs, puts one `Mutation` together and commits
//! it: the record, its references, what the sweeper should look at, and the change-log entry stand or fall together.

pub mod admission;
pub mod annotate;
pub mod blob_walk;
pub mod bucket;
pub mod change;
pub mod checksum;
pub mod codec;
pub mod configuration;
pub mod copy;
pub mod delete;
pub mod digest;
pub mod distributions;
pub mod domains;
pub mod fsck;
pub mod lineage;
pub mod list;
pub mod log;
pub mod multipart;
pub mod notifications;
pub mod put;
pub mod read;
pub mod record;
pub mod rename;
pub mod scrub;
pub mod space;
pub mod staging;
pub mod sweep;
pub mod tables;
pub mod versions;

mod crc;
mod error;
#[cfg(test)]
mod fuzz;
mod held;
mod lane;
mod lease;
mod mutation;
mod pin;
mod queue;
#[cfg(test)]
pub mod tests;
mod walk;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, watch};

pub use error::{Digest, Error};
pub use mutation::Row;
pub use pin::Pin;

use self::admission::Ports;
use self::codec::decode;
use self::configuration::Configurations;
use self::domains::Domains;
use self::lease::Leases;
use self::log::Gate;
use self::mutation::Mutation;
use self::pin::Pins;
use self::queue::KeyQueues;
use self::record::InlineId;
use self::space::{Reserve, SpaceGuard};
use self::tables::META;
use crate::blob::Blobs;
use crate::clock::Clock;
use crate::kv::{CommitError, Kv, Table};

/// The row that holds the number of the last run.
const LAST_RUN: &[u8] = b"last run";

/// What an operator can choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// Objects and parts up to this many bytes are kept in the key-value store.
    pub inline_threshold: u64,
    /// How many bytes of uploads may be in memory at once, over all requests.
    pub upload_memory: u64,
    /// How many bytes must stay free.
    pub reserve: Reserve,
    /// Uploads that are still incomplete after this time are aborted.
    pub upload_expiry: Duration,
    /// Change-log entries older than this may be trimmed.
    pub log_retention: Duration,
    /// The largest object, in bytes.
    pub max_object: u64,
}

/// The object store. Cheap to share; every method may be called concurrently.
pub struct Store {
    kv: Arc<dyn Kv>,
    blobs: Arc<dyn Blobs>,
    clock: Clock,
    options: Options,
    queues: KeyQueues,
    configurations: Configurations,
    domains: Domains,
    leases: Arc<Leases>,
    pins: Pins,
    space: SpaceGuard,
    upload_memory: Arc<Semaphore>,
    next_inline: AtomicU64,
    /// Held while a scrub is under way.
    scrubbing: Mutex<()>,
    scrubbed: scrub::Tally,
    /// The last position of the log, as far as commits were told of it.
    log_head: watch::Sender<u64>,
    log_gate: Gate,
    /// Held by whoever changes distributions.
    distributing: Mutex<()>,
    ports: Ports,
}

/// What a mutation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position(pub u64);

impl Default for Options {
    fn default() -> Self {
        Self {
            inline_threshold: 32 * 1024,
            upload_memory: 64 * 1024 * 1024,
            reserve: Reserve { bytes: 1024 * 1024 * 1024, percent: 2 },
            upload_expiry: Duration::from_secs(7 * 24 * 3600),
            log_retention: Duration::from_secs(7 * 24 * 3600),
            max_object: 5 * 1024 * 1024 * 1024 * 1024,
        }
    }
}

impl Store {
    /// Opens the store on its engines and settles bucket deletions that a crash interrupted.
    pub async fn open(
        kv: Arc<dyn Kv>,
        blobs: Arc<dyn Blobs>,
        clock: Clock,
        options: Options,
    ) -> Result<Arc<Self>, Error> {
        let permits = options.upload_memory.div_ceil(staging::PERMIT_BYTES);
        let permits = usize::try_from(permits).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        let store = Arc::new(Self {
            space: SpaceGuard::new(blobs.clone(), options.reserve),
            upload_memory: Arc::new(Semaphore::new(permits.max(staging::STREAM_PERMITS as usize))),
            domains: Domains::load(&*kv).await?,
            log_head: watch::Sender::new(log::head(&*kv).await?),
            log_gate: Gate::default(),
            distributing: Mutex::new(()),
            ports: Ports::default(),
            kv,
            blobs,
            clock,
            options,
            queues: KeyQueues::new(),
            configurations: Configurations::default(),
            leases: Arc::new(Leases::default()),
            pins: Pins::default(),
            next_inline: AtomicU64::new(1),
            scrubbing: Mutex::new(()),
            scrubbed: scrub::Tally::default(),
        });
        store.begin_run().await?;
        store.settle_deletions().await?;
        Ok(store)
    }

    /// Notes the number of this run: one that was there before would give out the ids of other bytes again. The first run
    /// also gives the change log its id.
    async fn begin_run(&self) -> Result<(), Error> {
        let run = self.blobs.run();
        let last = lineage::last_run(&*self.kv).await?;
        if run <= last {
            return Err(Error::RunWentBack { run, last });
        }
        let mut mutation = Mutation::new().put(META, LAST_RUN.into(), codec::encode(&run));
        if let Some((row, id)) = self.missing_log_id().await? {
            mutation = mutation.put(META, row, id);
        }
        let _ = self.commit(mutation).await?;
        Ok(())
    }

    /// The room that is left for blobs.
    pub async fn space(&self) -> Result<crate::blob::Space, Error> {
        self.space.space().await
    }

    /// How many bytes must stay free where the file system has `total`.
    pub fn reserve(&self, total: u64) -> u64 {
        self.options.reserve.of(total)
    }

    /// Tells whether anything can be written, or why not: an engine stopped, or free space was below the reserve when it
    /// was last looked at. Does not block.
    pub fn writable(&self) -> Result<(), Error> {
        self.kv.writable()?;
        self.blobs.writable()?;
        self.space.last_verdict()
    }

    fn new_inline_id(&self) -> InlineId {
        InlineId { run: self.blobs.run(), number: self.next_inline.fetch_add(1, Ordering::Relaxed) }
    }

    async fn row<T: serde::de::DeserializeOwned>(&self, table: Table, key: &[u8]) -> Result<Option<Row<T>>, Error> {
        let Some(bytes) = self.kv.get(table, key).await? else { return Ok(None) };
        Ok(Some(Row { record: decode(&bytes)?, bytes }))
    }

    /// Commits; an expectation that does not hold is an outcome here, not an error.
    async fn commit(&self, mutation: Mutation) -> Result<Result<Position, Conflict>, Error> {
        let (commit, logged) = mutation.into_parts();
        match self.kv.commit(commit).await {
            Ok(committed) => {
                let position = logged.and_then(|index| committed.positions.get(index).copied());
                if let Some(position) = position {
                    self.announce(position);
                }
                Ok(Ok(Position(position.unwrap_or_default())))
            }
            Err(CommitError::Conflict { index, .. }) => Ok(Err(Conflict { index })),
            Err(CommitError::Engine(error)) => Err(error.into()),
        }
    }
}

/// The expectation that did not hold.
#[derive(Debug, Clone, Copy)]
struct Conflict {
    index: usize,
}

impl Conflict {
    /// What was read before a commit did not belong together: it changed between two reads.
    const MOVED: Self = Self { index: usize::MAX };
}
