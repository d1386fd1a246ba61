//! An engine that fails when told to, so that tests can fail every step of an operation once.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::{Commit, CommitError, Committed, Error, Kv, Page, Scan, Table};

/// Passes every call to another engine, until the one that it was told to fail.
#[derive(Debug)]
pub struct FaultyKv<K> {
    inner: K,
    calls: AtomicU64,
    plan: Mutex<Option<Plan>>,
}

/// How a call fails. Reads fail the same way in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is applied.
    Refused,
    /// A commit is applied, or found in conflict, but its answer is lost.
    AnswerLost,
    /// Nothing is applied, because the engine waits for room.
    Paused,
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    call: u64,
    fault: Fault,
}

impl<K> FaultyKv<K> {
    /// Wraps `inner`; nothing fails until [`fail_at`](Self::fail_at).
    pub fn new(inner: K) -> Self {
        Self { inner, calls: AtomicU64::new(0), plan: Mutex::new(None) }
    }

    /// Starts to count anew, and fails the `call`-th call from here (the next one is 1) and no other.
    pub fn fail_at(&self, call: u64, fault: Fault) {
        let mut plan = self.plan.lock();
        self.calls.store(0, Ordering::SeqCst);
        *plan = Some(Plan { call, fault });
    }

    /// How many calls (`get`, `scan` and `commit`) began since the start, or since [`fail_at`](Self::fail_at).
    ///
    /// A test that fails call 1, 2, 3 ... of an operation is done when this stays below the call to fail.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// The engine underneath, where nothing fails.
    pub fn inner(&self) -> &K {
        &self.inner
    }

    /// Counts a call and gives its fault, if this is the one to fail.
    fn begin(&self) -> Option<Fault> {
        let plan = self.plan.lock();
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        plan.filter(|plan| plan.call == call).map(|plan| plan.fault)
    }
}

#[async_trait]
impl<K: Kv> Kv for FaultyKv<K> {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, Error> {
        match self.begin() {
            Some(_) => Err(injected()),
            None => self.inner.get(table, key).await,
        }
    }

    async fn scan(&self, scan: Scan) -> Result<Page, Error> {
        match self.begin() {
            Some(_) => Err(injected()),
            None => self.inner.scan(scan).await,
        }
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, CommitError> {
        match self.begin() {
            Some(Fault::Refused) => Err(injected().into()),
            Some(Fault::Paused) => Err(Error::Paused("injected fault".to_owned()).into()),
            Some(Fault::AnswerLost) => {
                // What the engine answers is what gets lost.
                let _lost = self.inner.commit(commit).await;
                Err(injected().into())
            }
            None => self.inner.commit(commit).await,
        }
    }

    fn writable(&self) -> Result<(), Error> {
        self.inner.writable()
    }
}

fn injected() -> Error {
    Error::Engine("injected fault".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{MemoryKv, contract};
    use super::*;

    const TABLE: Table = contract::RECORDS;

    fn engine() -> FaultyKv<MemoryKv> {
        FaultyKv::new(MemoryKv::new(contract::TABLES))
    }

    #[tokio::test]
    async fn keeps_the_contract_while_nothing_fails() {
        contract::run(engine).await;
    }

    #[tokio::test]
    async fn a_refused_commit_is_not_applied_and_the_next_call_succeeds() {
        let kv = engine();
        kv.fail_at(2, Fault::Refused);
        assert_eq!(kv.get(TABLE, b"k").await.unwrap(), None);
        let refused = kv.commit(Commit::new().put(TABLE, "k", "v")).await;
        assert!(matches!(refused, Err(CommitError::Engine(Error::Engine(_)))));
        assert_eq!(kv.get(TABLE, b"k").await.unwrap(), None);
        assert_eq!(kv.calls(), 3);
    }

    #[tokio::test]
    async fn a_commit_whose_answer_is_lost_is_applied() {
        let kv = engine();
        kv.fail_at(1, Fault::AnswerLost);
        assert!(kv.commit(Commit::new().put(TABLE, "k", "v")).await.is_err());
        assert_eq!(kv.get(TABLE, b"k").await.unwrap().unwrap(), "v");
    }

    #[tokio::test]
    async fn reads_fail_at_their_number() {
        let kv = engine();
        kv.fail_at(1, Fault::Refused);
        assert!(kv.scan(Scan::prefix(TABLE, b"", 1)).await.is_err());
        kv.fail_at(1, Fault::AnswerLost);
        assert!(kv.get(TABLE, b"k").await.is_err());
        assert!(kv.get(TABLE, b"k").await.is_ok());
    }
}
