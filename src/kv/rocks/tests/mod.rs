//! What the contract does not say: restarts, and how the engine uses memory and disk.

mod damage;
mod model;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;

use super::super::contract::{self, OTHER_QUEUE, QUEUE, RECORDS, TABLES, VALUES, all};
use super::super::{Commit, CommitError, Error, Kv, Page, Profile, Scan, Table};
use super::*;

fn open_in(path: &Path) -> Result<RocksKv, Error> {
    RocksKv::open(path, RocksOptions::default(), TABLES)
}

/// An engine in a directory that is removed after it.
struct Fresh {
    kv: RocksKv,
    _directory: TempDir,
}

impl Fresh {
    fn open(durability: Durability) -> Self {
        let directory = TempDir::new().unwrap();
        let options = RocksOptions { durability, ..RocksOptions::default() };
        Self { kv: RocksKv::open(directory.path(), options, TABLES).unwrap(), _directory: directory }
    }
}

impl Fresh {
    fn checkpoint(&self) -> Fresh {
        let directory = TempDir::new().unwrap();
        let copy = directory.path().join("copy");
        self.kv.checkpoint(&copy).unwrap();
        let kv = RocksKv::open_read_only(&copy, RocksOptions::default(), TABLES).unwrap();
        Self { kv, _directory: directory }
    }
}

/// The names of the files below `directory`, without those of messages for people.
fn names_in(directory: &Path) -> Vec<PathBuf> {
    let mut names = open::files_in(&directory.join("copy")).unwrap();
    names.retain(|name| !name.file_name().unwrap().to_string_lossy().starts_with("LOG"));
    names
}

