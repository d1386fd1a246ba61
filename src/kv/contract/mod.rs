//! The contract of [`Kv`](super::Kv) as tests, which every engine runs.

mod checkpoints;
mod commits;
mod groups;
mod reads;

use super::{Commit, Grouping, Item, Kv, Page, Profile, Scan, Table};

pub const RECORDS: Table = Table { id: 0, name: "records", profile: Profile::Records };
pub const VALUES: Table = Table { id: 1, name: "values", profile: Profile::Values };
pub const QUEUE: Table = Table { id: 2, name: "queue", profile: Profile::Queue };
pub const OTHER_QUEUE: Table = Table { id: 3, name: "other-queue", profile: Profile::Queue };
pub const RESIDENT: Table = Table { id: 4, name: "resident", profile: Profile::Resident };

/// The tables that an engine under test is opened with.
pub const TABLES: &[Table] = &[RECORDS, VALUES, QUEUE, OTHER_QUEUE, RESIDENT];

/// Runs every test, each on an empty engine from `open`.
pub async fn run<K: Kv>(open: impl Fn() -> K) {
    reads::run(&open).await;
    groups::run(&open).await;
    commits::run(&open).await;
}

/// Runs every test of copies that `copy` makes of engines from `open`. Needs a runtime of several threads.
pub async fn run_checkpoints<K: Kv, C: Kv>(open: impl Fn() -> K, copy: impl Fn(&K) -> C) {
    checkpoints::run(&open, &copy).await;
}

/// Commits rows whose values are their keys.
pub async fn put_all(kv: &impl Kv, table: Table, keys: &[&[u8]]) {
    let mut commit = Commit::new();
    for key in keys {
        commit = commit.put(table, key.to_vec(), key.to_vec());
    }
    kv.commit(commit).await.unwrap();
}

/// The keys and groups of a page; groups are shown with `*` behind them.
pub fn names(page: &Page) -> Vec<String> {
    let name = |item: &Item| match item {
        Item::Row { key, .. } => String::from_utf8_lossy(key).into_owned(),
        Item::Group(prefix) => String::from_utf8_lossy(prefix).into_owned() + "*",
    };
    page.items.iter().map(name).collect()
}

/// All of `table`, at most `limit` items.
pub fn all(table: Table, limit: usize) -> Scan {
    Scan::prefix(table, b"", limit)
}
