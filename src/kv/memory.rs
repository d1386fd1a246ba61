//! An engine in memory: for tests, and the model that other engines are compared with.

use std::collections::{BTreeMap, btree_map};
use std::ops::Bound;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::{
    Commit, CommitError, Committed, Error, Expectation, Expected, Item, Kv, Page, Scan, Table, Write,
    successor_of_prefix,
};

/// Keeps all tables in ordered maps under one lock. Nothing outlives it.
#[derive(Debug)]
pub struct MemoryKv {
    tables: Mutex<Vec<Rows>>,
}

#[derive(Debug, Clone, Default)]
struct Rows {
    rows: BTreeMap<Bytes, Bytes>,
    /// The last position that was given out.
    last_position: u64,
}

impl MemoryKv {
    /// Makes an empty store with `tables`; their ids may have gaps here.
    pub fn new(tables: &[Table]) -> Self {
        let length = tables.iter().map(|table| table.id + 1).max().unwrap_or(0);
        Self { tables: Mutex::new(vec![Rows::default(); length]) }
    }

    /// Gives a copy of the store as it is at this moment. The two have nothing in common from here on.
    pub fn checkpoint(&self) -> Self {
        Self { tables: Mutex::new(self.tables.lock().clone()) }
    }
}

#[async_trait]
impl Kv for MemoryKv {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let tables = self.tables.lock();
        Ok(rows_of(&tables, table)?.rows.get(key).cloned())
    }

    async fn scan(&self, scan: Scan) -> Result<Page, Error> {
        let tables = self.tables.lock();
        Ok(rows_of(&tables, scan.table)?.scan(&scan))
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        let mut tables = self.tables.lock();
        check_expectations(&tables, &commit.expectations)?;
        // Every table is looked up before the first write: an unknown one must not leave half a commit.
        for write in &commit.writes {
            rows_of(&tables, write.table())?;
        }
        let mut committed = Committed::default();
        for write in commit.writes {
            let position = tables[write.table().id].apply(write);
            committed.positions.extend(position);
        }
        Ok(committed)
    }

    fn writable(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Rows {
    fn scan(&self, scan: &Scan) -> Page {
        let mut items = Vec::new();
        let mut rows = self.seek(&scan.start);
        while let Some((key, value)) = rows.next() {
            if !scan.end.is_empty() && key.as_ref() >= scan.end.as_slice() {
                break;
            }
            if items.len() == scan.limit {
                return Page { items, more: true };
            }
            let Some(group) = scan.group.as_ref().and_then(|grouping| grouping.group_of(key)) else {
                items.push(Item::Row { key: key.clone(), value: value.clone() });
                continue;
            };
            items.push(Item::Group(key.slice_ref(group)));
            let Some(behind) = successor_of_prefix(group) else { break };
            rows = self.seek(&behind);
        }
        Page { items, more: false }
    }

    fn seek(&self, start: &[u8]) -> btree_map::Range<'_, Bytes, Bytes> {
        self.rows.range::<[u8], _>((Bound::Included(start), Bound::Unbounded))
    }

    /// Applies one write and gives the position of an append.
    fn apply(&mut self, write: Write) -> Option<u64> {
        match write {
            Write::Put { key, value, .. } => {
                self.rows.insert(key, value);
            }
            Write::Delete { key, .. } => {
                self.rows.remove(&key);
            }
            Write::DeleteRange { start, end, .. } => {
                self.rows.retain(|key, _| *key < start || *key >= end);
            }
            Write::Append { value, .. } => {
                self.last_position += 1;
                self.rows.insert(Bytes::copy_from_slice(&self.last_position.to_be_bytes()), value);
                return Some(self.last_position);
            }
            Write::Advance { by, .. } => self.last_position = self.last_position.saturating_add(by),
        }
        None
    }
}

fn rows_of(tables: &[Rows], table: Table) -> Result<&Rows, Error> {
    tables.get(table.id).ok_or_else(|| Error::Engine(format!("table {} was not opened", table.name)))
}

fn check_expectations(tables: &[Rows], expectations: &[Expectation]) -> Result<(), CommitError> {
    for (index, Expectation { table, key, expected }) in expectations.iter().enumerate() {
        let actual = rows_of(tables, *table)?.rows.get(key);
        let expected = match expected {
            Expected::Absent => None,
            Expected::Value(value) => Some(value),
        };
        if actual != expected {
            return Err(CommitError::Conflict { index, actual: actual.cloned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::contract;
    use super::*;

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::run(|| MemoryKv::new(contract::TABLES)).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn its_copies_keep_the_contract() {
        contract::run_checkpoints(|| MemoryKv::new(contract::TABLES), MemoryKv::checkpoint).await;
    }
}
