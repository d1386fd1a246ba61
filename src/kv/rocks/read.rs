//! Reading: the same code for what is in memory and for what is on disk.

use bytes::Bytes;
use rocksdb::{ErrorKind, ReadOptions, ReadTier};

use super::super::{Error, Item, Page, Scan, Table, successor_of_prefix};
use super::open::{Database, engine_error};
use super::resident::Known;

/// How many deleted rows in a row a scan in memory steps over before it leaves them to a blocking thread.
const INLINE_SKIPS: u64 = 1000;

/// Where a read may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    /// Unflushed writes and cached blocks only: never blocks, may come back with [`ReadError::NeedsDisk`].
    Memory,
    Disk,
}

/// The options of point reads, made once: RocksDB's are larger than most rows.
pub(super) struct Gets {
    memory: ReadOptions,
    disk: ReadOptions,
}

/// Why a read gave nothing.
#[derive(Debug)]
pub(super) enum ReadError {
    /// What is in memory does not tell.
    NeedsDisk,
    Engine(Error),
}

impl Database {
    /// Gives the value of `key`.
    pub fn get(&self, table: Table, key: &[u8], tier: Tier) -> Result<Option<Bytes>, ReadError> {
        let reading = match self.resident.get(table, key) {
            Known::Row(value) => return Ok(Some(value)),
            Known::Unread(reading) => Some(reading),
            Known::Foreign => None,
        };
        let family = self.family(table)?;
        let value = self.rocks.get_pinned_cf_opt(family, key, self.gets.of(tier))?;
        let value = value.map(|value| Bytes::copy_from_slice(&value));
        if let (Some(reading), Some(value)) = (reading, &value) {
            self.resident.keep(reading, table, key, value);
        }
        Ok(value)
    }

    /// Gives one page. An iterator is a snapshot, so the page is consistent.
    pub fn scan(&self, scan: &Scan, tier: Tier) -> Result<Page, ReadError> {
        let family = self.family(scan.table)?;
        if !scan.end.is_empty() && scan.end <= scan.start {
            return Ok(Page { items: Vec::new(), more: false });
        }
        let mut options = tier.options();
        if !scan.end.is_empty() {
            options.set_iterate_upper_bound(scan.end.as_slice());
        }
        let mut rows = self.rocks.raw_iterator_cf_opt(family, options);
        rows.seek(&scan.start);
        let mut items = Vec::new();
        while let Some((key, value)) = rows.item() {
            if items.len() == scan.limit {
                return Ok(Page { items, more: true });
            }
            let Some(group) = scan.group.as_ref().and_then(|grouping| grouping.group_of(key)) else {
                items.push(Item::Row { key: Bytes::copy_from_slice(key), value: Bytes::copy_from_slice(value) });
                rows.next();
                continue;
            };
            items.push(Item::Group(Bytes::copy_from_slice(group)));
            // Straight to what is behind the group, however much it holds.
            match successor_of_prefix(group) {
                Some(behind) => rows.seek(behind),
                None => return Ok(Page { items, more: false }),
            }
        }
        // An iterator that met an error, or needs the disk, looks like one at its end.
        rows.status()?;
        Ok(Page { items, more: false })
    }
}

impl Gets {
    fn of(&self, tier: Tier) -> &ReadOptions {
        match tier {
            Tier::Memory => &self.memory,
            Tier::Disk => &self.disk,
        }
    }
}

impl Default for Gets {
    fn default() -> Self {
        Self { memory: Tier::Memory.options(), disk: Tier::Disk.options() }
    }
}

impl Tier {
    fn options(self) -> ReadOptions {
        let mut options = ReadOptions::default();
        if self == Self::Memory {
            options.set_read_tier(ReadTier::BlockCache);
            options.set_max_skippable_internal_keys(INLINE_SKIPS);
        }
        options
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl From<rocksdb::Error> for ReadError {
    fn from(error: rocksdb::Error) -> Self {
        match error.kind() {
            ErrorKind::Incomplete => Self::NeedsDisk,
            _ => Self::Engine(engine_error(error)),
        }
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NeedsDisk => Self::Engine("the engine did not read from disk".to_owned()),
            ReadError::Engine(error) => error,
        }
    }
}
