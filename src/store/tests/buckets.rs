//! Buckets that come and go while others use them.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;

use super::fixture::{Fixture, INLINE, body, bucket_name, key};
use super::fsck::NOTHING;
use crate::kv::Fault;
use crate::names::AccountId;
use crate::store::Error;
use crate::store::bucket::{CreateBucket, ListBuckets};
use crate::store::change::{Cause, ChangeKind};
use crate::store::list::ListObjects;
use crate::store::tables::UPLOADS;

fn creation(name: &str, account: &str) -> CreateBucket {
    let account: AccountId = account.parse().unwrap();
    let (region, configuration, cause) = ("us-east-1".to_owned(), Vec::new(), Cause::default());
    CreateBucket { name: bucket_name(name), account, region, configuration, cause }
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let fixture = Fixture::new().await;
    let create = |account: &'static str| fixture.store.create_bucket(creation("bucket", account));
    create("111111111111").await.unwrap();
    assert!(matches!(create("111111111111").await, Err(Error::BucketOwned(_))));
    assert!(matches!(create("222222222222").await, Err(Error::BucketTaken(_))));
    assert_eq!(fixture.changes().await, [(ChangeKind::CreateBucket, None)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_creators_of_different_buckets_get_different_ids() {
    let fixture = Arc::new(Fixture::new().await);
    let mut racers = tokio::task::JoinSet::new();
    for racer in 0..12 {
        let store = fixture.store.clone();
        racers.spawn(async move { store.create_bucket(creation(&format!("bucket-{racer}"), "111111111111")).await });
    }
    let mut ids: Vec<_> = racers.join_all().await.into_iter().map(|created| created.unwrap().0.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 12);
    fixture.check().await;
}

#[tokio::test]
async fn an_account_lists_its_own_buckets_in_pages() {
    let fixture = Fixture::new().await;
    for (name, account) in [("b-1", "1"), ("a-1", "1"), ("a-2", "2"), ("a-3", "1"), ("c-1", "1")] {
        fixture.store.create_bucket(creation(name, &account.repeat(12))).await.unwrap();
    }
    for (prefix, expected) in [("", vec!["a-1", "a-3", "b-1", "c-1"]), ("a-", vec!["a-1", "a-3"]), ("z", vec![])] {
        for limit in 1..6 {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let account = "111111111111".parse().unwrap();
                let list = ListBuckets { account, prefix: prefix.to_owned(), after: after.clone(), limit };
                let page = fixture.store.list_buckets(&list).await.unwrap();
                assert!(page.buckets.len() <= limit);
                found.extend(page.buckets.into_iter().map(|bucket| bucket.name));
                if !page.more {
                    break;
                }
                after = found.last().cloned();
            }
            assert_eq!(found.iter().map(|name| name.as_str()).collect::<Vec<_>>(), expected);
        }
    }
}

#[tokio::test]
async fn a_bucket_with_objects_stays() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "key", &Bytes::new()).await.unwrap();
    let changes = fixture.changes().await;
    assert!(matches!(fixture.delete_bucket("bucket").await, Err(Error::BucketNotEmpty(_))));
    assert_eq!(fixture.changes().await, changes);
    fixture.put(&bucket, "other", &Bytes::new()).await.unwrap();
    assert!(matches!(fixture.delete_bucket("missing").await, Err(Error::NoSuchBucket(_))));
}

#[tokio::test]
async fn a_bucket_made_again_is_empty_and_another() {
    let fixture = Fixture::new().await;
    let old = fixture.bucket("bucket").await;
    fixture.create_upload(&old, "key").await.unwrap();
    fixture.put(&old, "key", &Bytes::new()).await.unwrap();
    fixture.delete(&old, "key").await.unwrap();
    fixture.delete_bucket("bucket").await.unwrap();
    let new = fixture.bucket("bucket").await;
    assert_ne!(old.record.id, new.record.id);
    assert!(matches!(fixture.put(&old, "key", &Bytes::new()).await, Err(Error::NoSuchBucket(_))));
    assert!(matches!(fixture.create_upload(&old, "key").await, Err(Error::NoSuchBucket(_))));
    let list = ListObjects { limit: 10, ..ListObjects::default() };
    assert!(fixture.store.list_objects(new.record.id, &list).await.unwrap().objects.is_empty());
    assert!(matches!(fixture.get(&new, "key").await, Err(Error::NoSuchKey(_))));
    fixture.check().await;
    fixture.store.sweep().await.unwrap();
    assert!(fixture.rows(UPLOADS).await.is_empty());
    assert_eq!(fixture.check().await, NOTHING);
}

