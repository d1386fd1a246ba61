//! A store in memory whose engines can be told to fail, and short forms of what the tests do with it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::blob::{Blobs, FaultyBlobs, MemoryBlobs};
use crate::clock::{Clock, Timestamp};
use crate::kv::{Fault, FaultyKv, Item, Kv, MemoryKv, Profile, Scan, Table};
use crate::names::{AccountId, BucketName, ETag, ObjectKey, UploadId, VersionId};
use crate::store::annotate::{Annotate, Annotation};
use crate::store::bucket::{Bucket, CreateBucket};
use crate::store::change::{Cause, Change, ChangeKind};
use crate::store::checksum::{Algorithm, ChecksumType};
use crate::store::codec::decode;
use crate::store::copy::CopyObject;
use crate::store::delete::{DeleteObject, DeletePrecondition};
use crate::store::digest::{Announced, DigestPlan};
use crate::store::multipart::{CompleteUpload, Completed, CreateUpload, ListedPart, MIN_PART_BYTES, UploadPart};
use crate::store::put::{Precondition, PutObject, Stored};
use crate::store::read::ObjectReader;
use crate::store::record::{Metadata, PartRecord, StorageClass};
use crate::store::rename::RenameObject;
use crate::store::staging::{Incoming, Staged};
use crate::store::tables::{self, LOG};
use crate::store::{Error, Options, Position, Store};

/// The largest inline body, and the size of the smallest part that is not the last.
pub const INLINE: usize = 32 * 1024;
pub const PART: usize = MIN_PART_BYTES as usize;

/// A store and what is under it.
pub struct Fixture {
    pub kv: Arc<FaultyKv<MemoryKv>>,
    pub blobs: Arc<FaultyBlobs<MemoryBlobs>>,
    pub clock: Clock,
    pub store: Arc<Store>,
    options: Options,
}

