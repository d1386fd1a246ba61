//! CompleteMultipartUpload.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use md5::{Digest as _, Md5};

use super::{MIN_PART_BYTES, Upload};
use crate::kv::{Item, Scan};
use crate::names::{ETag, ObjectKey, UploadId, VersionId};
use crate::store::bucket::{ATTEMPTS, Bucket, behind};
use crate::store::change::{Cause, ChangeKind};
use crate::store::checksum::{Algorithm, Checksum, ChecksumType, composite, full_object};
use crate::store::codec::{decode, encode};
use crate::store::error::{Digest, Error};
use crate::store::mutation::Row;
use crate::store::put::Precondition;
use crate::store::record::{CompletedRecord, Data, ObjectRecord, PartRecord, Summary, Target};
use crate::store::tables::{self, COMPLETED, OFFSETS, PARTS, UPLOADS};
use crate::store::versions::Slot;
use crate::store::{Conflict, Position, Store};

pub struct CompleteUpload {
    pub bucket: Bucket,
    pub key: ObjectKey,
    pub id: UploadId,
    /// As the client listed them; 1 to 10,000.
    pub parts: Vec<ListedPart>,
    pub precondition: Precondition,
    /// The whole object's checksum, where the client said it.
    pub checksum: Option<Checksum>,
    /// The checksum type that the client named again.
    pub checksum_type: Option<ChecksumType>,
    /// The whole object's size, where the client said it.
    pub size: Option<u64>,
    pub cause: Cause,
}

/// A part as the client lists it.
#[derive(Debug, Clone)]
pub struct ListedPart {
    pub number: u32,
    pub etag: ETag,
    pub checksum: Option<Checksum>,
}

/// What the completed object is.
#[derive(Debug, Clone)]
pub struct Completed {
    pub etag: ETag,
    /// The checksum that S3 shows.
    pub checksum: Checksum,
    /// The identifier by which clients know it; `None` in a bucket without versions.
    pub version: Option<VersionId>,
    /// `None` where the answer was given before.
    pub position: Option<Position>,
}

type Part = (u16, Row<PartRecord>);

impl Store {
    /// Makes the listed parts an object, or changes nothing. Asked again with the same list within 24 hours, it gives the
    /// same answer; with another list, or after an abort, [`Error::NoSuchUpload`].
    pub async fn complete_upload(self: &Arc<Self>, complete: CompleteUpload) -> Result<Completed, Error> {
        let store = self.clone();
        let task = tokio::spawn(async move { store.complete_now(complete).await });
        task.await.map_err(|_| Error::Aborted)?
    }

    async fn complete_now(&self, mut complete: CompleteUpload) -> Result<Completed, Error> {
        let bucket = complete.bucket.record.id;
        let _turn = self.queues.turn(bucket, complete.key.as_bytes()).await?;
        for _ in 0..ATTEMPTS {
            let key = &complete.key;
            let upload = match self.upload(&complete.bucket, key, complete.id).await {
                Err(Error::NoSuchUpload(_)) => return self.completed_before(&complete).await,
                upload => upload?,
            };
            self.admit(&complete.bucket.record, key)?;
            let parts = complete.choose(&self.all_parts(complete.id).await?)?;
            let mut record = self.completed_object(&complete, &upload, &parts)?;
            let slot = self.slot(&complete.bucket, key).await?;
            complete.precondition.check(key, slot.current.as_ref().map(|row| &row.record))?;
            record.version = slot.object_version();
            match self.commit_completed(&complete, &upload, &parts, &record, &slot).await? {
                Ok(completed) => return Ok(completed),
                Err(conflict) if conflict.index == 0 => self.refresh(&mut complete.bucket).await?,
                // An upload that has ended meanwhile is looked at again: it may have been completed with this very list.
                Err(_) => (),
            }
        }
        Err(Error::Contended)
    }

