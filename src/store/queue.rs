//! Writers of one key wait for each other in process, so that their commits do not meet as conflicts.
//!
//! This is about progress, not about correctness: every commit still says what it expects.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;

use super::error::Error;
use crate::names::BucketId;

/// How many queues share all keys.
const QUEUES: usize = 1024;
/// How long a writer waits for its turn before it is told to slow down.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct KeyQueues {
    hasher: RandomState,
    queues: Vec<Mutex<()>>,
}

impl KeyQueues {
    pub fn new() -> Self {
        Self { hasher: RandomState::new(), queues: (0..QUEUES).map(|_| Mutex::new(())).collect() }
    }

    /// Waits for the turn of a writer of `key`; it ends when the guard is dropped.
    pub async fn turn(&self, bucket: BucketId, key: &[u8]) -> Result<MutexGuard<'_, ()>, Error> {
        let queue = &self.queues[self.index(bucket, key)];
        timeout(PATIENCE, queue.lock()).await.map_err(|_| Error::Contended)
    }

    /// Waits for the turns of a writer of two keys, in an order in which two such writers cannot block each other.
    pub async fn turns(
        &self,
        bucket: BucketId,
        keys: [&[u8]; 2],
    ) -> Result<(MutexGuard<'_, ()>, Option<MutexGuard<'_, ()>>), Error> {
        let [a, b] = keys.map(|key| self.index(bucket, key));
        let (low, high) = (a.min(b), a.max(b));
        let first = timeout(PATIENCE, self.queues[low].lock()).await.map_err(|_| Error::Contended)?;
        if low == high {
            return Ok((first, None));
        }
        let second = timeout(PATIENCE, self.queues[high].lock()).await.map_err(|_| Error::Contended)?;
        Ok((first, Some(second)))
    }

    fn index(&self, bucket: BucketId, key: &[u8]) -> usize {
        (self.hasher.hash_one((bucket, key)) % QUEUES as u64) as usize
    }
}
