//! A copy made under a pin can be completed, whatever happens to the store meanwhile.

use std::sync::Arc;

use bytes::Bytes;

use super::fixture::{Fixture, INLINE, PART, body};
use super::fsck::NOTHING;
use crate::blob::{BlobRef, Blobs};
use crate::kv::{Commit, Kv, MemoryKv, Scan};
use crate::names::BucketId;
use crate::store::blob_walk::BlobWalk;
use crate::store::codec::decode;
use crate::store::lineage::{GAP, begin_new_line, last_run, log_id};
use crate::store::sweep::Swept;
use crate::store::tables::{LOG, SWEEP};

async fn blobs_of(kv: &Arc<MemoryKv>) -> Vec<BlobRef> {
    let mut walk = BlobWalk::new(kv.clone());
    let mut blobs = Vec::new();
    while let Some(page) = walk.next().await.unwrap() {
        assert_eq!(page.unreadable, []);
        blobs.extend(page.blobs);
    }
    blobs
}

impl Fixture {
    fn checkpoint(&self) -> Arc<MemoryKv> {
        Arc::new(self.kv.inner().checkpoint())
    }

    async fn reads(&self, blob: BlobRef) -> bool {
        let Ok(mut reader) = self.blobs.inner().read(blob, 0..u64::MAX).await else { return false };
        loop {
            match reader.next().await {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }
}

#[tokio::test]
async fn every_blob_of_a_copy_stays_until_the_last_pin_is_gone() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    for name in ["deleted", "overwritten", "kept"] {
        fixture.put(&bucket, name, &body(1, INLINE + 1)).await.unwrap();
    }
    fixture.put_parts(&bucket, "parts", &[(1, body(2, PART)), (2, body(3, INLINE + 9))]).await;
    fixture.put(&bucket, "inline", &body(4, 9)).await.unwrap();
    // Unreferenced already, but not swept yet: the copy does not need it.
    fixture.put(&bucket, "gone", &body(5, INLINE + 1)).await.unwrap();
    fixture.delete(&bucket, "gone").await.unwrap();

    let (pin, other) = (fixture.store.pin(), fixture.store.pin());
    let copy = fixture.checkpoint();
    let needed = blobs_of(&copy).await;
    assert_eq!(needed.len(), 5);
    for name in ["deleted", "parts", "inline"] {
        fixture.delete(&bucket, name).await.unwrap();
    }
    fixture.put(&bucket, "overwritten", &body(6, INLINE + 1)).await.unwrap();
    let queued = fixture.rows(SWEEP).await;
    for _ in 0..2 {
        assert_eq!(fixture.store.sweep().await.unwrap(), Swept::default());
    }
    assert_eq!(fixture.rows(SWEEP).await, queued, "the queue is left as it is");
    drop(other);
    assert_eq!(fixture.store.sweep().await.unwrap(), Swept::default());
    for blob in &needed {
        assert!(fixture.reads(*blob).await, "{}", blob.id);
    }
    drop(pin);
    while fixture.store.sweep().await.unwrap().removed > 0 {}
    assert_eq!(fixture.check().await, NOTHING);
    assert_eq!(fixture.blob_count().await, 2, "what was kept and what was written since");
}

#[tokio::test]
async fn a_pin_taken_between_judgement_and_removal_counts() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "key", &body(1, INLINE + 1)).await.unwrap();
    fixture.delete(&bucket, "key").await.unwrap();
    // A reader on its way in holds the sweeper up, after it has judged.
    let inside = fixture.store.leases.enter().await;
    let sweeping = fixture.store.sweep();
    tokio::pin!(sweeping);
    assert!(futures_util::poll!(sweeping.as_mut()).is_pending());
    let pin = fixture.store.pin();
    drop(inside);
    assert_eq!(sweeping.await.unwrap(), Swept { removed: 0, left: 1 });
    assert_eq!(fixture.blob_count().await, 1);
    drop(pin);
    assert_eq!(fixture.store.sweep().await.unwrap(), Swept { removed: 1, left: 0 });
}

#[tokio::test]
async fn orphans_stay_while_there_is_a_pin() {
    let fixture = Fixture::new().await;
    let mut writer = fixture.blobs.create(None).await.unwrap();
    writer.write(Bytes::from_static(b"orphan")).await.unwrap();
    writer.finish().await.unwrap();
    let fixture = fixture.reopen().await;
    let pin = fixture.store.pin();
    assert_eq!(fixture.store.sweep_orphans().await.unwrap(), 0);
    drop(pin);
    assert_eq!(fixture.store.sweep_orphans().await.unwrap(), 1);
}

#[tokio::test]
async fn a_store_on_a_copy_finds_every_blob_and_gives_no_number_again() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let before = fixture.put(&bucket, "key", &body(1, INLINE + 1)).await.unwrap().position;
    let _pin = fixture.store.pin();
    let copy = fixture.checkpoint();
    let original = log_id(&*copy).await.unwrap().unwrap();
    let line = begin_new_line(&*copy, before.0).await.unwrap();
    assert_eq!(line.position, before.0 + GAP);
    assert!(copy.scan(Scan::prefix(LOG, b"", 1)).await.unwrap().items.is_empty());
    assert_ne!(line.log, original);
    assert_eq!(log_id(&*copy).await.unwrap(), Some(line.log));
    assert_eq!((line.last_run, last_run(&*copy).await.unwrap()), (1 + GAP, 1 + GAP));
    // What the original does meanwhile gets other numbers than what the copy will do.
    fixture.put(&bucket, "key", &body(2, 9)).await.unwrap();
    let appended = copy.commit(Commit::new().append(LOG, "e")).await.unwrap();
    assert_eq!(appended.positions, [before.0 + GAP + 1]);
    let next = copy.get(crate::store::tables::META, b"next bucket id").await.unwrap().unwrap();
    assert_eq!(decode::<BucketId>(&next).unwrap(), BucketId(2 + GAP));
}

#[tokio::test]
async fn a_log_keeps_its_id_from_run_to_run() {
    let fixture = Fixture::new().await;
    let id = log_id(&*fixture.kv).await.unwrap();
    assert!(id.is_some());
    assert_eq!(log_id(&*fixture.reopen().await.kv).await.unwrap(), id);
}