    /// One commit: the upload ends, the object begins, and the answer is kept.
    async fn commit_completed(
        &self,
        complete: &CompleteUpload,
        upload: &Upload,
        parts: &[Part],
        record: &ObjectRecord,
        slot: &Slot,
    ) -> Result<Result<Completed, Conflict>, Error> {
        let mut mutation = upload.expected()?;
        let mut end = 0;
        for (number, part) in parts {
            end += part.record.size;
            mutation = mutation.expect(PARTS, tables::part(complete.id, *number), Some(part.bytes.clone())).put(
                OFFSETS,
                tables::offset(complete.id, end, *number),
                bytes::Bytes::new(),
            );
        }
        let answer = CompletedRecord {
            bucket: complete.bucket.record.id,
            key: complete.key.clone(),
            completed: record.summary.modified,
            part_list: complete.part_list_hash(),
            etag: record.summary.etag,
            crc64nvme: record.crc64nvme,
            checksum: record.checksum.clone(),
            version: complete.bucket.shown_version(record.version),
        };
        let change =
            complete.bucket.change(ChangeKind::CompleteMultipart, &complete.key, record, complete.cause.clone());
        let mutation = mutation
            .delete(UPLOADS, tables::upload(complete.bucket.record.id, &complete.key, complete.id))
            .put(COMPLETED, tables::completed(complete.id), encode(&answer))
            // Parts that were uploaded and not listed are left to the sweeper.
            .sweep(Target::Upload(complete.id))
            .write_object(complete.bucket.record.id, &complete.key, record, slot)
            .log_object(&complete.bucket, &change);
        let committed = self.commit(mutation).await?;
        Ok(committed.map(|position| Completed { position: Some(position), ..answer.answer() }))
    }

    async fn completed_before(&self, complete: &CompleteUpload) -> Result<Completed, Error> {
        let row = self.row::<CompletedRecord>(COMPLETED, &tables::completed(complete.id)).await?;
        let answer = row.map(|row| row.record).filter(|answer| {
            answer.bucket == complete.bucket.record.id
                && answer.key == complete.key
                && answer.part_list == complete.part_list_hash()
        });
        answer.map(|answer| answer.answer()).ok_or(Error::NoSuchUpload(complete.id))
    }

    async fn all_parts(&self, id: UploadId) -> Result<HashMap<u16, Row<PartRecord>>, Error> {
        let mut parts = HashMap::new();
        let mut scan = Scan::prefix(PARTS, &id.0, 1000);
        loop {
            let page = self.kv.scan(scan.clone()).await?;
            for item in page.items {
                let Item::Row { key, value } = item else { continue };
                let number = tables::parse_part(&key).ok_or(Error::Record("a part's number"))?;
                parts.insert(number, Row { record: decode(&value)?, bytes: value });
                scan.start = behind(&key);
            }
            if !page.more {
                return Ok(parts);
            }
        }
    }

    fn completed_object(
        &self,
        complete: &CompleteUpload,
        upload: &Upload,
        parts: &[Part],
    ) -> Result<ObjectRecord, Error> {
        let size = parts.iter().map(|(_, part)| part.record.size).sum();
        if size > self.options.max_object {
            return Err(Error::TooLarge { limit: self.options.max_object });
        }
        if complete.size.is_some_and(|announced| announced != size) {
            return Err(Error::SizeMismatch { actual: size });
        }
        let crc64nvme = combined_crc64nvme(parts);
        let checksum = object_checksum(upload.row.record.checksum, parts)?;
        let shown = checksum.clone().unwrap_or_else(|| Checksum::crc64nvme(crc64nvme));
        complete.verify_checksum(&shown, crc64nvme)?;
        Ok(ObjectRecord {
            summary: Summary {
                size,
                etag: multipart_etag(parts),
                modified: self.clock.now(),
                owner: upload.row.record.owner.clone(),
                storage_class: upload.row.record.storage_class,
                algorithm: shown.algorithm,
                checksum_type: shown.checksum_type(),
            },
            data: Data::Parts(complete.id),
            crc64nvme,
            checksum,
            metadata: upload.row.record.metadata.clone(),
            version: None,
            acl: upload.row.record.acl.clone(),
        })
    }
}

