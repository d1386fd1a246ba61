//! How many bytes all fills together may hold: what is on its way from an origin is no entry of the cache yet, and counts here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// How much is taken at a time for what has no known length, in bytes.
const STEP: u64 = 64 * 1024;

/// A number of bytes of which fills take their shares; clones share it.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Bytes>);

#[derive(Debug)]
struct Bytes {
    limit: u64,
    taken: AtomicU64,
    returned: Notify,
}

/// Bytes taken out of a [`Budget`]; dropping it gives them back.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    bytes: u64,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Bytes { limit, taken: AtomicU64::new(0), returned: Notify::new() }))
    }

    /// Takes `bytes`, or nothing where so many are not left. Never waits.
    pub fn take(&self, bytes: u64) -> Option<Share> {
        self.reserve(bytes).then(|| Share { budget: self.clone(), bytes })
    }

    /// Takes `bytes`, waiting for others to give some back, but no longer than `patience`.
    pub async fn wait(&self, bytes: u64, patience: Duration) -> Option<Share> {
        let taken = async {
            loop {
                let returned = self.0.returned.notified();
                if let Some(share) = self.take(bytes) {
                    return share;
                }
                returned.await;
            }
        };
        timeout(patience, taken).await.ok()
    }

    /// Gives how many bytes are taken.
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Ordering::Relaxed)
    }

    fn give_back(&self, bytes: u64) {
        self.0.taken.fetch_sub(bytes, Ordering::Relaxed);
        self.0.returned.notify_waiters();
    }

    fn reserve(&self, bytes: u64) -> bool {
        let limit = self.0.limit;
        let more = |taken: u64| taken.checked_add(bytes).filter(|sum| *sum <= limit);
        self.0.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

impl Share {
    /// Takes `bytes` more; `false` leaves the share as it was.
    pub fn grow(&mut self, bytes: u64) -> bool {
        let taken = self.budget.reserve(bytes);
        if taken {
            self.bytes += bytes;
        }
        taken
    }

    /// Takes more until it holds `bytes`, somewhat more at a time than asked for; `false` leaves it as it was.
    pub fn reach(&mut self, bytes: u64) -> bool {
        let missing = bytes.saturating_sub(self.bytes);
        missing == 0 || self.grow(missing.max(STEP)) || self.grow(missing)
    }

    /// Gives back what it holds above `bytes`.
    pub fn shrink(&mut self, bytes: u64) {
        let back = self.bytes.saturating_sub(bytes);
        self.bytes -= back;
        self.budget.give_back(back);
    }

    /// Gives how many bytes it holds.
    #[cfg(test)]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_bounded_together_and_come_back() {
        let budget = Budget::new(10);
        let mut first = budget.take(6).unwrap();
        assert!(budget.take(5).is_none());
        assert_eq!(budget.taken(), 6);
        assert!(first.grow(4));
        assert!(!first.grow(1) && !first.grow(u64::MAX));
        assert_eq!((first.bytes(), budget.taken()), (10, 10));
        first.shrink(7);
        assert!(first.reach(9) && !first.reach(11));
        assert_eq!((first.bytes(), budget.taken()), (9, 9));
        drop(first);
        assert_eq!(budget.taken(), 0);
    }

    #[tokio::test]
    async fn whoever_waits_gets_what_is_given_back() {
        let budget = Budget::new(10);
        let first = budget.take(10).unwrap();
        assert!(budget.wait(1, Duration::ZERO).await.is_none());
        let (second, ()) = tokio::join!(budget.wait(10, Duration::from_secs(60)), async { drop(first) });
        assert_eq!(second.unwrap().bytes(), 10);
    }
}
