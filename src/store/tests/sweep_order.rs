//! The order in which the sweeper looks, waits and removes.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use super::fixture::{Fixture, INLINE, body};
use crate::blob::{BlobId, BlobReader, BlobRef, BlobWriter, Blobs, Error as BlobError, Space};
use crate::clock::Clock;
use crate::kv::{Commit, CommitError, Committed, Error, Kv, Page, Scan, Table};
use crate::store::tables::REFS;
use crate::store::{Options, Store};

/// Whether everything was made durable since references were last looked at.
#[derive(Default)]
struct Settled(AtomicBool);

struct WatchedKv<K>(Arc<K>, Arc<Settled>);

struct WatchedBlobs<B>(Arc<B>, Arc<Settled>, AtomicU64);

#[async_trait]
impl<K: Kv> Kv for WatchedKv<K> {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.0.get(table, key).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page, Error> {
        if scan.table == REFS {
            self.1.0.store(false, Ordering::SeqCst);
        }
        self.0.scan(scan).await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        let durable = commit.durable;
        let committed = self.0.commit(commit).await;
        if durable {
            self.1.0.store(true, Ordering::SeqCst);
        }
        committed
    }

    fn writable(&self) -> Result<(), Error> {
        self.0.writable()
    }
}

#[async_trait]
impl<B: Blobs> Blobs for WatchedBlobs<B> {
    async fn create(&self, length: Option<u64>) -> Result<Box<dyn BlobWriter>, BlobError> {
        self.0.create(length).await
    }

    async fn read(&self, blob: BlobRef, range: Range<u64>) -> Result<Box<dyn BlobReader>, BlobError> {
        self.0.read(blob, range).await
    }

    async fn delete(&self, id: BlobId) -> Result<(), BlobError> {
        assert!(self.1.0.load(Ordering::SeqCst), "{id} is removed before the commit that let go of it is durable");
        self.2.fetch_add(1, Ordering::SeqCst);
        self.0.delete(id).await
    }

    async fn quarantine(&self, id: BlobId) -> Result<(), BlobError> {
        self.0.quarantine(id).await
    }

    async fn forget_cached(&self, id: BlobId) {
        self.0.forget_cached(id).await;
    }

    async fn list(&self, after: Option<BlobId>, limit: usize) -> Result<Vec<BlobId>, BlobError> {
        self.0.list(after, limit).await
    }

    async fn space(&self) -> Result<Space, BlobError> {
        self.0.space().await
    }

    fn writable(&self) -> Result<(), BlobError> {
        self.0.writable()
    }

    fn run(&self) -> u64 {
        // One more than the fixture's own store, which holds the number already.
        self.0.run() + 1
    }
}

#[tokio::test]
async fn bytes_are_removed_only_after_what_was_judged_is_durable() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    for name in ["a", "b", "c"] {
        fixture.put(&bucket, name, &body(1, INLINE + 1)).await.unwrap();
    }
    fixture.delete(&bucket, "a").await.unwrap();
    fixture.delete(&bucket, "b").await.unwrap();
    let settled = Arc::new(Settled::default());
    let blobs = Arc::new(WatchedBlobs(fixture.blobs.clone(), settled.clone(), AtomicU64::new(0)));
    let kv = Arc::new(WatchedKv(fixture.kv.clone(), settled));
    let store = Store::open(kv, blobs.clone(), Clock::system(), Options::default()).await.unwrap();
    store.sweep().await.unwrap();
    assert_eq!(blobs.2.load(Ordering::SeqCst), 2);
    // What the first store wrote is of an earlier run for this one, so an orphan of it is found as well.
    let mut writer = fixture.blobs.create(None).await.unwrap();
    writer.write(body(2, 9)).await.unwrap();
    writer.finish().await.unwrap();
    assert_eq!(store.sweep_orphans().await.unwrap(), 1);
    assert_eq!(blobs.2.load(Ordering::SeqCst), 3);
}
