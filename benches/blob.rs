//! How close the file engine comes to the disk and the page cache: each figure beside that of plain system calls, taken
//! in turns in the same run.
//!
//! `cargo bench --bench blob [-- DIRECTORY]`; the directory decides which disk is measured.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use brim::blob::{BlobRef, Blobs, FileBlobs, Options};
use bytes::Bytes;
use rustix::fs::{Advice, fadvise};

const MIB: usize = 1 << 20;
const CHUNK: usize = 512 << 10;
const ROUNDS: usize = 15;

fn main() {
    let directory = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let root = tempfile::tempdir_in(directory.unwrap_or_else(|| ".".to_owned())).expect("a directory to measure in");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let blobs = FileBlobs::open(&root.path().join("blobs"), Options::default()).expect("an engine");
    let measured = measure(Arc::new(blobs), root.path().to_path_buf());
    runtime.block_on(runtime.spawn(measured)).expect("measurements that end");
}

async fn measure(blobs: Arc<FileBlobs>, root: PathBuf) {
    for size in [MIB, 16 * MIB, 64 * MIB] {
        writes(&blobs, &root, size).await;
    }
    for size in [MIB, 64 * MIB] {
        reads(&blobs, &root, size).await;
    }
    cold_reads(&blobs, &root, 256 * MIB).await;
    for size in [MIB, 64 * MIB] {
        ranges(&blobs, &root, size).await;
    }
    concurrent_writes(&blobs, &root, 128 << 10).await;
}

async fn writes(blobs: &FileBlobs, root: &Path, size: usize) {
    let chunk = Bytes::from(random(CHUNK));
    let (mut engine, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        raw.push(timed(|| write_raw(&root.join("raw"), &chunk, size)));
        fs::remove_file(root.join("raw")).expect("the file just written");
        let begun = Instant::now();
        let blob = write(blobs, &chunk, size).await;
        engine.push(begun.elapsed());
        blobs.delete(blob.id).await.expect("a deletable blob");
    }
    compare("durable write", size, engine, raw, "write + fdatasync");
}

async fn reads(blobs: &FileBlobs, root: &Path, size: usize) {
    let chunk = Bytes::from(random(CHUNK));
    let blob = write(blobs, &chunk, size).await;
    let path = root.join("raw");
    write_raw(&path, &chunk, size);
    let (mut engine, mut raw, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 * ROUNDS {
        raw.push(timed(|| read_raw(&path, size, true)));
        bare.push(timed(|| read_raw(&path, size, false)));
        let begun = Instant::now();
        assert_eq!(read(blobs, blob).await, size as u64);
        engine.push(begun.elapsed());
    }
    compare("cached read", size, engine.clone(), bare, "pread");
    compare("cached read", size, engine, raw, "pread + crc64nvme");
    blobs.delete(blob.id).await.expect("a deletable blob");
}

async fn cold_reads(blobs: &FileBlobs, root: &Path, size: usize) {
    let chunk = Bytes::from(random(CHUNK));
    let blob = write(blobs, &chunk, size).await;
    let path = root.join("raw");
    write_raw(&path, &chunk, size);
    let (mut engine, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        evict(&path);
        raw.push(timed(|| read_raw(&path, size, false)));
        evict(&file_of(root, blob));
        let begun = Instant::now();
        assert_eq!(read(blobs, blob).await, size as u64);
        engine.push(begun.elapsed());
    }
    compare("uncached read", size, engine, raw, "pread");
    blobs.delete(blob.id).await.expect("a deletable blob");
}

/// Reads of 1000 bytes at scattered places of one blob: what a seek costs.
async fn ranges(blobs: &FileBlobs, root: &Path, size: usize) {
    const READS: u64 = 20_000;
    let blob = write(blobs, &Bytes::from(random(CHUNK)), size).await;
    let starts = || (0..READS).map(|i| (i * 7_919_000) % (size as u64 - 1000));
    let path = file_of(root, blob);
    let raw = timed(|| {
        let mut block = vec![0; 64 << 10];
        for start in starts() {
            let file = File::open(&path).expect("the blob's file");
            file.read_exact_at(&mut block, start & !0xffff).expect("its bytes");
            std::hint::black_box(crc_fast::crc64_nvme(&block));
        }
    });
    let begun = Instant::now();
    for start in starts() {
        let mut reader = blobs.read(blob, start..start + 1000).await.expect("a readable blob");
        while reader.next().await.expect("good bytes").is_some() {}
    }
    let [engine, raw] = [begun.elapsed(), raw].map(|all| all.as_nanos() as f64 / 1000.0 / READS as f64);
    println!("ranges of 1000 bytes in {:2} MiB: {engine:.1} us; open + pread + crc64nvme: {raw:.1} us", size / MIB);
    blobs.delete(blob.id).await.expect("a deletable blob");
}

async fn concurrent_writes(blobs: &Arc<FileBlobs>, root: &Path, size: usize) {
    const WRITERS: usize = 64;
    const EACH: usize = 32;
    let chunk = Bytes::from(random(size));
    let raw = timed(|| write_raw_together(root, &chunk, WRITERS, EACH));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (blobs, chunk) = (blobs.clone(), chunk.clone());
            tokio::spawn(async move {
                for _ in 0..EACH {
                    write(&blobs, &chunk, size).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a writer that ends");
    }
    let [engine, raw] = [begun.elapsed(), raw].map(|all| (WRITERS * EACH) as f64 / all.as_secs_f64());
    println!(
        "{WRITERS} writers of {} KiB: {engine:.0} blobs/s; threads with syncs of their own: {raw:.0}/s",
        size >> 10
    );
}

/// What a server without shared syncs would do: every thread syncs its file and then the directory.
fn write_raw_together(root: &Path, chunk: &[u8], writers: usize, each: usize) {
    let directory = root.join("together");
    fs::create_dir(&directory).expect("a new directory");
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let directory = &directory;
            scope.spawn(move || {
                for i in 0..each {
                    write_raw(&directory.join(format!("{writer}-{i}")), chunk, chunk.len());
                    File::open(directory).and_then(|directory| directory.sync_all()).expect("a durable name");
                }
            });
        }
    });
}

