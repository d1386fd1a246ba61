//! What waits for the keeper: bounded in number and in bytes. What comes beyond is not written, and counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::super::memory::Key;
use super::super::slices::Slice;
use super::super::stored::{Stored, StoredBody};
use super::super::variants::Variation;

/// The most writes that wait.
const MAX_WRITES: usize = 4096;

/// The most bytes of bodies that wait.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Something to be written.
#[derive(Debug)]
pub(in super::super) struct Write {
    pub key: Key,
    pub variation: Variation,
    pub item: Item,
}

#[derive(Debug)]
pub(in super::super) enum Item {
    Response(Arc<Stored>),
    Slice(Arc<Slice>),
}

#[derive(Debug, Default)]
pub(in super::super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    writes: VecDeque<Write>,
    bytes: u64,
    /// What is being written.
    current: Option<(Key, Variation)>,
    /// It was removed meanwhile.
    cancelled: bool,
    sweep: bool,
    /// Somebody waits until nothing waits.
    flush: bool,
    /// How many sweeps were done.
    sweeps: u64,
    /// The files of an earlier run were found.
    loaded: bool,
    stopped: bool,
}

/// What the keeper is to do next.
#[derive(Debug)]
pub(super) enum Next {
    Write(Write),
    Sweep,
    /// Unlink what was removed: somebody waits for it.
    Flush,
    /// Nothing came for a while.
    Idle,
    Stop,
}

impl Queue {
    /// Adds a write, if there is room.
    pub fn push(&self, write: Write) {
        let bytes = write.item.bytes();
        let mut state = self.state.lock();
        if state.writes.len() >= MAX_WRITES || state.bytes + bytes > MAX_BYTES {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.bytes += bytes;
        state.writes.push_back(write);
        self.changed.notify_all();
    }

    /// Takes back what waits for a key, and what is being written for it: all of it, or what a response of this variation
    /// takes the place of.
    pub fn cancel(&self, key: &Key, variation: Option<&Variation>) {
        let covers = |other: &Variation| variation.is_none_or(|this| this.is_plain() || this == other);
        let mut state = self.state.lock();
        let before = state.writes.len();
        state.writes.retain(|write| write.key != *key || !covers(&write.variation));
        if state.writes.len() < before {
            state.bytes = state.writes.iter().map(|write| write.item.bytes()).sum();
        }
        if state.current.as_ref().is_some_and(|(current, variation)| current == key && covers(variation)) {
            state.cancelled = true;
        }
    }

    /// Has a sweep done, and waits for it.
    #[cfg(test)]
    pub fn sweep(&self) {
        let mut state = self.state.lock();
        let before = state.sweeps;
        state.sweep = true;
        self.changed.notify_all();
        while state.sweeps == before && !state.stopped {
            self.changed.wait(&mut state);
        }
    }

    /// Waits until the files of an earlier run were found.
    #[cfg(test)]
    pub fn wait_until_loaded(&self) {
        let mut state = self.state.lock();
        while !state.loaded && !state.stopped {
            self.changed.wait(&mut state);
        }
    }

    pub(super) fn swept(&self) {
        self.state.lock().sweeps += 1;
        self.changed.notify_all();
    }

    pub(super) fn loaded(&self) {
        self.state.lock().loaded = true;
        self.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state.lock().stopped
    }

    /// Asks for a sweep now.
    pub fn ask_for_sweep(&self) {
        self.state.lock().sweep = true;
        self.changed.notify_all();
    }

    pub fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Waits until nothing waits any more and what was removed is unlinked, or until `patience` is over.
    pub fn flush(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut state = self.state.lock();
        state.flush = true;
        self.changed.notify_all();
        while state.flush && !state.stopped {
            if self.changed.wait_until(&mut state, until).timed_out() {
                return;
            }
        }
    }

    pub(super) fn flushed(&self) {
        self.state.lock().flush = false;
        self.changed.notify_all();
    }

    /// What is to be done next; waits for it for at most `patience`.
    pub(super) fn next(&self, patience: Duration) -> Next {
        let mut state = self.state.lock();
        if state.is_idle() {
            self.changed.wait_for(&mut state, patience);
        }
        if state.stopped {
            return Next::Stop;
        }
        if std::mem::take(&mut state.sweep) {
            return Next::Sweep;
        }
        let Some(write) = state.writes.pop_front() else {
            return if state.flush { Next::Flush } else { Next::Idle };
        };
        state.bytes -= write.item.bytes();
        state.current = Some((write.key.clone(), write.variation.clone()));
        state.cancelled = false;
        Next::Write(write)
    }

    /// Ends what was given last; `publish` is called if it was not taken back, and cannot be meanwhile.
    pub(super) fn finish(&self, publish: impl FnOnce()) -> bool {
        let mut state = self.state.lock();
        state.current = None;
        let wanted = !state.cancelled;
        if wanted {
            publish();
        }
        self.changed.notify_all();
        wanted
    }

    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.writes.is_empty() && !self.sweep && !self.flush && !self.stopped
    }
}

impl Item {
    fn bytes(&self) -> u64 {
        match self {
            Self::Response(stored) => match stored.body() {
                StoredBody::Whole(bytes) => bytes.len() as u64,
                StoredBody::Sliced(_) => 0,
            },
            Self::Slice(slice) => slice.bytes.len() as u64,
        }
    }
}
