//! A body, or a part of one, out of a file of the disk tier.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::body::BodyError;
use crate::edge::cache::{DiskError, DiskReader};

type Reading = Pin<Box<dyn Future<Output = Result<Bytes, DiskError>> + Send>>;

/// Reads `left` of a file, a block at a time: the next one when the last was taken.
pub struct DiskBytes {
    file: Arc<DiskReader>,
    left: Range<u64>,
    reading: Option<Reading>,
}

impl DiskBytes {
    pub fn new(file: Arc<DiskReader>, part: Range<u64>) -> Self {
        Self { file, left: part, reading: None }
    }

    pub fn remaining(&self) -> u64 {
        self.left.end - self.left.start
    }

    /// Gives the next bytes; `None` at the end.
    pub fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let (file, offset) = (&self.file, self.left.start);
        let reading = self.reading.get_or_insert_with(|| {
            let file = Arc::clone(file);
            Box::pin(async move { file.read(offset).await })
        });
        let read = ready!(reading.as_mut().poll(cx));
        self.reading = None;
        Poll::Ready(Some(read.map_err(BodyError::from).and_then(|bytes| self.take(bytes))))
    }

    fn take(&mut self, mut bytes: Bytes) -> Result<Bytes, BodyError> {
        if bytes.is_empty() {
            return Err(BodyError::Cut);
        }
        bytes.truncate(usize::try_from(self.remaining()).unwrap_or(usize::MAX));
        self.left.start += bytes.len() as u64;
        Ok(bytes)
    }
}

impl fmt::Debug for DiskBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskBytes").field("left", &self.left).finish_non_exhaustive()
    }
}
