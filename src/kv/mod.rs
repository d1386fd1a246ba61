//! The ordered key-value store under Brim's metadata: the contract that every engine keeps.
//!
//! `contract` is this page as tests; every engine runs it. Nothing here holds a transaction or an iterator across an
//! await, so that a distributed engine can stand in for RocksDB.

#[cfg(test)]
mod contract;
mod faulty;
mod memory;
#[cfg(feature = "server")]
pub mod rocks;
mod write;

pub use faulty::{Fault, FaultyKv};
pub use memory::MemoryKv;
pub use write::{Commit, CommitError, Committed, Expectation, Expected, Write};

use async_trait::async_trait;
use bytes::Bytes;

/// A named, ordered map of byte strings. `id`s are dense from 0 in the list an engine is opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Table {
    pub id: usize,
    pub name: &'static str,
    pub profile: Profile,
}

/// How a table is used, so that an engine can lay it out well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Small records: point reads and scans.
    Records,
    /// Few small records, seldom written, one of which is read for nearly every request: an engine may keep them in memory.
    Resident,
    /// Values of some KiB that are read one at a time and never scanned for their contents.
    Values,
    /// Positions made by [`Write::Append`]: written at the end, read in order, removed from the front.
    Queue,
}

/// An ordered key-value store with small atomic commits. Keys are ordered byte by byte.
///
/// Every read sees all commits that returned before the read began.
#[async_trait]
pub trait Kv: Send + Sync + 'static {
    /// Gives the value of `key`, or `None`.
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// Gives one page of a range. The page is a consistent snapshot; two pages need not be.
    ///
    /// A range whose end is not behind its start is empty. With a limit of 0 only [`Page::more`] tells something.
    /// The cost is that of the page: one seek per common prefix, never a walk over what a prefix holds.
    async fn scan(&self, scan: Scan) -> Result<Page, Error>;

    /// Applies every write, or none. Returns after the commit is durable (in the engine's durability mode).
    ///
    /// Expectations are checked against the state that all earlier commits left, atomically with the writes. Dropping the
    /// returned future does not cancel a commit that was queued: it is applied whole or not at all.
    ///
    /// After [`Error::Engine`] or [`Error::Full`] the commit may have been applied or not; after any other error it was not
    /// applied.
    async fn commit(&self, commit: Commit) -> Result<Committed, CommitError>;

    /// Tells whether commits are still taken, or the error that every one of them would get. Does not block.
    fn writable(&self) -> Result<(), Error>;
}

/// One page of a range to read.
#[derive(Debug, Clone)]
pub struct Scan {
    pub table: Table,
    /// The first key, inclusive.
    pub start: Vec<u8>,
    /// The end, exclusive. An empty `end` means the end of the table.
    pub end: Vec<u8>,
    /// The most items (rows and groups together) of the page.
    pub limit: usize,
    /// Where to fold keys into groups.
    pub group: Option<Grouping>,
}

/// Folds keys that share a prefix up to and with a delimiter into one item.
///
/// Behind a group a scan goes on at the first key that does not start with the group's bytes.
#[derive(Debug, Clone)]
pub struct Grouping {
    /// How many bytes at the start of every key are not searched for the delimiter.
    pub skip: usize,
    /// The delimiter; not empty.
    pub delimiter: Vec<u8>,
    /// Where given, only the part of a key (after `skip`) before the first occurrence of these bytes is searched.
    pub until: Option<Vec<u8>>,
}

/// What a scan found, in key order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub items: Vec<Item>,
    /// Whether the range holds more behind the last item. After a group, "behind" means behind all its keys.
    pub more: bool,
}

/// A row, or a group of rows folded into the prefix they share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Row {
        key: Bytes,
        value: Bytes,
    },
    /// The prefix, delimiter included.
    Group(Bytes),
}

/// What went wrong in an engine.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The engine failed to read or write, so a commit's outcome is unknown; writes may stop until it is opened again.
    #[error("storage engine: {0}")]
    Engine(String),
    /// The disk had no room for the write: as [`Self::Engine`], but writing goes on by itself when there is room.
    #[error("the storage engine has no room: {0}")]
    Full(String),
    /// An earlier write had no room; the engine takes no more until there is some.
    #[error("the storage engine waits for room: {0}")]
    Paused(String),
    /// A sync or background write failed earlier: the engine takes no more writes until it is opened again.
    #[error("the storage engine stopped accepting writes: {0}")]
    ReadOnly(String),
    /// The engine is shutting down.
    #[error("the storage engine is closed")]
    Closed,
}

impl Scan {
    /// All rows whose key starts with `prefix`.
    pub fn prefix(table: Table, prefix: &[u8], limit: usize) -> Self {
        let end = successor_of_prefix(prefix).unwrap_or_default();
        Self { table, start: prefix.to_vec(), end, limit, group: None }
    }
}

impl Grouping {
    /// Gives the group that `key` folds into, delimiter included, or `None` if it stands for itself.
    pub fn group_of<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        let searched = key.get(self.skip..)?;
        let searched = match &self.until {
            Some(until) => &searched[..find(searched, until).unwrap_or(searched.len())],
            None => searched,
        };
        let at = find(searched, &self.delimiter)?;
        Some(&key[..self.skip + at + self.delimiter.len()])
    }
}

/// Gives the smallest key greater than every key that starts with `prefix`; `None` if there is no such key.
pub fn successor_of_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut successor = prefix[..=last].to_vec();
    successor[last] += 1;
    Some(successor)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return None;
    }
    haystack.windows(needle.len()).position(|window| window == needle)
}
