//! What happens on one connection, as far as it shows whether its client keeps up.
//!
//! Shared by the socket, the requests on it and the bodies that answer them. All of them run in the connection's task: the
//! atomics are never contended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Counts of one connection.
#[derive(Debug, Default)]
pub struct Activity {
    /// Requests that began and whose answers are not sent yet.
    running: AtomicU32,
    /// Those of them that wait for the edge or an origin, not for the client.
    upstream: AtomicU32,
    /// Requests that began since the connection was made.
    begun: AtomicU64,
    /// Whether at some moment since this was last asked nobody waited for the client.
    excused: AtomicBool,
}

/// A request, until its answer is sent or given up. Begins as one that waits for the edge.
#[derive(Debug)]
pub struct Running {
    activity: Arc<Activity>,
    upstream: bool,
}

impl Activity {
    pub fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Relaxed);
        self.upstream.fetch_add(1, Relaxed);
        self.begun.fetch_add(1, Relaxed);
        self.excused.store(true, Relaxed);
        Running { activity: Arc::clone(self), upstream: true }
    }

    pub fn is_running(&self) -> bool {
        self.running.load(Relaxed) > 0
    }

    pub fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// Whether the client was waited for by every request, all the time since this was asked before.
    pub fn was_blocked(&self) -> bool {
        let blocked = self.running.load(Relaxed) > 0 && self.upstream.load(Relaxed) == 0;
        !self.excused.swap(!blocked, Relaxed) && blocked
    }
}

impl Running {
    /// Says whether the request waits for the edge or an origin from now on, or for the client.
    pub fn set_upstream(&mut self, upstream: bool) {
        if upstream == self.upstream {
            return;
        }
        self.upstream = upstream;
        if upstream {
            self.activity.upstream.fetch_add(1, Relaxed);
            self.activity.excused.store(true, Relaxed);
        } else {
            self.activity.upstream.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.set_upstream(false);
        if self.activity.running.fetch_sub(1, Relaxed) == 1 {
            self.activity.excused.store(true, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_blamed_only_while_nothing_else_is_waited_for() {
        let activity = Arc::new(Activity::default());
        assert!(!activity.was_blocked());
        let (mut first, second) = (activity.begin(), activity.begin());
        first.set_upstream(false);
        assert!(!activity.was_blocked(), "the second still waits for the edge");
        drop(second);
        assert!(!activity.was_blocked(), "it did at the beginning of this window");
        assert!(activity.was_blocked());
        first.set_upstream(true);
        first.set_upstream(false);
        assert!(!activity.was_blocked(), "in between, the edge was waited for");
        assert!(activity.was_blocked());
        drop(first);
        assert!(!activity.was_blocked() && !activity.is_running());
        assert_eq!(activity.begun(), 2);
    }
}
