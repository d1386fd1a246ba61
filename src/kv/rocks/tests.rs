//! What the contract does not say: restarts, damage, and how the engine uses memory and disk.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;

use super::super::contract::{self, QUEUE, RECORDS, TABLES, VALUES, all, names};
use super::super::{Commit, CommitError, Error, Grouping, Item, Kv, MemoryKv, Page, Profile, Scan, Table};
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

/// The one log of the directory that holds anything.
fn log_in(path: &Path) -> PathBuf {
    let logs = open::files_in(path).unwrap().into_iter().filter(|file| file.extension().is_some_and(|e| e == "log"));
    logs.max_by_key(|log| log.metadata().unwrap().len()).unwrap()
}

/// Commits ten rows and gives the log with all of them, and where the last row's value ends.
async fn log_with_ten_rows(path: &Path) -> (PathBuf, usize) {
    let kv = open_in(path).unwrap();
    for number in 0..10 {
        kv.commit(Commit::new().put(RECORDS, format!("key-{number}"), format!("value-{number}"))).await.unwrap();
    }
    drop(kv);
    let log = log_in(path);
    let bytes = fs::read(&log).unwrap();
    let end = bytes.windows(7).position(|window| window == b"value-9").unwrap() + 7;
    (log, end)
}

#[tokio::test]
async fn a_hole_in_the_log_stops_the_start_and_relaxed_keeps_what_is_before_it() {
    let directory = TempDir::new().unwrap();
    let (log, _) = log_with_ten_rows(directory.path()).await;
    let mut bytes = fs::read(&log).unwrap();
    let at = bytes.windows(7).position(|window| window == b"value-4").unwrap();
    bytes[at] ^= 1;
    fs::write(&log, bytes).unwrap();
    let refused = open_in(directory.path()).unwrap_err().to_string();
    assert!(refused.contains("with commits behind it") && refused.contains("start once with relaxed"), "{refused}");

    let options = RocksOptions { durability: Durability::Relaxed, ..RocksOptions::default() };
    drop(RocksKv::open(directory.path(), options, TABLES).unwrap());
    let kv = open_in(directory.path()).unwrap();
    assert_eq!(names(&kv.scan(all(RECORDS, 20)).await.unwrap()), ["key-0", "key-1", "key-2", "key-3"]);
}

#[tokio::test]
async fn a_torn_last_commit_does_not_stop_the_start() {
    let directory = TempDir::new().unwrap();
    let (log, end) = log_with_ten_rows(directory.path()).await;
    fs::File::options().write(true).open(&log).unwrap().set_len(end as u64 - 3).unwrap();
    let kv = open_in(directory.path()).unwrap();
    assert_eq!(kv.scan(all(RECORDS, 20)).await.unwrap().items.len(), 9);
}

