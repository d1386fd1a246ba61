//! Rows of [`Profile::Resident`] tables in memory, as the database has them: a lookup costs a hash instead of a search.

use std::collections::HashMap;

use bytes::Bytes;
use parking_lot::RwLock;

use super::super::{Profile, Table};

/// The most bytes of keys and values that are kept; when they would be more, all are forgotten and found again.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// What a row costs beside its key and its value, about.
const ROW_BYTES: usize = 128;

/// The rows that were read since they were last written.
///
/// A reader keeps what it read only if no write of any such table began or ended meanwhile, and nothing is known of a row
/// from before its write until that is over: so nobody finds the old value after somebody has found the new one.
#[derive(Default)]
pub(super) struct Resident(RwLock<State>);

#[derive(Default)]
struct State {
    /// By table id.
    tables: HashMap<usize, HashMap<Bytes, Bytes>>,
    bytes: usize,
    /// Raised when a write begins and when it ends.
    generation: u64,
    writes_under_way: usize,
}

/// What is known of a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The table is not one whose rows are kept.
    Foreign,
    Row(Bytes),
    /// To be read, and then told to [`Resident::keep`].
    Unread(Reading),
}

/// When the reading of a row began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading(u64);

/// A write of such tables that goes on until this is dropped.
pub(super) struct Writing<'r>(&'r Resident);

impl Resident {
    pub fn get(&self, table: Table, key: &[u8]) -> Known {
        if table.profile != Profile::Resident {
            return Known::Foreign;
        }
        let state = self.0.read();
        match state.tables.get(&table.id).and_then(|rows| rows.get(key)) {
            Some(row) => Known::Row(row.clone()),
            None => Known::Unread(Reading(state.generation)),
        }
    }

    /// Keeps what was read of the database since `reading` began, unless it may be outdated.
    pub fn keep(&self, reading: Reading, table: Table, key: &[u8], value: &Bytes) {
        let mut state = self.0.write();
        if state.generation != reading.0 || state.writes_under_way > 0 {
            return;
        }
        let bytes = key.len() + value.len() + ROW_BYTES;
        // A row that another reader kept since is the same one: nothing was written.
        if bytes > MAX_BYTES || state.tables.get(&table.id).is_some_and(|rows| rows.contains_key(key)) {
            return;
        }
        if state.bytes + bytes > MAX_BYTES {
            state.tables.clear();
            state.bytes = 0;
        }
        state.bytes += bytes;
        state.tables.entry(table.id).or_default().insert(Bytes::copy_from_slice(key), value.clone());
    }

    /// Forgets the rows of `tables`, and keeps none until the write is over. To be called before the database is written.
    pub fn write(&self, tables: impl Iterator<Item = Table>) -> Option<Writing<'_>> {
        let mut written = tables.filter(|table| table.profile == Profile::Resident).peekable();
        written.peek()?;
        let mut state = self.0.write();
        state.generation += 1;
        state.writes_under_way += 1;
        for table in written {
            let forgotten = state.tables.remove(&table.id).unwrap_or_default();
            let bytes: usize = forgotten.iter().map(|(key, value)| key.len() + value.len() + ROW_BYTES).sum();
            state.bytes -= bytes;
        }
        Some(Writing(self))
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let mut state = self.0.0.write();
        state.generation += 1;
        state.writes_under_way -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use tempfile::TempDir;

    use super::super::super::contract::{RECORDS, RESIDENT, TABLES};
    use super::super::super::{Commit, Kv};
    use super::super::{RocksKv, RocksOptions};
    use super::*;

    fn reading(resident: &Resident, key: &str) -> Reading {
        match resident.get(RESIDENT, key.as_bytes()) {
            Known::Unread(reading) => reading,
            known => panic!("{known:?}"),
        }
    }

    #[test]
    fn a_row_is_kept_until_its_table_is_written() {
        let resident = Resident::default();
        resident.keep(reading(&resident, "k"), RESIDENT, b"k", &Bytes::from("v"));
        assert_eq!(resident.get(RESIDENT, b"k"), Known::Row(Bytes::from("v")));
        assert!(resident.write([RECORDS].into_iter()).is_none());
        assert_eq!(resident.get(RESIDENT, b"k"), Known::Row(Bytes::from("v")));
        drop(resident.write([RECORDS, RESIDENT].into_iter()).unwrap());
        reading(&resident, "k");
        assert_eq!(resident.0.read().bytes, 0);
        assert_eq!(resident.get(RECORDS, b"k"), Known::Foreign);
    }

    #[test]
    fn what_was_read_before_or_during_a_write_is_not_kept() {
        let resident = Resident::default();
        let before = reading(&resident, "k");
        let write = resident.write([RESIDENT].into_iter());
        let during = reading(&resident, "k");
        resident.keep(before, RESIDENT, b"k", &Bytes::from("old"));
        resident.keep(during, RESIDENT, b"k", &Bytes::from("old"));
        drop(write);
        resident.keep(before, RESIDENT, b"k", &Bytes::from("old"));
        resident.keep(during, RESIDENT, b"k", &Bytes::from("old"));
        reading(&resident, "k");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let resident = Resident::default();
        let value = Bytes::from(vec![0; MAX_BYTES / 4]);
        for key in 0..100 {
            let key = key.to_string();
            resident.keep(reading(&resident, &key), RESIDENT, key.as_bytes(), &value);
            resident.keep(Reading(0), RESIDENT, key.as_bytes(), &value);
            assert!(resident.0.read().bytes <= MAX_BYTES);
        }
        resident.keep(reading(&resident, "large"), RESIDENT, b"large", &Bytes::from(vec![0; MAX_BYTES]));
        reading(&resident, "large");
    }

    /// Once anybody has read a value, nobody who begins to read later finds an earlier one.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn reads_never_go_back() {
        let directory = TempDir::new().unwrap();
        let kv = Arc::new(RocksKv::open(directory.path(), RocksOptions::default(), TABLES).unwrap());
        let (seen, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut readers = Vec::new();
        for _ in 0..3 {
            let (kv, seen, done) = (Arc::clone(&kv), Arc::clone(&seen), Arc::clone(&done));
            readers.push(tokio::spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    let at_least = seen.load(Ordering::SeqCst);
                    let value = kv.get(RESIDENT, b"k").await.unwrap();
                    let value = value.map_or(0, |bytes| u64::from_be_bytes(bytes.as_ref().try_into().unwrap()));
                    assert!(value >= at_least, "{value} after {at_least}");
                    seen.fetch_max(value, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
            }));
        }
        for value in 1..=500u64 {
            kv.commit(Commit::new().put(RESIDENT, "k", value.to_be_bytes().to_vec())).await.unwrap();
            seen.fetch_max(value, Ordering::SeqCst);
        }
        done.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.await.unwrap();
        }
        kv.commit(Commit::new().delete_range(RESIDENT, "a", "z")).await.unwrap();
        assert_eq!(kv.get(RESIDENT, b"k").await.unwrap(), None);
    }
}
