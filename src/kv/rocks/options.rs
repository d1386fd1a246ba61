//! What an operator may choose, and how RocksDB is told.

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, Options, WriteBufferManager,
};
use serde::Deserialize;

use super::super::{Error, Profile, Table};
use super::open::engine_error;

/// When a commit counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// A commit is synced before it is answered: it survives power loss.
    #[default]
    Strict,
    /// A commit is handed to the operating system before it is answered, and synced soon after. Power loss may take
    /// the last of them, but always leaves a prefix of all commits.
    Relaxed,
}

/// How to run the engine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RocksOptions {
    pub durability: Durability,
    /// The memory for cached blocks, filters, indexes and unflushed writes together, in bytes; 8 MiB at least.
    pub memory_bytes: u64,
    /// How many threads flush and compact; 1 at least.
    pub background_threads: u32,
    /// The most table files held open at once; 32 at least.
    pub open_files: u32,
}

impl Default for RocksOptions {
    fn default() -> Self {
        Self { durability: Durability::Strict, memory_bytes: 96 * MIB, background_threads: 2, open_files: 512 }
    }
}

const MIB: u64 = 1024 * 1024;

const MIN_MEMORY_BYTES: u64 = 8 * MIB;
const MIN_OPEN_FILES: u32 = 32;

/// Of `memory_bytes`, one part in this many may hold unflushed writes; they are charged to the block cache.
const WRITE_BUFFER_SHARE: u64 = 3;

/// Each table's memtable takes memory in blocks of this share of what it may hold. RocksDB's own choice, an eighth, would
/// fill small write buffers with the first row of every table, and flush at almost every write.
const MEMTABLE_BLOCK_SHARE: u64 = 64;

/// The write-ahead log may grow to this before the tables that hold it up are flushed: what a start has to replay.
const WAL_BYTES: u64 = 128 * MIB;

/// Log files kept for reuse: overwriting spares the file system's journal, about a quarter of a sync.
const RECYCLED_WALS: usize = 4;

/// Blocks of records: several rows of about 1 KiB each.
const BLOCK_BYTES: usize = 16 * 1024;

/// Values from here on are kept apart from their keys, so that compaction does not rewrite them.
const MIN_SEPARATE_VALUE_BYTES: u64 = 512;
const VALUE_FILE_BYTES: u64 = 64 * MIB;

/// Files in which half of this many neighbouring rows are deletions are compacted at once, so that a scan over what was
/// just deleted does not wade through it for long.
const DELETION_WINDOW: usize = 1024;
const DELETIONS_IN_WINDOW: usize = 512;
const DELETED_SHARE_OF_FILE: f64 = 0.5;

/// A scan that steps over this many deleted rows in memory has them flushed, for the compaction above to remove.
const DELETIONS_SCANNED_IN_MEMORY: u32 = 4096;
/// Range deletions slow every read while they are in memory: this many have them flushed.
const RANGE_DELETIONS_IN_MEMORY: u32 = 256;

/// RocksDB's options for one open database, and the memory that all its tables share.
pub(super) struct Layout {
    pub database: Options,
    pub cache: Cache,
    write_buffer_bytes: u64,
}

impl RocksOptions {
    /// Refuses what RocksDB would silently replace.
    pub(super) fn check(&self) -> Result<(), Error> {
        let fault = if self.memory_bytes < MIN_MEMORY_BYTES {
            "needs at least 8 MiB of memory"
        } else if self.background_threads == 0 {
            "needs a background thread"
        } else if self.open_files < MIN_OPEN_FILES {
            "needs at least 32 open files"
        } else {
            return Ok(());
        };
        Err(Error::Engine(format!("the storage engine {fault}")))
    }
}

impl Layout {
    pub fn new(options: &RocksOptions) -> Self {
        let cache = Cache::new_hyper_clock_cache(to_size(options.memory_bytes), 0);
        let write_buffer_bytes = options.memory_bytes / WRITE_BUFFER_SHARE;
        let buffers =
            WriteBufferManager::new_write_buffer_manager_with_cache(to_size(write_buffer_bytes), false, cache.clone());
        let mut database = Options::default();
        database.create_if_missing(true);
        database.create_missing_column_families(true);
        database.set_write_buffer_manager(&buffers);
        database.set_max_background_jobs(to_int(options.background_threads));
        database.set_max_open_files(to_int(options.open_files));
        database.set_bytes_per_sync(MIB);
        set_log(&mut database);
        Self { database, cache, write_buffer_bytes }
    }

