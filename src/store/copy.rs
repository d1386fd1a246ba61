//! CopyObject: no bytes move, only references.

use std::sync::Arc;

use super::Store;
use super::bucket::{ATTEMPTS, Bucket};
use super::change::{Cause, ChangeKind};
use super::checksum::Checksum;
use super::error::Error;
use super::mutation::Mutation;
use super::put::{Precondition, Stored};
use super::record::{Metadata, ObjectRecord, StorageClass, Version};
use super::versions::ObjectRow;
use crate::clock::Timestamp;
use crate::names::{AccountId, ObjectKey};

pub struct CopyObject {
    /// The source as it was read and judged; the commit expects it unchanged.
    pub source: ObjectRow,
    pub bucket: Bucket,
    pub key: ObjectKey,
    pub metadata: Metadata,
    pub storage_class: StorageClass,
    /// The checksum that the copy shows: the source's, or one computed anew.
    pub checksum: Option<Checksum>,
    /// The account that the copy will belong to.
    pub owner: AccountId,
    /// As [`ObjectRecord::acl`]; never the source's.
    pub acl: Vec<u8>,
    pub precondition: Precondition,
    pub cause: Cause,
}

impl Store {
    /// Makes `key` an object with the source's bytes. Fails with [`Error::SourceChanged`] if the source is no longer the
    /// one that was read.
    pub async fn copy_object(self: &Arc<Self>, copy: CopyObject) -> Result<Stored, Error> {
        let store = self.clone();
        let task = tokio::spawn(async move { store.copy_now(copy).await });
        task.await.map_err(|_| Error::Aborted)?
    }

    async fn copy_now(&self, mut copy: CopyObject) -> Result<Stored, Error> {
        self.space.admit(0).await?;
        let bucket = copy.bucket.record.id;
        let _turn = self.queues.turn(bucket, copy.key.as_bytes()).await?;
        self.admit(&copy.bucket.record, &copy.key)?;
        for _ in 0..ATTEMPTS {
            let key = &copy.key;
            let slot = self.slot(&copy.bucket, key).await?;
            copy.precondition.check(key, slot.current.as_ref().map(|row| &row.record))?;
            let record = copy.record(self.clock.now(), slot.object_version());
            let mutation = Mutation::in_bucket(&copy.bucket)?
                .expect_object(&copy.source)
                .write_object(bucket, key, &record, &slot)
                .log_object(&copy.bucket, &copy.bucket.change(ChangeKind::Copy, key, &record, copy.cause.clone()));
            match self.commit(mutation).await? {
                Ok(position) => return Ok(copy.bucket.stored(record, position)),
                Err(conflict) if conflict.index == 0 => self.refresh(&mut copy.bucket).await?,
                Err(conflict) if conflict.index == 1 => return Err(Error::SourceChanged),
                Err(_) => (),
            }
        }
        Err(Error::Contended)
    }
}

impl CopyObject {
    fn record(&self, modified: Timestamp, version: Option<Version>) -> ObjectRecord {
        let mut record = self.source.record.clone();
        record.summary.modified = modified;
        record.summary.owner = self.owner.clone();
        record.summary.storage_class = self.storage_class;
        record.metadata = self.metadata.clone();
        record.checksum = self.checksum.clone();
        record.version = version;
        record.acl.clone_from(&self.acl);
        let shown = record.shown_checksum();
        record.summary.algorithm = shown.algorithm;
        record.summary.checksum_type = shown.checksum_type();
        record
    }
}
