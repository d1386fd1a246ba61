//! A body on its way in: pushed here piece by piece, staged as inline bytes or as a blob, then committed or discarded.
//!
//! A small body stays in memory. A larger one becomes a blob: pieces are gathered into batches, and while batches are
//! hashed and written on the blocking threads the next one is received.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Store;
use super::digest::{Announced, DigestPlan, Digester, Digests, Lanes};
use super::error::Error;
use super::lane::Batch;
use super::mutation::Mutation;
use super::record::{Data, InlineId};
use super::space::Promise;
use super::tables::{self, INLINE};
use crate::blob::{BlobRef, BlobWriter, Blobs, WRITE_ALIGNMENT};

/// How many bytes are hashed and written at a time.
const BATCH_BYTES: usize = 512 * 1024;
/// The most bytes that are hashed on the thread that received them: some 0.2 ms of MD5.
const HASHED_HERE: usize = 128 * 1024;
/// How many bytes one permit of the upload memory stands for.
pub(super) const PERMIT_BYTES: u64 = BATCH_BYTES as u64;
/// The most batches of one body that wait for a thread or are at work there. Two: the slowest digest then finds the next one
/// waiting when it is done with one.
const BATCHES_AHEAD: u32 = 2;
/// What a streaming body holds of the upload memory: those, and the batch being received.
pub(super) const STREAM_PERMITS: u32 = BATCHES_AHEAD + 1;

/// How long a body waits for its share of the upload memory before the client is told to slow down.
const MEMORY_PATIENCE: Duration = Duration::from_secs(30);

/// What is known of a body before it comes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Incoming {
    /// The number of bytes, where the client said it.
    pub length: Option<u64>,
    pub digests: DigestPlan,
}

/// Takes a body. Dropped unfinished, the body never existed.
pub struct BodyWriter {
    store: Arc<Store>,
    incoming: Incoming,
    /// The room for a body that becomes a blob, until the blob has it.
    promise: Option<Promise>,
    length: u64,
    limit: u64,
    buffer: BytesMut,
    state: State,
}

enum State {
    /// Everything so far is in the buffer.
    Small,
    /// The body is a blob.
    Streaming(Box<Streaming>),
}

struct Streaming {
    blob: Box<dyn BlobWriter>,
    digests: Hashing,
    /// A permit for each batch that may be under way.
    ahead: Arc<Semaphore>,
    _memory: OwnedSemaphorePermit,
}

/// Where a streaming body is hashed.
enum Hashing {
    /// Nothing has been hashed.
    None,
    Elsewhere(Lanes),
}

/// A received and verified body that no record points at yet. Dropped, its blob is removed.
pub struct Staged {
    pub length: u64,
    pub digests: Digests,
    bytes: StagedBytes,
}

enum StagedBytes {
    Empty,
    Inline(InlineId, Bytes),
    Blob(BlobRef, DiscardOnDrop),
}

/// Removes a blob unless told that a commit has taken it over.
struct DiscardOnDrop {
    blobs: Arc<dyn Blobs>,
    blob: Option<BlobRef>,
}

impl Store {
    /// Tells whether a body of `length` bytes would be taken: fails with [`Error::TooLarge`] above `limit`, with
    /// [`Error::Full`] when the reserve would be touched, and where no commit is taken that could follow it.
    pub async fn check_room(&self, length: u64, limit: u64) -> Result<(), Error> {
        if length > limit {
            return Err(Error::TooLarge { limit });
        }
        self.kv.writable()?;
        self.space.admit(length).await
    }

    /// Begins a body of at most `limit` bytes; fails as [`Self::check_room`] does.
    pub async fn stage(self: &Arc<Self>, incoming: Incoming, limit: u64) -> Result<BodyWriter, Error> {
        let length = incoming.length.unwrap_or_default();
        self.check_room(length, limit).await?;
        let promise = match length > self.options.inline_threshold {
            true => Some(self.space.promise(length).await?),
            false => None,
        };
        let expected = length.min(self.options.inline_threshold) as usize;
        let buffer = BytesMut::with_capacity(expected);
        Ok(BodyWriter { store: self.clone(), incoming, promise, length: 0, limit, buffer, state: State::Small })
    }
}

