//! What is configured for a bucket: documents, one row each, that the store keeps and does not read.
//!
//! Every request needs them, so they are kept in memory. The bucket's row, which every request reads anyway, has a
//! generation that each change raises in the same commit: what is kept is used for as long as the generation is the same.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::bucket::{ATTEMPTS, Bucket};
use super::change::{Cause, Change, ChangeKind};
use super::codec::encode;
use super::error::Error;
use super::mutation::Mutation;
use super::record::{BucketRecord, Versioning};
use super::tables::{self, BUCKETS, CONFIGURATIONS};
use super::{Position, Store};
use crate::kv::{Item, Scan};
use crate::names::BucketId;

/// How many bytes of documents are kept in memory.
const CACHED_BYTES: usize = 16 * 1024 * 1024;
/// What a bucket's documents count besides their bytes.
const ENTRY_BYTES: usize = 256;

/// What a document is about. The numbers are in keys of rows: they stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    Acl = 1,
    Cors = 2,
    OwnershipControls = 3,
    Policy = 4,
    PublicAccessBlock = 5,
    Tagging = 6,
    Website = 7,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Acl,
        Self::Cors,
        Self::OwnershipControls,
        Self::Policy,
        Self::PublicAccessBlock,
        Self::Tagging,
        Self::Website,
    ];

    /// The kind of this number; `None` for one that this program does not know.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// A bucket's documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configuration(BTreeMap<Kind, Bytes>);

impl Configuration {
    /// The document of this kind, if there is one.
    pub fn get(&self, kind: Kind) -> Option<&Bytes> {
        self.0.get(&kind)
    }

    fn size(&self) -> usize {
        ENTRY_BYTES + self.0.values().map(Bytes::len).sum::<usize>()
    }
}

/// Documents as they were at a generation or later. Bounded: what does not fit any more is read again.
#[derive(Debug, Default)]
pub(super) struct Configurations {
    /// What a bucket without documents has.
    none: Arc<Configuration>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    buckets: HashMap<BucketId, (u64, Arc<Configuration>)>,
    bytes: usize,
}

impl Known {
    fn insert(&mut self, bucket: BucketId, generation: u64, configuration: Arc<Configuration>) {
        self.remove(bucket);
        while self.bytes + configuration.size() > CACHED_BYTES {
            // Whichever comes first: this is for the rare server with thousands of large policies.
            let Some(other) = self.buckets.keys().next().copied() else { return };
            self.remove(other);
        }
        self.bytes += configuration.size();
        self.buckets.insert(bucket, (generation, configuration));
    }

    fn remove(&mut self, bucket: BucketId) {
        if let Some((_, gone)) = self.buckets.remove(&bucket) {
            self.bytes -= gone.size();
        }
    }
}

impl Store {
    /// Gives every document of the bucket, as of the row that is given or later: without a read where nothing was ever
    /// configured, nor where the generation is the one that is kept.
    pub async fn configuration(&self, bucket: &Bucket) -> Result<Arc<Configuration>, Error> {
        let (id, generation) = (bucket.record.id, bucket.record.configuration);
        if generation == 0 {
            return Ok(self.configurations.none.clone());
        }
        if let Some((kept, configuration)) = self.configurations.known.lock().buckets.get(&id)
            && *kept == generation
        {
            return Ok(configuration.clone());
        }
        let configuration = Arc::new(self.read_configuration(id).await?);
        self.configurations.known.lock().insert(id, generation, configuration.clone());
        Ok(configuration)
    }

    async fn read_configuration(&self, bucket: BucketId) -> Result<Configuration, Error> {
        // A row for each kind at most, and those of kinds that a newer program may have written.
        let page = self.kv.scan(Scan::prefix(CONFIGURATIONS, &tables::configurations(bucket), 256)).await?;
        let mut documents = BTreeMap::new();
        for item in page.items {
            let Item::Row { key, value } = item else { continue };
            let (_, number) = tables::parse_configuration(&key).ok_or(Error::Record("a configuration's key"))?;
            if let Some(kind) = Kind::from_number(number) {
                documents.insert(kind, value);
            }
        }
        Ok(Configuration(documents))
    }

