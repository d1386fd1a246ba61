//! A body on its way: chunks that one writer appends and any number of followers read, each at its own pace.
//!
//! What is kept of it is decided by [`Keep`]: everything, for a body that is to be stored whole, or a window, for one that is too
//! long for that. Nothing here waits with a lock held. What the chunks take of the
//! budget of all fills is given back when the last of those is gone who could read them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;

use super::budget::Share;

/// What a stream keeps of the bytes that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All of them until the last follower is gone. The writer never waits.
    Everything,
    /// About the last `bytes`. The writer waits for the furthest follower; one further behind than the window loses its place
    /// ([`Step::Behind`]) and goes on elsewhere.
    Window { bytes: u64 },
    /// About the last `bytes`. The writer waits for the follower furthest behind, for there is nowhere else to go on; nobody joins
    /// once bytes are gone.
    Slowest { bytes: u64 },
}

/// What a follower finds next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Chunk(Bytes),
    /// The body ended as it should.
    End,
    /// The body was cut off: what came so far is not all of it.
    Cut,
    /// What comes next is no longer kept.
    Behind,
}

/// Nobody follows any more, and the stream was not to go on alone. It is closed: nobody can join it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody is left to read the body")]
pub struct Abandoned;

/// Appends to a stream. Dropping it unfinished cuts the body off for every follower.
#[derive(Debug)]
pub struct Writer(Arc<Stream>);

/// Reads a stream from its first byte on. Dropping it gives up its place.
#[derive(Debug)]
pub struct Follower {
    stream: Arc<Stream>,
    id: u64,
    position: u64,
}

/// A body on its way, as those see it who might join.
#[derive(Debug)]
pub struct Stream(Mutex<State>);

#[derive(Debug)]
struct State {
    keep: Keep,
    alone: bool,
    /// Offset of the first byte in `chunks`.
    from: u64,
    /// Number of the first chunk in `chunks`, counted from the start of the stream.
    first: u64,
    chunks: VecDeque<Bytes>,
    /// Offset behind the last byte that was appended.
    end: u64,
    ended: Option<End>,
    followers: BTreeMap<u64, Place>,
    next_id: u64,
    writer: Option<Waker>,
    /// What accounts for the chunks, as long as anybody may read them.
    share: Option<Share>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    Cut,
}

#[derive(Debug)]
struct Place {
    /// Number of the chunk that comes next.
    next: u64,
    /// How many bytes were read.
    position: u64,
    waker: Option<Waker>,
}

/// Makes an empty stream that keeps everything, with its writer and its first follower.
pub fn stream() -> (Writer, Follower) {
    let stream = Arc::new(Stream(Mutex::new(State::new())));
    let follower = Stream::join(&stream).expect("nothing was appended, ended or dropped yet");
    (Writer(stream), follower)
}

impl Stream {
    /// Joins at the first byte; `None` where it is no longer kept, or the stream was cut off.
    pub fn join(stream: &Arc<Self>) -> Option<Follower> {
        Self::join_at(stream, 0)
    }

    /// Joins with the chunk in which the byte at `offset` is, or with the next one that comes where that byte has not come yet;
    /// [`Follower::position`] says where that is. `None` where the byte is no longer kept, or the stream was cut off.
    pub fn join_at(stream: &Arc<Self>, offset: u64) -> Option<Follower> {
        let mut state = stream.0.lock();
        if state.ended == Some(End::Cut) {
            return None;
        }
        let place = state.place_of(offset)?;
        let position = place.position;
        let id = state.next_id;
        state.next_id += 1;
        state.followers.insert(id, place);
        drop(state);
        Some(Follower { stream: Arc::clone(stream), id, position })
    }

    /// Gives how many bytes were appended so far.
    pub fn received(&self) -> u64 {
        self.0.lock().end
    }
}

