//! The body of a request: bounded in size, and in the time that it may stand still or crawl.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::process::LeastRate;

/// Why a request's body is not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("the body of the request is larger than is taken")]
    TooLarge,
    #[error("the body of the request comes too slowly")]
    Slow,
    #[error(transparent)]
    Connection(#[from] hyper::Error),
}

/// A request's body.
pub struct Upload {
    body: Incoming,
    /// What may still come.
    left: u64,
    least: LeastRate,
    /// The window that runs, and what came within it. Without one until something is waited for.
    window: Option<Pin<Box<Sleep>>>,
    came: u64,
    received: Arc<AtomicU64>,
}

impl Upload {
    /// At most `most` bytes of `body`, at `least` this fast; the bytes that come are added to `received`.
    pub fn new(body: Incoming, most: u64, least: LeastRate, received: Arc<AtomicU64>) -> Self {
        Self { body, left: most, least, window: None, came: 0, received }
    }

    fn take(&mut self, bytes: u64) -> Result<(), UploadError> {
        self.received.fetch_add(bytes, Ordering::Relaxed);
        self.came += bytes;
        self.left = self.left.checked_sub(bytes).ok_or(UploadError::TooLarge)?;
        Ok(())
    }

    /// Is ready once too little came in a window.
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let LeastRate { bytes, window } = self.least;
        let timer = self.window.get_or_insert_with(|| Box::pin(sleep(window)));
        while timer.as_mut().poll(cx).is_ready() {
            // At least one byte, where there is no least rate.
            let least = (u128::from(bytes) * window.as_millis() / 1000).max(1);
            if u128::from(std::mem::take(&mut self.came)) < least {
                return Poll::Ready(());
            }
            timer.as_mut().reset(Instant::now() + window);
        }
        Poll::Pending
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let upload = &mut *self;
        match Pin::new(&mut upload.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let taken = upload.take(frame.data_ref().map_or(0, Bytes::len) as u64);
                Poll::Ready(Some(taken.map(|()| frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => upload.poll_slow(cx).map(|()| Some(Err(UploadError::Slow))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
