//! An answer's body as it comes, with a bound on silence.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};

use super::error::BodyError;

/// The body of an answer. Ends without error only where it is whole, as far as its framing can tell: a body that ends with
/// the connection is whole when the connection is closed (RFC 9112 section 6.3). Dropping it gives the connection up
/// where something is left, and the request's place at the origin in any case.
pub struct Received {
    body: Incoming,
    silence: Duration,
    /// Runs while nothing comes.
    alarm: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    _place: OwnedSemaphorePermit,
}

impl Received {
    pub(super) fn new(body: Incoming, silence: Duration, place: OwnedSemaphorePermit) -> Self {
        Self { body, silence, alarm: None, waiting: false, _place: place }
    }

    /// Whether the origin has been silent for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let end = || Instant::now() + self.silence;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(end())));
        if !self.waiting {
            alarm.as_mut().reset(Instant::now() + self.silence);
            self.waiting = true;
        }
        alarm.as_mut().poll(cx)
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| BodyError::Broken(error.into()))));
        }
        self.poll_silence(cx).map(|()| Some(Err(BodyError::Slow(self.silence))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
