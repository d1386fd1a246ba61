//! Copies of a store that is in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Commit, Kv, QUEUE, RECORDS, VALUES, all, names, put_all};

pub async fn run<K: Kv, C: Kv>(open: impl Fn() -> K, copy: impl Fn(&K) -> C) {
    a_copy_holds_what_was_committed_and_nothing_that_came_later(open(), &copy).await;
    copies_of_a_copied_store_are_as_old_as_themselves(open(), &copy).await;
    a_copy_under_load_holds_whole_commits_and_all_that_returned(open(), &copy).await;
}

async fn a_copy_holds_what_was_committed_and_nothing_that_came_later<K: Kv, C: Kv>(kv: K, copy: &impl Fn(&K) -> C) {
    put_all(&kv, RECORDS, &[b"a", b"b", b"c"]).await;
    kv.commit(Commit::new().put(VALUES, "v", vec![7; 100_000]).append(QUEUE, "e")).await.unwrap();
    let copied = copy(&kv);
    let later = Commit::new()
        .put(RECORDS, "a", "changed")
        .delete(RECORDS, "b")
        .put(RECORDS, "d", "new")
        .delete(VALUES, "v")
        .delete_range(QUEUE, "", vec![0xff; 9])
        .append(QUEUE, "f");
    kv.commit(later).await.unwrap();
    assert_eq!(names(&copied.scan(all(RECORDS, 10)).await.unwrap()), ["a", "b", "c"]);
    assert_eq!(copied.get(RECORDS, b"a").await.unwrap().unwrap(), "a");
    assert_eq!(copied.get(VALUES, b"v").await.unwrap().unwrap(), vec![7; 100_000]);
    assert_eq!(copied.get(QUEUE, &1u64.to_be_bytes()).await.unwrap().unwrap(), "e");
    assert_eq!(copied.get(QUEUE, &2u64.to_be_bytes()).await.unwrap(), None);
    assert_eq!(names(&kv.scan(all(RECORDS, 10)).await.unwrap()), ["a", "c", "d"]);
}

async fn copies_of_a_copied_store_are_as_old_as_themselves<K: Kv, C: Kv>(kv: K, copy: &impl Fn(&K) -> C) {
    let mut copies = vec![copy(&kv)];
    for number in 0..3u8 {
        kv.commit(Commit::new().put(RECORDS, vec![number], "v")).await.unwrap();
        copies.push(copy(&kv));
    }
    for (rows, copied) in copies.iter().enumerate() {
        assert_eq!(copied.scan(all(RECORDS, 10)).await.unwrap().items.len(), rows);
    }
}

async fn a_copy_under_load_holds_whole_commits_and_all_that_returned<K: Kv, C: Kv>(kv: K, copy: &impl Fn(&K) -> C) {
    const WRITERS: usize = 4;
    const COPIES: usize = 3;
    let kv = Arc::new(kv);
    let returned: Arc<Vec<AtomicU64>> = Arc::new((0..WRITERS).map(|_| AtomicU64::new(0)).collect());
    let writers: Vec<_> = (0..WRITERS).map(|writer| write_on(kv.clone(), returned.clone(), writer)).collect();
    for _ in 0..COPIES {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let before: Vec<u64> = returned.iter().map(|count| count.load(Ordering::SeqCst)).collect();
        let copied = copy(&kv);
        let mut sum = 0;
        for (writer, before) in before.into_iter().enumerate() {
            let count = count_of(&copied, RECORDS, writer).await;
            assert_eq!(count_of(&copied, VALUES, writer).await, count, "half of a commit");
            assert!(count >= before, "{before} commits of writer {writer} returned, and the copy has {count}");
            sum += count;
        }
        assert_eq!(copied.scan(all(QUEUE, usize::MAX)).await.unwrap().items.len() as u64, sum);
    }
    writers.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Commits one more to all three tables, again and again, until it is aborted.
fn write_on<K: Kv>(kv: Arc<K>, returned: Arc<Vec<AtomicU64>>, writer: usize) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        for count in 1u64.. {
            let (key, value) = (vec![writer as u8], count.to_be_bytes().to_vec());
            let commit = Commit::new().put(RECORDS, key.clone(), value.clone()).put(VALUES, key, value);
            kv.commit(commit.append(QUEUE, "e")).await.unwrap();
            returned[writer].store(count, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    })
}

async fn count_of(kv: &impl Kv, table: super::Table, writer: usize) -> u64 {
    let value = kv.get(table, &[writer as u8]).await.unwrap();
    value.map_or(0, |value| u64::from_be_bytes(value[..].try_into().unwrap()))
}
