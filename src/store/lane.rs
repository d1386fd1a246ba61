//! Work on the bytes of a body, in order, on threads that may block.
//!
//! A lane takes batch after batch without waiting for the one before, and works through them on one thread at a time, which
//! is given back when nothing waits. So the thread never sleeps between two batches that are both there, and a slow client
//! holds none.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinHandle, spawn_blocking};

use super::error::Error;

/// What takes bytes in order.
pub trait Work: Send + 'static {
    fn update(&mut self, bytes: &[u8]);
}

/// Bytes, and the room that they take until every lane is done with them.
#[derive(Clone)]
pub struct Batch {
    pub bytes: Bytes,
    pub room: Arc<OwnedSemaphorePermit>,
}

/// Work in progress. Bounded by the room that its batches hold.
pub struct Lane<W> {
    state: Arc<Mutex<State<W>>>,
    /// The thread that was last sent for.
    running: Option<JoinHandle<()>>,
}

struct State<W> {
    /// There while no thread works.
    worker: Option<W>,
    waiting: VecDeque<Batch>,
}

impl<W: Work> Lane<W> {
    pub fn new(worker: W) -> Self {
        let state = State { worker: Some(worker), waiting: VecDeque::new() };
        Self { state: Arc::new(Mutex::new(state)), running: None }
    }

    /// Adds a batch at the end. Never waits.
    pub fn push(&mut self, batch: Batch) {
        let mut state = self.state.lock();
        state.waiting.push_back(batch);
        if let Some(worker) = state.worker.take() {
            let shared = self.state.clone();
            self.running = Some(spawn_blocking(move || run(worker, &shared)));
        }
    }

    /// Waits until everything is worked through and gives the worker. Fails only when the runtime is being torn down.
    pub async fn finish(mut self) -> Result<W, Error> {
        if let Some(running) = self.running.take() {
            running.await.map_err(|_| Error::Aborted)?;
        }
        // Nothing was pushed since: the thread that was waited for put the worker back.
        self.state.lock().worker.take().ok_or(Error::Aborted)
    }
}

/// Works until nothing waits.
fn run<W: Work>(mut worker: W, shared: &Mutex<State<W>>) {
    loop {
        let batch = {
            let mut state = shared.lock();
            match state.waiting.pop_front() {
                Some(batch) => batch,
                None => {
                    state.worker = Some(worker);
                    return;
                }
            }
        };
        worker.update(&batch.bytes);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    struct Collected(Vec<u8>);

    impl Work for Collected {
        fn update(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
    }

    #[tokio::test]
    async fn batches_are_worked_through_in_order_and_give_their_room_back() {
        let room = Arc::new(Semaphore::new(2));
        let mut lane = Lane::new(Collected(Vec::new()));
        for byte in 0..=255u8 {
            let permit = room.clone().acquire_owned().await.unwrap();
            lane.push(Batch { bytes: Bytes::from(vec![byte; 3]), room: Arc::new(permit) });
            if byte % 16 == 0 {
                tokio::task::yield_now().await;
            }
        }
        let expected: Vec<u8> = (0..=255u8).flat_map(|byte| [byte; 3]).collect();
        assert_eq!(lane.finish().await.unwrap().0, expected);
        assert_eq!(room.available_permits(), 2);
    }

    #[tokio::test]
    async fn a_lane_without_work_gives_its_worker_back() {
        assert!(Lane::new(Collected(Vec::new())).finish().await.unwrap().0.is_empty());
    }
}
