//! Uploads that end more than once, at the same time, or not at all.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::fixture::{Fixture, INLINE, PART, body, completion, key};
use super::fsck::NOTHING;
use crate::store::Error;
use crate::store::change::ChangeKind;
use crate::store::multipart::UploadPart;
use crate::store::tables::{COMPLETED, INLINE as INLINE_ROWS, OFFSETS, PARTS, REFS};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[tokio::test]
async fn the_same_list_gets_the_same_answer_for_a_day() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let id = fixture.create_upload(&bucket, "key").await.unwrap();
    let first = fixture.part(&bucket, "key", id, 1, &body(1, PART)).await.unwrap();
    let last = fixture.part(&bucket, "key", id, 2, &body(2, 3)).await.unwrap();
    let list = [(1, &first), (2, &last)];
    let completed = fixture.complete(&bucket, "key", id, &list).await.unwrap();
    // Whatever became of the key meanwhile.
    fixture.put(&bucket, "key", &Bytes::from_static(b"newer")).await.unwrap();
    let changes = fixture.changes().await;
    fixture.clock.advance(DAY);
    fixture.store.expire_uploads().await.unwrap();
    fixture.store.sweep().await.unwrap();

    let again = fixture.complete(&bucket, "key", id, &list).await.unwrap();
    assert_eq!((again.etag, again.checksum), (completed.etag, completed.checksum));
    assert_eq!(fixture.get(&bucket, "key").await.unwrap(), "newer", "nothing was done again");
    assert_eq!(fixture.changes().await, changes);
    assert!(matches!(fixture.complete(&bucket, "key", id, &[(1, &first)]).await, Err(Error::NoSuchUpload(_))));
    assert!(matches!(fixture.complete(&bucket, "other", id, &list).await, Err(Error::NoSuchUpload(_))));
    let other = fixture.bucket("other").await;
    assert!(matches!(fixture.complete(&other, "key", id, &list).await, Err(Error::NoSuchUpload(_))));
    assert!(matches!(fixture.abort(&bucket, "key", id).await, Err(Error::NoSuchUpload(_))));

    fixture.clock.advance(Duration::from_millis(1));
    fixture.store.expire_uploads().await.unwrap();
    assert!(matches!(fixture.complete(&bucket, "key", id, &list).await, Err(Error::NoSuchUpload(_))));
    assert!(fixture.rows(COMPLETED).await.is_empty());
    assert_eq!(fixture.check().await, NOTHING);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_completions_all_succeed_and_one_has_effect() {
    let fixture = Arc::new(Fixture::new().await);
    let bucket = fixture.bucket("bucket").await;
    let id = fixture.create_upload(&bucket, "key").await.unwrap();
    let part = fixture.part(&bucket, "key", id, 1, &body(1, INLINE + 1)).await.unwrap();
    let mut racers = JoinSet::new();
    for _ in 0..16 {
        let (fixture, bucket, part) = (fixture.clone(), bucket.clone(), part.clone());
        racers.spawn(async move { fixture.complete(&bucket, "key", id, &[(1, &part)]).await.unwrap().etag });
    }
    let tags = racers.join_all().await;
    assert!(tags.iter().all(|tag| *tag == tags[0]));
    let completions =
        fixture.changes().await.into_iter().filter(|(kind, _)| *kind == ChangeKind::CompleteMultipart).count();
    assert_eq!(completions, 1);
    fixture.store.sweep().await.unwrap();
    assert_eq!(fixture.check().await, NOTHING);
    assert!(fixture.get(&bucket, "key").await.unwrap() == body(1, INLINE + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn completion_abortion_and_upload_meet_in_any_order() {
    for round in 0..40 {
        let fixture = Arc::new(Fixture::new().await);
        let bucket = fixture.bucket("bucket").await;
        let id = fixture.create_upload(&bucket, "key").await.unwrap();
        let part = fixture.part(&bucket, "key", id, 1, &body(1, INLINE + 1)).await.unwrap();
        let upload = fixture.store.upload(&bucket, &key("key"), id).await.unwrap();
        let complete = fixture.store.clone();
        let complete =
            tokio::spawn(async move { complete.complete_upload(completion(&bucket, "key", id, &[(1, &part)])).await });
        let (store, open) = (fixture.store.clone(), upload.clone());
        let abort = tokio::spawn(async move { store.abort_upload(&open).await });
        let (replacing, open) = (fixture.clone(), upload.clone());
        let replace = tokio::spawn(async move {
            let staged = replacing.stage(&body(2, INLINE + 2), Default::default(), &Default::default()).await.unwrap();
            replacing.store.upload_part(UploadPart { upload: open, number: 1 + round % 2 }, staged).await
        });
        let store = fixture.store.clone();
        let sweep = tokio::spawn(async move { store.sweep().await });
        let (completed, aborted) = (complete.await.unwrap(), abort.await.unwrap());
        let replaced = replace.await.unwrap();
        sweep.await.unwrap().unwrap();

        assert!(matches!(replaced, Ok(_) | Err(Error::NoSuchUpload(_))));
        let bucket = fixture.bucket("bucket").await;
        match (completed, aborted) {
            (Ok(_), Err(Error::NoSuchUpload(_))) => {
                assert!(fixture.get(&bucket, "key").await.unwrap() == body(1, INLINE + 1));
            }
            (Err(Error::NoSuchUpload(_) | Error::InvalidPart(_)), Ok(())) => {
                assert!(matches!(fixture.get(&bucket, "key").await, Err(Error::NoSuchKey(_))));
            }
            (completed, aborted) => panic!("{completed:?}, {aborted:?}"),
        }
        fixture.store.sweep().await.unwrap();
        fixture.blob_count().await;
        assert_eq!(fixture.check().await.queued, 0);
    }
}

#[tokio::test]
async fn an_aborted_upload_is_gone_with_all_its_rows() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let id = fixture.create_upload(&bucket, "key").await.unwrap();
    let part = fixture.part(&bucket, "key", id, 1, &body(1, INLINE + 1)).await.unwrap();
    fixture.part(&bucket, "key", id, 2, &body(2, 10)).await.unwrap();
    let upload = fixture.store.upload(&bucket, &key("key"), id).await.unwrap();
    fixture.abort(&bucket, "key", id).await.unwrap();
    let late = fixture.stage(&body(3, INLINE + 1), Default::default(), &Default::default()).await.unwrap();
    let late = fixture.store.upload_part(UploadPart { upload, number: 3 }, late).await;
    assert!(matches!(late, Err(Error::NoSuchUpload(_))));
    assert!(matches!(fixture.complete(&bucket, "key", id, &[(1, &part)]).await, Err(Error::NoSuchUpload(_))));
    fixture.store.sweep().await.unwrap();
    assert_eq!(fixture.check().await, NOTHING);
    for table in [PARTS, REFS, INLINE_ROWS, OFFSETS] {
        assert!(fixture.rows(table).await.is_empty(), "{}", table.name);
    }
    assert_eq!(fixture.blob_count().await, 0);
}

#[tokio::test]
async fn an_upload_expires_a_week_after_it_began() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let old = fixture.create_upload(&bucket, "key").await.unwrap();
    fixture.part(&bucket, "key", old, 1, &body(1, INLINE + 1)).await.unwrap();
    fixture.clock.advance(DAY);
    let young = fixture.create_upload(&bucket, "key").await.unwrap();
    fixture.clock.advance(6 * DAY);
    assert_eq!(fixture.store.expire_uploads().await.unwrap(), 0);
    fixture.clock.advance(Duration::from_millis(1));
    assert_eq!(fixture.store.expire_uploads().await.unwrap(), 1);
    assert!(matches!(fixture.store.upload(&bucket, &key("key"), old).await, Err(Error::NoSuchUpload(_))));
    assert!(fixture.store.upload(&bucket, &key("key"), young).await.is_ok());
    fixture.store.sweep().await.unwrap();
    assert_eq!((fixture.check().await, fixture.blob_count().await), (NOTHING, 0));
}

#[tokio::test]
async fn an_upload_ends_with_its_bucket() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let id = fixture.create_upload(&bucket, "key").await.unwrap();
    let part = fixture.part(&bucket, "key", id, 1, &body(1, INLINE + 1)).await.unwrap();
    fixture.delete_bucket("bucket").await.unwrap();
    assert!(matches!(fixture.complete(&bucket, "key", id, &[(1, &part)]).await, Err(Error::NoSuchBucket(_))));
    let late = fixture.part(&bucket, "key", id, 2, &body(2, INLINE + 1)).await;
    assert!(matches!(late, Err(Error::NoSuchBucket(_))));
    let again = fixture.bucket("bucket").await;
    assert!(matches!(fixture.complete(&again, "key", id, &[(1, &part)]).await, Err(Error::NoSuchUpload(_))));
    fixture.check().await;
    fixture.store.sweep().await.unwrap();
    assert_eq!((fixture.check().await, fixture.blob_count().await), (NOTHING, 0));
}
