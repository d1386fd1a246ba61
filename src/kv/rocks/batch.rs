//! Merging waiting commits into one batch, each judged as if those before it were applied.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use rocksdb::{ColumnFamily, ReadOptions, WriteBatch};

use super::super::{Commit, CommitError, Committed, Error, Expectation, Expected, Table, Write};
use super::open::{Database, engine_error};

/// The last position that each table gave out, by table id. Kept as rows of the internal column family, which change in
/// the same batch as the table: a position is never given twice, even where the table was emptied before a restart.
pub(super) struct Positions(Vec<u64>);

/// A batch that is being put together.
pub(super) struct Merge<'m> {
    database: &'m Database,
    families: Vec<&'m ColumnFamily>,
    read: ReadOptions,
    positions: &'m mut Positions,
    writes: WriteBatch,
    /// What the batch changes, by table id.
    changes: Vec<Changes>,
}

/// What a batch changes in one table.
#[derive(Default)]
struct Changes {
    /// What was put (`Some`) or removed last.
    rows: BTreeMap<Bytes, Option<Bytes>>,
    /// Removed from the database; `rows` hold what was put there since.
    removed_ranges: Vec<(Bytes, Bytes)>,
    /// Whether the table's last position is another now.
    advanced: bool,
}

impl Positions {
    /// Reads where the tables of `database` stand.
    pub fn load(database: &Database) -> Result<Self, Error> {
        let mut positions = Vec::with_capacity(database.tables.len());
        for table in &database.tables {
            positions.push(last_position(database, table)?);
        }
        Ok(Self(positions))
    }
}

/// Gives the last position that `table` gave out, or left out; 0 if it never did.
pub(super) fn last_position(database: &Database, table: &Table) -> Result<u64, Error> {
    let Some(bytes) = database.rocks.get(position_key(table)).map_err(engine_error)? else { return Ok(0) };
    let damaged = |_| Error::Engine(format!("the row that holds the last position of table {} is damaged", table.name));
    Ok(u64::from_be_bytes(bytes.try_into().map_err(damaged)?))
}

fn position_key(table: &Table) -> String {
    format!("position/{}", table.name)
}

impl<'m> Merge<'m> {
    pub fn new(database: &'m Database, positions: &'m mut Positions) -> Result<Self, Error> {
        let families = database.tables.iter().map(|table| database.family(*table)).collect::<Result<_, _>>()?;
        let changes = database.tables.iter().map(|_| Changes::default()).collect();
        let read = ReadOptions::default();
        Ok(Self { database, families, read, positions, writes: WriteBatch::default(), changes })
    }

    /// Adds `commit` behind those added before, if its expectations hold then; adds nothing otherwise.
    ///
    /// The tables that it names must be open ([`check_tables_of`](super::open::check_tables_of)).
    pub fn add(&mut self, commit: Commit) -> Result<Committed, CommitError> {
        for (index, expectation) in commit.expectations.iter().enumerate() {
            self.check(index, expectation)?;
        }
        let mut committed = Committed::default();
        for write in commit.writes {
            committed.positions.extend(self.write(write));
        }
        Ok(committed)
    }

    /// The tables whose rows the batch changes.
    pub fn changed(&self) -> Vec<Table> {
        let changes = self.database.tables.iter().zip(&self.changes);
        changes.filter(|(_, changes)| !changes.is_empty()).map(|(table, _)| *table).collect()
    }

    /// Gives the batch to write; empty when nothing was added.
    pub fn finish(mut self) -> WriteBatch {
        for (table, changes) in self.database.tables.iter().zip(&self.changes) {
            if changes.advanced {
                self.writes.put(position_key(table), self.positions.0[table.id].to_be_bytes());
            }
        }
        self.writes
    }

    fn check(&self, index: usize, expectation: &Expectation) -> Result<(), CommitError> {
        let Expectation { table, key, expected } = expectation;
        let expected = match expected {
            Expected::Absent => None,
            Expected::Value(value) => Some(value.as_ref()),
        };
        if let Some(changed) = self.changes[table.id].get(key) {
            return compare(index, changed.map(Bytes::as_ref), expected);
        }
        let family = self.families[table.id];
        let stored = self.database.rocks.get_pinned_cf_opt(family, key, &self.read).map_err(engine_error)?;
        compare(index, stored.as_deref(), expected)
    }

