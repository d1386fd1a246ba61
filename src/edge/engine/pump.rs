//! From an origin's body to those who read it, and to what is stored of it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::Engine;
use super::stream::{Abandoned, Keep, Writer};
use crate::edge::cache::{Footing, SLICE_LENGTH, Sequence, SliceSet, Stored};
use crate::edge::origin::{self, Received};

/// How much of a body that is not kept whole is on its way, in bytes.
pub(super) const WINDOW: u64 = 1024 * 1024;

/// How long a slice is read to its end that nobody waits for.
const FINISHING: Duration = Duration::from_secs(30);

/// Why a body was not carried to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    #[error(transparent)]
    Abandoned(#[from] Abandoned),
    #[error(transparent)]
    Origin(#[from] origin::BodyError),
    #[error("the body has another length than was announced")]
    Length,
}

/// Puts slices together and stores each when it is complete.
pub(super) struct Cutter {
    engine: Engine,
    set: Arc<SliceSet>,
    head: Arc<Stored>,
    since: Sequence,
    /// The offset behind the last byte that was added.
    at: u64,
    slice: BytesMut,
}

/// Carries a body that is to be kept whole. Gives all of its bytes; `None` where it turned out too long, or there was no memory
/// to keep them.
pub(super) async fn carry_whole(
    engine: &Engine,
    writer: &Writer,
    mut body: Received,
    on_overflow: impl FnOnce(),
) -> Result<Option<Bytes>, Stopped> {
    let mut on_overflow = Some(on_overflow);
    let mut received = 0;
    while let Some(chunk) = next(writer, &mut body).await? {
        received += chunk.len() as u64;
        let fits = received <= engine.0.limits.whole && writer.reach(received);
        if let (false, Some(overflow)) = (fits, on_overflow.take_if(|_| !fits)) {
            // Nobody can join any more, for the beginning goes; nor can anybody go on elsewhere who reads slowly.
            overflow();
            writer.keep(Keep::Slowest { bytes: WINDOW }, false);
            writer.shrink(WINDOW);
        }
        writer.push(chunk).await?;
    }
    let chunks = if on_overflow.is_some() { writer.everything() } else { None };
    // The copy that is kept has memory of its own: chunks hold on to the larger buffers that they were received in.
    let fits = writer.reach(2 * received);
    let whole = chunks.filter(|_| fits).map(|chunks| joined(&chunks, received));
    // From here on the copy counts as what the cache holds.
    writer.shrink(received);
    Ok(whole)
}

/// Carries a body that is kept in slices, of which `bytes` come. Where nobody reads it any more, the slice that was begun is
/// brought to its end.
pub(super) async fn carry_slices(
    writer: &Writer,
    mut body: Received,
    mut cutter: Cutter,
    bytes: &Range<u64>,
) -> Result<(), Stopped> {
    let carried = push_slices(writer, &mut body, &mut cutter).await;
    if let Err(Stopped::Abandoned(abandoned)) = carried {
        // What takes too long is not worth its memory.
        _ = timeout(FINISHING, finish_slice(body, cutter)).await;
        return Err(abandoned.into());
    }
    carried?;
    if cutter.at == bytes.end { Ok(()) } else { Err(Stopped::Length) }
}

async fn push_slices(writer: &Writer, body: &mut Received, cutter: &mut Cutter) -> Result<(), Stopped> {
    while let Some(chunk) = next(writer, body).await? {
        cutter.add(&chunk);
        writer.push(chunk).await?;
    }
    Ok(())
}

async fn finish_slice(mut body: Received, mut cutter: Cutter) {
    let end = cutter.at.next_multiple_of(SLICE_LENGTH);
    while cutter.at < end {
        let Some(Ok(frame)) = body.frame().await else { return };
        if let Ok(chunk) = frame.into_data() {
            cutter.add(&chunk);
        }
    }
}

/// Waits for the next bytes, as long as somebody wants them. Trailers are not kept: whoever wants them asks for himself.
async fn next(writer: &Writer, body: &mut Received) -> Result<Option<Bytes>, Stopped> {
    loop {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            abandoned = writer.abandoned() => return Err(abandoned.into()),
        };
        let Some(frame) = frame else { return Ok(None) };
        if let Ok(chunk) = frame?.into_data() {
            return Ok(Some(chunk));
        }
    }
}

fn joined(chunks: &[Bytes], length: u64) -> Bytes {
    let mut whole = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    for chunk in chunks {
        whole.extend_from_slice(chunk);
    }
    Bytes::from(whole)
}

impl Cutter {
    /// Cuts what comes from the byte `at` on, where a slice begins. `head` is whose slices they are, `since` the last purge before
    /// they were asked for.
    pub fn new(engine: &Engine, set: &Arc<SliceSet>, head: &Arc<Stored>, since: Sequence, at: u64) -> Self {
        let (engine, set, head) = (engine.clone(), Arc::clone(set), Arc::clone(head));
        Self { engine, set, head, since, at, slice: BytesMut::new() }
    }

    pub fn add(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() && self.at < self.set.total {
            let index = u32::try_from(self.at / SLICE_LENGTH).unwrap_or(u32::MAX);
            let slice = self.set.range(index);
            if self.slice.is_empty() {
                self.slice.reserve(usize::try_from(slice.end - slice.start).unwrap_or_default());
            }
            let missing = usize::try_from(slice.end - self.at).unwrap_or(usize::MAX);
            let (now, rest) = chunk.split_at(missing.min(chunk.len()));
            self.slice.extend_from_slice(now);
            self.at += now.len() as u64;
            chunk = rest;
            if self.at == slice.end {
                self.store(index);
            }
        }
        self.at += chunk.len() as u64;
    }

    fn store(&mut self, index: u32) {
        let footing = self.head.footing();
        let footing = Footing::new(footing.site().clone(), footing.tags().clone(), self.since);
        let bytes = self.slice.split().freeze();
        // What is not kept was sent all the same, and is fetched again by whoever wants it.
        if let Err(error) = self.engine.0.cache.store_slice(&self.set, index, bytes, footing) {
            tracing::debug!(%error, "a slice is not kept");
        }
    }
}
