//! What is written next: rows gathered until there are enough of them, or until they are old enough.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::error::Error;
use super::rows::Message;
use crate::clock::Timestamp;
use crate::events::tables::{self, DEAD_LETTERS, DEFERRED, MessageRow};
use crate::kv::{Commit, CommitError, Kv};
use crate::store::codec::encode;

/// How many changes are settled by one commit, unless time runs out.
pub const COMMIT_CHANGES: usize = 256;
/// How long what is settled waits for its commit.
pub const COMMIT_TIME: Duration = Duration::from_millis(100);
/// How long a cursor waits that passed what is nothing to its endpoint.
pub const LAZY_TIME: Duration = Duration::from_secs(5);
/// While more than this waits, because nothing can be written, nothing is read and sent.
pub const MAX_PENDING: usize = 4096;
/// How long a commit that failed waits.
const RETRY: Duration = Duration::from_secs(1);

/// Rows of one endpoint that are not written yet.
#[derive(Debug)]
pub struct Pending {
    number: u32,
    pub commit: Commit,
    changes: usize,
    due: Option<Timestamp>,
    /// Messages among the rows: what is not written yet is found here.
    pub messages: HashMap<MessageRow, Arc<Message>>,
    /// Who waits until the rows are durable.
    pub promises: Vec<Promise>,
}

/// An answer that is given once what it promises is written.
#[derive(Debug)]
pub struct Promise {
    pub messages: Option<u64>,
    pub reply: oneshot::Sender<Result<Option<u64>, Error>>,
}

impl Pending {
    pub fn new(number: u32) -> Self {
        Self { number, commit: Commit::new(), changes: 0, due: None, messages: HashMap::new(), promises: Vec::new() }
    }

    /// Takes everything.
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.number))
    }

    /// When it is to be written; `None`: there is nothing to write.
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        if self.changes >= COMMIT_CHANGES { Some(now) } else { self.due }
    }

    pub fn is_full(&self) -> bool {
        self.changes >= MAX_PENDING
    }

    /// So many changes are settled: the cursor is to be written soon.
    pub fn settled(&mut self, changes: usize, now: Timestamp) {
        self.changes += changes;
        self.write_by(now.plus(COMMIT_TIME));
    }

    /// Somebody waits for what is noted here: it is written next.
    pub fn promise(&mut self, promise: Promise, now: Timestamp) {
        self.commit = std::mem::take(&mut self.commit).durable();
        self.promises.push(promise);
        self.write_by(now);
    }

    /// The cursor passed what is nothing to the endpoint.
    pub fn passed(&mut self, now: Timestamp) {
        self.write_by(now.plus(LAZY_TIME));
    }

    fn write_by(&mut self, due: Timestamp) {
        self.due = Some(self.due.map_or(due, |before| before.min(due)));
    }

    pub fn put(&mut self, table: crate::kv::Table, key: bytes::Bytes, value: bytes::Bytes) {
        self.commit = std::mem::take(&mut self.commit).put(table, key, value);
    }

    pub fn delete(&mut self, table: crate::kv::Table, key: bytes::Bytes) {
        self.commit = std::mem::take(&mut self.commit).delete(table, key);
    }

    pub fn defer(&mut self, row: MessageRow, message: Message) {
        self.put(DEFERRED, tables::message(self.number, row), encode(&message));
        self.messages.insert(row, Arc::new(message));
    }

    pub fn forget(&mut self, row: MessageRow) {
        self.delete(DEFERRED, tables::message(self.number, row));
        self.messages.remove(&row);
    }

    /// One commit takes the message from the one table to the other.
    pub fn give_up(&mut self, row: MessageRow, message: &Message) {
        self.forget(row);
        self.put(DEAD_LETTERS, tables::message(self.number, row), encode(message));
    }
}

/// Writes a commit, however often it takes: nothing that it says depends on what others write. Dropped, it may have been applied
/// or not, whole. Gives whether it is written: it is not where the engine is closed.
pub async fn write(kv: Arc<dyn Kv>, commit: Commit) -> bool {
    let mut told = false;
    while let Err(error) = kv.commit(commit.clone()).await {
        if !told {
            tracing::error!(%error, "what was delivered cannot be noted, and will be delivered once more after a restart");
            told = true;
        }
        if matches!(error, CommitError::Engine(crate::kv::Error::Closed)) {
            return false;
        }
        tokio::time::sleep(RETRY).await;
    }
    true
}
