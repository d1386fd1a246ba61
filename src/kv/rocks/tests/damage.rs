//! Crashes, failed writes and damaged files.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::super::super::contract::{QUEUE, RECORDS, TABLES, VALUES, all, names};
use super::super::super::{Commit, CommitError, Error, Item, Kv};
use super::super::{Durability, RocksKv, RocksOptions, open};
use super::open_in;

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

/// The directory for a test that runs in a process of its own.
const DIRECTORY_OF_CHILD: &str = "BRIM_TEST_DIRECTORY";

/// Runs one of the ignored tests below through `shell`, where it is `"$0" "$@"`.
fn child(shell: &str, test: &str, directory: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", shell]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "--ignored"]).arg(format!("kv::rocks::tests::damage::{test}"));
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

/// A mount namespace with 48 MiB at the directory; without the right to one (a container's) the test cannot be made.
const SMALL_DISK: &str = "mount -t tmpfs -o size=48m none \"$BRIM_TEST_DIRECTORY\" && exec \"$0\" \"$@\"";

fn in_mount_namespace(command: Command) -> Option<Command> {
    let unshare = ["--user", "--map-root-user", "--mount"];
    let allowed = Command::new("unshare").args(unshare).args(["mount", "-t", "tmpfs", "none", "/tmp"]).status();
    if !allowed.is_ok_and(|status| status.success()) {
        return None;
    }
    let mut inside = Command::new("unshare");
    inside.args(unshare).arg(command.get_program()).args(command.get_args());
    inside.env(DIRECTORY_OF_CHILD, command.get_envs().find(|(name, _)| *name == DIRECTORY_OF_CHILD)?.1?);
    Some(inside)
}

#[tokio::test]
async fn a_full_disk_ends_writing_until_there_is_room() {
    let directory = TempDir::new().unwrap();
    let test = child(SMALL_DISK, "writes_to_a_small_disk_until_it_is_full_and_again", directory.path());
    let Some(mut test) = in_mount_namespace(test) else {
        eprintln!("skipped: this user may not mount a file system");
        return;
    };
    let output = test.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && shown.contains("1 passed"), "{shown}{stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by a_full_disk_ends_writing_until_there_is_room"]
async fn writes_to_a_small_disk_until_it_is_full_and_again() {
    let directory = directory_of_child();
    let (data, ballast) = (directory.join("kv"), directory.join("ballast"));
    fs::write(&ballast, vec![0; 40 << 20]).unwrap();
    let kv = open_in(&data).unwrap();
    let put = |number: u8| kv.commit(Commit::new().put(VALUES, vec![number], vec![number; 1 << 20]).append(QUEUE, "e"));
    let mut written = 0;
    let failure = loop {
        match put(written).await {
            Ok(committed) => assert_eq!(committed.positions, [u64::from(written) + 1]),
            Err(error) => break error,
        }
        written += 1;
    };
    assert!(matches!(failure, CommitError::Engine(Error::Full(_))), "{failure:?}");
    assert!(matches!(kv.writable(), Err(Error::Paused(_))));
    let refused = kv.commit(Commit::new().put(RECORDS, "k", "v")).await;
    assert!(matches!(refused, Err(CommitError::Engine(Error::Paused(_)))), "{refused:?}");
    for number in 0..written {
        assert_eq!(kv.get(VALUES, &[number]).await.unwrap().unwrap(), vec![number; 1 << 20]);
    }

    fs::remove_file(&ballast).unwrap();
    for _ in 0..300 {
        if kv.writable().is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    // The torn commit's outcome is unknown, but its position is given out again only if it was not applied.
    let torn = kv.get(VALUES, &[written]).await.unwrap().is_some();
    let position = put(100).await.unwrap().positions[0];
    assert_eq!(position, u64::from(written) + 1 + u64::from(torn));
    drop(kv);
    let kv = open_in(&data).unwrap();
    for number in (0..written).chain([100]) {
        assert_eq!(kv.get(VALUES, &[number]).await.unwrap().unwrap(), vec![number; 1 << 20]);
    }
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