#[tokio::test]
async fn a_lost_manifest_pointer_is_not_taken_for_an_empty_directory() {
    let directory = TempDir::new().unwrap();
    log_with_ten_rows(directory.path()).await;
    fs::remove_file(directory.path().join("CURRENT")).unwrap();
    let refused = open_in(directory.path()).unwrap_err().to_string();
    assert!(refused.contains("CURRENT does not"), "{refused}");
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
        assert!(matches!(kv.database.get(table, b"a/1", Tier::Memory), Err(ReadError::NeedsDisk)));
        assert!(matches!(kv.database.scan(&all(table, 9), Tier::Memory), Err(ReadError::NeedsDisk)));
        assert_eq!(kv.scan(all(table, 9)).await.unwrap().items.len(), 1);
        assert_eq!(kv.get(table, b"a/1").await.unwrap(), Some(expected.clone()));
        assert_eq!(kv.database.get(table, b"a/1", Tier::Memory).unwrap(), Some(expected));
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
    assert!(matches!(fresh.kv.database.scan(&scan, Tier::Memory), Err(ReadError::NeedsDisk)));
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
        if let Ok(page) = fresh.kv.database.scan(&all(RECORDS, 10), Tier::Memory) {
            assert_eq!(page.items.len(), 1);
            return;
        }
        // The flush that the scan asked for begins with the next write.
        fresh.commit(Commit::new().put(RECORDS, key(ROWS - 1), "v")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the deleted rows are still there");
}

/// The directory for a test that runs in a process of its own.
const DIRECTORY_OF_CHILD: &str = "BRIM_TEST_DIRECTORY";

/// Runs one of the ignored tests below through `shell`, where it is `"$0" "$@"`.
fn child(shell: &str, test: &str, directory: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", shell]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "--ignored"]).arg(format!("kv::rocks::tests::{test}"));
    command.env(DIRECTORY_OF_CHILD, directory);
    command
}

fn directory_of_child() -> PathBuf {
    PathBuf::from(std::env::var_os(DIRECTORY_OF_CHILD).expect("another test runs this one"))
}

/// The child's files may not grow beyond 2 MiB: writing then fails in the kernel.
#[tokio::test]
async fn after_a_failed_write_the_engine_only_reads() {
    let directory = TempDir::new().unwrap();
    let limited = "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\"";
    let output = child(limited, "writes_until_no_room_is_left", directory.path()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && shown.contains("1 passed"),
        "{shown}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let kv = open_in(directory.path()).unwrap();
    assert_eq!(kv.get(VALUES, &[0]).await.unwrap().unwrap(), vec![0; 1 << 20]);
    kv.commit(Commit::new().put(RECORDS, "k", "v")).await.unwrap();
}

#[tokio::test]
#[ignore = "run by after_a_failed_write_the_engine_only_reads"]
async fn writes_until_no_room_is_left() {
    let kv = open_in(&directory_of_child()).unwrap();
    let mut failure = None;
    for number in 0..8u8 {
        let commit = Commit::new().put(VALUES, vec![number], vec![number; 1 << 20]);
        if let Err(error) = kv.commit(commit).await {
            failure = Some((number, error));
            break;
        }
    }
    let (failed, error) = failure.unwrap();
    assert!(matches!(error, CommitError::Engine(Error::Engine(_))), "{error:?}");
    let refused = kv.commit(Commit::new().put(RECORDS, "k", "v")).await;
    assert!(matches!(refused, Err(CommitError::Engine(Error::ReadOnly(_)))), "{refused:?}");
    for number in 0..failed {
        assert_eq!(kv.get(VALUES, &[number]).await.unwrap().unwrap(), vec![number; 1 << 20]);
    }
    assert_eq!(kv.get(VALUES, &[failed]).await.unwrap(), None);
}

#[tokio::test]
async fn every_answered_commit_survives_a_kill() {
    let directory = TempDir::new().unwrap();
    let mut answered = 0;
    for _ in 0..3 {
        let mut writer = child("exec \"$0\" \"$@\"", "appends_until_it_is_killed", directory.path());
        let mut writer = writer.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines().map(Result::unwrap);
        let positions = lines.filter_map(|line| line.strip_prefix("position ").map(|number| number.parse().unwrap()));
        answered = positions.take(200).last().unwrap();
        writer.kill().unwrap();
        writer.wait().unwrap();
    }
    let kv = open_in(directory.path()).unwrap();
    let page = kv.scan(all(QUEUE, usize::MAX)).await.unwrap();
    assert!(answered >= 600 && page.items.len() as u64 >= answered, "{answered} {}", page.items.len());
    for (item, position) in page.items.iter().zip(1u64..) {
        assert!(matches!(item, Item::Row { key, .. } if *key == position.to_be_bytes()[..]));
        // The same commit wrote both.
        assert!(kv.get(RECORDS, &position.to_be_bytes()).await.unwrap().is_some());
    }
}

#[tokio::test]
#[ignore = "run by every_answered_commit_survives_a_kill"]
async fn appends_until_it_is_killed() {
    let kv = open_in(&directory_of_child()).unwrap();
    let page = kv.scan(all(QUEUE, usize::MAX)).await.unwrap();
    for next in page.items.len() as u64 + 1..100_000 {
        let commit = Commit::new().append(QUEUE, "e").put(RECORDS, next.to_be_bytes().to_vec(), "v");
        println!("position {}", kv.commit(commit).await.unwrap().positions[0]);
    }
}

/// What a scan gives, by the words of the contract: walks every row.
fn model(rows: &[Bytes], scan: &Scan) -> Page {
    let mut items: Vec<Item> = Vec::new();
    for key in rows {
        let in_range = *key >= scan.start && (scan.end.is_empty() || *key < scan.end);
        let folded = matches!(items.last(), Some(Item::Group(group)) if key.starts_with(group));
        if !in_range || folded {
            continue;
        }
        if items.len() == scan.limit {
            return Page { items, more: true };
        }
        items.push(match scan.group.as_ref().and_then(|grouping| grouping.group_of(key)) {
            Some(group) => Item::Group(Bytes::copy_from_slice(group)),
            None => Item::Row { key: key.clone(), value: key.clone() },
        });
    }
    Page { items, more: false }
}

fn short(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'/'), Just(0), Just(0xff)], length)
}

fn scans() -> impl Strategy<Value = Scan> {
    let grouping = (0usize..4, short(1..3), proptest::option::of(short(1..3)))
        .prop_map(|(skip, delimiter, until)| Grouping { skip, delimiter, until });
    (short(0..4), short(0..4), 0usize..100, proptest::option::of(grouping))
        .prop_map(|(start, end, limit, group)| Scan { table: RECORDS, start, end, limit, group })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn scans_are_those_of_the_model(
        keys in proptest::collection::btree_set(short(0..7), 0..120),
        removed in proptest::collection::vec(short(0..7), 0..20),
        flushed in any::<bool>(),
        scans in proptest::collection::vec(scans(), 40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let memory = MemoryKv::new(TABLES);
            let fresh = Fresh::open(Durability::Relaxed);
            let mut rows: Vec<Bytes> = keys.into_iter().map(Bytes::from).collect();
            let mut put = Commit::new();
            for key in &rows {
                put = put.put(RECORDS, key.clone(), key.clone());
            }
            let delete = removed.iter().fold(Commit::new(), |commit, key| commit.delete(RECORDS, key.clone()));
            rows.retain(|key| !removed.iter().any(|removed| key == removed));
            for kv in [&memory as &dyn Kv, &fresh] {
                kv.commit(put.clone()).await.unwrap();
                if flushed {
                    fresh.kv.flush().unwrap();
                }
                kv.commit(delete.clone()).await.unwrap();
            }
            for scan in scans {
                let expected = model(&rows, &scan);
                assert_eq!(memory.scan(scan.clone()).await.unwrap(), expected, "memory {scan:?}");
                assert_eq!(fresh.scan(scan.clone()).await.unwrap(), expected, "rocks {scan:?}");
            }
        });
    }
}
