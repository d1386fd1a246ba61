//! The body of an answer on its way to a client: counted, and accounted for when it ends, however it ends.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::super::engine::{Body, BodyError};
use super::account::Account;
use super::activity::Running;

/// A body whose end is noted.
pub struct Sent {
    body: Body,
    running: Running,
    account: Account,
}

impl Sent {
    pub fn new(body: Body, mut running: Running, account: Account) -> Self {
        running.set_upstream(false);
        Self { body, running, account }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let sent = &mut *self;
        let polled = Pin::new(&mut sent.body).poll_frame(cx);
        sent.running.set_upstream(polled.is_pending());
        match &polled {
            Poll::Ready(Some(Ok(frame))) => sent.account.sent += frame.data_ref().map_or(0, Bytes::len) as u64,
            Poll::Ready(Some(Err(_))) => sent.account.broken = true,
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
