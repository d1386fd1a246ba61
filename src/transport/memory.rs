//! Memory for the documents that clients send: bounded over all requests, taken as the bytes come.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many bytes are taken at a time: most documents fit in one step.
const STEP_BYTES: usize = 64 * 1024;
/// How long a request waits for room before it is told to slow down.
const PATIENCE: Duration = Duration::from_secs(10);

/// Other documents took all the memory for longer than one may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no memory for another document")]
pub struct NoRoom;

/// The memory of all documents. Clones share it.
#[derive(Debug, Clone)]
pub struct DocumentMemory {
    room: Arc<Semaphore>,
    patience: Duration,
}

/// What one document takes of it, given back when this is dropped.
#[derive(Debug)]
pub struct DocumentRoom {
    memory: DocumentMemory,
    taken: Option<OwnedSemaphorePermit>,
}

impl DocumentMemory {
    /// `bytes` of documents may be in memory at once.
    pub fn new(bytes: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(bytes / STEP_BYTES)), patience: PATIENCE }
    }

    /// Room for a document of which nothing is known yet.
    pub fn room(&self) -> DocumentRoom {
        DocumentRoom { memory: self.clone(), taken: None }
    }
}

impl DocumentRoom {
    /// Makes sure that there is room for `bytes` in all; waits for other documents to end, and fails if they do not.
    pub async fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let taken = self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.div_ceil(STEP_BYTES).saturating_sub(taken);
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        if missing == 0 {
            return Ok(());
        }
        let more = self.memory.room.clone().acquire_many_owned(missing);
        let Ok(Ok(more)) = tokio::time::timeout(self.memory.patience, more).await else {
            return Err(NoRoom);
        };
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn documents_share_a_bounded_memory_and_give_it_back() {
        let memory = DocumentMemory { room: Arc::new(Semaphore::new(3)), patience: Duration::from_millis(1) };
        let (mut first, mut second) = (memory.room(), memory.room());
        for bytes in [0, 1, STEP_BYTES, STEP_BYTES + 1, 2 * STEP_BYTES] {
            first.grow_to(bytes).await.unwrap();
        }
        second.grow_to(1).await.unwrap();
        assert_eq!(memory.room.available_permits(), 0);
        assert_eq!(second.grow_to(STEP_BYTES + 1).await, Err(NoRoom));
        drop(first);
        second.grow_to(3 * STEP_BYTES).await.unwrap();
        drop(second);
        assert_eq!(memory.room.available_permits(), 3);
    }
}
