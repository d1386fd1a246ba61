//! What readers hold: bytes under a lease are not swept, however long the reader takes.
//!
//! A reader goes through the gate, reads a record, leases what the record points at, and leaves the gate. The sweeper
//! closes the gate for a moment after it has seen that a target is unreferenced: every reader that could have read a
//! record pointing there then has its lease, and no later reader can find such a record.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{RwLock, RwLockReadGuard};

use super::record::Target;

#[derive(Debug, Default)]
pub struct Leases {
    gate: RwLock<()>,
    held: Mutex<HashMap<Target, usize>>,
}

/// Keeps a target from being swept until dropped.
#[derive(Debug)]
pub struct Lease {
    leases: Arc<Leases>,
    target: Target,
}

impl Leases {
    /// Passes the gate. Hold the guard from before a record is read until its target is leased, and no longer.
    pub async fn enter(&self) -> RwLockReadGuard<'_, ()> {
        self.gate.read().await
    }

    /// Leases `target`; the caller is inside the gate.
    pub fn lease(self: &Arc<Self>, target: Target) -> Lease {
        *self.held.lock().entry(target).or_default() += 1;
        Lease { leases: self.clone(), target }
    }

    /// Returns when every reader that was inside the gate has left it.
    pub async fn settle(&self) {
        drop(self.gate.write().await);
    }

    pub fn is_leased(&self, target: Target) -> bool {
        self.held.lock().contains_key(&target)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut held = self.leases.held.lock();
        if let Some(count) = held.get_mut(&self.target) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::UploadId;

    #[tokio::test]
    async fn a_target_is_leased_until_its_last_reader_is_gone() {
        let leases = Arc::new(Leases::default());
        let target = Target::Upload(UploadId([1; 16]));
        let first = leases.lease(target);
        let second = leases.lease(target);
        drop(first);
        assert!(leases.is_leased(target));
        drop(second);
        assert!(!leases.is_leased(target));
    }

    #[tokio::test]
    async fn settling_waits_for_readers_inside_the_gate() {
        let leases = Arc::new(Leases::default());
        let inside = leases.enter().await;
        let settling = leases.settle();
        tokio::pin!(settling);
        assert!(futures_util::poll!(settling.as_mut()).is_pending());
        drop(inside);
        settling.await;
    }
}
