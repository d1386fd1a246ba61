//! What the store computes for every request: keys of rows, records, and a page of a listing with its document.
//!
//! `cargo bench --bench store --profile release`

use std::hint::black_box;
use std::sync::Arc;

use brim::blob::MemoryBlobs;
use brim::clock::{Clock, Timestamp};
use brim::http::date;
use brim::kv::rocks::{RocksKv, RocksOptions};
use brim::kv::{Commit, Kv};
use brim::names::{AccountId, BucketId, ETag, ObjectKey, UploadId};
use brim::s3::xml::write::Writer;
use brim::server::TABLES;
use brim::store::checksum::{Algorithm, ChecksumType};
use brim::store::list::{ListObjects, ObjectPage};
use brim::store::record::{Data, InlineId, Metadata, ObjectRecord, StorageClass, Summary};
use brim::store::{Options, Store, codec, tables};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const BUCKET: BucketId = BucketId(7);
const PAGE: usize = 1000;
const KEYS: usize = 10_000;

fn key(number: usize) -> String {
    format!("photos/2013/may/24/{number:06}.jpeg")
}

fn record() -> ObjectRecord {
    let summary = Summary {
        size: 4096,
        etag: ETag::single([7; 16]),
        modified: Timestamp::from_seconds(1_369_353_600),
        owner: AccountId::default(),
        storage_class: StorageClass::Standard,
        algorithm: Algorithm::Crc64Nvme,
        checksum_type: ChecksumType::FullObject,
    };
    let metadata = Metadata {
        content_type: Some("image/jpeg".into()),
        user: vec![("mtime".into(), "1369353600.123456789".into())],
        ..Metadata::default()
    };
    let data = Data::Inline(InlineId { run: 3, number: 100_000 });
    ObjectRecord {
        summary,
        data,
        crc64nvme: 0x0123_4567_89ab_cdef,
        checksum: None,
        metadata,
        version: None,
        acl: Vec::new(),
    }
}

fn keys(criterion: &mut Criterion) {
    let (plain, id) = (ObjectKey::parse(key(1)).expect("a key"), UploadId([9; 16]));
    let upload = tables::upload(BUCKET, &plain, id);
    let mut group = criterion.benchmark_group("keys");
    group.bench_function("object", |b| b.iter(|| tables::current(BUCKET, black_box(&plain).as_bytes())));
    group.bench_function("upload", |b| b.iter(|| tables::upload(BUCKET, black_box(&plain), id)));
    group.bench_function("upload, read back", |b| b.iter(|| tables::parse_upload(black_box(&upload))));
    group.finish();
}

fn records(criterion: &mut Criterion) {
    let record = record();
    let bytes = codec::encode(&record);
    let mut group = criterion.benchmark_group("records");
    group.bench_function("encode", |b| b.iter(|| codec::encode(black_box(&record))));
    group.bench_function("decode", |b| b.iter(|| codec::decode::<ObjectRecord>(black_box(&bytes)).expect("a record")));
    group.bench_function("decode the summary", |b| {
        b.iter(|| codec::decode::<Summary>(black_box(&bytes)).expect("the beginning of a record"));
    });
    group.finish();
}

/// A page of 1,000 keys out of 10,000, from memtable and cache, and the document that shows it.
fn listing(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = runtime.block_on(filled(directory.path()));
    let list = ListObjects { after: key(KEYS / 2), limit: PAGE, ..ListObjects::default() };
    let page = runtime.block_on(store.list_objects(BUCKET, &list)).expect("a page");
    assert_eq!(page.objects.len(), PAGE);
    let mut group = criterion.benchmark_group("listing");
    group.throughput(Throughput::Elements(PAGE as u64));
    group.bench_function("page", |b| {
        b.iter(|| runtime.block_on(store.list_objects(BUCKET, black_box(&list))).expect("a page"));
    });
    group.bench_function("document", |b| b.iter(|| document(black_box(&page))));
    group.finish();
}

async fn filled(directory: &std::path::Path) -> Arc<Store> {
    let kv = RocksKv::open(directory, RocksOptions::default(), TABLES).expect("an empty directory");
    let row = codec::encode(&record());
    let put = |commit: Commit, number| {
        commit.put(tables::CURRENT, tables::current(BUCKET, key(number).as_bytes()), row.clone())
    };
    kv.commit((0..KEYS).fold(Commit::new(), put)).await.expect("room");
    let blobs = Arc::new(MemoryBlobs::new());
    Store::open(Arc::new(kv), blobs, Clock::system(), Options::default()).await.expect("a store")
}

/// The entries as ListObjectsV2 writes them.
fn document(page: &ObjectPage) -> Vec<u8> {
    let mut document = Writer::new("ListBucketResult");
    for (key, summary) in &page.objects {
        document.nest("Contents", |entry| {
            entry
                .text("Key", key)
                .text("LastModified", &date::format_iso8601(summary.modified))
                .text("ETag", &summary.etag.quoted())
                .text("ChecksumAlgorithm", summary.algorithm.as_str())
                .text("ChecksumType", summary.checksum_type.as_str())
                .number("Size", summary.size)
                .text("StorageClass", summary.storage_class.as_str());
        });
    }
    document.finish()
}

criterion_group!(benches, keys, records, listing);
criterion_main!(benches);
