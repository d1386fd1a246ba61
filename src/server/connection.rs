//! A connection of an endpoint: it ends when no request begins on it in time, and when its client takes too little of
//! an answer.
//!
//! actix bounds the head of a connection's first request only: a client that begins a later one and never ends it would
//! hold its connection for ever. Here the time between two requests is bounded, whatever comes in it.

use std::cell::Cell;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_service::Service;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use crate::process::{LeastRate, Uptake};

/// A socket that reads as ended once nothing was asked and nothing was answered on it for too long, and that fails to
/// write once its client took too little for too long.
pub struct Connection {
    stream: TcpStream,
    activity: Rc<Activity>,
    /// How long nothing may happen.
    patience: Duration,
    overdue: Pin<Box<Sleep>>,
    /// The activity that [`Self::overdue`] counts from.
    seen: u64,
    uptake: Uptake,
}

/// What happens on one connection, as far as it shows that the connection is in use.
#[derive(Debug, Default)]
pub struct Activity {
    running: Cell<usize>,
    events: Cell<u64>,
}

/// A request while it is carried out.
struct Running(Rc<Activity>);

impl Connection {
    /// Takes an accepted socket. Small answers leave it at once: `TCP_NODELAY` is on.
    pub fn new(stream: TcpStream, patience: Duration, least: LeastRate) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (overdue, uptake) = (Box::pin(sleep(patience)), Uptake::new(least));
        Ok(Self { stream, activity: Rc::default(), patience, overdue, seen: 0, uptake })
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// What [`counted`] finds with the connection's requests.
    pub fn activity(&self) -> Rc<Activity> {
        Rc::clone(&self.activity)
    }

    fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let events = self.activity.events.get();
        let running = self.activity.running.get() > 0;
        if running || events != self.seen {
            self.seen = events;
            self.overdue.as_mut().reset(Instant::now() + self.patience);
        }
        !running && self.overdue.as_mut().poll(cx).is_ready()
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        let read = Pin::new(&mut connection.stream).poll_read(cx, buffer);
        if read.is_pending() && connection.is_overdue(cx) {
            // As if the client had hung up.
            return Poll::Ready(Ok(()));
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let connection = self.get_mut();
        let written = Pin::new(&mut connection.stream).poll_write(cx, bytes);
        match &written {
            Poll::Ready(taken) => {
                connection.activity.note();
                connection.uptake.sent(*taken.as_ref().unwrap_or(&0));
                written
            }
            Poll::Pending => connection.uptake.poll_blocked(connection.stream.as_fd(), cx).map(Err),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl Activity {
    fn note(&self) {
        self.events.set(self.events.get().wrapping_add(1));
    }
}

impl Running {
    fn begin(activity: Rc<Activity>) -> Self {
        activity.running.set(activity.running.get() + 1);
        Self(activity)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.set(self.0.running.get() - 1);
        self.0.note();
    }
}

/// Passes a request on; until its answer begins, its connection is in use.
pub fn counted<S>(
    request: actix_http::Request,
    service: &S,
) -> impl Future<Output = Result<S::Response, S::Error>> + use<S>
where
    S: Service<actix_http::Request>,
{
    let running = request.conn_data::<Rc<Activity>>().cloned().map(Running::begin);
    let answering = service.call(request);
    async move {
        let answer = answering.await;
        drop(running);
        answer
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);
    const LEAST: LeastRate = LeastRate { bytes: 1 << 20, window: Duration::from_millis(500) };

    async fn connected() -> (TcpStream, Connection) {
        connected_with(LEAST).await
    }

    async fn connected_with(least: LeastRate) -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        (client, Connection::new(stream, PATIENCE, least).unwrap())
    }

    #[tokio::test]
    async fn small_answers_do_not_wait() {
        let (_client, connection) = connected().await;
        assert!(connection.stream().nodelay().unwrap());
    }

    #[tokio::test]
    async fn bytes_that_never_become_a_request_do_not_hold_a_connection() {
        let (mut client, mut connection) = connected().await;
        let trickle = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(PATIENCE / 5).await;
            }
        });
        let mut received = Vec::new();
        connection.read_to_end(&mut received).await.unwrap();
        assert!(!received.is_empty());
        trickle.abort();
    }

    #[tokio::test]
    async fn a_running_request_holds_its_connection_and_an_answer_begins_a_new_wait() {
        let (_client, mut connection) = connected().await;
        let running = Running::begin(connection.activity());
        let mut byte = [0];
        assert!(tokio::time::timeout(PATIENCE * 3, connection.read(&mut byte)).await.is_err());
        drop(running);
        let began = Instant::now();
        connection.write_all(b"answer").await.unwrap();
        assert_eq!(connection.read(&mut byte).await.unwrap(), 0);
        assert!(began.elapsed() >= PATIENCE);
    }

    /// Reads `bytes` at a time, `pauses` apart, until the other end is gone.
    async fn take_slowly(mut client: TcpStream, bytes: usize, pauses: Duration) {
        let mut buffer = vec![0; bytes];
        while client.read_exact(&mut buffer).await.is_ok() {
            tokio::time::sleep(pauses).await;
        }
    }

    /// Sends until something fails, for at most five seconds; tells what failed.
    async fn send_endlessly(mut connection: Connection) -> Option<io::ErrorKind> {
        let sending = async {
            let bytes = vec![0; 1 << 20];
            loop {
                if let Err(error) = connection.write_all(&bytes).await {
                    return error.kind();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(5), sending).await.ok()
    }

    #[tokio::test]
    async fn a_client_that_takes_too_little_or_nothing_is_given_up() {
        let (_silent, connection) = connected().await;
        assert_eq!(send_endlessly(connection).await, Some(io::ErrorKind::TimedOut));

        let (client, connection) = connected().await;
        let slow = tokio::spawn(take_slowly(client, 16 << 10, Duration::from_millis(50)));
        assert_eq!(send_endlessly(connection).await, Some(io::ErrorKind::TimedOut));
        slow.abort();
    }

    #[tokio::test]
    async fn a_client_above_the_least_rate_is_waited_for() {
        // Eighty times what it must take, judged twice: a busy machine may stand still for most of a window.
        let least = LeastRate { bytes: 64 << 10, window: Duration::from_secs(2) };
        let (client, connection) = connected_with(least).await;
        let steady = tokio::spawn(take_slowly(client, 512 << 10, Duration::from_millis(100)));
        assert_eq!(send_endlessly(connection).await, None);
        steady.abort();
    }
}
