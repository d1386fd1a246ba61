//! What the sweeper removes, what it leaves, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::fixture::{Fixture, INLINE, PART, body, key, read};
use super::fsck::{Leftovers, NOTHING};
use crate::blob::Blobs;
use crate::store::Error;
use crate::store::checksum::{Algorithm, Checksum, Hasher};
use crate::store::sweep::Swept;
use crate::store::tables::{INLINE as INLINE_ROWS, SWEEP};

const NONE_SWEPT: Swept = Swept { removed: 0, left: 0 };

#[tokio::test]
async fn overwritten_and_deleted_bytes_are_gone_after_one_sweep() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    for length in [9, INLINE + 1] {
        fixture.put(&bucket, "over", &body(1, length)).await.unwrap();
        fixture.put(&bucket, "gone", &body(2, length)).await.unwrap();
        fixture.put(&bucket, "over", &body(3, length)).await.unwrap();
        fixture.delete(&bucket, "gone").await.unwrap();
        assert_eq!(fixture.check().await, Leftovers { queued: 2, orphans: 0 });
        assert_eq!(fixture.store.sweep().await.unwrap(), Swept { removed: 2, left: 0 });
        assert_eq!(fixture.check().await, NOTHING);
        assert_eq!(fixture.rows(INLINE_ROWS).await.len() + fixture.blob_count().await, 1);
        fixture.delete(&bucket, "over").await.unwrap();
        fixture.store.sweep().await.unwrap();
    }
    assert_eq!(fixture.store.sweep().await.unwrap(), NONE_SWEPT);
}

#[tokio::test]
async fn the_parts_of_a_deleted_object_go_in_one_sweep() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put_parts(&bucket, "key", &[(1, body(1, PART)), (2, body(2, 9))]).await;
    fixture.delete(&bucket, "key").await.unwrap();
    fixture.store.sweep().await.unwrap();
    assert_eq!((fixture.check().await, fixture.blob_count().await), (NOTHING, 0));
}

#[tokio::test]
async fn a_slow_reader_reads_to_the_end_whatever_happens_to_the_key() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let bodies = [(1, body(1, PART)), (2, body(2, PART)), (3, body(3, 9))];
    let joined = Bytes::from(bodies.each_ref().map(|(_, bytes)| bytes.clone()).concat());
    fixture.put_parts(&bucket, "parts", &bodies).await;
    let blob = body(4, 3 * PART);
    fixture.put(&bucket, "blob", &blob).await.unwrap();
    let inline = body(5, 9);
    fixture.put(&bucket, "inline", &inline).await.unwrap();
    fixture.store.sweep().await.unwrap();

    for (name, bytes, leased) in [("parts", joined, 1), ("blob", blob, 1), ("inline", inline, 0)] {
        let object = fixture.store.open_object(&bucket, &key(name)).await.unwrap();
        let unread = fixture.store.open_object(&bucket, &key(name)).await.unwrap();
        let mut reader = object.read(0..bytes.len() as u64);
        let first = reader.next().await.unwrap().unwrap();
        fixture.put(&bucket, name, &body(9, INLINE + 1)).await.unwrap();
        fixture.delete(&bucket, name).await.unwrap();
        for _ in 0..3 {
            assert_eq!(fixture.store.sweep().await.unwrap().left, leased, "{name}");
            fixture.check().await;
        }
        let rest = read(&mut reader).await.unwrap();
        assert!([first, rest].concat() == bytes, "{name}");
        drop(reader);
        assert_eq!(fixture.store.sweep().await.unwrap().left, leased, "the second reader holds {name} too");
        assert!(read(&mut unread.read(0..bytes.len() as u64)).await.unwrap() == bytes, "{name}");
        fixture.store.sweep().await.unwrap();
        assert_eq!(fixture.check().await, NOTHING, "{name}");
    }
    assert_eq!(fixture.blob_count().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_writers_and_the_sweeper_never_lose_a_byte() {
    let fixture = Arc::new(Fixture::new().await);
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "key", &body(0, INLINE + 1)).await.unwrap();
    let (sweeping, store) = (Arc::new(AtomicBool::new(true)), fixture.store.clone());
    let going_on = sweeping.clone();
    let sweeper = tokio::spawn(async move {
        while going_on.load(Ordering::SeqCst) {
            store.sweep().await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..4usize {
        let (fixture, bucket) = (fixture.clone(), bucket.clone());
        tasks.spawn(async move {
            for round in 0..100 {
                if task == 0 {
                    let length = if round % 3 == 0 { 9 } else { INLINE + 1 };
                    fixture.put(&bucket, "key", &body(round, length)).await.unwrap();
                    continue;
                }
                let object = fixture.store.open_object(&bucket, &key("key")).await.unwrap();
                let (size, crc) = (object.record().summary.size, object.record().crc64nvme);
                let bytes = read(&mut object.read(0..size)).await.unwrap();
                let mut hasher = Hasher::new(Algorithm::Crc64Nvme);
                hasher.update(&bytes);
                assert_eq!(hasher.finish(), Checksum::crc64nvme(crc));
            }
        });
    }
    tasks.join_all().await;
    sweeping.store(false, Ordering::SeqCst);
    sweeper.await.unwrap();
    fixture.store.sweep().await.unwrap();
    assert_eq!(fixture.check().await, NOTHING);
}

#[tokio::test]
async fn the_queue_is_worked_off_page_by_page_and_trimmed() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    for round in 0..1201 {
        fixture.put(&bucket, "key", &body(round, 9)).await.unwrap();
    }
    assert_eq!(fixture.store.sweep().await.unwrap().removed, 1200);
    assert!(fixture.rows(SWEEP).await.is_empty());
    assert_eq!(fixture.check().await, NOTHING);
    let calls = fixture.kv.calls();
    assert_eq!(fixture.store.sweep().await.unwrap(), NONE_SWEPT);
    assert!(fixture.kv.calls() - calls <= 2, "an empty queue costs nothing");
}

#[tokio::test]
async fn only_unreferenced_blobs_of_earlier_runs_are_orphans() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "key", &body(1, INLINE + 1)).await.unwrap();
    let orphan = fixture.blobs.inner().create(None).await.unwrap().finish().await.unwrap();
    assert_eq!(fixture.store.sweep_orphans().await.unwrap(), 0, "its commit may be on its way");

    let next = fixture.reopen().await;
    let staged = next.stage(&body(2, INLINE + 1), Default::default(), &Default::default()).await.unwrap();
    assert_eq!(next.check().await.orphans, 2);
    assert_eq!(next.store.sweep_orphans().await.unwrap(), 1);
    assert!(next.blobs.inner().read(orphan, 0..0).await.is_err());
    assert!(next.get(&bucket, "key").await.unwrap() == body(1, INLINE + 1));
    drop(staged);
    assert_eq!((next.blob_count().await, next.check().await), (1, NOTHING));
}

