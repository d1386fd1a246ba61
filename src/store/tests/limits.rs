//! The largest object there is: 10,000 parts, 5 TiB. Its parts are made up of nothing but their lengths.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::fixture::{completion, key};
use crate::blob::{BlobId, BlobReader, BlobRef, BlobWriter, Blobs, Error as BlobError, Space};
use crate::clock::{Clock, Timestamp};
use crate::kv::{MemoryKv, Profile, Table};
use crate::names::{AccountId, BucketName, ETag, UploadId};
use crate::store::bucket::{Bucket, CreateBucket};
use crate::store::change::Cause;
use crate::store::codec::encode;
use crate::store::multipart::{CreateUpload, ListParts, MAX_PART_BYTES, MAX_PART_NUMBER, MIN_PART_BYTES};
use crate::store::mutation::Mutation;
use crate::store::read::OpenObject;
use crate::store::record::{Data, Metadata, PartRecord, StorageClass};
use crate::store::tables::{self, PARTS, REFS, TABLES};
use crate::store::{Error, Options, Store};

const TIB: u64 = 1 << 40;
const MAX_OBJECT: u64 = 5 * TIB;

/// Blobs of any length that take no room: every byte follows from its blob and its place.
struct HollowBlobs;

struct HollowReader {
    blob: u64,
    remaining: Range<u64>,
}

fn hollow(blob: u64, range: Range<u64>) -> Bytes {
    range.map(|at| ((at * 31 + blob * 7) % 251) as u8).collect()
}

#[async_trait]
impl Blobs for HollowBlobs {
    async fn create(&self, _length: Option<u64>) -> Result<Box<dyn BlobWriter>, BlobError> {
        Err(BlobError::Full)
    }

    async fn read(&self, blob: BlobRef, range: Range<u64>) -> Result<Box<dyn BlobReader>, BlobError> {
        let remaining = range.start.min(blob.length)..range.end.min(blob.length);
        Ok(Box::new(HollowReader { blob: blob.id.number, remaining }))
    }

    async fn delete(&self, _id: BlobId) -> Result<(), BlobError> {
        Ok(())
    }

    async fn quarantine(&self, id: BlobId) -> Result<(), BlobError> {
        Err(BlobError::Missing(id))
    }

    async fn forget_cached(&self, _id: BlobId) {}

    async fn list(&self, _after: Option<BlobId>, _limit: usize) -> Result<Vec<BlobId>, BlobError> {
        Ok(Vec::new())
    }

    async fn space(&self) -> Result<Space, BlobError> {
        Ok(Space { free: u64::MAX / 2, total: u64::MAX })
    }

    fn writable(&self) -> Result<(), BlobError> {
        Ok(())
    }

    fn run(&self) -> u64 {
        1
    }
}

#[async_trait]
impl BlobReader for HollowReader {
    async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        let end = self.remaining.end.min(self.remaining.start + 64 * 1024);
        let bytes = hollow(self.blob, self.remaining.start..end);
        self.remaining.start = end;
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}

struct Giant {
    store: Arc<Store>,
    bucket: Bucket,
    id: UploadId,
    parts: Vec<(u16, PartRecord)>,
}

impl Giant {
    /// An open upload with parts of these sizes, numbered from 1.
    async fn upload(sizes: impl IntoIterator<Item = u64>) -> Self {
        let other = Table { id: 0, name: "other", profile: Profile::Records };
        let kv = Arc::new(MemoryKv::new(&[&[other], &TABLES[..]].concat()));
        let clock = Clock::fixed(Timestamp::from_seconds(1_000_000));
        let options = Options { max_object: MAX_OBJECT, ..Options::default() };
        let store = Store::open(kv, Arc::new(HollowBlobs), clock, options).await.unwrap();
        let name = BucketName::parse("bucket").unwrap();
        let (account, region, cause) = (AccountId::default(), "us-east-1".to_owned(), Cause::default());
        store
            .create_bucket(CreateBucket { name: name.clone(), account, region, configuration: Vec::new(), cause })
            .await
            .unwrap();
        let bucket = store.bucket(&name).await.unwrap();
        let (metadata, storage_class) = (Metadata::default(), StorageClass::Standard);
        let create = CreateUpload {
            bucket: bucket.clone(),
            key: key("giant"),
            metadata,
            storage_class,
            checksum: None,
            owner: AccountId::default(),
            acl: Vec::new(),
        };
        let id = store.create_upload(create).await.unwrap();
        let parts = (1..).zip(sizes).map(|(number, size)| (number, part(number, size))).collect();
        let giant = Self { store, bucket, id, parts };
        for (number, record) in &giant.parts {
            let target = record.data.target().unwrap();
            let mutation = Mutation::new().put(PARTS, tables::part(id, *number), encode(record)).put(
                REFS,
                tables::part_reference(target, id, *number),
                Bytes::new(),
            );
            giant.store.commit(mutation).await.unwrap().unwrap();
        }
        giant
    }

