//! Writing a blob from asynchronous code.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

use super::draft::Draft;
use super::layout::Segment;
use super::{BlobId, BlobRef, BlobWriter, Error, Shared, unless_stopped};

/// A chunk shorter than this is likely to be the last: it waits for the next call, so that a small blob is written and
/// synced in one step.
const SHORT_BYTES: usize = 512 << 10;

/// Writes one chunk on a blocking thread while the caller prepares the next: at most one chunk is under way.
pub(super) struct FileWriter {
    shared: Arc<Shared>,
    id: BlobId,
    state: State,
    /// A short chunk that comes before whatever is next.
    held_back: Option<Bytes>,
    /// Whether a step failed or was lost: the blob then has a hole, and must not be finished.
    broken: bool,
}

/// Who has the draft.
enum State {
    Idle(Box<Draft>),
    /// A blocking thread, which gives it back; an error drops it there.
    Busy(Work),
    /// Nobody: it failed or is finished.
    Gone,
}

/// The draft after a step, with its reference if that was the last one.
type Step = (Box<Draft>, Option<BlobRef>);
type Work = JoinHandle<Result<Step, Error>>;

impl FileWriter {
    pub(super) async fn create(shared: Arc<Shared>, length: Option<u64>) -> Result<Self, Error> {
        let id = BlobId { run: shared.run, number: shared.next.fetch_add(1, Ordering::Relaxed) };
        let owner = shared.clone();
        let work = spawn_blocking(move || Ok((Box::new(Draft::create(owner, id, length)?), None)));
        let mut writer = Self { shared, id, state: State::Busy(work), held_back: None, broken: false };
        let (draft, _) = writer.settled().await?;
        writer.state = State::Idle(draft);
        Ok(writer)
    }

    /// Waits for the step under way and takes the draft.
    async fn settled(&mut self) -> Result<Step, Error> {
        // The handle stays in its place while we wait: if this future is dropped, the writer still knows who has the draft.
        let settled = match &mut self.state {
            State::Busy(work) => Some(unless_stopped(work.await)),
            _ => None,
        };
        match (settled, std::mem::replace(&mut self.state, State::Gone)) {
            (Some(settled), _) => settled,
            (None, State::Idle(draft)) => Ok((draft, None)),
            (None, _) => Err(broken()),
        }
    }

    async fn begin(
        &mut self,
        step: impl FnOnce(&mut Draft) -> Result<Option<BlobRef>, Error> + Send + 'static,
    ) -> Result<(), Error> {
        // Stays so if what follows fails, or if the caller does not wait for it.
        if std::mem::replace(&mut self.broken, true) {
            return Err(broken());
        }
        let (mut draft, _) = self.settled().await?;
        let held_back = self.held_back.take();
        self.state = State::Busy(spawn_blocking(move || {
            held_back.map_or(Ok(()), |chunk| draft.write(&chunk))?;
            let blob = step(&mut draft)?;
            Ok((draft, blob))
        }));
        self.broken = false;
        Ok(())
    }
}

#[async_trait]
impl BlobWriter for FileWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), Error> {
        if chunk.len() < SHORT_BYTES && self.held_back.is_none() && !self.broken {
            self.held_back = Some(chunk);
            return Ok(());
        }
        self.begin(move |draft| draft.write(&chunk).map(|()| None)).await
    }

    async fn finish(mut self: Box<Self>) -> Result<BlobRef, Error> {
        // The name and the bytes become durable side by side: either without the other is an orphan for the sweeper. Only
        // when both are does the caller get the reference.
        let (shared, segment) = (self.shared.clone(), Segment::of(self.id));
        let name = spawn_blocking(move || shared.syncs.directory(&shared.layout, segment));
        self.begin(|draft| draft.finish().map(Some)).await?;
        unless_stopped(name.await)?;
        let (draft, blob) = self.settled().await?;
        draft.keep();
        Ok(blob.expect("the step begun above gives a reference"))
    }
}

impl Drop for FileWriter {
    /// Removes the file of an unfinished blob on a thread that may block.
    fn drop(&mut self) {
        match (std::mem::replace(&mut self.state, State::Gone), Handle::try_current()) {
            (State::Idle(draft), Ok(runtime)) => drop(runtime.spawn_blocking(move || drop(draft))),
            (State::Busy(work), Ok(runtime)) => drop(runtime.spawn(async move {
                if let Ok(Ok(step)) = work.await {
                    spawn_blocking(move || drop(step));
                }
            })),
            // Without a runtime nobody minds waiting.
            (State::Idle(_) | State::Busy(_) | State::Gone, _) => {}
        }
    }
}

pub(super) fn broken() -> Error {
    Error::Io(io::Error::other("an earlier part of this blob was not written"))
}