impl Fixture {
    pub async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        // The store's tables begin at 1; what is at 0 is not its affair.
        let other = Table { id: 0, name: "other", profile: Profile::Records };
        Self::beside(&[other], options).await
    }

    /// A store on an engine that has these tables of others, too.
    pub async fn beside(others: &[Table], options: Options) -> Self {
        let kv = MemoryKv::new(&[others, &tables::TABLES[..]].concat());
        let clock = Clock::fixed(Timestamp::from_seconds(1_000_000));
        Self::open(Arc::new(FaultyKv::new(kv)), MemoryBlobs::new(), clock, options).await
    }

    async fn open(kv: Arc<FaultyKv<MemoryKv>>, blobs: MemoryBlobs, clock: Clock, options: Options) -> Self {
        let blobs = Arc::new(FaultyBlobs::new(blobs));
        let store = Store::open(kv.clone(), blobs.clone(), clock.clone(), options.clone()).await.unwrap();
        Self { kv, blobs, clock, store, options }
    }

    /// The next run of the process, on what this one left.
    pub async fn reopen(&self) -> Self {
        self.kv.fail_at(0, Fault::Refused);
        Self::open(self.kv.clone(), self.blobs.inner().reopen(), self.clock.clone(), self.options.clone()).await
    }

    /// Creates a bucket, or gives the one that is there.
    pub async fn bucket(&self, name: &str) -> Bucket {
        let name = bucket_name(name);
        let create = CreateBucket {
            name: name.clone(),
            account: AccountId::default(),
            region: "us-east-1".to_owned(),
            configuration: Vec::new(),
            cause: Cause::default(),
        };
        match self.store.create_bucket(create).await {
            Ok(_) | Err(Error::BucketOwned(_)) => self.store.bucket(&name).await.unwrap(),
            Err(error) => panic!("bucket {name}: {error}"),
        }
    }

    pub async fn delete_bucket(&self, name: &str) -> Result<Position, Error> {
        self.store.delete_bucket(&bucket_name(name), Cause::default()).await
    }

    pub async fn stage(&self, bytes: &Bytes, plan: DigestPlan, announced: &Announced) -> Result<Staged, Error> {
        let incoming = Incoming { length: Some(bytes.len() as u64), digests: plan };
        let mut writer = self.store.stage(incoming, u64::MAX).await?;
        for chunk in bytes.chunks(100_000) {
            writer.write(bytes.slice_ref(chunk)).await?;
        }
        writer.finish(announced).await
    }

    pub async fn put(&self, bucket: &Bucket, name: &str, bytes: &Bytes) -> Result<Stored, Error> {
        self.put_if(bucket, name, bytes, Precondition::None).await
    }

    pub async fn put_if(
        &self,
        bucket: &Bucket,
        name: &str,
        bytes: &Bytes,
        precondition: Precondition,
    ) -> Result<Stored, Error> {
        let staged = self.stage(bytes, DigestPlan::default(), &Announced::default()).await?;
        let put = PutObject {
            bucket: bucket.clone(),
            key: key(name),
            metadata: Metadata::default(),
            storage_class: StorageClass::Standard,
            owner: AccountId::default(),
            acl: Vec::new(),
            precondition,
            by_form: false,
            cause: Cause::default(),
        };
        self.store.put_object(put, staged).await
    }

    pub async fn get(&self, bucket: &Bucket, name: &str) -> Result<Bytes, Error> {
        let object = self.store.open_object(bucket, &key(name)).await?;
        let size = object.record().summary.size;
        read(&mut object.read(0..size)).await
    }

    pub async fn delete(&self, bucket: &Bucket, name: &str) -> Result<Option<Position>, Error> {
        self.delete_if(bucket, name, DeletePrecondition::default()).await
    }

    pub async fn delete_if(
        &self,
        bucket: &Bucket,
        name: &str,
        precondition: DeletePrecondition,
    ) -> Result<Option<Position>, Error> {
        Ok(self.store.delete_object(deletion(bucket, name, None, precondition)).await?.position)
    }

    /// A copy of what is at `from` now.
    pub async fn copying(&self, bucket: &Bucket, from: &str, to: &str) -> Result<CopyObject, Error> {
        let source = self.store.object(bucket, &key(from)).await?;
        Ok(CopyObject {
            bucket: bucket.clone(),
            key: key(to),
            metadata: source.record.metadata.clone(),
            storage_class: source.record.summary.storage_class,
            checksum: source.record.checksum.clone(),
            owner: AccountId::default(),
            acl: Vec::new(),
            source,
            precondition: Precondition::None,
            cause: Cause::default(),
        })
    }

    pub async fn copy(&self, bucket: &Bucket, from: &str, to: &str) -> Result<Stored, Error> {
        self.store.copy_object(self.copying(bucket, from, to).await?).await
    }

    /// A rename of what is at `from` now.
    pub async fn renaming(&self, bucket: &Bucket, from: &str, to: &str) -> Result<RenameObject, Error> {
        Ok(RenameObject {
            bucket: bucket.clone(),
            source_key: key(from),
            source: self.store.object(bucket, &key(from)).await?,
            key: key(to),
            precondition: Precondition::None,
            token: None,
            cause: Cause::default(),
        })
    }

    pub async fn rename(&self, bucket: &Bucket, from: &str, to: &str) -> Result<Stored, Error> {
        self.store.rename_object(self.renaming(bucket, from, to).await?).await
    }

    pub async fn create_upload(&self, bucket: &Bucket, name: &str) -> Result<UploadId, Error> {
        self.create_upload_with(bucket, name, None).await
    }

    pub async fn create_upload_with(
        &self,
        bucket: &Bucket,
        name: &str,
        checksum: Option<(Algorithm, ChecksumType)>,
    ) -> Result<UploadId, Error> {
        let create = CreateUpload {
            bucket: bucket.clone(),
            key: key(name),
            metadata: Metadata::default(),
            storage_class: StorageClass::Standard,
            checksum,
            owner: AccountId::default(),
            acl: Vec::new(),
        };
        self.store.create_upload(create).await
    }

    pub async fn part(
        &self,
        bucket: &Bucket,
        name: &str,
        id: UploadId,
        number: u16,
        bytes: &Bytes,
    ) -> Result<PartRecord, Error> {
        let upload = self.store.upload(bucket, &key(name), id).await?;
        let checksum = upload.row.record.checksum.map(|(algorithm, _)| algorithm);
        let staged = self.stage(bytes, DigestPlan { sha256: false, checksum }, &Announced::default()).await?;
        self.store.upload_part(UploadPart { upload, number }, staged).await
    }

    pub async fn complete(
        &self,
        bucket: &Bucket,
        name: &str,
        id: UploadId,
        parts: &[(u16, &PartRecord)],
    ) -> Result<Completed, Error> {
        self.store.complete_upload(completion(bucket, name, id, parts)).await
    }

    pub async fn abort(&self, bucket: &Bucket, name: &str, id: UploadId) -> Result<(), Error> {
        let upload = self.store.upload(bucket, &key(name), id).await?;
        self.store.abort_upload(&upload).await
    }

    /// Makes an object of parts with these numbers and bodies.
    pub async fn put_parts(&self, bucket: &Bucket, name: &str, bodies: &[(u16, Bytes)]) -> Completed {
        let id = self.create_upload(bucket, name).await.unwrap();
        let mut parts = Vec::new();
        for (number, bytes) in bodies {
            parts.push((*number, self.part(bucket, name, id, *number, bytes).await.unwrap()));
        }
        let listed: Vec<_> = parts.iter().map(|(number, part)| (*number, part)).collect();
        self.complete(bucket, name, id, &listed).await.unwrap()
    }

    /// All rows of a table, read where nothing fails.
    pub async fn rows(&self, table: Table) -> Vec<(Bytes, Bytes)> {
        let page = self.kv.inner().scan(Scan::prefix(table, b"", usize::MAX)).await.unwrap();
        let row = |item| match item {
            Item::Row { key, value } => (key, value),
            Item::Group(_) => panic!("a group without grouping"),
        };
        page.items.into_iter().map(row).collect()
    }

    /// The kinds and keys of the change log.
    pub async fn changes(&self) -> Vec<(ChangeKind, Option<String>)> {
        let entry = |(_, value): (Bytes, Bytes)| {
            let change: Change = decode(&value).unwrap();
            (change.kind, change.key.map(|key| key.as_str().to_owned()))
        };
        self.rows(LOG).await.into_iter().map(entry).collect()
    }

    /// How many blobs there are, once all that is being discarded is gone.
    pub async fn blob_count(&self) -> usize {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.blobs.inner().list(None, usize::MAX).await.unwrap().len()
    }
}

