//! Slices on their way: which bytes of a large body somebody is fetching just now.
//!
//! Several may fetch different runs of one body at a time. Who needs a byte joins the run that brings it soon, and begins one
//! of his own otherwise.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;

use super::stream::{Follower, Stream, Writer, stream};
use crate::edge::cache::{SLICE_LENGTH, SliceSet, Stored};

/// How far ahead of what has come a byte may be for somebody to wait for it: beyond that a fetch of his own is quicker.
const AHEAD: u64 = 2 * SLICE_LENGTH;
/// The most slices that one run fetches: a client that stops in the middle costs no more.
pub const MAX_RUN: usize = 16;

/// The runs that are under way; clones share the table.
#[derive(Debug, Clone, Default)]
pub struct Runs(Arc<Mutex<HashMap<Arc<SliceSet>, Vec<Run>>>>);

/// Bytes of a body that are being fetched.
#[derive(Debug)]
struct Run {
    /// The response that they belong to, for purges.
    head: Arc<Stored>,
    bytes: Range<u64>,
    stream: Arc<Stream>,
}

/// A run's place in the table, which is given up on drop.
#[derive(Debug)]
pub struct Listed {
    runs: Runs,
    set: Arc<SliceSet>,
    stream: Arc<Stream>,
}

/// Where the bytes come from that somebody needs.
#[derive(Debug)]
pub enum Claim {
    /// Another run brings these: of `bytes`, the first one that is needed is within.
    Join { follower: Follower, bytes: Range<u64> },
    /// Nobody brings them: fetch `bytes`, which begin and end with slices.
    Lead { writer: Writer, follower: Follower, bytes: Range<u64>, listed: Listed },
}

impl Runs {
    /// Joins the run that brings the byte `needed.start`, or begins one for what of `needed` one run may fetch.
    pub fn claim(&self, set: &Arc<SliceSet>, head: &Arc<Stored>, needed: &Range<u64>) -> Claim {
        let mut table = self.0.lock();
        let runs = table.entry(Arc::clone(set)).or_default();
        for run in runs.iter().filter(|run| run.bytes.contains(&needed.start)) {
            let offset = needed.start - run.bytes.start;
            if offset >= run.stream.received() + AHEAD {
                continue;
            }
            if let Some(follower) = Stream::join_at(&run.stream, offset) {
                return Claim::Join { follower, bytes: run.bytes.clone() };
            }
        }
        let (writer, follower) = stream();
        let bytes = to_fetch(set, needed, runs);
        let listed = Listed { runs: self.clone(), set: Arc::clone(set), stream: Arc::clone(writer.stream()) };
        runs.push(Run { head: Arc::clone(head), bytes: bytes.clone(), stream: Arc::clone(writer.stream()) });
        Claim::Lead { writer, follower, bytes, listed }
    }

    /// Lists bytes that come with a fetch that began otherwise.
    pub fn list(&self, set: &Arc<SliceSet>, head: &Arc<Stored>, bytes: Range<u64>, stream: &Arc<Stream>) -> Listed {
        let run = Run { head: Arc::clone(head), bytes, stream: Arc::clone(stream) };
        self.0.lock().entry(Arc::clone(set)).or_default().push(run);
        Listed { runs: self.clone(), set: Arc::clone(set), stream: Arc::clone(stream) }
    }

    /// Has nobody join those runs any more of whose response `matches` is true.
    pub fn detach(&self, matches: impl Fn(&SliceSet, &Stored) -> bool) {
        self.0.lock().retain(|set, runs| {
            runs.retain(|run| !matches(set, &run.head));
            !runs.is_empty()
        });
    }

    /// Gives of how many bodies slices are being fetched.
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }
}

/// What a new run fetches: from the slice of the first byte that is needed to the slice of the last one, but not beyond where
/// another run begins.
fn to_fetch(set: &SliceSet, needed: &Range<u64>, runs: &[Run]) -> Range<u64> {
    let start = needed.start / SLICE_LENGTH * SLICE_LENGTH;
    let wanted = needed
        .end
        .div_ceil(SLICE_LENGTH)
        .saturating_mul(SLICE_LENGTH)
        .min(start + MAX_RUN as u64 * SLICE_LENGTH)
        .min(set.total);
    let next = runs.iter().map(|run| run.bytes.start).filter(|at| *at > start).min();
    start..next.unwrap_or(wanted).min(wanted)
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut table = self.runs.0.lock();
        if let Some(runs) = table.get_mut(&self.set) {
            runs.retain(|run| !Arc::ptr_eq(&run.stream, &self.stream));
            if runs.is_empty() {
                table.remove(&self.set);
            }
        }
    }
}
