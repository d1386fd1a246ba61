//! What buckets want to be told of, and since when.

use bytes::Bytes;

use super::damage::World;
use super::fixture::Fixture;
use crate::kv::{Commit, Kv};
use crate::names::BucketId;
use crate::store::bucket::Bucket;
use crate::store::change::{Cause, ChangeKind};
use crate::store::codec::encode;
use crate::store::notifications::{Epoch, PutNotification};
use crate::store::tables::{self, NOTIFICATIONS};
use crate::store::{Error, Position};

const DOCUMENT: Bytes = Bytes::from_static(b"document");

impl Fixture {
    /// Has a bucket be told of what this document says.
    pub async fn tell(&self, bucket: &Bucket, document: Option<Bytes>) -> Result<Position, Error> {
        let learn = Box::new(|_, _| ());
        let put = PutNotification { bucket: bucket.clone(), document, cause: Cause::default(), learn };
        self.store.put_notification(put).await
    }

    async fn epochs(&self, bucket: &Bucket) -> Vec<(u64, Option<Bytes>)> {
        let epochs = self.store.notification_epochs(bucket.record.id).await.unwrap();
        epochs.into_iter().map(|epoch| (epoch.since.0, epoch.document)).collect()
    }
}

#[tokio::test]
async fn each_state_is_kept_with_the_position_of_its_entry() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let first = fixture.tell(&bucket, Some(DOCUMENT)).await.unwrap();
    fixture.put(&bucket, "key", &Bytes::new()).await.unwrap();
    let second = fixture.tell(&bucket, None).await.unwrap();
    assert_eq!((first.0, second.0), (2, 4));
    assert_eq!(fixture.epochs(&bucket).await, [(2, Some(DOCUMENT)), (4, None)]);
    let kinds: Vec<_> = fixture.changes().await.into_iter().map(|(kind, _)| kind).collect();
    let told = ChangeKind::BucketNotification;
    assert_eq!(kinds, [ChangeKind::CreateBucket, told, ChangeKind::Put, told]);
    fixture.check().await;
}

/// Others may commit between the look at the log and the commit itself.
#[tokio::test]
async fn the_entry_of_a_state_is_found_wherever_the_log_was_when_it_was_put() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    for round in 0..600 {
        fixture.put(&bucket, &format!("{round}"), &Bytes::new()).await.unwrap();
    }
    let position = fixture.tell(&bucket, Some(DOCUMENT)).await.unwrap();
    let row = tables::notification(bucket.record.id, 1);
    let earlier = encode(&(0u64, Some(DOCUMENT.to_vec())));
    fixture.kv.commit(Commit::new().put(NOTIFICATIONS, row, earlier)).await.unwrap();
    assert_eq!(fixture.epochs(&bucket).await, [(position.0, Some(DOCUMENT))]);
}

#[tokio::test]
async fn where_the_entry_was_trimmed_a_state_is_before_all_that_is_left() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.tell(&bucket, Some(DOCUMENT)).await.unwrap();
    fixture.clock.advance(std::time::Duration::from_secs(8 * 24 * 3600));
    fixture.put(&bucket, "key", &Bytes::new()).await.unwrap();
    fixture.store.trim_log().await.unwrap();
    let start = fixture.store.log_start().await.unwrap();
    let epochs = fixture.epochs(&bucket).await;
    assert!(epochs.len() == 1 && epochs[0].0 <= start.0, "{epochs:?} {start:?}");
}

#[tokio::test]
async fn buckets_are_read_page_by_page_and_those_that_are_gone_end_with_nothing() {
    let fixture = Fixture::new().await;
    for number in 0..120 {
        let bucket = fixture.bucket(&format!("bucket-{number}")).await;
        fixture.tell(&bucket, Some(DOCUMENT)).await.unwrap();
        if number % 2 == 0 {
            fixture.delete_bucket(&format!("bucket-{number}")).await.unwrap();
        }
    }
    let first = fixture.store.notifications_page(None).await.unwrap();
    assert!(first.buckets.len() == 100 && first.more);
    let rest = fixture.store.notifications_page(first.buckets.last().map(|(bucket, _)| *bucket)).await.unwrap();
    assert!(rest.buckets.len() == 20 && !rest.more);
    for (at, (bucket, epochs)) in first.buckets.iter().chain(&rest.buckets).enumerate() {
        assert_eq!((*bucket, epochs.len()), (BucketId(at as u64 + 1), if at % 2 == 0 { 2 } else { 1 }));
        let end = fixture.store.notification_end(*bucket).await.unwrap();
        assert_eq!(end, (at % 2 == 0).then_some(2), "bucket {at}");
    }
    fixture.check().await;
}

#[tokio::test]
async fn what_is_forgotten_is_what_is_older() {
    let fixture = Fixture::new().await;
    let (bucket, other) = (fixture.bucket("bucket").await, fixture.bucket("other").await);
    for bucket in [&bucket, &other] {
        for _ in 0..3 {
            fixture.tell(bucket, Some(DOCUMENT)).await.unwrap();
        }
    }
    let generations = async |bucket: &Bucket| {
        let epochs: Vec<Epoch> = fixture.store.notification_epochs(bucket.record.id).await.unwrap();
        epochs.into_iter().map(|epoch| epoch.generation).collect::<Vec<_>>()
    };
    fixture.store.forget_notifications(bucket.record.id, 0).await.unwrap();
    assert_eq!(generations(&bucket).await, [1, 2, 3]);
    fixture.store.forget_notifications(bucket.record.id, 3).await.unwrap();
    assert_eq!(generations(&bucket).await, [3]);
    fixture.store.forget_notifications(bucket.record.id, 4).await.unwrap();
    assert!(generations(&bucket).await.is_empty());
    assert_eq!(generations(&other).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_bucket_that_is_gone_is_told_of_nothing_more() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.delete_bucket("bucket").await.unwrap();
    assert!(matches!(fixture.tell(&bucket, Some(DOCUMENT)).await, Err(Error::NoSuchBucket(_))));
    fixture.bucket("bucket").await;
    assert!(matches!(fixture.tell(&bucket, Some(DOCUMENT)).await, Err(Error::NoSuchBucket(_))), "another bucket");
    assert!(fixture.rows(NOTIFICATIONS).await.is_empty());
}

#[tokio::test]
async fn the_check_finds_what_does_not_decode_and_what_no_bucket_ended() {
    let world = World::new().await;
    let row = |bucket| tables::notification(BucketId(bucket), 1);
    let told = encode(&(0u64, Some(DOCUMENT.to_vec())));
    let ended = encode(&(0u64, None::<Vec<u8>>));
    world.plant(Commit::new().put(NOTIFICATIONS, row(1), told.clone())).await;
    world
        .plant(Commit::new().put(NOTIFICATIONS, row(77), ended).put(
            NOTIFICATIONS,
            tables::notification(BucketId(77), 0),
            told.clone(),
        ))
        .await;
    assert!(world.found().await.is_empty(), "the bucket is there, and the other one ended");
    world.plant(Commit::new().put(NOTIFICATIONS, row(78), told.clone())).await;
    world
        .plant(Commit::new().put(NOTIFICATIONS, row(1), Bytes::from_static(b"?")).put(
            NOTIFICATIONS,
            Bytes::from_static(b"?"),
            told,
        ))
        .await;
    let kinds: Vec<_> = world.found().await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["unreadable_record", "configuration_without_bucket", "unreadable_record"]);
}
