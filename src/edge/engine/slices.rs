//! A body, or a part of one, slice by slice: from memory, from disk, from a fetch of somebody else, or from one of its own.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;

use super::Engine;
use super::ask::Ask;
use super::body::BodyError;
use super::pump::{Cutter, WINDOW, carry_slices};
use super::runs::{Claim, Listed, MAX_RUN};
use super::stream::{Keep, Writer};
use super::tail::{Next, Tail};
use crate::edge::cache::{FoundSlice, SLICE_LENGTH, SliceCandidate, SliceSet, Stored};
use crate::edge::origin::{Fetched, ViewerFacts};
use crate::edge::rules::ranges;
use crate::http::tag::EntityTag;

/// Slices that are dropped one by one when they turn out not to belong together; more go as they grow old.
const MAX_DROPPED: u32 = 10_000;

/// How long a body that is being sent waits for memory to fetch more of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where slices of one body come from.
pub(super) struct SliceSource {
    engine: Engine,
    ask: Arc<Ask>,
    head: Arc<Stored>,
    set: Arc<SliceSet>,
}

/// Reads `left` of a body that is kept in slices.
pub struct Slices {
    source: Arc<SliceSource>,
    left: Range<u64>,
    state: State,
    /// Bytes that were waited for before anybody read; they lie before `left`.
    first: Option<Bytes>,
}

enum State {
    Idle,
    Slice(Bytes),
    Run(Tail),
    Loading(Pin<Box<dyn Future<Output = Option<Bytes>> + Send>>),
}

impl SliceSource {
    pub fn new(engine: &Engine, ask: &Arc<Ask>, head: &Arc<Stored>, set: &Arc<SliceSet>) -> Self {
        Self { engine: engine.clone(), ask: Arc::clone(ask), head: Arc::clone(head), set: Arc::clone(set) }
    }

    /// Looks for the slice of the first byte of `left`.
    fn look(self: &Arc<Self>, left: &Range<u64>) -> State {
        match self.engine.0.cache.slice(&self.set, index_of(left.start)) {
            FoundSlice::Slice(bytes) => State::Slice(bytes),
            FoundSlice::Disk(candidate) => State::Loading(Box::pin(SliceCandidate::load(candidate))),
            FoundSlice::Miss => self.follow(left),
        }
    }

    /// Comes along with whoever fetches the first byte of `left`, or has it fetched.
    fn follow(self: &Arc<Self>, left: &Range<u64>) -> State {
        let missing = left.start..self.missing_until(left);
        let (follower, bytes) = match self.engine.0.runs.claim(&self.set, &self.head, &missing) {
            Claim::Join { follower, bytes } => (follower, bytes),
            Claim::Lead { writer, follower, bytes, listed } => {
                let source = Arc::clone(self);
                tokio::spawn(source.fetch(bytes.clone(), writer, listed));
                (follower, bytes)
            }
        };
        State::Run(Tail::of_part(follower, bytes.start, left.start..left.end.min(bytes.end)))
    }

    /// Where the first slice begins that follows the one of the first byte of `left` and is there.
    fn missing_until(&self, left: &Range<u64>) -> u64 {
        let slices = self.set.covering(left);
        let there = |index: &u32| !matches!(self.engine.0.cache.slice(&self.set, *index), FoundSlice::Miss);
        let next = slices.skip(1).take(MAX_RUN).find(there);
        next.map_or(left.end, |index| self.set.range(index).start)
    }

