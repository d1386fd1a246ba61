//! Durable commits a second: the committer against RocksDB's own group commit with a thread for each writer, in turn on
//! the same disk, with the same log options.
//!
//! `cargo bench --bench commit [-- SECONDS [DIRECTORY]]`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use brim::kv::rocks::{Durability, RocksKv, RocksOptions};
use brim::kv::{Commit, Kv, Profile, Table};
use bytes::Bytes;
use rocksdb::{DBRecoveryMode, Options, WriteOptions};

const RECORDS: Table = Table { id: 0, name: "records", profile: Profile::Records };
const LOG: Table = Table { id: 1, name: "log", profile: Profile::Queue };

const KEY_BYTES: usize = 32;
const VALUE_BYTES: usize = 200;
const ROUNDS: usize = 3;

/// What the committers commit.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// One row: what the raw threads put.
    Put,
    /// What a small S3 upload does: an expectation, two rows, a log entry.
    Upload,
}

/// One measurement.
struct Figure {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let seconds = arguments.next().map_or(3.0, |seconds| seconds.parse().expect("SECONDS is a number"));
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let length = Duration::from_secs_f64(seconds);
    for round in 1..=ROUNDS {
        println!("round {round}, {seconds} s each, in {}", parent.display());
        for writers in [1, 8, 64] {
            let raw = in_directory(&parent, |path| raw_puts(path, writers, length));
            report(&format!("RocksDB, {writers} threads, put"), &raw, None);
            let strict = in_directory(&parent, |path| commits(path, writers, length, Shape::Put, Durability::Strict));
            report(&format!("strict, {writers} committers, put"), &strict, Some(&raw));
        }
        for (shape, durability) in [(Shape::Upload, Durability::Strict), (Shape::Put, Durability::Relaxed)] {
            let figure = in_directory(&parent, |path| commits(path, 64, length, shape, durability));
            report(&format!("{durability:?}, 64 committers, {shape:?}").to_lowercase(), &figure, None);
        }
    }
}

fn report(name: &str, figure: &Figure, raw: Option<&Figure>) {
    let ratio = raw.map_or(String::new(), |raw| format!("  {:.2} of raw", figure.per_second / raw.per_second));
    println!("{name:34} {:>8.0}/s  p50 {:>8.1?}  p99 {:>8.1?}{ratio}", figure.per_second, figure.p50, figure.p99);
}

fn in_directory(parent: &Path, measure: impl FnOnce(&Path) -> Figure) -> Figure {
    let directory = tempfile::TempDir::new_in(parent).expect("the directory can be written to");
    measure(directory.path())
}

fn commits(path: &Path, committers: usize, length: Duration, shape: Shape, durability: Durability) -> Figure {
    let options = RocksOptions { durability, ..RocksOptions::default() };
    let kv = Arc::new(RocksKv::open(path, options, &[RECORDS, LOG]).expect("an empty directory opens"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime starts");
    let numbers = Arc::new(AtomicU64::new(0));
    runtime.block_on(async {
        let started = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..committers {
            let (kv, numbers) = (Arc::clone(&kv), Arc::clone(&numbers));
            tasks.push(tokio::spawn(async move {
                let mut times = Vec::new();
                while started.elapsed() < length {
                    let commit = shape.commit(numbers.fetch_add(1, Ordering::Relaxed));
                    let began = Instant::now();
                    kv.commit(commit).await.expect("the disk has room");
                    times.push(began.elapsed());
                }
                times
            }));
        }
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.expect("committers do not panic"));
        }
        figure(times, started.elapsed())
    })
}

impl Shape {
    fn commit(self, number: u64) -> Commit {
        let key = Bytes::copy_from_slice(&key(number));
        let commit = Commit::new().put(RECORDS, key.clone(), vec![b'v'; VALUE_BYTES]);
        match self {
            Self::Put => commit,
            Self::Upload => {
                let reference = [key.as_ref(), b"/ref"].concat();
                commit.expect(RECORDS, key, None).put(RECORDS, reference, "").append(LOG, vec![b'e'; VALUE_BYTES])
            }
        }
    }
}

fn raw_puts(path: &Path, threads: usize, length: Duration) -> Figure {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_recycle_log_file_num(4);
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_max_background_jobs(2);
    options.set_write_buffer_size(16 << 20);
    options.set_compression_type(rocksdb::DBCompressionType::Lz4);
    let database = rocksdb::DB::open(&options, path).expect("an empty directory opens");
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    let (numbers, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let started = Instant::now();
    let times = std::thread::scope(|scope| {
        let put = || {
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let key = key(numbers.fetch_add(1, Ordering::Relaxed));
                let began = Instant::now();
                database.put_opt(key, [b'v'; VALUE_BYTES], &synced).expect("the disk has room");
                times.push(began.elapsed());
            }
            times
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(put)).collect();
        std::thread::sleep(length);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().expect("writers do not panic")).collect()
    });
    figure(times, started.elapsed())
}

/// Spreads consecutive numbers over the key space.
fn key(number: u64) -> [u8; KEY_BYTES] {
    let mut key = [b'k'; KEY_BYTES];
    key[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    key
}

fn figure(mut times: Vec<Duration>, elapsed: Duration) -> Figure {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    Figure { per_second: times.len() as f64 / elapsed.as_secs_f64(), p50: at(50), p99: at(99) }
}
