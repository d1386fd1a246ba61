//! Creating and aborting uploads, and their parts.

use std::sync::Arc;

use aws_lc_rs::rand;

use crate::names::{AccountId, ObjectKey, UploadId};
use crate::store::bucket::{ATTEMPTS, Bucket};
use crate::store::checksum::{Algorithm, ChecksumType};
use crate::store::codec::encode;
use crate::store::error::Error;
use crate::store::mutation::{Mutation, Row};
use crate::store::record::{Metadata, PartRecord, StorageClass, Target, UploadRecord};
use crate::store::staging::Staged;
use crate::store::tables::{self, PARTS, UPLOADS};
use crate::store::{Conflict, Store};

pub struct CreateUpload {
    pub bucket: Bucket,
    pub key: ObjectKey,
    pub metadata: Metadata,
    pub storage_class: StorageClass,
    /// The checksum that the client asked for; the type is one that the algorithm allows.
    pub checksum: Option<(Algorithm, ChecksumType)>,
    /// The account that the object will belong to.
    pub owner: AccountId,
    /// As [`ObjectRecord::acl`](crate::store::record::ObjectRecord::acl), for the object.
    pub acl: Vec<u8>,
}

/// An open upload as it was read; commits expect it unchanged.
#[derive(Debug, Clone)]
pub struct Upload {
    pub bucket: Bucket,
    pub key: ObjectKey,
    pub id: UploadId,
    pub row: Row<UploadRecord>,
}

pub struct UploadPart {
    pub upload: Upload,
    /// 1 to [`MAX_PART_NUMBER`](super::MAX_PART_NUMBER).
    pub number: u16,
}

impl Store {
    /// Opens an upload. It is no change of the bucket yet, so the change log does not mention it.
    pub async fn create_upload(&self, mut create: CreateUpload) -> Result<UploadId, Error> {
        self.space.admit(0).await?;
        let mut random = [0; 10];
        rand::fill(&mut random).map_err(|_| Error::Record("the system gave no random bytes"))?;
        let now = self.clock.now();
        let id = UploadId::new(now.as_millis(), random);
        let record = UploadRecord {
            initiated: now,
            owner: create.owner.clone(),
            storage_class: create.storage_class,
            checksum: create.checksum,
            metadata: std::mem::take(&mut create.metadata),
            acl: std::mem::take(&mut create.acl),
        };
        let row = tables::upload(create.bucket.record.id, &create.key, id);
        for _ in 0..ATTEMPTS {
            let mutation = Mutation::in_bucket(&create.bucket)?.expect(UPLOADS, row.clone(), None);
            match self.commit(mutation.put(UPLOADS, row.clone(), encode(&record))).await? {
                Ok(_) => return Ok(id),
                Err(_) => self.refresh(&mut create.bucket).await?,
            }
        }
        Err(Error::Contended)
    }

    /// Gives the open upload, or [`Error::NoSuchUpload`].
    pub async fn upload(&self, bucket: &Bucket, key: &ObjectKey, id: UploadId) -> Result<Upload, Error> {
        let row = self.row(UPLOADS, &tables::upload(bucket.record.id, key, id)).await?;
        let row = row.ok_or(Error::NoSuchUpload(id))?;
        Ok(Upload { bucket: bucket.clone(), key: key.clone(), id, row })
    }

    /// Stores a part whole or not at all, in place of an earlier one with its number. Returns when it is durable.
    pub async fn upload_part(self: &Arc<Self>, part: UploadPart, staged: Staged) -> Result<PartRecord, Error> {
        let store = self.clone();
        let task = tokio::spawn(async move { store.upload_staged(part, staged).await });
        task.await.map_err(|_| Error::Aborted)?
    }

    async fn upload_staged(&self, mut part: UploadPart, mut staged: Staged) -> Result<PartRecord, Error> {
        let row = tables::part(part.upload.id, part.number);
        let _turn = self.queues.turn(part.upload.bucket.record.id, &row).await?;
        for _ in 0..ATTEMPTS {
            let upload = &part.upload;
            let previous = self.row::<PartRecord>(PARTS, &row).await?;
            let record = PartRecord {
                size: staged.length,
                md5: staged.digests.md5,
                modified: self.clock.now(),
                crc64nvme: staged.digests.crc64nvme,
                checksum: staged.digests.checksum.clone(),
                data: staged.data(),
            };
            let mut mutation = staged
                .write_into(upload.expected()?)
                .expect(PARTS, row.clone(), previous.as_ref().map(|row| row.bytes.clone()))
                .put(PARTS, row.clone(), encode(&record));
            if let Some(previous) = previous {
                mutation = mutation.release_part(upload.id, part.number, &previous.record.data);
            }
            let mutation = mutation.hold_part(upload.id, part.number, &record.data);
            // As for an object: once the commit may point at the blob, the blob must outlive this call.
            staged.entrust();
            let committed = self.commit(mutation).await;
            staged.take_back_unless_committed(&committed);
            match committed? {
                Ok(_) => return Ok(record),
                Err(conflict) => self.upload_conflict(&mut part.upload, conflict).await?,
            }
        }
        Err(Error::Contended)
    }

    /// Aborts an open upload; its parts go to the sweeper. Fails with [`Error::NoSuchUpload`] if it is not open.
    pub async fn abort_upload(&self, upload: &Upload) -> Result<(), Error> {
        let mut upload = upload.clone();
        let row = tables::upload(upload.bucket.record.id, &upload.key, upload.id);
        for _ in 0..ATTEMPTS {
            let mutation = upload.expected()?.delete(UPLOADS, row.clone()).sweep(Target::Upload(upload.id));
            match self.commit(mutation).await? {
                Ok(_) => return Ok(()),
                Err(conflict) => self.upload_conflict(&mut upload, conflict).await?,
            }
        }
        Err(Error::Contended)
    }

    /// Settles a conflict of an upload's commit: the bucket's or the upload's end is an error, anything else is to be tried
    /// again.
    pub(super) async fn upload_conflict(&self, upload: &mut Upload, conflict: Conflict) -> Result<(), Error> {
        match conflict.index {
            0 => self.refresh(&mut upload.bucket).await,
            1 => Err(Error::NoSuchUpload(upload.id)),
            _ => Ok(()),
        }
    }
}

impl Upload {
    /// Expects the bucket live and the upload open: the first two expectations of every mutation of an upload.
    pub(super) fn expected(&self) -> Result<Mutation, Error> {
        let row = tables::upload(self.bucket.record.id, &self.key, self.id);
        Ok(Mutation::in_bucket(&self.bucket)?.expect(UPLOADS, row, Some(self.row.bytes.clone())))
    }
}