    async fn complete(&self) -> Result<ETag, Error> {
        let listed: Vec<_> = self.parts.iter().map(|(number, part)| (*number, part)).collect();
        let completion = completion(&self.bucket, "giant", self.id, &listed);
        Ok(self.store.complete_upload(completion).await?.etag)
    }

    async fn open(&self) -> OpenObject {
        self.store.open_object(&self.bucket, &key("giant")).await.unwrap()
    }

    async fn read(&self, range: Range<u64>) -> Bytes {
        super::fixture::read(&mut self.open().await.read(range)).await.unwrap()
    }
}

fn part(number: u16, size: u64) -> PartRecord {
    let id = BlobId { run: 1, number: u64::from(number) };
    PartRecord {
        size,
        md5: [number as u8; 16],
        modified: Timestamp::from_seconds(1),
        crc64nvme: u64::from(number),
        checksum: None,
        data: Data::Blob(BlobRef { id, length: size, footer_checksum: 0 }),
    }
}

/// 10,000 parts that make exactly 5 TiB: the last takes what the others leave.
fn sizes() -> Vec<u64> {
    let each = MAX_OBJECT / u64::from(MAX_PART_NUMBER);
    let mut sizes = vec![each; usize::from(MAX_PART_NUMBER)];
    *sizes.last_mut().unwrap() = MAX_OBJECT - each * (u64::from(MAX_PART_NUMBER) - 1);
    sizes
}

#[tokio::test]
async fn ten_thousand_parts_of_five_tebibytes_are_one_object() {
    let sizes = sizes();
    let giant = Giant::upload(sizes.iter().copied()).await;

    let upload = giant.store.upload(&giant.bucket, &key("giant"), giant.id).await.unwrap();
    let (mut after, mut listed) = (0, Vec::new());
    loop {
        let page = giant.store.list_parts(&upload, &ListParts { after, limit: 999 }).await.unwrap();
        listed.extend(page.parts);
        after = listed.last().unwrap().0;
        if !page.more {
            break;
        }
    }
    assert_eq!(listed, giant.parts);

    assert_eq!(giant.complete().await.unwrap().parts, Some(MAX_PART_NUMBER));
    assert_eq!(giant.open().await.record().summary.size, MAX_OBJECT);

    let last = *sizes.last().unwrap();
    let start = MAX_OBJECT - last;
    assert_eq!(giant.open().await.part(10_000).await.unwrap(), Some(start..MAX_OBJECT));
    assert_eq!(giant.open().await.part(10_001).await.unwrap(), None);
    let (parts, more) = giant.open().await.parts(9_999, 10).await.unwrap();
    assert!(parts.len() == 1 && parts[0].range == (start..MAX_OBJECT) && !more);

    // The first bytes, those on both sides of a border in the middle and of the last, and the last ones.
    assert_eq!(giant.read(0..1000).await, hollow(1, 0..1000));
    for number in [5_000_u64, 9_999] {
        let border = number * sizes[0];
        let both = [hollow(number, sizes[0] - 500..sizes[0]), hollow(number + 1, 0..500)].concat();
        assert_eq!(giant.read(border - 500..border + 500).await, both);
    }
    assert_eq!(giant.read(MAX_OBJECT - 1000..MAX_OBJECT).await, hollow(10_000, last - 1000..last));
}

#[tokio::test]
async fn one_byte_more_than_five_tebibytes_is_refused() {
    let mut sizes = sizes();
    *sizes.last_mut().unwrap() += 1;
    let giant = Giant::upload(sizes).await;
    assert!(matches!(giant.complete().await, Err(Error::TooLarge { limit: MAX_OBJECT })));
    let open = giant.store.upload(&giant.bucket, &key("giant"), giant.id).await;
    assert!(open.is_ok(), "a smaller list can still complete it");
}

#[tokio::test]
async fn parts_of_five_gibibytes_are_read_across_their_borders() {
    let giant = Giant::upload([MAX_PART_BYTES; 1024]).await;
    assert_eq!(giant.complete().await.unwrap().parts, Some(1024));
    for border in [MAX_PART_BYTES, 1023 * MAX_PART_BYTES] {
        let number = border / MAX_PART_BYTES;
        let both = [hollow(number, MAX_PART_BYTES - 9..MAX_PART_BYTES), hollow(number + 1, 0..9)].concat();
        assert_eq!(giant.read(border - 9..border + 9).await, both);
    }
    assert_eq!(MIN_PART_BYTES * 1024, MAX_PART_BYTES);
}
