//! Conditional writes when many want the same key.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::fixture::{Fixture, body, key};
use crate::names::ETag;
use crate::store::Error;
use crate::store::delete::DeletePrecondition;
use crate::store::put::Precondition;

const RACERS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_racing_creators_exactly_one_wins() {
    let fixture = Arc::new(Fixture::new().await);
    let bucket = fixture.bucket("bucket").await;
    let mut racers = JoinSet::new();
    for racer in 0..RACERS {
        let (fixture, bucket) = (fixture.clone(), bucket.clone());
        // Half of them come with blobs.
        let bytes = body(racer, if racer % 2 == 0 { 10 } else { 40_000 });
        racers.spawn(async move { (racer, fixture.put_if(&bucket, "key", &bytes, Precondition::Absent).await) });
    }
    let mut winner = None;
    for (racer, outcome) in racers.join_all().await {
        match outcome {
            Ok(_) => assert_eq!(winner.replace(racer), None, "two creators won"),
            Err(error) => assert!(matches!(error, Error::PreconditionFailed), "{error}"),
        }
    }
    let winner = winner.expect("one creator wins");
    let found = fixture.get(&bucket, "key").await.unwrap();
    assert!(found == body(winner, found.len()));
    let leftovers = fixture.check().await;
    assert_eq!((leftovers.queued, fixture.changes().await.len()), (0, 2));
    while fixture.blob_count().await > winner % 2 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_chain_of_compare_and_swaps_loses_none() {
    const ROUNDS: u64 = 20;
    let fixture = Arc::new(Fixture::new().await);
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "counter", &Bytes::from_static(b"0")).await.unwrap();
    let mut counters = JoinSet::new();
    for _ in 0..8 {
        let (fixture, bucket) = (fixture.clone(), bucket.clone());
        counters.spawn(async move {
            for _ in 0..ROUNDS {
                loop {
                    let object = fixture.store.open_object(&bucket, &key("counter")).await.unwrap();
                    let (etag, size) = (object.record().summary.etag, object.record().summary.size);
                    let text = super::fixture::read(&mut object.read(0..size)).await.unwrap();
                    let next = std::str::from_utf8(&text).unwrap().parse::<u64>().unwrap() + 1;
                    let precondition = Precondition::Matches(vec![etag]);
                    match fixture.put_if(&bucket, "counter", &Bytes::from(next.to_string()), precondition).await {
                        Ok(_) => break,
                        Err(error) => assert!(matches!(error, Error::PreconditionFailed), "{error}"),
                    }
                }
            }
        });
    }
    counters.join_all().await;
    assert_eq!(fixture.get(&bucket, "counter").await.unwrap(), (8 * ROUNDS).to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_writers_of_one_key_all_succeed() {
    let fixture = Arc::new(Fixture::new().await);
    let bucket = fixture.bucket("bucket").await;
    let mut writers = JoinSet::new();
    for writer in 0..RACERS {
        let (fixture, bucket) = (fixture.clone(), bucket.clone());
        writers.spawn(async move {
            match writer % 4 {
                0 => fixture.put(&bucket, "key", &body(writer, 40_000)).await.map(|_| ()),
                1 => fixture.put(&bucket, "key", &body(writer, 10)).await.map(|_| ()),
                2 => fixture.delete(&bucket, "key").await.map(|_| ()),
                _ => match fixture.copy(&bucket, "key", "key").await {
                    Err(Error::NoSuchKey(_) | Error::SourceChanged) | Ok(_) => Ok(()),
                    Err(error) => Err(error),
                },
            }
        });
    }
    for outcome in writers.join_all().await {
        outcome.unwrap();
    }
    fixture.store.sweep().await.unwrap();
    assert_eq!(fixture.check().await, super::fsck::NOTHING);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_conditional_deletion_spares_the_newer_object() {
    let fixture = Arc::new(Fixture::new().await);
    let bucket = fixture.bucket("bucket").await;
    for round in 0..50 {
        let old = fixture.put(&bucket, "key", &body(round, 10)).await.unwrap().record.summary.etag;
        let object = Precondition::Matches(vec![old]);
        let deleting = fixture.delete_if(&bucket, "key", DeletePrecondition { object, ..Default::default() });
        let new = Bytes::from_static(b"new");
        // Whoever comes first: the deletion hits the old object or nothing.
        let (deleted, put) = tokio::join!(deleting, fixture.put(&bucket, "key", &new));
        assert!(matches!(deleted, Ok(Some(_)) | Err(Error::PreconditionFailed)));
        put.unwrap();
        assert_eq!(fixture.get(&bucket, "key").await.unwrap(), new);
    }
}

#[tokio::test]
async fn a_condition_is_decided_by_what_is_there_at_the_commit() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let bytes = Bytes::from_static(b"bytes");
    let missing = Precondition::Matches(vec![ETag::single([0; 16])]);
    assert!(matches!(fixture.put_if(&bucket, "key", &bytes, missing).await, Err(Error::NoSuchKey(_))));
    assert!(matches!(fixture.put_if(&bucket, "key", &bytes, Precondition::Present).await, Err(Error::NoSuchKey(_))));
    let etag = fixture.put_if(&bucket, "key", &bytes, Precondition::Absent).await.unwrap().record.summary.etag;
    let matching = Precondition::Matches(vec![etag]);
    fixture.put_if(&bucket, "key", &Bytes::from_static(b"other"), matching.clone()).await.unwrap();
    assert!(matches!(fixture.put_if(&bucket, "key", &bytes, matching).await, Err(Error::PreconditionFailed)));
    assert_eq!(fixture.changes().await.len(), 3, "refused writes are no changes");
}
