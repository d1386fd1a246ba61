//! Going through everything stored: what is purged or of no use any more goes, and purges that everything was compared with
//! are retired.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::disk::{Disk, FileEntry};
use super::super::memory::{Key, Value};
use super::super::purge::{MAX_RULES, Standing};
use super::super::sequence::Sequence;
use super::super::stored::Stored;
use super::super::tiers::Tiers;
use crate::clock::Timestamp;

/// How often everything is looked at, if there are few purges.
const INTERVAL: Duration = Duration::from_secs(300);

/// Above this number of rules in force, everything is looked at as soon as possible.
pub(in super::super) const MANY_RULES: usize = MAX_RULES / 2;

/// When everything was last looked at.
pub(super) struct Sweeper {
    last: Timestamp,
    /// The last purge then. One that old is retired next time: so fills of up to [`INTERVAL`] can still be kept.
    settled: Sequence,
    /// Purges could not be retired: that is tried again only when everything is looked at anyway.
    failed: bool,
}

impl Sweeper {
    pub fn new(tiers: &Tiers) -> Self {
        Self { last: tiers.clock.now(), settled: Sequence::default(), failed: false }
    }

    pub fn is_due(&self, tiers: &Tiers) -> bool {
        tiers.clock.now().since(self.last) >= INTERVAL || (tiers.index.len() > MANY_RULES && !self.failed)
    }

    /// Looks at everything. Retires the purges of before the last time, or all of them where there are many or `all`.
    pub fn sweep(&mut self, tiers: &Tiers, all: bool) {
        let latest = tiers.index.latest();
        let floor = if all || tiers.index.len() > MANY_RULES { latest } else { self.settled };
        sweep_memory(tiers);
        self.failed = !sweep_disk(tiers);
        if !self.failed && floor > tiers.index.floor() {
            tiers.index.retire(floor);
            if let Some(disk) = tiers.disk() {
                disk.recorder.rewrite();
            }
        }
        self.last = tiers.clock.now();
        self.settled = latest;
    }
}

fn sweep_memory(tiers: &Tiers) {
    let now = tiers.clock.now();
    for (key, value) in tiers.memory.iter() {
        let keeps = |stored: &Stored| {
            stored.retained_until() > now && tiers.index.standing(key.primary(), stored.footing()) != Standing::Gone
        };
        let unchanged = match &value {
            Value::One(stored) => keeps(stored),
            Value::Many(variants) => variants.iter().all(|stored| keeps(stored)),
            Value::Slice(slice) => tiers.index.standing(key.primary(), &slice.footing) != Standing::Gone,
        };
        match &*key {
            _ if unchanged => {}
            Key::Response(_) => tiers.memory.retain(&key, keeps),
            Key::Slice(_) => tiers.memory.remove(&key),
        }
    }
}

/// Looks at all files. True if what purges did to them will be found after a crash without these purges: purged files are
/// unlinked, and softly purged ones say so.
fn sweep_disk(tiers: &Tiers) -> bool {
    let Some(disk) = tiers.disk() else { return true };
    let now = tiers.clock.now();
    let mut softened = true;
    for (key, files) in disk.catalog.iter() {
        let keeps = |file: &FileEntry| {
            file.retained_until > now && tiers.index.standing(key.primary(), &file.footing) != Standing::Gone
        };
        if !files.iter().all(|file| keeps(file)) {
            disk.catalog.retain(&key, keeps);
        }
        for file in files.iter().filter(|file| tiers.index.standing(key.primary(), &file.footing) == Standing::Soft) {
            softened &= soften(disk, file);
        }
    }
    disk.catalog.settle();
    disk.unlink_loose() && softened && disk.sync()
}

/// Has a file say that it was softly purged. True also where the file is gone.
fn soften(disk: &Disk, file: &FileEntry) -> bool {
    if file.softened.load(Ordering::Relaxed) {
        return true;
    }
    let softened = disk.soften(file.name);
    file.softened.store(softened, Ordering::Relaxed);
    softened
}