async fn write(blobs: &FileBlobs, chunk: &Bytes, size: usize) -> BlobRef {
    let mut writer = blobs.create(Some(size as u64)).await.expect("a writer");
    for _ in 0..size / chunk.len() {
        writer.write(chunk.clone()).await.expect("room");
    }
    writer.finish().await.expect("a durable blob")
}

async fn read(blobs: &FileBlobs, blob: BlobRef) -> u64 {
    let mut reader = blobs.read(blob, 0..u64::MAX).await.expect("a readable blob");
    let mut total = 0;
    while let Some(bytes) = reader.next().await.expect("good bytes") {
        total += bytes.len() as u64;
    }
    total
}

fn write_raw(path: &Path, chunk: &[u8], size: usize) {
    let mut file = File::create(path).expect("a new file");
    for _ in 0..size / chunk.len() {
        file.write_all(chunk).expect("room");
    }
    file.sync_data().expect("a durable file");
}

fn read_raw(path: &Path, size: usize, checked: bool) {
    let file = File::open(path).expect("the raw file");
    let mut buffer = vec![0; 256 << 10];
    for offset in (0..size).step_by(buffer.len()) {
        file.read_exact_at(&mut buffer, offset as u64).expect("its bytes");
        if checked {
            for block in buffer.chunks(64 << 10) {
                std::hint::black_box(crc_fast::crc64_nvme(block));
            }
        }
    }
}

/// Finds a blob's file without knowing the engine's layout.
fn file_of(root: &Path, blob: BlobRef) -> PathBuf {
    let directories = fs::read_dir(root.join("blobs")).expect("the engine's root");
    let mut paths = directories.flatten().map(|directory| directory.path().join(blob.id.to_string()));
    paths.find(|path| path.exists()).expect("a file with the blob's name")
}

/// Drops a synced file from the page cache.
fn evict(path: &Path) {
    let file = File::open(path).expect("an existing file");
    fadvise(&file, 0, None, Advice::DontNeed).expect("a file system with a page cache");
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn compare(what: &str, size: usize, engine: Vec<Duration>, raw: Vec<Duration>, plainly: &str) {
    let [engine, raw] = [engine, raw].map(|times| size as f64 / MIB as f64 / median(times).as_secs_f64());
    let share = 100.0 * engine / raw;
    println!("{what} of {:2} MiB: {engine:6.0} MiB/s; {plainly}: {raw:6.0} MiB/s; {share:.0} %", size / MIB);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Bytes that no disk compresses away.
fn random(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| step()).collect()
}
