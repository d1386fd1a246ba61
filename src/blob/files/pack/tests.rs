//! What packs promise beyond the contract of blobs.

use std::fs;
use std::future::Future;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;

use super::super::{BlobRef, BlobTree, Blobs, Error, FileBlobs, Options};
use super::address::{Address, UNIT_BYTES};
use super::format::{HEADER_BYTES, Seal, encode_header};
use crate::blob::footer_bytes;

const LARGEST: u64 = 8 << 20;

fn open(root: &TempDir) -> FileBlobs {
    FileBlobs::open(root.path(), Options { pack_threshold: LARGEST, ..Options::default() }).unwrap()
}

fn fresh() -> (TempDir, FileBlobs) {
    let root = tempfile::tempdir().unwrap();
    let blobs = open(&root);
    (root, blobs)
}

fn body(length: usize, seed: u8) -> Bytes {
    (0..length).map(|i| (i * 7 + i / 255) as u8 ^ seed).collect()
}

async fn write(blobs: &FileBlobs, body: &Bytes) -> BlobRef {
    let mut writer = blobs.create(Some(body.len() as u64)).await.unwrap();
    writer.write(body.clone()).await.unwrap();
    writer.finish().await.unwrap()
}

async fn read(blobs: &FileBlobs, blob: BlobRef) -> Result<Vec<u8>, Error> {
    let (mut reader, mut all) = (blobs.read(blob, 0..u64::MAX).await?, Vec::new());
    while let Some(bytes) = reader.next().await? {
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}

fn packs(root: &TempDir) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(root.path().join("packs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The pack of a blob, and where in it the blob's entry begins.
fn entry(blobs: &FileBlobs, blob: BlobRef) -> (fs::File, u64) {
    let address = Address::of(blob.id).unwrap();
    let file = fs::File::options().read(true).write(true).open(blobs.shared.layout.pack(address.pack)).unwrap();
    (file, address.bytes().start)
}

async fn until_listed(blobs: &FileBlobs, expected: &[BlobRef]) {
    let ids: Vec<_> = expected.iter().map(|blob| blob.id).collect();
    for _ in 0..1_000 {
        if blobs.list(None, 99).await.unwrap() == ids {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{ids:?} instead of {:?}", blobs.list(None, 99).await.unwrap());
}

async fn begin_and_drop<T>(future: impl Future<Output = T>) {
    let mut future = pin!(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_that_arrive_together_share_a_file() {
    let (root, blobs) = fresh();
    let blobs = Arc::new(blobs);
    let tasks: Vec<_> = (0..64u8)
        .map(|seed| {
            let blobs = blobs.clone();
            tokio::spawn(async move { (write(&blobs, &body(70_000, seed)).await, seed) })
        })
        .collect();
    for task in tasks {
        let (blob, seed) = task.await.unwrap();
        assert!(read(&blobs, blob).await.unwrap() == body(70_000, seed));
    }
    assert_eq!(packs(&root).len(), 1);
    assert_eq!(blobs.list(None, 99).await.unwrap().len(), 64);
}

#[tokio::test]
async fn what_is_removed_gives_its_room_back_at_once() {
    let (root, blobs) = fresh();
    let mut written = Vec::new();
    for seed in 0..20 {
        written.push(write(&blobs, &body(100_000, seed)).await);
    }
    let pack = packs(&root).remove(0);
    let room = || fs::metadata(&pack).unwrap().blocks() * 512;
    let before = room();
    for blob in &written[..10] {
        blobs.delete(blob.id).await.unwrap();
    }
    assert!(room() <= before - 10 * 98_304, "{} of {before}", room());
    for (seed, blob) in (0..20).zip(&written) {
        match read(&blobs, *blob).await {
            Ok(bytes) => assert!(seed >= 10 && bytes == body(100_000, seed)),
            Err(error) => assert!(seed < 10 && matches!(error, Error::Missing(id) if id == blob.id), "{error:?}"),
        }
    }
    until_listed(&blobs, &written[10..]).await;
}

#[tokio::test]
async fn a_pack_with_nothing_left_is_removed_once_nothing_is_appended_to_it() {
    let (root, blobs) = fresh();
    let mut written = Vec::new();
    // Two packs: each ends behind 64 MiB.
    for seed in 0..12 {
        written.push(write(&blobs, &body(LARGEST as usize - 5, seed)).await);
    }
    assert_eq!(packs(&root).len(), 2);
    let (first, second): (Vec<_>, Vec<_>) =
        written.into_iter().partition(|blob| Address::of(blob.id).unwrap().pack.number == 0);
    assert!(!first.is_empty() && !second.is_empty());
    for blob in &first {
        blobs.delete(blob.id).await.unwrap();
    }
    assert_eq!(packs(&root).len(), 1, "the full pack is gone");
    for blob in &second {
        blobs.delete(blob.id).await.unwrap();
    }
    assert_eq!(packs(&root).len(), 1, "the other one is appended to");
    let next = write(&blobs, &body(9, 1)).await;
    assert_eq!(Address::of(next.id).unwrap().pack.number, 1);
    blobs.delete(next.id).await.unwrap();
    drop(blobs);
    drop(open(&root));
    assert!(packs(&root).is_empty(), "the next start finds it empty");
}

#[tokio::test]
async fn an_earlier_run_s_packs_are_not_appended_to() {
    let (root, blobs) = fresh();
    let old = write(&blobs, &body(50_000, 1)).await;
    drop(blobs);
    let blobs = open(&root);
    let new = write(&blobs, &body(50_000, 2)).await;
    assert_eq!(packs(&root).len(), 2);
    until_listed(&blobs, &[old, new]).await;
    blobs.delete(old.id).await.unwrap();
    assert_eq!(packs(&root).len(), 1);
}

#[tokio::test]
async fn a_blob_larger_than_announced_gets_a_file_of_its_own() {
    let (root, blobs) = fresh();
    let whole = body(LARGEST as usize + 100, 3);
    let mut writer = blobs.create(Some(10)).await.unwrap();
    for range in [0..10, 10..5_000_000, 5_000_000..whole.len()] {
        writer.write(whole.slice(range)).await.unwrap();
    }
    let blob = writer.finish().await.unwrap();
    assert!(Address::of(blob.id).is_none() && packs(&root).is_empty());
    assert!(read(&blobs, blob).await.unwrap() == whole);
}

#[tokio::test]
async fn an_interrupted_finish_leaves_nothing() {
    let (_root, blobs) = fresh();
    let kept = write(&blobs, &body(40_000, 1)).await;
    for _ in 0..5 {
        let mut writer = blobs.create(Some(40_000)).await.unwrap();
        writer.write(body(40_000, 2)).await.unwrap();
        begin_and_drop(writer.finish()).await;
    }
    until_listed(&blobs, &[kept]).await;
    let next = write(&blobs, &body(40_000, 3)).await;
    until_listed(&blobs, &[kept, next]).await;
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_packed_but_reading_and_deleting_go_on() {
    let (root, blobs) = fresh();
    let kept = write(&blobs, &body(40_000, 1)).await;
    let mut writer = blobs.create(Some(9)).await.unwrap();
    writer.write(body(9, 2)).await.unwrap();
    let lost = blobs.shared.syncs.or_stop(Err(std::io::Error::other("lost")), root.path());
    assert!(lost.is_err());
    assert!(matches!(writer.finish().await, Err(Error::ReadOnly(_))));
    assert!(read(&blobs, kept).await.unwrap() == body(40_000, 1));
    blobs.delete(kept.id).await.unwrap();
    until_listed(&blobs, &[]).await;
}

#[tokio::test]
async fn a_damaged_header_hides_a_blob_from_the_list_but_not_from_who_reads_it() {
    let (_root, blobs) = fresh();
    let mut written = Vec::new();
    for seed in 0..3 {
        written.push(write(&blobs, &body(90_000, seed)).await);
    }
    let (pack, at) = entry(&blobs, written[1]);
    pack.write_all_at(b"?", at + 20).unwrap();
    until_listed(&blobs, &[written[0], written[2]]).await;
    assert!(read(&blobs, written[1]).await.unwrap() == body(90_000, 1));
}

/// A power loss may leave the body of an entry without its header. What a client put there must not pass for one.
#[tokio::test]
async fn uploaded_bytes_never_pass_for_an_entry() {
    let (_root, blobs) = fresh();
    let first = write(&blobs, &body(10, 1)).await;
    let address = Address::of(first.id).unwrap();
    // Where the next entry's second unit will be, guessed as a client could.
    let inside = address.bytes().end + UNIT_BYTES;
    let forged = Address::at(address.pack, inside, 4 * UNIT_BYTES).unwrap().id();
    let header = encode_header(Seal([0; 16]), forged, 4 * UNIT_BYTES - HEADER_BYTES - footer_bytes(1));
    let mut bytes = vec![7; 5 * UNIT_BYTES as usize];
    let at = (UNIT_BYTES - HEADER_BYTES) as usize;
    bytes[at..at + HEADER_BYTES as usize].copy_from_slice(&header);
    let torn = write(&blobs, &bytes.into()).await;
    let last = write(&blobs, &body(10, 2)).await;
    let (pack, at) = entry(&blobs, torn);
    pack.write_all_at(&[0; UNIT_BYTES as usize], at).unwrap();
    until_listed(&blobs, &[first, last]).await;
}

#[tokio::test]
async fn quarantine_keeps_the_bytes_whatever_became_of_the_header() {
    for damaged in [false, true] {
        let (root, blobs) = fresh();
        let (taken, kept) = (write(&blobs, &body(90_000, 1)).await, write(&blobs, &body(90_000, 2)).await);
        if damaged {
            let (pack, at) = entry(&blobs, taken);
            pack.write_all_at(b"?", at + 20).unwrap();
        }
        blobs.quarantine(taken.id).await.unwrap();
        let file = fs::read(root.path().join("quarantine").join(taken.id.to_string())).unwrap();
        assert!(file.starts_with(&body(90_000, 1)));
        assert!(damaged || file.len() as u64 == 90_000 + footer_bytes(90_000));
        assert!(matches!(read(&blobs, taken).await, Err(Error::Missing(_))));
        assert!(matches!(blobs.quarantine(taken.id).await, Err(Error::Missing(_))));
        until_listed(&blobs, &[kept]).await;
    }
}

#[tokio::test]
async fn a_copied_tree_has_packed_blobs_in_files_of_their_own() {
    let (root, blobs) = fresh();
    let (gone, kept) = (write(&blobs, &body(90_000, 1)).await, write(&blobs, &body(90_000, 2)).await);
    blobs.delete(gone.id).await.unwrap();
    drop(blobs);
    let to = tempfile::tempdir().unwrap();
    let (from, tree) = (BlobTree::at(root.path()), BlobTree::make(to.path()).unwrap());
    assert!(!tree.link(kept.id, &from).unwrap(), "others are in the same file");
    assert!(matches!(tree.copy(gone, &from, &|_| Ok(())), Err(Error::Missing(_))));
    tree.copy(kept, &from, &|_| Ok(())).unwrap();
    tree.sync().unwrap();
    tree.set_last_run(kept.id.run).unwrap();
    let other = tempfile::tempdir().unwrap();
    assert!(BlobTree::make(other.path()).unwrap().link(kept.id, &tree).unwrap());

    let blobs = open(&to);
    until_listed(&blobs, &[kept]).await;
    assert!(read(&blobs, kept).await.unwrap() == body(90_000, 2));
    let new = write(&blobs, &body(9, 3)).await;
    until_listed(&blobs, &[kept, new]).await;
    blobs.delete(kept.id).await.unwrap();
    until_listed(&blobs, &[new]).await;
}

#[tokio::test]
async fn pages_go_through_files_and_packs_in_order() {
    let root = tempfile::tempdir().unwrap();
    let mut ids = Vec::new();
    for run in 0..3 {
        let blobs = open(&root);
        for number in 0..7u8 {
            let blob = match (number + run) % 2 {
                0 => write(&blobs, &body(5_000, number)).await,
                _ => blobs.create(None).await.unwrap().finish().await.unwrap(),
            };
            ids.push(blob.id);
        }
    }
    ids.sort();
    let blobs = open(&root);
    for limit in 1..9 {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = blobs.list(after, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= limit);
            after = Some(*last);
            all.extend(page);
        }
        assert_eq!(all, ids, "{limit} at a time");
    }
}

#[tokio::test]
async fn a_lost_counter_is_not_replaced_where_there_are_packs() {
    let (root, blobs) = fresh();
    write(&blobs, &body(9, 1)).await;
    drop(blobs);
    fs::remove_file(root.path().join("run")).unwrap();
    assert!(FileBlobs::open(root.path(), Options::default()).is_err());
}
