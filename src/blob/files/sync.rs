//! Making things durable: syncs shared between those who wait for them, and the end of all writing when one fails.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::OnceLock;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::Error;
use super::layout::{FAN_OUT, Layout, Segment, sync_directory};

/// All syncs of an engine go through here, so that the first one that fails is also the last.
///
/// After a failed sync Linux may have dropped the dirty pages and reports success the next time: a retry would be a lie.
#[derive(Debug)]
pub(super) struct Syncs {
    directories: Vec<SharedSync>,
    /// Why writing stopped.
    stopped: OnceLock<String>,
}

/// One sync serves everyone who asked before it began.
#[derive(Debug, Default)]
struct SharedSync {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How many syncs began and how many of them ended: equal, or one is under way.
    begun: u64,
    ended: u64,
    failed: bool,
}

impl Syncs {
    pub(super) fn new() -> Self {
        Self { directories: (0..FAN_OUT).map(|_| SharedSync::default()).collect(), stopped: OnceLock::new() }
    }

    /// Fails once any sync has failed.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.stopped.get().map_or(Ok(()), |reason| Err(Error::ReadOnly(reason.clone())))
    }

    /// Makes a file's bytes durable, and as much of its metadata as is needed to read them.
    pub(super) fn file(&self, file: &File, path: &Path) -> Result<(), Error> {
        self.check()?;
        self.or_give_up(file.sync_data(), path)
    }

    /// Makes the entries of a segment's directory durable, together with whoever else waits for that.
    pub(super) fn directory(&self, layout: &Layout, segment: Segment) -> Result<(), Error> {
        self.check()?;
        let directory = segment.directory();
        let path = layout.directory(directory);
        let synced = self.directories[directory as usize].sync(|| sync_directory(&path));
        self.or_stop(synced, &path)
    }

    /// As [`Self::or_stop`] for what concerns one file alone. For want of room only that file is lost, which its writer gives
    /// up: what a failed sync leaves unsaid are the pages of the file that was synced.
    pub(super) fn or_give_up(&self, synced: io::Result<()>, path: &Path) -> Result<(), Error> {
        match synced {
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                Err(error.into())
            }
            synced => self.or_stop(synced, path),
        }
    }

    /// Passes `synced` on; after a failure nothing is ever written again.
    pub(super) fn or_stop(&self, synced: io::Result<()>, path: &Path) -> Result<(), Error> {
        synced.map_err(|error| {
            let reason = format!("syncing {}: {error}", path.display());
            if self.stopped.set(reason).is_ok() {
                tracing::error!(path = %path.display(), %error, "a sync failed: no more writing until restart");
            }
            error.into()
        })
    }
}

impl SharedSync {
    /// Returns when a call of `sync` that began after this was called has ended.
    fn sync(&self, sync: impl Fn() -> io::Result<()>) -> io::Result<()> {
        let mut state = self.state.lock();
        // One that is under way may have begun too early to cover the caller's entry: the next one will.
        let needed = state.begun + 1;
        while state.ended < needed && !state.failed {
            if state.begun > state.ended {
                self.ended.wait(&mut state);
                continue;
            }
            state.begun += 1;
            let outcome = MutexGuard::unlocked(&mut state, &sync);
            state.ended += 1;
            state.failed |= outcome.is_err();
            self.ended.notify_all();
            outcome?;
        }
        if state.ended >= needed && !state.failed {
            return Ok(());
        }
        Err(io::Error::other("a sync of this directory failed"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_caller_is_served_by_a_sync_that_began_after_it_asked_and_syncs_are_shared() {
        let (group, clock, began, syncs) =
            (SharedSync::default(), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let sync = || {
            let at = clock.fetch_add(1, Ordering::SeqCst);
            syncs.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(1));
            began.fetch_max(at, Ordering::SeqCst);
            Ok(())
        };
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let asked = clock.fetch_add(1, Ordering::SeqCst);
                        group.sync(sync).unwrap();
                        assert!(began.load(Ordering::SeqCst) > asked, "served by a sync that began too early");
                    }
                });
            }
        });
        let syncs = syncs.into_inner();
        assert!(syncs < 16 * 20 / 2, "{syncs} syncs for {} callers", 16 * 20);
    }

    #[test]
    fn a_failed_directory_sync_fails_everyone_who_waits_and_all_who_come() {
        let group = SharedSync::default();
        let failing = || {
            std::thread::sleep(Duration::from_millis(5));
            Err(io::Error::other("lost"))
        };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert!(group.sync(failing).is_err()));
            }
        });
        assert!(group.sync(|| panic!("never retried")).is_err());
    }

    #[test]
    fn the_first_failed_sync_stops_all_writing_for_good() {
        let syncs = Syncs::new();
        let (good, path) = (tempfile::tempfile().unwrap(), Path::new("good"));
        syncs.file(&good, path).unwrap();
        let null = Path::new("/dev/null"); // a device that cannot be synced
        assert!(matches!(syncs.file(&File::open(null).unwrap(), null), Err(Error::Io(_))));
        assert!(matches!(syncs.check(), Err(Error::ReadOnly(reason)) if reason.contains("/dev/null")));
        assert!(matches!(syncs.file(&good, path), Err(Error::ReadOnly(_))), "no other file is synced either");
    }

    #[test]
    fn a_failed_directory_sync_stops_all_writing_for_good() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(root.path()).unwrap();
        let (syncs, segment) = (Syncs::new(), Segment { run: 1, number: 0 });
        syncs.directory(&layout, segment).unwrap();
        std::fs::remove_dir(layout.directory(segment.directory())).unwrap();
        assert!(matches!(syncs.directory(&layout, segment), Err(Error::Io(_))));
        assert!(matches!(syncs.check(), Err(Error::ReadOnly(_))));
    }
}
