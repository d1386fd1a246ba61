//! Copies and renames: references move, bytes stay.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::fixture::{Fixture, INLINE, PART, body, key};
use super::fsck::NOTHING;
use crate::store::Error;
use crate::store::bucket::Bucket;
use crate::store::put::Precondition;
use crate::store::rename::{RenameObject, Token};
use crate::store::tables::RENAMED;

/// Objects of every kind of data, and their bytes.
async fn one_of_each(fixture: &Fixture, bucket: &Bucket) -> Vec<(&'static str, Bytes)> {
    let objects = [("empty", Bytes::new()), ("inline", body(1, 9)), ("blob", body(2, INLINE + 1))];
    for (name, bytes) in &objects {
        fixture.put(bucket, name, bytes).await.unwrap();
    }
    let parts = [(1, body(3, PART)), (2, body(4, 9))];
    fixture.put_parts(bucket, "parts", &parts).await;
    let joined = parts.each_ref().map(|(_, bytes)| bytes.clone()).concat();
    objects.into_iter().chain([("parts", Bytes::from(joined))]).collect()
}

#[tokio::test]
async fn a_copy_outlives_its_source() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let objects = one_of_each(&fixture, &bucket).await;
    let blobs = fixture.blob_count().await;
    for (name, bytes) in &objects {
        let copied = fixture.copy(&bucket, name, "copy").await.unwrap();
        assert_eq!(fixture.blob_count().await, blobs, "no bytes move");
        let source = fixture.store.object(&bucket, &key(name)).await.unwrap().record;
        assert_eq!((copied.record.summary.etag, copied.record.data), (source.summary.etag, source.data));
        fixture.delete(&bucket, name).await.unwrap();
        fixture.store.sweep().await.unwrap();
        assert!(fixture.get(&bucket, "copy").await.unwrap() == bytes, "{name}");
        assert_eq!(fixture.check().await, NOTHING);
    }
    fixture.delete(&bucket, "copy").await.unwrap();
    fixture.store.sweep().await.unwrap();
    assert_eq!((fixture.check().await, fixture.blob_count().await), (NOTHING, 0));
}

#[tokio::test]
async fn a_copy_onto_itself_or_onto_its_copy_keeps_the_bytes() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    for (name, bytes) in one_of_each(&fixture, &bucket).await {
        fixture.copy(&bucket, name, name).await.unwrap();
        fixture.copy(&bucket, name, "copy").await.unwrap();
        fixture.copy(&bucket, name, "copy").await.unwrap();
        fixture.copy(&bucket, "copy", name).await.unwrap();
        fixture.store.sweep().await.unwrap();
        for name in [name, "copy"] {
            assert!(fixture.get(&bucket, name).await.unwrap() == bytes, "{name}");
        }
        assert_eq!(fixture.check().await, NOTHING);
    }
}

#[tokio::test]
async fn a_changed_source_is_noticed() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "from", &body(1, INLINE + 1)).await.unwrap();
    let copying = fixture.copying(&bucket, "from", "to").await.unwrap();
    let itself = fixture.copying(&bucket, "from", "from").await.unwrap();
    let renaming = fixture.renaming(&bucket, "from", "to").await.unwrap();
    fixture.put(&bucket, "from", &body(2, INLINE + 1)).await.unwrap();
    fixture.store.sweep().await.unwrap();
    assert!(matches!(fixture.store.copy_object(copying).await, Err(Error::SourceChanged)));
    assert!(matches!(fixture.store.copy_object(itself).await, Err(Error::SourceChanged)));
    assert!(matches!(fixture.store.rename_object(renaming).await, Err(Error::SourceChanged)));
    let copying = fixture.copying(&bucket, "from", "to").await.unwrap();
    fixture.delete(&bucket, "from").await.unwrap();
    assert!(matches!(fixture.store.copy_object(copying).await, Err(Error::SourceChanged)));
    assert!(matches!(fixture.get(&bucket, "to").await, Err(Error::NoSuchKey(_))));
    fixture.store.sweep().await.unwrap();
    assert_eq!((fixture.check().await, fixture.blob_count().await), (NOTHING, 0));
}

#[tokio::test]
async fn a_copy_survives_the_deletion_of_the_source_bucket() {
    let fixture = Fixture::new().await;
    let (from, to) = (fixture.bucket("from").await, fixture.bucket("into").await);
    fixture.put(&from, "key", &body(1, INLINE + 1)).await.unwrap();
    let mut copying = fixture.copying(&from, "key", "key").await.unwrap();
    copying.bucket = to.clone();
    fixture.store.copy_object(copying).await.unwrap();
    fixture.delete(&from, "key").await.unwrap();
    fixture.delete_bucket("from").await.unwrap();
    fixture.store.sweep().await.unwrap();
    assert!(fixture.get(&to, "key").await.unwrap() == body(1, INLINE + 1));
    assert_eq!(fixture.check().await, NOTHING);
}