    /// Describes the column families of `tables`, and that of the engine itself.
    pub fn families(&self, tables: &[Table]) -> Result<Vec<ColumnFamilyDescriptor>, Error> {
        let mut families = vec![self.internal_family()?];
        for table in tables {
            families.push(self.family(table)?);
        }
        Ok(families)
    }

    /// Describes the column family of `table`.
    fn family(&self, table: &Table) -> Result<ColumnFamilyDescriptor, Error> {
        let mut family = self.any_family()?;
        if table.profile == Profile::Values {
            self.separate_values(&mut family);
        }
        if table.profile != Profile::Queue {
            family.set_memtable_whole_key_filtering(true);
            family.set_memtable_prefix_bloom_ratio(0.02);
        }
        Ok(ColumnFamilyDescriptor::new(table.name, family))
    }

    /// Describes the column family that RocksDB insists on, where the engine keeps its own few rows.
    fn internal_family(&self) -> Result<ColumnFamilyDescriptor, Error> {
        Ok(ColumnFamilyDescriptor::new(rocksdb::DEFAULT_COLUMN_FAMILY_NAME, self.any_family()?))
    }

    fn any_family(&self) -> Result<Options, Error> {
        // These two have no setter; the text form gives options to build on.
        let flush_triggers = format!(
            "memtable_op_scan_flush_trigger={DELETIONS_SCANNED_IN_MEMORY};\
             memtable_max_range_deletions={RANGE_DELETIONS_IN_MEMORY}"
        );
        let mut family = Options::default().get_options_from_string(flush_triggers).map_err(engine_error)?;
        family.set_compression_type(DBCompressionType::Lz4);
        let memtable_bytes = self.write_buffer_bytes / 2;
        family.set_write_buffer_size(to_size(memtable_bytes));
        family.set_arena_block_size(to_size(memtable_bytes / MEMTABLE_BLOCK_SHARE));
        family.set_block_based_table_factory(&self.blocks());
        family.add_compact_on_deletion_collector_factory(DELETION_WINDOW, DELETIONS_IN_WINDOW, DELETED_SHARE_OF_FILE);
        Ok(family)
    }

    fn blocks(&self) -> BlockBasedOptions {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&self.cache);
        blocks.set_block_size(BLOCK_BYTES);
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
        // Bloom for the short-lived first level, the smaller ribbon filter below; both for whole keys, 10 bits each.
        blocks.set_hybrid_ribbon_filter(10.0, 1);
        blocks.set_whole_key_filtering(true);
        blocks
    }

    fn separate_values(&self, family: &mut Options) {
        family.set_enable_blob_files(true);
        family.set_min_blob_size(MIN_SEPARATE_VALUE_BYTES);
        family.set_blob_file_size(VALUE_FILE_BYTES);
        family.set_blob_compression_type(DBCompressionType::Lz4);
        family.set_enable_blob_gc(true);
        family.set_blob_gc_force_threshold(0.5);
        family.set_blob_cache(&self.cache);
    }
}

/// The write-ahead log: reused files, no pipelining (it measures slower), and replay that stops at the first fault.
fn set_log(database: &mut Options) {
    database.set_recycle_log_file_num(RECYCLED_WALS);
    database.set_max_total_wal_size(WAL_BYTES);
    database.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    database.set_track_and_verify_wals_in_manifest(true);
    database.set_keep_log_file_num(4);
    database.set_max_log_file_size(to_size(16 * MIB));
}

fn to_size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn to_int(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default_and_unknown_keys_are_refused() {
        let options: RocksOptions = toml::from_str("durability = \"relaxed\"\nopen_files = 64").unwrap();
        let expected = RocksOptions { durability: Durability::Relaxed, open_files: 64, ..RocksOptions::default() };
        assert_eq!(options, expected);
        assert!(toml::from_str::<RocksOptions>("durable = true").is_err());
    }
}