#[tokio::test]
async fn more_uploads_than_a_page_end_with_their_bucket() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    for _ in 0..1_100 {
        fixture.create_upload(&bucket, "key").await.unwrap();
    }
    fixture.delete_bucket("bucket").await.unwrap();
    fixture.store.sweep().await.unwrap();
    assert!(fixture.rows(UPLOADS).await.is_empty());
    assert_eq!(fixture.check().await, NOTHING);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_object_is_never_left_under_a_deleted_bucket() {
    for round in 0..100 {
        let fixture = Arc::new(Fixture::new().await);
        let bucket = fixture.bucket("bucket").await;
        let (putting, held) = (fixture.clone(), bucket.clone());
        let length = if round % 2 == 0 { 9 } else { INLINE + 1 };
        let put = tokio::spawn(async move { putting.put(&held, "key", &body(round, length)).await });
        let deleting = fixture.clone();
        let delete = tokio::spawn(async move { deleting.delete_bucket("bucket").await });
        let deleting = fixture.clone();
        let delete_too = tokio::spawn(async move { deleting.delete_bucket("bucket").await });
        let (put, deletions) = (put.await.unwrap(), [delete.await.unwrap(), delete_too.await.unwrap()]);
        let deleted = deletions.iter().filter(|outcome| outcome.is_ok()).count();
        match &put {
            Ok(_) => {
                assert_eq!(deleted, 0);
                assert_eq!(fixture.get(&bucket, "key").await.unwrap().len(), length);
            }
            Err(error) => {
                assert!(matches!(error, Error::NoSuchBucket(_) | Error::BucketBusy(_)), "{error}");
                assert_eq!(deleted, 1);
            }
        }
        for error in deletions.into_iter().filter_map(Result::err) {
            assert!(matches!(error, Error::NoSuchBucket(_) | Error::BucketBusy(_) | Error::BucketNotEmpty(_)));
        }
        fixture.check().await;
    }
}

#[tokio::test]
async fn a_deletion_goes_on_when_its_caller_goes_away() {
    let fixture = Fixture::new().await;
    fixture.bucket("bucket").await;
    assert!(fixture.delete_bucket("bucket").now_or_never().is_none(), "the caller leaves at the first wait");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(fixture.store.bucket(&bucket_name("bucket")).await, Err(Error::NoSuchBucket(_))));
    assert_eq!(fixture.changes().await.last().unwrap().0, ChangeKind::DeleteBucket);
}

/// Calls 1 to 4 of a deletion: read, look, announce, look again. The fifth removes the bucket.
const ANNOUNCED: u64 = 4;

#[tokio::test]
async fn a_deletion_cut_short_is_settled_at_the_next_start() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.create_upload(&bucket, "key").await.unwrap();
    fixture.kv.fail_at(ANNOUNCED, Fault::Refused);
    assert!(matches!(fixture.delete_bucket("bucket").await, Err(Error::Kv(_))));
    assert!(matches!(fixture.put(&bucket, "key", &Bytes::new()).await, Err(Error::BucketBusy(_))));
    let next = fixture.reopen().await;
    assert!(matches!(next.store.bucket(&bucket_name("bucket")).await, Err(Error::NoSuchBucket(_))));
    next.store.sweep().await.unwrap();
    assert_eq!(next.check().await, NOTHING);
    assert_eq!(next.changes().await.last().unwrap().0, ChangeKind::DeleteBucket);
}

#[tokio::test]
async fn a_deletion_cut_short_is_settled_by_the_next_deletion() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.kv.fail_at(ANNOUNCED, Fault::Refused);
    assert!(fixture.delete_bucket("bucket").await.is_err());
    fixture.delete_bucket("bucket").await.unwrap();
    assert!(matches!(fixture.store.object(&bucket, &key("key")).await, Err(Error::NoSuchKey(_))));
    assert_eq!(fixture.changes().await.len(), 2);
    fixture.check().await;
}
