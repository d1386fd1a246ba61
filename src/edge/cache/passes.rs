//! Marks of what turned out not to be cacheable ("hit for miss"): requests for it are not made to wait for one another.

use std::time::Duration;

use moka::sync;

use crate::clock::{Clock, Timestamp};
use crate::edge::rules::key::PrimaryKey;

/// The most marks: those least used are forgotten, at the cost of one collapsed request.
const MAX_MARKS: u64 = 100_000;

/// For how long a mark counts at most, whatever is asked for.
const LONGEST: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(super) struct Passes {
    clock: Clock,
    /// By hashes of keys, so that long keys take no more room: a mark too many costs a request that is not collapsed.
    marks: sync::Cache<u128, Timestamp>,
}

impl Passes {
    pub fn new(clock: Clock) -> Self {
        Self { clock, marks: sync::Cache::new(MAX_MARKS) }
    }

    pub fn mark(&self, key: &PrimaryKey, time: Duration) {
        self.marks.insert(key.disk_name(), self.clock.now().plus(time.min(LONGEST)));
    }

    pub fn is_marked(&self, key: &PrimaryKey) -> bool {
        self.marks.get(&key.disk_name()).is_some_and(|until| self.clock.now() < until)
    }

    pub fn clear(&self, key: &PrimaryKey) {
        let name = key.disk_name();
        if self.marks.contains_key(&name) {
            self.marks.invalidate(&name);
        }
    }
}