impl BodyWriter {
    /// Adds bytes at the end. Waits while the upload memory is in use elsewhere, so that the client is held back.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), Error> {
        self.length += chunk.len() as u64;
        if self.length > self.limit {
            return Err(Error::TooLarge { limit: self.limit });
        }
        if matches!(self.state, State::Small) {
            if self.length <= self.store.options.inline_threshold {
                self.buffer.extend_from_slice(&chunk);
                return Ok(());
            }
            self.start_streaming().await?;
            // The inline threshold may be larger than a batch, so what was small is gathered like any other chunk.
            let small = self.take_buffer();
            self.gather(small).await?;
        }
        self.gather(chunk).await
    }

    async fn gather(&mut self, mut chunk: Bytes) -> Result<(), Error> {
        while !chunk.is_empty() {
            let room = (BATCH_BYTES - self.buffer.len()).min(chunk.len());
            self.buffer.extend_from_slice(&chunk.split_to(room));
            if self.buffer.len() == BATCH_BYTES {
                self.dispatch().await?;
            }
        }
        Ok(())
    }

    /// Ends the body and compares it with what was announced. A blob is durable when this returns.
    pub async fn finish(mut self, announced: &Announced) -> Result<Staged, Error> {
        let plan = self.incoming.digests;
        if matches!(self.state, State::Small) {
            return self.finish_small(plan, announced).await;
        }
        let last = self.buffer.split().freeze();
        let State::Streaming(mut streaming) = std::mem::replace(&mut self.state, State::Small) else {
            return Err(Error::Aborted);
        };
        let digester = match streaming.digests {
            Hashing::None if last.len() <= HASHED_HERE => {
                let mut digester = Digester::new(plan);
                digester.update(&last);
                streaming.blob.write(last).await?;
                digester
            }
            _ => {
                streaming.push(last, plan).await?;
                streaming.digested(plan).await?
            }
        };
        let digests = digester.finish(plan);
        // The digests are compared before the blob is finished: what does not agree is dropped, and never existed.
        announced.verify(&digests)?;
        let blob = streaming.blob.finish().await?;
        let discard = DiscardOnDrop { blobs: self.store.blobs.clone(), blob: Some(blob) };
        Ok(Staged { length: self.length, digests, bytes: StagedBytes::Blob(blob, discard) })
    }

    async fn finish_small(self, plan: DigestPlan, announced: &Announced) -> Result<Staged, Error> {
        let bytes = self.buffer.freeze();
        let mut digester = Digester::new(plan);
        if bytes.len() > HASHED_HERE {
            let room = Arc::new(Semaphore::new(1)).acquire_owned().await.map_err(|_| Error::Aborted)?;
            let mut lanes = digester.into_lanes();
            lanes.push(Batch { bytes: bytes.clone(), room: Arc::new(room) });
            digester = lanes.finish().await?;
        } else {
            digester.update(&bytes);
        }
        let digests = digester.finish(plan);
        announced.verify(&digests)?;
        let bytes = match bytes.is_empty() {
            true => StagedBytes::Empty,
            false => StagedBytes::Inline(self.store.new_inline_id(), bytes),
        };
        Ok(Staged { length: self.length, digests, bytes })
    }

    async fn start_streaming(&mut self) -> Result<(), Error> {
        let memory: Arc<Semaphore> = self.store.upload_memory.clone();
        let memory = timeout(MEMORY_PATIENCE, memory.acquire_many_owned(STREAM_PERMITS)).await;
        let memory = memory.map_err(|_| Error::Contended)?.map_err(|_| Error::Aborted)?;
        let blob = self.store.blobs.create(self.incoming.length).await?;
        // The blob has its room now, and the next look at the file system shows it.
        self.promise = None;
        let ahead = Arc::new(Semaphore::new(BATCHES_AHEAD as usize));
        self.state = State::Streaming(Box::new(Streaming { blob, digests: Hashing::None, ahead, _memory: memory }));
        Ok(())
    }

    /// Hands the buffer to the blocking threads, once there is room for it.
    async fn dispatch(&mut self) -> Result<(), Error> {
        let batch = self.take_buffer();
        let State::Streaming(streaming) = &mut self.state else { return Err(Error::Aborted) };
        streaming.push(batch, self.incoming.digests).await
    }

    /// Gives what was gathered, and makes room for the next batch.
    fn take_buffer(&mut self) -> Bytes {
        let most = BATCH_BYTES as u64;
        let expected = self.incoming.length.map_or(most, |length| length.min(most));
        std::mem::replace(&mut self.buffer, aligned_buffer(expected as usize)).freeze()
    }
}

