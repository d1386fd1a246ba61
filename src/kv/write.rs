//! What a commit consists of.

use bytes::Bytes;

use super::{Error, Table};

/// A set of writes that is applied whole, if every expectation holds, or not at all.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    pub expectations: Vec<Expectation>,
    /// Applied in this order; of two writes to one key the later one stays.
    pub writes: Vec<Write>,
    /// Whether this commit, and with it every earlier one, is durable when it returns, even in an engine that defers
    /// that for others. A commit without writes may ask for it.
    pub durable: bool,
}

/// What a key must hold for a commit to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    pub table: Table,
    pub key: Bytes,
    pub expected: Expected,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    Absent,
    Value(Bytes),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    Put {
        table: Table,
        key: Bytes,
        value: Bytes,
    },
    Delete {
        table: Table,
        key: Bytes,
    },
    /// Removes every key from `start`, inclusive, to `end`, exclusive; nothing where `end` is not behind `start`.
    DeleteRange {
        table: Table,
        start: Bytes,
        end: Bytes,
    },
    /// Puts `value` under the table's next position: a `u64`, big-endian, one more than any position the table ever
    /// gave out (the first is 1). No reader sees a position before every smaller one is visible.
    Append {
        table: Table,
        value: Bytes,
    },
    /// Leaves out the table's next `by` positions: they are never given out.
    Advance {
        table: Table,
        by: u64,
    },
}

/// What a commit was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// The positions of the commit's appends, in their order.
    pub positions: Vec<u64>,
}

/// Why a commit was not applied.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// An expectation did not hold; `actual` is what the key holds.
    #[error("expectation {index} does not hold")]
    Conflict { index: usize, actual: Option<Bytes> },
    #[error(transparent)]
    Engine(#[from] Error),
}

impl Write {
    /// The table that is written to.
    pub fn table(&self) -> Table {
        match self {
            Self::Put { table, .. }
            | Self::Delete { table, .. }
            | Self::DeleteRange { table, .. }
            | Self::Append { table, .. }
            | Self::Advance { table, .. } => *table,
        }
    }
}

impl Commit {
    pub fn new() -> Self {
        Self::default()
    }

    /// Expects `key` to hold exactly `value`, or to be absent.
    pub fn expect(mut self, table: Table, key: impl Into<Bytes>, value: Option<Bytes>) -> Self {
        let expected = value.map_or(Expected::Absent, Expected::Value);
        self.expectations.push(Expectation { table, key: key.into(), expected });
        self
    }

    /// Asks for durability whatever the engine's mode.
    pub fn durable(mut self) -> Self {
        self.durable = true;
        self
    }

    pub fn put(mut self, table: Table, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.writes.push(Write::Put { table, key: key.into(), value: value.into() });
        self
    }

    pub fn delete(mut self, table: Table, key: impl Into<Bytes>) -> Self {
        self.writes.push(Write::Delete { table, key: key.into() });
        self
    }

    pub fn delete_range(mut self, table: Table, start: impl Into<Bytes>, end: impl Into<Bytes>) -> Self {
        self.writes.push(Write::DeleteRange { table, start: start.into(), end: end.into() });
        self
    }

    pub fn append(mut self, table: Table, value: impl Into<Bytes>) -> Self {
        self.writes.push(Write::Append { table, value: value.into() });
        self
    }

    pub fn advance(mut self, table: Table, by: u64) -> Self {
        self.writes.push(Write::Advance { table, by });
        self
    }
}
