//! Putting, getting and deleting objects.

use bytes::Bytes;

use super::fixture::{Fixture, INLINE, body, key};
use super::fsck::{Leftovers, NOTHING};
use crate::blob::Fault;
use crate::names::ETag;
use crate::store::checksum::{Algorithm, Checksum};
use crate::store::delete::DeletePrecondition;
use crate::store::digest::{Announced, DigestPlan};
use crate::store::put::Precondition;
use crate::store::record::Data;
use crate::store::staging::Incoming;
use crate::store::{Digest, Error, Options};

const MIB: usize = 1024 * 1024;

fn md5(bytes: &[u8]) -> [u8; 16] {
    use md5::Digest as _;
    md5::Md5::digest(bytes).into()
}

#[tokio::test]
async fn bodies_of_every_size_come_back_as_they_were_put() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    for length in [0, 1, INLINE - 1, INLINE, INLINE + 1, MIB / 2, MIB / 2 + 1, MIB, MIB + 1, 3 * MIB + 7] {
        let bytes = body(length, length);
        let stored = fixture.put(&bucket, "key", &bytes).await.unwrap();
        let record = fixture.store.object(&bucket, &key("key")).await.unwrap().record;
        assert_eq!(record, stored.record);
        assert_eq!(record.summary.size, length as u64);
        assert_eq!(record.summary.etag, ETag::single(md5(&bytes)));
        let kind = (matches!(record.data, Data::Empty), matches!(record.data, Data::Inline(_)));
        assert_eq!(kind, (length == 0, (1..=INLINE).contains(&length)), "{length}");
        assert!(fixture.get(&bucket, "key").await.unwrap() == bytes, "{length}");
        fixture.check().await;
    }
    assert!(fixture.delete(&bucket, "key").await.unwrap().is_some());
    assert!(matches!(fixture.get(&bucket, "key").await, Err(Error::NoSuchKey(_))));
    assert!(matches!(fixture.store.object(&bucket, &key("key")).await, Err(Error::NoSuchKey(_))));
    assert_eq!(fixture.delete(&bucket, "key").await.unwrap(), None, "deleting again succeeds");
}

#[tokio::test]
async fn an_inline_threshold_above_the_batch_size_holds() {
    let options = Options { inline_threshold: MIB as u64, ..Options::default() };
    let fixture = Fixture::with(options).await;
    let bucket = fixture.bucket("bucket").await;
    for length in [MIB - 1, MIB, MIB + 1, 2 * MIB] {
        let bytes = body(length, length);
        let stored = fixture.put(&bucket, "key", &bytes).await.unwrap();
        assert_eq!(matches!(stored.record.data, Data::Inline(_)), length <= MIB);
        assert!(fixture.get(&bucket, "key").await.unwrap() == bytes, "{length}");
    }
    fixture.check().await;
}

#[tokio::test]
async fn bytes_that_are_not_the_announced_ones_leave_nothing() {
    let fixture = Fixture::new().await;
    fixture.bucket("bucket").await;
    let plan = DigestPlan { sha256: true, checksum: Some(Algorithm::Crc32c) };
    let wrong_crc = Checksum { algorithm: Algorithm::Crc32c, value: vec![1; 4], parts: None };
    let unplanned = Checksum { algorithm: Algorithm::Sha1, value: vec![0; 20], parts: None };
    let cases = [
        (Announced { md5: Some([0; 16]), ..Announced::default() }, Digest::Md5),
        (Announced { sha256: Some([0; 32]), ..Announced::default() }, Digest::Sha256),
        (Announced { checksum: Some(wrong_crc), ..Announced::default() }, Digest::Checksum(Algorithm::Crc32c)),
        (Announced { checksum: Some(unplanned), ..Announced::default() }, Digest::Checksum(Algorithm::Sha1)),
    ];
    for length in [0, 10, INLINE + 1, MIB + 1] {
        for (announced, digest) in &cases {
            match fixture.stage(&body(1, length), plan, announced).await {
                Err(Error::Digest(found)) => assert_eq!(found, *digest),
                other => panic!("{length} bytes: {:?}", other.map(|staged| staged.length)),
            }
            assert_eq!(fixture.blob_count().await, 0, "{length} bytes");
        }
    }
    assert_eq!(fixture.check().await, NOTHING);
}

