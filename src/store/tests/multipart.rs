//! What completing an upload makes of its parts, and what it refuses.

use bytes::Bytes;
use md5::{Digest as _, Md5};

use super::fixture::{Fixture, INLINE, PART, body, completion, key};
use super::fsck::NOTHING;
use crate::names::ETag;
use crate::store::checksum::{Algorithm, Checksum, ChecksumType, Hasher};
use crate::store::multipart::ListedPart;
use crate::store::put::Precondition;
use crate::store::{Digest, Error, Options};

fn checksum(algorithm: Algorithm, bytes: &[u8]) -> Checksum {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

#[tokio::test]
async fn an_object_is_its_parts_in_ascending_order() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let id = fixture.create_upload(&bucket, "key").await.unwrap();
    let bodies = [body(1, PART), body(2, PART + 1), body(3, INLINE)];
    // Uploaded backwards; the numbers decide.
    let mut parts = Vec::new();
    for (number, bytes) in [30, 20, 10].into_iter().zip(bodies.iter().rev()) {
        parts.insert(0, (number, fixture.part(&bucket, "key", id, number, bytes).await.unwrap()));
    }
    assert!(matches!(fixture.get(&bucket, "key").await, Err(Error::NoSuchKey(_))), "not before it is complete");
    let listed: Vec<_> = parts.iter().map(|(number, part)| (*number, part)).collect();
    let completed = fixture.complete(&bucket, "key", id, &listed).await.unwrap();

    let whole = bodies.concat();
    let md5s: Vec<u8> = bodies.iter().flat_map(|bytes| Md5::digest(bytes).to_vec()).collect();
    assert_eq!(completed.etag, ETag { md5: Md5::digest(&md5s).into(), parts: Some(3) });
    assert_eq!(completed.checksum, checksum(Algorithm::Crc64Nvme, &whole));
    let record = fixture.store.object(&bucket, &key("key")).await.unwrap().record;
    assert_eq!(record.summary.size, whole.len() as u64);
    assert!(fixture.get(&bucket, "key").await.unwrap() == whole);
    assert!(matches!(fixture.store.upload(&bucket, &key("key"), id).await, Err(Error::NoSuchUpload(_))));
    fixture.check().await;
}

#[tokio::test]
async fn every_algorithm_and_type_gives_its_checksum() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let bodies = [body(1, PART), body(2, 9)];
    for algorithm in Algorithm::ALL {
        for checksum_type in [ChecksumType::FullObject, ChecksumType::Composite] {
            if !algorithm.allows(checksum_type) {
                continue;
            }
            let asked = Some((algorithm, checksum_type));
            let id = fixture.create_upload_with(&bucket, "key", asked).await.unwrap();
            let first = fixture.part(&bucket, "key", id, 1, &bodies[0]).await.unwrap();
            let last = fixture.part(&bucket, "key", id, 2, &bodies[1]).await.unwrap();
            assert_eq!(first.checksum, Some(checksum(algorithm, &bodies[0])));
            let parts = bodies.each_ref().map(|bytes| checksum(algorithm, bytes).value);
            let expected = match checksum_type {
                ChecksumType::FullObject => checksum(algorithm, &bodies.concat()),
                ChecksumType::Composite => Checksum { parts: Some(2), ..checksum(algorithm, &parts.concat()) },
            };
            let mut complete = completion(&bucket, "key", id, &[(1, &first), (2, &last)]);
            let wrong = Checksum { value: vec![0; algorithm.length()], ..expected.clone() };
            complete.checksum = Some(wrong);
            let refused = fixture.store.complete_upload(complete).await;
            assert!(matches!(refused, Err(Error::Digest(Digest::Checksum(found))) if found == algorithm));
            let mut complete = completion(&bucket, "key", id, &[(1, &first), (2, &last)]);
            complete.checksum = Some(expected.clone());
            complete.checksum_type = Some(checksum_type);
            complete.parts[0].checksum.clone_from(&first.checksum);
            assert_eq!(fixture.store.complete_upload(complete).await.unwrap().checksum, expected);
            let summary = fixture.store.object(&bucket, &key("key")).await.unwrap().record.summary;
            assert_eq!((summary.algorithm, summary.checksum_type), (algorithm, checksum_type));
        }
    }
}

