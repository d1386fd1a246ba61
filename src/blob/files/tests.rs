//! What the file engine promises beyond the contract.

use std::fs;
use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rustix::fs::{Advice, fadvise};
use tempfile::TempDir;

use super::super::footer_bytes;
use super::*;

fn open() -> (TempDir, FileBlobs) {
    let root = tempfile::tempdir().unwrap();
    let blobs = FileBlobs::open(root.path(), Options { pack_threshold: 0, ..Options::default() }).unwrap();
    (root, blobs)
}

fn body(length: usize) -> Bytes {
    (0..length).map(|i| (i * 7 + i / 255) as u8).collect()
}

async fn write(blobs: &FileBlobs, body: &Bytes) -> BlobRef {
    let mut writer = blobs.create(Some(body.len() as u64)).await.unwrap();
    writer.write(body.clone()).await.unwrap();
    writer.finish().await.unwrap()
}

async fn read(blobs: &FileBlobs, blob: BlobRef, range: Range<u64>) -> Vec<u8> {
    let mut reader = blobs.read(blob, range).await.unwrap();
    let mut all = Vec::new();
    while let Some(bytes) = reader.next().await.unwrap() {
        all.extend_from_slice(&bytes);
    }
    all
}

/// The files of the blobs, unfinished ones among them.
async fn paths(blobs: &FileBlobs) -> Vec<PathBuf> {
    blobs.list(None, 9).await.unwrap().into_iter().map(|id| blobs.shared.layout.path(id)).collect()
}