#[tokio::test]
async fn a_rename_moves_the_object_over_whatever_is_there() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "to", &body(9, INLINE + 1)).await.unwrap();
    for (name, bytes) in one_of_each(&fixture, &bucket).await {
        let before = fixture.store.object(&bucket, &key(name)).await.unwrap().record;
        fixture.clock.advance(std::time::Duration::from_secs(1));
        fixture.rename(&bucket, name, "to").await.unwrap();
        fixture.store.sweep().await.unwrap();
        assert!(matches!(fixture.get(&bucket, name).await, Err(Error::NoSuchKey(_))));
        assert!(fixture.get(&bucket, "to").await.unwrap() == bytes, "{name}");
        assert_eq!(
            fixture.store.object(&bucket, &key("to")).await.unwrap().record,
            before,
            "unchanged but for its key"
        );
        assert_eq!(fixture.check().await, NOTHING);
    }
    assert_eq!(fixture.blob_count().await, 1, "that of the last object's first part");
}

#[tokio::test]
async fn a_rename_onto_itself_or_onto_its_copy_keeps_the_object() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    for (name, bytes) in one_of_each(&fixture, &bucket).await {
        fixture.rename(&bucket, name, name).await.unwrap();
        fixture.copy(&bucket, name, "copy").await.unwrap();
        fixture.rename(&bucket, name, "copy").await.unwrap();
        fixture.store.sweep().await.unwrap();
        assert!(fixture.get(&bucket, "copy").await.unwrap() == bytes, "{name}");
        assert_eq!(fixture.check().await, NOTHING);
    }
}

#[tokio::test]
async fn a_rename_with_a_token_is_carried_out_once_and_known_for_a_day() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let token = |request| Token { name: "token".into(), request: [request; 32] };
    fixture.put(&bucket, "from", &body(1, 9)).await.unwrap();
    assert!(!fixture.store.was_renamed(&bucket, &token(1)).await.unwrap());
    let first = RenameObject { token: Some(token(1)), ..fixture.renaming(&bucket, "from", "to").await.unwrap() };
    let twin = RenameObject { token: Some(token(1)), ..fixture.renaming(&bucket, "from", "to").await.unwrap() };
    fixture.store.rename_object(first).await.unwrap();
    assert!(fixture.store.was_renamed(&bucket, &token(1)).await.unwrap());
    assert!(matches!(fixture.store.was_renamed(&bucket, &token(2)).await, Err(Error::TokenReused)));
    assert!(matches!(fixture.store.rename_object(twin).await, Err(Error::SourceChanged)));

    fixture.put(&bucket, "from", &body(2, 9)).await.unwrap();
    let again = RenameObject { token: Some(token(1)), ..fixture.renaming(&bucket, "from", "to").await.unwrap() };
    assert!(matches!(fixture.store.rename_object(again).await, Err(Error::SourceChanged)));
    assert_eq!(fixture.get(&bucket, "from").await.unwrap(), body(2, 9), "not moved by a repetition");
    let other = RenameObject { token: Some(token(2)), ..fixture.renaming(&bucket, "from", "to").await.unwrap() };
    assert!(matches!(fixture.store.rename_object(other).await, Err(Error::TokenReused)));

    fixture.store.expire_uploads().await.unwrap();
    assert_eq!(fixture.rows(RENAMED).await.len(), 1);
    fixture.clock.advance(std::time::Duration::from_secs(24 * 3600 + 1));
    fixture.store.expire_uploads().await.unwrap();
    assert!(fixture.rows(RENAMED).await.is_empty());
}

#[tokio::test]
async fn conditions_on_the_destination_are_kept() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "from", &body(1, 9)).await.unwrap();
    fixture.put(&bucket, "to", &body(2, 9)).await.unwrap();
    let mut copying = fixture.copying(&bucket, "from", "to").await.unwrap();
    copying.precondition = Precondition::Absent;
    assert!(matches!(fixture.store.copy_object(copying).await, Err(Error::PreconditionFailed)));
    let mut renaming = fixture.renaming(&bucket, "from", "to").await.unwrap();
    renaming.precondition = Precondition::Absent;
    assert!(matches!(fixture.store.rename_object(renaming).await, Err(Error::PreconditionFailed)));
    assert_eq!(fixture.get(&bucket, "from").await.unwrap(), body(1, 9));
    assert_eq!(fixture.get(&bucket, "to").await.unwrap(), body(2, 9));
}

/// Facts #26: a copy while the source is deleted, overwritten and swept.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn copies_made_while_the_source_goes_are_whole() {
    let fixture = Arc::new(Fixture::new().await);
    let bucket = fixture.bucket("bucket").await;
    let mut tasks = JoinSet::new();
    for task in 0..8usize {
        let (fixture, bucket) = (fixture.clone(), bucket.clone());
        tasks.spawn(async move {
            for round in 0..30 {
                let name = format!("copy-{task}");
                let outcome = match task {
                    0 => fixture.put(&bucket, "key", &body(round, INLINE + 1)).await.map(|_| ()),
                    1 => fixture.delete(&bucket, "key").await.map(|_| ()),
                    2 => fixture.store.sweep().await.map(|_| ()),
                    3 => fixture.rename(&bucket, "copy-4", "key").await.map(|_| ()),
                    _ => fixture.copy(&bucket, "key", &name).await.map(|_| ()),
                };
                assert!(matches!(outcome, Ok(()) | Err(Error::NoSuchKey(_) | Error::SourceChanged)), "{outcome:?}");
            }
        });
    }
    tasks.join_all().await;
    fixture.store.sweep().await.unwrap();
    assert_eq!(fixture.check().await, NOTHING);
}
