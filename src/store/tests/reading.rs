//! Reading ranges: of inline bytes, of blobs, and across parts.

use bytes::Bytes;

use super::fixture::{Fixture, INLINE, PART, body, key, read};
use crate::blob::Fault;
use crate::store::Error;
use crate::store::bucket::Bucket;

async fn read_range(fixture: &Fixture, bucket: &Bucket, start: usize, end: usize) -> Result<Bytes, Error> {
    let object = fixture.store.open_object(bucket, &key("key")).await?;
    read(&mut object.read(start as u64..end as u64)).await
}

async fn check_ranges(fixture: &Fixture, bucket: &Bucket, bytes: &Bytes, edges: &[usize]) {
    for &start in edges {
        for &end in edges.iter().filter(|&&end| end >= start) {
            let found = read_range(fixture, bucket, start, end).await.unwrap();
            assert!(found == bytes[start..end], "{start}..{end}");
        }
    }
}

#[tokio::test]
async fn every_range_of_a_small_object_can_be_read() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let bytes = body(1, 20);
    fixture.put(&bucket, "key", &bytes).await.unwrap();
    check_ranges(&fixture, &bucket, &bytes, &(0..=20).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn ranges_of_a_blob_may_begin_and_end_at_any_block() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    const BLOCK: usize = 64 * 1024;
    let bytes = body(1, 3 * BLOCK + 5);
    fixture.put(&bucket, "key", &bytes).await.unwrap();
    let edges = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK - 1, 3 * BLOCK, 3 * BLOCK + 4, 3 * BLOCK + 5];
    check_ranges(&fixture, &bucket, &bytes, &edges).await;
}

#[tokio::test]
async fn ranges_cross_the_boundaries_of_parts() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let bodies = [(1, body(1, PART)), (5, body(2, PART + INLINE)), (9, body(3, 7))];
    fixture.put_parts(&bucket, "key", &bodies).await;
    let bytes = Bytes::from(bodies.iter().flat_map(|(_, body)| body.to_vec()).collect::<Vec<_>>());
    let second = 2 * PART + INLINE;
    let edges = [0, 1, PART - 1, PART, PART + 1, second - 1, second, second + 1, second + 6, second + 7];
    check_ranges(&fixture, &bucket, &bytes, &edges).await;
}

#[tokio::test]
async fn parts_are_found_and_listed_by_position_whatever_their_numbers() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let bodies = [(2, body(1, PART)), (5, body(2, PART)), (9, body(3, 7))];
    fixture.put_parts(&bucket, "key", &bodies).await;
    let object = fixture.store.open_object(&bucket, &key("key")).await.unwrap();
    let ends = [PART as u64, 2 * PART as u64, 2 * PART as u64 + 7];
    let ranges = [0..ends[0], ends[0]..ends[1], ends[1]..ends[2]];
    for (position, range) in (1..).zip(&ranges) {
        assert_eq!(object.part(position).await.unwrap().as_ref(), Some(range));
    }
    for missing in [0, 4, 5, 9, u16::MAX] {
        assert_eq!(object.part(missing).await.unwrap(), None, "{missing}");
    }
    for after in 0..5 {
        for limit in 1..5 {
            let expected = &ranges[usize::from(after).min(3)..];
            let (parts, more) = object.parts(after, limit).await.unwrap();
            let found: Vec<_> = parts.into_iter().map(|part| part.range).collect();
            assert_eq!(found, expected[..limit.min(expected.len())], "behind {after}");
            assert_eq!(more, expected.len() > limit, "behind {after}");
        }
    }
}

#[tokio::test]
async fn an_object_in_one_piece_is_its_own_first_part() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    fixture.put(&bucket, "key", &body(1, 9)).await.unwrap();
    let object = fixture.store.open_object(&bucket, &key("key")).await.unwrap();
    assert_eq!(object.part(1).await.unwrap(), Some(0..9));
    assert_eq!(object.part(2).await.unwrap(), None);
    assert!(object.parts(0, 10).await.unwrap().0.is_empty());
}

#[tokio::test]
async fn a_reader_gives_no_other_bytes_after_an_error() {
    let fixture = Fixture::new().await;
    let bucket = fixture.bucket("bucket").await;
    let bodies = [(1, body(1, PART)), (2, body(2, PART)), (3, body(3, 7))];
    fixture.put_parts(&bucket, "key", &bodies).await;
    let bytes: Vec<_> = bodies.iter().flat_map(|(_, body)| body.to_vec()).collect();
    for call in 1.. {
        let object = fixture.store.open_object(&bucket, &key("key")).await.unwrap();
        let mut reader = object.read(0..bytes.len() as u64);
        let before = fixture.blobs.calls();
        fixture.blobs.fail_at(before + call, Fault::Io);
        let mut found = Vec::new();
        let mut failures = 0;
        loop {
            match reader.next().await {
                Ok(Some(chunk)) => found.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(Error::Blob(_)) => failures += 1,
                Err(error) => panic!("call {call}: {error}"),
            }
        }
        assert!(found == bytes, "call {call}");
        if failures == 0 {
            assert!(call > 6, "every part was opened and read");
            return;
        }
    }
}
