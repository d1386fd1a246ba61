//! A connection that ends in order when it is told to: after the requests that it has begun.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper::server::conn::{http1, http2};
use hyper_util::server::conn::auto;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Says when to stop. Clones share it.
#[derive(Clone, Default)]
pub struct Stopping {
    token: CancellationToken,
    /// What the token knows, without its lock: looked at whenever a connection wakes.
    stopped: Arc<AtomicBool>,
}

/// A connection of hyper's.
pub trait Connection {
    /// Polls it to its end.
    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>>;

    /// Takes no further request.
    fn drain(self: Pin<&mut Self>);
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Polls a connection to its end, and drains it when told to stop.
pub struct Draining<C> {
    connection: Pin<Box<C>>,
    stopping: Stopping,
    /// Told once; `None` when it was.
    told: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    waiting: bool,
}

impl Stopping {
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.token.cancel();
    }

    /// What `work` gives; `None` where it was told to stop before.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.token.run_until_cancelled(work).await
    }
}

impl<C: Connection> Draining<C> {
    pub fn new(connection: C, stopping: &Stopping) -> Self {
        let told = Some(Box::pin(stopping.token.clone().cancelled_owned()));
        Self { connection: Box::pin(connection), stopping: stopping.clone(), told, waiting: false }
    }
}

impl<C: Connection> Future for Draining<C> {
    type Output = Result<(), BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // The first time, to be woken; after that, once there is a reason. The task, and so its waker, stays the same.
        if let Some(told) = &mut this.told
            && (!this.waiting || this.stopping.stopped.load(Ordering::Acquire))
        {
            this.waiting = true;
            if told.as_mut().poll(cx).is_ready() {
                this.told = None;
                this.connection.as_mut().drain();
            }
        }
        this.connection.as_mut().poll_end(cx)
    }
}

impl<I, S> Connection for http1::UpgradeableConnection<I, S>
where
    Self: Future<Output = hyper::Result<()>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    S: hyper::service::HttpService<hyper::body::Incoming>,
    S::Error: Into<BoxError>,
    S::ResBody: 'static,
    <S::ResBody as hyper::body::Body>::Error: Into<BoxError>,
{
    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(ready!(self.poll(cx)).map_err(Into::into))
    }

    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, E> Connection for http2::Connection<I, S, E>
where
    Self: Future<Output = hyper::Result<()>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: hyper::service::HttpService<hyper::body::Incoming>,
    S::Error: Into<BoxError>,
    S::ResBody: 'static,
    <S::ResBody as hyper::body::Body>::Error: Into<BoxError>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, S::ResBody>,
{
    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(ready!(self.poll(cx)).map_err(Into::into))
    }

    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, E, B> Connection for auto::UpgradeableConnection<'static, I, S, E>
where
    Self: Future<Output = Result<(), BoxError>>,
    S: hyper::service::Service<http::Request<hyper::body::Incoming>, Response = http::Response<B>>,
    S::Future: 'static,
    S::Error: Into<BoxError>,
    B: hyper::body::Body + 'static,
    B::Error: Into<BoxError>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    E: hyper_util::server::conn::auto::HttpServerConnExec<S::Future, B>,
{
    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.poll(cx)
    }

    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
