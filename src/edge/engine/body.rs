//! Bodies of answers: from memory, from a fetch under way, slice by slice, or straight from the origin.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::slices::Slices;
use super::tail::{Next, Tail};
use crate::edge::compress::{self, Compressed};
use crate::edge::origin::{self, Received};

/// The body of an answer. Dropping it gives up whatever fetches for it alone.
#[derive(Default)]
pub enum Body {
    #[default]
    Empty,
    Whole(Bytes),
    /// What is just being fetched.
    Fill(Box<Fill>),
    /// What is kept, or is to be fetched, slice by slice.
    Slices(Box<Slices>),
    /// Several bodies, one after the other.
    Parts(Parts),
    /// What the origin sends to this client alone.
    Passed(Box<Received>),
    /// Another body, compressed as it comes.
    Compressed(Box<Compressed<BodyError>>),
}

/// Why a body breaks off. The connection must be closed, so that nobody takes what came for the whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body was cut off")]
    Cut,
    #[error("the origin has other content by now")]
    Changed,
    #[error("the reader was too slow for a body that is not stored")]
    TooSlow,
    #[error(transparent)]
    Origin(#[from] origin::BodyError),
    #[error(transparent)]
    Fetch(#[from] origin::FetchError),
    #[error("the body could not be compressed")]
    Compression(#[source] Box<compress::Error<Self>>),
}

/// A part of a fetch under way; what is no longer kept of it is read slice by slice.
pub struct Fill {
    tail: Tail,
    /// Where it goes on from when it fell behind.
    elsewhere: Option<Box<dyn FnOnce(std::ops::Range<u64>) -> Slices + Send>>,
}

/// Bodies that are sent one after the other.
pub struct Parts {
    parts: VecDeque<Body>,
    /// The bytes of them all that are to come.
    left: u64,
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

impl Body {
    /// A body of these bytes.
    pub fn whole(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Whole(bytes) }
    }

    /// These bodies, which have `length` bytes together.
    pub(super) fn parts(parts: impl IntoIterator<Item = Self>, length: u64) -> Self {
        Self::Parts(Parts { parts: parts.into_iter().collect(), left: length })
    }

    /// What `tail` reads; what it cannot read any more, from `elsewhere` if there is anything.
    pub(super) fn fill(
        tail: Tail,
        elsewhere: Option<impl FnOnce(std::ops::Range<u64>) -> Slices + Send + 'static>,
    ) -> Self {
        let elsewhere = elsewhere.map(|make| Box::new(make) as Box<dyn FnOnce(std::ops::Range<u64>) -> Slices + Send>);
        Self::Fill(Box::new(Fill { tail, elsewhere }))
    }

    /// Waits for the first bytes where they are read slice by slice, so that what is wrong with them is known before anything
    /// was sent. Those of several parts are looked at as they come.
    pub(super) async fn prime(&mut self) -> Result<(), BodyError> {
        if let Self::Slices(slices) = self { slices.prime().await } else { Ok(()) }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Polled {
        let Self::Fill(fill) = self else { return Poll::Ready(None) };
        match ready!(fill.tail.poll_next(cx)) {
            Ok(Next::Chunk(chunk)) => data(chunk),
            Ok(Next::End) => Poll::Ready(None),
            Ok(Next::Behind(left)) => {
                let Some(elsewhere) = fill.elsewhere.take() else {
                    return Poll::Ready(Some(Err(BodyError::TooSlow)));
                };
                *self = Self::Slices(Box::new(elsewhere(left)));
                Pin::new(self).poll_frame(cx)
            }
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                data(bytes)
            }
            Self::Fill(_) => self.poll_fill(cx),
            Self::Slices(slices) => slices.poll_bytes(cx).map(|bytes| bytes.map(|bytes| bytes.map(Frame::data))),
            Self::Parts(parts) => parts.poll(cx),
            Self::Passed(body) => {
                Pin::new(body.as_mut()).poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(BodyError::from)))
            }
            Self::Compressed(body) => Pin::new(body.as_mut())
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|error| BodyError::Compression(Box::new(error))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Passed(body) => body.is_end_stream(),
            Self::Compressed(body) => body.is_end_stream(),
            _ => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        let exact = match self {
            Self::Empty => Some(0),
            Self::Whole(bytes) => Some(bytes.len() as u64),
            Self::Fill(fill) => fill.tail.remaining(),
            Self::Slices(slices) => Some(slices.remaining()),
            Self::Parts(parts) => Some(parts.left),
            Self::Passed(body) => return body.size_hint(),
            Self::Compressed(_) => None,
        };
        exact.map(SizeHint::with_exact).unwrap_or_default()
    }
}

impl Parts {
    fn poll(&mut self, cx: &mut Context<'_>) -> Polled {
        loop {
            let Some(first) = self.parts.front_mut() else { return Poll::Ready(None) };
            match ready!(Pin::new(first).poll_frame(cx)) {
                None => drop(self.parts.pop_front()),
                Some(Ok(frame)) => {
                    let sent = frame.data_ref().map_or(0, |data| data.len() as u64);
                    self.left = self.left.saturating_sub(sent);
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Empty => "Empty",
            Self::Whole(_) => "Whole",
            Self::Fill(_) => "Fill",
            Self::Slices(_) => "Slices",
            Self::Parts(_) => "Parts",
            Self::Passed(_) => "Passed",
            Self::Compressed(_) => "Compressed",
        };
        write!(f, "{name}({:?})", self.size_hint().exact())
    }
}

fn data(bytes: Bytes) -> Polled {
    Poll::Ready(Some(Ok(Frame::data(bytes))))
}