/// The removal of a blob is not synced: a power loss may undo it, in any run.
#[tokio::test]
async fn a_removed_blob_that_is_back_is_removed_again() {
    let first = Fixture::new().await;
    let second = first.reopen().await;
    assert_eq!(second.store.sweep_orphans().await.unwrap(), 0);
    // A blob of the first run appears behind the second run's back.
    first.blobs.inner().create(None).await.unwrap().finish().await.unwrap();
    let third = second.reopen().await;
    assert_eq!(third.store.sweep_orphans().await.unwrap(), 1);
    assert_eq!(third.blob_count().await, 0);
}

#[tokio::test]
async fn a_reader_keeps_a_blob_of_an_earlier_run_from_the_search_for_orphans() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "key", &body(1, INLINE + 1)).await.unwrap();
    let next = fixture.reopen().await;
    let object = next.store.open_object(&bucket, &key("key")).await.unwrap();
    next.delete(&bucket, "key").await.unwrap();
    assert_eq!(next.store.sweep_orphans().await.unwrap(), 0);
    assert!(read(&mut object.read(0..INLINE as u64 + 1)).await.unwrap() == body(1, INLINE + 1));
    assert_eq!(next.store.sweep().await.unwrap().removed, 1);
    assert_eq!((next.blob_count().await, next.check().await), (0, NOTHING));
}

#[tokio::test]
async fn a_commit_of_unknown_outcome_leaves_its_blob_to_the_next_run() {
    for (fault, exists) in [(crate::kv::Fault::Refused, false), (crate::kv::Fault::AnswerLost, true)] {
        let fixture = Fixture::new().await;
        let bucket = fixture.bucket("bucket").await;
        fixture.kv.fail_at(2, fault);
        assert!(matches!(fixture.put(&bucket, "key", &body(1, INLINE + 1)).await, Err(Error::Kv(_))));
        assert_eq!(fixture.blob_count().await, 1, "it may be referenced");
        let next = fixture.reopen().await;
        assert_eq!(next.store.sweep_orphans().await.unwrap(), u64::from(!exists));
        assert_eq!(next.get(&bucket, "key").await.is_ok(), exists);
        assert_eq!(next.check().await, NOTHING);
    }
}

#[tokio::test]
async fn a_commit_that_was_refused_for_want_of_room_takes_its_blob_with_it() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.kv.fail_at(2, crate::kv::Fault::Paused);
    assert!(matches!(fixture.put(&bucket, "key", &body(1, INLINE + 1)).await, Err(Error::Full)));
    // The removal is on its way.
    for _ in 0..1000 {
        if fixture.blob_count().await == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!((fixture.blob_count().await, fixture.check().await), (0, NOTHING));
}
