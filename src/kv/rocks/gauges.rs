//! What operators ask of the engine: its size, a flush, a checkpoint. All of it blocks.

use std::path::Path;

use rocksdb::checkpoint::Checkpoint;
use rocksdb::properties::{CUR_SIZE_ALL_MEM_TABLES, ESTIMATE_PENDING_COMPACTION_BYTES};
use rocksdb::{CStrLike, FlushOptions};

use super::super::{Error, Table};
use super::RocksKv;
use super::batch::last_position;
use super::open::{Database, engine_error, files_in};

/// How full the engine is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauges {
    /// Writes in memory that are not yet in table files, in bytes.
    pub memtable_bytes: u64,
    /// Everything in the cache: blocks, filters, values, and the memtables, which are charged to it.
    pub cache_bytes: u64,
    /// What compaction has to rewrite to catch up, estimated, in bytes.
    pub pending_compaction_bytes: u64,
    /// The files of the write-ahead log, those kept for reuse included, in bytes.
    pub wal_bytes: u64,
    /// Commits that wait for the committer.
    pub queued_commits: u64,
}

impl RocksKv {
    /// Gives the engine's gauges; reads the directory for the log's size.
    pub fn gauges(&self) -> Result<Gauges, Error> {
        let database = self.slot.read()?;
        Ok(Gauges {
            memtable_bytes: database.sum_of(CUR_SIZE_ALL_MEM_TABLES)?,
            cache_bytes: database.cache.get_usage() as u64,
            pending_compaction_bytes: database.sum_of(ESTIMATE_PENDING_COMPACTION_BYTES)?,
            wal_bytes: log_bytes(database.path())?,
            queued_commits: self.queue.len() as u64,
        })
    }

    /// Writes everything in memory to table files.
    pub fn flush(&self) -> Result<(), Error> {
        let database = self.slot.read()?;
        for table in &database.tables {
            let family = database.family(*table)?;
            database.rocks.flush_cf_opt(family, &FlushOptions::default()).map_err(engine_error)?;
        }
        database.rocks.flush().map_err(engine_error)
    }

    /// Makes a copy of the store at `path`, which must not exist, as it is at one moment during the call.
    ///
    /// Every commit that returned before the call is in it, and one that runs beside it is in it whole or not at all.
    /// What is in memory is written to table files first, so that the copy has next to no log. Table files are hard links
    /// where `path` is on the same file system. The copy opens like any store.
    pub fn checkpoint(&self, path: &Path) -> Result<(), Error> {
        let database = self.slot.read()?;
        let checkpoint = Checkpoint::new(&database.rocks).map_err(engine_error)?;
        checkpoint.create_checkpoint(path).map_err(engine_error)
    }

    /// Gives the last position that `table` gave out or left out; 0 if it never did.
    pub fn last_position(&self, table: Table) -> Result<u64, Error> {
        let database = self.slot.read()?;
        database.family(table)?;
        last_position(&database, &table)
    }
}

impl Database {
    /// Adds up a property over all tables.
    fn sum_of(&self, property: impl CStrLike + Copy) -> Result<u64, Error> {
        let mut sum = 0;
        for table in &self.tables {
            let value = self.rocks.property_int_value_cf(self.family(*table)?, property).map_err(engine_error)?;
            sum += value.unwrap_or(0);
        }
        Ok(sum)
    }
}

/// The files of the write-ahead log in `directory`, those kept for reuse included, in bytes.
pub(super) fn log_bytes(directory: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    for file in files_in(directory)? {
        if file.extension().is_some_and(|extension| extension == "log") {
            // A file that was removed since it was listed holds nothing.
            bytes += file.metadata().map_or(0, |metadata| metadata.len());
        }
    }
    Ok(bytes)
}
