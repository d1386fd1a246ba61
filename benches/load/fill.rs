//! A bucket of a million keys, put through the store itself: over HTTP it would take minutes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use brim::blob::{self, FileBlobs};
use brim::clock::Clock;
use brim::kv::rocks::{Durability, RocksKv, RocksOptions};
use brim::names::{AccountId, BucketName, ObjectKey};
use brim::server::TABLES;
use brim::store::bucket::Bucket;
use brim::store::change::Cause;
use brim::store::digest::Announced;
use brim::store::put::{Precondition, PutObject};
use brim::store::record::{Metadata, StorageClass};
use brim::store::staging::Incoming;
use brim::store::{self, Store};
use bytes::Bytes;

use super::servers::BUCKET;

const WRITERS: usize = 128;
const BODY: &[u8] = &[b'x'; 100];

/// The key of this number. Consecutive numbers are neighbours in a listing, and seven digits hold ten million.
pub fn key(number: u64) -> String {
    format!("photos/{:04}/{:03}.jpeg", number / 1000, number % 1000)
}

/// Puts `keys` objects of 100 bytes into the bucket of the site in `directory`, whose server must have ended.
pub fn fill(directory: &Path, keys: u64) {
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let data = directory.join("data");
        let options = RocksOptions { durability: Durability::Relaxed, ..RocksOptions::default() };
        let kv = Arc::new(RocksKv::open(&data.join("kv"), options, TABLES).expect("a closed database"));
        let blobs = FileBlobs::open(&data.join("blobs"), blob::Options::default()).expect("closed blobs");
        let options = store::Options::default();
        let store = Store::open(kv.clone(), Arc::new(blobs), Clock::system(), options).await.expect("a store");
        let bucket = store.bucket(&BucketName::parse(BUCKET).expect("a name")).await.expect("the site's bucket");
        let next = Arc::new(AtomicU64::new(0));
        let writers = (0..WRITERS).map(|_| tokio::spawn(put_all(store.clone(), bucket.clone(), next.clone(), keys)));
        for writer in writers.collect::<Vec<_>>() {
            writer.await.expect("writers do not panic");
        }
        tokio::task::spawn_blocking(move || kv.close()).await.expect("a database that closes");
    });
    eprintln!("{keys} keys in {:.1?}", begun.elapsed());
}

async fn put_all(store: Arc<Store>, bucket: Bucket, next: Arc<AtomicU64>, keys: u64) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= keys {
            return;
        }
        let mut body = store.stage(Incoming::default(), 1 << 20).await.expect("room");
        body.write(Bytes::from_static(BODY)).await.expect("room");
        let staged = body.finish(&Announced::default()).await.expect("nothing announced");
        let put = PutObject {
            bucket: bucket.clone(),
            key: ObjectKey::parse(key(number)).expect("a key"),
            metadata: Metadata::default(),
            storage_class: StorageClass::Standard,
            owner: AccountId::default(),
            acl: Vec::new(),
            precondition: Precondition::None,
            by_form: false,
            cause: Cause::default(),
        };
        store.put_object(put, staged).await.expect("a commit");
    }
}