    /// Adds one write and gives the position of an append.
    fn write(&mut self, write: Write) -> Option<u64> {
        let id = write.table().id;
        let (family, changes) = (self.families[id], &mut self.changes[id]);
        match write {
            Write::Put { key, value, .. } => {
                self.writes.put_cf(family, &key, &value);
                changes.rows.insert(key, Some(value));
            }
            Write::Delete { key, .. } => {
                self.writes.delete_cf(family, &key);
                changes.rows.insert(key, None);
            }
            // RocksDB fails the whole batch for a range that ends before it starts.
            Write::DeleteRange { start, end, .. } if end <= start => {}
            Write::DeleteRange { start, end, .. } => {
                self.writes.delete_range_cf(family, &start, &end);
                changes.remove_range(start, end);
            }
            Write::Append { value, .. } => {
                let position = &mut self.positions.0[id];
                *position += 1;
                self.writes.put_cf(family, position.to_be_bytes(), &value);
                changes.rows.insert(Bytes::copy_from_slice(&position.to_be_bytes()), Some(value));
                changes.advanced = true;
                return Some(*position);
            }
            Write::Advance { by, .. } => {
                self.positions.0[id] = self.positions.0[id].saturating_add(by);
                changes.advanced = true;
            }
        }
        None
    }
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.removed_ranges.is_empty()
    }

    /// Gives what the batch leaves under `key`, or `None` if it does not touch it.
    fn get(&self, key: &Bytes) -> Option<Option<&Bytes>> {
        if let Some(row) = self.rows.get(key) {
            return Some(row.as_ref());
        }
        self.removed_ranges.iter().any(|(start, end)| start <= key && key < end).then_some(None)
    }

    fn remove_range(&mut self, start: Bytes, end: Bytes) {
        let within = (Bound::Included(&start), Bound::Excluded(&end));
        for (_, row) in self.rows.range_mut::<Bytes, _>(within) {
            *row = None;
        }
        self.removed_ranges.push((start, end));
    }
}

fn compare(index: usize, actual: Option<&[u8]>, expected: Option<&[u8]>) -> Result<(), CommitError> {
    if actual == expected {
        return Ok(());
    }
    Err(CommitError::Conflict { index, actual: actual.map(Bytes::copy_from_slice) })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::super::contract::{QUEUE, RECORDS, TABLES};
    use super::super::options::RocksOptions;
    use super::*;

    /// Merges into a database that holds the row `stored`, and gives what each commit was told.
    fn merge(commits: Vec<Commit>) -> (Vec<Result<Committed, CommitError>>, WriteBatch) {
        let directory = TempDir::new().unwrap();
        let database = Database::open(directory.path(), &RocksOptions::default(), TABLES).unwrap();
        database.rocks.put_cf(database.family(RECORDS).unwrap(), "stored", "v").unwrap();
        let mut positions = Positions::load(&database).unwrap();
        let mut merge = Merge::new(&database, &mut positions).unwrap();
        let verdicts = commits.into_iter().map(|commit| merge.add(commit)).collect();
        (verdicts, merge.finish())
    }

    #[test]
    fn expectations_see_the_earlier_commits_of_the_batch() {
        let value = || Some(Bytes::from("v"));
        let (verdicts, _) = merge(vec![
            Commit::new().expect(RECORDS, "k", None).put(RECORDS, "k", "v"),
            Commit::new().expect(RECORDS, "k", value()).put(RECORDS, "l", "v"),
            Commit::new().delete(RECORDS, "k"),
            Commit::new().expect(RECORDS, "k", None),
            Commit::new().delete_range(RECORDS, "k", "m").put(RECORDS, "ka", "v"),
            Commit::new().expect(RECORDS, "l", None).expect(RECORDS, "kb", None).expect(RECORDS, "ka", value()),
            Commit::new().expect(RECORDS, "stored", value()).delete_range(RECORDS, "s", "t"),
            Commit::new().expect(RECORDS, "stored", None),
            Commit::new().append(QUEUE, "v"),
            Commit::new().expect(QUEUE, 1u64.to_be_bytes().to_vec(), value()),
        ]);
        for verdict in verdicts {
            verdict.unwrap();
        }
    }

    #[test]
    fn a_conflict_tells_what_the_batch_left_and_adds_nothing() {
        let (verdicts, batch) = merge(vec![
            Commit::new().put(RECORDS, "k", "v"),
            Commit::new().expect(RECORDS, "k", None).put(RECORDS, "k", "w").append(QUEUE, "v"),
            Commit::new().expect(RECORDS, "k", Some(Bytes::from("v"))),
            Commit::new().append(QUEUE, "v"),
        ]);
        assert!(matches!(&verdicts[1], Err(CommitError::Conflict { index: 0, actual: Some(value) }) if value == "v"));
        assert!(verdicts[2].is_ok());
        assert_eq!(verdicts[3].as_ref().unwrap().positions, [1]);
        // The first put, the append, and the row that keeps its position.
        assert_eq!(batch.len(), 3);
    }

    #[test]
    fn nothing_to_write_makes_an_empty_batch() {
        let (_, batch) = merge(vec![Commit::new(), Commit::new().delete_range(RECORDS, "b", "a")]);
        assert!(batch.is_empty());
    }
}
