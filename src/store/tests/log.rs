//! The change log: one entry for every change, none without.

use std::time::Duration;

use bytes::Bytes;

use super::fixture::{Fixture, body, completion, key};
use crate::names::ETag;
use crate::store::Error;
use crate::store::change::{Cause, Change, ChangeKind};
use crate::store::codec::decode;
use crate::store::digest::{Announced, DigestPlan};
use crate::store::put::{Precondition, PutObject};
use crate::store::record::{Metadata, StorageClass};
use crate::store::tables::LOG;

#[tokio::test]
async fn every_change_has_one_entry_of_its_kind() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let put = fixture.put(&bucket, "a", &body(1, 9)).await.unwrap().position;
    let copy = fixture.copy(&bucket, "a", "b").await.unwrap().position;
    let rename = fixture.rename(&bucket, "b", "c").await.unwrap().position;
    let id = fixture.create_upload(&bucket, "d").await.unwrap();
    let part = fixture.part(&bucket, "d", id, 1, &body(2, 9)).await.unwrap();
    let complete = fixture.complete(&bucket, "d", id, &[(1, &part)]).await.unwrap().position;
    let mut deletion = None;
    for name in ["a", "c", "d"] {
        deletion = fixture.delete(&bucket, name).await.unwrap();
    }
    let deleted = fixture.delete_bucket("bucket").await.unwrap();
    let entry = |kind, name: &str| (kind, Some(name.to_owned()));
    let expected = [
        (ChangeKind::CreateBucket, None),
        entry(ChangeKind::Put, "a"),
        entry(ChangeKind::Copy, "b"),
        entry(ChangeKind::Delete, "b"),
        entry(ChangeKind::Rename, "c"),
        entry(ChangeKind::CompleteMultipart, "d"),
        entry(ChangeKind::Delete, "a"),
        entry(ChangeKind::Delete, "c"),
        entry(ChangeKind::Delete, "d"),
        (ChangeKind::DeleteBucket, None),
    ];
    assert_eq!(fixture.changes().await, expected);
    let positions = [put, copy, rename, complete.unwrap(), deletion.unwrap(), deleted].map(|position| position.0);
    assert_eq!(positions, [2, 3, 5, 6, 9, 10]);
    fixture.check().await;
}

#[tokio::test]
async fn what_changes_nothing_has_no_entry() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "key", &body(1, 9)).await.unwrap();
    let before = fixture.changes().await;
    fixture.delete(&bucket, "missing").await.unwrap();
    assert!(fixture.put_if(&bucket, "key", &body(2, 9), Precondition::Absent).await.is_err());
    assert!(fixture.copy(&bucket, "missing", "key").await.is_err());
    assert!(fixture.delete_bucket("bucket").await.is_err());
    let id = fixture.create_upload(&bucket, "key").await.unwrap();
    fixture.part(&bucket, "key", id, 1, &body(1, 9)).await.unwrap();
    let empty = fixture.store.complete_upload(completion(&bucket, "other", id, &[])).await;
    assert!(matches!(empty, Err(Error::NoSuchUpload(_))));
    fixture.abort(&bucket, "key", id).await.unwrap();
    fixture.store.sweep().await.unwrap();
    assert_eq!(fixture.changes().await, before);
}

#[tokio::test]
async fn an_entry_says_what_who_and_when() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let cause = Cause { principal: "someone".into(), source_address: "192.0.2.1".into(), request_id: "7".into() };
    let tags = ("cache-tag".to_owned(), "shop, news".to_owned());
    let bytes = Bytes::from_static(b"hello world");
    let staged = fixture.stage(&bytes, DigestPlan::default(), &Announced::default()).await.unwrap();
    let put = PutObject {
        bucket: bucket.clone(),
        key: key("key"),
        metadata: Metadata { user: vec![tags], ..Metadata::default() },
        storage_class: StorageClass::Standard,
        owner: crate::names::AccountId::default(),
        acl: Vec::new(),
        precondition: Precondition::None,
        by_form: false,
        cause: cause.clone(),
    };
    fixture.store.put_object(put, staged).await.unwrap();
    let entry: Change = decode(&fixture.rows(LOG).await[1].1).unwrap();
    let etag: ETag = "5eb63bbbe01eeed093cb22bb8f5acdc3".parse().unwrap();
    assert_eq!((entry.size, entry.etag, entry.key), (11, Some(etag), Some(key("key"))));
    assert_eq!((entry.bucket_id, &entry.bucket), (bucket.record.id, &bucket.record.name));
    assert_eq!((entry.at, entry.cause, entry.version), (fixture.clock.now(), cause, None));
    assert_eq!(entry.cache_tags, ["shop", "news"]);
}

#[tokio::test]
async fn old_entries_are_trimmed_and_positions_go_on() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    for round in 0..1_200 {
        fixture.put(&bucket, "key", &body(round, 9)).await.unwrap();
    }
    fixture.clock.advance(Duration::from_secs(7 * 24 * 3600));
    fixture.put(&bucket, "young", &Bytes::new()).await.unwrap();
    assert_eq!(fixture.store.trim_log().await.unwrap(), 0);
    fixture.clock.advance(Duration::from_millis(1));
    assert_eq!(fixture.store.trim_log().await.unwrap(), 1_201);
    assert_eq!(fixture.changes().await, [(ChangeKind::Put, Some("young".to_owned()))]);
    fixture.clock.advance(Duration::from_secs(8 * 24 * 3600));
    assert_eq!(fixture.store.trim_log().await.unwrap(), 1);
    let next = fixture.reopen().await;
    assert_eq!(next.store.trim_log().await.unwrap(), 0);
    assert_eq!(next.put(&bucket, "key", &Bytes::new()).await.unwrap().position.0, 1_203);
}