    /// Puts a document in place of the one of its kind, or removes that. Returns when it is durable; every request that
    /// begins later sees it. A caller that goes away does not cut the commit.
    pub async fn put_configuration(
        self: &Arc<Self>,
        bucket: &Bucket,
        kind: Kind,
        document: Option<Bytes>,
        cause: Cause,
    ) -> Result<Position, Error> {
        let (store, bucket) = (self.clone(), bucket.clone());
        let change = move |record: &BucketRecord, mutation: Mutation| {
            let row = tables::configuration(record.id, kind as u8);
            match &document {
                Some(document) => mutation.put(CONFIGURATIONS, row, document.clone()),
                None => mutation.delete(CONFIGURATIONS, row),
            }
        };
        let task = tokio::spawn(async move {
            let raise = |record: &mut BucketRecord| record.configuration += 1;
            store.change_bucket(bucket, cause, raise, change).await
        });
        task.await.map_err(|_| Error::Aborted)?
    }

    /// Sets whether the bucket keeps versions, from the next write on. Gives `None`, and changes nothing, where it is so
    /// already, and for [`Versioning::Never`]: versions do not become one object again.
    pub async fn put_versioning(
        self: &Arc<Self>,
        bucket: &Bucket,
        versioning: Versioning,
        cause: Cause,
    ) -> Result<Option<Position>, Error> {
        if versioning == Versioning::Never || versioning == bucket.record.versioning {
            return Ok(None);
        }
        let (store, bucket) = (self.clone(), bucket.clone());
        let task = tokio::spawn(async move {
            let set = |record: &mut BucketRecord| record.versioning = versioning;
            store.change_bucket(bucket, cause, set, |_, mutation| mutation).await.map(Some)
        });
        task.await.map_err(|_| Error::Aborted)?
    }

    /// Commits a change of the bucket's row with what belongs to it.
    async fn change_bucket(
        &self,
        mut bucket: Bucket,
        cause: Cause,
        change: impl Fn(&mut BucketRecord),
        rest: impl Fn(&BucketRecord, Mutation) -> Mutation,
    ) -> Result<Position, Error> {
        // No object has an empty key: this queue is the bucket's own.
        let _turn = self.queues.turn(bucket.record.id, b"").await?;
        for _ in 0..ATTEMPTS {
            let mut record = bucket.record.clone();
            change(&mut record);
            let log = Change::of_bucket(&record, ChangeKind::BucketConfiguration, self.clock.now(), cause.clone());
            let mutation =
                Mutation::in_bucket(&bucket)?.put(BUCKETS, tables::bucket(&record.name), encode(&record)).log(&log);
            match self.commit(rest(&record, mutation)).await? {
                Ok(position) => return Ok(position),
                Err(_) => self.refresh(&mut bucket).await?,
            }
        }
        Err(Error::Contended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_numbers_of_their_own_that_read_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(kind as u8), Some(kind));
        }
        assert_eq!((Kind::from_number(0), Kind::from_number(200)), (None, None));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let large = || Arc::new(Configuration([(Kind::Policy, Bytes::from(vec![b' '; 1 << 20]))].into()));
        let mut known = Known::default();
        for id in 0..100 {
            known.insert(BucketId(id), 1, large());
            assert!(known.buckets.contains_key(&BucketId(id)) && known.bytes <= CACHED_BYTES);
        }
        assert_eq!(known.buckets.len(), CACHED_BYTES / large().size());
        let bytes = known.bytes;
        known.insert(BucketId(99), 2, large());
        assert_eq!(known.bytes, bytes, "another generation takes the place of the one before");
    }
}