    /// Fetches these bytes, if the origin still has the body that they belong to. Ends early when nobody reads them.
    async fn fetch(self: Arc<Self>, bytes: Range<u64>, writer: Writer, listed: Listed) {
        let since = self.engine.0.cache.sequence();
        let Some(share) = self.engine.0.budget.wait(WINDOW + SLICE_LENGTH, PATIENCE).await else { return };
        writer.account(share);
        writer.keep(Keep::Window { bytes: WINDOW }, false);
        let request = self.ask.to_origin(&self.engine, None, Some((&bytes, Some(&self.set.etag))));
        let facts = ViewerFacts { feed: self.engine.0.feed.as_deref(), ..self.ask.facts() };
        let fetched = tokio::select! {
            fetched = self.ask.site.origins.fetch(request, &facts) => fetched,
            _ = writer.abandoned() => return,
        };
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                tracing::warn!(%error, "an origin failed within a body");
                return;
            }
        };
        if !self.is_of_this_body(&fetched, &bytes) {
            self.drop_all();
            return;
        }
        let cutter = Cutter::new(&self.engine, &self.set, &self.head, since, bytes.start);
        match carry_slices(&writer, fetched.response.into_body(), cutter, &bytes).await {
            Ok(()) => {
                drop(listed);
                writer.finish();
            }
            Err(error) => tracing::debug!(%error, "a run of slices was not carried to its end"),
        }
    }

    fn is_of_this_body(&self, fetched: &Fetched, bytes: &Range<u64>) -> bool {
        let Ok(part) = ranges::part(fetched.response.status(), fetched.response.headers()) else { return false };
        let Ok(tag) = EntityTag::parse(&self.set.etag) else { return false };
        part.belongs_to(&tag, self.set.total).is_ok() && part.range == *bytes
    }

    /// Forgets the body: the origin has another one.
    fn drop_all(&self) {
        let cache = &self.engine.0.cache;
        cache.remove(&self.set.key);
        if self.set.count().is_some_and(|count| count <= MAX_DROPPED) {
            cache.remove_slices(&self.set);
        }
    }
}

impl Slices {
    pub(super) fn new(source: Arc<SliceSource>, part: Range<u64>) -> Self {
        Self { source, left: part, state: State::Idle, first: None }
    }

    pub fn remaining(&self) -> u64 {
        let first = self.first.as_ref().map_or(0, |first| first.len() as u64);
        first + self.left.end - self.left.start
    }

    /// Waits until the first bytes are there.
    ///
    /// # Errors
    /// Where they cannot be had: the origin failed, or has another body by now.
    pub(super) async fn prime(&mut self) -> Result<(), BodyError> {
        self.first = std::future::poll_fn(|cx| self.poll_bytes(cx)).await.transpose()?;
        Ok(())
    }

    /// Gives the next bytes; `None` at the end.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        loop {
            if self.left.is_empty() {
                return Poll::Ready(None);
            }
            match &mut self.state {
                State::Idle => self.state = self.source.look(&self.left),
                State::Slice(bytes) => {
                    let bytes = std::mem::take(bytes);
                    self.state = State::Idle;
                    return Poll::Ready(Some(self.take(bytes)));
                }
                State::Loading(loading) => {
                    self.state = match ready!(loading.as_mut().poll(cx)) {
                        Some(bytes) => State::Slice(bytes),
                        None => self.source.follow(&self.left),
                    };
                }
                State::Run(tail) => match ready!(tail.poll_next(cx)) {
                    Ok(Next::Chunk(chunk)) => {
                        self.left.start += chunk.len() as u64;
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                    Ok(Next::End | Next::Behind(_)) => self.state = State::Idle,
                    Err(error) => return Poll::Ready(Some(Err(error))),
                },
            }
        }
    }

    /// Cuts out of a whole slice what is wanted of it.
    fn take(&mut self, slice: Bytes) -> Result<Bytes, BodyError> {
        let start = self.left.start % SLICE_LENGTH;
        let end = (start + (self.left.end - self.left.start)).min(slice.len() as u64);
        let (from, to) = (usize::try_from(start), usize::try_from(end));
        let (Ok(from), Ok(to)) = (from, to) else { return Err(BodyError::Cut) };
        if from >= to {
            return Err(BodyError::Cut);
        }
        self.left.start += (to - from) as u64;
        Ok(slice.slice(from..to))
    }
}

/// The slice in which the byte at `offset` is.
fn index_of(offset: u64) -> u32 {
    u32::try_from(offset / SLICE_LENGTH).unwrap_or(u32::MAX)
}

impl fmt::Debug for SliceSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SliceSource").field("set", &self.set).finish_non_exhaustive()
    }
}

impl fmt::Debug for Slices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slices").field("left", &self.left).finish_non_exhaustive()
    }
}