#[tokio::test]
async fn a_body_dropped_at_any_point_never_existed() {
    let fixture = Fixture::new().await;
    let bytes = body(1, 2 * MIB);
    let incoming = Incoming { length: None, digests: DigestPlan::default() };
    for written in [0, 1, INLINE, INLINE + 1, MIB, 2 * MIB] {
        let mut writer = fixture.store.stage(incoming, u64::MAX).await.unwrap();
        writer.write(bytes.slice(..written)).await.unwrap();
        drop(writer);
        // A batch under way is on other threads.
        while fixture.blob_count().await > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        let staged =
            fixture.stage(&bytes.slice(..written), DigestPlan::default(), &Announced::default()).await.unwrap();
        drop(staged);
        assert_eq!(fixture.blob_count().await, 0, "{written} bytes");
    }
}

#[tokio::test]
async fn a_body_above_its_limit_is_refused() {
    let fixture = Fixture::new().await;
    let incoming = |length| Incoming { length, digests: DigestPlan::default() };
    assert!(matches!(fixture.store.stage(incoming(Some(11)), 10).await, Err(Error::TooLarge { limit: 10 })));
    for limit in [10, INLINE, MIB] {
        let bytes = body(1, limit + 1);
        let mut writer = fixture.store.stage(incoming(None), limit as u64).await.unwrap();
        writer.write(bytes.slice(..limit)).await.unwrap();
        assert!(matches!(writer.write(bytes.slice(limit..)).await, Err(Error::TooLarge { .. })));
    }
}

#[tokio::test]
async fn a_large_body_waits_while_the_upload_memory_is_in_use() {
    let fixture = Fixture::with(Options { upload_memory: MIB as u64, ..Options::default() }).await;
    let incoming = Incoming { length: None, digests: DigestPlan::default() };
    let large = body(1, INLINE + 1);
    let mut first = fixture.store.stage(incoming, u64::MAX).await.unwrap();
    first.write(large.clone()).await.unwrap();

    let mut second = fixture.store.stage(incoming, u64::MAX).await.unwrap();
    {
        let waiting = second.write(large.clone());
        tokio::pin!(waiting);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        let mut small = fixture.store.stage(incoming, u64::MAX).await.unwrap();
        small.write(Bytes::from_static(b"small")).await.unwrap();
        drop(first);
        waiting.await.unwrap();
    }
    assert_eq!(second.finish(&Announced::default()).await.unwrap().length, large.len() as u64);
}

#[tokio::test]
async fn a_full_disk_refuses_bodies_and_not_deletions() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "key", &body(1, INLINE + 1)).await.unwrap();
    let incoming = Incoming { length: Some(1 << 40), digests: DigestPlan::default() };
    assert!(matches!(fixture.store.stage(incoming, u64::MAX).await, Err(Error::Full)), "the reserve stays free");

    fixture.blobs.fail_at(fixture.blobs.calls() + 2, Fault::Full);
    assert!(matches!(fixture.put(&bucket, "key", &body(2, INLINE + 1)).await, Err(Error::Full)));
    assert!(fixture.get(&bucket, "key").await.unwrap() == body(1, INLINE + 1));
    assert_eq!(fixture.blob_count().await, 1);
    fixture.delete(&bucket, "key").await.unwrap();
    assert_eq!(fixture.check().await, Leftovers { queued: 1, orphans: 0 });
}

#[tokio::test]
async fn a_conditional_deletion_asks_for_tag_size_and_time() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let stored = fixture.put(&bucket, "key", &Bytes::from_static(b"12345")).await.unwrap();
    let summary = stored.record.summary;
    let other_time = summary.modified.plus(std::time::Duration::from_secs(1));
    for refused in [
        DeletePrecondition { size: Some(4), ..DeletePrecondition::default() },
        DeletePrecondition { modified: Some(other_time), ..DeletePrecondition::default() },
        DeletePrecondition {
            object: Precondition::Matches(vec![ETag::single([0; 16])]),
            size: Some(5),
            modified: Some(summary.modified),
        },
    ] {
        assert!(matches!(fixture.delete_if(&bucket, "key", refused).await, Err(Error::PreconditionFailed)));
    }
    let held = DeletePrecondition {
        object: Precondition::Matches(vec![summary.etag]),
        size: Some(5),
        modified: Some(summary.modified),
    };
    assert!(fixture.delete_if(&bucket, "key", held).await.unwrap().is_some());
    let present = DeletePrecondition { object: Precondition::Present, ..DeletePrecondition::default() };
    assert!(matches!(fixture.delete_if(&bucket, "key", present).await, Err(Error::NoSuchKey(_))));
}
