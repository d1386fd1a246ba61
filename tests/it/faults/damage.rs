//! Files that rot: an error, a cut body or a refused start, and never wrong bytes.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::ledger::list;
use super::power_loss::make_bucket;
use super::worker::BUCKET;
use crate::harness::{Server, noise};
use crate::signed::Signed;

const SIZE: usize = 300_000;
const KEY: &str = "/kept/large";
const OTHER: &str = "/kept/other";

/// A server with two large objects, and the file of the first.
async fn with_blobs() -> (Server, PathBuf) {
    let server = Server::start();
    let client = server.client();
    make_bucket(&client).await;
    assert_eq!(client.put(KEY, noise(SIZE, 1)).await.status, 200);
    let blob = blobs_below(&server.data().join("blobs")).remove(0);
    assert_eq!(client.put(OTHER, noise(SIZE, 2)).await.status, 200);
    (server, blob)
}

fn blobs_below(root: &Path) -> Vec<PathBuf> {
    let directories = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    directories.flat_map(|path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path())).collect()
}

fn flip(path: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

/// Whether the bytes of this range come, whole and right. Wrong ones end the test.
async fn comes(client: &Signed, range: std::ops::Range<usize>) -> bool {
    let value = format!("bytes={}-{}", range.start, range.end - 1);
    let Some(answer) = client.try_send("GET", KEY, &[("range", &value)], "").await else { return false };
    match answer.status {
        206 => assert!(answer.body == noise(SIZE, 1)[range], "wrong bytes were given out"),
        status => assert!(status >= 500 && !answer.error().1.is_empty(), "{status}"),
    }
    answer.status == 206
}

async fn comes_whole(client: &Signed) -> bool {
    let Some(answer) = client.try_send("GET", KEY, &[], "").await else { return false };
    match answer.status {
        200 => assert!(answer.body == noise(SIZE, 1), "wrong bytes were given out"),
        status => assert!(status >= 500 && !answer.error().1.is_empty(), "{status}"),
    }
    answer.status == 200
}

/// What damage to one blob must leave alone.
async fn check_the_rest(client: &Signed) {
    let head = client.head(KEY).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some(SIZE.to_string().as_str())));
    assert!(client.get(OTHER).await.body == noise(SIZE, 2));
    assert_eq!(client.get(&format!("/{BUCKET}?list-type=2")).await.elements("Key"), ["large", "other"]);
    // Writing the object again mends it.
    assert_eq!(client.put(KEY, noise(SIZE, 1)).await.status, 200);
    assert!(comes_whole(client).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_never_given_out_and_ranges_beside_it_are() {
    let (server, blob) = with_blobs().await;
    let client = server.client();
    assert!(comes_whole(&client).await && comes(&client, 150_000..SIZE).await);
    flip(&blob, 200_000);
    assert!(!comes_whole(&client).await);
    assert!(!comes(&client, 199_000..201_000).await);
    assert!(comes(&client, 0..100_000).await);
    assert!(comes(&client, 270_000..SIZE).await);
    check_the_rest(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_first_bytes_is_an_error_and_no_broken_download() {
    let (server, blob) = with_blobs().await;
    flip(&blob, 7);
    assert_eq!(server.client().get(KEY).await.error(), (500, "InternalError".into()));
    assert!(comes(&server.client(), 100_000..200_000).await);
    check_the_rest(&server.client()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_footer_nothing_of_a_blob_is_trusted() {
    let (server, blob) = with_blobs().await;
    flip(&blob, SIZE as u64 + 3);
    assert!(!comes_whole(&server.client()).await);
    assert!(!comes(&server.client(), 0..10).await);
    check_the_rest(&server.client()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_blob_is_an_error() {
    for size in [0, 1, 100_000, SIZE as u64, SIZE as u64 + 8] {
        let (server, blob) = with_blobs().await;
        File::options().write(true).open(&blob).unwrap().set_len(size).unwrap();
        assert!(!comes_whole(&server.client()).await, "{size}");
        assert!(!comes(&server.client(), SIZE - 10..SIZE).await, "{size}");
        check_the_rest(&server.client()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_blob_is_an_error() {
    let (server, blob) = with_blobs().await;
    fs::remove_file(blob).unwrap();
    assert!(!comes_whole(&server.client()).await);
    check_the_rest(&server.client()).await;
}

/// A file that is no blob of any object never becomes one.
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_without_object_is_never_listed() {
    let (mut server, blob) = with_blobs().await;
    server.kill();
    fs::copy(&blob, blob.with_file_name("0000000000000001000000000000000f")).unwrap();
    let started = Server::start_on(server.data(), &[("BRIM_STORE_SWEEP_INTERVAL", "1s")]).unwrap();
    let client = started.client();
    assert_eq!(client.get(&format!("/{BUCKET}?list-type=2")).await.elements("Key"), ["large", "other"]);
    check_the_rest(&client).await;
}

/// `puts` small objects, then a kill; gives what the start says once `damage` was done to the logs, oldest first.
async fn start_after(memory: &str, puts: u64, damage: impl Fn(&[PathBuf])) -> (Server, Result<Server, String>) {
    let mut server = Server::start_with(&[("BRIM_STORE_KV_MEMORY", memory)]);
    let client = server.client();
    make_bucket(&client).await;
    for number in 0..puts {
        assert_eq!(client.put(&format!("/{BUCKET}/{number}"), noise(20_000, number)).await.status, 200);
    }
    server.kill();
    let files = fs::read_dir(server.data().join("kv")).unwrap().map(|entry| entry.unwrap().path());
    let mut logs: Vec<_> = files.filter(|path| path.extension().is_some_and(|name| name == "log")).collect();
    logs.retain(|path| path.metadata().unwrap().len() > 0);
    logs.sort();
    damage(&logs);
    let before = Disk::scan(server.data()).now();
    let started = Server::start_on(server.data(), &[]);
    if started.is_err() {
        let mut after = Disk::scan(server.data()).now();
        // Who tried, and what RocksDB said of it, are no data.
        after.retain(|path, _| path != "lock" && !path.contains("/LOG"));
        let data = before.iter().filter(|(path, _)| *path != "lock" && !path.contains("/LOG"));
        assert!(data.eq(after.iter()), "a refused start changed the directory");
    }
    (server, started)
}

fn refused(started: Result<Server, String>) -> String {
    let said = started.map(|server| server.log()).expect_err("the start is refused");
    assert!(said.contains("with commits behind it"), "{said}");
    assert!(said.contains("nothing was changed; copy the directory away"), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_middle_of_a_log_refuses_the_start_and_relaxed_keeps_what_is_before_it() {
    let (server, started) = start_after("96MiB", 40, |logs| {
        let largest = logs.iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
        flip(largest, largest.metadata().unwrap().len() / 2);
    })
    .await;
    let said = refused(started);
    assert!(said.contains("is damaged at byte"), "{said}");
    let relaxed = Server::start_on(server.data(), &[("BRIM_STORE_DURABILITY", "relaxed")]).unwrap();
    let kept = list(&relaxed.client(), BUCKET).await.len() as u64;
    assert!((10..30).contains(&kept), "{kept}");
    for number in 0..kept {
        let answer = relaxed.client().get(&format!("/{BUCKET}/{number}")).await;
        assert!(answer.body == noise(20_000, number), "{number} is before the damage");
    }
}

/// Write buffers so small that there are several logs.
#[tokio::test(flavor = "multi_thread")]
async fn damage_at_the_end_of_a_closed_log_refuses_the_start() {
    let (_server, started) = start_after("16MiB", 400, |logs| {
        assert!(logs.len() >= 2, "only one log");
        let closed = &logs[logs.len() - 2];
        flip(closed, closed.metadata().unwrap().len() - 20);
    })
    .await;
    let said = refused(started);
    assert!(said.contains("is damaged at its end"), "{said}");
}