impl Writer {
    /// The stream that it appends to.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.0
    }

    /// Says what is kept from now on, and whether the writer goes on when nobody follows.
    pub fn keep(&self, keep: Keep, alone: bool) {
        let mut state = self.0.0.lock();
        (state.keep, state.alone) = (keep, alone);
    }

    /// Accounts for the chunks by `share`, which is given back when nobody can read them any more.
    pub fn account(&self, share: Share) {
        self.0.0.lock().share = Some(share);
    }

    /// Has the share be at least `bytes`; `false` where there is not so much memory.
    pub fn reach(&self, bytes: u64) -> bool {
        self.0.0.lock().share.as_mut().is_some_and(|share| share.reach(bytes))
    }

    /// Gives back what the share is above `bytes`.
    pub fn shrink(&self, bytes: u64) {
        if let Some(share) = &mut self.0.0.lock().share {
            share.shrink(bytes);
        }
    }

    /// Appends `chunk` as soon as there is room for it.
    pub async fn push(&self, chunk: Bytes) -> Result<(), Abandoned> {
        std::future::poll_fn(|cx| self.poll_room(cx)).await?;
        let wakers = self.0.0.lock().append(chunk);
        wake(wakers);
        Ok(())
    }

    /// Completes when nobody follows any more and the stream is not to go on alone; it is closed then.
    pub async fn abandoned(&self) -> Abandoned {
        std::future::poll_fn(|cx| {
            let mut state = self.0.0.lock();
            if state.abandon() {
                return Poll::Ready(Abandoned);
            }
            state.writer = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Gives everything that was appended; `None` where some of it is no longer kept.
    pub fn everything(&self) -> Option<Vec<Bytes>> {
        let state = self.0.0.lock();
        (state.first == 0).then(|| state.chunks.iter().cloned().collect())
    }

    /// Ends the body as it should end.
    pub fn finish(self) {
        self.end(End::Complete);
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Abandoned>> {
        let mut state = self.0.0.lock();
        if state.abandon() {
            return Poll::Ready(Err(Abandoned));
        }
        if state.has_room() {
            return Poll::Ready(Ok(()));
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn end(&self, end: End) {
        let wakers = {
            let mut state = self.0.0.lock();
            state.ended.get_or_insert(end);
            state.take_wakers()
        };
        wake(wakers);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end(End::Cut);
    }
}

impl Follower {
    /// Gives the next chunk, or why there is none.
    pub fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let mut state = self.stream.0.lock();
        let (step, writer) = state.step(self.id, cx);
        drop(state);
        wake(writer);
        if let Poll::Ready(Step::Chunk(chunk)) = &step {
            self.position += chunk.len() as u64;
        }
        step
    }

    /// The offset in the stream of the byte that comes next.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Waits for the next chunk, or for why there is none.
    #[cfg(test)]
    pub async fn step(&mut self) -> Step {
        std::future::poll_fn(|cx| self.poll_step(cx)).await
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let writer = {
            let mut state = self.stream.0.lock();
            state.followers.remove(&self.id);
            state.writer.take()
        };
        wake(writer);
    }
}

impl State {
    fn new() -> Self {
        Self {
            keep: Keep::Everything,
            alone: false,
            from: 0,
            first: 0,
            chunks: VecDeque::new(),
            end: 0,
            ended: None,
            followers: BTreeMap::new(),
            next_id: 0,
            writer: None,
            share: None,
        }
    }

    /// Closes the stream where nobody follows and it is not to go on alone; whether it is closed.
    fn abandon(&mut self) -> bool {
        let nobody = self.followers.is_empty() && !self.alone;
        if nobody {
            self.ended.get_or_insert(End::Cut);
        }
        nobody
    }

    /// Where somebody begins who wants the byte at `offset`.
    fn place_of(&self, offset: u64) -> Option<Place> {
        let (mut next, mut position) = (self.first, self.from);
        if offset < position {
            return None;
        }
        for chunk in &self.chunks {
            if offset < position + chunk.len() as u64 {
                break;
            }
            (next, position) = (next + 1, position + chunk.len() as u64);
        }
        Some(Place { next, position, waker: None })
    }

    fn has_room(&self) -> bool {
        let positions = self.followers.values().map(|place| place.position);
        let (reference, bytes) = match self.keep {
            Keep::Everything => return true,
            Keep::Window { bytes } => (positions.max(), bytes),
            Keep::Slowest { bytes } => (positions.min(), bytes),
        };
        reference.is_none_or(|position| self.end - position < bytes)
    }

    fn append(&mut self, chunk: Bytes) -> Vec<Waker> {
        if chunk.is_empty() {
            return Vec::new();
        }
        self.end += chunk.len() as u64;
        self.chunks.push_back(chunk);
        self.trim();
        self.take_wakers()
    }

    /// Drops what is not kept any more.
    fn trim(&mut self) {
        let positions = self.followers.values().map(|place| place.position);
        let keep_from = match self.keep {
            Keep::Everything => return,
            Keep::Window { bytes } => self.end.saturating_sub(bytes),
            Keep::Slowest { .. } => positions.min().unwrap_or(self.end),
        };
        while let Some(front) = self.chunks.front() {
            let until = self.from + front.len() as u64;
            if until > keep_from {
                return;
            }
            self.chunks.pop_front();
            self.from = until;
            self.first += 1;
        }
    }

    /// The next step of a follower, and the writer's waker where the step may make room.
    fn step(&mut self, id: u64, cx: &Context<'_>) -> (Poll<Step>, Option<Waker>) {
        let place = self.followers.get_mut(&id).expect("a follower has its place until it is dropped");
        let Some(index) = place.next.checked_sub(self.first) else {
            return (Poll::Ready(Step::Behind), None);
        };
        let chunk = usize::try_from(index).ok().and_then(|index| self.chunks.get(index));
        if let Some(chunk) = chunk {
            place.next += 1;
            place.position += chunk.len() as u64;
            return (Poll::Ready(Step::Chunk(chunk.clone())), self.writer.take());
        }
        match self.ended {
            Some(End::Complete) => (Poll::Ready(Step::End), None),
            Some(End::Cut) => (Poll::Ready(Step::Cut), None),
            None => {
                place.waker = Some(cx.waker().clone());
                (Poll::Pending, None)
            }
        }
    }

    fn take_wakers(&mut self) -> Vec<Waker> {
        self.followers.values_mut().filter_map(|place| place.waker.take()).collect()
    }
}

fn wake(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn chunk(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    fn push(writer: &Writer, text: &str) -> Option<Result<(), Abandoned>> {
        writer.push(chunk(text)).now_or_never()
    }

    fn step(follower: &mut Follower) -> Option<Step> {
        follower.step().now_or_never()
    }

    #[test]
    fn every_follower_reads_every_chunk_from_the_start() {
        let (writer, mut first) = stream();
        assert_eq!(step(&mut first), None);
        push(&writer, "one").unwrap().unwrap();
        let mut second = Stream::join(writer.stream()).unwrap();
        push(&writer, "").unwrap().unwrap();
        push(&writer, "two").unwrap().unwrap();
        for follower in [&mut first, &mut second] {
            assert_eq!(step(follower), Some(Step::Chunk(chunk("one"))));
            assert_eq!(step(follower), Some(Step::Chunk(chunk("two"))));
            assert_eq!(step(follower), None);
        }
        assert_eq!(writer.everything().unwrap(), [chunk("one"), chunk("two")]);
        let late = Arc::clone(writer.stream());
        writer.finish();
        assert_eq!(step(&mut first), Some(Step::End));
        let mut third = Stream::join(&late).unwrap();
        assert_eq!(step(&mut third), Some(Step::Chunk(chunk("one"))));
    }

    #[test]
    fn a_writer_that_is_dropped_cuts_the_body_off() {
        let (writer, mut follower) = stream();
        push(&writer, "half").unwrap().unwrap();
        let stream = Arc::clone(writer.stream());
        drop(writer);
        assert_eq!(step(&mut follower), Some(Step::Chunk(chunk("half"))));
        assert_eq!(step(&mut follower), Some(Step::Cut));
        assert!(Stream::join(&stream).is_none());
    }

    #[test]
    fn the_furthest_follower_paces_a_window_and_the_others_fall_behind() {
        let (writer, mut fast) = stream();
        let mut slow = Stream::join(writer.stream()).unwrap();
        writer.keep(Keep::Window { bytes: 4 }, false);
        push(&writer, "1234").unwrap().unwrap();
        assert_eq!(push(&writer, "5"), None, "nobody has read yet");
        assert_eq!(step(&mut fast), Some(Step::Chunk(chunk("1234"))));
        push(&writer, "5678").unwrap().unwrap();
        assert_eq!(step(&mut slow), Some(Step::Behind));
        assert_eq!(step(&mut fast), Some(Step::Chunk(chunk("5678"))));
        assert!(Stream::join(writer.stream()).is_none(), "the start is gone");
        assert!(writer.everything().is_none());
    }

    #[test]
    fn where_there_is_nowhere_else_the_slowest_paces_the_writer() {
        let (writer, mut fast) = stream();
        let mut slow = Stream::join(writer.stream()).unwrap();
        writer.keep(Keep::Slowest { bytes: 4 }, false);
        push(&writer, "1234").unwrap().unwrap();
        assert_eq!(step(&mut fast), Some(Step::Chunk(chunk("1234"))));
        assert_eq!(push(&writer, "5678"), None);
        assert_eq!(step(&mut slow), Some(Step::Chunk(chunk("1234"))));
        push(&writer, "5678").unwrap().unwrap();
        assert_eq!(step(&mut slow), Some(Step::Chunk(chunk("5678"))));
    }

    #[test]
    fn a_writer_stops_when_nobody_is_left() {
        let (writer, follower) = stream();
        assert!(writer.abandoned().now_or_never().is_none());
        drop(follower);
        assert!(Stream::join(writer.stream()).is_some(), "nobody noticed yet");
        assert_eq!(writer.abandoned().now_or_never(), Some(Abandoned));
        assert_eq!(push(&writer, "late"), Some(Err(Abandoned)));
        assert!(Stream::join(writer.stream()).is_none());
    }

    #[test]
    fn a_writer_may_go_on_alone() {
        let (writer, follower) = stream();
        writer.keep(Keep::Everything, true);
        drop(follower);
        push(&writer, "rest").unwrap().unwrap();
        assert!(writer.abandoned().now_or_never().is_none());
        assert_eq!(writer.everything().unwrap(), [chunk("rest")]);
    }

    #[tokio::test]
    async fn a_follower_that_leaves_lets_a_waiting_writer_go_on() {
        let (writer, mut fast) = stream();
        let slow = Stream::join(writer.stream()).unwrap();
        writer.keep(Keep::Slowest { bytes: 2 }, false);
        push(&writer, "12").unwrap().unwrap();
        assert_eq!(step(&mut fast), Some(Step::Chunk(chunk("12"))));
        let (pushed, ()) = tokio::join!(writer.push(chunk("34")), async { drop(slow) });
        pushed.unwrap();
        assert_eq!(step(&mut fast), Some(Step::Chunk(chunk("34"))));
    }

    #[test]
    fn one_joins_in_the_middle_where_its_bytes_are() {
        let (writer, mut fast) = stream();
        writer.keep(Keep::Window { bytes: 8 }, false);
        for text in ["0123", "4567", "89ab"] {
            push(&writer, text).unwrap().unwrap();
            step(&mut fast);
        }
        assert!(Stream::join_at(writer.stream(), 3).is_none());
        let mut joined = Stream::join_at(writer.stream(), 6).unwrap();
        assert_eq!(joined.position(), 4);
        assert_eq!(step(&mut joined), Some(Step::Chunk(chunk("4567"))));
        let mut early = Stream::join_at(writer.stream(), 14).unwrap();
        assert_eq!((early.position(), step(&mut early)), (12, None));
        push(&writer, "cdef").unwrap().unwrap();
        assert_eq!(step(&mut early), Some(Step::Chunk(chunk("cdef"))));
        assert_eq!(early.position(), 16);
    }

    #[test]
    fn a_window_stays_within_its_bytes() {
        let (writer, mut follower) = stream();
        writer.keep(Keep::Window { bytes: 100 }, false);
        for _ in 0..1000 {
            push(&writer, "0123456789").unwrap().unwrap();
            while let Some(Step::Chunk(_)) = step(&mut follower) {}
            assert!(writer.0.0.lock().chunks.len() <= 10);
        }
    }
}