#[tokio::test]
async fn a_wrong_list_changes_nothing() {
    let fixture = Fixture::with(Options { max_object: 3 * PART as u64, ..Options::default() }).await;
    let bucket = fixture.bucket("bucket").await;
    let id = fixture.create_upload(&bucket, "key").await.unwrap();
    let small = fixture.part(&bucket, "key", id, 1, &body(1, 10)).await.unwrap();
    let large = fixture.part(&bucket, "key", id, 2, &body(2, PART)).await.unwrap();
    let huge = fixture.part(&bucket, "key", id, 3, &body(3, 2 * PART + 1)).await.unwrap();
    let attempt = |parts: &[(u16, &_)]| fixture.store.complete_upload(completion(&bucket, "key", id, parts));

    assert!(matches!(attempt(&[(2, &large), (1, &small)]).await, Err(Error::InvalidPartOrder)));
    assert!(matches!(attempt(&[(2, &large), (2, &large)]).await, Err(Error::InvalidPartOrder)));
    assert!(matches!(attempt(&[(4, &large)]).await, Err(Error::InvalidPart(4))), "never uploaded");
    assert!(matches!(attempt(&[(1, &large)]).await, Err(Error::InvalidPart(1))), "another entity tag");
    let too_small = attempt(&[(1, &small), (2, &large)]).await;
    assert!(matches!(too_small, Err(Error::PartTooSmall { number: 1, size: 10 })));
    assert!(matches!(attempt(&[(2, &large), (3, &huge)]).await, Err(Error::TooLarge { .. })));

    let valid = || completion(&bucket, "key", id, &[(2, &large)]);
    let mut beyond = valid();
    beyond.parts.push(ListedPart { number: 70_000, etag: ETag::single([0; 16]), checksum: None });
    assert!(matches!(fixture.store.complete_upload(beyond).await, Err(Error::InvalidPart(70_000))));
    let mut part_checksum = valid();
    part_checksum.parts[0].checksum = Some(Checksum::crc64nvme(large.crc64nvme ^ 1));
    assert!(matches!(fixture.store.complete_upload(part_checksum).await, Err(Error::InvalidPart(2))));
    let size = Some(1);
    let other_size = fixture.store.complete_upload(crate::store::multipart::CompleteUpload { size, ..valid() }).await;
    assert!(matches!(other_size, Err(Error::SizeMismatch { actual }) if actual == PART as u64));
    let mut conditional = valid();
    conditional.precondition = Precondition::Present;
    assert!(matches!(fixture.store.complete_upload(conditional).await, Err(Error::NoSuchKey(_))));

    assert_eq!(fixture.changes().await.len(), 1, "only the bucket was created");
    assert_eq!(fixture.check().await, NOTHING);
    attempt(&[(2, &large)]).await.unwrap();
}

#[tokio::test]
async fn a_part_replaces_the_one_with_its_number() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let id = fixture.create_upload(&bucket, "key").await.unwrap();
    let old = fixture.part(&bucket, "key", id, 1, &body(1, INLINE + 1)).await.unwrap();
    let new = fixture.part(&bucket, "key", id, 1, &body(2, INLINE + 2)).await.unwrap();
    assert_eq!(fixture.check().await.queued, 1);
    assert_eq!(fixture.store.sweep().await.unwrap().removed, 1);
    assert_eq!(fixture.blob_count().await, 1);
    assert!(matches!(fixture.complete(&bucket, "key", id, &[(1, &old)]).await, Err(Error::InvalidPart(1))));
    fixture.complete(&bucket, "key", id, &[(1, &new)]).await.unwrap();
    assert!(fixture.get(&bucket, "key").await.unwrap() == body(2, INLINE + 2));
}

#[tokio::test]
async fn parts_that_are_not_listed_are_swept() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let id = fixture.create_upload(&bucket, "key").await.unwrap();
    let mut parts = Vec::new();
    for number in 1..=4 {
        let length = if number == 4 { 10 } else { PART };
        parts.push(fixture.part(&bucket, "key", id, number, &body(number as usize, length)).await.unwrap());
    }
    fixture.complete(&bucket, "key", id, &[(1, &parts[0]), (3, &parts[2])]).await.unwrap();
    fixture.store.sweep().await.unwrap();
    assert_eq!(fixture.check().await, NOTHING);
    assert_eq!(fixture.blob_count().await, 2);
    assert!(fixture.get(&bucket, "key").await.unwrap() == [body(1, PART), body(3, PART)].concat());
}

#[tokio::test]
async fn a_single_empty_part_is_an_empty_object() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let completed = fixture.put_parts(&bucket, "key", &[(1, Bytes::new())]).await;
    assert_eq!(completed.etag.parts, Some(1));
    assert!(fixture.get(&bucket, "key").await.unwrap().is_empty());
    fixture.put_parts(&bucket, "key", &[(1, body(1, PART)), (2, Bytes::new())]).await;
    assert!(fixture.get(&bucket, "key").await.unwrap() == body(1, PART));
    fixture.store.sweep().await.unwrap();
    assert_eq!(fixture.check().await, NOTHING);
}