#[async_trait]
impl Kv for Fresh {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.kv.get(table, key).await
    }

    async fn scan(&self, scan: Scan) -> Result<Page, Error> {
        self.kv.scan(scan).await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        self.kv.commit(commit).await
    }

    fn writable(&self) -> Result<(), Error> {
        self.kv.writable()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract() {
    contract::run(|| Fresh::open(Durability::Strict)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keeps_the_contract_when_relaxed() {
    contract::run(|| Fresh::open(Durability::Relaxed)).await;
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_restart() {
    let directory = TempDir::new().unwrap();
    for durability in [Durability::Strict, Durability::Relaxed] {
        let options = RocksOptions { durability, ..RocksOptions::default() };
        let kv = RocksKv::open(directory.path(), options.clone(), TABLES).unwrap();
        let commit = Commit::new().put(RECORDS, "k", "v").put(VALUES, "k", vec![7; 10_000]).append(QUEUE, "e");
        let before = kv.commit(commit).await.unwrap();
        drop(kv);
        let kv = RocksKv::open(directory.path(), options, TABLES).unwrap();
        assert_eq!(kv.get(RECORDS, b"k").await.unwrap().unwrap(), "v");
        assert_eq!(kv.get(VALUES, b"k").await.unwrap().unwrap(), vec![7; 10_000]);
        assert_eq!(kv.get(QUEUE, &before.positions[0].to_be_bytes()).await.unwrap().unwrap(), "e");
    }
}

#[tokio::test]
async fn positions_go_on_after_a_restart_even_of_an_emptied_queue() {
    let directory = TempDir::new().unwrap();
    for round in 0..3 {
        let kv = open_in(directory.path()).unwrap();
        let committed = kv.commit(Commit::new().append(QUEUE, "a").append(QUEUE, "b")).await.unwrap();
        assert_eq!(committed.positions, [2 * round + 1, 2 * round + 2]);
        kv.commit(Commit::new().delete_range(QUEUE, "", vec![0xff; 9])).await.unwrap();
        kv.flush().unwrap();
    }
}

#[tokio::test]
async fn a_closed_engine_finishes_what_was_queued_and_still_reads() {
    let fresh = Fresh::open(Durability::Strict);
    fresh.commit(Commit::new().put(RECORDS, "k", "v")).await.unwrap();
    fresh.kv.close();
    fresh.kv.close();
    let refused = fresh.commit(Commit::new().put(RECORDS, "k", "w")).await;
    assert!(matches!(refused, Err(CommitError::Engine(Error::Closed))));
    assert_eq!(fresh.get(RECORDS, b"k").await.unwrap().unwrap(), "v");
}

#[test]
fn a_directory_of_a_newer_version_is_refused_and_new_tables_are_made() {
    let directory = TempDir::new().unwrap();
    drop(RocksKv::open(directory.path(), RocksOptions::default(), &TABLES[..3]).unwrap());
    drop(open_in(directory.path()).unwrap());
    let refused = RocksKv::open(directory.path(), RocksOptions::default(), &TABLES[..3]).unwrap_err();
    assert!(refused.to_string().contains("table other-queue, which this version does not know"), "{refused}");
    drop(open_in(directory.path()).unwrap());
}

#[test]
fn a_second_engine_in_one_directory_is_refused() {
    let directory = TempDir::new().unwrap();
    let first = open_in(directory.path()).unwrap();
    assert!(open_in(directory.path()).is_err());
    drop(first);
    assert!(open_in(directory.path()).is_ok());
}

#[test]
fn wrong_tables_are_refused() {
    let directory = TempDir::new().unwrap();
    let table = |id, name| Table { id, name, profile: Profile::Records };
    for tables in [vec![table(1, "a")], vec![table(0, "a"), table(1, "a")], vec![table(0, "default")]] {
        assert!(RocksKv::open(directory.path(), RocksOptions::default(), &tables).is_err());
    }
}

#[test]
fn options_that_cannot_be_kept_are_refused() {
    let directory = TempDir::new().unwrap();
    for options in [
        RocksOptions { memory_bytes: 1 << 20, ..RocksOptions::default() },
        RocksOptions { background_threads: 0, ..RocksOptions::default() },
        RocksOptions { open_files: 3, ..RocksOptions::default() },
    ] {
        assert!(RocksKv::open(directory.path(), options, TABLES).is_err());
    }
}

#[tokio::test]
async fn a_checkpoint_holds_the_store_as_it_was() {
    let fresh = Fresh::open(Durability::Strict);
    let directory = TempDir::new().unwrap();
    let copy = directory.path().join("copy");
    fresh.commit(Commit::new().put(RECORDS, "k", "then").append(QUEUE, "e")).await.unwrap();
    fresh.kv.checkpoint(&copy).unwrap();
    fresh.commit(Commit::new().put(RECORDS, "k", "now")).await.unwrap();
    let copied = open_in(&copy).unwrap();
    assert_eq!(copied.get(RECORDS, b"k").await.unwrap().unwrap(), "then");
    assert_eq!(copied.commit(Commit::new().append(QUEUE, "f")).await.unwrap().positions, [2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_checkpoints_keep_the_contract() {
    let open = |durability| move || Fresh::open(durability);
    contract::run_checkpoints(open(Durability::Strict), |fresh| fresh.checkpoint()).await;
    contract::run_checkpoints(open(Durability::Relaxed), |fresh| fresh.checkpoint()).await;
}

#[tokio::test]
async fn a_copy_opened_for_reading_takes_no_commits_and_stays_as_it_is() {
    let fresh = Fresh::open(Durability::Strict);
    fresh.commit(Commit::new().put(RECORDS, "k", "v").append(QUEUE, "e").advance(QUEUE, 7)).await.unwrap();
    let copy = fresh.checkpoint();
    let before = names_in(copy._directory.path());
    for _ in 0..2 {
        let reader = RocksKv::open_read_only(copy.kv.slot.path(), RocksOptions::default(), TABLES).unwrap();
        assert_eq!(reader.get(RECORDS, b"k").await.unwrap().unwrap(), "v");
        assert_eq!((reader.last_position(QUEUE).unwrap(), reader.last_position(OTHER_QUEUE).unwrap()), (8, 0));
        let refused = reader.commit(Commit::new().put(RECORDS, "k", "w")).await;
        assert!(matches!(refused, Err(CommitError::Engine(Error::ReadOnly(_)))));
        assert!(matches!(reader.writable(), Err(Error::ReadOnly(_))));
    }
    assert_eq!(names_in(copy._directory.path()), before);
    let nothing = TempDir::new().unwrap();
    assert!(RocksKv::open_read_only(nothing.path(), RocksOptions::default(), TABLES).is_err());
}

#[tokio::test]
async fn gauges_follow_the_data() {
    let fresh = Fresh::open(Durability::Strict);
    let before = fresh.kv.gauges().unwrap();
    fresh.commit(Commit::new().put(VALUES, "k", vec![1; 2 << 20])).await.unwrap();
    let full = fresh.kv.gauges().unwrap();
    assert!(full.memtable_bytes >= before.memtable_bytes + (2 << 20), "{full:?}");
    assert!(full.wal_bytes >= 2 << 20, "{full:?}");
    fresh.kv.flush().unwrap();
    assert!(fresh.kv.gauges().unwrap().memtable_bytes < full.memtable_bytes);
}

#[tokio::test]
async fn small_write_buffers_hold_many_rows_of_every_table() {
    let directory = TempDir::new().unwrap();
    let options = RocksOptions { memory_bytes: 8 << 20, durability: Durability::Relaxed, ..RocksOptions::default() };
    let kv = RocksKv::open(directory.path(), options, TABLES).unwrap();
    for number in 0..200u64 {
        let row = number.to_be_bytes().to_vec();
        let every = TABLES.iter().fold(Commit::new(), |commit, table| commit.put(*table, row.clone(), vec![7; 100]));
        kv.commit(every).await.unwrap();
    }
    let files = open::files_in(directory.path()).unwrap();
    let tables = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "sst"));
    assert_eq!(tables.count(), 0, "nothing needed to be flushed yet");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_in_memory_is_read_from_disk() {
    let directory = TempDir::new().unwrap();
    let kv = open_in(directory.path()).unwrap();
    let value = Bytes::from(vec![9; 20_000]);
    kv.commit(Commit::new().put(VALUES, "a/1", value.clone()).put(RECORDS, "a/1", "v")).await.unwrap();
    kv.flush().unwrap();
    drop(kv);
    let kv = open_in(directory.path()).unwrap();
    for (table, expected) in [(VALUES, value), (RECORDS, Bytes::from("v"))] {
        assert!(matches!(kv.slot.read().unwrap().get(table, b"a/1", Tier::Memory), Err(ReadError::NeedsDisk)));
        assert!(matches!(kv.slot.read().unwrap().scan(&all(table, 9), Tier::Memory), Err(ReadError::NeedsDisk)));
        assert_eq!(kv.scan(all(table, 9)).await.unwrap().items.len(), 1);
        assert_eq!(kv.get(table, b"a/1").await.unwrap(), Some(expected.clone()));
        assert_eq!(kv.slot.read().unwrap().get(table, b"a/1", Tier::Memory).unwrap(), Some(expected));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_over_many_deleted_rows_leaves_the_worker() {
    let fresh = Fresh::open(Durability::Relaxed);
    let key = |number: u32| number.to_be_bytes().to_vec();
    for number in (0..4000).step_by(500) {
        let put = (number..number + 500).fold(Commit::new(), |commit, number| commit.put(RECORDS, key(number), "v"));
        fresh.commit(put).await.unwrap();
    }
    let delete = (0..3999).fold(Commit::new(), |commit, number| commit.delete(RECORDS, key(number)));
    fresh.commit(delete).await.unwrap();
    let scan = all(RECORDS, 10);
    assert!(matches!(fresh.kv.slot.read().unwrap().scan(&scan, Tier::Memory), Err(ReadError::NeedsDisk)));
    assert_eq!(fresh.scan(scan).await.unwrap().items.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_rows_that_a_scan_met_are_compacted_away() {
    const ROWS: u32 = 20_000;
    let fresh = Fresh::open(Durability::Relaxed);
    let key = |number: u32| number.to_be_bytes().to_vec();
    for first in (0..ROWS).step_by(1000) {
        let put = (first..first + 1000).fold(Commit::new(), |commit, number| commit.put(RECORDS, key(number), "v"));
        fresh.commit(put).await.unwrap();
    }
    fresh.kv.flush().unwrap();
    let delete = (0..ROWS - 1).fold(Commit::new(), |commit, number| commit.delete(RECORDS, key(number)));
    fresh.commit(delete).await.unwrap();
    for _ in 0..500 {
        assert_eq!(fresh.scan(all(RECORDS, 10)).await.unwrap().items.len(), 1);
        // The memory tier gives up over a thousand deleted rows: once it gives the page, they are gone.
        if let Ok(page) = fresh.kv.slot.read().unwrap().scan(&all(RECORDS, 10), Tier::Memory) {
            assert_eq!(page.items.len(), 1);
            return;
        }
        // The flush that the scan asked for begins with the next write.
        fresh.commit(Commit::new().put(RECORDS, key(ROWS - 1), "v")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the deleted rows are still there");
}