impl Streaming {
    /// Has a batch hashed and written. Waits while as many as may be are under way.
    async fn push(&mut self, bytes: Bytes, plan: DigestPlan) -> Result<(), Error> {
        if bytes.is_empty() {
            return Ok(());
        }
        let room = self.ahead.clone().acquire_owned().await.map_err(|_| Error::Aborted)?;
        if matches!(self.digests, Hashing::None) {
            self.digests = Hashing::Elsewhere(Digester::new(plan).into_lanes());
        }
        if let Hashing::Elsewhere(lanes) = &mut self.digests {
            lanes.push(Batch { bytes: bytes.clone(), room: Arc::new(room) });
        }
        Ok(self.blob.write(bytes).await?)
    }

    /// Waits for the hashes of everything that was pushed.
    async fn digested(&mut self, plan: DigestPlan) -> Result<Digester, Error> {
        match std::mem::replace(&mut self.digests, Hashing::None) {
            Hashing::None => Ok(Digester::new(plan)),
            Hashing::Elsewhere(lanes) => lanes.finish().await,
        }
    }
}

impl Staged {
    /// Where the bytes will be, for the record.
    pub fn data(&self) -> Data {
        match &self.bytes {
            StagedBytes::Empty => Data::Empty,
            StagedBytes::Inline(id, _) => Data::Inline(*id),
            StagedBytes::Blob(blob, _) => Data::Blob(*blob),
        }
    }

    /// Adds the bytes that travel with the commit.
    pub(super) fn write_into(&self, mutation: Mutation) -> Mutation {
        match &self.bytes {
            StagedBytes::Inline(id, bytes) => mutation.put(INLINE, tables::inline(*id), bytes.clone()),
            StagedBytes::Empty | StagedBytes::Blob(..) => mutation,
        }
    }

    /// From here on the blob is not removed when this is dropped: a commit that may point at it is on its way.
    pub(super) fn entrust(&mut self) {
        if let StagedBytes::Blob(_, discard) = &mut self.bytes {
            discard.blob = None;
        }
    }

    /// Takes the blob back from a commit that was certainly not applied. After any other error it may have been: then the
    /// blob stays, and if nothing points at it the next run removes it.
    pub(super) fn take_back_unless_committed<T, C>(&mut self, committed: &Result<Result<T, C>, Error>) {
        if !matches!(committed, Ok(Err(_)) | Err(Error::Stopped(_) | Error::Full)) {
            return;
        }
        if let StagedBytes::Blob(blob, discard) = &mut self.bytes {
            discard.blob = Some(*blob);
        }
    }
}

/// An empty buffer for so many bytes, where in memory the blob engine likes it to be.
fn aligned_buffer(bytes: usize) -> BytesMut {
    let mut buffer = BytesMut::with_capacity(bytes + WRITE_ALIGNMENT);
    let skipped = buffer.as_ptr().align_offset(WRITE_ALIGNMENT);
    buffer.resize(skipped, 0);
    buffer.advance(skipped);
    buffer
}

impl Drop for DiscardOnDrop {
    fn drop(&mut self) {
        let Some(blob) = self.blob.take() else { return };
        let blobs = self.blobs.clone();
        // Without a runtime the process is ending; the next run's sweep removes the blob.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = blobs.delete(blob.id).await {
                    tracing::warn!(blob = %blob.id, %error, "a discarded upload stays on disk until the next start");
                }
            });
        }
    }
}
