//! Stored bytes on their way to a client: bounded in memory, and never damaged ones behind a status of success.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::store;
use crate::store::read::ObjectReader;

/// How many bytes of one download may be in memory: what a reader gives at a time.
const STREAM_BYTES: u64 = 256 * 1024;

/// How long a download waits for its share of memory before the client is told to slow down.
const MEMORY_PATIENCE: Duration = Duration::from_secs(10);

/// A download of up to so many bytes is handed over whole and counts no longer: not more than a connection takes anyway.
const WHOLE_BYTES: u64 = 64 * 1024;

/// The memory of all downloads. Clones share it.
#[derive(Debug, Clone)]
pub struct DownloadMemory(Arc<Semaphore>);

/// Why a download did not begin.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    #[error("there is no memory for another download")]
    Busy,
    #[error(transparent)]
    Unreadable(#[from] store::Error),
}

/// What is told of a download while it goes on; dropped when its last byte is sent or the client is gone.
pub trait Tally: 'static {
    /// So many more bytes were handed over.
    fn sent(&mut self, bytes: u64);

    /// The connection ends before the announced length, because the rest cannot be read.
    fn cut_short(&mut self, error: &store::Error);
}

/// A download whose first bytes are read: they are in order, so the status can be sent.
pub struct Download {
    reader: Box<ObjectReader>,
    first: Bytes,
    length: u64,
    memory: OwnedSemaphorePermit,
}

struct Streaming<T> {
    reader: Box<ObjectReader>,
    first: Option<Bytes>,
    tally: T,
    /// Held while bytes of this download may be in memory.
    _memory: OwnedSemaphorePermit,
}

impl DownloadMemory {
    /// `bytes` of downloads may be in memory at once, and one download's at least.
    pub fn new(bytes: u64) -> Self {
        let permits = (bytes / STREAM_BYTES).clamp(1, Semaphore::MAX_PERMITS as u64);
        Self(Arc::new(Semaphore::new(permits as usize)))
    }
}

impl Download {
    /// Waits for a share of the memory and reads the first of `length` bytes, which are what the reader gives in all.
    pub async fn start(
        mut reader: Box<ObjectReader>,
        length: u64,
        memory: &DownloadMemory,
    ) -> Result<Self, NotStarted> {
        let share = memory.0.clone().acquire_owned();
        let Ok(Ok(memory)) = tokio::time::timeout(MEMORY_PATIENCE, share).await else {
            return Err(NotStarted::Busy);
        };
        let first = reader.next().await?.unwrap_or_default();
        Ok(Self { reader, first, length, memory })
    }

    /// Answers with the bytes. Damage further on ends the connection before the announced length.
    pub fn respond(self, mut response: HttpResponseBuilder, mut tally: impl Tally) -> HttpResponse {
        let Self { reader, first, length, memory } = self;
        tally.sent(first.len() as u64);
        if first.len() as u64 == length && length <= WHOLE_BYTES {
            return response.body(first);
        }
        let rest = stream_rest(Streaming { reader, first: Some(first), tally, _memory: memory });
        response.body(SizedStream::new(length, Box::pin(rest)))
    }
}

fn stream_rest<T: Tally>(streaming: Streaming<T>) -> impl Stream<Item = Result<Bytes, io::Error>> {
    stream::unfold(Some(streaming), |streaming| async move {
        let mut streaming = streaming?;
        match streaming.next().await {
            Ok(bytes) => bytes.map(|bytes| (Ok(bytes), Some(streaming))),
            Err(error) => Some((Err(error), None)),
        }
    })
}

impl<T: Tally> Streaming<T> {
    /// Gives the next bytes. It is asked for them when the client has taken those before.
    async fn next(&mut self) -> Result<Option<Bytes>, io::Error> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        match self.reader.next().await {
            Ok(Some(bytes)) => {
                self.tally.sent(bytes.len() as u64);
                Ok(Some(bytes))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                self.tally.cut_short(&error);
                Err(io::Error::other(error))
            }
        }
    }
}