pub fn deletion(
    bucket: &Bucket,
    name: &str,
    version: Option<VersionId>,
    precondition: DeletePrecondition,
) -> DeleteObject {
    DeleteObject { bucket: bucket.clone(), key: key(name), version, precondition, cause: Cause::default() }
}

pub fn key(name: &str) -> ObjectKey {
    ObjectKey::parse(name).unwrap()
}

pub fn bucket_name(name: &str) -> BucketName {
    BucketName::parse(name).unwrap()
}

/// A body in which every stretch of bytes differs from every other.
pub fn body(seed: usize, length: usize) -> Bytes {
    let word = |at: usize| ((at + seed * 7919).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24).to_le_bytes();
    let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(word).collect();
    bytes.truncate(length);
    bytes.into()
}

pub async fn read(reader: &mut ObjectReader) -> Result<Bytes, Error> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = reader.next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

pub fn completion(bucket: &Bucket, name: &str, id: UploadId, parts: &[(u16, &PartRecord)]) -> CompleteUpload {
    let listed = parts.iter().map(|(number, part)| ListedPart {
        number: u32::from(*number),
        etag: ETag::single(part.md5),
        checksum: None,
    });
    CompleteUpload {
        bucket: bucket.clone(),
        key: key(name),
        id,
        parts: listed.collect(),
        precondition: Precondition::None,
        checksum: None,
        checksum_type: None,
        size: None,
        cause: Cause::default(),
    }
}

/// What is to be said of an object, whatever it is.
pub fn annotate(bucket: &Bucket, key: &ObjectKey, version: Option<&VersionId>, annotation: Annotation) -> Annotate {
    let (bucket, key, version) = (bucket.clone(), key.clone(), version.copied());
    Annotate { bucket, key, version, judged: None, annotation, cause: Cause::default() }
}