async fn until_gone(path: PathBuf) {
    for _ in 0..1_000 {
        if !path.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{} is still there", path.display());
}

/// Polls a future once, and drops it as an interrupted caller would.
async fn begin_and_drop<T>(future: impl Future<Output = T>) {
    let mut future = pin!(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[tokio::test]
async fn a_file_is_the_body_and_the_footer() {
    let (_root, blobs) = open();
    let body = body(200_000);
    let blob = write(&blobs, &body).await;
    let file = fs::read(blobs.shared.layout.path(blob.id)).unwrap();
    assert_eq!(file[..200_000], body);
    assert_eq!(file.len() as u64, 200_000 + footer_bytes(200_000));
    assert_eq!(crc_fast::crc64_nvme(&file[200_000..]), blob.footer_checksum);
}

#[tokio::test]
async fn a_root_has_one_engine_at_a_time() {
    let (root, blobs) = open();
    let error = FileBlobs::open(root.path(), Options::default()).err().unwrap();
    assert!(matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::ResourceBusy));
    drop(blobs);
    FileBlobs::open(root.path(), Options::default()).unwrap();
}

#[tokio::test]
async fn an_interrupted_finish_leaves_nothing() {
    let (_root, blobs) = open();
    let mut writer = blobs.create(None).await.unwrap();
    writer.write(body(1_000_000)).await.unwrap();
    let path = paths(&blobs).await.pop().unwrap();
    assert!(path.exists());
    begin_and_drop(writer.finish()).await;
    until_gone(path).await;
}

#[tokio::test]
async fn a_blob_with_an_interrupted_write_cannot_be_finished_and_leaves_nothing() {
    let (_root, blobs) = open();
    let mut writer = blobs.create(None).await.unwrap();
    let path = paths(&blobs).await.pop().unwrap();
    writer.write(body(30_000_000)).await.unwrap();
    begin_and_drop(writer.write(body(1_000_000))).await;
    assert!(writer.write(body(1)).await.is_err(), "the blob would have a hole");
    assert!(writer.finish().await.is_err(), "the blob would have a hole");
    until_gone(path).await;
}

#[tokio::test]
async fn short_chunks_between_long_ones_keep_their_places() {
    let (_root, blobs) = open();
    let mut writer = blobs.create(None).await.unwrap();
    let whole = body(1_700_000);
    for range in [0..3, 3..700_000, 700_000..700_010, 700_010..700_030, 700_030..1_699_999, 1_699_999..1_700_000] {
        writer.write(whole.slice(range)).await.unwrap();
    }
    let blob = writer.finish().await.unwrap();
    assert_eq!(read(&blobs, blob, 0..u64::MAX).await, whole);
}

#[test]
fn a_writer_dropped_outside_of_a_runtime_leaves_nothing() {
    let (_root, blobs) = open();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut busy = runtime.block_on(blobs.create(None)).unwrap();
    runtime.block_on(busy.write(body(1_000_000))).unwrap();
    let idle = runtime.block_on(blobs.create(None)).unwrap();
    let paths = runtime.block_on(paths(&blobs));
    assert_eq!(paths.len(), 2);
    drop((busy, idle));
    drop(runtime);
    assert!(paths.iter().all(|path| !path.exists()));
}

#[tokio::test]
async fn no_room_for_the_announced_length_is_noticed_at_once_and_leaves_nothing() {
    let (_root, blobs) = open();
    for length in [1 << 60, u64::MAX] {
        assert!(matches!(blobs.create(Some(length)).await.err(), Some(Error::Full)), "{length} bytes");
    }
    assert_eq!(blobs.list(None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_blob_shorter_than_announced_gives_its_room_back() {
    let (_root, blobs) = open();
    let mut writer = blobs.create(Some(64 << 20)).await.unwrap();
    writer.write(body(10)).await.unwrap();
    let blob = writer.finish().await.unwrap();
    let file = fs::metadata(blobs.shared.layout.path(blob.id)).unwrap();
    assert!(file.blocks() * 512 < 1 << 20, "{} sectors", file.blocks());
    assert_eq!(read(&blobs, blob, 0..10).await, body(10));
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_written_but_reading_and_deleting_go_on() {
    let (_root, blobs) = open();
    let kept = write(&blobs, &body(100_000)).await;
    let mut writer = blobs.create(None).await.unwrap();
    writer.write(body(10)).await.unwrap();
    let path = paths(&blobs).await.pop().unwrap();

    let lost = blobs.shared.syncs.or_stop(Err(io::Error::other("lost")), &path);
    assert!(lost.is_err());
    assert!(matches!(writer.finish().await, Err(Error::ReadOnly(_))));
    until_gone(path).await;
    assert!(matches!(blobs.create(None).await.err(), Some(Error::ReadOnly(_))));
    assert_eq!(read(&blobs, kept, 5..100_000).await, body(100_000)[5..]);
    blobs.delete(kept.id).await.unwrap();
    assert_eq!(blobs.list(None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn blobs_that_are_not_in_the_page_cache_read_the_same() {
    let (_root, blobs) = open();
    let body = body(11_000_003);
    let blob = write(&blobs, &body).await;
    let file = File::open(blobs.shared.layout.path(blob.id)).unwrap();
    for range in [0..blob.length, 3_000_001..9_000_000, blob.length - 1..blob.length] {
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        let expected = &body[range.start as usize..range.end as usize];
        assert!(read(&blobs, blob, range.clone()).await == expected, "{range:?}");
    }
}

#[tokio::test]
async fn bytes_given_out_stay_while_their_buffer_would_be_wanted_again() {
    let (_root, blobs) = open();
    let (first, second) = (body(1 << 20), Bytes::from(vec![9; 1 << 20]));
    let blob = write(&blobs, &first).await;
    let other = write(&blobs, &second).await;
    let held = blobs.read(blob, 0..1 << 20).await.unwrap().next().await.unwrap().unwrap();
    for _ in 0..4 {
        assert!(read(&blobs, other, 0..1 << 20).await == second);
    }
    assert!(first.starts_with(&held));
}

#[tokio::test]
async fn blobs_of_earlier_runs_are_read_after_reopening() {
    let (root, blobs) = open();
    let body = body(300_000);
    let blob = write(&blobs, &body).await;
    drop(blobs);
    let blobs =
        FileBlobs::open(root.path(), Options { footer_cache_bytes: 0, idle_buffer_bytes: 0, ..Options::default() })
            .unwrap();
    assert_eq!(read(&blobs, blob, 0..u64::MAX).await, body);
    assert_eq!(blobs.list(None, 9).await.unwrap(), [blob.id]);
}

#[test]
fn any_chunks_and_any_ranges_agree_with_a_vector() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (_root, blobs) = open();
    let chunks = prop::collection::vec(0..400_000usize, 0..6);
    let ranges = prop::collection::vec((0..2_000_000u64, 0..2_000_000u64), 1..6);
    let mut cases = TestRunner::new(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() });
    let checked = cases.run(&(chunks, ranges), |(chunks, ranges)| {
        runtime.block_on(async {
            let mut model = Vec::new();
            let mut writer = blobs.create(None).await.unwrap();
            for (i, chunk) in chunks.iter().enumerate() {
                let chunk = body(chunk + i).slice(i..);
                model.extend_from_slice(&chunk);
                writer.write(chunk).await.unwrap();
            }
            let blob = writer.finish().await.unwrap();
            prop_assert_eq!(blob.length, model.len() as u64);
            for (start, length) in ranges {
                let end = start + length;
                let expected = start.min(blob.length) as usize..end.min(blob.length) as usize;
                prop_assert!(read(&blobs, blob, start..end).await == model[expected], "{}..{}", start, end);
            }
            Ok(())
        })
    });
    checked.unwrap();
}