impl CompleteUpload {
    /// Picks the listed parts out of the uploaded ones, in S3's order of complaints.
    fn choose(&self, uploaded: &HashMap<u16, Row<PartRecord>>) -> Result<Vec<Part>, Error> {
        if !self.parts.is_sorted_by(|left, right| left.number < right.number) {
            return Err(Error::InvalidPartOrder);
        }
        let mut parts = Vec::with_capacity(self.parts.len());
        for listed in &self.parts {
            let number = u16::try_from(listed.number).map_err(|_| Error::InvalidPart(listed.number))?;
            let part = uploaded.get(&number).filter(|part| listed.is(&part.record));
            parts.push((number, part.ok_or(Error::InvalidPart(listed.number))?.clone()));
        }
        let too_small = parts
            .split_last()
            .and_then(|(_, others)| others.iter().find(|(_, part)| part.record.size < MIN_PART_BYTES));
        match too_small {
            Some((number, part)) => Err(Error::PartTooSmall { number: u32::from(*number), size: part.record.size }),
            None => Ok(parts),
        }
    }

    fn verify_checksum(&self, shown: &Checksum, crc64nvme: u64) -> Result<(), Error> {
        if self.checksum_type.is_some_and(|named| named != shown.checksum_type()) {
            return Err(Error::ChecksumType(shown.checksum_type()));
        }
        let Some(announced) = &self.checksum else { return Ok(()) };
        let agrees = match announced.algorithm {
            // The CRC64NVME of the whole is always known, whatever the upload's algorithm.
            Algorithm::Crc64Nvme => announced.same_value(&Checksum::crc64nvme(crc64nvme)),
            _ => announced.same_value(shown),
        };
        if agrees { Ok(()) } else { Err(Error::Digest(Digest::Checksum(announced.algorithm))) }
    }

    fn part_list_hash(&self) -> [u8; 32] {
        let mut hash = digest::Context::new(&digest::SHA256);
        for part in &self.parts {
            hash.update(&part.number.to_be_bytes());
            hash.update(&part.etag.md5);
        }
        let mut value = [0; 32];
        value.copy_from_slice(hash.finish().as_ref());
        value
    }
}

impl ListedPart {
    fn is(&self, part: &PartRecord) -> bool {
        let checksum_agrees = match (&self.checksum, &part.checksum) {
            (None, _) => true,
            (Some(listed), _) if listed.algorithm == Algorithm::Crc64Nvme => {
                listed.same_value(&Checksum::crc64nvme(part.crc64nvme))
            }
            (Some(listed), Some(stored)) => listed.same_value(stored),
            (Some(_), None) => false,
        };
        self.etag == ETag::single(part.md5) && checksum_agrees
    }
}

impl CompletedRecord {
    fn answer(&self) -> Completed {
        let checksum = self.checksum.clone().unwrap_or_else(|| Checksum::crc64nvme(self.crc64nvme));
        Completed { etag: self.etag, checksum, version: self.version, position: None }
    }
}

/// The MD5 of the parts' MD5s, and their number.
fn multipart_etag(parts: &[Part]) -> ETag {
    let mut md5 = Md5::new();
    for (_, part) in parts {
        md5.update(part.record.md5);
    }
    let count = u16::try_from(parts.len()).unwrap_or(u16::MAX);
    ETag { md5: md5.finalize().into(), parts: Some(count) }
}

fn combined_crc64nvme(parts: &[Part]) -> u64 {
    let values: Vec<_> =
        parts.iter().map(|(_, part)| (part.record.crc64nvme.to_be_bytes(), part.record.size)).collect();
    let whole = full_object(Algorithm::Crc64Nvme, values.iter().map(|(value, size)| (value.as_slice(), *size)));
    whole.map_or(0, |whole| whole.value.iter().fold(0, |number, &byte| (number << 8) | u64::from(byte)))
}

/// The checksum that the upload was created with, made from its parts'; `None` where CRC64NVME alone is kept.
fn object_checksum(asked: Option<(Algorithm, ChecksumType)>, parts: &[Part]) -> Result<Option<Checksum>, Error> {
    let Some((algorithm, checksum_type)) = asked else { return Ok(None) };
    let mut values = Vec::with_capacity(parts.len());
    for (number, part) in parts {
        let value = part.record.checksum.as_ref().filter(|checksum| checksum.algorithm == algorithm);
        let value = value.ok_or(Error::InvalidPart(u32::from(*number)))?;
        values.push((value.value.as_slice(), part.record.size));
    }
    Ok(match checksum_type {
        ChecksumType::FullObject => full_object(algorithm, values.into_iter()),
        ChecksumType::Composite => Some(composite(algorithm, values.into_iter().map(|(value, _)| value))),
    })
}
